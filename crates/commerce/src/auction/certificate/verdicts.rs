//! Deferred bids and their verdicts: one each, in the order of admission.

use std::collections::{BTreeMap, BTreeSet};

use super::data::{SealedBid, SealedVerdict};
use super::report::Findings;
use crate::Millis;

/// A `bid.placed` that waits for its verdict.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) at: Millis,
    /// If it was opened.
    pub(super) sealed: Option<SealedBid>,
}

#[derive(Debug, Default)]
pub(super) struct Verdicts {
    waiting: BTreeMap<u64, Waiting>,
    decided: BTreeSet<u64>,
}

impl Verdicts {
    pub(super) fn place(&mut self, seq: u64, waiting: Waiting) {
        self.waiting.insert(seq, waiting);
    }

    /// Takes out the bid that this verdict is about: the deferred one it names, which must be
    /// the next, or one that was not deferred, which overtakes nobody.
    pub(super) fn decide(
        &mut self,
        placed: Option<u64>,
        findings: &mut Findings,
    ) -> Option<Waiting> {
        let Some(placed) = placed else {
            self.check_turn(findings);
            return None;
        };
        let waiting = self.waiting.remove(&placed);
        if self.decided.contains(&placed) {
            findings.tell(format!("is a second verdict about entry {placed}"));
        } else if waiting.is_none() {
            findings.tell(format!(
                "is a verdict about entry {placed}, no deferred bid"
            ));
        } else {
            if self
                .waiting
                .first_key_value()
                .is_some_and(|(first, _)| *first < placed)
            {
                self.check_turn(findings);
            }
            self.decided.insert(placed);
        }
        waiting
    }

    /// Bids are decided in the order of their admission, and nothing else comes in between.
    pub(super) fn check_turn(&self, findings: &mut Findings) {
        if let Some((first, _)) = self.waiting.first_key_value() {
            findings.tell(format!("overtakes the bid of entry {first}"));
        }
    }

    /// Nothing that was admitted in time may still wait when the end has come.
    pub(super) fn check_close(&self, ends_at: Millis, findings: &mut Findings) {
        for (seq, waiting) in &self.waiting {
            if waiting.at < ends_at {
                findings.tell(format!("leaves the bid of entry {seq} without a verdict"));
            }
        }
    }

    pub(super) fn waiting(&self) -> u64 {
        self.waiting.len() as u64
    }
}

/// Whether a verdict opens to what was admitted, and when that was. Says whether no other
/// entry shows the moment of admission.
pub(super) fn check_admission(
    sealed: &SealedVerdict,
    waiting: Option<&Waiting>,
    at: Millis,
    findings: &mut Findings,
) -> bool {
    let Some(waiting) = waiting else {
        findings.expect(sealed.admitted_at <= at, "was admitted after its verdict");
        return sealed.admitted_at < at;
    };
    findings.same("admittedAt", &sealed.admitted_at, &waiting.at);
    if let Some(placed) = &waiting.sealed {
        let same = placed.bidder == sealed.bidder
            && placed.amount == sealed.amount
            && placed.maximum == sealed.maximum;
        findings.expect(same, "decides another bid than was placed");
    }
    false
}
