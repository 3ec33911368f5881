//! Decisions of one batch, in memory, in order, each seeing the ones before it.
//!
//! No clock, no I/O: `now` and the batch's random bits come in with [`Batch::new`], what must
//! be written goes out with [`Batch::finish`]. What a command may look at it must have named in
//! [`touch`], before anything was loaded.

mod auctions;
mod entropy;
mod orders;
mod parcels;
mod queues;
mod stock;
mod topics;
mod touch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use commerce::{
    AuctionId, BidId, Hash, Line, LineId, Millis, OrderId, ReplenishmentId, SECRET_BYTES, Secret,
    Sku, Token, chain, genesis,
};
use hashbrown::{HashMap, HashSet};
use messaging::{Message, Receive};

use self::entropy::Entropy;
pub(crate) use self::orders::hex;
pub(crate) use self::queues::{Wake, uuid};
pub(crate) use self::touch::{ends_batch, note_receives, touch};
use crate::auction::BidRecord;
use crate::command::{Command, KeyHash, Refusal, Reply};
use crate::engine::Limits;
use crate::entry::{Buyer, Data, Entry, Kind, OrderRecord};
use crate::flow::{Counts, TopicCounts};
use crate::ports::{Changes, Loaded};

/// The name under which entries that concern no product are chained.
pub(crate) const SYSTEM_LINE: &str = "firstcome.system";

/// What a batch came to.
pub(crate) struct Decided {
    pub(crate) changes: Changes,
    /// Queues in which a message may have become visible, or will.
    pub(crate) woken: BTreeMap<String, Wake>,
    /// What passed through which queue.
    pub(crate) counts: BTreeMap<String, Counts>,
    /// What became of what was published to which topic.
    pub(crate) topic_counts: BTreeMap<String, TopicCounts>,
    /// Lines that still owe a verdict: decided first in the next batch.
    pub(crate) unsettled: BTreeSet<Sku>,
}

/// A batch at work.
pub(crate) struct Batch {
    loaded: Loaded,
    changes: Changes,
    now: Millis,
    limits: Limits,
    entropy: Entropy,
    last_seq: u64,
    system: (u64, Hash),
    /// Orders that this batch made, by sequence.
    new_orders: HashMap<u64, OrderRecord>,
    /// Bids that this batch made or changed, by sequence.
    new_bids: HashMap<u64, BidRecord>,
    /// Deferred bids of this batch that have no verdict yet, oldest first.
    asking: BTreeMap<u64, AuctionId>,
    /// The last of them in an auction, by auction, when none stands before it: its place in the log
    /// is kept, and what stands there is its verdict if that comes in this batch.
    held: HashMap<u64, BidId>,
    /// Entries were written into places that were kept.
    is_out_of_order: bool,
    new_keys: HashMap<KeyHash, u64>,
    dirty_products: BTreeSet<Sku>,
    dirty_auctions: BTreeSet<u64>,
    dirty_replenishments: BTreeSet<u64>,
    dirty_queues: BTreeSet<String>,
    dirty_topics: BTreeSet<String>,
    /// By partition and sequence; none means that the message is removed.
    messages: BTreeMap<(u32, u64), Option<Message>>,
    /// What is new among them.
    message_bytes: u64,
    /// What copies of publications the command that is decided has made, by what was published.
    fanned_bytes: u64,
    woken: BTreeMap<String, Wake>,
    /// Groups of FIFO queues, by partition, for which somebody is woken.
    woken_groups: HashMap<u32, HashSet<String>>,
    counts: BTreeMap<String, Counts>,
    topic_counts: BTreeMap<String, TopicCounts>,
    unsettled: BTreeSet<Sku>,
}

