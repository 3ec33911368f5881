//! Status, code and field of every route of the API, as a table: add a row for a new answer.

use serde_json::{Value, json};

use crate::harness::client::Headers;
use crate::harness::table::Expected::{Json, Problem};
use crate::harness::table::{Expected, Row, assert_members, check, get, post, send};
use crate::harness::{Settings, Shop};

const NOBODY: &str = "/orders/ord_00000000000000000000000000";

fn order(body: impl ToString, expected: Expected) -> Row {
    post("/orders", body, expected)
}

async fn shop() -> Shop {
    let shop = Shop::start(Settings::new()).await;
    shop.offer("REJECT-1", json!({"stock": 3, "purchaseLimit": 2}))
        .await;
    shop.offer("WAIT-1", json!({"whenSoldOut": "wait"})).await;
    let closed = json!({"stock": 1, "opensAt": "2999-01-01T00:00:00Z"});
    shop.offer("LATER-1", closed).await;
    shop
}

#[tokio::test]
async fn products_and_receipts() {
    let shop = shop().await;
    let whole = json!({
        "sku": "A.b_c-1", "name": "도넛 \u{1f369}", "price": 19900, "currency": "EUR", "stock": 7,
        "purchaseLimit": 3, "whenSoldOut": "wait", "opensAt": "2026-11-20T10:00:00+01:00",
        "reorder": {"point": 2, "quantity": 10, "factory": "FF-500293"},
        "adManager": "ads@example.com",
    });
    let answered = json!({
        "sku": "A.b_c-1", "name": "도넛 \u{1f369}", "price": 19900, "currency": "EUR",
        "onHand": 7, "reserved": 0, "allocated": 0, "available": 7,
        "lastPlace": 0, "waiting": 0, "waitingUnits": 0,
        "whenSoldOut": "wait", "purchaseLimit": 3, "opensAt": "2026-11-20T09:00:00.000Z",
        "reorder": {"point": 2, "quantity": 10, "factory": "FF-500293"},
        "adManager": "ads@example.com", "replenishment": null, "grantRate": null,
    });
    let least =
        |sku: &str| json!({"sku": sku, "name": "N", "price": 0, "currency": "KRW", "stock": 0});
    let with = |name: &str, value: Value| {
        let mut product = least("BAD-1");
        product[name] = value;
        product
    };
    let bad = |name: &'static str, value: Value| {
        post(
            "/products",
            with(name, value),
            Problem(422, "invalid_field", Some(name)),
        )
    };
    let mut unnamed = least("BAD-1");
    unnamed.as_object_mut().unwrap().remove("name");
    check(&shop, [
        post("/products", &whole, Json(201, answered.clone())),
        post("/products", &whole, Problem(409, "product_exists", Some("sku"))),
        get("/products/A.b_c-1", Json(200, answered)),
        post("/products", least("LEAST-1"), Json(201, json!({"whenSoldOut": "reject", "purchaseLimit": null}))),
        post("/products", unnamed, Problem(422, "missing_field", Some("name"))),
        post("/products", with("stok", json!(1)), Problem(422, "unknown_field", Some("stok"))),
        bad("sku", json!("a b")),
        bad("sku", json!("")),
        bad("sku", json!("x".repeat(65))),
        bad("name", json!("")),
        bad("name", json!("x".repeat(201))),
        bad("price", json!(-1)),
        bad("price", json!(0.5)),
        bad("price", json!(1_000_000_000_000_001_i64)),
        bad("currency", json!("krw")),
        bad("currency", json!("KRWW")),
        bad("stock", json!(-1)),
        bad("stock", json!(1_000_000_001)),
        bad("stock", json!("5")),
        bad("purchaseLimit", json!(0)),
        bad("purchaseLimit", json!(1_000_001)),
        bad("whenSoldOut", json!("maybe")),
        bad("opensAt", json!("tomorrow")),
        bad("opensAt", json!("9999-12-31T23:59:59Z")),
        bad("adManager", json!("nobody")),
        post("/products", with("reorder", json!({"point": 0, "quantity": 0, "factory": "F"})),
            Problem(422, "invalid_field", Some("reorder.quantity"))),
        post("/products", with("reorder", json!({"point": -1, "quantity": 1, "factory": "F"})),
            Problem(422, "invalid_field", Some("reorder.point"))),
        post("/products", with("reorder", json!({"point": 0, "quantity": 1})),
            Problem(422, "missing_field", Some("reorder.factory"))),
        get("/products/BAD-1", Problem(404, "product_not_found", Some("sku"))),
        get("/products/a%20b", Problem(404, "product_not_found", Some("sku"))),
        get("/products?limit=0", Problem(400, "invalid_parameter", Some("limit"))),
        get("/products?limit=101", Problem(400, "invalid_parameter", Some("limit"))),
        get("/products?limit=ten", Problem(400, "invalid_parameter", Some("limit"))),
        get("/products?colour=red", Problem(400, "invalid_parameter", Some("colour"))),
        get("/products?limit=1&t=2", Problem(400, "invalid_parameter", Some("t"))),
        get("/products?limit=1&limit=2", Problem(400, "invalid_parameter", Some("limit"))),
        get("/products?li%6dit=ten", Problem(400, "invalid_parameter", Some("limit"))),
        send("PATCH", "/products/A.b_c-1", json!({"name": "New", "price": 5}), Json(200, json!({"name": "New", "price": 5, "onHand": 7}))),
        send("PATCH", "/products/A.b_c-1", json!({"stock": 8}), Problem(422, "unknown_field", Some("stock"))),
        send("PATCH", "/products/A.b_c-1", json!({"currency": "USD"}), Problem(422, "unknown_field", Some("currency"))),
        send("PATCH", "/products/A.b_c-1", json!({"price": -5}), Problem(422, "invalid_field", Some("price"))),
        send("PATCH", "/products/BAD-1", json!({"price": 5}), Problem(404, "product_not_found", Some("sku"))),
        post("/products/WAIT-1/receipts", json!({"quantity": 4, "reference": "d-1"}), Json(201, json!({
            "sku": "WAIT-1", "quantity": 4, "reference": "d-1", "onHand": 4, "available": 4, "granted": 0, "repeated": false}))),
        post("/products/WAIT-1/receipts", json!({"quantity": 4, "reference": "d-1"}), Json(200, json!({
            "sku": "WAIT-1", "quantity": 4, "reference": "d-1", "onHand": 4, "available": 4, "granted": 0, "repeated": true}))),
        post("/products/WAIT-1/receipts", json!({"quantity": 5, "reference": "d-1"}), Problem(409, "reference_reused", Some("reference"))),
        post("/products/WAIT-1/receipts", json!({"quantity": 0, "reference": "d-2"}), Problem(422, "invalid_field", Some("quantity"))),
        post("/products/WAIT-1/receipts", json!({"quantity": 1, "reference": ""}), Problem(422, "invalid_field", Some("reference"))),
        post("/products/WAIT-1/receipts", json!({"quantity": 1}), Problem(422, "missing_field", Some("reference"))),
        post("/products/BAD-1/receipts", json!({"quantity": 1, "reference": "d"}), Problem(404, "product_not_found", Some("sku"))),
        get("/products/BAD-1/movements", Problem(404, "product_not_found", Some("sku"))),
        get("/products/WAIT-1/movements?limit=0", Problem(400, "invalid_parameter", Some("limit"))),
        get("/products/BAD-1/events", Problem(404, "product_not_found", Some("sku"))),
    ]).await;
}

