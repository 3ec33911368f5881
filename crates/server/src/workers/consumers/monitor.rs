//! What one consumer is doing, for pages, metrics and alerts; and whether it may.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use commerce::Millis;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::port::Backlog;
use crate::workers::consumer::Consumer;

/// The rate is counted in pieces of so long.
const SLOT_MS: Millis = 5_000;
const SLOTS: usize = 12;
const SLOT_COUNT: Millis = 12;
/// The end of a reason that is shown; the dead letter has all of it.
const REASON_CHARS_MAX: usize = 500;
const HELD: &str = "it cannot be read whether an operator has paused it";

/// What a consumer does at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsumerState {
    Running,
    /// By an operator.
    Paused,
    /// A neighbour is away, or the queue is, or where pauses are noted.
    Waiting {
        reason: String,
        since: Millis,
    },
    /// It does not run in this process, or not any more.
    Stopped,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub at: Millis,
    pub reason: String,
}

/// One consumer at one moment. Counts are since this process started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerStatus {
    pub name: &'static str,
    pub queue: &'static str,
    pub state: ConsumerState,
    /// Batches that may be worked on side by side.
    pub concurrency: usize,
    pub floor: usize,
    pub ceiling: usize,
    /// Messages that it holds.
    pub in_hand: usize,
    pub handled: u64,
    /// Tries of a message that failed.
    pub failed: u64,
    /// Messages it has sent to the dead-letter queue.
    pub dead: u64,
    /// Handled in the last 55 to 60 seconds.
    pub rate_per_minute: u64,
    pub last_failure: Option<Failure>,
    /// When it last had nothing left to do, or did something: what "stands still" is measured
    /// from.
    pub last_progress_at: Option<Millis>,
    /// As it was last looked at.
    pub backlog: Option<Backlog>,
}

/// Shared by the runtime, which writes it, and those who look.
pub struct Monitor {
    name: &'static str,
    queue: &'static str,
    floor: usize,
    ceiling: usize,
    pub(super) concurrency: AtomicUsize,
    pub(super) in_hand: AtomicUsize,
    handled: AtomicU64,
    failed: AtomicU64,
    dead: AtomicU64,
    is_started: AtomicBool,
    rest: Mutex<Rest>,
    /// Paused or resumed.
    pub(super) changed: Notify,
}

struct Rest {
    /// Cancelled by a pause and while it is held, made anew when it ends.
    go: CancellationToken,
    /// Whether it is paused was read, or said by an operator since then.
    is_known: bool,
    /// The newest that an operator has said.
    noted: u64,
    /// Since when it is held because that is not known.
    held: Option<Millis>,
    waiting: Option<(String, Millis)>,
    last_failure: Option<Failure>,
    last_progress_at: Option<Millis>,
    backlog: Option<Backlog>,
    /// By number of the piece of time, and what was handled in it.
    slots: [(Millis, u64); SLOTS],
}

