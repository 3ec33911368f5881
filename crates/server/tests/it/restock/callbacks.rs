//! What a factory says when it delivers: repeated, late, too little, too much, from somebody
//! else. Counted once, as what really arrived.

use serde_json::{Value, json};

use super::{SKU, assert_counted, deliver, settings, sold_out};
use crate::harness::Shop;
use crate::harness::factory::{Factory, Manner, Request};

/// A shop whose factory has taken the request.
async fn in_production() -> (Shop, Factory, Request) {
    let factory = Factory::start(Manner::Answer(202));
    let shop = sold_out(settings(&factory.url())).await;
    let request = factory.request(1).await;
    shop.replenishment(SKU, "in_production").await;
    (shop, factory, request)
}

fn donuts(count: impl Into<Value>) -> Value {
    json!({"MessageAttributeProductId": SKU, "MessageAttributeProductCnt": count.into()})
}

#[tokio::test]
async fn a_callback_that_comes_twice_is_counted_once() {
    let (shop, _factory, request) = in_production().await;
    let first = deliver(&shop, &request, 10).await.expect(200);
    assert_eq!(first["repeated"], false);
    let second = deliver(&shop, &request, 10).await.expect(200);
    assert_eq!(
        second,
        json!({"message": "received before: 15 on hand", "stock": 15, "repeated": true})
    );
    assert_counted(&shop, 15, 1).await;
}

#[tokio::test]
async fn a_callback_that_comes_again_with_another_count_is_refused() {
    let (shop, _factory, request) = in_production().await;
    deliver(&shop, &request, 3).await.expect(200);
    let path = format!(
        "/replenishments/{}/receipt?token={}",
        request.argument("replenishment"),
        request.argument("token")
    );
    // The rest of the goods, maybe: nobody may believe that they are counted.
    let rest = [
        (
            deliver(&shop, &request, 7).await,
            "MessageAttributeProductCnt",
        ),
        (
            shop.post(&path, &request.delivery("7")).await,
            "MessageAttributeProductCnt",
        ),
        (shop.post(&path, &json!({"quantity": 7})).await, "quantity"),
    ];
    for (answer, field) in rest {
        let problem = answer.problem(409, "reference_reused");
        assert_eq!(problem["field"], field);
        assert_eq!(problem["counted"], 3);
    }
    assert_eq!(
        deliver(&shop, &request, 3).await.expect(200)["repeated"],
        true
    );
    assert_eq!(shop.replenishments(SKU).await[0]["received"], 3);
    shop.receive(SKU, 7, "the rest").await;
    assert_eq!(shop.product(SKU).await["onHand"], 15);
}

#[tokio::test]
async fn a_hundred_callbacks_at_once_are_counted_once() {
    let (shop, _factory, request) = in_production().await;
    let answers = (0..100).map(|_| deliver(&shop, &request, 10));
    let answers = futures_util::future::join_all(answers).await;
    let counted = answers
        .iter()
        .filter(|answer| answer.expect(200)["repeated"] == false);
    assert_eq!(counted.count(), 1);
    assert_counted(&shop, 15, 1).await;
}

#[tokio::test]
async fn less_than_was_asked_for_is_counted_as_it_came() {
    let (shop, factory, request) = in_production().await;
    let waiting = shop.place(SKU, "patient@example.com", 8).await;
    deliver(&shop, &request, 3).await.expect(200);
    assert_eq!(shop.product(SKU).await["available"], 3);
    // The line is still owed something: the factory is asked again.
    let second = factory.request(2).await;
    assert_eq!(second.json()["MessageAttributeProductCnt"], 10);
    assert_eq!(shop.order_of(&waiting).await["status"], "pending");
    deliver(&shop, &second, 5).await.expect(200);
    assert_eq!(shop.order_of(&waiting).await["status"], "accepted");
    let first = shop.replenishments(SKU).await.pop().unwrap();
    assert_eq!(first["received"], 3);
    assert_eq!(first["quantity"], 10);
    assert_counted(&shop, 13, 2).await;
}

