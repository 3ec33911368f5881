//! Queues and topics: `messaging` decides about messages, this joins it to the commit.
//!
//! What always holds here: a message that leaves a queue for another one leaves and arrives in
//! the same commit; a message that reaches a dead-letter queue is an entry of the log, so
//! operations hears of it (rule 9).

use std::borrow::Cow;
use std::collections::BTreeSet;

use messaging::{Deletion, Message, QueueConfig, ReceiptHandle, Receive, Send};

use super::Batch;
use crate::command::{Publication, QueueSpec, Refusal, Reply};
use crate::entry::{Data, Kind};
use crate::ports::{LoadedQueue, Queue, Subscription};

impl Batch {
    pub(super) fn ensure_queues(
        &mut self,
        queues: Vec<QueueSpec>,
        subscriptions: Vec<(String, String)>,
    ) -> Result<Reply, Refusal> {
        // All of them or none: what can be refused is looked at before anything is made.
        for spec in &queues {
            spec.config.validate().map_err(Refusal::Queue)?;
            let name = messaging::QueueName::new(spec.name.as_str()).map_err(Refusal::Queue)?;
            if name.is_fifo() || spec.config.is_fifo() {
                return Err(Refusal::Queue(messaging::Refusal::InvalidAttributeValue {
                    name: "FifoQueue",
                }));
            }
        }
        let is_missing = |name: &str| {
            !self.loaded.queues.contains_key(name) && !queues.iter().any(|spec| spec.name == name)
        };
        // A message must always have somewhere to go, and the relay must never be stuck.
        let dead_letter_queues = queues
            .iter()
            .filter_map(|spec| spec.config.redrive.as_ref())
            .map(|redrive| &redrive.dead_letter_queue);
        let subscribed = subscriptions.iter().map(|(_, queue)| queue);
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
        if self.loaded.next_queue as usize - 1 + new > self.limits.queues_max {
            return Err(Refusal::TooMany {
                what: "queues",
                limit: self.limits.queues_max,
            });
        }
        for spec in queues {
            match self.loaded.queues.get_mut(&spec.name) {
                Some(loaded) if loaded.queue.config == spec.config => {}
                Some(loaded) => {
                    loaded.queue.config = spec.config;
                    self.dirty_queues.insert(spec.name);
                }
                None => {
                    let id = self.loaded.next_queue;
                    self.loaded.next_queue += 1;
                    let queue = Queue {
                        id,
                        name: spec.name.clone(),
                        config: spec.config,
                        next_seq: 1,
                        created_at: self.now,
                    };
                    self.loaded.queues.insert(
                        spec.name.clone(),
                        LoadedQueue {
                            queue,
                            visible: Vec::new(),
                            first: Vec::new(),
                            messages: std::collections::HashMap::new(),
                        },
                    );
                    self.dirty_queues.insert(spec.name);
                }
            }
        }
        for (topic, queue) in subscriptions {
            let subscription = Subscription { topic, queue };
            if !self.loaded.subscriptions.contains(&subscription) {
                self.loaded.subscriptions.push(subscription.clone());
                self.changes.subscriptions.push(subscription);
            }
        }
        Ok(Reply::Done)
    }

    fn queue(&mut self, name: &str) -> Result<&mut LoadedQueue, Refusal> {
        self.loaded
            .queues
            .get_mut(name)
            .ok_or_else(|| Refusal::QueueNotFound {
                queue: name.to_owned(),
            })
    }

    pub(super) fn send_message(&mut self, name: &str, send: Send) -> Result<Reply, Refusal> {
        let config = self.queue(name)?.queue.config.clone();
        self.accept_message(name, &config, send)
    }

    fn accept_message(
        &mut self,
        name: &str,
        config: &QueueConfig,
        send: Send,
    ) -> Result<Reply, Refusal> {
        let id = uuid(self.draw());
        let now = self.now;
        let queue = &self.queue(name)?.queue;
        let (queue_id, seq) = (queue.id, queue.next_seq);
        let message = messaging::accept(config, send, seq, id, now).map_err(Refusal::Queue)?;
        self.put_new(name, message.clone());
        Ok(Reply::Sent {
            queue_id,
            message: Box::new(message),
        })
    }

    /// Stores a message under the queue's next sequence, which it must carry already.
    fn put_new(&mut self, name: &str, message: Message) {
        let loaded = self
            .loaded
            .queues
            .get_mut(name)
            .expect("the caller has looked at this queue");
        assert_eq!(message.seq, loaded.queue.next_seq, "one sequence a queue");
        loaded.queue.next_seq += 1;
        let id = loaded.queue.id;
        loaded.visible.push(message.clone());
        loaded.messages.insert(message.seq, message.clone());
        self.messages.insert((id, message.seq), Some(message));
        self.dirty_queues.insert(name.to_owned());
        self.woken_queues.insert(name.to_owned());
    }

