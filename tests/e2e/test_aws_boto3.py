"""Queues as boto3 uses them, in AWS JSON: what the developer guide and the API reference
promise, also where an emulator would get by with less.
"""

import json
import threading
import time
from urllib.parse import urlsplit

import pytest

from aws_client import attributes_md5, md5, number, refused, running_aws, text, unique

# An example with a digest that does not come from the code that is tested here.
KNOWN_ATTRIBUTES = {"attribName1": text("attribValue 1")}
KNOWN_MD5 = "19e27d4e946b072f3f58da80d94fd778"
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
# Waking a receiver takes milliseconds; a busy machine may take this.
AT_ONCE_S = 1.0


@pytest.fixture(scope="module")
def aws():
    with running_aws() as client:
        yield client


def test_a_queue_is_found_by_name_and_url(aws):
    url = aws.queue("orders", VisibilityTimeout=7)
    name = url.rsplit("/", 1)[1]
    account = url.split("/")[-2]
    assert url == f"{aws.endpoint}/{account}/{name}"
    assert account.isdigit() and len(account) == 12
    assert aws.sqs.get_queue_url(QueueName=name)["QueueUrl"] == url
    assert aws.arn(url) == f"arn:aws:sqs:{aws.sqs.meta.region_name}:{account}:{name}"
    # Creating it again is no error unless an attribute that is sent differs.
    assert aws.sqs.create_queue(QueueName=name)["QueueUrl"] == url
    again = {"VisibilityTimeout": "7"}
    assert aws.sqs.create_queue(QueueName=name, Attributes=again)["QueueUrl"] == url
    with refused("QueueAlreadyExists", "QueueNameExists"):
        aws.sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "8"})
    # The URL is made of the host that the client used, so that it works through a proxy.
    port = urlsplit(aws.endpoint).port
    elsewhere = aws.client("sqs", endpoint=f"http://localhost:{port}")
    assert elsewhere.get_queue_url(QueueName=name)["QueueUrl"].startswith(
        f"http://localhost:{port}/"
    )
    aws.sqs.delete_queue(QueueUrl=url)
    with refused("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist") as raised:
        aws.sqs.get_queue_url(QueueName=name)
    assert raised.value.response["Error"]["Message"] == "The specified queue does not exist."
    with pytest.raises(aws.sqs.exceptions.QueueDoesNotExist):
        aws.send(url, "nobody is there")


def test_queues_are_listed_by_prefix_and_page(aws):
    prefix = unique("list")
    urls = [aws.sqs.create_queue(QueueName=f"{prefix}-{i}")["QueueUrl"] for i in range(5)]
    assert sorted(aws.sqs.list_queues(QueueNamePrefix=prefix)["QueueUrls"]) == urls
    pages = aws.sqs.get_paginator("list_queues").paginate(
        QueueNamePrefix=prefix, PaginationConfig={"PageSize": 2}
    )
    listed = [page["QueueUrls"] for page in pages]
    assert [len(page) for page in listed] == [2, 2, 1]
    assert sorted(sum(listed, [])) == urls
    assert "QueueUrls" not in aws.sqs.list_queues(QueueNamePrefix=unique("nothing"))


def test_attributes_tags_and_permissions(aws):
    url = aws.queue(tags={"team": "sales"})
    before = aws.attributes(url)
    defaults = {
        "VisibilityTimeout": "30",
        "DelaySeconds": "0",
        "ReceiveMessageWaitTimeSeconds": "0",
        "MessageRetentionPeriod": "345600",
        "MaximumMessageSize": "1048576",
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
    }
    assert {name: before.get(name) for name in defaults} == defaults
    assert abs(int(before["CreatedTimestamp"]) - time.time()) < 60
    aws.sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "5"})
    one = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert one["Attributes"] == {"VisibilityTimeout": "5"}
    for attributes, code in [
        ({"Nonsense": "1"}, "InvalidAttributeName"),
        ({"ContentBasedDeduplication": "true"}, "InvalidAttributeName"),
        ({"VisibilityTimeout": "43201"}, "InvalidAttributeValue"),
        ({"DelaySeconds": "-1"}, "InvalidAttributeValue"),
        ({"MaximumMessageSize": "1048577"}, "InvalidAttributeValue"),
        ({"MessageRetentionPeriod": "59"}, "InvalidAttributeValue"),
    ]:
        with refused(code, code):
            aws.sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    assert aws.attributes(url)["VisibilityTimeout"] == "5"

    aws.sqs.tag_queue(QueueUrl=url, Tags={"team": "returns", "cost": ""})
    assert aws.sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "returns", "cost": ""}
    aws.sqs.untag_queue(QueueUrl=url, TagKeys=["cost", "never there"])
    assert aws.sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "returns"}

    account = url.split("/")[-2]
    permission = {"QueueUrl": url, "Label": "readers", "AWSAccountIds": [account]}
    aws.sqs.add_permission(**permission, Actions=["ReceiveMessage"])
    (statement,) = json.loads(aws.attributes(url)["Policy"])["Statement"]
    assert (statement["Sid"], statement["Effect"]) == ("readers", "Allow")
    assert statement["Action"] == "SQS:ReceiveMessage"
    with refused("InvalidParameterValue", "InvalidParameterValueException"):
        aws.sqs.add_permission(**permission, Actions=["SendMessage"])
    aws.sqs.remove_permission(QueueUrl=url, Label="readers")
    assert "Policy" not in aws.attributes(url)


