//! The customers database: where it is, and what happens while it is not there.

use std::path::Path;

use super::{ADA, accepted, cancelled, customer, customer_with, is_empty, tell_mileage, tell_vip};
use crate::harness::{Settings, Shop, firstcome, refused};

fn settings(path: &Path) -> Settings {
    Settings::new()
        .arg("--customers")
        .arg(path.to_str().unwrap())
}

#[tokio::test]
async fn nothing_is_lost_while_the_customers_database_is_away() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("elsewhere");
    std::fs::write(&place, "a file where a directory must be").unwrap();
    let mut shop = Shop::start(settings(&place.join("customers.db"))).await;
    for event in [
        accepted(1, ADA, 99),
        cancelled(1, ADA, 99),
        accepted(2, ADA, 100),
    ] {
        tell_mileage(&shop, &event).await;
        tell_vip(&shop, &event).await;
    }
    shop.get(&format!("/customers/{ADA}"))
        .await
        .problem(503, "customers_unavailable");
    // The sale does not notice, nor does a restart change anything.
    shop.offer("S-1", serde_json::json!({"stock": 1})).await;
    shop.kill();
    shop.restart().await;
    std::fs::remove_file(&place).unwrap();
    customer_with(&shop, ADA, "/mileage", 2_000).await;
    customer_with(&shop, ADA, "/tier", "vip").await;
    for queue in ["mileage", "vip.fifo", "mileage-dlq", "vip-dlq.fifo"] {
        is_empty(&shop, queue).await;
    }
    assert_eq!(customer(&shop, ADA).await["qualifyingUnits"], 100);
    assert!(!shop.data().join("customers.db").exists());
}

/// Whatever was handled when it died is handled again, and counts once.
#[tokio::test]
async fn a_server_that_is_killed_counts_everything_once() {
    let mut shop = Shop::start(Settings::new()).await;
    for round in 0..4_u64 {
        for order in round * 25 + 1..=round * 25 + 25 {
            tell_mileage(&shop, &accepted(order, ADA, 1)).await;
            tell_vip(&shop, &accepted(order, ADA, 1)).await;
        }
        shop.kill();
        shop.restart().await;
    }
    // What was held when the server died comes back when its visibility timeout has passed.
    crate::harness::wait::eventually("everything is counted", async || {
        let answer = shop.get(&format!("/customers/{ADA}")).await;
        let seen = answer.json();
        (seen["mileage"] == 2_000 && seen["qualifyingUnits"] == 100).then_some(())
    })
    .await;
    let ada = customer(&shop, ADA).await;
    assert_eq!(
        (&ada["tier"], &ada["unitsToVip"]),
        (&"vip".into(), &0.into())
    );
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_at_the_start() {
    for (arguments, variable, part) in [
        (
            vec!["--customers", "postgres://shop:hunter2@db/customers"],
            ("X", ""),
            "setting `customers`: PostgreSQL",
        ),
        (
            vec![],
            ("FIRSTCOME_CONSUMERS__OFF", r#"["milage"]"#),
            "setting `consumers.off`: there is no consumer milage",
        ),
        (
            vec![],
            ("FIRSTCOME_MARKETING__URL", "http://127.0.0.1:1/"),
            "setting `marketing.secret`",
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut command = firstcome(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(["--aws-listen", "127.0.0.1:0", "--data"]);
        command.arg(directory.path().join("data")).args(arguments);
        command.env(variable.0, variable.1);
        let (code, said) = refused(command).await;
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(part), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}
