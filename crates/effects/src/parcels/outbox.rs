//! Changes that the sale's log does not have yet.
//!
//! They are told first and marked afterwards: who dies in between tells them again, which says
//! nothing new and is harmless.

use rusqlite::params;

use super::schema::status_at;
use super::status::ParcelStatus;
use crate::database::{DatabaseError, Effects};

/// One change of the parcel of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untold {
    /// What [`Effects::parcels_told`] takes.
    pub id: i64,
    pub order_id: String,
    pub tracking_id: String,
    pub status: ParcelStatus,
    /// The parcel's first.
    pub is_first: bool,
}

impl Effects {
    /// The oldest changes that were not told, in their order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn untold_parcels(&self, max: usize) -> Result<Vec<Untold>, DatabaseError> {
        self.0
            .read(move |tx| {
                tx.prepare_cached(
                    "SELECT c.id, p.order_id, p.tracking_id, c.status, c.n = 1
                     FROM parcel_change c JOIN parcel p ON p.id = c.parcel
                     WHERE c.told = 0 ORDER BY c.id LIMIT ?1",
                )?
                .query_map([i64::try_from(max).unwrap_or(i64::MAX)], |row| {
                    Ok(Untold {
                        id: row.get(0)?,
                        order_id: row.get(1)?,
                        tracking_id: row.get(2)?,
                        status: status_at(row, 3)?,
                        is_first: row.get(4)?,
                    })
                })?
                .collect()
            })
            .await
    }

    /// These need not be told again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn parcels_told(&self, changes: Vec<i64>) -> Result<(), DatabaseError> {
        self.0
            .write(move |tx| {
                let mut told =
                    tx.prepare_cached("UPDATE parcel_change SET told = 1 WHERE id = ?1")?;
                for id in changes {
                    told.execute(params![id])?;
                }
                Ok(())
            })
            .await
    }
}
