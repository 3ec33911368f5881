//! Certificates: anybody can prove an auction from the file alone.

use commerce::auction::certificate::{Verified, verify};
use serde_json::{Value, json};

use super::{act, after_ms, becomes, bid, bid_body, decided, delete, id, name, open, taken, up_to};
use crate::harness::client::Answer;
use crate::harness::{Settings, Shop};

async fn certificate(shop: &Shop, of: &Value) -> Answer {
    let path = format!("/auctions/{}/certificate", id(of));
    let answer = shop.get(&path).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let name = format!("attachment; filename=\"{}.certificate.json\"", id(of));
    assert_eq!(answer.header("content-disposition"), Some(name.as_str()));
    answer
}

#[track_caller]
fn verified(answer: &Answer) -> Verified {
    verify(answer.body.as_bytes()).unwrap_or_else(|why| panic!("{why}\n{}", answer.body))
}

#[tokio::test]
async fn an_auction_is_proved_before_the_close_and_after_it() {
    let mut shop = Shop::start(Settings::new()).await;
    let rule = json!({"withinMs": 600_000, "beforeEndMs": 0});
    let fields = json!({
        "reservePrice": 1_000, "retraction": rule, "closingSoonMs": 0,
        "endTime": after_ms(&shop, 3_000).await,
    });
    let guitar = open(&shop, fields).await;
    let other = open(&shop, json!({})).await;
    up_to(&shop, &guitar, "ada@example.com", 100, 900).await;
    taken(&shop, &other, "ada@example.com", 150).await;
    let bob = up_to(&shop, &guitar, "bob@example.com", 300, 2_000).await;
    bid(&shop, &guitar, "carl@example.com", 400)
        .await
        .problem(409, "bid_too_low");
    let body = bid_body(&guitar, "carl@example.com", 1_500);
    let carl = shop.post("/bid", &body).await.expect(202);
    decided(&shop, &carl).await;
    delete(&shop, &format!("/bids/by-id/{}", id(&carl)))
        .await
        .expect(200);

    let open_one = certificate(&shop, &guitar).await;
    let file = open_one.expect(200);
    assert_eq!(file["format"], "firstcome.certificate.v1");
    assert_eq!(file["auction"], guitar["id"]);
    assert_eq!(file["final"], false);
    for entry in file["entries"].as_array().unwrap() {
        assert_eq!(entry["sealed"], Value::Null);
    }
    let before = verified(&open_one);
    assert!(!before.is_final && !before.opened);

    becomes(&shop, &guitar, "closed").await;
    let closed = certificate(&shop, &guitar).await;
    assert_eq!(closed.expect(200)["final"], true);
    let after = verified(&closed);
    assert!(after.is_final && after.opened);
    assert_eq!((after.bids, after.refused), (3, 1));
    assert_eq!(after.entries, before.entries + 1);
    assert_eq!(after.on_trust, 0);
    let [winner] = &after.winners[..] else {
        panic!("{after:?}");
    };
    assert_eq!(winner.bidder.as_str(), name(&bob));
    assert_eq!(winner.price.minor(), 1_000, "the reserve");

    // What follows is part of it, and a restart changes nothing.
    act(
        &shop,
        &guitar,
        "settle",
        json!({"bidderId": "bob@example.com"}),
    )
    .await
    .expect(200);
    shop.kill();
    shop.restart().await;
    let settled = certificate(&shop, &guitar).await;
    assert_eq!(verified(&settled).entries, after.entries + 1);

    // One digit of one price changed is found, and one of the newest entry's number, which is in
    // no hash yet.
    let proof = verified(&settled);
    assert!(proof.head_named);
    let seq = proof.head_seq;
    for (right, wrong) in [
        ("\\\"price\\\":1000".into(), "\\\"price\\\":1001".into()),
        (
            format!("{{\"seq\":{seq},\"prev\""),
            format!("{{\"seq\":{},\"prev\"", seq + 1),
        ),
    ] {
        let forged = settled.body.replacen(&right, &wrong, 1);
        assert_ne!(forged, settled.body);
        assert!(verify(forged.as_bytes()).is_err(), "{right}");
    }
}

#[tokio::test]
async fn every_format_is_proved() {
    let shop = Shop::start(Settings::new()).await;
    let dutch = json!({"step": 10, "everyMs": 3_600_000, "floor": 50});
    for fields in [
        json!({"format": "sealed-first"}),
        json!({"format": "sealed-second", "reservePrice": 250}),
        json!({"lots": 2}),
        json!({"format": "dutch", "dutch": dutch}),
    ] {
        let mut fields = fields;
        fields["endTime"] = after_ms(&shop, 1_200).await.into();
        let guitar = open(&shop, fields).await;
        for (bidder, amount) in [("ada", 200), ("bob", 300), ("carl", 400)] {
            let answer = bid(&shop, &guitar, bidder, amount).await;
            assert!([201, 409].contains(&answer.status), "{}", answer.body);
        }
        becomes(&shop, &guitar, "closed").await;
        let proof = verified(&certificate(&shop, &guitar).await);
        assert!(proof.is_final && proof.opened, "{proof:?}");
        assert!(!proof.winners.is_empty(), "{proof:?}");
    }
}

#[tokio::test]
async fn a_long_certificate_comes_in_pieces_and_whole() {
    // More than two pieces of the line, and something else between its entries.
    const BIDS: i64 = 2_300;
    let shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": 100})).await;
    let guitar = open(&shop, json!({"buyNowPrice": 1_000_000})).await;
    let mut connection = shop.connect().await;
    for n in 0..BIDS / 50 {
        for m in 0..50 {
            let body = bid_body(&guitar, &format!("user{m}"), 100 + n * 50 + m).to_string();
            connection
                .ask("POST", "/bids", &[], Some(&body))
                .await
                .unwrap();
        }
        for _ in 0..50 {
            connection.answer().await.unwrap().expect(201);
        }
        shop.order("A-1", "ada@example.com").await.expect(201);
    }
    act(&shop, &guitar, "buy-now", json!({"bidderId": "ada"}))
        .await
        .expect(201);
    let proof = verified(&certificate(&shop, &guitar).await);
    // Created, opened, the bids, bought, closed.
    assert_eq!(proof.entries, u64::try_from(BIDS).unwrap() + 4);
    assert_eq!(proof.bids, u64::try_from(BIDS).unwrap() + 1);
    assert_eq!(proof.winners.len(), 1);
}

#[tokio::test]
async fn an_auction_without_bids_has_a_certificate_too() {
    let shop = Shop::start(Settings::new()).await;
    let later = json!({"startTime": after_ms(&shop, 60_000).await});
    let guitar = open(&shop, later).await;
    let proof = verified(&certificate(&shop, &guitar).await);
    assert_eq!((proof.entries, proof.is_final), (1, false));
    let nobody = shop
        .get("/auctions/auc_00000000000000000000000000/certificate")
        .await;
    nobody.problem(404, "auction_not_found");
}
