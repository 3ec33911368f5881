//! Reading: the functions that both sides use.

use commerce::{
    Hash, LineId, Millis, Product, ProductId, Quantity, Reference, Replenishment, Secret, Sku,
    Waiting,
};
use engine::ports::{Cursors, OrderChange, StoreError};
use engine::{BodyHash, Buyer, Entry, KeyHash, Kind, OrderRecord, OrderStatus};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// `SQLite`'s integers are signed; ours are sequences and counts far below 2^63.
pub(super) fn stored(number: u64) -> i64 {
    i64::try_from(number).expect("sequences and counts stay below 2^63")
}

/// A number to look for, which may come from a request: beyond what can be stored, nothing is
/// found.
pub(super) fn sought(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn u64_at(row: &Row<'_>, column: usize) -> Result<u64, rusqlite::Error> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|error| damaged(column, Type::Integer, error))
}

fn damaged(
    column: usize,
    kind: Type,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, kind, error.into())
}

pub(super) fn bytes_at<const N: usize>(
    row: &Row<'_>,
    column: usize,
) -> Result<[u8; N], rusqlite::Error> {
    let bytes = row.get_ref(column)?;
    let bytes = bytes
        .as_blob()
        .map_err(|error| damaged(column, Type::Blob, error))?;
    bytes
        .try_into()
        .map_err(|error: std::array::TryFromSliceError| damaged(column, Type::Blob, error))
}

pub(super) fn json_at<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> Result<T, rusqlite::Error> {
    let text = row.get_ref(column)?;
    let text = text
        .as_str()
        .map_err(|error| damaged(column, Type::Text, error))?;
    serde_json::from_str(text).map_err(|error| damaged(column, Type::Text, error))
}

/// Turns `SQLite`'s error into the port's, with what was being read.
pub(super) fn reading<T>(
    what: &'static str,
    result: Result<T, rusqlite::Error>,
) -> Result<T, StoreError> {
    result.map_err(|source| StoreError::new(format!("cannot read {what} from SQLite"), source))
}

pub(super) const ENTRY: &str = "SELECT seq, line, prev, kind, at, subject, data, hash, customer, \
                                secret, key, body, sealed FROM log";

/// An entry that can be read; see [`Entry::check`].
pub(super) fn entry_of(row: &Row<'_>) -> Result<Entry, rusqlite::Error> {
    let entry = stored_entry_of(row)?;
    match entry.check() {
        Ok(()) => Ok(entry),
        Err(what) => Err(damaged(6, Type::Text, what)),
    }
}

fn stored_entry_of(row: &Row<'_>) -> Result<Entry, rusqlite::Error> {
    let line: i64 = row.get(1)?;
    let line = LineId::from_number(line)
        .ok_or_else(|| damaged(1, Type::Integer, format!("unknown line {line}")))?;
    let number: u8 = row.get(3)?;
    let kind = Kind::from_number(number)
        .ok_or_else(|| damaged(3, Type::Integer, format!("unknown kind {number}")))?;
    let customer: Option<String> = row.get(8)?;
    let buyer = match customer {
        None => None,
        Some(customer) => Some(Buyer {
            customer: customer.into(),
            secret: match row.get_ref(9)? {
                rusqlite::types::ValueRef::Null => None,
                _ => Some(Secret(bytes_at(row, 9)?)),
            },
            key: match row.get_ref(10)? {
                rusqlite::types::ValueRef::Null => None,
                _ => Some(KeyHash(bytes_at(row, 10)?)),
            },
            body: BodyHash(row.get::<_, i64>(11)?.cast_unsigned()),
        }),
    };
    let data: String = row.get(6)?;
    let sealed: Option<String> = row.get(12)?;
    Ok(Entry {
        seq: u64_at(row, 0)?,
        line,
        prev: u64_at(row, 2)?,
        kind,
        at: row.get(4)?,
        subject: u64_at(row, 5)?,
        data: data.into(),
        hash: bytes_at::<32>(row, 7)?,
        buyer,
        sealed: sealed.map(Into::into),
    })
}

pub(super) fn many<T>(
    connection: &Connection,
    what: &'static str,
    sql: &str,
    parameters: impl rusqlite::Params,
    read: impl FnMut(&Row<'_>) -> Result<T, rusqlite::Error>,
) -> Result<Vec<T>, StoreError> {
    let rows = connection.prepare_cached(sql).and_then(|mut statement| {
        statement
            .query_map(parameters, read)
            .and_then(Iterator::collect)
    });
    reading(what, rows)
}

pub(super) fn one<T>(
    connection: &Connection,
    what: &'static str,
    sql: &str,
    parameters: impl rusqlite::Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, rusqlite::Error>,
) -> Result<Option<T>, StoreError> {
    let row = connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_row(parameters, read).optional());
    reading(what, row)
}

