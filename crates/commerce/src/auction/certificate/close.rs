//! The close: when, why, who and for how much.

use super::super::event::{CloseReason, UnsoldReason};
use super::super::state::AuctionStatus;
use super::awards::Awards;
use super::data::{Closed, Fact};
use super::decisions::{Decisions, View};
use super::report::{Claimed, Findings};
use crate::Millis;

impl Decisions {
    pub(super) fn close(&mut self, said: &Closed, at: Millis, findings: &mut Findings) {
        findings.same("endsAt", &said.ends_at, &self.ends_at);
        findings.same("bids", &said.bids, &self.standing);
        let reason = self.hammer.unwrap_or(CloseReason::EndTime);
        findings.same("reason", &said.reason, &reason);
        if reason == CloseReason::EndTime {
            findings.expect(at >= self.ends_at, "closes before the end");
            self.verdicts.check_close(self.ends_at, findings);
        }
        self.check_status(said, findings);
        self.check_winners(said, findings);
        self.won.clear();
        let won = said.winners.iter();
        self.won.extend(won.map(|winner| super::data::Winner {
            bidder: winner.bidder.clone(),
            no: winner.no,
            price: winner.price,
        }));
        self.awards = Some(Awards::new(self.terms.lots, &self.won));
    }

    pub(super) fn after_the_close(&mut self, fact: &Fact, at: Millis, findings: &mut Findings) {
        let Some(awards) = &mut self.awards else {
            return findings.tell("comes without a close before it");
        };
        match fact {
            Fact::Settled(said) => awards.settle(said, findings),
            Fact::Forfeited(said) => awards.forfeit(said, findings),
            Fact::Offered(said) => {
                if let View::Opened(opened) = &self.view
                    && let Some(rank) = opened.next()
                {
                    awards.check_next(said, rank, findings);
                }
                awards.offer(said, at, findings);
            }
            Fact::Answered(said) => awards.answer(said, at, findings),
            Fact::Created(_)
            | Fact::Opened(_)
            | Fact::Placed(_)
            | Fact::Accepted(_)
            | Fact::Refused(_)
            | Fact::Retracted(_)
            | Fact::ClosingSoon(_)
            | Fact::Closed(_)
            | Fact::Cancelled(_) => {}
        }
    }

    pub(super) fn claimed(&self) -> Vec<Claimed> {
        self.awards.as_ref().map_or_else(Vec::new, Awards::claimed)
    }

    fn check_status(&self, said: &Closed, findings: &mut Findings) {
        let sold = !said.winners.is_empty();
        let status = if sold {
            AuctionStatus::Closed
        } else {
            AuctionStatus::Unsold
        };
        findings.same("status", &said.status, &status);
        let unsold = if sold {
            None
        } else if self.standing == 0 {
            Some(UnsoldReason::NoBids)
        } else {
            Some(UnsoldReason::BelowReserve)
        };
        findings.same("unsoldReason", &said.unsold_reason, &unsold);
        let price = said.winners.first().map(|winner| winner.price);
        findings.same("price", &said.price, &price);
    }

    fn check_winners(&self, said: &Closed, findings: &mut Findings) {
        for winner in &said.winners {
            let index = usize::try_from(winner.no.wrapping_sub(1)).ok();
            let bid = index.and_then(|index| self.taken.get(index));
            let stands = bid.is_some_and(|bid| !bid.retracted && bid.bidder == winner.bidder);
            findings.expect(stands, "names a winner without a bid that stands");
        }
        let View::Opened(opened) = &self.view else {
            return;
        };
        let Some(outcome) = opened.outcome() else {
            return;
        };
        let told = said
            .winners
            .iter()
            .map(|winner| (&winner.bidder, winner.no));
        let right = outcome.winners.iter().map(|won| (&won.bidder, won.no));
        if !told.eq(right) {
            findings.tell("winners are not those that the bids make");
        }
        for winner in &said.winners {
            let price = Some(i128::from(winner.price.minor()));
            findings.same("the price of a winner", &price, &outcome.price);
        }
    }
}
