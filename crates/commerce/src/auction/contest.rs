//! Who leads at which price: the part of an auction that a retraction computes anew.
//!
//! What always holds here: the standing bidders are in rank order, one entry a bidder; nobody
//! below the last one kept has a higher maximum; the price is at most every leader's maximum.
//! It does not know who may bid or when: applying a bid never fails.

use serde::{Deserialize, Serialize};

use super::bidder::Bidder;
use super::state::AdmittedBid;
use super::terms::{Format, Terms};
use crate::money::Money;

/// How many bidders behind the leaders are kept, for second-chance offers. The first of them
/// is also the second price.
pub const RUNNERS_UP_MAX: usize = 5;

/// A bidder with the best of the own bids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    pub bidder: Bidder,
    /// The highest amount, which the bidder stands at whatever others do.
    pub amount: Money,
    pub maximum: Money,
    /// The number of the bid that reached the maximum, and the sequence in its id.
    pub no: u64,
    pub bid: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contest {
    /// What the leaders would pay. Hidden in sealed formats.
    pub price: Money,
    pub reserve_met: bool,
    /// The best bidders in rank order: as many as there are lots lead, the rest are next.
    pub standing: Vec<Standing>,
}

impl Contest {
    pub fn new(terms: &Terms) -> Self {
        Self {
            price: terms.starting_price,
            reserve_met: false,
            standing: Vec::new(),
        }
    }

    pub fn leaders(&self, terms: &Terms) -> &[Standing] {
        &self.standing[..self.standing.len().min(lots(terms))]
    }

    pub fn leading(&self, terms: &Terms, bidder: &Bidder) -> Option<&Standing> {
        self.leaders(terms).iter().find(|s| s.bidder == *bidder)
    }

    /// Every lot has a leader.
    pub fn is_full(&self, terms: &Terms) -> bool {
        self.standing.len() >= lots(terms)
    }

    pub(super) fn apply(&mut self, terms: &Terms, bid: &AdmittedBid) {
        match terms.format {
            Format::English => {
                let led = self.leading(terms, &bid.bidder).is_some();
                self.rank(terms, bid);
                self.raise_price(terms, led);
            }
            Format::SealedFirst => {
                self.rank(terms, bid);
                self.price = self.standing[0].maximum;
            }
            Format::SealedSecond => {
                self.rank(terms, bid);
                let second = self.standing.get(1).map(|s| s.maximum);
                self.price = second.map_or(self.price, |second| self.price.max(second));
            }
            Format::Dutch { .. } => {
                self.rank(terms, bid);
                self.price = terms.scheduled_price(bid.admitted_at);
            }
        }
        self.meet_reserve(terms);
        self.check(terms);
    }

    /// Somebody takes the lot at the buy-now price, which is above every maximum.
    pub(super) fn buy_now(&mut self, terms: &Terms, bid: &AdmittedBid) {
        self.rank(terms, bid);
        assert_eq!(
            self.standing[0].no, bid.no,
            "buy-now is closed once a maximum reaches it"
        );
        self.price = bid.amount;
        self.reserve_met = terms.reserve_price.is_some();
        self.check(terms);
    }

    fn rank(&mut self, terms: &Terms, bid: &AdmittedBid) {
        let known = self.standing.iter().position(|s| s.bidder == bid.bidder);
        let entry = match known.map(|at| self.standing.remove(at)) {
            Some(mut own) => {
                own.amount = own.amount.max(bid.amount);
                if bid.maximum > own.maximum {
                    own.maximum = bid.maximum;
                    own.no = bid.no;
                    own.bid = bid.bid;
                }
                own
            }
            None => Standing {
                bidder: bid.bidder.clone(),
                amount: bid.amount,
                maximum: bid.maximum,
                no: bid.no,
                bid: bid.bid,
            },
        };
        let ahead = |other: &Standing| {
            other.maximum > entry.maximum || (other.maximum == entry.maximum && other.no < entry.no)
        };
        let at = self.standing.partition_point(ahead);
        self.standing.insert(at, entry);
        // Maxima only rise, so whoever falls off comes back only with a better bid.
        self.standing.truncate(lots(terms) + RUNNERS_UP_MAX);
    }

    fn raise_price(&mut self, terms: &Terms, led: bool) {
        if !self.is_full(terms) {
            return;
        }
        let leaders = self.leaders(terms);
        let last = &leaders[leaders.len() - 1];
        let stood_at = leaders.iter().map(|s| s.amount).min();
        let mut price = stood_at.map_or(self.price, |amount| self.price.max(amount));
        if !led && let Some(next) = self.standing.get(leaders.len()) {
            let above = terms.increment.above(next.maximum);
            price = price.max(above.map_or(last.maximum, |above| above.min(last.maximum)));
        }
        self.price = price;
    }

    fn meet_reserve(&mut self, terms: &Terms) {
        let Some(reserve) = terms.reserve_price else {
            return;
        };
        if self.standing[0].maximum >= reserve {
            self.reserve_met = true;
            self.price = self.price.max(reserve);
        }
    }

    fn check(&self, terms: &Terms) {
        let leaders = self.leaders(terms);
        let last = &leaders[leaders.len() - 1];
        assert!(
            self.price <= last.maximum,
            "the price is above a leader's maximum"
        );
    }
}

fn lots(terms: &Terms) -> usize {
    usize::try_from(terms.lots).expect("few lots")
}
