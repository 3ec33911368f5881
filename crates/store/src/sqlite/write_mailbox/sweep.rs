//! Clears away what nobody can receive any more.

use std::collections::BTreeSet;

use engine::ports::Sweep;
use hashbrown::HashMap;
use messaging::limits;
use rusqlite::{Connection, params};

use super::Mailbox;
use crate::sqlite::mailbox::bounds;
use crate::sqlite::read;

impl Mailbox {
    /// A bounded piece of what nobody can receive any more.
    pub(super) fn sweep(
        &mut self,
        connection: &Connection,
        sweep: &Sweep,
    ) -> Result<(), rusqlite::Error> {
        let rows = read::rows(sweep.rows);
        let dropped: Option<u32> = connection
            .prepare_cached("SELECT partition FROM dropped ORDER BY partition LIMIT 1")?
            .query_row([], |row| row.get(0))
            .map(Some)
            .or_else(|error| match error {
                rusqlite::Error::QueryReturnedNoRows => Ok(None),
                error => Err(error),
            })?;
        if let Some(partition) = dropped {
            let (first, last) = bounds(partition);
            let gone = connection
                .prepare_cached(
                    "DELETE FROM messages WHERE key IN
                         (SELECT key FROM messages WHERE key > ?1 AND key <= ?2 LIMIT ?3)",
                )?
                .execute(params![first, last, rows])?;
            if gone < sweep.rows {
                connection
                    .prepare_cached("DELETE FROM message_groups WHERE partition = ?1")?
                    .execute(params![partition])?;
                connection
                    .prepare_cached("DELETE FROM dropped WHERE partition = ?1")?
                    .execute(params![partition])?;
            }
        }
        self.sweep_expired(connection, sweep)?;
        self.duplicates.forget(sweep.now);
        let forget = sweep.now - limits::DEDUPLICATION_INTERVAL_MS;
        connection
            .prepare_cached(
                "DELETE FROM duplicates WHERE n IN
                     (SELECT n FROM duplicates ORDER BY n LIMIT ?2) AND sent_at <= ?1",
            )?
            .execute(params![forget, rows])?;
        let forget = sweep.now - limits::RECEIVE_ATTEMPT_INTERVAL_MS;
        connection
            .prepare_cached(
                "DELETE FROM attempts WHERE (queue, id) IN
                     (SELECT queue, id FROM attempts WHERE received_at <= ?1
                      ORDER BY received_at LIMIT ?2)",
            )?
            .execute(params![forget, rows])?;
        Ok(())
    }

    fn sweep_expired(
        &mut self,
        connection: &Connection,
        sweep: &Sweep,
    ) -> Result<(), rusqlite::Error> {
        let mut deltas: HashMap<u32, i64> = HashMap::new();
        let mut groups: BTreeSet<(u32, String)> = BTreeSet::new();
        for stored in self.queues.values_mut().filter(|stored| stored.total > 0) {
            let partition = stored.queue.partition;
            let retention = i64::from(stored.queue.config.retention_s) * 1000;
            let (first, last) = bounds(partition);
            // What is in flight stays until its time-out; it is looked at again then.
            let mut delete = connection.prepare_cached(
                "DELETE FROM messages WHERE key IN
                     (SELECT key FROM (SELECT key, sent_at, visible_at FROM messages
                                       WHERE key > ?1 AND key <= ?2 ORDER BY key LIMIT ?3)
                      WHERE sent_at <= ?4 AND visible_at <= ?5)
                 RETURNING grp",
            )?;
            let oldest: i64 = connection
                .prepare_cached(
                    "SELECT coalesce((SELECT sent_at FROM messages
                                      WHERE key > ?1 AND key <= ?2 ORDER BY key LIMIT 1), ?3)",
                )?
                .query_row(params![first, last, sweep.now], |row| row.get(0))?;
            if oldest > sweep.now - retention {
                continue;
            }
            let mut gone = delete.query(params![
                first,
                last,
                read::rows(sweep.rows),
                sweep.now - retention,
                sweep.now
            ])?;
            // Some may have been handed out once: they are counted anew.
            stored.in_flight = None;
            while let Some(row) = gone.next()? {
                *deltas.entry(partition).or_default() -= 1;
                if let Some(group) = row.get::<_, Option<String>>(0)? {
                    groups.insert((partition, group));
                }
            }
        }
        self.settle(connection, &deltas, &groups)
    }
}
