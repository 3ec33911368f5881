//! `Idempotency-Key` of bids and auctions: one key, one of them, whatever happens in between (rule 6).

use serde_json::json;

use super::{HOUR, after_ms, auction, bid_body, bids, delete, id, keyed, open, taken};
use crate::harness::{Settings, Shop};

#[tokio::test]
async fn the_same_bid_has_the_same_answer_also_when_it_was_refused() {
    let mut shop = Shop::start(Settings::new()).await;
    let guitar = open(&shop, json!({})).await;
    let body = bid_body(&guitar, "ada@example.com", 200);
    let first = keyed(&shop, "/bids", "k-1", &body).await;
    first.expect(201);
    assert!(!first.is_replay());
    let low_body = bid_body(&guitar, "bob@example.com", 150);
    let low = keyed(&shop, "/bids", "k-2", &low_body).await;
    low.problem(409, "bid_too_low");
    taken(&shop, &guitar, "carl", 500).await;

    let replayed = async |shop: &Shop| {
        // As their verdicts found them: nothing that came later is in them.
        let again = keyed(shop, "/bids", "k-1", &body).await;
        assert_eq!(again.expect(201), first.json());
        assert!(again.is_replay());
        let again = keyed(shop, "/bids", "k-2", &low_body).await;
        assert_eq!(again.problem(409, "bid_too_low"), low.json());
        assert!(again.is_replay());
        assert_eq!(auction(shop, &guitar).await["bidCount"], 2);
    };
    replayed(&shop).await;
    shop.kill();
    shop.restart().await;
    replayed(&shop).await;
    shop.stop().await;
    shop.restart().await;
    replayed(&shop).await;
}

#[tokio::test]
async fn the_same_key_with_another_bid_is_refused() {
    let shop = Shop::start(Settings::new()).await;
    let guitar = open(&shop, json!({})).await;
    let other_guitar = open(&shop, json!({})).await;
    let body = bid_body(&guitar, "ada@example.com", 200);
    keyed(&shop, "/bids", "k-1", &body).await.expect(201);
    let mut with_maximum = body.clone();
    with_maximum["maximum"] = 900.into();
    let mut in_currency = body.clone();
    in_currency["currency"] = "KRW".into();
    for other in [
        bid_body(&guitar, "ada@example.com", 201),
        bid_body(&guitar, "bob@example.com", 200),
        bid_body(&other_guitar, "ada@example.com", 200),
        with_maximum,
        in_currency,
    ] {
        let answer = keyed(&shop, "/bids", "k-1", &other).await;
        let problem = answer.problem(422, "idempotency_key_reused");
        assert_eq!(problem["field"], "Idempotency-Key", "{other}");
    }
    // What is left out means its default, and an address in another case is the same.
    let mut same = bid_body(&guitar, "ADA@example.com", 200);
    same["maximum"] = 200.into();
    let again = keyed(&shop, "/bids", "k-1", &same).await;
    again.expect(201);
    assert!(again.is_replay());
    assert_eq!(auction(&shop, &guitar).await["bidCount"], 1);
    assert_eq!(auction(&shop, &other_guitar).await["bidCount"], 0);
}

#[tokio::test]
async fn a_hundred_requests_with_one_key_are_one_bid() {
    let shop = Shop::start(Settings::new()).await;
    let guitar = open(&shop, json!({})).await;
    let body = bid_body(&guitar, "ada@example.com", 200);
    let answers = (0..100).map(|_| keyed(&shop, "/bids", "k-1", &body));
    let answers = futures_util::future::join_all(answers).await;
    let first = answers[0].expect(201);
    for answer in &answers {
        assert_eq!(answer.expect(201), first);
    }
    let made = answers.iter().filter(|answer| !answer.is_replay());
    assert_eq!(made.count(), 1);
    assert_eq!(bids(&shop, &guitar).await.len(), 1);
}

#[tokio::test]
async fn what_is_turned_away_at_the_door_leaves_the_key_free() {
    let shop = Shop::start(Settings::new()).await;
    let guitar = open(&shop, json!({"seller": "shop@example.com"})).await;
    let far = json!({"startTime": after_ms(&shop, 60_000).await});
    let scheduled = open(&shop, far).await;
    let cancelled = open(&shop, json!({})).await;
    delete(&shop, &format!("/auctions/{}", id(&cancelled)))
        .await
        .expect(200);
    let mut below = bid_body(&guitar, "ada", 200);
    below["maximum"] = 199.into();
    for (status, code, refused) in [
        (409, "auction_not_open", bid_body(&scheduled, "ada", 200)),
        (409, "auction_cancelled", bid_body(&cancelled, "ada", 200)),
        (409, "own_lot", bid_body(&guitar, "shop@example.com", 200)),
        (422, "invalid_field", below),
        (
            404,
            "auction_not_found",
            json!({"auctionId": "auc_1", "bidderId": "ada", "bidAmount": 1}),
        ),
    ] {
        keyed(&shop, "/bids", "k-1", &refused)
            .await
            .problem(status, code);
    }
    let answer = keyed(&shop, "/bids", "k-1", &bid_body(&guitar, "ada", 200)).await;
    answer.expect(201);
    assert!(!answer.is_replay());
}

