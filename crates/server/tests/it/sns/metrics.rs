//! The numbers of topics for Prometheus, by Amazon's names.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use tokio::sync::Notify;

use super::client::{Ask, Sns, queue, start};
use super::retries::subscribed;
use crate::harness::factory::{Factory, Manner};
use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

/// What is told of a topic: the end of each name, and its value. What is nought is left out.
async fn told(shop: &Shop, topic: &str) -> BTreeMap<String, u64> {
    let metrics = shop.get("/metrics").await.body;
    let label = format!("{{topic_name=\"{topic}\"}} ");
    let lines = metrics.lines().filter_map(|line| {
        let (name, number) = line.strip_prefix("aws_sns_")?.split_once(&label)?;
        let name = name
            .trim_start_matches("number_of_")
            .trim_end_matches("_total");
        Some((name.to_owned(), number.parse().unwrap()))
    });
    lines.filter(|(_, number)| *number > 0).collect()
}

async fn become_so(shop: &Shop, topic: &str, expected: &[(&str, u64)]) {
    let owned = expected
        .iter()
        .map(|(name, number)| ((*name).to_owned(), *number));
    let expected: BTreeMap<String, u64> = owned.collect();
    eventually(&format!("{topic} has {expected:?}"), async || {
        (told(shop, topic).await == expected).then_some(())
    })
    .await;
}

async fn publish(sns: &Sns, topic: &str, message: &str, attributes: &[(&str, &str, &str)]) {
    let ask = Ask::new("Publish")
        .with("TopicArn", topic)
        .with("Message", message)
        .message_attributes("", attributes);
    sns.ok(ask).await;
}

