//! All that the engine knows of the world: a store, a clock, randomness.
//!
//! A batch goes `load` -> decide -> `append` -> sync. Up to the end of `append` the store
//! guarantees that nobody else changes what was loaded: a store with a single writer by being the
//! only one, a shared store by locking what the batch touches (see [`Others`]). All of a batch becomes visible or
//! none of it, and it would survive a power failure once it is synced; nobody is answered
//! before.
//!
//! All these calls block: they are made from the sequencer's own threads.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use commerce::auction::{AdmittedBid, AuctionStatus};
use commerce::{
    AuctionId, CustomerHash, Hash, Line, Millis, Product, ProductId, Reference, Replenishment, Sku,
    Waiting,
};
use hashbrown::HashMap;
use messaging::fair::Load;
use messaging::topic::Protocol;
use messaging::{Attempt, DedupEntry, DedupKey, Message, QueueConfig, QueueMore, topic};
use serde::{Deserialize, Serialize};

use crate::auction::{BidChange, BidRecord, StoredAuction};
use crate::command::{BodyHash, KeyHash};
use crate::entry::{Entry, OrderRecord, OrderStatus};

mod delivery;
mod others;
mod outside;
mod queues;
mod upkeep;

pub use delivery::{
    DELIVERIES_QUEUE, Delivery, DeliveryKind, FAN_OUT_QUEUE, FAN_OUT_STEP, FanOut, SharedEnvelope,
    is_wide, next_step,
};
pub use others::{News, Others};
pub use outside::{Clock, Envelopes, Ids, NoEnvelopes};
pub use queues::{GROUP_FIRST_MAX, LoadedQueue, QueueTouch};
pub use upkeep::{Redelay, Sweep};

/// What a batch needs to see. Names may repeat.
#[derive(Debug, Clone, Default)]
pub struct Touch {
    pub products: Vec<Sku>,
    /// Load the head of these lines too, [`commerce::DRAIN_MAX`] orders of it. The head of a
    /// product that rejects is always loaded: it is empty but for deferred orders.
    pub heads: Vec<Sku>,
    pub keys: Vec<KeyHash>,
    /// How many live keys these customers have, once for each key that they bring.
    pub key_holders: Vec<CustomerHash>,
    /// The number of live keys that a customer may have. What a store says that a customer has may
    /// be too much, as long as it does not exceed this with the keys that the customer brings.
    pub keys_per_customer: u32,
    /// Units bought, only counted for products with a purchase limit.
    pub bought: Vec<(Sku, CustomerHash)>,
    pub orders: Vec<u64>,
    pub references: Vec<(Sku, Reference)>,
    pub replenishments: Vec<u64>,
    /// By the sequence in their ids, each with the head of its waiting bids.
    pub auctions: Vec<u64>,
    /// Load all standing bids of these too.
    pub standing_bids: Vec<u64>,
    pub bids: Vec<u64>,
    pub queues: Vec<QueueTouch>,
    /// These topics, with their subscriptions.
    pub topics: Vec<TopicTouch>,
    /// These subscriptions, each with its topic and the queues that it leads to.
    pub subscriptions: Vec<String>,
    /// Keys older than this are forgotten.
    pub keys_since: Millis,
    /// What is earlier than the newest entry counts as its time ([`Loaded::last_at`]).
    pub now: Millis,
}

/// Deferred bids that are loaded of one auction: the most that one command decides.
pub const WAITING_BIDS_MAX: usize = 1_000;

/// A topic, and what is to be done with it.
#[derive(Debug, Clone, Default)]
pub struct TopicTouch {
    pub name: String,
    /// What its publications are compared by, there and in the queues that hear it.
    pub duplicates: Vec<Duplicate>,
    /// Something is published: the queues that its subscriptions lead to, if it is not wide
    /// ([`is_wide`]).
    pub is_published: bool,
    /// The queues that the subscriptions of these steps lead to ([`next_step`]).
    pub steps: Vec<String>,
}

