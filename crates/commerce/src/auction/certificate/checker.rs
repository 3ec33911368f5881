//! Goes through a line entry by entry: which may come when, and to whom it is handed.

use super::super::bidder::Bidder;
use super::super::state::AuctionStatus;
use super::chain::{EntryText, Head, Links, seal, unhex};
use super::data::{Created, Fact, SealedReserve, read_terms};
use super::decisions::{Decisions, Place};
use super::report::{Findings, Verified, Violations, Won};
use crate::Millis;
use crate::ids::AuctionId;

/// The most entries of one line that are looked at.
pub const ENTRIES_MAX: u64 = 5_000_000;

/// How far the auction has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Scheduled,
    Open,
    Closed,
    Cancelled,
}

/// Checks the line of one auction, oldest entry first. With the sealed texts of all entries or
/// with none; of an auction that still runs they are the store's own.
#[derive(Debug)]
pub struct Checker {
    auction: String,
    links: Links,
    findings: Findings,
    entries: u64,
    head_named: bool,
    /// Whether sealed texts are shown; none before the first that could be.
    opened: Option<bool>,
    /// None before `auction.created`.
    life: Option<(Stage, Decisions)>,
}

impl Checker {
    pub fn new(auction: &str) -> Self {
        let mut findings = Findings::default();
        if AuctionId::parse(auction).is_err() {
            findings.tell("auction is not the id of an auction");
        }
        Self {
            auction: auction.into(),
            links: Links::new(auction),
            findings,
            entries: 0,
            head_named: false,
            opened: None,
            life: None,
        }
    }

    /// The next entry. Whatever it says, this neither panics nor keeps more of it than its
    /// bid.
    pub fn check(&mut self, entry: &EntryText<'_>) {
        if self.entries == ENTRIES_MAX {
            self.findings.look_at_the_file();
            self.findings
                .tell(format!("has more than {ENTRIES_MAX} entries"));
        }
        self.entries = self.entries.saturating_add(1);
        if self.entries > ENTRIES_MAX {
            return;
        }
        self.findings.look_at(entry.seq);
        self.links.follow(entry, &mut self.findings);
        let fact = match Fact::read(&entry.kind, &entry.data) {
            Ok(fact) => fact,
            Err(what) => return self.findings.tell(what),
        };
        if fact.auction() != self.auction {
            self.findings.tell("is about another auction");
        }
        let sealed = self.open(&fact, entry);
        let place = Place {
            seq: entry.seq,
            at: entry.at,
        };
        if let Fact::Created(said) = &fact {
            self.create(said, sealed, place);
        } else if let Some((stage, decisions)) = &mut self.life {
            let findings = &mut self.findings;
            *stage = follow(*stage, decisions, &fact, sealed, place, findings);
        } else {
            self.findings.tell("comes before auction.created");
        }
    }

    /// What was found in all entries.
    pub fn finish(mut self) -> Result<Verified, Violations> {
        self.findings.look_at_the_file();
        if self.entries == 0 {
            self.findings.tell("has no entries");
        }
        self.findings.into_result()?;
        let (stage, decisions) = self.life.expect("an auction that is right was created");
        let won = decisions.winners().iter().map(|winner| Won {
            bidder: winner.bidder.clone(),
            no: winner.no,
            price: winner.price,
        });
        Ok(Verified {
            auction: self.auction,
            is_final: stage == Stage::Closed,
            opened: self.opened == Some(true),
            entries: self.entries,
            bids: decisions.bids(),
            refused: decisions.refused_bids,
            undecided: decisions.verdicts.waiting(),
            on_trust: decisions.on_trust,
            winners: won.collect(),
            awards: decisions.claimed(),
            ends_at: decisions.ends_at,
            head_seq: self.links.seq,
            head: self.links.head,
            head_named: self.head_named,
        })
    }

    /// Says something about the file as a whole.
    pub(super) fn tell_of_the_file(&mut self, what: &str) {
        self.findings.look_at_the_file();
        self.findings.tell(what);
    }

    /// Whether it may be shown, and is, with everything that was sealed.
    pub(super) fn check_final(&mut self, claimed: bool) {
        let stage = self.life.as_ref().map(|(stage, _)| *stage);
        let closed = stage == Some(Stage::Closed);
        if claimed != closed {
            self.tell_of_the_file(if claimed {
                "final is true, and there is no close"
            } else {
                "final is false, and the auction has been closed"
            });
        }
        if self.opened == Some(!claimed) {
            self.tell_of_the_file(if claimed {
                "final is true, and nothing is opened"
            } else {
                "final is false, and sealed texts are opened"
            });
        }
    }

    /// Whether the newest entry is the one that the file names.
    pub(super) fn check_head(&mut self, claimed: &Head<'_>) {
        self.findings.look_at_the_file();
        self.findings
            .same("head.seq", &claimed.seq, &self.links.seq);
        let is_right = unhex(&claimed.hash) == Some(self.links.head);
        self.findings
            .expect(is_right, "head.hash is not that of the newest entry");
        self.head_named = true;
    }

    /// The sealed text, if it is there and fits its seal.
    fn open<'a>(&mut self, fact: &Fact, entry: &'a EntryText<'_>) -> Option<&'a str> {
        let sealed = entry.sealed.as_deref();
        let Some(right) = fact.seal() else {
            let none = sealed.is_none();
            self.findings.expect(none, "opens what was never sealed");
            return None;
        };
        let opened = *self.opened.get_or_insert_with(|| sealed.is_some());
        match sealed {
            Some(_) if !opened => self.findings.tell("is opened, and others are not"),
            Some(text) if seal(text) != *right => {
                self.findings.tell("sealed does not fit its seal");
            }
            Some(_) => return sealed,
            None if opened => self.findings.tell("is not opened, and others are"),
            None => {}
        }
        None
    }

