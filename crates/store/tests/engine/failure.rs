//! Overload, stopping, and a store that fails.

use std::time::Duration;

use commerce::WhenSoldOut;
use engine::{Command, EngineError, Limits, OrderStatus, Reply};
use messaging::QueueConfig;

use crate::rig::{
    Answer, Asked, Fail, Place, Rig, create, deferred, order_of, queue_spec, reply_order, runtime,
    send, within,
};

fn order(name: &str) -> Command {
    Command::PlaceOrder(order_of(name))
}

/// Holds the store up, with one batch in its hands that changes nothing.
async fn held(rig: &Rig) -> Asked {
    let mut is_held = rig.steering.hold();
    let mut plug = Asked::of(
        rig.engine(),
        Command::Settle {
            sku: crate::rig::sku("no-such-product"),
        },
    );
    plug.admitted().await;
    within(is_held.changed()).await.unwrap();
    plug
}

fn small() -> Limits {
    Limits {
        queue_max: 6,
        batch_max: 4,
        ..Limits::default()
    }
}

fn is_store_error(answer: &Answer, what: &str) -> bool {
    matches!(answer, Err(EngineError::Store(text)) if text.contains(what))
}

#[test]
fn one_more_than_may_wait_is_told_at_once_and_nothing_is_done_for_it() {
    runtime().block_on(async {
        for place in Place::both() {
            let rig = Rig::with_limits(place, small());
            rig.done(create("A", 100, WhenSoldOut::Reject)).await;
            let plug = held(&rig).await;
            let mut waiting = Vec::new();
            for _ in 0..6 {
                let mut asked = Asked::of(rig.engine(), order("A"));
                assert!(asked.admitted().await);
                waiting.push(asked);
            }
            assert_eq!(rig.engine().depth(), 6);
            for _ in 0..20 {
                // At once: the store is still held up.
                let refused = rig.decide(order("A")).await;
                assert!(
                    matches!(refused, Err(EngineError::Overloaded)),
                    "{refused:?}"
                );
            }
            assert_eq!(rig.engine().depth(), 6);
            rig.steering.release();
            plug.answer().await.unwrap().unwrap_err();
            for (place, asked) in (1..).zip(waiting) {
                assert_eq!(reply_order(&asked.answer().await).order.place, place);
            }
            assert_eq!(rig.order(order_of("A")).await.order.place, 7);
            assert_eq!(rig.engine().depth(), 0);
            assert_eq!(rig.audit_clean().orders, 7);
        }
    });
}

#[test]
fn stopping_answers_everybody_who_was_admitted_and_nobody_else() {
    runtime().block_on(async {
        for place in Place::both() {
            let mut rig = Rig::with_limits(place, small());
            rig.done(create("A", 2, WhenSoldOut::Reject)).await;
            let plug = held(&rig).await;
            let mut admitted = Vec::new();
            for number in 0..6 {
                let next = if number % 2 == 0 {
                    order_of("A")
                } else {
                    deferred("A")
                };
                let mut asked = Asked::of(rig.engine(), Command::PlaceOrder(next));
                // The queue is full: the stop itself has to wait for room.
                assert!(asked.admitted().await);
                admitted.push(asked);
            }
            let engine = rig.engine().clone();
            let stop = tokio::spawn(async move { engine.stop().await });
            let late = loop {
                match rig.decide(Command::Probe).await {
                    Err(EngineError::Overloaded) => tokio::task::yield_now().await,
                    other => break other,
                }
            };
            assert!(matches!(late, Err(EngineError::Stopping)), "{late:?}");
            assert!(!stop.is_finished());
            rig.steering.release();
            plug.answer().await.unwrap().unwrap_err();
            let mut orders = Vec::new();
            for asked in admitted {
                orders.push(reply_order(&asked.answer().await).order.id);
            }
            within(stop).await.unwrap();
            within(rig.engine().stopped()).await;
            // The deferred ones have had their verdicts, too.
            for (number, id) in orders.iter().enumerate() {
                let expected = match number < 2 {
                    true => OrderStatus::Accepted,
                    false => OrderStatus::SoldOut,
                };
                assert_eq!(rig.order_now(*id).status, expected, "{number}");
            }
            let later = rig.decide(order("A")).await;
            assert!(matches!(later, Err(EngineError::Stopping)), "{later:?}");
            // Stopping again is no different.
            rig.stop_and_start().await;
            rig.audit_clean();
        }
    });
}

/// An engine that commits when it has two messages of these in hand, and a queue for them.
async fn for_two(place: Place) -> Rig {
    let limits = Limits {
        batch_bytes: 1_001,
        ..Limits::default()
    };
    let rig = Rig::with_limits(place, limits);
    rig.done(create("A", 10, WhenSoldOut::Reject)).await;
    rig.done(Command::EnsureQueues {
        queues: vec![queue_spec("q", QueueConfig::default())],
        subscriptions: Vec::new(),
    })
    .await;
    rig
}

