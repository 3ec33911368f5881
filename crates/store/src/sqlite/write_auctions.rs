//! The writer's side of auctions: what it keeps in memory of them, what a batch asks for, what a
//! batch changes.
//!
//! What always holds here: an auction that is in memory is as it was committed last. A bid on it
//! costs its row of the log and, once a batch, the auction's state; its indexed columns, and so
//! the indexes, are written when they change and not before.

use std::collections::HashMap;

use commerce::Millis;
use commerce::auction::AdmittedBid;
use engine::auction::{BidRecord, StoredAuction, admitted_bid, bids_referred_to};
use engine::ports::{Changes, Loaded, LoadedAuction, StoreError, Touch, WAITING_BIDS_MAX};
use rusqlite::{Connection, params};

use super::auctions;
use super::read::{self, many, rows, sought, stored};

/// Auctions that are kept in memory. One takes some kilobytes.
pub(super) const CACHED_MAX: usize = 16_384;

#[derive(Default)]
pub(super) struct Auctions {
    cached: HashMap<u64, StoredAuction>,
    /// How many there are, in memory or not.
    count: usize,
}

impl Auctions {
    pub(super) fn read(connection: &Connection) -> Result<Self, StoreError> {
        Ok(Self {
            cached: HashMap::new(),
            count: auctions::count(connection)?,
        })
    }

    pub(super) fn load(
        &mut self,
        connection: &Connection,
        loaded: &mut Loaded,
        touch: &Touch,
    ) -> Result<(), StoreError> {
        loaded.auction_count = self.count;
        for seq in &touch.auctions {
            self.load_auction(connection, loaded, *seq)?;
        }
        // Those that a key has found.
        let found: Vec<u64> = loaded.auction_bodies.keys().copied().collect();
        for seq in found {
            self.load_auction(connection, loaded, seq)?;
        }
        for seq in &touch.standing_bids {
            self.load_auction(connection, loaded, *seq)?;
            let Some(found) = loaded.auctions.get_mut(seq) else {
                continue;
            };
            // Whoever may not take a bid back must not make everybody wait for the reading. Not
            // by the clock: a bid that waits for its verdict may move the end.
            let may_be_needed = found.stored.auction.check_replay(Millis::MIN).is_ok();
            if found.standing.is_none() && may_be_needed {
                found.standing = Some(standing_bids(connection, &found.stored)?);
            }
        }
        // The messages are loaded before.
        let referred_to = bids_referred_to(loaded);
        for seq in touch.bids.iter().copied().chain(referred_to) {
            if let Some(bid) = auctions::bid(connection, seq)? {
                loaded.bids.insert(seq, bid);
            }
        }
        Ok(())
    }

    fn load_auction(
        &mut self,
        connection: &Connection,
        loaded: &mut Loaded,
        seq: u64,
    ) -> Result<(), StoreError> {
        if loaded.auctions.contains_key(&seq) {
            return Ok(());
        }
        let found = match self.cached.get(&seq) {
            Some(cached) => cached.clone(),
            None => match auctions::auction(connection, seq)? {
                Some(found) => {
                    self.keep(found.clone());
                    found
                }
                None => return Ok(()),
            },
        };
        let waiting = if found.waiting > 0 {
            waiting_bids(connection, seq)?
        } else {
            Vec::new()
        };
        let found = LoadedAuction {
            stored: found,
            waiting: waiting.into(),
            standing: None,
        };
        loaded.auctions.insert(seq, found);
        Ok(())
    }

    fn keep(&mut self, auction: StoredAuction) {
        let seq = auction.auction.seq;
        if self.cached.len() >= CACHED_MAX && !self.cached.contains_key(&seq) {
            self.make_room();
        }
        self.cached.insert(seq, auction);
    }

    /// Those that are over go first. If nearly all still run some of them go, enough for this to
    /// be seldom.
    fn make_room(&mut self) {
        self.cached
            .retain(|_, cached| !cached.auction.status.is_over());
        let mut kept = 0;
        self.cached.retain(|_, _| {
            kept += 1;
            kept <= CACHED_MAX / 4 * 3
        });
    }

