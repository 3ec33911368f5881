//! Topics, their subscriptions, and what is published to them.
//!
//! What always holds here: a publication reaches each of its subscribers once or is not taken; in
//! one commit, or, where they are many, in steps (`steps`) that nothing can end before the last;
//! what cannot be delivered goes to the subscription's dead-letter queue, or operations hears
//! of it from the log.

mod copies;
mod settings;
mod steps;

use std::collections::BTreeMap;
use std::sync::Arc;

use messaging::topic::{self, Protocol, Subscription as TopicSubscription, TopicFifo, TopicName};
use messaging::{DedupEntry, Deduplication, QueueConfig, Send};

use self::copies::{body_of, lacks_envelope, note_filtered, reason_of, send_of};
use self::settings::{apply, difference, filter_with, invalid, put_attributes, tag};
use super::Batch;
use super::queues::uuid;
use crate::command::{Publish, Refusal, Relay, Reply, SubscriptionChange, TopicSettings};
use crate::flow::TopicCounts;
use crate::policy::{self, PolicyEdit};
use crate::ports::{
    DELIVERIES_QUEUE, Delivery, DeliveryKind, FAN_OUT_QUEUE, LoadedTopic, Subscription, Topic,
};

/// A token confirms a subscription for so long (API reference, `ConfirmSubscription`).
const TOKEN_VALID_MS: i64 = 2 * 24 * 60 * 60 * 1000;

/// The attribute of a topic that says who may what.
const POLICY: &str = "Policy";

/// Subscriptions of one FIFO topic, as on Amazon ("Amazon SNS endpoints and quotas"). Its copies are
/// made in one commit, in its order.
const FIFO_SUBSCRIPTIONS_MAX: usize = 100;

/// Who publishes: what cannot be delivered is told of once, so what the log itself tells is not
/// told of again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Client,
    Log,
}

impl Batch {
    fn topic(&self, name: &str) -> Result<&LoadedTopic, Refusal> {
        self.loaded
            .topics
            .get(name)
            .ok_or_else(|| Refusal::TopicNotFound {
                topic: name.to_owned(),
            })
    }

    pub(super) fn ensure_topic(&mut self, name: &str) -> Result<(), Refusal> {
        if !self.loaded.topics.contains_key(name) {
            let settings = TopicSettings {
                fifo: name.ends_with(".fifo").then_some(true),
                ..TopicSettings::default()
            };
            self.create_topic(name, None, settings, BTreeMap::new())?;
        }
        Ok(())
    }

    pub(super) fn create_topic(
        &mut self,
        name: &str,
        owner: Option<String>,
        settings: TopicSettings,
        tags: BTreeMap<String, String>,
    ) -> Result<Reply, Refusal> {
        if let Some(known) = self.loaded.topics.get(name) {
            return match difference(&settings, &known.topic) {
                Some(attribute) => Err(Refusal::TopicExists { attribute }),
                None => Ok(Reply::Topic(Box::new(known.topic.clone()))),
            };
        }
        let name = TopicName::new(name).map_err(Refusal::Topic)?;
        let is_fifo = settings.fifo == Some(true);
        let mut topic = Topic {
            id: 0,
            topic: topic::Topic {
                name: name.clone(),
                fifo: is_fifo.then(TopicFifo::default),
            },
            owner,
            attributes: BTreeMap::new(),
            tags: BTreeMap::new(),
            next_seq: 1,
            created_at: self.now,
        };
        topic.topic.validate().map_err(Refusal::Topic)?;
        apply(settings, &mut topic)?;
        tag(&mut topic, tags)?;
        if self.loaded.topic_count >= self.limits.topics_max {
            return Err(Refusal::TooMany {
                what: "topics",
                limit: self.limits.topics_max,
            });
        }
        topic.id = self.draw_number()?;
        self.loaded.topic_count += 1;
        self.loaded.topics.insert(
            name.as_str().to_owned(),
            LoadedTopic {
                topic: topic.clone(),
                subscriptions: Arc::default(),
                duplicates: hashbrown::HashMap::new(),
                is_wide: false,
            },
        );
        self.dirty_topics.insert(name.into());
        Ok(Reply::Topic(Box::new(topic)))
    }

