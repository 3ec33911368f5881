//! Qualifying units, and the tier that they make.
//!
//! What always holds: who has reached the bound once is VIP and stays it, whatever is cancelled
//! later; the tier, its moment and the notice to the marketing system are one transaction. The
//! events of one customer come in their order, so whether the bound was reached is the same
//! whoever looks, and however often.

use commerce::Millis;
use rusqlite::{Transaction, params};

use super::ledger::sequence;
use super::{Customers, customer_id, notices};
use crate::database::DatabaseError;

/// What a customer is to the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    Normal,
    Vip,
}

impl Tier {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Vip => "vip",
        }
    }

    /// The tier after this many units: the bound itself counts, and there is no way back.
    #[must_use]
    pub const fn after(self, units: i64, bound: u64) -> Self {
        match self {
            Self::Vip => Self::Vip,
            Self::Normal if units >= 0 && units.unsigned_abs() >= bound => Self::Vip,
            Self::Normal => Self::Normal,
        }
    }

    pub(super) fn from_stored(text: &str) -> Self {
        match text {
            "vip" => Self::Vip,
            _ => Self::Normal,
        }
    }
}

/// Units that count, or count no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitsFact {
    pub customer: String,
    pub order_seq: u64,
    pub quantity: u32,
    /// The order that had been accepted was cancelled.
    pub is_reversal: bool,
    /// The event's sequence.
    pub seq: u64,
    pub at: Millis,
}

impl Customers {
    /// Counts what was not counted before, in this order and in one transaction. Says how many
    /// became VIP.
    ///
    /// # Errors
    /// When the database fails; then nothing was counted.
    pub async fn count_units(
        &self,
        facts: Vec<UnitsFact>,
        bound: u64,
    ) -> Result<usize, DatabaseError> {
        let counted = self.database.write(move |transaction| {
            let mut became = 0;
            for fact in &facts {
                became += usize::from(count(transaction, fact, bound)?);
            }
            Ok(became)
        });
        let became = counted.await?;
        if became > 0 {
            self.notices.notify_one();
        }
        Ok(became)
    }
}

/// Whether the customer became VIP by it.
fn count(transaction: &Transaction<'_>, fact: &UnitsFact, bound: u64) -> rusqlite::Result<bool> {
    let customer = customer_id(transaction, &fact.customer)?;
    let seq = sequence(fact.order_seq);
    let (cause, units) = if fact.is_reversal {
        (format!("order:{seq}:cancelled"), -i64::from(fact.quantity))
    } else {
        (format!("order:{seq}:accepted"), i64::from(fact.quantity))
    };
    let added = transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO units (customer, cause, order_seq, units, seq, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            customer,
            cause,
            seq,
            units,
            sequence(fact.seq),
            fact.at
        ])?;
    if added == 0 {
        return Ok(false);
    }
    let (before, units): (String, i64) = transaction
        .prepare_cached(
            "UPDATE customer SET units = units + ?2 WHERE id = ?1 RETURNING tier, units",
        )?
        .query_row([customer, units], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let before = Tier::from_stored(&before);
    let tier = before.after(units, bound);
    if tier == before {
        return Ok(false);
    }
    transaction
        .prepare_cached("UPDATE customer SET tier = ?2, vip_since = ?3 WHERE id = ?1")?
        .execute(params![customer, tier.as_str(), fact.at])?;
    notices::write(transaction, customer, units, fact)?;
    Ok(true)
}