impl Batch {
    pub(crate) fn new(loaded: Loaded, now: Millis, entropy: [u8; 32], limits: Limits) -> Self {
        let system = (
            loaded.system.0,
            loaded.system.1.unwrap_or_else(|| genesis(SYSTEM_LINE)),
        );
        Self {
            // A clock that was set back must not make the log run backwards.
            now: now.max(loaded.last_at),
            last_seq: loaded.last_seq,
            system,
            loaded,
            changes: Changes::default(),
            limits,
            entropy: Entropy::new(&entropy),
            new_orders: HashMap::new(),
            new_bids: HashMap::new(),
            asking: BTreeMap::new(),
            held: HashMap::new(),
            is_out_of_order: false,
            new_keys: HashMap::new(),
            dirty_products: BTreeSet::new(),
            dirty_auctions: BTreeSet::new(),
            dirty_replenishments: BTreeSet::new(),
            dirty_queues: BTreeSet::new(),
            dirty_topics: BTreeSet::new(),
            messages: BTreeMap::new(),
            message_bytes: 0,
            fanned_bytes: 0,
            woken: BTreeMap::new(),
            woken_groups: HashMap::new(),
            counts: BTreeMap::new(),
            topic_counts: BTreeMap::new(),
            unsettled: BTreeSet::new(),
        }
    }

    /// Whether it is large enough: what comes after is for the next one.
    pub(crate) fn is_full(&self) -> bool {
        self.message_bytes >= self.limits.batch_bytes
    }

    /// The newest entry so far, of this batch or before it.
    pub(crate) fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// What a key has made, in this batch or before it.
    fn seq_of_key(&self, key: KeyHash) -> Option<u64> {
        let seq = self.new_keys.get(&key);
        seq.or_else(|| self.loaded.keys.get(&key)).copied()
    }

    pub(crate) fn decide(&mut self, command: Command) -> Result<Reply, Refusal> {
        match command {
            Command::PlaceOrder(order) => self.place_order(order),
            Command::CancelOrder { id } => self.cancel_order(id),
            Command::CreateProduct(new) => self.create_product(*new),
            Command::ChangeProduct { sku, change } => self.change_product(&sku, *change),
            Command::ReceiveGoods {
                sku,
                quantity,
                reference,
            } => self.receive_goods(&sku, quantity, &reference),
            Command::Settle { sku } => self.settle_product(&sku),
            Command::Replenishment { id, sku, change } => {
                self.change_replenishment(id, &sku, change)
            }
            Command::Probe => {
                self.changes.probe = Some(self.now);
                Ok(Reply::Done)
            }
            Command::CreateAuction(new) => self.create_auction(*new),
            Command::PlaceBid(bid) => self.place_bid(*bid),
            Command::DecideBids {
                auction,
                queue,
                messages,
            } => self.decide_bids(auction, &queue, messages),
            Command::RetractBid { auction, bid } => self.retract_bid(auction, bid),
            Command::CancelAuction { auction } => self.cancel_auction(auction),
            Command::AuctionDue { auction } => self.auction_due(auction),
            Command::AfterClose { auction, what } => self.after_close(auction, what),
            Command::TellParcels { notes } => self.tell_parcels(notes),
            command => self.decide_messaging(command),
        }
    }

