//! Bids and what follows: maxima, extensions, buy-now, taking a bid back, the other formats.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    act, after_ms, auction, becomes, bid, bid_body, bids, delete, id, name, open, own, taken, up_to,
};
use crate::harness::{Settings, Shop};

#[tokio::test]
async fn a_maximum_bids_by_itself() {
    let shop = Shop::start(Settings::new()).await;
    let guitar = open(&shop, json!({"increment": 10})).await;
    let ada = up_to(&shop, &guitar, "ada", 100, 500).await;
    assert_eq!(ada["status"], "leading");
    assert_eq!(ada["currentHighestBid"], 100);
    assert_eq!(ada["maximum"], 500);
    assert_eq!(ada["no"], 1);
    let bob = taken(&shop, &guitar, "bob", 200).await;
    assert_eq!(bob["status"], "outbid");
    assert_eq!(bob["currentHighestBid"], 210);
    assert_eq!(bob["maximum"], Value::Null, "it stands at its amount");

    let now = auction(&shop, &guitar).await;
    assert_eq!(now["currentPrice"], 210);
    assert_eq!(now["leastValidBid"], 220);
    assert_eq!(now["highestBidder"], name(&ada));
    assert_eq!(now["leaders"], json!([name(&ada)]));
    assert_eq!(now["bidCount"], 2);

    let low = bid(&shop, &guitar, "bob", 219).await;
    let problem = low.problem(409, "bid_too_low");
    assert_eq!(problem["currentPrice"], 210);
    assert_eq!(problem["leastValidBid"], 220);
    assert_eq!(problem["endTime"], guitar["endTime"]);
    assert_eq!(problem["bid"]["status"], "too_low");
    assert_eq!(own(&shop, &problem["bid"]).await["reason"], "too_low");

    let bob = up_to(&shop, &guitar, "bob", 220, 800).await;
    assert_eq!(bob["currentHighestBid"], 510);
    assert_eq!(own(&shop, &ada).await["status"], "outbid");
    assert_eq!(own(&shop, &bob).await["status"], "leading");
}

#[tokio::test]
async fn a_bid_near_the_end_moves_it() {
    let shop = Shop::start(Settings::new()).await;
    let soft = json!({
        "windowMs": 7_200_000, "extendMs": 7_200_000, "hardEnd": after_ms(&shop, 10_800_000).await,
    });
    let guitar = open(&shop, json!({"softClose": soft})).await;
    assert_eq!(guitar["extensions"], 0);
    assert_eq!(guitar["softClose"], soft);
    let ada = taken(&shop, &guitar, "ada", 100).await;
    let now = auction(&shop, &guitar).await;
    assert_eq!(now["extensions"], 1);
    assert_eq!(now["endTime"], ada["endTime"]);
    assert!(now["endTime"].as_str() > guitar["endTime"].as_str());
    assert_eq!(now["announcedEndTime"], guitar["endTime"]);
}

#[tokio::test]
async fn the_time_left_is_counted_by_the_server_s_clock() {
    let shop = Shop::start(Settings::new()).await;
    let running = open(&shop, json!({})).await;
    let later = json!({"startTime": after_ms(&shop, 60_000).await});
    let scheduled = open(&shop, later).await;
    let check = |view: &Value| {
        let at =
            |member: &str| -> jiff::Timestamp { view[member].as_str().unwrap().parse().unwrap() };
        let left = at("endTime").as_millisecond() - at("serverTime").as_millisecond();
        assert_eq!(view["timeLeftMs"], left);
        assert!(left > 0 && left <= super::HOUR, "{view}");
    };
    for of in [&running, &scheduled] {
        check(of);
        check(&auction(&shop, of).await);
        let path = format!("/auctions/{}/events?latest=true", id(of));
        check(&shop.events(&path).await.next().await.unwrap().data);
    }
    for listed in shop.get("/auctions").await.expect(200)["auctions"]
        .as_array()
        .unwrap()
    {
        check(listed);
    }
}

