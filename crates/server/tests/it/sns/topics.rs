//! The life of a topic, its attributes, its tags.

use super::client::{Ask, members, start};
use crate::harness::Settings;

#[tokio::test]
async fn a_topic_is_made_once_and_deleted_at_will() {
    let (_shop, sns, _) = start(Settings::new()).await;
    let arn = sns.topic("news", &[("DisplayName", "News")]).await;
    assert_eq!(arn, "arn:aws:sns:us-east-1:000000000000:news");
    // The same again, with no more than is so already.
    assert_eq!(sns.topic("news", &[]).await, arn);
    assert_eq!(sns.topic("news", &[("DisplayName", "News")]).await, arn);
    let other = Ask::new("CreateTopic").with("Name", "news");
    let refused = sns
        .refused(
            other.attributes(&[("DisplayName", "Other")]),
            "InvalidParameter",
        )
        .await;
    assert_eq!(
        refused.message,
        "Invalid parameter: Attributes Reason: Topic already exists with different attributes"
    );
    let tagged = Ask::new("CreateTopic").with("Name", "news");
    let refused = sns
        .refused(tagged.tags(&[("a", "1")]), "InvalidParameter")
        .await;
    assert_eq!(
        refused.message,
        "Invalid parameter: Tags Reason: Topic already exists with different tags"
    );
    for _ in 0..2 {
        sns.ok(Ask::new("DeleteTopic").with("TopicArn", &arn)).await;
    }
    let gone = Ask::new("GetTopicAttributes").with("TopicArn", &arn);
    let refused = sns.refused(gone, "NotFound").await;
    assert_eq!(
        (refused.status, refused.message.as_str()),
        (404, "Topic does not exist")
    );
    sns.topic("news", &[("DisplayName", "Other")]).await;
}

#[tokio::test]
async fn attributes_are_set_shown_and_kept() {
    let (mut shop, sns, _) = start(Settings::new()).await;
    let arn = sns.topic("news", &[]).await;
    let set = |name: &'static str, value: &'static str| {
        Ask::new("SetTopicAttributes")
            .with("TopicArn", "arn:aws:sns:us-east-1:000000000000:news")
            .with("AttributeName", name)
            .with("AttributeValue", value)
    };
    let policy = r#"{"http":{"defaultHealthyRetryPolicy":{"numRetries":7}}}"#;
    for (name, value) in [
        ("DisplayName", "가게 & <more>"),
        ("SignatureVersion", "2"),
        ("DeliveryPolicy", policy),
    ] {
        sns.ok(set(name, value)).await;
    }
    for (name, value) in [
        ("Nonsense", "1"),
        ("FifoTopic", "true"),
        ("SignatureVersion", "3"),
        ("DeliveryPolicy", "[]"),
        ("ContentBasedDeduplication", "true"),
    ] {
        sns.refused(set(name, value), "InvalidParameter").await;
    }
    shop.kill();
    shop.restart().await;
    let shown = sns.topic_attributes(&arn).await;
    assert_eq!(shown["DisplayName"], "가게 & <more>");
    assert_eq!(shown["SignatureVersion"], "2");
    assert_eq!(shown["DeliveryPolicy"], policy);
    assert!(shown["EffectiveDeliveryPolicy"].contains(r#""numRetries":7"#));
    assert_eq!(
        (shown["TopicArn"].as_str(), shown["Owner"].as_str()),
        (arn.as_str(), "000000000000")
    );
    assert!(shown["Policy"].contains("__default_policy_ID"));
    for name in [
        "SubscriptionsConfirmed",
        "SubscriptionsPending",
        "SubscriptionsDeleted",
    ] {
        assert_eq!(shown[name], "0");
    }
    assert!(!shown.contains_key("FifoTopic"));
    // An empty value takes an attribute away.
    sns.ok(set("DeliveryPolicy", "")).await;
    let shown = sns.topic_attributes(&arn).await;
    assert!(!shown.contains_key("DeliveryPolicy"));
    assert!(shown["EffectiveDeliveryPolicy"].contains(r#""numRetries":3"#));
}

#[tokio::test]
async fn tags_come_and_go() {
    let (_shop, sns, _) = start(Settings::new()).await;
    let ask = Ask::new("CreateTopic").with("Name", "news");
    let created = sns.ok(ask.tags(&[("team", "shop"), ("k", "")])).await;
    let arn = created.text("TopicArn").unwrap().to_owned();
    let tags = async || {
        let ask = Ask::new("ListTagsForResource").with("ResourceArn", &arn);
        let result = sns.ok(ask).await;
        members(&result, "Tags")
            .into_iter()
            .map(|tag| {
                let text = |name: &str| tag.text(name).unwrap().to_owned();
                (text("Key"), text("Value"))
            })
            .collect::<Vec<_>>()
    };
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(tags().await, [pair("k", ""), pair("team", "shop")]);
    let change = Ask::new("TagResource").with("ResourceArn", &arn);
    sns.ok(change.tags(&[("team", "all"), ("cost", "1")])).await;
    let untag = Ask::new("UntagResource").with("ResourceArn", &arn);
    sns.ok(untag.list("TagKeys", &["k", "none"])).await;
    assert_eq!(tags().await, [pair("cost", "1"), pair("team", "all")]);
    let many: Vec<String> = (0..60).map(|n| n.to_string()).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|key| (key.as_str(), "")).collect();
    let too_many = Ask::new("TagResource").with("ResourceArn", &arn);
    sns.refused(too_many.tags(&many), "TagLimitExceeded").await;
    let gone = Ask::new("ListTagsForResource").with("ResourceArn", &format!("{arn}-2"));
    let refused = sns.refused(gone, "ResourceNotFound").await;
    assert_eq!(refused.status, 404);
}
