//! What may be read of a customer.

use commerce::Millis;
use rusqlite::{OptionalExtension as _, Row, Transaction};

use super::notices::{self, Notice};
use super::tiers::Tier;
use super::{Customers, fold};
use crate::database::DatabaseError;

/// A customer as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerView {
    /// Folded.
    pub name: String,
    pub tier: Tier,
    pub vip_since: Option<Millis>,
    /// Qualifying units: those of accepted orders, less those of cancelled ones.
    pub units: i64,
    /// Points.
    pub mileage: i64,
    pub notice: Option<Notice>,
}

/// One row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MileageEntry {
    /// Rises by the order in which they were counted: the cursor of a page.
    pub id: u64,
    pub cause: String,
    /// Of the shop's own orders: the sequence.
    pub order_seq: Option<u64>,
    pub points: i64,
    pub at: Millis,
}

/// What an order counts towards a tier, or takes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitsEntry {
    /// Negative when they were given back.
    pub units: i64,
    /// The event's sequence.
    pub seq: u64,
    pub at: Millis,
}

/// What was counted for one order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderCounts {
    /// Two at most, in the order in which they were counted; as the next.
    pub mileage: Vec<MileageEntry>,
    pub units: Vec<UnitsEntry>,
    /// Of the order that made its customer a VIP.
    pub notice: Option<Notice>,
}

impl Customers {
    /// None for somebody of whom nothing was counted yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer(&self, name: &str) -> Result<Option<CustomerView>, DatabaseError> {
        let name = fold(name);
        self.database
            .read(move |transaction| {
                let found = transaction
                    .prepare_cached(
                        "SELECT id, tier, vip_since, units, balance FROM customer WHERE name = ?1",
                    )?
                    .query_row([&name], |row| {
                        let tier: String = row.get(1)?;
                        let view = CustomerView {
                            name: name.clone(),
                            tier: Tier::from_stored(&tier),
                            vip_since: row.get(2)?,
                            units: row.get(3)?,
                            mileage: row.get(4)?,
                            notice: None,
                        };
                        Ok((row.get(0)?, view))
                    })
                    .optional()?;
                let Some((id, view)) = found else {
                    return Ok(None);
                };
                let notice = notices::of_customer(transaction, id)?;
                Ok(Some(CustomerView { notice, ..view }))
            })
            .await
    }

    /// The ledger of a customer, newest first, from before this entry on. None for somebody of
    /// whom nothing was counted yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mileage(
        &self,
        name: &str,
        before: Option<u64>,
        max: usize,
    ) -> Result<Option<Vec<MileageEntry>>, DatabaseError> {
        let name = fold(name);
        let before = before.and_then(|id| i64::try_from(id).ok());
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        self.database
            .read(move |transaction| {
                let Some(customer) = find(transaction, &name)? else {
                    return Ok(None);
                };
                let entries = transaction
                    .prepare_cached(
                        "SELECT id, cause, order_seq, points, at FROM mileage
                         WHERE customer = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
                    )?
                    .query_map([customer, before.unwrap_or(i64::MAX), max], entry)?
                    .collect::<rusqlite::Result<_>>()?;
                Ok(Some(entries))
            })
            .await
    }

    /// What an order gave and took back, in the order in which it was counted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mileage_of_order(&self, order: u64) -> Result<Vec<MileageEntry>, DatabaseError> {
        let order = super::ledger::sequence(order);
        self.database
            .read(move |transaction| mileage_of(transaction, order))
            .await
    }

    /// Everything that was counted for one order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of_order(&self, order: u64) -> Result<OrderCounts, DatabaseError> {
        let order = super::ledger::sequence(order);
        self.database
            .read(move |transaction| {
                Ok(OrderCounts {
                    mileage: mileage_of(transaction, order)?,
                    units: units_of(transaction, order)?,
                    notice: notices::of_order(transaction, order)?,
                })
            })
            .await
    }
}

fn mileage_of(transaction: &Transaction<'_>, order: i64) -> rusqlite::Result<Vec<MileageEntry>> {
    transaction
        .prepare_cached(
            "SELECT id, cause, order_seq, points, at FROM mileage
             WHERE order_seq = ?1 ORDER BY id",
        )?
        .query_map([order], entry)?
        .collect()
}

fn units_of(transaction: &Transaction<'_>, order: i64) -> rusqlite::Result<Vec<UnitsEntry>> {
    transaction
        .prepare_cached("SELECT units, seq, at FROM units WHERE order_seq = ?1 ORDER BY id")?
        .query_map([order], |row| {
            Ok(UnitsEntry {
                units: row.get(0)?,
                seq: row.get::<_, i64>(1)?.unsigned_abs(),
                at: row.get(2)?,
            })
        })?
        .collect()
}

fn find(transaction: &Transaction<'_>, name: &str) -> rusqlite::Result<Option<i64>> {
    transaction
        .prepare_cached("SELECT id FROM customer WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
}

fn entry(row: &Row<'_>) -> rusqlite::Result<MileageEntry> {
    Ok(MileageEntry {
        id: row.get::<_, i64>(0)?.unsigned_abs(),
        cause: row.get(1)?,
        order_seq: row.get::<_, Option<i64>>(2)?.map(i64::unsigned_abs),
        points: row.get(3)?,
        at: row.get(4)?,
    })
}
