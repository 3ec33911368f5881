//! The ledger of mileage.
//!
//! What always holds: one row for each cause. An order has two at most, `order:<seq>:accepted`
//! and `order:<seq>:cancelled`, whose points add up to 0. The queue is a standard one, so a
//! cancellation may come before its order; nobody knows then how many points there will be to
//! take back. It is kept as an early reversal, and settled in the transaction that counts the
//! order. So a balance is never below 0 on the way either.

use commerce::Millis;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::{Customers, customer_id};
use crate::database::DatabaseError;

/// Something that changes a customer's mileage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MileageFact {
    /// An e-mail address, or another name of at most [`super::CUSTOMER_BYTES_MAX`] bytes.
    pub customer: String,
    pub at: Millis,
    pub what: MileageWhat,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MileageWhat {
    /// An order was accepted: by its sequence, and what it is worth.
    Accepted { order_seq: u64, points: i64 },
    /// An order that had been accepted was cancelled.
    Cancelled { order_seq: u64 },
    /// Something was bought elsewhere: by its id there, and what it is worth.
    Purchase { id: String, points: i64 },
}

impl Customers {
    /// Counts what was not counted before, all in one transaction.
    ///
    /// # Errors
    /// When the database fails; then nothing was counted.
    pub async fn count_mileage(&self, facts: Vec<MileageFact>) -> Result<(), DatabaseError> {
        self.database
            .write(move |transaction| facts.iter().try_for_each(|fact| count(transaction, fact)))
            .await
    }
}

fn count(transaction: &Transaction<'_>, fact: &MileageFact) -> rusqlite::Result<()> {
    match &fact.what {
        MileageWhat::Accepted { order_seq, points } => {
            let seq = sequence(*order_seq);
            let is_new = append(transaction, fact, &accepted(seq), Some(seq), *points)?;
            if !is_new {
                return Ok(());
            }
            let early = transaction
                .prepare_cached("DELETE FROM early_reversal WHERE order_seq = ?1 RETURNING at")?
                .query_row([seq], |row| row.get(0))
                .optional()?;
            if let Some(at) = early {
                let reversal = MileageFact { at, ..fact.clone() };
                append(transaction, &reversal, &cancelled(seq), Some(seq), -points)?;
            }
            Ok(())
        }
        MileageWhat::Cancelled { order_seq } => cancel(transaction, fact, sequence(*order_seq)),
        MileageWhat::Purchase { id, points } => {
            append(transaction, fact, &format!("purchase:{id}"), None, *points).map(drop)
        }
    }
}

fn cancel(transaction: &Transaction<'_>, fact: &MileageFact, seq: i64) -> rusqlite::Result<()> {
    match points_of(transaction, &accepted(seq))? {
        Some(points) => {
            append(transaction, fact, &cancelled(seq), Some(seq), -points)?;
        }
        None => {
            transaction
                .prepare_cached("INSERT OR IGNORE INTO early_reversal VALUES (?1, ?2)")?
                .execute([seq, fact.at])?;
        }
    }
    Ok(())
}

/// False when the cause had been counted.
fn append(
    transaction: &Transaction<'_>,
    fact: &MileageFact,
    cause: &str,
    order_seq: Option<i64>,
    points: i64,
) -> rusqlite::Result<bool> {
    if points_of(transaction, cause)?.is_some() {
        return Ok(false);
    }
    let customer = customer_id(transaction, &fact.customer)?;
    transaction
        .prepare_cached(
            "INSERT INTO mileage (customer, cause, order_seq, points, at)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![customer, cause, order_seq, points, fact.at])?;
    transaction
        .prepare_cached("UPDATE customer SET balance = balance + ?2 WHERE id = ?1")?
        .execute([customer, points])?;
    Ok(true)
}

/// What was counted for this cause, if it was.
fn points_of(transaction: &Transaction<'_>, cause: &str) -> rusqlite::Result<Option<i64>> {
    transaction
        .prepare_cached("SELECT points FROM mileage WHERE cause = ?1")?
        .query_row([cause], |row| row.get(0))
        .optional()
}

fn accepted(seq: i64) -> String {
    format!("order:{seq}:accepted")
}

fn cancelled(seq: i64) -> String {
    format!("order:{seq}:cancelled")
}

/// Stores keep sequences as signed integers: there is none above it.
pub(super) fn sequence(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
