//! What a batch asks for: queues with their messages, topics with what they lead to.

use std::collections::BTreeSet;

use commerce::Millis;
use engine::ports::{
    Duplicate, FAN_OUT_QUEUE, GROUP_FIRST_MAX, Loaded, LoadedQueue, LoadedTopic, QueueTouch,
    StoreError, Subscription, TopicTouch, Touch, is_wide,
};
use hashbrown::HashMap;
use rusqlite::Connection;

use super::Mailbox;
use crate::sqlite::mailbox::{self, Weight};

impl Mailbox {
    pub(in crate::sqlite) fn load(
        &mut self,
        connection: &Connection,
        loaded: &mut Loaded,
        touch: &Touch,
    ) -> Result<(), StoreError> {
        loaded.next_queue = self.next_number;
        loaded.queue_count = self.queues.len();
        loaded.topic_count = self.topics.len();
        loaded.subscription_count = self.by_id.len();
        let now = touch.now.max(loaded.last_at);
        // Only what goes to FIFO queues and topics is compared.
        let mut queues = touch.queues.iter();
        let mut topics = touch.topics.iter();
        if queues.any(|queue| !queue.duplicates.is_empty())
            || topics.any(|topic| !topic.duplicates.is_empty())
        {
            self.duplicates.wait_for_earlier(connection)?;
        }
        for queue in &touch.queues {
            self.load_queue(connection, loaded, queue, now)?;
        }
        for topic in &touch.topics {
            self.load_topic(connection, loaded, topic)?;
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
                self.load_led_to(connection, loaded, subscription, &[])?;
            }
            let touch = TopicTouch {
                name: topic,
                ..TopicTouch::default()
            };
            self.load_topic(connection, loaded, &touch)?;
        }
        Ok(())
    }

    fn load_topic(
        &self,
        connection: &Connection,
        loaded: &mut Loaded,
        touch: &TopicTouch,
    ) -> Result<(), StoreError> {
        let Some(topic) = self.topics.get(&touch.name) else {
            return Ok(());
        };
        let subscriptions = self.subscriptions.get(&touch.name).cloned();
        let subscriptions = subscriptions.unwrap_or_default();
        let is_wide =
            is_wide(&topic.topic, subscriptions.len()) && self.queues.contains_key(FAN_OUT_QUEUE);
        for subscription in touch.reached(&subscriptions, is_wide) {
            self.load_led_to(connection, loaded, subscription, &touch.duplicates)?;
        }
        let duplicates = self
            .duplicates
            .look_up(connection, topic.id, &touch.duplicates)?;
        let loaded_topic = loaded
            .topics
            .entry(touch.name.clone())
            .or_insert_with(|| LoadedTopic {
                topic: topic.clone(),
                subscriptions,
                duplicates: HashMap::new(),
                is_wide,
            });
        loaded_topic.duplicates.extend(duplicates);
        Ok(())
    }

    /// The queues that a subscription leads to, and what of these was sent to them of late.
    fn load_led_to(
        &self,
        connection: &Connection,
        loaded: &mut Loaded,
        subscription: &Subscription,
        sought: &[Duplicate],
    ) -> Result<(), StoreError> {
        for name in subscription.leads_to() {
            self.load_beside(loaded, name);
            if let Some(queue) = loaded.queues.get_mut(name) {
                let found = self
                    .duplicates
                    .look_up(connection, queue.queue.id, sought)?;
                queue.duplicates.extend(found);
            }
        }
        Ok(())
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
            if let Some(at) = self.gone.get(&touch.name) {
                loaded.queues_gone.insert(touch.name.clone(), at);
            }
            return Ok(());
        };
        let mut found = LoadedQueue::bare(stored.queue.clone());
        found.total = stored.total;
        let partition = stored.queue.partition;
        if touch.visible > 0 && stored.total > 0 {
            stored.load_visible(connection, &mut found, touch, now)?;
        } else if !touch.messages.is_empty() {
            // A delete makes room.
            found.in_flight = stored.in_flight(connection, now)?;
        }
        let weight = Weight::of(touch.first_bytes);
        found.first = mailbox::first_messages(connection, partition, touch.first, weight)?;
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
        for group in &touch.group_firsts {
            let mut weight = Weight::of(None);
            let (firsts, _) = mailbox::group_messages(
                connection,
                partition,
                group,
                GROUP_FIRST_MAX,
                &mut weight,
            )?;
            if !firsts.is_empty() {
                found.group_firsts.insert(group.clone(), firsts);
            }
        }
        found.duplicates =
            self.duplicates
                .look_up(connection, found.queue.id, &touch.duplicates)?;
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
}
