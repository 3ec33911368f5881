//! Topics: who gets a copy of what is published.
//!
//! What always holds: a delivery goes to a confirmed subscription whose filter policy the
//! publication passes; subscriptions without a policy get everything, in the order in which
//! they were given.
//!
//! Deliberately not known here: the envelope around a message (the protocol's layer builds
//! it for deliveries that are not raw), HTTP, mail, and retries.

mod filter;
mod limits;
mod publication;
mod refusal;
mod route;
mod subscription;

pub use filter::{FilterPolicy, FilterScope};
pub use limits::*;
pub use publication::{
    Publication, Topic, TopicFifo, TopicName, deduplicate, deduplication_id, deduplication_key,
    validate_publication,
};
pub use refusal::TopicRefusal;
pub use route::{Delivery, Undeliverable, route};
pub use subscription::{Protocol, Subscription};

#[cfg(test)]
mod tests;
