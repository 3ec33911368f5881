//! Queues are made, changed, purged and deleted.
//!
//! What always holds here: an id and a partition are never used again; a dead-letter queue that
//! is named exists, is of the same kind, and allows it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use messaging::topic::{FilterPolicy, FilterScope, Protocol, Subscription as TopicSubscription};
use messaging::{QueueConfig, QueueMore, QueueName, QueueSettings};

use super::super::Batch;
use super::uuid;
use crate::command::{OwnSubscription, QueueSpec, Refusal, Reply};
use crate::policy::{self, PolicyEdit};
use crate::ports::{LoadedQueue, NUMBERS_MAX, QUEUE_GONE_MS, Queue, Redelay, Subscription, Sweep};

/// Between two purges of one queue (API reference, `PurgeQueue`).
const PURGE_INTERVAL_MS: i64 = 60_000;

impl Batch {
    pub(in crate::decide) fn ensure_queues(
        &mut self,
        queues: Vec<QueueSpec>,
        subscriptions: Vec<OwnSubscription>,
    ) -> Result<Reply, Refusal> {
        // All of them or none: what can be refused is looked at before anything is made.
        for spec in &queues {
            spec.config.validate().map_err(Refusal::Queue)?;
            let name = QueueName::new(spec.name.as_str()).map_err(Refusal::Queue)?;
            name.validate_kind(spec.config.is_fifo())
                .map_err(Refusal::Queue)?;
            let known = self.loaded.queues.get(&spec.name);
            if known.is_some_and(|known| known.queue.config.is_fifo() != spec.config.is_fifo()) {
                return Err(Refusal::QueueExists {
                    attribute: "FifoQueue",
                });
            }
        }
        let is_missing = |name: &str| {
            !self.loaded.queues.contains_key(name) && !queues.iter().any(|spec| spec.name == name)
        };
        // A message must always have somewhere to go.
        let dead_letter_queues = queues
            .iter()
            .filter_map(|spec| spec.config.redrive.as_ref())
            .map(|redrive| &redrive.dead_letter_queue);
        let subscribed = subscriptions.iter().map(|subscription| &subscription.queue);
        if let Some(missing) = dead_letter_queues
            .chain(subscribed)
            .find(|name| is_missing(name))
        {
            return Err(Refusal::QueueNotFound {
                queue: missing.clone(),
            });
        }
        let new = queues
            .iter()
            .map(|spec| spec.name.as_str())
            .filter(|name| !self.loaded.queues.contains_key(*name))
            .collect::<BTreeSet<&str>>()
            .len();
        self.check_queue_room(new)?;
        let topics = subscriptions
            .iter()
            .map(|subscription| subscription.topic.as_str())
            .filter(|name| !self.loaded.topics.contains_key(*name))
            .collect::<BTreeSet<&str>>()
            .len();
        self.check_numbers(new + topics)?;
        for spec in queues {
            match self.loaded.queues.get_mut(&spec.name) {
                Some(loaded) if loaded.queue.config == spec.config => {}
                Some(loaded) => {
                    loaded.queue.config = spec.config;
                    loaded.queue.modified_at = self.now;
                    self.dirty_queues.insert(spec.name);
                }
                None => {
                    self.insert_queue(&spec.name, spec.config, QueueMore::default())?;
                }
            }
        }
        for subscription in &subscriptions {
            self.ensure_subscription(subscription)?;
        }
        Ok(Reply::Done)
    }

    /// What it hears follows the program's version; everything else about a subscription that is
    /// there stays as somebody may have set it.
    fn ensure_subscription(&mut self, own: &OwnSubscription) -> Result<(), Refusal> {
        let (topic, queue) = (own.topic.as_str(), own.queue.as_str());
        self.ensure_topic(topic)?;
        let filter = filter_of(&own.types)?;
        let loaded = &self.loaded.topics[topic];
        let known = loaded.subscriptions.iter().find(|known| {
            known.subscription.protocol == Protocol::Queue && known.subscription.endpoint == queue
        });
        if let Some(known) = known.cloned() {
            let mut changed = known.clone();
            changed.subscription.filter = filter;
            if own.is_renewed {
                self.end_subscription(&known);
                changed.subscription.id = uuid(self.draw());
            }
            if changed != known {
                self.put_subscription(changed);
            }
            return Ok(());
        }
        let id = uuid(self.draw());
        self.put_subscription(Subscription {
            topic: topic.to_owned(),
            subscription: TopicSubscription {
                id,
                protocol: Protocol::Queue,
                endpoint: queue.to_owned(),
                raw: true,
                filter,
                redrive: None,
                confirmed: true,
            },
            owner: None,
            token: None,
            attributes: BTreeMap::new(),
            created_at: self.now,
        });
        Ok(())
    }

