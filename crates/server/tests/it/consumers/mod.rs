//! Consumers on a server that runs: in the shop's process, and in one of their own over SQS.

mod roles;

use serde_json::{Value, json};

use crate::aws::client::{Client, Wire};
use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

/// The consumer that does what its messages say.
fn drill() -> Settings {
    Settings::new()
        .set("DRILL__WORK_MS", 10)
        .set("DRILL__BATCH_MAX", 10)
        .set("DRILL__RETRY_MS", 1)
        .set("DRILL__RECEIVES_MAX", 3)
}

async fn send(shop: &Shop, queue: &str, bodies: &[Value]) {
    let client = Client::new(shop, Wire::Json);
    let found = client.ok("GetQueueUrl", json!({"QueueName": queue})).await;
    for body in bodies {
        let mut message = json!({"QueueUrl": found["QueueUrl"], "MessageBody": body.to_string()});
        if queue.ends_with(".fifo") {
            message["MessageGroupId"] = json!("one");
            message["MessageDeduplicationId"] = json!(body.to_string().len().to_string());
        }
        client.ok("SendMessage", message).await;
    }
}

/// What the process says of the consumer.
async fn consumer(process: &Shop) -> Value {
    let list = process.get("/ops/consumers").await.expect(200);
    let consumers = list["consumers"].as_array().unwrap();
    let found = consumers
        .iter()
        .find(|consumer| consumer["name"] == "drill");
    found.unwrap_or_else(|| panic!("{list}")).clone()
}

async fn handled(process: &Shop, count: u64) -> Value {
    eventually(&format!("{count} messages are handled"), async || {
        let consumer = consumer(process).await;
        (consumer["handled"] == count).then_some(consumer)
    })
    .await
}

async fn dead_letters(shop: &Shop, queue: &str, count: usize) -> Vec<Value> {
    eventually(&format!("{count} dead letters"), async || {
        let list = shop.get(&format!("/ops/queues/{queue}/messages")).await;
        let messages = list.expect(200)["messages"].as_array().unwrap().clone();
        (messages.len() == count).then_some(messages)
    })
    .await
}

/// The same for the queues of this process and for SQS.
async fn good_and_bad_messages_end_where_they_should(shop: &Shop, process: &Shop) -> Vec<Value> {
    let bodies = [
        json!("good"),
        json!({"outcome": "later", "receives": 1}),
        json!({"outcome": "never"}),
        json!({"outcome": "panic"}),
        json!({"outcome": "later"}),
        json!({"outcome": "wait", "receives": 1}),
    ];
    send(shop, "drill", &bodies).await;
    let dead = dead_letters(shop, "drill-dlq", 3).await;
    handled(process, 3).await;
    // A dead letter is counted just after it is there.
    let consumer = eventually("they are counted", async || {
        let consumer = consumer(process).await;
        (consumer["dead"] == 3).then_some(consumer)
    })
    .await;
    assert_eq!(consumer["queue"], "drill");
    assert_eq!(consumer["state"], "running");
    // Never once, panic three times, later once and three times.
    assert_eq!(consumer["failed"], 8, "{consumer}");
    process.get("/readyz").await.expect(200);
    let metrics = process.get("/metrics").await.body;
    for series in [
        "firstcome_consumer_concurrency{consumer=\"drill\"} 1",
        "firstcome_consumer_handled_total{consumer=\"drill\",outcome=\"done\"} 3",
        "firstcome_consumer_failures_total{consumer=\"drill\"} 8",
        "firstcome_consumer_work_seconds_count{consumer=\"drill\"}",
        "firstcome_consumer_in_hand{consumer=\"drill\"}",
        "firstcome_consumer_age_seconds{consumer=\"drill\"}",
    ] {
        assert!(metrics.contains(series), "{series}\n{metrics}");
    }
    dead
}

#[tokio::test]
async fn good_and_bad_messages_end_where_they_should_in_the_shop() {
    let shop = Shop::start(drill()).await;
    let dead = good_and_bad_messages_end_where_they_should(&shop, &shop).await;
    let text = Value::from(dead).to_string();
    assert!(text.contains("the drill says so"), "{text}");
    assert!(text.contains("a panic at"), "{text}");
}

#[tokio::test]
async fn good_and_bad_messages_end_where_they_should_over_sqs() {
    let shop = Shop::start(drill().set("ROLES", "api,aws")).await;
    let here = consumer(&shop).await;
    assert_eq!(here["state"], "stopped", "it is elsewhere");
    let workers = Shop::start_workers(&shop, drill()).await;
    good_and_bad_messages_end_where_they_should(&shop, &workers).await;
    let client = Client::new(&shop, Wire::Json);
    let found = client
        .ok("GetQueueUrl", json!({"QueueName": "drill-dlq"}))
        .await;
    let url = found["QueueUrl"].as_str().unwrap();
    let more = json!({"MessageAttributeNames": ["All"], "MaxNumberOfMessages": 10});
    let mut reasons = Vec::new();
    for message in client.receive(url, more).await {
        let reason = &message["MessageAttributes"]["FirstcomeReason"]["StringValue"];
        reasons.push(reason.as_str().unwrap().to_owned());
    }
    reasons.sort();
    assert!(reasons[0].starts_with("a panic at"), "{reasons:?}");
    assert_eq!(reasons[1..], ["the drill says so", "the drill says so"]);
}

#[tokio::test]
async fn a_group_waits_for_its_first_message() {
    let shop = Shop::start(drill().set("DRILL__FIFO", true)).await;
    let bodies = [json!({"outcome": "later", "receives": 2}), json!("second")];
    send(&shop, "drill.fifo", &bodies).await;
    let consumer = handled(&shop, 2).await;
    assert_eq!(
        (&consumer["failed"], &consumer["dead"]),
        (&json!(2), &json!(0))
    );
}

#[tokio::test]
async fn a_pause_outlives_the_process() {
    let mut shop = Shop::start(drill()).await;
    let paused = shop.post("/ops/consumers/drill/pause", &json!({})).await;
    assert_eq!(paused.expect(200)["state"], "paused");
    send(&shop, "drill", &[json!("one")]).await;
    shop.stop().await;
    shop.restart().await;
    let status = consumer(&shop).await;
    assert_eq!(
        (&status["state"], &status["handled"]),
        (&json!("paused"), &json!(0))
    );
    shop.post("/ops/consumers/drill/resume", &json!({}))
        .await
        .expect(200);
    handled(&shop, 1).await;
    shop.post("/ops/consumers/nobody/pause", &json!({}))
        .await
        .problem(404, "consumer_not_found");
}

#[tokio::test]
async fn a_killed_process_loses_no_message() {
    let settings = drill()
        .set("DRILL__WORK_MS", 300)
        .set("DRILL__TIMEOUT_S", 2);
    let mut shop = Shop::start(settings).await;
    let bodies: Vec<Value> = (0..20).map(|n| json!(n)).collect();
    send(&shop, "drill", &bodies).await;
    eventually("some are in work", async || {
        (consumer(&shop).await["inHand"].as_u64() > Some(0)).then_some(())
    })
    .await;
    shop.kill();
    shop.restart().await;
    eventually("the queue is empty", async || {
        let queue = shop.get("/ops/queues/drill").await.expect(200);
        (queue["visible"] == 0 && queue["inFlight"] == 0).then_some(())
    })
    .await;
    dead_letters(&shop, "drill-dlq", 0).await;
}