#[tokio::test]
async fn what_becomes_of_each_message_is_counted() {
    let (shop, sns, sqs) = start(Settings::new()).await;
    let topic = sns.topic("news", &[]).await;
    sns.topic("quiet", &[]).await;
    let by = |scope: &str, policy: &str| {
        [("FilterPolicyScope", scope), ("FilterPolicy", policy)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    for (name, filter) in [
        ("all", Vec::new()),
        (
            "by-kind",
            by("MessageAttributes", r#"{"kind": ["a"]}"#).into(),
        ),
        ("by-body", by("MessageBody", r#"{"x": [1]}"#).into()),
    ] {
        let (_, arn) = queue(&sqs, name, json!({})).await;
        let filter: Vec<(&str, &str)> = filter.iter().map(|(n, v)| (&**n, &**v)).collect();
        sns.subscribe(&topic, "sqs", &arn, &filter).await;
    }
    let kind = |value| [("kind", "String", value)];
    assert_eq!(told(&shop, "news").await, BTreeMap::new());
    publish(&sns, &topic, r#"{"x": 1}"#, &kind("a")).await;
    become_so(
        &shop,
        "news",
        &[
            ("messages_published", 1),
            ("publish_size_bytes_count", 1),
            // The body, and the name, the type and the value of the attribute.
            ("publish_size_bytes_sum", 8 + 4 + 6 + 1),
            ("notifications_delivered", 3),
        ],
    )
    .await;
    publish(&sns, &topic, r#"{"x": 2}"#, &kind("b")).await;
    publish(&sns, &topic, "no JSON", &[]).await;
    // Refused, and so not counted.
    let empty = Ask::new("Publish")
        .with("TopicArn", &topic)
        .with("Message", "");
    sns.refused(empty, "InvalidParameter").await;
    become_so(
        &shop,
        "news",
        &[
            ("messages_published", 3),
            ("publish_size_bytes_count", 3),
            ("publish_size_bytes_sum", 19 + 19 + 7),
            ("notifications_delivered", 5),
            ("notifications_filtered_out", 4),
            ("notifications_filtered_out_message_attributes", 1),
            ("notifications_filtered_out_no_message_attributes", 1),
            ("notifications_filtered_out_message_body", 1),
            ("notifications_filtered_out_invalid_message_body", 1),
        ],
    )
    .await;
    let metrics = shop.get("/metrics").await.body;
    for line in [
        "# TYPE aws_sns_number_of_messages_published_total counter",
        "# TYPE aws_sns_publish_size_bytes summary",
        "aws_sns_number_of_messages_published_total{topic_name=\"quiet\"} 0",
    ] {
        assert!(metrics.lines().any(|other| other == line), "{line}");
    }
    // A topic that is made anew begins at nought.
    sns.ok(Ask::new("DeleteTopic").with("TopicArn", &topic))
        .await;
    let left = shop.get("/metrics").await.body;
    assert!(!left.contains("topic_name=\"news\""), "{left}");
    sns.topic("news", &[]).await;
    become_so(&shop, "news", &[]).await;
}

#[tokio::test]
async fn what_is_given_up_is_counted_with_where_it_went() {
    let (shop, sns, sqs) = start(Settings::new()).await;
    let (_, dead) = queue(&sqs, "dead", json!({})).await;
    let topic = sns.topic("news", &[]).await;
    let absent = |name: &str| format!("arn:aws:sqs:us-east-1:000000000000:{name}");
    let redrive = |arn: &str| json!({"deadLetterTargetArn": arn}).to_string();
    let (to_dead, to_nobody) = (redrive(&dead), redrive(&absent("gone")));
    sns.subscribe(&topic, "sqs", &absent("a"), &[]).await;
    sns.subscribe(&topic, "sqs", &absent("b"), &[("RedrivePolicy", &to_dead)])
        .await;
    sns.subscribe(
        &topic,
        "sqs",
        &absent("c"),
        &[("RedrivePolicy", &to_nobody)],
    )
    .await;
    sns.publish(&topic, "m").await;
    become_so(
        &shop,
        "news",
        &[
            ("messages_published", 1),
            ("publish_size_bytes_count", 1),
            ("publish_size_bytes_sum", 1),
            ("notifications_failed", 3),
            ("notifications_redriven_to_dlq", 1),
            ("notifications_failed_to_redrive_to_dlq", 1),
        ],
    )
    .await;

    // A server: once it has taken it, or will not.
    let web = sns.topic("web", &[]).await;
    let server = Factory::start(Manner::Answer(200));
    subscribed(&sns, &web, &server, &[("RedrivePolicy", &to_dead)]).await;
    // The question was none of the topic's messages.
    assert_eq!(told(&shop, "web").await, BTreeMap::new());
    sns.publish(&web, "taken").await;
    server.request(2).await;
    let taken = [
        ("messages_published", 1),
        ("publish_size_bytes_count", 1),
        ("publish_size_bytes_sum", 5),
        ("notifications_delivered", 1),
    ];
    become_so(&shop, "web", &taken).await;
    server.behave(Manner::Answer(403));
    sns.publish(&web, "refused").await;
    let refused = [
        ("messages_published", 2),
        ("publish_size_bytes_count", 2),
        ("publish_size_bytes_sum", 12),
        ("notifications_delivered", 1),
        ("notifications_failed", 1),
        ("notifications_redriven_to_dlq", 1),
    ];
    become_so(&shop, "web", &refused).await;
}

#[tokio::test]
async fn what_is_delivered_of_a_topic_that_is_gone_is_not_the_next_ones() {
    let (shop, sns, _) = start(Settings::new()).await;
    let topic = sns.topic("news", &[]).await;
    let server = Factory::start(Manner::Answer(200));
    subscribed(&sns, &topic, &server, &[]).await;
    let answer = Arc::new(Notify::new());
    server.behave(Manner::After(Arc::clone(&answer)));
    sns.publish(&topic, "slow").await;
    server.request(2).await;
    sns.ok(Ask::new("DeleteTopic").with("TopicArn", &topic))
        .await;
    answer.notify_one();
    eventually("it was delivered", async || {
        let queue = shop.get("/ops/queues/sns-deliveries").await.expect(200);
        (queue["total"] == 0).then_some(())
    })
    .await;
    for _ in 0..2 {
        assert_eq!(told(&shop, "news").await, BTreeMap::new());
    }
    sns.topic("news", &[]).await;
    assert_eq!(told(&shop, "news").await, BTreeMap::new());
}