impl Monitor {
    pub(super) fn new(consumer: &dyn Consumer) -> Self {
        let pace = consumer.pace();
        Self {
            name: consumer.name(),
            queue: consumer.queue(),
            floor: pace.floor.max(1),
            ceiling: pace.ceiling.max(pace.floor).max(1),
            concurrency: AtomicUsize::new(0),
            in_hand: AtomicUsize::new(0),
            handled: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dead: AtomicU64::new(0),
            is_started: AtomicBool::new(false),
            rest: Mutex::new(Rest {
                go: CancellationToken::new(),
                is_known: false,
                noted: 0,
                held: None,
                waiting: None,
                last_failure: None,
                last_progress_at: None,
                backlog: None,
                slots: [(0, 0); SLOTS],
            }),
            changed: Notify::new(),
        }
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn status(&self, now: Millis) -> ConsumerStatus {
        let rest = self.lock();
        let is_held = rest.held.map(|since| (HELD, since));
        let waiting = rest.waiting.as_ref().map(|(why, since)| (&**why, *since));
        let state = match is_held.or(waiting) {
            _ if rest.go.is_cancelled() && rest.held.is_none() => ConsumerState::Paused,
            _ if !self.is_started.load(Ordering::Relaxed) => ConsumerState::Stopped,
            Some((reason, since)) => ConsumerState::Waiting {
                reason: reason.to_owned(),
                since,
            },
            None => ConsumerState::Running,
        };
        let oldest = now / SLOT_MS - SLOT_COUNT;
        let recent = rest.slots.iter().filter(|(slot, _)| *slot > oldest);
        ConsumerStatus {
            name: self.name,
            queue: self.queue,
            state,
            concurrency: self.concurrency.load(Ordering::Relaxed),
            floor: self.floor,
            ceiling: self.ceiling,
            in_hand: self.in_hand.load(Ordering::Relaxed),
            handled: self.handled.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            dead: self.dead.load(Ordering::Relaxed),
            rate_per_minute: recent.map(|(_, count)| count).sum(),
            last_failure: rest.last_failure.clone(),
            last_progress_at: rest.last_progress_at,
            backlog: rest.backlog,
        }
    }

    /// What an operator has said, and the how manieth it was to be noted: of two at once the later
    /// counts, whichever comes here first.
    pub(super) fn say(&self, noted: u64, is_paused: bool) {
        let mut rest = self.lock();
        if noted > rest.noted {
            rest.noted = noted;
            self.set_paused(&mut rest, is_paused);
        }
    }

    /// What was noted before this process started. What an operator has said since then stays.
    pub(super) fn recall(&self, is_paused: bool) {
        let mut rest = self.lock();
        if !rest.is_known {
            self.set_paused(&mut rest, is_paused);
        }
    }

    /// Takes no more messages before it is known whether it is paused.
    pub(super) fn hold(&self, now: Millis) {
        let mut rest = self.lock();
        if !rest.is_known {
            self.set_go(&mut rest, false);
            rest.held = Some(now);
        }
    }

    pub(super) fn is_held(&self) -> bool {
        self.lock().held.is_some()
    }

    fn set_paused(&self, rest: &mut Rest, is_paused: bool) {
        rest.is_known = true;
        self.set_go(rest, !is_paused);
    }

    fn set_go(&self, rest: &mut Rest, goes: bool) {
        rest.held = None;
        if !goes {
            rest.go.cancel();
        } else if rest.go.is_cancelled() {
            rest.go = CancellationToken::new();
        }
        self.changed.notify_waiters();
    }

    /// Cancelled while it is paused or held.
    pub(super) fn go(&self) -> CancellationToken {
        self.lock().go.clone()
    }

    pub(super) fn set_started(&self, is_started: bool) {
        self.is_started.store(is_started, Ordering::Relaxed);
    }

    pub(super) fn set_waiting(&self, reason: Option<String>, now: Millis) {
        let mut rest = self.lock();
        let since = rest.waiting.as_ref().map_or(now, |(_, since)| *since);
        rest.waiting = reason.map(|reason| (reason, since));
    }

    pub(super) fn set_backlog(&self, backlog: Backlog, now: Millis) {
        let mut rest = self.lock();
        rest.backlog = Some(backlog);
        if backlog.visible == 0 && backlog.in_flight == 0 {
            rest.last_progress_at = Some(now);
        }
        drop(rest);
        let age = backlog.oldest_age.unwrap_or(Duration::ZERO);
        metrics::gauge!("firstcome_consumer_age_seconds", "consumer" => self.name)
            .set(age.as_secs_f64());
    }

    pub(super) fn add_handled(&self, count: u64, now: Millis) {
        self.handled.fetch_add(count, Ordering::Relaxed);
        let number = now / SLOT_MS;
        let at = usize::try_from(number.rem_euclid(SLOT_COUNT)).expect("below SLOTS");
        let mut rest = self.lock();
        let (slot, counted) = &mut rest.slots[at];
        if *slot != number {
            (*slot, *counted) = (number, 0);
        }
        *counted += count;
        rest.last_progress_at = Some(now);
    }

    pub(super) fn add_failed(&self, reason: &str, is_dead: bool, now: Millis) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.dead.fetch_add(u64::from(is_dead), Ordering::Relaxed);
        self.lock().last_failure = Some(Failure {
            at: now,
            reason: reason.chars().take(REASON_CHARS_MAX).collect(),
        });
    }

    fn lock(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
