//! Who goes first when everybody wants the sequencer: those who wait for an answer do, and what
//! follows a sale, telling of it and its consumers' traffic, goes behind them.
//!
//! What always holds here: with nobody in front, what is behind is held up by nothing. While
//! there is somebody, it is decided one command after the other, each followed by a pause of
//! [`PAUSE`] times what it cost: it has its share, and no more.

use std::sync::Mutex as BlockingMutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

/// Somebody is in front for so long after a command.
const FRONT: Duration = Duration::from_millis(50);
/// What is behind has one part in twenty.
const PAUSE: u32 = 19;
/// However much one command has cost.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// When something behind was last decided, and what had been spent by then.
#[derive(Clone, Copy)]
struct Last {
    ended: Instant,
    pause: Duration,
}

/// How many commands from the front there were, and when the last of them was noticed.
#[derive(Clone, Copy, Default)]
struct Seen {
    count: u64,
    at: Option<Instant>,
}

#[derive(Default)]
pub(crate) struct Pace {
    /// Commands from the front so far.
    front: AtomicU64,
    seen: BlockingMutex<Seen>,
    last: Mutex<Option<Last>>,
}

/// A turn; when it ends, what it has cost is looked at.
pub(crate) struct Turn<'a, F: Fn() -> u64> {
    last: Option<MutexGuard<'a, Option<Last>>>,
    spent: F,
    before: u64,
}

impl Pace {
    pub(crate) fn note_front(&self) {
        self.front.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether somebody in front has asked for something lately.
    fn is_front_busy(&self, now: Instant) -> bool {
        let count = self.front.load(Ordering::Relaxed);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.count != count {
            *seen = Seen {
                count,
                at: Some(now),
            };
        }
        seen.at.is_some_and(|at| now - at < FRONT)
    }

    /// Waits for a turn. `spent` says what has been spent so far on what is behind, in
    /// microseconds.
    pub(crate) async fn turn<F: Fn() -> u64>(&self, spent: F) -> Turn<'_, F> {
        if !self.is_front_busy(Instant::now()) {
            return Turn {
                last: None,
                before: 0,
                spent,
            };
        }
        let last = self.last.lock().await;
        if let Some(Last { ended, pause }) = *last
            && self.is_front_busy(Instant::now())
        {
            tokio::time::sleep_until(ended + pause).await;
        }
        Turn {
            last: Some(last),
            before: spent(),
            spent,
        }
    }
}

impl<F: Fn() -> u64> Drop for Turn<'_, F> {
    fn drop(&mut self) {
        if let Some(last) = &mut self.last {
            let cost = Duration::from_micros((self.spent)().saturating_sub(self.before));
            **last = Some(Last {
                ended: Instant::now(),
                pause: (cost * PAUSE).min(PAUSE_MAX),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn with_nobody_in_front_nothing_waits() {
        let pace = Pace::default();
        let spent = AtomicU64::new(0);
        let began = Instant::now();
        for _ in 0..100 {
            let turn = pace.turn(|| spent.load(Ordering::Relaxed)).await;
            spent.fetch_add(1_000, Ordering::Relaxed);
            drop(turn);
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_behind_has_its_share_and_no_more() {
        let pace = Pace::default();
        let spent = AtomicU64::new(0);
        let began = Instant::now();
        for _ in 0..100 {
            pace.note_front();
            let turn = pace.turn(|| spent.load(Ordering::Relaxed)).await;
            tokio::time::advance(Duration::from_millis(1)).await;
            spent.fetch_add(1_000, Ordering::Relaxed);
            drop(turn);
        }
        // 100 times a millisecond, and 99 pauses of nineteen.
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(100 + 99 * 19), "{took:?}");
        assert!(took < Duration::from_millis(100 + 99 * 21), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_front_has_gone_quiet_everything_goes_on() {
        let pace = Pace::default();
        pace.note_front();
        drop(pace.turn(|| 0).await);
        tokio::time::advance(FRONT).await;
        let one = pace.turn(|| 0).await;
        let two = tokio::time::timeout(Duration::from_millis(1), pace.turn(|| 0)).await;
        assert!(two.is_ok(), "two at once");
        drop(one);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_given_up_lets_the_next_one_in() {
        let pace = Pace::default();
        pace.note_front();
        let held = pace.turn(|| 0).await;
        pace.note_front();
        let given_up = tokio::time::timeout(Duration::from_millis(5), pace.turn(|| 0)).await;
        assert!(given_up.is_err(), "one at a time");
        drop(held);
        let next = tokio::time::timeout(Duration::from_millis(5), pace.turn(|| 0)).await;
        assert!(next.is_ok());
    }
}
