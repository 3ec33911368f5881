//! Neighbours that are away, and queues that are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use super::super::ConsumerState;
use super::rig::{Queue, start};
use crate::workers::consumer::{Delivery, Outcome, Pace};

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test(start_paused = true)]
async fn an_hour_without_a_neighbour_costs_few_receives_and_no_message() {
    let queue = Queue::new(Duration::from_millis(1));
    for n in 0..60 {
        queue.send(n, None);
    }
    let is_away = Arc::new(AtomicBool::new(true));
    let calls = Arc::new(AtomicU32::new(0));
    let pace = Pace {
        receives_max: 3,
        floor: 4,
        ..Pace::default()
    };
    let (away, called) = (Arc::clone(&is_away), Arc::clone(&calls));
    let running = start(&queue, pace, move |batch: Vec<Delivery>| {
        called.fetch_add(1, Ordering::Relaxed);
        let outcome = if away.load(Ordering::Relaxed) {
            Outcome::Wait {
                after: Duration::from_secs(5),
                reason: "the mail server is away".to_owned(),
            }
        } else {
            Outcome::Done
        };
        async move { vec![outcome; batch.len()] }
    });
    tokio::time::sleep(HOUR).await;
    let calls = calls.load(Ordering::Relaxed);
    assert!((100..150).contains(&calls), "one probe in 30 s: {calls}");
    let received = queue.left().iter().map(|one| one.receive_count).max();
    assert!(received <= Some(8), "{received:?}");
    let ConsumerState::Waiting { reason, .. } = running.status().state else {
        panic!("{:?}", running.status());
    };
    assert_eq!(reason, "the mail server is away");
    is_away.store(false, Ordering::Relaxed);
    running.is_empty(Duration::from_secs(35)).await;
    assert!(queue.dead().is_empty());
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(running.status().state, ConsumerState::Running);
    running.stop().await;
}

