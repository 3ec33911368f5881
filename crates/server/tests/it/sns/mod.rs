//! SNS as an AWS SDK uses it, and what its subscribers get: queues, servers and people.

mod client;
mod errors;
mod fifo;
mod http;
mod lists;
mod mails;
mod queues;
mod retries;
mod rights;
mod topics;
