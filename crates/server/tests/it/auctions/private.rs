//! What nobody but its owner may see: names, maxima, reserves, sealed amounts, ids of bids.
//!
//! Every number and name here occurs nowhere else, so one search through all public bytes finds
//! it if it is anywhere.

use serde_json::{Value, json};

use super::{act, after_ms, becomes, bid, bid_body, delete, id, open, own, taken, up_to};
use crate::harness::sse::Events;
use crate::harness::{Settings, Shop};

const NAMES: [&str; 4] = [
    "ada-lovelace",
    "bob-the-bidder",
    "carl-who-waits",
    "the-seller",
];

/// Every byte that anybody may read of the auction, and the events of everything.
async fn public_bytes(shop: &Shop, of: &Value) -> String {
    let id = id(of);
    let mut bytes = String::new();
    for path in [
        format!("/auctions/{id}"),
        format!("/auctions/{id}/bids?limit=200"),
        format!("/bids/{id}"),
        "/auctions".to_owned(),
        format!("/auctions/{id}/certificate"),
    ] {
        let answer = shop.get(&path).await;
        answer.expect(200);
        bytes.push_str(&answer.body);
    }
    let last = shop.get(&format!("/auctions/{id}")).await.expect(200)["lastEvent"].clone();
    for path in [
        format!("/auctions/{id}/events?since=0"),
        format!("/auctions/{id}/events?latest=true"),
        "/events?since=0".to_owned(),
    ] {
        bytes.push_str(&stream(shop.events(&path).await, last.as_u64().unwrap()).await);
    }
    bytes
}

/// All events up to this one, as they came.
async fn stream(mut events: Events, last: u64) -> String {
    let mut bytes = String::new();
    loop {
        let event = events.next().await.unwrap();
        bytes.push_str(&event.data.to_string());
        if event.id >= last {
            return bytes;
        }
    }
}

fn assert_hidden(bytes: &str, what: &[&str]) {
    for secret in what.iter().chain(&NAMES) {
        assert!(!bytes.contains(secret), "{secret} is in {bytes}");
    }
    assert!(!bytes.contains("bid_"), "the id of a bid is in {bytes}");
    assert!(!bytes.contains("nonce"), "a sealed text is in {bytes}");
}

#[tokio::test]
async fn an_english_auction_hides_names_maxima_and_the_reserve() {
    let shop = Shop::start(Settings::new()).await;
    let rule = json!({"withinMs": 600_000, "beforeEndMs": 0});
    let fields = json!({
        "seller": "the-seller", "reservePrice": 7_654_321, "retraction": rule,
        "endTime": after_ms(&shop, 3_000).await,
    });
    let guitar = open(&shop, fields).await;
    up_to(&shop, &guitar, "ada-lovelace", 1_000, 4_040_404).await;
    let bob = up_to(&shop, &guitar, "bob-the-bidder", 2_000, 3_030_303).await;
    bid(&shop, &guitar, "bob-the-bidder", 10)
        .await
        .problem(409, "bid_too_low");
    bid(&shop, &guitar, "the-seller", 5_000_000)
        .await
        .problem(409, "own_lot");
    let mut queued = bid_body(&guitar, "carl-who-waits", 3_100_000);
    queued["maximum"] = 5_050_505.into();
    let carl = shop.post("/bid", &queued).await.expect(202);
    super::decided(&shop, &carl).await;
    delete(&shop, &format!("/bids/by-id/{}", id(&bob)))
        .await
        .expect(200);
    let bytes = public_bytes(&shop, &guitar).await;
    // What others were ready to pay shows only as far as the price has come: one step above the
    // second.
    assert_hidden(&bytes, &["7654321", "5050505"]);
    assert_eq!(
        own(&shop, &carl).await["maximum"],
        5_050_505,
        "the bidder's own"
    );

    becomes(&shop, &guitar, "unsold").await;
    let id = id(&guitar);
    let path = format!("/auctions/{id}/certificate");
    let opened = shop.get(&path).await;
    assert_eq!(opened.expect(200)["final"], true);
    for shown in ["7654321", "5050505", "4040404", "3030303"] {
        assert!(
            opened.body.contains(shown),
            "{shown} is opened after the close"
        );
    }
    // Names and ids are nobody's business even then.
    for secret in NAMES.iter().chain(&["bid_"]) {
        assert!(!opened.body.contains(secret), "{secret}");
    }
}

