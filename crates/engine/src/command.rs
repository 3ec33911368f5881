//! What may be asked of the sequencer, and what it may answer.
//!
//! A [`Refusal`] is a value: the rules said no, and nothing was written.

mod refusal;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use commerce::auction::{Bidder, Terms};
use commerce::{
    AuctionId, BidId, Currency, Email, FailReason, Millis, Money, Name, NewProduct, OrderId,
    Product, ProductChange, Quantity, Reference, Replenishment, ReplenishmentId, Sku, WhenSoldOut,
};
use messaging::topic::{self, Protocol};
use messaging::{DeduplicationScope, Message, QueueConfig, QueueSettings, ReceiptHandle, Send};

pub use self::refusal::Refusal;
use crate::auction::{BidRecord, StoredAuction};
use crate::entry::OrderRecord;
use crate::policy::PolicyEdit;
use crate::ports::{Cursors, FanOut, MoveTask, Queue, Subscription, Topic};
use crate::room::Room;

/// The fingerprint of an `Idempotency-Key` within its scope: 128 bits of BLAKE3.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash(pub [u8; 16]);

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(..)")
    }
}

/// The fingerprint of what was asked for, to tell a repeat from a reused key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BodyHash(pub u64);

#[derive(Debug, Clone)]
pub struct PlaceOrder {
    pub sku: Sku,
    pub quantity: Quantity,
    pub customer: Email,
    pub key: Option<KeyHash>,
    pub body: BodyHash,
    /// Answer as soon as it has its place; the verdict follows.
    pub defer: bool,
}

/// An auction at the door.
#[derive(Debug, Clone)]
pub struct CreateAuction {
    pub product: Name,
    pub seller: Bidder,
    pub terms: Terms,
    /// How long before the end it is told that it is near; 0 for not at all.
    pub closing_soon_ms: Millis,
    pub key: Option<KeyHash>,
    pub body: BodyHash,
}

/// What is bid.
#[derive(Debug, Clone)]
pub enum Offer {
    Amount {
        amount: Money,
        maximum: Option<Money>,
        currency: Option<Currency>,
    },
    BuyNow,
}

/// A bid at the door.
#[derive(Debug, Clone)]
pub struct PlaceBid {
    pub auction: AuctionId,
    pub bidder: Bidder,
    pub offer: Offer,
    pub key: Option<KeyHash>,
    pub body: BodyHash,
    /// Answer as soon as it is admitted; the verdict follows, through the queue of bids.
    /// Not for buy-now.
    pub defer: bool,
    /// The message it came with: it is admitted when that was sent, and deleted with the verdict.
    pub message: Option<BidMessage>,
}

/// A message in the queue of bids that is being worked on.
#[derive(Debug, Clone)]
pub struct BidMessage {
    pub queue: String,
    pub handle: ReceiptHandle,
}

/// What a winner, a bidder or the house does after the close.
#[derive(Debug, Clone)]
pub enum Aftermath {
    /// This winner has paid.
    Settle { bidder: Bidder },
    /// This winner will not pay.
    Forfeit { bidder: Bidder },
    /// The next bidder may have a lot that is free.
    SecondChance { until: Millis },
    /// The bidder of this bid takes the offer or declines it.
    Answer { bid: BidId, accept: bool },
}

/// A queue to be there, made if it is not.
#[derive(Debug, Clone)]
pub struct QueueSpec {
    pub name: String,
    pub config: QueueConfig,
}

/// Something about an order's parcel, for those who listen. Says nothing new when it is repeated.
#[derive(Debug, Clone)]
pub struct ParcelNote {
    pub order: OrderId,
    pub tracking_id: String,
    /// Where it is now.
    pub status: &'static str,
    /// It is the parcel's first.
    pub is_new: bool,
}

/// Notes in one command.
pub const PARCEL_NOTES_MAX: usize = 256;

/// One publication to a topic, with the envelopes its subscribers get it in. The engine knows
/// no wire format: whoever proposes the command has written them.
#[derive(Debug, Clone, Default)]
pub struct Publish {
    /// The id of the publication.
    pub id: String,
    pub publication: topic::Publication,
    /// For subscriptions that are not raw; where there is none, the text goes out as it is.
    pub envelopes: Vec<(Protocol, Envelope)>,
}

/// An envelope around a message, cut where the subscription's id belongs; before that, of a FIFO
/// topic, where the sequence number does.
#[derive(Debug, Clone)]
pub struct Envelope {
    pub head: Arc<str>,
    /// What stands between the sequence number and the id.
    pub middle: Option<Arc<str>>,
    pub tail: Arc<str>,
}