def test_names_that_are_refused(aws):
    for name, attributes in [
        ("has space", {}),
        ("has.dot", {}),
        ("x" * 81, {}),
        (unique("plain"), {"FifoQueue": "true"}),
        ("x" * 76 + ".fifo", {"FifoQueue": "true"}),
    ]:
        with refused("InvalidParameterValue", "InvalidParameterValueException"):
            aws.sqs.create_queue(QueueName=name, Attributes=attributes)
    assert aws.sqs.create_queue(QueueName="x" * 80)["QueueUrl"].endswith("x" * 80)


def test_a_message_with_attributes_and_its_digests(aws):
    url = aws.queue()
    attributes = {
        "city": text("Zürich"),
        "city.code": {"DataType": "String.iata", "StringValue": "ZRH"},
        "units": number("12.50"),
        "photo": {"DataType": "Binary", "BinaryValue": b"\x00\xff\x89PNG"},
    }
    body = 'a "quoted" <body> & \t\r\n 도넛 \U0001f369'
    before = time.time()
    sent = aws.send(
        url,
        body,
        MessageAttributes=attributes,
        MessageSystemAttributes={"AWSTraceHeader": text(TRACE)},
    )
    assert sent["MD5OfMessageBody"] == md5(body)
    assert sent["MD5OfMessageAttributes"] == attributes_md5(attributes)
    assert sent["MD5OfMessageSystemAttributes"] == attributes_md5({"AWSTraceHeader": text(TRACE)})
    (message,) = aws.receive(url)
    assert message["MessageId"] == sent["MessageId"]
    assert message["Body"] == body and message["MD5OfBody"] == md5(body)
    assert message["MessageAttributes"] == attributes
    assert message["MD5OfMessageAttributes"] == attributes_md5(attributes)
    system = message["Attributes"]
    assert system["AWSTraceHeader"] == TRACE
    assert system["ApproximateReceiveCount"] == "1"
    assert system["SenderId"]
    first = int(system["ApproximateFirstReceiveTimestamp"]) / 1000
    assert before - 5 < int(system["SentTimestamp"]) / 1000 <= first < time.time() + 5

    sent = aws.send(url, "known", MessageAttributes=KNOWN_ATTRIBUTES)
    assert sent["MD5OfMessageAttributes"] == KNOWN_MD5 == attributes_md5(KNOWN_ATTRIBUTES)


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ([], []),
        (["All"], ["city", "city.code", "units"]),
        ([".*"], ["city", "city.code", "units"]),
        (["city.*"], ["city", "city.code"]),
        (["units", "absent"], ["units"]),
    ],
)
def test_attributes_come_when_asked_for(aws, wanted, names):
    url = aws.queue()
    attributes = {"city": text("Seoul"), "city.code": text("ICN"), "units": number("1")}
    aws.send(url, "body", MessageAttributes=attributes)
    (message,) = aws.receive(url, MessageAttributeNames=wanted, MessageSystemAttributeNames=[])
    assert "Attributes" not in message
    chosen = {name: attributes[name] for name in names}
    assert message.get("MessageAttributes", {}) == chosen
    # The digest covers what is returned, not what was sent.
    assert message.get("MD5OfMessageAttributes") == (attributes_md5(chosen) if names else None)


