//! Lines: who waits, how long, who is next, and how many one customer may have.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::client::Answer;
use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

async fn shop(stock: u64) -> Shop {
    let shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": stock, "whenSoldOut": "wait"}))
        .await;
    shop
}

async fn preferring(shop: &Shop, prefer: &str, sku: &str, customer: &str) -> Answer {
    let body = json!({"sku": sku, "customer": customer});
    let headers = [("prefer", prefer)];
    shop.send("POST", "/orders", &headers, Some(&body)).await
}

async fn cancel(shop: &Shop, order: &Value) -> Answer {
    let path = format!("/orders/{}", order["id"].as_str().unwrap());
    shop.send("DELETE", &path, &[], None).await
}

async fn assert_statuses(shop: &Shop, orders: &[Value], expected: &[&str]) {
    let mut statuses = Vec::new();
    for order in orders {
        let order = shop.order_of(order).await;
        statuses.push(order["status"].as_str().unwrap().to_owned());
    }
    assert_eq!(statuses, expected);
}

#[tokio::test]
async fn a_waiting_order_says_where_it_is() {
    let shop = shop(0).await;
    let answer = shop.order("A-1", "a@example.com").await;
    let order = answer.expect(202);
    let location = format!("/orders/{}", order["id"].as_str().unwrap());
    assert_eq!(answer.header("location"), Some(location.as_str()));
    let mut read = shop.get(&location).await.expect(200);
    // What comes later is told by reads alone.
    assert_eq!(
        read.as_object_mut().unwrap().remove("parcel"),
        Some(Value::Null)
    );
    assert_eq!(read, order);
}

#[tokio::test]
async fn ahead_counts_who_stands_before() {
    let shop = shop(0).await;
    let mut orders = Vec::new();
    for quantity in [2, 3, 4, 1] {
        orders.push(shop.place("A-1", "a@example.com", quantity).await);
    }
    let standing = async |order: &Value| {
        let order = shop.order_of(order).await;
        (order["ahead"].clone(), order["aheadUnits"].clone())
    };
    let units: [(u64, u64); 4] = [(0, 0), (1, 2), (2, 5), (3, 9)];
    for (order, (ahead, ahead_units)) in orders.iter().zip(units) {
        assert_eq!(standing(order).await, (ahead.into(), ahead_units.into()));
        assert_eq!(order["ahead"], ahead);
    }
    let product = shop.product("A-1").await;
    assert_eq!(product["waiting"], 4);
    assert_eq!(product["waitingUnits"], 10);
    cancel(&shop, &orders[1]).await.expect(200);
    assert_eq!(standing(&orders[3]).await, (2.into(), 6.into()));
    shop.receive("A-1", 2, "d-1").await;
    assert_eq!(standing(&orders[3]).await, (1.into(), 4.into()));
    assert_statuses(
        &shop,
        &orders,
        &["accepted", "cancelled", "pending", "pending"],
    )
    .await;
}

