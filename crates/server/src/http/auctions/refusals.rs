//! What the rules of auctions say no to, as HTTP says it.

use commerce::auction::AuctionRefusal;
use commerce::{Millis, Money};
use engine::auction::{BidRecord, refusal_reason};
use wire::Code;

use super::bid_views::BidView;
use crate::adapters::rfc3339;
use crate::http::error::HttpError;

pub fn no_auction() -> HttpError {
    HttpError::new(Code::AuctionNotFound, "no auction has this id")
}

pub fn no_bid() -> HttpError {
    HttpError::new(Code::BidNotFound, "no bid has this id")
}

/// A term at fault, under the name that the API has for it.
pub fn bad_terms(field: &str, why: String) -> HttpError {
    let field = match field.strip_prefix("format.") {
        Some(name) => format!("dutch.{name}"),
        None => field.to_owned(),
    };
    HttpError::at(Code::InvalidField, field, why)
}

fn price(price: Option<Money>) -> Option<i64> {
    price.map(Money::minor)
}

fn too_low(current: Option<Money>, least: Option<Money>) -> HttpError {
    let detail = match least {
        Some(least) => format!("the least bid that counts is {}", least.minor()),
        None => "no bid can be higher".to_owned(),
    };
    HttpError::at(Code::BidTooLow, "bidAmount", detail)
        .with("currentPrice", price(current))
        .with("leastValidBid", price(least))
}

fn closed(current: Option<Money>) -> HttpError {
    HttpError::new(Code::AuctionClosed, "no bid counts any more")
        .with("currentPrice", price(current))
}

fn not_open(starts_at: Option<Millis>) -> HttpError {
    match starts_at {
        Some(at) => {
            let at = rfc3339(at);
            let detail = format!("bids are taken from {at} on");
            HttpError::new(Code::AuctionNotOpen, detail).with("startTime", at)
        }
        None => HttpError::new(Code::AuctionNotOpen, "bids are not taken yet"),
    }
}

fn cancelled() -> HttpError {
    HttpError::new(Code::AuctionCancelled, "nothing is sold, and no bid counts")
}

fn own_lot() -> HttpError {
    HttpError::at(Code::OwnLot, "bidderId", "this bidder is the seller")
}

fn no_maximum() -> HttpError {
    HttpError::at(
        Code::InvalidField,
        "maximum",
        "must be absent in an auction of this format",
    )
}

fn maximum_below_bid() -> HttpError {
    HttpError::at(Code::InvalidField, "maximum", "must not be below bidAmount")
}

fn wrong_currency(wanted: Option<String>) -> HttpError {
    let detail = match wanted {
        Some(currency) => format!("the auction is held in {currency}"),
        None => "the auction is held in another currency".to_owned(),
    };
    HttpError::at(Code::InvalidField, "currency", detail)
}

/// A bid that came in the last stretch before the end was never to be taken back: `until` is then
/// before the bid.
pub fn retraction_too_late(until: Millis, admitted_at: Option<Millis>) -> HttpError {
    let never = admitted_at.is_some_and(|at| until <= at);
    let until = rfc3339(until);
    let detail = if never {
        format!("so near the end no bid can be taken back, since {until}, and this one came later")
    } else {
        format!("it could be taken back before {until}")
    };
    HttpError::new(Code::RetractionTooLate, detail).with("until", until)
}

