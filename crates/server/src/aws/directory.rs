//! What a queue is, remembered for a moment: who owns it, its policy, its number.
//!
//! What always holds: a change made through this listener is seen by the next request; one
//! made elsewhere within [`FRESH_MS`], where Amazon takes up to a minute. That a queue is not
//! there is never remembered. Nothing here decides about messages: the engine looks itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use commerce::Millis;
use engine::ports::Queue;
use engine::{Engine, EngineError};

const FRESH_MS: Millis = 1_000;

pub(super) struct Directory {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    queues: HashMap<String, (Millis, Arc<Queue>)>,
    /// Counts what was forgotten, so that a read that began before it is not kept.
    forgotten: u64,
}

impl Directory {
    pub(super) fn new() -> Self {
        Self {
            known: Mutex::default(),
        }
    }

    /// The queue of this name, if there is one.
    pub(super) async fn find(
        &self,
        engine: &Engine,
        name: &str,
    ) -> Result<Option<Arc<Queue>>, EngineError> {
        let now = engine.log_time();
        let forgotten = {
            let known = self.lock();
            match known.queues.get(name) {
                Some((at, queue)) if now - at < FRESH_MS => return Ok(Some(Arc::clone(queue))),
                Some(_) | None => known.forgotten,
            }
        };
        let wanted = name.to_owned();
        let found = engine
            .read(move |reader| reader.queue_row(&wanted))
            .await?
            .map(Arc::new);
        let bound = engine.limits().queues_max;
        let mut known = self.lock();
        match &found {
            Some(queue) if known.forgotten == forgotten => {
                if known.queues.len() >= bound {
                    // Names of queues that are gone; those that are used come back at once.
                    known.queues.clear();
                }
                known
                    .queues
                    .insert(name.to_owned(), (now, Arc::clone(queue)));
            }
            Some(_) => {}
            None => {
                known.queues.remove(name);
            }
        }
        Ok(found)
    }

    /// After a change.
    pub(super) fn forget(&self, name: &str) {
        let mut known = self.lock();
        known.forgotten += 1;
        known.queues.remove(name);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
