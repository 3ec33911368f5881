//! Who may move a parcel, and what a notice is answered.

use serde_json::{Value, json};
use wire::webhooks::{Secret, Signed, sign};

use super::sent_order;
use crate::harness::client::{Answer, Headers};
use crate::harness::{Settings, Shop};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLD_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
const OTHER_SECRET: &str = "whsec_////////////////////////////////";

fn now_ms() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

fn signed(id: &str, body: &str, secret: &str, at_ms: i64) -> Signed {
    sign(
        id,
        body.as_bytes(),
        &[Secret::parse(secret).unwrap()],
        at_ms,
    )
    .unwrap()
}

async fn post(shop: &Shop, path: &str, headers: Headers<'_>, body: &str) -> Answer {
    let mut connection = shop.connect().await;
    connection
        .send("POST", path, headers, Some(body))
        .await
        .unwrap()
}

async fn secured() -> (Shop, String) {
    let settings = Settings::new()
        .set("CARRIER__SECRET", SECRET)
        .set("CARRIER__PREVIOUS_SECRET", OLD_SECRET);
    let shop = Shop::start(settings).await;
    let (_, id) = sent_order(&shop).await;
    let path = format!("/carrier/parcels/{id}");
    (shop, path)
}

#[tokio::test]
async fn only_who_has_the_secret_moves_a_parcel() {
    let (shop, path) = secured().await;
    let body = r#"{"status":"packed"}"#;
    let now = now_ms();
    let good = signed("n-1", body, SECRET, now);
    let check = async |headers: Headers<'_>, body: &str, field: &str| {
        let answer = post(&shop, &path, headers, body).await;
        let problem = answer.problem(401, "invalid_signature");
        assert_eq!(problem["field"], field, "{problem}");
    };
    check(&[], body, "webhook-id").await;
    check(&good.headers()[..1], body, "webhook-timestamp").await;
    check(&good.headers()[..2], body, "webhook-signature").await;
    check(
        &good.headers(),
        r#"{"status":"delivered"}"#,
        "webhook-signature",
    )
    .await;
    let other = signed("n-1", body, OTHER_SECRET, now);
    check(&other.headers(), body, "webhook-signature").await;
    let renamed = [("webhook-id", "n-2"), good.headers()[1], good.headers()[2]];
    check(&renamed, body, "webhook-signature").await;
    for minutes in [-6, 6] {
        let stale = signed("n-1", body, SECRET, now + minutes * 60_000);
        check(&stale.headers(), body, "webhook-timestamp").await;
    }
    // Nothing moved it, and a stranger does not learn which parcels there are.
    let nowhere = post(&shop, "/carrier/parcels/trk_none", &[], body).await;
    nowhere.problem(401, "invalid_signature");
    let answer = post(&shop, &path, &good.headers(), body).await.expect(200);
    assert_eq!(
        (&answer["status"], &answer["changed"]),
        (&json!("packed"), &json!(true))
    );
    let changing_over = signed("n-3", body, OLD_SECRET, now);
    post(&shop, &path, &changing_over.headers(), body)
        .await
        .expect(200);
}

#[tokio::test]
async fn a_notice_that_comes_again_is_answered_as_before_and_changes_nothing() {
    let (shop, path) = secured().await;
    let say = async |id: &str, body: &str, later_ms: i64| {
        let signed = signed(id, body, SECRET, now_ms() + later_ms);
        post(&shop, &path, &signed.headers(), body).await
    };
    let packed = r#"{"status":"packed","at":"2026-01-02T03:04:05Z"}"#;
    let first = say("n-1", packed, 0).await;
    assert_eq!(first.expect(200)["changedAt"], "2026-01-02T03:04:05.000Z");
    say("n-2", r#"{"status":"delivered"}"#, 0).await.expect(200);
    let refused = say("n-3", r#"{"status":"returned"}"#, 0).await;
    let problem = refused.problem(409, "parcel_step_refused");
    assert_eq!(problem["parcel"]["status"], "delivered");
    // Another attempt has another time and signature.
    for (id, body, before) in [
        ("n-1", packed, &first),
        ("n-3", r#"{"status":"returned"}"#, &refused),
    ] {
        let again = say(id, body, 2_000).await;
        assert!(again.is_replay());
        assert_eq!((again.status, again.json()), (before.status, before.json()));
    }
    let late = say("n-4", r#"{"status":"in_transit"}"#, 0)
        .await
        .expect(200);
    assert_eq!(
        (&late["status"], &late["changed"]),
        (&json!("delivered"), &json!(false))
    );
    let reused = say("n-1", r#"{"status":"delivered"}"#, 0).await;
    assert_eq!(
        reused.problem(422, "idempotency_key_reused")["field"],
        "webhook-id"
    );
}

#[tokio::test]
async fn a_notice_is_checked_field_by_field() {
    let shop = Shop::start(Settings::new()).await;
    let (_, id) = sent_order(&shop).await;
    let path = format!("/carrier/parcels/{id}");
    let long = "길".repeat(201);
    for (body, status, code, field) in [
        (json!({}), 422, "missing_field", "status"),
        (json!({"status": "lost"}), 422, "invalid_field", "status"),
        (json!({"status": 2}), 422, "invalid_field", "status"),
        (
            json!({"status": "packed", "x": 1}),
            422,
            "unknown_field",
            "x",
        ),
        (
            json!({"status": "packed", "at": "yesterday"}),
            422,
            "invalid_field",
            "at",
        ),
        (
            json!({"status": "packed", "at": "2999-01-01T00:00:00Z"}),
            422,
            "invalid_field",
            "at",
        ),
        (
            json!({"status": "packed", "at": "1969-01-01T00:00:00Z"}),
            422,
            "invalid_field",
            "at",
        ),
        (
            json!({"status": "packed", "place": ""}),
            422,
            "invalid_field",
            "place",
        ),
        (
            json!({"status": "packed", "place": long}),
            422,
            "invalid_field",
            "place",
        ),
        (
            json!({"status": "packed", "place": "a\nb"}),
            422,
            "invalid_field",
            "place",
        ),
    ] {
        let problem: Value = shop.post(&path, &body).await.problem(status, code);
        assert_eq!(problem["field"], field, "{body}: {problem}");
    }
    let nowhere = shop
        .post("/carrier/parcels/trk_none", &json!({"status": "packed"}))
        .await;
    nowhere.problem(404, "parcel_not_found");
    shop.get("/parcels/trk_none")
        .await
        .problem(404, "parcel_not_found");
    shop.get("/orders/ord_none/parcel")
        .await
        .problem(404, "order_not_found");
    let fits = "길".repeat(200);
    let body = json!({"status": "packed", "place": fits});
    shop.post(&path, &body).await.expect(200);
}

#[tokio::test]
async fn without_a_secret_it_is_open_only_where_everything_is() {
    let settings = Settings::new().set("AUTH__OPERATOR_TOKEN", "0123456789abcdef");
    let body = json!({"status": "packed"});
    for shop in [
        Shop::start(settings.clone()).await,
        Shop::start_everywhere(settings).await,
    ] {
        let answer = shop.post("/carrier/parcels/trk_none", &body).await;
        let problem = answer.problem(401, "invalid_signature");
        assert!(
            problem["detail"]
                .as_str()
                .unwrap()
                .contains("carrier.secret")
        );
        shop.get("/parcels/trk_none")
            .await
            .problem(401, "unauthorized");
    }
}
