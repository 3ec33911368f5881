//! SQS and SNS for any AWS SDK: a listener of its own, both services on one address.
//!
//! ```text
//! bytes --router--> who (auth) + what (wire) --> sqs | sns --> engine --> answer in its protocol
//! ```
//!
//! What always holds here: every request has an answer in Amazon's form, with a request id; what
//! a client did wrong is never a 500; an account does to another's queue only what the queue's
//! policy allows.
//!
//! Deliberately not known here: what a queue or topic does with a message, and the bytes of the
//! protocols. The engine decides, `wire` writes.

mod auth;
pub mod context;
mod directory;
mod policy;
mod router;
pub(crate) mod sns;
mod sqs;
mod tokens;
mod written_policy;

pub(crate) use router::router;
