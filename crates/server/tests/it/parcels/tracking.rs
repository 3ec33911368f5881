use serde_json::{Value, json};

use super::{
    QUEUE, accepted, cancelled, event, parcel, parcel_is, send, sent_order, seq_of, statuses,
};
use crate::harness::sse::{Event, Events};
use crate::harness::wait::eventually;
use crate::harness::{Settings, Shop};

async fn carrier_says(shop: &Shop, id: &str, status: &str) -> Value {
    let body = json!({"status": status, "place": "Seoul"});
    shop.post(&format!("/carrier/parcels/{id}"), &body)
        .await
        .expect(200)
}

/// The order as its stream tells it, once its parcel has this status.
async fn told(events: &mut Events, status: &str) -> Event {
    loop {
        let event = events.next_named("order").await;
        if event.data["parcel"]["status"] == status {
            return event;
        }
    }
}

#[tokio::test]
async fn a_parcel_is_followed_live_from_the_order_to_the_door() {
    let shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": 5})).await;
    let order = shop.place("A-1", "ada@example.com", 2).await;
    assert!(
        order.get("parcel").is_none(),
        "an answer to an order is about the order"
    );
    let path = format!("/orders/{}/events", order["id"].as_str().unwrap());
    let mut events = shop.events(&path).await;
    send(&shop, &accepted(&order)).await;
    let created = told(&mut events, "created").await;
    assert_eq!(created.data["status"], "accepted");
    let id = created.data["parcel"]["trackingId"]
        .as_str()
        .unwrap()
        .to_owned();
    for status in ["packed", "in_transit", "delivered"] {
        assert_eq!(carrier_says(&shop, &id, status).await["changed"], true);
        let event = told(&mut events, status).await;
        assert!(event.data["parcel"]["changedAt"].is_string());
        assert_eq!(shop.order_of(&order).await["parcel"]["status"], status);
    }
    // Who comes back hears how it stands.
    let mut again = shop.events(&path).await;
    let first = again.next_named("order").await;
    assert_eq!(first.data["parcel"]["status"], "delivered");

    let whole = parcel(&shop, &order).await.expect(200);
    assert_eq!(
        statuses(&whole),
        ["created", "packed", "in_transit", "delivered"]
    );
    assert_eq!(whole["history"][2]["place"], "Seoul");
    let operators = shop.get(&format!("/parcels/{id}")).await.expect(200);
    assert_eq!(operators["orderId"], order["id"]);
    assert_eq!(operators["customer"], "ada@example.com");
    assert_eq!(
        (&operators["sku"], &operators["quantity"]),
        (&json!("A-1"), &json!(2))
    );
    assert_eq!(operators["history"], whole["history"]);
}

#[tokio::test]
async fn the_log_tells_of_parcels_and_nobody_s_name() {
    let shop = Shop::start(Settings::new()).await;
    let (order, id) = sent_order(&shop).await;
    carrier_says(&shop, &id, "delivered").await;
    let mut events = shop.events("/events?since=0").await;
    for (name, status) in [("parcel.created", "created"), ("parcel.moved", "delivered")] {
        let event = events.next_named(name).await;
        assert_eq!(event.data["sku"], "A-1");
        assert_eq!(event.data["reference"], id.as_str());
        assert_eq!(event.data["status"], status);
        let text = event.data.to_string();
        for private in [&order["id"], &order["customer"]] {
            assert!(!text.contains(private.as_str().unwrap()), "{text}");
        }
    }
}

#[tokio::test]
async fn messages_twice_and_in_the_wrong_order_make_one_parcel() {
    let shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": 5})).await;
    let orders = [
        shop.place("A-1", "ada@example.com", 1).await,
        shop.place("A-1", "bob@example.com", 1).await,
    ];
    for message in [
        cancelled(&orders[0]),
        accepted(&orders[0]),
        cancelled(&orders[0]),
        accepted(&orders[1]),
        accepted(&orders[1]),
        cancelled(&orders[1]),
    ] {
        send(&shop, &message).await;
    }
    let first = parcel_is(&shop, &orders[0], "returned").await;
    let second = parcel_is(&shop, &orders[1], "returned").await;
    assert_eq!(statuses(&first), ["created", "returned"]);
    assert_eq!(statuses(&second), ["created", "returned"]);
    assert_eq!(first["cancelled"], true);
    assert_ne!(first["trackingId"], second["trackingId"]);
}

#[tokio::test]
async fn what_was_not_told_before_a_crash_is_told_after_it() {
    let mut shop = Shop::start(Settings::new()).await;
    let (order, id) = sent_order(&shop).await;
    let mut events = shop.events("/events?since=0").await;
    events.next_named("parcel.created").await;
    shop.kill();
    // As if it had died after the notice was taken in and before it was told.
    let effects = rusqlite::Connection::open(shop.data().join("effects.db")).unwrap();
    effects
        .execute_batch(
            "UPDATE parcel SET status = 2, reached = 2;
             INSERT INTO parcel_change (parcel, n, status, at, told) VALUES (1, 2, 2, 1, 0);",
        )
        .unwrap();
    drop(effects);
    shop.restart().await;
    let mut events = shop.events("/events?since=0").await;
    let moved = events.next_named("parcel.moved").await;
    assert_eq!(
        (&moved.data["status"], &moved.data["reference"]),
        (&json!("in_transit"), &json!(id))
    );
    assert_eq!(
        shop.order_of(&order).await["parcel"]["status"],
        "in_transit"
    );
}

