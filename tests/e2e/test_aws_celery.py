"""Celery over kombu's SQS transport, with a worker that is a process of its own: queues it
makes itself, queues that are there already, and topics for its fan-out exchanges.
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

from aws_client import KEYS, REGION, running_aws, unique
from harness import OUT

HERE = Path(__file__).parent
READY_LIMIT_S = 40
WORK_LIMIT_S = 20
STOP_LIMIT_S = 20


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
