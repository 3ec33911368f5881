//! Requests that are not as HTTP has them, and those that ask for more than a route takes.

use serde_json::json;

use crate::harness::client::{Answer, Connection};
use crate::harness::{Settings, Shop};

/// What is answered to these bytes.
async fn answer(shop: &Shop, request: &str) -> Answer {
    let mut connection = Connection::open(shop.address).await.unwrap();
    connection.write(request.as_bytes()).await.unwrap();
    connection.answer().await.unwrap()
}

#[tokio::test]
async fn a_target_that_names_a_host_is_asked_for_there() {
    let shop = Shop::start(Settings::new()).await;
    let here = shop.address;
    let request = format!("GET http://evil.example/products HTTP/1.1\r\nhost: {here}\r\n\r\n");
    let refused = answer(&shop, &request).await;
    assert_eq!(refused.problem(403, "host_not_allowed")["field"], "Host");
    let request = format!("GET http://{here}/products HTTP/1.1\r\nhost: evil.example\r\n\r\n");
    answer(&shop, &request).await.expect(200);
}

#[tokio::test]
async fn a_form_that_http_does_not_have_is_refused() {
    let shop = Shop::start(Settings::new()).await;
    let post = "POST /orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
    let chunks = "\r\n2\r\n{}\r\n0\r\n\r\n";
    let long = format!("x: {}\r\n", "x".repeat(8_000)).repeat(9);
    for (request, status, code, field) in [
        (
            "GET /healthz HTTP/1.1\r\nhost: a b\r\n\r\n".to_owned(),
            400,
            "invalid_header",
            json!("Host"),
        ),
        (
            format!("{post}transfer-encoding: gzip, chunked\r\n{chunks}"),
            415,
            "unsupported_media_type",
            json!("Transfer-Encoding"),
        ),
        (
            format!("{post}content-encoding: gzip\r\ncontent-length: 2\r\n\r\n{{}}"),
            415,
            "unsupported_media_type",
            json!("Content-Encoding"),
        ),
        (
            format!("GET /healthz HTTP/1.1\r\nhost: a\r\n{long}\r\n"),
            431,
            "header_too_large",
            json!(null),
        ),
    ] {
        let refused = answer(&shop, &request).await.problem(status, code);
        assert_eq!(refused["field"], field, "{refused}");
    }
}

#[tokio::test]
async fn a_web_socket_of_another_version_is_told_which_there_is() {
    let shop = Shop::start(Settings::new()).await;
    for (wrong, status) in [
        ("upgrade: websocket\r\nsec-websocket-version: 99", 426),
        ("upgrade: websocket\r\nx: none", 426),
        ("upgrade: h2c\r\nsec-websocket-version: 13", 426),
        ("upgrade: WebSocket\r\nsec-websocket-version: 13", 101),
    ] {
        let request = format!(
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, Upgrade\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{wrong}\r\n\r\n"
        );
        let mut connection = Connection::open(shop.address).await.unwrap();
        connection.write(request.as_bytes()).await.unwrap();
        let head = connection.head().await.unwrap();
        assert_eq!(head.status, status, "{wrong}");
        if status == 426 {
            assert_eq!(head.header("sec-websocket-version"), Some("13"));
            assert_eq!(head.header("upgrade"), Some("websocket"));
        }
    }
}

#[tokio::test]
async fn a_parameter_that_a_route_does_not_take_is_refused_everywhere() {
    let shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": 1})).await;
    for path in [
        "/products",
        "/products/A-1",
        "/healthz",
        "/ops/summary",
        "/metrics",
    ] {
        let refused = shop.get(&format!("{path}?x=1")).await;
        let problem = refused.problem(400, "invalid_parameter");
        assert_eq!(problem["field"], "x", "{path}: {problem}");
        assert_eq!(shop.get(&format!("{path}?")).await.status, 200, "{path}");
    }
    let order = json!({"sku": "A-1", "customer": "ada@example.com"});
    let refused = shop.post("/orders?wait=1", &order).await;
    assert_eq!(refused.problem(400, "invalid_parameter")["field"], "wait");
    assert_eq!(shop.get("/?utm=1").await.status, 200, "a page");
}

/// What is the same for two requests that ask the same.
fn told(answer: &Answer) -> (u16, [Option<&str>; 3], Vec<String>) {
    let headers = ["content-type", "retry-after", "connection"].map(|name| answer.header(name));
    let body = answer.json();
    let names = body.as_object().into_iter().flatten();
    let names = names.map(|(name, _)| name.clone()).collect();
    (answer.status, headers, names)
}

#[tokio::test]
async fn a_request_that_goes_straight_to_its_handler_is_answered_as_by_its_route() {
    let shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": 2})).await;
    shop.offer("B-1", json!({"stock": 0, "whenSoldOut": "wait"}))
        .await;
    let json_type = ("content-type", "application/json");
    let bodies = [
        json!({"sku": "A-1", "customer": "ada@example.com"}).to_string(),
        json!({"sku": "B-1", "customer": "ada@example.com"}).to_string(),
        json!({"sku": "none", "customer": "ada@example.com"}).to_string(),
        json!({"sku": "A-1", "customer": "ada", "quantity": 0}).to_string(),
        json!({"email": "ada@example.com", "sku": "A-1"}).to_string(),
        json!({"auctionId": "auc_1", "bidderId": "ada", "bidAmount": 5}).to_string(),
        "[1]".to_owned(),
        "{".to_owned(),
    ];
    let mut connection = shop.connect().await;
    for path in ["/orders", "/buy", "/bids", "/bid"] {
        // With an empty query it takes the way through the router.
        let routed = format!("{path}?");
        for body in &bodies {
            for headers in [
                vec![json_type],
                vec![("content-type", "text/plain")],
                vec![json_type, ("prefer", "wait=x")],
                vec![json_type, ("idempotency-key", "")],
                vec![json_type, ("origin", "http://evil.example")],
            ] {
                let straight = connection
                    .send("POST", path, &headers, Some(body))
                    .await
                    .unwrap();
                let by_route = connection
                    .send("POST", &routed, &headers, Some(body))
                    .await
                    .unwrap();
                assert_eq!(
                    told(&straight),
                    told(&by_route),
                    "{path} {headers:?} {body}"
                );
            }
        }
        // Whatever else there is at the path is the router's in any case.
        connection
            .send("PUT", path, &[json_type], Some("{}"))
            .await
            .unwrap()
            .problem(405, "method_not_allowed");
        let refused = connection
            .send("POST", &format!("{path}?x=1"), &[json_type], Some("{}"))
            .await
            .unwrap();
        assert_eq!(refused.problem(400, "invalid_parameter")["field"], "x");
    }
}
