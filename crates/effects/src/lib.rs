//! What follows an order: the state that consumers keep, in databases of their own.
//!
//! ```text
//! customers.db   mileage, qualifying units, tiers            (`--customers`)
//! effects.db     parcels, e-mails, webhooks, alerts
//! ```
//! What always holds: an effect and the note that its event was handled are one transaction, so
//! an event that comes twice changes nothing the second time. A database that is away fails the
//! call and nothing else: it is opened again by the next one.
//!
//! It deliberately knows no queue, no HTTP and no clock: the moment comes with the call. The
//! sale's own store is not touched from here, and never waits for what is here.

pub mod ads;
pub mod alerts;
mod contain;
pub mod customers;
mod database;
mod inbox;
pub mod mails;
mod newest;
pub mod parcels;
pub mod pauses;
pub mod webhooks;

pub use contain::{Mistake, abort_on_panic, contain};
pub use customers::Customers;
pub use database::{Database, DatabaseError, Effects};
pub use inbox::is_first;

/// As `SQLite` keeps it: sequences stay far below the bound.
pub(crate) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
