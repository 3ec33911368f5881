//! Messages are sent, received, deleted and held for longer.
//!
//! What always holds here: a duplicate on a FIFO queue is answered with what the first one got
//! and stored nowhere; of a batch request each entry is decided for itself.

use messaging::{
    Attempt, DedupEntry, Deduplication, Deletion, Message, QueueConfig, ReceiptHandle, Receive,
    Received, Replay, Send, batch, fair,
};

use super::super::Batch;
use super::uuid;
use crate::command::{Refusal, Reply};
use crate::room::Room;

/// How many of these, from the first on, go to a receive that has so many bytes already.
fn count_fitting<'a>(
    messages: impl IntoIterator<Item = &'a Message>,
    most: usize,
    mut taken: u64,
    room: Room,
) -> usize {
    let fitting = messages.into_iter().take(most).take_while(|message| {
        let fits = room.takes(taken, message.bytes());
        taken += message.bytes();
        fits
    });
    fitting.count()
}

impl Batch {
    pub(in crate::decide) fn send_message(
        &mut self,
        name: &str,
        send: Send,
    ) -> Result<Reply, Refusal> {
        let config = self.queue(name)?.queue.config.clone();
        self.accept_message(name, &config, send)
    }

    pub(in crate::decide) fn send_messages(
        &mut self,
        name: &str,
        sends: Vec<Send>,
    ) -> Result<Reply, Refusal> {
        let config = self.queue(name)?.queue.config.clone();
        batch::validate_sends(&config, sends.iter()).map_err(Refusal::Queue)?;
        let answers = sends
            .into_iter()
            .map(|send| self.accept_message(name, &config, send))
            .collect();
        Ok(Reply::Batch(answers))
    }

    pub(in crate::decide) fn accept_message(
        &mut self,
        name: &str,
        config: &QueueConfig,
        send: Send,
    ) -> Result<Reply, Refusal> {
        let now = self.now;
        let queue = &self.queue(name)?.queue;
        let (queue_id, seq) = (queue.id, queue.next_seq);
        if config.is_fifo()
            && let Some(first) = self.first_of(name, config, &send)?
        {
            self.tally(name).deduplicated += 1;
            return Ok(Reply::Sent {
                queue_id,
                message: Box::new(first),
            });
        }
        let id = uuid(self.draw());
        let message = messaging::accept(config, send, seq, id, now).map_err(Refusal::Queue)?;
        if let Some(entry) = DedupEntry::of(config, &message) {
            let loaded = self.loaded_queue(name);
            loaded.duplicates.insert(entry.key.clone(), entry.clone());
            self.changes.duplicates.push((queue_id, entry));
        }
        let counts = self.tally(name);
        counts.sent += 1;
        counts.sent_bytes += message.bytes();
        self.put_new(name, message.clone());
        Ok(Reply::Sent {
            queue_id,
            message: Box::new(message),
        })
    }

    /// Sends a message that is no duplicate of any: its deduplication id was never used before and
    /// never will be again, or the queue compares none. Nothing has to be remembered of it.
    pub(in crate::decide) fn send_unique(
        &mut self,
        name: &str,
        config: &QueueConfig,
        send: Send,
    ) -> Result<(), Refusal> {
        let now = self.now;
        let seq = self.queue(name)?.queue.next_seq;
        let id = uuid(self.draw());
        let message = messaging::accept(config, send, seq, id, now).map_err(Refusal::Queue)?;
        let counts = self.tally(name);
        counts.sent += 1;
        counts.sent_bytes += message.bytes();
        self.put_new(name, message);
        Ok(())
    }

    /// The message that this one repeats, if it does.
    fn first_of(
        &mut self,
        name: &str,
        config: &QueueConfig,
        send: &Send,
    ) -> Result<Option<Message>, Refusal> {
        // What is malformed is refused before it is compared.
        messaging::validate_send(config, send).map_err(Refusal::Queue)?;
        let key = messaging::deduplication_key(config, send).map_err(Refusal::Queue)?;
        let now = self.now;
        let loaded = self.queue(name)?;
        let hit = key.and_then(|key| loaded.duplicates.get(&key));
        let hits = hit.map_or(&[][..], std::slice::from_ref);
        let found = messaging::deduplicate(config, send, hits, now).map_err(Refusal::Queue)?;
        Ok(match found {
            Deduplication::Unique => None,
            Deduplication::Duplicate { message_id, seq } => Some(Message {
                seq,
                id: message_id,
                body: send.body.clone(),
                attributes: send.attributes.clone(),
                group: send.group.clone(),
                sent_at_ms: now,
                visible_at_ms: now,
                ..Message::default()
            }),
        })
    }

