"""Topics as boto3 uses them: what arrives in a queue, wrapped and raw, and which messages
do, by every operator of a filter policy.
"""

import json
from datetime import datetime, timedelta, timezone

import pytest

from aws_client import attributes_md5, number, refused, running_aws, text, unique

INVALID = ("InvalidParameter",)

# Each message as its attributes and its body.
MESSAGES = [
    (
        {
            "kind": text("order"),
            "price": number("100"),
            "ip": text("10.0.0.5"),
            "regions": {"DataType": "String.Array", "StringValue": '["eu", "kr"]'},
        },
        {
            "customer": {"tier": "vip", "points": 1200},
            "items": [{"sku": "DONUT"}, {"sku": "MUG"}],
            "gift": True,
        },
    ),
    (
        {"kind": text("order.cancelled"), "price": number("2.505e2"), "ip": text("10.0.1.5")},
        {"customer": {"tier": "normal", "points": 10}, "items": [], "gift": False, "coupon": None},
    ),
    ({"kind": text("Bid"), "price": number("-3")}, {"customer": {"tier": "Normal", "points": 50}}),
    ({}, "no JSON at all"),
]
BY_ATTRIBUTE = "MessageAttributes"
BY_BODY = "MessageBody"
# Name -> where the policy looks, the policy, which of the messages pass.
POLICIES = {
    "exact": (BY_ATTRIBUTE, {"kind": ["order"]}, {0}),
    "any of": (BY_ATTRIBUTE, {"kind": ["order", "Bid"]}, {0, 2}),
    "in an array": (BY_ATTRIBUTE, {"regions": ["kr", "jp"]}, {0}),
    "prefix": (BY_ATTRIBUTE, {"kind": [{"prefix": "order"}]}, {0, 1}),
    "suffix": (BY_ATTRIBUTE, {"kind": [{"suffix": "cancelled"}]}, {1}),
    # What has no such attribute does not pass.
    "anything-but": (BY_ATTRIBUTE, {"kind": [{"anything-but": ["order"]}]}, {1, 2}),
    "anything-but or absent": (
        BY_ATTRIBUTE,
        {"kind": [{"anything-but": ["order"]}, {"exists": False}]},
        {1, 2, 3},
    ),
    "anything-but number": (BY_ATTRIBUTE, {"price": [{"anything-but": [100, 500]}]}, {1, 2}),
    "anything-but prefix": (
        BY_ATTRIBUTE,
        {"kind": [{"anything-but": {"prefix": "order"}}]},
        {2},
    ),
    "equals-ignore-case": (BY_ATTRIBUTE, {"kind": [{"equals-ignore-case": "BID"}]}, {2}),
    "numeric range": (BY_ATTRIBUTE, {"price": [{"numeric": [">", 0, "<=", 250.5]}]}, {0, 1}),
    "numeric open range": (BY_ATTRIBUTE, {"price": [{"numeric": ["<", 100]}]}, {2}),
    "numeric equal": (BY_ATTRIBUTE, {"price": [{"numeric": ["=", 250.5]}]}, {1}),
    "exists": (BY_ATTRIBUTE, {"kind": [{"exists": True}]}, {0, 1, 2}),
    "exists not": (BY_ATTRIBUTE, {"kind": [{"exists": False}]}, {3}),
    "cidr": (BY_ATTRIBUTE, {"ip": [{"cidr": "10.0.0.0/24"}]}, {0}),
    "all of several": (
        BY_ATTRIBUTE,
        {"kind": [{"prefix": "order"}], "price": [{"numeric": ["<", 200]}]},
        {0},
    ),
    "$or": (
        BY_ATTRIBUTE,
        {"$or": [{"kind": ["Bid"]}, {"price": [{"numeric": [">", 200]}]}]},
        {1, 2},
    ),
    "body nested": (BY_BODY, {"customer": {"tier": ["vip", "Normal"]}}, {0, 2}),
    "body nested number": (
        BY_BODY,
        {"customer": {"points": [{"numeric": [">=", 50]}]}},
        {0, 2},
    ),
    "body in an array": (BY_BODY, {"items": {"sku": ["MUG"]}}, {0}),
    "body boolean": (BY_BODY, {"gift": [True]}, {0}),
    "body null": (BY_BODY, {"coupon": [None]}, {1}),
    "body exists not": (BY_BODY, {"gift": [{"exists": False}]}, {2}),
    "body all of several": (
        BY_BODY,
        {"customer": {"tier": [{"equals-ignore-case": "NORMAL"}]}, "gift": [False]},
        {1},
    ),
}


@pytest.fixture(scope="module")
def aws():
    with running_aws() as client:
        yield client