impl TopicTouch {
    /// Of all subscriptions of the topic those that are loaded with what they lead to.
    pub fn reached<'a>(&self, all: &'a [Subscription], is_wide: bool) -> Vec<&'a Subscription> {
        let of_steps = self.steps.iter().flat_map(|after| next_step(all, after));
        let published = all.iter().filter(|_| self.is_published && !is_wide);
        published.chain(of_steps).collect()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    pub group: Option<String>,
    pub id: String,
}

/// A queue as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    /// Never used again, also when the queue is deleted: receipt handles carry it.
    pub id: u32,
    pub name: String,
    /// Where its messages are. A purge gives it a new one: what was in the old one is gone at
    /// once, and is cleared away in its own time.
    pub partition: u32,
    pub config: QueueConfig,
    pub more: Arc<QueueMore>,
    /// The newest first, [`MOVES_MAX`] at most.
    pub moves: Arc<Vec<MoveTask>>,
    /// The sequence that the next message gets.
    pub next_seq: u64,
    pub created_at: Millis,
    /// When its attributes were set.
    pub modified_at: Millis,
    pub purged_at: Option<Millis>,
}

/// Move tasks that a queue remembers (API reference, `ListMessageMoveTasks`).
pub const MOVES_MAX: usize = 10;

/// Messages on their way out of a dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveTask {
    pub id: String,
    /// Back to where each came from, if none is named.
    pub destination: Option<String>,
    /// Messages a second.
    pub rate: Option<u32>,
    pub started_at: Millis,
    pub moved: u64,
    /// Counted at the start.
    pub to_move: u64,
    pub status: MoveStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MoveStatus {
    Running,
    Completed,
    Cancelled,
    Failed,
}

/// How long a store remembers that a queue was deleted: a client that imitates Amazon must not make
/// it again sooner (API reference, `CreateQueue`, `QueueDeletedRecently`).
pub const QUEUE_GONE_MS: Millis = 60_000;

/// Queues, topics and purges that will ever be: stores have no room for more partitions.
pub const NUMBERS_MAX: u32 = 1 << 23;

/// A topic as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Topic {
    /// From the same numbers as those of queues.
    pub id: u32,
    pub topic: topic::Topic,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// `DisplayName`, `Policy` and the like, as sent.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The sequence of the next publication to a FIFO topic.
    #[serde(default)]
    pub next_seq: u64,
    pub created_at: Millis,
}

/// A subscription as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subscription {
    pub topic: String,
    pub subscription: topic::Subscription,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What confirms it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The attributes as sent: `FilterPolicy`, `DeliveryPolicy` and the like.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    pub created_at: Millis,
}

impl Subscription {
    /// The queues that it leads to: where copies go, and its dead letters.
    pub fn leads_to(&self) -> impl Iterator<Item = &str> {
        let rules = &self.subscription;
        let copies = match rules.protocol {
            Protocol::Queue => rules.endpoint.as_str(),
            Protocol::Http | Protocol::Https | Protocol::Email | Protocol::EmailJson => {
                DELIVERIES_QUEUE
            }
        };
        std::iter::once(copies).chain(rules.redrive.as_deref())
    }
}

/// A topic with all its subscriptions, oldest first.
#[derive(Debug, Clone)]
pub struct LoadedTopic {
    pub topic: Topic,
    pub subscriptions: Arc<Vec<Subscription>>,
    pub duplicates: HashMap<DedupKey, DedupEntry>,
    /// It has so many that what they lead to is not loaded when something is published
    /// ([`is_wide`]): its publications go in steps. Not where there is no [`FAN_OUT_QUEUE`].
    pub is_wide: bool,
}

