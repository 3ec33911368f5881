//! The writer's side of queues and topics: what it keeps in memory of them, what a batch asks
//! for, what a batch changes.
//!
//! What always holds here: memory is changed only by what is being committed, and a start finds
//! the same again. Messages are not in memory; queues, topics, subscriptions are, and what was
//! sent to FIFO queues in the last minutes.

mod duplicates;
mod heads;
mod in_flight;
mod load;
mod rows;
mod sweep;

use std::collections::BTreeSet;
use std::sync::Arc;

use commerce::Millis;
use engine::ports::{Changes, Queue, StoreError, Subscription, Topic};
use hashbrown::HashMap;
use messaging::fair::Load;
use rusqlite::{Connection, params};

use self::duplicates::{Duplicates, fingerprint};
use self::in_flight::InFlight;
use self::rows::{drop_partition, insert_message, settle_group, stored_seq, update_message};
use super::mailbox::{self, key};
use super::read::{self, stored};
use crate::gone::Gone;

/// A queue, and what the writer knows of its messages.
struct Stored {
    queue: Queue,
    total: u64,
    /// Whether its messages name groups; none until somebody asks.
    grouped: Option<bool>,
    /// How much is in flight; only near the bound.
    in_flight: Option<InFlight>,
    /// Who has how much in flight, and when that was counted.
    load: Option<(Millis, Load)>,
    /// Where the walk over its groups goes on.
    group_walk: String,
}

impl Stored {
    fn new(queue: Queue, total: u64) -> Self {
        Self {
            queue,
            total,
            grouped: None,
            in_flight: None,
            load: None,
            group_walk: String::new(),
        }
    }
}

#[derive(Default)]
pub(super) struct Mailbox {
    queues: HashMap<String, Stored>,
    /// The queue of each partition.
    partitions: HashMap<u32, String>,
    next_number: u32,
    topics: HashMap<String, Topic>,
    subscriptions: HashMap<String, Arc<Vec<Subscription>>>,
    /// The topic of each subscription.
    by_id: HashMap<String, String>,
    duplicates: Duplicates,
    gone: Gone,
}

impl Mailbox {
    pub(super) fn read(connection: &Connection) -> Result<Self, StoreError> {
        let mut mailbox = Self {
            next_number: read::next_number(connection)?,
            ..Self::default()
        };
        for (queue, total) in mailbox::queues(connection)? {
            mailbox
                .partitions
                .insert(queue.partition, queue.name.clone());
            mailbox
                .queues
                .insert(queue.name.clone(), Stored::new(queue, total));
        }
        for topic in mailbox::topics(connection, None, usize::MAX >> 1)? {
            mailbox
                .topics
                .insert(topic.topic.name.as_str().to_owned(), topic);
        }
        for (_, subscription) in mailbox::subscriptions(connection, None, None, usize::MAX >> 1)? {
            mailbox.put_subscription(subscription);
        }
        mailbox.duplicates = Duplicates::read(connection)?;
        Ok(mailbox)
    }

    pub(super) fn remembering(&mut self) -> Option<Box<dyn FnOnce() + Send>> {
        self.duplicates.remembering()
    }

    fn put_subscription(&mut self, subscription: Subscription) {
        let id = &subscription.subscription.id;
        self.by_id.insert(id.clone(), subscription.topic.clone());
        let all = self.subscriptions.entry(subscription.topic.clone());
        let all = Arc::make_mut(all.or_default());
        match all.iter_mut().find(|known| known.subscription.id == *id) {
            Some(known) => *known = subscription,
            None => all.push(subscription),
        }
    }

    fn remove_subscription(&mut self, id: &str) {
        if let Some(topic) = self.by_id.remove(id)
            && let Some(all) = self.subscriptions.get_mut(&topic)
        {
            Arc::make_mut(all).retain(|known| known.subscription.id != id);
        }
    }

