//! Long polls: woken by what arrives, ended by their time, and never in the way of a stop.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::client::{Client, WIRES, Wire, bodies};
use crate::harness::client::Connection;
use crate::harness::{Settings, Shop};

/// Waking takes milliseconds; a busy machine gets this.
const AT_ONCE: Duration = Duration::from_secs(3);

/// A long poll that has been sent and is not answered yet.
struct Poll {
    connection: Connection,
}

async fn poll(client: &Client, url: &str, more: Value) -> Poll {
    let mut parameters = json!({"QueueUrl": url});
    for (name, value) in more.as_object().unwrap() {
        parameters[name] = value.clone();
    }
    let mut connection = client.connect().await;
    client
        .ask(&mut connection, "ReceiveMessage", &parameters)
        .await;
    Poll { connection }
}

impl Poll {
    async fn messages(mut self, client: &Client) -> Vec<Value> {
        let answer = self.connection.answer().await.unwrap();
        let read = client.read("ReceiveMessage", &answer).unwrap();
        let list = read
            .get("Messages")
            .map(|list| list.as_array().unwrap().clone());
        list.unwrap_or_default()
    }

    /// Nothing has been answered so far, and for this long.
    async fn still_waits(&mut self, for_ms: u64) {
        let answer = self.connection.answer();
        let waited = tokio::time::timeout(Duration::from_millis(for_ms), answer).await;
        assert!(waited.is_err(), "it was answered: {waited:?}");
    }
}

#[tokio::test]
async fn somebody_who_waits_hears_of_what_arrives_at_once() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        let url = client.queue("waiting", json!({})).await;
        for more in [json!({"WaitTimeSeconds": 20}), json!({})] {
            // The second time the queue says how long.
            let mut waiting = poll(&client, &url, more.clone()).await;
            if more == json!({}) {
                assert!(waiting.messages(&client).await.is_empty());
                let set = json!({"ReceiveMessageWaitTimeSeconds": "20"});
                let set = json!({"QueueUrl": url, "Attributes": set});
                client.ok("SetQueueAttributes", set).await;
                waiting = poll(&client, &url, more).await;
            }
            waiting.still_waits(100).await;
            let sent = Instant::now();
            client.send(&url, "at last").await;
            let messages = waiting.messages(&client).await;
            assert!(sent.elapsed() < AT_ONCE, "{:?}", sent.elapsed());
            assert_eq!(bodies(&messages), ["at last"]);
            client.delete(&url, &messages[0]).await;
        }
        // Zero in the call goes before the queue's.
        let began = Instant::now();
        assert!(
            client
                .receive(&url, json!({"WaitTimeSeconds": 0}))
                .await
                .is_empty()
        );
        assert!(began.elapsed() < AT_ONCE);
        let began = Instant::now();
        assert!(
            client
                .receive(&url, json!({"WaitTimeSeconds": 1}))
                .await
                .is_empty()
        );
        assert!(
            began.elapsed() >= Duration::from_millis(950),
            "{:?}",
            began.elapsed()
        );
    }
}

#[tokio::test]
async fn one_message_wakes_one_of_many_and_the_others_go_on_waiting() {
    const WAITING: usize = 50;
    let shop = Shop::start(Settings::new()).await;
    let client = Client::new(&shop, Wire::Json);
    let url = client.queue("many", json!({})).await;
    let mut polls = Vec::new();
    for _ in 0..WAITING {
        polls.push(poll(&client, &url, json!({"WaitTimeSeconds": 20})).await);
    }
    polls[WAITING - 1].still_waits(200).await;
    let began = Instant::now();
    client.send(&url, "m0").await;
    let mut all: FuturesUnordered<_> = polls
        .into_iter()
        .map(|poll| poll.messages(&client))
        .collect();
    let first = all.next().await.unwrap();
    assert_eq!(bodies(&first), ["m0"]);
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    let second = tokio::time::timeout(Duration::from_millis(300), all.next()).await;
    assert!(second.is_err(), "another one was answered: {second:?}");

    let began = Instant::now();
    for n in 1..WAITING {
        client.send(&url, &format!("m{n}")).await;
    }
    let mut received = vec!["m0".to_owned()];
    while let Some(messages) = all.next().await {
        received.extend(bodies(&messages).into_iter().map(str::to_owned));
    }
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    received.sort();
    received.dedup();
    assert_eq!(received.len(), WAITING, "each got one, nobody twice");
}

