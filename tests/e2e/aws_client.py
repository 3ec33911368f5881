"""boto3 on the server under test, and what its suites would otherwise each write again:
queues with names of their own, receiving until all is there, the digests that Amazon
documents.
"""

import hashlib
import json
import struct
import time
import uuid
from contextlib import contextmanager

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from harness import aws_endpoint

REGION = "eu-central-1"
KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
# One attempt: a suite that repeats a request would hide the first answer.
CONFIG = Config(retries={"total_max_attempts": 1}, read_timeout=30, connect_timeout=5)
RECEIVE_LIMIT_S = 10


class Aws:
    """Both services of one server."""

    def __init__(self, endpoint: str, keys: dict[str, str] = KEYS):
        self.endpoint = endpoint
        self.sqs = self.client("sqs", keys=keys)
        self.sns = self.client("sns", keys=keys)

    def client(self, service, *, endpoint=None, keys=KEYS):
        session = boto3.session.Session(region_name=REGION, **keys)
        return session.client(service, endpoint_url=endpoint or self.endpoint, config=CONFIG)

    def queue(self, name: str = "queue", tags=None, **attributes) -> str:
        """The URL of a new queue; a name that ends in `.fifo` makes it one."""
        if name.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        created = self.sqs.create_queue(
            QueueName=unique(name),
            Attributes={key: str(value) for key, value in attributes.items()},
            tags=tags or {},
        )
        return created["QueueUrl"]

    def attributes(self, url: str) -> dict[str, str]:
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        return answer["Attributes"]

    def arn(self, url: str) -> str:
        return self.attributes(url)["QueueArn"]

    def with_dead_letters(self, name: str = "queue", receives: int = 2, **attributes):
        """A queue, and the dead-letter queue behind it."""
        dead = self.queue(name.replace("queue", "dead"))
        policy = {"deadLetterTargetArn": self.arn(dead), "maxReceiveCount": receives}
        return self.queue(name, RedrivePolicy=json.dumps(policy), **attributes), dead

    def send(self, url: str, body: str, **parameters):
        return self.sqs.send_message(QueueUrl=url, MessageBody=body, **parameters)

    def receive(self, url: str, count: int = 1, **parameters) -> list[dict]:
        """One call, with all attributes unless told otherwise."""
        wanted = {"MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"]}
        answer = self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=count, **(wanted | parameters)
        )
        return answer.get("Messages", [])

    def drain(self, url: str, count: int) -> list[dict]:
        """Receives and deletes until so many messages came, and sees that no more follow."""
        messages = []
        end = time.monotonic() + RECEIVE_LIMIT_S
        while len(messages) < count and time.monotonic() < end:
            received = self.receive(url, 10, WaitTimeSeconds=1)
            messages += received
            for message in received:
                self.delete(url, message)
        messages += self.receive(url, 10)
        assert len(messages) == count, [message["Body"] for message in messages]
        return messages

    def delete(self, url: str, message: dict) -> None:
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def visibility(self, url: str, message: dict, seconds: int) -> None:
        self.sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
        )

    def topic(self, name: str = "topic", **attributes) -> str:
        name = unique(name)
        if name.endswith(".fifo"):
            attributes["FifoTopic"] = "true"
        return self.sns.create_topic(Name=name, Attributes=attributes)["TopicArn"]

    def subscribe(self, topic: str, url: str, **attributes) -> str:
        """The queue gets what the topic is sent, and lets it; answers with the ARN."""
        arn = self.arn(url)
        allow = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        subscribed = self.sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=arn,
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )
        return subscribed["SubscriptionArn"]


@contextmanager
def running_aws(settings: dict[str, str] | None = None):
    with aws_endpoint(settings) as endpoint:
        yield Aws(endpoint)


@contextmanager
def refused(code: str, shape: str | None = None, status: int = 400):
    """Amazon's query code; in AWS JSON the shape beside it."""
    with pytest.raises(ClientError) as raised:
        yield raised
    error = raised.value.response["Error"]
    assert error["Code"] == code, error
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == status, error
    assert error["Message"], error
    if shape is not None:
        assert error["QueryErrorCode"] == shape, error
        assert type(raised.value).__name__ in (shape, "ClientError"), raised.value


def unique(name: str) -> str:
    return f"{uuid.uuid4().hex[:10]}-{name}"


def text(value: str) -> dict:
    return {"DataType": "String", "StringValue": value}


def number(value: str) -> dict:
    return {"DataType": "Number", "StringValue": value}


def md5(body: str) -> str:
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()


def attributes_md5(attributes: dict[str, dict]) -> str:
    """As the page "Amazon SQS message metadata" of the developer guide writes it down."""
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        attribute = attributes[name]
        is_binary = attribute["DataType"].startswith("Binary")
        value = attribute["BinaryValue"] if is_binary else attribute["StringValue"].encode()
        for part in (name.encode(), attribute["DataType"].encode()):
            digest.update(struct.pack(">I", len(part)) + part)
        digest.update(b"\x02" if is_binary else b"\x01")
        digest.update(struct.pack(">I", len(value)) + value)
    return digest.hexdigest()
