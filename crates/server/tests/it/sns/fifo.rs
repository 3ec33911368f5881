//! FIFO topics: order, deduplication, and the queues of both kinds that they feed.

use serde_json::{Value, json};

use super::client::{Ask, Sns, queue, start};
use crate::aws::client::{Client, bodies};
use crate::harness::Settings;

fn publish(topic: &str, group: &str, message: &str) -> Ask {
    Ask::new("Publish")
        .with("TopicArn", topic)
        .with("MessageGroupId", group)
        .with("Message", message)
}

/// The id and the sequence number of a message to a FIFO topic.
async fn sent(sns: &Sns, ask: Ask) -> (String, u128) {
    let result = sns.ok(ask).await;
    let id = result.text("MessageId").unwrap().to_owned();
    (id, result.text("SequenceNumber").unwrap().parse().unwrap())
}

async fn received(sqs: &Client, url: &str) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let messages = sqs.receive(url, json!({})).await;
        if messages.is_empty() {
            return all;
        }
        for message in messages {
            sqs.delete(url, &message).await;
            all.push(message);
        }
    }
}

#[tokio::test]
async fn order_and_duplicates_are_those_of_the_topic() {
    let (mut shop, sns, sqs) = start(Settings::new()).await;
    let fifo = json!({"FifoQueue": "true"});
    let (ordered, ordered_arn) = queue(&sqs, "ordered.fifo", fifo).await;
    let (standard, standard_arn) = queue(&sqs, "standard", json!({})).await;
    let attributes = [("FifoTopic", "true"), ("ContentBasedDeduplication", "true")];
    let topic = sns.topic("news.fifo", &attributes).await;
    let raw = [("RawMessageDelivery", "true")];
    for arn in [&ordered_arn, &standard_arn] {
        sns.subscribe(&topic, "sqs", arn, &raw).await;
    }
    let mut all = Vec::new();
    for message in ["one", "two", "two", "three"] {
        all.push(sent(&sns, publish(&topic, "a", message)).await);
    }
    assert_eq!(all[1], all[2], "a duplicate is answered as the first one");
    assert!(all[0].1 < all[1].1 && all[1].1 < all[3].1);
    shop.kill();
    shop.restart().await;
    assert_eq!(sent(&sns, publish(&topic, "a", "two")).await, all[1]);
    let four = sent(&sns, publish(&topic, "a", "four")).await;
    assert!(four.1 > all[3].1);

    let in_order = received(&sqs, &ordered).await;
    assert_eq!(bodies(&in_order), ["one", "two", "three", "four"]);
    for message in &in_order {
        assert_eq!(message["Attributes"]["MessageGroupId"], "a");
        let id = message["Attributes"]["MessageDeduplicationId"].as_str();
        assert_eq!(id.unwrap().len(), 64);
    }
    let anyhow = received(&sqs, &standard).await;
    let mut anyhow = bodies(&anyhow);
    anyhow.sort_unstable();
    assert_eq!(anyhow, ["four", "one", "three", "two"]);
}

#[tokio::test]
async fn an_envelope_of_a_fifo_topic_is_not_signed() {
    let (_shop, sns, sqs) = start(Settings::new()).await;
    let fifo = json!({"FifoQueue": "true"});
    let (url, arn) = queue(&sqs, "ordered.fifo", fifo).await;
    let topic = sns.topic("news.fifo", &[("FifoTopic", "true")]).await;
    sns.subscribe(&topic, "sqs", &arn, &[]).await;
    let ask = publish(&topic, "a", "one").with("MessageDeduplicationId", "d-1");
    let (id, _) = sent(&sns, ask).await;
    let messages = received(&sqs, &url).await;
    assert_eq!(messages[0]["Attributes"]["MessageDeduplicationId"], "d-1");
    let envelope: Value = serde_json::from_str(messages[0]["Body"].as_str().unwrap()).unwrap();
    assert_eq!(envelope["MessageId"], id);
    assert_eq!(envelope["Message"], "one");
    for name in ["SignatureVersion", "Signature", "SigningCertURL"] {
        assert!(envelope.get(name).is_none(), "{name}");
    }
}

#[tokio::test]
async fn attributes_of_a_fifo_topic() {
    let (_shop, sns, _) = start(Settings::new()).await;
    let topic = sns.topic("news.fifo", &[("FifoTopic", "true")]).await;
    let shown = sns.topic_attributes(&topic).await;
    assert_eq!(shown["FifoTopic"], "true");
    assert_eq!(shown["ContentBasedDeduplication"], "false");
    assert_eq!(shown["FifoThroughputScope"], "Topic");
    for (name, value) in [
        ("ContentBasedDeduplication", "true"),
        ("FifoThroughputScope", "MessageGroup"),
    ] {
        let set = Ask::new("SetTopicAttributes")
            .with("TopicArn", &topic)
            .with("AttributeName", name)
            .with("AttributeValue", value);
        sns.ok(set).await;
        assert_eq!(sns.topic_attributes(&topic).await[name], value);
    }
    // Within its group each, the same text is no duplicate of another group's.
    let one = sent(&sns, publish(&topic, "a", "m")).await;
    let two = sent(&sns, publish(&topic, "b", "m")).await;
    assert_ne!(one.0, two.0);
    assert_eq!(sent(&sns, publish(&topic, "a", "m")).await, one);
    let web = Ask::new("Subscribe")
        .with("TopicArn", &topic)
        .with("Protocol", "http")
        .with("Endpoint", "http://127.0.0.1:1/");
    sns.refused(web, "InvalidParameter").await;
}

#[tokio::test]
async fn the_envelope_carries_the_number_that_the_publisher_got() {
    let (_shop, sns, sqs) = start(Settings::new()).await;
    let (queue_url, arn) = queue(&sqs, "wrapped.fifo", json!({"FifoQueue": "true"})).await;
    let attributes = [("FifoTopic", "true"), ("ContentBasedDeduplication", "true")];
    let topic = sns.topic("numbers.fifo", &attributes).await;
    sns.subscribe(&topic, "sqs", &arn, &[]).await;
    let mut numbers = Vec::new();
    for message in ["one", "two"] {
        numbers.push(sent(&sns, publish(&topic, "a", message)).await.1);
    }
    let messages = received(&sqs, &queue_url).await;
    let carried: Vec<u128> = bodies(&messages)
        .iter()
        .map(|body| {
            let envelope: Value = serde_json::from_str(body).unwrap();
            assert!(envelope.get("Signature").is_none(), "{envelope}");
            envelope["SequenceNumber"]
                .as_str()
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    assert_eq!(carried, numbers);
}