    fn check_queue_room(&self, new: usize) -> Result<(), Refusal> {
        if self.loaded.queue_count + new > self.limits.queues_max {
            return Err(Refusal::TooMany {
                what: "queues",
                limit: self.limits.queues_max,
            });
        }
        Ok(())
    }

    fn check_numbers(&self, new: usize) -> Result<(), Refusal> {
        let left = NUMBERS_MAX.saturating_sub(self.loaded.next_queue) as usize;
        if new > left {
            return Err(Refusal::TooMany {
                what: "queues, topics and purges, counting those that are gone",
                limit: NUMBERS_MAX as usize,
            });
        }
        Ok(())
    }

    /// The next number for a queue, a topic or a partition.
    pub(in crate::decide) fn draw_number(&mut self) -> Result<u32, Refusal> {
        self.check_numbers(1)?;
        let number = self.loaded.next_queue;
        self.loaded.next_queue += 1;
        self.changes.next_queue = Some(self.loaded.next_queue);
        Ok(number)
    }

    fn insert_queue(
        &mut self,
        name: &str,
        config: QueueConfig,
        more: QueueMore,
    ) -> Result<&Queue, Refusal> {
        let id = self.draw_number()?;
        let queue = Queue {
            id,
            name: name.to_owned(),
            partition: id,
            config,
            more: Arc::new(more),
            moves: Arc::default(),
            next_seq: 1,
            created_at: self.now,
            modified_at: self.now,
            purged_at: None,
        };
        self.loaded.queue_count += 1;
        self.dirty_queues.insert(name.to_owned());
        let loaded = self
            .loaded
            .queues
            .entry(name.to_owned())
            .or_insert_with(|| LoadedQueue::bare(queue));
        Ok(&loaded.queue)
    }

    pub(in crate::decide) fn create_queue(
        &mut self,
        name: &str,
        owner: Option<String>,
        settings: QueueSettings,
        tags: BTreeMap<String, String>,
    ) -> Result<Reply, Refusal> {
        if let Some(known) = self.loaded.queues.get(name) {
            let queue = &known.queue;
            return match settings.difference(&queue.config, &queue.more) {
                Some(attribute) => Err(Refusal::QueueExists { attribute }),
                None => Ok(Reply::Queue(Box::new(queue.clone()))),
            };
        }
        let gone_at = self.loaded.queues_gone.get(name);
        if self.limits.deleted_names_rest && gone_at.is_some_and(|at| self.now - at < QUEUE_GONE_MS)
        {
            return Err(Refusal::QueueDeletedRecently);
        }
        let valid = QueueName::new(name).map_err(Refusal::Queue)?;
        valid
            .validate_kind(settings.fifo == Some(true))
            .map_err(Refusal::Queue)?;
        let (config, mut more) = settings.create(valid.is_fifo()).map_err(Refusal::Queue)?;
        more.owner = owner;
        more.tag(tags).map_err(Refusal::Queue)?;
        self.check_dead_letter_queue(name, &more, &config)?;
        self.check_queue_room(1)?;
        let queue = self.insert_queue(name, config, more)?.clone();
        Ok(Reply::Queue(Box::new(queue)))
    }

    pub(in crate::decide) fn set_queue(
        &mut self,
        name: &str,
        settings: QueueSettings,
    ) -> Result<Reply, Refusal> {
        let queue = &self.queue(name)?.queue;
        let (config, more) = settings
            .apply(&queue.config, &queue.more)
            .map_err(Refusal::Queue)?;
        if config.redrive != queue.config.redrive {
            self.check_dead_letter_queue(name, &more, &config)?;
        }
        let now = self.now;
        let loaded = self.loaded_queue(name);
        let old_delay_s = loaded.queue.config.delay_s;
        loaded.queue.config = config;
        loaded.queue.more = Arc::new(more);
        loaded.queue.modified_at = now;
        let queue = loaded.queue.clone();
        self.dirty_queues.insert(name.to_owned());
        let wake = self.woken.entry(name.to_owned()).or_default();
        // Another time-out changes nothing that is stored, a dead-letter queue that is gone makes
        // what it held up visible.
        wake.now += 1;
        if queue.config.is_fifo() && queue.config.delay_s != old_delay_s {
            // When the next message becomes visible the timer has to ask again.
            wake.at = Some(now);
            self.redelay(&queue, old_delay_s);
        }
        Ok(Reply::Queue(Box::new(queue)))
    }

    /// On a FIFO queue a new delay counts for the messages that are there, too (API reference,
    /// `SetQueueAttributes`, `DelaySeconds`).
    fn redelay(&mut self, queue: &Queue, old_delay_s: u32) {
        let ms = |delay_s: u32| i64::from(delay_s) * 1000;
        self.changes.redelays.push(Redelay {
            partition: queue.partition,
            delay_ms: ms(queue.config.delay_s),
            sent_after: self.now - ms(queue.config.delay_s.max(old_delay_s)),
        });
    }

