"""The Python half of examples/queue-basics does what its README says, with seconds made
shorter.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aws_client import KEYS, REGION, running_aws, unique

FOLDER = Path(__file__).parents[2] / "examples" / "queue-basics"
WORK_LIMIT_S = 60


@pytest.fixture(scope="module")
def aws():
    with running_aws() as client:
        yield client


@pytest.fixture
def run(aws):
    """Runs a program to its end; answers with what it printed."""
    keys = {name.upper(): value for name, value in KEYS.items()}
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "FIRSTCOME_"))}
    env |= keys | {
        "AWS_ENDPOINT_URL": aws.endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "PYTHONDONTWRITEBYTECODE": "1",
        "QUEUE": unique("numbers"),
    }

    def run(program, *arguments, scale):
        done = subprocess.run(
            [sys.executable, FOLDER / program, *arguments],
            env=env | {"TIME_SCALE": str(scale)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WORK_LIMIT_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()

    run.queue = env["QUEUE"]
    return run


def letters(aws, run):
    url = aws.sqs.get_queue_url(QueueName=f"{run.queue}-dead")["QueueUrl"]
    return [message["Body"] for message in aws.receive(url, 10, VisibilityTimeout=0)]


def test_what_can_be_done_is_done_and_the_rest_is_a_dead_letter(aws, run):
    inputs = ["1", "2", "-4", "apple", *map(str, range(10, 20))]
    assert run("producer.py", *inputs, scale=0.1) == ["sent 14"]
    lines = run("consumer.py", "--idle", "15", scale=0.1)
    # On a machine that is busy one may be delivered twice; none may be left out.
    done = {line.split(" (")[0] for line in lines if line.startswith("done")}
    assert done == {
        f'done {{"input": {text}}} -> {int(text) + 1}' for text in inputs if text != "apple"
    }
    assert len([line for line in lines if line.startswith("failed apple")]) == 3
    assert letters(aws, run) == ["apple"]


def test_work_longer_than_the_visibility_timeout_is_repeated_until_it_is_extended(aws, run):
    body = '{"input": 7}'
    run("producer.py", "7", scale=0.2)
    lines = run("consumer.py", "--work", "15", "--idle", "15", scale=0.2)
    assert sorted(lines) == sorted(
        line.format(body, delivery)
        for delivery in (1, 2, 3)
        for line in ("received {} (delivery {})", "done {} -> 8 (delivery {})")
    )
    assert letters(aws, run) == [body]
    run("producer.py", "7", scale=0.2)
    assert run("consumer.py", "--work", "15", "--idle", "5", "--extend", scale=0.2) == [
        f"received {body} (delivery 1)",
        f"done {body} -> 8 (delivery 1)",
    ]


def test_the_examples_need_what_the_suites_need():
    """So that both are renewed at once."""
    here = Path(__file__).with_name("requirements.txt").read_text().splitlines()
    for line in FOLDER.joinpath("requirements.txt").read_text().splitlines():
        assert line in here