    fn decide_messaging(&mut self, command: Command) -> Result<Reply, Refusal> {
        match command {
            Command::EnsureQueues {
                queues,
                subscriptions,
            } => self.ensure_queues(queues, subscriptions),
            Command::CreateQueue {
                name,
                owner,
                settings,
                tags,
            } => self.create_queue(&name, owner, *settings, tags),
            Command::SetQueue { queue, settings } => self.set_queue(&queue, *settings),
            Command::TagQueue { queue, tags, untag } => self.tag_queue(&queue, tags, &untag),
            Command::EditQueuePolicy { queue, edit } => self.edit_queue_policy(&queue, &edit),
            Command::DeleteQueue { queue } => self.delete_queue(&queue),
            Command::PurgeQueue { queue } => self.purge_queue(&queue),
            Command::SendMessage { queue, send } => self.send_message(&queue, *send),
            Command::SendMessages { queue, sends } => self.send_messages(&queue, sends),
            Command::ReceiveMessages {
                queue,
                max,
                visibility_timeout_s,
                attempt,
                waits,
                room,
            } => {
                let request = Receive {
                    max,
                    visibility_timeout_s,
                };
                self.receive_messages(&queue, &request, attempt, waits, room)
            }
            Command::DeleteMessage { queue, handle } => self.delete_message(&queue, handle),
            Command::DeleteMessages { queue, handles } => self.delete_messages(&queue, handles),
            Command::ChangeVisibility {
                queue,
                handle,
                timeout_s,
            } => self.change_visibility(&queue, handle, timeout_s),
            Command::ChangeVisibilities { queue, changes } => {
                self.change_visibilities(&queue, changes)
            }
            Command::DeadLetter {
                queue,
                handle,
                reason,
            } => self.dead_letter(&queue, handle, reason),
            Command::Redrive {
                queue,
                message,
                max,
            } => self.redrive(&queue, message, max),
            Command::StartMove {
                queue,
                destination,
                rate,
            } => self.start_move(&queue, destination, rate),
            Command::CancelMove { queue, task } => self.cancel_move(&queue, &task),
            Command::MoveStep { queue, max, .. } => self.move_step(&queue, max),
            Command::Sweep { rows } => Ok(self.sweep(rows)),
            Command::CreateTopic {
                name,
                owner,
                settings,
                tags,
            } => self.create_topic(&name, owner, *settings, tags),
            Command::SetTopic { topic, settings } => self.set_topic(&topic, *settings),
            Command::TagTopic { topic, tags, untag } => self.tag_topic(&topic, tags, &untag),
            Command::EditTopicPolicy { topic, edit } => self.edit_topic_policy(&topic, &edit),
            Command::DeleteTopic { topic } => Ok(self.delete_topic(&topic)),
            Command::Subscribe {
                topic,
                owner,
                subscription,
                attributes,
            } => self.subscribe(&topic, owner, *subscription, attributes),
            Command::ConfirmSubscription {
                topic,
                id,
                token,
                attributes,
            } => self.confirm_subscription(&topic, &id, &token, attributes),
            Command::Unsubscribe { id } => self.unsubscribe(&id),
            Command::SetSubscription { id, change } => self.set_subscription(&id, *change),
            Command::Publish { topic, publishes } => self.publish(&topic, publishes),
            Command::FanOutStep { seq, fan_out } => self.fan_out_step(seq, *fan_out),
            Command::Bury { subscription, send } => self.bury(&subscription, *send),
            Command::Relay {
                which,
                from,
                to,
                publications,
                is_bare_fine,
            } => self.relay(which, from, to, publications, is_bare_fine),
            Command::PlaceOrder(_)
            | Command::CancelOrder { .. }
            | Command::CreateProduct(_)
            | Command::ChangeProduct { .. }
            | Command::ReceiveGoods { .. }
            | Command::Settle { .. }
            | Command::Replenishment { .. }
            | Command::CreateAuction(_)
            | Command::PlaceBid(_)
            | Command::DecideBids { .. }
            | Command::RetractBid { .. }
            | Command::CancelAuction { .. }
            | Command::AuctionDue { .. }
            | Command::AfterClose { .. }
            | Command::TellParcels { .. }
            | Command::Probe => unreachable!("decided above"),
        }
    }