/// Whether it says so or not: others have their turn.
#[tokio::test(start_paused = true)]
async fn one_that_waits_for_ever_does_not_keep_the_others_from_being_tried() {
    let queue = Queue::new(Duration::from_millis(1));
    queue.send("poison", None);
    let pace = Pace {
        ceiling: 1,
        ..Pace::default()
    };
    let running = start(&queue, pace, async |batch: Vec<Delivery>| {
        let outcome = |one: &Delivery| match one.id.as_str() {
            "poison" => Outcome::Wait {
                after: Duration::from_secs(30),
                reason: "it hung up".to_owned(),
            },
            _ => Outcome::Done,
        };
        batch.iter().map(outcome).collect()
    });
    tokio::time::sleep(HOUR).await;
    let received = queue.left()[0].receive_count;
    assert!(received < 10, "kept in hand while it is alone: {received}");
    for n in 0..20 {
        queue.send(n, None);
        tokio::time::sleep(Duration::from_secs(240)).await;
        let left = queue.left();
        assert_eq!(left.len(), 1, "{n}: {left:?}");
    }
    assert!(queue.dead().is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn waiting_often_makes_no_dead_letter_of_the_first_failure() {
    let queue = Queue::new(Duration::ZERO);
    queue.send("a", None);
    let pace = Pace {
        receives_max: 3,
        ..Pace::default()
    };
    let running = start(&queue, pace, async |batch: Vec<Delivery>| {
        // Longer than a probe would keep it in hand.
        let outcome = |one: &Delivery| match one.receive_count {
            ..=6 => Outcome::Wait {
                after: Duration::from_secs(90),
                reason: "too early".to_owned(),
            },
            7 | 8 => Outcome::later("it failed"),
            _ => Outcome::Done,
        };
        batch.iter().map(outcome).collect()
    });
    running.is_empty(HOUR).await;
    assert!(queue.dead().is_empty());
    assert_eq!(running.status().failed, 2);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_was_away_is_read_again() {
    let queue = Queue::new(Duration::ZERO);
    queue.fail("receive", 8);
    queue.send("a", None);
    let running = start(&queue, Pace::default(), async |batch: Vec<Delivery>| {
        vec![Outcome::Done; batch.len()]
    });
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(matches!(
        running.status().state,
        ConsumerState::Waiting { .. }
    ));
    running.is_empty(Duration::from_secs(60)).await;
    running.stop().await;
}

fn not_yet(after_s: u64) -> Outcome {
    Outcome::NotYet {
        after: Duration::from_secs(after_s),
        reason: "too early".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_put_off_holds_nobody_up_and_is_never_a_dead_letter() {
    let queue = Queue::new(Duration::from_millis(1));
    for n in 0..12 {
        queue.send(format!("parked {n}"), None);
    }
    let pace = Pace {
        batch_max: 1,
        ceiling: 1,
        receives_max: 3,
        ..Pace::default()
    };
    let from = tokio::time::Instant::now();
    let running = start(&queue, pace, move |batch: Vec<Delivery>| {
        let is_parked = |one: &Delivery| {
            one.id.starts_with("parked") && from.elapsed() < Duration::from_secs(600)
        };
        let outcome = |one: &Delivery| {
            if is_parked(one) {
                not_yet(20)
            } else {
                Outcome::Done
            }
        };
        let outcomes = batch.iter().map(outcome).collect();
        async move { outcomes }
    });
    for n in 0..20 {
        tokio::time::sleep(Duration::from_secs(25)).await;
        queue.send(format!("news {n}"), None);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let left = queue.left();
        assert!(
            left.iter().all(|one| one.id.starts_with("parked")),
            "{left:?}"
        );
        assert_eq!(running.status().state, ConsumerState::Running);
    }
    running.is_empty(Duration::from_secs(150)).await;
    let status = running.status();
    assert_eq!((status.handled, status.failed, status.dead), (32, 0, 0));
    running.stop().await;
    assert!(queue.dead().is_empty());
}

#[tokio::test(start_paused = true)]
async fn messages_that_are_put_off_do_not_take_workers_away() {
    let peak = |outcome: Outcome| async move {
        let queue = Queue::new(Duration::from_millis(1));
        for n in 0..2_000 {
            queue.send(n, None);
        }
        let pace = Pace {
            batch_max: 1,
            ceiling: 8,
            ..Pace::default()
        };
        let (at_once, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let highest = Arc::clone(&most);
        let running = start(&queue, pace, move |batch: Vec<Delivery>| {
            let (now, most) = (Arc::clone(&at_once), Arc::clone(&most));
            let outcome = outcome.clone();
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(50)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                vec![outcome; batch.len()]
            }
        });
        tokio::time::sleep(Duration::from_secs(10)).await;
        running.stop().await;
        highest.load(Ordering::SeqCst)
    };
    assert_eq!(peak(not_yet(3_600)).await, 8);
    let wait = Outcome::Wait {
        after: Duration::from_secs(3_600),
        reason: "away".to_owned(),
    };
    assert_eq!(peak(wait).await, 1, "where this would not hold");
}

#[tokio::test(start_paused = true)]
async fn what_is_put_off_does_not_hide_the_end_of_an_outage() {
    let queue = Queue::new(Duration::from_millis(1));
    let is_away = Arc::new(AtomicBool::new(true));
    let away = Arc::clone(&is_away);
    let pace = Pace {
        batch_max: 1,
        ceiling: 1,
        ..Pace::default()
    };
    let running = start(&queue, pace, move |batch: Vec<Delivery>| {
        let away = away.load(Ordering::Relaxed);
        let outcome = |one: &Delivery| match one.id.starts_with("parked") {
            true => not_yet(3_600),
            false if away => Outcome::Wait {
                after: Duration::from_secs(1),
                reason: "away".to_owned(),
            },
            false => Outcome::Done,
        };
        let outcomes = batch.iter().map(outcome).collect();
        async move { outcomes }
    });
    queue.send("a", None);
    tokio::time::sleep(Duration::from_secs(300)).await;
    for n in 0..10 {
        queue.send(format!("parked {n}"), None);
    }
    queue.send("b", None);
    is_away.store(false, Ordering::Relaxed);
    // One probe of 30 s, and none for each of those that are put off.
    tokio::time::sleep(Duration::from_secs(35)).await;
    assert_eq!(running.status().handled, 2);
    running.stop().await;
}
