//! A consumer that does what a test says, or one of the shop's, at work on a queue in memory; and
//! time that passes by itself.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::ports::{Clock as _, Ids};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::monitor::Monitor;
use super::super::{ConsumerStatus, RunParts, run_consumer};
use crate::workers::Health;
use crate::workers::consumer::{Consumer, Delivery, Outcome, Pace};
use crate::workers::testing::time::Timeless;

pub(in crate::workers) use super::queue::Queue;

type Work = dyn Fn(Vec<Delivery>) -> BoxFuture<'static, Vec<Outcome>> + Send + Sync;

/// What a test has its consumer do.
pub(in crate::workers) struct Scripted {
    pace: Pace,
    work: Box<Work>,
    /// Ids in work now; one that is in work twice at once fails the test.
    in_work: Arc<Mutex<BTreeSet<String>>>,
}

impl Consumer for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn queue(&self) -> &'static str {
        "scripted"
    }

    fn pace(&self) -> Pace {
        self.pace.clone()
    }

    fn handle<'a>(&'a self, batch: &'a [Delivery]) -> BoxFuture<'a, Vec<Outcome>> {
        let keys = batch
            .iter()
            .map(|one| one.group.clone().unwrap_or_else(|| one.id.clone()));
        let guard = InWork::new(&self.in_work, keys.collect());
        let work = (self.work)(batch.to_vec());
        async move {
            let _guard = guard;
            work.await
        }
        .boxed()
    }
}

struct InWork {
    of: Arc<Mutex<BTreeSet<String>>>,
    keys: BTreeSet<String>,
}

impl InWork {
    fn new(of: &Arc<Mutex<BTreeSet<String>>>, keys: BTreeSet<String>) -> Self {
        let mut now = of.lock().unwrap();
        for key in &keys {
            assert!(now.insert(key.clone()), "{key} is in two hands");
        }
        Self {
            of: Arc::clone(of),
            keys,
        }
    }
}

impl Drop for InWork {
    fn drop(&mut self) {
        let mut now = self.of.lock().unwrap();
        for key in &self.keys {
            now.remove(key);
        }
    }
}

#[derive(Default)]
pub(in crate::workers) struct Counter(AtomicU64);

impl Ids for Counter {
    fn entropy(&self) -> [u8; 32] {
        let drawn = self.0.fetch_add(1, Ordering::Relaxed);
        *blake3::hash(&drawn.to_le_bytes()).as_bytes()
    }
}

/// A consumer that runs.
pub(in crate::workers) struct Running {
    pub queue: Arc<Queue>,
    pub monitor: Arc<Monitor>,
    pub stop: CancellationToken,
    pub task: JoinHandle<()>,
}

impl Running {
    pub(in crate::workers) fn status(&self) -> ConsumerStatus {
        self.monitor.status(self.queue.now())
    }

    /// Stops it in order, and says how long that took.
    pub(in crate::workers) async fn stop(self) -> Duration {
        let from = Instant::now();
        self.stop.cancel();
        self.task.await.unwrap();
        assert_eq!(self.monitor.status(0).in_hand, 0);
        from.elapsed()
    }

    /// Waits until nothing is left in the queue; says how long that took.
    pub(in crate::workers) async fn is_empty(&self, within: Duration) -> Duration {
        let from = Instant::now();
        while !self.queue.left().is_empty() {
            assert!(from.elapsed() < within, "left: {:?}", self.queue.left());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        from.elapsed()
    }
}

pub(in crate::workers) fn parts<F, W>(queue: &Arc<Queue>, pace: Pace, work: F) -> RunParts
where
    F: Fn(Vec<Delivery>) -> W + Send + Sync + 'static,
    W: Future<Output = Vec<Outcome>> + Send + 'static,
{
    let consumer = Scripted {
        pace,
        work: Box::new(move |batch| work(batch).boxed()),
        in_work: Arc::default(),
    };
    parts_of(queue, Arc::new(consumer))
}

/// A consumer over this queue.
pub(in crate::workers) fn parts_of(queue: &Arc<Queue>, consumer: Arc<dyn Consumer>) -> RunParts {
    RunParts {
        monitor: Arc::new(Monitor::new(&*consumer)),
        consumer,
        port: Arc::clone(queue) as _,
        clock: Arc::clone(queue) as _,
        ids: Arc::new(Counter::default()),
        health: Health::default(),
        wait: Duration::from_secs(20),
        stop: CancellationToken::new(),
    }
}

pub(in crate::workers) fn start<F, W>(queue: &Arc<Queue>, pace: Pace, work: F) -> Running
where
    F: Fn(Vec<Delivery>) -> W + Send + Sync + 'static,
    W: Future<Output = Vec<Outcome>> + Send + 'static,
{
    run(queue, parts(queue, pace, work))
}

/// A consumer of the shop, at work on this queue.
pub(in crate::workers) fn start_real(queue: &Arc<Queue>, consumer: Arc<dyn Consumer>) -> Running {
    run(queue, parts_of(queue, Arc::new(Timeless(consumer))))
}

pub(super) fn run(queue: &Arc<Queue>, parts: RunParts) -> Running {
    Running {
        queue: Arc::clone(queue),
        monitor: Arc::clone(&parts.monitor),
        stop: parts.stop.clone(),
        task: tokio::spawn(run_consumer(parts)),
    }
}
