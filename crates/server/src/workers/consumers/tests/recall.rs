//! Whether a pause is known after a start, and what runs while it is not.

use std::sync::Arc;
use std::time::Duration;

use effects::{Effects, pauses};
use engine::ports::Clock;
use futures_util::future::join_all;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::super::{ConsumerState, Consumers};
use super::rig::{Queue, Running, parts, run};
use crate::workers::consumer::{Delivery, Outcome, Pace};

async fn done(batch: Vec<Delivery>) -> Vec<Outcome> {
    vec![Outcome::Done; batch.len()]
}

/// A consumer with one message, of a process that has just started; whether it was paused before
/// that, in a database that is away.
struct Started {
    directory: TempDir,
    consumers: Consumers,
    queue: Arc<Queue>,
    running: Running,
}

impl Started {
    async fn new(was_paused: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("effects.db");
        let queue = Queue::new(Duration::from_millis(1));
        let mut parts = parts(&queue, Pace::default(), done);
        let name = parts.consumer.name();
        let consumers = || {
            let clock: Arc<dyn Clock> = Arc::clone(&queue) as _;
            Consumers::new([&parts.consumer], Effects::new(&path), clock)
        };
        let before = consumers();
        before.pause(name).await.unwrap();
        if !was_paused {
            before.resume(name).await.unwrap();
        }
        let consumers = consumers();
        drop(before);
        std::fs::rename(&path, directory.path().join("aside")).unwrap();
        std::fs::create_dir(&path).unwrap();
        consumers.recall().await;
        parts.monitor = consumers.of(&*parts.consumer);
        queue.send("a", None);
        let running = run(&queue, parts);
        tokio::spawn(consumers.clone().recall_late(running.stop.clone()));
        tokio::time::sleep(Duration::from_secs(1)).await;
        Self {
            directory,
            consumers,
            queue,
            running,
        }
    }

    fn come_back(&self) {
        let path = self.directory.path().join("effects.db");
        std::fs::remove_dir(&path).unwrap();
        std::fs::rename(self.directory.path().join("aside"), &path).unwrap();
    }

    fn is_held(&self) {
        let ConsumerState::Waiting { reason, .. } = self.running.status().state else {
            panic!("it must say what it waits for: {:?}", self.running.status());
        };
        assert!(reason.contains("paused"), "{reason}");
        assert_eq!(self.queue.left().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_runs_before_it_is_known_whether_it_was_paused() {
    for was_paused in [false, true] {
        let started = Started::new(was_paused).await;
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        started.is_held();
        started.come_back();
        tokio::time::sleep(Duration::from_secs(5)).await;
        let state = started.running.status().state;
        let left = started.queue.left().len();
        let expected = if was_paused {
            (ConsumerState::Paused, 1)
        } else {
            (ConsumerState::Running, 0)
        };
        assert_eq!((state, left), expected);
        started.running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_says_now_stands_above_what_was_noted() {
    let started = Started::new(true).await;
    started.is_held();
    started.come_back();
    // The database answers again, and the operator is first.
    tokio::time::advance(Duration::from_secs(1)).await;
    let name = started.running.monitor.name();
    started.consumers.resume(name).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    // What was read before that says so too late.
    started.running.monitor.recall(true);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(started.running.status().state, ConsumerState::Running);
    started.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn it_is_asked_no_longer_than_the_process_lives() {
    let started = Started::new(true).await;
    let stop = CancellationToken::new();
    let asking = tokio::spawn(started.consumers.clone().recall_late(stop.clone()));
    stop.cancel();
    asking.await.unwrap();
    started.running.stop().await;
}

#[tokio::test]
async fn of_many_who_pause_and_resume_at_once_the_last_to_be_noted_counts() {
    let directory = tempfile::tempdir().unwrap();
    let queue = Queue::new(Duration::from_millis(1));
    let parts = parts(&queue, Pace::default(), done);
    let name = parts.consumer.name();
    let effects = Effects::new(&directory.path().join("effects.db"));
    let clock: Arc<dyn Clock> = Arc::clone(&queue) as _;
    let consumers = Consumers::new([&parts.consumer], effects.clone(), clock);
    let monitor = consumers.of(&*parts.consumer);
    let is_paused = || monitor.status(0).state == ConsumerState::Paused;
    for round in 0..10 {
        let all = (0..8).map(|turn| {
            let consumers = &consumers;
            async move {
                match (turn + round) % 2 {
                    0 => consumers.pause(name).await,
                    _ => consumers.resume(name).await,
                }
            }
        });
        for said in join_all(all).await {
            said.unwrap().unwrap();
        }
        let noted = effects.0.read(pauses::paused).await.unwrap();
        assert_eq!(is_paused(), !noted.is_empty(), "round {round}");
    }
    // Whoever noted it before comes here after.
    monitor.say(1_001, false);
    monitor.say(1_000, true);
    assert!(!is_paused());
}
