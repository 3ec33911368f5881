//! The shop with the reference factory, as programs of their own and as one.

use serde_json::json;

use super::{SKU, offer, settings};
use crate::harness::client::Headers;
use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

#[tokio::test]
async fn a_line_is_served_in_order_while_factory_and_shop_are_killed() {
    let mut factory = Shop::start_factory(300).await;
    let url = format!("http://{}/api/manufactures", factory.address);
    let settings = settings(&url).set("FACTORY__ATTEMPTS_MAX", 100);
    let mut shop = Shop::start(settings).await;
    offer(&shop).await;
    let mut orders = Vec::new();
    for place in 1..=25 {
        let order = shop.place(SKU, &format!("{place}@example.com"), 1).await;
        assert_eq!(order["place"], place);
        orders.push(order);
    }
    shop.replenishment(SKU, "in_production").await;
    factory.kill();
    shop.kill();
    factory.restart().await;
    shop.restart().await;
    eventually("everybody is served", async || {
        let product = shop.product(SKU).await;
        (product["waiting"] == 0).then_some(())
    })
    .await;
    let mut events = shop
        .events(&format!("/products/{SKU}/events?since=0"))
        .await;
    for place in 1..=25 {
        let accepted = events.next_named("order.accepted").await;
        assert_eq!(accepted.data["place"], place);
    }
    for order in &orders {
        assert_eq!(shop.order_of(order).await["status"], "accepted");
    }
    let product = shop.product(SKU).await;
    let received = shop.replenishments(SKU).await;
    let received = received.iter().filter(|one| one["status"] == "received");
    assert_eq!(product["onHand"], 5 + 10 * received.count());
    assert_eq!(product["allocated"], 25);
}

#[tokio::test]
async fn the_demo_restocks_itself() {
    let settings = Settings::new()
        .arg("--demo")
        .set("FACTORY__LEAD_TIME_MS", 50);
    restock_demo(&Shop::start(settings).await, &[]).await;
}

/// As in a container: the address that is listened at is none that can be called.
#[tokio::test]
async fn the_demo_restocks_itself_on_every_address() {
    let settings = Settings::new()
        .arg("--demo")
        .set("FACTORY__LEAD_TIME_MS", 50)
        .set("AUTH__OPERATOR_TOKEN", "0123456789abcdef");
    let shop = Shop::start_everywhere(settings).await;
    restock_demo(&shop, &[("authorization", "Bearer 0123456789abcdef")]).await;
}

async fn restock_demo(shop: &Shop, operator: Headers<'_>) {
    let order = shop.place("CP-502101", "all@example.com", 5).await;
    assert_eq!(order["status"], "accepted");
    let waiting = shop.place("CP-502101", "next@example.com", 2).await;
    assert_eq!(waiting["status"], "pending");
    eventually("the next in line is served", async || {
        let order = shop.order_of(&waiting).await;
        (order["status"] == "accepted").then_some(())
    })
    .await;
    // The goods are counted before the factory hears that they were.
    eventually("the factory knows that it has delivered", async || {
        let jobs = shop.get("/api/manufactures").await.expect(200);
        (jobs["jobs"][0]["status"] == "delivered").then_some(())
    })
    .await;
    let list = shop
        .send("GET", "/replenishments", operator, None)
        .await
        .expect(200);
    assert_eq!(list["replenishments"][0]["status"], "received");
    assert_eq!(shop.product("CP-502101").await["onHand"], json!(15));
}
