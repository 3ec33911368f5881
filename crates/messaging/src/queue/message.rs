//! A message as it is stored, and as it is sent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::attribute::{self, Attribute};
use super::config::QueueConfig;

/// Times are milliseconds since the epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its place in the queue: later messages have larger ones. A copy that is moved to
    /// another queue gets a new one there.
    pub seq: u64,
    pub id: String,
    pub body: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Attribute>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_header: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// On a FIFO queue the id that counts: as sent, or derived from the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deduplication: Option<String>,
    pub sent_at_ms: i64,
    /// It may be received from this moment on. Before it, the message is delayed (never
    /// received) or in flight (held by the consumer that has `receipt`).
    pub visible_at_ms: i64,
    /// In this queue: what a redrive policy counts.
    pub receive_count: u32,
    /// How often it had been received elsewhere before it came here as a dead letter.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub received_before: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_received_at_ms: Option<i64>,
    /// The latest receive: what the twelve hours of visibility are counted from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_at_ms: Option<i64>,
    /// The random part of the latest receipt handle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead: Option<DeadLetter>,
    /// Where and when it was sent, once it has been a dead letter of a FIFO queue: there
    /// `sent_at_ms` starts again with each move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_first: Option<SentFirst>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentFirst {
    pub queue: String,
    pub at_ms: i64,
}

/// How a message came to be in a dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    pub source_queue: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How often it had been received there.
    pub receive_count: u32,
    pub at_ms: i64,
}

/// What a producer asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Send {
    pub body: String,
    pub attributes: BTreeMap<String, Attribute>,
    pub trace_header: Option<String>,
    pub sender: Option<String>,
    pub group: Option<String>,
    pub deduplication: Option<String>,
    pub delay_s: Option<u32>,
}

impl Send {
    /// What counts towards the size limits: body and attributes. The trace header does not.
    pub fn bytes(&self) -> u64 {
        self.body.len() as u64 + attribute::total_bytes(&self.attributes)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    Visible,
    InFlight,
    Delayed,
}

impl Message {
    pub fn state(&self, now_ms: i64) -> MessageState {
        if self.visible_at_ms <= now_ms {
            MessageState::Visible
        } else if self.receipt.is_some() {
            MessageState::InFlight
        } else {
            MessageState::Delayed
        }
    }

    pub fn is_visible(&self, now_ms: i64) -> bool {
        self.state(now_ms) == MessageState::Visible
    }

    pub fn is_in_flight(&self, now_ms: i64) -> bool {
        self.state(now_ms) == MessageState::InFlight
    }

    /// When it came to this queue, which has it: a dead letter that was moved back came when it
    /// was first sent there. One that died in another queue was not sent to this one.
    pub fn came_at_ms(&self, queue: &str) -> i64 {
        let first = self.sent_first.as_ref();
        first
            .filter(|first| first.queue == queue)
            .map_or(self.sent_at_ms, |first| first.at_ms)
    }

    /// From this moment on the queue no longer has it. Follows a change of the queue's
    /// retention, as on Amazon.
    pub fn expires_at_ms(&self, config: &QueueConfig) -> i64 {
        self.sent_at_ms
            .saturating_add(i64::from(config.retention_s) * 1000)
    }

    pub fn is_expired(&self, config: &QueueConfig, now_ms: i64) -> bool {
        self.expires_at_ms(config) <= now_ms
    }

    /// "The number of times a message has been received across all queues but not deleted" (API
    /// reference, `ReceiveMessage`).
    pub fn receives_in_all(&self) -> u32 {
        self.received_before.saturating_add(self.receive_count)
    }

    pub fn bytes(&self) -> u64 {
        self.body.len() as u64 + attribute::total_bytes(&self.attributes)
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde gives the field by reference"
)]
fn is_zero(count: &u32) -> bool {
    *count == 0
}
