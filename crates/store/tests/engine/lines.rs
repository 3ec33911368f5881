//! Where the order of things within one batch, or over several, matters.

use commerce::{DRAIN_MAX, ProductChange, Reorder, WhenSoldOut};
use engine::ports::Clock as _;
use engine::{
    Command, Kind, OrderReply, OrderStatus, PlaceOrder, Refusal, ReplenishmentChange, Reply,
};

use crate::rig::{
    Answer, Place, Rig, START, create, deferred, email, key, new_product, order_of, receive,
    reply_order, runtime, sku, units,
};

fn place(order: PlaceOrder) -> Command {
    Command::PlaceOrder(order)
}

fn change(name: &str, change: ProductChange) -> Command {
    Command::ChangeProduct {
        sku: sku(name),
        change: Box::new(change),
    }
}

fn limit(name: &str, limit: Option<u32>) -> Command {
    let limit = ProductChange {
        purchase_limit: Some(limit),
        ..ProductChange::default()
    };
    change(name, limit)
}

fn when(name: &str, when: WhenSoldOut) -> Command {
    let when = ProductChange {
        when_sold_out: Some(when),
        ..ProductChange::default()
    };
    change(name, when)
}

fn from(customer: &str, order: PlaceOrder) -> PlaceOrder {
    PlaceOrder {
        customer: email(customer),
        ..order
    }
}

fn statuses(answers: &[Answer]) -> Vec<OrderStatus> {
    let orders = answers.iter().map(reply_order);
    orders.map(|reply| reply.order.status).collect()
}

/// As they stand now, in the order of these answers.
fn verdicts(rig: &Rig, answers: &[Answer]) -> Vec<OrderStatus> {
    let orders = answers.iter().map(reply_order);
    orders
        .map(|reply| rig.order_now(reply.order.id).status)
        .collect()
}

fn on_both(check: impl AsyncFn(&mut Rig)) {
    runtime().block_on(async {
        for place in Place::both() {
            let mut rig = Rig::new(place);
            check(&mut rig).await;
            rig.settled().await;
            rig.audit_clean();
        }
    });
}

use OrderStatus::{Accepted, Cancelled, Pending, SoldOut};

#[test]
fn a_deferred_order_goes_before_one_that_came_after_it_in_the_same_batch() {
    on_both(async |rig| {
        for (name, when, after) in [
            ("rejects", WhenSoldOut::Reject, SoldOut),
            ("waits", WhenSoldOut::Wait, Pending),
        ] {
            rig.done(create(name, 3, when)).await;
            let answers = rig
                .batch(vec![
                    place(units(order_of(name), 1)),
                    place(units(deferred(name), 2)),
                    place(order_of(name)),
                    place(units(deferred(name), 5)),
                ])
                .await;
            assert_eq!(
                statuses(&answers),
                [Accepted, Pending, after, Pending],
                "{name}"
            );
            rig.settled().await;
            let last = after;
            assert_eq!(
                verdicts(rig, &answers),
                [Accepted, Accepted, after, last],
                "{name}"
            );
        }
    });
}

#[test]
fn a_deferred_order_gets_what_is_there_without_anything_else_happening() {
    on_both(async |rig| {
        for (name, when) in [("r", WhenSoldOut::Reject), ("w", WhenSoldOut::Wait)] {
            rig.done(create(name, 1, when)).await;
            let answers = rig.batch(vec![place(deferred(name))]).await;
            assert_eq!(statuses(&answers), [Pending], "{name}");
            rig.settled().await;
            assert_eq!(verdicts(rig, &answers), [Accepted], "{name}");
            let product = rig.reader().product(&sku(name)).unwrap().unwrap();
            assert_eq!((product.waiting, product.stock.available()), (0, 0));
        }
    });
}

#[test]
fn deferred_orders_are_decided_when_the_engine_stops_and_when_it_comes_again() {
    runtime().block_on(async {
        for place_at in Place::both() {
            let mut rig = Rig::new(place_at);
            rig.done(create("A", 1, WhenSoldOut::Reject)).await;
            let orders = || vec![place(deferred("A")), place(deferred("A"))];
            let answers = rig.batch(orders()).await;
            rig.engine().stop().await;
            assert_eq!(verdicts(&rig, &answers), [Accepted, SoldOut]);
            rig.stop_and_start().await;

            // The batch is durable, and the process dies before it decides them.
            rig.done(receive("A", 1, "more")).await;
            rig.steering.fail_next(crate::rig::Fail::CommitKept);
            for answer in rig.batch(orders()).await {
                answer.unwrap_err();
            }
            rig.stop_and_start().await;
            rig.settled().await;
            let status = |place: u64| {
                let log = rig.reader().entries(0, 1_000).unwrap();
                let entry = log.iter().filter(|entry| entry.kind == Kind::OrderPlaced);
                let entry = entry
                    .clone()
                    .nth(usize::try_from(place).unwrap() - 1)
                    .unwrap();
                rig.reader().order(entry.seq).unwrap().unwrap().status
            };
            assert_eq!([status(3), status(4)], [Accepted, SoldOut]);
            rig.audit_clean();
        }
    });
}

