//! Who waits for messages, and who is told that there are some.
//!
//! What always holds here: one message that can be received wakes one waiter, the one that has
//! waited longest; a waiter that goes away without having used its wake hands it on. Whoever
//! waits costs a place in a map and nothing else: time-outs and delays of a queue's messages
//! have one timer for all queues together.
//!
//! A wake is a hint. What is there, the receive that follows decides. What other processes do to
//! a queue of the same store is such a hint too.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use commerce::Millis;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use crate::decide::Wake;
use crate::engine::{Engine, EngineError};

/// The timer looks again after so long, whatever the clock does meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// How long to wait before reading again when the store could not be read.
const RETRY: Duration = Duration::from_millis(200);

#[derive(Clone, Default)]
pub struct Waits {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// The timer has something new to look at.
    changed: Notify,
}

#[derive(Default)]
struct State {
    last_ticket: u64,
    last_line: u64,
    /// When the timer looked last: whoever enters now looks later than that.
    ticked_at: Millis,
    lines: HashMap<Arc<str>, Line>,
}

/// Everybody who waits for one queue.
struct Line {
    /// A line that was forgotten and made again is another one, and so is one that was told of
    /// something else than was asked for.
    number: u64,
    /// By ticket: the lowest has waited longest.
    waiting: BTreeMap<u64, oneshot::Sender<()>>,
    due: Due,
}

/// When the next message that is hidden becomes visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// The store has to be asked what becomes visible after `since`.
    Unknown {
        since: Millis,
        /// What was told meanwhile: the answer may be older.
        told: Option<Millis>,
    },
    Never,
    At(Millis),
}

/// A line whose next message the timer does not know.
#[derive(Debug)]
struct Question {
    queue: Arc<str>,
    line: u64,
    since: Millis,
}

/// A place among those who wait for a queue. Take it before you look, so that nothing that
/// arrives in between is slept through.
pub struct Waiter {
    waits: Waits,
    queue: Arc<str>,
    ticket: u64,
    /// None while there is a wake that was not used yet.
    woken: Option<oneshot::Receiver<()>>,
}

impl Waits {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub fn enter(&self, queue: &str) -> Waiter {
        let mut state = self.lock();
        state.last_ticket += 1;
        let ticket = state.last_ticket;
        let (queue, woken) = self.join(&mut state, queue.into(), ticket);
        Waiter {
            waits: self.clone(),
            queue,
            ticket,
            woken: Some(woken),
        }
    }

    fn join(
        &self,
        state: &mut State,
        queue: Arc<str>,
        ticket: u64,
    ) -> (Arc<str>, oneshot::Receiver<()>) {
        let (wake, woken) = oneshot::channel();
        let State {
            last_line,
            ticked_at,
            lines,
            ..
        } = state;
        let line = lines.entry(Arc::clone(&queue)).or_insert_with(|| {
            *last_line += 1;
            // The timer may come later than the first look: what becomes visible between the
            // two must not be taken for seen.
            Line::new(*last_line, *ticked_at)
        });
        line.waiting.insert(ticket, wake);
        if matches!(line.due, Due::Unknown { .. }) {
            self.shared.changed.notify_one();
        }
        (queue, woken)
    }

    /// How many wait, over all queues.
    pub fn waiting(&self) -> usize {
        let state = self.lock();
        state.lines.values().map(|line| line.waiting.len()).sum()
    }

    pub(crate) fn wake(&self, queue: &str, wake: Wake) {
        let mut state = self.lock();
        let Some(line) = state.lines.get_mut(queue) else {
            return;
        };
        line.wake(wake.now);
        if let Some(at) = wake.at {
            let sooner = match &mut line.due {
                Due::At(due) => at < *due,
                Due::Never => true,
                Due::Unknown { told, .. } => {
                    *told = Some(told.map_or(at, |told| told.min(at)));
                    false
                }
            };
            if sooner {
                line.due = Due::At(at);
                self.shared.changed.notify_one();
            }
        }
        state.tidy(queue);
    }

    /// Another process has done something to this queue: one looks, and the timer asks the store
    /// anew. A receive that leaves something wakes the next, and so does one that fails.
    pub(crate) fn told_by_others(&self, queue: &str) {
        let mut state = self.lock();
        let State {
            last_line,
            ticked_at,
            lines,
            ..
        } = &mut *state;
        let Some(line) = lines.get_mut(queue) else {
            return;
        };
        line.wake(1);
        // An answer that is on its way is from before.
        *last_line += 1;
        line.number = *last_line;
        line.due = Due::Unknown {
            since: *ticked_at,
            told: None,
        };
        self.shared.changed.notify_one();
        state.tidy(queue);
    }

