//! Looking: for the operations page, and for the story of an order.

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::rows::{COLUMNS, Mail};
use crate::number;

/// A page of e-mails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Newest first.
    pub mails: Vec<Mail>,
    /// There are older ones.
    pub more: bool,
}

/// One e-mail, if it is there.
///
/// # Errors
/// When the database fails.
pub fn get(transaction: &Transaction<'_>, id: &str) -> rusqlite::Result<Option<Mail>> {
    transaction
        .prepare_cached(&format!("SELECT {COLUMNS} FROM mail WHERE id = ?1"))?
        .query_row([id], Mail::from_row)
        .optional()
}

/// Newest first, before the given number.
///
/// # Errors
/// When the database fails.
pub fn page(
    transaction: &Transaction<'_>,
    before: Option<u64>,
    limit: usize,
) -> rusqlite::Result<Listed> {
    let rows = i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1;
    let mut mails: Vec<Mail> = transaction
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM mail WHERE no < ?1 ORDER BY no DESC LIMIT ?2"
        ))?
        .query_map(
            params![before.map_or(i64::MAX, number), rows],
            Mail::from_row,
        )?
        .collect::<rusqlite::Result<_>>()?;
    let more = mails.len() > limit;
    mails.truncate(limit);
    Ok(Listed { mails, more })
}

/// The e-mails about one order, oldest first, at most so many.
///
/// # Errors
/// When the database fails.
pub fn of_order(
    transaction: &Transaction<'_>,
    order_seq: u64,
    limit: usize,
) -> rusqlite::Result<Vec<Mail>> {
    transaction
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM mail WHERE order_seq = ?1 ORDER BY no LIMIT ?2"
        ))?
        .query_map(
            params![number(order_seq), number(limit as u64)],
            Mail::from_row,
        )?
        .collect()
}
