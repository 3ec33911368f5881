//! The auction as somebody in the room would follow it, entry by entry.

use super::super::bidder::Bidder;
use super::super::state::AdmittedBid;
use super::super::terms::{Format, Terms};
use super::book::Book;
use super::{Breach, Entry, Outcome, Winner};
use crate::Millis;
use crate::money::{Money, PRICE_MAX};

/// How many bids all retractions of one log together may have gone through again: a thousand
/// retractions of a hundred thousand bids. Each one replays every bid that stands, so a log
/// made for it could keep a verifier busy for years.
pub const REPLAYED_BIDS_MAX: u64 = 1 << 27;

/// A bid before its decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub bidder: Bidder,
    pub amount: Money,
    pub maximum: Money,
    pub admitted_at: Millis,
}

/// Why a bid must be refused by what it asks for, or by when, while the auction runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    NoMaximum,
    MaximumBelowBid,
    NotOpenYet,
    Late,
    OwnLot,
    TooLow {
        /// In minor units; none if no amount is that high.
        least: Option<i128>,
    },
}

#[derive(Debug)]
pub struct Replay {
    terms: Terms,
    seller: Bidder,
    /// Every bid, and whether it was retracted.
    taken: Vec<(AdmittedBid, bool)>,
    standing: u64,
    book: Book,
    ends_at: Millis,
    /// The bid that ended the auction before its time, and what it pays.
    hammer: Option<(Winner, i128)>,
    /// Bids that retractions have gone through again.
    replayed: u64,
}

impl Replay {
    pub fn new(terms: Terms, seller: Bidder) -> Result<Self, Breach> {
        // Whoever wrote the log, no number in it may overflow below.
        terms.check(terms.starts_at).map_err(|_| Breach::Terms)?;
        Ok(Self {
            seller,
            taken: Vec::new(),
            standing: 0,
            book: Book::new(&terms),
            ends_at: terms.ends_at,
            hammer: None,
            replayed: 0,
            terms,
        })
    }

