//! How much one socket may ask for, and what becomes of one that does not keep up.
//!
//! Each packet of a client is a task. Without a bound, who sends them faster than the store can be read
//! fills the memory with them, and everybody else's reads stand behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::SocketRef;
use socketioxide::handler::{FromMessageParts, Value};
use socketioxide::socket::Socket;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::realtime::rooms::Rooms;

/// Packets of one socket that may wait for an answer: as many as it may be in rooms, several times over.
const ASKED_MAX: usize = 256;

/// How long until it is tried again to tell a socket that it is disconnected.
const TELL_AGAIN: Duration = Duration::from_secs(1);

/// The turns of one socket.
#[derive(Clone)]
pub(super) struct Turns {
    asked: Arc<Semaphore>,
    /// One packet after the other is worked on.
    at_work: Arc<Semaphore>,
    is_left_behind: Arc<AtomicBool>,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self {
            asked: Arc::new(Semaphore::new(ASKED_MAX)),
            at_work: Arc::new(Semaphore::new(1)),
            is_left_behind: Arc::default(),
        }
    }

    /// None when too many packets wait.
    fn take(&self) -> Option<Turn> {
        let permit = Arc::clone(&self.asked).try_acquire_owned().ok()?;
        Some(Turn {
            at_work: Arc::clone(&self.at_work),
            _asked: permit,
        })
    }
}

/// One packet's place among those of its socket, until it is dropped.
pub(super) struct Turn {
    at_work: Arc<Semaphore>,
    _asked: OwnedSemaphorePermit,
}

impl Turn {
    /// Until those before it are done. It is this one's turn for as long as the permit lives.
    pub(super) async fn comes(&self) -> OwnedSemaphorePermit {
        let turn = Arc::clone(&self.at_work).acquire_owned().await;
        turn.expect("the semaphore is never closed")
    }
}

/// The socket asks for more than can wait, or for anything before it is connected.
#[derive(Debug, thiserror::Error)]
#[error("too many packets of this socket wait")]
pub(super) struct TooMuch;

/// Taken where the packet is read, before it becomes a task.
impl FromMessageParts<LocalAdapter> for Turn {
    type Error = TooMuch;

    fn from_message_parts(
        socket: &Arc<Socket<LocalAdapter>>,
        value: &mut Value,
        ack: &Option<i64>,
    ) -> Result<Self, TooMuch> {
        let turns = socket.extensions.get::<Turns>().ok_or(TooMuch)?;
        turns.take().ok_or_else(|| {
            metrics::counter!("firstcome_feed_dropped_total").increment(1);
            let Ok(socket) = SocketRef::from_message_parts(socket, value, ack);
            leave_behind(socket);
            TooMuch
        })
    }
}

pub(super) fn is_left_behind(socket: &SocketRef) -> bool {
    let turns = socket.extensions.get::<Turns>();
    turns.is_some_and(|turns| turns.is_left_behind.load(Ordering::Relaxed))
}

/// It does not keep up: it is disconnected, and nobody waits for it. One that takes nothing at all cannot
/// be told so yet, but hears no more of its rooms: half of what happens would be worse than nothing.
pub(super) fn leave_behind(socket: SocketRef) {
    let turns = socket.extensions.get::<Turns>();
    if turns.is_none_or(|turns| turns.is_left_behind.swap(true, Ordering::Relaxed)) {
        return;
    }
    if let Some(rooms) = socket.extensions.get::<Rooms>() {
        rooms.leave_all();
    }
    if socket.clone().disconnect().is_ok() {
        return;
    }
    // It ends with its connection at the latest: whoever answers no ping is gone.
    tokio::spawn(async move {
        while socket.connected() && socket.clone().disconnect().is_err() {
            tokio::time::sleep(TELL_AGAIN).await;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_has_so_many_turns_at_most_and_one_at_a_time() {
        let turns = Turns::new();
        let take = || turns.take().expect("there is a place");
        let (first, second) = (take(), take());
        let others: Vec<Turn> = (2..ASKED_MAX).map(|_| take()).collect();
        assert!(turns.take().is_none());
        let at_work = first.comes().await;
        let mut next = std::pin::pin!(second.comes());
        assert!(futures_util::poll!(next.as_mut()).is_pending());
        drop(at_work);
        drop(next.await);
        drop(others);
        take();
    }
}
