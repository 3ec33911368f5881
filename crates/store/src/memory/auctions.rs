//! Auctions and bids in memory: maps that are searched as the port describes them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use commerce::Millis;
use commerce::auction::AdmittedBid;
use engine::auction::{BidChange, BidRecord, StoredAuction, admitted_bid, bids_referred_to};
use engine::ports::{Changes, Loaded, LoadedAuction, Touch, WAITING_BIDS_MAX};

use super::State;

#[derive(Default)]
pub(super) struct Auctions {
    pub(super) auctions: BTreeMap<u64, StoredAuction>,
    /// By auction and bid.
    waiting: BTreeSet<(u64, u64)>,
    pub(super) changes: HashMap<u64, BidChange>,
}

impl Auctions {
    pub(super) fn waiting_of(&self, auction: u64) -> impl Iterator<Item = u64> {
        self.waiting
            .range((auction, 0)..=(auction, u64::MAX))
            .map(|(_, bid)| *bid)
    }

    /// Those that the clock has something to do with, in the order in which it has.
    pub(super) fn due(&self) -> Vec<(Millis, &StoredAuction)> {
        let auctions = self.auctions.values();
        let mut due: Vec<(Millis, &StoredAuction)> = auctions
            .filter_map(|stored| Some((stored.due_at()?, stored)))
            .collect();
        due.sort_by_key(|(at, stored)| (*at, stored.auction.seq));
        due
    }

    pub(super) fn commit(&mut self, changes: &Changes) {
        for stored in &changes.auctions {
            self.auctions.insert(stored.auction.seq, stored.clone());
        }
        self.waiting.extend(&changes.bids_waiting_added);
        for removed in &changes.bids_waiting_removed {
            self.waiting.remove(removed);
        }
        for change in &changes.bid_changes {
            self.changes.insert(change.bid, *change);
        }
    }
}

impl State {
    pub(super) fn bid(&self, seq: u64) -> Option<BidRecord> {
        let mut bid = BidRecord::from_entry(self.entry(seq)?)?;
        if let Some(change) = self.auctions.changes.get(&seq) {
            bid.apply_verdict(self.entry(change.verdict)?);
            bid.retracted_at = change.retracted_at;
            bid.last_seq = change.last_seq;
        }
        Some(bid)
    }

    /// The bids of an auction that were taken and not retracted, as they come in the log.
    fn standing_bids(&self, auction: u64) -> Vec<AdmittedBid> {
        let line = self.log.iter();
        let line = line.filter(|entry| entry.line.auction() == Some(auction));
        line.filter_map(admitted_bid)
            .filter(|bid| {
                let change = self.auctions.changes.get(&bid.bid);
                change.is_none_or(|change| change.retracted_at.is_none())
            })
            .collect()
    }

    pub(super) fn load_auctions(&self, loaded: &mut Loaded, touch: &Touch) {
        loaded.auction_count = self.auctions.auctions.len();
        let by_key: Vec<u64> = loaded.auction_bodies.keys().copied().collect();
        let asked = touch.auctions.iter().chain(&touch.standing_bids);
        for seq in asked.chain(&by_key) {
            let Some(stored) = self.auctions.auctions.get(seq) else {
                continue;
            };
            let waiting = self.auctions.waiting_of(*seq).take(WAITING_BIDS_MAX);
            let wanted = touch.standing_bids.contains(seq)
                && stored.auction.check_replay(Millis::MIN).is_ok();
            let found = LoadedAuction {
                stored: stored.clone(),
                waiting: waiting.filter_map(|bid| self.bid(bid)).collect(),
                standing: wanted.then(|| self.standing_bids(*seq)),
            };
            loaded.auctions.insert(*seq, found);
        }
        // The messages are loaded before.
        let referred_to = bids_referred_to(loaded);
        for seq in touch.bids.iter().copied().chain(referred_to) {
            if let Some(bid) = self.bid(seq) {
                loaded.bids.insert(seq, bid);
            }
        }
    }
}
