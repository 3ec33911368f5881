//! What the events of one command are as one entry, with masked names and nothing that is to
//! stay hidden.

use std::borrow::Cow;

use commerce::auction::{AuctionEvent, AuctionRefusal, CloseReason, UnsoldReason};
use commerce::{Millis, Money};

use super::super::Batch;
use crate::auction::{AuctionData, StoredAuction, WinnerData};
use crate::entry::Kind;

/// What a bid that was taken changed; amount and bidder are the caller's to add.
pub(super) fn bid_data<'a>(stored: &StoredAuction, events: &[AuctionEvent]) -> AuctionData<'a> {
    let auction = &stored.auction;
    let mut data = AuctionData {
        ends_at: Some(auction.ends_at),
        bids: Some(auction.bids_standing),
        ..AuctionData::default()
    };
    for event in events {
        match event {
            AuctionEvent::BidAccepted {
                bid,
                raise,
                price,
                leading,
            } => {
                data.no = Some(bid.no);
                data.raise = raise.then_some(true);
                data.price = *price;
                data.leading = *leading;
            }
            AuctionEvent::Outbid { bidder, .. } => data.outbid.push(stored.mask(bidder).into()),
            AuctionEvent::ReserveMet { .. } => data.reserve_met = Some(true),
            AuctionEvent::Extended { .. } => data.extended = Some(true),
            // A close is an entry of its own.
            AuctionEvent::Closed { .. } | AuctionEvent::Unsold { .. } => {}
            AuctionEvent::Opened
            | AuctionEvent::Regained { .. }
            | AuctionEvent::Retracted { .. }
            | AuctionEvent::Cancelled
            | AuctionEvent::LotSettled { .. }
            | AuctionEvent::Settled
            | AuctionEvent::Forfeited { .. }
            | AuctionEvent::Offered { .. }
            | AuctionEvent::OfferAccepted { .. }
            | AuctionEvent::OfferDeclined { .. } => unreachable!("no bid leads to {event:?}"),
        }
    }
    data
}

/// What a refused bidder is told beside the reason.
pub(super) fn refusal_data<'a>(
    stored: &StoredAuction,
    refusal: &AuctionRefusal,
) -> AuctionData<'a> {
    let (price, least): (Option<Money>, Option<Money>) = match refusal {
        AuctionRefusal::TooLow { price, least } | AuctionRefusal::NoBuyNow { price, least } => {
            (*price, *least)
        }
        AuctionRefusal::Late { price, .. } | AuctionRefusal::Closed { price } => (*price, None),
        AuctionRefusal::WrongCurrency { .. }
        | AuctionRefusal::NoMaximum
        | AuctionRefusal::MaximumBelowBid
        | AuctionRefusal::Cancelled
        | AuctionRefusal::NotOpenYet { .. }
        | AuctionRefusal::OwnLot
        | AuctionRefusal::AlreadyOpen
        | AuctionRefusal::TooEarly { .. }
        | AuctionRefusal::BidsUndecided { .. }
        | AuctionRefusal::NotTheSeller
        | AuctionRefusal::TooManyBids { .. }
        | AuctionRefusal::NoRetraction
        | AuctionRefusal::NoSuchBid
        | AuctionRefusal::NotTheBidder
        | AuctionRefusal::AlreadyRetracted
        | AuctionRefusal::RetractionTooLate { .. }
        | AuctionRefusal::NotClosed { .. }
        | AuctionRefusal::NotAWinner
        | AuctionRefusal::OfferRuns { .. }
        | AuctionRefusal::OfferEndsInPast
        | AuctionRefusal::NothingLeft
        | AuctionRefusal::NobodyLeft
        | AuctionRefusal::NoOffer
        | AuctionRefusal::OfferExpired { .. } => (None, None),
    };
    AuctionData {
        price,
        least,
        ends_at: Some(stored.auction.ends_at),
        ..AuctionData::default()
    }
}

pub(super) fn retraction_data<'a>(
    stored: &StoredAuction,
    events: &[AuctionEvent],
) -> AuctionData<'a> {
    let mut data = AuctionData {
        ends_at: Some(stored.auction.ends_at),
        bids: Some(stored.auction.bids_standing),
        ..AuctionData::default()
    };
    for event in events {
        match event {
            AuctionEvent::Retracted {
                no,
                bidder,
                price,
                reserve_met,
            } => {
                data.no = Some(*no);
                data.bidder = Some(stored.mask(bidder).into());
                data.price = *price;
                data.reserve_met = *reserve_met;
            }
            AuctionEvent::Outbid { bidder, .. } => data.outbid.push(stored.mask(bidder).into()),
            AuctionEvent::Regained { bidder, .. } => {
                data.regained.push(stored.mask(bidder).into());
            }
            AuctionEvent::Opened
            | AuctionEvent::BidAccepted { .. }
            | AuctionEvent::ReserveMet { .. }
            | AuctionEvent::Extended { .. }
            | AuctionEvent::Closed { .. }
            | AuctionEvent::Unsold { .. }
            | AuctionEvent::Cancelled
            | AuctionEvent::LotSettled { .. }
            | AuctionEvent::Settled
            | AuctionEvent::Forfeited { .. }
            | AuctionEvent::Offered { .. }
            | AuctionEvent::OfferAccepted { .. }
            | AuctionEvent::OfferDeclined { .. } => {
                unreachable!("no retraction leads to {event:?}")
            }
        }
    }
    data
}