@pytest.fixture(scope="module")
def filtered(aws):
    """Policy -> the messages that passed it, after all were sent to one topic."""
    topic = aws.topic()
    queues = {}
    for name, (scope, policy, _) in POLICIES.items():
        queues[name] = aws.queue()
        aws.subscribe(
            topic,
            queues[name],
            RawMessageDelivery="true",
            FilterPolicyScope=scope,
            FilterPolicy=json.dumps(policy),
        )
    everything = aws.queue()
    aws.subscribe(topic, everything, RawMessageDelivery="true")
    bodies = []
    for attributes, body in MESSAGES:
        bodies.append(body if isinstance(body, str) else json.dumps(body))
        aws.sns.publish(TopicArn=topic, Message=bodies[-1], MessageAttributes=attributes)
    # Once the queue without a policy has all of them, so have the others.
    aws.drain(everything, len(bodies))
    return {
        name: {bodies.index(message["Body"]) for message in aws.receive(url, 10)}
        for name, url in queues.items()
    }


@pytest.mark.parametrize("name", POLICIES)
def test_a_filter_policy_lets_through(filtered, name):
    assert filtered[name] == POLICIES[name][2]


def test_a_wrapped_message_says_where_it_comes_from(aws):
    topic, url = aws.topic(), aws.queue()
    subscription = aws.subscribe(topic, url)
    attributes = {"city": text("Zürich"), "photo": {"DataType": "Binary", "BinaryValue": b"\x00"}}
    published = aws.sns.publish(
        TopicArn=topic, Subject="an order", Message='{"sku": "D"}', MessageAttributes=attributes
    )
    (message,) = aws.drain(url, 1)
    assert "MessageAttributes" not in message
    assert message["Body"].startswith('{\n  "Type" : "Notification",\n  "MessageId" : "')
    envelope = json.loads(message["Body"])
    assert list(envelope) == [
        "Type",
        "MessageId",
        "TopicArn",
        "Subject",
        "Message",
        "Timestamp",
        "SignatureVersion",
        "Signature",
        "SigningCertURL",
        "UnsubscribeURL",
        "MessageAttributes",
    ]
    assert envelope["Type"] == "Notification"
    assert envelope["MessageId"] == published["MessageId"]
    assert envelope["TopicArn"] == topic
    assert (envelope["Subject"], envelope["Message"]) == ("an order", '{"sku": "D"}')
    assert envelope["SignatureVersion"] == "1" and envelope["Signature"]
    assert subscription in envelope["UnsubscribeURL"]
    at = datetime.strptime(envelope["Timestamp"], "%Y-%m-%dT%H:%M:%S.%fZ")
    assert abs(datetime.now(timezone.utc).replace(tzinfo=None) - at) < timedelta(minutes=1)
    assert envelope["MessageAttributes"] == {
        "city": {"Type": "String", "Value": "Zürich"},
        "photo": {"Type": "Binary", "Value": "AA=="},
    }


def test_a_raw_message_is_what_was_published(aws):
    topic, url = aws.topic(), aws.queue()
    aws.subscribe(topic, url, RawMessageDelivery="true")
    attributes = {"city": text("Zürich"), "units": number("3")}
    aws.sns.publish(TopicArn=topic, Subject="lost", Message="plain", MessageAttributes=attributes)
    (message,) = aws.drain(url, 1)
    assert message["Body"] == "plain"
    assert message["MessageAttributes"] == attributes
    assert message["MD5OfMessageAttributes"] == attributes_md5(attributes)


def test_a_message_of_its_own_for_each_protocol(aws):
    topic, url = aws.topic(), aws.queue()
    aws.subscribe(topic, url, RawMessageDelivery="true")
    forms = {"default": "for the others", "sqs": "for queues"}
    aws.sns.publish(TopicArn=topic, MessageStructure="json", Message=json.dumps(forms))
    aws.sns.publish(TopicArn=topic, MessageStructure="json", Message='{"default": "only"}')
    assert {message["Body"] for message in aws.drain(url, 2)} == {"for queues", "only"}
    for message in ("no JSON", '{"sqs": "no default"}'):
        with refused(*INVALID):
            aws.sns.publish(TopicArn=topic, MessageStructure="json", Message=message)


def test_a_batch_is_published_and_refused_like_one_of_sqs(aws):
    topic, url = aws.topic(), aws.queue()
    aws.subscribe(topic, url, RawMessageDelivery="true")
    entries = [{"Id": f"e{i}", "Message": f"body {i}"} for i in range(10)]
    answer = aws.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == [entry["Id"] for entry in entries]
    assert not answer.get("Failed")
    assert {m["Body"] for m in aws.drain(url, 10)} == {entry["Message"] for entry in entries}
    for bad, code in [
        ([], "EmptyBatchRequest"),
        ([*entries, {"Id": "e10", "Message": "m"}], "TooManyEntriesInBatchRequest"),
        ([entries[0], entries[0]], "BatchEntryIdsNotDistinct"),
        ([entries[0] | {"Id": "a b"}], "InvalidBatchEntryId"),
    ]:
        with refused(code):
            aws.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=bad)


