//! Winner and price recomputed from the log of one auction, for the audit.
//!
//! Written from the rules in the module's text and apart from the state machine: it shares
//! only the plain data of [`Terms`] and [`AdmittedBid`] with it, keeps every bidder, counts in
//! `i128`, and also says which entry should never have been let in.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::bidder::Bidder;
use super::increment::Increment;
use super::state::AdmittedBid;
use super::terms::{Format, Terms};
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
}

/// Plays the log from the first entry to the last.
pub fn outcome(terms: &Terms, seller: &Bidder, log: &[Entry]) -> Result<Outcome, Breach> {
    // Whoever wrote the log, no number in it may overflow below.
    terms.check(terms.starts_at).map_err(|_| Breach::Terms)?;
    let mut hall = Hall {
        terms,
        taken: Vec::new(),
        book: Book::new(terms),
        ends_at: terms.ends_at,
        hammer: None,
    };
    for entry in log {
        let (no, at) = match entry {
            Entry::Bid(bid) | Entry::BuyNow(bid) => (bid.no, bid.admitted_at),
            Entry::Retracted {
                no, admitted_at, ..
            } => (*no, *admitted_at),
        };
        if hall.hammer.is_some() {
            return Err(Breach::AfterTheEnd { no });
        }
        if at < terms.starts_at || at >= hall.ends_at {
            return Err(Breach::OutOfTime { no });
        }
        match entry {
            Entry::Bid(bid) => {
                hall.check_bidder(bid, seller)?;
                hall.bid(bid)?;
            }
            Entry::BuyNow(bid) => {
                hall.check_bidder(bid, seller)?;
                hall.buy_now(bid)?;
            }
            Entry::Retracted {
                no,
                by,
                admitted_at,
            } => hall.retract(*no, by, *admitted_at)?,
        }
    }
    Ok(hall.result())
}