#[tokio::test]
async fn more_than_was_asked_for_is_counted_as_it_came() {
    let (shop, _factory, request) = in_production().await;
    let waiting = shop.place(SKU, "patient@example.com", 12).await;
    deliver(&shop, &request, 25).await.expect(200);
    assert_eq!(shop.order_of(&waiting).await["status"], "accepted");
    assert_eq!(shop.product(SKU).await["available"], 13);
    assert_eq!(shop.replenishments(SKU).await[0]["received"], 25);
    assert_counted(&shop, 30, 1).await;
}

#[tokio::test]
async fn a_factory_that_never_calls_back_is_overdue_and_its_late_callback_counts_once() {
    let factory = Factory::start(Manner::Answer(202));
    let shop = sold_out(settings(&factory.url()).set("FACTORY__OVERDUE_S", 1)).await;
    let request = factory.request(1).await;
    let failed = shop.replenishment(SKU, "failed").await;
    assert_eq!(failed["reason"], "overdue");
    assert_eq!(failed["attempts"], 1);
    assert!(failed["startedAt"].is_string(), "{failed}");
    let mut events = shop.events("/events?since=0").await;
    let event = events.next_named("replenishment.failed").await;
    assert_eq!(event.data["reason"], "overdue");

    let late = deliver(&shop, &request, 10).await.expect(200);
    assert_eq!(late["repeated"], false);
    assert_eq!(
        deliver(&shop, &request, 10).await.expect(200)["repeated"],
        true
    );
    let received = shop.replenishment(SKU, "received").await;
    assert_eq!(received["id"], failed["id"]);
    assert_counted(&shop, 15, 1).await;
}

#[tokio::test]
async fn a_late_delivery_beside_the_next_request_leaves_that_one_open() {
    let factory = Factory::start(Manner::Answer(202));
    let settings = settings(&factory.url())
        .set("FACTORY__OVERDUE_S", 1)
        .set("FACTORY__ASK_AGAIN_S", 1);
    let shop = sold_out(settings).await;
    let late = factory.request(1).await;
    factory.request(2).await;
    deliver(&shop, &late, 10).await.expect(200);
    let replenishments = shop.replenishments(SKU).await;
    let first = replenishments.last().unwrap();
    assert_eq!(first["status"], "received", "{replenishments:?}");
    assert_eq!(first["id"], late.argument("replenishment"));
    // Whichever is the newest now, what it brings is counted beside it.
    let newest = factory.requests().pop().unwrap();
    deliver(&shop, &newest, 10).await.expect(200);
    assert_counted(&shop, 25, 2).await;
}

#[tokio::test]
async fn a_callback_for_a_failed_request_is_counted() {
    let factory = Factory::start(Manner::Answer(422));
    let shop = sold_out(settings(&factory.url())).await;
    let request = factory.request(1).await;
    shop.replenishment(SKU, "failed").await;
    assert_eq!(
        deliver(&shop, &request, 10).await.expect(200)["repeated"],
        false
    );
    assert_eq!(
        deliver(&shop, &request, 10).await.expect(200)["repeated"],
        true
    );
    assert_eq!(shop.replenishments(SKU).await[0]["status"], "received");
    assert_counted(&shop, 15, 1).await;
}

