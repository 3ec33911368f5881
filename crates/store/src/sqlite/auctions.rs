//! Auctions and bids as they are read, by both sides.

use commerce::auction::AuctionStatus;
use commerce::{AuctionId, Millis, SECRET_BYTES, Secret};
use engine::Entry;
use engine::auction::{BidChange, BidRecord, StoredAuction};
use engine::ports::StoreError;
use rusqlite::{Connection, params};
use serde::Deserialize;

use super::read::{self, json_at, many, one, rows, sought, u64_at};

pub(super) fn auction(
    connection: &Connection,
    seq: u64,
) -> Result<Option<StoredAuction>, StoreError> {
    one(
        connection,
        "an auction",
        "SELECT state FROM auctions WHERE seq = ?1",
        params![sought(seq)],
        |row| json_at(row, 0),
    )
}

pub(super) fn auctions(
    connection: &Connection,
    status: Option<AuctionStatus>,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<StoredAuction>, StoreError> {
    let before = before.map_or(i64::MAX, sought);
    match status {
        Some(status) => many(
            connection,
            "auctions",
            "SELECT state FROM auctions WHERE status = ?1 AND seq < ?2
             ORDER BY seq DESC LIMIT ?3",
            params![status.number(), before, rows(limit)],
            |row| json_at(row, 0),
        ),
        None => many(
            connection,
            "auctions",
            "SELECT state FROM auctions WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2",
            params![before, rows(limit)],
            |row| json_at(row, 0),
        ),
    }
}

pub(super) fn count(connection: &Connection) -> Result<usize, StoreError> {
    let count = one(
        connection,
        "how many auctions there are",
        "SELECT count(*) FROM auctions",
        [],
        |row| u64_at(row, 0),
    )?;
    let count = usize::try_from(count.unwrap_or(0));
    Ok(count.expect("bounded by the engine"))
}

pub(super) fn due(
    connection: &Connection,
    now: Millis,
    limit: usize,
) -> Result<Vec<AuctionId>, StoreError> {
    /// What of a stored auction is its id.
    #[derive(Deserialize)]
    struct Stored {
        auction: Id,
    }
    #[derive(Deserialize)]
    struct Id {
        seq: u64,
        secret: [u8; SECRET_BYTES],
    }
    many(
        connection,
        "auctions that are due",
        "SELECT state FROM auctions INDEXED BY auctions_due
         WHERE due_at <= ?1 ORDER BY due_at, seq LIMIT ?2",
        params![now, rows(limit)],
        |row| {
            let Stored { auction } = json_at(row, 0)?;
            Ok(AuctionId {
                seq: auction.seq,
                secret: Secret(auction.secret),
            })
        },
    )
}

pub(super) fn next_due(connection: &Connection, now: Millis) -> Result<Option<Millis>, StoreError> {
    one(
        connection,
        "when the next auction is due",
        "SELECT due_at FROM auctions INDEXED BY auctions_due
         WHERE due_at > ?1 ORDER BY due_at LIMIT 1",
        params![now],
        |row| row.get(0),
    )
}

pub(super) fn bid_change(
    connection: &Connection,
    bid: u64,
) -> Result<Option<BidChange>, StoreError> {
    one(
        connection,
        "a bid",
        "SELECT verdict, retracted_at, last_seq FROM bid_changes WHERE bid = ?1",
        params![sought(bid)],
        |row| {
            Ok(BidChange {
                bid,
                verdict: u64_at(row, 0)?,
                retracted_at: row.get(1)?,
                last_seq: u64_at(row, 2)?,
            })
        },
    )
}

pub(super) fn bid(connection: &Connection, seq: u64) -> Result<Option<BidRecord>, StoreError> {
    match read::entry(connection, seq)? {
        Some(entry) => bid_of(connection, &entry),
        None => Ok(None),
    }
}

/// The bid that this entry made, as it stands now.
pub(super) fn bid_of(
    connection: &Connection,
    entry: &Entry,
) -> Result<Option<BidRecord>, StoreError> {
    let Some(mut bid) = BidRecord::from_entry(entry) else {
        return Ok(None);
    };
    if let Some(change) = bid_change(connection, entry.seq)? {
        if change.verdict != entry.seq {
            let verdict = read::entry(connection, change.verdict)?;
            let verdict =
                verdict.ok_or_else(|| StoreError::text("the verdict on a bid is missing"))?;
            bid.apply_verdict(&verdict);
        }
        bid.retracted_at = change.retracted_at;
        bid.last_seq = change.last_seq;
    }
    Ok(Some(bid))
}

pub(super) fn waiting_bids(
    connection: &Connection,
    auction: u64,
    limit: usize,
) -> Result<Vec<u64>, StoreError> {
    many(
        connection,
        "bids that wait",
        "SELECT bid FROM bids_waiting WHERE auction = ?1 ORDER BY bid LIMIT ?2",
        params![sought(auction), rows(limit)],
        |row| u64_at(row, 0),
    )
}
