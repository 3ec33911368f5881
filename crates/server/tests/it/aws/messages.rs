//! A message is sent, received, held, hidden and deleted.

use serde_json::{Value, json};

use super::client::{Client, WIRES, bodies, number};
use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";

fn attributes() -> Value {
    json!({
        "city": {"DataType": "String", "StringValue": "Zürich & <co>"},
        "city.code": {"DataType": "String.iata", "StringValue": "ZRH"},
        "photo": {"DataType": "Binary", "BinaryValue": "AP+JUE5H"},
        "units": {"DataType": "Number", "StringValue": "12.50"},
    })
}

#[tokio::test]
async fn a_message_comes_back_as_it_was_sent() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let url = client.queue("messages", json!({})).await;
        let body = "a \"quoted\" <body> & \t\r\n 도넛 \u{1f369}";
        let send = json!({
            "QueueUrl": url, "MessageBody": body, "MessageAttributes": attributes(),
            "MessageSystemAttributes": {
                "AWSTraceHeader": {"DataType": "String", "StringValue": TRACE},
            },
        });
        let sent = client.ok("SendMessage", send).await;
        // Computed apart from this code.
        assert_eq!(sent["MD5OfMessageBody"], "7eabed7ba4d0b3a8c05ff7e57562b6ee");
        assert_eq!(
            sent["MD5OfMessageAttributes"],
            "bf60addac245498408d5a63f13b8831a"
        );
        assert_eq!(
            sent["MD5OfMessageSystemAttributes"],
            "5f48eef650c1d0207456969c85af2fdd"
        );
        assert_eq!(sent.get("SequenceNumber"), None);

        let messages = client.receive(&url, json!({"VisibilityTimeout": 0})).await;
        let [message] = &messages[..] else {
            panic!("{messages:?}");
        };
        assert_eq!(message["MessageId"], sent["MessageId"]);
        assert_eq!(message["Body"], body);
        assert_eq!(message["MD5OfBody"], sent["MD5OfMessageBody"]);
        assert_eq!(message["MessageAttributes"], attributes());
        assert_eq!(
            message["MD5OfMessageAttributes"],
            sent["MD5OfMessageAttributes"]
        );
        let system = &message["Attributes"];
        assert_eq!(system["AWSTraceHeader"], TRACE);
        assert_eq!(system["ApproximateReceiveCount"], "1");
        assert_eq!(system["SenderId"], "000000000000");
        let first = number(&system["ApproximateFirstReceiveTimestamp"]);
        assert!(number(&system["SentTimestamp"]) <= first);
        assert_eq!(system.as_object().unwrap().len(), 5, "{system}");

        let again = client.receive(&url, json!({})).await;
        let system = &again[0]["Attributes"];
        assert_eq!(system["ApproximateReceiveCount"], "2");
        assert_eq!(number(&system["ApproximateFirstReceiveTimestamp"]), first);
        client.delete(&url, &again[0]).await;
        client.delete(&url, &again[0]).await;
        assert_eq!(
            client
                .attribute(&url, "ApproximateNumberOfMessagesNotVisible")
                .await,
            "0"
        );
    }
}

#[tokio::test]
async fn attributes_come_when_they_are_asked_for() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let url = client.queue("asked", json!({})).await;
        let send = json!({
            "QueueUrl": url, "MessageBody": "x", "MessageGroupId": "g",
            "MessageAttributes": attributes(),
        });
        client.ok("SendMessage", send).await;
        for (named, expected) in [
            (json!([]), &[][..]),
            (json!(["All"]), &["city", "city.code", "photo", "units"]),
            (json!([".*"]), &["city", "city.code", "photo", "units"]),
            (json!(["city.*"]), &["city", "city.code"]),
            (json!(["units", "absent"]), &["units"]),
        ] {
            let more = json!({"MessageAttributeNames": named, "VisibilityTimeout": 0});
            let messages = client.receive(&url, more).await;
            let found = messages[0].get("MessageAttributes");
            let names: Vec<&String> = found
                .and_then(Value::as_object)
                .map(|map| map.keys().collect())
                .unwrap_or_default();
            assert_eq!(names, expected, "{named}");
            let sum = messages[0].get("MD5OfMessageAttributes");
            assert_eq!(sum.is_some(), !expected.is_empty(), "{named}");
        }
        for (older, newer, expected) in [
            (json!([]), json!([]), &[][..]),
            (json!(["SenderId"]), json!([]), &["SenderId"]),
            (json!([]), json!(["MessageGroupId"]), &["MessageGroupId"]),
            (
                json!(["SenderId"]),
                json!(["SentTimestamp", "Other"]),
                &["SenderId", "SentTimestamp"],
            ),
        ] {
            let more = json!({
                "AttributeNames": older, "MessageSystemAttributeNames": newer,
                "VisibilityTimeout": 0,
            });
            let messages = client.receive(&url, more).await;
            let found = messages[0].get("Attributes");
            let names: Vec<&String> = found
                .and_then(Value::as_object)
                .map(|map| map.keys().collect())
                .unwrap_or_default();
            assert_eq!(names, expected, "{older} {newer}");
        }
    }
}

