//! What consumers did in the last hour: a look every few seconds, kept in memory.
//!
//! What always holds: a consumer has [`SAMPLES_MAX`] samples at most, the oldest goes first; what
//! was handled and what failed is counted from look to look, so nothing is counted twice and
//! what came before the first look is in none.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use commerce::Millis;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::monitor::ConsumerStatus;
use super::registry::Consumers;

/// Between two looks.
pub const SAMPLE_EVERY: Duration = Duration::from_secs(5);
/// One hour.
pub const SAMPLES_MAX: usize = 720;

/// A consumer between two looks. Counts are of this time alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Of the second look.
    pub at: Millis,
    /// Of its queue, where that was known: what can be received, and what is held.
    pub visible: Option<u64>,
    pub in_flight: Option<u64>,
    pub oldest_age: Option<Duration>,
    /// Batches that might be worked on side by side.
    pub concurrency: usize,
    pub handled: u64,
    pub rate_per_second: f64,
    pub failed: u64,
    pub dead: u64,
}

/// What the look before saw.
struct Seen {
    at: Millis,
    handled: u64,
    failed: u64,
    dead: u64,
}

#[derive(Default)]
struct Series {
    before: Option<Seen>,
    samples: VecDeque<Sample>,
}

#[derive(Default)]
pub(super) struct History {
    by_name: BTreeMap<&'static str, Series>,
}

impl History {
    pub(super) fn look(&mut self, now: Millis, consumers: &[ConsumerStatus]) {
        for status in consumers {
            self.by_name
                .entry(status.name)
                .or_default()
                .look(now, status);
        }
    }

    /// The oldest first, those after this moment.
    pub(super) fn of(&self, name: &str, after: Millis) -> Vec<Sample> {
        let Some(series) = self.by_name.get(name) else {
            return Vec::new();
        };
        let newer = series.samples.iter().filter(|sample| sample.at > after);
        newer.cloned().collect()
    }
}

impl Series {
    fn look(&mut self, now: Millis, status: &ConsumerStatus) {
        // A clock that was set back would give a time of no length.
        if self.before.as_ref().is_some_and(|before| now <= before.at) {
            return;
        }
        let seen = Seen {
            at: now,
            handled: status.handled,
            failed: status.failed,
            dead: status.dead,
        };
        let before = self.before.replace(seen);
        let of =
            |count: u64, earlier: Option<u64>| earlier.map_or(0, |it| count.saturating_sub(it));
        let handled = of(status.handled, before.as_ref().map(|it| it.handled));
        if self.samples.len() == SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample {
            at: now,
            visible: status.backlog.map(|backlog| backlog.visible),
            in_flight: status.backlog.map(|backlog| backlog.in_flight),
            oldest_age: status.backlog.and_then(|backlog| backlog.oldest_age),
            concurrency: status.concurrency,
            handled,
            rate_per_second: per_second(handled, before.as_ref().map_or(0, |it| now - it.at)),
            failed: of(status.failed, before.as_ref().map(|it| it.failed)),
            dead: of(status.dead, before.as_ref().map(|it| it.dead)),
        });
    }
}

/// To a tenth.
fn per_second(count: u64, ms: Millis) -> f64 {
    let Some(tenths) = u64::try_from(ms).ok().filter(|ms| *ms > 0).map(|ms| {
        let exact = u128::from(count) * 10_000 / u128::from(ms);
        u32::try_from(exact).unwrap_or(u32::MAX)
    }) else {
        return 0.0;
    };
    f64::from(tenths) / 10.0
}

/// Looks until cancelled.
pub async fn sample_consumers(consumers: Consumers, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(SAMPLE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => consumers.sample(),
        }
    }
}
