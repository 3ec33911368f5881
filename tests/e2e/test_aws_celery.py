"""Celery over kombu's SQS transport, with a worker that is a process of its own: queues it
makes itself, queues that are there already, and topics, for its fan-out exchanges and as
anybody's. What neither has a call for is asked with boto3, on the queues that they work on.
"""

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from celery import Celery
from kombu import Connection, Exchange, Queue

from aws_client import KEYS, REGION, md5, number, running_aws, text, unique
from harness import OUT, until

HERE = Path(__file__).parent
READY_LIMIT_S = 40
WORK_LIMIT_S = 20
STOP_LIMIT_S = 20
# Waking a worker that waits takes milliseconds; a busy machine may take this.
AT_ONCE_S = 3


@pytest.fixture(scope="module")
def aws():
    with running_aws() as client:
        yield client


def broker(aws):
    endpoint = urlsplit(aws.endpoint)
    keys = f"{KEYS['aws_access_key_id']}:{KEYS['aws_secret_access_key']}"
    return f"sqs://{keys}@{endpoint.hostname}:{endpoint.port}"


def transport_options(**more):
    return {
        "region": REGION,
        "is_secure": False,
        "wait_time_seconds": 2,
        "polling_interval": 0,
        **more,
    }


class Worker:
    """A worker's process; `notes` is what its tasks told."""

    def __init__(self, aws, folder, queues, **options):
        self.settings = {
            "broker_url": broker(aws),
            "broker_transport_options": transport_options(**options),
            "broker_connection_retry_on_startup": True,
            "task_default_queue": queues[0],
            "task_ignore_result": True,
            "worker_enable_remote_control": False,
        }
        self.file = folder / f"{queues[0]}.notes"
        self.queues = queues
        OUT.joinpath("logs").mkdir(parents=True, exist_ok=True)
        self.log = OUT / "logs" / f"celery-{folder.name}.log"
        self.app = Celery("sender")
        self.app.conf.update(self.settings)

    def start(self):
        env = os.environ | {
            "AWS_CELERY_SETTINGS": json.dumps(self.settings),
            "AWS_CELERY_NOTES": str(self.file),
        }
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "aws_celery_tasks", "worker"]
                + ["--pool", "solo", "--loglevel", "INFO", "--queues", ",".join(self.queues)]
                + ["--without-gossip", "--without-mingle", "--without-heartbeat"]
                + ["--hostname", f"{self.queues[0]}@{socket.gethostname()}"],
                cwd=HERE,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.wait(lambda: "ready." in self.log.read_text(errors="replace"), READY_LIMIT_S)

    def stop(self):
        """A worker that was asked to end does so in good order."""
        self.process.terminate()
        assert self.process.wait(STOP_LIMIT_S) == 0, f"see {self.log}"

    def wait(self, condition, limit=WORK_LIMIT_S):
        end = time.monotonic() + limit
        while not (answer := condition()):
            assert self.process.poll() is None, f"the worker has ended, see {self.log}"
            assert time.monotonic() < end, f"{self.notes()}, see {self.log}"
            time.sleep(0.05)
        return answer

    def notes(self, task=None):
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        notes = [json.loads(line) for line in lines]
        return [note for note in notes if task in (None, note["task"])]

    def send(self, task, *arguments, **options):
        return self.app.send_task(task, arguments, **options)


@contextmanager
def working(worker):
    try:
        worker.start()
        yield worker
        worker.stop()
    finally:
        if worker.process.poll() is None:
            worker.process.kill()
            worker.process.wait()


