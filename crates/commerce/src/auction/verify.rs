//! Winner and price recomputed from the log of one auction, for the audit and for whoever
//! holds a certificate.
//!
//! Written from the rules in the module's text and apart from the state machine: it shares
//! only the plain data of [`Terms`] and [`AdmittedBid`] with it, keeps every bidder, counts in
//! `i128`, and also says which entry should never have been let in, and which bid should have
//! been.

mod book;
mod replay;

pub use replay::{Offer, REPLAYED_BIDS_MAX, Refused, Replay};

use super::bidder::Bidder;
use super::state::AdmittedBid;
use super::terms::Terms;
use crate::Millis;

/// What the log holds of an auction between its start and its end, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Bid(AdmittedBid),
    /// A buy-now; amount and maximum are the buy-now price.
    BuyNow(AdmittedBid),
    Retracted {
        no: u64,
        by: Bidder,
        admitted_at: Millis,
    },
}

/// Who has won with which bid, by its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Winner {
    pub bidder: Bidder,
    pub no: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// In rank order; empty if it is unsold.
    pub winners: Vec<Winner>,
    /// What each winner pays, in minor units.
    pub price: Option<i128>,
    /// The end after all extensions.
    pub ends_at: Millis,
}

/// What is wrong with a log; `no` is the number of the bid at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breach {
    /// No auction is created with these.
    Terms,
    /// Not the next number.
    Number {
        no: u64,
    },
    OutOfTime {
        no: u64,
    },
    /// After the bid that ended the auction.
    AfterTheEnd {
        no: u64,
    },
    OwnLot {
        no: u64,
    },
    /// Below the least valid bid, or a maximum that does not fit.
    TooLow {
        no: u64,
    },
    BuyNow {
        no: u64,
    },
    Retraction {
        no: u64,
    },
    /// The retractions up to this one ask for more than [`REPLAYED_BIDS_MAX`]: nothing is
    /// said about what is right.
    TooMuch {
        no: u64,
    },
}

/// Plays the log from the first entry to the last.
pub fn outcome(terms: &Terms, seller: &Bidder, log: &[Entry]) -> Result<Outcome, Breach> {
    let mut replay = Replay::new(terms.clone(), seller.clone())?;
    for entry in log {
        replay.apply(entry)?;
    }
    Ok(replay.outcome())
}
