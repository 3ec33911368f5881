//! Which processes there can be.

use serde_json::json;

use super::{consumer, drill, handled, send};
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

#[tokio::test]
async fn workers_wait_for_a_shop_that_is_away() {
    let mut shop = Shop::start(drill().set("ROLES", "api,aws")).await;
    let workers = Shop::start_workers(&shop, drill()).await;
    send(&shop, "drill", &[json!("one")]).await;
    handled(&workers, 1).await;
    shop.stop().await;
    crate::harness::wait::eventually("they wait", async || {
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
    crate::harness::wait::eventually("nobody is let in without", async || {
        (consumer(&stranger).await["state"] == "waiting").then_some(())
    })
    .await;
    crate::harness::wait::eventually("its queue was looked at", async || {
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