/// An auction with the bids that were asked for.
#[derive(Debug, Clone)]
pub struct LoadedAuction {
    pub stored: StoredAuction,
    /// The first [`WAITING_BIDS_MAX`] bids without a verdict, oldest first.
    pub waiting: VecDeque<BidRecord>,
    /// Every bid that was taken and not retracted, by rising number, if it was asked for and
    /// [`commerce::auction::Auction::check_replay`] refuses nothing but by the clock.
    pub standing: Option<Vec<AdmittedBid>>,
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
    /// The number that the next queue, topic or partition gets, below [`NUMBERS_MAX`].
    pub next_queue: u32,
    /// How many queues, topics and subscriptions there are.
    pub queue_count: usize,
    pub topic_count: usize,
    pub subscription_count: usize,
    pub products: HashMap<Sku, Line>,
    pub auction_count: usize,
    pub auctions: HashMap<u64, LoadedAuction>,
    pub bids: HashMap<u64, BidRecord>,
    /// Only the keys that are known: the order, bid or auction they made, which is loaded too.
    pub keys: HashMap<KeyHash, u64>,
    /// What the auctions that were found by a key were asked for with.
    pub auction_bodies: HashMap<u64, BodyHash>,
    /// Only customers who may hold any. Exact where it counts; see [`Touch::keys_per_customer`].
    pub key_holders: HashMap<CustomerHash, u32>,
    pub bought: HashMap<(Sku, CustomerHash), u64>,
    pub orders: HashMap<u64, OrderRecord>,
    /// Quantity and entry of receipts that were counted before.
    pub references: HashMap<(Sku, Reference), (u64, u64)>,
    pub replenishments: HashMap<u64, Replenishment>,
    pub queues: HashMap<String, LoadedQueue>,
    /// Of the queues that were asked for and are not there, those that were deleted not long ago,
    /// and when. A store may forget it over a restart, and the oldest of very many.
    pub queues_gone: HashMap<String, Millis>,
    pub topics: HashMap<String, LoadedTopic>,
    /// Those that were asked for by id.
    pub subscriptions: HashMap<String, Subscription>,
    pub relayed: Cursors,
}

/// The newest entry that each relay has told of. One that is slow holds up no other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cursors {
    /// Of everything but orders.
    pub shop: u64,
    pub orders: u64,
}

/// Orders and units that wait before a place in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ahead {
    pub orders: u64,
    pub units: u64,
    /// The newest entry of the log when they were counted.
    pub last_seq: u64,
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

/// What an entry means for the look-ups by key and by customer. Of a bid the product is 0. A store that keeps them in
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
    pub auctions: Vec<StoredAuction>,
    /// By auction and bid.
    pub bids_waiting_added: Vec<(u64, u64)>,
    pub bids_waiting_removed: Vec<(u64, u64)>,
    pub bid_changes: Vec<BidChange>,
    pub queues: Vec<Queue>,
    /// By name, with their messages, and when.
    pub queues_removed: Vec<(String, Millis)>,
    /// What [`Loaded::next_queue`] is from now on.
    pub next_queue: Option<u32>,
    pub topics: Vec<Topic>,
    /// By name, with their subscriptions.
    pub topics_removed: Vec<String>,
    pub subscriptions: Vec<Subscription>,
    /// By id.
    pub subscriptions_removed: Vec<String>,
    /// By partition.
    pub messages: Vec<(u32, Message)>,
    /// By partition and sequence.
    pub messages_removed: Vec<(u32, u64)>,
    /// Also of the messages of this commit.
    pub redelays: Vec<Redelay>,
    /// By the number of the queue or topic.
    pub duplicates: Vec<(u32, DedupEntry)>,
    pub attempts: Vec<(u32, Attempt)>,
    pub relayed: Option<Cursors>,
    pub sweep: Option<Sweep>,
    /// Queues that whoever waits for messages is to look at, in other processes too: they learn it
    /// from [`Others::news`]. Empty where there are none.
    pub woken: Vec<String>,
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
            auctions,
            bids_waiting_added,
            bids_waiting_removed,
            bid_changes,
            queues,
            queues_removed,
            next_queue,
            topics,
            topics_removed,
            subscriptions,
            subscriptions_removed,
            messages,
            messages_removed,
            redelays,
            duplicates,
            attempts,
            relayed,
            sweep,
            woken: _,
            probe,
        } = self;
        entries.is_empty()
            && products.is_empty()
            && order_changes.is_empty()
            && waiting_added.is_empty()
            && waiting_removed.is_empty()
            && references.is_empty()
            && replenishments.is_empty()
            && auctions.is_empty()
            && bids_waiting_added.is_empty()
            && bids_waiting_removed.is_empty()
            && bid_changes.is_empty()
            && queues.is_empty()
            && queues_removed.is_empty()
            && next_queue.is_none()
            && topics.is_empty()
            && topics_removed.is_empty()
            && subscriptions.is_empty()
            && subscriptions_removed.is_empty()
            && messages.is_empty()
            && messages_removed.is_empty()
            && redelays.is_empty()
            && duplicates.is_empty()
            && attempts.is_empty()
            && relayed.is_none()
            && sweep.is_none()
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
    /// After an error nothing is locked.
    fn load(&mut self, touch: &Touch) -> Result<Loaded, StoreError>;

    /// What was loaded is not changed after all: others may have what was locked for it. The engine
    /// calls either this or [`append`](Self::append) after each `load` that went well; a store that is
    /// dropped lets go by itself.
    fn release(&mut self) {}

    /// Durable when it returns. After an error the batch may or may not have been written; the
    /// engine stops rather than guess.
    fn commit(&mut self, changes: &Changes) -> Result<(), StoreError>;

    /// Writes a batch without waiting for the disk: it is durable once [`Durability::sync`] of
    /// what is returned has come back, and so is everything that was appended before it. This
    /// store's next `load` sees it at once. A store that has nothing to gain from the difference
    /// commits, and returns none.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    fn append(&mut self, changes: &Changes) -> Result<Option<Arc<dyn Durability>>, StoreError> {
        self.commit(changes)?;
        Ok(None)
    }
}

