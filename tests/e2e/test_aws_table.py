"""docs/SQS-SNS.md names all that the two services have: every operation, member, attribute and
error of Amazon's own model, as botocore carries it; and what the page calls absent is answered
with Amazon's error.
"""

import re
from pathlib import Path

import boto3
import botocore
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from aws_client import CONFIG, KEYS, REGION, refused, running_aws

PAGE = (Path(__file__).parents[2] / "docs" / "SQS-SNS.md").read_text()
SERVICES = ["sqs", "sns"]
MODELS = {name: botocore.session.get_session().get_service_model(name) for name in SERVICES}
INVALID = "InvalidParameter"


@pytest.fixture(scope="module")
def aws():
    with running_aws() as client:
        yield client


def section(title, text=PAGE):
    """From this heading to the next one of its rank."""
    rank = re.match("#+", title)[0]
    found = re.search(rf"^{title}$(.*?)(?=^#{{1,{len(rank)}}} |\Z)", text, re.M | re.S)
    assert found, f"there is no section {title!r}"
    return found[1]


def half(service):
    return section(f"# {service.upper()}")


def named(text):
    """The words in `code` of a text."""
    return set(re.findall(r"`([\w.-]+)`", text))


def rows(service):
    """The row of each action that is there."""
    table = section(f"## Actions of {service.upper()}").split("**Not there**")[0]
    return dict(re.findall(r"^\| `(\w+)` (\|.*)$", table, re.M))


def absent():
    """The actions of SNS that are called absent."""
    _, _, table = section("## Actions of SNS").partition("**Not there**")
    lines = [line.split("|")[2] for line in table.splitlines() if line.startswith("| ")]
    return sorted(set().union(*map(named, lines)))


def members(shape, seen=()):
    """The names of everything within a shape."""
    if shape is None or shape.name in seen:
        return set()
    seen = (*seen, shape.name)
    if shape.type_name == "structure":
        inner = [members(member, seen) for member in shape.members.values()]
        return set(shape.members).union(*inner)
    if shape.type_name == "list":
        return members(shape.member, seen)
    if shape.type_name == "map":
        return members(shape.value, seen)
    return set()


def errors(model):
    """Every error of a service: its shape, and the code on the wire."""
    shapes = [model.shape_for(name) for name in model.shape_names]
    return [shape for shape in shapes if shape.metadata.get("exception")]


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_is_there_or_called_absent(service):
    there, gone = set(rows(service)), set(absent() if service == "sns" else [])
    assert not there & gone
    assert there | gone == set(MODELS[service].operation_names)


@pytest.mark.parametrize("service", SERVICES)
def test_every_member_of_what_is_sent_is_named(service):
    everywhere = named(half(service))
    missing = {}
    for operation, row in rows(service).items():
        shape = MODELS[service].operation_model(operation).input_shape
        top = set(shape.members) if shape else set()
        lacking = (top - named(row)) | (members(shape) - everywhere)
        if lacking:
            missing[operation] = sorted(lacking)
    assert missing == {}


@pytest.mark.parametrize("service", SERVICES)
def test_every_error_is_named(service):
    words = named(section(f"## Errors of {service.upper()}"))
    missing = []
    for shape in errors(MODELS[service]):
        # Over AWS JSON it is the shape that clients see, over the query protocol the code.
        seen = {shape.error_code.rpartition(".")[2]}
        if service == "sqs":
            seen.add(shape.name)
        missing += sorted(seen - words)
    assert missing == []


def test_every_attribute_of_queues_and_messages_is_named():
    words = named(half("sqs"))
    for shape in ("QueueAttributeName", "MessageSystemAttributeName"):
        assert set(MODELS["sqs"].shape_for(shape).enum) - words == set()


@pytest.fixture(scope="module")
def unchecked(aws):
    """Asks with whatever it is told to send."""
    config = CONFIG.merge(Config(parameter_validation=False))
    session = boto3.session.Session(region_name=REGION, **KEYS)

    def ask(service, operation):
        client = session.client(service, endpoint_url=aws.endpoint, config=config)
        return getattr(client, botocore.xform_name(operation))()

    return ask


@pytest.mark.parametrize("operation", absent())
def test_what_is_absent_is_answered_as_an_unknown_action(unchecked, operation):
    with refused("InvalidAction"):
        unchecked("sns", operation)


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_there_is_not(unchecked, service):
    for operation in rows(service):
        try:
            unchecked(service, operation)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            assert code not in ("InvalidAction", "UnknownOperationException"), operation
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] < 500, operation


def test_parameters_that_are_absent_are_refused(aws):
    arn = aws.topic()
    with refused(INVALID):
        aws.sns.create_topic(Name="protected", DataProtectionPolicy="{}")
    for attribute, value in {
        "MaximumMessageSize": "1024",
        "ArchivePolicy": '{"MessageRetentionPeriod": "30"}',
        "BeginningArchiveTime": "2026-01-01T00:00:00Z",
    }.items():
        with refused(INVALID):
            aws.sns.set_topic_attributes(
                TopicArn=arn, AttributeName=attribute, AttributeValue=value
            )
    for protocol in ("sms", "application", "lambda", "firehose"):
        with refused(INVALID):
            aws.sns.subscribe(TopicArn=arn, Protocol=protocol, Endpoint="+15550100")
    queue = aws.arn(aws.queue())
    subscription = aws.sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue)
    for attribute in ("SubscriptionRoleArn", "ReplayPolicy", "ReplayStatus"):
        with refused(INVALID):
            aws.sns.set_subscription_attributes(
                SubscriptionArn=subscription["SubscriptionArn"],
                AttributeName=attribute,
                AttributeValue="{}",
            )
    for target in ({"PhoneNumber": "+15550100"}, {"TargetArn": f"{arn}:endpoint/GCM/a/b"}):
        with refused(INVALID):
            aws.sns.publish(Message="m", **target)
    lists = {"DataType": "String", "StringListValues": ["a"]}
    with refused("InvalidParameterValue"):
        aws.send(aws.queue(), "m", MessageAttributes={"a": lists})
