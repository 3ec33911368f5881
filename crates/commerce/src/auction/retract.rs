//! A bidder takes a bid back, within the terms: the only command that needs all bids.

use super::bidder::Bidder;
use super::contest::Contest;
use super::event::{AuctionEvent, AuctionRefusal};
use super::state::{AdmittedBid, Auction};
use super::terms::Terms;
use crate::Millis;

/// The most bids, retracted ones included, that an auction may have taken for one to be retracted:
/// a replay reads them all, and holds up everybody else.
pub const REPLAY_BIDS_MAX: u64 = 10_000;

/// The number of the bid in its auction, who asks, and when that was durably taken in.
#[derive(Debug, Clone)]
pub struct RetractCommand {
    pub no: u64,
    pub by: Bidder,
    pub admitted_at: Millis,
}

/// The contest as these bids alone would have made it.
fn replay<'a>(terms: &Terms, bids: impl Iterator<Item = &'a AdmittedBid>) -> Contest {
    let mut contest = Contest::new(terms);
    for bid in bids {
        contest.apply(terms, bid);
    }
    contest
}

impl Auction {
    /// `standing` are all bids that were taken and not retracted, the one in question
    /// included, by rising number. What the others were admitted for they stay admitted for:
    /// a replay refuses nothing.
    ///
    /// Refusals come first, in this order: too many bids (see [`check_replay`](Self::check_replay)), cancelled, closed, late, no retraction in these terms, no such bid, already
    /// retracted, not the bidder, too late for this bid.
    pub fn retract(
        &mut self,
        command: &RetractCommand,
        standing: &[AdmittedBid],
    ) -> Result<Vec<AuctionEvent>, AuctionRefusal> {
        self.check_replay(command.admitted_at)?;
        assert_eq!(
            standing.len() as u64,
            self.bids_standing,
            "a replay needs every standing bid"
        );
        assert!(
            standing.windows(2).all(|pair| pair[0].no < pair[1].no),
            "a replay needs the log's order"
        );
        self.check_retraction(command, standing)?;

        let led = self.leaders();
        let others = standing.iter().filter(|bid| bid.no != command.no);
        self.contest = replay(&self.terms, others);
        self.bids_standing -= 1;
        let sealed = self.is_sealed();
        let mut events = vec![AuctionEvent::Retracted {
            no: command.no,
            bidder: command.by.clone(),
            price: (!sealed).then_some(self.contest.price),
            reserve_met: self.shown_reserve(),
        }];
        self.tell_outbid(&led, &mut events);
        if !sealed {
            self.tell_regained(&led, &mut events);
        }
        Ok(events)
    }

    /// What is refused whichever bid it is: look before all bids are loaded.
    pub fn check_replay(&self, at: Millis) -> Result<(), AuctionRefusal> {
        if self.bids > REPLAY_BIDS_MAX {
            return Err(AuctionRefusal::TooManyBids { bids: self.bids });
        }
        self.not_over()?;
        if at >= self.ends_at {
            return Err(self.late_refusal(at));
        }
        match self.terms.retraction {
            Some(_) => Ok(()),
            None => Err(AuctionRefusal::NoRetraction),
        }
    }

    /// Until when a bid that was admitted then may be taken back; none where bids stand.
    pub fn retraction_until(&self, admitted_at: Millis) -> Option<Millis> {
        let rule = self.terms.retraction?;
        let noticed = admitted_at.saturating_add(rule.within_ms);
        Some(noticed.min(self.ends_at.saturating_sub(rule.before_end_ms)))
    }

    fn check_retraction(
        &self,
        command: &RetractCommand,
        standing: &[AdmittedBid],
    ) -> Result<(), AuctionRefusal> {
        if !(1..=self.bids).contains(&command.no) {
            return Err(AuctionRefusal::NoSuchBid);
        }
        let found = standing.binary_search_by_key(&command.no, |bid| bid.no);
        let bid = found.map_err(|_| AuctionRefusal::AlreadyRetracted)?;
        let bid = &standing[bid];
        if bid.bidder != command.by {
            return Err(AuctionRefusal::NotTheBidder);
        }
        let until = self
            .retraction_until(bid.admitted_at)
            .ok_or(AuctionRefusal::NoRetraction)?;
        if command.admitted_at >= until {
            return Err(AuctionRefusal::RetractionTooLate { until });
        }
        Ok(())
    }

    fn tell_regained(&self, led: &[Bidder], events: &mut Vec<AuctionEvent>) {
        for leader in self.contest.leaders(&self.terms) {
            if !led.contains(&leader.bidder) {
                events.push(AuctionEvent::Regained {
                    bidder: leader.bidder.clone(),
                    price: self.contest.price,
                });
            }
        }
    }
}
