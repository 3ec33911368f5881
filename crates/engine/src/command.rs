//! What may be asked of the sequencer, and what it may answer.
//!
//! A [`Refusal`] is a value: the rules said no, and nothing was written.

use std::fmt;
use std::sync::Arc;

use commerce::{
    Email, FailReason, Millis, NewProduct, OrderId, Product, ProductChange, Quantity, Reference,
    Replenishment, ReplenishmentId, Sku,
};
use messaging::{Message, QueueConfig, ReceiptHandle, Send};

use crate::entry::OrderRecord;

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

/// A queue to be there, made if it is not.
#[derive(Debug, Clone)]
pub struct QueueSpec {
    pub name: String,
    pub config: QueueConfig,
}

/// A message for everybody who subscribed to a topic.
#[derive(Debug, Clone)]
pub struct Publication {
    pub topic: &'static str,
    /// The entry it tells of; with the subscription it names the message, so a repeat is seen.
    pub seq: u64,
    pub body: String,
    pub attributes: Vec<(&'static str, String)>,
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
    EnsureQueues {
        queues: Vec<QueueSpec>,
        /// (topic, queue)
        subscriptions: Vec<(String, String)>,
    },
    SendMessage {
        queue: String,
        send: Box<Send>,
    },
    ReceiveMessages {
        queue: String,
        max: usize,
        visibility_timeout_s: Option<u32>,
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
        /// One message, or the first ones.
        message: Option<u64>,
        max: usize,
    },
    Relay {
        from: u64,
        to: u64,
        publications: Vec<Publication>,
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
            Self::EnsureQueues { .. } => "ensure_queues",
            Self::SendMessage { .. } => "send_message",
            Self::ReceiveMessages { .. } => "receive_messages",
            Self::DeleteMessage { .. } => "delete_message",
            Self::ChangeVisibility { .. } => "change_visibility",
            Self::DeadLetter { .. } => "dead_letter",
            Self::Redrive { .. } => "redrive",
            Self::Relay { .. } => "relay",
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
    pub grant_rate_estimate_s: Option<u64>,
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
    Receipt(Box<ReceiptReply>),
    Replenishment(Box<ReplenishmentReply>),
    Messages {
        queue_id: u32,
        messages: Vec<Message>,
    },
    Sent {
        queue_id: u32,
        message: Box<Message>,
    },
    Count(u64),
    Done,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    ProductExists,
    ProductNotFound {
        sku: Arc<str>,
    },
    NotOpenYet {
        opens_at: Millis,
    },
    PurchaseLimit {
        limit: u32,
        bought: u64,
        sku: Sku,
    },
    KeyReused,
    TooManyKeys {
        limit: u32,
    },
    OrderNotFound,
    NotCancellable,
    ReferenceReused {
        quantity: u64,
    },
    ReplenishmentNotFound,
    ReplenishmentClosed,
    AnotherReplenishmentOpen,
    QueueNotFound {
        queue: String,
    },
    NoDeadLetterSource,
    Queue(messaging::Refusal),
    /// Another relay has moved the cursor; start again from where it is.
    RelayMoved {
        cursor: u64,
    },
    /// A bound on the number of products or queues.
    TooMany {
        what: &'static str,
        limit: usize,
    },
}

impl Refusal {
    /// The stable name, for metrics and as the `code` of the answer.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ProductExists => "product_exists",
            Self::ProductNotFound { .. } => "product_not_found",
            Self::NotOpenYet { .. } => "not_open_yet",
            Self::PurchaseLimit { .. } => "purchase_limit",
            Self::KeyReused => "idempotency_key_reused",
            Self::TooManyKeys { .. } => "too_many_keys",
            Self::OrderNotFound => "order_not_found",
            Self::NotCancellable => "not_cancellable",
            Self::ReferenceReused { .. } => "reference_reused",
            Self::ReplenishmentNotFound => "replenishment_not_found",
            Self::ReplenishmentClosed => "replenishment_closed",
            Self::AnotherReplenishmentOpen => "another_replenishment_open",
            Self::QueueNotFound { .. } => "queue_not_found",
            Self::NoDeadLetterSource => "no_dead_letter_queue",
            Self::Queue(_) => "queue_refusal",
            Self::RelayMoved { .. } => "relay_moved",
            Self::TooMany { .. } => "too_many",
        }
    }
}
