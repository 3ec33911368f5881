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
async fn a_relay_that_cannot_read_ends_the_server_with_an_error() {
    let mut shop = Shop::start(Settings::new()).await;
    let reorder = json!({"point": 0, "quantity": 5, "factory": "NOBODY"});
    shop.offer("A-1", json!({"stock": 5})).await;
    rename(&shop, "subscriptions", "gone");
    // Every entry is looked at, and from time to time who subscribed.
    let status = eventually("the server gives up", async || {
        if let Ok(mut connection) = crate::harness::client::Connection::open(shop.address).await {
            let order = json!({"sku": "A-1", "customer": "a@example.com"}).to_string();
            let _ = connection.send("POST", "/orders", &[], Some(&order)).await;
        }
        shop.try_ended()
    })
    .await;
    assert_eq!(status.code(), Some(1), "a supervisor must see it");

    // Nothing that was told meanwhile is lost.
    rename(&shop, "gone", "subscriptions");
    shop.restart().await;
    shop.offer("B-1", json!({ "reorder": reorder })).await;
    shop.replenishment("B-1", "failed").await;
}
