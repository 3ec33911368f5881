"""The Python half of examples/queue-basics does what its README says, with seconds made
shorter.
"""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
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

    run.queue, run.env = env["QUEUE"], env
    return run


def letters(run):
    return run("dead-letters.py", scale=0.2)


@contextmanager
def function(run):
    """The function while it listens: a call answers with status and body."""
    program = [sys.executable, FOLDER / "function.py"]
    started = subprocess.Popen(program, env=run.env | {"PORT": "0"}, stdout=subprocess.PIPE)
    try:
        said = started.stdout.readline().decode().strip()
        url = said.removeprefix("listening on ")

        def call(body, method="POST"):
            request = urllib.request.Request(url, data=body, method=method)
            try:
                with urllib.request.urlopen(request, timeout=WORK_LIMIT_S) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                return error.code, json.load(error)

        yield call
        started.terminate()
        assert started.wait(WORK_LIMIT_S) == 0
    finally:
        started.kill()
        started.wait()


def test_the_function_answers_what_it_can_and_400_to_the_rest(run):
    with function(run) as call:
        for body, answer in [(b'{"input": 1}', 2), (b'{"input": -1}', 0), (b' {"input":41} ', 42)]:
            assert call(body) == (200, answer)
        for body, words in [
            (b'{"input": "apple"}', '"input" must be a whole number'),
            (b'{"input": 1.5}', '"input" must be a whole number'),
            (b'{"input": true}', '"input" must be a whole number'),
            (b'{"input": 1, "more": 2}', "nothing else"),
            (b"{}", "nothing else"),
            (b"[1]", "nothing else"),
            (b"null", "nothing else"),
            (b"apple", ""),
            (b"", ""),
            (b"\xff", ""),
            (b"[" * 1_024, ""),
            (b" " * 1_025, "too long"),
        ]:
            status, answer = call(body)
            assert (status, list(answer)) == (400, ["error"]), body
            assert words in answer["error"], (body, answer)
        assert call(None, "GET") == (405, {"error": "POST a number"})


def test_what_can_be_done_is_done_and_the_rest_is_a_dead_letter(run):
    inputs = ["1", "2", "-4", "apple", *map(str, range(10, 20))]
    assert run("producer.py", *inputs, scale=0.1) == ["sent 14"]
    lines = run("consumer.py", "--idle", "15", scale=0.1)
    # On a machine that is busy one may be delivered twice; none may be left out.
    done = {line.split(" (")[0] for line in lines if line.startswith("done")}
    assert done == {
        f'done {{"input": {text}}} -> {int(text) + 1}' for text in inputs if text != "apple"
    }
    assert len([line for line in lines if line.startswith("failed apple")]) == 3
    assert letters(run) == [f"apple from {run.queue}", "dead letters: 1"]


def test_work_longer_than_the_visibility_timeout_is_repeated_until_it_is_extended(run):
    body = '{"input": 7}'
    run("producer.py", "7", scale=0.2)
    lines = run("consumer.py", "--work", "15", "--idle", "15", scale=0.2)
    assert sorted(lines) == sorted(
        line.format(body, delivery)
        for delivery in (1, 2, 3)
        for line in ("received {} (delivery {})", "done {} -> 8 (delivery {})")
    )
    assert letters(run) == [f"{body} from {run.queue}", "dead letters: 1"]
    assert run("dead-letters.py", "--redrive", scale=0.2) == ["moved 1: COMPLETED"]
    assert run("consumer.py", "--work", "15", "--idle", "5", "--extend", scale=0.2) == [
        f"received {body} (delivery 1)",
        f"done {body} -> 8 (delivery 1)",
    ]
    assert letters(run) == ["dead letters: 0"]


def test_the_examples_need_what_the_suites_need():
    """So that both are renewed at once."""
    here = Path(__file__).with_name("requirements.txt").read_text().splitlines()
    for line in FOLDER.joinpath("requirements.txt").read_text().splitlines():
        assert line in here
