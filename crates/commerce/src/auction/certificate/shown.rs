//! What can be said without the sealed texts: that what was public does not contradict itself.

use std::collections::BTreeSet;

use super::super::bidder::Bidder;
use super::super::terms::{Format, Terms};
use super::checker::Stage;
use super::data::{Accepted, Masked, Reason, Refused, Retracted};
use super::report::Findings;
use crate::Millis;
use crate::money::Money;

#[derive(Debug)]
pub(super) struct Shown {
    english: bool,
    lots: usize,
    start: Money,
    buy_now: Option<Money>,
    /// The price that was shown last; the starting price before.
    price: Money,
    leaders: BTreeSet<Bidder>,
}

impl Shown {
    pub(super) fn new(terms: &Terms) -> Self {
        Self {
            english: terms.format == Format::English,
            lots: usize::try_from(terms.lots).unwrap_or(usize::MAX),
            start: terms.starting_price,
            buy_now: terms.buy_now_price,
            price: terms.starting_price,
            leaders: BTreeSet::new(),
        }
    }

    pub(super) fn accepted(&mut self, said: &Accepted, findings: &mut Findings) {
        if self.english {
            let amount = said.amount.unwrap_or(self.start);
            findings.expect(amount >= self.start, "takes a bid below the starting price");
            let price = said.price.unwrap_or(self.price);
            findings.expect(price >= self.price, "lowers the price");
            self.price = price;
            let led = self.leaders.contains(&said.bidder);
            findings.expect(led || !said.raise, "raises for somebody who does not lead");
            let loses = led && said.leading == Some(false);
            findings.expect(!loses, "takes the lead from the bidder by an own bid");
        }
        if said.buy_now {
            let right =
                self.buy_now.is_some() && said.amount == self.buy_now && said.price == self.buy_now;
            findings.expect(right, "is not for the buy-now price");
        }
        self.lose(&said.outbid, findings);
        if said.leading == Some(true) {
            self.leaders.insert(said.bidder.clone());
        }
        self.check_leaders(findings);
    }

    /// `times` are the admission as far as it is known, and start and end of the auction.
    pub(super) fn refused(
        &self,
        said: &Refused,
        stage: Stage,
        times: (Millis, Millis, Millis),
        findings: &mut Findings,
    ) {
        let (at, starts_at, ends_at) = times;
        let right = match said.reason {
            Reason::Closed => stage == Stage::Closed,
            Reason::Cancelled => stage == Stage::Cancelled,
            Reason::Late => at >= ends_at,
            // A message may have been sent before it was decided: only a deferred bid tells.
            Reason::NotOpenYet => said.placed.is_none() || at < starts_at,
            Reason::TooLow => match (said.amount, said.least) {
                (Some(amount), Some(least)) => amount < least,
                (Some(_), None) | (None, _) => true,
            },
            Reason::OwnLot
            | Reason::WrongCurrency
            | Reason::NoMaximum
            | Reason::MaximumBelowBid
            | Reason::NoBuyNow => true,
        };
        if !right {
            findings.tell(format!("was refused as {:?}, and was not", said.reason));
        }
        if self.english && said.price.is_some() {
            findings.same("price", &said.price, &Some(self.price));
        }
    }

    pub(super) fn retracted(&mut self, said: &Retracted, findings: &mut Findings) {
        if self.english {
            let price = said.price.unwrap_or(self.price);
            // Not at most the price before: without the bid, another one may count for more.
            findings.expect(price >= self.start, "lowers the price below the start");
            self.price = price;
        }
        self.lose(&said.outbid, findings);
        for Masked(bidder) in &said.regained {
            let new = self.leaders.insert(bidder.clone());
            findings.expect(new, "says that a leader leads again");
        }
        self.check_leaders(findings);
    }

    fn lose(&mut self, outbid: &[Masked], findings: &mut Findings) {
        for Masked(bidder) in outbid {
            let led = self.leaders.remove(bidder);
            findings.expect(led, "says that somebody was outbid who did not lead");
        }
    }

    fn check_leaders(&self, findings: &mut Findings) {
        let few = self.leaders.len() <= self.lots;
        findings.expect(few, "leaves more leaders than there are lots");
    }
}
