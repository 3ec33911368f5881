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

#[tokio::test]
async fn whoever_bids_needs_no_token() {
    let settings = Settings::new().set("AUTH__OPERATOR_TOKEN", TOKEN);
    let shop = Shop::start(settings).await;
    let bearer = format!("Bearer {TOKEN}");
    let tomorrow = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    let put_up = json!({
        "product": "Guitar", "startingPrice": 100, "currency": "KRW", "increment": 1,
        "endTime": format!("{tomorrow:.3}"), "buyNowPrice": 5_000,
        "retraction": {"withinMs": 3_600_000, "beforeEndMs": 0},
    });
    let headers = [("authorization", bearer.as_str())];
    let guitar = shop
        .send("POST", "/auctions", &headers, Some(&put_up))
        .await;
    let guitar = guitar.expect(201)["id"].as_str().unwrap().to_owned();
    let body = |bidder: &str, amount: i64| json!({"auctionId": guitar, "bidderId": bidder, "bidAmount": amount});
    let id = |bid: &serde_json::Value| bid["id"].as_str().unwrap().to_owned();
    let ada = id(&shop.post("/bids", &body("ada", 100)).await.expect(201));
    let bob = id(&shop.post("/bid", &body("bob", 200)).await.expect(202));
    for path in [
        "/auctions".to_owned(),
        format!("/auctions/{guitar}"),
        format!("/auctions/{guitar}/bids"),
        format!("/bids/{guitar}"),
        format!("/auctions/{guitar}/certificate"),
        format!("/bids/by-id/{ada}"),
    ] {
        shop.get(&path).await.expect(200);
    }
    for path in [
        format!("/auctions/{guitar}/events?since=0"),
        format!("/auctions/{guitar}/events?latest=true"),
        format!("/bids/by-id/{ada}/events"),
    ] {
        shop.events(&path).await.next().await.unwrap();
    }
    let offer = format!("/bids/by-id/{ada}/offer");
    let answer = shop.post(&offer, &json!({"accept": true})).await;
    answer.problem(409, "auction_not_closed");
    let path = format!("/bids/by-id/{bob}");
    shop.send("DELETE", &path, &[], None).await.expect(200);
    let path = format!("/auctions/{guitar}/buy-now");
    shop.post(&path, &json!({"bidderId": "carl"}))
        .await
        .expect(201);
    let path = format!("/auctions/{guitar}/certificate");
    let certificate = shop.get(&path).await;
    assert_eq!(certificate.expect(200)["final"], true);
    let proof = commerce::auction::certificate::verify(certificate.body.as_bytes());
    assert_eq!(proof.unwrap().winners.len(), 1);
}

/// What a form or a picture on any page may send, with a password that the browser remembers.
#[tokio::test]
async fn no_page_of_somebody_else_operates_the_shop_through_a_browser() {
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("o:{TOKEN}")));
    let with_token = Settings::new().set("AUTH__OPERATOR_TOKEN", TOKEN);
    for settings in [Settings::new(), with_token] {
        let shop = Shop::start(settings).await;
        shop.send(
            "POST",
            "/products",
            &[("authorization", basic.as_str())],
            Some(&json!({"sku": "A-1", "name": "A", "price": 1, "currency": "KRW", "stock": 9})),
        )
        .await
        .expect(201);
        let own = format!("http://{}", shop.address);
        let buy = json!({"sku": "A-1", "customer": "a@example.com"});
        for (method, path, body) in [
            ("POST", "/ops/queues/replenishment/purge", None),
            ("POST", "/ops/consumers/mileage/pause", None),
            ("POST", "/orders", Some(&buy)),
            ("DELETE", "/orders/ord_00000000000000000000000000", None),
            ("PATCH", "/products/A-1", Some(&buy)),
            ("GET", "/socket.io/?EIO=4&transport=polling", None),
            ("GET", "/socket.io?EIO=4&transport=websocket", None),
        ] {
            for foreign in [
                ("origin", "http://evil.example"),
                ("origin", "null"),
                ("sec-fetch-site", "cross-site"),
            ] {
                let headers = [("authorization", basic.as_str()), foreign];
                let answer = shop.send(method, path, &headers, body).await;
                let problem = answer.problem(403, "cross_origin");
                assert_eq!(problem["field"], "Origin");
            }
        }
        let consumers = shop
            .send(
                "GET",
                "/ops/consumers",
                &[("authorization", basic.as_str())],
                None,
            )
            .await;
        assert!(
            !consumers
                .expect(200)
                .to_string()
                .contains(r#""paused":true"#),
            "{}",
            consumers.body
        );
        assert_eq!(shop.product("A-1").await["lastPlace"], 0);
        for own in [
            ("origin", own.as_str()),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "none"),
        ] {
            let answer = shop.send("POST", "/orders", &[own], Some(&buy)).await;
            answer.expect(201);
        }
        // To look is harmless: no page can read an answer that is not of its origin.
        let answer = shop
            .send(
                "GET",
                "/products",
                &[("sec-fetch-site", "cross-site")],
                None,
            )
            .await;
        answer.expect(200);
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

#[tokio::test]
async fn a_name_that_a_stranger_gave_this_machine_is_not_heard_where_everybody_may_do_everything() {
    let with_url = Settings::new().set("PUBLIC_URL", "https://shop.example/");
    let with_token = Settings::new().set("AUTH__OPERATOR_TOKEN", TOKEN);
    for (settings, heard) in [
        (Settings::new(), false),
        (with_url, true),
        (with_token, true),
    ] {
        let shop = Shop::start(settings).await;
        for (host, heard) in [
            ("shop.example", heard),
            ("localhost:1", true),
            ("[::1]", true),
        ] {
            let mut connection = shop.connect().await;
            let request = format!("GET /products HTTP/1.1\r\nhost: {host}\r\n\r\n");
            connection.write(request.as_bytes()).await.unwrap();
            let answer = connection.answer().await.unwrap();
            if heard {
                answer.expect(200);
            } else {
                let problem = answer.problem(403, "host_not_allowed");
                assert_eq!(problem["field"], "Host");
            }
        }
    }
}