def test_tasks_run_once_are_retried_and_wait_for_their_time(aws, tmp_path):
    prefix = unique("celery-")
    name = unique("tasks")
    with working(
        Worker(aws, tmp_path, [name], queue_name_prefix=prefix, visibility_timeout=30)
    ) as worker:
        # The queue that it made for itself has the timeout that it was given.
        (url,) = aws.sqs.list_queues(QueueNamePrefix=prefix)["QueueUrls"]
        assert url.endswith(f"/{prefix}{name}")
        assert aws.attributes(url)["VisibilityTimeout"] == "30"

        for i in range(20):
            worker.send("add", i, 100)
        worker.wait(lambda: len(worker.notes("add")) >= 20)
        assert sorted(note["result"] for note in worker.notes("add")) == list(range(100, 120))

        sent = time.time()
        worker.send("add", 1000, 0, countdown=2)
        worker.send("flaky", 2)
        worker.wait(lambda: len(worker.notes("flaky")) >= 3)
        flaky = worker.notes("flaky")
        assert [(note["attempt"], note["result"]) for note in flaky] == [
            (0, "retry"),
            (1, "retry"),
            (2, "ok"),
        ]
        assert len({note["id"] for note in flaky}) == 1
        late = worker.wait(lambda: [n for n in worker.notes("add") if n["result"] == 1000])
        assert late[0]["at"] - sent >= 1.9
        worker.wait(lambda: aws.attributes(url)["ApproximateNumberOfMessagesNotVisible"] == "0")
        assert aws.attributes(url)["ApproximateNumberOfMessages"] == "0"
    assert len(worker.notes()) == 24


def test_order_and_dead_letters_on_queues_that_are_there_already(aws, tmp_path):
    fifo = aws.queue("tasks.fifo")
    url, dead = aws.with_dead_letters("queue", receives=2, VisibilityTimeout=1)
    predefined = {address.rsplit("/", 1)[1]: {"url": address} for address in (fifo, url)}
    queues = list(predefined)
    with working(Worker(aws, tmp_path, queues, predefined_queues=predefined)) as worker:
        for i in range(10):
            worker.send("add", i, 0, queue=queues[0], MessageGroupId="one")
        worker.send("poison", queue=queues[1])
        worker.wait(lambda: len(worker.notes("add")) >= 10)
        assert [note["result"] for note in worker.notes("add")] == list(range(10))
        worker.wait(lambda: aws.attributes(dead)["ApproximateNumberOfMessages"] == "1")
        # Delivered as often as its queue allows, the same message each time.
        assert len(worker.notes("poison")) == 2
        assert len({note["id"] for note in worker.notes("poison")}) == 1


def test_a_fan_out_exchange_is_a_topic(aws):
    news = Exchange(unique("news"), type="fanout")
    queues = [Queue(unique("reader"), news) for _ in range(2)]
    heard = {queue.name: [] for queue in queues}

    def reader(queue):
        def hear(body, message):
            heard[queue.name].append(body)
            message.ack()

        return hear

    options = transport_options(supports_fanout=True, wait_time_seconds=1)
    with Connection(broker(aws), transport_options=options) as connection:
        with ExitStack() as consumers:
            for queue in queues:
                consumer = connection.Consumer(queue, callbacks=[reader(queue)])
                consumers.enter_context(consumer)
            connection.Producer().publish({"open": True}, exchange=news)
            end = time.monotonic() + WORK_LIMIT_S
            while not all(heard.values()):
                assert time.monotonic() < end, heard
                try:
                    connection.drain_events(timeout=1)
                except socket.timeout:
                    pass
    assert list(heard.values()) == [[{"open": True}], [{"open": True}]]
    listed = aws.sns.list_topics()["Topics"]
    assert [t for t in listed if news.name in t["TopicArn"]], listed


def is_drained(aws, url):
    """Nothing waits in the queue, and nothing is in anybody's hands."""
    counts = aws.attributes(url)
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    return all(counts[name] == "0" for name in names)


def written(aws, worker, *tasks):
    """Messages as Celery writes them for the worker's queue, which another queue gets instead."""
    (name,) = worker.queues
    desk = aws.queue("desk")
    app = Celery("writer")
    options = transport_options(predefined_queues={name: {"url": desk}})
    app.conf.update(worker.settings | {"broker_transport_options": options})
    bodies = []
    for task, *arguments in tasks:
        app.send_task(task, arguments, queue=name)
        (message,) = aws.drain(desk, 1)
        bodies.append(message["Body"])
    return bodies


