//! Decisions of one batch, in memory, in order, each seeing the ones before it.
//!
//! No clock, no I/O: `now` and the batch's random bits come in with [`Batch::new`], what must
//! be written goes out with [`Batch::finish`]. What a command may look at it must have named in
//! [`touch`], before anything was loaded.

mod orders;
mod queues;
mod stock;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use commerce::{
    Hash, Line, Millis, OrderId, ProductId, ReplenishmentId, SECRET_BYTES, Secret, Sku, Token,
    chain, genesis,
};

use messaging::Message;

pub(crate) use self::orders::hex;
use crate::command::{Command, KeyHash, Refusal, Reply};
use crate::engine::Limits;
use crate::entry::{Buyer, Data, Entry, Kind, OrderRecord};
use crate::ports::{Changes, Loaded, QueueTouch, Touch};

/// The name under which entries that concern no product are chained.
pub(crate) const SYSTEM_LINE: &str = "firstcome.system";
const SYSTEM: ProductId = ProductId(0);

/// What a batch of these commands needs to see.
pub(crate) fn touch<'a>(
    commands: impl Iterator<Item = &'a Command>,
    now: Millis,
    limits: &Limits,
) -> Touch {
    let mut touch = Touch {
        now,
        keys_since: now
            - Millis::try_from(limits.key_retention.as_millis()).expect("a retention in range"),
        ..Touch::default()
    };
    let mut seen: HashSet<Sku> = HashSet::new();
    let mut product = |touch: &mut Touch, sku: &Sku| {
        if !seen.contains(sku) {
            seen.insert(sku.clone());
            touch.products.push(sku.clone());
        }
    };
    for command in commands {
        match command {
            Command::PlaceOrder(order) => {
                product(&mut touch, &order.sku);
                let customer = order.customer.customer();
                touch.bought.push((order.sku.clone(), customer));
                if let Some(key) = order.key {
                    touch.keys.push(key);
                    touch.key_holders.push(customer);
                }
            }
            Command::CancelOrder { id } => touch.orders.push(id.seq),
            Command::CreateProduct(new) => product(&mut touch, &new.sku),
            Command::ChangeProduct { sku, .. } | Command::Settle { sku } => {
                product(&mut touch, sku);
                touch.heads.push(sku.clone());
            }
            Command::ReceiveGoods { sku, reference, .. } => {
                product(&mut touch, sku);
                touch.heads.push(sku.clone());
                touch.references.push((sku.clone(), reference.clone()));
            }
            Command::Replenishment { id, sku, .. } => {
                product(&mut touch, sku);
                touch.heads.push(sku.clone());
                touch.replenishments.push(id.seq);
            }
            Command::EnsureQueues {
                queues,
                subscriptions,
            } => {
                touch.topics = true;
                for queue in queues {
                    queue_of(&mut touch, &queue.name);
                    if let Some(redrive) = &queue.config.redrive {
                        queue_of(&mut touch, &redrive.dead_letter_queue);
                    }
                }
                for (_, queue) in subscriptions {
                    queue_of(&mut touch, queue);
                }
            }
            Command::SendMessage { queue, .. } => {
                queue_of(&mut touch, queue);
            }
            Command::ReceiveMessages { queue, max, .. } => {
                let touched = queue_of(&mut touch, queue);
                // One receive is never given more, and is refused when it asks for more.
                touched.visible += (*max).min(messaging::limits::RECEIVE_MAX);
            }
            Command::DeleteMessage { queue, handle }
            | Command::ChangeVisibility { queue, handle, .. }
            | Command::DeadLetter { queue, handle, .. } => {
                queue_of(&mut touch, queue).messages.push(handle.seq);
            }
            Command::Redrive {
                queue,
                message,
                max,
            } => {
                let touched = queue_of(&mut touch, queue);
                match message {
                    Some(seq) => touched.messages.push(*seq),
                    None => touched.first = touched.first.saturating_add(*max),
                }
            }
            Command::Relay { .. } => touch.topics = true,
            Command::Probe => {}
        }
    }
    touch
}

/// Whether what comes after this command must be loaded after it: a store counts what customers
/// bought only for products that have a purchase limit when it is asked.
pub(crate) fn ends_batch(command: &Command) -> bool {
    match command {
        Command::ChangeProduct { change, .. } => {
            change.purchase_limit.is_some_and(|limit| limit.is_some())
        }
        Command::PlaceOrder(_)
        | Command::CancelOrder { .. }
        | Command::CreateProduct(_)
        | Command::ReceiveGoods { .. }
        | Command::Settle { .. }
        | Command::Replenishment { .. }
        | Command::EnsureQueues { .. }
        | Command::SendMessage { .. }
        | Command::ReceiveMessages { .. }
        | Command::DeleteMessage { .. }
        | Command::ChangeVisibility { .. }
        | Command::DeadLetter { .. }
        | Command::Redrive { .. }
        | Command::Relay { .. }
        | Command::Probe => false,
    }
}