/// The auction as somebody in the room would follow it.
struct Hall<'a> {
    terms: &'a Terms,
    /// Every bid, and whether it was retracted.
    taken: Vec<(&'a AdmittedBid, bool)>,
    book: Book<'a>,
    ends_at: Millis,
    /// The bid that ended the auction before its time, and what it pays.
    hammer: Option<(&'a AdmittedBid, i128)>,
}

impl<'a> Hall<'a> {
    fn check_bidder(&self, bid: &AdmittedBid, seller: &Bidder) -> Result<(), Breach> {
        let no = bid.no;
        if no != self.taken.len() as u64 + 1 {
            return Err(Breach::Number { no });
        }
        if bid.bidder == *seller {
            return Err(Breach::OwnLot { no });
        }
        Ok(())
    }

    fn bid(&mut self, bid: &'a AdmittedBid) -> Result<(), Breach> {
        let no = bid.no;
        let amount = i128::from(bid.amount.minor());
        let maximum = i128::from(bid.maximum.minor());
        let start = i128::from(self.terms.starting_price.minor());
        let valid = match &self.terms.format {
            Format::English => {
                let raise = self.book.is_raise(bid);
                if !raise {
                    let valid = maximum >= amount && amount >= self.book.least_for(&bid.bidder);
                    self.extend(bid.admitted_at);
                    valid
                } else {
                    amount >= start && maximum >= amount
                }
            }
            Format::SealedFirst | Format::SealedSecond => amount >= start && maximum == amount,
            Format::Dutch {
                step,
                every_ms,
                floor,
            } => {
                let steps = (bid.admitted_at - self.terms.starts_at) / every_ms;
                let fallen = i128::from(step.minor()) * i128::from(steps);
                let price = (start - fallen).max(i128::from(floor.minor()));
                self.hammer = Some((bid, price));
                amount >= price && maximum == amount
            }
        };
        if !valid {
            return Err(Breach::TooLow { no });
        }
        self.taken.push((bid, false));
        self.book.enter(bid);
        Ok(())
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

    fn buy_now(&mut self, bid: &'a AdmittedBid) -> Result<(), Breach> {
        let no = bid.no;
        let highest = self.book.best.values().map(|best| best.maximum).max();
        let highest = highest.unwrap_or(-1);
        let price = self.terms.buy_now_price.ok_or(Breach::BuyNow { no })?;
        let minor = i128::from(price.minor());
        let reserve = self.terms.reserve_price;
        let reserve_met = reserve.is_some_and(|r| highest >= i128::from(r.minor()));
        if reserve_met || highest >= minor || bid.amount != price || bid.maximum != price {
            return Err(Breach::BuyNow { no });
        }
        self.taken.push((bid, false));
        self.hammer = Some((bid, minor));
        Ok(())
    }

    fn retract(&mut self, no: u64, by: &Bidder, at: Millis) -> Result<(), Breach> {
        let breach = Breach::Retraction { no };
        let rule = self.terms.retraction.ok_or(breach)?;
        let found = self.taken.iter_mut().find(|(bid, _)| bid.no == no);
        let (bid, retracted) = found.ok_or(breach)?;
        let too_old = at - bid.admitted_at >= rule.within_ms;
        let too_late = self.ends_at - at <= rule.before_end_ms;
        if *retracted || bid.bidder != *by || too_old || too_late {
            return Err(breach);
        }
        *retracted = true;
        self.book = Book::new(self.terms);
        for (bid, _) in self.taken.iter().filter(|(_, retracted)| !retracted) {
            self.book.enter(bid);
        }
        Ok(())
    }

    fn result(self) -> Outcome {
        let mut outcome = Outcome {
            winners: Vec::new(),
            price: None,
            ends_at: self.ends_at,
        };
        let winner = |bidder: &Bidder, no| Winner {
            bidder: bidder.clone(),
            no,
        };
        if let Some((bid, price)) = self.hammer {
            outcome.winners.push(winner(&bid.bidder, bid.no));
            outcome.price = Some(price);
            return outcome;
        }
        let rank: Vec<_> = self.book.rank.iter().collect();
        let Some(&&(Reverse(highest), _, _)) = rank.first() else {
            return outcome;
        };
        let reserve = self.terms.reserve_price.map_or(-1, |r| r.minor().into());
        if highest < reserve {
            return outcome;
        }
        let second = rank.get(1).map(|(Reverse(second), _, _)| *second);
        let start = i128::from(self.terms.starting_price.minor());
        outcome.price = Some(match self.terms.format {
            Format::English => self.book.price,
            Format::SealedFirst => highest,
            Format::SealedSecond => second.unwrap_or(start).max(start).max(reserve),
            Format::Dutch { .. } => unreachable!("its first bid ends it"),
        });
        let winners = rank.iter().take(self.book.lots);
        outcome.winners = winners.map(|(_, no, bidder)| winner(bidder, *no)).collect();
        outcome
    }
}

struct Best {
    amount: i128,
    maximum: i128,
    no: u64,
}

/// Every bidder's best, ranked, and the english price that came of it.
struct Book<'a> {
    lots: usize,
    start: i128,
    reserve: Option<i128>,
    increment: &'a Increment,
    best: BTreeMap<&'a Bidder, Best>,
    /// Highest maximum first, then the one reached first.
    rank: BTreeSet<(Reverse<i128>, u64, &'a Bidder)>,
    price: i128,
}

impl<'a> Book<'a> {
    fn new(terms: &'a Terms) -> Self {
        let start = i128::from(terms.starting_price.minor());
        Self {
            lots: usize::try_from(terms.lots).expect("few lots"),
            start,
            reserve: terms.reserve_price.map(|r| r.minor().into()),
            increment: &terms.increment,
            best: BTreeMap::new(),
            rank: BTreeSet::new(),
            price: start,
        }
    }

    fn step(&self, price: i128) -> i128 {
        match self.increment {
            Increment::Fixed(step) => step.minor().into(),
            Increment::Bands(bands) => {
                let fits = |band: &&super::Band| i128::from(band.from.minor()) <= price;
                let band = bands.iter().rev().find(fits).expect("a band from 0");
                band.step.minor().into()
            }
        }
    }

    fn leads(&self, bidder: &Bidder) -> Option<&Best> {
        let mut leaders = self.rank.iter().take(self.lots);
        let (_, _, leader) = leaders.find(|(_, _, leader)| *leader == bidder)?;
        self.best.get(*leader)
    }

    fn is_raise(&self, bid: &AdmittedBid) -> bool {
        self.leads(&bid.bidder).is_some_and(|own| {
            let amount = i128::from(bid.amount.minor());
            (amount <= self.price || amount <= own.amount)
                && i128::from(bid.maximum.minor()) > own.maximum
        })
    }

    fn least_for(&self, bidder: &Bidder) -> i128 {
        let beaten = match self.leads(bidder) {
            Some(own) => self.price.max(own.amount),
            None if self.rank.len() < self.lots => return self.start,
            None => self.price,
        };
        beaten + self.step(beaten)
    }

    fn enter(&mut self, bid: &'a AdmittedBid) {
        let led = self.leads(&bid.bidder).is_some();
        let amount = i128::from(bid.amount.minor());
        let maximum = i128::from(bid.maximum.minor());
        let best = self.best.entry(&bid.bidder).or_insert(Best {
            amount,
            maximum,
            no: bid.no,
        });
        self.rank
            .remove(&(Reverse(best.maximum), best.no, &bid.bidder));
        best.amount = best.amount.max(amount);
        if maximum > best.maximum {
            (best.maximum, best.no) = (maximum, bid.no);
        }
        self.rank
            .insert((Reverse(best.maximum), best.no, &bid.bidder));
        if self.rank.len() >= self.lots {
            self.set_price(led);
        }
        let (Reverse(highest), _, _) = self.rank.first().expect("just entered");
        if let Some(reserve) = self.reserve
            && *highest >= reserve
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
            lowest_amount = lowest_amount.min(self.best[*bidder].amount);
        }
        self.price = self.price.max(lowest_amount);
        if !led && let Some((Reverse(second), _, _)) = rank.next() {
            let contested = weakest.min(second + self.step(*second));
            self.price = self.price.max(contested);
        }
    }
}
