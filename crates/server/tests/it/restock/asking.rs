//! When a factory is asked, and how.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{SKU, assert_counted, deliver, offer, settings, sold_out};
use crate::harness::Shop;
use crate::harness::factory::{Factory, Manner};
use crate::harness::wait::eventually;

#[tokio::test]
async fn the_request_is_exactly_system_ds_form() {
    let factory = Factory::start(Manner::Answer(202));
    let shop = sold_out(settings(&factory.url())).await;
    let request = factory.request(1).await;
    let replenishment = shop.replenishment(SKU, "in_production").await;
    let id = replenishment["id"].as_str().unwrap();

    assert_eq!(request.path, "/api/manufactures");
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(request.headers["idempotency-key"], id);
    let expected = json!({
        "MessageGroupId": "stock-arrival-group",
        "MessageAttributeProductId": SKU,
        "MessageAttributeProductCnt": 10,
        "MessageAttributeFactoryId": "FF-1",
        "MessageAttributeRequester": "firstcome",
        "CallbackUrl": format!(
            "http://{}/product/donut?replenishment={id}&token={}",
            shop.address,
            request.argument("token"),
        ),
    });
    assert_eq!(request.json(), expected);
    assert!(
        request.argument("token").len() >= 20,
        "a token cannot be guessed"
    );
}

#[tokio::test]
async fn a_factory_accepts_and_calls_back() {
    let factory = Factory::start(Manner::Answer(202));
    let shop = sold_out(settings(&factory.url())).await;
    let mut events = shop
        .events(&format!("/products/{SKU}/events?since=0"))
        .await;
    let request = factory.request(1).await;
    shop.replenishment(SKU, "in_production").await;

    let answer = deliver(&shop, &request, 10).await.expect(200);
    assert_eq!(
        answer,
        json!({"message": "stock received: 15 on hand", "stock": 15, "repeated": false})
    );
    let done = shop.replenishment(SKU, "received").await;
    assert_eq!(done["received"], 10);
    assert_eq!(done["attempts"], 1);
    assert_eq!(done["reason"], Value::Null);
    assert_counted(&shop, 15, 1).await;
    for (name, status) in [
        ("replenishment.requested", "requested"),
        ("replenishment.started", "in_production"),
        ("replenishment.received", "received"),
    ] {
        let event = events.next_named(name).await;
        assert_eq!(event.data["status"], status);
        assert_eq!(event.data["replenishment"], done["id"]);
        assert_eq!(event.data["quantity"], 10);
    }
    assert_eq!(factory.requests().len(), 1, "it was asked once");
}

#[tokio::test]
async fn goods_that_arrive_before_the_factory_answered_are_counted() {
    let told = Arc::new(Notify::new());
    let factory = Factory::start(Manner::After(Arc::clone(&told)));
    let shop = sold_out(settings(&factory.url())).await;
    let request = factory.request(1).await;
    assert_eq!(shop.replenishments(SKU).await[0]["status"], "requested");
    deliver(&shop, &request, 10).await.expect(200);
    assert_eq!(shop.replenishments(SKU).await[0]["status"], "received");
    told.notify_one();
    shop.queue_is_empty().await;
    let replenishments = shop.replenishments(SKU).await;
    assert_eq!(replenishments.len(), 1, "{replenishments:?}");
    assert_eq!(replenishments[0]["status"], "received");
    assert_counted(&shop, 15, 1).await;
}

#[tokio::test]
async fn orders_that_reach_the_reorder_point_together_make_one_request() {
    let factory = Factory::start(Manner::Answer(202));
    let shop = Shop::start(settings(&factory.url())).await;
    offer(&shop).await;
    let buyers: Vec<String> = (0..20).map(|n| format!("{n}@example.com")).collect();
    let orders = buyers.iter().map(|buyer| shop.place(SKU, buyer, 1));
    let orders = futures_util::future::join_all(orders).await;
    let accepted = orders.iter().filter(|order| order["status"] == "accepted");
    assert_eq!(accepted.count(), 5);
    let request = factory.request(1).await;
    shop.replenishment(SKU, "in_production").await;
    assert_eq!(shop.replenishments(SKU).await.len(), 1);

    // Fifteen wait for ten: as soon as those are given away, the next request goes out.
    deliver(&shop, &request, 10).await.expect(200);
    let second = factory.request(2).await;
    eventually("the second one is taken", async || {
        let all = shop.replenishments(SKU).await;
        (all.len() == 2 && all[0]["status"] == "in_production").then_some(())
    })
    .await;
    deliver(&shop, &second, 10).await.expect(200);
    for (n, order) in orders.iter().enumerate() {
        let order = shop.order_of(order).await;
        assert_eq!(order["status"], "accepted", "order {n}: {order}");
    }
    assert_counted(&shop, 25, 2).await;
}

#[tokio::test]
async fn a_receipt_at_the_door_does_not_close_the_request() {
    let factory = Factory::start(Manner::Answer(202));
    let shop = sold_out(settings(&factory.url())).await;
    let request = factory.request(1).await;
    shop.receive(SKU, 3, "found in the cellar").await;
    shop.replenishment(SKU, "in_production").await;
    deliver(&shop, &request, 10).await.expect(200);
    assert_counted(&shop, 18, 2).await;
}
