//! Servers that do not take what they are sent: again, and again, and then to the dead letters.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Sns, queue, start};
use crate::harness::factory::{Factory, Manner, Nothing};
use crate::harness::wait::{eventually, within};
use crate::harness::{Settings, Shop};

/// Tries that follow at once, so that no test has to wait.
fn at_once(retries: u32) -> String {
    json!({"healthyRetryPolicy": {
        "minDelayTarget": 1, "maxDelayTarget": 1,
        "numRetries": retries, "numNoDelayRetries": retries,
    }})
    .to_string()
}

/// A subscription of this server, confirmed.
pub(super) async fn subscribed(
    sns: &Sns,
    topic: &str,
    server: &Factory,
    attributes: &[(&str, &str)],
) {
    sns.subscribe(topic, "http", &server.url(), attributes)
        .await;
    let asked = server.request(1).await.json();
    let url = asked["SubscribeURL"].as_str().unwrap();
    assert_eq!(sns.visit(url).await.status, 200);
}

/// The dead letters that have no queue of their own, once there are so many.
async fn letters(shop: &Shop, count: usize) -> Vec<Value> {
    eventually("there are dead letters", async || {
        let path = "/ops/queues/sns-deliveries-dlq/messages";
        let letters = shop.get(path).await.expect(200)["messages"].clone();
        let letters = letters.as_array().unwrap().clone();
        (letters.len() == count).then_some(letters)
    })
    .await
}

#[tokio::test]
async fn a_server_that_recovers_gets_its_message() {
    let (shop, sns, _) = start(Settings::new()).await;
    let server = Factory::start(Manner::Answer(200));
    let topic = sns.topic("news", &[]).await;
    let policy = at_once(3);
    subscribed(&sns, &topic, &server, &[("DeliveryPolicy", &policy)]).await;
    let script = [503, 429, 500, 200, 502, 502].map(Manner::Answer);
    let recovering = Factory::scripted(script, Manner::Answer(200));
    sns.subscribe(
        &topic,
        "http",
        &recovering.url(),
        &[("DeliveryPolicy", &policy)],
    )
    .await;
    // The question is tried again as well, each time the same.
    let asked = recovering.request(4).await.json();
    assert_eq!(recovering.request(1).await.json(), asked);
    let url = asked["SubscribeURL"].as_str().unwrap();
    assert_eq!(sns.visit(url).await.status, 200);

    sns.publish(&topic, "m").await;
    recovering.request(7).await;
    let ids = |server: &Factory, from: usize| -> Vec<String> {
        let requests = server.requests();
        let bodies = requests[from..].iter().map(|request| request.json());
        bodies
            .map(|body| body["MessageId"].as_str().unwrap().to_owned())
            .collect()
    };
    eventually("nothing is left to deliver", async || {
        let queues = shop.get("/ops/queues").await.expect(200)["queues"].clone();
        let queue = queues.as_array().unwrap().iter();
        let queue = queue
            .clone()
            .find(|queue| queue["name"] == "sns-deliveries");
        let queue = queue.unwrap();
        (queue["visible"] == 0 && queue["inFlight"] == 0).then_some(())
    })
    .await;
    let mut tries = ids(&recovering, 4);
    assert_eq!(tries.len(), 3, "{tries:?}");
    tries.dedup();
    assert_eq!(tries, ids(&server, 1), "the same message to both");
    assert!(letters(&shop, 0).await.is_empty());
}