/// Waits for the disk, on another thread than the store's own.
pub trait Durability: Send + Sync {
    /// Everything that was appended before the call survives a power failure when it returns.
    ///
    /// # Errors
    /// What was appended may or may not have been written; the engine stops rather than guess.
    fn sync(&self) -> Result<(), StoreError>;
}

/// How deep a queue is. A store may stop counting what is hidden at some 100,000s.
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
    /// What waits before this place.
    fn ahead(&self, product: ProductId, place: u64) -> Result<Ahead, StoreError>;
    fn waiting(
        &self,
        product: ProductId,
        after_place: u64,
        limit: usize,
    ) -> Result<Vec<Waiting>, StoreError>;
    /// The log from `after` on, in order. An entry that cannot be read, see [`Entry::check`], is an
    /// error, also of everything else that reads it.
    fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, StoreError>;
    fn entry(&self, seq: u64) -> Result<Option<Entry>, StoreError>;
    /// As [`entries`](Self::entries), without that look at them: for the audit, which tells of damage
    /// and goes on.
    fn entries_as_stored(&self, after: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.entries(after, limit)
    }
    /// Of what this store keeps to look up keys and customers by, the first piece after `after` that
    /// is not the newest one: says what is not as the log gives it, and with which entry the piece
    /// ends, and returns that. None when there is no more. Keys older than `since` may be gone.
    ///
    /// A store that looks into the log itself, or keeps them in memory alone, has no such pieces.
    fn check_look_ups(
        &self,
        after: u64,
        since: Millis,
        broken: &mut dyn FnMut(u64, String),
    ) -> Result<Option<u64>, StoreError>;
    fn replenishment(&self, seq: u64) -> Result<Option<Replenishment>, StoreError>;
    /// Newest first.
    fn replenishments(
        &self,
        product: Option<ProductId>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Replenishment>, StoreError>;
    fn open_replenishments(&self, limit: usize) -> Result<Vec<Replenishment>, StoreError>;
    /// Products whose line may be owed something, by their sku: orders wait, or a reorder is set and
    /// none open.
    fn unsettled_products(
        &self,
        after: Option<&Sku>,
        limit: usize,
    ) -> Result<Vec<Product>, StoreError>;
    fn auction(&self, seq: u64) -> Result<Option<StoredAuction>, StoreError>;
    /// Newest first, before the given sequence.
    fn auctions(
        &self,
        status: Option<AuctionStatus>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<StoredAuction>, StoreError>;
    /// Auctions for which the clock has something to do at `now`, the longest due first.
    fn due_auctions(&self, now: Millis, limit: usize) -> Result<Vec<AuctionId>, StoreError>;
    /// When the next auction is due that is not at `now`.
    fn next_due_auction(&self, now: Millis) -> Result<Option<Millis>, StoreError>;
    /// A bid with its verdict.
    fn bid(&self, seq: u64) -> Result<Option<BidRecord>, StoreError>;
    fn bid_change(&self, bid: u64) -> Result<Option<BidChange>, StoreError>;
    /// Deferred bids of an auction without a verdict, oldest first.
    fn waiting_bids(&self, auction: u64, limit: usize) -> Result<Vec<u64>, StoreError>;
    fn queues(&self, now: Millis) -> Result<Vec<QueueDepth>, StoreError>;
    fn queue(&self, name: &str, now: Millis) -> Result<Option<QueueDepth>, StoreError>;
    /// A queue without its counts, which cost more than the rest.
    fn queue_row(&self, name: &str) -> Result<Option<Queue>, StoreError> {
        Ok(self.queue(name, 0)?.map(|depth| depth.queue))
    }
    /// Every queue without its counts, by name.
    fn queue_rows(&self) -> Result<Vec<Queue>, StoreError> {
        let depths = self.queues(0)?;
        Ok(depths.into_iter().map(|depth| depth.queue).collect())
    }
    /// Who has how much in flight in a queue, as far as [`QueueDepth`] counts what is hidden.
    fn load(&self, queue: &str, now: Millis) -> Result<Load, StoreError>;
    /// By name.
    fn queue_names(&self) -> Result<Vec<String>, StoreError>;
    /// When the next message that is not visible at `now` will be.
    fn next_visible(&self, queue: &str, now: Millis) -> Result<Option<Millis>, StoreError>;
    /// A look at messages without receiving them.
    fn messages(&self, queue: &str, after: u64, limit: usize) -> Result<Vec<Message>, StoreError>;
    /// By name.
    fn topics(&self, after: Option<&str>, limit: usize) -> Result<Vec<Topic>, StoreError>;
    fn topic(&self, name: &str) -> Result<Option<Topic>, StoreError>;
    fn subscription(&self, id: &str) -> Result<Option<Subscription>, StoreError>;
    /// Of one topic or of all, in the order in which they were made, each with its place in it.
    /// The next page begins after a place, also when whoever had it is gone by then.
    fn subscription_page(
        &self,
        topic: Option<&str>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Subscription)>, StoreError>;
    /// The same without their places.
    fn subscriptions(
        &self,
        topic: Option<&str>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Subscription>, StoreError> {
        let page = self.subscription_page(topic, after, limit)?;
        Ok(page.into_iter().map(|(_, found)| found).collect())
    }
    /// Queues that messages are being moved out of.
    fn moving_queues(&self) -> Result<Vec<(String, MoveTask)>, StoreError>;
    /// Whether a sweep would find partitions to clear.
    fn has_dropped_messages(&self) -> Result<bool, StoreError>;
    fn relayed(&self) -> Result<Cursors, StoreError>;
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

/// What can be asked of a store that lies in files, beside what it holds. Asks the file system.
pub trait StoreFiles: Send + Sync {
    /// The name of the first that was removed, or in whose place there is another file: what is
    /// written from then on is gone with the process.
    fn gone(&self) -> Option<String>;

    /// How long the file is that is written ahead of the others, in bytes.
    fn log_bytes(&self) -> u64;
}

/// A store opened: its writing and its reading side.
pub struct Opened {
    pub store: Box<dyn Store>,
    pub reader: Arc<dyn Reader>,
    /// None of a store that this process has to itself.
    pub others: Option<Arc<dyn Others>>,
    /// Blocks until it is known what was sent to FIFO queues and topics before, or the store is gone:
    /// of a store that reads it beside all else. Until then its `load` would wait for it.
    pub remembering: Option<Box<dyn FnOnce() + Send>>,
}
