//! The reference factory: what stands at the other end of a replenishment when no real
//! factory is connected, and what a real one should be measured against.
//!
//! A manufacture goes `accepted -> produced -> delivered | abandoned`: it is stored before
//! it is answered, produced after the lead time, and then the callback is posted until it
//! is answered with a 2xx. What always holds here:
//! - Nothing is answered with 202 before it is durable; after a kill at any moment
//!   everything undone goes on.
//! - A callback may be posted more than once (a kill between the answer and its record), it
//!   is never forgotten, and it is recorded as delivered once.
//! - The same `CallbackUrl` is the same job.
//! - The query of a callback URL, which holds a token, is shown nowhere.
//!
//! It deliberately does not know the shop: it stands for somebody else's system, has its
//! own file and shares no types with the rest.

mod clock;
mod config;
mod form;
mod http;
mod job;
mod problem;
mod producer;
mod retry;
mod store;
mod thread;

#[cfg(test)]
mod tests;

pub use config::{Config, JOBS_OPEN_MAX, LEAD_TIME_MAX, OpenError};
pub use http::{BODY_BYTES_MAX, PAGE_MAX};
pub use producer::Factory;
