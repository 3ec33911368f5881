use std::time::Duration;

use effects::parcels::ParcelEvent;
use messaging::ReceiptHandle;
use serde_json::{Value, json};

use super::super::consumer::{Delivery, Handle};
use super::super::testing::app::app;
use super::super::testing::shop::{Shop, product};
use super::{Read, read};
use crate::http::parcels::brief_of;

const SENT_AT: i64 = 1_800_000_000_000;

fn delivery(body: &str) -> Delivery {
    Delivery {
        id: "m".to_owned(),
        body: body.to_owned(),
        attributes: [].into(),
        group: None,
        receive_count: 1,
        sent_at: SENT_AT,
        handle: Handle::Own(ReceiptHandle {
            queue_id: 1,
            seq: 1,
            receipt: 1,
        }),
    }
}

fn order(kind: &str, data: Value) -> String {
    json!({
        "type": kind, "seq": 7, "at": SENT_AT - 5, "data": data,
        "order": {
            "id": "ord_x", "seq": 5, "customer": "ada@example.com", "sku": "A-1",
            "quantity": 2, "unitPrice": 1000, "currency": "KRW",
        },
    })
    .to_string()
}

fn event(body: &str) -> Option<ParcelEvent> {
    read(&delivery(body)).event()
}

#[test]
fn what_orders_say_is_read() {
    let accepted = event(&order("order.accepted", json!({})));
    let Some(ParcelEvent::Accepted(parcel, 7, at)) = accepted else {
        panic!("{accepted:?}");
    };
    assert_eq!((parcel.order_id.as_str(), parcel.order_seq), ("ord_x", 5));
    assert_eq!((parcel.sku.as_str(), parcel.quantity), ("A-1", 2));
    assert_eq!(
        (parcel.customer.as_str(), at),
        ("ada@example.com", SENT_AT - 5)
    );
    let cancelled = event(&order("order.cancelled", json!({"was": "accepted"})));
    assert_eq!(cancelled, Some(ParcelEvent::Cancelled(5, 7, SENT_AT - 5)));
}

#[test]
fn an_order_that_was_never_accepted_has_no_parcel() {
    for body in [
        order("order.cancelled", json!({"was": "pending"})),
        order("order.placed", json!({})),
        order("order.sold_out", json!({})),
    ] {
        assert!(matches!(read(&delivery(&body)), Read::Nothing), "{body}");
    }
}

#[test]
fn a_purchase_is_read_with_an_id_of_either_kind() {
    for (id, expected) in [(json!(12), "12"), (json!("p-12"), "p-12")] {
        let body = json!({
            "id": id, "username": "ada", "price": 100, "mileageAccumulated": 2,
            "trackingId": "t-1",
        });
        let read = event(&body.to_string());
        let Some(ParcelEvent::Purchased(purchase)) = read else {
            panic!("{read:?}");
        };
        assert_eq!(
            (purchase.id.as_str(), purchase.customer.as_str()),
            (expected, "ada")
        );
        assert_eq!(
            (purchase.tracking_id.as_str(), purchase.at),
            ("t-1", SENT_AT)
        );
    }
}

#[test]
fn poison_is_told_with_its_reason() {
    let purchase = |id: Value, username: &str, tracking_id: &str| {
        json!({"id": id, "username": username, "price": 1, "trackingId": tracking_id}).to_string()
    };
    for (body, reason) in [
        ("not json".to_owned(), "neither an event nor a purchase"),
        ("[]".to_owned(), "not a"),
        ("{}".to_owned(), "missing field"),
        (
            json!({"type": "order.accepted"}).to_string(),
            "not an order's event",
        ),
        (purchase(json!(1), "", "t"), "username"),
        (purchase(json!(""), "a", "t"), "id must have"),
        (purchase(json!(1), "a", "has space"), "trackingId"),
        (purchase(json!(1), "a", &"t".repeat(129)), "trackingId"),
        (purchase(json!(1.5), "a", "t"), "id must be"),
    ] {
        let Read::Poison(told) = read(&delivery(&body)) else {
            panic!("{body} was taken");
        };
        assert!(told.contains(reason), "{body}: {told}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_is_shown_while_its_parcel_cannot_be_read() {
    let shop = Shop::open(|_| {});
    shop.offer(product("A-1", 5)).await;
    let id = shop.buy("A-1", "ada@example.com", 1).await;
    let order = shop.engine.reader().order(id.seq).unwrap().unwrap();
    let app = app(&shop, &[]);
    assert!(matches!(brief_of(&app, &order).await, Some(None)));
    // Somebody else is at it, as while another process keeps the file from being read.
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let effects = shop.parts.effects.clone();
    let (begun, begins) = tokio::sync::oneshot::channel();
    let reading = tokio::spawn(async move {
        let reading = effects.0.read(move |_| {
            begun.send(()).unwrap();
            wait.recv().unwrap();
            Ok(())
        });
        reading.await
    });
    begins.await.unwrap();
    let shown = tokio::spawn(async move { brief_of(&app, &order).await.is_none() });
    tokio::task::yield_now().await;
    tokio::time::advance(Duration::from_secs(2)).await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(shown.is_finished(), "it is shown without its parcel");
    assert!(shown.await.unwrap());
    go_on.send(()).unwrap();
    reading.await.unwrap().unwrap();
}
