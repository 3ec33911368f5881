"""The queue and its dead-letter queue; the same as queues.mjs."""

import json
import os

import boto3

# Endpoint, region and keys come from the environment, as for any program on Amazon.
sqs = boto3.client("sqs")

# TIME_SCALE=0.1 makes a demonstration of minutes one of seconds.
TIME_SCALE = float(os.environ.get("TIME_SCALE", "1"))
# How long a message is hidden while somebody works on it.
VISIBILITY_TIMEOUT_S = max(1, round(10 * TIME_SCALE))
# After so many deliveries it is a dead letter.
RECEIVES_MAX = 3
NAME = os.environ.get("QUEUE", "numbers")


def open_queues():
    """Both queues; making them again changes nothing."""
    dead = sqs.create_queue(QueueName=f"{NAME}-dead")["QueueUrl"]
    queue = sqs.create_queue(QueueName=NAME)["QueueUrl"]
    answer = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    policy = {
        "deadLetterTargetArn": answer["Attributes"]["QueueArn"],
        "maxReceiveCount": RECEIVES_MAX,
    }
    attributes = {
        "VisibilityTimeout": str(VISIBILITY_TIMEOUT_S),
        "RedrivePolicy": json.dumps(policy),
    }
    sqs.set_queue_attributes(QueueUrl=queue, Attributes=attributes)
    return queue, dead