/// Whatever an auction refuses without storing anything.
pub fn error_of(refusal: &AuctionRefusal) -> HttpError {
    match *refusal {
        AuctionRefusal::WrongCurrency { currency } => wrong_currency(Some(currency.to_string())),
        AuctionRefusal::NoMaximum => no_maximum(),
        AuctionRefusal::MaximumBelowBid => maximum_below_bid(),
        AuctionRefusal::Cancelled => cancelled(),
        AuctionRefusal::Closed { price } => closed(price),
        AuctionRefusal::Late { ends_at, price } => closed(price).with("endTime", rfc3339(ends_at)),
        AuctionRefusal::NotOpenYet { starts_at } => not_open(Some(starts_at)),
        AuctionRefusal::OwnLot => own_lot(),
        AuctionRefusal::TooLow { price, least } => too_low(price, least),
        AuctionRefusal::NoBuyNow {
            price: current,
            least,
        } => HttpError::new(
            Code::BuyNowGone,
            "it was never offered, or the bids have reached it or the reserve",
        )
        .with("currentPrice", price(current))
        .with("leastValidBid", price(least)),
        AuctionRefusal::NoRetraction => {
            HttpError::new(Code::NotRetractable, "in this auction a bid stands")
        }
        AuctionRefusal::NoSuchBid => HttpError::new(
            Code::NotRetractable,
            "the bid was refused: there is nothing to take back",
        ),
        AuctionRefusal::AlreadyRetracted => {
            HttpError::new(Code::NotRetractable, "it was taken back before")
        }
        AuctionRefusal::TooManyBids { bids } => HttpError::new(
            Code::NotRetractable,
            format!("the auction has {bids} bids: too many to go through again without this one"),
        ),
        AuctionRefusal::RetractionTooLate { until } => retraction_too_late(until, None),
        AuctionRefusal::NotClosed { status } => HttpError::new(
            Code::AuctionNotClosed,
            format!("the auction is {}", status.as_str()),
        )
        .with("auctionStatus", status.as_str()),
        AuctionRefusal::NotAWinner => HttpError::at(
            Code::NotAWinner,
            "bidderId",
            "this bidder has won nothing that is still to be paid",
        ),
        AuctionRefusal::OfferRuns { until } => {
            let until = rfc3339(until);
            let detail = format!("another bidder may answer until {until}");
            HttpError::new(Code::OfferRunning, detail).with("until", until)
        }
        AuctionRefusal::OfferEndsInPast => {
            HttpError::at(Code::InvalidField, "until", "must be in the future")
        }
        AuctionRefusal::NothingLeft => {
            HttpError::new(Code::NothingToOffer, "every lot is promised or paid")
        }
        AuctionRefusal::NobodyLeft => HttpError::new(
            Code::NothingToOffer,
            "everybody who could be asked has won, given up, declined or let the offer run out",
        ),
        AuctionRefusal::NoOffer => HttpError::new(Code::NoOffer, "no lot is offered for this bid"),
        AuctionRefusal::OfferExpired { until } => {
            let until = rfc3339(until);
            let detail = format!("it could be answered before {until}");
            HttpError::new(Code::OfferExpired, detail).with("until", until)
        }
        AuctionRefusal::BidsUndecided { .. } => HttpError::new(
            Code::Overloaded,
            "bids from before the end still wait for their verdicts",
        ),
        // What only the clock and other sellers are told.
        AuctionRefusal::AlreadyOpen
        | AuctionRefusal::TooEarly { .. }
        | AuctionRefusal::NotTheSeller
        | AuctionRefusal::NotTheBidder => HttpError::new(
            Code::InvalidParameter,
            format!("not now: {}", refusal_reason(refusal).replace('_', " ")),
        ),
    }
}

/// A bid that was stored and refused: its final verdict, with the bid.
pub fn of_bid(bid: &BidRecord) -> HttpError {
    let error = match bid.reason.as_deref().unwrap_or_default() {
        "too_low" => too_low(bid.price, bid.least),
        "late" | "closed" => closed(bid.price),
        "cancelled" => cancelled(),
        "not_open_yet" => not_open(None),
        "own_lot" => own_lot(),
        "no_maximum" => no_maximum(),
        "maximum_below_bid" => maximum_below_bid(),
        "wrong_currency" => wrong_currency(None),
        reason => HttpError::new(
            Code::InvalidParameter,
            format!("not now: {}", reason.replace('_', " ")),
        ),
    };
    let error = error.with_json("bid", BidView::decided(bid).to_json());
    match bid.ends_at {
        Some(at) => error.with("endTime", rfc3339(at)),
        None => error,
    }
}