    fn change_topic(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut Topic) -> Result<(), Refusal>,
    ) -> Result<Reply, Refusal> {
        let mut topic = self.topic(name)?.topic.clone();
        change(&mut topic)?;
        if let Some(loaded) = self.loaded.topics.get_mut(name) {
            loaded.topic = topic.clone();
        }
        self.dirty_topics.insert(name.to_owned());
        Ok(Reply::Topic(Box::new(topic)))
    }

    pub(super) fn set_topic(
        &mut self,
        name: &str,
        settings: TopicSettings,
    ) -> Result<Reply, Refusal> {
        self.change_topic(name, |topic| {
            let is_fifo = topic.topic.fifo.is_some();
            if settings.fifo.is_some_and(|fifo| fifo != is_fifo) {
                return Err(invalid(
                    "FifoTopic",
                    "Attributes Reason: FifoTopic cannot be changed",
                ));
            }
            apply(settings, topic)
        })
    }

    pub(super) fn tag_topic(
        &mut self,
        name: &str,
        tags: BTreeMap<String, String>,
        untag: &[String],
    ) -> Result<Reply, Refusal> {
        self.change_topic(name, |topic| {
            tag(topic, tags)?;
            for key in untag {
                topic.tags.remove(key);
            }
            Ok(())
        })
    }

    pub(super) fn edit_topic_policy(
        &mut self,
        name: &str,
        edit: &PolicyEdit,
    ) -> Result<Reply, Refusal> {
        self.change_topic(name, |topic| {
            let policy = topic.attributes.get(POLICY).map(String::as_str);
            let edited = policy::edit(policy, edit).map_err(Refusal::Policy)?;
            topic.attributes.insert(POLICY.to_owned(), edited.policy);
            Ok(())
        })
    }

    pub(super) fn delete_topic(&mut self, name: &str) -> Reply {
        if let Some(gone) = self.loaded.topics.remove(name) {
            self.loaded.topic_count = self.loaded.topic_count.saturating_sub(1);
            self.loaded.subscription_count = self
                .loaded
                .subscription_count
                .saturating_sub(gone.subscriptions.len());
            for subscription in gone.subscriptions.iter() {
                self.loaded
                    .subscriptions
                    .remove(&subscription.subscription.id);
            }
            self.dirty_topics.remove(name);
            self.changes
                .subscriptions
                .retain(|subscription| subscription.topic != name);
            self.changes.topics_removed.push(name.to_owned());
        }
        Reply::Done
    }

    pub(super) fn put_subscription(&mut self, subscription: Subscription) {
        let id = subscription.subscription.id.clone();
        if let Some(loaded) = self.loaded.topics.get_mut(&subscription.topic) {
            let all = Arc::make_mut(&mut loaded.subscriptions);
            match all.iter_mut().find(|known| known.subscription.id == id) {
                Some(known) => known.clone_from(&subscription),
                None => {
                    all.push(subscription.clone());
                    self.loaded.subscription_count += 1;
                }
            }
        }
        self.loaded.subscriptions.insert(id, subscription.clone());
        self.changes.subscriptions.push(subscription);
    }

    pub(super) fn subscribe(
        &mut self,
        topic: &str,
        owner: Option<String>,
        mut subscription: TopicSubscription,
        attributes: BTreeMap<String, String>,
    ) -> Result<Reply, Refusal> {
        let loaded = self.topic(topic)?;
        subscription
            .validate(&loaded.topic.topic)
            .map_err(Refusal::Topic)?;
        let known = loaded.subscriptions.iter().find(|known| {
            known.subscription.protocol == subscription.protocol
                && known.subscription.endpoint == subscription.endpoint
        });
        let known = known.cloned();
        // Its token is good for nothing any more: this is another try, with another one.
        if let Some(known) = &known
            && !known.subscription.confirmed
            && self.now - known.created_at >= TOKEN_VALID_MS
        {
            self.end_subscription(known);
        } else if let Some(known) = known {
            let is_same = known.subscription.raw == subscription.raw
                && known.subscription.filter == subscription.filter
                && known.subscription.redrive == subscription.redrive;
            // Without attributes it only asks whether it is subscribed.
            if !is_same && !attributes.is_empty() {
                return Err(Refusal::SubscriptionExists);
            }
            return Ok(Reply::Subscription {
                subscription: Box::new(known),
                repeated: true,
            });
        }
        let loaded = self.topic(topic)?;
        let is_fifo = loaded.topic.topic.fifo.is_some();
        if is_fifo && loaded.subscriptions.len() >= FIFO_SUBSCRIPTIONS_MAX {
            return Err(Refusal::TooMany {
                what: "subscriptions",
                limit: FIFO_SUBSCRIPTIONS_MAX,
            });
        }
        if self.loaded.subscription_count >= self.limits.subscriptions_max {
            return Err(Refusal::TooMany {
                what: "subscriptions",
                limit: self.limits.subscriptions_max,
            });
        }
        let id = uuid(self.draw());
        let needs_confirmation = subscription.protocol.needs_confirmation();
        let token = needs_confirmation.then(|| {
            let secret: [u8; 32] = self.draw();
            let secret = blake3::Hash::from_bytes(secret).to_hex();
            format!("{}{secret}", id.replace('-', ""))
        });
        subscription.id = id;
        subscription.confirmed = !needs_confirmation;
        let subscription = Subscription {
            topic: topic.to_owned(),
            subscription,
            owner,
            token,
            attributes,
            created_at: self.now,
        };
        self.put_subscription(subscription.clone());
        Ok(Reply::Subscription {
            subscription: Box::new(subscription),
            repeated: false,
        })
    }

    pub(super) fn confirm_subscription(
        &mut self,
        topic: &str,
        id: &str,
        token: &str,
        attributes: BTreeMap<String, String>,
    ) -> Result<Reply, Refusal> {
        let now = self.now;
        let known = self.loaded.subscriptions.get(id).filter(|known| {
            // As fingerprints, so that the time it takes says nothing about the token.
            let fits =
                |given: &str| blake3::hash(given.as_bytes()) == blake3::hash(token.as_bytes());
            known.topic == topic
                && known.token.as_deref().is_some_and(fits)
                && now - known.created_at < TOKEN_VALID_MS
        });
        let Some(mut subscription) = known.cloned() else {
            return Err(Refusal::TokenInvalid);
        };
        let repeated = subscription.subscription.confirmed;
        if !repeated || !attributes.is_empty() {
            subscription.subscription.confirmed = true;
            put_attributes(&mut subscription.attributes, attributes);
            self.put_subscription(subscription.clone());
        }
        Ok(Reply::Subscription {
            subscription: Box::new(subscription),
            repeated,
        })
    }

    pub(super) fn unsubscribe(&mut self, id: &str) -> Result<Reply, Refusal> {
        let Some(gone) = self.loaded.subscriptions.remove(id) else {
            return Err(Refusal::SubscriptionNotFound);
        };
        self.end_subscription(&gone);
        Ok(Reply::Subscription {
            subscription: Box::new(gone),
            repeated: false,
        })
    }

    pub(super) fn end_subscription(&mut self, gone: &Subscription) {
        let id = &gone.subscription.id;
        self.loaded.subscriptions.remove(id);
        self.loaded.subscription_count = self.loaded.subscription_count.saturating_sub(1);
        if let Some(loaded) = self.loaded.topics.get_mut(&gone.topic) {
            Arc::make_mut(&mut loaded.subscriptions).retain(|known| known.subscription.id != *id);
        }
        self.changes
            .subscriptions
            .retain(|known| known.subscription.id != *id);
        self.changes.subscriptions_removed.push(id.clone());
    }

    pub(super) fn set_subscription(
        &mut self,
        id: &str,
        change: SubscriptionChange,
    ) -> Result<Reply, Refusal> {
        let Some(mut changed) = self.loaded.subscriptions.get(id).cloned() else {
            return Err(Refusal::SubscriptionNotFound);
        };
        if let Some(raw) = change.raw {
            changed.subscription.raw = raw;
        }
        if let Some(filter) = change.filter {
            changed.subscription.filter = filter;
        }
        if let Some(part) = change.filter_part {
            let filter = filter_with(&changed, part).map_err(Refusal::Topic)?;
            changed.subscription.filter = filter;
        }
        if let Some(redrive) = change.redrive {
            changed.subscription.redrive = redrive;
        }
        put_attributes(&mut changed.attributes, change.attributes);
        let topic = self.topic(&changed.topic)?.topic.topic.clone();
        changed
            .subscription
            .validate(&topic)
            .map_err(Refusal::Topic)?;
        self.put_subscription(changed.clone());
        Ok(Reply::Subscription {
            subscription: Box::new(changed),
            repeated: false,
        })
    }

    pub(super) fn publish(
        &mut self,
        topic: &str,
        publishes: Vec<Publish>,
    ) -> Result<Reply, Refusal> {
        self.topic(topic)?;
        self.fanned_bytes = 0;
        let answers = publishes
            .into_iter()
            .map(|publish| self.publish_one(topic, publish))
            .collect();
        Ok(Reply::Batch(answers))
    }

    fn publish_one(&mut self, name: &str, publish: Publish) -> Result<Reply, Refusal> {
        let now = self.now;
        let loaded = self.topic(name)?;
        let rules = loaded.topic.topic.clone();
        topic::validate_publication(&rules, &publish.publication).map_err(Refusal::Topic)?;
        if lacks_envelope(loaded, &publish) {
            return Err(Refusal::EnvelopeMissing);
        }
        let mut seq = None;
        if let Some(key) = topic::deduplication_key(&rules, &publish.publication) {
            let hit = loaded.duplicates.get(&key);
            let hits = hit.map_or(&[][..], std::slice::from_ref);
            let found = topic::deduplicate(&rules, &publish.publication, hits, now);
            if let Deduplication::Duplicate { message_id, seq } = found {
                return Ok(Reply::Published {
                    id: message_id,
                    seq: Some(seq),
                    deliveries: 0,
                });
            }
            let loaded = self
                .loaded
                .topics
                .get_mut(name)
                .expect("it was there above");
            let number = loaded.topic.next_seq;
            loaded.topic.next_seq += 1;
            let owner = loaded.topic.id;
            let entry = DedupEntry {
                key: key.clone(),
                message_id: publish.id.clone(),
                seq: number,
                sent_at_ms: now,
            };
            loaded.duplicates.insert(key, entry.clone());
            self.changes.duplicates.push((owner, entry));
            self.dirty_topics.insert(name.to_owned());
            seq = Some(number);
        }
        let id = publish.id.clone();
        let deliveries = self.fan_out(name, &publish, seq, Origin::Client);
        Ok(Reply::Published {
            id,
            seq,
            deliveries,
        })
    }

    /// A copy for everybody who gets one, at once or in steps. Nothing is refused from here on.
    fn fan_out(&mut self, name: &str, publish: &Publish, seq: Option<u64>, origin: Origin) -> u64 {
        let Some(loaded) = self.loaded.topics.get(name) else {
            return 0;
        };
        let publication = &publish.publication;
        let mut counts = TopicCounts {
            published: 1,
            published_bytes: publication.bytes(),
            ..TopicCounts::default()
        };
        let mut deliveries = 0;
        let bytes = publication.bytes() * loaded.subscriptions.len() as u64;
        if self.goes_in_steps(loaded, bytes, origin) {
            self.begin_steps(name, publish, origin);
        } else {
            self.fanned_bytes = self.fanned_bytes.saturating_add(bytes);
            let rules = self.loaded.topics[name].topic.topic.clone();
            let all = Arc::clone(&self.loaded.topics[name].subscriptions);
            for subscription in all.iter() {
                deliveries += self.hand_on(&rules, subscription, publish, seq, origin, &mut counts);
            }
        }
        self.count_topic(name, &counts);
        deliveries
    }

    fn count_topic(&mut self, topic: &str, counts: &TopicCounts) {
        let known = self.topic_counts.entry(topic.to_owned()).or_default();
        known.add(counts);
    }

    /// The copy of one subscriber, if he gets one; how many he got.
    fn hand_on(
        &mut self,
        rules: &topic::Topic,
        subscription: &Subscription,
        publish: &Publish,
        seq: Option<u64>,
        origin: Origin,
        counts: &mut TopicCounts,
    ) -> u64 {
        let one = std::slice::from_ref(&subscription.subscription);
        let routed = topic::route(rules, one, &publish.publication);
        if routed.is_empty() {
            note_filtered(&subscription.subscription, &publish.publication, counts);
        }
        for delivery in &routed {
            // There may be very many: none is made before it is its turn, or made twice.
            let send = || send_of(rules, delivery, publish, body_of(publish, seq, delivery));
            let problem = match delivery.undeliverable {
                Some(undeliverable) => Some(reason_of(undeliverable)),
                None => self.deliver(subscription, publish, send()),
            };
            if let Some(reason) = problem {
                let reached = self.undeliverable(subscription, send(), &reason, origin);
                let has_letters = subscription.subscription.redrive.is_some();
                counts.failed += 1;
                counts.redriven += u64::from(reached);
                counts.not_redriven += u64::from(has_letters && !reached);
            } else if subscription.subscription.protocol == Protocol::Queue {
                counts.delivered += 1;
            }
        }
        routed.len() as u64
    }

    /// Why it could not be delivered, if it could not.
    fn deliver(
        &mut self,
        subscription: &Subscription,
        publish: &Publish,
        send: Send,
    ) -> Option<String> {
        let rules = &subscription.subscription;
        if rules.protocol == Protocol::Queue {
            if self.is_taken(&rules.endpoint, subscription) {
                return Some(format!("queue {} is another account's", rules.endpoint));
            }
            return self.deliver_to(&rules.endpoint, send);
        }
        let delivery = Delivery {
            subscription: rules.id.clone(),
            topic: subscription.topic.clone(),
            message_id: publish.id.clone(),
            kind: DeliveryKind::Notification,
            raw: rules.raw,
            message: send.body,
            subject: publish.publication.subject.clone(),
            attributes: publish.publication.attributes.clone(),
        };
        let body = serde_json::to_string(&delivery).expect("texts and numbers have a JSON form");
        let send = Send {
            body,
            // An endpoint that is slow or dead does not hold up the others: fair queues.
            group: Some(rules.id.clone()),
            ..Send::default()
        };
        self.deliver_to(DELIVERIES_QUEUE, send)
    }

    /// Whoever named a queue before it was there, as an endpoint or for dead letters, has no right
    /// to the one that another account then made.
    fn is_taken(&self, queue: &str, subscription: &Subscription) -> bool {
        self.loaded.queues.get(queue).is_some_and(|loaded| {
            loaded.queue.more.owner != subscription.owner
                && loaded.queue.created_at > subscription.created_at
        })
    }

    /// What no endpoint took goes to the dead-letter queue of its subscription.
    pub(super) fn bury(&mut self, subscription: &str, send: Send) -> Result<Reply, Refusal> {
        let subscription = self.loaded.subscriptions.get(subscription).cloned();
        let subscription = subscription.ok_or(Refusal::SubscriptionNotFound)?;
        let target = subscription.subscription.redrive.clone();
        let Some(queue) = target.filter(|target| !self.is_taken(target, &subscription)) else {
            return Err(Refusal::NoDeadLetterSource);
        };
        let config = self.queue(&queue)?.queue.config.clone();
        self.accept_message(&queue, &config, send)
    }

    fn deliver_to(&mut self, queue: &str, send: Send) -> Option<String> {
        let Some(loaded) = self.loaded.queues.get(queue) else {
            return Some(format!("queue {queue} does not exist"));
        };
        let config = QueueConfig {
            // What a topic took, the queues it feeds take, whatever bound their producers have:
            // Amazon's limits for the two are of different sizes too.
            message_bytes_max: if [DELIVERIES_QUEUE, FAN_OUT_QUEUE].contains(&queue) {
                // A message within a message: what had to be escaped is not the sender's fault.
                u32::MAX
            } else {
                messaging::limits::MESSAGE_BYTES_MAX
            },
            ..loaded.queue.config.clone()
        };
        let sent = if config.is_fifo() {
            self.accept_message(queue, &config, send).map(|_| ())
        } else {
            self.send_unique(queue, &config, send)
        };
        match sent {
            Ok(()) => None,
            Err(Refusal::Queue(refusal)) => Some(refusal.to_string()),
            Err(refusal) => Some(refusal.code().to_owned()),
        }
    }

    fn undeliverable(
        &mut self,
        subscription: &Subscription,
        send: Send,
        reason: &str,
        origin: Origin,
    ) -> bool {
        let target = subscription.subscription.redrive.clone();
        let reached = target.filter(|target| {
            if self.is_taken(target, subscription) {
                return false;
            }
            // More attributes than any queue takes must not cost the message too.
            let bare = Send {
                attributes: BTreeMap::new(),
                ..send.clone()
            };
            self.deliver_to(target, send).is_none() || self.deliver_to(target, bare).is_none()
        });
        metrics::counter!("firstcome_undeliverable_total", "topic" => subscription.topic.clone())
            .increment(1);
        if origin == Origin::Client {
            let id = subscription.subscription.id.clone();
            self.record_dead_letter(&subscription.topic, reached.as_deref(), &id, 0, reason);
        }
        reached.is_some()
    }

    /// Hands publications to every queue that subscribed, and moves the cursor, in one commit:
    /// once each, however often the relay is started again.
    pub(super) fn relay(
        &mut self,
        which: Relay,
        from: u64,
        to: u64,
        publications: Vec<(&'static str, Publish)>,
        is_bare_fine: bool,
    ) -> Result<Reply, Refusal> {
        let cursor = *which.cursor(&mut self.loaded.relayed);
        if cursor != from {
            return Err(Refusal::RelayMoved { cursor });
        }
        let lacks_envelope = |(topic, publish): &(&str, Publish)| {
            let loaded = self.loaded.topics.get(*topic);
            loaded.is_some_and(|loaded| lacks_envelope(loaded, publish))
        };
        if !is_bare_fine && publications.iter().any(lacks_envelope) {
            return Err(Refusal::EnvelopeMissing);
        }
        let mut sent = 0;
        self.fanned_bytes = 0;
        for (topic, publish) in publications {
            sent += self.fan_out(topic, &publish, None, Origin::Log);
        }
        *which.cursor(&mut self.loaded.relayed) = to;
        self.changes.relayed = Some(self.loaded.relayed);
        Ok(Reply::Count(sent))
    }
}