#[tokio::test]
async fn an_estimate_follows_from_the_measured_rate() {
    let shop = shop(0).await;
    let mut orders = Vec::new();
    for n in 0..40 {
        orders.push(shop.place("A-1", &format!("{n}@example.com"), 1).await);
    }
    let last = orders.last().unwrap();
    assert_eq!(last["estimateSeconds"], Value::Null, "nothing was measured");
    let path = format!("/orders/{}/events", last["id"].as_str().unwrap());
    let mut events = shop.events(&path).await;
    let rate = async || shop.product("A-1").await.get("grantRate").cloned();
    shop.receive("A-1", 1, "d-1").await;
    shop.receive("A-1", 1, "d-2").await;
    assert_eq!(
        rate().await,
        None,
        "goods that come together are one delivery"
    );
    // What comes within a second comes together.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    shop.receive("A-1", 1, "d-3").await;
    let rate = rate().await.unwrap().as_f64().unwrap();
    let order = shop.order_of(last).await;
    let units = order["aheadUnits"].as_f64().unwrap() + 1.0;
    let least = (units * 60.0 / rate * 0.99).floor();
    // A slow machine lets the line stand still for longer than that.
    let fits = |estimate: &Value| {
        let estimate = estimate.as_f64().unwrap();
        assert!(estimate >= least, "{estimate} of {least}, {rate} a minute");
    };
    fits(&order["estimateSeconds"]);
    let next = shop.place("A-1", "next@example.com", 1).await;
    assert_eq!(next["aheadUnits"], 37);
    fits(&next["estimateSeconds"]);
    eventually("the estimate grows while nothing comes", async || {
        let now = shop.order_of(last).await;
        let grows = now["estimateSeconds"].as_f64() > order["estimateSeconds"].as_f64();
        grows.then_some(())
    })
    .await;
    // Who listens is told it as well, once all of that is told.
    loop {
        let event = events.next().await.unwrap();
        if event.data["aheadUnits"] == order["aheadUnits"] {
            fits(&event.data["estimateSeconds"]);
            break;
        }
    }
}

#[tokio::test]
async fn who_finds_enough_says_nothing_of_how_fast_a_line_is_served() {
    let shop = shop(6).await;
    let buy = async |n: u32| {
        let body = json!({"email": format!("{n}@example.com"), "sku": "A-1"});
        let bought = shop.post("/buy", &body).await.expect(202);
        bought["order"].clone()
    };
    for n in 0..6 {
        let order = buy(n).await;
        eventually("the order is accepted", async || {
            let order = shop.order_of(&order).await;
            (order["status"] == "accepted").then_some(())
        })
        .await;
        // Far enough apart for a rate.
        tokio::time::sleep(Duration::from_millis(if n < 2 { 1_100 } else { 0 })).await;
    }
    let waits = buy(6).await;
    let product = shop.product("A-1").await;
    assert_eq!(product["available"], 0);
    assert_eq!(product.get("grantRate"), None);
    let order = shop.order_of(&waits).await;
    assert_eq!(order["status"], "pending");
    assert_eq!(order.get("estimateSeconds"), None);
}

#[tokio::test]
async fn goods_are_given_in_place_order_and_the_head_blocks() {
    let shop = shop(1).await;
    let mut orders = Vec::new();
    for quantity in [1, 3, 1, 1] {
        orders.push(shop.place("A-1", "a@example.com", quantity).await);
    }
    let places: Vec<u64> = orders
        .iter()
        .map(|order| order["place"].as_u64().unwrap())
        .collect();
    assert_eq!(places, [1, 2, 3, 4]);
    let receipt = shop.receive("A-1", 2, "d-1").await;
    assert_eq!(receipt["granted"], 0, "the head wants three");
    assert_statuses(
        &shop,
        &orders,
        &["accepted", "pending", "pending", "pending"],
    )
    .await;
    let receipt = shop.receive("A-1", 2, "d-2").await;
    assert_eq!(receipt["granted"], 2);
    assert_statuses(
        &shop,
        &orders,
        &["accepted", "accepted", "accepted", "pending"],
    )
    .await;
    assert_eq!(shop.product("A-1").await["available"], 0);
}

#[tokio::test]
async fn cancelling_gives_the_units_to_the_next_in_line() {
    let shop = shop(2).await;
    let first = shop.place("A-1", "a@example.com", 2).await;
    let second = shop.place("A-1", "b@example.com", 1).await;
    let third = shop.place("A-1", "c@example.com", 2).await;
    let cancelled = cancel(&shop, &first).await.expect(200);
    assert_eq!(cancelled["status"], "cancelled");
    assert!(cancelled["cancelledAt"].is_string());
    assert_eq!(cancelled["decidedAt"], first["decidedAt"]);
    let orders = [first.clone(), second, third.clone()];
    assert_statuses(&shop, &orders, &["cancelled", "accepted", "pending"]).await;
    assert_eq!(
        cancel(&shop, &first).await.expect(200),
        cancelled,
        "repeated"
    );
    // One who waits may leave as well.
    let left = cancel(&shop, &third).await.expect(200);
    assert_eq!(left["status"], "cancelled");
    let product = shop.product("A-1").await;
    assert_eq!(product["available"], 1);
    assert_eq!(product["waiting"], 0);
    assert_eq!(product["waitingUnits"], 0);
}

