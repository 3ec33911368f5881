//! What a decision looks up by a key or a customer: which idempotency keys are known, how many live
//! ones a customer holds, and how many units of a limited product a customer has.
//!
//! ```text
//! counted -> [ open block: in memory, rebuilt from the log ]
//!                 | full
//!                 v
//!            [ closing block: in memory; its keys, sorted, go to disk, some pages a commit ]
//!                 | all written, at last one row of `lookups`
//!                 v
//!            [ sealed blocks: filters and sketches in memory, the keys on disk ]
//!                 | all of its keys are too old
//!                 v
//!            pages deleted, some a commit
//! ```
//! Memory does not grow with the keys but for the filters, five bytes a key. A key that is not
//! known costs a few looks into memory; one that may be known is looked for on disk, and what is
//! found there is confirmed by the row of the log, which has the whole fingerprint and the time.
//! Decision 0016 says why.

mod check;
mod closing;
mod exact;
mod filter;
mod live;
mod pages;
mod rows;
mod sealed;
mod sketch;
mod sorter;

#[cfg(test)]
mod tests;

pub(super) use check::check_next_block;
pub(super) use live::LookUps;
pub(super) use pages::write_missing;
pub use sealed::BlockSizes;
