//! The runtime of the consumers (see [`consumer`](super::consumer) for what one is).
//!
//! ```text
//! runner    the workers of one consumer: how many, paused, stopped
//!   scale     how many there should be                              (pure)
//!   breaker   slows all of them down while a neighbour is away
//!   worker    receive -> attempt -> fates -> delete, hold, bury
//!     attempt   one call of the consumer, its panics and its time
//!     fate      what becomes of each message                         (pure)
//!     memory    which receives were no tries
//! port      what a queue must be able to do
//!   engine_port, sqs_port
//! monitor   what one consumer does at this moment; registry: all of them
//! history   what they did in the last hour
//! names     the queues they need
//! ```
//! It deliberately knows nothing of what consumers do, and of queues only the port.

mod attempt;
mod breaker;
mod engine_port;
mod fate;
mod history;
mod memory;
mod monitor;
mod names;
mod port;
mod registry;
mod runner;
mod scale;
mod sqs_port;
mod worker;

#[cfg(test)]
pub(super) mod tests;

pub use history::{SAMPLE_EVERY, Sample, sample_consumers};
pub use monitor::{ConsumerState, ConsumerStatus};
pub use registry::Consumers;

pub use port::QueuePort;
pub use runner::{Parts as RunParts, run as run_consumer};

pub(super) use engine_port::EnginePort;
pub(super) use names::{dead_letter_queue, own};
pub(super) use sqs_port::SqsPort;
