//! Queues: `messaging` decides about messages, this joins it to the commit.
//!
//! - this file: what all of them share, and the state of messages within a batch
//! - `manage`: queues are made, changed, purged and deleted
//! - `traffic`: messages are sent, received, deleted
//! - `moves`: messages go to dead-letter queues and come back
//!
//! What always holds here: a message that leaves a queue for another one leaves and arrives in
//! the same commit; a message that reaches a dead-letter queue is an entry of the log, so
//! operations hears of it (rule 9).

mod manage;
mod moves;
mod traffic;

use messaging::{Message, QueueConfig};

use super::Batch;
use crate::command::Refusal;
use crate::flow::Counts;
use crate::ports::LoadedQueue;

/// When messages of a queue can be received: what those who wait for them are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Wake {
    /// So many can be received now.
    pub(crate) now: usize,
    /// And one more at this time.
    pub(crate) at: Option<commerce::Millis>,
}

impl Batch {
    pub(super) fn queue(&mut self, name: &str) -> Result<&mut LoadedQueue, Refusal> {
        self.loaded
            .queues
            .get_mut(name)
            .ok_or_else(|| Refusal::QueueNotFound {
                queue: name.to_owned(),
            })
    }

    fn loaded_queue(&mut self, name: &str) -> &mut LoadedQueue {
        self.loaded
            .queues
            .get_mut(name)
            .expect("the caller has looked at this queue")
    }

    /// What passes through a queue in this batch.
    pub(super) fn tally(&mut self, name: &str) -> &mut Counts {
        // Looked for first: a name is only copied for the first command of a batch.
        if !self.counts.contains_key(name) {
            self.counts.insert(name.to_owned(), Counts::default());
        }
        self.counts.get_mut(name).expect("inserted just above")
    }

    /// Stores a message under the queue's next sequence, which it must carry already.
    fn put_new(&mut self, name: &str, message: Message) {
        let now = self.now;
        self.message_bytes += message.bytes();
        let loaded = self.loaded_queue(name);
        assert_eq!(message.seq, loaded.queue.next_seq, "one sequence a queue");
        loaded.queue.next_seq += 1;
        loaded.total += 1;
        let partition = loaded.queue.partition;
        let is_fifo = loaded.queue.config.is_fifo();
        // What of a group is in flight or waits before it is not known here: a message of a
        // FIFO queue can be received from the next batch on.
        if !is_fifo && message.is_visible(now) && loaded.is_received {
            loaded.visible.push_back(message.clone());
        }
        if !is_fifo || !message.is_visible(now) || self.is_first_of_group(partition, &message) {
            self.wake_for(name, &message);
        }
        self.messages
            .insert((partition, message.seq), Some(message));
        self.dirty_queues.insert(name.to_owned());
    }

    /// Stores a message that was there before.
    fn put_back(&mut self, name: &str, message: Message) {
        let now = self.now;
        let loaded = self.loaded_queue(name);
        let partition = loaded.queue.partition;
        if let Some(known) = loaded
            .first
            .iter_mut()
            .find(|known| known.seq == message.seq)
        {
            *known = message.clone();
        }
        if let Some(known) = loaded.messages.get_mut(&message.seq) {
            known.clone_from(&message);
        }
        if !loaded.queue.config.is_fifo() && message.is_visible(now) {
            loaded.visible.retain(|known| known.seq != message.seq);
            loaded.visible.push_back(message.clone());
        }
        self.wake_for(name, &message);
        self.messages
            .insert((partition, message.seq), Some(message));
    }

    pub(super) fn remove(&mut self, name: &str, message: &Message) {
        let now = self.now;
        let seq = message.seq;
        let loaded = self.loaded_queue(name);
        let partition = loaded.queue.partition;
        if message.is_visible(now) {
            loaded.visible.retain(|known| known.seq != seq);
        }
        loaded.first.retain(|known| known.seq != seq);
        loaded.messages.remove(&seq);
        loaded.total = loaded.total.saturating_sub(1);
        let is_fifo = loaded.queue.config.is_fifo();
        if is_fifo {
            for head in &mut loaded.groups {
                head.messages.retain(|known| known.seq != seq);
            }
        }
        self.messages.insert((partition, seq), None);
        if is_fifo && self.is_first_of_group(partition, message) {
            // What stood behind it may be received now.
            self.woken.entry(name.to_owned()).or_default().now += 1;
        }
    }

    /// Whether nobody has been woken for this message's group in this batch yet. Whoever receives
    /// of a FIFO group has it alone, so a second one would look in vain.
    fn is_first_of_group(&mut self, partition: u32, message: &Message) -> bool {
        let Some(group) = &message.group else {
            return true;
        };
        let groups = self.woken_groups.entry(partition).or_default();
        // Looked for first: a name is only copied once a batch.
        !groups.contains(group) && groups.insert(group.clone())
    }

    fn wake_for(&mut self, name: &str, message: &Message) {
        let now = self.now;
        let wake = match self.woken.get_mut(name) {
            Some(wake) => wake,
            None => self.woken.entry(name.to_owned()).or_default(),
        };
        if message.is_visible(now) {
            wake.now += 1;
        } else {
            let at = wake.at.get_or_insert(message.visible_at_ms);
            *at = (*at).min(message.visible_at_ms);
        }
    }

    /// A redrive policy whose dead-letter queue is not there moves nothing: the messages stay.
    fn with_reachable_dead_letters(&self, name: &str, mut config: QueueConfig) -> QueueConfig {
        let reachable = config
            .redrive
            .as_ref()
            .is_some_and(|redrive| self.is_of_one_owner(name, &redrive.dead_letter_queue));
        if !reachable {
            config.redrive = None;
        }
        config
    }

    /// Whether both are there and belong to the same account. The name of a queue that was deleted
    /// is free: whoever takes it gets nothing that was meant for the other one.
    fn is_of_one_owner(&self, one: &str, other: &str) -> bool {
        let owner = |name: &str| {
            let loaded = self.loaded.queues.get(name);
            loaded.map(|loaded| &loaded.queue.more.owner)
        };
        owner(one).is_some() && owner(one) == owner(other)
    }
}

/// A version 4 UUID (RFC 9562, 5.4) of these bits, as message ids are written.
pub(crate) fn uuid(mut b: [u8; 16]) -> String {
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
