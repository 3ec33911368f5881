//! What the events about orders and purchases come to: the same parcels whatever the order in
//! which they arrive, and however often.
//!
//! | | first | then |
//! |---|---|---|
//! | accepted, cancelled | `created` | `returned`, if it was not handed over |
//! | cancelled, accepted | a mark | `created` and `returned` at once, with the same times |

use commerce::Millis;
use rusqlite::{OptionalExtension, Transaction, params};

use super::schema::{Stored, add_change, by_cause, by_tracking, move_parcel, tracking_id};
use super::status::{ParcelStatus, Progress, Step};
use crate::database::{DatabaseError, Effects};
use crate::inbox;

/// In the inbox.
const CONSUMER: &str = "product-tracking";

/// Whose parcel it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderParcel {
    pub order_id: String,
    /// The order's first entry.
    pub order_seq: u64,
    pub customer: String,
    pub sku: String,
    pub quantity: u64,
}

/// A purchase that was made elsewhere, with a tracking id of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurchaseParcel {
    pub id: String,
    pub customer: String,
    pub tracking_id: String,
    pub at: Millis,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParcelEvent {
    /// The event's sequence, and when it happened.
    Accepted(OrderParcel, u64, Millis),
    /// Of an order that was accepted: its first entry, the event's sequence, and when it happened.
    Cancelled(u64, u64, Millis),
    Purchased(PurchaseParcel),
}

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folded {
    Changed,
    /// It was taken in before, or changes nothing.
    Known,
    /// It contradicts what was taken in before, and nothing was changed for it.
    Contradicts(String),
}

impl Effects {
    /// Takes in a batch of events, as one transaction. One answer for each, in their order.
    ///
    /// # Errors
    /// When the database fails; then none was taken in.
    pub async fn fold_parcels(
        &self,
        events: Vec<ParcelEvent>,
        now: Millis,
    ) -> Result<Vec<Folded>, DatabaseError> {
        self.0
            .write(move |tx| events.iter().map(|event| fold(tx, event, now)).collect())
            .await
    }
}

fn fold(tx: &Transaction<'_>, event: &ParcelEvent, now: Millis) -> rusqlite::Result<Folded> {
    match event {
        ParcelEvent::Accepted(order, seq, at) => {
            if inbox::is_first(tx, CONSUMER, &seq.to_string(), now)? {
                accepted(tx, order, *at)
            } else {
                Ok(Folded::Known)
            }
        }
        ParcelEvent::Cancelled(order, seq, at) => {
            if inbox::is_first(tx, CONSUMER, &seq.to_string(), now)? {
                cancelled(tx, *order, *at)
            } else {
                Ok(Folded::Known)
            }
        }
        ParcelEvent::Purchased(purchase) => purchased(tx, purchase),
    }
}

fn order_cause(seq: u64) -> String {
    format!("order:{seq}")
}

fn accepted(tx: &Transaction<'_>, order: &OrderParcel, at: Millis) -> rusqlite::Result<Folded> {
    let cause = order_cause(order.order_seq);
    if by_cause(tx, &cause)?.is_some() {
        return Ok(Folded::Known);
    }
    let tracking_id = tracking_id(tx, &cause)?;
    tx.prepare_cached(
        "INSERT INTO parcel (cause, tracking_id, order_id, order_seq, customer, sku, quantity,
                             status, reached, cancelled, created_at, changed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, 0, ?9, ?9)",
    )?
    .execute(params![
        cause,
        tracking_id,
        order.order_id,
        signed(order.order_seq),
        order.customer,
        order.sku,
        signed(order.quantity),
        ParcelStatus::Created.number(),
        at,
    ])?;
    let parcel = Stored {
        id: tx.last_insert_rowid(),
        progress: Progress::START,
        cancelled: false,
        is_order: true,
        changed_at: at,
    };
    add_change(tx, parcel.id, ParcelStatus::Created, at, None, true)?;
    if let Some(cancelled_at) = take_mark(tx, order.order_seq)? {
        cancel(tx, &parcel, cancelled_at)?;
    }
    Ok(Folded::Changed)
}

fn cancelled(tx: &Transaction<'_>, order: u64, at: Millis) -> rusqlite::Result<Folded> {
    match by_cause(tx, &order_cause(order))? {
        Some(parcel) if parcel.cancelled => Ok(Folded::Known),
        Some(parcel) => {
            cancel(tx, &parcel, at)?;
            Ok(Folded::Changed)
        }
        None => {
            tx.prepare_cached(
                "INSERT OR IGNORE INTO parcel_cancelled (order_seq, at) VALUES (?1, ?2)",
            )?
            .execute(params![signed(order), at])?;
            Ok(Folded::Changed)
        }
    }
}

fn cancel(tx: &Transaction<'_>, parcel: &Stored, at: Millis) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE parcel SET cancelled = 1 WHERE id = ?1")?
        .execute([parcel.id])?;
    match parcel.progress.cancel() {
        Step::Moved(to) => move_parcel(tx, parcel, to, at, None),
        Step::Known | Step::Refused => Ok(()),
    }
}

/// When the order was cancelled, if that was heard before it was accepted.
fn take_mark(tx: &Transaction<'_>, order: u64) -> rusqlite::Result<Option<Millis>> {
    tx.prepare_cached("DELETE FROM parcel_cancelled WHERE order_seq = ?1 RETURNING at")?
        .query_row([signed(order)], |row| row.get(0))
        .optional()
}

fn purchased(tx: &Transaction<'_>, purchase: &PurchaseParcel) -> rusqlite::Result<Folded> {
    let cause = format!("purchase:{}", purchase.id);
    let known = by_cause(tx, &cause)?;
    let taken = by_tracking(tx, &purchase.tracking_id)?;
    match (known, taken) {
        (Some(parcel), Some(same)) if parcel.id == same.id => return Ok(Folded::Known),
        (Some(_), _) => {
            let why = "a purchase with this id has another trackingId";
            return Ok(Folded::Contradicts(why.to_owned()));
        }
        (None, Some(_)) => {
            let why = "another parcel has this trackingId";
            return Ok(Folded::Contradicts(why.to_owned()));
        }
        (None, None) => {}
    }
    tx.prepare_cached(
        "INSERT INTO parcel (cause, tracking_id, customer, status, reached, cancelled,
                             created_at, changed_at)
         VALUES (?1, ?2, ?3, ?4, ?4, 0, ?5, ?5)",
    )?
    .execute(params![
        cause,
        purchase.tracking_id,
        purchase.customer,
        ParcelStatus::Created.number(),
        purchase.at,
    ])?;
    let id = tx.last_insert_rowid();
    add_change(tx, id, ParcelStatus::Created, purchase.at, None, false)?;
    Ok(Folded::Changed)
}

/// `SQLite`'s integers are signed; sequences and quantities stay far below 2^63.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
