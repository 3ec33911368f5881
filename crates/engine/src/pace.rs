//! Who goes first when everybody wants the sequencer: those who wait for an answer do, and what
//! follows a sale, telling of it and its consumers' traffic, goes behind them.
//!
//! What always holds here: with nobody in front, what is behind is held up by nothing. While
//! there is somebody, it is decided one command after the other, each followed by a pause of so
//! many times what it cost: it has its share, and no more. The share is smaller the more there
//! are in front.

use std::sync::Mutex as BlockingMutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::company::Crowd;

/// Somebody is in front for so long after a command.
const FRONT: Duration = Duration::from_millis(50);
/// In a rush what is behind has one part in fifty of the sequencer. It costs other threads as
/// much again, which those in front need too.
const PAUSE_IN_A_RUSH: u32 = 49;
/// Otherwise one part in twenty, which follows 2,000 orders a second with ease.
const PAUSE: u32 = 19;
/// And one part in four while a few are in front, who leave most of the sequencer to it.
const PAUSE_FOR_A_FEW: u32 = 3;
/// So many in flight are a few, what is behind among them.
const A_FEW: u64 = 3;
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

/// What the sequencer says of itself.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Load {
    /// Spent so far on what is behind, in microseconds.
    pub(crate) behind_us: u64,
    /// How many commands were in flight lately.
    pub(crate) crowd: Crowd,
}

impl Load {
    /// How long what is behind pauses, in times what it cost.
    fn pauses(self) -> u32 {
        if self.crowd.is_there() {
            PAUSE_IN_A_RUSH
        } else if self.crowd.in_flight() > A_FEW {
            PAUSE
        } else {
            PAUSE_FOR_A_FEW
        }
    }
}

/// A turn; when it ends, what it has cost is looked at.
pub(crate) struct Turn<'a, F: Fn() -> Load> {
    last: Option<MutexGuard<'a, Option<Last>>>,
    load: F,
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

    /// Waits for a turn.
    pub(crate) async fn turn<F: Fn() -> Load>(&self, load: F) -> Turn<'_, F> {
        if !self.is_front_busy(Instant::now()) {
            return Turn {
                last: None,
                before: 0,
                load,
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
            before: load().behind_us,
            load,
        }
    }
}

impl<F: Fn() -> Load> Drop for Turn<'_, F> {
    fn drop(&mut self) {
        if let Some(last) = &mut self.last {
            let load = (self.load)();
            let cost = Duration::from_micros(load.behind_us.saturating_sub(self.before));
            **last = Some(Last {
                ended: Instant::now(),
                pause: (cost * load.pauses()).min(PAUSE_MAX),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calm(spent: &AtomicU64) -> Load {
        Load {
            behind_us: spent.load(Ordering::Relaxed),
            crowd: Crowd::default(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn with_nobody_in_front_nothing_waits() {
        let pace = Pace::default();
        let spent = AtomicU64::new(0);
        let began = Instant::now();
        for _ in 0..100 {
            let turn = pace.turn(|| calm(&spent)).await;
            spent.fetch_add(1_000, Ordering::Relaxed);
            drop(turn);
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_behind_has_its_share_and_no_more() {
        for (in_flight, times) in [(16, 49), (15, 19), (4, 19), (3, 3), (0, 3)] {
            let pace = Pace::default();
            let spent = AtomicU64::new(0);
            let mut crowd = Crowd::default();
            crowd.note(in_flight);
            let load = || Load {
                crowd,
                ..calm(&spent)
            };
            let began = Instant::now();
            for _ in 0..100 {
                pace.note_front();
                let turn = pace.turn(load).await;
                tokio::time::advance(Duration::from_millis(1)).await;
                spent.fetch_add(1_000, Ordering::Relaxed);
                drop(turn);
            }
            // 100 times a millisecond, and 99 pauses of so many.
            let took = began.elapsed();
            assert!(
                took >= Duration::from_millis(100 + 99 * times),
                "{in_flight} {took:?}"
            );
            assert!(
                took < Duration::from_millis(100 + 99 * (times + 2)),
                "{in_flight} {took:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_front_has_gone_quiet_everything_goes_on() {
        let pace = Pace::default();
        pace.note_front();
        drop(pace.turn(Load::default).await);
        tokio::time::advance(FRONT).await;
        let one = pace.turn(Load::default).await;
        let two = tokio::time::timeout(Duration::from_millis(1), pace.turn(Load::default)).await;
        assert!(two.is_ok(), "two at once");
        drop(one);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_given_up_lets_the_next_one_in() {
        let pace = Pace::default();
        let soon = Duration::from_millis(5);
        pace.note_front();
        let held = pace.turn(Load::default).await;
        pace.note_front();
        let given_up = tokio::time::timeout(soon, pace.turn(Load::default)).await;
        assert!(given_up.is_err(), "one at a time");
        drop(held);
        let next = tokio::time::timeout(soon, pace.turn(Load::default)).await;
        assert!(next.is_ok());
    }
}
