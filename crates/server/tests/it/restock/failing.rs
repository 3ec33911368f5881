//! Factories that do not take the request: tried again where that may help, dead where it may
//! not, and operations hears of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::{SHORT_TIMEOUT_MS, SKU, assert_counted, deliver, offer, settings, sold_out};
use crate::harness::factory::{Factory, Manner, Nothing};
use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

/// The request came to nothing for this reason after so many attempts: it is failed, its message
/// is in the dead-letter queue with the reason, and `/events` tells of both.
async fn assert_dead(shop: &Shop, reason: &str, detail: &str, attempts: u64) {
    let failed = shop.replenishment(SKU, "failed").await;
    assert_eq!(failed["reason"], reason, "{failed}");
    assert_eq!(failed["attempts"], attempts, "{failed}");
    assert_eq!(failed["received"], 0);
    let told = failed["detail"].as_str().unwrap();
    assert!(told.contains(detail), "{told}");
    let dead = eventually("there is a dead letter", async || {
        shop.dead_letters().await.into_iter().next()
    })
    .await;
    assert_eq!(shop.dead_letters().await.len(), 1);
    assert_eq!(dead["reason"], format!("{reason}: {told}"));
    assert_eq!(dead["receiveCount"], attempts);
    assert_eq!(dead["sourceQueue"], "replenishment");
    let body: Value = serde_json::from_str(dead["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["data"]["replenishment"], failed["id"]);

    let mut events = shop.events("/events?since=0").await;
    let event = events.next_named("replenishment.failed").await;
    assert_eq!(event.data["replenishment"], failed["id"]);
    assert_eq!(event.data["reason"], reason);
    let event = events.next_named("message.dead_lettered").await;
    assert_eq!(event.data["queue"], "replenishment");
    assert_eq!(event.data["deadLetterQueue"], "replenishment-dlq");
    assert_eq!(event.data["messageId"], dead["id"]);
    assert_eq!(event.data["receiveCount"], attempts);
    assert_eq!(event.data["reason"], dead["reason"]);

    let summary = shop.get("/ops/summary").await.expect(200);
    assert_eq!(summary["deadLetters"], 1);
    assert_eq!(summary["openReplenishments"], 0);
    shop.queue_is_empty().await;
    assert_counted(shop, 5, 0).await;
}

#[tokio::test]
async fn a_refused_connection_is_tried_again_until_the_factory_is_there() {
    let nothing = Nothing::bind();
    let settings = settings(&nothing.url()).set("FACTORY__ATTEMPTS_MAX", 50);
    let shop = sold_out(settings).await;
    let waiting = eventually("an attempt was noted", async || {
        let newest = shop.replenishments(SKU).await.into_iter().next()?;
        (newest["attempts"].as_u64()? >= 1).then_some(newest)
    })
    .await;
    assert_eq!(waiting["status"], "requested");
    assert_eq!(waiting["reason"], "factory_unreachable");
    let detail = waiting["detail"].as_str().unwrap();
    assert!(detail.contains("connection refused"), "{detail}");

    let factory = nothing.come_up(Manner::Answer(202));
    let request = factory.request(1).await;
    let taken = shop.replenishment(SKU, "in_production").await;
    assert!(taken["attempts"].as_u64().unwrap() >= 2, "{taken}");
    assert_eq!(taken["reason"], Value::Null, "it is no longer true");
    deliver(&shop, &request, 10).await.expect(200);
    assert_counted(&shop, 15, 1).await;
    assert_eq!(shop.dead_letters().await.len(), 0);
}

#[tokio::test]
async fn a_factory_that_is_never_there_fails_the_request() {
    let nothing = Nothing::bind();
    let shop = sold_out(settings(&nothing.url())).await;
    assert_dead(&shop, "factory_unreachable", "connection refused", 2).await;
}

#[tokio::test]
async fn a_factory_that_never_answers_is_given_up() {
    let factory = Factory::start(Manner::Silent);
    let settings = settings(&factory.url()).set("FACTORY__REQUEST_TIMEOUT_MS", SHORT_TIMEOUT_MS);
    let shop = sold_out(settings).await;
    assert_dead(&shop, "factory_timeout", "did not answer in time", 2).await;
    assert_eq!(factory.requests().len(), 2);
    // It had heard every word: what it delivers all the same is counted.
    let request = factory.request(1).await;
    deliver(&shop, &request, 10).await.expect(200);
    assert_counted(&shop, 15, 1).await;
}

#[tokio::test]
async fn errors_that_may_pass_are_tried_again() {
    let passing = [500, 503, 429, 408, 425].map(Manner::Answer);
    let factory = Factory::scripted(passing, Manner::Answer(202));
    let shop = sold_out(settings(&factory.url()).set("FACTORY__ATTEMPTS_MAX", 6)).await;
    let taken = shop.replenishment(SKU, "in_production").await;
    assert_eq!(taken["attempts"], 6);
    let requests = factory.requests();
    assert_eq!(requests.len(), 6);
    assert!(
        requests
            .iter()
            .all(|request| request.body == requests[0].body),
        "a factory can tell a repeat"
    );
    deliver(&shop, &requests[0], 10).await.expect(200);
    assert_counted(&shop, 15, 1).await;
}

#[tokio::test]
async fn the_wait_for_the_next_attempt_doubles() {
    let failing = [500, 500].map(Manner::Answer);
    let factory = Factory::scripted(failing, Manner::Answer(202));
    let settings = settings(&factory.url())
        .set("FACTORY__ATTEMPTS_MAX", 3)
        .set("FACTORY__RETRY_MS", 1_000);
    let shop = sold_out(settings).await;
    factory.request(3).await;
    shop.replenishment(SKU, "in_production").await;
    let at: Vec<_> = factory.requests().iter().map(|one| one.at).collect();
    // A request is on its way for a moment, before and after.
    let slack = Duration::from_millis(100);
    assert!(at[1] - at[0] + slack >= Duration::from_secs(1), "{at:?}");
    assert!(at[2] - at[1] + slack >= Duration::from_secs(2), "{at:?}");
}

#[tokio::test]
async fn an_error_for_ever_fails_the_request_after_its_attempts() {
    let factory = Factory::start(Manner::Answer(500));
    let shop = sold_out(settings(&factory.url())).await;
    assert_dead(&shop, "factory_error", "answered 500", 2).await;
    assert_eq!(factory.requests().len(), 2);
}

#[tokio::test]
async fn a_refusal_is_not_tried_again() {
    let factory = Factory::start(Manner::Answer(422));
    let shop = sold_out(settings(&factory.url()).set("FACTORY__ATTEMPTS_MAX", 9)).await;
    assert_dead(&shop, "factory_refused", "answered 422", 1).await;
    assert_eq!(factory.requests().len(), 1);
}

#[tokio::test]
async fn a_redirection_is_not_followed() {
    let factory = Factory::start(Manner::Answer(307));
    let shop = sold_out(settings(&factory.url())).await;
    assert_dead(&shop, "factory_refused", "answered 307", 1).await;
}

#[tokio::test]
async fn a_factory_that_is_not_in_the_settings_is_unknown() {
    let settings = Settings::new().set("FACTORY__ASK_AGAIN_S", 600);
    let shop = sold_out(settings).await;
    assert_dead(&shop, "factory_unknown", "no factory FF-1", 1).await;
}

#[tokio::test]
async fn a_host_that_is_not_allowed_is_not_called() {
    let factory = Factory::start(Manner::Answer(202));
    let settings = settings(&factory.url()).set("OUTGOING__ALLOWED_HOSTS", "[\"example.com\"]");
    let shop = sold_out(settings).await;
    assert_dead(&shop, "factory_unknown", "not allowed", 1).await;
    assert_eq!(factory.requests().len(), 0);
}

#[tokio::test]
async fn after_a_failure_the_product_asks_again() {
    let factory = Factory::scripted([Manner::Answer(422)], Manner::Answer(202));
    let shop = sold_out(settings(&factory.url()).set("FACTORY__ASK_AGAIN_S", 1)).await;
    let second = factory.request(2).await;
    shop.replenishment(SKU, "in_production").await;
    let replenishments = shop.replenishments(SKU).await;
    assert_eq!(replenishments.len(), 2, "{replenishments:?}");
    assert_eq!(replenishments[1]["status"], "failed");
    let failed_at = replenishments[1]["closedAt"].as_str().unwrap();
    let asked_at = replenishments[0]["requestedAt"].as_str().unwrap();
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    assert!(at(asked_at) - at(failed_at) >= 1_000, "{replenishments:?}");
    deliver(&shop, &second, 10).await.expect(200);
    assert_counted(&shop, 15, 1).await;
}

#[tokio::test]
async fn very_many_that_are_in_stock_keep_no_other_from_asking_again() {
    let factory = Factory::scripted([Manner::Answer(422)], Manner::Answer(202));
    let settings = settings(&factory.url()).set("FACTORY__ASK_AGAIN_S", 1);
    let shop = Shop::start(settings).await;
    // As many as are looked at in a round.
    let mut connection = shop.connect().await;
    for n in 0..1_000 {
        let product = json!({
            "sku": format!("BEFORE-{n}"), "name": "In stock", "price": 1, "currency": "KRW", "stock": 5,
            "reorder": {"point": 0, "quantity": 10, "factory": "FF-1"},
        });
        let answer = connection
            .send("POST", "/products", &[], Some(&product.to_string()))
            .await;
        answer.unwrap().expect(201);
    }
    offer(&shop).await;
    shop.place(SKU, "all@example.com", 5).await;
    factory.request(2).await;
    shop.replenishment(SKU, "in_production").await;
}

#[tokio::test]
async fn a_failure_of_one_product_leaves_the_others_alone() {
    let factory = Factory::start(Manner::Answer(202));
    let settings = settings(&factory.url()).set("FACTORIES__FF_2", Nothing::bind().url());
    let shop = sold_out(settings).await;
    let reorder = json!({"point": 0, "quantity": 10, "factory": "FF-2"});
    shop.offer("OTHER-1", json!({"reorder": reorder})).await;
    shop.replenishment("OTHER-1", "failed").await;
    shop.replenishment(SKU, "in_production").await;
}