#[tokio::test]
async fn buying_now_has_keys_of_its_own() {
    let mut shop = Shop::start(Settings::new()).await;
    let guitar = open(&shop, json!({"buyNowPrice": 900})).await;
    let body = bid_body(&guitar, "ada@example.com", 200);
    keyed(&shop, "/bids", "k-1", &body).await.expect(201);
    let path = format!("/auctions/{}/buy-now", id(&guitar));
    let ada = json!({"bidderId": "ada@example.com"});
    let bought = keyed(&shop, &path, "k-1", &ada).await;
    bought.expect(201);
    assert!(!bought.is_replay());
    for restarted in [false, true] {
        if restarted {
            shop.kill();
            shop.restart().await;
        }
        let again = keyed(&shop, &path, "k-1", &ada).await;
        assert_eq!(again.expect(201), bought.json());
        assert!(again.is_replay());
        let other = keyed(&shop, &path, "k-1", &json!({"bidderId": "bob@example.com"})).await;
        other.problem(422, "idempotency_key_reused");
    }
}

#[tokio::test]
async fn a_bidder_holds_so_many_keys_and_others_their_own() {
    let mut shop = Shop::start(Settings::new().set("LIMITS__KEYS_PER_CUSTOMER", 2)).await;
    let guitar = open(&shop, json!({})).await;
    let body = |bidder: &str, amount: i64| bid_body(&guitar, bidder, amount);
    keyed(&shop, "/bids", "k-1", &body("ada@example.com", 200))
        .await
        .expect(201);
    // A bid that was refused holds its key too.
    let low = keyed(&shop, "/bids", "k-2", &body("ada@example.com", 150)).await;
    low.problem(409, "bid_too_low");
    for restarted in [false, true] {
        if restarted {
            shop.kill();
            shop.restart().await;
        }
        let answer = keyed(&shop, "/bids", "k-3", &body("Ada@example.com", 300)).await;
        assert_eq!(answer.problem(429, "too_many_keys")["limit"], 2);
    }
    keyed(&shop, "/bids", "k-3", &body("bob@example.com", 300))
        .await
        .expect(201);
    taken(&shop, &guitar, "ada@example.com", 400).await;
}

#[tokio::test]
async fn a_repeat_shows_that_the_bid_was_taken_back() {
    let shop = Shop::start(Settings::new()).await;
    let rule = json!({"withinMs": 600_000, "beforeEndMs": 0});
    let guitar = open(&shop, json!({"retraction": rule})).await;
    let body = bid_body(&guitar, "ada@example.com", 200);
    let first = keyed(&shop, "/bids", "k-1", &body).await.expect(201);
    delete(&shop, &format!("/bids/by-id/{}", id(&first)))
        .await
        .expect(200);
    let again = keyed(&shop, "/bids", "k-1", &body).await;
    let bid = again.expect(200);
    assert_eq!(bid["id"], first["id"]);
    assert_eq!(bid["status"], "retracted");
    assert!(again.is_replay());
}

#[tokio::test]
async fn a_key_puts_an_auction_up_once() {
    let mut shop = Shop::start(Settings::new()).await;
    let body = json!({
        "product": "Guitar", "startingPrice": 100, "currency": "KRW",
        "endTime": after_ms(&shop, HOUR).await,
    });
    let first = keyed(&shop, "/auctions", "lot-1", &body).await;
    let guitar = first.expect(201);
    assert!(!first.is_replay());
    let path = format!("/auctions/{}", id(&guitar));
    assert_eq!(first.header("location"), Some(path.as_str()));
    taken(&shop, &guitar, "ada", 500).await;

    let same = async |shop: &Shop| {
        let again = keyed(shop, "/auctions", "lot-1", &body).await;
        assert!(again.is_replay());
        assert_eq!(again.header("location"), Some(path.as_str()));
        let found = again.expect(201);
        assert_eq!(id(&found), id(&guitar));
        assert_eq!(found["bidCount"], 1, "as it stands now");
        // It is the same with its defaults written out, and another one with anything else.
        let mut spelled = body.clone();
        spelled["seller"] = "house".into();
        spelled["format"] = "english".into();
        let again = keyed(shop, "/auctions", "lot-1", &spelled).await;
        assert!(again.is_replay());
        for (field, value) in [
            ("product", json!("Lute")),
            ("startingPrice", json!(101)),
            ("seller", json!("eve")),
            ("closingSoonMs", json!(0)),
            ("startTime", json!("2020-01-01T00:00:00Z")),
            ("reservePrice", json!(1_000)),
        ] {
            let mut other = body.clone();
            other[field] = value;
            let answer = keyed(shop, "/auctions", "lot-1", &other).await;
            let problem = answer.problem(422, "idempotency_key_reused");
            assert_eq!(problem["field"], "Idempotency-Key", "{other}");
        }
        let listed = shop.get("/auctions").await.expect(200);
        assert_eq!(listed["auctions"].as_array().unwrap().len(), 1);
    };
    same(&shop).await;
    shop.kill();
    shop.restart().await;
    same(&shop).await;
    // A key of bids says nothing of auctions.
    let bid = bid_body(&guitar, "bob", 600);
    keyed(&shop, "/bids", "lot-1", &bid).await.expect(201);
    let another = keyed(&shop, "/auctions", "lot-2", &body).await;
    assert_ne!(id(&another.expect(201)), id(&guitar));
    let wrong = keyed(&shop, "/auctions", "", &body).await;
    assert_eq!(
        wrong.problem(400, "invalid_header")["field"],
        "Idempotency-Key"
    );
}
