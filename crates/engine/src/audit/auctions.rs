//! Auctions: every line replayed as a certificate is, and what a store keeps beside the log
//! against what the log gives.
//!
//! Who won at which price is worked out by `commerce::auction::certificate`, which knows the
//! rules and not the state machine. Here is what no certificate can show: real names, keys, and
//! the rows beside the log.

use std::borrow::Cow;
use std::collections::BTreeSet;

use commerce::Millis;
use commerce::auction::certificate::{Checker, Claimed, EntryText, Verified};
use commerce::auction::{AuctionStatus, Bidder, MaskKey};

use super::{Audit, Violation};
use crate::auction::{BidChange, StoredAuction};
use crate::entry::{BidStep, Buyer, Entry, Kind};
use crate::ports::StoreError;

/// Rows read at a time.
const PAGE: usize = 1_000;
/// Rule 7 is about who wins.
const RULE_WINNER: u8 = 7;

/// What the log has said of one auction so far.
pub(super) struct AuctionModel {
    checker: Checker,
    /// From the store: the names in the log are made with it.
    mask_key: Option<MaskKey>,
    /// Deferred bids without a verdict.
    waiting: BTreeSet<u64>,
    last_seq: u64,
    last_bid: u64,
    status: Option<AuctionStatus>,
}

