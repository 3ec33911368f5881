//! Bids through the queue: admitted at once, decided in the order of their admission.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    act, after_ms, auction, bid, bid_body, bids, decided, delete, id, keyed, name, open, own, taken,
};
use crate::harness::client::Answer;
use crate::harness::{Settings, Shop};

async fn queued(shop: &Shop, of: &Value, bidder: &str, amount: i64) -> Answer {
    shop.post("/bid", &bid_body(of, bidder, amount)).await
}

async fn preferring(shop: &Shop, prefer: &str, body: &Value) -> Answer {
    let headers = [("prefer", prefer)];
    shop.send("POST", "/bids", &headers, Some(body)).await
}

#[tokio::test]
async fn a_queued_bid_is_answered_at_once_and_decided_soon() {
    let shop = Shop::start(Settings::new()).await;
    let guitar = open(&shop, json!({})).await;
    let answer = queued(&shop, &guitar, "ada@example.com", 200).await;
    let ada = answer.expect(202);
    assert_eq!(ada["status"], "pending");
    assert_eq!(ada["auctionId"], guitar["id"]);
    assert_eq!(ada["bidderId"], "ada@example.com");
    assert_eq!(ada["bidAmount"], 200);
    assert!(ada["timestamp"].is_string());
    assert_eq!(ada["message"], "Your bid is in. The verdict follows.");
    let location = format!("/bids/by-id/{}", id(&ada));
    assert_eq!(answer.header("location"), Some(location.as_str()));
    let verdict = decided(&shop, &ada).await;
    assert_eq!(verdict["status"], "leading");
    assert_eq!(verdict["no"], 1);
    assert_eq!(verdict["bidderName"], ada["bidderName"]);
    assert_eq!(
        verdict["timestamp"], ada["timestamp"],
        "when it was admitted"
    );

    let low = queued(&shop, &guitar, "bob", 150).await.expect(202);
    let low = decided(&shop, &low).await;
    assert_eq!(low["status"], "too_low");
    assert_eq!(low["reason"], "too_low");
    assert_eq!(bids(&shop, &guitar).await.len(), 1);

    let headers = [("accept-language", "ko-KR")];
    let body = bid_body(&guitar, "carl", 300);
    let korean = shop.send("POST", "/bid", &headers, Some(&body)).await;
    assert!(
        korean.expect(202)["message"]
            .as_str()
            .unwrap()
            .contains("입찰")
    );
}

#[tokio::test]
async fn queued_bids_are_decided_in_their_order_and_none_is_lost() {
    const BIDS: i64 = 150;
    let mut shop = Shop::start(Settings::new()).await;
    let guitar = open(&shop, json!({})).await;
    let mut connection = shop.connect().await;
    let mut placed = Vec::new();
    for n in 0..BIDS {
        let body = bid_body(&guitar, &format!("user{n}"), 101 + n).to_string();
        let answer = connection.send("POST", "/bid", &[], Some(&body)).await;
        placed.push(answer.unwrap().expect(202));
    }
    shop.kill();
    shop.restart().await;
    // Whatever is asked of the auction comes after them: nobody need wait for the messages that
    // the dead worker had in its hands.
    let next = taken(&shop, &guitar, "next", 101 + BIDS).await;
    assert_eq!(next["no"], BIDS + 1);
    for (no, bid) in (1..).zip(&placed) {
        let bid = own(&shop, bid).await;
        assert_eq!(
            bid["no"], no,
            "each is higher than the one before, so all are taken"
        );
        assert_eq!(bid["status"], "outbid");
    }
    assert_eq!(auction(&shop, &guitar).await["bidCount"], BIDS + 1);
}

#[tokio::test]
async fn a_bid_that_does_not_wait_comes_after_those_that_do() {
    let shop = Shop::start(Settings::new()).await;
    let guitar = open(&shop, json!({})).await;
    for n in 0..20 {
        let queued = queued(&shop, &guitar, &format!("user{n}"), 200 + n).await;
        let queued = queued.expect(202);
        let low = bid(&shop, &guitar, "ada", 200 + n).await;
        let problem = low.problem(409, "bid_too_low");
        assert_eq!(problem["currentPrice"], 200 + n);
        assert_ne!(own(&shop, &queued).await["status"], "pending");
    }
}

#[tokio::test]
async fn what_can_be_refused_at_once_is_refused_at_once() {
    let shop = Shop::start(Settings::new()).await;
    let guitar = open(&shop, json!({"seller": "shop@example.com"})).await;
    let later = json!({"startTime": after_ms(&shop, 60_000).await});
    let scheduled = open(&shop, later).await;
    queued(&shop, &scheduled, "ada", 200)
        .await
        .problem(409, "auction_not_open");
    queued(&shop, &guitar, "SHOP@example.com", 200)
        .await
        .problem(409, "own_lot");
    let mut below = bid_body(&guitar, "ada", 200);
    below["maximum"] = 150.into();
    let below = shop
        .post("/bid", &below)
        .await
        .problem(422, "invalid_field");
    assert_eq!(below["field"], "maximum");
    let nowhere = json!({"auctionId": "auc_1", "bidderId": "ada", "bidAmount": 1});
    let nowhere = shop
        .post("/bid", &nowhere)
        .await
        .problem(404, "auction_not_found");
    assert_eq!(nowhere["field"], "auctionId");
    delete(&shop, &format!("/auctions/{}", id(&guitar)))
        .await
        .expect(200);
    queued(&shop, &guitar, "ada", 200)
        .await
        .problem(409, "auction_cancelled");
}

