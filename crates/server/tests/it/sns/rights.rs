//! What one account lets another do.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::client::{Ask, members, queue, start};
use crate::harness::Settings;

const OWNER: &str = "111111111111";
const GUEST: &str = "222222222222";

#[tokio::test]
async fn another_account_may_what_the_policy_says() {
    let (_shop, sns, _) = start(Settings::new()).await;
    let (owner, guest, third) = (
        sns.account(OWNER),
        sns.account(GUEST),
        sns.account("333333333333"),
    );
    let topic = owner.topic("news", &[]).await;
    assert_eq!(topic, "arn:aws:sns:us-east-1:111111111111:news");
    let publish = || {
        Ask::new("Publish")
            .with("TopicArn", &topic)
            .with("Message", "m")
    };
    let label = || {
        Ask::new("AddPermission")
            .with("TopicArn", &topic)
            .with("Label", "guests")
            .list("AWSAccountId", &[GUEST])
            .list("ActionName", &["Publish", "Subscribe"])
    };
    let denied = guest.refused(publish(), "AuthorizationError").await;
    assert_eq!(denied.status, 403);
    assert!(denied.message.contains("SNS:Publish"), "{denied:?}");
    guest.refused(label(), "AuthorizationError").await;
    owner.ok(label()).await;
    let twice = owner.refused(label(), "InvalidParameter").await;
    assert_eq!(twice.message, "Invalid parameter: Statement already exists");

    guest.ok(publish()).await;
    third.refused(publish(), "AuthorizationError").await;
    let attributes = Ask::new("GetTopicAttributes").with("TopicArn", &topic);
    guest.refused(attributes, "AuthorizationError").await;
    let tags = Ask::new("ListTagsForResource").with("ResourceArn", &topic);
    guest.refused(tags, "AuthorizationError").await;
    let policy = owner.topic_attributes(&topic).await["Policy"].clone();
    assert!(policy.contains("__default_statement_ID") && policy.contains("guests"));

    let remove = Ask::new("RemovePermission")
        .with("TopicArn", &topic)
        .with("Label", "guests");
    owner.ok(remove).await;
    guest.refused(publish(), "AuthorizationError").await;
    // There is one namespace: the name is taken.
    let taken = Ask::new("CreateTopic").with("Name", "news");
    guest.refused(taken, "AuthorizationError").await;
    let delete = || Ask::new("DeleteTopic").with("TopicArn", &topic);
    guest.refused(delete(), "AuthorizationError").await;
    owner.ok(delete()).await;
}

#[tokio::test]
async fn a_subscription_belongs_to_whoever_made_it_and_to_the_topics_owner() {
    let (_shop, sns, sqs) = start(Settings::new()).await;
    let (owner, guest, third) = (
        sns.account(OWNER),
        sns.account(GUEST),
        sns.account("333333333333"),
    );
    let topic = owner.topic("news", &[]).await;
    let permit = Ask::new("AddPermission")
        .with("TopicArn", &topic)
        .with("Label", "guests")
        .list("AWSAccountId", &[GUEST])
        .list("ActionName", &["Subscribe"]);
    owner.ok(permit).await;
    // Nobody has another's queue fed without being let.
    let (url, arn) = queue(&sqs.account(OWNER), "orders", json!({})).await;
    let subscribe = || {
        Ask::new("Subscribe")
            .with("TopicArn", &topic)
            .with("Protocol", "sqs")
            .with("Endpoint", &arn)
    };
    guest.refused(subscribe(), "AuthorizationError").await;
    let permit = json!({
        "QueueUrl": url, "Label": "l", "AWSAccountIds": [GUEST], "Actions": ["SendMessage"],
    });
    sqs.account(OWNER).ok("AddPermission", permit).await;
    let subscribed = guest.ok(subscribe()).await;
    let subscription = subscribed.text("SubscriptionArn").unwrap();

    let attributes = || Ask::new("GetSubscriptionAttributes").with("SubscriptionArn", subscription);
    third.refused(attributes(), "AuthorizationError").await;
    guest.ok(attributes()).await;
    let set = Ask::new("SetSubscriptionAttributes")
        .with("SubscriptionArn", subscription)
        .with("AttributeName", "RawMessageDelivery")
        .with("AttributeValue", "true");
    owner.ok(set).await;
    let end = || Ask::new("Unsubscribe").with("SubscriptionArn", subscription);
    third.refused(end(), "AuthorizationError").await;
    let mine = guest.ok(Ask::new("ListSubscriptions")).await;
    assert_eq!(members(&mine, "Subscriptions").len(), 1);
    owner.ok(end()).await;
    let mine = guest.ok(Ask::new("ListSubscriptions")).await;
    assert!(members(&mine, "Subscriptions").is_empty());
}

#[tokio::test]
async fn statements_that_come_and_go_at_once_take_nothing_of_each_other() {
    let (_shop, sns, _) = start(Settings::new()).await;
    let owner = sns.account(OWNER);
    let topic = owner.topic("news", &[]).await;
    let labels = |kind: &str| (0..9).map(|number| format!("{kind}-{number}")).collect();
    let (old, new): (Vec<String>, Vec<String>) = (labels("old"), labels("new"));
    let ask = |action, label: &str| {
        Ask::new(action)
            .with("TopicArn", &topic)
            .with("Label", label)
    };
    let add = |label: &String| {
        ask("AddPermission", label)
            .list("AWSAccountId", &[GUEST])
            .list("ActionName", &["Publish"])
    };
    let all = async |asks: Vec<Ask>| {
        let answers = join_all(asks.iter().map(|ask| owner.call(ask))).await;
        answers.iter().filter(|answer| answer.is_ok()).count()
    };
    // Twice each: one of the two is told that it is there.
    let twice = old.iter().chain(&old).map(add).collect();
    assert_eq!(all(twice).await, old.len());
    let (added, removed) = tokio::join!(
        all(new.iter().map(add).collect()),
        all(old
            .iter()
            .map(|label| ask("RemovePermission", label))
            .collect()),
    );
    assert_eq!((added, removed), (new.len(), old.len()));
    let policy = owner.topic_attributes(&topic).await["Policy"].clone();
    let policy: Value = serde_json::from_str(&policy).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    let mut left: Vec<&str> = statements
        .iter()
        .map(|statement| statement["Sid"].as_str().unwrap())
        .collect();
    // What was there before anybody asked.
    assert_eq!(left.remove(0), "__default_statement_ID");
    left.sort_unstable();
    assert_eq!(left, new);
    owner.ok(ask("RemovePermission", "never")).await;
}
