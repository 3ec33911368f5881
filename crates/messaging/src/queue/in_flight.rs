//! What the holder of a receipt handle may do: delete the message, or move its time-out.
//!
//! What always holds: only the handle of the latest receive has any effect, so a consumer
//! that was too slow cannot disturb the one that has the message now.

use super::config::QueueConfig;
use super::limits;
use super::message::Message;
use super::receive::validate_visibility_timeout;
use super::refusal::Refusal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// Remove the message.
    Deleted,
    /// Nothing to do, and the client is told that all is well.
    Nothing,
}

/// `message` is what the store has under the handle's sequence.
///
/// Standard queues: a message that is gone is a success; so is a handle older than the latest
/// receive, but then nothing is deleted; a handle whose time-out has passed still deletes
/// while nobody else has received the message (API reference, `DeleteMessage`).
///
/// FIFO queues: a handle whose time-out has passed is refused, because the group may already
/// have moved on.
pub fn delete(
    config: &QueueConfig,
    message: Option<&Message>,
    receipt: u64,
    now_ms: i64,
) -> Result<Deletion, Refusal> {
    let Some(message) = message else {
        return Ok(Deletion::Nothing);
    };
    let is_latest = message.receipt == Some(receipt);
    if config.is_fifo() && !(is_latest && message.is_in_flight(now_ms)) {
        return Err(handle_expired());
    }
    Ok(if is_latest {
        Deletion::Deleted
    } else {
        Deletion::Nothing
    })
}

/// The message with its new time-out, `timeout_s` from now; 0 makes it visible at once.
///
/// The total may not pass twelve hours from the receive that gave the handle (API reference,
/// `ChangeMessageVisibility`; developer guide, "Amazon SQS visibility timeout"). That is the
/// latest receive and not the first: otherwise a message that is delivered again on the second
/// day could not be worked on for longer than its first time-out.
pub fn change_visibility(
    config: &QueueConfig,
    message: Option<&Message>,
    receipt: u64,
    timeout_s: u32,
    now_ms: i64,
) -> Result<Message, Refusal> {
    validate_visibility_timeout(timeout_s)?;
    let message = match message {
        Some(message) if message.receipt == Some(receipt) => message,
        Some(_) if config.is_fifo() => return Err(handle_expired()),
        Some(_) | None => {
            return Err(Refusal::parameter(
                "ReceiptHandle",
                "Value for parameter ReceiptHandle is invalid. Reason: Message does not exist \
                 or is not available for visibility timeout change.",
            ));
        }
    };
    if !message.is_in_flight(now_ms) {
        return Err(Refusal::MessageNotInflight);
    }
    let received_at_ms = message
        .received_at_ms
        .or(message.first_received_at_ms)
        .unwrap_or(now_ms);
    // Whole seconds, so that asking for the maximum at once is not a matter of milliseconds.
    let held_s = now_ms.saturating_sub(received_at_ms).max(0) / 1000;
    if held_s + i64::from(timeout_s) > i64::from(limits::VISIBILITY_TIMEOUT_S_MAX) {
        return Err(Refusal::value(
            "VisibilityTimeout",
            timeout_s,
            "Total VisibilityTimeout for the message is beyond the limit [43200 seconds].",
        ));
    }
    Ok(Message {
        visible_at_ms: now_ms.saturating_add(i64::from(timeout_s) * 1000),
        ..message.clone()
    })
}

fn handle_expired() -> Refusal {
    Refusal::parameter(
        "ReceiptHandle",
        "Value for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
    )
}

/// How many messages a receive may still take when `in_flight` are out already.
///
/// At the limit a short poll of a standard queue is refused; a long poll, and any receive
/// from a FIFO queue, finds nothing.
pub fn in_flight_room(
    config: &QueueConfig,
    in_flight: u64,
    max: usize,
    long_poll: bool,
) -> Result<usize, Refusal> {
    let room = limits::IN_FLIGHT_MAX.saturating_sub(in_flight);
    if room == 0 && !long_poll && !config.is_fifo() {
        return Err(Refusal::OverLimit);
    }
    Ok(usize::try_from(room).map_or(max, |room| room.min(max)))
}