/// A limit as `SQLite` takes it.
pub(super) fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) fn entry(connection: &Connection, seq: u64) -> Result<Option<Entry>, StoreError> {
    one(
        connection,
        "an entry",
        &format!("{ENTRY} WHERE seq = ?1"),
        params![sought(seq)],
        entry_of,
    )
}

pub(super) fn last_entry(connection: &Connection) -> Result<Option<Entry>, StoreError> {
    one(
        connection,
        "the newest entry",
        &format!("{ENTRY} ORDER BY seq DESC LIMIT 1"),
        [],
        entry_of,
    )
}

/// The first sequence whose entry was made at this time or later; one past the log's end when
/// there is none. Time never runs backwards in the log, so halving finds it.
pub(super) fn first_since(
    connection: &Connection,
    since: Millis,
    last_seq: u64,
) -> Result<u64, StoreError> {
    let (mut first, mut beyond) = (1, last_seq + 1);
    while first < beyond {
        let middle = first + (beyond - first) / 2;
        // A damaged log may have gaps; what comes behind one tells as well.
        let at: Option<Millis> = one(
            connection,
            "the time of an entry",
            "SELECT at FROM log WHERE seq >= ?1 ORDER BY seq LIMIT 1",
            params![sought(middle)],
            |row| row.get(0),
        )?;
        if at.is_some_and(|at| at < since) {
            first = middle + 1;
        } else {
            beyond = middle;
        }
    }
    Ok(first)
}

pub(super) fn newest_system_entry(
    connection: &Connection,
) -> Result<(u64, Option<Hash>), StoreError> {
    let Some(seq) = meta(connection, "system_seq")? else {
        return Ok((0, None));
    };
    let found = entry(connection, seq)?;
    found
        .map(|entry| (entry.seq, Some(entry.hash)))
        .ok_or_else(|| StoreError::text("the newest operations entry is missing"))
}

pub(super) fn entries(
    connection: &Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    entries_by(connection, after, limit, entry_of)
}

/// As [`entries`], for those who look for damage.
pub(super) fn entries_as_stored(
    connection: &Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    entries_by(connection, after, limit, stored_entry_of)
}

fn entries_by(
    connection: &Connection,
    after: u64,
    limit: usize,
    of: fn(&Row<'_>) -> Result<Entry, rusqlite::Error>,
) -> Result<Vec<Entry>, StoreError> {
    let query = format!("{ENTRY} WHERE seq > ?1 ORDER BY seq LIMIT ?2");
    many(
        connection,
        "the log",
        &query,
        params![sought(after), rows(limit)],
        of,
    )
}

fn meta(connection: &Connection, name: &str) -> Result<Option<u64>, StoreError> {
    one(
        connection,
        "a setting",
        "SELECT value FROM meta WHERE name = ?1",
        params![name],
        |row| u64_at(row, 0),
    )
}

/// The number that the next queue, topic or partition gets.
pub(super) fn next_number(connection: &Connection) -> Result<u32, StoreError> {
    let number = meta(connection, "next_queue")?.unwrap_or(1);
    u32::try_from(number)
        .map_err(|error| StoreError::new("the store has no numbers left for queues", error))
}

/// Fingerprint, row and time of what was sent to FIFO queues and topics, oldest first, until it is
/// enough.
pub(super) fn each_duplicate(
    connection: &Connection,
    mut each: impl FnMut([u8; 16], i64, Millis) -> bool,
) -> Result<(), StoreError> {
    let mut read = || {
        let sql = "SELECT hash, n, sent_at FROM duplicates ORDER BY n";
        let mut statement = connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if !each(bytes_at(row, 0)?, row.get(1)?, row.get(2)?) {
                break;
            }
        }
        Ok(())
    };
    reading("what was sent of late", read())
}

/// How many there are of them, or more: none is counted.
pub(super) fn duplicates_at_most(connection: &Connection) -> Result<i64, StoreError> {
    let found = one(
        connection,
        "what was sent of late",
        "SELECT coalesce((SELECT n FROM duplicates ORDER BY n DESC LIMIT 1)
                         - (SELECT n FROM duplicates ORDER BY n LIMIT 1) + 1, 0)",
        [],
        |row| row.get(0),
    )?;
    Ok(found.unwrap_or(0))
}

/// Message id, sequence and time, if this row is still the one that has this fingerprint.
pub(super) fn duplicate(
    connection: &Connection,
    row: i64,
    hash: &[u8; 16],
) -> Result<Option<(String, u64, Millis)>, StoreError> {
    one(
        connection,
        "what was sent of late",
        "SELECT message, seq, sent_at FROM duplicates WHERE n = ?1 AND hash = ?2",
        params![row, &hash[..]],
        |row| Ok((row.get(0)?, u64_at(row, 1)?, row.get(2)?)),
    )
}