    fn create(&mut self, said: &Created, sealed: Option<&str>, place: Place) {
        let findings = &mut self.findings;
        if self.life.is_some() {
            return findings.tell("creates the auction again");
        }
        if self.entries != 1 {
            findings.tell("comes after other entries");
        }
        if AuctionId::parse(&self.auction).is_ok_and(|id| id.seq != place.seq) {
            findings.tell("is not the entry that the id of the auction names");
        }
        let mut terms = match read_terms(&said.terms) {
            Ok(terms) => terms,
            Err(what) => return findings.tell(what),
        };
        let mut opened = self.opened == Some(true);
        if opened {
            let reserve = sealed.and_then(|text| read::<SealedReserve>(text, findings));
            // Without the reserve nothing can be made anew, and that it is missing was told.
            opened = reserve.is_some();
            terms.reserve_price = reserve.and_then(|sealed| sealed.reserve_price);
        }
        if let Err((field, why)) = terms.check(place.at) {
            return findings.tell(format!("terms.{field} {why}"));
        }
        if terms.starts_at < place.at {
            findings.tell("terms.startsAt is before the auction was created");
        }
        let seller: Bidder = said.seller.clone();
        match Decisions::new(terms, seller, opened) {
            Some(decisions) => self.life = Some((Stage::Scheduled, decisions)),
            None => findings.tell("terms are none that an auction is created with"),
        }
    }
}

/// Reads a sealed text.
pub(super) fn read<'a, T: serde::Deserialize<'a>>(
    text: &'a str,
    findings: &mut Findings,
) -> Option<T> {
    let sealed = serde_json::from_str(text);
    sealed
        .map_err(|why| findings.tell(format!("sealed cannot be read: {why}")))
        .ok()
}

/// Hands an entry to whom it concerns, and says where the auction is afterwards.
fn follow(
    stage: Stage,
    decisions: &mut Decisions,
    fact: &Fact,
    sealed: Option<&str>,
    place: Place,
    findings: &mut Findings,
) -> Stage {
    let is_close = matches!(fact, Fact::Closed(_));
    if stage == Stage::Open && decisions.hammer.is_some() && !is_close {
        findings.tell("comes between the bid that ended the auction and its close");
    }
    match fact {
        Fact::Created(_) => {}
        Fact::Opened(_) => {
            findings.expect(
                stage == Stage::Scheduled,
                "opens what was opened or is over",
            );
            check_start(decisions.starts_at(), place.at, findings);
            if stage == Stage::Scheduled {
                return Stage::Open;
            }
        }
        Fact::Placed(_) => decisions.placed(sealed, place, findings),
        Fact::Accepted(said) => {
            expect_open(stage, "a bid is taken", findings);
            decisions.accepted(said, sealed, place, findings);
        }
        Fact::Refused(said) => decisions.refused(said, sealed, stage, place, findings),
        Fact::Retracted(said) => {
            expect_open(stage, "a bid is retracted", findings);
            decisions.retracted(said, place, findings);
        }
        Fact::ClosingSoon(said) => {
            findings.expect(!is_over(stage), "comes when the auction is over");
            findings.same("endsAt", &said.ends_at, &decisions.ends_at);
        }
        Fact::Closed(said) => {
            expect_open(stage, "it is closed", findings);
            decisions.close(said, place.at, findings);
            return Stage::Closed;
        }
        Fact::Cancelled(_) => {
            findings.expect(!is_over(stage), "cancels what is over");
            let in_time = place.at < decisions.ends_at;
            findings.expect(in_time, "cancels when the end has come");
            decisions.verdicts.check_turn(findings);
            return Stage::Cancelled;
        }
        Fact::Settled(_) | Fact::Forfeited(_) | Fact::Offered(_) | Fact::Answered(_) => {
            if stage == Stage::Closed {
                decisions.after_the_close(fact, place.at, findings);
            } else {
                findings.tell("comes without a close before it");
            }
        }
    }
    stage
}

fn check_start(starts_at: Millis, at: Millis, findings: &mut Findings) {
    findings.expect(at >= starts_at, "opens the auction before its start");
}

fn is_over(stage: Stage) -> bool {
    match stage {
        Stage::Scheduled | Stage::Open => false,
        Stage::Closed | Stage::Cancelled => true,
    }
}

fn expect_open(stage: Stage, what: &str, findings: &mut Findings) {
    let status = match stage {
        Stage::Open => return,
        Stage::Scheduled => AuctionStatus::Scheduled,
        Stage::Closed => AuctionStatus::Closed,
        Stage::Cancelled => AuctionStatus::Cancelled,
    };
    findings.tell(format!("{what} while the auction is {}", status.as_str()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_an_end_to_entries() {
        let mut checker = Checker::new("auc_00000000071111111111111111");
        checker.entries = ENTRIES_MAX;
        let entry = EntryText {
            seq: 1,
            prev: 0,
            kind: "auction.opened".into(),
            at: 0,
            data: "{}".into(),
            hash: "".into(),
            sealed: None,
        };
        checker.check(&entry);
        checker.check(&entry);
        let violations = checker.finish().unwrap_err();
        assert_eq!(violations.total, 1);
        let what = violations.told[0].to_string();
        assert_eq!(what, "has more than 5000000 entries");
    }
}
