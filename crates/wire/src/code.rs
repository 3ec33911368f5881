//! Every error a caller can get: its stable name, its HTTP status, whether trying again may
//! help, and whether anything happened.

/// What went wrong. Each has a page in `docs/ERRORS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    AnotherReplenishmentOpen,
    AuctionCancelled,
    AuctionClosed,
    AuctionNotClosed,
    AuctionNotFound,
    AuctionNotOpen,
    BidNotFound,
    BidTooLow,
    BodyTooLarge,
    BuyNowGone,
    CustomerNotFound,
    CustomersUnavailable,
    ConsumerNotFound,
    CrossOrigin,
    HeaderTooLarge,
    HostNotAllowed,
    IdempotencyKeyReused,
    InvalidField,
    InvalidHeader,
    InvalidJson,
    InvalidParameter,
    InvalidSignature,
    InvalidToken,
    MailNotFound,
    MethodNotAllowed,
    MissingField,
    MoveNotFound,
    MoveRunning,
    NoDeadLetterQueue,
    NoOffer,
    NoOpenReplenishment,
    NotAWinner,
    NotCancellable,
    NotFound,
    NotOpenYet,
    NotRetractable,
    NothingToOffer,
    OfferExpired,
    OfferRunning,
    OrderNotFound,
    OutcomeUnknown,
    Overloaded,
    OwnLot,
    ParcelNotFound,
    ParcelStepRefused,
    ProductExists,
    ProductNotFound,
    PurchaseLimit,
    PurgeInProgress,
    QueueNotFound,
    ReferenceReused,
    ReplenishmentClosed,
    ReplenishmentNotFound,
    RequestTimeout,
    RetractionTooLate,
    SoldOut,
    TooMany,
    TooManyKeys,
    Unauthorized,
    UnknownField,
    UnsupportedMediaType,
    UpgradeRequired,
    WebhookDisabled,
    WebhookNotFound,
}