#[tokio::test]
async fn an_order_that_was_sold_out_cannot_be_cancelled() {
    let shop = shop(0).await;
    shop.offer("REJECT-1", json!({})).await;
    let order = shop.place("REJECT-1", "a@example.com", 1).await;
    assert_eq!(order["status"], "sold_out");
    let mut read = shop.order_of(&order).await;
    assert_eq!(
        read.as_object_mut().unwrap().remove("parcel"),
        Some(Value::Null)
    );
    assert_eq!(read, order);
    cancel(&shop, &order).await.problem(409, "not_cancellable");
}

#[tokio::test]
async fn a_line_that_no_longer_waits_is_told_so() {
    let shop = shop(0).await;
    let orders = [
        shop.place("A-1", "a@example.com", 1).await,
        shop.place("A-1", "b@example.com", 1).await,
    ];
    let reject = json!({"whenSoldOut": "reject"});
    shop.send("PATCH", "/products/A-1", &[], Some(&reject))
        .await
        .expect(200);
    assert_statuses(&shop, &orders, &["sold_out", "sold_out"]).await;
    assert_eq!(shop.product("A-1").await["waiting"], 0);
}

#[tokio::test]
async fn wait_answers_when_the_verdict_comes() {
    let shop = shop(0).await;
    let (answer, ()) = tokio::join!(
        preferring(&shop, "wait=60", "A-1", "a@example.com"),
        async {
            eventually("the order is in the line", async || {
                (shop.product("A-1").await["waiting"] == 1).then_some(())
            })
            .await;
            shop.receive("A-1", 1, "d-1").await;
        }
    );
    assert_eq!(answer.expect(201)["status"], "accepted");
}

#[tokio::test]
async fn wait_answers_when_its_time_is_over() {
    let shop = shop(0).await;
    let began = tokio::time::Instant::now();
    let answer = preferring(&shop, "wait=1", "A-1", "a@example.com").await;
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(answer.expect(202)["status"], "pending");
    let at_once = preferring(&shop, "wait=0", "A-1", "a@example.com").await;
    assert_eq!(at_once.expect(202)["place"], 2);
}

#[tokio::test]
async fn a_stop_answers_who_waits_for_a_verdict() {
    let mut shop = shop(0).await;
    let waits = preferring(&shop, "wait=60", "A-1", "a@example.com");
    let (answer, ()) = tokio::join!(waits, async {
        eventually("the order is in the line", async || {
            (shop.product("A-1").await["waiting"] == 1).then_some(())
        })
        .await;
        shop.terminate();
    });
    assert_eq!(answer.expect(202)["status"], "pending");
    assert_eq!(shop.ended().await.code(), Some(0));
    shop.restart().await;
    shop.receive("A-1", 1, "d-1").await;
    assert_eq!(shop.order_of(&answer.json()).await["status"], "accepted");
}

#[tokio::test]
async fn respond_async_takes_the_place_and_decides_after() {
    let shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": 1})).await;
    let mut orders = Vec::new();
    for place in 1..=3 {
        let answer = preferring(&shop, "respond-async", "A-1", "a@example.com").await;
        let order = answer.expect(202);
        assert_eq!(order["place"], place);
        let location = format!("/orders/{}", order["id"].as_str().unwrap());
        assert_eq!(answer.header("location"), Some(location.as_str()));
        orders.push(order);
    }
    eventually("all are decided", async || {
        (shop.product("A-1").await["waiting"] == 0).then_some(())
    })
    .await;
    assert_statuses(&shop, &orders, &["accepted", "sold_out", "sold_out"]).await;
    // One who asks for both gets the verdict if it comes in time.
    shop.receive("A-1", 1, "d-1").await;
    let both = preferring(&shop, "respond-async, wait=60", "A-1", "a@example.com").await;
    assert_eq!(both.expect(201)["place"], 4);
}

