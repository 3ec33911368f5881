//! E-mails on their way: who is written to, why, what it says, and what became of it.
//!
//! ```text
//! pending ──claim──> (somebody hands it over) ──┬──> sent
//!    ^                                          ├──> failed      until its message is redriven
//!    └──────────────────────────────────────────┘    (not now)
//! pending, failed ──> withdrawn     while it is sure that nobody has it
//! ```
//! What always holds: there is one row for an id, so the same e-mail is never written twice; it
//! is on disk before it is handed over; what was handed over by a process that died counts as
//! "somebody may have it" and is handed over again, with the same id; an e-mail that has to come
//! after another one is not handed over before that one's end is known, and is withdrawn with it
//! when that one was refused.
//!
//! It deliberately does not know how an e-mail is handed over, nor when to try again.

mod read;
mod rows;

#[cfg(test)]
mod tests;

use commerce::Millis;
use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::number;

pub use read::{Listed, get, of_order, page};
pub use rows::{Kept, Mail, NewMail, Status};

/// Part of the schema of `effects.db`.
pub(crate) const SCHEMA: &str = "
CREATE TABLE mail (
  no           INTEGER PRIMARY KEY,
  id           TEXT    NOT NULL UNIQUE,
  kind         TEXT    NOT NULL,
  recipient    TEXT    NOT NULL,
  lang         TEXT    NOT NULL,
  order_seq    INTEGER,            -- the order it is about
  event        INTEGER NOT NULL,   -- the entry of the log that it tells of
  after        TEXT,               -- the e-mail before it, to the same person in the same matter
  subject      TEXT    NOT NULL,
  text         TEXT    NOT NULL,
  html         TEXT    NOT NULL,
  created_at   INTEGER NOT NULL,   -- milliseconds since 1970
  status       INTEGER NOT NULL,
  attempts     INTEGER NOT NULL,
  deferrals    INTEGER NOT NULL,   -- attempts that the server put off
  claimed_at   INTEGER,            -- somebody hands it over since then
  may_be_taken INTEGER NOT NULL,   -- 1: an attempt may have succeeded without our knowing
  last_error   TEXT,
  sent_at      INTEGER
) STRICT;
CREATE INDEX mail_event ON mail (event);
CREATE INDEX mail_order ON mail (order_seq) WHERE order_seq IS NOT NULL;
";

/// Kept for so long: longer than any message that could ask for the same e-mail again.
const KEPT_MS: Millis = 90 * 24 * 60 * 60 * 1_000;
/// Forgotten with each new one.
const FORGOTTEN_MAX: u32 = 4;

/// What may be done with an e-mail now.
#[derive(Debug, PartialEq)]
pub enum Claim {
    /// It is ours to hand over; [`settle`] says how that ended.
    Ours(Box<Mail>),
    /// Somebody else hands it over, or died over it: ask again at this moment.
    Busy { until: Millis },
    /// The one before it comes first, and is still on its way.
    Behind,
    /// It is sent, withdrawn or not there: nothing is left to do.
    Over,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    Sent,
    /// It will not be taken as it is.
    Failed {
        reason: String,
    },
    /// The server wants it later, or broke off over it.
    Deferred {
        reason: String,
        may_be_taken: bool,
    },
    /// The server could not be asked, or its answer did not arrive.
    Interrupted {
        reason: String,
        may_be_taken: bool,
    },
}

/// Writes an e-mail down to be sent. False when there is one with this id.
///
/// # Errors
/// When the database fails.
pub fn add(transaction: &Transaction<'_>, mail: &NewMail) -> rusqlite::Result<bool> {
    let added = transaction
        .prepare_cached(
            "INSERT INTO mail (id, kind, recipient, lang, order_seq, event, after, subject, text,
               html, created_at, status, attempts, deferrals, may_be_taken)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0, 0, 0)
             ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            mail.id,
            mail.kind,
            mail.recipient,
            mail.lang,
            mail.order_seq.map(number),
            number(mail.event),
            mail.after,
            mail.subject,
            mail.text,
            mail.html,
            mail.created_at,
            Status::Pending.number(),
        ])?;
    if added > 0 {
        // The oldest have the smallest numbers. One that is still pending has no message any more
        // that would bring it on its way, unless somebody has just sent that again.
        transaction
            .prepare_cached(
                "DELETE FROM mail WHERE no IN (SELECT no FROM mail ORDER BY no LIMIT ?1)
                 AND created_at < ?2 AND coalesce(claimed_at, 0) < ?2",
            )?
            .execute(params![FORGOTTEN_MAX, mail.created_at - KEPT_MS])?;
    }
    Ok(added > 0)
}