#[tokio::test]
async fn a_lot_can_be_bought_at_once_until_the_bids_reach_it() {
    let shop = Shop::start(Settings::new()).await;
    let fields = json!({"buyNowPrice": 900, "reservePrice": 500});
    let guitar = open(&shop, fields.clone()).await;
    assert_eq!(guitar["buyNowPrice"], 900);
    assert_eq!(guitar["reserveMet"], false);
    taken(&shop, &guitar, "ada", 100).await;
    let path = format!("/auctions/{}/buy-now", id(&guitar));
    let bought = shop
        .post(&path, &json!({"bidderId": "Bob@Example.com"}))
        .await;
    let bought = bought.expect(201);
    assert_eq!(bought["status"], "winning");
    assert_eq!(bought["bidderId"], "bob@example.com");
    assert_eq!(bought["bidAmount"], 900);
    let over = auction(&shop, &guitar).await;
    assert_eq!(over["status"], "closed");
    assert_eq!(over["buyNowPrice"], Value::Null);
    assert_eq!(over["leastValidBid"], Value::Null);
    assert_eq!(over["timeLeftMs"], 0);
    let winner = json!({"bidder": name(&bought), "price": 900, "status": "won"});
    assert_eq!(over["winners"], json!([winner]));
    let late = bid(&shop, &guitar, "carl", 1_000).await;
    assert_eq!(late.problem(409, "auction_closed")["currentPrice"], 900);
    let late = shop.post(&path, &json!({"bidderId": "carl"})).await;
    late.problem(409, "auction_closed");

    let other = open(&shop, fields).await;
    up_to(&shop, &other, "ada", 100, 600).await;
    assert_eq!(auction(&shop, &other).await["buyNowPrice"], Value::Null);
    let path = format!("/auctions/{}/buy-now", id(&other));
    let gone = shop.post(&path, &json!({"bidderId": "bob"})).await;
    let problem = gone.problem(409, "buy_now_gone");
    assert_eq!(problem["currentPrice"], 500, "the reserve is met");
    assert_eq!(problem["leastValidBid"], 501);
}

#[tokio::test]
async fn a_bid_is_taken_back_within_the_terms() {
    let shop = Shop::start(Settings::new()).await;
    let retraction = json!({"withinMs": 600_000, "beforeEndMs": 60_000});
    let guitar = open(&shop, json!({"retraction": retraction})).await;
    let ada = taken(&shop, &guitar, "ada", 100).await;
    let bob = taken(&shop, &guitar, "bob", 400).await;
    let path = format!("/bids/by-id/{}", id(&bob));
    for _ in 0..2 {
        let back = delete(&shop, &path).await.expect(200);
        assert_eq!(back["status"], "retracted");
        assert!(back["retractedAt"].is_string());
        assert_eq!(back["currentHighestBid"], 100);
    }
    assert_eq!(own(&shop, &ada).await["status"], "leading");
    let now = auction(&shop, &guitar).await;
    assert_eq!(now["currentPrice"], 100);
    assert_eq!(now["bidCount"], 1);
    let all = bids(&shop, &guitar).await;
    let seen: Vec<(u64, &str)> = all
        .iter()
        .map(|bid| (bid["no"].as_u64().unwrap(), bid["status"].as_str().unwrap()))
        .collect();
    assert_eq!(seen, [(2, "retracted"), (1, "leading")]);

    // Too late, not at all, or nothing to take back.
    let brief = json!({"withinMs": 1, "beforeEndMs": 0});
    let guitar = open(&shop, json!({"retraction": brief})).await;
    let ada = taken(&shop, &guitar, "ada", 100).await;
    let path = format!("/bids/by-id/{}", id(&ada));
    tokio::time::sleep(Duration::from_millis(10)).await;
    delete(&shop, &path)
        .await
        .problem(409, "retraction_too_late");
    // One that came within an hour of the end never was to be taken back: it is told so.
    let rule = json!({"withinMs": 600_000, "beforeEndMs": 3_600_000});
    let guitar = open(&shop, json!({"retraction": rule})).await;
    let ada = taken(&shop, &guitar, "ada", 100).await;
    let late = delete(&shop, &format!("/bids/by-id/{}", id(&ada))).await;
    let late = late.problem(409, "retraction_too_late");
    assert!(late["until"].as_str() < ada["timestamp"].as_str(), "{late}");
    let detail = late["detail"].as_str().unwrap();
    assert!(detail.contains("so near the end"), "{detail}");
    // Where nothing is said of it, a bid stands: its maximum has shown what others would pay.
    for terms in [json!({}), json!({"retraction": null})] {
        let guitar = open(&shop, terms).await;
        assert_eq!(guitar["retraction"], Value::Null);
        up_to(&shop, &guitar, "ada", 100, 500).await;
        let bob = up_to(&shop, &guitar, "bob", 101, 900).await;
        assert_eq!(bob["currentHighestBid"], 501);
        let stands = delete(&shop, &format!("/bids/by-id/{}", id(&bob))).await;
        stands.problem(409, "not_retractable");
        assert_eq!(auction(&shop, &guitar).await["currentPrice"], 501);
    }
    let guitar = open(&shop, json!({})).await;
    taken(&shop, &guitar, "ada", 300).await;
    let low = bid(&shop, &guitar, "bob", 100)
        .await
        .problem(409, "bid_too_low");
    let refused = delete(&shop, &format!("/bids/by-id/{}", id(&low["bid"]))).await;
    refused.problem(409, "not_retractable");
}

