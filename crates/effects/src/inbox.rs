//! Which events a consumer has handled.

use commerce::Millis;
use rusqlite::{Transaction, params};

/// No message lives so long, moves to a dead-letter queue and back included: twice the longest
/// retention there is.
const KEPT_MS: Millis = 28 * 24 * 60 * 60 * 1_000;
/// Notes forgotten with each new one.
const FORGOTTEN_MAX: u32 = 4;

/// Part of the schema of every database that consumers write.
pub(crate) const SCHEMA: &str = "
CREATE TABLE inbox (
  consumer TEXT    NOT NULL,
  event    TEXT    NOT NULL,
  at       INTEGER NOT NULL, -- milliseconds since 1970
  PRIMARY KEY (consumer, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX inbox_at ON inbox (at);
";

/// Notes that the consumer handles this event. False when it has done so before: then nothing
/// must be changed again. Commits with the effect, or not at all.
///
/// # Errors
/// When the database fails.
pub fn is_first(
    transaction: &Transaction<'_>,
    consumer: &str,
    event: &str,
    now: Millis,
) -> rusqlite::Result<bool> {
    let added = transaction
        .prepare_cached("INSERT OR IGNORE INTO inbox (consumer, event, at) VALUES (?1, ?2, ?3)")?
        .execute(params![consumer, event, now])?;
    if added > 0 {
        transaction
            .prepare_cached(
                "DELETE FROM inbox WHERE (consumer, event) IN
                 (SELECT consumer, event FROM inbox WHERE at < ?1 ORDER BY at LIMIT ?2)",
            )?
            .execute(params![now - KEPT_MS, FORGOTTEN_MAX])?;
    }
    Ok(added > 0)
}
