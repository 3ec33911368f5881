//! Who stands where, and the english price that came of it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::super::bidder::Bidder;
use super::super::increment::{Band, Increment};
use super::super::state::AdmittedBid;
use super::super::terms::Terms;

#[derive(Debug)]
pub(super) struct Best {
    amount: i128,
    maximum: i128,
    no: u64,
}

/// Highest maximum first, then the one reached first.
type Ranked = (Reverse<i128>, u64, Bidder);

/// Every bidder's best, ranked.
#[derive(Debug)]
pub(super) struct Book {
    lots: usize,
    start: i128,
    reserve: Option<i128>,
    increment: Increment,
    best: BTreeMap<Bidder, Best>,
    rank: BTreeSet<Ranked>,
    price: i128,
}

impl Book {
    pub(super) fn new(terms: &Terms) -> Self {
        let start = i128::from(terms.starting_price.minor());
        Self {
            lots: usize::try_from(terms.lots).expect("few lots"),
            start,
            reserve: terms.reserve_price.map(|r| r.minor().into()),
            increment: terms.increment.clone(),
            best: BTreeMap::new(),
            rank: BTreeSet::new(),
            price: start,
        }
    }

    pub(super) fn price(&self) -> i128 {
        self.price
    }

    pub(super) fn highest(&self) -> Option<i128> {
        self.rank.first().map(|(Reverse(highest), _, _)| *highest)
    }

    /// The highest maximum of the second bidder.
    pub(super) fn second(&self) -> Option<i128> {
        self.rank
            .iter()
            .nth(1)
            .map(|(Reverse(second), _, _)| *second)
    }

    pub(super) fn reserve_met(&self) -> Option<bool> {
        let reserve = self.reserve?;
        Some(self.highest().is_some_and(|highest| highest >= reserve))
    }

    /// Everybody, best first: the maximum and the bid that reached it.
    pub(super) fn rank(&self) -> impl Iterator<Item = (&Bidder, i128, u64)> {
        let rank = self.rank.iter();
        rank.map(|(Reverse(maximum), no, bidder)| (bidder, *maximum, *no))
    }

    pub(super) fn leaders(&self) -> impl Iterator<Item = (&Bidder, i128, u64)> {
        self.rank().take(self.lots)
    }

    pub(super) fn leads(&self, bidder: &Bidder) -> Option<&Best> {
        let own = self.best.get(bidder)?;
        // Two bidders never stand with the same bid.
        self.leaders().any(|(_, _, no)| no == own.no).then_some(own)
    }

    pub(super) fn is_raise(&self, bidder: &Bidder, amount: i128, maximum: i128) -> bool {
        let own = self.leads(bidder);
        own.is_some_and(|own| {
            (amount <= self.price || amount <= own.amount) && maximum > own.maximum
        })
    }

    pub(super) fn least_for(&self, bidder: &Bidder) -> i128 {
        let beaten = match self.leads(bidder) {
            Some(own) => self.price.max(own.amount),
            None if self.rank.len() < self.lots => return self.start,
            None => self.price,
        };
        beaten + self.step(beaten)
    }

    fn step(&self, price: i128) -> i128 {
        match &self.increment {
            Increment::Fixed(step) => step.minor().into(),
            Increment::Bands(bands) => {
                let fits = |band: &&Band| i128::from(band.from.minor()) <= price;
                let band = bands.iter().rev().find(fits).expect("a band from 0");
                band.step.minor().into()
            }
        }
    }

    pub(super) fn enter(&mut self, bid: &AdmittedBid) {
        let led = self.leads(&bid.bidder).is_some();
        let amount = i128::from(bid.amount.minor());
        let maximum = i128::from(bid.maximum.minor());
        let best = self.best.entry(bid.bidder.clone()).or_insert(Best {
            amount,
            maximum,
            no: bid.no,
        });
        self.rank
            .remove(&(Reverse(best.maximum), best.no, bid.bidder.clone()));
        best.amount = best.amount.max(amount);
        if maximum > best.maximum {
            (best.maximum, best.no) = (maximum, bid.no);
        }
        self.rank
            .insert((Reverse(best.maximum), best.no, bid.bidder.clone()));
        if self.rank.len() >= self.lots {
            self.set_price(led);
        }
        if let Some(reserve) = self.reserve
            && self.reserve_met() == Some(true)
        {
            self.price = self.price.max(reserve);
        }
    }

    fn set_price(&mut self, led: bool) {
        let mut rank = self.rank.iter();
        let mut weakest = i128::MAX;
        let mut lowest_amount = i128::MAX;
        for (Reverse(maximum), _, bidder) in rank.by_ref().take(self.lots) {
            weakest = weakest.min(*maximum);
            lowest_amount = lowest_amount.min(self.best[bidder].amount);
        }
        self.price = self.price.max(lowest_amount);
        if !led && let Some((Reverse(second), _, _)) = rank.next() {
            let contested = weakest.min(second + self.step(*second));
            self.price = self.price.max(contested);
        }
    }
}
