//! Queues, messages, topics and subscriptions as they are read, by both sides.
//!
//! What always holds here: the head of a queue, or of a group, is a range of an index and never
//! a scan, however many messages stand behind it.

use std::collections::BTreeMap;
use std::sync::Arc;

use commerce::Millis;
use engine::ports::{
    MoveStatus, MoveTask, NUMBERS_MAX, Queue, QueueDepth, StoreError, Subscription, Topic,
};
use messaging::fair::Load;
use messaging::limits;
use messaging::{Attempt, Attribute, DeadLetter, GroupHead, Message, SentFirst};
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::read::{json_at, many, one, reading, rows, sought, u64_at};

/// Messages that are hidden are counted up to here; a depth says no more.
pub(super) const DEPTH_COUNT_MAX: u32 = 200_000;
/// Messages of a group that a decision looks at.
pub(super) const GROUP_HEAD: usize = 10;
/// Bits of a key that are the sequence.
const SEQ_BITS: u32 = 40;
const SEQ_MAX: u64 = (1 << SEQ_BITS) - 1;

/// What few messages have, as JSON.
#[derive(Default, Serialize, Deserialize)]
struct Extra {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, Attribute>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace_header: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sender: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deduplication: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dead: Option<DeadLetter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    received_before: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent_first: Option<SentFirst>,
}

/// The key of a message: partitions stay below 2^23, sequences below 2^40.
pub(super) fn key(partition: u32, seq: u64) -> i64 {
    let key = (u64::from(partition) << SEQ_BITS) | seq.min(SEQ_MAX);
    i64::try_from(key).unwrap_or(i64::MAX)
}

/// Whether there is room for this partition and sequence.
pub(super) fn fits(partition: u32, seq: u64) -> bool {
    const { assert!(NUMBERS_MAX == 1 << (63 - SEQ_BITS)) };
    partition < NUMBERS_MAX && seq < SEQ_MAX
}

pub(super) fn extra(message: &Message) -> Option<String> {
    let is_plain = message.attributes.is_empty()
        && message.trace_header.is_none()
        && message.sender.is_none()
        && message.deduplication.is_none()
        && message.dead.is_none()
        && message.received_before == 0
        && message.sent_first.is_none();
    if is_plain {
        return None;
    }
    let extra = Extra {
        attributes: message.attributes.clone(),
        trace_header: message.trace_header.clone(),
        sender: message.sender.clone(),
        deduplication: message.deduplication.clone(),
        dead: message.dead.clone(),
        received_before: Some(message.received_before).filter(|count| *count > 0),
        sent_first: message.sent_first.clone(),
    };
    Some(serde_json::to_string(&extra).expect("texts and numbers have a JSON form"))
}

const MESSAGE: &str = "SELECT messages.key, messages.visible_at, receives, first_received_at, \
                       received_at, receipt, sent_at, messages.grp, id, body, extra FROM messages";

fn message_of(row: &Row<'_>) -> Result<Message, rusqlite::Error> {
    let key = u64_at(row, 0)?;
    let extra: Extra = match row.get_ref(10)? {
        rusqlite::types::ValueRef::Null => Extra::default(),
        _ => json_at(row, 10)?,
    };
    Ok(Message {
        seq: key & SEQ_MAX,
        visible_at_ms: row.get(1)?,
        receive_count: row.get(2)?,
        received_before: extra.received_before.unwrap_or(0),
        first_received_at_ms: row.get(3)?,
        received_at_ms: row.get(4)?,
        receipt: row.get::<_, Option<i64>>(5)?.map(i64::cast_unsigned),
        sent_at_ms: row.get(6)?,
        group: row.get(7)?,
        id: row.get(8)?,
        body: row.get(9)?,
        attributes: extra.attributes,
        trace_header: extra.trace_header,
        sender: extra.sender,
        deduplication: extra.deduplication,
        dead: extra.dead,
        sent_first: extra.sent_first,
    })
}

const QUEUE: &str = "SELECT id, name, partition, next_seq, total, created_at, modified_at, \
                     purged_at, config, more, moves FROM queues";

