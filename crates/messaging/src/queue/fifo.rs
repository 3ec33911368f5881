//! What FIFO queues do besides: order and a lock for each message group, deduplication, and
//! receive attempts that can be repeated.
//!
//! What always holds: the messages of a group are delivered in sequence; while one of them is
//! in flight nothing of the group is; a message that leaves for the dead-letter queue or
//! expires holds nothing up. A deduplication entry lives for five minutes from the first
//! message, whatever happens to that message in between: deleted, purged or dead.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::config::{DeduplicationScope, QueueConfig};
use super::limits;
use super::message::{Message, Send};
use super::receive::{Receive, Received};
use super::refusal::Refusal;
use super::text::check_id;

// Deduplication.

/// What two messages must share to be duplicates: the deduplication id, and the group where
/// the queue's scope is the group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DedupKey {
    pub group: Option<String>,
    pub id: String,
}

/// Stored in the commit that stores the message, and kept until `expires_at_ms`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DedupEntry {
    pub key: DedupKey,
    pub message_id: String,
    pub seq: u64,
    pub sent_at_ms: i64,
}

impl DedupKey {
    /// The first live entry with this key. An entry does not count in its last moment: the
    /// same message sent five minutes later is a new one.
    pub(crate) fn find(&self, hits: &[DedupEntry], now_ms: i64) -> Deduplication {
        hits.iter()
            .filter(|entry| entry.key == *self && now_ms < entry.expires_at_ms())
            .min_by_key(|entry| entry.seq)
            .map_or(Deduplication::Unique, |entry| Deduplication::Duplicate {
                message_id: entry.message_id.clone(),
                seq: entry.seq,
            })
    }
}

impl DedupEntry {
    /// The entry of a message that [`accept`](super::accept) made; none on a standard queue.
    pub fn of(config: &QueueConfig, message: &Message) -> Option<Self> {
        Some(Self {
            key: key(
                config,
                message.group.as_deref(),
                message.deduplication.clone()?,
            )?,
            message_id: message.id.clone(),
            seq: message.seq,
            sent_at_ms: message.sent_at_ms,
        })
    }