    pub(crate) fn finish(mut self) -> Decided {
        self.ask_for_verdicts();
        if self.is_out_of_order {
            self.changes.entries.sort_by_key(|entry| entry.seq);
        }
        let places = self.changes.entries.iter().map(|entry| entry.seq);
        assert!(
            places.eq(self.loaded.last_seq + 1..=self.last_seq),
            "every place in the log has its entry"
        );
        for sku in &self.dirty_products {
            let line = &self.loaded.products[sku];
            self.changes.products.push(line.product.clone());
            // In a line that waits, a head that is not loaded has not been passed by anything
            // since it was last looked at; one that is loaded may have come in this batch,
            // deferred, while there are units for it.
            let head_is_known = !line.waiting.is_empty()
                || line.product.when_sold_out == commerce::WhenSoldOut::Reject;
            if head_is_known && line.needs_draining() {
                self.unsettled.insert(sku.clone());
            }
        }
        for seq in &self.dirty_replenishments {
            self.changes
                .replenishments
                .push(self.loaded.replenishments[seq].clone());
        }
        for seq in &self.dirty_auctions {
            let stored = &self.loaded.auctions[seq].stored;
            self.changes.auctions.push(stored.clone());
        }
        for name in &self.dirty_queues {
            self.changes
                .queues
                .push(self.loaded.queues[name].queue.clone());
        }
        for name in &self.dirty_topics {
            self.changes
                .topics
                .push(self.loaded.topics[name].topic.clone());
        }
        for ((partition, seq), message) in self.messages {
            match message {
                Some(message) => self.changes.messages.push((partition, message)),
                None => self.changes.messages_removed.push((partition, seq)),
            }
        }
        Decided {
            changes: self.changes,
            woken: self.woken,
            counts: self.counts,
            topic_counts: self.topic_counts,
            unsettled: self.unsettled,
        }
    }

    fn next_seq(&mut self) -> u64 {
        self.last_seq += 1;
        self.last_seq
    }

    /// Random bits for one use, drawn from what came in with the batch.
    fn draw<const N: usize>(&mut self) -> [u8; N] {
        self.entropy.draw()
    }

    fn draw_secret(&mut self) -> Secret {
        Secret(self.draw::<SECRET_BYTES>())
    }

    fn draw_u64(&mut self) -> u64 {
        u64::from_le_bytes(self.draw())
    }

    fn draw_token(&mut self) -> Token {
        Token(blake3::Hash::from_bytes(self.draw()).to_hex().to_string())
    }

    fn line(&mut self, sku: &Sku) -> Result<&mut Line, Refusal> {
        self.loaded
            .products
            .get_mut(sku)
            .ok_or_else(|| Refusal::ProductNotFound {
                sku: sku.as_str().into(),
            })
    }

    /// Writes the next entry of a product's line. `subject` 0 means the entry itself when it
    /// makes an order or a replenishment; see the callers.
    fn record(
        &mut self,
        sku: &Sku,
        kind: Kind,
        seq: u64,
        subject: u64,
        data: &Data<'_>,
        buyer: Option<Buyer>,
    ) {
        let now = self.now;
        let data = encode(data);
        let line = self
            .loaded
            .products
            .get_mut(sku)
            .expect("the caller has looked at this line");
        let product = &mut line.product;
        let hash = chain(&product.last_hash, now, kind.as_str(), data.as_bytes());
        self.changes.entries.push(Entry {
            seq,
            line: product.id.into(),
            prev: product.last_seq,
            kind,
            at: now,
            subject,
            data,
            hash,
            buyer,
            sealed: None,
        });
        product.last_seq = seq;
        product.last_hash = hash;
        if !self.dirty_products.contains(sku) {
            self.dirty_products.insert(sku.clone());
        }
    }

    /// Writes an entry that belongs to no product's line; about the order `subject`, or 0.
    fn record_system(&mut self, kind: Kind, subject: u64, data: &Data<'_>) {
        let seq = self.next_seq();
        let data = encode(data);
        let (prev, before) = self.system;
        let hash = chain(&before, self.now, kind.as_str(), data.as_bytes());
        self.changes.entries.push(Entry {
            seq,
            line: LineId::System,
            prev,
            kind,
            at: self.now,
            subject,
            data,
            hash,
            buyer: None,
            sealed: None,
        });
        self.system = (seq, hash);
    }

    fn new_order_id(&mut self) -> OrderId {
        OrderId {
            seq: self.next_seq(),
            secret: self.draw_secret(),
        }
    }

    fn new_replenishment_id(&mut self) -> ReplenishmentId {
        ReplenishmentId {
            seq: self.next_seq(),
            secret: self.draw_secret(),
        }
    }
}

fn encode(data: &Data<'_>) -> Arc<str> {
    data.to_json().into()
}
