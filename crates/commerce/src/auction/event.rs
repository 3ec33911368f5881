//! What became of a command: facts, or a refusal. Plain values; what of them is public, and
//! under which name a bidder appears, the server decides.

use serde::{Deserialize, Serialize};

use super::aftermath::Award;
use super::bidder::Bidder;
use super::state::{AdmittedBid, AuctionStatus};
use crate::Millis;
use crate::money::{Currency, Money};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    EndTime,
    BoughtNow,
    /// The first bid of a dutch auction.
    Taken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnsoldReason {
    NoBids,
    BelowReserve,
    /// Everybody who had won gave the lot up.
    Forfeited,
}

/// A fact. The maximum in [`AuctionEvent::BidAccepted`] is the bidder's secret and the log's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "event",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum AuctionEvent {
    Opened,
    BidAccepted {
        bid: AdmittedBid,
        /// A leader raised the own maximum, and nothing that others see has changed.
        raise: bool,
        /// Afterwards; none in sealed formats.
        price: Option<Money>,
        /// Whether it leads now, or was outbid at once; none in sealed formats.
        leading: Option<bool>,
    },
    /// Led before, and does not now.
    Outbid {
        bidder: Bidder,
        price: Money,
    },
    /// Leads again after somebody else's retraction.
    Regained {
        bidder: Bidder,
        price: Money,
    },
    ReserveMet {
        price: Money,
    },
    /// The bid with this number came so late that the end moved.
    Extended {
        no: u64,
        from: Millis,
        to: Millis,
    },
    Retracted {
        no: u64,
        bidder: Bidder,
        /// Afterwards; both none in sealed formats, the second also without a reserve.
        price: Option<Money>,
        reserve_met: Option<bool>,
    },
    Closed {
        reason: CloseReason,
        /// What each winner pays; none without a winner.
        price: Option<Money>,
        winners: Vec<Award>,
    },
    Unsold {
        reason: UnsoldReason,
    },
    Cancelled,
    /// This winner has paid.
    LotSettled {
        bidder: Bidder,
        price: Money,
    },
    /// All who won have paid.
    Settled,
    /// This winner will not pay.
    Forfeited {
        bidder: Bidder,
    },
    /// The next bidder may have the lot for the own maximum.
    Offered {
        bidder: Bidder,
        price: Money,
        until: Millis,
    },
    OfferAccepted {
        bidder: Bidder,
        price: Money,
    },
    /// Or not answered in time.
    OfferDeclined {
        bidder: Bidder,
    },
}

/// Why nothing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuctionRefusal {
    // What is wrong with the command itself.
    WrongCurrency {
        currency: Currency,
    },
    /// The format takes no maximum.
    NoMaximum,
    MaximumBelowBid,

    // What is wrong with it now. `price` is what anyone may see of it.
    Cancelled,
    Closed {
        price: Option<Money>,
    },
    NotOpenYet {
        starts_at: Millis,
    },
    /// Admitted at or after the end.
    Late {
        ends_at: Millis,
        price: Option<Money>,
    },
    OwnLot,
    /// `least` is the least valid bid of this bidder; none if no amount is that high.
    TooLow {
        price: Option<Money>,
        least: Option<Money>,
    },
    /// Never offered, or a maximum has reached it, or the reserve is met.
    NoBuyNow {
        price: Option<Money>,
        least: Option<Money>,
    },

    AlreadyOpen,
    /// The end has not come.
    TooEarly {
        ends_at: Millis,
    },
    /// A bid from before the end may still wait for its decision.
    BidsUndecided {
        ends_at: Millis,
    },
    NotTheSeller,

    /// More than one replay may go through.
    TooManyBids {
        bids: u64,
    },
    /// These terms let nobody take a bid back.
    NoRetraction,
    NoSuchBid,
    NotTheBidder,
    AlreadyRetracted,
    RetractionTooLate {
        until: Millis,
    },

    /// Only for what was closed.
    NotClosed {
        status: AuctionStatus,
    },
    /// Holds no lot that is unpaid.
    NotAWinner,
    /// Another bidder has an offer that still runs.
    OfferRuns {
        until: Millis,
    },
    OfferEndsInPast,
    /// Every lot is promised or paid.
    NothingLeft,
    /// Everybody who is known has won, given up or declined.
    NobodyLeft,
    NoOffer,
    OfferExpired {
        until: Millis,
    },
}
