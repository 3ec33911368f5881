//! An operator sends dead letters again.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{SKU, assert_counted, deliver, settings, sold_out};
use crate::harness::Shop;
use crate::harness::factory::{Factory, Manner, Nothing};
use crate::harness::wait::eventually;

const REDRIVE: &str = "/ops/queues/replenishment-dlq/redrive";

/// Once there are so many dead letters.
async fn dead_letters(shop: &Shop, count: usize) -> Vec<Value> {
    eventually(&format!("{count} dead letters"), async || {
        let dead = shop.dead_letters().await;
        (dead.len() == count).then_some(dead)
    })
    .await
}

#[tokio::test]
async fn a_dead_letter_is_sent_again_when_the_factory_works() {
    let factory = Factory::start(Manner::Answer(422));
    let shop = sold_out(settings(&factory.url())).await;
    let dead = dead_letters(&shop, 1).await;
    let failed = shop.replenishment(SKU, "failed").await;
    factory.behave(Manner::Answer(202));
    let none = shop.post(REDRIVE, &json!({"messageId": "not-there"})).await;
    assert_eq!(none.expect(200), json!({"moved": 0}));
    let one = shop
        .post(REDRIVE, &json!({"messageId": dead[0]["id"]}))
        .await;
    assert_eq!(one.expect(200), json!({"moved": 1}));
    let taken = shop.replenishment(SKU, "in_production").await;
    assert_eq!(taken["id"], failed["id"]);
    shop.queue_is_empty().await;
    assert_eq!(shop.dead_letters().await.len(), 0);
    let requests = factory.requests();
    assert_eq!(requests.len(), 2, "asked once more");
    assert_eq!(requests[0].body, requests[1].body);
    deliver(&shop, &requests[0], 10).await.expect(200);
    assert_counted(&shop, 15, 1).await;
}

#[tokio::test]
async fn all_dead_letters_are_sent_again_without_a_body() {
    let nothing = Nothing::bind();
    let shop = sold_out(settings(&nothing.url()).set("FACTORY__ATTEMPTS_MAX", 1)).await;
    let reorder = json!({"point": 0, "quantity": 10, "factory": "FF-1"});
    shop.offer("OTHER-1", json!({"reorder": reorder})).await;
    dead_letters(&shop, 2).await;
    let _factory = nothing.come_up(Manner::Answer(202));
    let all = shop.send("POST", REDRIVE, &[], None).await;
    assert_eq!(all.expect(200), json!({"moved": 2}));
    shop.replenishment(SKU, "in_production").await;
    shop.replenishment("OTHER-1", "in_production").await;
    let again = shop.send("POST", REDRIVE, &[], None).await;
    assert_eq!(again.expect(200), json!({"moved": 0}));
}

/// The request is opened again, which is an event like the first time; that must not become a
/// second message, or a factory that goes on refusing is asked for ever.
#[tokio::test]
async fn a_dead_letter_that_fails_again_is_one_dead_letter_again() {
    let factory = Factory::start(Manner::Answer(422));
    let shop = sold_out(settings(&factory.url())).await;
    dead_letters(&shop, 1).await;
    for round in 2..=3 {
        let all = shop.send("POST", REDRIVE, &[], None).await;
        assert_eq!(all.expect(200), json!({"moved": 1}));
        factory.request(round).await;
        dead_letters(&shop, 1).await;
        shop.queue_is_empty().await;
    }
    // A message that is sent now is behind anything the redrive could have left.
    let reorder = json!({"point": 0, "quantity": 10, "factory": "FF-1"});
    shop.offer("OTHER-1", json!({"reorder": reorder})).await;
    dead_letters(&shop, 2).await;
    assert_eq!(factory.requests().len(), 4);
    assert_eq!(shop.replenishments(SKU).await.len(), 1);
}

#[tokio::test]
async fn a_dead_letter_of_a_request_that_was_delivered_asks_nobody() {
    let factory = Factory::start(Manner::Answer(422));
    let shop = sold_out(settings(&factory.url())).await;
    dead_letters(&shop, 1).await;
    let request = factory.request(1).await;
    deliver(&shop, &request, 10).await.expect(200);
    shop.send("POST", REDRIVE, &[], None).await.expect(200);
    shop.queue_is_empty().await;
    assert_eq!(factory.requests().len(), 1);
    assert_eq!(shop.dead_letters().await.len(), 0);
    assert_counted(&shop, 15, 1).await;
}

#[tokio::test]
async fn a_dead_letter_beside_the_next_request_asks_nobody() {
    let factory = Factory::scripted([Manner::Answer(422)], Manner::Answer(202));
    let shop = sold_out(settings(&factory.url()).set("FACTORY__ASK_AGAIN_S", 1)).await;
    factory.request(2).await;
    shop.replenishment(SKU, "in_production").await;
    shop.send("POST", REDRIVE, &[], None).await.expect(200);
    shop.queue_is_empty().await;
    assert_eq!(factory.requests().len(), 2);
    let replenishments = shop.replenishments(SKU).await;
    assert_eq!(replenishments[0]["status"], "in_production");
    assert_eq!(replenishments[1]["status"], "failed");
}

/// The request is old by then, but the factory has only just taken it.
#[tokio::test]
async fn a_request_that_is_sent_again_late_is_not_overdue_at_once() {
    let told = Arc::new(Notify::new());
    let factory = Factory::scripted([Manner::Answer(422)], Manner::After(Arc::clone(&told)));
    let settings = settings(&factory.url())
        .set("FACTORY__OVERDUE_S", 5)
        .set("FACTORY__REQUEST_TIMEOUT_MS", 60_000);
    let shop = sold_out(settings).await;
    dead_letters(&shop, 1).await;
    let failed = shop.replenishment(SKU, "failed").await;
    let requested_at = failed["requestedAt"].as_str().unwrap();
    let requested_at: jiff::Timestamp = requested_at.parse().unwrap();
    eventually("the request is old", async || {
        let summary = shop.get("/ops/summary").await.expect(200);
        let now: jiff::Timestamp = summary["now"].as_str().unwrap().parse().unwrap();
        (now.duration_since(requested_at).as_millis() > 5_000).then_some(())
    })
    .await;
    shop.send("POST", REDRIVE, &[], None).await.expect(200);
    factory.request(2).await;
    // The timer looks every half second.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(shop.replenishments(SKU).await[0]["status"], "requested");
    told.notify_one();
    let taken = shop.replenishment(SKU, "in_production").await;
    assert_eq!(taken["reason"], Value::Null);
}