    fn check_dead_letter_queue(
        &self,
        name: &str,
        more: &QueueMore,
        config: &QueueConfig,
    ) -> Result<(), Refusal> {
        let Some(redrive) = &config.redrive else {
            return Ok(());
        };
        let target = &redrive.dead_letter_queue;
        let unfit = |reason| Err(Refusal::DeadLetterQueueUnfit { reason });
        if target == name {
            return unfit("Dead letter queue cannot be the queue itself.");
        }
        let Some(target) = self.loaded.queues.get(target) else {
            return unfit("Dead letter target does not exist.");
        };
        if target.queue.more.owner != more.owner {
            return unfit("Dead-letter target owner should be same as the source's.");
        }
        if target.queue.config.is_fifo() != config.is_fifo() {
            return unfit("Dead-letter queue must be same type of queue as the source.");
        }
        let allow = target.queue.more.redrive_allow.as_ref();
        if allow.is_some_and(|allow| !allow.permits(name)) {
            return unfit("Dead letter queue does not allow this queue as its source.");
        }
        Ok(())
    }

    pub(in crate::decide) fn tag_queue(
        &mut self,
        name: &str,
        tags: BTreeMap<String, String>,
        untag: &[String],
    ) -> Result<Reply, Refusal> {
        self.change_more(name, |more| {
            more.tag(tags).map_err(Refusal::Queue)?;
            for key in untag {
                more.tags.remove(key);
            }
            Ok(())
        })
    }

    fn change_more(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut QueueMore) -> Result<(), Refusal>,
    ) -> Result<Reply, Refusal> {
        let mut more = QueueMore::clone(&self.queue(name)?.queue.more);
        change(&mut more)?;
        let loaded = self.loaded_queue(name);
        loaded.queue.more = Arc::new(more);
        let queue = loaded.queue.clone();
        self.dirty_queues.insert(name.to_owned());
        Ok(Reply::Queue(Box::new(queue)))
    }

    /// Without statements a queue has no policy.
    pub(in crate::decide) fn edit_queue_policy(
        &mut self,
        name: &str,
        edit: &PolicyEdit,
    ) -> Result<Reply, Refusal> {
        let now = self.now;
        self.change_more(name, |more| {
            let edited = policy::edit(more.policy.as_deref(), edit).map_err(Refusal::Policy)?;
            more.policy = (edited.statements > 0).then_some(edited.policy);
            Ok(())
        })?;
        let loaded = self.loaded_queue(name);
        loaded.queue.modified_at = now;
        Ok(Reply::Queue(Box::new(loaded.queue.clone())))
    }

    pub(in crate::decide) fn delete_queue(&mut self, name: &str) -> Result<Reply, Refusal> {
        let partition = self.queue(name)?.queue.partition;
        self.loaded.queues.remove(name);
        self.loaded.queue_count = self.loaded.queue_count.saturating_sub(1);
        self.dirty_queues.remove(name);
        self.changes
            .queues_removed
            .push((name.to_owned(), self.now));
        self.drop_partition(partition);
        // Whoever waits learns that there is nothing to wait for.
        self.woken.entry(name.to_owned()).or_default().now = usize::MAX >> 1;
        Ok(Reply::Done)
    }

    pub(in crate::decide) fn purge_queue(&mut self, name: &str) -> Result<Reply, Refusal> {
        let now = self.now;
        let queue = &self.queue(name)?.queue;
        if queue
            .purged_at
            .is_some_and(|at| now - at < PURGE_INTERVAL_MS)
        {
            return Err(Refusal::PurgeInProgress);
        }
        let old = queue.partition;
        let partition = self.draw_number()?;
        self.drop_partition(old);
        let loaded = self.loaded_queue(name);
        loaded.queue.partition = partition;
        loaded.queue.purged_at = Some(now);
        let emptied = LoadedQueue {
            // What was sent before a purge is still a duplicate after it.
            duplicates: std::mem::take(&mut loaded.duplicates),
            is_received: loaded.is_received,
            ..LoadedQueue::bare(loaded.queue.clone())
        };
        *loaded = emptied;
        self.dirty_queues.insert(name.to_owned());
        Ok(Reply::Done)
    }

    /// What this batch did to its messages does not matter any more.
    fn drop_partition(&mut self, partition: u32) {
        self.messages.retain(|(of, _), _| *of != partition);
    }

    pub(in crate::decide) fn sweep(&mut self, rows: usize) -> Reply {
        self.changes.sweep = Some(Sweep {
            now: self.now,
            rows,
        });
        Reply::Done
    }
}

/// A policy on the attribute `type` that every publication from the log carries.
fn filter_of(types: &[String]) -> Result<Option<FilterPolicy>, Refusal> {
    if types.is_empty() {
        return Ok(None);
    }
    let policy = serde_json::json!({ "type": types }).to_string();
    FilterPolicy::parse(&policy, FilterScope::MessageAttributes)
        .map(Some)
        .map_err(Refusal::Topic)
}