#[tokio::test]
async fn nobody_bids_against_oneself_by_letter_case() {
    let shop = Shop::start(Settings::new()).await;
    let fields = json!({"seller": "Shop@Example.com", "increment": 10});
    let guitar = open(&shop, fields).await;
    let first = up_to(&shop, &guitar, "Ada@Example.com", 100, 300).await;
    assert_eq!(first["bidderId"], "ada@example.com");
    let again = up_to(&shop, &guitar, "ADA@EXAMPLE.COM", 100, 900).await;
    assert_eq!(again["bidderName"], first["bidderName"]);
    assert_eq!(
        again["currentHighestBid"], 100,
        "the own maximum raised, no price moved"
    );
    let own_lot = bid(&shop, &guitar, "SHOP@example.COM", 5_000).await;
    assert_eq!(own_lot.problem(409, "own_lot")["field"], "bidderId");
    // Other names are other people.
    let small = taken(&shop, &guitar, "ada", 200).await;
    assert_eq!(small["status"], "outbid");
    let large = bid_body(&guitar, "Ada", 1_000);
    let large = shop.post("/bids", &large).await.expect(201);
    assert_ne!(small["bidderName"], large["bidderName"]);
    assert_eq!(large["bidderId"], "Ada");
}

#[tokio::test]
async fn a_dutch_lot_goes_to_the_first_who_takes_it() {
    let shop = Shop::start(Settings::new()).await;
    let dutch = json!({"step": 10, "everyMs": 3_600_000, "floor": 50});
    let guitar = open(&shop, json!({"format": "dutch", "dutch": dutch})).await;
    assert_eq!(guitar["dutch"], dutch);
    assert_eq!(guitar["currentPrice"], 100);
    assert_eq!(guitar["currentHighestBid"], Value::Null);
    assert_eq!(guitar["leastValidBid"], 100);
    let low = bid(&shop, &guitar, "ada", 99).await;
    assert_eq!(low.problem(409, "bid_too_low")["leastValidBid"], 100);
    let key = [("idempotency-key", "take-it")];
    let body = bid_body(&guitar, "bob", 100);
    let taken = async || shop.send("POST", "/bids", &key, Some(&body)).await;
    let bob = taken().await.expect(201);
    assert_eq!(bob["status"], "winning");
    let over = auction(&shop, &guitar).await;
    assert_eq!(over["status"], "closed");
    assert_eq!(over["winners"][0]["price"], 100);
    assert_eq!(own(&shop, &bob).await["status"], "winning");
    assert_eq!(taken().await.expect(201), bob, "a repeat says the same");
}

#[tokio::test]
async fn a_leader_who_bids_below_the_own_maximum_goes_on_to_lead_with_both_bids() {
    let shop = Shop::start(Settings::new()).await;
    let fields = json!({"endTime": after_ms(&shop, 2_500).await});
    let guitar = open(&shop, fields).await;
    let status = async |bid: &Value| own(&shop, bid).await["status"].clone();
    let first = up_to(&shop, &guitar, "ada", 100, 500).await;
    let second = taken(&shop, &guitar, "ada", 200).await;
    assert_eq!(second["status"], "leading");
    assert_eq!(status(&second).await, "leading");
    assert_eq!(status(&first).await, "leading");
    let listed = bids(&shop, &guitar).await;
    assert_eq!(listed[0]["status"], "leading", "{listed:?}");

    // A higher maximum takes the place of both.
    let third = up_to(&shop, &guitar, "ada", 210, 800).await;
    assert_eq!(status(&third).await, third["status"]);
    assert_eq!(third["status"], "leading");
    let fourth = taken(&shop, &guitar, "ada", 300).await;
    assert_eq!(fourth["status"], "leading");
    for overbid in [&first, &second] {
        assert_eq!(status(overbid).await, "outbid");
    }
    becomes(&shop, &guitar, "closed").await;
    for (bid, expected) in [
        (&first, "lost"),
        (&second, "lost"),
        (&third, "winning"),
        (&fourth, "winning"),
    ] {
        assert_eq!(status(bid).await, expected);
    }
}

