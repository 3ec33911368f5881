//! A client of SQS in small, for consumers whose queues are not in this process: ours on another
//! port, or Amazon's. AWS JSON 1.0, signed where there is a key.

mod client;

pub(crate) use client::{BATCH_MAX, Client, Endpoint, Received, SqsError};
