//! Traces, as a collector sees them: from the request through the queue to the effect.

mod collector;
mod messages;
mod orders;
mod settings;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use self::collector::{Collector, Seen};
use crate::aws::client::{Client, Wire};
use crate::harness::client::Answer;
use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn traced(collector: &Collector) -> Settings {
    Settings::new().set("TRACES__ENDPOINT", collector.url())
}

fn traceparent() -> String {
    format!("00-{TRACE}-{PARENT}-01")
}

/// One unit, as part of that trace.
async fn order(shop: &Shop, sku: &str, traceparent: &str) -> Answer {
    let body = json!({"sku": sku, "customer": "ada@example.com"});
    let headers = [("traceparent", traceparent)];
    shop.send("POST", "/orders", &headers, Some(&body)).await
}

async fn offer(shop: &Shop, sku: &str) {
    shop.offer(sku, json!({"stock": 100})).await;
}

/// What a span must say.
#[track_caller]
fn says(span: &Seen, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        let found = span.attributes.get(*name).map(String::as_str);
        assert_eq!(found, Some(*value), "{name}: {span:?}");
    }
}

/// The messages in a queue that nobody works on, each with its attributes.
async fn messages(shop: &Shop, queue: &str, count: usize) -> Vec<(Value, BTreeMap<String, Value>)> {
    let client = Client::new(shop, Wire::Json);
    let found = client.ok("GetQueueUrl", json!({"QueueName": queue})).await;
    let ask = json!({
        "QueueUrl": found["QueueUrl"], "MessageAttributeNames": ["All"],
        "MaxNumberOfMessages": 10, "VisibilityTimeout": 0,
    });
    eventually(&format!("{count} messages are in {queue}"), async || {
        let answer = client.ok("ReceiveMessage", ask.clone()).await;
        let messages = answer["Messages"].as_array()?.iter();
        let read = |message: &Value| {
            let attributes = message["MessageAttributes"].as_object();
            let attributes = attributes.into_iter().flatten();
            let attributes = attributes.map(|(name, value)| (name.clone(), value.clone()));
            (message.clone(), attributes.collect())
        };
        let messages: Vec<_> = messages.map(read).collect();
        (messages.len() == count).then_some(messages)
    })
    .await
}