fn queue_of(row: &Row<'_>) -> Result<(Queue, u64), rusqlite::Error> {
    let queue = Queue {
        id: row.get(0)?,
        name: row.get(1)?,
        partition: row.get(2)?,
        next_seq: u64_at(row, 3)?,
        created_at: row.get(5)?,
        modified_at: row.get(6)?,
        purged_at: row.get(7)?,
        config: json_at(row, 8)?,
        more: Arc::new(json_at(row, 9)?),
        moves: Arc::new(json_at(row, 10)?),
    };
    Ok((queue, u64_at(row, 4)?))
}

/// Every queue and how many messages it holds, by name.
pub(super) fn queues(connection: &Connection) -> Result<Vec<(Queue, u64)>, StoreError> {
    many(
        connection,
        "queues",
        &format!("{QUEUE} ORDER BY name"),
        [],
        queue_of,
    )
}

pub(super) fn queue(
    connection: &Connection,
    name: &str,
) -> Result<Option<(Queue, u64)>, StoreError> {
    one(
        connection,
        "a queue",
        &format!("{QUEUE} WHERE name = ?1"),
        params![name],
        queue_of,
    )
}

pub(super) fn queue_names(connection: &Connection) -> Result<Vec<String>, StoreError> {
    many(
        connection,
        "queues",
        "SELECT name FROM queues ORDER BY name",
        [],
        |row| row.get(0),
    )
}

pub(super) fn moving_queues(
    connection: &Connection,
) -> Result<Vec<(String, MoveTask)>, StoreError> {
    let queues: Vec<(String, Vec<MoveTask>)> = many(
        connection,
        "queues",
        "SELECT name, moves FROM queues WHERE moves LIKE '%\"RUNNING\"%' ORDER BY name",
        [],
        |row| Ok((row.get(0)?, json_at(row, 1)?)),
    )?;
    let running = queues.into_iter().filter_map(|(name, moves)| {
        let is_running = |task: &MoveTask| task.status == MoveStatus::Running;
        Some((name, moves.into_iter().find(is_running)?))
    });
    Ok(running.collect())
}

pub(super) fn depth(
    connection: &Connection,
    queue: Queue,
    total: u64,
    now: Millis,
) -> Result<QueueDepth, StoreError> {
    let hidden = one(
        connection,
        "a queue's depth",
        "SELECT count(*), coalesce(sum(held), 0) FROM
             (SELECT held FROM messages INDEXED BY messages_visible
              WHERE partition = ?1 AND visible_at > ?2 LIMIT ?3)",
        params![queue.partition, now, DEPTH_COUNT_MAX],
        |row| Ok((u64_at(row, 0)?, u64_at(row, 1)?)),
    )?;
    let (hidden, in_flight) = hidden.unwrap_or((0, 0));
    let oldest = one(
        connection,
        "a queue's age",
        "SELECT sent_at FROM messages WHERE key > ?1 AND key <= ?2 ORDER BY key LIMIT 1",
        params![key(queue.partition, 0), key(queue.partition, SEQ_MAX)],
        |row| row.get(0),
    )?;
    Ok(QueueDepth {
        visible: total.saturating_sub(hidden),
        in_flight,
        delayed: hidden - in_flight,
        oldest_sent_at: oldest,
        queue,
    })
}

pub(super) fn next_visible(
    connection: &Connection,
    queue: &str,
    now: Millis,
) -> Result<Option<Millis>, StoreError> {
    one(
        connection,
        "when a message becomes visible",
        "SELECT visible_at FROM messages INDEXED BY messages_visible
         WHERE partition = (SELECT partition FROM queues WHERE name = ?1) AND visible_at > ?2
         ORDER BY visible_at LIMIT 1",
        params![queue, now],
        |row| row.get(0),
    )
}

pub(super) fn message(
    connection: &Connection,
    partition: u32,
    seq: u64,
) -> Result<Option<Message>, StoreError> {
    if seq > SEQ_MAX {
        return Ok(None);
    }
    one(
        connection,
        "a message",
        &format!("{MESSAGE} WHERE key = ?1"),
        params![key(partition, seq)],
        message_of,
    )
}

pub(super) fn messages(
    connection: &Connection,
    partition: u32,
    after: u64,
    limit: usize,
) -> Result<Vec<Message>, StoreError> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    many(
        connection,
        "messages",
        &format!("{MESSAGE} WHERE key > ?1 AND key <= ?2 ORDER BY key LIMIT ?3"),
        params![key(partition, after), key(partition, SEQ_MAX), rows(limit)],
        message_of,
    )
}