/// Who tells of an entry. Each has a cursor of its own, so that orders, which are many and may be
/// told later, hold up nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relay {
    Shop,
    Orders,
}

impl Relay {
    pub(crate) const fn cursor(self, cursors: &mut Cursors) -> &mut u64 {
        match self {
            Self::Shop => &mut cursors.shop,
            Self::Orders => &mut cursors.orders,
        }
    }
}

/// A queue of the shop's own that hears a topic of the shop's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnSubscription {
    /// A name that ends in `.fifo` is a FIFO topic.
    pub topic: String,
    pub queue: String,
    /// The types of event that it wants; none means all of them.
    pub types: Vec<String>,
    /// One that is there gets another id: whoever is about to end the one that it was, because it
    /// was not wanted then, ends nothing any more.
    pub is_renewed: bool,
}

impl<T: Into<String>, Q: Into<String>> From<(T, Q)> for OwnSubscription {
    /// A queue that wants everything.
    fn from((topic, queue): (T, Q)) -> Self {
        Self {
            topic: topic.into(),
            queue: queue.into(),
            types: Vec::new(),
            is_renewed: false,
        }
    }
}

/// The attributes of a topic that were sent.
#[derive(Debug, Clone, Default)]
pub struct TopicSettings {
    pub fifo: Option<bool>,
    pub content_based_deduplication: Option<bool>,
    pub deduplication_scope: Option<DeduplicationScope>,
    /// The others, as they are; an empty value takes one away.
    pub attributes: BTreeMap<String, String>,
}

/// One half of a filter policy. The other stays as it is when this is decided.
#[derive(Debug, Clone)]
pub enum FilterPart {
    Policy(String),
    Scope(topic::FilterScope),
}

/// What of a subscription is to be changed.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionChange {
    pub raw: Option<bool>,
    pub filter: Option<Option<topic::FilterPolicy>>,
    pub filter_part: Option<FilterPart>,
    pub redrive: Option<Option<String>>,
    /// As sent; an empty value takes one away.
    pub attributes: BTreeMap<String, String>,
}

/// What a worker or a factory says of a replenishment.
#[derive(Debug, Clone)]
pub enum ReplenishmentChange {
    Started,
    AttemptFailed {
        reason: FailReason,
        detail: String,
    },
    Failed {
        reason: FailReason,
        detail: String,
        /// No new request for this product before that.
        retry_at: Millis,
    },
    Reopen,
    Received {
        units: u64,
    },
}

