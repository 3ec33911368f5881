//! Moving a message to a dead-letter queue and back.
//!
//! What always holds: a moved message starts afresh where it arrives (never received, visible
//! at once, no receipt), so handles from before the move have no effect and a dead-letter
//! queue with a redrive policy of its own counts its own receives. Only what consumers are told
//! goes on: how often it was received in all.

use super::config::QueueConfig;
use super::message::{DeadLetter, Message, SentFirst};

/// The copy for the dead-letter queue of the queue with this `config`; the caller gives it a
/// sequence there and removes the original in the same commit.
///
/// On a standard queue it keeps the time it was sent, so its retention goes on running; on a
/// FIFO queue that time starts again (developer guide, "Setting-up dead-letter queue
/// retention"). When it was first sent is kept beside it, for those who decide by it.
pub fn dead_letter(
    config: &QueueConfig,
    message: Message,
    source_queue: &str,
    reason: Option<String>,
    now_ms: i64,
) -> Message {
    let sent_first = config.is_fifo().then(|| first_sent(&message, source_queue));
    Message {
        sent_at_ms: if config.is_fifo() {
            now_ms
        } else {
            message.sent_at_ms
        },
        received_before: message.receives_in_all(),
        sent_first,
        dead: Some(DeadLetter {
            source_queue: source_queue.to_owned(),
            reason,
            receive_count: message.receive_count,
            at_ms: now_ms,
        }),
        ..afresh(message, now_ms)
    }
}

/// The copy that goes back to its source (`dead.source_queue`, read it before the call) or
/// to any other queue. It counts as sent now and as never received, a new message as with Amazon's
/// `StartMessageMoveTask` (developer guide, "Learn how to configure a dead-letter queue redrive");
/// Amazon also gives it a new id, here it keeps its own so that it can be followed.
pub fn redrive(message: Message, now_ms: i64) -> Message {
    Message {
        sent_at_ms: now_ms,
        received_before: 0,
        dead: None,
        ..afresh(message, now_ms)
    }
}

/// To the queue in which it died first; a dead letter that dies again is still one of that queue.
fn first_sent(message: &Message, source_queue: &str) -> SentFirst {
    let known = message.sent_first.as_ref();
    let known = known.filter(|first| first.queue == source_queue || message.dead.is_some());
    known.cloned().unwrap_or_else(|| SentFirst {
        queue: source_queue.to_owned(),
        at_ms: message.sent_at_ms,
    })
}

fn afresh(message: Message, now_ms: i64) -> Message {
    Message {
        visible_at_ms: now_ms,
        receive_count: 0,
        first_received_at_ms: None,
        received_at_ms: None,
        receipt: None,
        ..message
    }
}
