//! Verifies the certificate of an auction from nothing but its bytes.
//!
//! ```text
//! {"format": "firstcome.certificate.v1", "auction": "auc_...", "final": bool,
//!  "head": {"seq": n, "hash": "..."}, "entries": [
//!   {"seq": n, "prev": n, "kind": "...", "at": ms, "data": "...", "hash": "...", "sealed": "..."?}
//! ]}
//! seal = BLAKE3("firstcome.seal.v1" || 0x00 || sealed), hexadecimal in `data`
//! ```
//! Every entry of the auction's line, oldest first; `head` is the newest of them. [`verify`] reads the file once; a
//! [`Checker`] takes entries that somebody else has read. Neither knows the state machine:
//! what an entry must say is worked out by [`super::verify`].
//!
//! What is checked: the chain of hashes from the auction's id on, the seals, the order of
//! entries, the numbers of bids, that every deferred bid has one verdict and is overtaken by
//! nothing, that every bid let in was valid and every one refused was not, each price, leader
//! and end that was shown, winners, price and what came after the close. Without the sealed
//! texts, before the close, only what was public can be compared with itself.
//!
//! What no file can show by itself:
//! - that it is the newest: a shorter certificate is a whole one of an earlier moment. Compare
//!   [`Verified::head`] with the one that others have seen;
//! - the sequence of the newest entry, which is in no hash until the next entry points at it,
//!   if there is no `head` ([`Verified::head_named`]): older servers wrote none. Any one byte
//!   of a certificate with it is held by another;
//! - when a message was sent to the queue of bids by somebody who did not ask this server to
//!   place the bid: [`Verified::on_trust`] counts the bids that rest on the sequencer's word;
//! - a bid's currency: that it was the wrong one is believed. So is, of a refused bid that was
//!   not deferred, that it was a buy-now.

mod awards;
mod chain;
mod checker;
mod close;
mod data;
mod decisions;
mod file;
mod opened;
mod report;
mod shown;
mod verdicts;

pub use chain::EntryText;
pub use checker::{Checker, ENTRIES_MAX};
pub use file::verify;
pub use report::{Claimed, TOLD_MAX, Verified, Violation, Violations, Won};
