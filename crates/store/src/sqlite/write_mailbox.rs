//! The writer's side of queues and topics: what it keeps in memory of them, what a batch asks
//! for, what a batch changes.
//!
//! What always holds here: memory is changed only by what is being committed, and a start finds
//! the same again. Messages are not in memory; queues, topics, subscriptions are, and what was
//! sent to FIFO queues in the last minutes.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use commerce::Millis;
use engine::ports::{
    Changes, DELIVERIES_QUEUE, Duplicate, Loaded, LoadedQueue, LoadedTopic, Queue, QueueTouch,
    StoreError, Subscription, Sweep, Topic, TopicTouch, Touch,
};
use messaging::fair::{GroupLoad, Load};
use messaging::{DedupEntry, DedupKey, Message, limits, topic::Protocol};
use rusqlite::{Connection, params};

use super::mailbox::{self, GROUP_HEAD, bounds, key};
use super::read::{self, stored};

/// Who has how much in flight is counted anew after so long: it decides only who comes first.
const LOAD_EVERY_MS: Millis = 200;
/// Messages in flight are counted anew after so long, and ten times as often at the bound.
const IN_FLIGHT_EVERY_MS: Millis = 1_000;
/// Groups that are looked at for one receive when some of them are noisy.
const FAIR_GROUPS_MAX: usize = 256;
/// Messages that are passed by in search of some without a group.
const FAIR_PASSED_MAX: usize = 4_096;

/// A queue, and what the writer knows of its messages.
struct Stored {
    queue: Queue,
    total: u64,
    /// Whether its messages name groups; none until somebody asks.
    grouped: Option<bool>,
    /// How much is in flight, and when that was counted; only near the bound.
    in_flight: Option<(Millis, u64)>,
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

/// What was sent of late, by the fingerprint of what it is compared by.
#[derive(Default)]
struct Duplicates {
    found: HashMap<[u8; 16], Duplicated>,
    by_time: VecDeque<(Millis, [u8; 16])>,
}

struct Duplicated {
    message: String,
    seq: u64,
    sent_at: Millis,
}

/// The owner is a queue or a topic.
fn fingerprint(owner: u32, key: &DedupKey) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&owner.to_le_bytes());
    let group = key.group.as_deref();
    hasher.update(&[u8::from(group.is_some())]);
    let group = group.unwrap_or_default();
    hasher.update(&(group.len() as u64).to_le_bytes());
    hasher.update(group.as_bytes());
    hasher.update(key.id.as_bytes());
    let hash = hasher.finalize();
    hash.as_bytes()[..16].try_into().expect("a hash is longer")
}

impl Duplicates {
    fn insert(&mut self, hash: [u8; 16], duplicated: Duplicated) {
        let now = duplicated.sent_at;
        self.by_time.push_back((now, hash));
        self.found.insert(hash, duplicated);
        self.forget(now);
    }

    /// What was sent five minutes ago is no longer compared with.
    fn forget(&mut self, now: Millis) {
        let forget = now - limits::DEDUPLICATION_INTERVAL_MS;
        while self.by_time.front().is_some_and(|(at, _)| *at <= forget) {
            if let Some((at, hash)) = self.by_time.pop_front()
                && self
                    .found
                    .get(&hash)
                    .is_some_and(|found| found.sent_at == at)
            {
                self.found.remove(&hash);
            }
        }
    }

