//! What clients do not read does not fill the memory, and holds up nobody else.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Client, WIRES, Wire};
use crate::harness::client::{ANSWER_LIMIT, Connection};
use crate::harness::{Settings, Shop};
use crate::sns::client::{self as sns_client, Ask};

const MIB: usize = 1024 * 1024;
/// What one peer's answers may have at once, and what the server needs beside it to make one.
const GROWTH_MAX: usize = 64 * MIB + 128 * MIB;

/// The most memory that the server has had, in bytes.
fn peak(shop: &Shop) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", shop.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
    1024 * kilobytes.parse::<usize>().unwrap()
}

/// A queue with ten messages of 1 MiB that come back at once.
async fn with_large_messages(client: &Client, character: &str) -> String {
    let url = client
        .queue("large", json!({"VisibilityTimeout": "0"}))
        .await;
    for _ in 0..10 {
        client.send(&url, &character.repeat(MIB)).await;
    }
    url
}

fn ten(url: &str) -> Value {
    json!({"QueueUrl": url, "MaxNumberOfMessages": 10})
}

#[tokio::test]
async fn answers_that_nobody_reads_have_a_bound() {
    for wire in WIRES {
        let shop = Shop::start(Settings::new()).await;
        let client = Client::new(&shop, wire);
        // The character that grows most.
        let url = with_large_messages(&client, "\"").await;
        let small = client.queue("small", json!({})).await;
        client.send(&small, "a letter").await;
        let before = peak(&shop);
        let mut deaf = Vec::new();
        for _ in 0..30 {
            let mut connection = Connection::open_narrow(shop.aws_address).await.unwrap();
            client
                .ask(&mut connection, "ReceiveMessage", &ten(&url))
                .await;
            deaf.push(connection);
        }
        // Some have an answer on its way; the others are told to come again, and lose nothing.
        let mut statuses = Vec::new();
        for connection in &mut deaf {
            statuses.push(connection.head().await.unwrap().status);
        }
        let served = statuses.iter().filter(|status| **status == 200).count();
        assert!(served > 0);
        assert!(statuses.contains(&503), "{statuses:?}");
        let grown = peak(&shop) - before;
        assert!(grown < GROWTH_MAX, "{} MiB more", grown / MIB);

        // Another peer has its messages meanwhile.
        let mut other = Connection::open_from(Ipv4Addr::new(127, 0, 0, 2), shop.aws_address)
            .await
            .unwrap();
        let asked = json!({"QueueUrl": small});
        client.ask(&mut other, "ReceiveMessage", &asked).await;
        let answer = tokio::time::timeout(ANSWER_LIMIT, other.answer()).await;
        let answer = answer.unwrap().unwrap();
        let received = client.read("ReceiveMessage", &answer).unwrap();
        assert_eq!(received["Messages"][0]["Body"], "a letter");

        // What was not received is there, and comes once the others have gone.
        drop(deaf);
        let received = client.receive(&url, json!({"WaitTimeSeconds": 20})).await;
        assert_eq!(received.len(), 10);
    }
}

#[tokio::test]
async fn a_receive_waits_for_room_as_long_as_for_messages() {
    let shop = Shop::start(Settings::new()).await;
    let client = Client::new(&shop, Wire::Query);
    let url = with_large_messages(&client, "\"").await;
    let mut first = Connection::open_narrow(shop.aws_address).await.unwrap();
    client.ask(&mut first, "ReceiveMessage", &ten(&url)).await;
    assert_eq!(first.head().await.unwrap().status, 200);
    let mut second = client.connect().await;
    let mut patient = ten(&url);
    patient["WaitTimeSeconds"] = json!(20);
    client.ask(&mut second, "ReceiveMessage", &patient).await;
    // Longer than who does not wait is kept.
    let early = tokio::time::timeout(Duration::from_secs(7), second.answer()).await;
    assert!(early.is_err(), "there is no room for it");
    drop(first);
    let answer = tokio::time::timeout(ANSWER_LIMIT, second.answer()).await;
    let answer = answer.unwrap().unwrap();
    let received = client.read("ReceiveMessage", &answer).unwrap();
    assert_eq!(received["Messages"].as_array().unwrap().len(), 10);
}

