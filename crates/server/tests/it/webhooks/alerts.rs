//! One alert for each cause, told once when it is opened and once when it is over.

use serde_json::{Value, json};

use super::calls::told_of;
use super::{delivery, endpoint, id, ids, offer, settings, subscribe};
use crate::harness::factory::{Factory, Manner};
use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

/// The open alert of this cause, once there is one.
async fn open(shop: &Shop, rule: &str, subject: &str) -> Value {
    eventually(&format!("{rule} {subject} is open"), async || {
        let alerts = shop.get("/ops/alerts").await.expect(200);
        let open = alerts["open"].as_array().unwrap();
        open.iter()
            .find(|one| one["rule"] == rule && one["subject"] == subject)
            .cloned()
    })
    .await
}

/// The alert, once it is over.
async fn over(shop: &Shop, alert: &Value) -> Value {
    eventually("the alert is over", async || {
        let alerts = shop.get("/ops/alerts").await.expect(200);
        let recent = alerts["recent"].as_array().unwrap();
        recent.iter().find(|one| one["id"] == alert["id"]).cloned()
    })
    .await
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_and_operations_hears_of_it() {
    let shop = Shop::start(settings()).await;
    offer(&shop, "CP-1", 5).await;
    let (gone, operations) = (
        Factory::start(Manner::Answer(410)),
        Factory::start(Manner::Answer(200)),
    );
    let hook = subscribe(&shop, &gone.url(), &["order.*"]).await;
    subscribe(&shop, &operations.url(), &["alert.*"]).await;
    shop.place("CP-1", "a@example.com", 1).await;
    let told = delivery(&shop, &hook, "failed").await;
    assert_eq!(told["attempts"][0]["status"], 410);
    let disabled = endpoint(&shop, &hook).await;
    assert_eq!(
        (&disabled["status"], &disabled["disabledReason"]),
        (&json!("disabled"), &json!("gone"))
    );
    let alert = open(&shop, "webhook_disabled", id(&hook)).await;
    let opened = operations.request(1).await.json();
    assert_eq!(opened["type"], "alert.opened");
    assert_eq!(opened["data"]["subject"], id(&hook));
    // Nothing more is sent there.
    shop.place("CP-1", "b@example.com", 1).await;
    told_of(&shop, 2).await;
    eventually("it is known that nobody wants it", async || {
        let queue = shop.get("/ops/queues/webhooks").await.expect(200);
        (queue["total"] == 0).then_some(())
    })
    .await;
    let path = format!("/webhooks/{}", id(&hook));
    let change = json!({"enabled": true});
    shop.send("PATCH", &path, &[], Some(&change))
        .await
        .expect(200);
    over(&shop, &alert).await;
    assert_eq!(operations.request(2).await.json()["type"], "alert.resolved");
    assert_eq!(ids(&gone).len(), 1);
    let n = &alert["id"];
    assert_eq!(
        ids(&operations),
        [
            format!("evt_alert_{n}_opened"),
            format!("evt_alert_{n}_resolved")
        ]
    );
}

#[tokio::test]
async fn dead_letters_are_one_alert_with_their_count_and_an_e_mail_each_way() {
    let settings = settings()
        .set("WEBHOOKS__RETRIES_S", "[]")
        .set("ALERTS__EMAIL", "ops@example.com");
    let shop = Shop::start(settings).await;
    offer(&shop, "CP-1", 5).await;
    let receiver = Factory::start(Manner::Answer(500));
    subscribe(&shop, &receiver.url(), &["order.*"]).await;
    for customer in ["a@example.com", "b@example.com"] {
        shop.place("CP-1", customer, 1).await;
    }
    let dead = "webhook-deliveries-dlq";
    let alert = eventually("both are counted", async || {
        let alert = open(&shop, "dead_letters", dead).await;
        (alert["count"] == 2).then_some(alert)
    })
    .await;
    let purge = format!("/ops/queues/{dead}/purge");
    assert_eq!(shop.send("POST", &purge, &[], None).await.status, 204);
    let alert = over(&shop, &alert).await;
    assert!(alert["resolvedAt"].is_string());
    let mut mails = eventually("two e-mails are sent", async || {
        let list = shop.get("/ops/mails").await.expect(200);
        let mails = list["mails"].as_array().unwrap().clone();
        let are_sent = mails.iter().all(|mail| mail["status"] == "sent");
        (mails.len() >= 2 && are_sent).then_some(mails)
    })
    .await;
    // Newest first.
    mails.reverse();
    let n = &alert["id"];
    let told: Vec<_> = mails
        .iter()
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        told,
        [format!("alert_{n}_opened"), format!("alert_{n}_resolved")]
    );
    for mail in &mails {
        assert_eq!(
            (&mail["kind"], &mail["to"]),
            (&json!("alert"), &json!("ops@example.com"))
        );
    }
}

#[tokio::test]
async fn a_line_that_waits_too_long_is_an_alert_until_it_is_served() {
    let shop = Shop::start(settings().set("ALERTS__LINE_WAITS_S", 1)).await;
    shop.offer("WAIT-1", json!({"whenSoldOut": "wait"})).await;
    for customer in ["a@example.com", "b@example.com"] {
        shop.place("WAIT-1", customer, 1).await;
    }
    let alert = open(&shop, "line_waits", "WAIT-1").await;
    assert_eq!(alert["count"], 2);
    shop.receive("WAIT-1", 2, "r-1").await;
    over(&shop, &alert).await;
}

#[tokio::test]
async fn a_factory_that_fails_is_an_alert_until_it_takes_a_request() {
    let factory = Factory::start(Manner::Answer(400));
    let settings: Settings = settings()
        .factory(&factory.url())
        .set("FACTORY__ASK_AGAIN_S", 2);
    let shop = Shop::start(settings).await;
    let reorder = json!({"point": 1, "quantity": 5, "factory": "FF-1"});
    shop.offer("CP-1", json!({"stock": 1, "reorder": reorder}))
        .await;
    let alert = open(&shop, "factory_fails", "FF-1").await;
    factory.behave(Manner::Answer(202));
    over(&shop, &alert).await;
}

#[tokio::test]
async fn an_open_alert_survives_a_crash_and_is_not_told_again() {
    let mut shop = Shop::start(settings().set("ALERTS__LINE_WAITS_S", 1)).await;
    let operations = Factory::start(Manner::Answer(200));
    subscribe(&shop, &operations.url(), &["alert.*"]).await;
    shop.offer("WAIT-1", json!({"whenSoldOut": "wait"})).await;
    shop.place("WAIT-1", "a@example.com", 1).await;
    let alert = open(&shop, "line_waits", "WAIT-1").await;
    let opened = operations.request(1).await;
    shop.kill();
    shop.restart().await;
    assert_eq!(open(&shop, "line_waits", "WAIT-1").await["id"], alert["id"]);
    shop.receive("WAIT-1", 1, "r-1").await;
    over(&shop, &alert).await;
    let n = &alert["id"];
    let resolved = format!("evt_alert_{n}_resolved");
    eventually("its end is told", async || {
        ids(&operations).contains(&resolved).then_some(())
    })
    .await;
    let mut told = ids(&operations);
    told.sort();
    // A call that was not noted before the crash is made again, with the same id.
    told.dedup();
    assert_eq!(
        told,
        [super::header(&opened, "webhook-id").to_owned(), resolved]
    );
}
