//! What a listener missed while it was away, read as it takes it.
//!
//! What always holds: of one backlog only the sequences are kept, and [`PAGE`] entries; and reading
//! backlogs takes a few of the store's readers at most ([`READ_BACK_AT_ONCE`]), so that nobody who buys
//! stands behind those who read the whole past.

use std::collections::VecDeque;
use std::sync::Arc;

use engine::ports::{Reader, StoreError};
use engine::{Engine, EngineError, Entry};
use tokio::sync::Semaphore;

/// Entries that are read together.
const PAGE: usize = 64;

/// Backlogs that are read at once, of the store's 16 readers; one more waits its turn.
const READ_BACK_AT_ONCE: usize = 2;

/// The turns of all listeners.
#[derive(Clone)]
pub(super) struct ReadBack(Arc<Semaphore>);

impl Default for ReadBack {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(READ_BACK_AT_ONCE)))
    }
}

impl ReadBack {
    pub(super) async fn read<T, F>(&self, engine: &Engine, read: F) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Reader) -> Result<T, StoreError> + Send + 'static,
    {
        let turn = self.0.acquire().await;
        let _turn = turn.expect("the semaphore is never closed");
        engine.read(read).await
    }
}

pub(super) struct Missed {
    engine: Engine,
    turns: ReadBack,
    seqs: VecDeque<u64>,
}

impl Missed {
    /// Of these sequences, in their order.
    pub(super) fn new(engine: &Engine, turns: &ReadBack, seqs: Vec<u64>) -> Self {
        Self {
            engine: engine.clone(),
            turns: turns.clone(),
            seqs: seqs.into(),
        }
    }

    /// The next entries; none are left when it is empty.
    pub(super) async fn page(&mut self) -> Result<Vec<Entry>, EngineError> {
        let some = self.seqs.len().min(PAGE);
        let seqs: Vec<u64> = self.seqs.drain(..some).collect();
        if seqs.is_empty() {
            return Ok(Vec::new());
        }
        let read = move |reader: &dyn Reader| {
            let entry = |seq: u64| {
                let missing = || StoreError::text(format!("entry {seq} of a line is missing"));
                reader.entry(seq)?.ok_or_else(missing)
            };
            seqs.into_iter().map(entry).collect()
        };
        self.turns.read(&self.engine, read).await
    }
}

#[cfg(test)]
mod tests;
