//! Stock movements: every change of the stock, with its cause, in sums that are right.

use serde_json::{Value, json};

use crate::harness::{Settings, Shop};

async fn pages(shop: &Shop, limit: usize) -> Vec<Value> {
    let mut all = Vec::new();
    let mut path = format!("/products/A-1/movements?limit={limit}");
    loop {
        let page = shop.get(&path).await.expect(200);
        let movements = page["movements"].as_array().unwrap();
        assert!(movements.len() <= limit, "{page}");
        all.extend(movements.iter().cloned());
        assert!(all.len() < 1_000, "the pages never end");
        match page["next"].as_u64() {
            Some(next) => path = format!("/products/A-1/movements?limit={limit}&before={next}"),
            None => return all,
        }
    }
}

#[tokio::test]
async fn movements_tell_every_change_and_its_cause() {
    let shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": 10, "whenSoldOut": "wait"}))
        .await;
    shop.offer("B-1", json!({"stock": 9})).await;
    let first = shop.place("A-1", "a@example.com", 4).await;
    shop.place("B-1", "a@example.com", 1).await;
    shop.place("A-1", "b@example.com", 6).await;
    let waiting = shop.place("A-1", "c@example.com", 3).await;
    let leaves = shop.place("A-1", "d@example.com", 1).await;
    // One who waits moves nothing by leaving; one who was accepted gives back.
    for order in [&leaves, &first] {
        let path = format!("/orders/{}", order["id"].as_str().unwrap());
        shop.send("DELETE", &path, &[], None).await.expect(200);
    }
    assert_eq!(shop.order_of(&waiting).await["status"], "accepted");
    let name = json!({"name": "B"});
    shop.send("PATCH", "/products/A-1", &[], Some(&name))
        .await
        .expect(200);
    shop.receive("A-1", 5, "delivery 1").await;

    let all = pages(&shop, 100).await;
    let told: Vec<Value> = all
        .iter()
        .rev()
        .map(|one| {
            json!([
                one["cause"],
                one["reference"],
                one["onHand"],
                one["allocated"],
                one["after"]["available"]
            ])
        })
        .collect();
    let expected = [
        json!(["product.created", "first stock", 10, 0, 10]),
        json!(["order.accepted", "place 1", 0, 4, 6]),
        json!(["order.accepted", "place 2", 0, 6, 0]),
        json!(["order.cancelled", "place 1", 0, -4, 4]),
        json!(["order.accepted", "place 3", 0, 3, 1]),
        json!(["stock.received", "delivery 1", 5, 0, 6]),
    ];
    assert_eq!(told, expected);

    let (mut on_hand, mut allocated, mut seq) = (0, 0, 0);
    for one in all.iter().rev() {
        on_hand += one["onHand"].as_i64().unwrap();
        allocated += one["allocated"].as_i64().unwrap();
        let after = json!({
            "onHand": on_hand, "reserved": 0, "allocated": allocated, "available": on_hand - allocated,
        });
        assert_eq!(one["after"], after, "{one}");
        let newer = one["seq"].as_i64().unwrap();
        assert!(newer > seq, "in order");
        seq = newer;
    }
    let product = shop.product("A-1").await;
    assert_eq!(product["onHand"], on_hand);
    assert_eq!(product["allocated"], allocated);
    for limit in 1..=7 {
        assert_eq!(pages(&shop, limit).await, all, "pages of {limit}");
    }
}

#[tokio::test]
async fn a_long_stretch_without_movements_is_passed() {
    let shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": 1})).await;
    shop.place("A-1", "a@example.com", 1).await;
    let mut connection = shop.connect().await;
    let body = json!({"sku": "A-1", "customer": "late@example.com"}).to_string();
    for _ in 0..200 {
        let answer = connection.send("POST", "/orders", &[], Some(&body)).await;
        answer.unwrap().problem(409, "sold_out");
    }
    let all = pages(&shop, 2).await;
    let causes: Vec<&Value> = all.iter().map(|one| &one["cause"]).collect();
    assert_eq!(causes, ["order.accepted", "product.created"]);
}