#[derive(Debug)]
pub enum Command {
    PlaceOrder(PlaceOrder),
    CancelOrder {
        id: OrderId,
    },
    CreateProduct(Box<NewProduct>),
    ChangeProduct {
        sku: Sku,
        change: Box<ProductChange>,
    },
    ReceiveGoods {
        sku: Sku,
        quantity: u64,
        reference: Reference,
    },
    /// Decide what the head of the line is owed, and ask the factory if it is time.
    Settle {
        sku: Sku,
    },
    Replenishment {
        id: ReplenishmentId,
        sku: Sku,
        change: ReplenishmentChange,
    },
    CreateAuction(Box<CreateAuction>),
    PlaceBid(Box<PlaceBid>),
    /// Verdicts on the deferred bids of an auction; the messages that asked for it go in the same
    /// commit. Each with the sequence in its bid's id. Without messages: also those that were
    /// received and never worked on.
    DecideBids {
        auction: AuctionId,
        queue: String,
        messages: Vec<(u64, ReceiptHandle)>,
    },
    RetractBid {
        auction: AuctionId,
        bid: BidId,
    },
    CancelAuction {
        auction: AuctionId,
    },
    /// Opens, tells that the end is near, closes: whatever the clock says is due.
    AuctionDue {
        auction: AuctionId,
    },
    AfterClose {
        auction: AuctionId,
        what: Aftermath,
    },
    EnsureQueues {
        queues: Vec<QueueSpec>,
        subscriptions: Vec<OwnSubscription>,
    },
    /// A queue of this name and kind, with these attributes. There already: fine, if what was
    /// sent is as it is.
    CreateQueue {
        name: String,
        owner: Option<String>,
        settings: Box<QueueSettings>,
        tags: BTreeMap<String, String>,
    },
    SetQueue {
        queue: String,
        settings: Box<QueueSettings>,
    },
    TagQueue {
        queue: String,
        tags: BTreeMap<String, String>,
        untag: Vec<String>,
    },
    /// One statement of its policy, whatever else is changed in it at the same moment.
    EditQueuePolicy {
        queue: String,
        edit: Box<PolicyEdit>,
    },
    DeleteQueue {
        queue: String,
    },
    PurgeQueue {
        queue: String,
    },
    SendMessages {
        queue: String,
        sends: Vec<Send>,
    },
    DeleteMessages {
        queue: String,
        handles: Vec<ReceiptHandle>,
    },
    ChangeVisibilities {
        queue: String,
        /// Each with its new time-out in seconds.
        changes: Vec<(ReceiptHandle, u32)>,
    },
    /// Starts to move everything out of a dead-letter queue.
    StartMove {
        queue: String,
        destination: Option<String>,
        /// Messages a second, 1 to 500.
        rate: Option<u32>,
    },
    CancelMove {
        queue: String,
        task: String,
    },
    /// The next messages of the task that runs; what a timer proposes.
    MoveStep {
        queue: String,
        destination: Option<String>,
        max: usize,
    },
    CreateTopic {
        name: String,
        owner: Option<String>,
        settings: Box<TopicSettings>,
        tags: BTreeMap<String, String>,
    },
    SetTopic {
        topic: String,
        settings: Box<TopicSettings>,
    },
    TagTopic {
        topic: String,
        tags: BTreeMap<String, String>,
        untag: Vec<String>,
    },
    EditTopicPolicy {
        topic: String,
        edit: Box<PolicyEdit>,
    },
    DeleteTopic {
        topic: String,
    },
    /// The same endpoint twice is one subscription.
    Subscribe {
        topic: String,
        owner: Option<String>,
        subscription: Box<topic::Subscription>,
        attributes: BTreeMap<String, String>,
    },
    ConfirmSubscription {
        topic: String,
        /// The subscription's id, which the token carries, and the token.
        id: String,
        token: String,
        /// What is kept of how it was confirmed.
        attributes: BTreeMap<String, String>,
    },
    Unsubscribe {
        id: String,
    },
    SetSubscription {
        id: String,
        change: Box<SubscriptionChange>,
    },
    Publish {
        topic: String,
        publishes: Vec<Publish>,
    },
    /// The next subscribers of a publication that waits in [`FAN_OUT_QUEUE`] under this sequence.
    ///
    /// [`FAN_OUT_QUEUE`]: crate::ports::FAN_OUT_QUEUE
    FanOutStep {
        seq: u64,
        fan_out: Box<FanOut>,
    },
    /// To the dead-letter queue of a subscription whose endpoint did not take it.
    Bury {
        subscription: String,
        send: Box<Send>,
    },
    /// Clears away what nobody can receive any more.
    Sweep {
        rows: usize,
    },
    SendMessage {
        queue: String,
        send: Box<Send>,
    },
    ReceiveMessages {
        queue: String,
        max: usize,
        visibility_timeout_s: Option<u32>,
        /// `ReceiveRequestAttemptId`, for FIFO queues.
        attempt: Option<String>,
        /// Whoever waits is not refused when too much is in flight.
        waits: bool,
        room: Room,
    },
    DeleteMessage {
        queue: String,
        handle: ReceiptHandle,
    },
    ChangeVisibility {
        queue: String,
        handle: ReceiptHandle,
        timeout_s: u32,
    },
    /// Straight to the dead-letter queue: receiving it again would not help.
    DeadLetter {
        queue: String,
        handle: ReceiptHandle,
        reason: String,
    },
    Redrive {
        queue: String,
        /// One message, or the first ones: fewer than there are when they are large.
        message: Option<u64>,
        max: usize,
    },
    Relay {
        which: Relay,
        from: u64,
        to: u64,
        /// Each with its topic.
        publications: Vec<(&'static str, Publish)>,
        /// Who wants an envelope and has none here gets the text as it is: there is none to be had.
        is_bare_fine: bool,
    },
    /// Writes into the log what became of parcels: at most [`PARCEL_NOTES_MAX`]. Changes nothing
    /// else; a note about an order that is not there is refused, the others are written.
    TellParcels {
        notes: Vec<ParcelNote>,
    },
    /// Writes a row and commits: what readiness means.
    Probe,
}

impl Command {
    /// For logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::PlaceOrder(_) => "place_order",
            Self::CancelOrder { .. } => "cancel_order",
            Self::CreateProduct(_) => "create_product",
            Self::ChangeProduct { .. } => "change_product",
            Self::ReceiveGoods { .. } => "receive_goods",
            Self::Settle { .. } => "settle",
            Self::Replenishment { .. } => "replenishment",
            Self::CreateAuction(_) => "create_auction",
            Self::PlaceBid(_) => "place_bid",
            Self::DecideBids { .. } => "decide_bids",
            Self::RetractBid { .. } => "retract_bid",
            Self::CancelAuction { .. } => "cancel_auction",
            Self::AuctionDue { .. } => "auction_due",
            Self::AfterClose { .. } => "after_close",
            Self::EnsureQueues { .. } => "ensure_queues",
            Self::CreateQueue { .. } => "create_queue",
            Self::SetQueue { .. } => "set_queue",
            Self::TagQueue { .. } => "tag_queue",
            Self::EditQueuePolicy { .. } => "edit_queue_policy",
            Self::DeleteQueue { .. } => "delete_queue",
            Self::PurgeQueue { .. } => "purge_queue",
            Self::SendMessages { .. } => "send_messages",
            Self::DeleteMessages { .. } => "delete_messages",
            Self::ChangeVisibilities { .. } => "change_visibilities",
            Self::StartMove { .. } => "start_move",
            Self::CancelMove { .. } => "cancel_move",
            Self::MoveStep { .. } => "move_step",
            Self::CreateTopic { .. } => "create_topic",
            Self::SetTopic { .. } => "set_topic",
            Self::TagTopic { .. } => "tag_topic",
            Self::EditTopicPolicy { .. } => "edit_topic_policy",
            Self::DeleteTopic { .. } => "delete_topic",
            Self::Subscribe { .. } => "subscribe",
            Self::ConfirmSubscription { .. } => "confirm_subscription",
            Self::Unsubscribe { .. } => "unsubscribe",
            Self::SetSubscription { .. } => "set_subscription",
            Self::Publish { .. } => "publish",
            Self::FanOutStep { .. } => "fan_out_step",
            Self::Bury { .. } => "bury",
            Self::Sweep { .. } => "sweep",
            Self::SendMessage { .. } => "send_message",
            Self::ReceiveMessages { .. } => "receive_messages",
            Self::DeleteMessage { .. } => "delete_message",
            Self::ChangeVisibility { .. } => "change_visibility",
            Self::DeadLetter { .. } => "dead_letter",
            Self::Redrive { .. } => "redrive",
            Self::Relay { .. } => "relay",
            Self::TellParcels { .. } => "tell_parcels",
            Self::Probe => "probe",
        }
    }
}

