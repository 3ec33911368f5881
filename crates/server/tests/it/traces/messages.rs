//! Messages that come with a trace, whoever has sent them, and whoever works on them.

use serde_json::{Value, json};

use super::collector::{Collector, Seen};
use super::{PARENT, TRACE, messages, offer, order, says, traced, traceparent};
use crate::aws::client::{Client, Wire};
use crate::harness::{Settings, Shop};

/// A purchase as another shop sends it, with these attributes.
async fn purchase(shop: &Shop, id: &str, attributes: Value) {
    let client = Client::new(shop, Wire::Json);
    let found = client
        .ok("GetQueueUrl", json!({"QueueName": "mileage"}))
        .await;
    let body = json!({
        "id": id, "username": "ada@example.com", "price": 1_000,
        "mileageAccumulated": 0, "trackingId": "T-1",
    });
    let message = json!({
        "QueueUrl": found["QueueUrl"], "MessageBody": body.to_string(),
        "MessageAttributes": attributes,
    });
    client.ok("SendMessage", message).await;
}

fn text(value: &str) -> Value {
    json!({"DataType": "String", "StringValue": value})
}

#[tokio::test]
async fn a_message_sent_over_sqs_with_a_trace_is_continued() {
    let collector = Collector::start();
    let shop = Shop::start(traced(&collector)).await;
    // Neither of these is one, and both are worked on all the same.
    purchase(&shop, "p-1", json!({"traceparent": text("00-x-y-01")})).await;
    purchase(&shop, "p-2", json!({"other": text("x")})).await;
    purchase(&shop, "p-3", json!({"traceparent": text(&traceparent())})).await;
    let is_it = |span: &Seen| span.name == "process mileage";
    let process = collector.span("the message", is_it).await;
    assert_eq!((&*process.trace, &*process.parent), (TRACE, PARENT));
    says(&process, &[("firstcome.outcome", "done")]);
    collector.below(&process, "count mileage").await;
    let customer = shop.get("/customers/ada@example.com").await.expect(200);
    assert_eq!(customer["mileage"], 60, "all three were counted");
    let processed = collector.spans().into_iter().filter(is_it).count();
    assert_eq!(processed, 1);
}

#[tokio::test]
async fn a_purchase_hands_its_trace_on() {
    let collector = Collector::start();
    let shop = Shop::start(traced(&collector)).await;
    let body = json!({
        "id": 1, "username": "ada@example.com", "price": 1_000,
        "mileageAccumulated": 0, "trackingId": "T-1",
    });
    let parent = traceparent();
    let headers = [("traceparent", &*parent)];
    let answer = shop.send("POST", "/purchase", &headers, Some(&body)).await;
    answer.expect(202);
    let request = collector.span("the request", |span| span.name == "POST /purchase");
    let request = request.await;
    assert_eq!(request.trace, TRACE);
    for (queue, effect) in [
        ("mileage", "count mileage"),
        ("product-tracking", "move parcels"),
    ] {
        let process = collector.below(&request, &format!("process {queue}")).await;
        collector.below(&process, effect).await;
    }
}

#[tokio::test]
async fn a_bid_sent_over_sqs_with_a_trace_is_continued() {
    let collector = Collector::start();
    let shop = Shop::start(traced(&collector)).await;
    let client = Client::new(&shop, Wire::Json);
    let found = client
        .ok("GetQueueUrl", json!({"QueueName": "bids.fifo"}))
        .await;
    let message = json!({
        "QueueUrl": found["QueueUrl"], "MessageBody": "{}", "MessageGroupId": "no-auction",
        "MessageAttributes": {"traceparent": text(&traceparent())},
    });
    client.ok("SendMessage", message).await;
    let process = collector.span("the message", |span| span.name == "process bids.fifo");
    let process = process.await;
    assert_eq!((&*process.trace, &*process.parent), (TRACE, PARENT));
    collector.below(&process, "decide dead_letter").await;
}

#[tokio::test]
async fn a_transaction_of_many_messages_is_in_each_of_their_traces() {
    let collector = Collector::start();
    let settings = traced(&collector).set("CONSUMERS__OFF", "[mileage]");
    let mut shop = Shop::start(settings).await;
    let traces: Vec<String> = (1..=3).map(|n| format!("{n:032x}")).collect();
    for trace in &traces {
        let parent = format!("00-{trace}-{PARENT}-01");
        purchase(&shop, trace, json!({"traceparent": text(&parent)})).await;
    }
    shop.stop().await;
    shop.restart_with(traced(&collector)).await;
    let mut effects = Vec::new();
    for trace in &traces {
        let is_it = |span: &Seen| span.trace == *trace && span.name == "process mileage";
        let process = collector.span("the message", is_it).await;
        effects.push(collector.below(&process, "count mileage").await);
    }
    // One transaction: those after the first say which it was.
    let first = &effects[0];
    assert!(first.links.is_empty(), "{first:?}");
    for other in &effects[1..] {
        assert_eq!(other.links, std::slice::from_ref(&first.id));
    }
}

#[tokio::test]
async fn workers_in_a_process_of_their_own_continue_the_trace() {
    let collector = Collector::start();
    let shop = Shop::start(traced(&collector).set("ROLES", "api,aws")).await;
    let settings = traced(&collector).set("TRACES__SERVICE_NAME", "firstcome-workers");
    let _workers = Shop::start_workers(&shop, settings).await;
    offer(&shop, "CP-1").await;
    order(&shop, "CP-1", &traceparent()).await.expect(201);
    let is_it = |span: &Seen| span.name == "send orders";
    let sent = collector.span("the relay", is_it).await;
    let process = collector.below(&sent, "process mileage").await;
    assert_eq!(
        (&*process.trace, &*process.service),
        (TRACE, "firstcome-workers")
    );
    says(&process, &[("messaging.system", "aws_sqs")]);
    collector.below(&process, "count mileage").await;
    // Polls begin no trace.
    let spans = collector.spans();
    assert!(
        !spans.iter().any(|span| span.name.contains("SQS")),
        "{spans:?}"
    );
}

#[tokio::test]
async fn without_an_endpoint_nothing_is_traced_and_messages_carry_nothing() {
    let mut seen = Vec::new();
    let collector = Collector::start();
    for settings in [Settings::new(), traced(&collector)] {
        let shop = Shop::start(settings.set("CONSUMERS__OFF", "[mileage]")).await;
        offer(&shop, "CP-1").await;
        order(&shop, "CP-1", &traceparent()).await.expect(201);
        let messages = messages(&shop, "mileage", 1).await;
        seen.push(messages[0].1.keys().cloned().collect::<Vec<_>>());
        let metrics = shop.get("/metrics").await.body;
        if seen.len() == 1 {
            assert!(
                !metrics.contains("firstcome_trace_spans_total{"),
                "{metrics}"
            );
            assert!(collector.spans().is_empty());
        }
    }
    assert_eq!(seen, [vec!["type"], vec!["traceparent", "type"]]);
}
