//! Handing messages out.
//!
//! What always holds: a delivered message was visible, not expired and not exhausted; it
//! carries the new receipt, is invisible until its time-out, and counts one receive more.

use super::config::QueueConfig;
use super::fifo;
use super::limits;
use super::message::Message;
use super::refusal::Refusal;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receive {
    /// 1 to 10.
    pub max: usize,
    /// 0 to 43,200; the queue's when absent.
    pub visibility_timeout_s: Option<u32>,
}

/// The three lists are disjoint. What is in none of them is unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// As they are to be stored and answered, in delivery order.
    pub delivered: Vec<Message>,
    /// Exhausted: they leave for the dead-letter queue through
    /// [`dead_letter`](super::dead_letter()).
    pub dead: Vec<Message>,
    /// Past their retention: to be removed.
    pub expired: Vec<Message>,
}

impl Receive {
    pub fn validate(&self) -> Result<(), Refusal> {
        if !(1..=limits::RECEIVE_MAX).contains(&self.max) {
            return Err(Refusal::value(
                "MaxNumberOfMessages",
                self.max,
                "Must be between 1 and 10, if provided.",
            ));
        }
        match self.visibility_timeout_s {
            Some(timeout_s) => validate_visibility_timeout(timeout_s),
            None => Ok(()),
        }
    }

    /// At most ten, also when nobody has called `validate`.
    pub(super) fn max(&self) -> usize {
        self.max.min(limits::RECEIVE_MAX)
    }

    pub(super) fn timeout_ms(&self, config: &QueueConfig) -> i64 {
        i64::from(
            self.visibility_timeout_s
                .unwrap_or(config.visibility_timeout_s),
        ) * 1000
    }
}

pub(super) fn validate_visibility_timeout(timeout_s: u32) -> Result<(), Refusal> {
    if timeout_s <= limits::VISIBILITY_TIMEOUT_S_MAX {
        return Ok(());
    }
    Err(Refusal::value(
        "VisibilityTimeout",
        timeout_s,
        "Must be between 0 and 43200, if provided.",
    ))
}

/// How long a receive may wait for messages.
pub fn validate_wait(wait_s: u32) -> Result<(), Refusal> {
    if wait_s <= limits::RECEIVE_WAIT_S_MAX {
        return Ok(());
    }
    Err(Refusal::value(
        "WaitTimeSeconds",
        wait_s,
        "Must be >= 0 and <= 20, if provided.",
    ))
}

/// `candidates` are messages of the queue in delivery order; some may be invisible, expired
/// or exhausted. `receipts` gives a fresh random number for each delivery.
///
/// Candidates behind the last delivered one are left alone: nobody would have received them,
/// so they are neither dead nor, for now, looked at.
///
/// For a FIFO queue the candidates must hold, for every group among them, the group's first
/// ten messages, those in flight included; they are then handed to
/// [`receive_fifo`](super::receive_fifo).
pub fn receive(
    config: &QueueConfig,
    candidates: Vec<Message>,
    request: &Receive,
    receipts: &mut dyn FnMut() -> u64,
    now_ms: i64,
) -> Received {
    if config.is_fifo() {
        let groups = fifo::group_heads(candidates);
        return fifo::receive_fifo(config, groups, request, receipts, now_ms);
    }
    let mut received = Received::default();
    for message in candidates {
        if received.delivered.len() == request.max() {
            break;
        }
        if message.is_expired(config, now_ms) {
            received.expired.push(message);
        } else if message.is_visible(now_ms) {
            received.hand_out(config, message, request, receipts, now_ms);
        }
    }
    received
}

impl Received {
    /// Delivers a visible message, or declares it dead when it has been received often enough.
    pub(super) fn hand_out(
        &mut self,
        config: &QueueConfig,
        message: Message,
        request: &Receive,
        receipts: &mut dyn FnMut() -> u64,
        now_ms: i64,
    ) {
        if is_exhausted(config, &message) {
            self.dead.push(message);
        } else {
            self.delivered.push(Message {
                visible_at_ms: now_ms.saturating_add(request.timeout_ms(config)),
                receive_count: message.receive_count.saturating_add(1),
                first_received_at_ms: message.first_received_at_ms.or(Some(now_ms)),
                received_at_ms: Some(now_ms),
                receipt: Some(receipts()),
                ..message
            });
        }
    }
}

fn is_exhausted(config: &QueueConfig, message: &Message) -> bool {
    config
        .redrive
        .as_ref()
        .is_some_and(|redrive| message.receive_count >= redrive.max_receive_count)
}
