//! A store that several processes write to.
//!
//! What such a store promises beyond the rest: a batch has it for itself from `load` to the end of
//! `append`, or to [`release`](super::Store::release) if it writes nothing; `load` sees all that
//! anybody has appended; sequences become visible in their order, none is left out for later; and
//! `append` makes durable, so that whatever can be read is.
//!
//! Deliberately not asked of it: to tell on its own. Whoever wants to know looks, see
//! [`run_others`](crate::run_others).

use super::StoreError;

/// Where to look for what others have committed.
pub trait Others: Send + Sync {
    /// Blocks briefly, and costs little when there is nothing.
    ///
    /// # Errors
    /// When the store cannot be read; whoever asked asks again.
    fn news(&self) -> Result<News, StoreError>;
}

/// What there is by now. What this process has committed may be among it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// The newest sequence of the log.
    pub last_seq: u64,
}
