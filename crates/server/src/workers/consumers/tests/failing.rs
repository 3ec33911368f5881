//! Messages that fail, panic, or take too long.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::super::fate::{Fate, back_off, fates};
use super::rig::{Queue, start};
use crate::workers::consumer::{Delivery, Outcome, Pace};

const MINUTE: Duration = Duration::from_secs(60);
type Log<T> = Arc<Mutex<Vec<T>>>;

#[tokio::test(start_paused = true)]
async fn what_is_done_is_deleted() {
    let queue = Queue::new(Duration::ZERO);
    for n in 0..25 {
        queue.send(n, None);
    }
    let running = start(&queue, Pace::default(), async |batch: Vec<Delivery>| {
        vec![Outcome::Done; batch.len()]
    });
    running.is_empty(MINUTE).await;
    let status = running.status();
    assert_eq!((status.handled, status.failed, status.dead), (25, 0, 0));
    assert_eq!(status.rate_per_minute, 25);
    running.stop().await;
    assert!(queue.dead().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_fails_comes_back_later_and_later_and_ends_as_a_dead_letter() {
    let queue = Queue::new(Duration::ZERO);
    queue.send("bad", None);
    let pace = Pace {
        receives_max: 5,
        retry: Duration::from_secs(10),
        ..Pace::default()
    };
    let tries: Log<Instant> = Arc::default();
    let log = Arc::clone(&tries);
    let running = start(&queue, pace, move |batch: Vec<Delivery>| {
        log.lock().unwrap().push(Instant::now());
        async move { vec![Outcome::later("the printer is on fire"); batch.len()] }
    });
    running.is_empty(30 * MINUTE).await;
    let tries = tries.lock().unwrap().clone();
    assert_eq!(tries.len(), 5);
    let waits: Vec<Duration> = tries.windows(2).map(|two| two[1] - two[0]).collect();
    for (wait, most_s) in waits.iter().zip([10, 20, 40, 80]) {
        assert!(*wait > Duration::ZERO, "{waits:?}");
        assert!(*wait <= Duration::from_secs(most_s + 1), "{waits:?}");
    }
    let reason = "the printer is on fire".to_owned();
    assert_eq!(queue.dead(), [("bad".to_owned(), reason.clone())]);
    let status = running.status();
    assert_eq!((status.failed, status.dead), (5, 1));
    assert_eq!(status.last_failure.unwrap().reason, reason);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_good_ones_of_a_batch_do_not_come_again() {
    let queue = Queue::new(Duration::ZERO);
    for n in 0..10 {
        queue.send(n, None);
    }
    let handled: Log<String> = Arc::default();
    let log = Arc::clone(&handled);
    let running = start(&queue, Pace::default(), move |batch: Vec<Delivery>| {
        let log = Arc::clone(&log);
        async move {
            let outcome = |one: &Delivery| match (one.id.as_str(), one.receive_count) {
                ("3", 1) => Outcome::later("once"),
                ("7", _) => Outcome::never("malformed"),
                _ => Outcome::Done,
            };
            log.lock()
                .unwrap()
                .extend(batch.iter().map(|one| one.id.clone()));
            batch.iter().map(outcome).collect()
        }
    });
    running.is_empty(MINUTE).await;
    running.stop().await;
    assert_eq!(queue.dead(), [("7".to_owned(), "malformed".to_owned())]);
    let mut handled = handled.lock().unwrap().clone();
    handled.sort();
    assert_eq!(
        handled,
        ["0", "1", "2", "3", "3", "4", "5", "6", "7", "8", "9"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_is_held_while_work_on_it_goes_on() {
    let queue = Queue::new(Duration::ZERO);
    queue.send("slow", None);
    let pace = Pace {
        timeout: Duration::from_secs(4),
        floor: 3,
        ..Pace::default()
    };
    let running = start(&queue, pace, async |batch: Vec<Delivery>| {
        tokio::time::sleep(Duration::from_secs(61)).await;
        vec![Outcome::Done; batch.len()]
    });
    tokio::time::sleep(MINUTE).await;
    assert_eq!(queue.left()[0].receive_count, 1);
    running.is_empty(MINUTE).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn work_that_takes_too_long_is_given_up_and_its_neighbours_are_spared() {
    let queue = Queue::new(Duration::ZERO);
    for id in ["a", "stuck", "c"] {
        queue.send(id, None);
    }
    let pace = Pace {
        work_max: Duration::from_secs(10),
        receives_max: 3,
        ..Pace::default()
    };
    let running = start(&queue, pace, async |batch: Vec<Delivery>| {
        if batch.iter().any(|one| one.id == "stuck") {
            std::future::pending::<()>().await;
        }
        vec![Outcome::Done; batch.len()]
    });
    running.is_empty(10 * MINUTE).await;
    let dead = queue.dead();
    assert_eq!(dead.len(), 1, "{dead:?}");
    assert_eq!(dead[0].0, "stuck");
    assert!(dead[0].1.contains("longer than 10 s"), "{dead:?}");
    assert_eq!(running.status().handled, 2);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_takes_no_good_message_with_it() {
    let queue = Queue::new(Duration::ZERO);
    for n in 0..10 {
        queue.send(n, None);
    }
    let pace = Pace {
        receives_max: 3,
        ..Pace::default()
    };
    let running = start(&queue, pace, async |batch: Vec<Delivery>| {
        tokio::task::yield_now().await;
        assert!(batch.iter().all(|one| one.id != "4"), "a poison message");
        vec![Outcome::Done; batch.len()]
    });
    running.is_empty(MINUTE).await;
    let dead = queue.dead();
    assert_eq!(dead.len(), 1, "{dead:?}");
    assert_eq!(dead[0].0, "4");
    assert!(dead[0].1.contains("a panic at"), "{dead:?}");
    assert!(!dead[0].1.contains("poison"), "what it said may be private");
    assert_eq!(running.status().handled, 9);
    assert!(!running.task.is_finished());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_miscounts_loses_nothing() {
    let queue = Queue::new(Duration::ZERO);
    queue.send("a", None);
    queue.send("b", None);
    let pace = Pace {
        receives_max: 2,
        ..Pace::default()
    };
    let running = start(&queue, pace, async |_: Vec<Delivery>| {
        vec![Outcome::Done; 7]
    });
    running.is_empty(MINUTE).await;
    assert_eq!(queue.dead().len(), 2);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn ending_a_message_is_insisted_on() {
    let queue = Queue::new(Duration::ZERO);
    queue.fail("delete", 3);
    queue.send("a", None);
    let running = start(&queue, Pace::default(), async |batch: Vec<Delivery>| {
        vec![Outcome::Done; batch.len()]
    });
    running.is_empty(Duration::from_secs(5)).await;
    assert_eq!(running.status().handled, 1);
    running.stop().await;
}

fn delivery(id: &str, group: Option<&str>, receive_count: u32) -> Delivery {
    Delivery {
        id: id.to_owned(),
        body: String::new(),
        attributes: std::collections::BTreeMap::new(),
        group: group.map(str::to_owned),
        receive_count,
        sent_at: 0,
        handle: crate::workers::consumer::Handle::Sqs(id.to_owned()),
    }
}

#[test]
fn a_failure_ends_its_group_and_no_other() {
    let after = Duration::from_secs(7);
    let later = || Outcome::Later {
        after: Some(after),
        reason: "r".to_owned(),
    };
    let again = Fate::Again {
        after,
        reason: "r".to_owned(),
    };
    let dead = Fate::Dead {
        reason: "r".to_owned(),
    };
    let batch = [
        delivery("a1", Some("a"), 1),
        delivery("b1", Some("b"), 1),
        delivery("a2", Some("a"), 1),
        delivery("b2", Some("b"), 1),
        delivery("c1", Some("c"), 10),
        delivery("c2", Some("c"), 1),
    ];
    let outcomes = vec![
        Outcome::Done,
        later(),
        Outcome::Done,
        Outcome::Done,
        later(),
        Outcome::never("r"),
    ];
    let pace = Pace::default();
    let fates = fates(&batch, outcomes, &pace, |one| one.receive_count, &mut || 0);
    let expected = [
        Fate::Done,
        again,
        Fate::Done,
        Fate::Behind,
        dead,
        Fate::Behind,
    ];
    assert_eq!(fates, expected);
}

#[test]
fn a_back_off_is_anything_up_to_the_doubled_wait() {
    let pace = Pace {
        retry: Duration::from_secs(1),
        retry_max: Duration::from_secs(60),
        ..Pace::default()
    };
    for (tried, most_s) in [(0, 1), (1, 1), (2, 2), (4, 8), (7, 60), (1_000, 60)] {
        let most = Duration::from_secs(most_s);
        let waits: Vec<Duration> = (0..1_000_u64)
            .map(|n| back_off(&pace, tried, n.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
            .collect();
        assert!(
            waits
                .iter()
                .all(|wait| *wait > Duration::ZERO && *wait <= most)
        );
        assert!(waits.iter().any(|wait| *wait < most / 4), "{tried}");
        assert!(waits.iter().any(|wait| *wait > most / 4 * 3), "{tried}");
    }
}
