//! Why the rules said no, and by which stable name.

use std::sync::Arc;

use commerce::auction::AuctionRefusal;
use commerce::{Millis, Sku};
use messaging::topic::TopicRefusal;

use crate::policy::PolicyRefusal;

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
    /// The field at fault, and why.
    Terms {
        field: &'static str,
        why: String,
    },
    AuctionNotFound,
    BidNotFound,
    /// More bids wait for their verdicts than one command decides; try again shortly.
    BidsWaiting,
    Auction(AuctionRefusal),
    QueueNotFound {
        queue: String,
    },
    NoDeadLetterSource,
    Queue(messaging::Refusal),
    /// A queue of this name has another value for this attribute.
    QueueExists {
        attribute: &'static str,
    },
    /// There was one of this name less than a minute ago, where that matters.
    QueueDeletedRecently,
    /// Purged less than a minute ago.
    PurgeInProgress,
    /// A queue of the other kind, itself, one that may not be used, or none.
    DeadLetterQueueUnfit {
        reason: &'static str,
    },
    /// No queue has this one for its dead-letter queue.
    NotADeadLetterQueue,
    /// One move at a time for one queue.
    MoveRunning,
    MoveNotFound,
    TopicNotFound {
        topic: String,
    },
    /// A topic of this name has another value for this attribute.
    TopicExists {
        attribute: &'static str,
    },
    SubscriptionNotFound,
    /// The same endpoint is subscribed with other attributes.
    SubscriptionExists,
    /// A subscriber came while the envelopes were written: write them again.
    EnvelopeMissing,
    TokenInvalid,
    Policy(PolicyRefusal),
    Topic(TopicRefusal),
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
            Self::Terms { .. } => "invalid_terms",
            Self::AuctionNotFound => "auction_not_found",
            Self::BidNotFound => "bid_not_found",
            Self::BidsWaiting => "bids_waiting",
            Self::Auction(refusal) => crate::auction::refusal_reason(refusal),
            Self::QueueNotFound { .. } => "queue_not_found",
            Self::NoDeadLetterSource => "no_dead_letter_queue",
            Self::Queue(_) => "queue_refusal",
            Self::QueueExists { .. } => "queue_exists",
            Self::QueueDeletedRecently => "queue_deleted_recently",
            Self::PurgeInProgress => "purge_in_progress",
            Self::DeadLetterQueueUnfit { .. } => "dead_letter_queue_unfit",
            Self::NotADeadLetterQueue => "not_a_dead_letter_queue",
            Self::MoveRunning => "move_running",
            Self::MoveNotFound => "move_not_found",
            Self::TopicNotFound { .. } => "topic_not_found",
            Self::TopicExists { .. } => "topic_exists",
            Self::SubscriptionNotFound => "subscription_not_found",
            Self::SubscriptionExists => "subscription_exists",
            Self::EnvelopeMissing => "envelope_missing",
            Self::TokenInvalid => "token_invalid",
            Self::Policy(refusal) => refusal.code(),
            Self::Topic(_) => "topic_refusal",
            Self::RelayMoved { .. } => "relay_moved",
            Self::TooMany { .. } => "too_many",
        }
    }
}
