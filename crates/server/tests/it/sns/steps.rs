//! More copies than one commit takes.

use serde_json::{Value, json};

use super::client::{Ask, Sns, queue, start};
use crate::aws::client::{Client, Wire};
use crate::harness::Settings;
use crate::harness::wait::eventually;

/// Copies of the largest message for these are 10 MiB.
const QUEUES: usize = 40;

#[tokio::test]
async fn a_large_message_to_many_arrives_once_each_although_the_server_dies() {
    let (mut shop, sns, sqs) = start(Settings::new()).await;
    let topic = sns.topic("news", &[]).await;
    let mut heard = Vec::new();
    for number in 0..QUEUES {
        let (url, arn) = queue(&sqs, &format!("q{number}"), json!({})).await;
        let is_raw = if number % 2 == 0 { "true" } else { "false" };
        let attributes = [("RawMessageDelivery", is_raw)];
        let subscription = sns.subscribe(&topic, "sqs", &arn, &attributes).await;
        heard.push((url, subscription));
    }
    // As large as Amazon takes it; a quote is two characters in an envelope.
    let text = "\"".repeat(256 * 1024 - 100);
    let id = sns.publish(&topic, &text).await;
    shop.kill();
    shop.restart().await;
    let (sns, sqs) = (Sns::new(&shop), Client::new(&shop, Wire::Json));
    eventually("everybody has it", async || {
        let waiting = shop.get("/ops/queues/sns-fan-out").await.expect(200);
        (waiting["total"] == 0).then_some(())
    })
    .await;
    for (number, (url, subscription)) in heard.iter().enumerate() {
        let messages = sqs.receive(url, json!({"MaxNumberOfMessages": 10})).await;
        assert_eq!(messages.len(), 1, "of q{number}");
        let body = messages[0]["Body"].as_str().unwrap();
        if number % 2 == 0 {
            assert!(body == text, "the message itself");
            continue;
        }
        let envelope: Value = serde_json::from_str(body).unwrap();
        assert!(envelope["Message"] == text.as_str(), "the message in it");
        assert_eq!(envelope["MessageId"], id);
        let unsubscribe = envelope["UnsubscribeURL"].as_str().unwrap();
        assert!(unsubscribe.ends_with(subscription), "{unsubscribe}");
    }
    let letters = "/ops/queues/sns-deliveries-dlq/messages";
    let letters = shop.get(letters).await.expect(200);
    assert_eq!(letters["messages"], json!([]));

    // It would be in the message's envelope, which is a message itself.
    let ask = Ask::new("Publish")
        .with("TopicArn", &topic)
        .with("Subject", "no character: \u{ffff}")
        .with("Message", "m");
    let refused = sns.refused(ask, "InvalidParameter").await;
    assert!(refused.message.contains("Subject"), "{}", refused.message);
}
