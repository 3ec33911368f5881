//! What a commit does to many messages, which nobody has to load for it.

use commerce::Millis;

/// Clears away what nobody can receive any more, a bounded piece at a time: the messages of
/// partitions that no queue has, messages past their queue's retention, and what deduplication
/// and receive attempts remembered for five minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweep {
    pub now: Millis,
    /// At most so many rows of each kind.
    pub rows: usize,
}

/// What a FIFO queue's new delay does to its messages that nobody has received yet: each is visible
/// so long after it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redelay {
    pub partition: u32,
    pub delay_ms: Millis,
    /// What was sent until then was to be had before and is so now.
    pub sent_after: Millis,
}