#[tokio::test]
async fn a_message_in_flight_is_hidden_for_as_long_as_its_holder_says() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let url = client.queue("hidden", json!({})).await;
        client.send(&url, "one").await;
        let first = client
            .receive(&url, json!({"VisibilityTimeout": 600}))
            .await;
        assert!(client.receive(&url, json!({})).await.is_empty());
        assert_eq!(
            client
                .attribute(&url, "ApproximateNumberOfMessagesNotVisible")
                .await,
            "1"
        );
        let change = |message: &Value, seconds: i64| {
            json!({
                "QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"],
                "VisibilityTimeout": seconds,
            })
        };
        let changed = client
            .ok("ChangeMessageVisibility", change(&first[0], 0))
            .await;
        assert_eq!(changed, json!({}));
        let second = client.receive(&url, json!({})).await;
        assert_eq!(bodies(&second), ["one"]);
        assert_ne!(second[0]["ReceiptHandle"], first[0]["ReceiptHandle"]);
        // The first handle is stale: it changes nothing, and deletes nothing.
        let late = change(&first[0], 0);
        client
            .refused("ChangeMessageVisibility", late, "InvalidParameterValue")
            .await;
        client.delete(&url, &first[0]).await;
        client
            .ok("ChangeMessageVisibility", change(&second[0], 0))
            .await;
        let code = "AWS.SimpleQueueService.MessageNotInflight";
        let late = change(&second[0], 5);
        client.refused("ChangeMessageVisibility", late, code).await;
        let third = client.receive(&url, json!({})).await;
        client.delete(&url, &third[0]).await;
        let gone = change(&third[0], 5);
        client
            .refused("ChangeMessageVisibility", gone, "InvalidParameterValue")
            .await;
    }
}

#[tokio::test]
async fn a_delay_holds_a_message_back() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let url = client
            .queue("delayed", json!({"DelaySeconds": "900"}))
            .await;
        client.send(&url, "as the queue says").await;
        for (body, delay_s) in [("at once", 0), ("in a second", 1)] {
            let send = json!({"QueueUrl": url, "MessageBody": body, "DelaySeconds": delay_s});
            client.ok("SendMessage", send).await;
        }
        assert_eq!(bodies(&client.receive(&url, json!({})).await), ["at once"]);
        eventually("the delay is over", async || {
            let messages = client.receive(&url, json!({})).await;
            (bodies(&messages) == ["in a second"]).then_some(())
        })
        .await;
        assert_eq!(
            client
                .attribute(&url, "ApproximateNumberOfMessagesDelayed")
                .await,
            "1"
        );
    }
}

#[tokio::test]
async fn what_is_received_too_often_is_dead_and_says_where_it_came_from() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let dead = client.queue("dead", json!({})).await;
        let policy = json!({
            "deadLetterTargetArn": client.arn(&dead).await, "maxReceiveCount": "2",
        });
        let attributes = json!({"RedrivePolicy": policy.to_string()});
        let url = client.queue("source", attributes).await;
        client.send(&url, "poison").await;
        for _ in 0..2 {
            assert_eq!(
                client
                    .receive(&url, json!({"VisibilityTimeout": 0}))
                    .await
                    .len(),
                1
            );
        }
        assert!(client.receive(&url, json!({})).await.is_empty());
        let messages = client.receive(&dead, json!({})).await;
        assert_eq!(bodies(&messages), ["poison"]);
        let source = &messages[0]["Attributes"]["DeadLetterQueueSourceArn"];
        assert_eq!(*source, client.arn(&url).await);
    }
}

#[tokio::test]
async fn nothing_is_lost_when_the_server_is_killed() {
    let mut shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let url = client.queue("killed", json!({})).await;
        for body in ["kept", "held", "deleted"] {
            client.send(&url, body).await;
        }
        let received = client
            .receive(&url, json!({"VisibilityTimeout": 600}))
            .await;
        for message in received {
            match message["Body"].as_str().unwrap() {
                "deleted" => client.delete(&url, &message).await,
                "held" => {}
                _ => {
                    let change = json!({
                        "QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"],
                        "VisibilityTimeout": 0,
                    });
                    client.ok("ChangeMessageVisibility", change).await;
                }
            }
        }
        shop.kill();
        shop.restart().await;
        let left = client.receive(&url, json!({})).await;
        assert_eq!(bodies(&left), ["kept"]);
        assert_eq!(left[0]["Attributes"]["ApproximateReceiveCount"], "2");
        assert_eq!(
            client
                .attribute(&url, "ApproximateNumberOfMessagesNotVisible")
                .await,
            "2"
        );
    }
}