    /// Stores a message that was there before.
    fn put_back(&mut self, name: &str, message: Message) {
        let loaded = self
            .loaded
            .queues
            .get_mut(name)
            .expect("the caller has looked at this queue");
        let id = loaded.queue.id;
        for known in [&mut loaded.visible, &mut loaded.first] {
            if let Some(known) = known.iter_mut().find(|known| known.seq == message.seq) {
                *known = message.clone();
            }
        }
        loaded.messages.insert(message.seq, message.clone());
        self.messages.insert((id, message.seq), Some(message));
    }

    fn remove(&mut self, name: &str, seq: u64) {
        let loaded = self
            .loaded
            .queues
            .get_mut(name)
            .expect("the caller has looked at this queue");
        let id = loaded.queue.id;
        loaded.visible.retain(|message| message.seq != seq);
        loaded.first.retain(|message| message.seq != seq);
        loaded.messages.remove(&seq);
        self.messages.insert((id, seq), None);
    }

    pub(super) fn receive_messages(
        &mut self,
        name: &str,
        max: usize,
        visibility_timeout_s: Option<u32>,
    ) -> Result<Reply, Refusal> {
        let request = Receive {
            max,
            visibility_timeout_s,
        };
        request.validate().map_err(Refusal::Queue)?;
        let now = self.now;
        let loaded = self.queue(name)?;
        let (queue_id, config) = (loaded.queue.id, loaded.queue.config.clone());
        let candidates = loaded.visible.clone();
        let config = self.with_reachable_dead_letters(config);
        let mut receipts = || self.draw_u64();
        let received = messaging::receive(&config, candidates, &request, &mut receipts, now);
        if !(received.expired.is_empty() && received.dead.is_empty()) {
            // They stood where others could have been loaded: whoever waits should look again.
            self.woken_queues.insert(name.to_owned());
        }
        for message in &received.expired {
            self.remove(name, message.seq);
        }
        for message in received.dead {
            let reason = format!("received {} times and not deleted", message.receive_count);
            self.move_to_dead_letters(name, message, reason)?;
        }
        for message in &received.delivered {
            self.put_back(name, message.clone());
        }
        Ok(Reply::Messages {
            queue_id,
            messages: received.delivered,
        })
    }

    /// A redrive policy whose dead-letter queue is not there moves nothing: the messages stay.
    fn with_reachable_dead_letters(&self, mut config: QueueConfig) -> QueueConfig {
        let reachable = config
            .redrive
            .as_ref()
            .is_some_and(|redrive| self.loaded.queues.contains_key(&redrive.dead_letter_queue));
        if !reachable {
            config.redrive = None;
        }
        config
    }

    pub(super) fn delete_message(
        &mut self,
        name: &str,
        handle: ReceiptHandle,
    ) -> Result<Reply, Refusal> {
        let now = self.now;
        let loaded = self.queue(name)?;
        let message = loaded.messages.get(&handle.seq);
        let deletion = messaging::delete(&loaded.queue.config, message, handle.receipt, now)
            .map_err(Refusal::Queue)?;
        match deletion {
            Deletion::Deleted => {
                self.remove(name, handle.seq);
                Ok(Reply::Count(1))
            }
            Deletion::Nothing => Ok(Reply::Count(0)),
        }
    }

    pub(super) fn change_visibility(
        &mut self,
        name: &str,
        handle: ReceiptHandle,
        timeout_s: u32,
    ) -> Result<Reply, Refusal> {
        let now = self.now;
        let loaded = self.queue(name)?;
        let message = loaded.messages.get(&handle.seq);
        let changed = messaging::change_visibility(
            &loaded.queue.config,
            message,
            handle.receipt,
            timeout_s,
            now,
        )
        .map_err(Refusal::Queue)?;
        self.put_back(name, changed);
        if timeout_s == 0 {
            self.woken_queues.insert(name.to_owned());
        }
        Ok(Reply::Done)
    }

    pub(super) fn dead_letter(
        &mut self,
        name: &str,
        handle: ReceiptHandle,
        reason: String,
    ) -> Result<Reply, Refusal> {
        let loaded = self.queue(name)?;
        let held = loaded
            .messages
            .get(&handle.seq)
            .filter(|message| message.receipt == Some(handle.receipt))
            .cloned();
        let Some(message) = held else {
            return Err(Refusal::Queue(messaging::Refusal::ReceiptHandleIsInvalid));
        };
        self.move_to_dead_letters(name, message, reason)?;
        Ok(Reply::Done)
    }