/// So many from the front, until they are as heavy as they may be.
pub(super) fn first_messages(
    connection: &Connection,
    partition: u32,
    limit: usize,
    mut weight: Weight,
) -> Result<Vec<Message>, StoreError> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let (found, _) = weighed(
        connection,
        &format!("{MESSAGE} WHERE key > ?1 AND key <= ?2 ORDER BY key LIMIT ?3"),
        params![key(partition, 0), key(partition, SEQ_MAX), rows(limit)],
        &mut weight,
    )?;
    Ok(found)
}

/// How many bytes of messages may be loaded, and are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weight {
    pub(super) most: u64,
    pub(super) so_far: u64,
}

impl Weight {
    pub(super) fn of(most: Option<u64>) -> Self {
        Self {
            most: most.unwrap_or(u64::MAX),
            so_far: 0,
        }
    }

    pub(super) fn is_full(self) -> bool {
        self.so_far >= self.most
    }
}

/// The rows of a statement, until they are as heavy as they may be, and whether any were left out.
fn weighed(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    weight: &mut Weight,
) -> Result<(Vec<Message>, bool), StoreError> {
    let read = || {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(parameters)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            if weight.is_full() {
                return Ok((found, true));
            }
            let message = message_of(row)?;
            weight.so_far += message.bytes();
            found.push(message);
        }
        Ok((found, false))
    };
    reading("messages", read())
}

/// The head of a standard queue, and whether some of it were too many bytes.
pub(super) fn visible_messages(
    connection: &Connection,
    partition: u32,
    now: Millis,
    limit: usize,
    weight: &mut Weight,
) -> Result<(Vec<Message>, bool), StoreError> {
    if limit == 0 {
        return Ok((Vec::new(), false));
    }
    weighed(
        connection,
        &format!(
            "{MESSAGE} INDEXED BY messages_visible
             WHERE partition = ?1 AND messages.visible_at <= ?2
             ORDER BY messages.visible_at, messages.key LIMIT ?3"
        ),
        params![partition, now, rows(limit)],
        weight,
    )
}

/// How many are in flight, counted up to a bound.
pub(super) fn in_flight(
    connection: &Connection,
    partition: u32,
    now: Millis,
) -> Result<u64, StoreError> {
    let count = one(
        connection,
        "messages in flight",
        "SELECT coalesce(sum(held), 0) FROM
             (SELECT held FROM messages INDEXED BY messages_visible
              WHERE partition = ?1 AND visible_at > ?2 LIMIT ?3)",
        params![partition, now, DEPTH_COUNT_MAX],
        |row| u64_at(row, 0),
    )?;
    Ok(count.unwrap_or(0))
}

/// How many were in flight at the one moment and had timed out by the other.
pub(super) fn timed_out(
    connection: &Connection,
    partition: u32,
    after: Millis,
    until: Millis,
) -> Result<u64, StoreError> {
    if after == until {
        return Ok(0);
    }
    let count = one(
        connection,
        "messages that timed out",
        "SELECT coalesce(sum(held), 0) FROM messages INDEXED BY messages_visible
         WHERE partition = ?1 AND visible_at > ?2 AND visible_at <= ?3",
        params![partition, after, until],
        |row| u64_at(row, 0),
    )?;
    Ok(count.unwrap_or(0))
}

/// What the consumers of a queue are busy with.
pub(super) fn load(
    connection: &Connection,
    partition: u32,
    now: Millis,
) -> Result<Load, StoreError> {
    let mut load = Load::default();
    for (group, in_flight) in in_flight_by_group(connection, partition, now)? {
        load.in_flight += in_flight;
        if let Some(group) = group {
            load.groups.entry(group).or_default().in_flight = in_flight;
        }
    }
    if load.groups.is_empty() || load.in_flight > limits::PROCESSING_COUNTED_MAX {
        return Ok(load);
    }
    for (group, processing_ms) in processing_by_group(connection, partition, now)? {
        load.processing_ms += processing_ms;
        if let Some(group) = group {
            load.groups.entry(group).or_default().processing_ms = processing_ms;
        }
    }
    Ok(load)
}