#[tokio::test]
async fn who_waits_for_messages_takes_no_room() {
    let shop = Shop::start(Settings::new()).await;
    let client = Client::new(&shop, Wire::Query);
    let empty = client.queue("empty", json!({})).await;
    let asked = json!({"QueueUrl": empty, "WaitTimeSeconds": 20});
    let mut waiting = Vec::new();
    // Of a little room for each, one peer has not as many.
    for _ in 0..200 {
        let mut connection = client.connect().await;
        client.ask(&mut connection, "ReceiveMessage", &asked).await;
        waiting.push(connection);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let url = with_large_messages(&client, "x").await;
    assert_eq!(client.receive(&url, json!({})).await.len(), 10);
    client.ok("DeleteQueue", json!({"QueueUrl": empty})).await;
    for mut connection in waiting {
        let answer = tokio::time::timeout(ANSWER_LIMIT, connection.answer()).await;
        assert_eq!(answer.unwrap().unwrap().status, 400);
    }
}

/// Requests that stop before their end.
#[tokio::test]
async fn bodies_that_do_not_come_hold_up_nobody_else() {
    let shop = Shop::start(Settings::new()).await;
    let client = Client::new(&shop, Wire::Json);
    let url = client.queue("sent", json!({})).await;
    let head = |length: usize| {
        format!(
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-amz-json-1.0\r\n\
             x-amz-target: AmazonSQS.SendMessage\r\ncontent-length: {length}\r\n\r\n{{"
        )
    };
    let mut dawdlers = Vec::new();
    for _ in 0..30 {
        let mut connection = client.connect().await;
        let head = head(3 * MIB);
        connection.write(head.as_bytes()).await.unwrap();
        dawdlers.push(connection);
    }
    // A small one is not counted.
    client.send(&url, "a letter").await;
    let large = json!({"QueueUrl": url, "MessageBody": "x".repeat(MIB)});
    let mut same = client.connect().await;
    client.ask(&mut same, "SendMessage", &large).await;
    let early = tokio::time::timeout(Duration::from_secs(1), same.answer()).await;
    assert!(early.is_err(), "there is no room for it");
    let address: SocketAddr = shop.aws_address;
    let from = Ipv4Addr::new(127, 0, 0, 2);
    let mut other = Connection::open_from(from, address).await.unwrap();
    client.ask(&mut other, "SendMessage", &large).await;
    let answer = tokio::time::timeout(ANSWER_LIMIT, other.answer()).await;
    assert_eq!(answer.unwrap().unwrap().status, 200);
    drop(dawdlers);
    let answer = tokio::time::timeout(ANSWER_LIMIT, same.answer()).await;
    assert_eq!(answer.unwrap().unwrap().status, 200);
}

#[tokio::test]
async fn of_a_publication_each_copy_is_in_memory_once() {
    const COPIES: usize = 300;
    let (shop, sns, sqs) = sns_client::start(Settings::new()).await;
    let topic = sns.topic("news", &[]).await;
    for number in 0..COPIES {
        let (_, arn) = sns_client::queue(&sqs, &format!("q-{number}"), json!({})).await;
        sns.subscribe(&topic, "sqs", &arn, &[]).await;
    }
    let publish = |text: &str| {
        let ask = Ask::new("Publish").with("TopicArn", &topic);
        sns.ok(ask.with("Message", text))
    };
    publish("first").await;
    let before = peak(&shop);
    publish(&"x".repeat(MIB / 4)).await;
    let grown = peak(&shop) - before;
    // And what the store needs to write them.
    assert!(
        grown < 2 * COPIES * MIB / 4,
        "{} MiB more for {} MiB",
        grown / MIB,
        COPIES / 4
    );
}
