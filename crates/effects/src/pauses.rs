//! Which consumers an operator has paused: it is so after a restart too.

use commerce::Millis;
use rusqlite::{Transaction, params};

pub(crate) const SCHEMA: &str = "
CREATE TABLE paused_consumers (
  consumer TEXT    NOT NULL PRIMARY KEY,
  at       INTEGER NOT NULL -- milliseconds since 1970
) STRICT, WITHOUT ROWID;
";

/// # Errors
/// When the database fails.
pub fn pause(transaction: &Transaction<'_>, consumer: &str, now: Millis) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT OR IGNORE INTO paused_consumers (consumer, at) VALUES (?1, ?2)")?
        .execute(params![consumer, now])
        .map(drop)
}

/// # Errors
/// When the database fails.
pub fn resume(transaction: &Transaction<'_>, consumer: &str) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("DELETE FROM paused_consumers WHERE consumer = ?1")?
        .execute(params![consumer])
        .map(drop)
}

/// # Errors
/// When the database fails.
pub fn paused(transaction: &Transaction<'_>) -> rusqlite::Result<Vec<String>> {
    transaction
        .prepare_cached("SELECT consumer FROM paused_consumers ORDER BY consumer")?
        .query_map([], |row| row.get(0))?
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Effects;

    #[tokio::test]
    async fn a_pause_is_remembered_until_it_ends() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("effects.db");
        let one = Effects::new(&path).0;
        for at in [1, 2] {
            let paused = one.write(move |transaction| pause(transaction, "tracking", at));
            paused.await.unwrap();
        }
        let other = Effects::new(&path).0;
        assert_eq!(other.read(paused).await.unwrap(), ["tracking"]);
        one.write(|transaction| resume(transaction, "tracking"))
            .await
            .unwrap();
        assert!(other.read(paused).await.unwrap().is_empty());
    }
}
