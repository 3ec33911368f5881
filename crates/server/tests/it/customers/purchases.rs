//! `POST /purchase`, and what becomes of it.

use serde_json::{Value, json};

use super::{ADA, customer_with, dead_letters, is_empty};
use crate::harness::{Settings, Shop};

fn purchase(id: impl Into<Value>, price: impl Into<Value>) -> Value {
    json!({
        "id": id.into(), "username": ADA, "price": price.into(), "mileageAccumulated": 0,
        "trackingId": "T-1",
    })
}

async fn bodies(shop: &Shop, queue: &str) -> Vec<Value> {
    let messages = dead_letters(shop, queue).await;
    let mut bodies = Vec::new();
    for message in messages {
        let path = format!("/ops/queues/{queue}/messages/{}", message["seq"]);
        let whole = shop.get(&path).await.expect(200);
        bodies.push(serde_json::from_str(whole["body"].as_str().unwrap()).unwrap());
    }
    bodies
}

#[tokio::test]
async fn a_purchase_is_in_both_queues_for_whoever_consumes_them() {
    let off = r#"["mileage","product-tracking"]"#;
    let shop = Shop::start(Settings::new().set("CONSUMERS__OFF", off)).await;
    let sent = [purchase(1, 1_000), purchase("p-2", "19900")];
    let answer = shop.post("/purchase", &sent[0]).await.expect(202);
    assert_eq!(answer["id"], 1);
    assert_eq!(answer["queues"], json!(["mileage", "product-tracking"]));
    assert_eq!(answer["messageId"].as_str().unwrap().len(), 36);
    let by_get = shop.send("GET", "/purchase", &[], Some(&sent[1])).await;
    by_get.expect(202);
    for queue in ["mileage", "product-tracking"] {
        assert_eq!(bodies(&shop, queue).await, sent, "{queue}");
    }
}

#[tokio::test]
async fn a_purchase_that_is_sent_again_counts_once() {
    let shop = Shop::start(Settings::new()).await;
    for _ in 0..3 {
        shop.post("/purchase", &purchase(1, "19900"))
            .await
            .expect(202);
    }
    // A number and the text of its digits are one id.
    shop.post("/purchase", &purchase("1", 19_900))
        .await
        .expect(202);
    shop.post("/purchase", &purchase(2, 149)).await.expect(202);
    is_empty(&shop, "mileage").await;
    customer_with(&shop, "ADA@example.com", "/mileage", 398 + 2).await;
    let list = shop
        .get(&format!("/customers/{ADA}/mileage"))
        .await
        .expect(200);
    let list = list["mileage"].as_array().unwrap();
    let causes: Vec<&Value> = list.iter().map(|entry| &entry["cause"]).collect();
    assert_eq!(causes, ["purchase:2", "purchase:1"]);
    assert_eq!(dead_letters(&shop, "mileage-dlq").await.len(), 0);
}

#[tokio::test]
async fn a_purchase_that_is_wrong_is_in_no_queue() {
    let off = r#"["mileage","product-tracking"]"#;
    let shop = Shop::start(Settings::new().set("CONSUMERS__OFF", off)).await;
    let with = |field: &str, value: Value| {
        let mut body = purchase(1, 1);
        body[field] = value;
        body
    };
    for (body, code, field) in [
        (with("price", json!(-1)), "invalid_field", "price"),
        (with("price", json!(1.5)), "invalid_field", "price"),
        (with("price", json!("cheap")), "invalid_field", "price"),
        (with("username", json!("")), "invalid_field", "username"),
        (with("username", json!(["x"])), "invalid_field", "username"),
        (with("id", json!({})), "invalid_field", "id"),
        (
            with("trackingId", json!("x".repeat(129))),
            "invalid_field",
            "trackingId",
        ),
        (
            with("trackingId", json!("T-€")),
            "invalid_field",
            "trackingId",
        ),
        (
            with("trackingId", json!("T 1")),
            "invalid_field",
            "trackingId",
        ),
        (with("colour", json!("red")), "unknown_field", "colour"),
    ] {
        let problem = shop.post("/purchase", &body).await.problem(422, code);
        assert_eq!(problem["field"], field, "{problem}");
    }
    for field in ["id", "username", "price", "trackingId"] {
        let mut body = purchase(1, 1);
        body.as_object_mut().unwrap().remove(field);
        let problem = shop.post("/purchase", &body).await;
        assert_eq!(problem.problem(422, "missing_field")["field"], field);
    }
    let none = shop.send("GET", "/purchase", &[], None).await;
    none.problem(415, "unsupported_media_type");
    for queue in ["mileage", "product-tracking"] {
        assert_eq!(bodies(&shop, queue).await.len(), 0, "{queue}");
    }
}

#[tokio::test]
async fn only_who_has_the_token_may_give_points_or_look_at_customers() {
    let token = "0123456789abcdef";
    let shop = Shop::start(Settings::new().set("AUTH__OPERATOR_TOKEN", token)).await;
    let body = purchase(1, 1);
    let anybody = shop.post("/purchase", &body).await;
    anybody.problem(401, "unauthorized");
    for path in ["/customers/x", "/customers/x/mileage"] {
        shop.get(path).await.problem(401, "unauthorized");
    }
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let known = shop.send("POST", "/purchase", &headers, Some(&body)).await;
    known.expect(202);
}
