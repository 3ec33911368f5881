"""Message groups, deduplication, dead letters and redrive, as boto3 uses them."""

import time

import pytest

from aws_client import refused, running_aws

INVALID = ("InvalidParameterValue", "InvalidParameterValueException")
MOVE_LIMIT_S = 20
NOISE_LIMIT_S = 5


@pytest.fixture(scope="module")
def aws():
    with running_aws() as client:
        yield client


def bodies(messages):
    return [message["Body"] for message in messages]


def send_group(aws, url, group, *names):
    """Messages of one group whose deduplication id is their body."""
    return [
        aws.send(url, name, MessageGroupId=group, MessageDeduplicationId=name) for name in names
    ]


def test_a_group_is_ordered_and_locked_while_one_is_in_flight(aws):
    url = aws.queue("queue.fifo")
    sent = send_group(aws, url, "a", "a1", "a2", "a3") + send_group(aws, url, "b", "b1")
    numbers = [answer["SequenceNumber"] for answer in sent]
    assert numbers == sorted(numbers, key=int) and len(set(numbers)) == 4
    assert {len(number) for number in numbers} == {20}
    (a1,) = aws.receive(url)
    assert a1["Body"] == "a1"
    system = a1["Attributes"]
    assert system["MessageGroupId"] == "a" and system["MessageDeduplicationId"] == "a1"
    assert system["SequenceNumber"] == numbers[0]
    # While a1 is in flight its group waits, and the other one does not.
    (b1,) = aws.receive(url)
    assert b1["Body"] == "b1"
    assert aws.receive(url, 10) == []
    # A message that comes back comes before those behind it.
    aws.visibility(url, a1, 0)
    (a1,) = aws.receive(url)
    assert a1["Body"] == "a1" and a1["Attributes"]["ApproximateReceiveCount"] == "2"
    aws.delete(url, a1)
    # One call may take several of a group, in their order.
    assert bodies(aws.receive(url, 10)) == ["a2", "a3"]
    assert aws.receive(url, 10) == []


def test_the_end_of_a_lock_wakes_a_waiting_receiver(aws):
    url = aws.queue("queue.fifo")
    send_group(aws, url, "a", "a1", "a2")
    (a1,) = aws.receive(url, VisibilityTimeout=1)
    began = time.monotonic()
    (again,) = aws.receive(url, WaitTimeSeconds=5)
    assert 0.5 < time.monotonic() - began < 2.5
    assert again["Body"] == "a1"
    # A FIFO queue refuses to delete with a handle that has expired; and rubbish, otherwise.
    with refused(*INVALID):
        aws.delete(url, a1)
    with refused("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"):
        aws.delete(url, {"ReceiptHandle": "rubbish"})
    aws.delete(url, again)
    assert bodies(aws.receive(url)) == ["a2"]


def test_batches_keep_the_order_of_their_entries(aws):
    url = aws.queue("queue.fifo", ContentBasedDeduplication="true")
    for start in (0, 10):
        entries = [
            {"Id": f"e{i}", "MessageBody": f"body {i}", "MessageGroupId": f"g{i % 2}"}
            for i in range(start, start + 10)
        ]
        answer = aws.sqs.send_message_batch(QueueUrl=url, Entries=entries)
        assert [entry["Id"] for entry in answer["Successful"]] == [e["Id"] for e in entries]
    received = aws.drain(url, 20)
    for group in (0, 1):
        of_group = [m["Body"] for m in received if m["Attributes"]["MessageGroupId"] == f"g{group}"]
        assert of_group == [f"body {i}" for i in range(group, 20, 2)]


def test_an_explicit_deduplication_id_outlives_the_message(aws):
    url = aws.queue("queue.fifo")
    send_group(aws, url, "a", "once")
    send_group(aws, url, "a", "once")
    # The queue's scope: another group makes no difference.
    aws.send(url, "another body", MessageGroupId="b", MessageDeduplicationId="once")
    assert bodies(aws.drain(url, 1)) == ["once"]
    send_group(aws, url, "a", "once")
    assert aws.receive(url) == []
    # Nor does a purge forget.
    aws.sqs.purge_queue(QueueUrl=url)
    send_group(aws, url, "a", "once", "twice")
    assert bodies(aws.drain(url, 1)) == ["twice"]


def test_deduplication_by_content_and_by_group(aws):
    url = aws.queue("queue.fifo", ContentBasedDeduplication="true")
    for body in ("same", "same", "other"):
        aws.send(url, body, MessageGroupId="a")
    # The attributes are no part of the content; an explicit id goes before it.
    attribute = {"color": {"DataType": "String", "StringValue": "red"}}
    aws.send(url, "same", MessageGroupId="a", MessageAttributes=attribute)
    aws.send(url, "same", MessageGroupId="a", MessageDeduplicationId="explicit")
    received = aws.drain(url, 3)
    assert bodies(received) == ["same", "other", "same"]
    assert len(received[0]["Attributes"]["MessageDeduplicationId"]) == 64

    scoped = aws.queue(
        "queue.fifo", DeduplicationScope="messageGroup", FifoThroughputLimit="perMessageGroupId"
    )
    for group in ("a", "b", "a"):
        aws.send(scoped, f"for {group}", MessageGroupId=group, MessageDeduplicationId="once")
    assert sorted(bodies(aws.drain(scoped, 2))) == ["for a", "for b"]


