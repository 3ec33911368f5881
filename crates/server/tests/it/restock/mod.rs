//! Restocking over real HTTP, with factories that misbehave (rule 8): whatever a factory does,
//! one request is open at a time and what arrives is counted once.

mod asking;
mod callbacks;
mod failing;
mod parts;
mod redrive;

use serde_json::{Value, json};

use crate::harness::client::Answer;
use crate::harness::factory::Request;
use crate::harness::{Settings, Shop};

pub(crate) const SKU: &str = "DONUT-1";

/// A factory must answer within this in tests where it never does.
const SHORT_TIMEOUT_MS: u64 = 200;

/// Tries twice, and asks again long after the test.
fn settings(factory: &str) -> Settings {
    Settings::new()
        .factory(factory)
        .set("FACTORY__RETRY_MS", 1)
        .set("FACTORY__ATTEMPTS_MAX", 2)
        .set("FACTORY__ASK_AGAIN_S", 600)
}

/// Five in stock; a factory is asked for ten more when none is left.
async fn offer(shop: &Shop) {
    let reorder = json!({"point": 0, "quantity": 10, "factory": "FF-1"});
    let fields = json!({"stock": 5, "whenSoldOut": "wait", "reorder": reorder});
    shop.offer(SKU, fields).await;
}

/// A shop whose last unit has just been sold.
async fn sold_out(settings: Settings) -> Shop {
    let shop = Shop::start(settings).await;
    offer(&shop).await;
    let order = shop.place(SKU, "all@example.com", 5).await;
    assert_eq!(order["status"], "accepted");
    shop
}

/// The factory calls back in system D's form.
async fn deliver(shop: &Shop, request: &Request, count: impl Into<Value>) -> Answer {
    shop.post(&request.callback(), &request.delivery(count))
        .await
}

/// What must be true of the product: this much on hand, this many deliveries counted.
async fn assert_counted(shop: &Shop, on_hand: u64, deliveries: usize) {
    let product = shop.product(SKU).await;
    assert_eq!(product["onHand"], on_hand, "{product}");
    let movements = shop.get(&format!("/products/{SKU}/movements")).await;
    let movements = movements.expect(200)["movements"].clone();
    let received = movements
        .as_array()
        .unwrap()
        .iter()
        .filter(|movement| movement["cause"] == "stock.received");
    assert_eq!(received.count(), deliveries, "{movements}");
}
