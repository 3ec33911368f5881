//! Keeps e-mails in memory, for tests of whoever sends them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;

use crate::compose::Composed;
use crate::outcome::{Failure, FailureCause, Outcome};
use crate::transport::Transport;

/// As many attempts as are kept; past them it is full.
pub const CAPTURED_MAX: usize = 10_000;

/// Takes everything, but for the answers that it was told to give first.
#[derive(Debug, Default)]
pub struct Capture {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    answers: VecDeque<Outcome>,
    attempts: Vec<(Composed, Outcome)>,
}

impl Capture {
    pub fn new() -> Self {
        Self::default()
    }

    /// The answer to the next attempt that has none yet. One that is not a delivery takes
    /// nothing.
    pub fn answer(&self, outcome: Outcome) {
        self.state().answers.push_back(outcome);
    }

    /// Every attempt with its outcome, in order.
    pub fn attempts(&self) -> Vec<(Composed, Outcome)> {
        self.state().attempts.clone()
    }

    /// What was taken, repeats left out, in the order of the first time.
    pub fn delivered(&self) -> Vec<Composed> {
        let mut delivered: Vec<Composed> = Vec::new();
        for (mail, outcome) in &self.state().attempts {
            let is_known = delivered.iter().any(|known| known.id() == mail.id());
            if outcome.is_delivered() && !is_known {
                delivered.push(mail.clone());
            }
        }
        delivered
    }

    /// Waits until there have been so many attempts.
    pub async fn wait_for(&self, attempts: usize) -> Vec<(Composed, Outcome)> {
        loop {
            let arrived = self.arrived.notified();
            let so_far = self.attempts();
            if so_far.len() >= attempts {
                return so_far;
            }
            arrived.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, mail: &Composed) -> Outcome {
        let mut state = self.state();
        if state.attempts.len() >= CAPTURED_MAX {
            return Failure::new(FailureCause::Full, "the capture is full").into();
        }
        let outcome = state.answers.pop_front().unwrap_or(Outcome::Delivered {
            reply: String::new(),
        });
        state.attempts.push((mail.clone(), outcome.clone()));
        outcome
    }
}

impl Transport for Capture {
    fn send<'a>(&'a self, mail: &'a Composed) -> BoxFuture<'a, Outcome> {
        async move {
            let outcome = self.take(mail);
            self.arrived.notify_waiters();
            outcome
        }
        .boxed()
    }
}
