//! SNS as an AWS SDK uses it, and what its subscribers get: queues, servers and people.

pub(crate) mod client;
mod errors;
mod fifo;
mod http;
mod https;
mod lists;
mod mails;
mod metrics;
mod queues;
mod retries;
mod rights;
mod steps;
mod topics;