#[tokio::test]
async fn somebody_who_has_gone_takes_no_message_with_him() {
    let shop = Shop::start(Settings::new()).await;
    let client = Client::new(&shop, Wire::Json);
    let url = client.queue("gone", json!({})).await;
    let mut first = poll(&client, &url, json!({"WaitTimeSeconds": 20})).await;
    first.still_waits(100).await;
    let mut second = poll(&client, &url, json!({"WaitTimeSeconds": 20})).await;
    second.still_waits(100).await;
    drop(first);
    // The server sees the end of the connection before it sees what is sent next.
    client.ok("ListQueues", json!({})).await;
    second.still_waits(100).await;
    client.send(&url, "for the second").await;
    let messages = second.messages(&client).await;
    assert_eq!(bodies(&messages), ["for the second"]);
}

#[tokio::test]
async fn a_time_out_that_ends_and_a_delay_that_is_over_wake_too() {
    let shop = Shop::start(Settings::new()).await;
    let client = Client::new(&shop, Wire::Json);
    let url = client.queue("timed", json!({})).await;
    client.send(&url, "held").await;
    assert_eq!(
        client
            .receive(&url, json!({"VisibilityTimeout": 1}))
            .await
            .len(),
        1
    );
    let began = Instant::now();
    let messages = client.receive(&url, json!({"WaitTimeSeconds": 20})).await;
    assert_eq!(bodies(&messages), ["held"]);
    assert!(began.elapsed() < Duration::from_secs(1) + AT_ONCE);
    let send = json!({"QueueUrl": url, "MessageBody": "later", "DelaySeconds": 1});
    client.ok("SendMessage", send).await;
    let messages = client.receive(&url, json!({"WaitTimeSeconds": 20})).await;
    assert_eq!(bodies(&messages), ["later"]);
    assert!(began.elapsed() < Duration::from_secs(2) + 2 * AT_ONCE);
}

#[tokio::test]
async fn a_fifo_queue_that_has_a_shorter_delay_wakes_who_waits() {
    let shop = Shop::start(Settings::new()).await;
    for wire in WIRES {
        let client = Client::new(&shop, wire);
        // Of which one is over at once, and one after a second.
        for delay_s in ["0", "1"] {
            let name = format!("sooner-{wire:?}-{delay_s}.fifo");
            let attributes = json!({"FifoQueue": "true", "DelaySeconds": "900"});
            let url = client.queue(&name, attributes).await;
            let send = json!({
                "QueueUrl": url, "MessageBody": "m", "MessageGroupId": "g",
                "MessageDeduplicationId": "d",
            });
            client.ok("SendMessage", send).await;
            let mut waiting = poll(&client, &url, json!({"WaitTimeSeconds": 20})).await;
            waiting.still_waits(100).await;
            // While somebody waits behind him the timer goes by what it knows.
            let mut behind = poll(&client, &url, json!({"WaitTimeSeconds": 20})).await;
            behind.still_waits(100).await;
            let set = json!({"QueueUrl": url, "Attributes": {"DelaySeconds": delay_s}});
            client.ok("SetQueueAttributes", set).await;
            let messages = waiting.messages(&client).await;
            assert_eq!(bodies(&messages), ["m"], "{name}");
        }
    }
}

#[tokio::test]
async fn a_stop_ends_every_wait_at_once_with_nothing() {
    let mut shop = Shop::start(Settings::new()).await;
    let client = Client::new(&shop, Wire::Query);
    let url = client.queue("stopped", json!({})).await;
    let mut waiting = poll(&client, &url, json!({"WaitTimeSeconds": 20})).await;
    waiting.still_waits(100).await;
    // One that is open and asks for nothing.
    let mut idle = client.connect().await;
    idle.send("GET", "/?Action=ListQueues", &[], None)
        .await
        .unwrap();
    let began = Instant::now();
    shop.terminate();
    assert!(waiting.messages(&client).await.is_empty());
    assert!(idle.answer().await.is_err(), "it is closed");
    assert_eq!(shop.ended().await.code(), Some(0));
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_queue_that_is_deleted_is_not_waited_for() {
    let shop = Shop::start(Settings::new()).await;
    let client = Client::new(&shop, Wire::Json);
    let url = client.queue("deleted", json!({})).await;
    let mut waiting = poll(&client, &url, json!({"WaitTimeSeconds": 20})).await;
    waiting.still_waits(100).await;
    let began = Instant::now();
    client.ok("DeleteQueue", json!({"QueueUrl": url})).await;
    let answer = waiting.connection.answer().await.unwrap();
    let refused = client.read("ReceiveMessage", &answer).unwrap_err();
    assert_eq!(refused.code, "AWS.SimpleQueueService.NonExistentQueue");
    assert!(began.elapsed() < AT_ONCE);
}
