//! All that the engine knows of the world: a store, a clock, randomness.
//!
//! A batch goes `load` -> decide -> `commit`. Between the two the store guarantees that nobody
//! else changes what was loaded: a store with a single writer by being the only one, a shared
//! store by locking what the batch touches. `commit` returns when the changes would survive a
//! power failure, and makes all of them visible or none.
//!
//! Both calls block: they are made from the sequencer's own thread.

use std::collections::HashMap;
use std::sync::Arc;

use commerce::{
    CustomerHash, Hash, Line, Millis, Product, ProductId, Reference, Replenishment, Sku, Waiting,
};
use messaging::{Message, QueueConfig};

use crate::command::KeyHash;
use crate::entry::{Entry, OrderRecord, OrderStatus};

/// What a batch needs to see. Names may repeat.
#[derive(Debug, Default)]
pub struct Touch {
    pub products: Vec<Sku>,
    /// Load the head of these lines too, [`commerce::DRAIN_MAX`] orders of it. The head of a
    /// product that rejects is always loaded: it is empty but for deferred orders.
    pub heads: Vec<Sku>,
    pub keys: Vec<KeyHash>,
    /// How many live keys these customers have.
    pub key_holders: Vec<CustomerHash>,
    /// Units bought, only counted for products with a purchase limit.
    pub bought: Vec<(Sku, CustomerHash)>,
    pub orders: Vec<u64>,
    pub references: Vec<(Sku, Reference)>,
    pub replenishments: Vec<u64>,
    pub queues: Vec<QueueTouch>,
    pub topics: bool,
    /// Keys older than this are forgotten.
    pub keys_since: Millis,
    pub now: Millis,
}

/// What a batch needs of one queue.
#[derive(Debug, Clone)]
pub struct QueueTouch {
    pub name: String,
    /// So many messages that are visible at `now`, oldest first.
    pub visible: usize,
    /// So many messages from the front, visible or not (for a redrive).
    pub first: usize,
    /// These messages, by sequence.
    pub messages: Vec<u64>,
}

/// A queue as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    pub id: u32,
    pub name: String,
    pub config: QueueConfig,
    /// The sequence that the next message gets.
    pub next_seq: u64,
    pub created_at: Millis,
}

/// A queue with the messages that were asked for.
#[derive(Debug, Clone)]
pub struct LoadedQueue {
    pub queue: Queue,
    pub visible: Vec<Message>,
    pub first: Vec<Message>,
    pub messages: HashMap<u64, Message>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub topic: String,
    pub queue: String,
}

/// What was there.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The newest sequence of the log.
    pub last_seq: u64,
    /// When its entry was made: time never runs backwards in the log.
    pub last_at: Millis,
    /// The newest entry that concerns no product, and its hash.
    pub system: (u64, Option<Hash>),
    pub next_product: u32,
    pub next_queue: u32,
    pub products: HashMap<Sku, Line>,
    /// Only the keys that are known: the order they made.
    pub keys: HashMap<KeyHash, u64>,
    /// Only customers who hold any.
    pub key_holders: HashMap<CustomerHash, u32>,
    pub bought: HashMap<(Sku, CustomerHash), u64>,
    pub orders: HashMap<u64, OrderRecord>,
    /// Quantity and entry of receipts that were counted before.
    pub references: HashMap<(Sku, Reference), (u64, u64)>,
    pub replenishments: HashMap<u64, Replenishment>,
    pub queues: HashMap<String, LoadedQueue>,
    pub subscriptions: Vec<Subscription>,
    pub relay_cursor: u64,
}

/// A later state of an order than its first entry gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderChange {
    pub order: u64,
    pub status: OrderStatus,
    pub decided_at: Option<Millis>,
    pub cancelled_at: Option<Millis>,
    pub last_seq: u64,
}

/// What an entry means for the look-ups by key and by customer. A store that keeps them in
/// memory takes it from here; one that has indexes finds the same in the entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    pub order: u64,
    pub key: Option<KeyHash>,
    pub customer: CustomerHash,
    pub product: ProductId,
    /// Units more (ordered) or fewer (given back) that the customer has.
    pub delta: i32,
    pub at: Millis,
}

