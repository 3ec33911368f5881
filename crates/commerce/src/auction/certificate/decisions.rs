//! What was decided about bids, and whether it says so consistently: numbers, counts, ends,
//! and what its format lets it show. Whether it was right is looked at by [`Opened`], or as far
//! as that goes without the sealed texts, by [`Shown`].

use super::super::bidder::Bidder;
use super::super::event::CloseReason;
use super::super::terms::{Format, Terms};
use super::awards::Awards;
use super::checker::{Stage, read};
use super::data::{Accepted, Reason, Refused, Retracted, SealedBid, SealedVerdict, Winner};
use super::opened::Opened;
use super::report::Findings;
use super::shown::Shown;
use super::verdicts::{Verdicts, Waiting, check_admission};
use crate::Millis;

/// Where in the log an entry stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) seq: u64,
    pub(super) at: Millis,
}

/// A bid that was let in.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) bidder: Bidder,
    pub(super) retracted: bool,
}

#[derive(Debug)]
pub(super) enum View {
    Opened(Box<Opened>),
    Shown(Shown),
}

#[derive(Debug)]
pub(super) struct Decisions {
    pub(super) terms: Terms,
    pub(super) seller: Bidder,
    pub(super) verdicts: Verdicts,
    pub(super) taken: Vec<Taken>,
    pub(super) standing: u64,
    /// The newest `bid.accepted`, 0 before the first.
    last_bid: u64,
    pub(super) refused_bids: u64,
    pub(super) on_trust: u64,
    pub(super) ends_at: Millis,
    /// How a bid ended the auction, if one did.
    pub(super) hammer: Option<CloseReason>,
    pub(super) view: View,
    /// From the close on.
    pub(super) awards: Option<Awards>,
    pub(super) won: Vec<Winner>,
}

impl Decisions {
    pub(super) fn new(terms: Terms, seller: Bidder, opened: bool) -> Option<Self> {
        let view = if opened {
            View::Opened(Box::new(Opened::new(&terms, &seller)?))
        } else {
            View::Shown(Shown::new(&terms))
        };
        Some(Self {
            ends_at: terms.ends_at,
            terms,
            seller,
            verdicts: Verdicts::default(),
            taken: Vec::new(),
            standing: 0,
            last_bid: 0,
            refused_bids: 0,
            on_trust: 0,
            hammer: None,
            view,
            awards: None,
            won: Vec::new(),
        })
    }

    pub(super) fn starts_at(&self) -> Millis {
        self.terms.starts_at
    }

    pub(super) fn bids(&self) -> u64 {
        self.taken.len() as u64
    }

    pub(super) fn winners(&self) -> &[Winner] {
        &self.won
    }

    /// Amounts, prices and leaders are hidden until the close.
    pub(super) fn is_sealed(&self) -> bool {
        match self.terms.format {
            Format::SealedFirst | Format::SealedSecond => true,
            Format::English | Format::Dutch { .. } => false,
        }
    }

    pub(super) fn placed(&mut self, sealed: Option<&str>, place: Place, findings: &mut Findings) {
        let sealed = sealed.and_then(|text| read::<SealedBid>(text, findings));
        let at = place.at;
        self.verdicts.place(place.seq, Waiting { at, sealed });
    }

    pub(super) fn accepted(
        &mut self,
        said: &Accepted,
        sealed: Option<&str>,
        place: Place,
        findings: &mut Findings,
    ) {
        findings.same("no", &said.no, &(self.bids() + 1));
        if let Some(before) = said.prev_bid {
            findings.same("prevBid", &before, &self.last_bid);
        }
        self.check_visibility(said, findings);
        self.check_end(said, findings);
        let waiting = self.verdicts.decide(said.placed, findings);
        if said.buy_now && said.placed.is_some() {
            findings.tell("buys a deferred bid now");
        }
        let is_dutch = matches!(self.terms.format, Format::Dutch { .. });
        findings.expect(is_dutch || !said.won, "wins before the close");
        let sealed = self.verdict(sealed, waiting.as_ref(), place.at, findings);
        match &mut self.view {
            View::Opened(opened) => opened.accepted(said, sealed.as_ref(), findings),
            View::Shown(shown) => shown.accepted(said, findings),
        }
        self.taken.push(Taken {
            bidder: said.bidder.clone(),
            retracted: false,
        });
        self.standing += 1;
        findings.same("bids", &said.bids, &self.standing);
        self.last_bid = place.seq;
        self.ends_at = said.ends_at;
        self.hammer = match self.terms.format {
            Format::Dutch { .. } => Some(CloseReason::Taken),
            Format::English | Format::SealedFirst | Format::SealedSecond => said
                .buy_now
                .then_some(CloseReason::BoughtNow)
                .or(self.hammer),
        };
    }

