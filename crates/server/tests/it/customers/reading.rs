//! Customers and their ledgers, as operators read them.

use serde_json::{Value, json};

use super::{ADA, accepted, cancelled, customer_with, is_empty, tell_mileage, tell_vip};
use crate::harness::{Settings, Shop};

#[tokio::test]
async fn an_order_gives_points_and_its_cancellation_takes_them_back() {
    let shop = Shop::start(Settings::new()).await;
    shop.get(&format!("/customers/{ADA}"))
        .await
        .problem(404, "customer_not_found");
    // Twice each, and the cancellation of the second order first.
    for event in [
        accepted(1, ADA, 3),
        cancelled(2, ADA, 5),
        accepted(1, ADA, 3),
        accepted(2, ADA, 5),
        cancelled(2, ADA, 5),
        accepted(3, ADA, 1),
    ] {
        tell_mileage(&shop, &event).await;
    }
    is_empty(&shop, "mileage").await;
    let ada = customer_with(&shop, ADA, "/mileage", 60 + 20).await;
    let expected = json!({
        "customer": ADA, "tier": "normal", "qualifyingUnits": 0, "unitsToVip": 100, "mileage": 80,
        "parcels": [],
    });
    assert_eq!(ada, expected);
    let mut seen = Vec::new();
    let mut path = format!("/customers/{ADA}/mileage?limit=3");
    loop {
        let page = shop.get(&path).await.expect(200);
        seen.extend(page["mileage"].as_array().unwrap().clone());
        let Some(next) = page.get("next") else { break };
        path = format!("/customers/{ADA}/mileage?limit=3&before={next}");
    }
    assert_eq!(seen.len(), 4);
    let sum: i64 = seen
        .iter()
        .map(|entry| entry["points"].as_i64().unwrap())
        .sum();
    assert_eq!(sum, 80);
    let seqs: Vec<u64> = seen
        .iter()
        .map(|entry| entry["seq"].as_u64().unwrap())
        .collect();
    assert!(seqs.is_sorted_by(|a, b| a > b), "newest first: {seqs:?}");
}

#[tokio::test]
async fn the_hundredth_unit_net_of_cancellations_makes_a_vip() {
    let shop = Shop::start(Settings::new()).await;
    for event in [
        accepted(1, ADA, 60),
        cancelled(1, ADA, 60),
        accepted(2, ADA, 99),
    ] {
        tell_vip(&shop, &event).await;
    }
    let normal = customer_with(&shop, ADA, "/qualifyingUnits", 99).await;
    assert_eq!(normal["tier"], "normal");
    assert_eq!(normal["unitsToVip"], 1);
    assert_eq!(normal.get("marketing"), None);
    tell_vip(&shop, &accepted(3, ADA, 1)).await;
    let vip = customer_with(&shop, ADA, "/tier", "vip").await;
    assert_eq!(vip["vipSince"], "2025-11-24T16:00:00.003Z");
    assert_eq!(vip["unitsToVip"], 0);
    // Nobody is set who could be told: that is to be seen.
    assert_eq!(vip["marketing"]["status"], "waiting");
    tell_vip(&shop, &cancelled(2, ADA, 99)).await;
    let still = customer_with(&shop, ADA, "/qualifyingUnits", 1).await;
    assert_eq!(still["tier"], "vip");
    assert_eq!(still["marketing"]["notice"], vip["marketing"]["notice"]);
}

#[tokio::test]
async fn a_page_of_a_ledger_is_asked_for_within_bounds() {
    let shop = Shop::start(Settings::new()).await;
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("before=18446744073709551615", "before"),
        ("after=1", "after"),
    ] {
        let path = format!("/customers/{ADA}/mileage?{query}");
        let problem = shop.get(&path).await.problem(400, "invalid_parameter");
        assert_eq!(problem["field"], field, "{problem}");
    }
    shop.get(&format!("/customers/{ADA}/mileage"))
        .await
        .problem(404, "customer_not_found");
}

#[tokio::test]
async fn poison_is_a_dead_letter_with_its_reason() {
    let shop = Shop::start(Settings::new()).await;
    for queue in ["mileage", "vip.fifo"] {
        let mut body = json!({"body": "not what was agreed"});
        if queue == "vip.fifo" {
            body["groupId"] = json!("g");
            body["deduplicationId"] = json!("d");
        }
        let path = format!("/ops/queues/{queue}/messages");
        shop.post(&path, &body).await.expect(201);
        is_empty(&shop, queue).await;
    }
    for (queue, part) in [("mileage-dlq", "purchase"), ("vip-dlq.fifo", "event")] {
        let letters = super::dead_letters(&shop, queue).await;
        assert_eq!(letters.len(), 1, "{queue}");
        let path = format!("/ops/queues/{queue}/messages/{}", letters[0]["seq"]);
        let letter: Value = shop.get(&path).await.expect(200);
        assert!(letter.to_string().contains(part), "{letter}");
    }
}
