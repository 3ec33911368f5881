//! The rows of messages, groups and partitions as they are written.

use std::collections::BTreeSet;

use commerce::Millis;
use engine::ports::{Queue, Redelay};
use messaging::Message;
use rusqlite::{Connection, params};

use crate::sqlite::mailbox::{self, GROUP_HEAD, key};
use crate::sqlite::read::{self, stored};

pub(super) fn stored_seq(queue: &Queue) -> i64 {
    stored(queue.next_seq)
}

pub(super) fn drop_partition(
    connection: &Connection,
    partition: u32,
) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO dropped (partition) VALUES (?1)")?
        .execute(params![partition])?;
    Ok(())
}

pub(super) fn insert_message(
    connection: &Connection,
    partition: u32,
    message: &Message,
) -> Result<(), rusqlite::Error> {
    assert!(
        mailbox::fits(partition, message.seq),
        "a store has room for eight million queues and purges, and each for a million million messages"
    );
    connection
        .prepare_cached(
            "INSERT INTO messages
             (key, partition, visible_at, held, receives, first_received_at, received_at, receipt,
              sent_at, grp, id, body, extra)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            key(partition, message.seq),
            partition,
            message.visible_at_ms,
            message.receipt.is_some(),
            message.receive_count,
            message.first_received_at_ms,
            message.received_at_ms,
            message.receipt.map(u64::cast_signed),
            message.sent_at_ms,
            message.group,
            message.id,
            message.body,
            mailbox::extra(message),
        ])?;
    Ok(())
}

/// Only its state: what was sent does not change.
pub(super) fn update_message(
    connection: &Connection,
    partition: u32,
    message: &Message,
) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached(
            "UPDATE messages SET visible_at = ?2, held = ?3, receives = ?4,
                 first_received_at = ?5, received_at = ?6, receipt = ?7
             WHERE key = ?1",
        )?
        .execute(params![
            key(partition, message.seq),
            message.visible_at_ms,
            message.receipt.is_some(),
            message.receive_count,
            message.first_received_at_ms,
            message.received_at_ms,
            message.receipt.map(u64::cast_signed),
        ])?;
    Ok(())
}

/// Says whose groups are to be settled.
pub(super) fn redelay(
    connection: &Connection,
    redelay: &Redelay,
) -> Result<BTreeSet<String>, rusqlite::Error> {
    // Messages of a FIFO queue are in the order in which they were sent, so that this looks back no
    // further than it must.
    let (first, last) = mailbox::bounds(redelay.partition);
    let older: i64 = connection
        .prepare_cached(
            "SELECT coalesce((SELECT key FROM messages
                              WHERE key > ?1 AND key <= ?2 AND sent_at <= ?3
                              ORDER BY key DESC LIMIT 1), ?1)",
        )?
        .query_row(params![first, last, redelay.sent_after], |row| row.get(0))?;
    let mut update = connection.prepare_cached(
        "UPDATE messages SET visible_at = sent_at + ?3
         WHERE key > ?1 AND key <= ?2 AND held = 0 AND receives = 0
         RETURNING grp",
    )?;
    let mut changed = update.query(params![older, last, redelay.delay_ms])?;
    let mut groups = BTreeSet::new();
    while let Some(row) = changed.next()? {
        groups.extend(row.get::<_, Option<String>>(0)?);
    }
    Ok(groups)
}

/// From when on something of a group may be received: when nothing of it is in flight any more,
/// and its first message is not delayed.
pub(super) fn settle_group(
    connection: &Connection,
    partition: u32,
    group: &str,
) -> Result<(), rusqlite::Error> {
    let mut statement = connection.prepare_cached(
        "SELECT visible_at, held FROM messages INDEXED BY messages_group
         WHERE partition = ?1 AND grp = ?2 ORDER BY key LIMIT ?3",
    )?;
    let head: Vec<(Millis, bool)> = statement
        .query_map(params![partition, group, read::rows(GROUP_HEAD)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    let Some((first, _)) = head.first() else {
        connection
            .prepare_cached("DELETE FROM message_groups WHERE partition = ?1 AND grp = ?2")?
            .execute(params![partition, group])?;
        return Ok(());
    };
    let held = head.iter().filter(|(_, held)| *held).map(|(at, _)| *at);
    let available_at = held.fold(*first, Millis::max);
    connection
        .prepare_cached(
            "INSERT INTO message_groups (partition, grp, available_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (partition, grp) DO UPDATE SET available_at = excluded.available_at",
        )?
        .execute(params![partition, group, available_at])?;
    Ok(())
}
