//! Queues and topics in memory: maps that are searched as the port describes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use commerce::Millis;
use engine::ports::{
    Changes, Duplicate, FAN_OUT_QUEUE, GROUP_FIRST_MAX, Loaded, LoadedQueue, LoadedTopic, Queue,
    QueueDepth, QueueTouch, Redelay, Subscription, Sweep, Topic, TopicTouch, Touch, is_wide,
};
use hashbrown::HashMap;
use messaging::fair::{GroupLoad, Load};
use messaging::{Attempt, DedupEntry, DedupKey, GroupHead, Message, MessageState, limits};

use crate::gone::Gone;

/// Messages of a group that a decision looks at.
const GROUP_HEAD: usize = 10;

#[derive(Default)]
pub(super) struct Mailbox {
    pub(super) queues: BTreeMap<String, Queue>,
    messages: BTreeMap<(u32, u64), Message>,
    /// By owner, a queue or a topic.
    duplicates: HashMap<(u32, DedupKey), DedupEntry>,
    attempts: HashMap<(u32, String), Attempt>,
    dropped: BTreeSet<u32>,
    gone: Gone,
    next_number: Option<u32>,
    pub(super) topics: BTreeMap<String, Topic>,
    /// By their places, from 1 on: the order in which they were made.
    pub(super) subscriptions: BTreeMap<u64, Subscription>,
}

impl Mailbox {
    pub(super) fn messages_of(&self, queue: &Queue) -> impl Iterator<Item = &Message> {
        let partition = queue.partition;
        self.messages
            .range((partition, 0)..=(partition, u64::MAX))
            .map(|(_, message)| message)
    }

    pub(super) fn has_dropped(&self) -> bool {
        !self.dropped.is_empty()
    }

    pub(super) fn depth(&self, queue: &Queue, now: Millis) -> QueueDepth {
        let count = |state| {
            let in_state = |message: &&Message| message.state(now) == state;
            self.messages_of(queue).filter(in_state).count() as u64
        };
        QueueDepth {
            queue: queue.clone(),
            visible: count(MessageState::Visible),
            in_flight: count(MessageState::InFlight),
            delayed: count(MessageState::Delayed),
            oldest_sent_at: self.messages_of(queue).next().map(|first| first.sent_at_ms),
        }
    }

    pub(super) fn load(&self, loaded: &mut Loaded, touch: &Touch) {
        loaded.next_queue = self.next_number.unwrap_or(1);
        loaded.queue_count = self.queues.len();
        loaded.topic_count = self.topics.len();
        loaded.subscription_count = self.subscriptions.len();
        let now = touch.now.max(loaded.last_at);
        for touched in &touch.queues {
            self.load_queue(loaded, touched, now);
        }
        for touched in &touch.topics {
            self.load_topic(loaded, touched);
        }
        for id in &touch.subscriptions {
            let Some(subscription) = self
                .subscriptions
                .values()
                .find(|subscription| subscription.subscription.id == *id)
            else {
                continue;
            };
            loaded
                .subscriptions
                .insert(id.clone(), subscription.clone());
            self.load_led_to(loaded, subscription, &[]);
            let touched = TopicTouch {
                name: subscription.topic.clone(),
                ..TopicTouch::default()
            };
            self.load_topic(loaded, &touched);
        }
    }

