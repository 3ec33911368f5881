//! What operators are shown, and e-mails to buyers.

use serde_json::{Value, json};

use super::{DONUT, demo, mails, queue_is_empty, told};
use crate::harness::client::Answer;
use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

/// What the topic `orders` says of an order.
fn verdict(kind: &str, seq: u64, order: &Value, customer: &str) -> String {
    let place = order["place"].as_u64().unwrap();
    json!({
        "type": kind, "seq": seq, "at": 1_795_370_400_000_u64,
        "data": {"sku": DONUT, "place": place, "quantity": 1, "stock": [5, 0, 5, 0, 0, 1], "was": "accepted"},
        "order": {
            "id": order["id"], "seq": 900, "customer": customer, "sku": DONUT,
            "quantity": 1, "unitPrice": 19_900, "currency": "KRW",
        },
    })
    .to_string()
}

async fn tell(shop: &Shop, body: &str) -> Answer {
    let path = "/ops/queues/emails/messages";
    shop.post(path, &json!({"body": body})).await
}

#[tokio::test]
async fn a_buyer_hears_each_verdict_once_in_the_language_of_the_shop() {
    for (language, words) in [
        ("en", "Your order is accepted: Glazed donut"),
        ("ko", "구매가 확정됐어요: Glazed donut"),
    ] {
        let settings = demo(60_000, 60)
            .set("MAIL__VERDICTS", true)
            .set("MAIL__LANGUAGE", language);
        let shop = Shop::start(settings).await;
        let order = shop.place(DONUT, "kim@example.com", 1).await;
        let of = |mails: Vec<Value>| -> Vec<Value> {
            let is_ours = |mail: &Value| mail["orderSeq"] == 900;
            mails.into_iter().filter(is_ours).collect()
        };
        for (kind, seq) in [
            ("order.accepted", 901),
            ("order.accepted", 901),
            ("order.cancelled", 902),
        ] {
            let body = verdict(kind, seq, &order, "kim@example.com");
            tell(&shop, &body).await.expect(201);
            eventually("it is written", async || {
                let mails = of(mails(&shop).await);
                mails
                    .iter()
                    .any(|mail| mail["kind"] == kind && mail["status"] == "sent")
                    .then_some(())
            })
            .await;
        }
        queue_is_empty(&shop).await;
        let found = of(mails(&shop).await);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[0]["subject"], words);
        assert_eq!(found[0]["to"], "kim@example.com");
        let path = format!("/ops/mails/{}", found[0]["id"].as_str().unwrap());
        let whole = shop.get(&path).await.expect(200);
        for form in ["text", "html"] {
            assert!(
                whole[form].as_str().unwrap().contains("Glazed donut"),
                "{form}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_poison_or_has_no_address_is_a_dead_letter_with_its_reason() {
    let shop = Shop::start(demo(60_000, 60).set("MAIL__VERDICTS", true)).await;
    let order = shop.place(DONUT, "kim@example.com", 1).await;
    tell(&shop, "not an event").await.expect(201);
    let nobody = verdict("order.accepted", 903, &order, "사용자@example.com");
    tell(&shop, &nobody).await.expect(201);
    for wanted in ["not such an event", "invalid: to must"] {
        eventually(wanted, async || {
            let list = shop
                .get("/ops/queues/emails-dlq/messages")
                .await
                .expect(200);
            let dead = list["messages"].as_array().unwrap().clone();
            let mut reasons = dead
                .iter()
                .map(|message| message["reason"].as_str().unwrap());
            reasons.any(|reason| reason.contains(wanted)).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn operators_page_through_them_and_read_one_as_a_page_that_runs_nothing() {
    let shop = Shop::start(demo(60_000, 0)).await;
    let empty = shop.get("/ops/mails").await.expect(200);
    assert_eq!(empty, json!({"mails": [], "transport": "mailbox"}));
    shop.place(DONUT, "a@example.com", 5).await;
    told(&shop, &[("ads.pause", "sent")]).await;
    let list = shop.get("/ops/mails?limit=1").await.expect(200);
    assert!(list.get("next").is_none());
    let id = list["mails"][0]["id"].as_str().unwrap().to_owned();
    let page = shop.get(&format!("/ops/mails/{id}/html")).await;
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("sandbox; default-src 'none'"),
        "{policy}"
    );
    assert!(page.body.contains("<h1"), "{}", page.body);
    for path in ["/ops/mails/nope", "/ops/mails/nope/html"] {
        shop.get(path).await.problem(404, "mail_not_found");
    }
    for (path, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("before=x", "before"),
        ("x=1", "x"),
    ] {
        let problem = shop.get(&format!("/ops/mails?{path}")).await;
        assert_eq!(problem.problem(400, "invalid_parameter")["field"], field);
    }
}

#[tokio::test]
async fn switched_off_nothing_is_written() {
    let shop = Shop::start(demo(60_000, 0).set("MAIL__TRANSPORT", "off")).await;
    shop.place(DONUT, "a@example.com", 5).await;
    tell(&shop, "whatever is heard of").await.expect(201);
    queue_is_empty(&shop).await;
    let list = shop.get("/ops/mails").await.expect(200);
    assert_eq!(list, json!({"mails": [], "transport": "off"}));
}

#[tokio::test]
async fn operators_alone_may_read_them() {
    let token = "0123456789abcdef";
    let settings = Settings::new().set("AUTH__OPERATOR_TOKEN", token);
    let shop = Shop::start(settings).await;
    for path in ["/ops/mails", "/ops/mails/x", "/ops/mails/x/html"] {
        shop.get(path).await.problem(401, "unauthorized");
    }
}
