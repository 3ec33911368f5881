//! The process ends at any moment: before the work, after the effect, before the delete.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::run_consumer;
use super::rig::{Queue, parts, start};
use crate::workers::consumer::{Delivery, Outcome, Pace};

/// The effects and the inbox: they change together, as in a transaction.
type Effects = Arc<Mutex<BTreeMap<String, u32>>>;

async fn work(effects: Effects, batch: Vec<Delivery>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for one in batch {
        tokio::time::sleep(Duration::from_millis(1)).await;
        // Only the first time has an effect.
        *effects.lock().unwrap().entry(one.id.clone()).or_insert(0) |= 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
        outcomes.push(match (one.id.as_str(), one.receive_count) {
            ("2", 1) => Outcome::later("once"),
            _ => Outcome::Done,
        });
    }
    outcomes
}

/// Runs until the moment of the crash, then as another process to the end.
async fn crash_at(moment: Duration, group: Option<&str>) -> u32 {
    let queue = Queue::new(Duration::from_millis(1));
    for n in 0..6 {
        queue.send(n, group);
    }
    let pace = Pace {
        batch_max: 3,
        timeout: Duration::from_secs(4),
        retry: Duration::from_millis(10),
        ..Pace::default()
    };
    let effects: Effects = Arc::default();
    let of_first = Arc::clone(&effects);
    let first = parts(&queue, pace.clone(), move |batch| {
        work(Arc::clone(&of_first), batch)
    });
    // Dropped wherever it stands: its workers are dropped with it.
    let _crashed = tokio::time::timeout(moment, run_consumer(first)).await;
    let of_second = Arc::clone(&effects);
    let second = start(&queue, pace, move |batch| {
        work(Arc::clone(&of_second), batch)
    });
    second.is_empty(Duration::from_secs(60)).await;
    second.stop().await;
    assert!(queue.dead().is_empty());
    let effects = effects.lock().unwrap();
    assert_eq!(effects.len(), 6, "nothing is lost, at {moment:?}");
    effects.values().sum()
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_moment_loses_nothing() {
    for moment_ms in 0..60 {
        for group in [None, Some("g")] {
            let effects = crash_at(Duration::from_millis(moment_ms), group).await;
            assert_eq!(effects, 6, "once each, at {moment_ms} ms");
        }
    }
}