    /// Wakes those whose time has come; says what to ask the store, and when to come back.
    fn tick(&self, now: Millis) -> (Vec<Question>, Option<Millis>) {
        let mut state = self.lock();
        state.ticked_at = now;
        let mut questions = Vec::new();
        let mut next: Option<Millis> = None;
        state.lines.retain(|queue, line| {
            if let Due::At(due) = line.due
                && due <= now
            {
                // One is enough: a receive that leaves something wakes the next.
                line.wake(1);
                line.due = Due::Unknown {
                    since: now,
                    told: None,
                };
            }
            if line.waiting.is_empty() {
                return false;
            }
            match line.due {
                Due::Unknown { since, .. } => questions.push(Question {
                    queue: Arc::clone(queue),
                    line: line.number,
                    since,
                }),
                Due::Never => {}
                Due::At(due) => next = Some(next.map_or(due, |next| next.min(due))),
            }
            true
        });
        (questions, next)
    }

    fn learn(&self, question: &Question, due: Option<Millis>) {
        let mut state = self.lock();
        if let Some(line) = state.lines.get_mut(&question.queue)
            && line.number == question.line
            && let Due::Unknown { told, .. } = line.due
        {
            let sooner = [due, told].into_iter().flatten().min();
            line.due = sooner.map_or(Due::Never, Due::At);
        }
    }
}

impl State {
    /// A line that nobody stands in is forgotten.
    fn tidy(&mut self, queue: &str) {
        if self
            .lines
            .get(queue)
            .is_some_and(|line| line.waiting.is_empty())
        {
            self.lines.remove(queue);
        }
    }
}

impl Line {
    fn new(number: u64, since: Millis) -> Self {
        Self {
            number,
            waiting: BTreeMap::new(),
            due: Due::Unknown { since, told: None },
        }
    }

    fn wake(&mut self, mut count: usize) {
        while count > 0
            && let Some((_, waiter)) = self.waiting.pop_first()
        {
            // One that has just gone away does not count.
            if waiter.send(()).is_ok() {
                count -= 1;
            }
        }
    }
}

impl Waiter {
    /// Returns when a message may have become visible. Say so with [`used`](Self::used), then
    /// look.
    pub async fn woken(&mut self) {
        if let Some(woken) = &mut self.woken {
            // An error means that the line was forgotten, which is a wake as well.
            let _ = woken.await;
            self.woken = None;
        }
    }

    /// Before a look that follows a wake, and after a look that went well. The waiter is back in
    /// its place, in front of those who came later, so that what arrives while it looks is not
    /// slept through.
    pub fn used(&mut self) {
        if self.woken.is_none() {
            let mut state = self.waits.lock();
            let queue = Arc::clone(&self.queue);
            let (_, woken) = self.waits.join(&mut state, queue, self.ticket);
            self.woken = Some(woken);
        }
    }
}

impl Waiter {
    /// After a look that failed: whoever waits behind it looks instead. It stands in line again by
    /// then, and what woke it would be forgotten if it only left.
    pub fn failed(self) {
        let mut state = self.waits.lock();
        if let Some(line) = state.lines.get_mut(&self.queue) {
            line.waiting.remove(&self.ticket);
        }
        drop(state);
        // Not standing any more, it hands the wake on as it goes.
        drop(self);
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut state = self.waits.lock();
        if let Some(line) = state.lines.get_mut(&self.queue) {
            let stood = line.waiting.remove(&self.ticket).is_some();
            if !stood {
                // Chosen, and not used.
                line.wake(1);
            }
        }
        state.tidy(&self.queue);
    }
}

/// The timer of all queues somebody waits on. Runs until cancelled.
///
/// # Errors
/// When the engine has stopped.
pub async fn run_waits(engine: Engine, cancel: CancellationToken) -> Result<(), EngineError> {
    let waits = engine.waits().clone();
    loop {
        let changed = waits.shared.changed.notified();
        let now = engine.log_time();
        let (questions, next) = waits.tick(now);
        for question in &questions {
            let (queue, since) = (question.queue.to_string(), question.since);
            match engine
                .read_own(move |reader| reader.next_visible(&queue, since))
                .await
            {
                Ok(due) => waits.learn(question, due),
                Err(error) => {
                    tracing::debug!(%error, "cannot look when messages become visible");
                    tokio::select! {
                        () = cancel.cancelled() => return Ok(()),
                        () = tokio::time::sleep(RETRY) => {}
                    }
                }
            }
        }
        if !questions.is_empty() {
            continue;
        }
        let left = next.map_or(LOOK_AGAIN, |next| {
            let left = u64::try_from(next - engine.log_time()).unwrap_or(0);
            Duration::from_millis(left).min(LOOK_AGAIN)
        });
        tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            () = changed => {}
            () = tokio::time::sleep(left) => {}
        }
    }
}

#[cfg(test)]
mod tests;
