//! People who subscribe: mails, as files in the server's mailbox.

use super::client::{Ask, start};
use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

/// The mails to this address, once there are so many: head and text of each.
async fn mails(shop: &Shop, to: &str, count: usize) -> Vec<(String, String)> {
    let directory = shop.data().join("mail");
    let to = format!("\r\nTo: {to}\r\n");
    eventually("there are mails", async || {
        let files = std::fs::read_dir(&directory).ok()?;
        let mut mails: Vec<_> = files
            .map(|file| file.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
            .map(|path| std::fs::read_to_string(path).unwrap())
            .filter(|mail| mail.contains(&to))
            .map(|mail| {
                let (head, text) = mail.split_once("\r\n\r\n").unwrap();
                (head.to_owned(), text.trim_end().to_owned())
            })
            .collect();
        mails.sort_by_key(|(head, _)| head.contains("confirm"));
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

    let (head, text) = mails(&shop, person, 1).await.remove(0);
    assert!(head.contains("\r\nSubject: Please confirm your subscription\r\n"));
    assert!(
        head.contains("From: =?UTF-8?B?6rCA6rKMIOyGjOyLnQ==?= <"),
        "{head}"
    );
    assert!(text.contains(&topic));
    assert_eq!(sns.visit(link(&text)).await.status, 200);
    let (_, text) = mails(&shop, program, 1).await.remove(0);
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
    let (head, text) = mails(&shop, person, 2).await.remove(0);
    assert!(head.contains("\r\nSubject: Donuts\r\n"), "{head}");
    assert!(text.starts_with("There are donuts.\r\nCome!\r\n"), "{text}");
    let (_, text_of_program) = mails(&shop, program, 2).await.remove(0);
    let told: serde_json::Value = serde_json::from_str(&text_of_program).unwrap();
    assert_eq!(told["Message"], "d");
    assert!(told["UnsubscribeURL"].as_str().unwrap().ends_with(&arn));

    assert_eq!(sns.visit(link(&text)).await.status, 200);
    sns.publish(&topic, "more").await;
    mails(&shop, program, 3).await;
    mails(&shop, person, 2).await;
}
