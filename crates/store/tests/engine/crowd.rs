//! Many at once, as on the day of the sale.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use commerce::WhenSoldOut;
use engine::{Command, Engine, OrderReply, OrderStatus, PlaceOrder, Reply};

use crate::rig::{
    PATIENCE, Place, Rig, create, deferred, email, key, order_of, receive, runtime, units,
};

const TASKS: u32 = 200;
const ORDERS: u32 = 5_000;
const UNITS: u64 = 1_000;

async fn place(engine: &Engine, order: PlaceOrder) -> OrderReply {
    match engine.decide(Command::PlaceOrder(order)).await {
        Ok(Ok(Reply::Order(reply))) => *reply,
        other => panic!("{other:?}"),
    }
}

/// Has so many tasks place these orders, by number, as fast as they can.
async fn rush(rig: &Rig, orders: u32, order: fn(u32) -> PlaceOrder) -> Vec<OrderReply> {
    let next = Arc::new(AtomicU32::new(0));
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (engine, next) = (rig.engine().clone(), Arc::clone(&next));
            tokio::spawn(async move {
                let mut replies = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= orders {
                        return replies;
                    }
                    replies.push(place(&engine, order(number)).await);
                }
            })
        })
        .collect();
    let mut replies = Vec::new();
    for task in tasks {
        let done = tokio::time::timeout(PATIENCE, task).await;
        replies.extend(done.expect("it takes too long").unwrap());
    }
    replies
}

/// Statuses by place; no place twice.
fn by_place(replies: &[OrderReply]) -> BTreeMap<u64, OrderStatus> {
    let places: BTreeMap<u64, OrderStatus> = replies
        .iter()
        .map(|reply| (reply.order.place, reply.order.status))
        .collect();
    assert_eq!(places.len(), replies.len(), "a place was given twice");
    places
}

#[test]
fn the_first_thousand_of_five_thousand_get_the_thousand_units() {
    runtime().block_on(async {
        for at in Place::both() {
            let rig = Rig::new(at);
            rig.done(create("A", UNITS, WhenSoldOut::Reject)).await;
            let replies = rush(&rig, ORDERS, |number| PlaceOrder {
                customer: email(&format!("buyer-{number}@example.com")),
                ..order_of("A")
            })
            .await;
            let expected: BTreeMap<u64, OrderStatus> = (1..=u64::from(ORDERS))
                .map(|place| match place <= UNITS {
                    true => (place, OrderStatus::Accepted),
                    false => (place, OrderStatus::SoldOut),
                })
                .collect();
            assert_eq!(by_place(&replies), expected);
            let report = rig.audit_clean();
            assert_eq!((report.orders, report.accepted), (ORDERS.into(), UNITS));
            assert_eq!(rig.engine().depth(), 0);
        }
    });
}

/// Answers are given by a task of the runtime in which the engine was started.
#[test]
fn a_crowd_is_answered_when_the_runtime_of_the_start_has_ended() {
    for at in Place::both() {
        let first = runtime();
        let rig = first.block_on(async {
            let rig = Rig::new(at);
            rig.done(create("A", 10, WhenSoldOut::Reject)).await;
            rig
        });
        drop(first);
        runtime().block_on(async {
            let replies = rush(&rig, 1_000, |_| order_of("A")).await;
            assert_eq!(by_place(&replies).len(), 1_000);
            tokio::time::timeout(PATIENCE, rig.engine().stop())
                .await
                .expect("it takes too long");
            rig.audit_clean();
        });
    }
}

#[test]
fn a_crowd_with_keys_of_which_half_come_twice_gets_one_order_each() {
    runtime().block_on(async {
        let rig = Rig::new(Place::disk());
        rig.done(create("A", UNITS, WhenSoldOut::Reject)).await;
        let replies = rush(&rig, ORDERS, |number| PlaceOrder {
            key: Some(key(u64::from(number / 2))),
            customer: email(&format!("buyer-{}@example.com", number / 2 % 500)),
            defer: number % 3 == 0,
            ..order_of("A")
        })
        .await;
        rig.settled().await;
        let (first, again): (Vec<OrderReply>, Vec<OrderReply>) =
            replies.into_iter().partition(|reply| !reply.replay);
        assert_eq!(first.len(), again.len());
        let places = by_place(&first);
        assert_eq!(places.len() as u64, u64::from(ORDERS) / 2);
        for reply in &again {
            assert!(places.contains_key(&reply.order.place));
        }
        let report = rig.audit_clean();
        assert_eq!(
            (report.orders, report.accepted),
            (u64::from(ORDERS) / 2, UNITS)
        );
    });
}

#[test]
fn a_crowd_that_waits_is_served_in_order_while_goods_arrive() {
    runtime().block_on(async {
        for at in Place::both() {
            let rig = Rig::new(at);
            rig.done(create("A", 10, WhenSoldOut::Wait)).await;
            let engine = rig.engine().clone();
            let goods = tokio::spawn(async move {
                for delivery in 0..50 {
                    let goods = receive("A", 40, &format!("delivery {delivery}"));
                    engine.decide(goods).await.unwrap().unwrap();
                }
            });
            let replies = rush(&rig, 2_000, |number| match number % 4 {
                0 => deferred("A"),
                _ => units(order_of("A"), number % 3 + 1),
            })
            .await;
            goods.await.unwrap();
            for _ in 0..4 {
                rig.settled().await;
            }
            // Who has units are the first, however many there are; and nobody behind them.
            let mut taken = 0;
            let mut ended = false;
            let mut by_place: Vec<&OrderReply> = replies.iter().collect();
            by_place.sort_by_key(|reply| reply.order.place);
            for reply in by_place {
                let order = rig.order_now(reply.order.id);
                match order.status {
                    OrderStatus::Accepted => {
                        assert!(!ended, "place {} was served out of turn", order.place);
                        taken += order.quantity.units();
                    }
                    OrderStatus::Pending => ended = true,
                    other => panic!("{other:?}"),
                }
            }
            assert!(
                (2_008..=2_010).contains(&taken),
                "{taken} of 2010 units were sold"
            );
            rig.audit_clean();
        }
    });
}

#[test]
fn an_audit_beside_a_busy_sale_finds_nothing() {
    runtime().block_on(async {
        for at in Place::both() {
            let rig = Rig::new(at);
            for name in ["A", "B"] {
                rig.done(create(name, 100_000, WhenSoldOut::Wait)).await;
            }
            let reader = rig.reader();
            let audits = tokio::task::spawn_blocking(move || {
                (0..10)
                    .map(|_| engine::audit::audit(&*reader).unwrap())
                    .collect::<Vec<_>>()
            });
            // Deferred orders that are owed units at every moment, but never for long.
            rush(&rig, 2_000, |number| {
                deferred(if number % 2 == 0 { "A" } else { "B" })
            })
            .await;
            for report in audits.await.unwrap() {
                assert!(report.is_clean(), "{:#?}", report.violations);
            }
            rig.settled().await;
            rig.audit_clean();
        }
    });
}
