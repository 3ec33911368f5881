//! System B's form: every verdict to every socket, under the buyer's address.
//!
//! What always holds: each verdict that is committed after the start is told, once and in the log's order,
//! however far the telling is behind. What the feed does not hold any more is read from the log, so many
//! entries at a time. Nobody who is only behind misses anything; a socket that takes nothing for a second
//! is disconnected, as one is that does not keep up with its rooms.

use std::collections::HashMap;
use std::time::Duration;

use engine::feed::Tail;
use engine::{Entry, OrderStatus};
use socketioxide::extract::SocketRef;
use socketioxide::socket::Sid;
use socketioxide::{SendError, SocketError, SocketIo};
use tokio_util::sync::CancellationToken;

use crate::realtime::turns::{is_left_behind, leave_behind};

/// How soon a full socket is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// So often: a second in all. Not by the clock, which goes on while this machine does nothing.
const LOOKS_MAX: u32 = 200;

/// How long to wait before trying again when the log could not be read.
const READ_AGAIN: Duration = Duration::from_millis(500);

/// So many are told one after the other before anybody else has a turn.
const AT_ONCE: usize = 32;

pub(super) async fn run(mut tail: Tail, io: SocketIo, cancel: CancellationToken) {
    let mut sockets = Sockets {
        io,
        looks: HashMap::new(),
    };
    let telling = async {
        loop {
            match tail.next().await {
                Ok(Some(entries)) => {
                    let texts = entries.iter().filter_map(|entry| text_of(entry));
                    sockets.tell(&texts.collect::<Vec<_>>()).await;
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "`<email>-send` tries again");
                    tokio::time::sleep(READ_AGAIN).await;
                }
            }
        }
    };
    tokio::select! {
        () = cancel.cancelled() => {}
        () = telling => {}
    }
}

/// A verdict as the clients of system B expect it: the event's name, and its text.
struct Text {
    name: String,
    text: &'static str,
}

fn text_of(entry: &Entry) -> Option<Text> {
    let text = match entry.kind.order_status()? {
        OrderStatus::Accepted => "accepted",
        OrderStatus::SoldOut => "sold out",
        OrderStatus::Pending
        | OrderStatus::Rejected
        | OrderStatus::Expired
        | OrderStatus::Cancelled => return None,
    };
    let buyer = entry.buyer.as_ref()?;
    Some(Text {
        name: format!("{}-send", buyer.customer),
        text,
    })
}

struct Sockets {
    io: SocketIo,
    /// Those that had no room for the newest text at once, and how often they were looked at since.
    looks: HashMap<Sid, u32>,
}

impl Sockets {
    async fn tell(&mut self, texts: &[Text]) {
        if texts.is_empty() {
            return;
        }
        // Looked up after the commit: whoever ordered in it has been connected before.
        let mut sockets = self.io.sockets();
        sockets.retain(|socket| !is_left_behind(socket));
        self.looks
            .retain(|id, _| sockets.iter().any(|socket| socket.id == *id));
        for text in texts {
            let mut full = Vec::new();
            for some in sockets.chunks(AT_ONCE) {
                for socket in some {
                    if takes(socket, text) {
                        self.looks.remove(&socket.id);
                    } else {
                        full.push(socket.clone());
                    }
                }
                tokio::task::yield_now().await;
            }
            let left = self.wait_for(full, text).await;
            sockets.retain(|socket| !left.contains(&socket.id));
        }
    }

    /// Until each of them has taken the text, or is left behind: those are the answer.
    async fn wait_for(&mut self, mut full: Vec<SocketRef>, text: &Text) -> Vec<Sid> {
        let mut left = Vec::new();
        while !full.is_empty() {
            tokio::time::sleep(LOOK_AGAIN).await;
            full.retain(|socket| {
                if takes(socket, text) {
                    return false;
                }
                let looks = self.looks.entry(socket.id).or_default();
                *looks += 1;
                if *looks < LOOKS_MAX {
                    return true;
                }
                metrics::counter!("firstcome_feed_dropped_total").increment(1);
                leave_behind(socket.clone());
                left.push(socket.id);
                false
            });
        }
        left
    }
}

/// False when the socket has no room for it. One that has gone needs none.
fn takes(socket: &SocketRef, text: &Text) -> bool {
    !matches!(
        socket.emit(&text.name, text.text),
        Err(SendError::Socket(SocketError::InternalChannelFull))
    )
}

#[cfg(test)]
mod tests;
