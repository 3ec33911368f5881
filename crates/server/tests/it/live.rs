//! Live streams: nothing missed, nothing twice, nobody waited for.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::harness::client::Connection;
use crate::harness::sse::{Event, Events};
use crate::harness::wait::{eventually, within};
use crate::harness::{Settings, Shop};

/// Behind by more than this, a listener is told to fetch again.
const BACKLOG_MAX: u64 = 10_000;

/// Without the consumer that makes parcels: their events come when they come.
async fn shop(stock: u64) -> Shop {
    let settings = Settings::new().set("CONSUMERS__OFF", r#"["product-tracking"]"#);
    let shop = Shop::start(settings).await;
    shop.offer("A-1", json!({"stock": stock, "whenSoldOut": "wait"}))
        .await;
    shop
}

/// So many orders of one product, over several connections at once.
async fn flood(shop: &Shop, sku: &str, orders: usize) {
    const CONNECTIONS: usize = 32;
    let body = json!({"sku": sku, "customer": "many@example.com"}).to_string();
    let senders = (0..CONNECTIONS).map(async |n| {
        let mut connection = shop.connect().await;
        for _ in 0..orders / CONNECTIONS + usize::from(n < orders % CONNECTIONS) {
            let answer = connection.send("POST", "/orders", &[], Some(&body)).await;
            let status = answer.unwrap().status;
            assert!([201, 202, 409].contains(&status), "{status}");
        }
    });
    futures_util::future::join_all(senders).await;
}

async fn resume(shop: &Shop, path: &str, after: u64) -> Events {
    let after = after.to_string();
    Events::open(shop.connect().await, path, &[("last-event-id", &after)]).await
}

#[tokio::test]
async fn events_tell_what_happened_and_nobody_s_name() {
    let shop = shop(1).await;
    shop.offer("B-1", json!({"stock": 1})).await;
    let mut all = shop.events("/events?since=0").await;
    let mut line = shop.events("/products/A-1/events?since=0").await;
    assert_eq!(all.head.header("x-accel-buffering"), Some("no"));
    let first = shop.place("A-1", "secret@example.com", 1).await;
    shop.place("B-1", "secret@example.com", 1).await;
    let second = shop.place("A-1", "secret@example.com", 1).await;
    let path = format!("/orders/{}", first["id"].as_str().unwrap());
    shop.send("DELETE", &path, &[], None).await.expect(200);
    shop.receive("A-1", 1, "d-1").await;

    let expected = [
        ("product.created", "A-1", json!(null), [1, 1, 0, 0]),
        ("product.created", "B-1", json!(null), [1, 1, 0, 0]),
        ("order.accepted", "A-1", json!(1), [1, 0, 0, 0]),
        ("order.accepted", "B-1", json!(1), [1, 0, 0, 0]),
        ("order.placed", "A-1", json!(2), [1, 0, 1, 1]),
        ("order.cancelled", "A-1", json!(1), [1, 1, 1, 1]),
        ("order.accepted", "A-1", json!(2), [1, 0, 0, 0]),
        ("stock.received", "A-1", json!(null), [2, 1, 0, 0]),
    ];
    let mut last = 0;
    for (name, sku, place, [on_hand, available, waiting, waiting_units]) in expected {
        let event = all.next().await.unwrap();
        assert_eq!(event.name, name, "{event:?}");
        assert!(event.id > last, "in order");
        last = event.id;
        assert_eq!(event.data["seq"], event.id);
        assert_eq!(event.data["type"], name);
        assert!(event.data["at"].is_string());
        assert_eq!(event.data["sku"], sku);
        assert_eq!(event.data["place"], place);
        let stock = &event.data["stock"];
        assert_eq!(stock["onHand"], on_hand, "{event:?}");
        assert_eq!(stock["available"], available, "{event:?}");
        assert_eq!(stock["waiting"], waiting, "{event:?}");
        assert_eq!(stock["waitingUnits"], waiting_units, "{event:?}");
        let text = event.data.to_string();
        for private in [&first["customer"], &first["id"], &second["id"]] {
            assert!(!text.contains(private.as_str().unwrap()), "{text}");
        }
        if sku == "A-1" {
            let same = line.next().await.unwrap();
            assert_eq!((same.id, same.data), (event.id, event.data));
        }
    }
}

#[tokio::test]
async fn a_listener_resumes_and_misses_nothing_and_sees_nothing_twice() {
    const ORDERS: usize = 600;
    let mut shop = shop(0).await;
    for path in ["/events", "/products/A-1/events"] {
        let mut seen: Vec<Event> = Vec::new();
        let mut events = shop.events(&format!("{path}?since=0")).await;
        // Cut off while orders flow, again and again.
        let cuts = async {
            for _ in 0..10 {
                for _ in 0..30 {
                    seen.push(events.next().await.unwrap());
                }
                events = resume(&shop, path, seen.last().unwrap().id).await;
            }
        };
        tokio::join!(flood(&shop, "A-1", ORDERS), cuts);
        shop.kill();
        shop.restart().await;
        let mut events = resume(&shop, path, seen.last().unwrap().id).await;
        shop.place("A-1", "last@example.com", 1).await;
        let last_place = shop.product("A-1").await["lastPlace"].as_u64().unwrap();
        while seen.last().unwrap().data["place"] != last_place {
            seen.push(events.next().await.unwrap());
        }
        assert!(seen.is_sorted_by(|a, b| a.id < b.id), "in order, once each");
        let places = seen.iter().filter_map(|event| event.data["place"].as_u64());
        assert!(places.eq(1..=last_place), "every place, once");
    }
}

#[tokio::test]
async fn without_a_sequence_a_listener_hears_what_comes() {
    let mut shop = shop(5).await;
    shop.place("A-1", "a@example.com", 1).await;
    // What was committed a moment ago may still be on its way; after a start nothing is.
    shop.stop().await;
    shop.restart().await;
    let mut events = shop.events("/events").await;
    shop.place("A-1", "a@example.com", 1).await;
    assert_eq!(events.next().await.unwrap().data["place"], 2);
}

#[tokio::test]
async fn a_sequence_that_was_never_given_out_is_answered_with_a_reset() {
    let shop = shop(5).await;
    for path in ["/events", "/products/A-1/events"] {
        for since in [1_000, u64::MAX] {
            let mut events = resume(&shop, path, since).await;
            let reset = events.next().await.unwrap();
            assert_eq!(reset.name, "reset");
            shop.receive("A-1", 1, &format!("{path} {since}")).await;
            assert_eq!(events.next().await.unwrap().id, reset.id + 1);
        }
    }
}

#[tokio::test]
async fn far_behind_a_listener_is_told_to_fetch_again_and_a_slow_one_is_dropped() {
    let shop = shop(0).await;
    // What it is told is read by nobody, and little of it fits on the way.
    let mut slow = Connection::open_narrow(shop.address).await.unwrap();
    slow.ask("GET", "/events", &[], None).await.unwrap();
    assert_eq!(slow.head().await.unwrap().status, 200);
    let mut brisk = shop.events("/events").await;
    let listeners = async || {
        let summary = shop.get("/ops/summary").await.expect(200);
        summary["listeners"].as_u64().unwrap()
    };
    eventually("both listen", async || {
        (listeners().await == 2).then_some(())
    })
    .await;

    let orders = BACKLOG_MAX + 500;
    let heard = async {
        for place in 1..=orders {
            let event = brisk.next_named("order.placed").await;
            assert_eq!(event.data["place"], place);
        }
    };
    let count = usize::try_from(orders).unwrap();
    tokio::join!(flood(&shop, "A-1", count), heard);

    for path in ["/events", "/products/A-1/events"] {
        let mut behind = resume(&shop, path, 1).await;
        let event = behind.next().await.unwrap();
        assert_eq!(event.name, "reset");
        assert_eq!(event.data, json!({"seq": event.id, "type": "reset"}));
        // It goes on from there.
        shop.receive("A-1", 1, path).await;
        let event_after = behind.next().await.unwrap();
        assert_eq!(event_after.id, event.id + 1, "{path}");
        // Just near enough: everything.
        let newest = event.id + 2;
        let mut near = resume(&shop, path, newest - BACKLOG_MAX).await;
        assert_eq!(near.next().await.unwrap().id, newest - BACKLOG_MAX + 1);
    }

    // More than fits anywhere, until it is dropped.
    eventually("the slow listener is dropped", async || {
        flood(&shop, "A-1", 500).await;
        let metrics = shop.get("/metrics").await.body;
        let dropped = metrics
            .lines()
            .find_map(|line| line.strip_prefix("firstcome_feed_dropped_total "));
        dropped.filter(|count| *count != "0").map(|_| ())
    })
    .await;
    // What was on its way arrives, and then the stream ends.
    let mut bytes = 0;
    while let Some(chunk) = slow.chunk().await.unwrap() {
        bytes += chunk.len();
    }
    assert!(bytes > 0);
}

#[tokio::test]
async fn who_only_looks_is_told_the_newest_once_in_a_while() {
    const ORDERS: usize = 1_000;
    let shop = shop(ORDERS as u64).await;
    let path = "/products/A-1/events?latest=true";
    let mut looks = shop.events(path).await;
    let orders = async {
        flood(&shop, "A-1", ORDERS / 2).await;
        let price = json!({"price": 7});
        let changed = shop.send("PATCH", "/products/A-1", &[], Some(&price)).await;
        changed.expect(200);
        flood(&shop, "A-1", ORDERS / 2).await;
    };
    let heard = async {
        let mut heard: Vec<Event> = Vec::new();
        while heard.last().is_none_or(|last| last.data["place"] != ORDERS) {
            heard.push(looks.next().await.unwrap());
        }
        heard
    };
    let ((), heard) = tokio::join!(orders, heard);
    assert!(
        heard.is_sorted_by_key(|event| event.id),
        "in order, each once"
    );
    // There are no more of them at a time than connections. What was committed right before the stream
    // may still be on its way.
    let places = heard.iter().map(|event| event.data["place"].as_u64());
    let first = places.flatten().next().unwrap();
    assert!(first <= 32, "at once, not the {first}th");
    assert_eq!(heard.last().unwrap().data["stock"]["available"], 0);
    let kinds = |name| heard.iter().filter(|event| event.name == name).count();
    assert_eq!(
        kinds("product.updated"),
        1,
        "orders do not hide other events"
    );
    let at = |event: &Event| {
        event.data["at"]
            .as_str()
            .unwrap()
            .parse::<Timestamp>()
            .unwrap()
    };
    let took = at(heard.last().unwrap()).duration_since(at(&heard[0]));
    let most = 3 + usize::try_from(took.as_millis() / 250).unwrap();
    assert!(kinds("order.accepted") <= most, "{heard:?} in {took:?}");

    // Who was away and missed something looks again; who missed nothing goes on.
    let last = heard.last().unwrap().id;
    let mut missed = resume(&shop, path, heard[0].id).await;
    let event = missed.next().await.unwrap();
    assert_eq!((event.name.as_str(), event.id), ("reset", last));
    let mut unmoved = resume(&shop, path, last).await;
    shop.receive("A-1", 3, "d-1").await;
    for events in [&mut looks, &mut missed, &mut unmoved] {
        let event = events.next().await.unwrap();
        assert_eq!(event.name, "stock.received");
        assert_eq!(event.data["stock"]["available"], 3);
    }
    let mut unknown = resume(&shop, path, 1_000_000).await;
    assert_eq!(unknown.next().await.unwrap().name, "reset");
    let wrong = shop.get("/products/A-1/events?latest=perhaps").await;
    assert_eq!(wrong.problem(400, "invalid_parameter")["field"], "latest");
}

#[tokio::test]
async fn very_many_who_hear_everything_are_skipped_and_told_so() {
    const LISTENERS: usize = 300;
    const ORDERS: u64 = 2_000;
    let shop = shop(0).await;
    flood(&shop, "A-1", usize::try_from(ORDERS).unwrap()).await;
    let streams = (0..LISTENERS).map(|_| shop.events("/products/A-1/events"));
    let mut streams = futures_util::future::join_all(streams).await;
    // The product and the orders came before, then come the receipt and the verdicts: all at once,
    // while 300 may be told of some 200 a second.
    let (begun, newest) = (1 + ORDERS, 1 + ORDERS + 1 + ORDERS);
    let heard = streams.iter_mut().map(async |events| {
        let (mut last, mut resets) = (begun, 0_u64);
        while last < newest {
            let event = events.next().await.unwrap();
            if event.name == "reset" {
                assert!(event.id > last, "forwards");
                resets += 1;
            } else {
                assert_eq!(event.id, last + 1, "nothing is left out without a word");
            }
            last = event.id;
        }
        resets
    });
    let heard = futures_util::future::join_all(heard);
    // Who comes while others are still told of what was hears of nothing before.
    let late = async {
        shop.receive("A-1", ORDERS, "d-1").await;
        eventually("all have their verdicts", async || {
            (shop.product("A-1").await["waiting"] == 0).then_some(())
        })
        .await;
        shop.events("/products/A-1/events").await
    };
    let (late, resets) = tokio::join!(late, heard);
    let skipped = resets.iter().filter(|resets| **resets > 0).count();
    assert!(skipped > LISTENERS / 2, "{skipped} were skipped");
    let all: u64 = resets.iter().sum();
    let scrape = shop.get("/metrics").await.body;
    let counted = scrape
        .lines()
        .find_map(|line| line.strip_prefix("firstcome_feed_skipped_total "));
    let counted: u64 = counted.expect("it is counted").parse().unwrap();
    assert!(counted >= all, "{counted} of {all}");
    // From there on they hear what happens.
    shop.receive("A-1", 1, "d-2").await;
    for events in streams.iter_mut().chain(&mut [late]) {
        assert_eq!(events.next().await.unwrap().id, newest + 1);
    }
}

#[tokio::test]
async fn those_who_wait_are_told_when_somebody_before_them_leaves() {
    let shop = shop(0).await;
    let first = shop.place("A-1", "first@example.com", 2).await;
    let second = shop.place("A-1", "second@example.com", 3).await;
    let third = shop.place("A-1", "third@example.com", 1).await;
    let path = |order: &Value| format!("/orders/{}", order["id"].as_str().unwrap());
    let mut events = shop.events(&format!("{}/events", path(&third))).await;
    let ahead = |event: &Event| {
        (
            event.data["ahead"].clone(),
            event.data["aheadUnits"].clone(),
        )
    };
    let begin = events.next().await.unwrap();
    assert_eq!(ahead(&begin), (json!(2), json!(5)));
    // Who comes after it is nothing to it.
    for n in 0..20 {
        let customer = format!("later{n}@example.com");
        shop.place("A-1", &customer, 1).await;
    }
    shop.send("DELETE", &path(&second), &[], None)
        .await
        .expect(200);
    let event = events.next().await.unwrap();
    assert_eq!(ahead(&event), (json!(1), json!(2)));
    assert_eq!(event.data["status"], "pending");
    shop.receive("A-1", 2, "d-1").await;
    let event = events.next().await.unwrap();
    assert_eq!(ahead(&event), (json!(0), json!(0)));
    shop.receive("A-1", 1, "d-2").await;
    let event = events.next().await.unwrap();
    assert_eq!(event.data["status"], "accepted");
    let asked = shop.get(&path(&first)).await.expect(200);
    assert_eq!(asked["status"], "accepted");
}

#[tokio::test]
async fn whoever_left_before_those_ahead_were_counted_is_counted_once() {
    let shop = shop(0).await;
    let path = |order: &Value| format!("/orders/{}", order["id"].as_str().unwrap());
    let mut line = Vec::new();
    for units in [2, 3, 5, 1, 1] {
        line.push(shop.place("A-1", "ada@example.com", units).await);
    }
    let leaves = async |order: &Value| {
        let left = shop.send("DELETE", &path(order), &[], None).await;
        left.expect(200);
    };
    // Told at once; who leaves right after it is told of a little later.
    let mut before = shop.events(&format!("{}/events", path(&line[3]))).await;
    before.next().await.unwrap();
    leaves(&line[0]).await;
    leaves(&line[1]).await;
    let mut events = shop.events(&format!("{}/events", path(&line[4]))).await;
    let ahead = |event: &Event| {
        (
            event.data["ahead"].clone(),
            event.data["aheadUnits"].clone(),
        )
    };
    let begin = events.next().await.unwrap();
    assert_eq!(ahead(&begin), (json!(2), json!(6)));
    // By now it has heard of that one.
    while ahead(&before.next().await.unwrap()) != (json!(1), json!(5)) {}
    leaves(&line[2]).await;
    let event = events.next().await.unwrap();
    assert_eq!(ahead(&event), (json!(1), json!(1)));
}

#[tokio::test]
async fn an_order_s_stream_begins_with_the_order_and_ends_with_its_verdict() {
    let shop = shop(0).await;
    let before = shop.place("A-1", "a@example.com", 2).await;
    let order = shop.place("A-1", "b@example.com", 1).await;
    let path = format!("/orders/{}/events", order["id"].as_str().unwrap());
    let mut events = shop.events(&path).await;
    // But for its parcel, which comes when it comes.
    let without_parcel = |mut order: Value| {
        order.as_object_mut().unwrap().remove("parcel");
        order
    };
    let with_order = |event: &Event| {
        assert_eq!(event.name, "order");
        assert_eq!(event.data["seq"], event.id);
        assert_eq!(event.data["type"], "order");
        let mut data = event.data.clone();
        for name in ["seq", "type", "at"] {
            data.as_object_mut().unwrap().remove(name).unwrap();
        }
        without_parcel(data)
    };
    let first = events.next().await.unwrap();
    assert_eq!(with_order(&first), order, "the whole order");
    assert_eq!(first.data["ahead"], 1);

    let cancel = format!("/orders/{}", before["id"].as_str().unwrap());
    shop.send("DELETE", &cancel, &[], None).await.expect(200);
    let moved = events.next().await.unwrap();
    assert_eq!(moved.data["ahead"], 0);
    assert_eq!(moved.data["aheadUnits"], 0);
    assert!(moved.id > first.id);

    shop.receive("A-1", 1, "d-1").await;
    let accepted = events.next().await.unwrap();
    assert_eq!(accepted.data["status"], "accepted");
    assert_eq!(accepted.data["ahead"], Value::Null);
    let now = shop.order_of(&order).await;
    assert_eq!(
        with_order(&accepted),
        without_parcel(now),
        "as GET gives it"
    );

    // The stream of a final order stays open for its cancellation, and begins with it anew.
    let mut again = shop.events(&path).await;
    assert_eq!(again.next().await.unwrap().data["status"], "accepted");
    let cancel = format!("/orders/{}", order["id"].as_str().unwrap());
    shop.send("DELETE", &cancel, &[], None).await.expect(200);
    for events in [&mut events, &mut again] {
        // What becomes of its parcel may come in between.
        while events.next().await.unwrap().data["status"] != "cancelled" {}
    }
}

#[tokio::test]
async fn a_quiet_stream_stays_open() {
    let shop = shop(1).await;
    let mut events = shop.events("/events?since=0").await;
    assert_eq!(events.next().await.unwrap().name, "product.created");
    events.heartbeat().await;
    shop.place("A-1", "a@example.com", 1).await;
    assert_eq!(events.next().await.unwrap().name, "order.accepted");
}

#[tokio::test]
async fn there_are_only_so_many_listeners() {
    let shop = Shop::start(Settings::new().set("LIMITS__LISTENERS_MAX", 2)).await;
    let first = shop.events("/events").await;
    let _second = shop.events("/events").await;
    let third = shop.get("/events").await;
    third.problem(503, "overloaded");
    assert!(third.header("retry-after").is_some());
    drop(first);
    eventually("there is room again", async || {
        let mut connection = shop.connect().await;
        connection.ask("GET", "/events", &[], None).await.unwrap();
        (connection.head().await.unwrap().status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn streams_end_when_the_server_stops() {
    let mut shop = shop(0).await;
    let order = shop.place("A-1", "a@example.com", 1).await;
    let path = format!("/orders/{}/events", order["id"].as_str().unwrap());
    let mut streams = Vec::new();
    for path in ["/events", "/products/A-1/events", &path] {
        for _ in 0..20 {
            streams.push(shop.events(path).await);
        }
    }
    shop.terminate();
    for events in &mut streams {
        events.drain().await;
    }
    // Far sooner than the deadline at which they would be cut off.
    let status = within(Duration::from_secs(5), "it ends", async || shop.try_ended()).await;
    assert_eq!(status.code(), Some(0));
}
