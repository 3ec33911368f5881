//! How much of a queue an answer may hold.

use messaging::limits::RECEIVE_MAX;

/// What a message may have at most: 1 MiB as it was sent, more as a copy that a topic has wrapped.
const MESSAGE_BYTES: u64 = 2 * 1024 * 1024;

/// What there is room for where the messages of a receive go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// Whatever is asked for.
    All,
    /// So many bytes. When what is asked for has more, nothing is received, and the answer is
    /// [`Reply::NoRoom`](crate::Reply::NoRoom).
    Whole(u64),
    /// So many bytes: what is past them is left where it is. The first message is received in any case.
    Part(u64),
}

impl Room {
    pub(crate) fn bytes(self) -> u64 {
        match self {
            Self::All => MESSAGE_BYTES * RECEIVE_MAX as u64,
            Self::Whole(bytes) | Self::Part(bytes) => bytes,
        }
    }

    /// Whether a receive that has so many bytes already takes one more message.
    pub(crate) fn takes(self, taken: u64, more: u64) -> bool {
        match self {
            Self::All | Self::Whole(_) => true,
            Self::Part(bytes) => taken == 0 || taken + more <= bytes,
        }
    }
}
