"""The work as messages: python producer.py 1 2 3. It is done when the queue has them."""

import json
import re
import sys

from queues import open_queues, sqs

BATCH_MAX = 10


def main(inputs):
    queue, _ = open_queues()
    for at in range(0, len(inputs), BATCH_MAX):
        entries = [
            {
                "Id": str(i),
                # What is not a number is sent all the same: the consumer has to cope with it.
                "MessageBody": json.dumps({"input": int(text)})
                if re.fullmatch(r"-?\d+", text)
                else text,
            }
            for i, text in enumerate(inputs[at : at + BATCH_MAX])
        ]
        answer = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
        if failed := answer.get("Failed"):
            sys.exit(f"not sent: {failed}")
    print(f"sent {len(inputs)}")


main(sys.argv[1:])