def test_a_receive_that_is_repeated_gets_the_same_messages(aws):
    url = aws.queue("queue.fifo")
    send_group(aws, url, "a", "a1", "a2")
    first = aws.receive(url, 2, ReceiveRequestAttemptId="attempt-1")
    again = aws.receive(url, 2, ReceiveRequestAttemptId="attempt-1")
    assert bodies(first) == bodies(again) == ["a1", "a2"]
    assert [m["ReceiptHandle"] for m in first] == [m["ReceiptHandle"] for m in again]
    assert aws.receive(url, 2, ReceiveRequestAttemptId="attempt-2") == []
    # Not once one of them was deleted.
    aws.delete(url, first[0])
    assert aws.receive(url, 2, ReceiveRequestAttemptId="attempt-1") == []


def test_what_a_fifo_queue_refuses(aws):
    url = aws.queue("queue.fifo")
    group = {"MessageGroupId": "a"}
    both = group | {"MessageDeduplicationId": "d"}
    for parameters, code in [
        (
            {"MessageDeduplicationId": "d"},
            ("MissingParameter", "MissingRequiredParameterException"),
        ),
        (group, INVALID),
        (both | {"DelaySeconds": 1}, INVALID),
        (both | {"MessageGroupId": "x" * 129}, INVALID),
        (both | {"MessageDeduplicationId": "with space"}, INVALID),
    ]:
        with refused(*code):
            aws.send(url, "body", **parameters)
    # One entry without a group, or without an id: the whole batch.
    entry = {"Id": "a", "MessageBody": "body"}
    for bad in ({"MessageDeduplicationId": "d"}, group):
        with refused(*INVALID):
            aws.sqs.send_message_batch(
                QueueUrl=url, Entries=[entry | both, entry | {"Id": "b"} | bad]
            )
    assert aws.receive(url) == []
    for target, code in [(url, "InvalidAttributeValue"), (aws.queue(), "InvalidAttributeName")]:
        with refused(code, code):
            wrong = {"FifoQueue": "false" if target == url else "true"}
            aws.sqs.set_queue_attributes(QueueUrl=target, Attributes=wrong)
    with refused(*INVALID):
        aws.send(aws.queue(), "body", MessageDeduplicationId="d")


@pytest.mark.parametrize("fifo", [False, True])
def test_a_message_received_too_often_becomes_a_dead_letter(aws, fifo):
    name = "queue.fifo" if fifo else "queue"
    url, dead = aws.with_dead_letters(name, receives=2)
    attribute = {"color": {"DataType": "String", "StringValue": "red"}}
    group = {"MessageGroupId": "a", "MessageDeduplicationId": "p"} if fifo else {}
    sent = aws.send(url, "poison", MessageAttributes=attribute, **group)
    if fifo:
        send_group(aws, url, "a", "behind")
    for count in ("1", "2"):
        (message,) = aws.receive(url)
        assert (message["Body"], message["Attributes"]["ApproximateReceiveCount"]) == (
            "poison",
            count,
        )
        aws.visibility(url, message, 0)
    # A dead letter does not keep its group locked.
    assert bodies(aws.receive(url, 10)) == (["behind"] if fifo else [])
    (letter,) = aws.receive(dead, WaitTimeSeconds=5)
    assert (letter["MessageId"], letter["Body"]) == (sent["MessageId"], "poison")
    assert letter["MessageAttributes"] == attribute
    # Over all queues.
    assert letter["Attributes"]["ApproximateReceiveCount"] == "3"
    assert letter["Attributes"]["DeadLetterQueueSourceArn"] == aws.arn(url)
    sources = aws.sqs.list_dead_letter_source_queues(QueueUrl=dead)
    assert sources["queueUrls"] == [url]


def dead_letters(aws, count, **attributes):
    """A queue, its dead-letter queue, and so many messages that went there."""
    url, dead = aws.with_dead_letters(receives=1, VisibilityTimeout=0, **attributes)
    for i in range(count):
        aws.send(url, f"letter {i}")
    end = time.monotonic() + MOVE_LIMIT_S
    while aws.attributes(dead)["ApproximateNumberOfMessages"] != str(count):
        assert time.monotonic() < end, aws.attributes(dead)
        aws.receive(url, 10)
    return url, dead


def finished(aws, dead):
    """The latest task on the queue once it does not run any more."""
    end = time.monotonic() + MOVE_LIMIT_S
    while True:
        (task,) = aws.sqs.list_message_move_tasks(SourceArn=aws.arn(dead))["Results"]
        if task["Status"] not in ("RUNNING", "CANCELLING"):
            return task
        assert time.monotonic() < end, task
        time.sleep(0.1)