/// Five messages, and orders in between.
fn large_and_small() -> Vec<Command> {
    (0..5)
        .flat_map(|number| {
            let body = number.to_string().repeat(1_000);
            [send("q", &body), order("A")]
        })
        .collect()
}

#[test]
fn a_commit_that_has_become_large_takes_no_more() {
    runtime().block_on(async {
        for place in Place::both() {
            let rig = for_two(place).await;
            let answers = rig.batch(large_and_small()).await;
            let (mut sent, mut places) = (Vec::new(), Vec::new());
            for answer in answers {
                match answer {
                    Ok(Ok(Reply::Sent { message, .. })) => sent.push(message.seq),
                    answer => places.push(reply_order(&answer).order.place),
                }
            }
            // Nobody has lost his place for it.
            assert_eq!(sent, [1, 2, 3, 4, 5]);
            assert_eq!(places, [1, 2, 3, 4, 5]);
            assert_eq!(rig.steering.written(), [2_000, 2_000, 1_000]);
            assert_eq!(rig.engine().depth(), 0);
            within(rig.engine().stop()).await;
            rig.audit_clean();
        }
    });
}

#[test]
fn what_a_large_commit_left_hears_of_its_failure() {
    runtime().block_on(async {
        for place in Place::both() {
            let rig = for_two(place).await;
            rig.steering.fail_next(Fail::CommitLost);
            for answer in rig.batch(large_and_small()).await {
                assert!(is_store_error(&answer, "the disk is gone"), "{answer:?}");
            }
            within(rig.engine().stopped()).await;
            assert_eq!(rig.engine().depth(), 0);
        }
    });
}

#[test]
fn a_caller_who_goes_away_changes_nothing() {
    runtime().block_on(async {
        let rig = Rig::new(Place::memory());
        rig.done(create("A", 10, WhenSoldOut::Reject)).await;
        let plug = held(&rig).await;
        let mut impatient = Asked::of(rig.engine(), order("A"));
        assert!(impatient.admitted().await);
        let mut patient = Asked::of(rig.engine(), order("A"));
        assert!(patient.admitted().await);
        drop(impatient);
        rig.steering.release();
        plug.answer().await.unwrap().unwrap_err();
        assert_eq!(reply_order(&patient.answer().await).order.place, 2);
        assert_eq!(rig.audit_clean().accepted, 2);
    });
}

#[test]
fn a_stop_that_was_given_up_can_be_asked_for_again() {
    runtime().block_on(async {
        let rig = Rig::with_limits(Place::memory(), small());
        rig.done(create("A", 10, WhenSoldOut::Reject)).await;
        let plug = held(&rig).await;
        let mut asked = Vec::new();
        for _ in 0..small().queue_max {
            let mut order = Asked::of(rig.engine(), order("A"));
            assert!(order.admitted().await);
            asked.push(order);
        }
        // There is no room for it, so it waits for some.
        let stop = tokio::time::timeout(Duration::from_millis(50), rig.engine().stop());
        assert!(stop.await.is_err());
        rig.steering.release();
        within(rig.engine().stop()).await;
        plug.answer().await.unwrap().unwrap_err();
        for asked in asked {
            reply_order(&asked.answer().await);
        }
    });
}

#[test]
fn a_commit_that_fails_is_told_to_everybody_and_nobody_sees_half_of_it() {
    runtime().block_on(async {
        for place in Place::both() {
            let mut rig = Rig::with_limits(place, small());
            rig.done(create("A", 2, WhenSoldOut::Wait)).await;
            let before = rig.reader().entries(0, 100).unwrap();
            let product = rig.reader().product(&crate::rig::sku("A")).unwrap();
            let mut tail = rig.engine().feed().tail(1, rig.reader());

            let plug = held(&rig).await;
            rig.steering.fail_next(Fail::CommitLost);
            let mut asked = Vec::new();
            // More than one batch: those behind the one that fails hear of it as well.
            for _ in 0..6 {
                let mut order = Asked::of(rig.engine(), order("A"));
                assert!(order.admitted().await);
                asked.push(order);
            }
            rig.steering.release();
            let plugged = plug.answer().await;
            assert!(!matches!(plugged, Ok(Ok(_))), "{plugged:?}");
            for asked in asked {
                let answer = asked.answer().await;
                assert!(is_store_error(&answer, "the disk is gone"), "{answer:?}");
            }
            within(rig.engine().stopped()).await;
            for command in [order("A"), Command::Probe] {
                let later = rig.decide(command).await;
                assert!(is_store_error(&later, "the disk is gone"), "{later:?}");
            }
            assert!(rig.engine().failure().is_some());
            assert_eq!(rig.engine().depth(), 0);
            assert_eq!(rig.engine().feed().last_seq(), 1);
            let unchanged = |rig: &Rig| {
                assert_eq!(rig.reader().entries(0, 100).unwrap(), before);
                assert_eq!(
                    rig.reader().product(&crate::rig::sku("A")).unwrap(),
                    product
                );
                assert_eq!(rig.reader().last_seq().unwrap(), 1);
            };
            unchanged(&rig);
            rig.stop_and_start().await;
            unchanged(&rig);
            // The feed of the old engine ends, and told nobody of anything.
            assert!(within(tail.next()).await.unwrap().is_none());
            assert_eq!(rig.order(order_of("A")).await.order.place, 1);
            rig.audit_clean();
        }
    });
}

