//! What the marketing system has to be told: an outbox, written with the tier.
//!
//! What always holds: a notice is told when its `told_at` says so, and not before; being queued
//! twice or told twice is harmless, because its id is the same each time and the receiver's
//! idempotency key. The id is made of the customer and the order that did it, so that a database
//! that was rebuilt from the same events has the same ids.

use commerce::Millis;
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use super::ledger::sequence;
use super::tiers::UnitsFact;
use super::{Customers, fold};
use crate::database::DatabaseError;

/// One customer became VIP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub id: String,
    /// Its folded name.
    pub customer: String,
    /// Qualifying units in that moment.
    pub units: i64,
    pub at: Millis,
    pub state: NoticeState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoticeState {
    /// Handed to the queue of the marketing system.
    pub queued_at: Option<Millis>,
    /// The marketing system has said that it knows.
    pub told_at: Option<Millis>,
}

pub(super) fn write(
    transaction: &Transaction<'_>,
    customer: i64,
    units: i64,
    fact: &UnitsFact,
) -> rusqlite::Result<()> {
    let mut hasher = blake3::Hasher::new_derive_key("firstcome.vip.v1");
    hasher.update(&fact.order_seq.to_be_bytes());
    hasher.update(fold(&fact.customer).as_bytes());
    let digest = hasher.finalize().to_hex();
    let id = format!("vip_{}", &digest[..32]);
    transaction
        .prepare_cached(
            "INSERT INTO notice (id, customer, units, order_seq, at) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            id,
            customer,
            units,
            sequence(fact.order_seq),
            fact.at
        ])?;
    Ok(())
}

impl Customers {
    /// Ids of notices that are in no queue yet, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unqueued_notices(&self, max: usize) -> Result<Vec<String>, DatabaseError> {
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        self.database
            .read(move |transaction| {
                transaction
                    .prepare_cached(
                        "SELECT id FROM notice WHERE queued_at IS NULL ORDER BY at LIMIT ?1",
                    )?
                    .query_map([max], |row| row.get(0))?
                    .collect()
            })
            .await
    }

    /// How many the marketing system has not been told of, and since when the oldest waits.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn untold_notices(&self) -> Result<(u64, Option<Millis>), DatabaseError> {
        self.database
            .read(|transaction| {
                transaction
                    .prepare_cached("SELECT count(*), min(at) FROM notice WHERE told_at IS NULL")?
                    .query_row([], |row| {
                        Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?))
                    })
            })
            .await
    }

    /// # Errors
    /// When the database fails.
    pub async fn mark_queued(&self, ids: Vec<String>, now: Millis) -> Result<(), DatabaseError> {
        self.database
            .write(move |transaction| {
                let mut statement = transaction.prepare_cached(
                    "UPDATE notice SET queued_at = ?2 WHERE id = ?1 AND queued_at IS NULL",
                )?;
                ids.iter()
                    .try_for_each(|id| statement.execute(params![id, now]).map(drop))
            })
            .await
    }

    /// # Errors
    /// When the database fails.
    pub async fn mark_told(&self, id: String, now: Millis) -> Result<(), DatabaseError> {
        self.database
            .write(move |transaction| {
                transaction
                    .prepare_cached(
                        "UPDATE notice SET told_at = ?2 WHERE id = ?1 AND told_at IS NULL",
                    )?
                    .execute(params![id, now])
                    .map(drop)
            })
            .await
    }

    /// # Errors
    /// When the database fails.
    pub async fn notice(&self, id: String) -> Result<Option<Notice>, DatabaseError> {
        self.database
            .read(move |transaction| {
                transaction
                    .prepare_cached(&format!("{SELECT} WHERE notice.id = ?1"))?
                    .query_row([id], read)
                    .optional()
            })
            .await
    }
}

const SELECT: &str = "SELECT notice.id, customer.name, notice.units, notice.at, notice.queued_at,
  notice.told_at FROM notice JOIN customer ON customer.id = notice.customer";

pub(super) fn of_customer(
    transaction: &Transaction<'_>,
    customer: i64,
) -> rusqlite::Result<Option<Notice>> {
    transaction
        .prepare_cached(&format!("{SELECT} WHERE notice.customer = ?1"))?
        .query_row([customer], read)
        .optional()
}

/// That of the customer whom this order made a VIP.
pub(super) fn of_order(
    transaction: &Transaction<'_>,
    order: i64,
) -> rusqlite::Result<Option<Notice>> {
    transaction
        .prepare_cached(&format!(
            "{SELECT} WHERE notice.order_seq = ?1
             AND notice.customer IN (SELECT customer FROM units WHERE order_seq = ?1)"
        ))?
        .query_row([order], read)
        .optional()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Notice> {
    Ok(Notice {
        id: row.get(0)?,
        customer: row.get(1)?,
        units: row.get(2)?,
        at: row.get(3)?,
        state: NoticeState {
            queued_at: row.get(4)?,
            told_at: row.get(5)?,
        },
    })
}
