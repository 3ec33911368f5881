"""Counts the units that each product has sold, in sold.db, each event once."""

import json
import sqlite3

import boto3

sqs = boto3.client("sqs")  # where it is and who asks: see env.sh
url = sqs.get_queue_url(QueueName="sold-units")["QueueUrl"]
db = sqlite3.connect("sold.db", isolation_level=None)
db.execute("CREATE TABLE IF NOT EXISTS inbox (event INTEGER PRIMARY KEY)")
db.execute("CREATE TABLE IF NOT EXISTS sold (sku TEXT PRIMARY KEY, units INTEGER NOT NULL)")


def units(event):
    """A sum, so the order of the events does not matter."""
    if event["type"] == "order.accepted":
        return event["order"]["quantity"]
    if event["type"] == "order.cancelled" and event["data"].get("was") == "accepted":
        return -event["order"]["quantity"]
    return 0


def count(event):
    db.execute("BEGIN IMMEDIATE")  # the note and the effect: one transaction
    try:
        first = db.execute("INSERT OR IGNORE INTO inbox VALUES (?)", (event["seq"],))
        if first.rowcount:
            db.execute(
                "INSERT INTO sold VALUES (?, ?)"
                " ON CONFLICT (sku) DO UPDATE SET units = units + excluded.units",
                (event["order"]["sku"], units(event)),
            )
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


while True:
    answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
    for message in answer.get("Messages", []):
        try:
            count(json.loads(message["Body"]))
        except (ValueError, KeyError, TypeError, sqlite3.Error) as error:
            # Not deleted: it comes again, and one day is a dead letter.
            print(f"failed: {error!r}", flush=True)
            continue
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