impl Code {
    pub const ALL: &'static [Self] = &[
        Self::AnotherReplenishmentOpen,
        Self::AuctionCancelled,
        Self::AuctionClosed,
        Self::AuctionNotClosed,
        Self::AuctionNotFound,
        Self::AuctionNotOpen,
        Self::BidNotFound,
        Self::BidTooLow,
        Self::BodyTooLarge,
        Self::BuyNowGone,
        Self::CustomerNotFound,
        Self::CustomersUnavailable,
        Self::ConsumerNotFound,
        Self::CrossOrigin,
        Self::HeaderTooLarge,
        Self::HostNotAllowed,
        Self::IdempotencyKeyReused,
        Self::InvalidField,
        Self::InvalidHeader,
        Self::InvalidJson,
        Self::InvalidParameter,
        Self::InvalidSignature,
        Self::InvalidToken,
        Self::MailNotFound,
        Self::MethodNotAllowed,
        Self::MissingField,
        Self::MoveNotFound,
        Self::MoveRunning,
        Self::NoDeadLetterQueue,
        Self::NoOffer,
        Self::NoOpenReplenishment,
        Self::NotAWinner,
        Self::NotCancellable,
        Self::NotFound,
        Self::NotOpenYet,
        Self::NotRetractable,
        Self::NothingToOffer,
        Self::OfferExpired,
        Self::OfferRunning,
        Self::OrderNotFound,
        Self::OutcomeUnknown,
        Self::Overloaded,
        Self::OwnLot,
        Self::ParcelNotFound,
        Self::ParcelStepRefused,
        Self::ProductExists,
        Self::ProductNotFound,
        Self::PurchaseLimit,
        Self::PurgeInProgress,
        Self::QueueNotFound,
        Self::ReferenceReused,
        Self::ReplenishmentClosed,
        Self::ReplenishmentNotFound,
        Self::RequestTimeout,
        Self::RetractionTooLate,
        Self::SoldOut,
        Self::TooMany,
        Self::TooManyKeys,
        Self::Unauthorized,
        Self::UnknownField,
        Self::UnsupportedMediaType,
        Self::UpgradeRequired,
        Self::WebhookDisabled,
        Self::WebhookNotFound,
    ];

    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AnotherReplenishmentOpen => "another_replenishment_open",
            Self::AuctionCancelled => "auction_cancelled",
            Self::AuctionClosed => "auction_closed",
            Self::AuctionNotClosed => "auction_not_closed",
            Self::AuctionNotFound => "auction_not_found",
            Self::AuctionNotOpen => "auction_not_open",
            Self::BidNotFound => "bid_not_found",
            Self::BidTooLow => "bid_too_low",
            Self::BodyTooLarge => "body_too_large",
            Self::BuyNowGone => "buy_now_gone",
            Self::CustomerNotFound => "customer_not_found",
            Self::CustomersUnavailable => "customers_unavailable",
            Self::CrossOrigin => "cross_origin",
            Self::HeaderTooLarge => "header_too_large",
            Self::HostNotAllowed => "host_not_allowed",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::InvalidField => "invalid_field",
            Self::InvalidHeader => "invalid_header",
            Self::InvalidJson => "invalid_json",
            Self::InvalidParameter => "invalid_parameter",
            Self::InvalidSignature => "invalid_signature",
            Self::InvalidToken => "invalid_token",
            Self::MailNotFound => "mail_not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::MissingField => "missing_field",
            Self::MoveNotFound => "move_not_found",
            Self::MoveRunning => "move_running",
            Self::NoDeadLetterQueue => "no_dead_letter_queue",
            Self::NoOffer => "no_offer",
            Self::NoOpenReplenishment => "no_open_replenishment",
            Self::NotAWinner => "not_a_winner",
            Self::NotCancellable => "not_cancellable",
            Self::NotFound => "not_found",
            Self::NotOpenYet => "not_open_yet",
            Self::NotRetractable => "not_retractable",
            Self::NothingToOffer => "nothing_to_offer",
            Self::OfferExpired => "offer_expired",
            Self::OfferRunning => "offer_running",
            Self::OrderNotFound => "order_not_found",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Overloaded => "overloaded",
            Self::OwnLot => "own_lot",
            Self::ParcelNotFound => "parcel_not_found",
            Self::ParcelStepRefused => "parcel_step_refused",
            Self::ProductExists => "product_exists",
            Self::ProductNotFound => "product_not_found",
            Self::PurchaseLimit => "purchase_limit",
            Self::PurgeInProgress => "purge_in_progress",
            Self::ConsumerNotFound => "consumer_not_found",
            Self::QueueNotFound => "queue_not_found",
            Self::ReferenceReused => "reference_reused",
            Self::ReplenishmentClosed => "replenishment_closed",
            Self::ReplenishmentNotFound => "replenishment_not_found",
            Self::RequestTimeout => "request_timeout",
            Self::RetractionTooLate => "retraction_too_late",
            Self::SoldOut => "sold_out",
            Self::TooMany => "too_many",
            Self::TooManyKeys => "too_many_keys",
            Self::Unauthorized => "unauthorized",
            Self::UnknownField => "unknown_field",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::UpgradeRequired => "upgrade_required",
            Self::WebhookDisabled => "webhook_disabled",
            Self::WebhookNotFound => "webhook_not_found",
        }
    }

    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidHeader | Self::InvalidJson | Self::InvalidParameter => 400,
            Self::InvalidSignature | Self::InvalidToken | Self::Unauthorized => 401,
            Self::CrossOrigin | Self::HostNotAllowed => 403,
            Self::AuctionNotFound
            | Self::BidNotFound
            | Self::CustomerNotFound
            | Self::MailNotFound
            | Self::MoveNotFound
            | Self::NotFound
            | Self::OrderNotFound
            | Self::ParcelNotFound
            | Self::ProductNotFound
            | Self::ConsumerNotFound
            | Self::QueueNotFound
            | Self::ReplenishmentNotFound
            | Self::WebhookNotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::AnotherReplenishmentOpen
            | Self::AuctionCancelled
            | Self::AuctionClosed
            | Self::AuctionNotClosed
            | Self::AuctionNotOpen
            | Self::BidTooLow
            | Self::BuyNowGone
            | Self::MoveRunning
            | Self::NoDeadLetterQueue
            | Self::NoOffer
            | Self::NoOpenReplenishment
            | Self::NotAWinner
            | Self::NotCancellable
            | Self::NotOpenYet
            | Self::NotRetractable
            | Self::NothingToOffer
            | Self::OfferExpired
            | Self::OfferRunning
            | Self::OwnLot
            | Self::ParcelStepRefused
            | Self::ProductExists
            | Self::PurchaseLimit
            | Self::PurgeInProgress
            | Self::ReferenceReused
            | Self::ReplenishmentClosed
            | Self::RetractionTooLate
            | Self::SoldOut
            | Self::TooMany
            | Self::WebhookDisabled => 409,
            Self::BodyTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::IdempotencyKeyReused
            | Self::InvalidField
            | Self::MissingField
            | Self::UnknownField => 422,
            Self::UpgradeRequired => 426,
            Self::TooManyKeys => 429,
            Self::HeaderTooLarge => 431,
            Self::CustomersUnavailable | Self::OutcomeUnknown | Self::Overloaded => 503,
        }
    }

    /// A few words for a person; the detail says the rest.
    pub const fn title(self) -> &'static str {
        match self {
            Self::AnotherReplenishmentOpen => "Another replenishment is open",
            Self::AuctionCancelled => "The auction was cancelled",
            Self::AuctionClosed => "The auction is over",
            Self::AuctionNotClosed => "The auction has not been closed",
            Self::AuctionNotFound => "There is no such auction",
            Self::AuctionNotOpen => "The auction has not opened yet",
            Self::BidNotFound => "There is no such bid",
            Self::BidTooLow => "The bid is too low",
            Self::BodyTooLarge => "The body is too large",
            Self::BuyNowGone => "There is no buy-now price to be had",
            Self::CustomerNotFound => "There is no such customer",
            Self::CustomersUnavailable => "The customers database cannot be read",
            Self::CrossOrigin => "A page of another origin asks",
            Self::HeaderTooLarge => "The header is too large",
            Self::HostNotAllowed => "This server does not go by that name",
            Self::IdempotencyKeyReused => "The idempotency key was used for something else",
            Self::InvalidField => "A field has a value that is not allowed",
            Self::InvalidHeader => "A header has a value that is not allowed",
            Self::InvalidJson => "The body is not valid JSON",
            Self::InvalidParameter => "A parameter has a value that is not allowed",
            Self::InvalidSignature => "The signature is missing, old or wrong",
            Self::InvalidToken => "The token is missing or wrong",
            Self::MethodNotAllowed => "This path does not take this method",
            Self::MissingField => "A field is missing",
            Self::MailNotFound => "There is no such e-mail",
            Self::MoveNotFound => "There is no such move",
            Self::MoveRunning => "Messages are being moved already",
            Self::NoDeadLetterQueue => "The queue has no dead-letter queue",
            Self::NoOffer => "There is no offer for this bidder",
            Self::NoOpenReplenishment => "No replenishment is open",
            Self::NotAWinner => "This bidder holds no unpaid lot",
            Self::NotCancellable => "The order cannot be cancelled",
            Self::NotFound => "There is nothing at this path",
            Self::NotOpenYet => "The sale has not opened yet",
            Self::NotRetractable => "The bid cannot be taken back",
            Self::NothingToOffer => "There is nothing to offer",
            Self::OfferExpired => "The offer has run out",
            Self::OfferRunning => "Another offer is still running",
            Self::OrderNotFound => "There is no such order",
            Self::OutcomeUnknown => "The store failed while this was being decided",
            Self::Overloaded => "The server is over its bounds",
            Self::OwnLot => "Sellers do not bid on their own lots",
            Self::ParcelNotFound => "There is no such parcel",
            Self::ParcelStepRefused => "The parcel goes no further",
            Self::ProductExists => "The sku is taken",
            Self::ProductNotFound => "There is no such product",
            Self::PurchaseLimit => "Purchase limit reached",
            Self::PurgeInProgress => "The queue was purged a moment ago",
            Self::ConsumerNotFound => "There is no such consumer",
            Self::QueueNotFound => "There is no such queue",
            Self::ReferenceReused => "The reference was used for another quantity",
            Self::ReplenishmentClosed => "The replenishment is closed",
            Self::ReplenishmentNotFound => "There is no such replenishment",
            Self::RequestTimeout => "The body did not arrive in time",
            Self::RetractionTooLate => "It is too late to take the bid back",
            Self::SoldOut => "Sold out",
            Self::TooMany => "A bound of this server is reached",
            Self::TooManyKeys => "The customer holds too many idempotency keys",
            Self::Unauthorized => "Credentials are missing or wrong",
            Self::UnknownField => "A field is not known",
            Self::UnsupportedMediaType => "The body must be application/json",
            Self::UpgradeRequired => "This is for WebSockets of version 13",
            Self::WebhookDisabled => "The webhook endpoint is disabled",
            Self::WebhookNotFound => "There is no such webhook endpoint",
        }
    }

    /// Whether the same request may succeed later without a change.
    pub const fn retry_may_help(self) -> bool {
        matches!(
            self,
            Self::CustomersUnavailable
                | Self::MoveRunning
                | Self::NotOpenYet
                | Self::OutcomeUnknown
                | Self::Overloaded
                | Self::PurgeInProgress
                | Self::RequestTimeout
                | Self::TooManyKeys
        )
    }

    /// Whether something was stored: `None` when nobody can know.
    pub const fn happened(self) -> Option<bool> {
        match self {
            // The order has its place, the bid its number in the log: it is a final verdict.
            Self::BidTooLow | Self::SoldOut => Some(true),
            Self::OutcomeUnknown => None,
            _ => Some(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_statuses_are_client_or_capacity_errors() {
        let mut names: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!((400..500).contains(&code.status()) || code.status() == 503);
        }
    }
}