#[tokio::test]
async fn several_lots_go_to_as_many_bidders() {
    let shop = Shop::start(Settings::new()).await;
    let fields = json!({"lots": 2, "endTime": after_ms(&shop, 2_500).await});
    let guitars = open(&shop, fields).await;
    let mut placed = Vec::new();
    for (bidder, amount) in [("ada", 100), ("bob", 150), ("carl", 200)] {
        placed.push(taken(&shop, &guitars, bidder, amount).await);
    }
    let now = auction(&shop, &guitars).await;
    let mut leaders = [name(&placed[2]), name(&placed[1])];
    leaders.sort_unstable();
    assert_eq!(now["leaders"], json!(leaders));
    assert_eq!(now["highestBidder"], Value::Null);
    let over = becomes(&shop, &guitars, "closed").await;
    assert_eq!(over["leaders"], json!([name(&placed[2]), name(&placed[1])]));
    assert_eq!(over["highestBidder"], name(&placed[2]));
    let winners = over["winners"].as_array().unwrap();
    assert_eq!(winners.len(), 2);
    assert_eq!(
        winners[0]["price"], winners[1]["price"],
        "all pay one price"
    );
    for (bid, status) in placed.iter().zip(["lost", "winning", "winning"]) {
        assert_eq!(own(&shop, bid).await["status"], status);
    }
    let paid = act(&shop, &guitars, "settle", json!({"bidderId": "bob"})).await;
    assert_eq!(
        paid.expect(200)["status"],
        "closed",
        "another one has to pay"
    );
    let paid = act(&shop, &guitars, "settle", json!({"bidderId": "carl"})).await;
    assert_eq!(paid.expect(200)["status"], "settled");
}

#[tokio::test]
async fn it_opens_at_its_time() {
    let shop = Shop::start(Settings::new()).await;
    let start = after_ms(&shop, 700).await;
    let guitar = open(&shop, json!({"startTime": start})).await;
    assert_eq!(guitar["status"], "scheduled");
    assert_eq!(guitar["startTime"], start);
    let early = bid(&shop, &guitar, "ada", 100).await;
    assert_eq!(early.problem(409, "auction_not_open")["startTime"], start);
    becomes(&shop, &guitar, "open").await;
    taken(&shop, &guitar, "ada", 100).await;
}

#[tokio::test]
async fn it_closes_at_its_end_and_not_before_and_what_comes_later_is_late() {
    let shop = Shop::start(Settings::new()).await;
    let end = after_ms(&shop, 1_500).await;
    let guitar = open(&shop, json!({"endTime": end})).await;
    let ada = taken(&shop, &guitar, "ada", 100).await;
    let over = becomes(&shop, &guitar, "closed").await;
    assert!(over["closedAt"].as_str() >= Some(end.as_str()));
    assert_eq!(over["winners"][0]["bidder"], name(&ada));
    let late = bid(&shop, &guitar, "bob", 500).await;
    assert_eq!(late.problem(409, "auction_closed")["currentPrice"], 100);
    assert_eq!(auction(&shop, &guitar).await["bidCount"], 1);
}

#[tokio::test]
async fn below_the_reserve_nothing_is_sold() {
    let shop = Shop::start(Settings::new()).await;
    let fields = json!({"reservePrice": 1_000, "endTime": after_ms(&shop, 1_200).await});
    let guitar = open(&shop, fields).await;
    let ada = taken(&shop, &guitar, "ada", 999).await;
    assert_eq!(auction(&shop, &guitar).await["reserveMet"], false);
    let over = becomes(&shop, &guitar, "unsold").await;
    assert_eq!(over["unsoldReason"], "below_reserve");
    assert_eq!(over["winners"], json!([]));
    assert_eq!(own(&shop, &ada).await["status"], "lost");
    let empty = open(&shop, json!({"endTime": after_ms(&shop, 300).await})).await;
    let over = becomes(&shop, &empty, "unsold").await;
    assert_eq!(over["unsoldReason"], "no_bids");
}

#[tokio::test]
async fn a_cancelled_auction_takes_no_bid() {
    let shop = Shop::start(Settings::new()).await;
    let guitar = open(&shop, json!({"reservePrice": 150})).await;
    let ada = taken(&shop, &guitar, "ada", 100).await;
    taken(&shop, &guitar, "bob", 200).await;
    let path = format!("/auctions/{}", id(&guitar));
    for _ in 0..2 {
        let cancelled = delete(&shop, &path).await.expect(200);
        assert_eq!(cancelled["status"], "cancelled");
        // No bid counts, so nobody leads.
        assert_eq!(cancelled["highestBidder"], Value::Null);
        assert_eq!(cancelled["leaders"], json!([]));
        assert_eq!(cancelled["currentHighestBid"], Value::Null);
        assert_eq!(cancelled["currentPrice"], 100);
        assert_eq!(cancelled["reserveMet"], Value::Null);
    }
    bid(&shop, &guitar, "bob", 500)
        .await
        .problem(409, "auction_cancelled");
    let ada = own(&shop, &ada).await;
    assert_eq!(ada["status"], "lost");
    assert_eq!(ada["currentHighestBid"], Value::Null);
    act(&shop, &guitar, "settle", json!({"bidderId": "ada"}))
        .await
        .problem(409, "auction_not_closed");

    let sold = open(&shop, json!({"buyNowPrice": 500})).await;
    act(&shop, &sold, "buy-now", json!({"bidderId": "ada"}))
        .await
        .expect(201);
    let path = format!("/auctions/{}", id(&sold));
    delete(&shop, &path).await.problem(409, "auction_closed");
}