/// All that a batch changes. Committed together or not at all.
#[derive(Debug, Default)]
pub struct Changes {
    pub entries: Vec<Entry>,
    /// Belongs to `entries`, in their order.
    pub counted: Vec<Counted>,
    pub products: Vec<Product>,
    pub order_changes: Vec<OrderChange>,
    pub waiting_added: Vec<(ProductId, Waiting)>,
    /// By place.
    pub waiting_removed: Vec<(ProductId, u64)>,
    pub references: Vec<(ProductId, Reference, u64, u64)>,
    pub replenishments: Vec<Replenishment>,
    pub queues: Vec<Queue>,
    pub subscriptions: Vec<Subscription>,
    pub messages: Vec<(u32, Message)>,
    pub messages_removed: Vec<(u32, u64)>,
    pub relay_cursor: Option<u64>,
    /// Write something even when nothing else changed.
    pub probe: Option<Millis>,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        let Self {
            entries,
            counted: _,
            products,
            order_changes,
            waiting_added,
            waiting_removed,
            references,
            replenishments,
            queues,
            subscriptions,
            messages,
            messages_removed,
            relay_cursor,
            probe,
        } = self;
        entries.is_empty()
            && products.is_empty()
            && order_changes.is_empty()
            && waiting_added.is_empty()
            && waiting_removed.is_empty()
            && references.is_empty()
            && replenishments.is_empty()
            && queues.is_empty()
            && subscriptions.is_empty()
            && messages.is_empty()
            && messages_removed.is_empty()
            && relay_cursor.is_none()
            && probe.is_none()
    }
}

/// The store is broken or out of reach. Not a refusal: nothing is known about the rules.
#[derive(Debug, thiserror::Error)]
#[error("{context}")]
pub struct StoreError {
    pub context: String,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl StoreError {
    pub fn new(
        context: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            context: context.into(),
            source: Some(source.into()),
        }
    }

    pub fn text(context: impl Into<String>) -> Self {
        Self {
            context: context.into(),
            source: None,
        }
    }
}

/// The writing side. One owner, one thread.
pub trait Store: Send {
    fn load(&mut self, touch: &Touch) -> Result<Loaded, StoreError>;

    /// Durable when it returns. After an error the batch may or may not have been written; the
    /// engine stops rather than guess.
    fn commit(&mut self, changes: &Changes) -> Result<(), StoreError>;
}

/// How deep a queue is.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueDepth {
    pub queue: Queue,
    pub visible: u64,
    pub in_flight: u64,
    pub delayed: u64,
    /// When the oldest message that is still there was sent.
    pub oldest_sent_at: Option<Millis>,
}

/// The reading side: shared, beside the writer, sees whole commits only. Calls block briefly.
pub trait Reader: Send + Sync {
    fn last_seq(&self) -> Result<u64, StoreError>;
    fn product(&self, sku: &Sku) -> Result<Option<Product>, StoreError>;
    /// By sku, after the given one.
    fn products(&self, after: Option<&Sku>, limit: usize) -> Result<Vec<Product>, StoreError>;
    fn order(&self, seq: u64) -> Result<Option<OrderRecord>, StoreError>;
    /// Orders and units that wait before this place.
    fn ahead(&self, product: ProductId, place: u64) -> Result<(u64, u64), StoreError>;
    fn waiting(
        &self,
        product: ProductId,
        after_place: u64,
        limit: usize,
    ) -> Result<Vec<Waiting>, StoreError>;
    /// The log from `after` on, in order.
    fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, StoreError>;
    fn entry(&self, seq: u64) -> Result<Option<Entry>, StoreError>;
    fn replenishment(&self, seq: u64) -> Result<Option<Replenishment>, StoreError>;
    /// Newest first.
    fn replenishments(
        &self,
        product: Option<ProductId>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Replenishment>, StoreError>;
    fn open_replenishments(&self, limit: usize) -> Result<Vec<Replenishment>, StoreError>;
    /// Products whose line may be owed something: orders wait, or a reorder is set and none open.
    fn unsettled_products(&self, limit: usize) -> Result<Vec<Product>, StoreError>;
    fn queues(&self, now: Millis) -> Result<Vec<QueueDepth>, StoreError>;
    /// A look at messages without receiving them.
    fn messages(&self, queue: &str, after: u64, limit: usize) -> Result<Vec<Message>, StoreError>;
    fn subscriptions(&self) -> Result<Vec<Subscription>, StoreError>;
    fn relay_cursor(&self) -> Result<u64, StoreError>;
    /// Every order change there is, for the audit.
    fn order_change(&self, order: u64) -> Result<Option<OrderChange>, StoreError>;
}

/// The line of a product read backwards through `prev`, newest first: no index is needed.
pub fn line_entries(
    reader: &dyn Reader,
    newest: u64,
    limit: usize,
    mut until: impl FnMut(&Entry) -> bool,
) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    let mut seq = newest;
    while seq > 0 && entries.len() < limit {
        let Some(entry) = reader.entry(seq)? else {
            return Err(StoreError::text(format!(
                "entry {seq} of a line is missing"
            )));
        };
        if until(&entry) {
            break;
        }
        seq = entry.prev;
        entries.push(entry);
    }
    Ok(entries)
}

/// The wall clock, in milliseconds since 1970.
pub trait Clock: Send + Sync {
    fn now(&self) -> Millis;
}

/// Random bits, good enough for secrets.
pub trait Ids: Send + Sync {
    fn entropy(&self) -> [u8; 32];
}

/// A store opened: its writing and its reading side.
pub struct Opened {
    pub store: Box<dyn Store>,
    pub reader: Arc<dyn Reader>,
}