#[test]
fn units_of_an_order_that_waited_in_vain_do_not_count_against_the_limit() {
    on_both(async |rig| {
        let limited = engine_product("A", 1, WhenSoldOut::Wait, Some(3));
        rig.done(limited).await;
        let waits = rig.order(units(order_of("A"), 3)).await;
        assert_eq!(waits.order.status, Pending);
        let over = rig.refused(place(order_of("A"))).await;
        assert!(
            matches!(
                over,
                Refusal::PurchaseLimit {
                    bought: 3,
                    limit: 3,
                    ..
                }
            ),
            "{over:?}"
        );

        // In one batch: it is refused, and its units are free again for what comes behind.
        let answers = rig
            .batch(vec![when("A", WhenSoldOut::Reject), place(order_of("A"))])
            .await;
        assert_eq!(statuses(&answers[1..]), [Accepted]);
        assert_eq!(rig.order_now(waits.order.id).status, SoldOut);
        rig.restart().await;
        // 1 of 3 is there: 3 more are too many, 2 are not there any more.
        let over = rig.refused(place(units(order_of("A"), 3))).await;
        assert!(
            matches!(over, Refusal::PurchaseLimit { bought: 1, .. }),
            "{over:?}"
        );
        let late = rig.order(units(order_of("A"), 2)).await;
        assert_eq!(late.order.status, SoldOut);
    });
}

fn engine_product(
    name: &str,
    stock: u64,
    when: WhenSoldOut,
    purchase_limit: Option<u32>,
) -> Command {
    Command::CreateProduct(Box::new(commerce::NewProduct {
        purchase_limit,
        ..new_product(name, stock, when)
    }))
}

#[test]
fn a_limit_counts_what_was_bought_before_it_also_in_its_own_batch() {
    on_both(async |rig| {
        rig.done(create("A", 100, WhenSoldOut::Reject)).await;
        rig.order(units(order_of("A"), 2)).await;
        let answers = rig
            .batch(vec![
                place(order_of("A")),
                limit("A", Some(3)),
                place(from("ADA@example.com", order_of("A"))),
                place(from("bob@example.com", units(order_of("A"), 3))),
                place(from("bob@example.com", order_of("A"))),
                limit("A", None),
                place(order_of("A")),
                limit("A", Some(4)),
                place(order_of("A")),
            ])
            .await;
        let bought = |answer: &Answer| match answer {
            Ok(Ok(Reply::Order(reply))) => Ok(reply.order.status),
            Ok(Err(Refusal::PurchaseLimit { bought, .. })) => Err(*bought),
            other => panic!("{other:?}"),
        };
        assert_eq!(bought(&answers[0]), Ok(Accepted));
        assert_eq!(bought(&answers[2]), Err(3));
        assert_eq!(bought(&answers[3]), Ok(Accepted));
        assert_eq!(bought(&answers[4]), Err(3));
        assert_eq!(bought(&answers[6]), Ok(Accepted));
        assert_eq!(bought(&answers[8]), Err(4));
    });
}

#[test]
fn a_cancelled_order_gives_its_units_to_the_line_and_not_to_the_next_caller() {
    on_both(async |rig| {
        rig.done(engine_product("A", 2, WhenSoldOut::Wait, Some(2)))
            .await;
        let first = rig.order(units(order_of("A"), 2)).await;
        let waits = rig.order(from("bob@example.com", order_of("A"))).await;
        let cancel = || Command::CancelOrder { id: first.order.id };
        let answers = rig
            .batch(vec![
                place(from("eve@example.com", order_of("A"))),
                cancel(),
                // Ada's units came back to her: she may have two again.
                place(units(order_of("A"), 2)),
                cancel(),
            ])
            .await;
        assert_eq!(statuses(&answers), [Pending, Cancelled, Pending, Cancelled]);
        assert!(!reply_order(&answers[1]).replay);
        assert!(reply_order(&answers[3]).replay);
        assert_eq!(rig.order_now(waits.order.id).status, Accepted);
        assert_eq!(
            verdicts(rig, &answers),
            [Accepted, Cancelled, Pending, Cancelled]
        );
        // The one who waits may leave too.
        let third = reply_order(&answers[2]).order.id;
        let left = rig.done(Command::CancelOrder { id: third }).await;
        assert!(matches!(left, Reply::Order(reply) if reply.order.status == Cancelled));
    });
}

