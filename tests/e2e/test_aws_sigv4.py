"""Who may: a server with access keys hears only requests that were signed with one of
them, lately, and arrived as they were signed.
"""

import json
import os
import urllib.error
import urllib.request
from datetime import timedelta

import boto3
import botocore.auth
import pytest
from botocore import UNSIGNED
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from aws_client import CONFIG, REGION, Aws, refused, unique
from harness import aws_endpoint

SECRET = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY"
SALES = {"access_key": "AKIAIOSFODNN7SALES", "secret": SECRET, "account": "111111111111"}
RETURNS = {"access_key": "AKIAIOSFODNN7RETURN", "secret": SECRET[::-1], "account": "222222222222"}
KEYS = "[%s]" % ", ".join(
    "{%s}" % ", ".join(f"{name}={json.dumps(value)}" for name, value in key.items())
    for key in (SALES, RETURNS)
)

pytestmark = pytest.mark.skipif(
    "FIRSTCOME_AWS_ENDPOINT" in os.environ, reason="that server knows other keys"
)


@pytest.fixture(scope="module")
def endpoint():
    with aws_endpoint({"FIRSTCOME_AWS__KEYS": KEYS}) as started:
        yield started


def connect(endpoint, key, secret=None):
    return Aws(
        endpoint,
        {
            "aws_access_key_id": key["access_key"],
            "aws_secret_access_key": secret or key["secret"],
        },
    )


@pytest.fixture(scope="module")
def sales(endpoint):
    return connect(endpoint, SALES)


def calls(aws):
    """One of each wire."""
    return [aws.sqs.list_queues, aws.sns.list_topics]


def test_a_key_works_and_names_its_account(endpoint, sales):
    returns = connect(endpoint, RETURNS)
    for aws, account in ((sales, "111111111111"), (returns, "222222222222")):
        name = unique("orders")
        url = aws.sqs.create_queue(QueueName=name)["QueueUrl"]
        assert url == f"{endpoint}/{account}/{name}"
        assert aws.topic().split(":")[4] == account
        aws.send(url, f"for {account} & <others> %+ 도넛")
        assert [m["Body"] for m in aws.drain(url, 1)] == [f"for {account} & <others> %+ 도넛"]
        assert url in aws.sqs.list_queues()["QueueUrls"]
        other = returns if aws is sales else sales
        assert url not in other.sqs.list_queues().get("QueueUrls", [])


def test_a_queue_of_another_account_is_out_of_reach(endpoint, sales):
    url = sales.queue()
    with pytest.raises(sales.sqs.exceptions.ClientError) as raised:
        connect(endpoint, RETURNS).sqs.send_message(QueueUrl=url, MessageBody="not yours")
    assert 400 <= raised.value.response["ResponseMetadata"]["HTTPStatusCode"] < 500
    assert sales.receive(url) == []


def test_a_wrong_secret_or_key_is_refused(endpoint):
    for call in calls(connect(endpoint, SALES, secret=RETURNS["secret"])):
        with refused("SignatureDoesNotMatch", status=403):
            call()
    for call in calls(connect(endpoint, SALES | {"access_key": "AKIAIOSFODNN7NOBODY"})):
        with refused("InvalidClientTokenId", status=403):
            call()


def test_a_request_without_a_signature_is_refused(endpoint):
    unsigned = CONFIG.merge(Config(signature_version=UNSIGNED))
    anonymous = {
        service: boto3.client(service, region_name=REGION, endpoint_url=endpoint, config=unsigned)
        for service in ("sqs", "sns")
    }
    for call in (anonymous["sqs"].list_queues, anonymous["sns"].list_topics):
        with refused("MissingAuthenticationToken", status=403):
            call()


def shift_clock(monkeypatch, minutes):
    """What is signed from now on was signed so many minutes from now."""
    right = botocore.auth.get_current_datetime

    def shifted(*arguments, **named):
        return right(*arguments, **named) + timedelta(minutes=minutes)

    monkeypatch.setattr(botocore.auth, "get_current_datetime", shifted)


@pytest.mark.parametrize("minutes", [-20, 20])
def test_a_clock_that_is_wrong_is_refused(monkeypatch, sales, minutes):
    shift_clock(monkeypatch, minutes)
    for call in calls(sales):
        with pytest.raises(sales.sqs.exceptions.ClientError) as raised:
            call()
        assert raised.value.response["Error"]["Code"] in ("SignatureDoesNotMatch", "RequestExpired")


def test_a_clock_a_few_minutes_off_is_borne(monkeypatch, sales):
    shift_clock(monkeypatch, -10)
    for call in calls(sales):
        call()


def exchange(url, body=None, headers=None):
    """Status and text of an answer, whatever it is."""
    request = urllib.request.Request(url, data=body, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_body_that_was_changed_on_its_way_is_refused(endpoint, sales):
    url = sales.queue()
    body = json.dumps({"QueueUrl": url, "MessageBody": "for 1 EUR"})
    headers = {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": "AmazonSQS.SendMessage",
    }
    request = AWSRequest("POST", endpoint + "/", headers=headers, data=body)
    SigV4Auth(Credentials(SALES["access_key"], SECRET), "sqs", REGION).add_auth(request)
    headers = dict(request.headers.items())
    changed = body.replace("1 EUR", "9 EUR").encode()
    status, answer = exchange(endpoint + "/", changed, headers)
    assert status == 403 and "InvalidSignatureException" in answer, answer
    assert sales.receive(url) == []
    status, answer = exchange(endpoint + "/", body.encode(), headers)
    assert status == 200, answer
    assert [message["Body"] for message in sales.drain(url, 1)] == ["for 1 EUR"]


def presigned(url, expires=60, **parameters):
    request = AWSRequest("GET", url, params={"Version": "2012-11-05"} | parameters)
    SigV4QueryAuth(Credentials(SALES["access_key"], SECRET), "sqs", REGION, expires).add_auth(
        request
    )
    return request.url


def test_a_presigned_url_is_good_until_it_expires_or_is_changed(monkeypatch, sales):
    url = sales.queue()
    body = "from a browser & <no> SDK"
    good = presigned(url, Action="SendMessage", MessageBody=body)
    status, answer = exchange(good)
    assert status == 200 and "<MessageId>" in answer, answer
    assert [message["Body"] for message in sales.drain(url, 1)] == [body]

    status, answer = exchange(good.replace("browser", "bandit"))
    assert status == 403 and "<Code>SignatureDoesNotMatch</Code>" in answer, answer
    shift_clock(monkeypatch, -2)
    late = presigned(url, expires=60, Action="SendMessage", MessageBody=body)
    monkeypatch.undo()
    status, answer = exchange(late)
    assert status in (400, 403), answer
    assert "<Code>RequestExpired</Code>" in answer or "<Code>SignatureDoesNotMatch</Code>" in answer
    assert sales.receive(url) == []
