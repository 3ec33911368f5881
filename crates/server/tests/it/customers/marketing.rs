//! The marketing system hears of a new VIP once, whatever happens on the way.

use serde_json::json;
use wire::webhooks::{self, Received, Secret};

use super::{
    ADA, SECRET, accepted, customer_with, dead_letters, is_empty, tell_vip, with_marketing,
};
use crate::harness::factory::{Factory, Manner, Nothing, Request};
use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers.get(name).unwrap().to_str().unwrap()
}

/// As the marketing system does.
fn verify(request: &Request) {
    let received = Received {
        id: Some(header(request, webhooks::ID_HEADER)),
        timestamp: Some(header(request, webhooks::TIMESTAMP_HEADER)),
        signature: Some(header(request, webhooks::SIGNATURE_HEADER)),
        body: request.body.as_bytes(),
    };
    let now_ms = jiff::Timestamp::now().as_millisecond();
    webhooks::verify(&received, &[Secret::parse(SECRET).unwrap()], now_ms).unwrap();
}

/// The message is back in the queue: one in the hands of a process that dies is there again only
/// when its visibility timeout is over.
async fn put_off(shop: &Shop) {
    let line = "firstcome_consumer_handled_total{consumer=\"marketing\",outcome=\"wait\"}";
    eventually("the message is put off", async || {
        let metrics = shop.get("/metrics").await.body;
        let consumers = shop.get("/ops/consumers").await.json();
        let consumers = consumers["consumers"].as_array().unwrap();
        let marketing = consumers.iter().find(|one| one["name"] == "marketing")?;
        (metrics.contains(line) && marketing["inHand"] == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_marketing_system_that_was_away_is_told_when_it_is_back() {
    let nothing = Nothing::bind();
    let mut shop = Shop::start(with_marketing(&nothing.url())).await;
    tell_vip(&shop, &accepted(1, ADA, 100)).await;
    let waiting = customer_with(&shop, ADA, "/marketing/status", "queued").await;
    put_off(&shop).await;
    shop.kill();
    let marketing = nothing.come_up(Manner::Answer(503));
    shop.restart().await;
    let third = marketing.request(3).await;
    marketing.behave(Manner::Answer(204));
    let told = customer_with(&shop, ADA, "/marketing/status", "told").await;
    assert_eq!(told["marketing"]["notice"], waiting["marketing"]["notice"]);
    is_empty(&shop, "marketing").await;
    is_empty(&shop, "marketing-dlq").await;
    let requests = marketing.requests();
    for request in &requests {
        verify(request);
        // The same each time: the receiver can tell that it is one.
        assert_eq!(header(request, "webhook-id"), told["marketing"]["notice"]);
        assert_eq!(request.body, third.body);
    }
    let since = "2025-11-24T16:00:00.001Z";
    let expected = json!({
        "type": "customer.became_vip", "timestamp": since,
        "data": {"customer": ADA, "units": 100, "since": since},
    });
    assert_eq!(third.json(), expected);
    // Neither a repeat of the event nor a restart tells it again.
    let count = requests.len();
    shop.kill();
    shop.restart().await;
    tell_vip(&shop, &accepted(2, ADA, 100)).await;
    customer_with(&shop, ADA, "/qualifyingUnits", 200).await;
    tell_vip(&shop, &accepted(3, "kim@example.com", 100)).await;
    customer_with(&shop, "kim@example.com", "/marketing/status", "told").await;
    assert_eq!(marketing.requests().len(), count + 1);
}

#[tokio::test]
async fn what_the_marketing_system_refuses_is_a_dead_letter_and_can_be_sent_again() {
    let marketing = Factory::start(Manner::Answer(410));
    let shop = Shop::start(with_marketing(&marketing.url())).await;
    tell_vip(&shop, &accepted(1, ADA, 100)).await;
    marketing.request(1).await;
    is_empty(&shop, "marketing").await;
    let letters = dead_letters(&shop, "marketing-dlq").await;
    assert_eq!(letters.len(), 1);
    assert!(!letters[0].to_string().contains(ADA), "{letters:?}");
    customer_with(&shop, ADA, "/marketing/status", "queued").await;
    marketing.behave(Manner::Answer(200));
    let redrive = "/ops/queues/marketing-dlq/redrive";
    shop.send("POST", redrive, &[], None).await.expect(200);
    customer_with(&shop, ADA, "/marketing/status", "told").await;
    assert_eq!(marketing.requests().len(), 2);
}

#[tokio::test]
async fn who_became_vip_before_there_was_a_marketing_system_is_told_of_later() {
    let marketing = Factory::start(Manner::Answer(200));
    let mut shop = Shop::start(Settings::new()).await;
    tell_vip(&shop, &accepted(1, ADA, 100)).await;
    customer_with(&shop, ADA, "/marketing/status", "waiting").await;
    let metrics = shop.get("/metrics").await.body;
    assert!(
        metrics.contains("firstcome_vip_notices_untold"),
        "{metrics}"
    );
    shop.stop().await;
    shop.restart_with(with_marketing(&marketing.url())).await;
    customer_with(&shop, ADA, "/marketing/status", "told").await;
    verify(&marketing.request(1).await);
}