    pub(super) fn write(
        &mut self,
        connection: &Connection,
        changes: &Changes,
    ) -> Result<(), rusqlite::Error> {
        for (name, at) in &changes.queues_removed {
            self.remove_queue(connection, name, *at)?;
        }
        let mut deltas: HashMap<u32, i64> = HashMap::new();
        let mut groups: BTreeSet<(u32, String)> = BTreeSet::new();
        self.write_messages(connection, changes, &mut deltas, &mut groups)?;
        for redelay in &changes.redelays {
            for group in rows::redelay(connection, redelay)? {
                groups.insert((redelay.partition, group));
            }
        }
        for queue in &changes.queues {
            self.write_queue(connection, queue)?;
        }
        self.settle(connection, &deltas, &groups)?;
        if let Some(number) = changes.next_queue {
            self.next_number = number;
            super::write_rows::put_meta(connection, "next_queue", i64::from(number))?;
        }
        self.write_topics(connection, changes)?;
        self.write_remembered(connection, changes)?;
        if let Some(sweep) = &changes.sweep {
            self.sweep(connection, sweep)?;
        }
        Ok(())
    }

    fn remove_queue(
        &mut self,
        connection: &Connection,
        name: &str,
        at: Millis,
    ) -> Result<(), rusqlite::Error> {
        let Some(gone) = self.queues.remove(name) else {
            return Ok(());
        };
        self.partitions.remove(&gone.queue.partition);
        self.gone.insert(name, at);
        connection
            .prepare_cached("DELETE FROM queues WHERE id = ?1")?
            .execute(params![gone.queue.id])?;
        drop_partition(connection, gone.queue.partition)
    }

    fn write_messages(
        &mut self,
        connection: &Connection,
        changes: &Changes,
        deltas: &mut HashMap<u32, i64>,
        groups: &mut BTreeSet<(u32, String)>,
    ) -> Result<(), rusqlite::Error> {
        // What a partition's next sequence was: what lies beyond it is new.
        let mut nexts: HashMap<u32, u64> = HashMap::new();
        for (partition, message) in &changes.messages {
            let partition = *partition;
            let next = *nexts.entry(partition).or_insert_with(|| {
                let name = self.partitions.get(&partition);
                let stored = name.and_then(|name| self.queues.get(name));
                stored.map_or(0, |stored| stored.queue.next_seq)
            });
            if message.seq >= next {
                insert_message(connection, partition, message)?;
                self.note_there(partition, message);
                *deltas.entry(partition).or_default() += 1;
            } else {
                self.note_changed(connection, partition, message)?;
                update_message(connection, partition, message)?;
            }
            if let Some(group) = &message.group {
                groups.insert((partition, group.clone()));
            }
        }
        let mut delete = connection.prepare_cached(
            "DELETE FROM messages WHERE key = ?1 RETURNING grp, held, visible_at",
        )?;
        for (partition, seq) in &changes.messages_removed {
            let mut gone = delete.query(params![key(*partition, *seq)])?;
            while let Some(row) = gone.next()? {
                *deltas.entry(*partition).or_default() -= 1;
                self.note_deleted(*partition, row.get(1)?, row.get(2)?);
                if let Some(group) = row.get::<_, Option<String>>(0)? {
                    groups.insert((*partition, group));
                }
            }
        }
        Ok(())
    }