const fn close_reason(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::EndTime => "end_time",
        CloseReason::BoughtNow => "bought_now",
        CloseReason::Taken => "taken",
    }
}

const fn unsold_reason(reason: UnsoldReason) -> &'static str {
    match reason {
        UnsoldReason::NoBids => "no_bids",
        UnsoldReason::BelowReserve => "below_reserve",
        UnsoldReason::Forfeited => "forfeited",
    }
}

impl Batch {
    /// Writes the close, if this event is one; why nothing was sold is among the others.
    pub(super) fn tell_close(&mut self, seq: u64, event: &AuctionEvent, all: &[AuctionEvent]) {
        let AuctionEvent::Closed {
            reason,
            price,
            winners,
        } = event
        else {
            return;
        };
        let unsold = all.iter().find_map(|event| {
            let AuctionEvent::Unsold { reason } = event else {
                return None;
            };
            Some(unsold_reason(*reason).into())
        });
        let stored = self.stored(seq);
        let winners = winners
            .iter()
            .map(|award| WinnerData {
                bidder: stored.mask(&award.bidder).into(),
                no: award.no,
                price: award.price,
            })
            .collect();
        let data = AuctionData {
            status: Some(stored.auction.status),
            reason: Some(close_reason(*reason).into()),
            unsold_reason: unsold,
            price: *price,
            winners: Some(winners),
            ends_at: Some(stored.auction.ends_at),
            bids: Some(stored.auction.bids_standing),
            ..AuctionData::default()
        };
        self.record_life(seq, Kind::AuctionClosed, data);
    }

    /// Writes what a command after the close led to, one entry for each fact.
    pub(super) fn tell_aftermath(&mut self, seq: u64, events: &[AuctionEvent]) {
        let status = Some(self.stored(seq).auction.status);
        let mut declined: Option<Cow<'_, str>> = None;
        for event in events {
            let mask = |bidder| Some(Cow::from(self.stored(seq).mask(bidder)));
            let (kind, data) = match event {
                AuctionEvent::LotSettled { bidder, price } => (
                    Kind::AuctionSettled,
                    facts(mask(bidder), Some(*price), None),
                ),
                AuctionEvent::Forfeited { bidder } => {
                    (Kind::AuctionForfeited, facts(mask(bidder), None, None))
                }
                AuctionEvent::Offered {
                    bidder,
                    price,
                    until,
                } => {
                    let mut data = facts(mask(bidder), Some(*price), Some(*until));
                    data.declined = declined.take();
                    (Kind::AuctionOffered, data)
                }
                AuctionEvent::OfferAccepted { bidder, price } => {
                    let mut data = facts(mask(bidder), Some(*price), None);
                    data.accepted = Some(true);
                    (Kind::AuctionOfferAnswered, data)
                }
                // An offer that ran out is told with the next one.
                AuctionEvent::OfferDeclined { bidder } if events.len() > 1 => {
                    declined = mask(bidder);
                    continue;
                }
                AuctionEvent::OfferDeclined { bidder } => {
                    let mut data = facts(mask(bidder), None, None);
                    data.accepted = Some(false);
                    (Kind::AuctionOfferAnswered, data)
                }
                // The status says it.
                AuctionEvent::Settled | AuctionEvent::Unsold { .. } => continue,
                AuctionEvent::Opened
                | AuctionEvent::BidAccepted { .. }
                | AuctionEvent::Outbid { .. }
                | AuctionEvent::Regained { .. }
                | AuctionEvent::ReserveMet { .. }
                | AuctionEvent::Extended { .. }
                | AuctionEvent::Retracted { .. }
                | AuctionEvent::Closed { .. }
                | AuctionEvent::Cancelled => unreachable!("nothing after the close is {event:?}"),
            };
            let with_status = AuctionData { status, ..data };
            self.record_life(seq, kind, with_status);
        }
    }
}

fn facts(
    bidder: Option<Cow<'_, str>>,
    price: Option<Money>,
    until: Option<Millis>,
) -> AuctionData<'_> {
    AuctionData {
        bidder,
        price,
        until,
        ..AuctionData::default()
    }
}