    pub fn expires_at_ms(&self) -> i64 {
        self.sent_at_ms
            .saturating_add(limits::DEDUPLICATION_INTERVAL_MS)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deduplication {
    /// Accept it and, on a FIFO queue, store [`DedupEntry::of`] the message.
    Unique,
    /// Answer with the id and the sequence of the first one and store nothing.
    Duplicate { message_id: String, seq: u64 },
}

/// `hits` are stored entries; those of other keys and those that are over are passed by, so
/// a store may return more than it was asked for. A duplicate does not prolong the interval.
///
/// Call it only with a message that `validate_send` accepts: what is malformed is refused
/// before it is compared.
pub fn deduplicate(
    config: &QueueConfig,
    send: &Send,
    hits: &[DedupEntry],
    now_ms: i64,
) -> Result<Deduplication, Refusal> {
    Ok(match deduplication_key(config, send)? {
        Some(key) => key.find(hits, now_ms),
        None => Deduplication::Unique,
    })
}

/// What to look stored entries up by; none on a standard queue.
pub fn deduplication_key(config: &QueueConfig, send: &Send) -> Result<Option<DedupKey>, Refusal> {
    Ok(deduplication_id(config, send)?.and_then(|id| key(config, send.group.as_deref(), id)))
}

fn key(config: &QueueConfig, group: Option<&str>, id: String) -> Option<DedupKey> {
    let scope = config.fifo.as_ref()?.deduplication_scope;
    Some(scoped_key(scope, group, id))
}

pub(crate) fn scoped_key(scope: DeduplicationScope, group: Option<&str>, id: String) -> DedupKey {
    let group = match scope {
        DeduplicationScope::Queue => None,
        DeduplicationScope::MessageGroup => group.map(str::to_owned),
    };
    DedupKey { group, id }
}

/// The id as sent, else the SHA-256 of the body (not of the attributes) in hexadecimal. Both
/// are of one kind: an id that a client computed in the same way finds the same entry.
pub fn deduplication_id(config: &QueueConfig, send: &Send) -> Result<Option<String>, Refusal> {
    require_deduplication(config, send)?;
    Ok(match &send.deduplication {
        _ if !config.is_fifo() => None,
        Some(id) => Some(id.clone()),
        None => Some(content_id(&send.body)),
    })
}

/// The id that a message without one has on a queue that compares contents: what a caller looks
/// entries up by before it knows the queue's settings.
pub fn content_deduplication_id(body: &str) -> String {
    content_id(body)
}

pub(crate) fn content_id(body: &str) -> String {
    hexadecimal(&Sha256::digest(body.as_bytes()))
}

pub(super) fn require_deduplication(config: &QueueConfig, send: &Send) -> Result<(), Refusal> {
    match &config.fifo {
        Some(fifo) if send.deduplication.is_none() && !fifo.content_based_deduplication => {
            Err(Refusal::parameter(
                "MessageDeduplicationId",
                "The queue should either have ContentBasedDeduplication enabled or \
                 MessageDeduplicationId provided explicitly",
            ))
        }
        Some(_) | None => Ok(()),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |four_bits: u8| char::from(b"0123456789abcdef"[usize::from(four_bits)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)])
        .collect()
}

/// The `SequenceNumber` of a message: always 20 digits, so that it also sorts as text.
pub fn sequence_number(seq: u64) -> String {
    const FIRST: u128 = 10_000_000_000_000_000_000;
    (FIRST + u128::from(seq)).to_string()
}

// Order and locks.

/// The head of one group: its first messages by sequence, those in flight included; ten are
/// enough, more do no harm.
///
/// Ten are enough for the lock too: what is in flight was the head of the group when it was
/// received, at most ten at once, and nothing of the group was received since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupHead {
    pub group: String,
    pub messages: Vec<Message>,
}

/// `groups` in the order in which they are to be tried: by the sequence of their first
/// message, or as the caller rotates them. As many messages as possible come from the first
/// group that is not locked, then from the next (developer guide, "FIFO queue delivery
/// logic").
///
/// A retention that ends while a message is in flight takes effect when its time-out has
/// passed; otherwise what follows it would overtake it.
pub fn receive_fifo(
    config: &QueueConfig,
    groups: Vec<GroupHead>,
    request: &Receive,
    receipts: &mut dyn FnMut() -> u64,
    now_ms: i64,
) -> Received {
    let mut received = Received::default();
    for head in groups {
        let is_locked = head
            .messages
            .iter()
            .any(|message| message.is_in_flight(now_ms));
        if is_locked {
            continue;
        }
        for message in head.messages {
            if received.delivered.len() == request.max() {
                return received;
            }
            if message.is_expired(config, now_ms) {
                received.expired.push(message);
            } else if message.is_visible(now_ms) {
                received.hand_out(config, message, request, receipts, now_ms);
            } else {
                // Still delayed, and what is behind it may not overtake it.
                break;
            }
        }
    }
    received
}

/// Sorts a queue's messages into groups, in the order in which the groups first appear.
pub(super) fn group_heads(messages: Vec<Message>) -> Vec<GroupHead> {
    let mut positions = BTreeMap::new();
    let mut heads: Vec<GroupHead> = Vec::new();
    for message in messages {
        // Messages of a FIFO queue have a group; `accept` sees to that.
        let group = message.group.clone().unwrap_or_default();
        let position = *positions.entry(group.clone()).or_insert(heads.len());
        if position == heads.len() {
            heads.push(GroupHead {
                group,
                messages: Vec::new(),
            });
        }
        heads[position].messages.push(message);
    }
    heads
}

// Receive attempts.

/// What a receive with a `ReceiveRequestAttemptId` handed out. Stored in the same commit,
/// kept for five minutes; a client that lost the answer asks again and gets the same one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub id: String,
    pub received_at_ms: i64,
    pub messages: Vec<AttemptedMessage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptedMessage {
    pub seq: u64,
    pub receipt: u64,
    pub visible_at_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replay {
    /// The same messages with the same receipts, their time-outs counted from now on: store
    /// and answer them, and store the attempt as it is here.
    Same {
        delivered: Vec<Message>,
        attempt: Attempt,
    },
    /// The attempt is over or its messages are no longer as they were: receive as usual.
    Fresh,
}

impl Attempt {
    pub fn of(id: String, delivered: &[Message], now_ms: i64) -> Self {
        Self {
            id,
            received_at_ms: now_ms,
            messages: delivered.iter().filter_map(attempted).collect(),
        }
    }

    pub fn expires_at_ms(&self) -> i64 {
        self.received_at_ms
            .saturating_add(limits::RECEIVE_ATTEMPT_INTERVAL_MS)
    }
}

fn attempted(message: &Message) -> Option<AttemptedMessage> {
    Some(AttemptedMessage {
        seq: message.seq,
        receipt: message.receipt?,
        visible_at_ms: message.visible_at_ms,
    })
}

/// `loaded` are the messages of the attempt that are still in the queue.
///
/// A repetition holds while none of them was deleted, changed, timed out or received again,
/// and for five minutes from the first attempt (API reference, `ReceiveMessage`). It is not
/// another receive: the receive count stays. An attempt that found nothing is not repeated,
/// there may be something by now.
pub fn replay_attempt(
    config: &QueueConfig,
    attempt: &Attempt,
    loaded: &[Message],
    request: &Receive,
    now_ms: i64,
) -> Replay {
    if attempt.messages.is_empty() || now_ms >= attempt.expires_at_ms() {
        return Replay::Fresh;
    }
    let mut delivered = Vec::with_capacity(attempt.messages.len());
    for handed_out in &attempt.messages {
        let same = loaded.iter().find(|message| {
            attempted(message) == Some(*handed_out) && message.is_in_flight(now_ms)
        });
        let Some(message) = same else {
            return Replay::Fresh;
        };
        delivered.push(Message {
            visible_at_ms: now_ms.saturating_add(request.timeout_ms(config)),
            received_at_ms: Some(now_ms),
            ..message.clone()
        });
    }
    let attempt = Attempt {
        received_at_ms: attempt.received_at_ms,
        ..Attempt::of(attempt.id.clone(), &delivered, now_ms)
    };
    Replay::Same { delivered, attempt }
}

/// 1 to 128 letters, digits and punctuation; meant for FIFO queues only.
pub fn validate_attempt_id(config: &QueueConfig, id: &str) -> Result<(), Refusal> {
    if !config.is_fifo() {
        return Err(Refusal::parameter(
            "ReceiveRequestAttemptId",
            "Value for parameter ReceiveRequestAttemptId is invalid. Reason: The request include \
             parameter that is not valid for this queue type.",
        ));
    }
    check_id("ReceiveRequestAttemptId", id)
}
