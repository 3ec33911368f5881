"""Looks at the dead letters, and with --redrive sends them back to where they came from; the same
as dead-letters.mjs.
"""

import argparse
import time

from queues import open_queues, sqs

parser = argparse.ArgumentParser()
parser.add_argument("--redrive", action="store_true", help="send them back")


def redrive(dead):
    answer = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    source = answer["Attributes"]["QueueArn"]
    sqs.start_message_move_task(SourceArn=source)
    while True:
        time.sleep(0.2)
        task = sqs.list_message_move_tasks(SourceArn=source)["Results"][0]
        if task["Status"] != "RUNNING":
            print(f"moved {task['ApproximateNumberOfMessagesMoved']}: {task['Status']}")
            return


def look(dead):
    answer = sqs.receive_message(
        QueueUrl=dead,
        MaxNumberOfMessages=10,
        # Visible again at once: this only looks.
        VisibilityTimeout=0,
        MessageSystemAttributeNames=["DeadLetterQueueSourceArn"],
    )
    messages = answer.get("Messages", [])
    for message in messages:
        # One that was put there by hand comes from no queue.
        source = message.get("Attributes", {}).get("DeadLetterQueueSourceArn", "nowhere")
        print(f"{message['Body']} from {source.split(':')[-1]}")
    print(f"dead letters: {len(messages)}")


def main(options):
    _, dead = open_queues()
    (redrive if options.redrive else look)(dead)


main(parser.parse_args())
