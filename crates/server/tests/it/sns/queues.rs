//! Queues that subscribe: what they get, byte for byte, and which messages.

use serde_json::{Value, json};

use super::client::{Ask, Sns, members, queue, start};
use crate::aws::client::{Client, bodies};
use crate::harness::Settings;
use crate::harness::wait::eventually;

const BATCH: &str = "PublishBatchRequestEntries.member";

/// So many messages, once they are there; each stays in flight.
async fn messages(sqs: &Client, url: &str, count: usize) -> Vec<Value> {
    let mut all = Vec::new();
    while all.len() < count {
        let wait = json!({"WaitTimeSeconds": 5});
        let received = sqs.receive(url, wait).await;
        assert!(!received.is_empty(), "{} of {count} came", all.len());
        all.extend(received);
    }
    assert_eq!(all.len(), count);
    all
}

#[tokio::test]
async fn a_wrapped_message_has_the_layout_of_amazon() {
    let (shop, sns, sqs) = start(Settings::new()).await;
    let (url, arn) = queue(&sqs, "orders", json!({})).await;
    let topic = sns.topic("news", &[]).await;
    let subscription = sns.subscribe(&topic, "sqs", &arn, &[]).await;
    let ask = Ask::new("Publish")
        .with("TopicArn", &topic)
        .with("Subject", "My \"first\" message")
        .with("Message", "Hello \"world\"!\n/한\t\\")
        .message_attributes(
            "",
            &[
                ("bin", "Binary", "AP8="),
                ("eventType", "String", "a\"b"),
                ("timestamp", "Number.java.lang.Long", "1"),
            ],
        );
    let published = sns.ok(ask).await;
    let [message] = &messages(&sqs, &url, 1).await[..] else {
        panic!("one message");
    };
    assert!(message.get("MessageAttributes").is_none());
    let body = message["Body"].as_str().unwrap();
    let envelope: Value = serde_json::from_str(body).unwrap();
    let text = |name: &str| envelope[name].as_str().unwrap();
    let base = format!("http://{}", shop.aws_address);
    let expected = r#"{
  "Type" : "Notification",
  "MessageId" : "{id}",
  "TopicArn" : "{topic}",
  "Subject" : "My \"first\" message",
  "Message" : "Hello \"world\"!\n/한\t\\",
  "Timestamp" : "{time}",
  "SignatureVersion" : "1",
  "Signature" : "{signature}",
  "SigningCertURL" : "{base}/SimpleNotificationService-{fingerprint}.pem",
  "UnsubscribeURL" : "{base}/?Action=Unsubscribe&SubscriptionArn={subscription}",
  "MessageAttributes" : {
    "bin" : {"Type":"Binary","Value":"AP8="},
    "eventType" : {"Type":"String","Value":"a\"b"},
    "timestamp" : {"Type":"Number.java.lang.Long","Value":"1"}
  }
}"#;
    let (_, certificate) = text("SigningCertURL").rsplit_once('-').unwrap();
    let fingerprint = certificate.strip_suffix(".pem").unwrap();
    let expected = expected
        .replace("{id}", published.text("MessageId").unwrap())
        .replace("{topic}", &topic)
        .replace("{time}", text("Timestamp"))
        .replace("{signature}", text("Signature"))
        .replace("{base}", &base)
        .replace("{fingerprint}", fingerprint)
        .replace("{subscription}", &subscription);
    assert_eq!(body, expected);
    assert_eq!(text("Timestamp").len(), "2012-05-02T21:54:02.059Z".len());
}

