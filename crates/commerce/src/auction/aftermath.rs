//! After the close: who pays, who gives up, and who is asked next.
//!
//! A lot that has no live award (won or paid) is free: after a close below the reserve, or
//! when a winner forfeits. It is offered to one bidder at a time, in rank order, for the own
//! maximum: what that bidder declared to pay, and never above it. Nobody is asked twice.

use serde::{Deserialize, Serialize};

use super::bidder::Bidder;
use super::contest::Standing;
use super::event::{AuctionEvent, AuctionRefusal, UnsoldReason};
use super::state::{Auction, AuctionStatus};
use crate::Millis;
use crate::money::Money;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AwardStatus {
    Won,
    Settled,
    Forfeited,
    /// A second-chance offer, open before this moment.
    Offered {
        until: Millis,
    },
    Declined,
}

/// One bidder's claim to one lot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Award {
    pub bidder: Bidder,
    /// The number of the bid it rests on, and the sequence in that bid's id.
    pub no: u64,
    pub bid: u64,
    pub price: Money,
    pub status: AwardStatus,
}

impl Award {
    pub(super) fn new(standing: &Standing, price: Money, status: AwardStatus) -> Self {
        Self {
            bidder: standing.bidder.clone(),
            no: standing.no,
            bid: standing.bid,
            price,
            status,
        }
    }

    /// Won or paid: the lot is this bidder's.
    pub fn is_live(&self) -> bool {
        match self.status {
            AwardStatus::Won | AwardStatus::Settled => true,
            AwardStatus::Forfeited | AwardStatus::Offered { .. } | AwardStatus::Declined => false,
        }
    }
}

impl Auction {
    /// A winner has paid. When all have, the auction is settled.
    pub fn settle(&mut self, bidder: &Bidder) -> Result<Vec<AuctionEvent>, AuctionRefusal> {
        let award = self.unpaid(bidder)?;
        award.status = AwardStatus::Settled;
        let mut events = vec![AuctionEvent::LotSettled {
            bidder: award.bidder.clone(),
            price: award.price,
        }];
        self.follow_awards(&mut events);
        Ok(events)
    }

    /// A winner will not pay.
    pub fn forfeit(&mut self, bidder: &Bidder) -> Result<Vec<AuctionEvent>, AuctionRefusal> {
        let award = self.unpaid(bidder)?;
        award.status = AwardStatus::Forfeited;
        let mut events = vec![AuctionEvent::Forfeited {
            bidder: award.bidder.clone(),
        }];
        self.follow_awards(&mut events);
        Ok(events)
    }

    /// Offers a free lot to the next bidder, until a moment. An offer that has run out without
    /// an answer is declined by this.
    ///
    /// Refusals come first, in this order: not closed, ends in the past, another offer runs,
    /// nothing left, nobody left.
    pub fn offer_second_chance(
        &mut self,
        until: Millis,
        now: Millis,
    ) -> Result<Vec<AuctionEvent>, AuctionRefusal> {
        self.was_closed()?;
        if until <= now {
            return Err(AuctionRefusal::OfferEndsInPast);
        }
        let running = self.offer();
        if let Some((_, until)) = running
            && now < until
        {
            return Err(AuctionRefusal::OfferRuns { until });
        }
        let live = self.awards.iter().filter(|award| award.is_live()).count();
        if live as u64 >= u64::from(self.terms.lots) {
            return Err(AuctionRefusal::NothingLeft);
        }
        let asked = |s: &&Standing| !self.awards.iter().any(|award| award.bidder == s.bidder);
        let next = self.contest.standing.iter().find(asked);
        let next = next.ok_or(AuctionRefusal::NobodyLeft)?;
        let award = Award::new(next, next.maximum, AwardStatus::Offered { until });

        let mut events = Vec::with_capacity(2);
        if let Some((at, _)) = running {
            self.decline(at, &mut events);
        }
        events.push(AuctionEvent::Offered {
            bidder: award.bidder.clone(),
            price: award.price,
            until,
        });
        self.awards.push(award);
        Ok(events)
    }

    /// The bidder who has the offer takes it, before it ends, or declines it.
    pub fn answer_offer(
        &mut self,
        bidder: &Bidder,
        accept: bool,
        now: Millis,
    ) -> Result<Vec<AuctionEvent>, AuctionRefusal> {
        self.was_closed()?;
        let (at, until) = self.offer().ok_or(AuctionRefusal::NoOffer)?;
        if self.awards[at].bidder != *bidder {
            return Err(AuctionRefusal::NoOffer);
        }
        if now >= until {
            return Err(AuctionRefusal::OfferExpired { until });
        }
        let mut events = Vec::new();
        if accept {
            let award = &mut self.awards[at];
            award.status = AwardStatus::Won;
            events.push(AuctionEvent::OfferAccepted {
                bidder: award.bidder.clone(),
                price: award.price,
            });
            self.status = AuctionStatus::Closed;
        } else {
            self.decline(at, &mut events);
        }
        Ok(events)
    }

    /// Whether this bidder's lot is paid, given up ... already: to say so again changes nothing.
    pub fn has_award(&self, bidder: &Bidder, status: AwardStatus) -> bool {
        let mut awards = self.awards.iter();
        awards.any(|award| award.bidder == *bidder && award.status == status)
    }

    /// Whether the offer that rests on this bid was answered so already.
    pub fn has_answered(&self, bid: u64, accept: bool) -> bool {
        let offered = &self.awards[self.won_at_close()..];
        offered.iter().any(|award| {
            let answer = match award.status {
                AwardStatus::Won | AwardStatus::Settled => Some(true),
                AwardStatus::Declined => Some(false),
                // Who took it and then gave it up is not asked any more.
                AwardStatus::Forfeited | AwardStatus::Offered { .. } => None,
            };
            award.bid == bid && answer == Some(accept)
        })
    }

    fn decline(&mut self, at: usize, events: &mut Vec<AuctionEvent>) {
        self.awards[at].status = AwardStatus::Declined;
        events.push(AuctionEvent::OfferDeclined {
            bidder: self.awards[at].bidder.clone(),
        });
    }

    /// Where among the awards the last offer without an answer is, and until when it runs.
    fn offer(&self) -> Option<(usize, Millis)> {
        let mut awards = self.awards.iter().enumerate();
        awards.find_map(|(at, award)| match award.status {
            AwardStatus::Offered { until } => Some((at, until)),
            AwardStatus::Won
            | AwardStatus::Settled
            | AwardStatus::Forfeited
            | AwardStatus::Declined => None,
        })
    }

    fn unpaid(&mut self, bidder: &Bidder) -> Result<&mut Award, AuctionRefusal> {
        self.was_closed()?;
        let unpaid = |a: &&mut Award| a.bidder == *bidder && a.status == AwardStatus::Won;
        let award = self.awards.iter_mut().find(unpaid);
        award.ok_or(AuctionRefusal::NotAWinner)
    }

    fn was_closed(&self) -> Result<(), AuctionRefusal> {
        if self.status.was_closed() {
            return Ok(());
        }
        Err(AuctionRefusal::NotClosed {
            status: self.status,
        })
    }

    fn follow_awards(&mut self, events: &mut Vec<AuctionEvent>) {
        let has = |status| self.awards.iter().any(|award| award.status == status);
        if has(AwardStatus::Won) {
            return;
        }
        if has(AwardStatus::Settled) {
            self.status = AuctionStatus::Settled;
            events.push(AuctionEvent::Settled);
        } else {
            self.status = AuctionStatus::Unsold;
            let reason = UnsoldReason::Forfeited;
            events.push(AuctionEvent::Unsold { reason });
        }
    }
}
