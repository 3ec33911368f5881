//! People who subscribe: mails, as files in the server's mailbox.

use mail::{Mailbox, Stored, WhenFull};

use super::client::{Ask, start};
use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

/// The mails to this address, once there are so many, the confirmation last.
async fn mails(shop: &Shop, to: &str, count: usize) -> Vec<Stored> {
    let mailbox = Mailbox::new(shop.data().join("mail"), 1_000, WhenFull::Fail);
    eventually("there are mails", async || {
        let mut mails = mailbox.list(100).await.unwrap().mails;
        mails.retain(|mail| mail.to == to);
        mails.sort_by_key(|mail| mail.subject.contains("confirm"));
        (mails.len() == count).then_some(mails)
    })
    .await
}

/// The line that is a link.
fn link(text: &str) -> &str {
    let mut lines = text.lines();
    lines.find(|line| line.starts_with("http://")).unwrap()
}

#[tokio::test]
async fn a_person_confirms_reads_and_leaves() {
    let (shop, sns, _) = start(Settings::new()).await;
    let topic = sns.topic("news", &[("DisplayName", "가게 소식")]).await;
    let (person, program) = ("person@example.org", "program@example.org");
    let ask = Ask::new("Subscribe")
        .with("TopicArn", &topic)
        .with("Protocol", "email")
        .with("Endpoint", person);
    let answer = sns.ok(ask).await;
    assert_eq!(answer.text("SubscriptionArn"), Some("pending confirmation"));
    let arn = sns.subscribe(&topic, "email-json", program, &[]).await;

    let mail = mails(&shop, person, 1).await.remove(0);
    assert_eq!(mail.subject, "Please confirm your subscription");
    assert!(mail.from.starts_with("가게 소식 <"), "{}", mail.from);
    assert!(mail.text.contains(&topic));
    assert_eq!(sns.visit(link(&mail.text)).await.status, 200);
    let text = mails(&shop, program, 1).await.remove(0).text;
    let asked: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(asked["Type"], "SubscriptionConfirmation");
    let url = asked["SubscribeURL"].as_str().unwrap();
    assert_eq!(sns.visit(url).await.status, 200);

    let ask = Ask::new("Publish")
        .with("TopicArn", &topic)
        .with("Subject", "Donuts")
        .with("MessageStructure", "json")
        .with(
            "Message",
            r#"{"default":"d","email":"There are donuts.\nCome!"}"#,
        );
    sns.ok(ask).await;
    let mail = mails(&shop, person, 2).await.remove(0);
    assert_eq!(mail.subject, "Donuts");
    let text = mail.text;
    assert!(text.starts_with("There are donuts.\nCome!\n"), "{text}");
    let text_of_program = mails(&shop, program, 2).await.remove(0).text;
    let told: serde_json::Value = serde_json::from_str(&text_of_program).unwrap();
    assert_eq!(told["Message"], "d");
    assert!(told["UnsubscribeURL"].as_str().unwrap().ends_with(&arn));

    assert_eq!(sns.visit(link(&text)).await.status, 200);
    sns.publish(&topic, "more").await;
    mails(&shop, program, 3).await;
    mails(&shop, person, 2).await;
}
