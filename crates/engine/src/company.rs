//! How long a batch waits for company.
//!
//! A commit costs about the same for one command as for thirty. When many are in flight, those
//! that come one after the other share it if the first of them waits a moment; when few are, the
//! wait would only be time lost. So the sequencer begins a batch at once unless at least
//! [`CROWD`] commands were in flight lately, and then waits until a third of them are there,
//! for a fraction of a millisecond at most. A third, so that while one part is synced and another is
//! answered over the network, the next comes together.
//!
//! What always holds here: nobody waits longer than [`WAIT_MAX`] for company; a lonely caller does
//! not wait at all.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// So many in flight are worth waiting for.
const CROWD: u64 = 16;
/// About as long as the sync takes that a larger batch saves, for a crowd of up to
/// [`LARGE_CROWD`]. A larger one waits for longer in any case, and more of them take longer to come:
/// up to [`WAIT_MAX`].
const WAIT: Duration = Duration::from_micros(200);
const LARGE_CROWD: u32 = 100;
pub(crate) const WAIT_MAX: Duration = Duration::from_micros(500);
/// How often those who are about to send are let go first, as long as that brings anybody.
const YIELDS: u32 = 2;

/// How many commands were in flight lately: the most of them, which fades with each batch.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Crowd(u64);

impl Crowd {
    /// As another one was found.
    pub(crate) fn of(in_flight: u64) -> Self {
        Self(in_flight)
    }

    /// So many wait, are being decided or are being synced.
    pub(crate) fn note(&mut self, in_flight: u64) {
        self.0 = in_flight.max(self.0 - self.0.div_ceil(16));
    }

    /// How many were in flight lately.
    pub(crate) fn in_flight(self) -> u64 {
        self.0
    }

    /// Whether there is one.
    pub(crate) fn is_there(self) -> bool {
        self.0 >= CROWD
    }

    /// How many a batch waits for, if for any.
    pub(crate) fn wanted(self) -> Option<u64> {
        self.is_there().then_some(self.0 / 3)
    }

    /// And how long.
    pub(crate) fn patience(self) -> Duration {
        let in_flight = u32::try_from(self.0).unwrap_or(u32::MAX);
        (WAIT / LARGE_CROWD)
            .saturating_mul(in_flight)
            .clamp(WAIT, WAIT_MAX)
    }
}

/// Where the sequencer sleeps until enough have come.
#[derive(Debug)]
pub(crate) struct Company {
    /// It sleeps until so many wait; `u64::MAX` while it does not.
    wanted: AtomicU64,
    sleeper: OnceLock<Thread>,
}

impl Default for Company {
    fn default() -> Self {
        Self {
            wanted: AtomicU64::new(u64::MAX),
            sleeper: OnceLock::new(),
        }
    }
}

impl Company {
    /// Somebody came: now so many wait. Costs one load when nobody sleeps.
    pub(crate) fn came(&self, waiting: u64) {
        // Whoever misses the sleeper by a moment leaves it to its time-out.
        if waiting >= self.wanted.load(Ordering::Relaxed)
            && self.wanted.swap(u64::MAX, Ordering::AcqRel) != u64::MAX
            && let Some(sleeper) = self.sleeper.get()
        {
            sleeper.unpark();
        }
    }

    /// Sleeps until so many wait, or the time is over. Always called by the same thread.
    pub(crate) fn wait_for(&self, wanted: u64, waiting: &AtomicU64, most: Duration) {
        self.sleep(wanted, waiting, most);
        for _ in 0..YIELDS {
            let before = waiting.load(Ordering::Relaxed);
            std::thread::yield_now();
            if waiting.load(Ordering::Relaxed) == before {
                break;
            }
        }
    }

    fn sleep(&self, wanted: u64, waiting: &AtomicU64, most: Duration) {
        self.sleeper.get_or_init(std::thread::current);
        let until = now() + most;
        while waiting.load(Ordering::Relaxed) < wanted {
            self.wanted.store(wanted, Ordering::SeqCst);
            let left = until.saturating_duration_since(now());
            if left.is_zero() {
                break;
            }
            if waiting.load(Ordering::SeqCst) < wanted {
                std::thread::park_timeout(left);
            }
        }
        self.wanted.store(u64::MAX, Ordering::Relaxed);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "bounds how long a batch waits; no decision looks at it"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn few_are_not_waited_for() {
        let mut crowd = Crowd::default();
        for in_flight in 0..CROWD {
            crowd.note(in_flight);
            assert_eq!(crowd.wanted(), None, "{in_flight}");
        }
        crowd.note(CROWD);
        assert_eq!(crowd.wanted(), Some(CROWD / 3));
    }

    #[test]
    fn a_larger_crowd_has_more_patience_within_bounds() {
        for (in_flight, micros) in [
            (16, 200),
            (100, 200),
            (150, 300),
            (250, 500),
            (u64::MAX, 500),
        ] {
            let patience = Crowd::of(in_flight).patience();
            assert_eq!(patience, Duration::from_micros(micros), "{in_flight}");
        }
    }

    #[test]
    fn a_crowd_that_has_gone_is_forgotten() {
        let mut crowd = Crowd::default();
        crowd.note(512);
        let batches = (1..)
            .find(|_| {
                crowd.note(1);
                crowd.wanted().is_none()
            })
            .unwrap();
        assert!(batches < 64, "{batches}");
    }

    proptest! {
        /// It is never more than the most of the last batches, and never less than the newest.
        #[test]
        fn a_crowd_is_between_the_newest_and_the_most(seen in prop::collection::vec(0u64..10_000, 1..100)) {
            let mut crowd = Crowd::default();
            let mut most = 0;
            for in_flight in seen {
                crowd.note(in_flight);
                most = most.max(in_flight);
                prop_assert!(crowd.0 >= in_flight && crowd.0 <= most);
            }
        }
    }

    #[test]
    fn who_waits_for_company_goes_on_without_it() {
        let company = Company::default();
        // Nobody comes: the test ends, or it hangs and is ended.
        company.wait_for(u64::MAX - 1, &AtomicU64::new(1), WAIT_MAX);
        assert_eq!(company.wanted.load(Ordering::SeqCst), u64::MAX);
    }

    #[test]
    fn the_last_of_them_wakes_the_sleeper() {
        const HOUR: Duration = Duration::from_secs(3_600);
        let company = Arc::new(Company::default());
        let waiting = Arc::new(AtomicU64::new(1));
        let (done, woken) = mpsc::channel();
        {
            let (company, waiting) = (Arc::clone(&company), Arc::clone(&waiting));
            std::thread::spawn(move || {
                company.sleep(3, &waiting, HOUR);
                done.send(waiting.load(Ordering::SeqCst))
            });
        }
        while company.wanted.load(Ordering::SeqCst) != 3 {
            std::thread::yield_now();
        }
        company.came(waiting.fetch_add(1, Ordering::SeqCst) + 1);
        let early = woken.recv_timeout(Duration::from_millis(50));
        assert!(early.is_err(), "two are not enough");
        company.came(waiting.fetch_add(1, Ordering::SeqCst) + 1);
        assert_eq!(woken.recv_timeout(Duration::from_secs(10)), Ok(3));
    }
}