#[test]
fn a_key_used_twice_in_one_batch_makes_one_order() {
    on_both(async |rig| {
        rig.done(create("A", 1, WhenSoldOut::Reject)).await;
        let keyed = |defer| PlaceOrder {
            key: Some(key(1)),
            defer,
            ..order_of("A")
        };
        let other_body = PlaceOrder {
            body: engine::BodyHash(2),
            ..keyed(false)
        };
        let answers = rig
            .batch(vec![
                place(keyed(true)),
                place(keyed(true)),
                place(order_of("A")),
                place(keyed(false)),
                place(other_body),
            ])
            .await;
        assert_eq!(
            statuses(&answers[..4]),
            [Pending, Pending, SoldOut, Accepted]
        );
        assert_eq!(
            reply_order(&answers[0]).order.id,
            reply_order(&answers[3]).order.id
        );
        let replays: Vec<bool> = answers[..4].iter().map(|a| reply_order(a).replay).collect();
        assert_eq!(replays, [false, true, false, true]);
        assert!(
            matches!(answers[4], Ok(Err(Refusal::KeyReused))),
            "{:?}",
            answers[4]
        );
    });
}

#[test]
fn one_receipt_grants_a_line_longer_than_one_call_decides() {
    on_both(async |rig| {
        rig.done(create("A", 0, WhenSoldOut::Wait)).await;
        let length = 2 * DRAIN_MAX + 500;
        for _ in 0..length / 500 {
            rig.batch((0..500).map(|_| place(order_of("A"))).collect())
                .await;
        }
        // One more unit than they ask for; a newcomer in the batch, and one behind it.
        let answers = rig
            .batch(vec![
                receive("A", length as u64 + 1, "delivery"),
                place(order_of("A")),
            ])
            .await;
        let Ok(Ok(Reply::Receipt(receipt))) = &answers[0] else {
            panic!("{:?}", answers[0]);
        };
        assert_eq!(receipt.granted, DRAIN_MAX as u64);
        assert_eq!(statuses(&answers[1..]), [Pending]);
        let behind = rig.order(order_of("A")).await;
        assert_eq!(behind.order.status, Pending);
        // Every settling takes the next thousand.
        for _ in 0..5 {
            rig.settled().await;
        }
        assert_eq!(verdicts(rig, &answers[1..]), [Accepted]);
        assert_eq!(rig.order_now(behind.order.id).status, Pending);
        let log = rig.reader().entries(0, usize::MAX >> 1).unwrap();
        let granted: Vec<u64> = log
            .iter()
            .filter(|entry| entry.kind == Kind::OrderAccepted)
            .map(|entry| entry.data().place.unwrap())
            .collect();
        let expected: Vec<u64> = (1..=length as u64 + 1).collect();
        assert_eq!(granted, expected, "every one of them, in order");
    });
}

#[test]
fn a_long_line_that_is_told_to_wait_no_longer_is_decided_to_its_end() {
    on_both(async |rig| {
        rig.done(create("A", 0, WhenSoldOut::Wait)).await;
        let length = DRAIN_MAX + 100;
        for _ in 0..length / 100 {
            rig.batch((0..100).map(|_| place(units(order_of("A"), 2))).collect())
                .await;
        }
        rig.done(receive("A", 1, "one unit is of no use")).await;
        rig.done(when("A", WhenSoldOut::Reject)).await;
        // This one could have the unit, but others stand before it.
        let newcomer = rig.order(order_of("A")).await;
        for _ in 0..3 {
            rig.settled().await;
        }
        assert_eq!(rig.order_now(newcomer.order.id).status, Accepted);
        let product = rig.reader().product(&sku("A")).unwrap().unwrap();
        assert_eq!((product.waiting, product.stock.allocated), (0, 1));
        let log = rig.reader().entries(0, usize::MAX >> 1).unwrap();
        let refused = log.iter().filter(|entry| entry.kind == Kind::OrderSoldOut);
        assert_eq!(refused.count(), length);
    });
}