def worker_on(aws, folder, *urls, **options):
    """A worker on queues that are there already, and their names."""
    predefined = {url.rsplit("/", 1)[1]: {"url": url} | options for url in urls}
    worker = Worker(aws, folder, list(predefined), predefined_queues=predefined)
    # The receives that it waits in are longer than what the tests below allow for an answer.
    worker.settings["broker_transport_options"]["wait_time_seconds"] = 10
    worker.app.conf.update(worker.settings)
    return worker


def test_a_batch_of_messages_wakes_a_worker_that_waits(aws, tmp_path):
    url = aws.queue()
    worker = worker_on(aws, tmp_path, url)
    bodies = written(aws, worker, *[("add", i, 500) for i in range(10)])
    with working(worker):
        # It has begun to wait.
        time.sleep(1)
        sent_at = time.time()
        entries = [{"Id": f"e{i}", "MessageBody": body} for i, body in enumerate(bodies)]
        answer = aws.sqs.send_message_batch(QueueUrl=url, Entries=entries)
        assert [entry["Id"] for entry in answer["Successful"]] == [e["Id"] for e in entries]
        assert answer["Successful"][9]["MD5OfMessageBody"] == md5(bodies[9])
        worker.wait(lambda: len(worker.notes()) >= 10)
        assert min(note["at"] for note in worker.notes()) - sent_at < AT_ONCE_S
        worker.wait(lambda: is_drained(aws, url))
        assert sorted(note["result"] for note in worker.notes()) == list(range(500, 510))
        assert len({note["id"] for note in worker.notes()}) == 10


def test_what_is_sent_twice_to_a_fifo_queue_runs_once_each_group_in_its_order(aws, tmp_path):
    url = aws.queue("tasks.fifo")
    worker = worker_on(aws, tmp_path, url)
    (name,) = worker.queues

    def send_all():
        for i in range(4):
            for group, sum_with in (("a", 100), ("b", 200)):
                options = {"MessageGroupId": group, "MessageDeduplicationId": f"{group}{i}"}
                worker.send("add", i, sum_with, queue=name, **options)

    send_all()
    send_all()
    assert aws.attributes(url)["ApproximateNumberOfMessages"] == "8"
    with working(worker):
        worker.wait(lambda: len(worker.notes()) >= 8)
        worker.wait(lambda: is_drained(aws, url))
        # Their ids are remembered, although they are gone; what follows is the proof.
        send_all()
        last = {"MessageGroupId": "a", "MessageDeduplicationId": "last"}
        worker.send("add", 9, 100, queue=name, **last)
        worker.wait(lambda: len(worker.notes()) >= 9)
        worker.wait(lambda: is_drained(aws, url))
        results = [note["result"] for note in worker.notes()]
        assert [result for result in results if result < 200] == [100, 101, 102, 103, 109]
        assert [result for result in results if result >= 200] == [200, 201, 202, 203]


def test_a_dead_letter_that_was_moved_back_is_handled_once_it_can_be(aws, tmp_path):
    # Of the queue's own a message would be back after half a minute: the worker changes it.
    url, dead = aws.with_dead_letters(receives=2, VisibilityTimeout=30)
    backoff = {"backoff_policy": {1: 1, 2: 1}, "backoff_tasks": ["brittle"]}
    worker = worker_on(aws, tmp_path, url, **backoff)
    mended = tmp_path / "mended"
    with working(worker):
        worker.send("brittle", str(mended), queue=worker.queues[0])
        worker.wait(lambda: aws.attributes(dead)["ApproximateNumberOfMessages"] == "1")
        first, second = worker.notes()
        assert 0.9 <= second["at"] - first["at"] < WORK_LIMIT_S
        mended.touch()
        source = aws.arn(dead)
        aws.sqs.start_message_move_task(SourceArn=source)
        worker.wait(lambda: len(worker.notes()) >= 3)
        worker.wait(lambda: is_drained(aws, url))
        assert [note["result"] for note in worker.notes()] == ["failed", "failed", "ok"]
        assert len({note["id"] for note in worker.notes()}) == 1

        def finished():
            (task,) = aws.sqs.list_message_move_tasks(SourceArn=source)["Results"]
            return task if task["Status"] != "RUNNING" else None

        task = worker.wait(finished)
        assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 1)
        assert is_drained(aws, dead)


