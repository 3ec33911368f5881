//! Auctions: many bids at once, one winner, provably.
//!
//! [`Auction`] is the state machine: `scheduled -> open -> closed -> settled | unsold`, or
//! `cancelled`. Every command is a method that answers with [`AuctionEvent`]s or with a
//! [`AuctionRefusal`], and a refusal leaves the state as it was. [`verify`] recomputes winner
//! and price from the log alone and shares no rule with the state machine; the audit uses it.
//! [`certificate`] checks with it a whole line, as everybody gets it after the close.
//!
//! # What a store must load
//! One [`Auction`] value and nothing else, for every command but one. It holds the best bid of
//! the leading `lots` bidders and of [`RUNNERS_UP_MAX`] after them, never all bids, so it is
//! bounded whatever happens. Only [`Auction::retract`] takes every standing bid, because the
//! price is then a replay without the one that goes.
//!
//! # The order of things
//! The log's order is the order of the calls. Bids that are taken get the numbers 1, 2, 3 ...
//! A bid is in time by `admitted_at`, the moment at which it was durably taken in by the
//! sequencer or the queue: `starts_at <= admitted_at < ends_at`. So a bid that waits in a
//! queue is not late because somebody was slow, and the close must not overtake it: the close
//! says until when every bid has been decided, and is refused while one may be missing. The end
//! is the one at the bid's turn in the log: an extension helps those who are decided after it.
//!
//! # The price of an english auction
//! Each bidder stands with the highest amount and the highest maximum of the own bids. The
//! `lots` bidders with the highest maxima lead; of equal maxima the one reached first. One lot
//! a bidder, and all winners pay one price. It starts at the starting price and falls by
//! a retraction only:
//! 1. Once every lot has a leader, it is at least the lowest amount that a leader stands at.
//!    (With one lot: a bid without a maximum moves the price to its amount.)
//! 2. A bid by somebody who did not lead moves it to the highest maximum that does not lead
//!    plus one increment, but never above the lowest leading maximum.
//! 3. A maximum that reaches the reserve price moves it to the reserve price.
//!
//! A leader may raise the own maximum: an amount at or below what one stands at, with a higher
//! maximum. It moves no price (but by 3) and extends no end. The increment is that of the price
//! it is added to. The least valid bid is the starting price while a lot is free, then the
//! price plus one increment; for a leader, what one stands at plus one increment. What one
//! stands at is the price or the own highest amount, whichever is higher.
//!
//! # The other formats
//! - `sealed-first`: the highest amount wins and is paid. `sealed-second`: the highest wins
//!   and pays the second highest amount of another bidder, at least the starting and the
//!   reserve price; no increment. A bidder may bid again, the highest counts. Until the close
//!   no price and no reserve is shown.
//! - `dutch`: the price falls from the starting price by `step` every `every_ms` from
//!   `starts_at`, down to `floor`. The first bid at or above it takes the lot at that price,
//!   the price of its own `admitted_at`.
//!
//! Neither takes maxima, a buy-now price, a soft close or several lots; `dutch` has no reserve.
//! Several lots take no reserve and no buy-now price either: the starting price is per lot.
//!
//! # Buy-now
//! Open until a maximum reaches the buy-now price or the reserve is met. A maximum and not the
//! visible price, because otherwise the taker could win over a higher maximum (rule 7).
//!
//! # Retraction
//! The own bid, within `within_ms` of its admission and not in the last `before_end_ms`. Price,
//! leaders, reserve and buy-now are then what they would be without it. The end is not: an
//! extension was announced, and stays.
//!
//! It is the seller's to allow, because it tells: a high maximum moves the price to one step above
//! the others' highest, and to the reserve, and is then taken back.

mod aftermath;
mod bidder;
mod bidding;
pub mod certificate;
mod contest;
mod event;
mod increment;
mod retract;
mod state;
mod terms;
pub mod verify;

pub use aftermath::{Award, AwardStatus};
pub use bidder::{Bidder, MASK_KEY_BYTES, MaskKey, ShownBidder};
pub use bidding::{BidCommand, BuyNowCommand};
pub use contest::{Contest, RUNNERS_UP_MAX, Standing};
pub use event::{AuctionEvent, AuctionRefusal, CloseReason, UnsoldReason};
pub use increment::{BANDS_MAX, Band, Increment};
pub use retract::{REPLAY_BIDS_MAX, RetractCommand};
pub use state::{AdmittedBid, Auction, AuctionStatus, NewAuction};
pub use terms::{
    DURATION_MAX_MS, Format, LOTS_MAX, RetractionRule, SoftClose, TermError, Terms, WINDOW_MAX_MS,
};

#[cfg(test)]
mod tests;
