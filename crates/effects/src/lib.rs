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

mod database;
mod inbox;
pub mod parcels;

pub use database::{Database, DatabaseError, Effects};
pub use inbox::is_first;