#[tokio::test]
async fn a_preference_defers_and_waits() {
    let shop = Shop::start(Settings::new()).await;
    let guitar = open(&shop, json!({})).await;
    let body = bid_body(&guitar, "ada", 200);
    let pending = preferring(&shop, "respond-async", &body).await;
    let ada = pending.expect(202);
    assert_eq!(ada["status"], "pending");
    assert!(pending.header("location").is_some());
    decided(&shop, &ada).await;
    let body = bid_body(&guitar, "bob", 300);
    let waited = preferring(&shop, "respond-async, wait=30", &body).await;
    assert_eq!(waited.expect(201)["status"], "leading");
    let low = preferring(&shop, "respond-async, wait=30", &body).await;
    let problem = low.problem(409, "bid_too_low");
    assert_eq!(problem["currentPrice"], 300);
    assert_eq!(problem["bid"]["status"], "too_low");
    let wrong = preferring(&shop, "wait=61", &body).await;
    assert_eq!(wrong.problem(400, "invalid_header")["field"], "Prefer");
}

#[tokio::test]
async fn a_queued_bid_with_the_same_key_is_one_bid() {
    let mut shop = Shop::start(Settings::new()).await;
    let guitar = open(&shop, json!({})).await;
    let body = bid_body(&guitar, "ada@example.com", 200);
    let first = keyed(&shop, "/bid", "k-1", &body).await.expect(202);
    decided(&shop, &first).await;
    let low_body = bid_body(&guitar, "bob@example.com", 150);
    let low = keyed(&shop, "/bid", "k-2", &low_body).await.expect(202);
    decided(&shop, &low).await;
    for restarted in [false, true] {
        if restarted {
            shop.kill();
            shop.restart().await;
        }
        let again = keyed(&shop, "/bid", "k-1", &body).await;
        let bid = again.expect(202);
        assert!(again.is_replay());
        assert_eq!(bid["id"], first["id"]);
        assert_eq!(bid["status"], "leading", "as it was decided");
        let again = keyed(&shop, "/bid", "k-2", &low_body).await;
        assert_eq!(again.expect(202)["status"], "too_low");
        let other = bid_body(&guitar, "ada@example.com", 201);
        let reused = keyed(&shop, "/bid", "k-1", &other).await;
        reused.problem(422, "idempotency_key_reused");
        // The other way in has keys of its own.
        let apart = keyed(&shop, "/bids", "k-2", &low_body).await;
        let problem = apart.problem(409, "bid_too_low");
        assert_ne!(problem["bid"]["id"], low["id"]);
    }
    assert_eq!(auction(&shop, &guitar).await["bidCount"], 1);
}

#[tokio::test]
async fn a_queued_bid_is_taken_back_and_asked_like_any_other() {
    let shop = Shop::start(Settings::new()).await;
    let rule = json!({"withinMs": 600_000, "beforeEndMs": 0});
    let fields = json!({"retraction": rule, "buyNowPrice": 900});
    let guitar = open(&shop, fields).await;
    taken(&shop, &guitar, "bob", 150).await;
    let ada = queued(&shop, &guitar, "ada", 200).await.expect(202);
    let ada = decided(&shop, &ada).await;
    let path = format!("/bids/by-id/{}", id(&ada));
    let back = delete(&shop, &path).await.expect(200);
    assert_eq!(back["status"], "retracted");
    let all = bids(&shop, &guitar).await;
    assert_eq!(all[0]["status"], "retracted");
    assert_eq!(all[0]["bidderId"], name(&ada));
    act(&shop, &guitar, "buy-now", json!({"bidderId": "carl"}))
        .await
        .expect(201);
    let late = queued(&shop, &guitar, "ada", 5_000).await;
    assert_eq!(late.problem(409, "auction_closed")["currentPrice"], 900);
}

#[tokio::test]
async fn workers_that_have_nothing_to_do_look_once_a_second() {
    const RECEIVES: &str = "firstcome_decisions_total{command=\"receive_messages\"} ";
    let shop = Shop::start(Settings::new()).await;
    let guitar = open(&shop, json!({})).await;
    // Each is left to the worker, which is woken for it.
    for amount in 1..10 {
        let bid = queued(&shop, &guitar, "ada@example.com", 200 * amount).await;
        decided(&shop, &bid.expect(202)).await;
    }
    let receives = async || -> u64 {
        let metrics = shop.get("/metrics").await.body;
        let of_receives = metrics.lines().find_map(|line| line.strip_prefix(RECEIVES));
        of_receives.unwrap().parse().unwrap()
    };
    let before = receives().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let looks = receives().await - before;
    // Some ten loops, those of consumers wait longer.
    assert!(looks <= 60, "{looks} in two seconds");
}
