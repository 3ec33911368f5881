//! After the close: paid, given up, offered to the next.

use serde_json::{Value, json};

use super::{act, after_ms, auction, becomes, id, name, open, own, taken, up_to};
use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

/// An auction that bob has won over ada, who would have paid up to 300.
async fn closed(shop: &Shop) -> (Value, Value, Value) {
    let fields = json!({"endTime": after_ms(shop, 1_500).await});
    let guitar = open(shop, fields).await;
    let ada = up_to(shop, &guitar, "ada@example.com", 100, 300).await;
    let bob = taken(shop, &guitar, "bob@example.com", 400).await;
    becomes(shop, &guitar, "closed").await;
    (guitar, ada, bob)
}

/// But for the clock, which is in every answer.
fn assert_same(first: &Value, again: &Value) {
    let mut again = again.clone();
    again["serverTime"] = first["serverTime"].clone();
    assert_eq!(*first, again);
}

async fn result(shop: &Shop, of: &Value) -> Value {
    let path = format!("/auctions/{}/result", id(of));
    shop.get(&path).await.expect(200)
}

#[tokio::test]
async fn a_winner_pays() {
    let shop = Shop::start(Settings::new()).await;
    let (guitar, ada, bob) = closed(&shop).await;
    let found = result(&shop, &guitar).await;
    let winner = json!({
        "bidderId": "bob@example.com", "bidder": name(&bob), "no": 2, "price": 400, "status": "won",
    });
    assert_eq!(found["winners"], json!([winner]));
    assert_eq!(own(&shop, &bob).await["status"], "winning");
    assert_eq!(own(&shop, &ada).await["status"], "lost");
    let wrong = json!({"bidderId": "ada@example.com"});
    let refused = act(&shop, &guitar, "settle", wrong).await;
    assert_eq!(refused.problem(409, "not_a_winner")["field"], "bidderId");
    // The address in any case is the same bidder.
    let right = json!({"bidderId": "BOB@example.com"});
    let paid = act(&shop, &guitar, "settle", right.clone())
        .await
        .expect(200);
    assert_eq!(paid["status"], "settled");
    assert_eq!(paid["winners"][0]["status"], "settled");
    let again = act(&shop, &guitar, "settle", right.clone()).await;
    assert_same(&paid, &again.expect(200));
    let refused = act(&shop, &guitar, "forfeit", right).await;
    refused.problem(409, "not_a_winner");
    let until = json!({"until": after_ms(&shop, 60_000).await});
    let nothing = act(&shop, &guitar, "second-chance", until).await;
    nothing.problem(409, "nothing_to_offer");
}

#[tokio::test]
async fn the_next_bidder_is_asked_when_a_winner_gives_up() {
    let shop = Shop::start(Settings::new()).await;
    let (guitar, ada, bob) = closed(&shop).await;
    let offer = format!("/bids/by-id/{}/offer", id(&ada));
    let yes = json!({"accept": true});
    shop.post(&offer, &yes).await.problem(409, "no_offer");
    let bob_gone = json!({"bidderId": "bob@example.com"});
    let given_up = act(&shop, &guitar, "forfeit", bob_gone.clone())
        .await
        .expect(200);
    assert_eq!(given_up["status"], "unsold");
    let again = act(&shop, &guitar, "forfeit", bob_gone.clone()).await;
    assert_same(&given_up, &again.expect(200));
    let refused = act(&shop, &guitar, "settle", bob_gone.clone()).await;
    refused.problem(409, "not_a_winner");
    assert_eq!(given_up["unsoldReason"], "forfeited");
    assert_eq!(own(&shop, &bob).await["status"], "lost");

    // Nobody could take an offer back that runs for ever.
    for until in ["2020-01-01T00:00:00Z", "9999-12-30T22:00:00Z"] {
        let wrong = json!({"until": until});
        let refused = act(&shop, &guitar, "second-chance", wrong).await;
        assert_eq!(refused.problem(422, "invalid_field")["field"], "until");
    }
    let until = after_ms(&shop, 60_000).await;
    let until_body = json!({"until": until});
    let offered = act(&shop, &guitar, "second-chance", until_body.clone()).await;
    let winner = json!({"bidder": name(&ada), "price": 300, "status": "offered", "until": until});
    assert_eq!(offered.expect(200)["winners"][1], winner);
    let running = act(&shop, &guitar, "second-chance", until_body.clone()).await;
    assert_eq!(running.problem(409, "offer_running")["until"], until);
    let not_theirs = format!("/bids/by-id/{}/offer", id(&bob));
    shop.post(&not_theirs, &yes).await.problem(409, "no_offer");

    let taken = shop.post(&offer, &yes).await.expect(200);
    assert_eq!(taken["status"], "winning");
    assert_eq!(shop.post(&offer, &yes).await.expect(200), taken);
    let no = json!({"accept": false});
    shop.post(&offer, &no).await.problem(409, "no_offer");
    assert_eq!(auction(&shop, &guitar).await["status"], "closed");
    assert_eq!(result(&shop, &guitar).await["winners"][1]["status"], "won");
    let paid = act(
        &shop,
        &guitar,
        "settle",
        json!({"bidderId": "ada@example.com"}),
    )
    .await;
    assert_eq!(paid.expect(200)["status"], "settled");
    assert_eq!(shop.post(&offer, &yes).await.expect(200), taken);
}