def test_dead_letters_are_moved_back_or_elsewhere(aws):
    url, dead = dead_letters(aws, 3)
    elsewhere = aws.queue()
    assert aws.sqs.start_message_move_task(SourceArn=aws.arn(dead))["TaskHandle"]
    task = finished(aws, dead)
    assert task["Status"] == "COMPLETED" and "TaskHandle" not in task
    assert task["SourceArn"] == aws.arn(dead) and "DestinationArn" not in task
    assert task["ApproximateNumberOfMessagesMoved"] == 3
    again = aws.drain(url, 3)
    assert sorted(bodies(again)) == ["letter 0", "letter 1", "letter 2"]
    # They count as sent anew.
    assert {m["Attributes"]["ApproximateReceiveCount"] for m in again} == {"1"}

    aws.send(dead, "put there by hand")
    aws.sqs.start_message_move_task(SourceArn=aws.arn(dead), DestinationArn=aws.arn(elsewhere))
    task = finished(aws, dead)
    assert task["DestinationArn"] == aws.arn(elsewhere)
    assert bodies(aws.drain(elsewhere, 1)) == ["put there by hand"]
    tasks = aws.sqs.list_message_move_tasks(SourceArn=aws.arn(dead), MaxResults=10)["Results"]
    assert [task["ApproximateNumberOfMessagesMoved"] for task in tasks] == [1, 3]


def test_a_slow_move_can_be_cancelled(aws):
    url, dead = dead_letters(aws, 8)
    source = aws.arn(dead)
    handle = aws.sqs.start_message_move_task(SourceArn=source, MaxNumberOfMessagesPerSecond=1)
    (task,) = aws.sqs.list_message_move_tasks(SourceArn=source)["Results"]
    assert task["Status"] == "RUNNING" and task["MaxNumberOfMessagesPerSecond"] == 1
    assert task["TaskHandle"] == handle["TaskHandle"]
    assert task["ApproximateNumberOfMessagesToMove"] == 8
    with refused(*INVALID):
        aws.sqs.start_message_move_task(SourceArn=source)
    cancelled = aws.sqs.cancel_message_move_task(TaskHandle=handle["TaskHandle"])
    assert cancelled["ApproximateNumberOfMessagesMoved"] < 8
    task = finished(aws, dead)
    assert task["Status"] == "CANCELLED"
    # What was moved stays moved, and nothing is in both or in neither.
    counts = [int(aws.attributes(q)["ApproximateNumberOfMessages"]) for q in (url, dead)]
    assert counts == [task["ApproximateNumberOfMessagesMoved"], 8 - counts[0]]


def test_what_a_move_refuses(aws):
    lonely = aws.queue()
    _, dead = aws.with_dead_letters()
    missing = aws.arn(lonely) + "-missing"
    not_found = ("ResourceNotFoundException", "ResourceNotFoundException", 404)
    with refused(*INVALID):
        aws.sqs.start_message_move_task(SourceArn=aws.arn(lonely))
    with refused(*not_found):
        aws.sqs.start_message_move_task(SourceArn=missing)
    with refused(*not_found):
        aws.sqs.start_message_move_task(SourceArn=aws.arn(dead), DestinationArn=missing)
    with refused(*INVALID):
        aws.sqs.cancel_message_move_task(TaskHandle="rubbish")


def test_a_dead_letter_queue_chooses_its_sources(aws):
    dead = aws.queue(RedriveAllowPolicy='{"redrivePermission": "denyAll"}')
    policy = f'{{"deadLetterTargetArn": "{aws.arn(dead)}", "maxReceiveCount": 2}}'
    url = aws.queue()
    with refused(*INVALID):
        aws.sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy})
    allow = f'{{"redrivePermission": "byQueue", "sourceQueueArns": ["{aws.arn(url)}"]}}'
    aws.sqs.set_queue_attributes(QueueUrl=dead, Attributes={"RedriveAllowPolicy": allow})
    aws.sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy})
    with refused(*INVALID):
        aws.queue(RedrivePolicy=policy)


def test_a_noisy_tenant_does_not_starve_a_quiet_one(aws):
    url = aws.queue()
    for start in range(0, 150, 10):
        entries = [
            {"Id": f"n{i}", "MessageBody": "noisy", "MessageGroupId": "noisy"}
            for i in range(start, start + 10)
        ]
        aws.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert sum(len(aws.receive(url, 10)) for _ in range(4)) == 40
    # In the order of sending a quiet message would stand behind 110 others. How soon a tenant
    # is known to be noisy is not documented.
    end = time.monotonic() + NOISE_LIMIT_S
    while time.monotonic() < end:
        aws.send(url, "quiet", MessageGroupId="quiet")
        (message,) = aws.receive(url)
        if message["Body"] == "quiet":
            break
        time.sleep(0.1)
    assert message["Body"] == "quiet"
    assert message["Attributes"]["MessageGroupId"] == "quiet"
    # Only the order has changed: the noisy ones are there, and come when no one else waits.
    left = int(aws.attributes(url)["ApproximateNumberOfMessages"])
    assert "noisy" in bodies(aws.drain(url, left))
