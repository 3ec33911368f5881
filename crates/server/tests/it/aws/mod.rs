//! SQS as an AWS SDK uses it: every action over both protocols, and every error.
//!
//! What is the same over both is written once and run over each.

mod access;
mod batches;
pub(crate) mod client;
mod errors;
mod fifo;
#[cfg(target_os = "linux")]
mod memory;
mod messages;
mod moves;
mod policies;
mod protocol;
mod queues;
mod waiting;
pub(crate) mod xml;
