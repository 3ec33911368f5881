//! What is refused, with Amazon's code and, where it is known, Amazon's words.

use super::client::{Ask, start};
use crate::harness::Settings;

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:news";
const FIFO: &str = "arn:aws:sns:us-east-1:000000000000:news.fifo";
const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";

fn publish(topic: &str, more: &[(&str, &str)]) -> Ask {
    let ask = Ask::new("Publish").with("TopicArn", topic);
    more.iter()
        .fold(ask, |ask, (name, value)| ask.with(name, value))
}

fn subscribe(protocol: &str, endpoint: &str, attributes: &[(&str, &str)]) -> Ask {
    Ask::new("Subscribe")
        .with("TopicArn", TOPIC)
        .with("Protocol", protocol)
        .with("Endpoint", endpoint)
        .attributes(attributes)
}

#[tokio::test]
async fn messages() {
    let (_shop, sns, _) = start(Settings::new()).await;
    sns.topic("news", &[]).await;
    sns.topic("news.fifo", &[("FifoTopic", "true")]).await;
    let long = "x".repeat(262_145);
    let subject = "x".repeat(100);
    for (ask, code, message) in [
        (
            publish(TOPIC, &[("Message", "")]),
            "InvalidParameter",
            "Invalid parameter: Empty message",
        ),
        (
            publish(TOPIC, &[("Message", &long)]),
            "InvalidParameter",
            "Invalid parameter: Message too long",
        ),
        (
            publish(TOPIC, &[("Message", "m"), ("Subject", &subject)]),
            "InvalidParameter",
            "Invalid parameter: Subject",
        ),
        (
            publish(TOPIC, &[("Message", "m"), ("Subject", "")]),
            "InvalidParameter",
            "Invalid parameter: Subject",
        ),
        (
            publish("news", &[("Message", "m")]),
            "InvalidParameter",
            "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1",
        ),
        (
            publish(&format!("{TOPIC}-2"), &[("Message", "m")]),
            "NotFound",
            "Topic does not exist",
        ),
        (
            Ask::new("Publish").with("Message", "m"),
            "InvalidParameter",
            "Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter",
        ),
        (
            Ask::new("Publish")
                .with("Message", "m")
                .with("PhoneNumber", "+1a234"),
            "InvalidParameter",
            "Invalid parameter: PhoneNumber Reason: +1a234 is not valid to publish to",
        ),
        (
            Ask::new("Publish")
                .with("Message", "m")
                .with("TargetArn", "arn:aws:sns:r:0:endpoint/APNS/app/1"),
            "InvalidParameter",
            "Invalid parameter: TargetArn Reason: No endpoint found for the target arn specified",
        ),
        (
            publish(TOPIC, &[("Message", "m"), ("MessageDeduplicationId", "d")]),
            "InvalidParameter",
            "Invalid parameter: MessageDeduplicationId Reason: The request includes \
             MessageDeduplicationId parameter that is not valid for this topic type",
        ),
        (
            publish(FIFO, &[("Message", "m")]),
            "InvalidParameter",
            "Invalid parameter: The MessageGroupId parameter is required for FIFO topics",
        ),
        (
            publish(FIFO, &[("Message", "m"), ("MessageGroupId", "g")]),
            "InvalidParameter",
            "Invalid parameter: The topic should either have ContentBasedDeduplication enabled \
             or MessageDeduplicationId provided explicitly",
        ),
        (
            publish(TOPIC, &[("Message", "m")]).message_attributes("", &[("a", "String", "")]),
            "ParameterValueInvalid",
            "The message attribute 'a' must contain non-empty message attribute value for \
             message attribute type 'String'.",
        ),
        (
            publish(TOPIC, &[("Message", "m")]).message_attributes("", &[("a", "Text", "x")]),
            "ParameterValueInvalid",
            "The message attribute 'a' has an invalid message attribute type, the set of \
             supported type prefixes is Binary, Number, and String.",
        ),
        (
            Ask::new("PublishBatch").with("TopicArn", TOPIC),
            "EmptyBatchRequest",
            "The batch request doesn't contain any entries.",
        ),
    ] {
        let refused = sns.refused(ask, code).await;
        assert_eq!(refused.message, message);
        assert_eq!(refused.status, if code == "NotFound" { 404 } else { 400 });
    }
    // By its other name a topic is reached as well.
    let by_target = Ask::new("Publish")
        .with("Message", "m")
        .with("TargetArn", TOPIC);
    sns.ok(by_target).await;
}