def test_a_worker_runs_what_a_topic_lets_through_raw(aws, tmp_path):
    topic, url = aws.topic(), aws.queue()
    policy = {"kind": ["task"], "units": [{"numeric": [">", 0]}]}
    aws.subscribe(topic, url, RawMessageDelivery="true", FilterPolicy=json.dumps(policy))
    worker = worker_on(aws, tmp_path, url)
    kinds = [("task", "1"), ("task", "0"), ("news", "2"), ("task", "3")]
    bodies = written(aws, worker, *[("add", i, 700) for i in range(len(kinds))])
    with working(worker):
        for body, (kind, units) in zip(bodies, kinds, strict=True):
            attributes = {"kind": text(kind), "units": number(units)}
            aws.sns.publish(TopicArn=topic, Message=body, MessageAttributes=attributes)
        worker.wait(lambda: len(worker.notes()) >= 2)
        worker.wait(lambda: is_drained(aws, url))
        assert sorted(note["result"] for note in worker.notes()) == [700, 703]


def test_kombu_hears_of_a_topic_what_the_filters_let_through_raw_and_wrapped(aws):
    topic = aws.topic()
    forms = {
        "raw": {"RawMessageDelivery": "true", "FilterPolicy": '{"kind": [{"prefix": "order"}]}'},
        "wrapped": {
            "FilterPolicyScope": "MessageBody",
            "FilterPolicy": '{"units": [{"numeric": [">=", 3]}]}',
        },
    }
    urls, heard = {}, {form: [] for form in forms}
    for form, attributes in forms.items():
        urls[form] = aws.queue(form)
        aws.subscribe(topic, urls[form], **attributes)
    names = {form: url.rsplit("/", 1)[1] for form, url in urls.items()}
    predefined = {names[form]: {"url": url} for form, url in urls.items()}
    published = []
    for units, kind in enumerate(("order", "bid", "bid", "order.changed"), start=1):
        sent = aws.sns.publish(
            TopicArn=topic,
            Subject=kind,
            Message=json.dumps({"units": units, "name": "도넛 & <more>"}),
            MessageAttributes={"kind": text(kind)},
        )
        published.append(sent["MessageId"])

    def reader(form):
        def hear(body, message):
            heard[form].append((body, message.delivery_info["sqs_message"]))
            message.ack()

        return hear

    options = transport_options(predefined_queues=predefined, wait_time_seconds=1)
    with Connection(broker(aws), transport_options=options) as connection:
        with ExitStack() as consumers:
            for form, name in names.items():
                consumer = connection.Consumer(Queue(name), callbacks=[reader(form)])
                consumers.enter_context(consumer)

            def is_over():
                try:
                    connection.drain_events(timeout=1)
                except socket.timeout:
                    pass
                return all(is_drained(aws, url) for url in urls.values())

            until("everything is heard", is_over, WORK_LIMIT_S)
    raw = [json.loads(body) for body, _ in heard["raw"]]
    assert sorted(body["units"] for body in raw) == [1, 4]
    assert {body["name"] for body in raw} == {"도넛 & <more>"}
    envelopes = [json.loads(body) for body, _ in heard["wrapped"]]
    envelopes.sort(key=lambda envelope: envelope["Message"])
    told = [
        (one["Type"], one["TopicArn"], one["MessageId"], one["Subject"]) for one in envelopes
    ]
    assert told == [
        ("Notification", topic, published[2], "bid"),
        ("Notification", topic, published[3], "order.changed"),
    ]
    assert [json.loads(one["Message"])["units"] for one in envelopes] == [3, 4]
    assert envelopes[0]["MessageAttributes"] == {"kind": {"Type": "String", "Value": "bid"}}