    fn write_queue(
        &mut self,
        connection: &Connection,
        queue: &Queue,
    ) -> Result<(), rusqlite::Error> {
        let known = self.queues.get_mut(&queue.name);
        if let Some(stored) = known {
            let is_hot = stored.queue.config == queue.config
                && Arc::ptr_eq(&stored.queue.more, &queue.more)
                && Arc::ptr_eq(&stored.queue.moves, &queue.moves)
                && stored.queue.partition == queue.partition;
            if is_hot {
                stored.queue.next_seq = queue.next_seq;
                connection
                    .prepare_cached("UPDATE queues SET next_seq = ?2 WHERE id = ?1")?
                    .execute(params![queue.id, stored_seq(queue)])?;
                return Ok(());
            }
            if stored.queue.partition != queue.partition {
                let old = stored.queue.partition;
                stored.total = 0;
                stored.in_flight = None;
                self.partitions.remove(&old);
                drop_partition(connection, old)?;
            }
        }
        let total = self.queues.get(&queue.name).map_or(0, |known| known.total);
        let json = |value: Result<String, serde_json::Error>| value.expect("it has a JSON form");
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO queues
                 (id, name, partition, next_seq, total, created_at, modified_at, purged_at,
                  config, more, moves)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                queue.id,
                queue.name,
                queue.partition,
                stored_seq(queue),
                stored(total),
                queue.created_at,
                queue.modified_at,
                queue.purged_at,
                json(serde_json::to_string(&queue.config)),
                json(serde_json::to_string(&*queue.more)),
                json(serde_json::to_string(&*queue.moves)),
            ])?;
        self.partitions.insert(queue.partition, queue.name.clone());
        match self.queues.get_mut(&queue.name) {
            Some(known) => known.queue = queue.clone(),
            None => {
                let new = Stored::new(queue.clone(), 0);
                self.queues.insert(queue.name.clone(), new);
            }
        }
        Ok(())
    }

    /// Counts and groups follow the messages.
    fn settle(
        &mut self,
        connection: &Connection,
        deltas: &HashMap<u32, i64>,
        groups: &BTreeSet<(u32, String)>,
    ) -> Result<(), rusqlite::Error> {
        for (partition, delta) in deltas {
            let name = self.partitions.get(partition);
            let Some(stored) = name.and_then(|name| self.queues.get_mut(name)) else {
                continue;
            };
            stored.total = stored
                .total
                .checked_add_signed(*delta)
                .expect("a message is removed once");
            connection
                .prepare_cached("UPDATE queues SET total = ?2 WHERE id = ?1")?
                .execute(params![stored.queue.id, read::stored(stored.total)])?;
        }
        for (partition, group) in groups {
            let name = self.partitions.get(partition);
            let Some(stored) = name.and_then(|name| self.queues.get_mut(name)) else {
                continue;
            };
            stored.grouped = Some(true);
            if stored.queue.config.is_fifo() {
                settle_group(connection, *partition, group)?;
            }
        }
        Ok(())
    }

    fn write_topics(
        &mut self,
        connection: &Connection,
        changes: &Changes,
    ) -> Result<(), rusqlite::Error> {
        for name in &changes.topics_removed {
            connection
                .prepare_cached("DELETE FROM topics WHERE name = ?1")?
                .execute(params![name])?;
            connection
                .prepare_cached("DELETE FROM subscriptions WHERE topic = ?1")?
                .execute(params![name])?;
            self.topics.remove(name);
            if let Some(gone) = self.subscriptions.remove(name) {
                for subscription in gone.iter() {
                    self.by_id.remove(&subscription.subscription.id);
                }
            }
        }
        for topic in &changes.topics {
            let name = topic.topic.name.as_str();
            let state = serde_json::to_string(topic).expect("a topic has a JSON form");
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO topics (id, name, state) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![topic.id, name, state])?;
            self.topics.insert(name.to_owned(), topic.clone());
        }
        for id in &changes.subscriptions_removed {
            connection
                .prepare_cached("DELETE FROM subscriptions WHERE id = ?1")?
                .execute(params![id])?;
            self.remove_subscription(id);
        }
        for subscription in &changes.subscriptions {
            let state = serde_json::to_string(subscription).expect("it has a JSON form");
            connection
                .prepare_cached(
                    "INSERT INTO subscriptions (id, topic, state) VALUES (?1, ?2, ?3)
                     ON CONFLICT (id) DO UPDATE SET state = excluded.state",
                )?
                .execute(params![
                    subscription.subscription.id,
                    subscription.topic,
                    state
                ])?;
            self.put_subscription(subscription.clone());
        }
        Ok(())
    }

    fn write_remembered(
        &mut self,
        connection: &Connection,
        changes: &Changes,
    ) -> Result<(), rusqlite::Error> {
        for (owner, entry) in &changes.duplicates {
            let hash = fingerprint(*owner, &entry.key);
            connection
                .prepare_cached(
                    "INSERT INTO duplicates (sent_at, hash, message, seq) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![
                    entry.sent_at_ms,
                    &hash[..],
                    entry.message_id,
                    stored(entry.seq)
                ])?;
            let row = connection.last_insert_rowid();
            self.duplicates.insert(hash, row, entry.sent_at_ms);
        }
        for (queue, attempt) in &changes.attempts {
            let state = serde_json::to_string(attempt).expect("it has a JSON form");
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO attempts (queue, id, received_at, state)
                     VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![queue, attempt.id, attempt.received_at_ms, state])?;
        }
        Ok(())
    }
}
