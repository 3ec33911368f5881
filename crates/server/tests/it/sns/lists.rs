//! Lists, a hundred to a page.

use std::collections::BTreeSet;

use super::client::{Ask, Sns, members, start};
use crate::harness::Settings;

const MORE_THAN_A_PAGE: usize = 103;

/// Every page of a list: the texts of this element of its members.
async fn all(sns: &Sns, ask: impl Fn() -> Ask, list: &str, element: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let ask = match &token {
            Some(token) => ask().with("NextToken", token),
            None => ask(),
        };
        let result = sns.ok(ask).await;
        let page = members(&result, list).into_iter();
        pages.push(
            page.map(|member| member.text(element).unwrap().to_owned())
                .collect(),
        );
        token = result.text("NextToken").map(str::to_owned);
        if token.is_none() {
            return pages;
        }
    }
}

fn sizes(pages: &[Vec<String>]) -> Vec<usize> {
    pages.iter().map(Vec::len).collect()
}

#[tokio::test]
async fn topics_and_subscriptions_are_listed_page_by_page() {
    let (_shop, sns, _) = start(Settings::new()).await;
    // What the shop itself has is the default account's; this one has only its own.
    let sns = sns.account("111111111111");
    let mut topics = BTreeSet::new();
    for n in 0..MORE_THAN_A_PAGE {
        topics.insert(sns.topic(&format!("t-{n}"), &[]).await);
    }
    let pages = all(&sns, || Ask::new("ListTopics"), "Topics", "TopicArn").await;
    assert_eq!(sizes(&pages), [100, 3]);
    let listed: BTreeSet<String> = pages.into_iter().flatten().collect();
    assert_eq!(listed, topics);

    let (first, second) = (
        "arn:aws:sns:us-east-1:111111111111:t-0",
        "arn:aws:sns:us-east-1:111111111111:t-1",
    );
    let mut subscriptions = BTreeSet::new();
    for n in 0..MORE_THAN_A_PAGE {
        let queue = format!("arn:aws:sqs:us-east-1:111111111111:q-{n}");
        subscriptions.insert(sns.subscribe(first, "sqs", &queue, &[]).await);
    }
    let queue = "arn:aws:sqs:us-east-1:111111111111:q-0";
    let alone = sns.subscribe(second, "sqs", queue, &[]).await;

    let of =
        |topic: &'static str| move || Ask::new("ListSubscriptionsByTopic").with("TopicArn", topic);
    let (list, element) = ("Subscriptions", "SubscriptionArn");
    let pages = all(&sns, of(first), list, element).await;
    assert_eq!(sizes(&pages), [100, 3]);
    let listed: BTreeSet<String> = pages.into_iter().flatten().collect();
    assert_eq!(listed, subscriptions);
    let pages = all(&sns, of(second), list, element).await;
    assert_eq!(pages, [vec![alone.clone()]]);

    let pages = all(&sns, || Ask::new("ListSubscriptions"), list, element).await;
    assert_eq!(sizes(&pages), [100, 4]);
    subscriptions.insert(alone);
    let listed: BTreeSet<String> = pages.into_iter().flatten().collect();
    assert_eq!(listed, subscriptions);
    let others = sns.account("222222222222");
    let pages = all(&others, || Ask::new("ListSubscriptions"), list, element).await;
    assert_eq!(sizes(&pages), [0]);

    let shown = sns.topic_attributes(first).await;
    assert_eq!(shown["SubscriptionsConfirmed"], "103");
    let wrong = Ask::new("ListTopics").with("NextToken", "*");
    sns.refused(wrong, "InvalidParameter").await;
}

#[tokio::test]
async fn a_list_goes_on_when_its_last_subscription_is_gone() {
    let (_shop, sns, _) = start(Settings::new()).await;
    let sns = sns.account("111111111111");
    let topic = sns.topic("news", &[]).await;
    for n in 0..MORE_THAN_A_PAGE {
        let queue = format!("arn:aws:sqs:us-east-1:111111111111:q-{n}");
        sns.subscribe(&topic, "sqs", &queue, &[]).await;
    }
    for ask in [
        || Ask::new("ListSubscriptions"),
        || {
            let topic = "arn:aws:sns:us-east-1:111111111111:news";
            Ask::new("ListSubscriptionsByTopic").with("TopicArn", topic)
        },
    ] {
        let first = sns.ok(ask()).await;
        let last = members(&first, "Subscriptions").pop().unwrap();
        let arn = last.text("SubscriptionArn").unwrap();
        sns.ok(Ask::new("Unsubscribe").with("SubscriptionArn", arn))
            .await;
        let token = first.text("NextToken").unwrap();
        let second = sns.ok(ask().with("NextToken", token)).await;
        let rest = members(&second, "Subscriptions");
        assert!(rest.len() <= 3, "{} on the second page", rest.len());
        // What is no place, though it is a token.
        let wrong = ask().with("NextToken", "bmV3cw");
        sns.refused(wrong, "InvalidParameter").await;
    }
}

#[tokio::test]
async fn a_subscription_is_listed_with_its_endpoint() {
    let (_shop, sns, _) = start(Settings::new()).await;
    let topic = sns.topic("news", &[]).await;
    let queue = "arn:aws:sqs:us-east-1:000000000000:orders";
    let arn = sns.subscribe(&topic, "sqs", queue, &[]).await;
    sns.subscribe(&topic, "email", "a@example.org", &[]).await;
    let ask = Ask::new("ListSubscriptionsByTopic").with("TopicArn", &topic);
    let result = sns.ok(ask).await;
    let mut rows: Vec<[&str; 5]> = members(&result, "Subscriptions")
        .into_iter()
        .map(|member| {
            [
                "SubscriptionArn",
                "Owner",
                "Protocol",
                "Endpoint",
                "TopicArn",
            ]
            .map(|name| member.text(name).unwrap())
        })
        .collect();
    rows.sort_by_key(|row| row[2]);
    let pending = "PendingConfirmation";
    assert_eq!(
        rows,
        [
            [pending, "000000000000", "email", "a@example.org", &topic],
            [&arn, "000000000000", "sqs", queue, &topic],
        ]
    );
}