    pub(super) fn refused(
        &mut self,
        said: &Refused,
        sealed: Option<&str>,
        stage: Stage,
        place: Place,
        findings: &mut Findings,
    ) {
        self.refused_bids += 1;
        findings.same("endsAt", &said.ends_at, &self.ends_at);
        let shows = said.amount.is_some();
        findings.same("that there is an amount", &shows, &!self.is_sealed());
        let about_amount = matches!(said.reason, Reason::TooLow | Reason::NoBuyNow);
        if !about_amount && said.least.is_some() {
            findings.tell("names a least bid, and was not too low");
        }
        if said.reason == Reason::NoBuyNow && said.placed.is_some() {
            findings.tell("refuses a deferred bid as a buy-now");
        }
        let waiting = self.verdicts.decide(said.placed, findings);
        let waits_since = waiting.as_ref().map(|waiting| waiting.at);
        let sealed = self.verdict(sealed, waiting.as_ref(), place.at, findings);
        let after_close = self.awards.as_ref().map(Awards::first_price);
        match &mut self.view {
            View::Opened(opened) => {
                opened.refused(said, sealed.as_ref(), stage, after_close, findings);
            }
            View::Shown(shown) => {
                let at = waits_since.unwrap_or(place.at);
                let times = (at, self.terms.starts_at, self.ends_at);
                shown.refused(said, stage, times, findings);
                let own_lot = said.reason == Reason::OwnLot;
                if own_lot && said.bidder != self.seller {
                    findings.tell("is not the seller's own lot");
                }
            }
        }
    }

    pub(super) fn retracted(&mut self, said: &Retracted, place: Place, findings: &mut Findings) {
        let index = usize::try_from(said.no.wrapping_sub(1)).ok();
        let taken = index.and_then(|index| self.taken.get_mut(index));
        let Some(taken) = taken.filter(|taken| !taken.retracted) else {
            return findings.tell(format!("retracts bid {}, which does not stand", said.no));
        };
        taken.retracted = true;
        self.standing -= 1;
        self.verdicts.check_turn(findings);
        if let Some(ends_at) = said.ends_at {
            findings.same("endsAt", &ends_at, &self.ends_at);
        }
        findings.same("bids", &said.bids, &self.standing);
        if said.bidder != taken.bidder {
            findings.tell("retracts somebody else's bid");
        }
        if self.is_sealed() && (said.price.is_some() || said.reserve_met.is_some()) {
            findings.tell("shows what its format hides");
        }
        match &mut self.view {
            View::Opened(opened) => opened.retracted(said, place.at, findings),
            View::Shown(shown) => shown.retracted(said, findings),
        }
    }

    /// The sealed side of a verdict, and whether it is about what was admitted.
    fn verdict(
        &mut self,
        sealed: Option<&str>,
        waiting: Option<&Waiting>,
        at: Millis,
        findings: &mut Findings,
    ) -> Option<SealedVerdict> {
        let sealed = sealed.and_then(|text| read::<SealedVerdict>(text, findings))?;
        self.on_trust += u64::from(check_admission(&sealed, waiting, at, findings));
        Some(sealed)
    }

    fn check_visibility(&self, said: &Accepted, findings: &mut Findings) {
        if self.is_sealed() {
            let hidden = said.amount.is_none()
                && said.price.is_none()
                && said.leading.is_none()
                && said.outbid.is_empty()
                && !said.raise
                && !said.buy_now
                && !said.reserve_met;
            findings.expect(hidden, "shows what its format hides");
        } else {
            let shown = said.amount.is_some() && said.price.is_some() && said.leading.is_some();
            findings.expect(shown, "hides what its format shows");
        }
    }

    fn check_end(&self, said: &Accepted, findings: &mut Findings) {
        let (from, to) = (self.ends_at, said.ends_at);
        let last = self.terms.soft_close.map_or(from, |soft| soft.hard_end);
        if to < from || to > last.max(from) {
            findings.tell("moves the end to where the terms do not let it");
        }
        findings.same("extended", &said.extended, &(to > from));
    }
}
