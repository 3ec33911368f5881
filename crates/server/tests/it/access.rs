//! Who may call what: with an operator token, operators show it and buyers need none.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::harness::{Settings, Shop};

const TOKEN: &str = "correct-horse-battery";

const FOR_OPERATORS: &[(&str, &str)] = &[
    ("POST", "/products"),
    ("PATCH", "/products/A-1"),
    ("POST", "/products/A-1/receipts"),
    ("GET", "/products/A-1/movements"),
    ("GET", "/replenishments"),
    ("GET", "/replenishments/rep_00000000000000000000000000"),
    ("POST", "/auctions"),
    ("DELETE", "/auctions/auc_00000000000000000000000000"),
    ("GET", "/auctions/auc_00000000000000000000000000/result"),
    ("POST", "/auctions/auc_00000000000000000000000000/settle"),
    ("POST", "/auctions/auc_00000000000000000000000000/forfeit"),
    (
        "POST",
        "/auctions/auc_00000000000000000000000000/second-chance",
    ),
    ("GET", "/events"),
    ("GET", "/metrics"),
    ("GET", "/ops/queues"),
    ("GET", "/ops/queues/replenishment/messages"),
    ("GET", "/ops/queues/replenishment"),
    ("GET", "/ops/queues/replenishment/messages/1"),
    ("POST", "/ops/queues/replenishment/messages"),
    ("POST", "/ops/queues/replenishment/receive"),
    ("POST", "/ops/queues/replenishment/purge"),
    ("POST", "/ops/queues/replenishment-dlq/moves"),
    ("DELETE", "/ops/queues/replenishment-dlq/moves/none"),
    ("POST", "/ops/queues/replenishment-dlq/redrive"),
    ("GET", "/ops/summary"),
    ("GET", "/ops"),
];

const FOR_ALL: &[&str] = &[
    "/products",
    "/products/A-1",
    "/auctions",
    "/healthz",
    "/readyz",
    "/openapi.json",
    "/docs",
    "/",
    "/shop/A-1",
];

#[tokio::test]
async fn operators_show_their_token_wherever_the_server_listens() {
    let settings = Settings::new().set("AUTH__OPERATOR_TOKEN", TOKEN);
    let shop = Shop::start_everywhere(settings).await;
    let bearer = format!("Bearer {TOKEN}");
    let lower = format!("bearer {TOKEN}");
    let basic = format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("anybody:{TOKEN}"))
    );
    let wrong_basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{TOKEN}:")));

    let product = json!({"sku": "A-1", "name": "A", "price": 1, "currency": "KRW", "stock": 1});
    for right in [&bearer, &lower, &basic] {
        let headers = [("authorization", right.as_str())];
        let answer = shop
            .send("POST", "/products", &headers, Some(&product))
            .await;
        assert!(
            [201, 409].contains(&answer.status),
            "{right}: {}",
            answer.body
        );
    }
    for (method, path) in FOR_OPERATORS {
        let longer = format!("{bearer}x");
        let shorter = &bearer[..bearer.len() - 1];
        for wrong in [
            None,
            Some("Bearer"),
            Some("Bearer wrong"),
            Some(shorter),
            Some(longer.as_str()),
            Some(TOKEN),
            Some(wrong_basic.as_str()),
            Some("Basic !"),
        ] {
            let headers: Vec<(&str, &str)> = wrong
                .iter()
                .map(|wrong| ("authorization", *wrong))
                .collect();
            let body = (*method != "GET").then(|| json!({"name": "hacked"}));
            let answer = shop.send(method, path, &headers, body.as_ref()).await;
            answer.problem(401, "unauthorized");
            let asked = answer.header("www-authenticate").unwrap_or_default();
            assert!(
                asked.starts_with("Basic realm="),
                "{method} {path}: {asked}"
            );
        }
        if *path == "/events" {
            continue;
        }
        for right in [&bearer, &lower, &basic] {
            let headers = [("authorization", right.as_str())];
            let body = (*method != "GET").then(|| json!({}));
            let answer = shop.send(method, path, &headers, body.as_ref()).await;
            assert_ne!(answer.status, 401, "{method} {path}: {}", answer.body);
        }
    }
    assert_eq!(shop.product("A-1").await["name"], "A", "nobody changed it");

    for path in FOR_ALL {
        assert_eq!(shop.get(path).await.status, 200, "{path}");
    }
    let order = shop.order("A-1", "a@example.com").await.expect(201);
    shop.order_of(&order).await;
    let mut events = shop.events("/products/A-1/events?since=0").await;
    assert_eq!(events.next().await.unwrap().name, "product.created");
    let callback = json!({"MessageAttributeProductId": "A-1", "MessageAttributeProductCnt": 1});
    let answer = shop.post("/product/donut", &callback).await;
    answer.problem(401, "invalid_token");
}
