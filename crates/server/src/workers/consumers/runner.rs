//! Runs one consumer: as many workers as its queue asks for, until it is told to stop.
//!
//! What always holds here: there are never more workers than the scale says and never more than
//! the ceiling; a consumer that is paused or stopped receives nothing more; at the end nothing
//! is in hand: what was not finished in time went back to the queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use commerce::Millis;
use engine::ports::{Clock, Ids};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::breaker::Breaker;
use super::memory::Memory;
use super::monitor::Monitor;
use super::port::QueuePort;
use super::scale::{Scale, Seen, next_concurrency};
use crate::workers::Health;
use crate::workers::consumer::{Consumer, Pace};

/// Looked at its own pace so often.
const TICK: Duration = Duration::from_millis(500);
/// While there is little to do the queue is asked how deep it is every so many ticks.
const QUIET_TICKS: u32 = 10;
const BACKLOG_WITHIN: Duration = Duration::from_secs(5);
/// How long work may go on after a stop; then it goes back. Below what the whole process has.
pub(super) const FINISH_WITHIN: Duration = Duration::from_secs(8);
/// How long it may take to give back what is in hand.
const GIVE_BACK_WITHIN: Duration = Duration::from_secs(1);

/// What a consumer runs with.
pub struct Parts {
    pub consumer: Arc<dyn Consumer>,
    pub port: Arc<dyn QueuePort>,
    pub monitor: Arc<Monitor>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub health: Health,
    /// How long one look waits for messages.
    pub wait: Duration,
    pub stop: CancellationToken,
}

pub(super) struct Runner {
    pub(super) parts: Parts,
    pub(super) pace: Pace,
    pub(super) breaker: Breaker,
    pub(super) memory: Memory,
    /// What is still being worked on goes back to the queue.
    pub(super) give_up: CancellationToken,
    /// Looks since the last tick.
    pub(super) full: AtomicUsize,
    pub(super) short: AtomicUsize,
    pub(super) empty: AtomicUsize,
    /// Looks under way.
    pub(super) looking: AtomicUsize,
    /// When the oldest message of the last batch was sent.
    pub(super) last_sent_at: AtomicI64,
    limit: AtomicUsize,
    running: AtomicUsize,
}

pub async fn run(parts: Parts) {
    let runner = Arc::new(Runner::new(parts));
    let monitor = Arc::clone(&runner.parts.monitor);
    monitor.set_started(true);
    let mut workers = JoinSet::new();
    runner.supervise(&mut workers).await;
    runner.set_limit(0);
    let finished = tokio::time::timeout(FINISH_WITHIN, drain(&mut workers)).await;
    if finished.is_err() {
        runner.give_up.cancel();
        if tokio::time::timeout(GIVE_BACK_WITHIN, drain(&mut workers))
            .await
            .is_err()
        {
            // What it holds comes back when its time-out has passed.
            tracing::warn!(consumer = monitor.name(), "a consumer was cut off");
        }
    }
    monitor.set_started(false);
}

async fn drain(workers: &mut JoinSet<()>) {
    while workers.join_next().await.is_some() {}
}

impl Runner {
    fn new(parts: Parts) -> Self {
        let mut pace = parts.consumer.pace();
        pace.batch_max = pace.batch_max.clamp(1, 100);
        Self {
            pace,
            parts,
            breaker: Breaker::default(),
            memory: Memory::default(),
            give_up: CancellationToken::new(),
            full: AtomicUsize::new(0),
            short: AtomicUsize::new(0),
            empty: AtomicUsize::new(0),
            looking: AtomicUsize::new(0),
            last_sent_at: AtomicI64::new(0),
            limit: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
        }
    }

    pub(super) fn now(&self) -> Millis {
        self.parts.clock.now()
    }

    async fn supervise(self: &Arc<Self>, workers: &mut JoinSet<()>) {
        let Parts { monitor, stop, .. } = &self.parts;
        let mut scale = Scale::new(self.pace.floor, self.pace.ceiling);
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ticked = 0_u32;
        loop {
            let changed = monitor.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let is_paused = monitor.go().is_cancelled();
            self.set_limit(if is_paused { 0 } else { scale.current });
            self.fill(workers);
            tokio::select! {
                () = stop.cancelled() => return,
                () = changed => {}
                Some(_) = workers.join_next(), if !workers.is_empty() => {}
                _ = ticks.tick() => {
                    self.parts.health.beat(monitor.name(), self.now());
                    let is_due = ticked.is_multiple_of(QUIET_TICKS);
                    ticked = ticked.wrapping_add(1);
                    let seen = self.observe(is_due).await;
                    if !is_paused {
                        scale = next_concurrency(scale, &seen);
                    }
                }
            }
        }
    }

    fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::SeqCst);
        self.parts
            .monitor
            .concurrency
            .store(limit, Ordering::Relaxed);
        metrics::gauge!("firstcome_consumer_concurrency", "consumer" => self.parts.monitor.name())
            .set(u32::try_from(limit).unwrap_or(u32::MAX));
    }

    fn fill(self: &Arc<Self>, workers: &mut JoinSet<()>) {
        while self.running.load(Ordering::SeqCst) < self.limit.load(Ordering::SeqCst) {
            self.running.fetch_add(1, Ordering::SeqCst);
            let place = Place(Some(Arc::clone(self)));
            let runner = Arc::clone(self);
            workers.spawn(async move { runner.work_on(place).await });
        }
    }

    async fn observe(&self, is_due: bool) -> Seen {
        let take = |count: &AtomicUsize| count.swap(0, Ordering::Relaxed);
        let mut seen = Seen {
            full: take(&self.full),
            short: take(&self.short),
            empty: take(&self.empty),
            looking: self.looking.load(Ordering::Relaxed),
            backlog: None,
            batch_max: self.pace.batch_max,
        };
        let now = self.now();
        let monitor = &self.parts.monitor;
        if let Some(reason) = self.breaker.reason() {
            monitor.set_waiting(Some(reason), now);
        } else if seen.full + seen.short + seen.empty > 0 {
            // It has looked: the queue is there.
            monitor.set_waiting(None, now);
        }
        if seen.is_busy() || is_due {
            let asked = tokio::time::timeout(BACKLOG_WITHIN, self.parts.port.backlog());
            // Not to know is no reason to change anything.
            if let Ok(Ok(mut backlog)) = asked.await {
                if backlog.oldest_age.is_none() && backlog.visible > 0 {
                    let age = now - self.last_sent_at.load(Ordering::Relaxed);
                    backlog.oldest_age = u64::try_from(age).ok().map(Duration::from_millis);
                }
                monitor.set_backlog(backlog, now);
                seen.backlog = Some(backlog);
            }
        }
        seen
    }
}

/// One of the workers there may be; given up when it is dropped.
pub(super) struct Place(Option<Arc<Runner>>);

impl Place {
    /// Whether there is one worker too many. Only one of them is told so.
    pub(super) fn is_lost(&mut self) -> bool {
        let Some(runner) = &self.0 else {
            return true;
        };
        let limit = runner.limit.load(Ordering::SeqCst);
        let given_up = runner
            .running
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |running| {
                (running > limit).then(|| running - 1)
            })
            .is_ok();
        if given_up {
            self.0 = None;
        }
        given_up
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(runner) = self.0.take() {
            runner.running.fetch_sub(1, Ordering::SeqCst);
        }
    }
}