#[tokio::test]
async fn what_nobody_takes_goes_to_the_dead_letters() {
    let (mut shop, sns, sqs) = start(Settings::new()).await;
    let (dead, dead_arn) = queue(&sqs, "dead", json!({})).await;
    let topic = sns.topic("news", &[]).await;
    let redrive = json!({"deadLetterTargetArn": dead_arn}).to_string();
    let policy = at_once(2);
    let with_queue = Factory::start(Manner::Answer(200));
    let attributes = [
        ("RedrivePolicy", redrive.as_str()),
        ("DeliveryPolicy", &policy),
    ];
    subscribed(&sns, &topic, &with_queue, &attributes).await;
    let without = Factory::start(Manner::Answer(200));
    subscribed(&sns, &topic, &without, &[("DeliveryPolicy", &policy)]).await;
    with_queue.behave(Manner::Answer(500));
    without.behave(Manner::Answer(403));
    sns.publish(&topic, "nobody wants it").await;

    let received = sqs.receive(&dead, json!({"WaitTimeSeconds": 10})).await;
    let body = received[0]["Body"].as_str().unwrap();
    assert!(body.contains(r#""Message" : "nobody wants it","#), "{body}");
    // The first time, and twice more.
    assert_eq!(with_queue.requests().len(), 4);
    assert_eq!(body, with_queue.request(4).await.body);
    let letter = letters(&shop, 1).await.remove(0);
    assert!(
        letter.to_string().contains("the endpoint answered 403"),
        "{letter}"
    );
    assert_eq!(without.requests().len(), 2, "no is no");

    // An operator sends it again when the server has come round.
    without.behave(Manner::Answer(200));
    shop.kill();
    shop.restart().await;
    let path = "/ops/queues/sns-deliveries-dlq/redrive";
    shop.post(path, &json!({})).await.expect(200);
    assert_eq!(
        without.request(3).await.json()["Message"],
        "nobody wants it"
    );
    letters(&shop, 0).await;
}

#[tokio::test]
async fn a_server_that_says_nothing_holds_nobody_up() {
    let (mut shop, sns, _) = start(Settings::new()).await;
    let server = Factory::start(Manner::Answer(200));
    let topic = sns.topic("news", &[]).await;
    subscribed(&sns, &topic, &server, &[]).await;
    server.behave(Manner::Silent);
    sns.publish(&topic, "m").await;
    let first = server.request(2).await.json();
    // An endpoint has 15 seconds to answer, a server 10 to stop.
    shop.terminate();
    within(Duration::from_secs(8), "it stops", async || {
        shop.try_ended()
    })
    .await;
    server.behave(Manner::Answer(200));
    shop.restart().await;
    assert_eq!(server.request(3).await.json(), first);
}

#[tokio::test]
async fn servers_that_say_nothing_leave_room_for_the_others() {
    // More than there are loops that deliver.
    const UNANSWERED: usize = 6;
    let (shop, sns, _) = start(Settings::new()).await;
    let (quiet, other) = (sns.topic("quiet", &[]).await, sns.topic("other", &[]).await);
    let silent = Factory::start(Manner::Answer(200));
    let once = json!({"healthyRetryPolicy": {
        "minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 0,
    }})
    .to_string();
    subscribed(&sns, &quiet, &silent, &[("DeliveryPolicy", &once)]).await;
    let server = Factory::start(Manner::Answer(200));
    subscribed(&sns, &other, &server, &[]).await;
    silent.behave(Manner::Silent);
    for nth in 0..UNANSWERED {
        sns.publish(&quiet, "m").await;
        silent.request(2 + nth).await;
    }
    sns.publish(&other, "m").await;
    server.request(2).await;
    // None of the first has had its time yet, or it would be a dead letter.
    letters(&shop, 0).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_until_it_is() {
    let (_shop, sns, _) = start(Settings::new()).await;
    let nothing = Nothing::bind();
    let topic = sns.topic("news", &[]).await;
    let policy = json!({"healthyRetryPolicy": {
        "minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 30,
    }})
    .to_string();
    sns.subscribe(
        &topic,
        "http",
        &nothing.url(),
        &[("DeliveryPolicy", &policy)],
    )
    .await;
    let server = nothing.come_up(Manner::Answer(200));
    let asked = server.request(1).await.json();
    let url = asked["SubscribeURL"].as_str().unwrap();
    assert_eq!(sns.visit(url).await.status, 200);
}
