//! Auctions over HTTP: every route and refusal, keys, deferred bids, live answers, what is
//! hidden until the close, and the proof afterwards.

mod aftermath;
mod bidding;
mod certificate;
mod deferred;
mod hand_made;
mod keys;
mod listing;
mod live;
mod private;
mod queue;
mod routes;
mod socketio;
mod terms;
mod times;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::Shop;
use crate::harness::client::Answer;
use crate::harness::wait::eventually;

/// A moment so many milliseconds after the server's now.
async fn after_ms(shop: &Shop, ms: i64) -> String {
    let now = shop.get("/ops/summary").await.expect(200)["now"].clone();
    let now: Timestamp = now.as_str().unwrap().parse().unwrap();
    let at = now + SignedDuration::from_millis(ms);
    format!("{at:.3}")
}

const HOUR: i64 = 3_600_000;

/// Puts a guitar up for an hour, from 100 on: these fields over that.
async fn open(shop: &Shop, fields: Value) -> Value {
    let mut auction = json!({
        "product": "Guitar", "startingPrice": 100, "currency": "KRW", "increment": 1,
        "endTime": after_ms(shop, HOUR).await,
    });
    for (name, value) in fields.as_object().unwrap() {
        auction[name] = value.clone();
    }
    shop.post("/auctions", &auction).await.expect(201)
}

fn id(of: &Value) -> &str {
    of["id"].as_str().unwrap()
}

/// The name under which others see the bidder.
fn name(bid: &Value) -> &str {
    bid["bidderName"].as_str().unwrap()
}

fn bid_body(auction: &Value, bidder: &str, amount: i64) -> Value {
    json!({"auctionId": id(auction), "bidderId": bidder, "bidAmount": amount})
}

async fn bid(shop: &Shop, auction: &Value, bidder: &str, amount: i64) -> Answer {
    shop.post("/bids", &bid_body(auction, bidder, amount)).await
}

/// A bid that is taken.
async fn taken(shop: &Shop, auction: &Value, bidder: &str, amount: i64) -> Value {
    bid(shop, auction, bidder, amount).await.expect(201)
}

async fn up_to(shop: &Shop, auction: &Value, bidder: &str, amount: i64, maximum: i64) -> Value {
    let mut body = bid_body(auction, bidder, amount);
    body["maximum"] = maximum.into();
    shop.post("/bids", &body).await.expect(201)
}

async fn keyed(shop: &Shop, path: &str, key: &str, body: &Value) -> Answer {
    let headers = [("idempotency-key", key)];
    shop.send("POST", path, &headers, Some(body)).await
}

async fn delete(shop: &Shop, path: &str) -> Answer {
    shop.send("DELETE", path, &[], None).await
}

async fn auction(shop: &Shop, auction: &Value) -> Value {
    let path = format!("/auctions/{}", id(auction));
    shop.get(&path).await.expect(200)
}

/// The bid as it stands now.
async fn own(shop: &Shop, bid: &Value) -> Value {
    let path = format!("/bids/by-id/{}", id(bid));
    shop.get(&path).await.expect(200)
}

/// All bids of one page, newest first.
async fn bids(shop: &Shop, of: &Value) -> Vec<Value> {
    let path = format!("/auctions/{}/bids?limit=200", id(of));
    let page = shop.get(&path).await.expect(200);
    page["bids"].as_array().unwrap().clone()
}

/// The auction once it has this status.
async fn becomes(shop: &Shop, of: &Value, status: &str) -> Value {
    eventually(&format!("the auction is {status}"), async || {
        let auction = auction(shop, of).await;
        (auction["status"] == status).then_some(auction)
    })
    .await
}

/// The bid once it has a verdict.
async fn decided(shop: &Shop, bid: &Value) -> Value {
    eventually("the bid has its verdict", async || {
        let bid = own(shop, bid).await;
        (bid["status"] != "pending").then_some(bid)
    })
    .await
}

/// Something to do to an auction: `settle`, `forfeit`, `second-chance`.
async fn act(shop: &Shop, auction: &Value, what: &str, body: Value) -> Answer {
    let path = format!("/auctions/{}/{what}", id(auction));
    shop.post(&path, &body).await
}

fn with(body: &Value, name: &str, value: Value) -> Value {
    let mut body = body.clone();
    body[name] = value;
    body
}

fn without(body: &Value, name: &str) -> Value {
    let mut body = body.clone();
    body.as_object_mut().unwrap().remove(name).unwrap();
    body
}
