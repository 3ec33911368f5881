//! Parcels: one for each accepted order and for each purchase, moved by the carrier.
//!
//! ```text
//! order.accepted, order.cancelled, purchases ──> fold ──┐
//!                                                       ├──> parcel, parcel_change (told = 0)
//! the carrier's webhook ──> notices ────────────────────┘          │
//!                                                    outbox ──> the sale's log, then told = 1
//! ```
//! What always holds: a parcel is what its events give, whatever their order and however often
//! they come; a change and the note that it must be told are one transaction; a notice with the
//! id of an earlier one is answered as that one was.
//!
//! It deliberately does not know who tells the changes, nor how a carrier shows who it is.

mod fold;
mod notices;
mod outbox;
mod read;
mod schema;
mod status;
#[cfg(test)]
mod tests;

pub use fold::{Folded, OrderParcel, ParcelEvent, PurchaseParcel};
pub use notices::{Answer, Notice, Noticed, Outcome};
pub use outbox::Untold;
pub use read::{Parcel, ParcelChange};
pub(crate) use schema::SCHEMA;
pub use status::{ParcelStatus, Progress, Step};