    fn load_queue(&self, loaded: &mut Loaded, touch: &QueueTouch, now: Millis) {
        let Some(queue) = self.queues.get(&touch.name) else {
            if let Some(at) = self.gone.get(&touch.name) {
                loaded.queues_gone.insert(touch.name.clone(), at);
            }
            return;
        };
        let mut found = self.bare(queue);
        if touch.visible > 0 {
            self.load_visible(&mut found, touch.visible, now);
            cut(&mut found, touch.visible_bytes.unwrap_or(u64::MAX));
        }
        let is_near_bound = found.total >= limits::IN_FLIGHT_MAX;
        if is_near_bound && (touch.visible > 0 || !touch.messages.is_empty()) {
            let held = self.messages_of(queue);
            found.in_flight = held.filter(|message| message.is_in_flight(now)).count() as u64;
        }
        let mut bytes = 0;
        let first = self.messages_of(queue).take(touch.first);
        let first = first.take_while(|message| {
            let has_room = touch.first_bytes.is_none_or(|most| bytes < most);
            bytes += message.bytes();
            has_room
        });
        found.first = first.cloned().collect();
        let mut wanted = touch.messages.clone();
        for id in &touch.attempts {
            if let Some(attempt) = self.attempts.get(&(queue.id, id.clone())) {
                wanted.extend(attempt.messages.iter().map(|message| message.seq));
                found.attempts.insert(id.clone(), attempt.clone());
            }
        }
        for seq in wanted {
            if let Some(message) = self.messages.get(&(queue.partition, seq)) {
                found.messages.insert(seq, message.clone());
            }
        }
        for group in &touch.group_firsts {
            let is_of_group = |message: &&Message| message.group.as_ref() == Some(group);
            let firsts = self.messages_of(queue).filter(is_of_group);
            let firsts: Vec<Message> = firsts.take(GROUP_FIRST_MAX).cloned().collect();
            if !firsts.is_empty() {
                found.group_firsts.insert(group.clone(), firsts);
            }
        }
        found.duplicates = self.look_up(queue.id, &touch.duplicates);
        let heads = found.groups.iter().flat_map(|head| &head.messages);
        let sources: BTreeSet<&str> = found
            .first
            .iter()
            .chain(found.messages.values())
            .chain(&found.visible)
            .chain(heads)
            .filter_map(|message| message.dead.as_ref())
            .map(|dead| dead.source_queue.as_str())
            .collect();
        for other in self.queues.values() {
            let target_of = |a: &Queue, b: &Queue| {
                let redrive = a.config.redrive.as_ref();
                redrive.is_some_and(|redrive| redrive.dead_letter_queue == b.name)
            };
            let is_source = sources.contains(other.name.as_str());
            if target_of(queue, other) || target_of(other, queue) || is_source {
                self.load_beside(loaded, &other.name);
            }
        }
        loaded.queues.insert(touch.name.clone(), found);
    }

    fn load_visible(&self, found: &mut LoadedQueue, wanted: usize, now: Millis) {
        let queue = &found.queue;
        if queue.config.is_fifo() {
            let mut heads: BTreeMap<&str, Vec<Message>> = BTreeMap::new();
            for message in self.messages_of(queue) {
                let group = message.group.as_deref().unwrap_or_default();
                let head = heads.entry(group).or_default();
                if head.len() < GROUP_HEAD {
                    head.push(message.clone());
                }
            }
            let mut heads: Vec<(Millis, GroupHead)> = heads
                .into_iter()
                .map(|(group, messages)| {
                    let group = group.to_owned();
                    (available_at(&messages), GroupHead { group, messages })
                })
                .filter(|(available_at, _)| *available_at <= now)
                .collect();
            heads.sort_by(|(a, first), (b, second)| (a, &first.group).cmp(&(b, &second.group)));
            found.groups = heads.into_iter().map(|(_, head)| head).collect();
            return;
        }
        let mut visible: Vec<&Message> = self
            .messages_of(queue)
            .filter(|message| message.visible_at_ms <= now)
            .collect();
        visible.sort_by_key(|message| (message.visible_at_ms, message.seq));
        found.has_more = visible.len() > wanted;
        let load = self.fair_load(queue, now);
        let is_noisy = |message: &&&Message| {
            let group = message.group.as_deref();
            group.is_some_and(|group| load.is_noisy(group))
        };
        let is_anybody_noisy = load.noisy().next().is_some();
        if is_anybody_noisy {
            let quiet = visible.iter().filter(|message| !is_noisy(message));
            let noisy = visible.iter().filter(is_noisy);
            found.visible = quiet.chain(noisy).take(wanted).copied().cloned().collect();
            found.load = Some(load);
        } else {
            found.visible = visible.into_iter().take(wanted).cloned().collect();
        }
    }

