//! Products: pages, changes, and when a sale opens.

use serde_json::{Value, json};

use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

#[tokio::test]
async fn a_list_is_paged_by_sku() {
    let shop = Shop::start(Settings::new()).await;
    for sku in ["C", "A", "E", "B", "D"] {
        shop.offer(sku, json!({})).await;
    }
    let mut path = "/products?limit=2".to_owned();
    let mut pages = Vec::new();
    loop {
        let page = shop.get(&path).await.expect(200);
        let skus = page["products"].as_array().unwrap().iter();
        let skus: Vec<String> = skus
            .map(|product| product["sku"].as_str().unwrap().to_owned())
            .collect();
        pages.push(skus.join(""));
        match page["next"].as_str() {
            Some(next) => path = format!("/products?limit=2&after={next}"),
            None => break,
        }
    }
    assert_eq!(pages, ["AB", "CD", "E"]);
}

#[tokio::test]
async fn a_new_product_says_where_it_is() {
    let shop = Shop::start(Settings::new()).await;
    let body = json!({"sku": "A-1", "name": "A", "price": 1, "currency": "KRW", "stock": 0});
    let answer = shop.post("/products", &body).await;
    answer.expect(201);
    assert_eq!(answer.header("location"), Some("/products/A-1"));
}

#[tokio::test]
async fn null_removes_what_is_optional() {
    let shop = Shop::start(Settings::new()).await;
    let optional = json!({
        "purchaseLimit": 3, "opensAt": "2026-11-20T10:00:00.000Z", "adManager": "ads@example.com",
        "reorder": {"point": 0, "quantity": 5, "factory": "FF-9"},
    });
    let mut fields = optional.clone();
    fields["stock"] = 1.into();
    shop.offer("A-1", fields).await;
    for (name, value) in optional.as_object().unwrap() {
        assert_eq!(&shop.product("A-1").await[name], value);
        let body = Some(json!({ name: null }));
        let changed = shop
            .send("PATCH", "/products/A-1", &[], body.as_ref())
            .await;
        assert_eq!(changed.expect(200)[name], Value::Null);
        let product = shop.product("A-1").await;
        assert!(product.get(name).is_none(), "{product}");
    }
    // Nothing asks a factory any more.
    shop.place("A-1", "a@example.com", 1).await;
    assert_eq!(shop.replenishments("A-1").await.len(), 0);
}

#[tokio::test]
async fn a_changed_price_is_for_later_orders() {
    let shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": 2, "price": 100})).await;
    let before = shop.place("A-1", "a@example.com", 1).await;
    let change = json!({"price": 200, "whenSoldOut": "wait"});
    let changed = shop
        .send("PATCH", "/products/A-1", &[], Some(&change))
        .await;
    assert_eq!(changed.expect(200)["whenSoldOut"], "wait");
    let after = shop.place("A-1", "b@example.com", 1).await;
    assert_eq!(shop.order_of(&before).await["unitPrice"], 100);
    assert_eq!(after["unitPrice"], 200);
}

#[tokio::test]
async fn a_reorder_point_that_is_set_later_asks_at_once() {
    let shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": 2})).await;
    let reorder = json!({"reorder": {"point": 2, "quantity": 5, "factory": "FF-9"}});
    let changed = shop
        .send("PATCH", "/products/A-1", &[], Some(&reorder))
        .await;
    assert_eq!(changed.expect(200)["replenishment"]["status"], "requested");
}

#[tokio::test]
async fn a_sale_opens_at_its_time() {
    let shop = Shop::start(Settings::new()).await;
    let far = "2999-01-01T00:00:00.000Z";
    shop.offer("A-1", json!({"stock": 5, "opensAt": far})).await;
    let early = shop.order("A-1", "a@example.com").await;
    let problem = early.problem(409, "not_open_yet");
    assert_eq!(problem["opensAt"], far);
    assert_eq!(
        shop.product("A-1").await["lastPlace"],
        0,
        "no place was taken"
    );

    let now = shop.get("/ops/summary").await.expect(200)["now"].clone();
    let now: jiff::Timestamp = now.as_str().unwrap().parse().unwrap();
    let opens_at = now + jiff::SignedDuration::from_millis(300);
    let change = json!({"opensAt": opens_at.to_string()});
    let changed = shop
        .send("PATCH", "/products/A-1", &[], Some(&change))
        .await;
    changed.expect(200);
    let order = eventually("the sale is open", async || {
        let answer = shop.order("A-1", "a@example.com").await;
        if answer.status == 409 {
            answer.problem(409, "not_open_yet");
            return None;
        }
        Some(answer.expect(201))
    })
    .await;
    assert_eq!(order["place"], 1);
    let placed_at: jiff::Timestamp = order["placedAt"].as_str().unwrap().parse().unwrap();
    assert!(placed_at >= opens_at, "{placed_at} is before {opens_at}");
}
