//! Calls as receivers see them.

use std::time::Duration;

use serde_json::json;

use super::{
    deliveries, delivery, endpoint, header, id, ids, offer, secret, settings, subscribe, verified,
};
use crate::harness::Shop;
use crate::harness::factory::{Factory, Manner};
use crate::harness::wait::{eventually, within};

#[tokio::test]
async fn an_event_is_told_once_signed_with_its_place_in_the_log() {
    let shop = Shop::start(settings()).await;
    offer(&shop, "CP-1", 5).await;
    let receiver = Factory::start(Manner::Answer(204));
    let hook = subscribe(&shop, &receiver.url(), &["order.accepted"]).await;
    shop.place("CP-1", "a@example.com", 2).await;
    let request = receiver.request(1).await;
    let known = verified(&request, &[secret(&hook)]);
    let event = request.json();
    assert_eq!(event["type"], "order.accepted");
    assert_eq!(known, format!("evt_{}", event["seq"]));
    assert_eq!(event["data"]["sku"], "CP-1");
    assert_eq!(header(&request, "content-type"), "application/json");
    let told = delivery(&shop, &hook, "delivered").await;
    assert_eq!(told["event"], known);
    assert_eq!(told["body"], event);
    assert_eq!(told["attempts"][0]["status"], 204);
    // Goods that arrive are another type, which it does not want.
    shop.receive("CP-1", 1, "r-1").await;
    shop.place("CP-1", "b@example.com", 1).await;
    receiver.request(2).await;
    assert_eq!(deliveries(&shop, &hook).await.len(), 2);
}

#[tokio::test]
async fn an_attempt_that_fails_is_made_again_with_the_same_id() {
    let shop = Shop::start(settings()).await;
    offer(&shop, "CP-1", 5).await;
    let manners = [Manner::Answer(500), Manner::Answer(302)];
    let receiver = Factory::scripted(manners, Manner::Answer(200));
    let hook = subscribe(&shop, &receiver.url(), &["order.*"]).await;
    shop.place("CP-1", "a@example.com", 1).await;
    let told = delivery(&shop, &hook, "delivered").await;
    let statuses: Vec<_> = told["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["status"])
        .collect();
    // A redirect is an answer that is not 2xx, and is not followed.
    assert_eq!(statuses, [500, 302, 200]);
    assert_eq!(told["attempts"][0]["error"], "the receiver answered 500");
    let ids = ids(&receiver);
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|one| *one == ids[0]), "{ids:?}");
    for request in receiver.requests() {
        verified(&request, &[secret(&hook)]);
    }
    let after = endpoint(&shop, &hook).await;
    assert_eq!(after["failingSince"], serde_json::Value::Null);
    assert_eq!(after["pending"], 0);
}