#[test]
fn a_clock_that_was_set_back_does_not_turn_the_log_round() {
    on_both(async |rig| {
        rig.done(create("A", 3, WhenSoldOut::Reject)).await;
        rig.clock.advance(10_000);
        let first = rig.order(order_of("A")).await;
        rig.clock.advance(-60_000);
        let keyed = PlaceOrder {
            key: Some(key(1)),
            ..order_of("A")
        };
        let second = rig.order(keyed.clone()).await;
        assert_eq!(second.order.placed_at, first.order.placed_at);
        assert!(rig.order(keyed.clone()).await.replay);
        rig.restart().await;
        let third = rig.order(order_of("A")).await;
        assert_eq!(third.order.placed_at, START + 10_000);
        assert!(rig.clock.now() < START);
        assert!(rig.order(keyed).await.replay);
    });
}

#[test]
fn a_factory_is_asked_once_at_a_time_however_little_it_makes() {
    on_both(async |rig| {
        let product = commerce::NewProduct {
            reorder: Some(Reorder::new(5, 1, sku("F-1")).unwrap()),
            ..new_product("A", 2, WhenSoldOut::Wait)
        };
        rig.done(Command::CreateProduct(Box::new(product))).await;
        let waits = rig.order(units(order_of("A"), 6)).await;
        assert_eq!(waits.order.status, Pending);
        let open = |rig: &Rig| {
            let open = rig.reader().open_replenishments(10).unwrap();
            assert!(open.len() <= 1, "rule 8");
            open.into_iter().next()
        };
        let received = |units| ReplenishmentChange::Received { units };
        let mut asked = 0;
        while let Some(replenishment) = open(rig) {
            asked += 1;
            assert!(asked < 20, "it asks for ever");
            let change = |change| Command::Replenishment {
                id: replenishment.id(),
                sku: sku("A"),
                change,
            };
            // Again in one batch, and with another count: what came first really came.
            let all = [1, 1, 7].map(|units| change(received(units)));
            let answers = rig.batch(all.into()).await;
            let replies = answers.into_iter().map(|answer| match answer {
                Ok(Ok(Reply::Replenishment(reply))) => {
                    Some((reply.repeated, reply.replenishment.received))
                }
                Ok(Err(Refusal::ReferenceReused { quantity: 1 })) => None,
                other => panic!("{other:?}"),
            });
            assert_eq!(
                replies.collect::<Vec<_>>(),
                [Some((false, 1)), Some((true, 1)), None]
            );
        }
        // 2 and 10 more arrived: 6 for the one who waited, 6 above the reorder point.
        assert_eq!(asked, 10);
        assert_eq!(rig.order_now(waits.order.id).status, Accepted);
        let product = rig.reader().product(&sku("A")).unwrap().unwrap();
        assert_eq!(product.stock.available(), 6);
    });
}

#[test]
fn an_answer_says_what_is_left_at_its_moment() {
    on_both(async |rig| {
        rig.done(create("A", 3, WhenSoldOut::Reject)).await;
        let answers = rig
            .batch(vec![
                place(order_of("A")),
                place(units(order_of("A"), 5)),
                place(units(order_of("A"), 2)),
            ])
            .await;
        let left = answers
            .iter()
            .map(reply_order)
            .map(|reply: &OrderReply| reply.available);
        assert_eq!(left.collect::<Vec<_>>(), [2, 2, 0]);
        assert_eq!(statuses(&answers), [Accepted, SoldOut, Accepted]);
    });
}

#[test]
fn an_answer_says_who_stands_before_it_at_its_moment() {
    on_both(async |rig| {
        rig.done(create("A", 3, WhenSoldOut::Wait)).await;
        let answers = rig
            .batch(vec![
                place(units(order_of("A"), 2)),
                place(units(order_of("A"), 5)),
                place(units(order_of("A"), 1)),
                place(units(order_of("A"), 4)),
            ])
            .await;
        let replies: Vec<&OrderReply> = answers.iter().map(reply_order).collect();
        let standings: Vec<_> = (replies.iter())
            .map(|reply| {
                let standing = reply.standing?;
                assert_eq!(standing.estimate_s, None, "nothing was granted yet");
                // What whoever reads it afterwards is told.
                let order = &reply.order;
                let ahead = rig.reader().ahead(order.product, order.place).unwrap();
                assert_eq!(
                    (standing.ahead, standing.ahead_units),
                    (ahead.orders, ahead.units)
                );
                Some((standing.ahead, standing.ahead_units))
            })
            .collect();
        assert_eq!(standings, [None, Some((0, 0)), Some((1, 5)), Some((2, 6))]);
        assert!((replies.iter()).all(|reply| reply.when_sold_out == Some(WhenSoldOut::Wait)));
    });
}
