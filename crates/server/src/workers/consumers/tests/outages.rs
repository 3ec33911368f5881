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
    assert!(received <= Some(3), "{received:?}");
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
