//! A backup made as OPERATIONS says, while the shop sells, and one that is not.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use serde_json::json;

use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop, firstcome, refused, run, text};

const FILES: [&str; 3] = ["customers.db", "effects.db", "firstcome.db"];

fn back_up(shop: &Shop, file: &str, to: &Path) {
    let connection = Connection::open(shop.data().join(file)).unwrap();
    let to = to.join(file).display().to_string();
    connection.execute("VACUUM INTO ?1", [to]).unwrap();
}

/// Only what the backup has, and nothing beside it.
async fn restore(shop: &mut Shop, from: &Path) {
    shop.stop().await;
    std::fs::remove_dir_all(shop.data()).unwrap();
    std::fs::create_dir(shop.data()).unwrap();
    for file in FILES {
        std::fs::copy(from.join(file), shop.data().join(file)).unwrap();
    }
    shop.restart().await;
}

fn address(customer: &str) -> String {
    format!("{customer}@example.com")
}

async fn sell(shop: &Shop, customers: &[&str]) {
    for customer in customers {
        shop.place("A-1", &address(customer), 1).await;
    }
}

async fn points(shop: &Shop, customer: &str) -> i64 {
    let path = format!("/customers/{}", address(customer));
    let customer = shop.get(&path).await;
    match customer.status {
        200 => customer.expect(200)["mileage"].as_i64().unwrap(),
        _ => 0,
    }
}

async fn have_points(shop: &Shop, customers: &[&str]) {
    for customer in customers {
        eventually(&format!("{customer} has points"), async || {
            (points(shop, customer).await > 0).then_some(())
        })
        .await;
        assert_eq!(points(shop, customer).await, 20, "{customer}: once");
    }
}

async fn shop() -> Shop {
    let shop = Shop::start(Settings::new().set("ALERTS__EVERY_MS", 100)).await;
    shop.offer("A-1", json!({"stock": 100, "price": 1_000}))
        .await;
    shop
}

#[tokio::test]
async fn with_the_consumers_paused_everybody_has_their_points_once() {
    let mut shop = shop().await;
    sell(&shop, &["a", "b"]).await;
    have_points(&shop, &["a", "b"]).await;
    let consumers = async || {
        let all = shop.get("/ops/consumers").await.expect(200);
        all["consumers"].as_array().unwrap().clone()
    };
    for one in consumers().await {
        let path = format!("/ops/consumers/{}/pause", one["name"].as_str().unwrap());
        shop.post(&path, &json!({})).await.expect(200);
    }
    eventually("nothing is in hand", async || {
        let all = consumers().await;
        all.iter().all(|one| one["inHand"] == 0).then_some(())
    })
    .await;
    let backup = tempfile::tempdir().unwrap();
    back_up(&shop, "customers.db", backup.path());
    sell(&shop, &["c"]).await;
    back_up(&shop, "effects.db", backup.path());
    sell(&shop, &["d"]).await;
    back_up(&shop, "firstcome.db", backup.path());
    sell(&shop, &["lost"]).await;
    for one in consumers().await {
        let path = format!("/ops/consumers/{}/resume", one["name"].as_str().unwrap());
        shop.post(&path, &json!({})).await.expect(200);
    }
    have_points(&shop, &["lost"]).await;

    restore(&mut shop, backup.path()).await;
    let log = shop.log_text();
    assert!(!log.contains("the store is older"), "{log}");
    // They were paused in that moment, and are as long as nobody lets them go on.
    let all = shop.get("/ops/consumers").await.expect(200);
    for one in all["consumers"].as_array().unwrap() {
        assert_eq!(one["state"], "paused", "{one}");
        let path = format!("/ops/consumers/{}/resume", one["name"].as_str().unwrap());
        shop.post(&path, &json!({})).await.expect(200);
    }
    sell(&shop, &["e", "f"]).await;
    have_points(&shop, &["a", "b", "c", "d", "e", "f"]).await;
    assert_eq!(points(&shop, "lost").await, 0);
}