/// A store that knows one cursor only is of a version whose relay told of orders too.
pub(super) fn relayed(connection: &Connection) -> Result<Cursors, StoreError> {
    // One statement: they are of the same moment.
    let found = one(
        connection,
        "a relay's cursor",
        "SELECT shop.value, coalesce(orders.value, shop.value)
         FROM meta AS shop LEFT JOIN meta AS orders ON orders.name = 'orders_cursor'
         WHERE shop.name = 'relay_cursor'",
        [],
        |row| {
            Ok(Cursors {
                shop: u64_at(row, 0)?,
                orders: u64_at(row, 1)?,
            })
        },
    )?;
    Ok(found.unwrap_or_default())
}

pub(super) fn product(connection: &Connection, sku: &Sku) -> Result<Option<Product>, StoreError> {
    one(
        connection,
        "a product",
        "SELECT state FROM products WHERE sku = ?1",
        params![sku.as_str()],
        |row| json_at(row, 0),
    )
}

pub(super) fn products(
    connection: &Connection,
    after: Option<&Sku>,
    limit: usize,
) -> Result<Vec<Product>, StoreError> {
    many(
        connection,
        "products",
        "SELECT state FROM products WHERE sku > ?1 ORDER BY sku LIMIT ?2",
        params![after.map_or("", Sku::as_str), rows(limit)],
        |row| json_at(row, 0),
    )
}

pub(super) fn waiting(
    connection: &Connection,
    product: ProductId,
    after_place: u64,
    limit: usize,
) -> Result<Vec<Waiting>, StoreError> {
    many(
        connection,
        "a waiting line",
        "SELECT place, order_seq, quantity, customer FROM waiting
         WHERE product = ?1 AND place > ?2 ORDER BY place LIMIT ?3",
        params![product.0, sought(after_place), rows(limit)],
        |row| {
            let customer: String = row.get(3)?;
            Ok(Waiting {
                place: u64_at(row, 0)?,
                order: u64_at(row, 1)?,
                quantity: Quantity::new(row.get(2)?)
                    .map_err(|error| damaged(2, Type::Integer, error))?,
                customer: customer.into(),
            })
        },
    )
}

pub(super) fn order_change(
    connection: &Connection,
    order: u64,
) -> Result<Option<OrderChange>, StoreError> {
    one(
        connection,
        "an order",
        "SELECT status, decided_at, cancelled_at, last_seq FROM order_changes WHERE order_seq = ?1",
        params![sought(order)],
        |row| {
            let number: u8 = row.get(0)?;
            Ok(OrderChange {
                order,
                status: OrderStatus::from_number(number)
                    .ok_or_else(|| damaged(0, Type::Integer, format!("unknown status {number}")))?,
                decided_at: row.get(1)?,
                cancelled_at: row.get(2)?,
                last_seq: u64_at(row, 3)?,
            })
        },
    )
}

pub(super) fn order(connection: &Connection, seq: u64) -> Result<Option<OrderRecord>, StoreError> {
    match entry(connection, seq)? {
        Some(entry) => order_of(connection, &entry),
        None => Ok(None),
    }
}

/// The order that this entry made, as it stands now.
pub(super) fn order_of(
    connection: &Connection,
    entry: &Entry,
) -> Result<Option<OrderRecord>, StoreError> {
    let Some(mut order) = OrderRecord::from_entry(entry) else {
        return Ok(None);
    };
    if let Some(change) = order_change(connection, entry.seq)? {
        order.status = change.status;
        order.decided_at = change.decided_at;
        order.cancelled_at = change.cancelled_at;
        order.last_seq = change.last_seq;
    }
    Ok(Some(order))
}

pub(super) fn receipt(
    connection: &Connection,
    product: ProductId,
    reference: &Reference,
) -> Result<Option<(u64, u64)>, StoreError> {
    one(
        connection,
        "a receipt",
        "SELECT quantity, seq FROM receipts WHERE product = ?1 AND reference = ?2",
        params![product.0, reference.as_str()],
        |row| Ok((u64_at(row, 0)?, u64_at(row, 1)?)),
    )
}

pub(super) fn replenishment(
    connection: &Connection,
    seq: u64,
) -> Result<Option<Replenishment>, StoreError> {
    one(
        connection,
        "a replenishment",
        "SELECT state FROM replenishments WHERE seq = ?1",
        params![sought(seq)],
        |row| json_at(row, 0),
    )
}
