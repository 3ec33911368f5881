//! What a store is looked at for before it is handed out, so that nothing is sold on one that lost a
//! part of what was committed.
//!
//! `SQLite` drops all of the write-ahead log from a damaged frame on, without a word, while pages that
//! were moved into the file before are of a later commit: then the tables disagree. So what stores a
//! sequence must not be ahead of the log, and in its newest entries every line ends as its row says. A
//! file that is older as a whole agrees with itself and cannot be told from one that is not.
//!
//! It reads a bounded piece of the log and one row for each line in it. The audit checks the rest.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use commerce::{Hash, LineId};
use engine::ports::StoreError;
use rusqlite::{Connection, params};
use serde::Deserialize;

use super::read::{self, bytes_at, json_at, many, one, rows, stored, u64_at};
use super::{FILE, OpenError};

/// Entries that are compared with the rows of their lines: about as many as a write-ahead log holds
/// when it is started over.
const TAIL_MAX: u64 = 50_000;
/// The newest auctions whose rows must not be ahead of the log; others only if the tail names them.
const AUCTIONS_MAX: usize = 16_384;

/// Where a line ends, of a product or an auction as stored. The rest of the row is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    last_seq: u64,
    last_hash: Hash,
}

/// Says what disagrees, if anything does. Only while nobody else writes.
pub(super) fn find(connection: &Connection) -> Result<Option<String>, StoreError> {
    let last = read::last_entry(connection)?.map_or(0, |entry| entry.seq);
    let products: HashMap<LineId, (String, Head)> = many(
        connection,
        "products",
        "SELECT id, sku, state FROM products",
        [],
        |row| {
            let line = LineId::from_number(row.get(0)?).unwrap_or(LineId::System);
            Ok((line, (row.get(1)?, json_at(row, 2)?)))
        },
    )?
    .into_iter()
    .collect();
    if let Some(ahead) = ahead_of_log(connection, last, &products)? {
        return Ok(Some(ahead));
    }
    let (seen, found) = compare_tail(connection, last, &products)?;
    if found.is_some() {
        return Ok(found);
    }
    let first = (last + 1).saturating_sub(TAIL_MAX);
    let astray = products
        .iter()
        .find(|(line, (_, head))| head.last_seq >= first.max(1) && !seen.contains(line));
    if let Some((_, (sku, head))) = astray {
        let seq = head.last_seq;
        return Ok(Some(format!(
            "product {sku} ends with entry {seq}, which is not one of it"
        )));
    }
    verdict_not_shown(connection, last)
}

/// What stores a sequence that the log does not have yet.
fn ahead_of_log(
    connection: &Connection,
    last: u64,
    products: &HashMap<LineId, (String, Head)>,
) -> Result<Option<String>, StoreError> {
    let ahead = |what: &str, seq: u64| {
        Some(format!(
            "{what} is at entry {seq}, and the log ends with entry {last}"
        ))
    };
    for (sku, head) in products.values() {
        if head.last_seq > last {
            return Ok(ahead(&format!("product {sku}"), head.last_seq));
        }
    }
    let auctions: Vec<(u64, Head)> = many(
        connection,
        "auctions",
        "SELECT seq, state FROM auctions ORDER BY seq DESC LIMIT ?1",
        params![rows(AUCTIONS_MAX)],
        |row| Ok((u64_at(row, 0)?, json_at(row, 1)?)),
    )?;
    for (seq, head) in auctions {
        if head.last_seq > last {
            return Ok(ahead(&format!("the auction of entry {seq}"), head.last_seq));
        }
    }
    for (what, newest) in [
        ("an order", "SELECT max(order_seq) FROM order_changes"),
        ("a bid", "SELECT max(bid) FROM bid_changes"),
        ("a replenishment", "SELECT max(seq) FROM replenishments"),
        ("a block of look-ups", "SELECT max(last_seq) FROM lookups"),
        (
            "the relay",
            "SELECT max(value) FROM meta WHERE name IN ('relay_cursor', 'orders_cursor')",
        ),
        (
            "the operations line",
            "SELECT value FROM meta WHERE name = 'system_seq'",
        ),
    ] {
        let newest: Option<Option<i64>> =
            one(connection, "where a table ends", newest, [], |row| {
                row.get(0)
            })?;
        if let Some(newest) = newest.flatten().filter(|newest| *newest > stored(last)) {
            return Ok(ahead(what, newest.unsigned_abs()));
        }
    }
    Ok(None)
}