#[test]
fn a_load_that_fails_is_told_and_forgotten() {
    runtime().block_on(async {
        for place in Place::both() {
            let rig = Rig::new(place);
            rig.done(create("A", 1, WhenSoldOut::Reject)).await;
            rig.steering.fail_next(Fail::Load);
            let answer = rig.decide(order("A")).await;
            assert!(
                is_store_error(&answer, "the disk cannot be read"),
                "{answer:?}"
            );
            assert!(rig.engine().failure().is_none());
            assert_eq!(rig.order(order_of("A")).await.order.place, 1);
        }
    });
}

#[test]
fn a_deferred_order_is_not_forgotten_when_its_turn_comes_at_a_bad_moment() {
    runtime().block_on(async {
        for place in Place::both() {
            let rig = Rig::new(place);
            rig.done(create("A", 1, WhenSoldOut::Wait)).await;
            let plug = held(&rig).await;
            let mut asked = Asked::of(rig.engine(), Command::PlaceOrder(deferred("A")));
            assert!(asked.admitted().await);
            // The plug has passed the point where it could fail; the order's batch is loaded,
            // and the batch of its verdict is not.
            rig.steering.fail_load_after(1);
            rig.steering.release();
            plug.answer().await.unwrap().unwrap_err();
            let reply = asked.answer().await;
            let id = reply_order(&reply).order.id;
            // Whatever is asked next, the store can be read again.
            while matches!(rig.decide(Command::Probe).await, Err(EngineError::Store(_))) {}
            rig.settled().await;
            assert!(!rig.steering.forgive(), "the load did fail");
            assert_eq!(rig.order_now(id).status, OrderStatus::Accepted);
        }
    });
}

#[test]
fn what_was_committed_and_not_answered_is_answered_by_its_key() {
    runtime().block_on(async {
        for kept in [Fail::CommitKept, Fail::SyncFailed] {
            for place in Place::both() {
                let mut rig = Rig::new(place);
                rig.done(create("A", 1, WhenSoldOut::Reject)).await;
                let keyed = || engine::PlaceOrder {
                    key: Some(crate::rig::key(1)),
                    ..order_of("A")
                };
                for (fail, replay) in [(Fail::CommitLost, false), (kept, true)] {
                    rig.steering.fail_next(fail);
                    rig.decide(Command::PlaceOrder(keyed())).await.unwrap_err();
                    assert!(rig.decide(Command::Probe).await.is_err(), "it has stopped");
                    rig.stop_and_start().await;
                    if replay {
                        let again = rig.order(keyed()).await;
                        assert!(again.replay);
                        assert_eq!(again.order.place, 1);
                        assert_eq!(again.order.status, OrderStatus::Accepted);
                    } else {
                        assert_eq!(rig.audit_clean().orders, 0);
                    }
                }
                let reply = rig.done(Command::PlaceOrder(order_of("A"))).await;
                assert!(matches!(reply, Reply::Order(reply) if reply.order.place == 2));
                rig.audit_clean();
            }
        }
    });
}

#[test]
fn nobody_is_answered_before_the_disk_has_answered() {
    runtime().block_on(async {
        for place in Place::both() {
            let mut rig = Rig::new(place);
            rig.done(create("A", 10, WhenSoldOut::Reject)).await;
            let mut tail = rig.engine().feed().tail(1, rig.reader());
            let plug = held(&rig).await;
            rig.steering.fail_next(Fail::SyncFailed);
            let mut asked = Vec::new();
            for _ in 0..3 {
                let mut order = Asked::of(rig.engine(), order("A"));
                assert!(order.admitted().await);
                asked.push(order);
            }
            rig.steering.release();
            let plugged = plug.answer().await;
            assert!(!matches!(plugged, Ok(Ok(_))), "{plugged:?}");
            for asked in asked {
                let answer = asked.answer().await;
                assert!(is_store_error(&answer, "does not answer"), "{answer:?}");
            }
            // Whoever looks is not told of what may not be there tomorrow.
            let read = rig.engine().read(|reader| reader.last_seq()).await;
            assert!(read.is_err(), "{read:?}");
            within(rig.engine().stopped()).await;
            assert_eq!(rig.engine().feed().last_seq(), 1);
            rig.stop_and_start().await;
            assert!(within(tail.next()).await.unwrap().is_none());
            // It was written all the same.
            assert_eq!(rig.audit_clean().orders, 3);
        }
    });
}
