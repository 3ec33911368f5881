//! Every error a caller can get: its stable name, its HTTP status, whether trying again may
//! help, and whether anything happened.

/// What went wrong. Each has a page in `docs/ERRORS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    AnotherReplenishmentOpen,
    BodyTooLarge,
    IdempotencyKeyReused,
    InvalidField,
    InvalidHeader,
    InvalidJson,
    InvalidParameter,
    InvalidToken,
    MethodNotAllowed,
    MissingField,
    MoveNotFound,
    MoveRunning,
    NoDeadLetterQueue,
    NoOpenReplenishment,
    NotCancellable,
    NotFound,
    NotOpenYet,
    OrderNotFound,
    OutcomeUnknown,
    Overloaded,
    ProductExists,
    ProductNotFound,
    PurchaseLimit,
    PurgeInProgress,
    QueueNotFound,
    ReferenceReused,
    ReplenishmentClosed,
    ReplenishmentNotFound,
    RequestTimeout,
    SoldOut,
    TooMany,
    TooManyKeys,
    Unauthorized,
    UnknownField,
    UnsupportedMediaType,
}

impl Code {
    pub const ALL: &'static [Self] = &[
        Self::AnotherReplenishmentOpen,
        Self::BodyTooLarge,
        Self::IdempotencyKeyReused,
        Self::InvalidField,
        Self::InvalidHeader,
        Self::InvalidJson,
        Self::InvalidParameter,
        Self::InvalidToken,
        Self::MethodNotAllowed,
        Self::MissingField,
        Self::MoveNotFound,
        Self::MoveRunning,
        Self::NoDeadLetterQueue,
        Self::NoOpenReplenishment,
        Self::NotCancellable,
        Self::NotFound,
        Self::NotOpenYet,
        Self::OrderNotFound,
        Self::OutcomeUnknown,
        Self::Overloaded,
        Self::ProductExists,
        Self::ProductNotFound,
        Self::PurchaseLimit,
        Self::PurgeInProgress,
        Self::QueueNotFound,
        Self::ReferenceReused,
        Self::ReplenishmentClosed,
        Self::ReplenishmentNotFound,
        Self::RequestTimeout,
        Self::SoldOut,
        Self::TooMany,
        Self::TooManyKeys,
        Self::Unauthorized,
        Self::UnknownField,
        Self::UnsupportedMediaType,
    ];

    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AnotherReplenishmentOpen => "another_replenishment_open",
            Self::BodyTooLarge => "body_too_large",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::InvalidField => "invalid_field",
            Self::InvalidHeader => "invalid_header",
            Self::InvalidJson => "invalid_json",
            Self::InvalidParameter => "invalid_parameter",
            Self::InvalidToken => "invalid_token",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::MissingField => "missing_field",
            Self::MoveNotFound => "move_not_found",
            Self::MoveRunning => "move_running",
            Self::NoDeadLetterQueue => "no_dead_letter_queue",
            Self::NoOpenReplenishment => "no_open_replenishment",
            Self::NotCancellable => "not_cancellable",
            Self::NotFound => "not_found",
            Self::NotOpenYet => "not_open_yet",
            Self::OrderNotFound => "order_not_found",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Overloaded => "overloaded",
            Self::ProductExists => "product_exists",
            Self::ProductNotFound => "product_not_found",
            Self::PurchaseLimit => "purchase_limit",
            Self::PurgeInProgress => "purge_in_progress",
            Self::QueueNotFound => "queue_not_found",
            Self::ReferenceReused => "reference_reused",
            Self::ReplenishmentClosed => "replenishment_closed",
            Self::ReplenishmentNotFound => "replenishment_not_found",
            Self::RequestTimeout => "request_timeout",
            Self::SoldOut => "sold_out",
            Self::TooMany => "too_many",
            Self::TooManyKeys => "too_many_keys",
            Self::Unauthorized => "unauthorized",
            Self::UnknownField => "unknown_field",
            Self::UnsupportedMediaType => "unsupported_media_type",
        }
    }

    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidHeader | Self::InvalidJson | Self::InvalidParameter => 400,
            Self::InvalidToken | Self::Unauthorized => 401,
            Self::MoveNotFound
            | Self::NotFound
            | Self::OrderNotFound
            | Self::ProductNotFound
            | Self::QueueNotFound
            | Self::ReplenishmentNotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::AnotherReplenishmentOpen
            | Self::MoveRunning
            | Self::NoDeadLetterQueue
            | Self::NoOpenReplenishment
            | Self::NotCancellable
            | Self::NotOpenYet
            | Self::ProductExists
            | Self::PurchaseLimit
            | Self::PurgeInProgress
            | Self::ReferenceReused
            | Self::ReplenishmentClosed
            | Self::SoldOut
            | Self::TooMany => 409,
            Self::BodyTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::IdempotencyKeyReused
            | Self::InvalidField
            | Self::MissingField
            | Self::UnknownField => 422,
            Self::TooManyKeys => 429,
            Self::OutcomeUnknown | Self::Overloaded => 503,
        }
    }

    /// A few words for a person; the detail says the rest.
    pub const fn title(self) -> &'static str {
        match self {
            Self::AnotherReplenishmentOpen => "Another replenishment is open",
            Self::BodyTooLarge => "The body is too large",
            Self::IdempotencyKeyReused => "The idempotency key was used for something else",
            Self::InvalidField => "A field has a value that is not allowed",
            Self::InvalidHeader => "A header has a value that is not allowed",
            Self::InvalidJson => "The body is not valid JSON",
            Self::InvalidParameter => "A parameter has a value that is not allowed",
            Self::InvalidToken => "The token is missing or wrong",
            Self::MethodNotAllowed => "This path does not take this method",
            Self::MissingField => "A field is missing",
            Self::MoveNotFound => "There is no such move",
            Self::MoveRunning => "Messages are being moved already",
            Self::NoDeadLetterQueue => "The queue has no dead-letter queue",
            Self::NoOpenReplenishment => "No replenishment is open",
            Self::NotCancellable => "The order cannot be cancelled",
            Self::NotFound => "There is nothing at this path",
            Self::NotOpenYet => "The sale has not opened yet",
            Self::OrderNotFound => "There is no such order",
            Self::OutcomeUnknown => "The store failed while this was being decided",
            Self::Overloaded => "The server is over its bounds",
            Self::ProductExists => "The sku is taken",
            Self::ProductNotFound => "There is no such product",
            Self::PurchaseLimit => "Purchase limit reached",
            Self::PurgeInProgress => "The queue was purged a moment ago",
            Self::QueueNotFound => "There is no such queue",
            Self::ReferenceReused => "The reference was used for another quantity",
            Self::ReplenishmentClosed => "The replenishment is closed",
            Self::ReplenishmentNotFound => "There is no such replenishment",
            Self::RequestTimeout => "The body did not arrive in time",
            Self::SoldOut => "Sold out",
            Self::TooMany => "A bound of this server is reached",
            Self::TooManyKeys => "The customer holds too many idempotency keys",
            Self::Unauthorized => "Credentials are missing or wrong",
            Self::UnknownField => "A field is not known",
            Self::UnsupportedMediaType => "The body must be application/json",
        }
    }

    /// Whether the same request may succeed later without a change.
    pub const fn retry_may_help(self) -> bool {
        matches!(
            self,
            Self::MoveRunning
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
            // The order has its place and its final verdict.
            Self::SoldOut => Some(true),
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