#[tokio::test]
async fn a_delivery_that_always_fails_is_a_dead_letter_and_can_be_sent_again() {
    let shop = Shop::start(settings()).await;
    offer(&shop, "CP-1", 5).await;
    let receiver = Factory::start(Manner::Answer(503));
    let hook = subscribe(&shop, &receiver.url(), &["order.*"]).await;
    shop.place("CP-1", "a@example.com", 1).await;
    let told = delivery(&shop, &hook, "failed").await;
    assert_eq!(told["attempts"].as_array().unwrap().len(), 4);
    let dead = eventually("it is a dead letter", async || {
        let list = shop
            .get("/ops/queues/webhook-deliveries-dlq/messages")
            .await;
        list.expect(200)["messages"]
            .as_array()
            .unwrap()
            .first()
            .cloned()
    })
    .await;
    assert_eq!(dead["reason"], "the receiver answered 503");
    receiver.behave(Manner::Answer(200));
    let redriven = shop
        .post("/ops/queues/webhook-deliveries-dlq/redrive", &json!({}))
        .await;
    assert_eq!(redriven.expect(200)["moved"], 1);
    delivery(&shop, &hook, "delivered").await;
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_holds_up_no_other() {
    const EVENTS: usize = 20;
    let shop = Shop::start(settings()).await;
    offer(&shop, "CP-1", 100).await;
    let (silent, well) = (
        Factory::start(Manner::Silent),
        Factory::start(Manner::Answer(200)),
    );
    let slow = subscribe(&shop, &silent.url(), &["order.*"]).await;
    subscribe(&shop, &well.url(), &["order.*"]).await;
    for n in 0..EVENTS {
        shop.place("CP-1", &format!("c{n}@example.com"), 1).await;
    }
    // One after the other behind calls of 2 s each they would take more than 40 s.
    within(
        Duration::from_secs(20),
        "the other hears everything",
        async || {
            let mut told = ids(&well);
            told.sort();
            told.dedup();
            (told.len() == EVENTS).then_some(())
        },
    )
    .await;
    assert!(endpoint(&shop, &slow).await["pending"].as_u64().unwrap() > 0);
    assert_eq!(ids(&well).len(), EVENTS, "each once");
    assert_eq!(
        shop.send("DELETE", &format!("/webhooks/{}", id(&slow)), &[], None)
            .await
            .status,
        204
    );
}

#[tokio::test]
async fn while_a_secret_is_replaced_both_verify_and_afterwards_one() {
    let shop = Shop::start(settings()).await;
    let receiver = Factory::start(Manner::Answer(200));
    let before = subscribe(&shop, &receiver.url(), &["order.*"]).await;
    let path = format!("/webhooks/{}", id(&before));
    let rotate = format!("{path}/rotate-secret");
    let after = shop.send("POST", &rotate, &[], None).await.expect(200);
    assert_ne!(before["secret"], after["secret"]);
    assert_eq!(after["oldSecretsEndAt"].as_array().unwrap().len(), 1);
    let test = shop
        .send("POST", &format!("{path}/test"), &[], None)
        .await
        .expect(202);
    let request = receiver.request(1).await;
    assert_eq!(verified(&request, &[secret(&before)]), test["event"]);
    assert_eq!(verified(&request, &[secret(&after)]), test["event"]);
    let last = shop
        .post(&rotate, &json!({"overlapSeconds": 0}))
        .await
        .expect(200);
    assert_eq!(last["oldSecretsEndAt"], json!([]));
    shop.send("POST", &format!("{path}/test"), &[], None)
        .await
        .expect(202);
    let request = receiver.request(2).await;
    verified(&request, &[secret(&last)]);
    assert!(
        !header(&request, "webhook-signature").contains(' '),
        "one signature"
    );
    let shown = shop.get(&format!("{path}/secret")).await.expect(200);
    assert_eq!(shown["secret"], last["secret"]);
    let log = shop.log_text();
    assert!(!log.contains("whsec_"), "{log}");
    assert!(!shop.get("/webhooks").await.body.contains("whsec_"));
}

/// What a topic says is told a moment after its order was answered: so many accepted ones have
/// been by now.
pub(super) async fn told_of(shop: &Shop, orders: u64) {
    eventually("the orders are told of", async || {
        let queue = shop.get("/ops/queues/mileage").await.expect(200);
        (queue["sinceStart"]["sent"] == orders).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_replay_tells_the_same_events_with_the_same_ids() {
    let shop = Shop::start(settings()).await;
    offer(&shop, "CP-1", 5).await;
    let receiver = Factory::start(Manner::Answer(200));
    for n in 0..3 {
        shop.place("CP-1", &format!("c{n}@example.com"), 1).await;
    }
    told_of(&shop, 3).await;
    // It came later: what was before is in the log.
    let hook = subscribe(&shop, &receiver.url(), &["order.accepted"]).await;
    let path = format!("/webhooks/{}/replay", id(&hook));
    let replayed = shop.post(&path, &json!({"since": 0})).await.expect(202);
    assert_eq!(replayed["replayed"], 3);
    assert_eq!(replayed["more"], false);
    receiver.request(3).await;
    let mut first = ids(&receiver);
    first.sort();
    let last: u64 = first[2].strip_prefix("evt_").unwrap().parse().unwrap();
    let body = json!({"since": last - 1, "until": last});
    assert_eq!(shop.post(&path, &body).await.expect(202)["replayed"], 1);
    let again = receiver.request(4).await;
    assert_eq!(header(&again, "webhook-id"), first[2]);
    let newest = delivery(&shop, &hook, "delivered").await;
    assert_eq!(
        (&newest["replay"], newest["event"].as_str()),
        (&json!(2), Some(first[2].as_str()))
    );
}

#[tokio::test]
async fn nothing_is_heard_while_nobody_wants_it() {
    let shop = Shop::start(settings()).await;
    offer(&shop, "CP-1", 50).await;
    let sent = async || -> u64 {
        let queue = shop.get("/ops/queues/webhooks").await.expect(200);
        let sent = queue["sinceStart"]["sent"].as_u64();
        sent.unwrap_or_else(|| panic!("{queue}"))
    };
    shop.place("CP-1", "a@example.com", 1).await;
    told_of(&shop, 1).await;
    let receiver = Factory::start(Manner::Answer(200));
    let hook = subscribe(&shop, &receiver.url(), &["order.*"]).await;
    assert_eq!(sent().await, 0, "nobody was there");
    shop.place("CP-1", "b@example.com", 1).await;
    receiver.request(1).await;
    assert_eq!(sent().await, 1);
    let path = format!("/webhooks/{}", id(&hook));
    let off = json!({"enabled": false}).to_string();
    let answer = shop
        .connect()
        .await
        .send("PATCH", &path, &[], Some(&off))
        .await
        .unwrap();
    assert_eq!(answer.expect(200)["disabledReason"], "operator");
    let other = subscribe(&shop, &receiver.url(), &["stock.received"]).await;
    shop.place("CP-1", "c@example.com", 1).await;
    shop.receive("CP-1", 1, "r-1").await;
    delivery(&shop, &other, "delivered").await;
    assert_eq!(sent().await, 2, "the order is not among them");
}
