//! Status, code and field of every route of auctions, as a table: add a row for a new answer.

use serde_json::{Value, json};

use super::{HOUR, after_ms, bid, id, open, taken, with, without};
use crate::harness::client::Headers;
use crate::harness::table::Expected::{Json, Problem};
use crate::harness::table::{Row, check, get, post, send};
use crate::harness::{Settings, Shop};

const NO_AUCTION: &str = "/auctions/auc_00000000000000000000000000";
const NO_BID: &str = "/bids/by-id/bid_00000000000000000000000000";

#[tokio::test]
async fn what_may_be_bid() {
    let shop = Shop::start(Settings::new()).await;
    let guitar = open(&shop, json!({})).await;
    let sealed = open(&shop, json!({"format": "sealed-first"})).await;
    let fine = json!({"auctionId": id(&guitar), "bidderId": "ada", "bidAmount": 200});
    let (head, last) = id(&guitar).split_at(id(&guitar).len() - 1);
    let other = format!("{head}{}", if last == "0" { "1" } else { "0" });
    let mut rows = Vec::new();
    for path in ["/bids", "/bid"] {
        let bad = |name: &'static str, value: Value| {
            let expected = Problem(422, "invalid_field", Some(name));
            post(path, with(&fine, name, value), expected)
        };
        let unknown = |auction: Value| {
            let expected = Problem(404, "auction_not_found", Some("auctionId"));
            post(path, with(&fine, "auctionId", auction), expected)
        };
        let with_headers = |headers: Headers<'static>, field| Row {
            headers,
            ..post(path, &fine, Problem(400, "invalid_header", Some(field)))
        };
        rows.extend([
            post(path, without(&fine, "auctionId"), Problem(422, "missing_field", Some("auctionId"))),
            post(path, without(&fine, "bidderId"), Problem(422, "missing_field", Some("bidderId"))),
            post(path, without(&fine, "bidAmount"), Problem(422, "missing_field", Some("bidAmount"))),
            post(path, with(&fine, "amount", json!(1)), Problem(422, "unknown_field", Some("amount"))),
            post(path, format!(r#"{{"bidAmount":1,"bidAmount":2,"auctionId":"{}","bidderId":"a"}}"#, id(&guitar)),
                Problem(422, "invalid_field", Some("bidAmount"))),
            post(path, format!(r#"{{"auctionId":"{}","bidderId":"a","bidAmount":NaN}}"#, id(&guitar)),
                Problem(400, "invalid_json", None)),
            post(path, "{\"auctionId\": ", Problem(400, "invalid_json", None)),
            post(path, "", Problem(400, "invalid_json", None)),
            post(path, format!("{fine} x"), Problem(400, "invalid_json", None)),
            post(path, "[]", Problem(422, "invalid_field", None)),
            post(path, with(&fine, "bidderId", json!("x".repeat(65_536))), Problem(413, "body_too_large", None)),
            Row { headers: &[("content-type", "text/plain")],
                ..post(path, &fine, Problem(415, "unsupported_media_type", Some("Content-Type"))) },
            with_headers(&[("idempotency-key", "")], "Idempotency-Key"),
            with_headers(&[("idempotency-key", "a"), ("idempotency-key", "b")], "Idempotency-Key"),
            with_headers(&[("prefer", "wait=61")], "Prefer"),
            unknown(json!("")),
            unknown(json!("auc_1")),
            unknown(json!(other)),
            unknown(json!("auc_00000000000000000000000000")),
            unknown(json!("auc_zzzzzzzzzzzzzzzzzzzzzzzzzz")),
            unknown(json!("x".repeat(60_000))),
            bad("auctionId", json!(7)),
            bad("auctionId", json!(null)),
            bad("bidderId", json!("")),
            bad("bidderId", json!("two words")),
            bad("bidderId", json!("a\u{0}")),
            bad("bidderId", json!("x".repeat(255))),
            bad("bidderId", json!(7)),
            bad("bidderId", json!(null)),
            bad("bidAmount", json!(-1)),
            bad("bidAmount", json!(1.5)),
            bad("bidAmount", json!(1e30)),
            bad("bidAmount", json!("200")),
            bad("bidAmount", json!(null)),
            bad("bidAmount", json!(1_000_000_000_000_001_i64)),
            bad("bidAmount", json!(9_223_372_036_854_775_808_u64)),
            bad("bidAmount", json!(u64::MAX)),
            bad("maximum", json!(199)),
            bad("maximum", json!(-1)),
            bad("maximum", json!(0.5)),
            bad("maximum", json!(9_223_372_036_854_775_808_u64)),
            bad("currency", json!("usd")),
            bad("currency", json!("EUR")),
            post(path, json!({"auctionId": id(&sealed), "bidderId": "ada", "bidAmount": 200, "maximum": 300}),
                Problem(422, "invalid_field", Some("maximum"))),
            send("PUT", path, "{}", Problem(405, "method_not_allowed", None)),
        ]);
    }
    rows.push(post(
        "/bids",
        with(&fine, "bidAmount", json!(99)),
        Problem(409, "bid_too_low", Some("bidAmount")),
    ));
    check(&shop, rows).await;
    let now = super::auction(&shop, &guitar).await;
    assert_eq!(now["bidCount"], 0, "none of these was a bid");
    let whole = json!({
        "auctionId": id(&guitar), "bidderId": "ada", "bidAmount": 200, "maximum": 500, "currency": "KRW",
    });
    let answered = json!({
        "auctionId": id(&guitar), "bidderId": "ada", "bidAmount": 200, "maximum": 500,
        "status": "leading", "no": 1, "currentHighestBid": 200, "endTime": guitar["endTime"],
    });
    let highest = json!({
        "auctionId": id(&sealed), "bidderId": "x".repeat(254), "bidAmount": 1_000_000_000_000_000_i64,
        "maximum": null, "currency": null,
    });
    check(
        &shop,
        [
            post("/bids", &whole, Json(201, answered)),
            post(
                "/bids",
                highest,
                Json(
                    201,
                    json!({"status": "accepted", "currentHighestBid": null}),
                ),
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_may_be_asked_and_done() {
    let shop = Shop::start(Settings::new()).await;
    let guitar = open(&shop, json!({})).await;
    let ada = taken(&shop, &guitar, "ada", 200).await;
    let path = format!("/auctions/{}", id(&guitar));
    let bid_path = format!("/bids/by-id/{}", id(&ada));
    let (head, last) = bid_path.split_at(bid_path.len() - 1);
    let other_bid = format!("{head}{}", if last == "0" { "1" } else { "0" });
    let nowhere = |path: &str| get(path, Problem(404, "auction_not_found", None));
    let to_nowhere = |what: &str, body: Value| {
        let expected = Problem(404, "auction_not_found", None);
        post(&format!("{NO_AUCTION}/{what}"), body, expected)
    };
    let bad = |what: &str, body: Value, code, field: &'static str| {
        post(
            &format!("{path}/{what}"),
            body,
            Problem(422, code, Some(field)),
        )
    };
    let query = |path: &str, query: &str, field: &'static str| {
        let expected = Problem(400, "invalid_parameter", Some(field));
        get(&format!("{path}?{query}"), expected)
    };
    let (largest, too_large) = (i64::MAX, u64::MAX);
    let ada_id = json!({"bidderId": "ada"});
    let until = json!({"until": after_ms(&shop, HOUR).await});
    let page = format!("{path}/bids");
    check(
        &shop,
        [
            get(
                &path,
                Json(
                    200,
                    json!({"id": id(&guitar), "status": "open", "currentHighestBid": 200}),
                ),
            ),
            nowhere(NO_AUCTION),
            nowhere("/auctions/7"),
            nowhere(&format!("{NO_AUCTION}/bids")),
            nowhere("/bids/auc_1"),
            nowhere("/bids/by-id"),
            nowhere(&format!("{NO_AUCTION}/events")),
            nowhere(&format!("{NO_AUCTION}/result")),
            nowhere(&format!("{NO_AUCTION}/certificate")),
            send(
                "DELETE",
                NO_AUCTION,
                "",
                Problem(404, "auction_not_found", None),
            ),
            to_nowhere("buy-now", ada_id.clone()),
            to_nowhere("settle", ada_id.clone()),
            to_nowhere("forfeit", ada_id.clone()),
            to_nowhere("second-chance", until.clone()),
            get(
                &bid_path,
                Json(
                    200,
                    json!({"id": id(&ada), "status": "leading", "bidAmount": 200}),
                ),
            ),
            get(&other_bid, Problem(404, "bid_not_found", None)),
            get(NO_BID, Problem(404, "bid_not_found", None)),
            get("/bids/by-id/1", Problem(404, "bid_not_found", None)),
            get(
                &format!("/bids/by-id/{}", id(&guitar)),
                Problem(404, "bid_not_found", None),
            ),
            get(
                &format!("{NO_BID}/events"),
                Problem(404, "bid_not_found", None),
            ),
            send("DELETE", NO_BID, "", Problem(404, "bid_not_found", None)),
            send(
                "DELETE",
                &other_bid,
                "",
                Problem(404, "bid_not_found", None),
            ),
            post(
                &format!("{NO_BID}/offer"),
                json!({"accept": true}),
                Problem(404, "bid_not_found", None),
            ),
            post(
                &format!("{bid_path}/offer"),
                json!({"accept": "yes"}),
                Problem(422, "invalid_field", Some("accept")),
            ),
            post(
                &format!("{bid_path}/offer"),
                json!({}),
                Problem(422, "missing_field", Some("accept")),
            ),
            post(
                &format!("{bid_path}/offer"),
                json!({"accept": true}),
                Problem(409, "auction_not_closed", None),
            ),
            post(
                &format!("{path}/settle"),
                &ada_id,
                Problem(409, "auction_not_closed", None),
            ),
            post(
                &format!("{path}/forfeit"),
                &ada_id,
                Problem(409, "auction_not_closed", None),
            ),
            post(
                &format!("{path}/second-chance"),
                &until,
                Problem(409, "auction_not_closed", None),
            ),
            post(
                &format!("{path}/buy-now"),
                &ada_id,
                Problem(409, "buy_now_gone", None),
            ),
            get(
                &format!("{path}/result"),
                Json(200, json!({"status": "open", "winners": []})),
            ),
            bad("settle", json!({}), "missing_field", "bidderId"),
            bad(
                "settle",
                json!({"bidderId": "a b"}),
                "invalid_field",
                "bidderId",
            ),
            bad(
                "forfeit",
                json!({"bidderId": 1}),
                "invalid_field",
                "bidderId",
            ),
            bad(
                "forfeit",
                json!({"bidderId": "a", "why": "x"}),
                "unknown_field",
                "why",
            ),
            bad(
                "buy-now",
                json!({"bidderId": ""}),
                "invalid_field",
                "bidderId",
            ),
            bad(
                "buy-now",
                json!({"bidderId": "a", "bidAmount": 1}),
                "unknown_field",
                "bidAmount",
            ),
            bad(
                "second-chance",
                json!({"until": "soon"}),
                "invalid_field",
                "until",
            ),
            bad("second-chance", json!({}), "missing_field", "until"),
            query("/auctions", "status=lost", "status"),
            query("/auctions", "limit=0", "limit"),
            query("/auctions", "limit=101", "limit"),
            query("/auctions", "after=x", "after"),
            query("/auctions", &format!("after={too_large}"), "after"),
            query("/auctions", "colour=red", "colour"),
            query(&page, "limit=0", "limit"),
            query(&page, "limit=201", "limit"),
            query(&page, "before=-1", "before"),
            query(&page, &format!("before={too_large}"), "before"),
            query(&page, "after=1", "after"),
            query(&format!("{path}/events"), "since=x", "since"),
            get(
                &format!("/auctions?after={largest}"),
                Json(200, json!({"next": null})),
            ),
            get(
                &format!("{page}?before={largest}&limit=200"),
                Json(200, json!({"next": null})),
            ),
            get(&format!("{path}/bid"), Problem(404, "not_found", None)),
            send(
                "PATCH",
                &path,
                "{}",
                Problem(405, "method_not_allowed", None),
            ),
        ],
    )
    .await;
    bid(&shop, &guitar, "bob", 201).await.expect(201);
}
