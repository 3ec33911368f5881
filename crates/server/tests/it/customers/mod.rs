//! Mileage, VIP customers and the marketing system over real HTTP: what was bought is counted
//! once, whoever is away in between and however often a message comes.

mod databases;
mod marketing;
mod purchases;
mod reading;
mod sales;

use serde_json::{Value, json};

use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

const ADA: &str = "ada@example.com";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// One unit more or less of everything but what a test is about.
fn event(seq: u64, kind: &str, order: u64, customer: &str, quantity: u64) -> Value {
    let data = match kind {
        "order.cancelled" => json!({"was": "accepted"}),
        _ => json!({}),
    };
    json!({
        "type": kind, "seq": seq, "at": 1_764_000_000_000_u64 + seq, "data": data,
        "order": {
            "id": format!("ord_{order}"), "seq": order, "customer": customer, "sku": "S-1",
            "quantity": quantity, "unitPrice": 1_000, "currency": "KRW",
        },
    })
}

fn accepted(order: u64, customer: &str, quantity: u64) -> Value {
    event(order, "order.accepted", order, customer, quantity)
}

fn cancelled(order: u64, customer: &str, quantity: u64) -> Value {
    event(order + 500, "order.cancelled", order, customer, quantity)
}

/// As the relay would: into the queue of mileage.
async fn tell_mileage(shop: &Shop, event: &Value) {
    let body = json!({"body": event.to_string()});
    shop.post("/ops/queues/mileage/messages", &body)
        .await
        .expect(201);
}

/// As the relay would: into the queue of tiers, each customer a group.
async fn tell_vip(shop: &Shop, event: &Value) {
    let customer = event["order"]["customer"].as_str().unwrap();
    let body = json!({
        "body": event.to_string(),
        "groupId": customer.replace('@', "-"),
        "deduplicationId": event["seq"].to_string(),
    });
    shop.post("/ops/queues/vip.fifo/messages", &body)
        .await
        .expect(201);
}

async fn customer(shop: &Shop, name: &str) -> Value {
    shop.get(&format!("/customers/{name}")).await.expect(200)
}

/// The customer, once it is so.
async fn customer_with(shop: &Shop, name: &str, field: &str, value: impl Into<Value>) -> Value {
    let value = value.into();
    eventually(&format!("{name}: {field} is {value}"), async || {
        let answer = shop.get(&format!("/customers/{name}")).await;
        let seen = answer.json();
        (answer.status == 200 && seen.pointer(field) == Some(&value)).then_some(seen)
    })
    .await
}

/// Nothing is left in this queue, nor on its way.
async fn is_empty(shop: &Shop, queue: &str) {
    eventually(&format!("{queue} is empty"), async || {
        let found = shop.get(&format!("/ops/queues/{queue}")).await.expect(200);
        (found["total"] == 0).then_some(())
    })
    .await;
}

async fn dead_letters(shop: &Shop, queue: &str) -> Vec<Value> {
    let list = shop.get(&format!("/ops/queues/{queue}/messages")).await;
    list.expect(200)["messages"].as_array().unwrap().clone()
}

fn with_marketing(url: &str) -> Settings {
    Settings::new()
        .set("MARKETING__URL", url)
        .set("MARKETING__SECRET", SECRET)
}