    /// After a breach the replay is of no use any more.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Breach> {
        let (no, at) = match entry {
            Entry::Bid(bid) | Entry::BuyNow(bid) => (bid.no, bid.admitted_at),
            Entry::Retracted {
                no, admitted_at, ..
            } => (*no, *admitted_at),
        };
        if self.hammer.is_some() {
            return Err(Breach::AfterTheEnd { no });
        }
        if at < self.terms.starts_at || at >= self.ends_at {
            return Err(Breach::OutOfTime { no });
        }
        match entry {
            Entry::Bid(bid) => {
                self.check_bidder(bid)?;
                self.bid(bid)
            }
            Entry::BuyNow(bid) => {
                self.check_bidder(bid)?;
                self.buy_now(bid)
            }
            Entry::Retracted {
                no,
                by,
                admitted_at,
            } => self.retract(*no, by, *admitted_at),
        }
    }

    /// Why this bid must be refused now, the first reason first; none if it must be taken.
    pub fn refused(&self, offer: &Offer) -> Option<Refused> {
        let refused = self.misshapen(offer);
        let refused = refused.or_else(|| self.barred(offer));
        refused.or_else(|| {
            let least = self.least_for(&offer.bidder, offer.admitted_at);
            let too_low = i128::from(offer.amount.minor()) < least && !self.is_raise(offer);
            too_low.then(|| Refused::TooLow {
                least: self.least_valid(&offer.bidder, offer.admitted_at),
            })
        })
    }

    /// What is wrong with it whatever it offers.
    pub fn barred(&self, offer: &Offer) -> Option<Refused> {
        if offer.admitted_at < self.terms.starts_at {
            Some(Refused::NotOpenYet)
        } else if offer.admitted_at >= self.ends_at {
            Some(Refused::Late)
        } else {
            (offer.bidder == self.seller).then_some(Refused::OwnLot)
        }
    }

    /// What is wrong with it whenever it comes.
    pub fn misshapen(&self, offer: &Offer) -> Option<Refused> {
        if self.terms.format != Format::English && offer.maximum != offer.amount {
            Some(Refused::NoMaximum)
        } else {
            (offer.maximum < offer.amount).then_some(Refused::MaximumBelowBid)
        }
    }

    /// Whether a leader only raises the own maximum by it.
    pub fn is_raise(&self, offer: &Offer) -> bool {
        let amount = i128::from(offer.amount.minor());
        self.terms.format == Format::English
            && amount >= i128::from(self.terms.starting_price.minor())
            && offer.maximum >= offer.amount
            && self
                .book
                .is_raise(&offer.bidder, amount, offer.maximum.minor().into())
    }

    /// The least valid bid in minor units; none if no amount is that high.
    pub fn least_valid(&self, bidder: &Bidder, at: Millis) -> Option<i128> {
        let least = self.least_for(bidder, at);
        (least <= i128::from(PRICE_MAX)).then_some(least)
    }

    /// The buy-now price in minor units, while it is to be had.
    pub fn buy_now_price(&self) -> Option<i128> {
        let price = i128::from(self.terms.buy_now_price?.minor());
        let reached = self.book.highest().is_some_and(|highest| highest >= price);
        let reserve_met = self.book.reserve_met() == Some(true);
        (!reached && !reserve_met).then_some(price)
    }

    /// What anyone may see of the price at this moment, in minor units; none in a sealed format.
    pub fn price(&self, at: Millis) -> Option<i128> {
        if let Some((_, price)) = self.hammer {
            return Some(price);
        }
        match self.terms.format {
            Format::English => Some(self.book.price()),
            Format::SealedFirst | Format::SealedSecond => None,
            Format::Dutch { .. } => Some(self.fallen_price(at)),
        }
    }

    /// Whether the reserve is met, as anyone may see it before the close.
    pub fn reserve_met(&self) -> Option<bool> {
        match self.terms.format {
            Format::English | Format::Dutch { .. } => self.book.reserve_met(),
            Format::SealedFirst | Format::SealedSecond => None,
        }
    }

    pub fn leaders(&self) -> Vec<Bidder> {
        let leaders = self.book.leaders();
        leaders.map(|(bidder, _, _)| bidder.clone()).collect()
    }

    pub fn leads(&self, bidder: &Bidder) -> bool {
        self.book.leads(bidder).is_some()
    }

    /// The leader whom a new one would outbid, once every lot has one.
    pub fn last_leader(&self) -> Option<&Bidder> {
        self.book.leaders().last().map(|(bidder, _, _)| bidder)
    }

    /// Everybody, best first, with the maximum in minor units.
    pub fn rank(&self) -> impl Iterator<Item = (&Bidder, i128)> {
        let rank = self.book.rank();
        rank.map(|(bidder, maximum, _)| (bidder, maximum))
    }

    pub fn ends_at(&self) -> Millis {
        self.ends_at
    }

    /// How many bids stand.
    pub fn standing(&self) -> u64 {
        self.standing
    }

    /// The result if it ended here.
    pub fn outcome(&self) -> Outcome {
        let mut outcome = Outcome {
            winners: Vec::new(),
            price: None,
            ends_at: self.ends_at,
        };
        if let Some((winner, price)) = &self.hammer {
            outcome.winners.push(winner.clone());
            outcome.price = Some(*price);
            return outcome;
        }
        let Some(highest) = self.book.highest() else {
            return outcome;
        };
        let reserve = self.terms.reserve_price.map_or(-1, |r| r.minor().into());
        if highest < reserve {
            return outcome;
        }
        let start = i128::from(self.terms.starting_price.minor());
        let second = self.book.second().unwrap_or(start);
        outcome.price = Some(match self.terms.format {
            Format::English => self.book.price(),
            Format::SealedFirst => highest,
            Format::SealedSecond => second.max(start).max(reserve),
            Format::Dutch { .. } => unreachable!("its first bid ends it"),
        });
        let winner = |(bidder, _, no): (&Bidder, i128, u64)| Winner {
            bidder: bidder.clone(),
            no,
        };
        outcome.winners = self.book.leaders().map(winner).collect();
        outcome
    }

    fn check_bidder(&self, bid: &AdmittedBid) -> Result<(), Breach> {
        let no = bid.no;
        if no != self.taken.len() as u64 + 1 {
            return Err(Breach::Number { no });
        }
        if bid.bidder == self.seller {
            return Err(Breach::OwnLot { no });
        }
        Ok(())
    }

    fn bid(&mut self, bid: &AdmittedBid) -> Result<(), Breach> {
        let offer = Offer {
            bidder: bid.bidder.clone(),
            amount: bid.amount,
            maximum: bid.maximum,
            admitted_at: bid.admitted_at,
        };
        if self.refused(&offer).is_some() {
            return Err(Breach::TooLow { no: bid.no });
        }
        match self.terms.format {
            Format::English if self.is_raise(&offer) => {}
            Format::English => self.extend(bid.admitted_at),
            Format::SealedFirst | Format::SealedSecond => {}
            Format::Dutch { .. } => self.strike(bid, self.fallen_price(bid.admitted_at)),
        }
        self.take(bid);
        Ok(())
    }

    fn take(&mut self, bid: &AdmittedBid) {
        self.book.enter(bid);
        self.taken.push((bid.clone(), false));
        self.standing += 1;
    }

    fn strike(&mut self, bid: &AdmittedBid, price: i128) {
        let winner = Winner {
            bidder: bid.bidder.clone(),
            no: bid.no,
        };
        self.hammer = Some((winner, price));
    }

    fn extend(&mut self, at: Millis) {
        if let Some(soft) = &self.terms.soft_close
            && self.ends_at - at <= soft.window_ms
        {
            self.ends_at = soft
                .hard_end
                .min(at.saturating_add(soft.extend_ms))
                .max(self.ends_at);
        }
    }

    fn least_for(&self, bidder: &Bidder, at: Millis) -> i128 {
        match self.terms.format {
            Format::English => self.book.least_for(bidder),
            Format::SealedFirst | Format::SealedSecond => self.terms.starting_price.minor().into(),
            Format::Dutch { .. } => self.fallen_price(at),
        }
    }

    /// The price of a dutch auction at a moment, before somebody takes it.
    fn fallen_price(&self, at: Millis) -> i128 {
        let start = i128::from(self.terms.starting_price.minor());
        let Format::Dutch {
            step,
            every_ms,
            floor,
        } = &self.terms.format
        else {
            return start;
        };
        let starts_at = self.terms.starts_at;
        let steps = (at.clamp(starts_at, self.ends_at) - starts_at) / every_ms;
        let fallen = i128::from(step.minor()) * i128::from(steps);
        (start - fallen).max(i128::from(floor.minor()))
    }

    fn buy_now(&mut self, bid: &AdmittedBid) -> Result<(), Breach> {
        let breach = Breach::BuyNow { no: bid.no };
        let price = self.buy_now_price().ok_or(breach)?;
        let offered = [bid.amount, bid.maximum].map(|money| i128::from(money.minor()));
        if offered != [price; 2] {
            return Err(breach);
        }
        self.strike(bid, price);
        self.take(bid);
        Ok(())
    }

    fn retract(&mut self, no: u64, by: &Bidder, at: Millis) -> Result<(), Breach> {
        let breach = Breach::Retraction { no };
        let rule = self.terms.retraction.ok_or(breach)?;
        let at_index = usize::try_from(no.wrapping_sub(1)).map_err(|_| breach)?;
        let (bid, retracted) = self.taken.get_mut(at_index).ok_or(breach)?;
        let too_old = at.saturating_sub(bid.admitted_at) >= rule.within_ms;
        let too_late = self.ends_at - at <= rule.before_end_ms;
        if *retracted || bid.bidder != *by || too_old || too_late {
            return Err(breach);
        }
        *retracted = true;
        self.standing -= 1;
        self.replayed = self.replayed.saturating_add(self.taken.len() as u64);
        if self.replayed > REPLAYED_BIDS_MAX {
            return Err(Breach::TooMuch { no });
        }
        self.book = Book::new(&self.terms);
        for (bid, _) in self.taken.iter().filter(|(_, retracted)| !retracted) {
            self.book.enter(bid);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
