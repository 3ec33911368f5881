//! How many wait before a place, without counting them one by one: beside a waiting line stands
//! how many orders and units each stretch of [`STRETCH`] places has.
//!
//! Everybody who is told "so many before you" asks for it, and in a line of 100,000 that would
//! be a count of 100,000 rows each time. Written in the commit that changes the line.

use std::collections::BTreeMap;

use commerce::ProductId;
use engine::ports::{Ahead, StoreError};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::read::{self, one, sought, u64_at};

/// Places in one stretch: in a line of a million, about as many stretches are added up as rows of
/// the last one are counted. Stored; the script of version 6 has it too.
const STRETCH: i64 = 512;

/// What a commit changes: orders and units of a product's stretch.
#[derive(Default)]
pub(super) struct LineSums(BTreeMap<(ProductId, i64), (i64, i64)>);

impl LineSums {
    pub(super) fn add(&mut self, product: ProductId, place: u64, quantity: u32) {
        let sum = self
            .0
            .entry((product, stretch(read::stored(place))))
            .or_default();
        *sum = (sum.0 + 1, sum.1 + i64::from(quantity));
    }

    /// Takes an order out of the line itself, which alone knows its quantity.
    pub(super) fn remove(
        &mut self,
        connection: &Connection,
        product: ProductId,
        place: u64,
    ) -> Result<(), rusqlite::Error> {
        let place = read::stored(place);
        let removed: Option<i64> = connection
            .prepare_cached(
                "DELETE FROM waiting WHERE product = ?1 AND place = ?2 RETURNING quantity",
            )?
            .query_row(params![product.0, place], |row| row.get(0))
            .optional()?;
        if let Some(quantity) = removed {
            let sum = self.0.entry((product, stretch(place))).or_default();
            *sum = (sum.0 - 1, sum.1 - quantity);
        }
        Ok(())
    }

    pub(super) fn write(self, connection: &Connection) -> Result<(), rusqlite::Error> {
        for ((product, stretch), (orders, units)) in self.0 {
            connection
                .prepare_cached(
                    "INSERT INTO line_sums (product, stretch, orders, units) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (product, stretch)
                     DO UPDATE SET orders = orders + excluded.orders, units = units + excluded.units",
                )?
                .execute(params![product.0, stretch, orders, units])?;
            if orders < 0 {
                connection
                    .prepare_cached(
                        "DELETE FROM line_sums WHERE product = ?1 AND stretch = ?2 AND orders = 0",
                    )?
                    .execute(params![product.0, stretch])?;
            }
        }
        Ok(())
    }
}

/// Who waits before a place.
pub(super) fn ahead(
    connection: &Connection,
    product: ProductId,
    place: u64,
) -> Result<Ahead, StoreError> {
    let place = sought(place);
    let stretch = stretch(place);
    // One statement, so that all of it is of one moment.
    let found = one(
        connection,
        "a waiting line",
        "SELECT coalesce(sum(orders), 0), coalesce(sum(units), 0),
                (SELECT coalesce(max(seq), 0) FROM log)
         FROM (SELECT orders, units FROM line_sums WHERE product = ?1 AND stretch < ?2
               UNION ALL
               SELECT count(*), sum(quantity) FROM waiting
               WHERE product = ?1 AND place >= ?3 AND place < ?4)",
        params![product.0, stretch, stretch * STRETCH, place],
        |row| {
            Ok(Ahead {
                orders: u64_at(row, 0)?,
                units: u64_at(row, 1)?,
                last_seq: u64_at(row, 2)?,
            })
        },
    )?;
    found.ok_or_else(|| StoreError::text("a count has no row"))
}

fn stretch(place: i64) -> i64 {
    place / STRETCH
}
