//! Endpoints at the door.

use serde_json::{Value, json};

use super::{id, settings, subscribe};
use crate::harness::{Settings, Shop, firstcome, refused};

#[tokio::test]
async fn an_endpoint_is_made_changed_and_deleted() {
    let shop = Shop::start(settings()).await;
    let made = shop
        .post(
            "/webhooks",
            &json!({
                "url": "http://localhost:9/hook", "types": ["order.*", "stock.received", "order.*"],
                "description": "to nobody",
            }),
        )
        .await;
    let path = made.header("location").unwrap().to_owned();
    let hook = made.expect(201);
    assert_eq!(path, format!("/webhooks/{}", id(&hook)));
    assert!(id(&hook).starts_with("whk_"));
    assert!(hook["secret"].as_str().unwrap().starts_with("whsec_"));
    let shown = shop.get(&path).await.expect(200);
    assert_eq!(shown["types"], json!(["order.*", "stock.received"]));
    assert_eq!(shown["status"], "enabled");
    assert_eq!(shown["secret"], Value::Null);
    let change = json!({"types": ["*"], "enabled": false});
    let changed = shop
        .send("PATCH", &path, &[], Some(&change))
        .await
        .expect(200);
    assert_eq!(changed["types"], json!(["*"]));
    assert_eq!(changed["description"], "to nobody");
    assert_eq!(changed["disabledReason"], "operator");
    for what in ["test", "replay"] {
        let body = if what == "test" {
            None
        } else {
            Some(json!({"since": 0}))
        };
        let answer = shop
            .send("POST", &format!("{path}/{what}"), &[], body.as_ref())
            .await;
        answer.problem(409, "webhook_disabled");
    }
    assert_eq!(
        shop.get("/webhooks").await.expect(200)["webhooks"],
        json!([changed])
    );
    assert_eq!(shop.send("DELETE", &path, &[], None).await.status, 204);
    for (method, path) in [
        ("GET", path.clone()),
        ("DELETE", path.clone()),
        ("GET", format!("{path}/secret")),
        ("GET", format!("{path}/deliveries")),
        ("POST", format!("{path}/test")),
        ("POST", format!("{path}/rotate-secret")),
    ] {
        shop.send(method, &path, &[], None)
            .await
            .problem(404, "webhook_not_found");
    }
}

#[tokio::test]
async fn what_cannot_be_an_endpoint_is_refused_with_the_field() {
    let shop =
        Shop::start(settings().set("OUTGOING__ALLOWED_HOSTS", "[\"loopback\", \"shop.test\"]"))
            .await;
    for (field, url, types) in [
        ("url", "http://shop.test/hook", json!(["*"])),
        ("url", "https://elsewhere.test/hook", json!(["*"])),
        ("url", "ftp://localhost/hook", json!(["*"])),
        ("url", "https://user:word@shop.test/", json!(["*"])),
        ("types", "https://shop.test/hook", json!([])),
        ("types", "https://shop.test/hook", json!(["order.acepted"])),
        ("types", "https://shop.test/hook", json!(["Order.*"])),
        ("types", "https://shop.test/hook", json!(["bid.*"])),
    ] {
        let body = json!({"url": url, "types": types});
        let problem = shop
            .post("/webhooks", &body)
            .await
            .problem(422, "invalid_field");
        assert_eq!(problem["field"], field, "{problem}");
    }
    let long = json!({"url": "https://shop.test/", "types": ["*"], "description": "x".repeat(201)});
    let problem = shop
        .post("/webhooks", &long)
        .await
        .problem(422, "invalid_field");
    assert_eq!(problem["field"], "description");
    let hook = subscribe(&shop, "https://shop.test/hook", &["*"]).await;
    let rotate = format!("/webhooks/{}/rotate-secret", id(&hook));
    let answer = shop
        .post(&rotate, &json!({"overlapSeconds": 604_801}))
        .await;
    assert_eq!(
        answer.problem(422, "invalid_field")["field"],
        "overlapSeconds"
    );
    let path = format!("/webhooks/{}", id(&hook));
    for field in ["url", "types", "description", "enabled"] {
        let change = json!({field: null});
        let answer = shop.send("PATCH", &path, &[], Some(&change)).await;
        assert_eq!(answer.problem(422, "invalid_field")["field"], field);
    }
    let replay = format!("{path}/replay");
    for (body, field) in [
        (json!({"since": 9_223_372_036_854_775_808_u64}), "since"),
        (json!({"since": 0, "until": u64::MAX}), "until"),
        (json!({"since": 5, "until": 4}), "until"),
    ] {
        let answer = shop.post(&replay, &body).await;
        assert_eq!(answer.problem(422, "invalid_field")["field"], field);
    }
    for _ in 0..3 {
        shop.send("POST", &rotate, &[], None).await.expect(200);
    }
    shop.send("POST", &rotate, &[], None)
        .await
        .problem(409, "too_many");
}

#[tokio::test]
async fn webhooks_are_for_operators() {
    let shop =
        Shop::start(Settings::new().set("AUTH__OPERATOR_TOKEN", "a-token-of-the-test")).await;
    for path in ["/webhooks", "/webhooks/whk_1/secret", "/ops/alerts"] {
        shop.get(path).await.problem(401, "unauthorized");
    }
}

#[tokio::test]
async fn settings_out_of_their_bounds_are_refused_with_their_names() {
    for (name, value, said) in [
        ("WEBHOOKS__TIMEOUT_MS", "0", "webhooks.timeout_ms"),
        ("WEBHOOKS__RETRIES_S", "[604801]", "webhooks.retries_s"),
        ("WEBHOOKS__DISABLE_AFTER_S", "0", "webhooks.disable_after_s"),
        ("ALERTS__EVERY_MS", "99", "alerts.every_ms"),
        ("ALERTS__EMAIL", "nobody", "alerts.email"),
        ("ALERTS__LINE", "1", "alerts.line"),
    ] {
        let mut command = firstcome(&["serve"]);
        command.env(format!("FIRSTCOME_{name}"), value);
        let (code, log) = refused(command).await;
        assert_ne!(code, 0);
        assert!(log.contains(said), "{name}: {log}");
    }
}