fn queue_of<'a>(touch: &'a mut Touch, name: &str) -> &'a mut QueueTouch {
    if let Some(at) = touch.queues.iter().position(|queue| queue.name == name) {
        return &mut touch.queues[at];
    }
    touch.queues.push(QueueTouch {
        name: name.to_owned(),
        visible: 0,
        first: 0,
        messages: Vec::new(),
    });
    touch.queues.last_mut().expect("pushed just above")
}

/// What a batch came to.
pub(crate) struct Decided {
    pub(crate) changes: Changes,
    /// Queues in which a message may have become visible.
    pub(crate) woken_queues: Vec<String>,
    /// Lines that still owe a verdict: decided first in the next batch.
    pub(crate) unsettled: BTreeSet<Sku>,
}

/// A batch at work.
pub(crate) struct Batch {
    loaded: Loaded,
    changes: Changes,
    now: Millis,
    limits: Limits,
    /// An endless stream of the batch's random bits.
    entropy: blake3::OutputReader,
    last_seq: u64,
    system: (u64, Hash),
    /// Orders that this batch made, by sequence.
    new_orders: HashMap<u64, OrderRecord>,
    new_keys: HashMap<KeyHash, u64>,
    dirty_products: BTreeSet<Sku>,
    dirty_replenishments: BTreeSet<u64>,
    dirty_queues: BTreeSet<String>,
    /// By queue and sequence; none means that the message is removed.
    messages: BTreeMap<(u32, u64), Option<Message>>,
    woken_queues: BTreeSet<String>,
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
            entropy: blake3::Hasher::new_keyed(&entropy).finalize_xof(),
            new_orders: HashMap::new(),
            new_keys: HashMap::new(),
            dirty_products: BTreeSet::new(),
            dirty_replenishments: BTreeSet::new(),
            dirty_queues: BTreeSet::new(),
            messages: BTreeMap::new(),
            woken_queues: BTreeSet::new(),
            unsettled: BTreeSet::new(),
        }
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
            Command::EnsureQueues {
                queues,
                subscriptions,
            } => self.ensure_queues(queues, subscriptions),
            Command::SendMessage { queue, send } => self.send_message(&queue, *send),
            Command::ReceiveMessages {
                queue,
                max,
                visibility_timeout_s,
            } => self.receive_messages(&queue, max, visibility_timeout_s),
            Command::DeleteMessage { queue, handle } => self.delete_message(&queue, handle),
            Command::ChangeVisibility {
                queue,
                handle,
                timeout_s,
            } => self.change_visibility(&queue, handle, timeout_s),
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
            Command::Relay {
                from,
                to,
                publications,
            } => self.relay(from, to, publications),
            Command::Probe => {
                self.changes.probe = Some(self.now);
                Ok(Reply::Done)
            }
        }
    }

    pub(crate) fn finish(mut self) -> Decided {
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
        for name in &self.dirty_queues {
            self.changes
                .queues
                .push(self.loaded.queues[name].queue.clone());
        }
        for ((queue, seq), message) in self.messages {
            match message {
                Some(message) => self.changes.messages.push((queue, message)),
                None => self.changes.messages_removed.push((queue, seq)),
            }
        }
        Decided {
            changes: self.changes,
            woken_queues: self.woken_queues.into_iter().collect(),
            unsettled: self.unsettled,
        }
    }

    fn next_seq(&mut self) -> u64 {
        self.last_seq += 1;
        self.last_seq
    }

    /// Random bits for one use, drawn from what came in with the batch.
    fn draw<const N: usize>(&mut self) -> [u8; N] {
        let mut bits = [0; N];
        self.entropy.fill(&mut bits);
        bits
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
            line: product.id,
            prev: product.last_seq,
            kind,
            at: now,
            subject,
            data,
            hash,
            buyer,
        });
        product.last_seq = seq;
        product.last_hash = hash;
        if !self.dirty_products.contains(sku) {
            self.dirty_products.insert(sku.clone());
        }
    }

    /// Writes an entry that concerns no product.
    fn record_system(&mut self, kind: Kind, data: &Data<'_>) {
        let seq = self.next_seq();
        let data = encode(data);
        let (prev, before) = self.system;
        let hash = chain(&before, self.now, kind.as_str(), data.as_bytes());
        self.changes.entries.push(Entry {
            seq,
            line: SYSTEM,
            prev,
            kind,
            at: self.now,
            subject: 0,
            data,
            hash,
            buyer: None,
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
    serde_json::to_string(data)
        .expect("numbers and texts have a JSON form")
        .into()
}