def test_a_fifo_topic_keeps_order_and_deduplicates(aws):
    topic = aws.topic("topic.fifo", ContentBasedDeduplication="true")
    fifo, standard = aws.queue("queue.fifo"), aws.queue()
    for url in (fifo, standard):
        aws.subscribe(topic, url, RawMessageDelivery="true")
    numbers = []
    for body in ("one", "two", "two", "three"):
        answer = aws.sns.publish(TopicArn=topic, Message=body, MessageGroupId="a")
        numbers.append(int(answer["SequenceNumber"]))
    assert numbers == sorted(numbers)
    received = aws.drain(fifo, 3)
    assert [message["Body"] for message in received] == ["one", "two", "three"]
    assert {message["Attributes"]["MessageGroupId"] for message in received} == {"a"}
    assert {message["Body"] for message in aws.drain(standard, 3)} == {"one", "two", "three"}
    with refused(*INVALID):
        aws.sns.publish(TopicArn=topic, Message="no group")
    # A FIFO queue may not listen to a topic that keeps no order.
    with refused(*INVALID):
        aws.subscribe(aws.topic(), fifo)


def test_what_cannot_be_delivered_becomes_a_dead_letter(aws):
    topic, gone, dead = aws.topic(), aws.queue(), aws.queue()
    redrive = json.dumps({"deadLetterTargetArn": aws.arn(dead)})
    aws.subscribe(topic, gone, RedrivePolicy=redrive)
    aws.sqs.delete_queue(QueueUrl=gone)
    aws.sns.publish(TopicArn=topic, Message="to nobody")
    (letter,) = aws.drain(dead, 1)
    assert json.loads(letter["Body"])["Message"] == "to nobody"


def test_topics_and_subscriptions_are_kept(aws):
    name = unique("kept")
    topic = aws.sns.create_topic(Name=name, Tags=[{"Key": "team", "Value": "sales"}])["TopicArn"]
    assert topic.split(":")[:4] == ["arn", "aws", "sns", aws.sns.meta.region_name]
    assert topic.endswith(f":{name}")
    assert aws.sns.create_topic(Name=name)["TopicArn"] == topic
    pages = aws.sns.get_paginator("list_topics").paginate()
    assert topic in [listed["TopicArn"] for page in pages for listed in page["Topics"]]
    aws.sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="Kept")
    attributes = aws.sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (attributes["TopicArn"], attributes["DisplayName"]) == (topic, "Kept")
    aws.sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "cost", "Value": "1"}])
    aws.sns.untag_resource(ResourceArn=topic, TagKeys=["team"])
    tags = aws.sns.list_tags_for_resource(ResourceArn=topic)["Tags"]
    assert tags == [{"Key": "cost", "Value": "1"}]

    url = aws.queue()
    subscription = aws.subscribe(topic, url)
    # The same again is the same subscription.
    assert aws.subscribe(topic, url) == subscription
    assert aws.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == [
        {
            "SubscriptionArn": subscription,
            "Owner": topic.split(":")[4],
            "Protocol": "sqs",
            "Endpoint": aws.arn(url),
            "TopicArn": topic,
        }
    ]
    change = {"SubscriptionArn": subscription, "AttributeName": "RawMessageDelivery"}
    aws.sns.set_subscription_attributes(**change, AttributeValue="true")
    kept = aws.sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
    assert kept["RawMessageDelivery"] == "true" and kept["PendingConfirmation"] == "false"
    aws.sns.unsubscribe(SubscriptionArn=subscription)
    aws.sns.publish(TopicArn=topic, Message="nobody listens")
    assert aws.receive(url) == []
    aws.sns.delete_topic(TopicArn=topic)
    aws.sns.delete_topic(TopicArn=topic)
    with refused("NotFound", status=404):
        aws.sns.publish(TopicArn=topic, Message="to nobody")


def test_what_topics_refuse(aws):
    topic, url = aws.topic(), aws.queue()
    arn = aws.arn(url)
    policies = [
        "no JSON",
        '{"kind": "not a list"}',
        '{"kind": [{"resembles": "x"}]}',
        '{"kind": [{"numeric": ["~", 1]}]}',
    ]
    calls = [
        lambda: aws.sns.create_topic(Name="has space"),
        lambda: aws.sns.create_topic(Name="x" * 257),
        lambda: aws.sns.subscribe(TopicArn=topic, Protocol="pigeon", Endpoint=arn),
        lambda: aws.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="not an arn"),
        lambda: aws.sns.publish(TopicArn=topic, Message=""),
        lambda: aws.sns.publish(TopicArn=topic, Message="x", Subject="two\nlines"),
        *(lambda p=p: aws.subscribe(topic, url, FilterPolicy=p) for p in policies),
    ]
    for call in calls:
        with refused(*INVALID):
            call()
    for call in (
        lambda: aws.sns.get_topic_attributes(TopicArn=topic + "-missing"),
        lambda: aws.sns.get_subscription_attributes(SubscriptionArn=f"{topic}-missing:{'0' * 36}"),
    ):
        with refused("NotFound", status=404):
            call()