#[tokio::test]
async fn an_offer_is_declined_or_runs_out() {
    let shop = Shop::start(Settings::new()).await;
    let (guitar, ada, _) = closed(&shop).await;
    let bob_gone = json!({"bidderId": "bob@example.com"});
    act(&shop, &guitar, "forfeit", bob_gone.clone())
        .await
        .expect(200);
    let until = json!({"until": after_ms(&shop, 60_000).await});
    act(&shop, &guitar, "second-chance", until.clone())
        .await
        .expect(200);
    let offer = format!("/bids/by-id/{}/offer", id(&ada));
    let declined = shop
        .post(&offer, &json!({"accept": false}))
        .await
        .expect(200);
    assert_eq!(declined["status"], "lost");
    let again = shop.post(&offer, &json!({"accept": false})).await;
    assert_eq!(again.expect(200), declined);
    let changed = shop.post(&offer, &json!({"accept": true})).await;
    changed.problem(409, "no_offer");
    let nobody = act(&shop, &guitar, "second-chance", until).await;
    nobody.problem(409, "nothing_to_offer");

    let (guitar, ada, _) = closed(&shop).await;
    act(&shop, &guitar, "forfeit", bob_gone).await.expect(200);
    let soon = after_ms(&shop, 300).await;
    act(&shop, &guitar, "second-chance", json!({"until": soon}))
        .await
        .expect(200);
    let seen = eventually("the offer runs out", async || {
        let seen = auction(&shop, &guitar).await;
        let status = seen["winners"][1]["status"].as_str().unwrap();
        let is_over = seen["serverTime"].as_str() >= Some(soon.as_str());
        assert_eq!(status, if is_over { "expired" } else { "offered" });
        is_over.then_some(seen)
    })
    .await;
    assert_eq!(seen["winners"][1]["until"], soon);
    let result = shop.get(&format!("/auctions/{}/result", id(&guitar))).await;
    assert_eq!(result.expect(200)["winners"][1]["status"], "expired");
    let listed = shop.get("/auctions?limit=1").await.expect(200);
    assert_eq!(listed["auctions"][0]["winners"], seen["winners"]);
    let offer = format!("/bids/by-id/{}/offer", id(&ada));
    let answer = shop.post(&offer, &json!({"accept": true})).await;
    assert_eq!(answer.problem(409, "offer_expired")["until"], soon);
}

#[tokio::test]
async fn an_offer_is_answered_by_the_bid_that_it_rests_on() {
    let shop = Shop::start(Settings::new()).await;
    let fields = json!({"endTime": after_ms(&shop, 1_500).await});
    let guitar = open(&shop, fields).await;
    let lower = taken(&shop, &guitar, "ada@example.com", 100).await;
    let highest = up_to(&shop, &guitar, "ada@example.com", 150, 300).await;
    taken(&shop, &guitar, "bob@example.com", 400).await;
    becomes(&shop, &guitar, "closed").await;
    let bob_gone = json!({"bidderId": "bob@example.com"});
    act(&shop, &guitar, "forfeit", bob_gone).await.expect(200);
    let until = json!({"until": after_ms(&shop, 60_000).await});
    act(&shop, &guitar, "second-chance", until)
        .await
        .expect(200);
    let yes = json!({"accept": true});
    let offer = |bid: &Value| format!("/bids/by-id/{}/offer", id(bid));
    let refused = shop.post(&offer(&lower), &yes).await;
    let detail = &refused.problem(409, "no_offer")["detail"];
    assert_eq!(*detail, "no lot is offered for this bid");
    let taken = shop.post(&offer(&highest), &yes).await.expect(200);
    assert_eq!(taken["status"], "winning");
}
