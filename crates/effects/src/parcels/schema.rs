//! The tables, and the few statements that more than one file needs.

use commerce::{Millis, Secret};
use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::status::{ParcelStatus, Progress};

/// Part of the schema of `effects.db`. Times are milliseconds since 1970.
pub(crate) const SCHEMA: &str = "
CREATE TABLE parcel (
  id          INTEGER PRIMARY KEY,
  cause       TEXT    NOT NULL UNIQUE, -- 'order:<sequence>' or 'purchase:<id>'
  tracking_id TEXT    NOT NULL UNIQUE,
  order_id    TEXT,                    -- of an order's parcel only
  order_seq   INTEGER,
  customer    TEXT    NOT NULL,
  sku         TEXT,
  quantity    INTEGER,
  status      INTEGER NOT NULL,
  reached     INTEGER NOT NULL,
  cancelled   INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  changed_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX parcel_customer ON parcel (customer, id);
CREATE INDEX parcel_on_its_way ON parcel (id) WHERE status < 3;
CREATE TABLE parcel_change (
  id     INTEGER PRIMARY KEY,
  parcel INTEGER NOT NULL REFERENCES parcel (id),
  n      INTEGER NOT NULL,             -- 1, 2, 3 ... of its parcel
  status INTEGER NOT NULL,
  at     INTEGER NOT NULL,
  place  TEXT CHECK (length(place) <= 200),
  told   INTEGER NOT NULL,             -- 0 until the sale's log has it
  UNIQUE (parcel, n)
) STRICT;
CREATE INDEX parcel_change_untold ON parcel_change (id) WHERE told = 0;
-- Orders whose cancellation came before their acceptance.
CREATE TABLE parcel_cancelled (
  order_seq INTEGER PRIMARY KEY,
  at        INTEGER NOT NULL
) STRICT;
-- What notices were answered, by the id of their webhook.
CREATE TABLE carrier_notice (
  webhook_id TEXT    NOT NULL PRIMARY KEY,
  said       BLOB    NOT NULL,
  outcome    INTEGER NOT NULL,
  parcel     INTEGER NOT NULL REFERENCES parcel (id),
  status     INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX carrier_notice_at ON carrier_notice (at);
-- What tracking ids are made with: bits that SQLite draws from the system's.
CREATE TABLE parcel_key (
  id  INTEGER PRIMARY KEY CHECK (id = 1),
  key BLOB NOT NULL CHECK (length(key) = 32)
) STRICT;
INSERT INTO parcel_key (id, key) VALUES (1, randomblob(32));
";

/// What a change needs to know of a parcel.
pub(super) struct Stored {
    pub(super) id: i64,
    pub(super) progress: Progress,
    pub(super) cancelled: bool,
    pub(super) is_order: bool,
    pub(super) changed_at: Millis,
}

pub(super) fn status_at(row: &Row<'_>, column: usize) -> rusqlite::Result<ParcelStatus> {
    let number: u8 = row.get(column)?;
    ParcelStatus::from_number(number).ok_or_else(|| {
        let error = format!("unknown status {number}").into();
        rusqlite::Error::FromSqlConversionFailure(column, Type::Integer, error)
    })
}

/// `column` is a name of ours, never a text that came in.
fn find(tx: &Transaction<'_>, column: &str, value: &str) -> rusqlite::Result<Option<Stored>> {
    let sql = format!(
        "SELECT id, status, reached, cancelled, order_seq IS NOT NULL, changed_at
         FROM parcel WHERE {column} = ?1"
    );
    tx.prepare_cached(&sql)?
        .query_row([value], |row| {
            Ok(Stored {
                id: row.get(0)?,
                progress: Progress {
                    status: status_at(row, 1)?,
                    reached: status_at(row, 2)?,
                },
                cancelled: row.get(3)?,
                is_order: row.get(4)?,
                changed_at: row.get(5)?,
            })
        })
        .optional()
}

pub(super) fn by_cause(tx: &Transaction<'_>, cause: &str) -> rusqlite::Result<Option<Stored>> {
    find(tx, "cause", cause)
}

pub(super) fn by_tracking(tx: &Transaction<'_>, id: &str) -> rusqlite::Result<Option<Stored>> {
    find(tx, "tracking_id", id)
}

/// Writes the next line of a parcel's history. That of an order is to be told.
pub(super) fn add_change(
    tx: &Transaction<'_>,
    parcel: i64,
    status: ParcelStatus,
    at: Millis,
    place: Option<&str>,
    is_order: bool,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO parcel_change (parcel, n, status, at, place, told)
         VALUES (?1, 1 + (SELECT count(*) FROM parcel_change WHERE parcel = ?1), ?2, ?3, ?4, ?5)",
    )?
    .execute(params![parcel, status.number(), at, place, !is_order])?;
    Ok(())
}

pub(super) fn move_parcel(
    tx: &Transaction<'_>,
    parcel: &Stored,
    to: Progress,
    at: Millis,
    place: Option<&str>,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE parcel SET status = ?2, reached = ?3, changed_at = ?4 WHERE id = ?1",
    )?
    .execute(params![
        parcel.id,
        to.status.number(),
        to.reached.number(),
        at
    ])?;
    add_change(tx, parcel.id, to.status, at, place, parcel.is_order)
}

/// The same for the same cause; nobody without the key can guess it.
pub(super) fn tracking_id(tx: &Transaction<'_>, cause: &str) -> rusqlite::Result<String> {
    let key: [u8; 32] = tx
        .prepare_cached("SELECT key FROM parcel_key")?
        .query_row([], |row| row.get(0))?;
    let hash = blake3::keyed_hash(&key, cause.as_bytes());
    let (bits, _) = hash.as_bytes().split_at(commerce::SECRET_BYTES);
    let bits = bits.try_into().expect("split at this length");
    Ok(format!("trk_{}", Secret(bits).to_base32()))
}
