//! Webhooks out, received by real servers, and the alerts of operations.

mod alerts;
mod calls;
mod endpoints;
mod faults;

use serde_json::{Value, json};
use wire::webhooks::{Received, Secret, verify};

use crate::harness::factory::{Factory, Request};
use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

/// Waits that a test can wait for, and calls that end soon.
fn settings() -> Settings {
    Settings::new()
        .set("WEBHOOKS__RETRIES_S", "[0, 1, 1]")
        .set("WEBHOOKS__TIMEOUT_MS", 2_000)
        .set("ALERTS__EVERY_MS", 100)
        .set("ALERTS__RESOLVE_AFTER_S", 0)
}

/// An endpoint with its secret.
async fn subscribe(shop: &Shop, url: &str, types: &[&str]) -> Value {
    let body = json!({"url": url, "types": types});
    shop.post("/webhooks", &body).await.expect(201)
}

fn id(endpoint: &Value) -> &str {
    endpoint["id"].as_str().unwrap()
}

fn secret(endpoint: &Value) -> Secret {
    Secret::parse(endpoint["secret"].as_str().unwrap()).unwrap()
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    let value = request.headers.get(name);
    value
        .unwrap_or_else(|| panic!("no {name}"))
        .to_str()
        .unwrap()
}

/// The `webhook-id` of a call that one of these secrets signed.
#[track_caller]
fn verified(request: &Request, secrets: &[Secret]) -> String {
    let timestamp = header(request, "webhook-timestamp");
    let received = Received {
        id: Some(header(request, "webhook-id")),
        timestamp: Some(timestamp),
        signature: Some(header(request, "webhook-signature")),
        body: request.body.as_bytes(),
    };
    let now_ms = timestamp.parse::<i64>().unwrap() * 1_000;
    let known = verify(&received, secrets, now_ms);
    known
        .unwrap_or_else(|error| panic!("{error}: {request:?}"))
        .id
        .to_owned()
}

/// The endpoint's deliveries, newest first.
async fn deliveries(shop: &Shop, endpoint: &Value) -> Vec<Value> {
    let path = format!("/webhooks/{}/deliveries", id(endpoint));
    let list = shop.get(&path).await.expect(200);
    list["deliveries"].as_array().unwrap().clone()
}

/// Its newest delivery, once it has this status.
async fn delivery(shop: &Shop, endpoint: &Value, status: &str) -> Value {
    eventually(&format!("a delivery is {status}"), async || {
        let newest = deliveries(shop, endpoint).await.into_iter().next()?;
        (newest["status"] == status).then_some(newest)
    })
    .await
}

async fn endpoint(shop: &Shop, known: &Value) -> Value {
    shop.get(&format!("/webhooks/{}", id(known)))
        .await
        .expect(200)
}

/// A product with so many units.
async fn offer(shop: &Shop, sku: &str, stock: u64) {
    shop.offer(sku, json!({"stock": stock})).await;
}

/// The `webhook-id`s that came, in their order.
fn ids(receiver: &Factory) -> Vec<String> {
    let requests = receiver.requests();
    let ids = requests
        .iter()
        .map(|one| header(one, "webhook-id").to_owned());
    ids.collect()
}
