//! The customers database: mileage, qualifying units, tiers, and what the marketing system has
//! to be told.
//!
//! ```text
//! customer 1 ─┬─ n mileage   signed points, one row a cause, appended only; balance = their sum
//!             ├─ n units     signed units, one row a cause, appended only; units   = their sum
//!             └─ 0..1 notice that it became VIP, written with the tier
//! early_reversal             cancellations that came before the order they cancel
//! ```
//! What always holds: a cause counts once, however often and in whatever order its message
//! comes, because the row of the cause is the note that it was handled; it is never forgotten.
//! A cancellation takes back the points that were given, not what a setting of today would give.
//!
//! It is a database of its own, at a place of its own: the shop's, not the sale's. It knows no
//! products and no prices, only what was given for them.

mod ledger;
mod notices;
mod points;
mod tiers;
mod view;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use rusqlite::{OptionalExtension as _, Transaction};
use tokio::sync::Notify;

pub use self::ledger::{MileageFact, MileageWhat};
pub use self::notices::{Notice, NoticeState};
pub use self::points::{BASIS_POINTS_MAX, POINTS_MAX, points};
pub use self::tiers::{Tier, UnitsFact};
pub use self::view::{CustomerView, MileageEntry, OrderCounts, UnitsEntry};
use crate::database::Database;

/// The longest name of a customer, in bytes: that of an e-mail address.
pub const CUSTOMER_BYTES_MAX: usize = 254;

const SCHEMA: &str = "
CREATE TABLE customer (
  id        INTEGER PRIMARY KEY,
  name      TEXT    NOT NULL UNIQUE, -- an e-mail address or another name, folded
  tier      TEXT    NOT NULL DEFAULT 'normal' CHECK (tier IN ('normal', 'vip')),
  units     INTEGER NOT NULL DEFAULT 0, -- the sum of its rows in units
  balance   INTEGER NOT NULL DEFAULT 0, -- the sum of its rows in mileage
  vip_since INTEGER,                    -- milliseconds since 1970
  CHECK ((tier = 'vip') = (vip_since IS NOT NULL))
) STRICT;
CREATE TABLE mileage (
  id        INTEGER PRIMARY KEY,
  customer  INTEGER NOT NULL REFERENCES customer,
  cause     TEXT    NOT NULL UNIQUE,
  order_seq INTEGER,          -- of the shop's own orders
  points    INTEGER NOT NULL, -- negative when they are taken back
  at        INTEGER NOT NULL
) STRICT;
CREATE INDEX mileage_customer ON mileage (customer, id);
CREATE INDEX mileage_order ON mileage (order_seq) WHERE order_seq IS NOT NULL;
CREATE TABLE early_reversal (
  order_seq INTEGER PRIMARY KEY,
  at        INTEGER NOT NULL
) STRICT;
CREATE TABLE units (
  id        INTEGER PRIMARY KEY,
  customer  INTEGER NOT NULL REFERENCES customer,
  cause     TEXT    NOT NULL UNIQUE,
  order_seq INTEGER NOT NULL,
  units     INTEGER NOT NULL, -- negative when they are given back
  seq       INTEGER NOT NULL, -- of the event
  at        INTEGER NOT NULL
) STRICT;
CREATE INDEX units_customer ON units (customer, id);
CREATE INDEX units_order ON units (order_seq);
CREATE TABLE notice (
  id        TEXT    PRIMARY KEY, -- also the id of the webhook
  customer  INTEGER NOT NULL UNIQUE REFERENCES customer,
  units     INTEGER NOT NULL,    -- when it became VIP
  order_seq INTEGER NOT NULL,    -- the order that did it
  at        INTEGER NOT NULL,
  queued_at INTEGER,
  told_at   INTEGER
) STRICT;
CREATE INDEX notice_waits ON notice (at) WHERE queued_at IS NULL;
CREATE INDEX notice_untold ON notice (at) WHERE told_at IS NULL;
CREATE TRIGGER mileage_stays BEFORE UPDATE ON mileage
  BEGIN SELECT RAISE(ABORT, 'the ledger is appended only'); END;
CREATE TRIGGER mileage_is_kept BEFORE DELETE ON mileage
  BEGIN SELECT RAISE(ABORT, 'the ledger is appended only'); END;
CREATE TRIGGER units_stay BEFORE UPDATE ON units
  BEGIN SELECT RAISE(ABORT, 'the ledger is appended only'); END;
CREATE TRIGGER units_are_kept BEFORE DELETE ON units
  BEGIN SELECT RAISE(ABORT, 'the ledger is appended only'); END;
";

/// `customers.db`. Cheap to clone.
#[derive(Clone)]
pub struct Customers {
    database: Database,
    notices: Arc<Notify>,
}

impl Customers {
    /// Nothing is opened yet.
    pub fn new(path: &Path) -> Self {
        Self {
            database: Database::new(path, &[&[SCHEMA]]),
            notices: Arc::default(),
        }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// Told when this process has written a notice: whoever sends them looks sooner.
    pub fn notices(&self) -> &Notify {
        &self.notices
    }
}

/// The customer behind a name: letters of either case are the same one.
pub fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// The row of a customer, made when this is the first that is heard of it.
fn customer_id(transaction: &Transaction<'_>, name: &str) -> rusqlite::Result<i64> {
    let name = fold(name);
    let known = transaction
        .prepare_cached("SELECT id FROM customer WHERE name = ?1")?
        .query_row([&name], |row| row.get(0))
        .optional()?;
    match known {
        Some(id) => Ok(id),
        None => transaction
            .prepare_cached("INSERT INTO customer (name) VALUES (?1) RETURNING id")?
            .query_row([&name], |row| row.get(0)),
    }
}