/// The e-mails that this event asked for, in the order in which they were written.
///
/// # Errors
/// When the database fails.
pub fn of_event(transaction: &Transaction<'_>, event: u64) -> rusqlite::Result<Vec<String>> {
    transaction
        .prepare_cached("SELECT id FROM mail WHERE event = ?1 ORDER BY no")?
        .query_map([number(event)], |row| row.get(0))?
        .collect()
}

/// Takes an e-mail to hand it over, for at most `lease_ms`. One that had failed is begun anew:
/// somebody sent its message again.
///
/// # Errors
/// When the database fails.
pub fn claim(
    transaction: &Transaction<'_>,
    id: &str,
    now: Millis,
    lease_ms: Millis,
) -> rusqlite::Result<Claim> {
    let Some(mail) = get(transaction, id)? else {
        return Ok(Claim::Over);
    };
    match mail.status {
        Status::Sent | Status::Withdrawn => return Ok(Claim::Over),
        Status::Pending | Status::Failed => {}
    }
    let until = mail.claimed_at.map(|at| at + lease_ms);
    if let Some(until) = until.filter(|until| now < *until) {
        return Ok(Claim::Busy { until });
    }
    if let Some(before) = &mail.new.after {
        match status(transaction, before)? {
            Some(Status::Pending) => return Ok(Claim::Behind),
            // Nobody has the one before it, so there is nothing to follow up.
            Some(Status::Failed) if take_back(transaction, before)? => {
                take_back(transaction, id)?;
                return Ok(Claim::Over);
            }
            Some(Status::Failed | Status::Sent | Status::Withdrawn) | None => {}
        }
    }
    transaction
        .prepare_cached(
            "UPDATE mail SET status = ?2, attempts = attempts + 1, claimed_at = ?3,
               may_be_taken = may_be_taken | (claimed_at IS NOT NULL),
               deferrals = CASE status WHEN ?2 THEN deferrals ELSE 0 END
             WHERE id = ?1",
        )?
        .execute(params![id, Status::Pending.number(), now])?;
    let claimed = get(transaction, id)?.expect("found just above");
    Ok(Claim::Ours(Box::new(claimed)))
}

/// Notes how an attempt ended.
///
/// # Errors
/// When the database fails.
pub fn settle(
    transaction: &Transaction<'_>,
    id: &str,
    ended: &Ended,
    now: Millis,
) -> rusqlite::Result<()> {
    let (status, reason) = match ended {
        Ended::Sent => (Status::Sent, None),
        Ended::Failed { reason } => (Status::Failed, Some(reason)),
        Ended::Deferred { reason, .. } | Ended::Interrupted { reason, .. } => {
            (Status::Pending, Some(reason))
        }
    };
    let deferred = matches!(ended, Ended::Deferred { .. });
    let may_be_taken = match ended {
        Ended::Interrupted { may_be_taken, .. } | Ended::Deferred { may_be_taken, .. } => {
            *may_be_taken
        }
        Ended::Sent | Ended::Failed { .. } => false,
    };
    let sent_at = (status == Status::Sent).then_some(now);
    transaction
        .prepare_cached(
            "UPDATE mail SET status = ?2, claimed_at = NULL, last_error = ?3, sent_at = ?4,
               deferrals = deferrals + ?5, may_be_taken = may_be_taken | ?6
             WHERE id = ?1 AND status <> ?7",
        )?
        .execute(params![
            id,
            status.number(),
            reason,
            sent_at,
            deferred,
            may_be_taken,
            Status::Sent.number()
        ])?;
    Ok(())
}

/// Withdraws an e-mail that certainly nobody has. False when somebody has it or may have it, and
/// for one that is not kept any more.
///
/// # Errors
/// When the database fails.
pub fn take_back(transaction: &Transaction<'_>, id: &str) -> rusqlite::Result<bool> {
    let withdrawn = transaction
        .prepare_cached(
            "UPDATE mail SET status = ?2 WHERE id = ?1 AND status IN (?3, ?4)
             AND claimed_at IS NULL AND may_be_taken = 0",
        )?
        .execute(params![
            id,
            Status::Withdrawn.number(),
            Status::Pending.number(),
            Status::Failed.number()
        ])?;
    Ok(withdrawn > 0)
}

fn status(transaction: &Transaction<'_>, id: &str) -> rusqlite::Result<Option<Status>> {
    transaction
        .prepare_cached("SELECT status FROM mail WHERE id = ?1")?
        .query_row([id], |row| Status::from_row(row, 0))
        .optional()
}
