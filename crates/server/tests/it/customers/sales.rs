//! From the sale to the customer: nothing here is sent by hand.

use serde_json::json;

use super::{ADA, customer_with, is_empty};
use crate::harness::{Settings, Shop};

#[tokio::test]
async fn a_sale_gives_points_and_units_and_a_cancellation_takes_them_back() {
    let shop = Shop::start(Settings::new()).await;
    shop.offer("S-1", json!({"stock": 160, "price": 1_049}))
        .await;
    let first = shop.place("S-1", ADA, 60).await;
    let id = first["id"].as_str().unwrap();
    let path = format!("/orders/{id}");
    let cancelled = shop.send("DELETE", &path, &[], None).await;
    assert_eq!(cancelled.expect(200)["status"], "cancelled");
    shop.place("S-1", ADA, 99).await;
    // 2 % of 99 * 1,049, rounded down once.
    customer_with(&shop, ADA, "/mileage", 2_077).await;
    let normal = customer_with(&shop, ADA, "/qualifyingUnits", 99).await;
    assert_eq!(normal["tier"], "normal");
    // Too many for what is left: sold out, and neither points nor units for it.
    assert_eq!(shop.place("S-1", ADA, 62).await["status"], "sold_out");
    shop.place("S-1", "ADA@example.com", 1).await;
    customer_with(&shop, ADA, "/mileage", 2_077 + 20).await;
    let vip = customer_with(&shop, ADA, "/tier", "vip").await;
    assert_eq!(vip["qualifyingUnits"], 100);
    let ledger = shop.get(&format!("/customers/{ADA}/mileage")).await;
    let ledger = ledger.expect(200)["mileage"].as_array().unwrap().clone();
    assert_eq!(ledger.len(), 4, "{ledger:?}");
    for queue in ["mileage", "vip.fifo", "mileage-dlq", "vip-dlq.fifo"] {
        is_empty(&shop, queue).await;
    }
}
