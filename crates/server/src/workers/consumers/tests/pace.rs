//! How much at once, and whether at all: scaling, windows, pause, stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::super::ConsumerState;
use super::rig::{Queue, start};
use crate::workers::consumer::{Delivery, Outcome, Pace};

const MINUTE: Duration = Duration::from_secs(60);

async fn done(batch: Vec<Delivery>) -> Vec<Outcome> {
    tokio::time::sleep(Duration::from_millis(50)).await;
    vec![Outcome::Done; batch.len()]
}

#[tokio::test(start_paused = true)]
async fn a_burst_brings_more_workers_and_the_end_of_it_fewer() {
    let queue = Queue::new(Duration::from_millis(1));
    for n in 0..4_000 {
        queue.send(n, None);
    }
    let pace = Pace {
        batch_max: 1,
        ceiling: 16,
        ..Pace::default()
    };
    let (now, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (at_once, most) = (Arc::clone(&now), Arc::clone(&peak));
    let running = start(&queue, pace, move |batch| {
        let (at_once, most) = (Arc::clone(&at_once), Arc::clone(&most));
        async move {
            most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let outcomes = done(batch).await;
            at_once.fetch_sub(1, Ordering::SeqCst);
            outcomes
        }
    });
    assert!(running.status().concurrency <= 1);
    let took = running.is_empty(2 * MINUTE).await;
    // 16 of them take 13 s; one alone would have taken more than 3 minutes.
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(peak.load(Ordering::SeqCst), 16, "never above the ceiling");
    tokio::time::sleep(2 * MINUTE).await;
    assert_eq!(running.status().concurrency, 1, "back at the floor");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_waits_to_become_full() {
    for (window_ms, expected) in [(0, 5), (1_000, 1)] {
        let queue = Queue::new(Duration::ZERO);
        let pace = Pace {
            batch_max: 5,
            window: Duration::from_millis(window_ms),
            ..Pace::default()
        };
        let batches = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&batches);
        let running = start(&queue, pace, move |batch: Vec<Delivery>| {
            count.fetch_add(1, Ordering::SeqCst);
            async move { vec![Outcome::Done; batch.len()] }
        });
        for n in 0..5 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            queue.send(n, None);
        }
        running.is_empty(MINUTE).await;
        assert_eq!(batches.load(Ordering::SeqCst), expected, "{window_ms} ms");
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_consumer_takes_nothing_until_it_goes_on() {
    let queue = Queue::new(Duration::from_millis(1));
    let running = start(&queue, Pace::default(), done);
    queue.send("before", None);
    running.is_empty(MINUTE).await;
    running.monitor.say(1, true);
    // What is being received at this moment is given back, and counts as received.
    tokio::time::sleep(Duration::from_secs(1)).await;
    queue.send("meanwhile", None);
    tokio::time::sleep(10 * MINUTE).await;
    let status = running.status();
    assert_eq!(status.state, ConsumerState::Paused);
    assert_eq!((status.concurrency, status.in_hand), (0, 0));
    assert_eq!(queue.left()[0].receive_count, 0);
    running.monitor.say(2, false);
    running.is_empty(Duration::from_secs(1)).await;
    assert_eq!(running.status().state, ConsumerState::Running);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_lets_what_is_in_hand_be_finished() {
    let queue = Queue::new(Duration::from_millis(1));
    queue.send("a", None);
    let running = start(&queue, Pace::default(), done);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(running.status().in_hand, 1);
    running.monitor.say(1, true);
    running.is_empty(Duration::from_secs(1)).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_finishes_what_it_holds() {
    let queue = Queue::new(Duration::from_millis(1));
    for n in 0..30 {
        queue.send(n, None);
    }
    let pace = Pace {
        ceiling: 1,
        ..Pace::default()
    };
    let running = start(&queue, pace, async |batch: Vec<Delivery>| {
        tokio::time::sleep(Duration::from_secs(5)).await;
        vec![Outcome::Done; batch.len()]
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let took = running.stop().await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(
        queue.left().len(),
        20,
        "what it held is done, nothing more was taken"
    );
    assert!(queue.left().iter().all(|one| one.receive_count == 0));
}

#[tokio::test(start_paused = true)]
async fn a_stop_gives_back_what_takes_too_long() {
    let queue = Queue::new(Duration::from_millis(1));
    queue.send("long", None);
    let running = start(&queue, Pace::default(), async |_: Vec<Delivery>| {
        std::future::pending().await
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let took = running.stop().await;
    assert!(took < Duration::from_secs(9), "{took:?}");
    let left = queue.left();
    assert!(
        left[0].visible_at <= tokio::time::Instant::now(),
        "anybody may have it"
    );
}
