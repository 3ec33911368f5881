//! What an auction may be held by, and what not, as a table: add a row for a new answer.

use serde_json::{Value, json};

use super::{HOUR, after_ms, with, without};
use crate::harness::table::Expected::{Json, Problem};
use crate::harness::table::{Row, check, post};
use crate::harness::{Settings, Shop};

#[tokio::test]
async fn what_may_be_put_up() {
    let shop = Shop::start(Settings::new()).await;
    let (end, hard_end) = (after_ms(&shop, HOUR).await, after_ms(&shop, 2 * HOUR).await);
    let past = after_ms(&shop, -1_000).await;
    let far = after_ms(&shop, 401 * 24 * HOUR).await;
    let least = json!({"product": "Guitar", "startingPrice": 100, "endTime": end});
    let whole = json!({
        "product": "기타 \u{1f3b8}", "startingPrice": 0, "endTime": end, "currency": "KRW",
        "startTime": past, "seller": "seller@example.com", "format": "english",
        "increment": [{"from": 0, "step": 1}, {"from": 100, "step": 5}], "lots": 1,
        "reservePrice": 500, "buyNowPrice": 900,
        "softClose": {"windowMs": 60_000, "extendMs": 120_000, "hardEnd": hard_end},
        "retraction": {"withinMs": 1, "beforeEndMs": 0}, "closingSoonMs": 0,
    });
    let answered = json!({
        "product": "기타 \u{1f3b8}", "status": "open", "format": "english", "currency": "KRW",
        "lots": 1, "startingPrice": 0, "currentPrice": 0, "currentHighestBid": null,
        "highestBidder": null, "leaders": [], "bidCount": 0, "leastValidBid": 0,
        "increment": [{"from": 0, "step": 1}, {"from": 100, "step": 5}], "reserveMet": false,
        "buyNowPrice": 900, "endTime": end, "announcedEndTime": end, "extensions": 0,
        "softClose": {"windowMs": 60_000, "extendMs": 120_000, "hardEnd": hard_end},
        "retraction": {"withinMs": 1, "beforeEndMs": 0}, "dutch": null, "winners": [],
        "closedAt": null, "unsoldReason": null,
    });
    let defaults = json!({
        "currency": "USD", "format": "english", "lots": 1, "reserveMet": null,
        "buyNowPrice": null, "softClose": null, "dutch": null,
        "retraction": null,
    });
    let bad = |name: &'static str, value: Value| {
        let expected = Problem(422, "invalid_field", Some(name));
        post("/auctions", with(&least, name, value), expected)
    };
    let inside = |field: &'static str, name: &str, value: Value, code| {
        post(
            "/auctions",
            with(&least, name, value),
            Problem(422, code, Some(field)),
        )
    };
    let missing = |name: &'static str| {
        let expected = Problem(422, "missing_field", Some(name));
        post("/auctions", without(&least, name), expected)
    };
    let terms = |fields: Value, field: &'static str| {
        let mut body = least.clone();
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        post(
            "/auctions",
            body,
            Problem(422, "invalid_field", Some(field)),
        )
    };
    let soft = json!({"windowMs": 1, "extendMs": 1, "hardEnd": hard_end});
    let dutch = json!({"step": 1, "everyMs": 1_000, "floor": 0});
    check(
        &shop,
        vec![
            post("/auctions", &least, Json(201, defaults)),
            post("/auctions", &whole, Json(201, answered)),
            missing("product"),
            missing("startingPrice"),
            missing("endTime"),
            post(
                "/auctions",
                with(&least, "price", json!(1)),
                Problem(422, "unknown_field", Some("price")),
            ),
            post(
                "/auctions",
                r#"{"product":"A","product":"B","startingPrice":1,"endTime":"x"}"#,
                Problem(422, "invalid_field", Some("product")),
            ),
            post("/auctions", "[]", Problem(422, "invalid_field", None)),
            post("/auctions", "{", Problem(400, "invalid_json", None)),
            post(
                "/auctions",
                r#"{"product":"A","startingPrice":NaN}"#,
                Problem(400, "invalid_json", None),
            ),
            post(
                "/auctions",
                json!({"product": "x".repeat(65_536)}),
                Problem(413, "body_too_large", None),
            ),
            Row {
                headers: &[("content-type", "text/plain")],
                ..post(
                    "/auctions",
                    &least,
                    Problem(415, "unsupported_media_type", Some("Content-Type")),
                )
            },
            bad("product", json!("")),
            bad("product", json!("  ")),
            bad("product", json!("x".repeat(201))),
            bad("product", json!(7)),
            bad("startingPrice", json!(-1)),
            bad("startingPrice", json!(0.5)),
            bad("startingPrice", json!("100")),
            bad("startingPrice", json!(1_000_000_000_000_001_i64)),
            bad("startingPrice", json!(9_223_372_036_854_775_808_u64)),
            bad("endTime", json!("tomorrow")),
            bad("endTime", json!(7)),
            bad("endTime", json!(past)),
            bad("endTime", json!(far)),
            bad("startTime", json!("2026-12-01")),
            terms(json!({"startTime": hard_end}), "endTime"),
            bad("currency", json!("krw")),
            bad("currency", json!("EURO")),
            bad("seller", json!("")),
            bad("seller", json!("two words")),
            bad("seller", json!("x".repeat(255))),
            bad("format", json!("japanese")),
            bad("increment", json!(0)),
            bad("increment", json!(-5)),
            bad("increment", json!(0.5)),
            bad("increment", json!("5")),
            bad("increment", json!([])),
            bad("increment", json!([{"from": 5, "step": 1}])),
            bad(
                "increment",
                json!([{"from": 0, "step": 5}, {"from": 10, "step": 4}]),
            ),
            inside(
                "increment[0].step",
                "increment",
                json!([{"from": 0, "step": -1}]),
                "invalid_field",
            ),
            inside(
                "increment[0].step",
                "increment",
                json!([{"from": 0}]),
                "missing_field",
            ),
            inside(
                "increment[0].size",
                "increment",
                json!([{"from": 0, "step": 1, "size": 1}]),
                "unknown_field",
            ),
            bad("lots", json!(0)),
            bad("lots", json!(101)),
            bad("lots", json!(-1)),
            bad("reservePrice", json!(100)),
            bad("reservePrice", json!(-100)),
            bad("buyNowPrice", json!(100)),
            terms(
                json!({"reservePrice": 500, "buyNowPrice": 499}),
                "buyNowPrice",
            ),
            terms(json!({"reservePrice": 500, "lots": 2}), "reservePrice"),
            terms(json!({"buyNowPrice": 500, "lots": 2}), "buyNowPrice"),
            inside(
                "softClose.windowMs",
                "softClose",
                with(&soft, "windowMs", json!(0)),
                "invalid_field",
            ),
            inside(
                "softClose.extendMs",
                "softClose",
                with(&soft, "extendMs", json!(-1)),
                "invalid_field",
            ),
            inside(
                "softClose.hardEnd",
                "softClose",
                with(&soft, "hardEnd", json!(past)),
                "invalid_field",
            ),
            inside(
                "softClose.hardEnd",
                "softClose",
                with(&soft, "hardEnd", json!("never")),
                "invalid_field",
            ),
            inside(
                "softClose.hardEnd",
                "softClose",
                without(&soft, "hardEnd"),
                "missing_field",
            ),
            inside(
                "softClose.maxMs",
                "softClose",
                with(&soft, "maxMs", json!(1)),
                "unknown_field",
            ),
            inside(
                "retraction.withinMs",
                "retraction",
                json!({"withinMs": 0, "beforeEndMs": 0}),
                "invalid_field",
            ),
            inside(
                "retraction.beforeEndMs",
                "retraction",
                json!({"withinMs": 1, "beforeEndMs": -1}),
                "invalid_field",
            ),
            inside(
                "retraction.beforeEndMs",
                "retraction",
                json!({"withinMs": 1}),
                "missing_field",
            ),
            bad("closingSoonMs", json!(-1)),
            bad("closingSoonMs", json!(2_592_000_001_i64)),
            terms(json!({"dutch": dutch}), "dutch"),
            inside("dutch", "format", json!("dutch"), "missing_field"),
            terms(
                json!({"format": "dutch", "dutch": with(&dutch, "step", json!(0))}),
                "dutch.step",
            ),
            terms(
                json!({"format": "dutch", "dutch": with(&dutch, "everyMs", json!(0))}),
                "dutch.everyMs",
            ),
            terms(
                json!({"format": "dutch", "dutch": with(&dutch, "floor", json!(101))}),
                "dutch.floor",
            ),
            terms(
                json!({"format": "dutch", "dutch": dutch, "reservePrice": 500}),
                "reservePrice",
            ),
            terms(json!({"format": "sealed-first", "lots": 2}), "lots"),
            terms(
                json!({"format": "sealed-second", "buyNowPrice": 500}),
                "buyNowPrice",
            ),
            terms(
                json!({"format": "sealed-first", "softClose": soft}),
                "softClose",
            ),
        ],
    )
    .await;
    let made = shop.get("/auctions").await.expect(200);
    assert_eq!(
        made["auctions"].as_array().unwrap().len(),
        2,
        "no other was made"
    );
}