#[tokio::test]
async fn only_the_token_of_the_request_opens_the_door() {
    let (shop, factory, request) = in_production().await;
    let reorder = json!({"point": 0, "quantity": 10, "factory": "FF-1"});
    shop.offer("OTHER-1", json!({"reorder": reorder})).await;
    let other = factory.request(2).await;
    let id = request.argument("replenishment");
    let token = request.argument("token");
    let shorter = &token[..token.len() - 1];
    let wrong = token.chars().rev().collect::<String>();
    for (what, query) in [
        ("wrong", format!("?replenishment={id}&token={wrong}")),
        ("shorter", format!("?replenishment={id}&token={shorter}")),
        ("longer", format!("?replenishment={id}&token={token}0")),
        ("empty", format!("?replenishment={id}&token=")),
        ("missing", format!("?replenishment={id}")),
        (
            "another's",
            format!("?replenishment={id}&token={}", other.argument("token")),
        ),
    ] {
        let answer = shop
            .post(&format!("/product/donut{query}"), &donuts(10))
            .await;
        let problem = answer.problem(401, "invalid_token");
        assert_eq!(problem["field"], "token", "{what}");
        let path = format!("/replenishments/{id}/receipt{query}")
            .replace(&format!("replenishment={id}&"), "")
            .replace(&format!("replenishment={id}"), "");
        let answer = shop.post(&path, &json!({"quantity": 10})).await;
        answer.problem(401, "invalid_token");
    }
    for (query, field) in [("token=w&x=1", "x"), ("token=a&token=b", "token")] {
        let path = format!("/replenishments/{id}/receipt?{query}");
        let answer = shop.post(&path, &json!({"quantity": 10})).await;
        let problem = answer.problem(400, "invalid_parameter");
        assert_eq!(problem["field"], field, "{query}");
    }
    // The right token for another request than the one it came with.
    let query = format!(
        "?replenishment={}&token={token}",
        other.argument("replenishment")
    );
    let answer = shop
        .post(&format!("/product/donut{query}"), &donuts(10))
        .await;
    answer.problem(401, "invalid_token");
    // And no other product with it.
    let mut delivery = request.delivery(10);
    delivery["MessageAttributeProductId"] = "OTHER-1".into();
    let answer = shop.post(&request.callback(), &delivery).await;
    let problem = answer.problem(422, "invalid_field");
    assert_eq!(problem["field"], "MessageAttributeProductId");
    assert_counted(&shop, 5, 0).await;
    deliver(&shop, &request, 10).await.expect(200);
    assert_counted(&shop, 15, 1).await;
}

#[tokio::test]
async fn counts_are_numbers_or_digits_and_nothing_else() {
    let (shop, _factory, request) = in_production().await;
    for count in [
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1e30),
        json!("0"),
        json!("-1"),
        json!("1.0"),
        json!("ten"),
        json!(""),
        json!(null),
        json!(1_000_000_001),
        json!("99999999999999999999999"),
    ] {
        let answer = deliver(&shop, &request, count.clone()).await;
        let problem = answer.problem(422, "invalid_field");
        assert_eq!(problem["field"], "MessageAttributeProductCnt", "{count}");
    }
    assert_counted(&shop, 5, 0).await;
    assert_eq!(
        deliver(&shop, &request, "10").await.expect(200)["stock"],
        15
    );
    assert_counted(&shop, 15, 1).await;
}

#[tokio::test]
async fn our_own_form_and_system_ds_are_both_taken_at_the_receipt() {
    for system_d in [false, true] {
        let (shop, _factory, request) = in_production().await;
        let id = request.argument("replenishment");
        let path = format!(
            "/replenishments/{id}/receipt?token={}",
            request.argument("token")
        );
        let body = if system_d {
            request.delivery("10")
        } else {
            json!({"quantity": 10})
        };
        let expected = |repeated: bool| {
            json!({
                "replenishment": id, "sku": SKU, "quantity": 10, "onHand": 15,
                "repeated": repeated,
            })
        };
        assert_eq!(shop.post(&path, &body).await.expect(200), expected(false));
        assert_eq!(shop.post(&path, &body).await.expect(200), expected(true));
        // The same goods under the other name of the same delivery.
        assert_eq!(
            deliver(&shop, &request, 10).await.expect(200)["repeated"],
            true
        );
        assert_counted(&shop, 15, 1).await;
    }
}