    /// Both scopes: which one counts, the queue's settings say.
    fn look_up(&self, owner: u32, sought: &[Duplicate]) -> HashMap<DedupKey, DedupEntry> {
        let mut entries = HashMap::new();
        for duplicate in sought {
            let in_group = duplicate.group.is_some().then(|| duplicate.group.clone());
            for group in [Some(None), in_group].into_iter().flatten() {
                let key = DedupKey {
                    group,
                    id: duplicate.id.clone(),
                };
                if let Some(found) = self.found.get(&fingerprint(owner, &key)) {
                    let entry = DedupEntry {
                        key: key.clone(),
                        message_id: found.message.clone(),
                        seq: found.seq,
                        sent_at_ms: found.sent_at,
                    };
                    entries.insert(key, entry);
                }
            }
        }
        entries
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
        for subscription in mailbox::subscriptions(connection, None, None, usize::MAX >> 1)? {
            mailbox.put_subscription(subscription);
        }
        for (hash, message, seq, sent_at) in read::duplicates(connection)? {
            let duplicated = Duplicated {
                message,
                seq,
                sent_at,
            };
            mailbox.duplicates.insert(hash, duplicated);
        }
        Ok(mailbox)
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

    // Loading.

    pub(super) fn load(
        &mut self,
        connection: &Connection,
        loaded: &mut Loaded,
        touch: &Touch,
    ) -> Result<(), StoreError> {
        loaded.next_queue = self.next_number;
        loaded.queue_count = self.queues.len();
        loaded.topic_count = self.topics.len();
        loaded.subscription_count = self.by_id.len();
        for queue in &touch.queues {
            self.load_queue(connection, loaded, queue, touch.now)?;
        }
        for topic in &touch.topics {
            self.load_topic(loaded, topic);
        }
        for id in &touch.subscriptions {
            let Some(topic) = self.by_id.get(id).cloned() else {
                continue;
            };
            let all = &self.subscriptions[&topic];
            if let Some(subscription) = all.iter().find(|one| one.subscription.id == *id) {
                loaded
                    .subscriptions
                    .insert(id.clone(), subscription.clone());
            }
            let touch = TopicTouch {
                name: topic,
                duplicates: Vec::new(),
            };
            self.load_topic(loaded, &touch);
        }
        Ok(())
    }

    fn load_topic(&self, loaded: &mut Loaded, touch: &TopicTouch) {
        let Some(topic) = self.topics.get(&touch.name) else {
            return;
        };
        let subscriptions = self.subscriptions.get(&touch.name).cloned();
        let subscriptions = subscriptions.unwrap_or_default();
        for subscription in subscriptions.iter() {
            let rules = &subscription.subscription;
            let endpoint = match rules.protocol {
                Protocol::Queue => rules.endpoint.as_str(),
                Protocol::Http | Protocol::Https | Protocol::Email | Protocol::EmailJson => {
                    DELIVERIES_QUEUE
                }
            };
            for name in [Some(endpoint), rules.redrive.as_deref()]
                .into_iter()
                .flatten()
            {
                self.load_beside(loaded, name);
                if let Some(queue) = loaded.queues.get_mut(name) {
                    let id = queue.queue.id;
                    let found = self.duplicates.look_up(id, &touch.duplicates);
                    queue.duplicates.extend(found);
                }
            }
        }
        let duplicates = self.duplicates.look_up(topic.id, &touch.duplicates);
        let loaded_topic = loaded
            .topics
            .entry(touch.name.clone())
            .or_insert_with(|| LoadedTopic {
                topic: topic.clone(),
                subscriptions,
                duplicates: HashMap::new(),
            });
        loaded_topic.duplicates.extend(duplicates);
    }

    /// The queue alone, unless it is there with its messages.
    fn load_beside(&self, loaded: &mut Loaded, name: &str) {
        if let Some(stored) = self.queues.get(name)
            && !loaded.queues.contains_key(name)
        {
            let mut bare = LoadedQueue::bare(stored.queue.clone());
            bare.total = stored.total;
            loaded.queues.insert(name.to_owned(), bare);
        }
    }

    fn load_queue(
        &mut self,
        connection: &Connection,
        loaded: &mut Loaded,
        touch: &QueueTouch,
        now: Millis,
    ) -> Result<(), StoreError> {
        let Some(stored) = self.queues.get_mut(&touch.name) else {
            return Ok(());
        };
        let mut found = LoadedQueue::bare(stored.queue.clone());
        found.total = stored.total;
        let partition = stored.queue.partition;
        if touch.visible > 0 && stored.total > 0 {
            stored.load_visible(connection, &mut found, touch, now)?;
        }
        found.first = mailbox::messages(connection, partition, 0, touch.first)?;
        let mut wanted: BTreeSet<u64> = touch.messages.iter().copied().collect();
        for id in &touch.attempts {
            if let Some(attempt) = mailbox::attempt(connection, stored.queue.id, id)? {
                wanted.extend(attempt.messages.iter().map(|message| message.seq));
                found.attempts.insert(id.clone(), attempt);
            }
        }
        for seq in wanted {
            if let Some(message) = mailbox::message(connection, partition, seq)? {
                found.messages.insert(seq, message);
            }
        }
        found.duplicates = self.duplicates.look_up(found.queue.id, &touch.duplicates);
        for name in self.beside(&found) {
            self.load_beside(loaded, &name);
        }
        loaded.queues.insert(touch.name.clone(), found);
        Ok(())
    }

    /// Where a queue's messages may go to in this batch: its dead-letter queue, the queues whose
    /// dead-letter queue it is, and those that its dead letters came from.
    fn beside(&self, found: &LoadedQueue) -> BTreeSet<String> {
        let name = &found.queue.name;
        let mut beside = BTreeSet::new();
        if let Some(redrive) = &found.queue.config.redrive {
            beside.insert(redrive.dead_letter_queue.clone());
        }
        for other in self.queues.values() {
            let redrive = other.queue.config.redrive.as_ref();
            if redrive.is_some_and(|redrive| redrive.dead_letter_queue == *name) {
                beside.insert(other.queue.name.clone());
            }
        }
        let heads = found.groups.iter().flat_map(|head| &head.messages);
        let died = found
            .first
            .iter()
            .chain(found.messages.values())
            .chain(&found.visible)
            .chain(heads)
            .filter_map(|message| message.dead.as_ref());
        beside.extend(
            died.map(|dead| dead.source_queue.clone())
                .filter(|source| source != name),
        );
        beside
    }

    // Committing.

    pub(super) fn write(
        &mut self,
        connection: &Connection,
        changes: &Changes,
    ) -> Result<(), rusqlite::Error> {
        for name in &changes.queues_removed {
            self.remove_queue(connection, name)?;
        }
        let mut deltas: HashMap<u32, i64> = HashMap::new();
        let mut groups: BTreeSet<(u32, String)> = BTreeSet::new();
        self.write_messages(connection, changes, &mut deltas, &mut groups)?;
        for queue in &changes.queues {
            self.write_queue(connection, queue)?;
        }
        self.settle(connection, &deltas, &groups)?;
        if let Some(number) = changes.next_queue {
            self.next_number = number;
            super::write::put_meta(connection, "next_queue", i64::from(number))?;
        }
        self.write_topics(connection, changes)?;
        self.write_remembered(connection, changes)?;
        if let Some(sweep) = &changes.sweep {
            self.sweep(connection, sweep)?;
        }
        Ok(())
    }

    fn remove_queue(&mut self, connection: &Connection, name: &str) -> Result<(), rusqlite::Error> {
        let Some(gone) = self.queues.remove(name) else {
            return Ok(());
        };
        self.partitions.remove(&gone.queue.partition);
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
                *deltas.entry(partition).or_default() += 1;
            } else {
                update_message(connection, partition, message)?;
                self.note_in_flight(partition, message);
            }
            if let Some(group) = &message.group {
                groups.insert((partition, group.clone()));
            }
        }
        let mut delete =
            connection.prepare_cached("DELETE FROM messages WHERE key = ?1 RETURNING grp")?;
        for (partition, seq) in &changes.messages_removed {
            let mut gone = delete.query(params![key(*partition, *seq)])?;
            while let Some(row) = gone.next()? {
                *deltas.entry(*partition).or_default() -= 1;
                if let Some(group) = row.get::<_, Option<String>>(0)? {
                    groups.insert((*partition, group));
                }
            }
        }
        Ok(())
    }

    /// Whatever was changed may have been handed out: never too few are counted.
    fn note_in_flight(&mut self, partition: u32, message: &Message) {
        let name = self.partitions.get(&partition);
        let stored = name.and_then(|name| self.queues.get_mut(name));
        if let Some((_, count)) = stored.and_then(|stored| stored.in_flight.as_mut())
            && message.receipt.is_some()
        {
            *count += 1;
        }
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
            let duplicated = Duplicated {
                message: entry.message_id.clone(),
                seq: entry.seq,
                sent_at: entry.sent_at_ms,
            };
            self.duplicates.insert(hash, duplicated);
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

    /// A bounded piece of what nobody can receive any more.
    fn sweep(&mut self, connection: &Connection, sweep: &Sweep) -> Result<(), rusqlite::Error> {
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
        for stored in self.queues.values().filter(|stored| stored.total > 0) {
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

impl Stored {
    /// The head of the queue, in the order in which it is to be delivered.
    fn load_visible(
        &mut self,
        connection: &Connection,
        found: &mut LoadedQueue,
        touch: &QueueTouch,
        now: Millis,
    ) -> Result<(), StoreError> {
        let partition = self.queue.partition;
        found.in_flight = self.in_flight(connection, now)?;
        if self.queue.config.is_fifo() {
            let receives = touch
                .visible
                .div_ceil(limits::RECEIVE_MAX)
                .max(touch.receives);
            found.groups =
                mailbox::group_heads(connection, partition, now, receives, touch.visible)?.into();
            return Ok(());
        }
        let mut visible = mailbox::visible_messages(connection, partition, now, touch.visible + 1)?;
        found.has_more = visible.len() > touch.visible;
        visible.truncate(touch.visible);
        found.visible = visible.into();
        if self.is_grouped(connection)? {
            self.load_fair(connection, found, touch.visible, now)?;
        }
        Ok(())
    }

    /// Counted anew only so often: with a hundred thousand in flight that takes milliseconds.
    /// What was handed out meanwhile is added, so it is never too few.
    fn in_flight(&mut self, connection: &Connection, now: Millis) -> Result<u64, StoreError> {
        // Far from the bound nobody needs to know.
        if self.total < limits::IN_FLIGHT_MAX {
            self.in_flight = None;
            return Ok(0);
        }
        if let Some((at, count)) = self.in_flight {
            let every = if count < limits::IN_FLIGHT_MAX {
                IN_FLIGHT_EVERY_MS
            } else {
                IN_FLIGHT_EVERY_MS / 10
            };
            if (at..at + every).contains(&now) {
                return Ok(count);
            }
        }
        let count = mailbox::in_flight(connection, self.queue.partition, now)?;
        self.in_flight = Some((now, count));
        Ok(count)
    }

    fn is_grouped(&mut self, connection: &Connection) -> Result<bool, StoreError> {
        if let Some(grouped) = self.grouped {
            return Ok(grouped);
        }
        let grouped = !mailbox::groups(connection, self.queue.partition, "", 1)?.is_empty();
        self.grouped = Some(grouped);
        Ok(grouped)
    }

    /// When a tenant is noisy, the heads of the quiet ones are candidates too, wherever they
    /// stand in the queue.
    fn load_fair(
        &mut self,
        connection: &Connection,
        found: &mut LoadedQueue,
        wanted: usize,
        now: Millis,
    ) -> Result<(), StoreError> {
        let partition = self.queue.partition;
        // A clock that was set back must not keep it for as long.
        let is_fresh = |(at, _): &(Millis, Load)| (0..LOAD_EVERY_MS).contains(&(now - *at));
        if !self.load.as_ref().is_some_and(is_fresh) {
            let mut load = Load::default();
            for (group, in_flight) in mailbox::in_flight_by_group(connection, partition, now)? {
                load.in_flight += in_flight;
                if let Some(group) = group {
                    let group_load = GroupLoad {
                        in_flight,
                        ..GroupLoad::default()
                    };
                    load.groups.insert(group, group_load);
                }
            }
            self.load = Some((now, load));
        }
        let Some((_, load)) = &self.load else {
            return Ok(());
        };
        if !load.groups.keys().any(|group| load.is_noisy(group)) {
            return Ok(());
        }
        found.load = Some(load.clone());
        let known: BTreeSet<u64> = found.visible.iter().map(|message| message.seq).collect();
        let groups = mailbox::groups(connection, partition, &self.group_walk, FAIR_GROUPS_MAX)?;
        // The next receive goes on behind them, and then from the front.
        self.group_walk = match groups.last() {
            Some(last) if groups.len() == FAIR_GROUPS_MAX => last.clone(),
            _ => String::new(),
        };
        // Without a group each message is a tenant of its own.
        let mut quiet =
            mailbox::visible_without_group(connection, partition, now, FAIR_PASSED_MAX, wanted)?;
        quiet.retain(|message| !known.contains(&message.seq));
        for group in groups.iter().filter(|group| !load.is_noisy(group)) {
            let messages =
                mailbox::visible_of_group(connection, partition, group, now, GROUP_HEAD)?;
            quiet.extend(
                messages
                    .into_iter()
                    .filter(|message| !known.contains(&message.seq)),
            );
        }
        quiet.sort_by_key(|message| (message.visible_at_ms, message.seq));
        quiet.truncate(wanted);
        for message in quiet.into_iter().rev() {
            found.visible.push_front(message);
        }
        Ok(())
    }
}

fn stored_seq(queue: &Queue) -> i64 {
    stored(queue.next_seq)
}

fn drop_partition(connection: &Connection, partition: u32) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO dropped (partition) VALUES (?1)")?
        .execute(params![partition])?;
    Ok(())
}

fn insert_message(
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
fn update_message(
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

/// From when on something of a group may be received: when nothing of it is in flight any more,
/// and its first message is not delayed.
fn settle_group(
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
