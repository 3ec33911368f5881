//! Slows a whole consumer down while nothing it is handed can be done: a neighbour is away, and
//! trying every message would only wear them out.
//!
//! ```text
//! closed --- TRIPS batches in a row that could only wait ---> open
//! open: one batch at a time, after 1, 2, 4 ... 30 s; the same one a few times, then another
//! open --- a batch of which anything was done, or failed by itself ---> closed, at full speed
//! ```
//! A batch of messages whose own time has not come says nothing of the neighbours: it counts
//! neither way, and while it is open the next batch is tried right behind it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::port::Halt;

/// Batches in a row that say so.
const TRIPS: u32 = 3;
const PROBE_FIRST: Duration = Duration::from_secs(1);
const PROBE_MAX: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(super) struct Breaker {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Batches in a row that could only wait.
    waited: u32,
    /// Somebody has the one place there is while it is open.
    probing: bool,
    /// The last probe told nothing: the next one follows at once.
    told_nothing: bool,
    reason: String,
}

/// Leave to take one batch.
pub(super) struct Leave<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
}

/// What came of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Came {
    /// Something was done, or failed by itself: the neighbours are there.
    Progress,
    /// All of it has to wait.
    Waits(String),
    /// The time of all of it has not come: nothing is known of the neighbours.
    Nothing,
}

impl Breaker {
    /// None when it was halted.
    pub(super) async fn leave(&self, halt: &Halt) -> Option<Leave<'_>> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if halt.is_asked_for() {
                return None;
            }
            let leave = self.enter();
            match leave {
                Some(leave) if !leave.is_probe => return Some(leave),
                Some(leave) => tokio::select! {
                    () = tokio::time::sleep(self.pause_before_probe()) => return Some(leave),
                    () = halt.asked_for() => return None,
                },
                None => tokio::select! {
                    () = changed => {}
                    () = halt.asked_for() => return None,
                },
            }
        }
    }

    fn enter(&self) -> Option<Leave<'_>> {
        let mut state = self.lock();
        let is_probe = state.waited >= TRIPS;
        if is_probe && std::mem::replace(&mut state.probing, true) {
            return None;
        }
        Some(Leave {
            breaker: self,
            is_probe,
        })
    }

    fn pause_before_probe(&self) -> Duration {
        let told_nothing = std::mem::take(&mut self.lock().told_nothing);
        if told_nothing {
            return Duration::ZERO;
        }
        self.pause()
    }

    /// How long the next probe waits.
    pub(super) fn pause(&self) -> Duration {
        let probes = self.lock().waited.saturating_sub(TRIPS);
        (PROBE_FIRST * (1 << probes.min(5))).min(PROBE_MAX)
    }

    /// Why it is open, if it is.
    pub(super) fn reason(&self) -> Option<String> {
        let state = self.lock();
        (state.waited >= TRIPS).then(|| state.reason.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leave<'_> {
    pub(super) fn is_probe(&self) -> bool {
        self.is_probe
    }

    pub(super) fn tell(&self, came: Came) {
        let mut state = self.breaker.lock();
        match came {
            Came::Progress => {
                if state.waited >= TRIPS {
                    self.breaker.changed.notify_waiters();
                }
                state.waited = 0;
            }
            Came::Waits(reason) => {
                // Those that were under way when it opened say nothing new.
                if self.is_probe || state.waited < TRIPS {
                    state.waited = state.waited.saturating_add(1);
                }
                state.reason = reason;
            }
            // Each such batch was put off, so this ends with the last of them.
            Came::Nothing => state.told_nothing = self.is_probe,
        }
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if self.is_probe {
            self.breaker.lock().probing = false;
            self.breaker.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::time::Instant;
    use tokio_util::sync::CancellationToken;

    use super::*;

    fn halt() -> Halt {
        Halt {
            pause: CancellationToken::new(),
            stop: CancellationToken::new(),
        }
    }

    async fn waits(breaker: &Breaker, halt: &Halt) {
        let leave = breaker.leave(halt).await.unwrap();
        leave.tell(Came::Waits("the mail server is away".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn probes_come_later_and_later_and_one_at_a_time() {
        let (breaker, halt) = (Breaker::default(), halt());
        for _ in 0..TRIPS {
            assert_eq!(breaker.reason(), None);
            waits(&breaker, &halt).await;
        }
        assert_eq!(breaker.reason().unwrap(), "the mail server is away");
        let mut waited = Vec::new();
        for _ in 0..7 {
            let from = Instant::now();
            let probe = breaker.leave(&halt).await.unwrap();
            assert!(probe.is_probe());
            assert!(
                breaker.leave(&halt).now_or_never().is_none(),
                "one at a time"
            );
            waited.push(from.elapsed().as_secs());
            probe.tell(Came::Waits("still".to_owned()));
        }
        assert_eq!(waited, [1, 2, 4, 8, 16, 30, 30]);
        let probe = breaker.leave(&halt).await.unwrap();
        probe.tell(Came::Progress);
        assert_eq!(breaker.reason(), None);
        let leave = breaker.leave(&halt).now_or_never();
        assert!(!leave.unwrap().unwrap().is_probe(), "full speed at once");
    }

    #[tokio::test(start_paused = true)]
    async fn one_batch_that_gets_through_keeps_it_closed() {
        let (breaker, halt) = (Breaker::default(), halt());
        for _ in 0..10 {
            waits(&breaker, &halt).await;
            waits(&breaker, &halt).await;
            breaker.leave(&halt).await.unwrap().tell(Came::Progress);
        }
        assert_eq!(breaker.reason(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_says_nothing_neither_opens_nor_closes_it() {
        let (breaker, halt) = (Breaker::default(), halt());
        for _ in 0..10 {
            breaker.leave(&halt).await.unwrap().tell(Came::Nothing);
        }
        assert_eq!(breaker.reason(), None);
        for _ in 0..TRIPS {
            breaker.leave(&halt).await.unwrap().tell(Came::Nothing);
            waits(&breaker, &halt).await;
        }
        assert!(breaker.reason().is_some());
        let mut waited = Vec::new();
        for _ in 0..3 {
            let from = Instant::now();
            breaker.leave(&halt).await.unwrap().tell(Came::Nothing);
            waited.push(from.elapsed().as_secs());
            assert!(breaker.reason().is_some());
        }
        assert_eq!(waited, [1, 0, 0], "it asks the next one at once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_is_dropped_leaves_its_place_to_the_next() {
        let (breaker, halt) = (Breaker::default(), halt());
        for _ in 0..TRIPS {
            waits(&breaker, &halt).await;
        }
        drop(breaker.leave(&halt).await.unwrap());
        assert!(breaker.leave(&halt).await.unwrap().is_probe());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_halted_does_not_wait() {
        let (breaker, halt) = (Breaker::default(), halt());
        for _ in 0..TRIPS {
            waits(&breaker, &halt).await;
        }
        halt.pause.cancel();
        assert!(breaker.leave(&halt).now_or_never().unwrap().is_none());
    }
}
