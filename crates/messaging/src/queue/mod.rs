//! Queues, standard and FIFO.
//!
//! The life of a message, and the function that takes each step:
//!
//! ```text
//!  Send --accept--> stored --receive--> in flight --delete--> gone
//!                     ^                    |
//!                     |---- time-out ------|   change_visibility moves the time-out
//!                     |                    |
//!                  redrive <-- dead <------|   receive finds it exhausted, dead_letter moves it
//! ```
//!
//! For a FIFO queue [`deduplicate`] comes before [`accept`], and [`receive_fifo`] takes the
//! place of [`receive`]. [`fair`] reorders the candidates of a standard queue whose messages
//! name groups; [`batch`] checks what a batch request may look like as a whole.

mod attribute;
pub mod batch;
mod config;
mod dead_letter;
pub mod fair;
mod fifo;
mod handle;
mod in_flight;
pub mod limits;
mod message;
mod name;
mod receive;
mod refusal;
mod send;
mod settings;
mod text;

pub use attribute::{Attribute, AttributeValue};
pub(crate) use attribute::{total_bytes, validate as validate_attributes};
pub use config::{
    DeduplicationScope, FifoConfig, QueueConfig, RedriveAllow, RedrivePolicy, ThroughputLimit,
};
pub use dead_letter::{dead_letter, redrive};
pub use fifo::{
    Attempt, AttemptedMessage, DedupEntry, DedupKey, Deduplication, GroupHead, Replay,
    content_deduplication_id, deduplicate, deduplication_id, deduplication_key, receive_fifo,
    replay_attempt, sequence_number, validate_attempt_id,
};
pub(crate) use fifo::{content_id, scoped_key};
pub use handle::ReceiptHandle;
pub use in_flight::{Deletion, change_visibility, delete, in_flight_room};
pub use message::{DeadLetter, Message, MessageState, Send, SentFirst};
pub use name::QueueName;
pub use receive::{Receive, Received, receive, validate_wait};
pub use refusal::Refusal;
pub use send::{accept, validate_send};
pub use settings::{QueueMore, QueueSettings, TAGS_MAX};
pub(crate) use text::{is_id, is_message_text, is_name_byte};

#[cfg(test)]
mod tests;