impl Audit<'_> {
    pub(super) fn auction_entry(&mut self, auction: u64, entry: &Entry) -> Result<(), StoreError> {
        if entry.kind == Kind::AuctionCreated && !self.auctions.contains_key(&auction) {
            let stored = self.reader.auction(auction)?;
            let Some(stored) = stored else {
                self.broken(RULE_WINNER, entry, "creates an auction that is not stored");
                return Ok(());
            };
            let model = AuctionModel {
                checker: Checker::new(&stored.id().to_string()),
                mask_key: Some(stored.auction.mask_key),
                waiting: BTreeSet::new(),
                last_seq: 0,
                last_bid: 0,
                status: None,
            };
            self.auctions.insert(auction, model);
        }
        let Some(model) = self.auctions.get_mut(&auction) else {
            self.broken(11, entry, "belongs to an auction that was never created");
            return Ok(());
        };
        let hash = blake3::Hash::from_bytes(entry.hash).to_hex();
        model.checker.check(&EntryText {
            seq: entry.seq,
            prev: entry.prev,
            kind: entry.kind.as_str().into(),
            at: entry.at,
            data: Cow::Borrowed(&entry.data),
            hash: Cow::Borrowed(hash.as_str()),
            sealed: entry.sealed.as_deref().map(Cow::Borrowed),
        });
        model.last_seq = entry.seq;
        self.bid_entry(auction, entry)
    }

    /// A bid is whose it was, and the rows beside the log lead to its verdict.
    fn bid_entry(&mut self, auction: u64, entry: &Entry) -> Result<(), StoreError> {
        let first = entry.subject == entry.seq;
        if first && let Some(buyer) = &entry.buyer {
            self.bid_key(entry, buyer);
        }
        match entry.kind.bid_step() {
            Some(BidStep::Placed) => {
                self.report.bids += 1;
                self.bidder(auction, entry);
                if let Some(model) = self.auctions.get_mut(&auction) {
                    model.waiting.insert(entry.seq);
                }
            }
            Some(step @ (BidStep::Accepted | BidStep::Refused)) => {
                self.report.bids += u64::from(first);
                self.bidder(auction, entry);
                if let Some(model) = self.auctions.get_mut(&auction) {
                    model.waiting.remove(&entry.subject);
                    if step == BidStep::Accepted {
                        model.last_bid = entry.seq;
                    }
                }
                let verdict = self.reader.bid_change(entry.subject)?;
                let leads_here = verdict.is_some_and(|change| change.verdict == entry.seq);
                // A synchronous bid is its own verdict, and has a row only once it is retracted.
                let is_its_own = first && verdict.is_none();
                if !(leads_here || is_its_own) {
                    self.broken(5, entry, "is a verdict that the bid does not show");
                }
                if let Some(change) = verdict.filter(|_| leads_here) {
                    self.later_change(entry, change)?;
                }
            }
            Some(BidStep::Retracted) => {
                let change = self.reader.bid_change(entry.subject)?;
                let shown = change.is_some_and(|change| change.retracted_at == Some(entry.at));
                if !shown {
                    self.broken(5, entry, "is a retraction that the bid does not show");
                }
            }
            None => {
                // What an entry says that may change it; the certificate's rules say what it must be.
                let status = serde_json::from_str::<crate::auction::AuctionData<'_>>(&entry.data)
                    .ok()
                    .and_then(|data| data.status);
                let status = status.or(match entry.kind {
                    Kind::AuctionCreated => Some(AuctionStatus::Scheduled),
                    Kind::AuctionOpened => Some(AuctionStatus::Open),
                    Kind::AuctionCancelled => Some(AuctionStatus::Cancelled),
                    Kind::AuctionClosingSoon
                    | Kind::AuctionClosed
                    | Kind::AuctionSettled
                    | Kind::AuctionForfeited
                    | Kind::AuctionOffered
                    | Kind::AuctionOfferAnswered => None,
                    // No certificate has them, and so its rules have told of it.
                    Kind::ProductCreated
                    | Kind::ProductUpdated
                    | Kind::OrderPlaced
                    | Kind::OrderAccepted
                    | Kind::OrderSoldOut
                    | Kind::OrderCancelled
                    | Kind::StockReceived
                    | Kind::ReplenishmentRequested
                    | Kind::ReplenishmentStarted
                    | Kind::ReplenishmentReceived
                    | Kind::ReplenishmentFailed
                    | Kind::MessageDeadLettered
                    | Kind::BidPlaced
                    | Kind::BidAccepted
                    | Kind::BidRefused
                    | Kind::BidRetracted
                    | Kind::ParcelCreated
                    | Kind::ParcelMoved => None,
                });
                if let Some(model) = self.auctions.get_mut(&auction) {
                    model.status = status.or(model.status);
                }
            }
        }
        Ok(())
    }

    /// Rule 5: after its verdict nothing but a retraction changes a bid, and that is an entry.
    fn later_change(&mut self, verdict: &Entry, change: BidChange) -> Result<(), StoreError> {
        let retracted_at = if change.last_seq == verdict.seq {
            None
        } else {
            let made_by = self.stored_entry(change.last_seq)?;
            let made_by = made_by.filter(|made_by| {
                made_by.kind == Kind::BidRetracted && made_by.subject == verdict.subject
            });
            let Some(made_by) = made_by else {
                self.broken(5, verdict, "is of a bid that was changed without an entry");
                return Ok(());
            };
            Some(made_by.at)
        };
        if change.retracted_at != retracted_at {
            self.broken(
                5,
                verdict,
                "is of a bid that was retracted without an entry",
            );
        }
        Ok(())
    }

    /// Rule 6: a key makes one bid, or one auction, as long as it is kept.
    fn bid_key(&mut self, entry: &Entry, buyer: &Buyer) {
        let Some(key) = buyer.key else {
            return;
        };
        let before = self.keys.insert(key.0, entry.at);
        if before.is_some_and(|before| entry.at - before <= self.key_retention) {
            self.broken(6, entry, "has the idempotency key of an earlier one");
        }
    }

    /// Rule 11: the name in the log is made of the name in the store.
    fn bidder(&mut self, auction: u64, entry: &Entry) {
        let mask_key = self.auctions.get(&auction).and_then(|model| model.mask_key);
        let sealed = entry
            .sealed
            .as_deref()
            .and_then(|text| serde_json::from_str::<crate::auction::Sealed<'_>>(text).ok());
        let masked = sealed.and_then(|sealed| sealed.bidder);
        let is_theirs = entry.buyer.as_ref().is_some_and(|buyer| {
            let shown = mask_key
                .zip(Bidder::new(&buyer.customer).ok())
                .map(|(key, bidder)| key.show(&bidder, None).name);
            shown.is_some() && shown.as_deref() == masked.as_deref()
        });
        if !is_theirs {
            self.broken(11, entry, "is stored under another bidder");
        }
    }

    /// The auctions as stored are what their history gives.
    pub(super) fn compare_auctions(&mut self) -> Result<(), StoreError> {
        self.compare_heads()?;
        for (auction, model) in std::mem::take(&mut self.auctions) {
            self.report.auctions += 1;
            let AuctionModel {
                checker,
                waiting,
                last_seq,
                last_bid,
                status,
                ..
            } = model;
            let verified = match checker.finish() {
                Ok(verified) => verified,
                Err(violations) => {
                    self.report.violations_total += violations.total;
                    for violation in violations.told {
                        self.tell_auction(auction, violation.seq, violation.what);
                        // It is in the total already.
                        self.report.violations_total -= 1;
                    }
                    continue;
                }
            };
            let stored = self.reader.auction(auction)?;
            let waits = self.reader.waiting_bids(auction, waiting.len() + 1)?;
            // On a live server it goes on while it is looked at: then there is nothing to compare.
            let stands_here = |stored: &StoredAuction| stored.last_seq == last_seq;
            let Some(stored) = stored.filter(stands_here) else {
                continue;
            };
            self.report
                .heads
                .insert(verified.auction.clone(), verified.head);
            if !waits.iter().eq(waiting.iter()) || stored.waiting != waiting.len() as u64 {
                let again = self.reader.auction(auction)?;
                if again.as_ref().is_some_and(stands_here) {
                    let what = "waits for other verdicts than its history says".to_owned();
                    self.tell_auction(auction, None, what);
                }
            }
            for bid in waiting {
                let has_verdict = self.reader.bid_change(bid)?.is_some();
                // It may have come to a live server meanwhile.
                let again = self.reader.auction(auction)?;
                if has_verdict && again.as_ref().is_some_and(stands_here) {
                    let what = "is of a bid that was decided without an entry".to_owned();
                    self.tell_auction(auction, Some(bid), what);
                }
            }
            if stored.last_bid != last_bid {
                let what = format!(
                    "lists its bids from {}, the newest is {last_bid}",
                    stored.last_bid
                );
                self.tell_auction(auction, None, what);
            }
            if status.is_some_and(|status| status != stored.auction.status) {
                let what = format!("is stored as {}", stored.auction.status.as_str());
                self.tell_auction(auction, None, what);
            }
            self.compare_auction(auction, &stored, &verified);
        }
        Ok(())
    }

    /// Rule 11: every row ends with the newest entry of its line.
    fn compare_heads(&mut self) -> Result<(), StoreError> {
        let mut known: Vec<u64> = self.auctions.keys().copied().collect();
        known.sort_unstable();
        for auction in known {
            self.compare_head(auction)?;
        }
        let mut before = None;
        loop {
            let page = self.reader.auctions(None, before, PAGE)?;
            self.read_on()?;
            for stored in &page {
                before = Some(stored.auction.seq);
                if !self.auctions.contains_key(&stored.auction.seq) {
                    let what = "is an auction that has no history".to_owned();
                    self.tell_auction(stored.auction.seq, None, what);
                }
            }
            if page.len() < PAGE {
                return Ok(());
            }
        }
    }

    fn compare_head(&mut self, auction: u64) -> Result<(), StoreError> {
        // A row and its newest entry are one commit, and the row is read after all the entries that
        // are known so far.
        let last_seq = |audit: &Self| {
            audit
                .auctions
                .get(&auction)
                .map_or(0, |model| model.last_seq)
        };
        let known = last_seq(self);
        let what = match self.reader.auction(auction)? {
            None => "is an auction that is not stored",
            Some(stored) if stored.last_seq < known => {
                "is stored as it was before its newest entries"
            }
            Some(stored) if stored.last_seq > known => {
                self.read_on()?;
                if stored.last_seq <= last_seq(self) {
                    return Ok(());
                }
                "ends with an entry that is not in the log"
            }
            Some(_) => return Ok(()),
        };
        self.tell_auction(auction, None, what.to_owned());
        Ok(())
    }

    fn compare_auction(&mut self, seq: u64, stored: &StoredAuction, verified: &Verified) {
        let auction = &stored.auction;
        if stored.last_hash != verified.head {
            self.tell_auction(seq, None, "is stored with another hash".to_owned());
        }
        if auction.bids != verified.bids {
            let what = format!("is stored with {} bids of {}", auction.bids, verified.bids);
            self.tell_auction(seq, None, what);
        }
        if auction.ends_at != verified.ends_at {
            let (stored, right): (Millis, Millis) = (auction.ends_at, verified.ends_at);
            self.tell_auction(
                seq,
                None,
                format!("ends at {stored}, and should at {right}"),
            );
        }
        // Offers after the close add awards behind those of the winners.
        let won = auction
            .awards
            .iter()
            .take(verified.winners.len())
            .map(|award| {
                let name = auction.show_bidder(&award.bidder, None).name;
                (name, award.no, award.price)
            });
        let right = verified
            .winners
            .iter()
            .map(|won| (won.bidder.as_str().to_owned(), won.no, won.price));
        if !won.eq(right) {
            self.tell_auction(
                seq,
                None,
                "is stored with other winners or prices".to_owned(),
            );
        }
        let awards = auction.awards.iter();
        let mut awards: Vec<Claimed> = awards
            .map(|award| Claimed {
                bidder: Bidder::new(&stored.mask(&award.bidder)).expect("a masked name is a name"),
                price: award.price,
                status: award.status,
            })
            .collect();
        awards.sort_by(|a, b| a.bidder.cmp(&b.bidder));
        if awards != verified.awards {
            self.tell_auction(
                seq,
                None,
                "is stored with other awards than its history gives".to_owned(),
            );
        }
        self.report.auctions_closed += u64::from(verified.is_final);
    }

    fn tell_auction(&mut self, auction: u64, seq: Option<u64>, what: String) {
        self.tell(Violation {
            rule: RULE_WINNER,
            sku: None,
            seq: seq.or(Some(auction)),
            place: None,
            what,
        });
    }
}