    fn move_to_dead_letters(
        &mut self,
        name: &str,
        message: Message,
        reason: String,
    ) -> Result<(), Refusal> {
        let now = self.now;
        let config = self.queue(name)?.queue.config.clone();
        let Some(target) = config
            .redrive
            .as_ref()
            .map(|redrive| redrive.dead_letter_queue.clone())
        else {
            return Err(Refusal::NoDeadLetterSource);
        };
        let target_seq = self.queue(&target)?.queue.next_seq;
        let (seq, id, receives) = (message.seq, message.id.clone(), message.receive_count);
        let dead = messaging::dead_letter(&config, message, name, Some(reason.clone()), now);
        self.remove(name, seq);
        self.put_new(
            &target,
            Message {
                seq: target_seq,
                ..dead
            },
        );
        let data = Data {
            queue: Some(Cow::Borrowed(name)),
            dead_letter_queue: Some(Cow::Borrowed(&target)),
            message_id: Some(Cow::Borrowed(&id)),
            receive_count: Some(u64::from(receives)),
            reason: Some(Cow::Borrowed(&reason)),
            ..Data::default()
        };
        self.record_system(Kind::MessageDeadLettered, &data);
        Ok(())
    }

    pub(super) fn redrive(
        &mut self,
        name: &str,
        message: Option<u64>,
        max: usize,
    ) -> Result<Reply, Refusal> {
        let now = self.now;
        let loaded = self.queue(name)?;
        let chosen: Vec<Message> = match message {
            Some(seq) => loaded.messages.get(&seq).cloned().into_iter().collect(),
            None => loaded.first.iter().take(max).cloned().collect(),
        };
        let mut moved = 0;
        for message in chosen {
            let Some(source) = message.dead.as_ref().map(|dead| dead.source_queue.clone()) else {
                continue;
            };
            let Some(next) = self
                .loaded
                .queues
                .get(&source)
                .map(|source| source.queue.next_seq)
            else {
                continue;
            };
            self.remove(name, message.seq);
            let back = messaging::redrive(message, now);
            self.put_new(&source, Message { seq: next, ..back });
            moved += 1;
        }
        Ok(Reply::Count(moved))
    }

    /// Hands publications to every queue that subscribed, and moves the cursor, in one commit:
    /// once each, however often the relay is started again.
    pub(super) fn relay(
        &mut self,
        from: u64,
        to: u64,
        publications: Vec<Publication>,
    ) -> Result<Reply, Refusal> {
        if self.loaded.relay_cursor != from {
            return Err(Refusal::RelayMoved {
                cursor: self.loaded.relay_cursor,
            });
        }
        let mut sends = Vec::new();
        for publication in publications {
            let send = Send {
                attributes: publication
                    .attributes
                    .iter()
                    .map(|(name, value)| {
                        (
                            (*name).to_owned(),
                            messaging::Attribute::string(value.as_str()),
                        )
                    })
                    .collect(),
                body: publication.body,
                ..Send::default()
            };
            for subscription in &self.loaded.subscriptions {
                if subscription.topic != publication.topic {
                    continue;
                }
                let Some(loaded) = self.loaded.queues.get(&subscription.queue) else {
                    return Err(Refusal::QueueNotFound {
                        queue: subscription.queue.clone(),
                    });
                };
                // A bound on what producers send must not make the relay stumble.
                let config = QueueConfig {
                    message_bytes_max: messaging::limits::MESSAGE_BYTES_MAX,
                    ..loaded.queue.config.clone()
                };
                messaging::validate_send(&config, &send).map_err(Refusal::Queue)?;
                sends.push((subscription.queue.clone(), config, send.clone()));
            }
        }
        // All of them have passed: from here on nothing is refused, so a relay that is refused
        // has sent nothing and may send it all again.
        let sent = sends.len() as u64;
        for (queue, config, send) in sends {
            self.accept_message(&queue, &config, send)?;
        }
        self.loaded.relay_cursor = to;
        self.changes.relay_cursor = Some(to);
        Ok(Reply::Count(sent))
    }
}

/// A version 4 UUID (RFC 9562, 5.4) of these bits, as message ids are written.
fn uuid(mut b: [u8; 16]) -> String {
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    let n = u128::from_be_bytes(b);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        n >> 96,
        (n >> 80) & 0xffff,
        (n >> 64) & 0xffff,
        (n >> 48) & 0xffff,
        n & 0xffff_ffff_ffff
    )
}
