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
    /// What there is after `since`, the mark of an earlier look, or 0. Blocks briefly, and costs
    /// little when there is nothing.
    ///
    /// # Errors
    /// When the store cannot be read; whoever asked asks again.
    fn news(&self, since: u64) -> Result<News, StoreError>;
}

/// What this process has committed itself may be among it, and more than was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// What `since` of the next look is.
    pub mark: u64,
    /// The newest sequence of the log.
    pub last_seq: u64,
    /// Each queue that was among [`Changes::woken`](super::Changes::woken) since.
    pub woken: Vec<String>,
}