def test_messages_that_are_refused(aws):
    url = aws.queue(MaximumMessageSize=1024)
    invalid = ("InvalidParameterValue", "InvalidParameterValueException")
    contents = ("InvalidMessageContents", "InvalidMessageContents")
    for parameters, (code, shape) in [
        ({"MessageBody": ""}, ("MissingParameter", "MissingRequiredParameterException")),
        ({"MessageBody": "a\x00b"}, contents),
        ({"MessageBody": "a\x0bb"}, contents),
        ({"MessageBody": "a\ufffeb"}, contents),
        ({"MessageBody": "x" * 1025}, invalid),
        ({"DelaySeconds": 901}, invalid),
        ({"MessageAttributes": {"a": {"DataType": "Date", "StringValue": "x"}}}, invalid),
        ({"MessageAttributes": {"AWS.a": text("x")}}, invalid),
        ({"MessageAttributes": {".a": text("x")}}, invalid),
        ({"MessageAttributes": {"a": text("")}}, invalid),
        ({"MessageAttributes": {"a": number("twelve")}}, invalid),
        ({"MessageAttributes": {f"a{i}": text("x") for i in range(11)}}, invalid),
    ]:
        with refused(code, shape):
            aws.sqs.send_message(**({"QueueUrl": url, "MessageBody": "fine"} | parameters))
    for parameters in (
        {"MaxNumberOfMessages": 0},
        {"MaxNumberOfMessages": 11},
        {"WaitTimeSeconds": 21},
        {"VisibilityTimeout": 43201},
    ):
        with refused(*invalid):
            aws.sqs.receive_message(QueueUrl=url, **parameters)
    assert aws.receive(url) == []


def test_size_is_counted_in_bytes_up_to_a_mebibyte(aws):
    url = aws.queue()
    aws.send(url, "x" * 1_048_576)
    with refused("InvalidParameterValue", "InvalidParameterValueException"):
        aws.send(url, "x" * 1_048_577)
    with refused("InvalidParameterValue", "InvalidParameterValueException"):
        aws.send(url, "x" * 1_048_576, MessageAttributes={"a": text("b")})
    half = {"Id": "a", "MessageBody": "x" * 600_000}
    with refused("AWS.SimpleQueueService.BatchRequestTooLong", "BatchRequestTooLong"):
        aws.sqs.send_message_batch(QueueUrl=url, Entries=[half, half | {"Id": "b"}])
    assert [len(message["Body"]) for message in aws.drain(url, 1)] == [1_048_576]


def test_a_batch_answers_for_each_entry(aws):
    url = aws.queue(MaximumMessageSize=1024)
    entries = [{"Id": f"e{i}", "MessageBody": f"body {i}"} for i in range(10)]
    entries[1]["MessageAttributes"] = KNOWN_ATTRIBUTES
    entries[3]["MessageBody"] = "x" * 1025
    entries[6]["MessageBody"] = "\x01"
    entries[8]["DelaySeconds"] = 901
    answer = aws.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    failed = {entry["Id"]: (entry["Code"], entry["SenderFault"]) for entry in answer["Failed"]}
    assert failed == {
        "e3": ("InvalidParameterValue", True),
        "e6": ("InvalidMessageContents", True),
        "e8": ("InvalidParameterValue", True),
    }
    sent = {entry["Id"]: entry for entry in answer["Successful"]}
    assert sent.keys() == {"e0", "e1", "e2", "e4", "e5", "e7", "e9"}
    assert sent["e1"]["MD5OfMessageAttributes"] == KNOWN_MD5
    assert sent["e2"]["MD5OfMessageBody"] == md5("body 2")

    messages = aws.receive(url, 10)
    assert {m["MessageId"] for m in messages} == {entry["MessageId"] for entry in sent.values()}
    handles = {f"h{i}": message["ReceiptHandle"] for i, message in enumerate(messages)}
    changes = [{"Id": i, "ReceiptHandle": h, "VisibilityTimeout": 60} for i, h in handles.items()]
    changes[0]["VisibilityTimeout"] = 43201
    changes[1]["ReceiptHandle"] = "rubbish"
    changed = aws.sqs.change_message_visibility_batch(QueueUrl=url, Entries=changes)
    assert [entry["Id"] for entry in changed["Successful"]] == list(handles)[2:]
    assert {entry["Id"]: entry["Code"] for entry in changed["Failed"]} == {
        "h0": "InvalidParameterValue",
        "h1": "ReceiptHandleIsInvalid",
    }
    deletes = [{"Id": i, "ReceiptHandle": h} for i, h in handles.items()]
    deletes.append({"Id": "rubbish", "ReceiptHandle": "rubbish"})
    deleted = aws.sqs.delete_message_batch(QueueUrl=url, Entries=deletes)
    assert [entry["Id"] for entry in deleted["Successful"]] == list(handles)
    (failure,) = deleted["Failed"]
    assert (failure["Id"], failure["SenderFault"]) == ("rubbish", True)
    assert failure["Code"] == "ReceiptHandleIsInvalid"
    assert aws.attributes(url)["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_batches_that_are_refused_as_a_whole(aws):
    url = aws.queue()
    entry = {"Id": "a", "MessageBody": "b"}
    for entries, shape in [
        ([], "EmptyBatchRequest"),
        ([entry | {"Id": f"e{i}"} for i in range(11)], "TooManyEntriesInBatchRequest"),
        ([entry, entry], "BatchEntryIdsNotDistinct"),
        ([entry | {"Id": "a b"}], "InvalidBatchEntryId"),
        ([entry | {"Id": "x" * 81}], "InvalidBatchEntryId"),
    ]:
        with refused(f"AWS.SimpleQueueService.{shape}", shape):
            aws.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert aws.receive(url) == []


def test_a_long_poll_answers_when_a_message_arrives(aws):
    url = aws.queue(ReceiveMessageWaitTimeSeconds=20)
    found = []

    def wait():
        message = aws.receive(url)  # The queue's own waiting time.
        found.append((time.monotonic(), [m["Body"] for m in message]))

    receiver = threading.Thread(target=wait)
    receiver.start()
    receiver.join(0.5)
    assert receiver.is_alive(), found
    sent = time.monotonic()
    aws.send(url, "at last")
    receiver.join(20)
    (at, bodies) = found[0]
    assert bodies == ["at last"] and at - sent < AT_ONCE_S

    # Zero in the call goes before the queue's; what finds nothing has no list.
    began = time.monotonic()
    assert "Messages" not in aws.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=0)
    assert time.monotonic() - began < AT_ONCE_S
    began = time.monotonic()
    assert "Messages" not in aws.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
    assert 0.95 < time.monotonic() - began < 1 + AT_ONCE_S