#[tokio::test]
async fn without_a_token_the_setting_decides() {
    for on in [true, false] {
        let factory = Factory::start(Manner::Answer(202));
        let settings = settings(&factory.url()).set("FACTORY__UNTOKENED_CALLBACKS", on);
        let shop = sold_out(settings).await;
        factory.request(1).await;
        shop.replenishment(SKU, "in_production").await;
        let post = async |body: &Value| shop.post("/product/donut", body).await;
        if on {
            let mut stranger = donuts(10);
            stranger["MessageAttributeFactoryId"] = "FF-9".into();
            let problem = post(&stranger).await.problem(409, "no_open_replenishment");
            assert_eq!(problem["field"], "MessageAttributeFactoryId");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains("another factory"), "{detail}");
            let unknown =
                json!({"MessageAttributeProductId": "NO-1", "MessageAttributeProductCnt": 1});
            let problem = post(&unknown).await.problem(404, "product_not_found");
            assert_eq!(problem["field"], "MessageAttributeProductId");
            // Half of a callback's URL.
            for path in ["/product/donut?token=x", "/product/donut?token="] {
                let problem = shop.post(path, &donuts(10)).await;
                let problem = problem.problem(400, "invalid_parameter");
                assert_eq!(problem["field"], "replenishment", "{path}");
            }
            assert_counted(&shop, 5, 0).await;
            assert_eq!(post(&donuts("10")).await.expect(200)["stock"], 15);
            // Nothing is open any more, so a repeat cannot be taken for the next delivery.
            post(&donuts(10))
                .await
                .problem(409, "no_open_replenishment");
            assert_counted(&shop, 15, 1).await;
        } else {
            post(&donuts(10)).await.problem(401, "invalid_token");
            assert_counted(&shop, 5, 0).await;
        }
    }
}

/// As the API says: there is nothing to tell the repeat by. With its token it is one; see
/// `a_callback_that_comes_twice_is_counted_once`.
#[tokio::test]
async fn a_repeat_without_a_token_counts_for_the_request_that_is_open_by_then() {
    let factory = Factory::start(Manner::Answer(202));
    let settings = settings(&factory.url()).set("FACTORY__UNTOKENED_CALLBACKS", true);
    let shop = sold_out(settings).await;
    shop.place(SKU, "patient@example.com", 8).await;
    for (delivery, on_hand) in [(1, 8), (2, 11)] {
        factory.request(delivery).await;
        shop.replenishment(SKU, "in_production").await;
        let answer = shop.post("/product/donut", &donuts(3)).await.expect(200);
        assert_eq!(answer["stock"], on_hand);
        assert_eq!(answer["repeated"], false);
    }
    factory.request(3).await;
    let received: Vec<Value> = (shop.replenishments(SKU).await.iter())
        .map(|replenishment| replenishment["received"].clone())
        .collect();
    assert_eq!(received, [0, 3, 3]);
    assert_counted(&shop, 11, 2).await;
}

#[tokio::test]
async fn a_callback_without_its_token_is_refused_unless_the_setting_is_there() {
    let (shop, _factory, _request) = in_production().await;
    let answer = shop.post("/product/donut", &donuts(10)).await;
    answer.problem(401, "invalid_token");
    assert_counted(&shop, 5, 0).await;
}

#[tokio::test]
async fn the_shop_is_killed_between_the_request_and_the_callback() {
    let (mut shop, factory, request) = in_production().await;
    shop.kill();
    shop.restart().await;
    let open = shop.replenishments(SKU).await;
    assert_eq!(open[0]["status"], "in_production");
    deliver(&shop, &request, 10).await.expect(200);
    shop.kill();
    shop.restart().await;
    assert_eq!(
        deliver(&shop, &request, 10).await.expect(200)["repeated"],
        true
    );
    assert_counted(&shop, 15, 1).await;
    assert_eq!(factory.requests().len(), 1);
}

#[tokio::test]
async fn the_shop_is_killed_before_it_heard_the_factorys_answer() {
    let factory = Factory::start(Manner::Silent);
    let mut shop = sold_out(settings(&factory.url())).await;
    let request = factory.request(1).await;
    shop.kill();
    factory.behave(Manner::Answer(202));
    shop.restart().await;
    assert_eq!(shop.replenishments(SKU).await[0]["status"], "requested");
    deliver(&shop, &request, 10).await.expect(200);
    assert_eq!(shop.replenishments(SKU).await.len(), 1);
    assert_counted(&shop, 15, 1).await;
}