/// Who has how many in flight; messages without a group are a tenant of their own (none).
fn in_flight_by_group(
    connection: &Connection,
    partition: u32,
    now: Millis,
) -> Result<Vec<(Option<String>, u64)>, StoreError> {
    many(
        connection,
        "messages in flight",
        "SELECT grp, count(*) FROM
             (SELECT grp, held FROM messages INDEXED BY messages_visible
              WHERE partition = ?1 AND visible_at > ?2 LIMIT ?3)
         WHERE held = 1 GROUP BY grp",
        params![partition, now, DEPTH_COUNT_MAX],
        |row| Ok((row.get(0)?, u64_at(row, 1)?)),
    )
}

/// How long the messages in flight have been so, by group. Each row is looked at.
fn processing_by_group(
    connection: &Connection,
    partition: u32,
    now: Millis,
) -> Result<Vec<(Option<String>, u64)>, StoreError> {
    many(
        connection,
        "messages in flight",
        "SELECT grp, sum(max(?2 - coalesce(received_at, ?2), 0)) FROM
             (SELECT grp, held, received_at FROM messages INDEXED BY messages_visible
              WHERE partition = ?1 AND visible_at > ?2 LIMIT ?3)
         WHERE held = 1 GROUP BY grp",
        params![partition, now, DEPTH_COUNT_MAX],
        |row| Ok((row.get(0)?, u64_at(row, 1)?)),
    )
}

/// The groups that have messages in a queue, some of them: after the given one, by name.
pub(super) fn groups(
    connection: &Connection,
    partition: u32,
    after: &str,
    limit: usize,
) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    let mut after = after.to_owned();
    // One step of the index for each group, however many messages it has.
    while found.len() < limit {
        let next: Option<String> = one(
            connection,
            "groups of messages",
            "SELECT grp FROM messages INDEXED BY messages_group
             WHERE partition = ?1 AND grp > ?2 ORDER BY grp LIMIT 1",
            params![partition, after],
            |row| row.get(0),
        )?;
        let Some(next) = next else {
            break;
        };
        after.clone_from(&next);
        found.push(next);
    }
    Ok(found)
}

/// When a message became visible, and its sequence: its place in a standard queue.
pub(super) type Place = (Millis, u64);

fn place_of(row: &Row<'_>) -> Result<Place, rusqlite::Error> {
    Ok((row.get(0)?, u64_at(row, 1)? & SEQ_MAX))
}

/// The first messages of a group that are visible; looks at a bounded number.
pub(super) fn visible_of_group(
    connection: &Connection,
    partition: u32,
    group: &str,
    now: Millis,
    limit: usize,
) -> Result<Vec<Place>, StoreError> {
    let among = limit.saturating_mul(4).max(64);
    let mut found = many(
        connection,
        "messages of a group",
        "SELECT visible_at, key FROM messages INDEXED BY messages_group
         WHERE partition = ?1 AND grp = ?2 ORDER BY key LIMIT ?3",
        params![partition, group, rows(among)],
        place_of,
    )?;
    found.retain(|(visible_at, _)| *visible_at <= now);
    found.truncate(limit);
    Ok(found)
}

/// The first visible messages that name no group, among so many at the head of the queue.
pub(super) fn visible_without_group(
    connection: &Connection,
    partition: u32,
    now: Millis,
    among: usize,
    limit: usize,
) -> Result<Vec<Place>, StoreError> {
    many(
        connection,
        "messages without a group",
        "SELECT visible_at, key FROM
             (SELECT visible_at, key, grp FROM messages INDEXED BY messages_visible
              WHERE partition = ?1 AND visible_at <= ?2
              ORDER BY visible_at, key LIMIT ?3)
         WHERE grp IS NULL LIMIT ?4",
        params![partition, now, rows(among), rows(limit)],
        place_of,
    )
}

/// The first messages of a group, and whether some of them were too many bytes.
pub(super) fn group_messages(
    connection: &Connection,
    partition: u32,
    group: &str,
    limit: usize,
    weight: &mut Weight,
) -> Result<(Vec<Message>, bool), StoreError> {
    weighed(
        connection,
        &format!(
            "{MESSAGE} INDEXED BY messages_group
             WHERE partition = ?1 AND messages.grp = ?2 ORDER BY messages.key LIMIT ?3"
        ),
        params![partition, group, rows(limit)],
        weight,
    )
}

