//! `Idempotency-Key`: one key, one order, whatever happens in between (rule 6).

use serde_json::{Value, json};

use crate::harness::client::Answer;
use crate::harness::{Settings, Shop};

async fn keyed(shop: &Shop, path: &str, key: &str, body: &Value) -> Answer {
    let headers = [("idempotency-key", key)];
    shop.send("POST", path, &headers, Some(body)).await
}

fn body(customer: &str, quantity: u64) -> Value {
    json!({"sku": "A-1", "customer": customer, "quantity": quantity})
}

async fn shop(stock: u64) -> Shop {
    let shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": stock})).await;
    shop
}

#[tokio::test]
async fn the_same_request_has_the_same_answer() {
    let mut shop = shop(3).await;
    let order = body("a@example.com", 2);
    let first = keyed(&shop, "/orders", "k-1", &order).await;
    first.expect(201);
    assert!(!first.is_replay());
    let late = body("b@example.com", 2);
    let sold_out = keyed(&shop, "/orders", "k-2", &late).await;
    assert_eq!(sold_out.problem(409, "sold_out")["available"], 1);
    assert!(!sold_out.is_replay());

    let replayed = async |shop: &Shop| {
        let again = keyed(shop, "/orders", "k-1", &order).await;
        assert_eq!(again.expect(201), first.json());
        assert!(again.is_replay());
        let again = keyed(shop, "/orders", "k-2", &late).await;
        let problem = again.problem(409, "sold_out");
        assert_eq!(problem["order"], sold_out.json()["order"]);
        assert!(again.is_replay());
        assert_eq!(shop.product("A-1").await["lastPlace"], 2);
    };
    replayed(&shop).await;
    shop.kill();
    shop.restart().await;
    replayed(&shop).await;
    shop.stop().await;
    shop.restart().await;
    replayed(&shop).await;
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused() {
    let mut shop = shop(9).await;
    shop.offer("B-1", json!({"stock": 9})).await;
    keyed(&shop, "/orders", "k-1", &body("a@example.com", 1))
        .await
        .expect(201);
    for restarted in [false, true] {
        if restarted {
            shop.kill();
            shop.restart().await;
        }
        for other in [
            body("a@example.com", 2),
            body("b@example.com", 1),
            json!({"sku": "B-1", "customer": "a@example.com"}),
        ] {
            let answer = keyed(&shop, "/orders", "k-1", &other).await;
            let problem = answer.problem(422, "idempotency_key_reused");
            assert_eq!(problem["field"], "Idempotency-Key", "{other}");
        }
        // A field that is left out means its default: the same request.
        let short = json!({"customer": "a@example.com", "sku": "A-1"});
        assert!(keyed(&shop, "/orders", "k-1", &short).await.is_replay());
    }
    assert_eq!(shop.product("A-1").await["lastPlace"], 1);
    assert_eq!(shop.product("B-1").await["lastPlace"], 0);
}

#[tokio::test]
async fn a_hundred_requests_with_one_key_are_one_order() {
    let shop = shop(50).await;
    let order = body("a@example.com", 1);
    let answers = (0..100).map(|_| keyed(&shop, "/orders", "k-1", &order));
    let answers = futures_util::future::join_all(answers).await;
    let id = &answers[0].json()["id"];
    for answer in &answers {
        assert_eq!(answer.expect(201)["id"], *id);
    }
    let first = answers.iter().filter(|answer| !answer.is_replay());
    assert_eq!(first.count(), 1);
    let product = shop.product("A-1").await;
    assert_eq!(product["lastPlace"], 1);
    assert_eq!(product["allocated"], 1);
}

#[tokio::test]
async fn a_refusal_leaves_the_key_free() {
    let shop = shop(9).await;
    shop.offer("B-1", json!({"stock": 9, "purchaseLimit": 1}))
        .await;
    shop.offer(
        "C-1",
        json!({"stock": 9, "opensAt": "2999-01-01T00:00:00Z"}),
    )
    .await;
    for (status, code, refused) in [
        (
            409,
            "purchase_limit",
            json!({"sku": "B-1", "customer": "a@example.com", "quantity": 2}),
        ),
        (
            409,
            "not_open_yet",
            json!({"sku": "C-1", "customer": "a@example.com"}),
        ),
        (
            404,
            "product_not_found",
            json!({"sku": "D-1", "customer": "a@example.com"}),
        ),
        (
            422,
            "invalid_field",
            json!({"sku": "A-1", "customer": "a@example.com", "quantity": 0}),
        ),
    ] {
        let answer = keyed(&shop, "/orders", "k-1", &refused).await;
        answer.problem(status, code);
    }
    let answer = keyed(&shop, "/orders", "k-1", &body("a@example.com", 1)).await;
    answer.expect(201);
    assert!(!answer.is_replay());
}

#[tokio::test]
async fn the_longest_key_is_taken_and_a_longer_one_is_not() {
    let shop = shop(9).await;
    let order = body("a@example.com", 1);
    let longest = "!".repeat(255);
    keyed(&shop, "/orders", &longest, &order).await.expect(201);
    assert!(keyed(&shop, "/orders", &longest, &order).await.is_replay());
    let answer = keyed(&shop, "/orders", &"!".repeat(256), &order).await;
    let problem = answer.problem(400, "invalid_header");
    assert_eq!(problem["field"], "Idempotency-Key");
}

#[tokio::test]
async fn a_customer_holds_so_many_keys_and_others_their_own() {
    let mut shop = Shop::start(Settings::new().set("LIMITS__KEYS_PER_CUSTOMER", 3)).await;
    shop.offer("A-1", json!({"stock": 50})).await;
    for key in ["k-1", "k-2", "k-3"] {
        keyed(&shop, "/orders", key, &body("a@example.com", 1))
            .await
            .expect(201);
    }
    for restarted in [false, true] {
        if restarted {
            shop.kill();
            shop.restart().await;
        }
        // The customer is the same, however the address is written.
        let answer = keyed(&shop, "/orders", "k-4", &body("A@Example.com", 1)).await;
        let problem = answer.problem(429, "too_many_keys");
        assert_eq!(problem["limit"], 3);
        assert_eq!(problem["field"], "Idempotency-Key");
        assert!(answer.header("retry-after").is_some());
        let replay = keyed(&shop, "/orders", "k-3", &body("a@example.com", 1)).await;
        assert!(replay.is_replay(), "what is held is still answered");
    }
    shop.order("A-1", "a@example.com").await.expect(201);
    keyed(&shop, "/orders", "k-4", &body("b@example.com", 1))
        .await
        .expect(201);
}

#[tokio::test]
async fn a_repeat_shows_what_became_of_the_order() {
    let shop = shop(0).await;
    shop.offer("WAIT-1", json!({"whenSoldOut": "wait"})).await;
    let order = json!({"sku": "WAIT-1", "customer": "a@example.com"});
    let pending = keyed(&shop, "/orders", "k-1", &order).await;
    let id = pending.expect(202)["id"].clone();
    let location = format!("/orders/{}", id.as_str().unwrap());
    assert_eq!(pending.header("location"), Some(location.as_str()));
    let again = keyed(&shop, "/orders", "k-1", &order).await;
    assert_eq!(again.expect(202), pending.json());
    assert_eq!(again.header("location"), Some(location.as_str()));
    assert!(again.is_replay());
    shop.receive("WAIT-1", 1, "d-1").await;
    let accepted = keyed(&shop, "/orders", "k-1", &order).await;
    assert_eq!(accepted.expect(201)["id"], id);
    assert!(accepted.is_replay());
    shop.send("DELETE", &location, &[], None).await.expect(200);
    let cancelled = keyed(&shop, "/orders", "k-1", &order).await;
    assert_eq!(cancelled.expect(200)["status"], "cancelled");
    assert!(cancelled.is_replay());
}

#[tokio::test]
async fn the_compact_form_has_keys_of_its_own() {
    let shop = shop(9).await;
    keyed(&shop, "/orders", "k-1", &body("a@example.com", 1))
        .await
        .expect(201);
    let buy = json!({"email": "a@example.com", "sku": "A-1"});
    let first = keyed(&shop, "/buy", "k-1", &buy).await;
    let order = first.expect(202)["order"].clone();
    assert_eq!(order["place"], 2);
    assert!(!first.is_replay());
    let again = keyed(&shop, "/buy", "k-1", &buy).await;
    assert_eq!(again.expect(202)["order"]["id"], order["id"]);
    assert!(again.is_replay());
    let other = json!({"email": "b@example.com", "sku": "A-1"});
    let answer = keyed(&shop, "/buy", "k-1", &other).await;
    answer.problem(422, "idempotency_key_reused");
    assert_eq!(shop.product("A-1").await["lastPlace"], 2);
}
