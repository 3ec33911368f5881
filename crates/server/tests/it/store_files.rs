//! Somebody removes or replaces files of the store while the server writes them.

use serde_json::{Value, json};

use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop, firstcome, refused};

/// Alerts of this rule, open or over.
async fn alerts(shop: &Shop, list: &str) -> Vec<Value> {
    let all = shop.get("/ops/alerts").await.expect(200);
    let mut found = all[list].as_array().unwrap().clone();
    found.retain(|one| one["rule"] == "store_file_gone");
    found
}

async fn shop() -> Shop {
    let settings = Settings::new()
        .set("ALERTS__EVERY_MS", 100)
        .set("ALERTS__RESOLVE_AFTER_S", 0);
    let shop = Shop::start(settings).await;
    shop.offer("A-1", json!({"stock": 5})).await;
    shop
}

#[tokio::test]
async fn a_store_whose_file_was_replaced_is_not_ready_until_it_is_back() {
    let shop = shop().await;
    shop.get("/readyz").await.expect(200);
    let (file, away) = (shop.data().join("firstcome.db"), shop.data().join("away"));
    std::fs::rename(&file, &away).unwrap();
    let answer = shop.get("/readyz").await;
    let problem = answer.problem(503, "overloaded");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("firstcome.db was removed"), "{detail}");
    let is_open = async || alerts(&shop, "open").await.pop();
    let alert = eventually("operations is told", is_open).await;
    assert_eq!(alert["subject"], "firstcome.db");

    std::fs::copy(&away, &file).unwrap();
    shop.get("/readyz").await.problem(503, "overloaded");
    std::fs::rename(&away, &file).unwrap();
    shop.get("/readyz").await.expect(200);
    let is_over = async || alerts(&shop, "recent").await.pop();
    eventually("it is over", is_over).await;
    shop.place("A-1", "a@example.com", 1).await;
}

#[tokio::test]
async fn a_store_that_takes_no_write_is_not_ready_and_the_server_ends_so_that_it_is_started_anew() {
    let mut shop = shop().await;
    let other = rusqlite::Connection::open(shop.data().join("firstcome.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // Two limits of 5 s: the look's own, and the store's, at which nothing more is decided.
    let problem = shop.get("/readyz").await.json();
    assert_eq!(problem["status"], 503, "{problem}");
    assert_eq!(shop.ended().await.code(), Some(1));
    assert!(shop.log_text().contains("database is locked"));
    other.execute_batch("ROLLBACK").unwrap();
    shop.restart().await;
    shop.get("/readyz").await.expect(200);
    shop.place("A-1", "a@example.com", 1).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_second_server_is_refused_where_the_lock_file_was_removed() {
    let shop = shop().await;
    std::fs::remove_file(shop.data().join("firstcome.lock")).unwrap();
    let mut command = firstcome(&["serve", "--listen", "127.0.0.1:0", "--data"]);
    command.arg(shop.data());
    let (code, said) = refused(command).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("firstcome.lock was removed"), "{said}");
    shop.place("A-1", "a@example.com", 1).await;
    shop.get("/readyz").await.problem(503, "overloaded");
}
