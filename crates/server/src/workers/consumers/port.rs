//! What the runtime needs of a queue, whoever's it is.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::workers::consumer::{Delivery, Handle};

/// Why a call to a queue did nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortError {
    /// This process goes down.
    Stopping,
    /// The queue cannot be reached, or answers with an error; asking again may help.
    Away(String),
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// 1 to 100; a port may hand out fewer.
    pub max: usize,
    /// How long they are held.
    pub hold: Duration,
    /// How long to wait when there is none.
    pub wait: Duration,
}

/// What ends a wait for messages before its time.
#[derive(Debug, Clone)]
pub struct Halt {
    /// No more is wanted, for now: a port that loses nothing by it answers at once.
    pub pause: CancellationToken,
    /// The process goes down: every port answers.
    pub stop: CancellationToken,
}

impl Halt {
    pub fn is_asked_for(&self) -> bool {
        self.pause.is_cancelled() || self.stop.is_cancelled()
    }

    pub async fn asked_for(&self) {
        tokio::select! {
            () = self.pause.cancelled() => {}
            () = self.stop.cancelled() => {}
        }
    }
}

/// How deep a queue is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Messages that can be received now.
    pub visible: u64,
    pub in_flight: u64,
    /// Of the oldest message that is there; nothing where the queue does not say.
    pub oldest_age: Option<Duration>,
}

/// A queue. A message that somebody else has received meanwhile is no error of any of these
/// calls: theirs is the work now.
pub trait QueuePort: Send + Sync + 'static {
    /// Messages, in order within each group; none when the wait is over or halted.
    fn receive<'a>(
        &'a self,
        ask: Ask,
        halt: &'a Halt,
    ) -> BoxFuture<'a, Result<Vec<Delivery>, PortError>>;

    fn delete(&self, handles: Vec<Handle>) -> BoxFuture<'_, Result<(), PortError>>;

    /// Each is held for so long from now on; zero gives it back.
    fn hold(&self, changes: Vec<(Handle, Duration)>) -> BoxFuture<'_, Result<(), PortError>>;

    /// To the dead-letter queue, with the reason.
    fn bury<'a>(
        &'a self,
        delivery: &'a Delivery,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<(), PortError>>;

    fn backlog(&self) -> BoxFuture<'_, Result<Backlog, PortError>>;
}

/// Queues count in seconds; what is not over is not rounded down to it.
pub(super) fn whole_seconds(duration: Duration) -> u32 {
    const VISIBILITY_TIMEOUT_S_MAX: u128 = 43_200;
    let seconds = duration.as_millis().div_ceil(1_000);
    u32::try_from(seconds.min(VISIBILITY_TIMEOUT_S_MAX)).expect("it is bounded")
}