#[tokio::test]
async fn a_store_that_is_older_than_what_follows_it_is_told() {
    let mut shop = shop().await;
    let backup = tempfile::tempdir().unwrap();
    back_up(&shop, "firstcome.db", backup.path());
    sell(&shop, &["a"]).await;
    have_points(&shop, &["a"]).await;
    for file in ["customers.db", "effects.db"] {
        back_up(&shop, file, backup.path());
    }
    restore(&mut shop, backup.path()).await;
    let log = shop.log_text();
    assert!(
        log.contains("the store is older than what follows it"),
        "{log}"
    );
    let told = eventually("operations is told", async || {
        let alerts = shop.get("/ops/alerts").await.expect(200);
        let mut open = alerts["open"].as_array().unwrap().clone();
        open.retain(|one| one["rule"] == "store_is_older");
        (open.len() == 2).then_some(open)
    })
    .await;
    let subjects: Vec<_> = told.iter().map(|one| &one["subject"]).collect();
    assert_eq!(subjects, ["customers.db", "effects.db"]);
    assert!(told[0]["count"].as_u64().unwrap() > 0, "{told:?}");
}

fn backup_command(shop: &Shop, to: &Path) -> std::process::Command {
    let mut command = firstcome(&["backup", "--data"]);
    command.arg(shop.data()).arg("--to").arg(to);
    command
}

/// Nobody is paused: what is bought, counted and sent meanwhile is in the backup once or not at all.
#[tokio::test]
async fn the_command_copies_one_moment_of_a_shop_that_sells() {
    let mut shop = shop().await;
    shop.receive("A-1", 1_000_000, "enough").await;
    let directory = tempfile::tempdir().unwrap();
    let backup = directory.path().join("backup");
    let is_copied = AtomicBool::new(false);
    let sold = async {
        let mut sold = Vec::new();
        while !is_copied.load(Ordering::SeqCst) {
            let customer = format!("c{}", sold.len());
            let order = shop.place("A-1", &address(&customer), 1).await;
            sold.push((customer, order));
        }
        sold
    };
    let copied = async {
        // Some have their points by then, others not.
        have_points(&shop, &["c3"]).await;
        let command = backup_command(&shop, &backup);
        let output = tokio::task::spawn_blocking(move || run(command)).await;
        is_copied.store(true, Ordering::SeqCst);
        output.unwrap()
    };
    let (sold, output) = tokio::join!(sold, copied);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    for file in FILES {
        assert!(said.contains(file), "{said}");
    }

    restore(&mut shop, &backup).await;
    sell(&shop, &["new"]).await;
    have_points(&shop, &["new", "c3"]).await;
    for (customer, order) in sold {
        let id = order["id"].as_str().unwrap();
        let is_there = shop.get(&format!("/orders/{id}")).await.status == 200;
        let expected = if is_there { 20 } else { 0 };
        let counted = async || (points(&shop, &customer).await == expected).then_some(());
        eventually(&format!("{customer}: {expected} points"), counted).await;
    }
    let log = shop.log_text();
    assert!(!log.contains("the store is older"), "{log}");
}

#[tokio::test]
async fn the_command_writes_over_nothing_and_leaves_nothing_half_done() {
    let shop = shop().await;
    let directory = tempfile::tempdir().unwrap();
    let backup = directory.path().join("backup");
    std::fs::create_dir(&backup).unwrap();
    std::fs::write(backup.join("mine"), "").unwrap();
    let (code, said) = refused(backup_command(&shop, &backup)).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("is there already"), "{said}");
    std::fs::remove_file(backup.join("mine")).unwrap();
    assert!(run(backup_command(&shop, &backup)).status.success());
    let (code, said) = refused(backup_command(&shop, &backup)).await;
    assert_eq!(code, 1, "{said}");
    let none = directory.path().join("none");
    let mut command = firstcome(&["backup", "--data"]);
    command
        .arg(&none)
        .arg("--to")
        .arg(directory.path().join("b2"));
    let (code, said) = refused(command).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("holds no store"), "{said}");
    let left = std::fs::read_dir(directory.path()).unwrap();
    let left: Vec<_> = left.map(|one| one.unwrap().file_name()).collect();
    assert_eq!(left, ["backup"]);
}