/// Groups of a FIFO queue of which something may be received, those that have been able to
/// deliver for longest first, until they hold enough for so many receives of so many messages.
///
/// A receive locks the group it stopped in, so what that group has left is lost to the others.
pub(super) fn group_heads(
    connection: &Connection,
    partition: u32,
    now: Millis,
    receives: usize,
    messages: usize,
    mut weight: Weight,
) -> Result<(Vec<GroupHead>, bool), StoreError> {
    let enough = messages.saturating_add(receives.saturating_mul(GROUP_HEAD));
    let names: Vec<String> = many(
        connection,
        "groups of messages",
        "SELECT grp FROM message_groups INDEXED BY message_groups_available
         WHERE partition = ?1 AND available_at <= ?2 ORDER BY available_at, grp LIMIT ?3",
        params![partition, now, rows(enough)],
        |row| row.get(0),
    )?;
    let mut heads = Vec::new();
    let mut count = 0;
    for group in names {
        if weight.is_full() {
            return Ok((heads, true));
        }
        let (messages, is_cut) =
            group_messages(connection, partition, &group, GROUP_HEAD, &mut weight)?;
        count += messages.len();
        heads.push(GroupHead { group, messages });
        if is_cut {
            return Ok((heads, true));
        }
        if count >= enough {
            break;
        }
    }
    Ok((heads, false))
}

pub(super) fn attempt(
    connection: &Connection,
    queue: u32,
    id: &str,
) -> Result<Option<Attempt>, StoreError> {
    one(
        connection,
        "a receive attempt",
        "SELECT state FROM attempts WHERE queue = ?1 AND id = ?2",
        params![queue, id],
        |row| json_at(row, 0),
    )
}

pub(super) fn has_dropped(connection: &Connection) -> Result<bool, StoreError> {
    Ok(dropped(connection)?.is_some())
}

pub(super) fn dropped(connection: &Connection) -> Result<Option<u32>, StoreError> {
    one(
        connection,
        "dropped messages",
        "SELECT partition FROM dropped ORDER BY partition LIMIT 1",
        [],
        |row| row.get(0),
    )
}

pub(super) fn topics(
    connection: &Connection,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Topic>, StoreError> {
    many(
        connection,
        "topics",
        "SELECT state FROM topics WHERE name > ?1 ORDER BY name LIMIT ?2",
        params![after.unwrap_or_default(), rows(limit)],
        |row| json_at(row, 0),
    )
}

pub(super) fn topic(connection: &Connection, name: &str) -> Result<Option<Topic>, StoreError> {
    one(
        connection,
        "a topic",
        "SELECT state FROM topics WHERE name = ?1",
        params![name],
        |row| json_at(row, 0),
    )
}

pub(super) fn subscription(
    connection: &Connection,
    id: &str,
) -> Result<Option<Subscription>, StoreError> {
    one(
        connection,
        "a subscription",
        "SELECT state FROM subscriptions WHERE id = ?1",
        params![id],
        |row| json_at(row, 0),
    )
}

/// In the order in which they were made, each with its place.
pub(super) fn subscriptions(
    connection: &Connection,
    topic: Option<&str>,
    after: Option<u64>,
    limit: usize,
) -> Result<Vec<(u64, Subscription)>, StoreError> {
    let after = sought(after.unwrap_or(0));
    let placed = |row: &Row<'_>| Ok((u64_at(row, 0)?, json_at(row, 1)?));
    match topic {
        Some(topic) => many(
            connection,
            "subscriptions",
            "SELECT n, state FROM subscriptions WHERE topic = ?1 AND n > ?2 ORDER BY n LIMIT ?3",
            params![topic, after, rows(limit)],
            placed,
        ),
        None => many(
            connection,
            "subscriptions",
            "SELECT n, state FROM subscriptions WHERE n > ?1 ORDER BY n LIMIT ?2",
            params![after, rows(limit)],
            placed,
        ),
    }
}

/// The bounds of a partition's keys: above the first, up to the second.
pub(super) fn bounds(partition: u32) -> (i64, i64) {
    (key(partition, 0), key(partition, SEQ_MAX))
}