#[tokio::test]
async fn subscriptions() {
    let (_shop, sns, _) = start(Settings::new()).await;
    sns.topic("news", &[]).await;
    let raw = [("RawMessageDelivery", "true")];
    let invalid = "InvalidParameter";
    for (ask, message) in [
        (
            subscribe("pigeon", QUEUE, &[]),
            "Invalid parameter: Amazon SNS does not support this protocol string: pigeon",
        ),
        (
            subscribe("sms", "+15551234567", &[]),
            "Invalid parameter: Amazon SNS does not support this protocol string: sms",
        ),
        (
            subscribe("sqs", "http://127.0.0.1/000000000000/q", &[]),
            "Invalid parameter: SQS endpoint ARN",
        ),
        (
            subscribe("http", "https://127.0.0.1/", &[]),
            "Invalid parameter: Endpoint must match the specified protocol: http://",
        ),
        (
            subscribe("http", "http://shop.example/", &[]),
            "Invalid parameter: Endpoint Reason: calls to shop.example are not allowed; the \
             setting outgoing.allowed_hosts lists those that are",
        ),
        (
            subscribe("https", "https://user:pw@127.0.0.1/", &[]),
            "Invalid parameter: Endpoint Reason: the URL carries a user or a password",
        ),
        (
            subscribe("email", "nobody", &[]),
            "Invalid parameter: Email address",
        ),
        (
            subscribe("email", "a@example.org", &raw),
            "Invalid parameter: Attributes Reason: Delivery protocol [email] does not support \
             raw message delivery.",
        ),
        (
            subscribe("sqs", &format!("{QUEUE}.fifo"), &[]),
            "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to \
             standard SNS topics",
        ),
        (
            subscribe("sqs", QUEUE, &[("Nonsense", "1")]),
            "Invalid parameter: Attributes Reason: AttributeName",
        ),
        (
            subscribe("sqs", QUEUE, &[("RawMessageDelivery", "wrongvalue")]),
            "Invalid parameter: Attributes Reason: RawMessageDelivery: Invalid value \
             [wrongvalue]. Must be true or false.",
        ),
        (
            subscribe(
                "sqs",
                QUEUE,
                &[("RedrivePolicy", r#"{"deadLetterTargetArn":"x"}"#)],
            ),
            "Invalid parameter: Attributes Reason: RedrivePolicy: deadLetterTargetArn is an \
             invalid arn",
        ),
    ] {
        assert_eq!(sns.refused(ask, invalid).await.message, message);
    }
    // An endpoint is subscribed once; without attributes one only asks whether it is.
    let arn = sns.subscribe(TOPIC, "sqs", QUEUE, &raw).await;
    assert_eq!(sns.subscribe(TOPIC, "sqs", QUEUE, &raw).await, arn);
    assert_eq!(sns.subscribe(TOPIC, "sqs", QUEUE, &[]).await, arn);
    sns.set(&arn, "FilterPolicy", r#"{"a":["b"]}"#).await;
    // What is not sent is not compared.
    assert_eq!(sns.subscribe(TOPIC, "sqs", QUEUE, &raw).await, arn);
    let other = subscribe("sqs", QUEUE, &[("RawMessageDelivery", "false")]);
    assert_eq!(
        sns.refused(other, invalid).await.message,
        "Invalid parameter: Attributes Reason: Subscription already exists with different \
         attributes"
    );
    let end = || Ask::new("Unsubscribe").with("SubscriptionArn", &arn);
    // Whoever is nobody does not take a queue's subscription away.
    sns.refused(end(), "AuthorizationError").await;
    for _ in 0..2 {
        sns.account("000000000000").ok(end()).await;
    }
    let gone = Ask::new("GetSubscriptionAttributes").with("SubscriptionArn", &arn);
    let refused = sns.refused(gone, "NotFound").await;
    assert_eq!(
        (refused.status, refused.message.as_str()),
        (404, "Subscription does not exist")
    );
    let topic = Ask::new("Unsubscribe").with("SubscriptionArn", TOPIC);
    assert_eq!(
        sns.refused(topic, invalid).await.message,
        "Invalid parameter: SubscriptionId"
    );
    for (token, message) in [
        ("randomtoken", "Invalid token"),
        (&"0".repeat(96), "Invalid parameter: Token"),
    ] {
        let confirm = Ask::new("ConfirmSubscription")
            .with("TopicArn", TOPIC)
            .with("Token", token);
        assert_eq!(sns.refused(confirm, invalid).await.message, message);
    }
}

#[tokio::test]
async fn actions_that_are_not_here() {
    let (_shop, sns, _) = start(Settings::new()).await;
    for action in ["CreatePlatformApplication", "CheckIfPhoneNumberIsOptedOut"] {
        sns.refused(Ask::new(action), "InvalidAction").await;
    }
    let topic = Ask::new("CreateTopic")
        .with("Name", "t")
        .with("DataProtectionPolicy", "{}");
    sns.refused(topic, "InvalidParameter").await;
    for name in ["", "a b", "t.fifo", &"x".repeat(257)] {
        let topic = Ask::new("CreateTopic").with("Name", name);
        sns.refused(topic, "InvalidParameter").await;
    }
}
