//! What is kept of products and of requests for them.

use commerce::Millis;
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use crate::{number, unsigned};

/// Part of the schema of `effects.db`.
pub(crate) const SCHEMA: &str = "
CREATE TABLE ads_product (
  sku          TEXT    NOT NULL PRIMARY KEY,
  arrival_seq  INTEGER NOT NULL,  -- the newest entry after which there was something to sell
  arrival_at   INTEGER NOT NULL,  -- milliseconds since 1970
  arrived      INTEGER NOT NULL,
  short_seq    INTEGER NOT NULL,  -- the newest request that found nothing to sell
  is_paused    INTEGER NOT NULL,
  pause_seq    INTEGER NOT NULL,  -- the request for which the ads were paused last
  pause_at     INTEGER NOT NULL,
  factory      TEXT    NOT NULL,
  pause_mail   TEXT,
  resume_mail  TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE ads_request (
  replenishment INTEGER PRIMARY KEY,
  opened_seq    INTEGER NOT NULL,  -- its newest request
  opened_at     INTEGER NOT NULL,
  failed_seq    INTEGER NOT NULL,
  received      INTEGER NOT NULL,
  quantity      INTEGER NOT NULL,
  factory       TEXT    NOT NULL
) STRICT;
";

#[derive(Default)]
pub(super) struct Product {
    sku: String,
    pub(super) arrival: Arrival,
    pub(super) short_seq: u64,
    pub(super) is_paused: bool,
    pub(super) pause: Pause,
    pub(super) pause_mail: Option<String>,
    pub(super) resume_mail: Option<String>,
}

#[derive(Default)]
pub(super) struct Arrival {
    pub(super) seq: u64,
    pub(super) at: Millis,
    pub(super) quantity: u64,
}

#[derive(Default)]
pub(super) struct Pause {
    pub(super) seq: u64,
    pub(super) at: Millis,
    pub(super) factory: String,
}

impl Product {
    pub(super) fn load(transaction: &Transaction<'_>, sku: &str) -> rusqlite::Result<Self> {
        let found = transaction
            .prepare_cached(
                "SELECT sku, arrival_seq, arrival_at, arrived, short_seq, is_paused, pause_seq,
                   pause_at, factory, pause_mail, resume_mail FROM ads_product WHERE sku = ?1",
            )?
            .query_row([sku], Self::from_row)
            .optional()?;
        Ok(found.unwrap_or_else(|| Self {
            sku: sku.to_owned(),
            ..Self::default()
        }))
    }

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            sku: row.get(0)?,
            arrival: Arrival {
                seq: unsigned(row.get(1)?),
                at: row.get(2)?,
                quantity: unsigned(row.get(3)?),
            },
            short_seq: unsigned(row.get(4)?),
            is_paused: row.get(5)?,
            pause: Pause {
                seq: unsigned(row.get(6)?),
                at: row.get(7)?,
                factory: row.get(8)?,
            },
            pause_mail: row.get(9)?,
            resume_mail: row.get(10)?,
        })
    }

    pub(super) fn save(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO ads_product (sku, arrival_seq, arrival_at, arrived,
                   short_seq, is_paused, pause_seq, pause_at, factory, pause_mail, resume_mail)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                self.sku,
                number(self.arrival.seq),
                self.arrival.at,
                number(self.arrival.quantity),
                number(self.short_seq),
                self.is_paused,
                number(self.pause.seq),
                self.pause.at,
                self.pause.factory,
                self.pause_mail,
                self.resume_mail,
            ])?;
        Ok(())
    }
}

#[derive(Default)]
pub(super) struct Request {
    replenishment: u64,
    /// 0 until it is known.
    pub(super) opened_seq: u64,
    pub(super) opened_at: Millis,
    pub(super) failed_seq: u64,
    /// For good: nothing opens it again.
    pub(super) received: bool,
    pub(super) quantity: u64,
    pub(super) factory: String,
}

impl Request {
    pub(super) fn is_open(&self) -> bool {
        !self.received && self.opened_seq > self.failed_seq
    }

    pub(super) fn load(
        transaction: &Transaction<'_>,
        replenishment: u64,
    ) -> rusqlite::Result<Self> {
        let found = transaction
            .prepare_cached(
                "SELECT replenishment, opened_seq, opened_at, failed_seq, received, quantity,
                   factory FROM ads_request WHERE replenishment = ?1",
            )?
            .query_row([number(replenishment)], |row| {
                Ok(Self {
                    replenishment: unsigned(row.get(0)?),
                    opened_seq: unsigned(row.get(1)?),
                    opened_at: row.get(2)?,
                    failed_seq: unsigned(row.get(3)?),
                    received: row.get(4)?,
                    quantity: unsigned(row.get(5)?),
                    factory: row.get(6)?,
                })
            })
            .optional()?;
        Ok(found.unwrap_or_else(|| Self {
            replenishment,
            ..Self::default()
        }))
    }

    pub(super) fn save(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO ads_request (replenishment, opened_seq, opened_at,
                   failed_seq, received, quantity, factory) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                number(self.replenishment),
                number(self.opened_seq),
                self.opened_at,
                number(self.failed_seq),
                self.received,
                number(self.quantity),
                self.factory,
            ])?;
        Ok(())
    }
}
