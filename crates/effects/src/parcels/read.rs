//! Parcels as they stand, for whoever asks.

use commerce::Millis;
use rusqlite::{OptionalExtension, Row, Transaction};

use super::fold::signed;
use super::schema::status_at;
use super::status::ParcelStatus;
use crate::database::{DatabaseError, Effects};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    id: i64,
    pub tracking_id: String,
    /// None for a purchase that was made elsewhere, as the next three.
    pub order_id: Option<String>,
    pub order_seq: Option<u64>,
    pub sku: Option<String>,
    pub quantity: Option<u64>,
    /// Whose it is: an order's e-mail address, a purchase's user name.
    pub customer: String,
    pub status: ParcelStatus,
    /// Its order was cancelled.
    pub cancelled: bool,
    pub created_at: Millis,
    pub changed_at: Millis,
}

/// One line of a parcel's history. A parcel has five at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParcelChange {
    pub status: ParcelStatus,
    pub at: Millis,
    /// Where it was then, in the carrier's words.
    pub place: Option<String>,
}

const PARCEL: &str = "SELECT id, tracking_id, order_id, order_seq, sku, quantity, customer, status,
                             cancelled, created_at, changed_at FROM parcel";

fn parcel_of(row: &Row<'_>) -> rusqlite::Result<Parcel> {
    let unsigned = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
    Ok(Parcel {
        id: row.get(0)?,
        tracking_id: row.get(1)?,
        order_id: row.get(2)?,
        order_seq: unsigned(row.get(3)?),
        sku: row.get(4)?,
        quantity: unsigned(row.get(5)?),
        customer: row.get(6)?,
        status: status_at(row, 7)?,
        cancelled: row.get(8)?,
        created_at: row.get(9)?,
        changed_at: row.get(10)?,
    })
}

fn history(tx: &Transaction<'_>, parcel: &Parcel) -> rusqlite::Result<Vec<ParcelChange>> {
    tx.prepare_cached("SELECT status, at, place FROM parcel_change WHERE parcel = ?1 ORDER BY n")?
        .query_map([parcel.id], |row| {
            Ok(ParcelChange {
                status: status_at(row, 0)?,
                at: row.get(1)?,
                place: row.get(2)?,
            })
        })?
        .collect()
}

fn of_order(tx: &Transaction<'_>, id: &str, seq: u64) -> rusqlite::Result<Option<Parcel>> {
    tx.prepare_cached(&format!("{PARCEL} WHERE cause = ?1 AND order_id = ?2"))?
        .query_row([&format!("order:{seq}"), id], parcel_of)
        .optional()
}

impl Effects {
    /// The parcel of an order, by the order's id and first entry.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn parcel_of_order(
        &self,
        order_id: String,
        order_seq: u64,
    ) -> Result<Option<Parcel>, DatabaseError> {
        self.0
            .read(move |tx| of_order(tx, &order_id, order_seq))
            .await
    }

    /// The same, with its history.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn parcel_history_of_order(
        &self,
        order_id: String,
        order_seq: u64,
    ) -> Result<Option<(Parcel, Vec<ParcelChange>)>, DatabaseError> {
        self.0
            .read(move |tx| {
                let Some(parcel) = of_order(tx, &order_id, order_seq)? else {
                    return Ok(None);
                };
                let changes = history(tx, &parcel)?;
                Ok(Some((parcel, changes)))
            })
            .await
    }

    /// A parcel and its history, by its tracking id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn parcel(
        &self,
        tracking_id: String,
    ) -> Result<Option<(Parcel, Vec<ParcelChange>)>, DatabaseError> {
        self.0
            .read(move |tx| {
                let found = tx
                    .prepare_cached(&format!("{PARCEL} WHERE tracking_id = ?1"))?
                    .query_row([&tracking_id], parcel_of)
                    .optional()?;
                let Some(parcel) = found else {
                    return Ok(None);
                };
                let changes = history(tx, &parcel)?;
                Ok(Some((parcel, changes)))
            })
            .await
    }

    /// A customer's parcels, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn parcels_of(
        &self,
        customer: &str,
        limit: usize,
    ) -> Result<Vec<Parcel>, DatabaseError> {
        let customer = customer.to_owned();
        self.0
            .read(move |tx| {
                tx.prepare_cached(&format!(
                    "{PARCEL} WHERE customer = ?1 ORDER BY id DESC LIMIT ?2"
                ))?
                .query_map((customer, signed(limit as u64)), parcel_of)?
                .collect()
            })
            .await
    }

    /// Parcels that may still move, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn parcels_on_their_way(&self, limit: usize) -> Result<Vec<Parcel>, DatabaseError> {
        self.0
            .read(move |tx| {
                tx.prepare_cached(&format!("{PARCEL} WHERE status < 3 ORDER BY id LIMIT ?1"))?
                    .query_map([signed(limit as u64)], parcel_of)?
                    .collect()
            })
            .await
    }
}