    pub(super) fn write(
        &mut self,
        connection: &Connection,
        changes: &Changes,
    ) -> Result<(), rusqlite::Error> {
        for auction in &changes.auctions {
            self.write_auction(connection, auction)?;
        }
        for (auction, bid) in &changes.bids_waiting_added {
            connection
                .prepare_cached("INSERT INTO bids_waiting (auction, bid) VALUES (?1, ?2)")?
                .execute(params![stored(*auction), stored(*bid)])?;
        }
        // After the additions: a bid may come and get its verdict in one batch.
        for (auction, bid) in &changes.bids_waiting_removed {
            connection
                .prepare_cached("DELETE FROM bids_waiting WHERE auction = ?1 AND bid = ?2")?
                .execute(params![stored(*auction), stored(*bid)])?;
        }
        for change in &changes.bid_changes {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO bid_changes (bid, verdict, retracted_at, last_seq)
                     VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![
                    stored(change.bid),
                    stored(change.verdict),
                    change.retracted_at,
                    stored(change.last_seq),
                ])?;
        }
        Ok(())
    }

    fn write_auction(
        &mut self,
        connection: &Connection,
        auction: &StoredAuction,
    ) -> Result<(), rusqlite::Error> {
        let seq = stored(auction.auction.seq);
        let status = auction.auction.status;
        let due_at = auction.due_at();
        let state = serde_json::to_string(auction).expect("an auction has a JSON form");
        let before = self.cached.get(&auction.auction.seq);
        let is_hot = before
            .is_some_and(|before| before.auction.status == status && before.due_at() == due_at);
        if is_hot {
            connection
                .prepare_cached("UPDATE auctions SET state = ?2 WHERE seq = ?1")?
                .execute(params![seq, state])?;
        } else {
            let updated = connection
                .prepare_cached(
                    "UPDATE auctions SET status = ?2, due_at = ?3, state = ?4 WHERE seq = ?1",
                )?
                .execute(params![seq, status.number(), due_at, state])?;
            if updated == 0 {
                connection
                    .prepare_cached(
                        "INSERT INTO auctions (seq, status, due_at, state) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![seq, status.number(), due_at, state])?;
                self.count += 1;
            }
        }
        self.keep(auction.clone());
        Ok(())
    }
}

/// The head of the bids that wait: none of them has changed since its first entry.
fn waiting_bids(connection: &Connection, auction: u64) -> Result<Vec<BidRecord>, StoreError> {
    let entries = many(
        connection,
        "bids that wait",
        &format!(
            "{} WHERE seq IN (SELECT bid FROM bids_waiting WHERE auction = ?1
                              ORDER BY bid LIMIT ?2) ORDER BY seq",
            read::ENTRY
        ),
        params![sought(auction), rows(WAITING_BIDS_MAX)],
        read::entry_of,
    )?;
    let bids = entries.iter().map(|entry| {
        BidRecord::from_entry(entry).ok_or_else(|| {
            StoreError::text(format!("entry {} should be a bid that waits", entry.seq))
        })
    });
    bids.collect()
}

/// The bids that were taken and not retracted, by rising number: from the newest back.
fn standing_bids(
    connection: &Connection,
    auction: &StoredAuction,
) -> Result<Vec<AdmittedBid>, StoreError> {
    let retractions = auction.auction.bids > auction.auction.bids_standing;
    let mut standing = Vec::new();
    let mut seq = auction.last_bid;
    while seq > 0 {
        let entry = read::entry(connection, seq)?;
        let bid = entry.as_ref().and_then(admitted_bid);
        let (Some(entry), Some(bid)) = (entry, bid) else {
            return Err(StoreError::text(format!(
                "entry {seq} should be a bid that was taken"
            )));
        };
        let change = match retractions {
            true => auctions::bid_change(connection, bid.bid)?,
            false => None,
        };
        if change.is_none_or(|change| change.retracted_at.is_none()) {
            standing.push(bid);
        }
        seq = entry.auction_data().prev_bid.unwrap_or(0);
    }
    standing.reverse();
    Ok(standing)
}