    pub(in crate::decide) fn receive_messages(
        &mut self,
        name: &str,
        request: &Receive,
        attempt: Option<String>,
        waits: bool,
        room: Room,
    ) -> Result<Reply, Refusal> {
        request.validate().map_err(Refusal::Queue)?;
        let loaded = self.queue(name)?;
        let (queue_id, config) = (loaded.queue.id, loaded.queue.config.clone());
        if let Some(id) = &attempt {
            messaging::validate_attempt_id(&config, id).map_err(Refusal::Queue)?;
            if let Some(messages) = self.replay(name, &config, id, request) {
                self.count_received(name, messages.len());
                return Ok(Reply::Messages { queue_id, messages });
            }
        }
        let in_flight = self.queue(name)?.in_flight;
        let free = messaging::in_flight_room(&config, in_flight, request.max, waits)
            .map_err(Refusal::Queue)?;
        if !self.has_room(name, free.min(request.max), room) {
            return Ok(Reply::NoRoom);
        }
        let config = self.with_reachable_dead_letters(name, config);
        let received = self.take_candidates(name, &config, request, free, room);
        if !(received.expired.is_empty() && received.dead.is_empty()) {
            // They stood where others could have been loaded: whoever waits should look again.
            self.woken.entry(name.to_owned()).or_default().now += 1;
        }
        for message in &received.expired {
            self.remove(name, message);
        }
        for message in received.dead {
            let reason = format!("received {} times and not deleted", message.receive_count);
            self.move_to_dead_letters(name, message, reason)?;
        }
        for message in &received.delivered {
            self.put_back(name, message.clone());
        }
        let loaded = self.loaded_queue(name);
        loaded.in_flight += received.delivered.len() as u64;
        let is_more_left =
            loaded.has_more || !(loaded.visible.is_empty() && loaded.groups.is_empty());
        if is_more_left && !received.delivered.is_empty() {
            // A time-out or a delay wakes one waiter however many messages it brings back.
            self.woken.entry(name.to_owned()).or_default().now += 1;
        }
        if let Some(id) = attempt {
            let attempt = Attempt::of(id.clone(), &received.delivered, self.now);
            self.changes.attempts.push((queue_id, attempt.clone()));
            let loaded = self.loaded_queue(name);
            loaded.attempts.insert(id, attempt);
            for message in &received.delivered {
                loaded.messages.insert(message.seq, message.clone());
            }
        }
        self.count_received(name, received.delivered.len());
        Ok(Reply::Messages {
            queue_id,
            messages: received.delivered,
        })
    }

    fn count_received(&mut self, name: &str, messages: usize) {
        let counts = self.tally(name);
        counts.received += messages as u64;
        counts.empty_receives += u64::from(messages == 0);
    }

    /// Whether what this receive would be given may be given. What others of this batch have taken
    /// may have stood where it would have been loaded: then it has to look again.
    fn has_room(&mut self, name: &str, wanted: usize, room: Room) -> bool {
        let loaded = self.loaded_queue(name);
        if let Some(load) = loaded.load.take() {
            let candidates = std::mem::take(&mut loaded.visible);
            loaded.visible = fair::order(candidates.into(), &load).into();
        }
        let heads = loaded.groups.iter().flat_map(|head| &head.messages);
        let candidates = loaded.visible.iter().chain(heads).take(wanted);
        let (count, bytes) = candidates.fold((0, 0), |(count, bytes), message| {
            (count + 1, bytes + message.bytes())
        });
        match room {
            Room::Whole(most) => bytes <= most && (count == wanted || !loaded.is_cut),
            Room::Part(_) => count > 0 || wanted == 0 || !loaded.is_cut,
            Room::All => true,
        }
    }