#[tokio::test]
async fn orders() {
    let shop = shop().await;
    let placed = shop.place("REJECT-1", "first@example.com", 1).await;
    let id = placed["id"].as_str().unwrap();
    let (head, last) = id.split_at(id.len() - 1);
    let other = format!("/orders/{head}{}", if last == "0" { "1" } else { "0" });
    let bad = |quantity: Value| {
        let body = json!({"sku": "REJECT-1", "quantity": quantity, "customer": "a@b.c"});
        order(body, Problem(422, "invalid_field", Some("quantity")))
    };
    let from = |customer: &str| {
        let body = json!({"sku": "REJECT-1", "customer": customer});
        order(body, Problem(422, "invalid_field", Some("customer")))
    };
    let fine = json!({"sku": "REJECT-1", "customer": "a@b.c"});
    let with_headers = |headers: Headers<'static>, field| Row {
        headers,
        ..order(&fine, Problem(400, "invalid_header", Some(field)))
    };
    let as_type = |headers: Headers<'static>| Row {
        headers,
        ..order(
            &fine,
            Problem(415, "unsupported_media_type", Some("Content-Type")),
        )
    };
    let buyer = |customer: &str, quantity: u64| json!({"sku": "REJECT-1", "customer": customer, "quantity": quantity});
    check(
        &shop,
        [
            get(
                &format!("/orders/{id}"),
                Json(
                    200,
                    json!({
            "id": id, "sku": "REJECT-1", "quantity": 1, "customer": "first@example.com",
            "status": "accepted", "place": 1, "unitPrice": 1000, "currency": "KRW",
            "ahead": null, "aheadUnits": null, "estimateSeconds": null, "cancelledAt": null}),
                ),
            ),
            get(&other, Problem(404, "order_not_found", None)),
            get(NOBODY, Problem(404, "order_not_found", None)),
            get(
                "/orders/ord_zzzzzzzzzzzzzzzzzzzzzzzzzz",
                Problem(404, "order_not_found", None),
            ),
            get("/orders/7", Problem(404, "order_not_found", None)),
            get(
                &format!("{NOBODY}/events"),
                Problem(404, "order_not_found", None),
            ),
            send("DELETE", &other, "", Problem(404, "order_not_found", None)),
            send("DELETE", NOBODY, "", Problem(404, "order_not_found", None)),
            order(
                json!({"sku": "NO-1", "customer": "a@b.c"}),
                Problem(404, "product_not_found", Some("sku")),
            ),
            order(
                json!({"sku": "LATER-1", "customer": "a@b.c"}),
                Problem(409, "not_open_yet", None),
            ),
            order(
                buyer("two@example.com", 3),
                Problem(409, "purchase_limit", Some("quantity")),
            ),
            order(
                buyer("two@example.com", 1),
                Json(
                    201,
                    json!({"status": "accepted", "place": 2, "quantity": 1}),
                ),
            ),
            order(
                buyer("three@example.com", 2),
                Problem(409, "sold_out", None),
            ),
            order(
                buyer("four@example.com", 1),
                Json(201, json!({"status": "accepted", "place": 4})),
            ),
            order(
                json!({"sku": "WAIT-1", "customer": "a@b.c"}),
                Json(
                    202,
                    json!({"status": "pending", "place": 1, "ahead": 0, "aheadUnits": 0}),
                ),
            ),
            bad(json!(0)),
            bad(json!(-1)),
            bad(json!(1.5)),
            bad(json!(1e30)),
            bad(json!("1")),
            bad(json!(null)),
            bad(json!(1_000_001)),
            from(""),
            from("nobody"),
            from("@b.c"),
            from("a@"),
            from("a b@c.d"),
            from("a@b@c"),
            from("a@b.c\u{0}"),
            from(&format!("a@{}.example", "x".repeat(300))),
            order(
                json!({"customer": "a@b.c"}),
                Problem(422, "missing_field", Some("sku")),
            ),
            order(
                json!({"sku": "REJECT-1"}),
                Problem(422, "missing_field", Some("customer")),
            ),
            order(
                json!({"sku": "REJECT-1", "customer": "a@b.c", "qty": 1}),
                Problem(422, "unknown_field", Some("qty")),
            ),
            order(
                r#"{"sku":"REJECT-1","sku":"WAIT-1","customer":"a@b.c"}"#,
                Problem(422, "invalid_field", Some("sku")),
            ),
            order("{\"sku\": ", Problem(400, "invalid_json", None)),
            order("", Problem(400, "invalid_json", None)),
            order("{} {}", Problem(422, "missing_field", Some("sku"))),
            order(format!("{fine} x"), Problem(400, "invalid_json", None)),
            order("[]", Problem(422, "invalid_field", None)),
            order(
                r#"["REJECT-1", 1, "a@b.c"]"#,
                Problem(422, "invalid_field", None),
            ),
            order(
                "{\"customer\":\"a@b.c\",\"sku\":\"REJECT-1\",\"quantity\":NaN}",
                Problem(400, "invalid_json", None),
            ),
            order(
                format!("{{\"sku\":\"{}\"}}", "x".repeat(65_536)),
                Problem(413, "body_too_large", None),
            ),
            as_type(&[("content-type", "text/plain")]),
            as_type(&[("content-type", "application/x-www-form-urlencoded")]),
            as_type(&[("content-type", "")]),
            with_headers(&[("idempotency-key", "")], "Idempotency-Key"),
            with_headers(
                &[("idempotency-key", "a"), ("idempotency-key", "b")],
                "Idempotency-Key",
            ),
            with_headers(&[("idempotency-key", "schl\u{fc}ssel")], "Idempotency-Key"),
            with_headers(&[("prefer", "wait=61")], "Prefer"),
            with_headers(&[("prefer", "wait=soon")], "Prefer"),
            get("/orders", Problem(405, "method_not_allowed", None)),
            send(
                "PUT",
                &format!("/orders/{id}"),
                "{}",
                Problem(405, "method_not_allowed", None),
            ),
            get("/nothing/here", Problem(404, "not_found", None)),
            post(
                "/buy",
                json!({"email": "b@b.c", "sku": "WAIT-1"}),
                Json(202, json!({"order": {"status": "pending", "place": 2}})),
            ),
            post(
                "/buy",
                json!({"email": "b@b.c"}),
                Problem(422, "missing_field", Some("sku")),
            ),
            post(
                "/buy",
                json!({"sku": "WAIT-1"}),
                Problem(422, "missing_field", Some("email")),
            ),
            post(
                "/buy",
                json!({"email": "b", "sku": "WAIT-1"}),
                Problem(422, "invalid_field", Some("email")),
            ),
            post(
                "/buy",
                json!({"email": "b@b.c", "sku": "NO-1"}),
                Problem(404, "product_not_found", Some("sku")),
            ),
            post(
                "/buy",
                json!({"email": "b@b.c", "sku": "LATER-1"}),
                Problem(409, "not_open_yet", None),
            ),
        ],
    )
    .await;
    // Whatever was refused took no place.
    assert_eq!(shop.product("REJECT-1").await["lastPlace"], 4);
    assert_eq!(shop.product("WAIT-1").await["lastPlace"], 2);
}

