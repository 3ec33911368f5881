"""The consumer in Python of docs/CONSUMERS.md, as it stands in examples/sold-units: real orders,
killed half-way and started again, and each order counts once.
"""

import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from aws_client import KEYS, REGION
from harness import running_server

FOLDER = Path(__file__).parents[2] / "examples" / "sold-units"
ORDERS = 120
SKUS = ("SOLD-1", "SOLD-2", "SOLD-3")
KILLS = 3
LIMIT_S = 60
POLL_S = 0.02


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """With the example's own settings, but for messages that come back sooner."""
    settings = FOLDER.joinpath("firstcome.toml").read_text()
    sooner = settings.replace("VisibilityTimeout = 30", "VisibilityTimeout = 2")
    assert sooner != settings, "the line that this changes is there"
    config = tmp_path_factory.mktemp("settings") / "firstcome.toml"
    config.write_text(sooner)
    with running_server(config=config) as server:
        yield server


class Consumer:
    """The program, in a folder of its own."""

    def __init__(self, shop, folder):
        self.folder = folder
        env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "FIRSTCOME_"))}
        keys = {name.upper(): value for name, value in KEYS.items()}
        self.env = env | keys | {"AWS_ENDPOINT_URL": shop.aws, "AWS_DEFAULT_REGION": REGION}
        self.start()

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, FOLDER / "consumer.py"],
                cwd=self.folder,
                env=self.env | {"PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        self.process.kill()
        self.process.wait()

    def rows(self, query):
        if not (self.folder / "sold.db").exists():
            return []
        db = sqlite3.connect(self.folder / "sold.db", timeout=10)
        try:
            return db.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []  # Its tables are not there yet.
        finally:
            db.close()

    def counted(self):
        return len(self.rows("SELECT event FROM inbox"))


@pytest.fixture
def consumer(shop, tmp_path):
    started = Consumer(shop, tmp_path)
    yield started
    if started.process.poll() is None:
        started.kill()


def until(what, condition):
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, f"not within {LIMIT_S} s: {what}"
        time.sleep(POLL_S)


def left(shop, queue):
    depth = shop.get(f"/ops/queues/{queue}")
    return depth["visible"] + depth["inFlight"] + depth["delayed"]


def send_again(shop):
    """What is in the queue comes twice."""
    until("there is something", lambda: left(shop, "sold-units"))
    for message in shop.get("/ops/queues/sold-units/messages")["messages"]:
        seq = message["seq"]
        body = shop.get(f"/ops/queues/sold-units/messages/{seq}")["body"]
        answer = shop.request("POST", "/ops/queues/sold-units/messages", {"body": body})
        assert answer.status == 201, answer


def test_each_order_counts_once_though_the_consumer_is_killed_half_way(shop, consumer):
    for sku in SKUS:
        body = {"sku": sku, "name": sku, "price": 100, "currency": "EUR", "stock": 1_000_000}
        assert shop.request("POST", "/products", body).status == 201
    expected, events, kills = Counter({sku: 0 for sku in SKUS}), 0, 0
    for n in range(ORDERS):
        sku, quantity = SKUS[n % len(SKUS)], 1 + n % 4
        body = {"sku": sku, "customer": f"buyer{n}@example.com", "quantity": quantity}
        answer = shop.request("POST", "/orders", body)
        assert answer.status == 201, answer
        events += 1
        expected[sku] += quantity
        if n % 5 == 0:
            answer = shop.request("DELETE", f"/orders/{answer.json['id']}")
            assert answer.status == 200, answer
            events += 1
            expected[sku] -= quantity
        if n % 30 == 29 and kills < KILLS:
            # Some are counted, some are in its hands, some are still in the queue.
            until("it has begun", lambda: consumer.counted() >= 20 * kills + 1)
            consumer.kill()
            kills += 1
        elif consumer.process.poll() is not None:
            send_again(shop)
            consumer.start()
    assert kills == KILLS
    until("all is counted", lambda: consumer.counted() >= events)
    until("nothing is left", lambda: left(shop, "sold-units") == 0)
    assert consumer.counted() == events, "each event once"
    assert dict(consumer.rows("SELECT sku, units FROM sold")) == dict(expected)
    assert left(shop, "sold-units-dlq") == 0


def test_what_is_no_event_is_a_dead_letter_and_holds_up_nobody(shop, consumer):
    body = {"body": "no event"}
    answer = shop.request("POST", "/ops/queues/sold-units/messages", body)
    assert answer.status == 201, answer
    until("it is a dead letter", lambda: left(shop, "sold-units-dlq") == 1)
    until("nothing is left", lambda: left(shop, "sold-units") == 0)
    assert consumer.process.poll() is None, (consumer.folder / "log").read_text()


def test_its_packages_are_the_ones_that_the_suites_use():
    here = Path(__file__).with_name("requirements.txt").read_text().splitlines()
    for line in FOLDER.joinpath("requirements.txt").read_text().splitlines():
        assert line in here
