//! The door after a start: who sends to a FIFO queue or topic waits here until it is known what was
//! sent to them before, while all others are decided.
//!
//! A store may read that beside all else ([`Opened::remembering`](crate::ports::Opened)); its `load`
//! would wait for it, and with it the sequencer and everybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use crate::command::Command;
use crate::decide::touch;
use crate::engine::Limits;

pub(crate) struct Remembering {
    is_known: Arc<AtomicBool>,
    /// The same, to wait for.
    known: watch::Receiver<bool>,
}

impl Remembering {
    /// Waits on a thread of its own, by what blocks until it is known.
    pub(crate) fn begin(until_known: Option<Box<dyn FnOnce() + Send>>) -> Self {
        let is_known = Arc::new(AtomicBool::new(until_known.is_none()));
        let (tell, known) = watch::channel(until_known.is_none());
        if let Some(until_known) = until_known {
            let is_known = Arc::clone(&is_known);
            let wait = move || {
                until_known();
                is_known.store(true, Ordering::Release);
                tell.send_replace(true);
            };
            let thread = std::thread::Builder::new().name("remembering".into());
            if let Err(error) = thread.spawn(wait) {
                // Then the store is asked at once, and waits.
                tracing::warn!(%error, "no thread to wait for what was sent of late");
            }
        }
        Self { is_known, known }
    }

    /// Lets a command through that is not compared with what was sent before.
    pub(crate) async fn wait_for(&self, command: &Command, limits: &Limits) {
        if self.is_known.load(Ordering::Acquire) || !is_compared(command, limits) {
            return;
        }
        // An error means that nobody will tell any more.
        let _ = self.known.clone().wait_for(|known| *known).await;
    }
}

fn is_compared(command: &Command, limits: &Limits) -> bool {
    let touch = touch(std::iter::once(command), 0, limits);
    let mut queues = touch.queues.iter().map(|queue| &queue.duplicates);
    let mut topics = touch.topics.iter().map(|topic| &topic.duplicates);
    queues.any(|duplicates| !duplicates.is_empty())
        || topics.any(|duplicates| !duplicates.is_empty())
}