#[derive(Debug)]
pub struct OrderReply {
    pub order: OrderRecord,
    /// The answer to an earlier request with the same key.
    pub replay: bool,
    /// What is left, for the one who came too late.
    pub available: u64,
    /// Of an order that was put in its line just now, as it stood at that moment.
    pub standing: Option<Standing>,
    /// What its product does with those it has no goods for, where the product is known.
    pub when_sold_out: Option<WhenSoldOut>,
}

/// How an order that has no verdict yet stands in its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Undecided orders before it, and the units that they ask for.
    pub ahead: u64,
    pub ahead_units: u64,
    /// Seconds until those and its own are granted, by the rate of late; none before one was measured.
    pub estimate_s: Option<u64>,
}

#[derive(Debug)]
pub struct ReceiptReply {
    pub product: Product,
    pub granted: u64,
    pub repeated: bool,
}

#[derive(Debug)]
pub struct ReplenishmentReply {
    pub replenishment: Replenishment,
    pub on_hand: u64,
    /// It had been done before; nothing was done now.
    pub repeated: bool,
}

#[derive(Debug)]
pub enum Reply {
    Order(Box<OrderReply>),
    Product(Box<Product>),
    Auction(Box<StoredAuction>),
    /// An auction that was made, as it stands.
    Made {
        auction: Box<StoredAuction>,
        /// By an earlier request with the same key.
        replay: bool,
    },
    /// A bid that is too low is a verdict, and answered like this too.
    Bid {
        bid: Box<BidRecord>,
        /// The answer to an earlier request with the same key.
        replay: bool,
    },
    Receipt(Box<ReceiptReply>),
    Replenishment(Box<ReplenishmentReply>),
    Messages {
        queue_id: u32,
        messages: Vec<Message>,
    },
    /// What was asked for is too large for the [`Room`] there is: nothing was received.
    NoRoom,
    Sent {
        queue_id: u32,
        message: Box<Message>,
    },
    /// One answer for each entry of a batch, in its order.
    Batch(Vec<Result<Self, Refusal>>),
    Queue(Box<Queue>),
    Move(Box<MoveTask>),
    Topic(Box<Topic>),
    Subscription {
        subscription: Box<Subscription>,
        /// It was there before.
        repeated: bool,
    },
    /// The sequence is that of a FIFO topic.
    Published {
        id: String,
        seq: Option<u64>,
        /// Copies that were made with it. 0 of a duplicate of an earlier one, and of one that its
        /// subscribers are given in steps.
        deliveries: u64,
    },
    Count(u64),
    Done,
}