    pub(super) fn fair_load(&self, queue: &Queue, now: Millis) -> Load {
        let mut load = Load::default();
        let messages = self.messages_of(queue);
        let held: Vec<&Message> = messages.filter(|held| held.is_in_flight(now)).collect();
        let is_time_counted = held.len() as u64 <= limits::PROCESSING_COUNTED_MAX;
        for message in held {
            let received_at = message.received_at_ms.filter(|_| is_time_counted);
            let since = received_at.map_or(0, |at| now.saturating_sub(at));
            let processing_ms = u64::try_from(since).unwrap_or(0);
            load.in_flight += 1;
            load.processing_ms += processing_ms;
            if let Some(group) = &message.group {
                let group: &mut GroupLoad = load.groups.entry(group.clone()).or_default();
                group.in_flight += 1;
                group.processing_ms += processing_ms;
            }
        }
        load
    }

    fn bare(&self, queue: &Queue) -> LoadedQueue {
        let mut bare = LoadedQueue::bare(queue.clone());
        bare.total = self.messages_of(queue).count() as u64;
        bare
    }

    /// The queue alone, unless it is there with its messages.
    fn load_beside(&self, loaded: &mut Loaded, name: &str) {
        if let Some(queue) = self.queues.get(name)
            && !loaded.queues.contains_key(name)
        {
            loaded.queues.insert(name.to_owned(), self.bare(queue));
        }
    }

    fn load_topic(&self, loaded: &mut Loaded, touch: &TopicTouch) {
        let Some(topic) = self.topics.get(&touch.name) else {
            return;
        };
        let subscriptions: Vec<Subscription> =
            self.subscriptions_of(&touch.name).cloned().collect();
        let is_wide =
            is_wide(&topic.topic, subscriptions.len()) && self.queues.contains_key(FAN_OUT_QUEUE);
        for subscription in touch.reached(&subscriptions, is_wide) {
            self.load_led_to(loaded, subscription, &touch.duplicates);
        }
        let duplicates = self.look_up(topic.id, &touch.duplicates);
        let loaded_topic = loaded
            .topics
            .entry(touch.name.clone())
            .or_insert_with(|| LoadedTopic {
                topic: topic.clone(),
                subscriptions: Arc::new(subscriptions),
                duplicates: HashMap::new(),
                is_wide,
            });
        loaded_topic.duplicates.extend(duplicates);
    }

    /// The queues that a subscription leads to, and what of these was sent to them of late.
    fn load_led_to(&self, loaded: &mut Loaded, subscription: &Subscription, sought: &[Duplicate]) {
        for name in subscription.leads_to() {
            self.load_beside(loaded, name);
            if let Some(queue) = loaded.queues.get_mut(name) {
                let found = self.look_up(queue.queue.id, sought);
                queue.duplicates.extend(found);
            }
        }
    }