/// Which of several leaders has the highest maximum could be found by raising the own one, at no
/// price, until it is ahead.
#[tokio::test]
async fn who_of_several_leaders_is_ahead_is_hidden_until_the_close() {
    let shop = Shop::start(Settings::new()).await;
    let end = after_ms(&shop, 3_000).await;
    let fields = json!({"lots": 2, "increment": 10, "endTime": end});
    let guitars = open(&shop, fields).await;
    let xena = up_to(&shop, &guitars, "xena", 100, 300).await;
    up_to(&shop, &guitars, "yves", 100, 250).await;
    let zoe = up_to(&shop, &guitars, "zoe", 260, 290).await;
    let path = format!("/auctions/{}/events?latest=true", id(&guitars));
    let mut looks = shop.events(&path).await;
    let before = looks.next().await.unwrap().data;
    assert_eq!(before["highestBidder"], Value::Null);
    assert_eq!(before["leaders"].as_array().unwrap().len(), 2);
    for maximum in [299, 300, 301] {
        up_to(&shop, &guitars, "zoe", 260, maximum).await;
        let now = super::auction(&shop, &guitars).await;
        let told = loop {
            let event = looks.next().await.unwrap();
            if event.id >= now["lastEvent"].as_u64().unwrap() {
                break event.data;
            }
        };
        for (field, value) in now.as_object().unwrap() {
            let moves = ["bidCount", "lastEvent", "serverTime", "timeLeftMs"];
            if !moves.contains(&field.as_str()) {
                assert_eq!(*value, before[field], "{field} at {maximum}");
                assert_eq!(told[field], before[field], "{field} at {maximum}, told");
            }
        }
        let bids = super::bids(&shop, &guitars).await;
        let standing = |of: &Value| {
            let listed = bids.iter().find(|bid| bid["no"] == of["no"]).unwrap();
            listed["status"].clone()
        };
        assert_eq!(standing(&xena), "leading");
        assert_eq!(standing(&zoe), "outbid", "by a higher maximum of the own");
    }
    let over = becomes(&shop, &guitars, "closed").await;
    assert_eq!(over["highestBidder"], zoe["bidderName"]);
    let names = json!([zoe["bidderName"], xena["bidderName"]]);
    assert_eq!(over["leaders"], names, "the best first");
}

#[tokio::test]
async fn a_sealed_auction_hides_every_amount_until_the_close() {
    for format in ["sealed-first", "sealed-second"] {
        // One of its own: what the other one opened is public.
        let shop = Shop::start(Settings::new()).await;
        let fields = json!({
            "format": format, "seller": "the-seller", "reservePrice": 7_654_321,
            "endTime": after_ms(&shop, 2_500).await,
        });
        let guitar = open(&shop, fields).await;
        let ada = taken(&shop, &guitar, "ada-lovelace", 8_080_808).await;
        assert_eq!(ada["status"], "accepted");
        assert_eq!(ada["currentHighestBid"], Value::Null);
        taken(&shop, &guitar, "bob-the-bidder", 9_090_909).await;
        let low = bid(&shop, &guitar, "bob-the-bidder", 99).await;
        let problem = low.problem(409, "bid_too_low");
        assert_eq!(problem["currentPrice"], Value::Null);
        let body = bid_body(&guitar, "carl-who-waits", 6_060_606);
        let carl = shop.post("/bid", &body).await.expect(202);
        super::decided(&shop, &carl).await;

        let now = super::auction(&shop, &guitar).await;
        for hidden in [
            "currentPrice",
            "currentHighestBid",
            "highestBidder",
            "reserveMet",
        ] {
            assert_eq!(now[hidden], Value::Null, "{hidden}");
        }
        assert_eq!(now["leaders"], json!([]));
        assert_eq!(now["bidCount"], 3);
        let bytes = public_bytes(&shop, &guitar).await;
        assert_hidden(&bytes, &["7654321", "8080808", "9090909", "6060606"]);
        assert_eq!(own(&shop, &ada).await["status"], "accepted");

        let over = becomes(&shop, &guitar, "closed").await;
        let price = if format == "sealed-first" {
            9_090_909
        } else {
            8_080_808
        };
        assert_eq!(over["winners"][0]["price"], price);
        assert_eq!(over["currentPrice"], price);
        assert_eq!(over["reserveMet"], true);
        let settled = act(
            &shop,
            &guitar,
            "settle",
            json!({"bidderId": "bob-the-bidder"}),
        )
        .await;
        settled.expect(200);
        let opened = shop
            .get(&format!("/auctions/{}/certificate", id(&guitar)))
            .await;
        for secret in NAMES.iter().chain(&["bid_"]) {
            assert!(!opened.body.contains(secret), "{secret}");
        }
    }
}

#[tokio::test]
async fn a_cancelled_auction_is_never_opened() {
    let shop = Shop::start(Settings::new()).await;
    let fields = json!({
        "format": "sealed-first", "seller": "the-seller", "reservePrice": 7_654_321,
    });
    let guitar = open(&shop, fields).await;
    taken(&shop, &guitar, "ada-lovelace", 8_080_808).await;
    delete(&shop, &format!("/auctions/{}", id(&guitar)))
        .await
        .expect(200);
    let bytes = public_bytes(&shop, &guitar).await;
    assert_hidden(&bytes, &["7654321", "8080808"]);
    let certificate = shop
        .get(&format!("/auctions/{}/certificate", id(&guitar)))
        .await;
    assert_eq!(certificate.expect(200)["final"], false);
}
