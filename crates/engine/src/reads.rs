//! How many read the store at once, and who stands in line with whom.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::engine::EngineError;

/// Reads for requests at once: more would only share the same processors, each with a connection
/// of its own. One more waits its turn.
const READS_MAX: usize = 16;

/// So many may wait; one more is answered `Overloaded`.
const WAITING_MAX: usize = 8_192;

/// The timers and the relay read beside them, so that nobody who asks for much puts off the end of
/// an auction.
const OWN_READS_MAX: usize = 4;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Lane {
    Requests,
    Own,
}

pub(crate) struct Reads {
    requests: Arc<Semaphore>,
    waiting: Semaphore,
    own: Arc<Semaphore>,
}

impl Reads {
    pub(crate) fn new() -> Self {
        Self {
            requests: Arc::new(Semaphore::new(READS_MAX)),
            waiting: Semaphore::new(WAITING_MAX),
            own: Arc::new(Semaphore::new(OWN_READS_MAX)),
        }
    }

    /// What is held for as long as the thread reads, also when whoever asked has gone.
    pub(crate) async fn turn(&self, lane: Lane) -> Result<OwnedSemaphorePermit, EngineError> {
        const OPEN: &str = "the semaphore is never closed";
        match lane {
            Lane::Requests => {
                if let Ok(turn) = Arc::clone(&self.requests).try_acquire_owned() {
                    return Ok(turn);
                }
                let Ok(_waits) = self.waiting.try_acquire() else {
                    return Err(EngineError::Overloaded);
                };
                Ok(Arc::clone(&self.requests)
                    .acquire_owned()
                    .await
                    .expect(OPEN))
            }
            Lane::Own => Ok(Arc::clone(&self.own).acquire_owned().await.expect(OPEN)),
        }
    }
}