    pub(super) fn subscriptions_of<'a>(
        &'a self,
        topic: &'a str,
    ) -> impl Iterator<Item = &'a Subscription> {
        let all = self.subscriptions.values();
        all.filter(move |subscription| subscription.topic == topic)
    }

    fn look_up(&self, owner: u32, sought: &[Duplicate]) -> HashMap<DedupKey, DedupEntry> {
        let keys = sought.iter().flat_map(|duplicate| {
            [None, duplicate.group.clone()].map(|group| DedupKey {
                group,
                id: duplicate.id.clone(),
            })
        });
        keys.filter_map(|key| {
            let entry = self.duplicates.get(&(owner, key.clone()))?;
            Some((key, entry.clone()))
        })
        .collect()
    }

    pub(super) fn commit(&mut self, changes: &Changes) {
        for (name, at) in &changes.queues_removed {
            if let Some(gone) = self.queues.remove(name) {
                self.dropped.insert(gone.partition);
                self.gone.insert(name, *at);
            }
        }
        for queue in &changes.queues {
            if let Some(old) = self.queues.insert(queue.name.clone(), queue.clone())
                && old.partition != queue.partition
            {
                self.dropped.insert(old.partition);
            }
        }
        if let Some(number) = changes.next_queue {
            self.next_number = Some(number);
        }
        for (partition, message) in &changes.messages {
            self.messages
                .insert((*partition, message.seq), message.clone());
        }
        for removed in &changes.messages_removed {
            self.messages.remove(removed);
        }
        for redelay in &changes.redelays {
            self.redelay(redelay);
        }
        for name in &changes.topics_removed {
            self.topics.remove(name);
            self.subscriptions
                .retain(|_, subscription| subscription.topic != *name);
        }
        for topic in &changes.topics {
            self.topics
                .insert(topic.topic.name.as_str().to_owned(), topic.clone());
        }
        for id in &changes.subscriptions_removed {
            self.subscriptions
                .retain(|_, subscription| subscription.subscription.id != *id);
        }
        for subscription in &changes.subscriptions {
            let id = &subscription.subscription.id;
            let known = self
                .subscriptions
                .values_mut()
                .find(|known| known.subscription.id == *id);
            if let Some(known) = known {
                known.clone_from(subscription);
                continue;
            }
            let last = self.subscriptions.last_key_value();
            let place = last.map_or(1, |(last, _)| last + 1);
            self.subscriptions.insert(place, subscription.clone());
        }
        for (owner, entry) in &changes.duplicates {
            self.duplicates
                .insert((*owner, entry.key.clone()), entry.clone());
        }
        for (queue, attempt) in &changes.attempts {
            self.attempts
                .insert((*queue, attempt.id.clone()), attempt.clone());
        }
        if let Some(sweep) = &changes.sweep {
            self.sweep(sweep);
        }
    }

    fn redelay(&mut self, redelay: &Redelay) {
        let of_queue = (redelay.partition, 0)..=(redelay.partition, u64::MAX);
        let messages = self
            .messages
            .range_mut(of_queue)
            .map(|(_, message)| message);
        for message in messages.filter(|message| message.sent_at_ms > redelay.sent_after) {
            if message.receipt.is_none() && message.receive_count == 0 {
                message.visible_at_ms = message.sent_at_ms.saturating_add(redelay.delay_ms);
            }
        }
    }

    fn sweep(&mut self, sweep: &Sweep) {
        if let Some(partition) = self.dropped.first().copied() {
            let keys: Vec<(u32, u64)> = self
                .messages
                .range((partition, 0)..=(partition, u64::MAX))
                .map(|(key, _)| *key)
                .take(sweep.rows)
                .collect();
            if keys.len() < sweep.rows {
                self.dropped.remove(&partition);
            }
            for key in keys {
                self.messages.remove(&key);
            }
        }
        let mut expired = Vec::new();
        for queue in self.queues.values() {
            let first = self.messages_of(queue).take(sweep.rows);
            let gone = first.filter(|message| {
                message.is_expired(&queue.config, sweep.now) && message.visible_at_ms <= sweep.now
            });
            expired.extend(gone.map(|message| (queue.partition, message.seq)));
        }
        for key in expired {
            self.messages.remove(&key);
        }
        self.duplicates
            .retain(|_, entry| entry.expires_at_ms() > sweep.now);
        self.attempts
            .retain(|_, attempt| attempt.expires_at_ms() > sweep.now);
    }
}

/// Leaves out what is past so many bytes.
fn cut(found: &mut LoadedQueue, most: u64) {
    let mut so_far = 0;
    let mut fits = |message: &Message| {
        let fits = so_far < most;
        so_far += message.bytes();
        fits
    };
    let heads = found.groups.iter_mut().map(|head| &mut head.messages);
    let wanted = found.visible.len() + heads.map(|head| head.len()).sum::<usize>();
    found.visible.retain(&mut fits);
    for head in &mut found.groups {
        head.messages.retain(&mut fits);
    }
    found.groups.retain(|head| !head.messages.is_empty());
    let heads = found.groups.iter().map(|head| head.messages.len());
    found.is_cut = found.visible.len() + heads.sum::<usize>() < wanted;
    found.has_more |= found.is_cut;
}

/// From when on something of a group may be received.
fn available_at(head: &[Message]) -> Millis {
    let first = head
        .first()
        .map_or(Millis::MAX, |first| first.visible_at_ms);
    let held = head.iter().filter(|message| message.receipt.is_some());
    held.map(|message| message.visible_at_ms)
        .fold(first, Millis::max)
}