    /// Takes what was loaded, head first, until enough has been handed out.
    fn take_candidates(
        &mut self,
        name: &str,
        config: &QueueConfig,
        request: &Receive,
        free: usize,
        room: Room,
    ) -> Received {
        let now = self.now;
        let mut all = Received::default();
        loop {
            let taken = all.delivered.iter().map(Message::bytes).sum();
            let left = free.min(request.max).saturating_sub(all.delivered.len());
            if left == 0 {
                return all;
            }
            let request = Receive {
                max: left,
                ..request.clone()
            };
            let loaded = self.loaded_queue(name);
            let received = if config.is_fifo() {
                let Some(head) = loaded.groups.front() else {
                    return all;
                };
                let left = count_fitting(&head.messages, left, taken, room);
                if left == 0 {
                    return all;
                }
                let request = Receive {
                    max: left,
                    ..request
                };
                let head = loaded.groups.pop_front().expect("there is one");
                let mut receipts = || self.draw_u64();
                messaging::receive_fifo(config, vec![head], &request, &mut receipts, now)
            } else {
                let count = count_fitting(&loaded.visible, left, taken, room);
                if count == 0 {
                    return all;
                }
                let candidates = loaded.visible.drain(..count).collect();
                let mut receipts = || self.draw_u64();
                messaging::receive(config, candidates, &request, &mut receipts, now)
            };
            all.delivered.extend(received.delivered);
            all.dead.extend(received.dead);
            all.expired.extend(received.expired);
        }
    }

    /// The same answer again, if the attempt is known and nothing has changed since.
    fn replay(
        &mut self,
        name: &str,
        config: &QueueConfig,
        id: &str,
        request: &Receive,
    ) -> Option<Vec<Message>> {
        let now = self.now;
        let loaded = self.loaded_queue(name);
        let attempt = loaded.attempts.get(id)?.clone();
        let messages: Vec<Message> = attempt
            .messages
            .iter()
            .filter_map(|handed_out| loaded.messages.get(&handed_out.seq).cloned())
            .collect();
        match messaging::replay_attempt(config, &attempt, &messages, request, now) {
            Replay::Fresh => None,
            Replay::Same { delivered, attempt } => {
                let queue_id = loaded.queue.id;
                loaded.attempts.insert(id.to_owned(), attempt.clone());
                self.changes.attempts.push((queue_id, attempt));
                for message in &delivered {
                    self.put_back(name, message.clone());
                }
                Some(delivered)
            }
        }
    }

    pub(in crate::decide) fn delete_message(
        &mut self,
        name: &str,
        handle: ReceiptHandle,
    ) -> Result<Reply, Refusal> {
        let now = self.now;
        let loaded = self.queue(name)?;
        let message = loaded.messages.get(&handle.seq);
        let deletion = messaging::delete(&loaded.queue.config, message, handle.receipt, now)
            .map_err(Refusal::Queue)?;
        match (deletion, message.cloned()) {
            (Deletion::Deleted, Some(message)) => {
                self.remove(name, &message);
                self.tally(name).deleted += 1;
                Ok(Reply::Count(1))
            }
            (Deletion::Deleted | Deletion::Nothing, _) => Ok(Reply::Count(0)),
        }
    }

    pub(in crate::decide) fn delete_messages(
        &mut self,
        name: &str,
        handles: Vec<ReceiptHandle>,
    ) -> Result<Reply, Refusal> {
        self.queue(name)?;
        let answers = handles
            .into_iter()
            .map(|handle| self.delete_message(name, handle))
            .collect();
        Ok(Reply::Batch(answers))
    }

    pub(in crate::decide) fn change_visibility(
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
        Ok(Reply::Done)
    }

    pub(in crate::decide) fn change_visibilities(
        &mut self,
        name: &str,
        changes: Vec<(ReceiptHandle, u32)>,
    ) -> Result<Reply, Refusal> {
        self.queue(name)?;
        let answers = changes
            .into_iter()
            .map(|(handle, timeout_s)| self.change_visibility(name, handle, timeout_s))
            .collect();
        Ok(Reply::Batch(answers))
    }
}