/// The newest entries, the newest first: none is missing, and the newest of each line is the one that
/// its row ends with. Also gives the lines.
fn compare_tail(
    connection: &Connection,
    last: u64,
    products: &HashMap<LineId, (String, Head)>,
) -> Result<(HashSet<LineId>, Option<String>), StoreError> {
    let mut seen = HashSet::new();
    let failed = |source| StoreError::new("cannot read the newest entries from SQLite", source);
    let mut statement = connection
        .prepare("SELECT seq, line, hash FROM log ORDER BY seq DESC LIMIT ?1")
        .map_err(failed)?;
    let mut tail = statement.query([stored(TAIL_MAX)]).map_err(failed)?;
    let mut expected = last;
    while let Some(row) = tail.next().map_err(failed)? {
        let seq = u64_at(row, 0).map_err(failed)?;
        if seq != expected {
            return Ok((
                seen,
                Some(format!("entry {expected} is missing from the log")),
            ));
        }
        expected = seq.saturating_sub(1);
        let number: i64 = row.get(1).map_err(failed)?;
        let Some(line) = LineId::from_number(number) else {
            let what = format!("entry {seq} is of an unknown line {number}");
            return Ok((seen, Some(what)));
        };
        if !seen.insert(line) {
            continue;
        }
        let (name, head) = match line {
            LineId::Product(_) => match products.get(&line) {
                Some((sku, head)) => (format!("product {sku}"), Some(*head)),
                None => (format!("product {number}"), None),
            },
            LineId::Auction(auction) => (
                format!("the auction of entry {auction}"),
                auction_head(connection, auction)?,
            ),
            LineId::System => {
                let (stored, _) = read::newest_system_entry(connection)?;
                if stored != seq {
                    let what = format!(
                        "the operations line ends with entry {stored}, and in the log with {seq}"
                    );
                    return Ok((seen, Some(what)));
                }
                continue;
            }
        };
        let found = Head {
            last_seq: seq,
            last_hash: bytes_at(row, 2).map_err(failed)?,
        };
        let what = match head {
            None => format!("{name} is not stored, and entry {seq} is of it"),
            Some(head) if head.last_seq != seq => format!(
                "{name} ends with entry {}, and in the log with {seq}",
                head.last_seq
            ),
            Some(head) if head != found => {
                format!("{name} has another hash than its newest entry {seq}")
            }
            Some(_) => continue,
        };
        return Ok((seen, Some(what)));
    }
    Ok((seen, None))
}

fn auction_head(connection: &Connection, seq: u64) -> Result<Option<Head>, StoreError> {
    one(
        connection,
        "an auction",
        "SELECT state FROM auctions WHERE seq = ?1",
        params![stored(seq)],
        |row| json_at(row, 0),
    )
}

/// A late verdict in the tail that the order does not show: it would be decided again.
fn verdict_not_shown(connection: &Connection, last: u64) -> Result<Option<String>, StoreError> {
    let not_shown: Option<(u64, u64)> = one(
        connection,
        "the newest verdicts",
        "SELECT log.seq, log.subject
         FROM log LEFT JOIN order_changes ON order_changes.order_seq = log.subject
         WHERE log.seq > ?1 AND log.kind IN (11, 12, 13)
           AND log.subject > 0 AND log.subject < log.seq
           AND coalesce(order_changes.last_seq, 0) < log.seq
         LIMIT 1",
        params![stored(last.saturating_sub(TAIL_MAX))],
        |row| Ok((u64_at(row, 0)?, u64_at(row, 1)?)),
    )?;
    Ok(not_shown.map(|(seq, order)| {
        format!("the order of entry {order} does not show its verdict in entry {seq}")
    }))
}

/// A write-ahead log is of one file only. Where that file is missing or empty, `SQLite` would begin
/// a new one and delete the log, with all that was committed last; it does so for readers, too.
pub(super) fn refuse_log_alone(directory: &Path, shown: &str) -> Result<(), OpenError> {
    let length = |file: &Path| match std::fs::metadata(file) {
        Ok(found) => Ok(Some(found.len())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(OpenError::Io {
            path: shown.to_owned(),
            source,
        }),
    };
    // The log first: whoever makes a store at this moment gives it its first page before a log.
    let bytes = length(&directory.join(format!("{FILE}-wal")))?.unwrap_or(0);
    let state = match length(&directory.join(FILE))? {
        None => "missing",
        Some(0) => "empty",
        Some(_) => return Ok(()),
    };
    if bytes == 0 {
        return Ok(());
    }
    Err(OpenError::LogAlone {
        path: shown.to_owned(),
        state,
        bytes,
    })
}
