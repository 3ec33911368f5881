//! The store fails in the middle: the server says that it does not know, ends with an error so
//! that somebody starts it again, and the same key then has one answer.

use serde_json::json;

use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

/// Takes a table away, or gives it back.
fn rename(shop: &Shop, from: &str, to: &str) {
    let store = rusqlite::Connection::open(shop.data().join("firstcome.db")).unwrap();
    store
        .busy_timeout(std::time::Duration::from_secs(10))
        .unwrap();
    let statement = format!("ALTER TABLE {from} RENAME TO {to}");
    store.execute(&statement, []).unwrap();
}

#[tokio::test]
async fn a_commit_that_fails_ends_the_server_and_the_key_asks_again() {
    let mut shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": 5})).await;
    let order = json!({"sku": "A-1", "customer": "a@example.com"});
    let ask = async |shop: &Shop, key: &str| {
        let headers = [("idempotency-key", key)];
        shop.send("POST", "/orders", &headers, Some(&order)).await
    };
    let before = ask(&shop, "k-1").await;
    before.expect(201);

    rename(&shop, "log", "gone");
    let answer = ask(&shop, "k-2").await;
    answer.problem(503, "outcome_unknown");
    assert!(answer.header("retry-after").is_some());
    let status = shop.ended().await;
    assert_eq!(status.code(), Some(1), "a supervisor must see it");
    assert!(shop.log_text().contains("the store failed"));

    rename(&shop, "gone", "log");
    shop.restart().await;
    let again = ask(&shop, "k-1").await;
    assert!(again.is_replay());
    assert_eq!(again.json(), before.json());
    let again = ask(&shop, "k-2").await;
    assert_eq!(again.expect(201)["place"], 2);
}

#[tokio::test]
async fn a_relay_that_cannot_read_tries_again_and_loses_nothing() {
    let mut shop = Shop::start(Settings::new()).await;
    let reorder = json!({"point": 0, "quantity": 5, "factory": "NOBODY"});
    shop.offer("A-1", json!({"stock": 5})).await;
    rename(&shop, "subscriptions", "gone");
    // Every entry is looked at, and from time to time who subscribed.
    eventually("the relay cannot go on", async || {
        shop.order("A-1", "a@example.com").await;
        let log = shop.log_text();
        log.contains("the relay tries again").then_some(())
    })
    .await;
    // The shop sells on meanwhile.
    shop.offer("B-1", json!({ "reorder": reorder })).await;
    assert!(shop.try_ended().is_none());
    rename(&shop, "gone", "subscriptions");
    shop.replenishment("B-1", "failed").await;
}
