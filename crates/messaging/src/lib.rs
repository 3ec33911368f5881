//! The rules of queues and topics, with the semantics of Amazon SQS and SNS.
//!
//! Pure: a function here is given the state that its decision needs, the time in
//! milliseconds since the epoch, and fresh ids and random numbers, and returns what is to be
//! written. It never waits, stores, draws or reads a clock, so the same call always gives the
//! same answer and a whole history can be replayed.
//!
//! What always holds: nothing is delivered before its delay has passed, while another
//! consumer holds it, after its retention has passed, or more often than the redrive policy
//! allows; in a FIFO queue nothing of a group is delivered while anything of that group is
//! in flight, nor before what was sent ahead of it.
//!
//! Deliberately not known here: how messages are stored and found, the bytes of any protocol
//! (MD5 sums, envelopes, ARNs), accounts and permissions, products and orders.

mod base64url;
pub mod queue;
pub mod topic;

pub use queue::*;