#[tokio::test]
async fn a_raw_message_is_what_was_published() {
    let (_shop, sns, sqs) = start(Settings::new()).await;
    let (url, arn) = queue(&sqs, "orders", json!({})).await;
    let topic = sns.topic("news", &[]).await;
    let raw = [("RawMessageDelivery", "true")];
    let subscription = sns.subscribe(&topic, "sqs", &arn, &raw).await;
    let ask = Ask::new("Publish")
        .with("TopicArn", &topic)
        .with("Message", "plain")
        .with("MessageGroupId", "tenant-1")
        .message_attributes("", &[("units", "Number", "3"), ("bin", "Binary", "AP8=")]);
    sns.ok(ask).await;
    let message = &messages(&sqs, &url, 1).await[0];
    assert_eq!(message["Body"], "plain");
    assert_eq!(
        message["MessageAttributes"],
        json!({
            "units": {"DataType": "Number", "StringValue": "3"},
            "bin": {"DataType": "Binary", "BinaryValue": "AP8="},
        })
    );
    assert_eq!(message["Attributes"]["MessageGroupId"], "tenant-1");
    sqs.delete(&url, message).await;
    // A text of its own for each protocol, wrapped from now on.
    sns.set(&subscription, "RawMessageDelivery", "false").await;
    let ask = Ask::new("Publish")
        .with("TopicArn", &topic)
        .with("MessageStructure", "json")
        .with(
            "Message",
            r#"{"default":"for all","sqs":"for queues","http":7}"#,
        );
    sns.ok(ask).await;
    let message = &messages(&sqs, &url, 1).await[0];
    let body = message["Body"].as_str().unwrap();
    assert!(body.contains(r#""Message" : "for queues","#), "{body}");
}

#[tokio::test]
async fn a_policy_says_which_messages() {
    let (_shop, sns, sqs) = start(Settings::new()).await;
    let topic = sns.topic("news", &[]).await;
    let raw = ("RawMessageDelivery", "true");
    let mut urls = Vec::new();
    for (name, scope, policy) in [
        ("exact", "MessageAttributes", r#"{"kind":["bid"]}"#),
        (
            "range",
            "MessageAttributes",
            r#"{"price":[{"numeric":[">",10,"<=",20]}]}"#,
        ),
        (
            "body",
            "MessageBody",
            r#"{"item":{"sku":[{"prefix":"D"}]}}"#,
        ),
        ("all", "MessageAttributes", "{}"),
    ] {
        let (url, arn) = queue(&sqs, name, json!({})).await;
        let attributes = [raw, ("FilterPolicyScope", scope), ("FilterPolicy", policy)];
        let subscription = sns.subscribe(&topic, "sqs", &arn, &attributes).await;
        let shown = sns.subscription_attributes(&subscription).await;
        assert_eq!(shown["FilterPolicy"], policy);
        assert_eq!(shown["FilterPolicyScope"], scope);
        urls.push((url, subscription));
    }
    for (body, attributes) in [
        (
            "1",
            vec![("kind", "String", "bid"), ("price", "Number", "20")],
        ),
        (
            "2",
            vec![("kind", "String", "order"), ("price", "Number", "10.5")],
        ),
        (r#"{"item":{"sku":"DONUT"}}"#, vec![]),
    ] {
        let ask = Ask::new("Publish")
            .with("TopicArn", &topic)
            .with("Message", body)
            .message_attributes("", &attributes);
        sns.ok(ask).await;
    }
    let donut = r#"{"item":{"sku":"DONUT"}}"#;
    for ((url, _), expected) in urls.iter().zip([
        vec!["1"],
        vec!["1", "2"],
        vec![donut],
        vec!["1", "2", donut],
    ]) {
        let received = messages(&sqs, url, expected.len()).await;
        let mut received = bodies(&received);
        received.sort_unstable();
        assert_eq!(received, expected);
    }
    // Without a policy it wants everything.
    let (url, subscription) = &urls[0];
    sns.set(subscription, "FilterPolicy", "").await;
    sns.publish(&topic, "3").await;
    assert_eq!(bodies(&messages(&sqs, url, 1).await), ["3"]);
}

/// A batch of these messages, by id.
fn batch(topic: &str, entries: &[(&str, &str, &str)]) -> Ask {
    let ask = Ask::new("PublishBatch").with("TopicArn", topic);
    entries
        .iter()
        .enumerate()
        .fold(ask, |ask, (at, (id, message, subject))| {
            let entry = format!("{BATCH}.{}", at + 1);
            let ask = ask
                .with(&format!("{entry}.Id"), id)
                .with(&format!("{entry}.Message"), message);
            if subject.is_empty() {
                ask
            } else {
                ask.with(&format!("{entry}.Subject"), subject)
            }
        })
}

#[tokio::test]
async fn a_batch_succeeds_in_part() {
    let (_shop, sns, sqs) = start(Settings::new()).await;
    let (url, arn) = queue(&sqs, "orders", json!({})).await;
    let topic = sns.topic("news", &[]).await;
    let raw = [("RawMessageDelivery", "true")];
    sns.subscribe(&topic, "sqs", &arn, &raw).await;
    let entries = [
        ("a", "one", ""),
        ("b", "two", "no\nsubject"),
        ("c", "three", "S"),
    ];
    let result = sns.ok(batch(&topic, &entries)).await;
    let ids = |list: &str| -> Vec<String> {
        let members = members(&result, list).into_iter();
        members
            .map(|member| member.text("Id").unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids("Successful"), ["a", "c"]);
    assert_eq!(ids("Failed"), ["b"]);
    let failed = members(&result, "Failed")[0];
    let text = |name: &str| failed.text(name).unwrap();
    assert_eq!(
        (text("Code"), text("Message"), text("SenderFault")),
        ("InvalidParameter", "Invalid parameter: Subject", "true")
    );
    let received = messages(&sqs, &url, 2).await;
    let mut received = bodies(&received);
    received.sort_unstable();
    assert_eq!(received, ["one", "three"]);

    let half = "x".repeat(131_073);
    for (entries, code) in [
        (
            &[("a", "1", ""), ("a", "2", "")][..],
            "BatchEntryIdsNotDistinct",
        ),
        (&[("a b", "1", "")], "InvalidBatchEntryId"),
        (&[("a", "1", ""); 11], "TooManyEntriesInBatchRequest"),
        (&[("a", &half, ""), ("b", &half, "")], "BatchRequestTooLong"),
    ] {
        sns.refused(batch(&topic, entries), code).await;
    }
    assert!(sqs.receive(&url, json!({})).await.is_empty());
}

#[tokio::test]
async fn a_raw_message_with_too_much_for_a_queue_keeps_it_as_a_dead_letter() {
    let (_shop, sns, sqs) = start(Settings::new()).await;
    let (_, arn) = queue(&sqs, "orders", json!({})).await;
    let (dead, dead_arn) = queue(&sqs, "dead", json!({})).await;
    let topic = sns.topic("news", &[]).await;
    let redrive = json!({"deadLetterTargetArn": dead_arn}).to_string();
    let attributes = [
        ("RawMessageDelivery", "true"),
        ("RedrivePolicy", redrive.as_str()),
    ];
    sns.subscribe(&topic, "sqs", &arn, &attributes).await;
    let names: Vec<String> = (1..=11).map(|number| format!("a{number}")).collect();
    let attributes: Vec<_> = names.iter().map(|name| (&**name, "String", "v")).collect();
    let ask = Ask::new("Publish")
        .with("TopicArn", &topic)
        .with("Message", "much")
        .message_attributes("", &attributes);
    sns.ok(ask).await;
    let letter = &messages(&sqs, &dead, 1).await[0];
    let body: Value = serde_json::from_str(letter["Body"].as_str().unwrap()).unwrap();
    assert_eq!(body["Message"], "much");
    assert_eq!(body["MessageAttributes"].as_object().unwrap().len(), 11);
}

async fn depth(sns: &Sns, topic: &str) -> String {
    sns.topic_attributes(topic).await["SubscriptionsConfirmed"].clone()
}

#[tokio::test]
async fn what_has_no_queue_becomes_a_dead_letter() {
    let (mut shop, sns, sqs) = start(Settings::new()).await;
    let (gone, gone_arn) = queue(&sqs, "gone", json!({})).await;
    let (dead, dead_arn) = queue(&sqs, "dead", json!({})).await;
    let topic = sns.topic("news", &[]).await;
    let redrive = json!({"deadLetterTargetArn": dead_arn}).to_string();
    let attributes = [("RedrivePolicy", redrive.as_str())];
    let subscription = sns.subscribe(&topic, "sqs", &gone_arn, &attributes).await;
    let shown = sns.subscription_attributes(&subscription).await;
    assert_eq!(shown["RedrivePolicy"], redrive);
    assert_eq!(shown["Endpoint"], gone_arn);
    // A queue that is not there yet may be subscribed.
    let absent = "arn:aws:sqs:us-east-1:000000000000:absent";
    sns.subscribe(&topic, "sqs", absent, &[]).await;
    sqs.ok("DeleteQueue", json!({"QueueUrl": gone})).await;
    sns.publish(&topic, "to nobody").await;
    let letter = &messages(&sqs, &dead, 1).await[0];
    let body = letter["Body"].as_str().unwrap();
    assert!(body.contains(r#""Message" : "to nobody","#), "{body}");
    assert!(body.contains(&subscription));
    // Operations hears of both.
    eventually("both are told of", async || {
        let metrics = shop.get("/metrics").await.body;
        let line = "firstcome_undeliverable_total{topic=\"news\"} 2";
        metrics.contains(line).then_some(())
    })
    .await;
    shop.kill();
    shop.restart().await;
    assert_eq!(depth(&sns, &topic).await, "2", "subscriptions are kept");
}

#[tokio::test]
async fn a_policy_and_its_scope_that_are_set_at_once_are_both_there() {
    let (_shop, sns, sqs) = start(Settings::new()).await;
    let topic = sns.topic("news", &[]).await;
    let (_, arn) = queue(&sqs, "orders", json!({})).await;
    let subscription = sns.subscribe(&topic, "sqs", &arn, &[]).await;
    for round in 0..20 {
        let policy = format!(r#"{{"kind":["{round}"]}}"#);
        let scope = ["MessageBody", "MessageAttributes"][round % 2];
        tokio::join!(
            sns.set(&subscription, "FilterPolicy", &policy),
            sns.set(&subscription, "FilterPolicyScope", scope),
        );
        let shown = sns.subscription_attributes(&subscription).await;
        assert_eq!(shown["FilterPolicy"], policy);
        assert_eq!(shown["FilterPolicyScope"], scope, "round {round}");
    }
}
