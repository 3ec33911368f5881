//! Parcels: from an accepted order to its receiver's door, live.

mod carrier;
mod tracking;

use serde_json::{Value, json};

use crate::harness::Shop;
use crate::harness::client::Answer;
use crate::harness::wait::eventually;

pub(crate) const QUEUE: &str = "product-tracking";

/// The sequence in an order's id.
fn seq_of(order: &Value) -> u64 {
    let id = order["id"].as_str().unwrap();
    id["ord_".len().."ord_".len() + 10]
        .bytes()
        .fold(0, |seq, byte| {
            let at = b"0123456789abcdefghjkmnpqrstvwxyz"
                .iter()
                .position(|one| *one == byte);
            seq * 32 + at.unwrap() as u64
        })
}

/// What the topic `orders` says of an order; `n` tells its events apart.
fn event(order: &Value, kind: &str, n: u64, data: Value) -> Value {
    let seq = seq_of(order);
    json!({
        "type": kind, "seq": seq + 1_000_000 * n, "at": 1_700_000_000_000_i64 + i64::try_from(n).unwrap(),
        "data": data,
        "order": {
            "id": order["id"], "seq": seq, "customer": order["customer"], "sku": order["sku"],
            "quantity": order["quantity"], "unitPrice": order["unitPrice"],
            "currency": order["currency"],
        },
    })
}

fn accepted(order: &Value) -> Value {
    event(order, "order.accepted", 1, json!({}))
}

fn cancelled(order: &Value) -> Value {
    event(order, "order.cancelled", 2, json!({"was": "accepted"}))
}

async fn send(shop: &Shop, message: &Value) {
    let path = format!("/ops/queues/{QUEUE}/messages");
    let body = json!({"body": message.to_string()});
    shop.post(&path, &body).await.expect(201);
}

async fn parcel(shop: &Shop, order: &Value) -> Answer {
    let id = order["id"].as_str().unwrap();
    shop.get(&format!("/orders/{id}/parcel")).await
}

/// The order's parcel, once it has this status.
async fn parcel_is(shop: &Shop, order: &Value, status: &str) -> Value {
    eventually(&format!("the parcel is {status}"), async || {
        let answer = parcel(shop, order).await;
        if answer.status == 404 {
            return None;
        }
        let parcel = answer.expect(200);
        (parcel["status"] == status).then_some(parcel)
    })
    .await
}

/// An accepted order with a parcel.
async fn sent_order(shop: &Shop) -> (Value, String) {
    shop.offer("A-1", json!({"stock": 5})).await;
    let order = shop.place("A-1", "ada@example.com", 1).await;
    send(shop, &accepted(&order)).await;
    let parcel = parcel_is(shop, &order, "created").await;
    let id = parcel["trackingId"].as_str().unwrap().to_owned();
    (order, id)
}

fn statuses(parcel: &Value) -> Vec<&str> {
    let history = parcel["history"].as_array().unwrap();
    history
        .iter()
        .map(|one| one["status"].as_str().unwrap())
        .collect()
}
