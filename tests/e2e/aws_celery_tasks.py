"""The tasks of test_aws_celery.py, in a module that its worker can load. What they did is
told in a file, one JSON document a line, since a result backend would be a server more.
"""

import json
import os
import time

from celery import Celery


def with_numbers(document):
    """Numbers as keys, as a policy of retries has them, are texts in JSON."""
    return {int(key) if key.isdigit() else key: value for key, value in document.items()}


SETTINGS = json.loads(os.environ["AWS_CELERY_SETTINGS"], object_hook=with_numbers)
NOTES = os.environ["AWS_CELERY_NOTES"]

app = Celery("aws_celery_tasks")
app.conf.update(SETTINGS)


def note(task, **what):
    """One write, so that lines of several writers do not mix."""
    attempt = task.request.retries
    line = {"task": task.name, "id": task.request.id, "attempt": attempt, "at": time.time(), **what}
    with open(NOTES, "ab", buffering=0) as notes:
        notes.write(json.dumps(line).encode() + b"\n")


@app.task(bind=True, name="add")
def add(self, x, y):
    note(self, result=x + y)


@app.task(bind=True, name="flaky", max_retries=5)
def flaky(self, failures):
    """Fails so often before it succeeds; each retry is a message of its own."""
    note(self, result="ok" if self.request.retries >= failures else "retry")
    if self.request.retries < failures:
        raise self.retry(countdown=0.5)


@app.task(bind=True, name="poison", acks_late=True, acks_on_failure_or_timeout=False)
def poison(self):
    """Is never acknowledged: the queue delivers it again until it is a dead letter."""
    note(self, result="failed")
    raise ValueError("cannot be handled")


@app.task(bind=True, name="brittle", acks_late=True, acks_on_failure_or_timeout=False)
def brittle(self, mended):
    """Fails until the file that `mended` names is there."""
    done = os.path.exists(mended)
    note(self, result="ok" if done else "failed")
    if not done:
        raise ValueError("cannot be handled yet")