#[tokio::test]
async fn restocking_and_operations() {
    let shop = shop().await;
    let factory = json!({"MessageAttributeProductId": "REJECT-1", "MessageAttributeProductCnt": 1});
    let nobody = "/replenishments/rep_00000000000000000000000000";
    let (largest, too_large) = (i64::MAX, u64::MAX);
    check(
        &shop,
        [
            get(
                "/replenishments",
                Json(200, json!({"replenishments": [], "next": null})),
            ),
            get(
                "/replenishments?sku=NO-1",
                Problem(404, "product_not_found", Some("sku")),
            ),
            get(
                "/replenishments?limit=101",
                Problem(400, "invalid_parameter", Some("limit")),
            ),
            get(
                "/replenishments?before=x",
                Problem(400, "invalid_parameter", Some("before")),
            ),
            get(nobody, Problem(404, "replenishment_not_found", None)),
            post(
                &format!("{nobody}/receipt?token=x"),
                json!({"quantity": 1}),
                Problem(404, "replenishment_not_found", None),
            ),
            post(
                "/product/donut",
                &factory,
                Problem(401, "invalid_token", Some("token")),
            ),
            post(
                "/product/donut?replenishment=rep_1&token=x",
                &factory,
                Problem(404, "replenishment_not_found", None),
            ),
            post(
                "/product/donut?tokn=x",
                &factory,
                Problem(400, "invalid_parameter", Some("tokn")),
            ),
            post(
                "/product/donut",
                json!({}),
                Problem(422, "missing_field", Some("MessageAttributeProductId")),
            ),
            get("/api/manufactures", Problem(404, "not_found", None)),
            get("/ops/queues", Json(200, json!({}))),
            get(
                "/ops/queues/replenishment/messages",
                Json(200, json!({"messages": [], "next": null})),
            ),
            get(
                "/ops/queues/none/messages",
                Problem(404, "queue_not_found", None),
            ),
            get(
                "/ops/queues/replenishment/messages?limit=0",
                Problem(400, "invalid_parameter", Some("limit")),
            ),
            post(
                "/ops/queues/replenishment-dlq/redrive",
                json!({}),
                Json(200, json!({"moved": 0})),
            ),
            post(
                "/ops/queues/replenishment-dlq/redrive",
                json!({"messageID": "x"}),
                Problem(422, "unknown_field", Some("messageID")),
            ),
            post(
                "/ops/queues/replenishment/redrive",
                json!({}),
                Problem(409, "no_dead_letter_queue", None),
            ),
            post(
                "/ops/queues/none/redrive",
                json!({}),
                Problem(404, "queue_not_found", None),
            ),
            get(
                "/ops/summary",
                Json(
                    200,
                    json!({
            "products": 3, "waiting": 0, "queues": 21, "deadLetters": 0, "openReplenishments": 0,
            "sequencer": {"capacity": 8192}, "listeners": 0}),
                ),
            ),
            get("/healthz", Json(200, json!({"status": "ok"}))),
            get("/readyz", Json(200, json!({"status": "ready"}))),
            get(
                "/events?since=x",
                Problem(400, "invalid_parameter", Some("since")),
            ),
            // The largest sequence there is means "everything" or "nothing", never a fault.
            get(
                &format!("/replenishments?before={largest}"),
                Json(200, json!({"replenishments": []})),
            ),
            get(
                &format!("/ops/queues/replenishment/messages?after={largest}"),
                Json(200, json!({"messages": []})),
            ),
            get(
                &format!("/products/REJECT-1/movements?before={largest}"),
                Json(200, json!({"movements": []})),
            ),
            get(
                &format!("/replenishments?before={too_large}"),
                Problem(400, "invalid_parameter", Some("before")),
            ),
            get(
                &format!("/ops/queues/replenishment/messages?after={too_large}"),
                Problem(400, "invalid_parameter", Some("after")),
            ),
            get(
                &format!("/products/REJECT-1/movements?before={too_large}"),
                Problem(400, "invalid_parameter", Some("before")),
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn the_queues_of_the_shop_are_there() {
    let shop = shop().await;
    let queues = shop.get("/ops/queues").await.expect(200);
    let queue = |name: &str| {
        let queues = queues["queues"].as_array().unwrap();
        queues
            .iter()
            .find(|queue| queue["name"] == name)
            .unwrap()
            .clone()
    };
    let empty = json!({"visible": 0, "inFlight": 0, "delayed": 0, "oldestAgeSeconds": null});
    let requests = queue("replenishment");
    assert_members("replenishment", &requests, &empty);
    assert_eq!(requests["deadLetterQueue"], "replenishment-dlq");
    assert_eq!(requests["deadLetterSourceQueues"], json!([]));
    let dead = queue("replenishment-dlq");
    assert_members("replenishment-dlq", &dead, &empty);
    assert_eq!(dead["deadLetterQueue"], Value::Null);
    assert_eq!(dead["deadLetterSourceQueues"], json!(["replenishment"]));
}
