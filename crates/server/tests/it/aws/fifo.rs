//! FIFO queues over the wire: order, groups, duplicates, attempts.

use serde_json::{Value, json};

use super::client::{Client, WIRES, bodies, number};
use crate::harness::{Settings, Shop};

fn message(url: &str, body: &str, group: &str, id: &str) -> Value {
    json!({
        "QueueUrl": url, "MessageBody": body, "MessageGroupId": group,
        "MessageDeduplicationId": id,
    })
}

#[tokio::test]
async fn groups_are_in_order_and_one_at_a_time() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let url = client
            .queue("order.fifo", json!({"FifoQueue": "true"}))
            .await;
        let mut last = None;
        for (body, group) in [("a1", "a"), ("b1", "b"), ("a2", "a")] {
            let sent = client
                .ok("SendMessage", message(&url, body, group, body))
                .await;
            let sequence = sent["SequenceNumber"].as_str().unwrap().to_owned();
            assert_eq!(sequence.len(), 20);
            assert!(last.as_ref().is_none_or(|last| *last < sequence));
            last = Some(sequence);
        }
        let one = json!({"MaxNumberOfMessages": 1});
        let first = client.receive(&url, one.clone()).await;
        assert_eq!(bodies(&first), ["a1"]);
        let system = &first[0]["Attributes"];
        assert_eq!(system["MessageGroupId"], "a");
        assert_eq!(system["MessageDeduplicationId"], "a1");
        // The rest of its group waits behind it.
        assert_eq!(bodies(&client.receive(&url, json!({})).await), ["b1"]);
        assert!(client.receive(&url, json!({})).await.is_empty());
        client.delete(&url, &first[0]).await;
        let second = client.receive(&url, one).await;
        assert_eq!(bodies(&second), ["a2"]);
        assert_eq!(second[0]["Attributes"]["SequenceNumber"], json!(last));

        // Its handle is worth nothing when its time is over.
        let change = json!({
            "QueueUrl": url, "ReceiptHandle": second[0]["ReceiptHandle"], "VisibilityTimeout": 0,
        });
        client.ok("ChangeMessageVisibility", change).await;
        let delete = json!({"QueueUrl": url, "ReceiptHandle": second[0]["ReceiptHandle"]});
        let refused = client
            .refused("DeleteMessage", delete, "InvalidParameterValue")
            .await;
        assert!(refused.message.contains("expired"), "{refused:?}");
    }
}

#[tokio::test]
async fn a_duplicate_is_answered_as_the_first_and_not_kept() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let by_content = json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"});
        let url = client.queue("same.fifo", by_content).await;
        let first = client
            .ok("SendMessage", message(&url, "one", "g", "id"))
            .await;
        let again = client
            .ok("SendMessage", message(&url, "other", "g", "id"))
            .await;
        assert_eq!(again["MessageId"], first["MessageId"]);
        assert_eq!(again["SequenceNumber"], first["SequenceNumber"]);
        // The sum is of what was sent, or the SDK takes it for damaged.
        assert_eq!(
            again["MD5OfMessageBody"],
            "795f3202b17cb6bc3d4b771d8c6c9eaf"
        );

        let received = client.receive(&url, json!({})).await;
        assert_eq!(bodies(&received), ["one"]);
        client.delete(&url, &received[0]).await;
        client
            .ok("SendMessage", message(&url, "one", "g", "id"))
            .await;
        assert!(
            client.receive(&url, json!({})).await.is_empty(),
            "deleted, and still known"
        );

        let entry = |id: &str| json!({"Id": id, "MessageBody": "alike", "MessageGroupId": "g"});
        let batch = json!({"QueueUrl": url, "Entries": [entry("a"), entry("b")]});
        let answer = client.ok("SendMessageBatch", batch).await;
        let sent = &answer["Successful"];
        assert_eq!(sent[0]["SequenceNumber"], sent[1]["SequenceNumber"]);
        assert_eq!(bodies(&client.receive(&url, json!({})).await), ["alike"]);
    }
}

#[tokio::test]
async fn an_attempt_that_was_lost_is_repeated() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let url = client
            .queue("again.fifo", json!({"FifoQueue": "true"}))
            .await;
        for body in ["1", "2"] {
            client
                .ok("SendMessage", message(&url, body, "g", body))
                .await;
        }
        let attempt = json!({"ReceiveRequestAttemptId": "try-1"});
        let first = client.receive(&url, attempt.clone()).await;
        assert_eq!(bodies(&first), ["1", "2"]);
        let again = client.receive(&url, attempt).await;
        assert_eq!(bodies(&again), ["1", "2"]);
        assert_eq!(
            number(&again[0]["Attributes"]["ApproximateReceiveCount"]),
            1
        );
        let other = json!({"ReceiveRequestAttemptId": "try-2"});
        assert!(client.receive(&url, other).await.is_empty());
    }
}

#[tokio::test]
async fn what_a_fifo_queue_refuses() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let url = client
            .queue("strict.fifo", json!({"FifoQueue": "true"}))
            .await;
        assert_eq!(client.attribute(&url, "FifoQueue").await, "true");
        assert_eq!(client.attribute(&url, "DeduplicationScope").await, "queue");
        let without = |name: &str| {
            let mut parameters = message(&url, "x", "g", "d");
            parameters.as_object_mut().unwrap().remove(name);
            parameters
        };
        let group = without("MessageGroupId");
        client
            .refused("SendMessage", group, "MissingParameter")
            .await;
        let id = without("MessageDeduplicationId");
        client
            .refused("SendMessage", id, "InvalidParameterValue")
            .await;
        let mut delayed = message(&url, "x", "g", "d");
        delayed["DelaySeconds"] = json!(1);
        client
            .refused("SendMessage", delayed, "InvalidParameterValue")
            .await;
        for (group, id) in [("a b", "d"), ("g", "d d"), (&"g".repeat(129), "d")] {
            let send = message(&url, "x", group, id);
            client
                .refused("SendMessage", send, "InvalidParameterValue")
                .await;
        }
        // In a batch one of them is enough for the whole call.
        let good = json!({
            "Id": "good", "MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": "d",
        });
        for bad in [
            json!({"Id": "bad", "MessageBody": "x", "MessageDeduplicationId": "d"}),
            json!({"Id": "bad", "MessageBody": "x", "MessageGroupId": "g"}),
        ] {
            let batch = json!({"QueueUrl": url, "Entries": [good, bad]});
            client
                .refused("SendMessageBatch", batch, "InvalidParameterValue")
                .await;
        }
        assert!(client.receive(&url, json!({})).await.is_empty());

        let set = |attributes: Value| json!({"QueueUrl": url, "Attributes": attributes});
        let changed = set(json!({"FifoQueue": "false"}));
        client
            .refused("SetQueueAttributes", changed, "InvalidAttributeValue")
            .await;
        let per_group = set(json!({"FifoThroughputLimit": "perMessageGroupId"}));
        client
            .refused("SetQueueAttributes", per_group, "InvalidAttributeValue")
            .await;
        let both = set(json!({
            "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId",
        }));
        client.ok("SetQueueAttributes", both).await;
        let scope = client.attribute(&url, "DeduplicationScope").await;
        assert_eq!(scope, "messageGroup");
    }
}