#[tokio::test]
async fn the_compact_form_answers_at_once_and_the_verdict_follows() {
    let shop = Shop::start(Settings::new().set("BUY__SKU", "A-1")).await;
    shop.offer("A-1", json!({"stock": 1})).await;
    let mut orders = Vec::new();
    for (language, message) in [
        ("en", "You are in the line at place 1. The verdict follows."),
        (
            "ko-KR,ko;q=0.9",
            "대기열 2번에 등록되었습니다. 결과를 곧 알려 드립니다.",
        ),
    ] {
        let body = json!({"email": "a@example.com"});
        let headers = [("accept-language", language)];
        let answer = shop.send("POST", "/buy", &headers, Some(&body)).await;
        let bought = answer.expect(202);
        assert_eq!(bought["message"], message);
        let location = format!("/orders/{}", bought["order"]["id"].as_str().unwrap());
        assert_eq!(answer.header("location"), Some(location.as_str()));
        orders.push(bought["order"].clone());
    }
    eventually("both are decided", async || {
        (shop.product("A-1").await["waiting"] == 0).then_some(())
    })
    .await;
    assert_statuses(&shop, &orders, &["accepted", "sold_out"]).await;
}

#[tokio::test]
async fn one_customer_may_have_so_many_however_the_address_is_written() {
    let mut shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": 99, "purchaseLimit": 3}))
        .await;
    let first = shop.place("A-1", "ada@example.com", 1).await;
    shop.place("A-1", "ADA@EXAMPLE.COM", 1).await;
    let over = json!({"sku": "A-1", "customer": "Ada@Example.Com", "quantity": 2});
    for restarted in [false, true] {
        if restarted {
            shop.kill();
            shop.restart().await;
        }
        let problem = shop
            .post("/orders", &over)
            .await
            .problem(409, "purchase_limit");
        assert_eq!(problem["limit"], 3);
        assert_eq!(problem["bought"], 2);
        assert_eq!(problem["field"], "quantity");
    }
    // What was given back may be bought again.
    cancel(&shop, &first).await.expect(200);
    assert_eq!(shop.post("/orders", &over).await.expect(201)["place"], 3);
    shop.order("A-1", "ada@example.com")
        .await
        .problem(409, "purchase_limit");
    shop.order("A-1", "bob@example.com").await.expect(201);
    // Letters beyond ASCII fold as well.
    let umlaut = json!({"sku": "A-1", "customer": "jörg@example.com", "quantity": 3});
    shop.post("/orders", &umlaut).await.expect(201);
    shop.order("A-1", "JÖRG@example.com")
        .await
        .problem(409, "purchase_limit");
}

#[tokio::test]
async fn a_limit_counts_those_who_wait_and_not_those_who_got_nothing() {
    let shop = Shop::start(Settings::new()).await;
    shop.offer("WAIT-1", json!({"purchaseLimit": 1, "whenSoldOut": "wait"}))
        .await;
    assert_eq!(
        shop.place("WAIT-1", "a@example.com", 1).await["status"],
        "pending"
    );
    let again = shop.order("WAIT-1", "a@example.com").await;
    again.problem(409, "purchase_limit");
    shop.offer("REJECT-1", json!({"purchaseLimit": 1})).await;
    for place in 1..=2 {
        let order = shop.place("REJECT-1", "a@example.com", 1).await;
        assert_eq!(order["status"], "sold_out");
        assert_eq!(order["place"], place);
    }
    shop.receive("REJECT-1", 5, "d-1").await;
    shop.order("REJECT-1", "a@example.com").await.expect(201);
}
