"""Works on messages as they come, several at a time; the same as consumer.mjs.

python consumer.py [--work SECONDS] [--extend] [--idle SECONDS]
"""

import argparse
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ClientError

from queues import TIME_SCALE, VISIBILITY_TIMEOUT_S, open_queues, sqs
from work import plus_one

AT_ONCE_MAX = 10

parser = argparse.ArgumentParser()
parser.add_argument("--work", type=float, default=0, help="seconds that one message takes")
parser.add_argument("--extend", action="store_true", help="tell the queue while it works")
parser.add_argument("--idle", type=float, default=float("inf"), help="end when nothing comes")
options = parser.parse_args()


def say(line):
    """In one piece, so that lines of several threads do not mix."""
    print(line + "\n", end="", flush=True)


def handle(queue, message):
    body, handle_of = message["Body"], message["ReceiptHandle"]
    delivery = f"(delivery {message['Attributes']['ApproximateReceiveCount']})"
    say(f"received {body} {delivery}")
    finished = threading.Event()
    heartbeat = threading.Thread(target=extend, args=(queue, handle_of, finished))
    if options.extend:
        heartbeat.start()
    try:
        output = plus_one(body)
        time.sleep(options.work * TIME_SCALE)
        say(f"done {body} -> {output} {delivery}")
    except ValueError as error:
        # Not deleted, it comes back when its timeout ends, and one day is a dead letter.
        say(f"failed {body} {delivery}: {error}")
        return
    finally:
        finished.set()
        if options.extend:
            heartbeat.join()
    try:
        # With the handle of an earlier delivery this succeeds, and the message stays.
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=handle_of)
    except ClientError as error:
        say(f"not deleted {body} {delivery}: {error}")


def extend(queue, handle_of, finished):
    while not finished.wait(VISIBILITY_TIMEOUT_S / 2):
        try:
            sqs.change_message_visibility(
                QueueUrl=queue, ReceiptHandle=handle_of, VisibilityTimeout=VISIBILITY_TIMEOUT_S
            )
        except ClientError as error:
            say(f"not extended: {error}")


def main():
    queue, _ = open_queues()
    idle_s = options.idle * TIME_SCALE
    last_message_at = time.monotonic()
    working = set()
    with ThreadPoolExecutor(AT_ONCE_MAX) as pool:
        while working or time.monotonic() - last_message_at < idle_s:
            working = {work for work in working if not work.done()}
            if len(working) == AT_ONCE_MAX:
                time.sleep(0.1)
                continue
            answer = sqs.receive_message(
                QueueUrl=queue,
                MaxNumberOfMessages=AT_ONCE_MAX - len(working),
                WaitTimeSeconds=int(max(1, min(20, idle_s))),
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
            for message in answer.get("Messages", []):
                last_message_at = time.monotonic()
                working.add(pool.submit(handle, queue, message))


main()