def test_delays_of_queue_and_message(aws):
    url = aws.queue(DelaySeconds=1)
    aws.send(url, "as the queue says")
    aws.send(url, "at once", DelaySeconds=0)
    began = time.monotonic()
    assert [message["Body"] for message in aws.receive(url, 10)] == ["at once"]
    assert aws.attributes(url)["ApproximateNumberOfMessagesDelayed"] == "1"
    (late,) = aws.receive(url, WaitTimeSeconds=5)
    assert late["Body"] == "as the queue says"
    assert 0.5 < time.monotonic() - began < 1 + AT_ONCE_S


def test_visibility_ends_is_changed_and_has_a_bound(aws):
    url = aws.queue(VisibilityTimeout=30)
    aws.send(url, "one")
    (first,) = aws.receive(url, VisibilityTimeout=1)
    began = time.monotonic()
    assert aws.receive(url) == []
    assert aws.attributes(url)["ApproximateNumberOfMessagesNotVisible"] == "1"
    # A waiting receiver hears of a timeout that ends, too.
    (second,) = aws.receive(url, WaitTimeSeconds=5)
    assert 0.5 < time.monotonic() - began < 1 + AT_ONCE_S
    assert second["ReceiptHandle"] != first["ReceiptHandle"]
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"
    unchanged = "ApproximateFirstReceiveTimestamp"
    assert second["Attributes"][unchanged] == first["Attributes"][unchanged]
    # 12 hours from its receiving, so that a second later there is less than that left.
    time.sleep(1.1)
    with refused("InvalidParameterValue", "InvalidParameterValueException"):
        aws.visibility(url, second, 43200)
    aws.visibility(url, second, 0)
    with refused("AWS.SimpleQueueService.MessageNotInflight", "MessageNotInflight"):
        aws.visibility(url, second, 5)
    (third,) = aws.receive(url)
    aws.delete(url, third)
    with refused("InvalidParameterValue", "InvalidParameterValueException"):
        aws.visibility(url, third, 5)
    with refused("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"):
        aws.visibility(url, {"ReceiptHandle": "rubbish"}, 5)


def test_delete_is_repeatable_and_knows_old_handles(aws):
    url = aws.queue()
    aws.send(url, "one")
    (old,) = aws.receive(url, VisibilityTimeout=0)
    (new,) = aws.receive(url)
    # The request succeeds, but the message is not deleted with a handle that is not the last.
    aws.delete(url, old)
    aws.visibility(url, new, 0)
    (newest,) = aws.receive(url)
    aws.delete(url, newest)
    aws.delete(url, newest)
    assert aws.attributes(url)["ApproximateNumberOfMessagesNotVisible"] == "0"
    with refused("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"):
        aws.delete(url, {"ReceiptHandle": "rubbish"})


def test_purge_empties_at_most_once_a_minute(aws):
    url = aws.queue()
    aws.send(url, "in flight")
    (message,) = aws.receive(url, VisibilityTimeout=0)
    aws.send(url, "visible")
    aws.send(url, "delayed", DelaySeconds=1)
    aws.sqs.purge_queue(QueueUrl=url)
    assert aws.receive(url, 10, WaitTimeSeconds=2) == []
    aws.delete(url, message)
    with refused("AWS.SimpleQueueService.PurgeQueueInProgress", "PurgeQueueInProgress", 403):
        aws.sqs.purge_queue(QueueUrl=url)
