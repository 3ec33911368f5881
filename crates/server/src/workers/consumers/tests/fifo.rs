//! Groups stay in order, whatever fails.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::rig::{Queue, start};
use crate::workers::consumer::{Delivery, Outcome, Pace};

const HOUR: Duration = Duration::from_secs(3_600);

/// Which outcome a message has at this receive: the same for the same seed.
fn chance(seed: u64, one: &Delivery) -> u8 {
    let text = format!("{seed} {} {}", one.id, one.receive_count);
    blake3::hash(text.as_bytes()).as_bytes()[0] % 10
}

#[tokio::test(start_paused = true)]
async fn a_group_is_worked_on_in_order_whatever_fails() {
    for seed in 0..20 {
        let queue = Queue::new(Duration::from_millis(1));
        for n in 0..60 {
            let group = format!("g{}", n % 4);
            queue.send(format!("{n:02}"), Some(&group));
        }
        queue.fail("hold", 2);
        let done: Arc<Mutex<BTreeMap<String, Vec<String>>>> = Arc::default();
        let log = Arc::clone(&done);
        let pace = Pace {
            floor: 4,
            timeout: Duration::from_secs(5),
            work_max: Duration::from_secs(30),
            receives_max: 1_000,
            ..Pace::default()
        };
        // The rig fails the test when one group is in two hands at once.
        let running = start(&queue, pace, move |batch: Vec<Delivery>| {
            let log = Arc::clone(&log);
            async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                let mut outcomes = Vec::new();
                let mut held_up = Vec::new();
                for one in &batch {
                    let chance = chance(seed, one);
                    assert!(chance != 0, "some panic");
                    let outcome = match chance {
                        1 => Outcome::later("some fail"),
                        2 => Outcome::Wait {
                            after: Duration::from_secs(2),
                            reason: "some wait".to_owned(),
                        },
                        3 => Outcome::never("some never will"),
                        _ => Outcome::Done,
                    };
                    let group = one.group.clone().unwrap();
                    if !held_up.contains(&group) && outcome == Outcome::Done {
                        let mut log = log.lock().unwrap();
                        log.entry(group.clone()).or_default().push(one.id.clone());
                    }
                    if outcome != Outcome::Done {
                        held_up.push(group);
                    }
                    outcomes.push(outcome);
                }
                outcomes
            }
        });
        running.is_empty(HOUR).await;
        running.stop().await;
        let dead: Vec<String> = queue.dead().into_iter().map(|(id, _)| id).collect();
        let done = done.lock().unwrap();
        let mut all = 0;
        for (group, ids) in done.iter() {
            // A panic tries what was done before it once more: the same ones, in order.
            let mut first_times = Vec::new();
            for id in ids {
                if !first_times.contains(id) {
                    first_times.push(id.clone());
                }
            }
            assert!(
                first_times.is_sorted(),
                "seed {seed}, {group}: {first_times:?}"
            );
            all += first_times.iter().filter(|id| !dead.contains(id)).count();
        }
        assert_eq!(all + dead.len(), 60, "seed {seed}: nothing is lost");
    }
}

#[tokio::test(start_paused = true)]
async fn those_behind_a_failing_head_do_not_use_up_their_tries() {
    let queue = Queue::new(Duration::ZERO);
    for id in ["1", "2", "3"] {
        queue.send(id, Some("g"));
    }
    let pace = Pace {
        receives_max: 4,
        ..Pace::default()
    };
    let running = start(&queue, pace, async |batch: Vec<Delivery>| {
        let outcome = |one: &Delivery| match (one.id.as_str(), one.receive_count) {
            ("1", _) => Outcome::later("always"),
            // It has been received with each try of the first one; this is its own first.
            ("2", 5) => Outcome::later("once"),
            _ => Outcome::Done,
        };
        batch.iter().map(outcome).collect()
    });
    running.is_empty(HOUR).await;
    running.stop().await;
    assert_eq!(queue.dead(), [("1".to_owned(), "always".to_owned())]);
}
