//! Which processes there can be.

use std::collections::BTreeSet;

use serde_json::json;

use super::{consumer, drill, handled, send};
use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop, firstcome, refused};

#[tokio::test]
async fn roles_that_make_no_process_are_refused_by_name() {
    for (args, part) in [
        (
            &["--roles", "api"][..],
            "`roles`: api and aws cannot be apart",
        ),
        (
            &["--roles", "workers,factory"],
            "`roles`: without api and aws",
        ),
        (&["--roles", "workers"], "`workers.sqs`: must be set"),
        (&["--roles", "cook"], "no role is called `cook`"),
        (
            &["--roles", "factory", "--demo"],
            "`demo`: needs the roles api and aws",
        ),
    ] {
        let mut command = firstcome(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(args);
        let (code, said) = refused(command).await;
        assert_eq!(code, 2, "{args:?}: {said}");
        assert!(said.contains(part), "{args:?}: {said}");
    }
}

/// What needs the store is with it, and so is whoever looks for dead letters.
#[tokio::test]
async fn a_shop_without_workers_has_the_consumers_that_nobody_else_can_have() {
    let shared = tempfile::tempdir().unwrap();
    let customers = shared.path().join("customers.db").display().to_string();
    let settings = Settings::new().set("CUSTOMERS", &customers);
    let alone = settings
        .clone()
        .set("ROLES", "api,aws")
        .set("MAIL__VERDICTS", true)
        .set("ALERTS__EVERY_MS", 100)
        .set("ALERTS__EMAIL", "ops@example.com");
    let shop = Shop::start(alone).await;
    let workers = Shop::start_workers(&shop, settings).await;
    let names = async |process: &Shop, runs: bool| {
        let all = process.get("/ops/consumers").await.expect(200);
        let all = all["consumers"].as_array().unwrap().clone();
        let named = all
            .iter()
            .filter(|one| (one["state"] == "running") == runs)
            .map(|one| one["name"].as_str().unwrap().to_owned());
        named.collect::<Vec<_>>()
    };
    let portable = ["mileage", "vip", "marketing"];
    let bound = [
        "product-tracking",
        "emails",
        "webhooks",
        "webhook-deliveries",
    ];
    eventually("each consumer has one process", async || {
        let here = names(&shop, true).await;
        (here == bound && names(&workers, true).await == portable).then_some(())
    })
    .await;
    assert_eq!(names(&shop, false).await, portable);

    shop.offer("A-1", json!({"stock": 1})).await;
    let order = shop.place("A-1", "kim@example.com", 1).await;
    send(&shop, "replenishment-dlq", &[json!("lost")]).await;
    let path = format!("/orders/{}", order["id"].as_str().unwrap());
    let kinds = async || {
        let mails = shop.get("/ops/mails").await.expect(200);
        let mails = mails["mails"].as_array().unwrap().clone();
        let kinds = mails
            .iter()
            .map(|mail| mail["kind"].as_str().unwrap().to_owned());
        kinds.collect::<BTreeSet<_>>()
    };
    let expected = ["alert", "order.accepted"].map(str::to_owned).into();
    eventually("both e-mails are there", async || {
        (kinds().await == expected).then_some(())
    })
    .await;
    eventually("the order has its parcel and its points", async || {
        let parcel = shop.get(&path).await.expect(200)["parcel"].is_object();
        let customer = shop.get("/customers/kim@example.com").await;
        (parcel && customer.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn workers_wait_for_a_shop_that_is_away() {
    let mut shop = Shop::start(drill().set("ROLES", "api,aws")).await;
    let workers = Shop::start_workers(&shop, drill()).await;
    send(&shop, "drill", &[json!("one")]).await;
    handled(&workers, 1).await;
    shop.stop().await;
    eventually("they wait", async || {
        (consumer(&workers).await["state"] == "waiting").then_some(())
    })
    .await;
    shop.restart().await;
    send(&shop, "drill", &[json!("two")]).await;
    handled(&workers, 2).await;
}

#[tokio::test]
async fn workers_show_a_key_where_one_is_asked_for() {
    let key = r#"[{access_key="AKIDDRILL",secret="0123456789abcdef"}]"#;
    let shop = Shop::start(drill().set("ROLES", "api,aws").set("AWS__KEYS", key)).await;
    let settings = drill()
        .set("WORKERS__ACCESS_KEY", "AKIDDRILL")
        .set("WORKERS__SECRET", "0123456789abcdef");
    let workers = Shop::start_workers(&shop, settings).await;
    let stranger = Shop::start_workers(&shop, drill()).await;
    eventually("nobody is let in without", async || {
        (consumer(&stranger).await["state"] == "waiting").then_some(())
    })
    .await;
    eventually("its queue was looked at", async || {
        consumer(&workers).await["backlog"]
            .is_object()
            .then_some(())
    })
    .await;
    assert_eq!(consumer(&workers).await["state"], "running");
}

#[tokio::test]
async fn the_reference_factory_is_beside_the_shop_where_its_role_is_named() {
    let shop = Shop::start(Settings::new().set("ROLES", "api,aws,factory")).await;
    let document = shop.get("/openapi.json").await.expect(200);
    assert!(document["paths"]["/api/manufactures"].is_object());
    let without = Shop::start(Settings::new()).await;
    let document = without.get("/openapi.json").await.expect(200);
    assert!(document["paths"]["/api/manufactures"].is_null());
}
