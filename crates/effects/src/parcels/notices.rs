//! What a carrier says of a parcel, and what it is answered.

use commerce::Millis;
use rusqlite::{OptionalExtension, Transaction, params};

use super::schema::{Stored, by_tracking, move_parcel, status_at};
use super::status::{ParcelStatus, Step};
use crate::database::{DatabaseError, Effects};

/// An answer is kept longer than anybody tries to deliver a webhook.
const KEPT_MS: Millis = 28 * 24 * 60 * 60 * 1_000;
/// Answers forgotten with each new one.
const FORGOTTEN_MAX: u32 = 4;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub tracking_id: String,
    pub status: ParcelStatus,
    /// When it happened.
    pub at: Millis,
    /// At most 200 characters.
    pub place: Option<String>,
    /// The webhook's id, and a fingerprint of all that it says. Without one, every notice is new.
    pub webhook: Option<(String, [u8; 32])>,
}

/// What a notice came to, and the parcel as it was then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    pub outcome: Outcome,
    pub status: ParcelStatus,
    pub changed_at: Millis,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Moved = 0,
    /// The parcel was there, or further.
    Known = 1,
    /// The parcel is delivered or returned, and the notice says something else.
    Refused = 2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noticed {
    NotFound,
    /// The same webhook said something else before.
    IdReused,
    Answered {
        answer: Answer,
        /// The answer to an earlier notice with the same id.
        replay: bool,
    },
}

impl Effects {
    /// Takes in one notice, as one transaction.
    ///
    /// # Errors
    /// When the database fails; then nothing was changed.
    pub async fn notice(&self, notice: Notice, now: Millis) -> Result<Noticed, DatabaseError> {
        self.0.write(move |tx| take(tx, &notice, now)).await
    }
}

fn take(tx: &Transaction<'_>, notice: &Notice, now: Millis) -> rusqlite::Result<Noticed> {
    if let Some((id, said)) = &notice.webhook
        && let Some((before, answer)) = answered(tx, id)?
    {
        return Ok(if before == *said {
            Noticed::Answered {
                answer,
                replay: true,
            }
        } else {
            Noticed::IdReused
        });
    }
    let Some(parcel) = by_tracking(tx, &notice.tracking_id)? else {
        return Ok(Noticed::NotFound);
    };
    let answer = step(tx, &parcel, notice)?;
    if let Some((id, said)) = &notice.webhook {
        remember(tx, id, said, parcel.id, answer, now)?;
    }
    Ok(Noticed::Answered {
        answer,
        replay: false,
    })
}

fn step(tx: &Transaction<'_>, parcel: &Stored, notice: &Notice) -> rusqlite::Result<Answer> {
    let as_it_was = |outcome| Answer {
        outcome,
        status: parcel.progress.status,
        changed_at: parcel.changed_at,
    };
    match parcel.progress.take(notice.status) {
        Step::Known => Ok(as_it_was(Outcome::Known)),
        Step::Refused => Ok(as_it_was(Outcome::Refused)),
        Step::Moved(to) => {
            move_parcel(tx, parcel, to, notice.at, notice.place.as_deref())?;
            Ok(Answer {
                outcome: Outcome::Moved,
                status: to.status,
                changed_at: notice.at,
            })
        }
    }
}

fn answered(tx: &Transaction<'_>, id: &str) -> rusqlite::Result<Option<([u8; 32], Answer)>> {
    tx.prepare_cached(
        "SELECT said, outcome, status, changed_at FROM carrier_notice WHERE webhook_id = ?1",
    )?
    .query_row([id], |row| {
        let outcome = match row.get::<_, u8>(1)? {
            0 => Outcome::Moved,
            1 => Outcome::Known,
            _ => Outcome::Refused,
        };
        let answer = Answer {
            outcome,
            status: status_at(row, 2)?,
            changed_at: row.get(3)?,
        };
        Ok((row.get(0)?, answer))
    })
    .optional()
}

fn remember(
    tx: &Transaction<'_>,
    id: &str,
    said: &[u8; 32],
    parcel: i64,
    answer: Answer,
    now: Millis,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO carrier_notice (webhook_id, said, outcome, parcel, status, changed_at, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        id,
        said,
        answer.outcome as u8,
        parcel,
        answer.status.number(),
        answer.changed_at,
        now
    ])?;
    tx.prepare_cached(
        "DELETE FROM carrier_notice WHERE webhook_id IN
         (SELECT webhook_id FROM carrier_notice WHERE at < ?1 ORDER BY at LIMIT ?2)",
    )?
    .execute(params![now - KEPT_MS, FORGOTTEN_MAX])?;
    Ok(())
}