#[tokio::test]
async fn a_purchase_made_elsewhere_has_a_parcel_too() {
    let shop = Shop::start(Settings::new()).await;
    let purchase = json!({
        "id": 7, "username": "ada", "price": 5000, "mileageAccumulated": 100,
        "trackingId": "TRACK-7",
    });
    send(&shop, &purchase).await;
    send(&shop, &purchase).await;
    let parcel = eventually("the parcel is there", async || {
        let answer = shop.get("/parcels/TRACK-7").await;
        (answer.status == 200).then(|| answer.json())
    })
    .await;
    assert_eq!(
        (&parcel["customer"], &parcel["status"]),
        (&json!("ada"), &json!("created"))
    );
    assert!(parcel.get("orderId").is_none());
    assert_eq!(
        carrier_says(&shop, "TRACK-7", "packed").await["status"],
        "packed"
    );
}

#[tokio::test]
async fn poison_goes_to_the_dead_letter_queue_with_its_reason() {
    let shop = Shop::start(Settings::new()).await;
    send(&shop, &json!({"id": 7, "username": "ada", "price": 1})).await;
    let letter = eventually("the message is dead", async || {
        let list = shop.get(&format!("/ops/queues/{QUEUE}-dlq/messages")).await;
        list.expect(200)["messages"]
            .as_array()
            .unwrap()
            .first()
            .cloned()
    })
    .await;
    assert!(letter.to_string().contains("trackingId"), "{letter}");
}

#[tokio::test]
async fn orders_are_shown_and_messages_wait_while_the_parcels_are_away() {
    let mut shop = Shop::start(Settings::new()).await;
    let (order, id) = sent_order(&shop).await;
    shop.stop().await;
    // A directory where the database must be.
    let path = shop.data().join("effects.db");
    let aside = shop.data().join("aside");
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(shop.data().join(format!("effects.db{suffix}")));
    }
    std::fs::rename(&path, &aside).unwrap();
    std::fs::create_dir(&path).unwrap();
    shop.restart().await;
    let shown = shop.order_of(&order).await;
    assert_eq!(shown["status"], "accepted");
    assert!(shown.get("parcel").is_none(), "nothing is claimed: {shown}");
    parcel(&shop, &order).await.problem(503, "outcome_unknown");
    let body = json!({"status": "packed"});
    let path_of = format!("/carrier/parcels/{id}");
    shop.post(&path_of, &body)
        .await
        .problem(503, "outcome_unknown");
    let other = shop.place("A-1", "bob@example.com", 1).await;
    send(&shop, &accepted(&other)).await;

    std::fs::remove_dir(&path).unwrap();
    std::fs::rename(&aside, &path).unwrap();
    parcel_is(&shop, &other, "created").await;
    shop.post(&path_of, &body).await.expect(200);
    parcel_is(&shop, &order, "packed").await;
    let dead = shop
        .get(&format!("/ops/queues/{QUEUE}-dlq/messages"))
        .await
        .expect(200);
    let own = format!("\"seq\\\":{}", seq_of(&other) + 1_000_000);
    assert!(
        !dead.to_string().contains(&own),
        "an outage is no dead letter"
    );
}

#[tokio::test]
async fn an_order_that_only_waited_has_no_parcel() {
    let shop = Shop::start(Settings::new()).await;
    shop.offer("A-1", json!({"stock": 0, "whenSoldOut": "wait"}))
        .await;
    let order = shop.place("A-1", "ada@example.com", 1).await;
    send(
        &shop,
        &event(&order, "order.cancelled", 2, json!({"was": "pending"})),
    )
    .await;
    eventually("it is handled", async || {
        let queue = shop.get(&format!("/ops/queues/{QUEUE}")).await.expect(200);
        (queue["total"] == 0).then_some(())
    })
    .await;
    parcel(&shop, &order).await.problem(404, "parcel_not_found");
    assert_eq!(shop.order_of(&order).await["parcel"], Value::Null);
}

#[tokio::test]
async fn the_demo_s_carrier_brings_parcels_by_itself() {
    let shop = Shop::start(Settings::new().arg("--demo")).await;
    let order = shop.place("POSTER-1", "ada@example.com", 1).await;
    send(&shop, &accepted(&order)).await;
    // The message is old, so every step is due.
    let parcel = parcel_is(&shop, &order, "delivered").await;
    assert_eq!(
        statuses(&parcel),
        ["created", "packed", "in_transit", "delivered"]
    );
}
