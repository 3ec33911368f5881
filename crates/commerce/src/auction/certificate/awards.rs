//! After the close: who has paid, given up or been asked, and what status that makes.

use std::collections::BTreeMap;

use super::super::aftermath::AwardStatus;
use super::super::bidder::Bidder;
use super::super::state::AuctionStatus;
use super::data::{Answered, Forfeited, Masked, Offered, Settled, Winner};
use super::report::{Claimed, Findings};
use crate::Millis;
use crate::money::Money;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    Won,
    Paid,
    Forfeited,
    Offered,
    Declined,
}

/// Whoever has, had or was offered a lot.
#[derive(Debug)]
pub(super) struct Awards {
    lots: u64,
    claims: BTreeMap<Bidder, (Claim, Money)>,
    won: u64,
    paid: u64,
    /// Who has an offer, and until when it runs.
    offered: Option<(Bidder, Millis)>,
    status: AuctionStatus,
    first_price: Option<Money>,
}

impl Awards {
    pub(super) fn new(lots: u32, winners: &[Winner]) -> Self {
        let claim = |winner: &Winner| (winner.bidder.clone(), (Claim::Won, winner.price));
        let claims: BTreeMap<_, _> = winners.iter().map(claim).collect();
        Self {
            lots: lots.into(),
            won: claims.len() as u64,
            paid: 0,
            offered: None,
            status: if claims.is_empty() {
                AuctionStatus::Unsold
            } else {
                AuctionStatus::Closed
            },
            first_price: winners.first().map(|winner| winner.price),
            claims,
        }
    }

    /// What the first who was to have a lot was to pay.
    pub(super) fn first_price(&self) -> Option<Money> {
        self.first_price
    }

    pub(super) fn claimed(&self) -> Vec<Claimed> {
        let until = self.offered.as_ref().map_or(0, |(_, until)| *until);
        let claims = self.claims.iter().map(|(bidder, (claim, price))| Claimed {
            bidder: bidder.clone(),
            price: *price,
            status: match claim {
                Claim::Won => AwardStatus::Won,
                Claim::Paid => AwardStatus::Settled,
                Claim::Forfeited => AwardStatus::Forfeited,
                Claim::Offered => AwardStatus::Offered { until },
                Claim::Declined => AwardStatus::Declined,
            },
        });
        claims.collect()
    }

    pub(super) fn settle(&mut self, said: &Settled, findings: &mut Findings) {
        if let Some(price) = self.unpaid(&said.bidder, Claim::Paid, findings) {
            self.paid += 1;
            findings.same("price", &said.price, &price);
        }
        self.follow();
        findings.same("status", &said.status, &self.status);
    }

    pub(super) fn forfeit(&mut self, said: &Forfeited, findings: &mut Findings) {
        self.unpaid(&said.bidder, Claim::Forfeited, findings);
        self.follow();
        findings.same("status", &said.status, &self.status);
    }

    /// The offer must go to the first of the rank who was not asked, for the own maximum.
    pub(super) fn check_next<'a>(
        &self,
        said: &Offered,
        mut rank: impl Iterator<Item = (&'a Bidder, i128)>,
        findings: &mut Findings,
    ) {
        match rank.find(|(bidder, _)| !self.claims.contains_key(*bidder)) {
            Some((bidder, maximum)) => {
                findings.expect(said.bidder == *bidder, "offers the lot out of turn");
                findings.same("price", &i128::from(said.price.minor()), &maximum);
            }
            None => findings.tell("offers the lot when everybody was asked"),
        }
    }

    pub(super) fn offer(&mut self, said: &Offered, at: Millis, findings: &mut Findings) {
        if self.won + self.paid >= self.lots {
            findings.tell("offers a lot that is not free");
        }
        findings.expect(said.until > at, "offers until a moment that has passed");
        if let Some(status) = said.status {
            findings.same("status", &status, &self.status);
        }
        let running = self.offered.take();
        if let Some((bidder, until)) = &running {
            findings.expect(at >= *until, "offers while another offer runs");
            self.decline(bidder);
        }
        let declined = said.declined.as_ref().map(|Masked(bidder)| bidder);
        findings.same(
            "declined",
            &declined,
            &running.as_ref().map(|(bidder, _)| bidder),
        );
        let claim = (Claim::Offered, said.price);
        if self.claims.contains_key(&said.bidder) {
            return findings.tell("offers the lot to somebody for the second time");
        }
        self.claims.insert(said.bidder.clone(), claim);
        self.first_price.get_or_insert(said.price);
        self.offered = Some((said.bidder.clone(), said.until));
    }

    pub(super) fn answer(&mut self, said: &Answered, at: Millis, findings: &mut Findings) {
        match self.offered.take() {
            Some((bidder, until)) if bidder == said.bidder => {
                findings.expect(at < until, "answers an offer that has run out");
                self.decide(said, findings);
            }
            Some(_) | None => findings.tell("answers an offer that the bidder does not have"),
        }
        findings.same("status", &said.status, &self.status);
    }

    fn decide(&mut self, said: &Answered, findings: &mut Findings) {
        let Some((claim, price)) = self.claims.get_mut(&said.bidder) else {
            return;
        };
        if said.accepted {
            *claim = Claim::Won;
            self.won += 1;
            self.status = AuctionStatus::Closed;
            findings.same("price", &said.price, &Some(*price));
        } else {
            *claim = Claim::Declined;
            findings.expect(said.price.is_none(), "names a price for what was declined");
        }
    }

    fn decline(&mut self, bidder: &Bidder) {
        if let Some((claim, _)) = self.claims.get_mut(bidder) {
            *claim = Claim::Declined;
        }
    }

    /// Moves on a lot that was won and not paid, and says for how much.
    fn unpaid(&mut self, bidder: &Bidder, to: Claim, findings: &mut Findings) -> Option<Money> {
        let claim = self.claims.get_mut(bidder);
        let Some((claim, price)) = claim.filter(|(claim, _)| *claim == Claim::Won) else {
            findings.tell("is about somebody who holds no lot that is unpaid");
            return None;
        };
        *claim = to;
        self.won -= 1;
        Some(*price)
    }

    fn follow(&mut self) {
        self.status = if self.won > 0 {
            AuctionStatus::Closed
        } else if self.paid > 0 {
            AuctionStatus::Settled
        } else {
            AuctionStatus::Unsold
        };
    }
}
