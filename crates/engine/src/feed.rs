//! Committed entries, in order, to whoever listens in this process.
//!
//! The sequencer publishes every batch after its commit. The feed keeps the last
//! [`FEED_BATCHES`] batches; a reader that is slower than that is told how far the log has
//! come and reads the rest from the store, so nothing is lost and nobody is waited for. What other
//! processes have committed is read there as well: of that the feed learns only how far it goes,
//! and it may learn that before or after its own batches in between.

use std::sync::Arc;

use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

use crate::entry::Entry;
use crate::ports::{Reader, StoreError};

/// Batches kept for readers that are a little behind.
pub const FEED_BATCHES: usize = 1_024;

/// Entries read from the store at a time when a reader catches up.
const CATCH_UP: usize = 1_000;

/// The committed entries of one batch.
pub type Committed = Arc<[Arc<Entry>]>;

#[derive(Clone)]
pub struct Feed {
    sender: broadcast::Sender<Committed>,
    last: watch::Sender<u64>,
}

impl Feed {
    pub(crate) fn new(last_seq: u64) -> Self {
        Self {
            sender: broadcast::Sender::new(FEED_BATCHES),
            last: watch::Sender::new(last_seq),
        }
    }

    pub(crate) fn publish(&self, entries: Vec<Entry>) {
        let Some(newest) = entries.last().map(|entry| entry.seq) else {
            return;
        };
        self.come_to(newest);
        if self.has_readers() {
            let batch: Committed = entries.into_iter().map(Arc::new).collect();
            // Nobody listening any more is fine.
            let _ = self.sender.send(batch);
        }
    }

    /// Others have committed up to here: readers that have not read so far are to look.
    pub(crate) fn told_by_others(&self, newest: u64) {
        if self.come_to(newest) && self.has_readers() {
            // Nothing to hand out, it only wakes them.
            let _ = self.sender.send(Committed::from([]));
        }
    }

    /// False if it is no news.
    fn come_to(&self, newest: u64) -> bool {
        self.last.send_if_modified(|last| {
            let has_moved = *last < newest;
            *last = newest.max(*last);
            has_moved
        })
    }

    pub(crate) fn has_readers(&self) -> bool {
        self.sender.receiver_count() > 0
    }

    /// The newest committed sequence.
    pub fn last_seq(&self) -> u64 {
        *self.last.borrow()
    }

    /// Entries from after `seq` on.
    pub fn tail(&self, seq: u64, reader: Arc<dyn Reader>) -> Tail {
        Tail {
            next: seq.saturating_add(1),
            receiver: self.sender.subscribe(),
            last: self.last.subscribe(),
            reader,
            reading: None,
        }
    }
}

/// A place in the log that moves forward.
pub struct Tail {
    next: u64,
    receiver: broadcast::Receiver<Committed>,
    last: watch::Receiver<u64>,
    reader: Arc<dyn Reader>,
    /// What was asked of the store: it is waited for again when whoever waited went away meanwhile.
    reading: Option<JoinHandle<Result<Vec<Entry>, StoreError>>>,
}

impl Tail {
    /// The next entries, at least one, in order and without a gap. None when the engine is gone.
    /// Whoever stops waiting and asks again misses nothing, and has nothing read twice.
    ///
    /// # Errors
    /// When the store cannot be read. Asking again goes on from the same place.
    pub async fn next(&mut self) -> Result<Option<Committed>, StoreError> {
        loop {
            // Behind what the feed still holds, or just begun: the store has it.
            let behind = *self.last.borrow() >= self.next && self.receiver.is_empty();
            if !behind && self.reading.is_none() {
                match self.receiver.recv().await {
                    Ok(batch) => {
                        let (Some(first), Some(newest)) = (batch.first(), batch.last()) else {
                            continue;
                        };
                        if newest.seq < self.next {
                            continue;
                        }
                        if first.seq <= self.next {
                            let skip = self.next - first.seq;
                            let skip = usize::try_from(skip).expect("within one batch");
                            self.next = newest.seq + 1;
                            return Ok(Some(if skip == 0 {
                                batch
                            } else {
                                batch[skip..].into()
                            }));
                        }
                        // In between there is what others have committed, or what came too fast.
                    }
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return Ok(None),
                }
            }
            let read = self.read().await?;
            if !read.is_empty() {
                return Ok(Some(read));
            }
        }
    }

    async fn read(&mut self) -> Result<Committed, StoreError> {
        let (reader, after) = (&self.reader, self.next - 1);
        let reading = self.reading.get_or_insert_with(|| {
            let reader = Arc::clone(reader);
            tokio::task::spawn_blocking(move || reader.entries(after, CATCH_UP))
        });
        let read = reading.await;
        self.reading = None;
        let mut entries =
            read.map_err(|error| StoreError::new("a read of the log was cut short", error))??;
        // What the store has beyond this is not durable yet.
        let last = *self.last.borrow();
        entries.retain(|entry| entry.seq <= last);
        if let Some(newest) = entries.last() {
            self.next = newest.seq + 1;
        }
        Ok(entries.into_iter().map(Arc::new).collect())
    }
}

#[cfg(test)]
mod tests;
