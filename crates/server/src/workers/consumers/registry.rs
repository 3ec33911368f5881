//! All consumers of this process, by name: what they do, and who was paused.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use commerce::Millis;
use effects::{DatabaseError, Effects, pauses};
use engine::ports::Clock;
use rusqlite::Transaction;
use tokio_util::sync::CancellationToken;

use super::history::{History, Sample};
use super::monitor::{ConsumerStatus, Monitor};
use crate::workers::consumer::Consumer;

/// How often it is asked who was paused, when that could not be read at the start.
const RECALL_EVERY: Duration = Duration::from_secs(1);

/// Cheap to clone.
#[derive(Clone)]
pub struct Consumers {
    monitors: Arc<[Arc<Monitor>]>,
    history: Arc<Mutex<History>>,
    effects: Effects,
    clock: Arc<dyn Clock>,
    /// How often it was noted that one is paused or goes on.
    said: Arc<AtomicU64>,
}

impl Consumers {
    /// None of them runs yet.
    pub fn new<'a>(
        consumers: impl IntoIterator<Item = &'a Arc<dyn Consumer>>,
        effects: Effects,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            monitors: consumers
                .into_iter()
                .map(|consumer| Arc::new(Monitor::new(&**consumer)))
                .collect(),
            history: Arc::default(),
            effects,
            clock,
            said: Arc::default(),
        }
    }

    /// Each of them at this moment, in the order in which they were named.
    pub fn status(&self) -> Vec<ConsumerStatus> {
        let now = self.clock.now();
        let monitors = self.monitors.iter();
        monitors.map(|monitor| monitor.status(now)).collect()
    }

    /// Notes for the history what they do now.
    pub(super) fn sample(&self) {
        let (now, status) = (self.clock.now(), self.status());
        self.history().look(now, &status);
    }

    /// What a consumer did in the last hour, after this moment, the oldest first. None when there
    /// is no such consumer.
    pub fn samples(&self, name: &str, after: Millis) -> Option<Vec<Sample>> {
        let monitor = self.get(name)?;
        Some(self.history().of(monitor.name(), after))
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one of this consumer.
    ///
    /// # Panics
    /// When it is not one of those this was made of.
    pub fn of(&self, consumer: &dyn Consumer) -> Arc<Monitor> {
        let found = self.get(consumer.name());
        Arc::clone(found.expect("it was made of all of them"))
    }

    pub fn get(&self, name: &str) -> Option<&Arc<Monitor>> {
        self.monitors.iter().find(|monitor| monitor.name() == name)
    }

    /// Those that an operator has paused before this process started are paused again. When that
    /// cannot be read none of them runs; see [`recall_late`](Self::recall_late).
    pub async fn recall(&self) {
        if let Err(error) = self.try_recall().await {
            let now = self.clock.now();
            self.monitors.iter().for_each(|monitor| monitor.hold(now));
            tracing::warn!(%error, "it cannot be read which consumers were paused: none runs");
        }
    }

    /// Asks again until it is known. Nothing is lost meanwhile: messages wait in their queues.
    pub async fn recall_late(self, cancel: CancellationToken) {
        while self.monitors.iter().any(|monitor| monitor.is_held()) {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(RECALL_EVERY) => {}
            }
            match self.try_recall().await {
                Ok(()) => tracing::info!("it is known again which consumers were paused"),
                Err(error) => tracing::debug!(%error, "it is not known which were paused"),
            }
        }
    }

    async fn try_recall(&self) -> Result<(), DatabaseError> {
        let paused = self.effects.0.read(pauses::paused).await?;
        for monitor in self.monitors.iter() {
            monitor.recall(paused.iter().any(|name| name == monitor.name()));
        }
        Ok(())
    }

    /// Takes no more messages, also after a restart. What it holds it finishes. None when there
    /// is no such consumer.
    ///
    /// # Errors
    /// When this cannot be noted: then nothing was changed.
    pub async fn pause(&self, name: &str) -> Result<Option<ConsumerStatus>, DatabaseError> {
        self.say(name, true).await
    }

    /// # Errors
    /// As [`pause`](Self::pause).
    pub async fn resume(&self, name: &str) -> Result<Option<ConsumerStatus>, DatabaseError> {
        self.say(name, false).await
    }

    async fn say(
        &self,
        name: &str,
        is_paused: bool,
    ) -> Result<Option<ConsumerStatus>, DatabaseError> {
        let Some(monitor) = self.get(name) else {
            return Ok(None);
        };
        let (name, now, said) = (monitor.name(), self.clock.now(), Arc::clone(&self.said));
        let note = move |transaction: &Transaction<'_>| {
            match is_paused {
                true => pauses::pause(transaction, name, now)?,
                false => pauses::resume(transaction, name)?,
            }
            // One writes at a time.
            Ok(said.fetch_add(1, Ordering::Relaxed) + 1)
        };
        let noted = self.effects.0.write(note).await?;
        monitor.say(noted, is_paused);
        Ok(Some(monitor.status(self.clock.now())))
    }
}
