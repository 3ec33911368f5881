//! Deliveries that are pending and have no message any more: somebody purged the queue, or it is
//! a dead letter that was never called.
//!
//! A message is not known by its delivery, so they are found by numbers: more deliveries wait for
//! a message than there are messages. Which ones is only guessed, the oldest that are overdue; a
//! message too many changes nothing, and what was missed is found by the next look.

use commerce::Millis;
use rusqlite::params;

use super::Webhooks;
use crate::DatabaseError;

impl Webhooks {
    /// Deliveries that should have a message.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn with_message(&self) -> Result<u64, DatabaseError> {
        let found = self
            .database
            .read(|transaction| {
                transaction
                    .prepare_cached(
                        "SELECT max(0, (SELECT coalesce(sum(pending), 0) FROM webhook_endpoints) -
                           (SELECT count(*) FROM webhook_deliveries WHERE queued = 0))",
                    )?
                    .query_row([], |row| row.get::<_, i64>(0))
            })
            .await?;
        Ok(u64::try_from(found).unwrap_or(0))
    }

    /// So many of those that were due before then are as if no message had been sent for them;
    /// how many there were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unqueue(&self, overdue: Millis, limit: u64) -> Result<usize, DatabaseError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.database
            .write(move |transaction| {
                transaction
                    .prepare_cached(
                        "UPDATE webhook_deliveries SET queued = 0 WHERE n IN (
                           SELECT n FROM webhook_deliveries
                           WHERE status = 'pending' AND queued = 1 AND next_at < ?1
                           ORDER BY next_at, n LIMIT ?2)",
                    )?
                    .execute(params![overdue, limit])
            })
            .await
    }
}
