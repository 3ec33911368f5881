//! One conversion from everything that can go wrong to what HTTP says.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::{EngineError, Refusal};
use wire::{Code, Problem};

use crate::adapters::rfc3339;
use crate::http::auctions::refusals;

/// Seconds after which an overloaded server may be asked again.
const RETRY_AFTER_S: &str = "1";

/// An error on its way to the client.
#[derive(Debug)]
pub struct HttpError(pub Box<Problem>);

impl HttpError {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(Problem::new(code, detail)))
    }

    pub fn at(code: Code, field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self(Box::new(Problem::new(code, detail).field(field)))
    }

    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    #[must_use]
    pub fn with(self, name: &'static str, value: impl serde::Serialize) -> Self {
        Problem::with(*self.0, name, value).into()
    }

    #[must_use]
    pub fn with_json(self, name: &'static str, json: String) -> Self {
        Problem::with_json(*self.0, name, json).into()
    }
}

impl From<Problem> for HttpError {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let problem = *self.0;
        let status = StatusCode::from_u16(problem.code.status()).expect("codes have statuses");
        let mut response = Response::new(Body::from(problem.to_json()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(Problem::CONTENT_TYPE),
        );
        if matches!(
            problem.code,
            Code::CustomersUnavailable
                | Code::Overloaded
                | Code::OutcomeUnknown
                | Code::TooManyKeys
        ) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
        }
        if problem.code == Code::Unauthorized {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"firstcome\", charset=\"UTF-8\""),
            );
        }
        response
    }
}

impl From<EngineError> for HttpError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Overloaded => Self::new(
                Code::Overloaded,
                "more requests wait than this server takes; nothing was stored",
            ),
            EngineError::Stopping => Self::new(
                Code::Overloaded,
                "the server is stopping; nothing was stored",
            ),
            // What went wrong is in the log; the client learns what it can do.
            EngineError::Store(_) => Self::new(
                Code::OutcomeUnknown,
                "ask again with the same Idempotency-Key to learn what was stored",
            ),
        }
    }
}

impl From<Refusal> for HttpError {
    fn from(refusal: Refusal) -> Self {
        problem_of(refusal).into()
    }
}

fn problem_of(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::ProductExists => {
            Problem::new(Code::ProductExists, "another product has this sku").field("sku")
        }
        Refusal::ProductNotFound { sku } => Problem::new(
            Code::ProductNotFound,
            format!("no product has the sku {sku}"),
        )
        .field("sku"),
        Refusal::NotOpenYet { opens_at } => {
            let opens_at = rfc3339(opens_at);
            Problem::new(
                Code::NotOpenYet,
                format!("orders are taken from {opens_at} on"),
            )
            .with("opensAt", opens_at)
        }
        Refusal::PurchaseLimit { limit, bought, sku } => Problem::new(
            Code::PurchaseLimit,
            format!("this customer may buy {limit} of {sku} and has {bought}"),
        )
        .field("quantity")
        .with("limit", limit)
        .with("bought", bought),
        Refusal::KeyReused => Problem::new(
            Code::IdempotencyKeyReused,
            "the key was sent before with another body",
        )
        .field("Idempotency-Key"),
        Refusal::TooManyKeys { limit } => Problem::new(
            Code::TooManyKeys,
            format!("a customer may hold {limit} live keys"),
        )
        .field("Idempotency-Key")
        .with("limit", limit),
        Refusal::OrderNotFound => Problem::new(Code::OrderNotFound, "no order has this id"),
        Refusal::NotCancellable => Problem::new(
            Code::NotCancellable,
            "only accepted and waiting orders can be cancelled",
        ),
        Refusal::ReferenceReused { quantity } => Problem::new(
            Code::ReferenceReused,
            format!("this reference was counted with a quantity of {quantity}"),
        )
        .field("reference")
        .with("counted", quantity),
        Refusal::ReplenishmentNotFound => {
            Problem::new(Code::ReplenishmentNotFound, "no replenishment has this id")
        }
        Refusal::ReplenishmentClosed => {
            Problem::new(Code::ReplenishmentClosed, "it was received or has failed")
        }
        Refusal::AnotherReplenishmentOpen => Problem::new(
            Code::AnotherReplenishmentOpen,
            "a product has one open replenishment at a time",
        ),
        Refusal::Terms { field, why } => *refusals::bad_terms(field, why).0,
        Refusal::AuctionNotFound => *refusals::no_auction().0,
        Refusal::BidNotFound => *refusals::no_bid().0,
        Refusal::BidsWaiting => Problem::new(
            Code::Overloaded,
            "more bids wait for their verdicts than are decided at once; nothing was stored",
        ),
        Refusal::Auction(refusal) => *refusals::error_of(&refusal).0,
        Refusal::QueueNotFound { queue } => Problem::new(
            Code::QueueNotFound,
            format!("no queue has the name {queue}"),
        ),
        Refusal::NoDeadLetterSource => {
            Problem::new(Code::NoDeadLetterQueue, "the queue has no redrive policy")
        }
        Refusal::Queue(refusal) => {
            let field = refusal.field();
            let problem = Problem::new(Code::InvalidParameter, refusal.to_string());
            match field {
                Some(field) => problem.field(field),
                None => problem,
            }
        }
        Refusal::TopicNotFound { topic } => Problem::new(
            Code::QueueNotFound,
            format!("no topic has the name {topic}"),
        ),
        Refusal::SubscriptionNotFound => {
            Problem::new(Code::QueueNotFound, "no subscription has this id")
        }
        Refusal::Topic(refusal) => {
            Problem::new(Code::InvalidParameter, refusal.to_string()).field(refusal.field())
        }
        Refusal::DeadLetterQueueUnfit { reason } => Problem::new(Code::InvalidParameter, reason),
        Refusal::QueueExists { attribute } | Refusal::TopicExists { attribute } => Problem::new(
            Code::InvalidParameter,
            format!("there is one with this name and another {attribute}"),
        )
        .field(attribute),
        Refusal::QueueDeletedRecently => Problem::new(
            Code::InvalidParameter,
            "a queue of this name was deleted less than 60 seconds ago",
        ),
        Refusal::NotADeadLetterQueue => Problem::new(
            Code::NoDeadLetterQueue,
            "no queue sends its dead letters here",
        ),
        Refusal::PurgeInProgress => Problem::new(
            Code::PurgeInProgress,
            "a queue is purged once in 60 seconds",
        ),
        Refusal::MoveRunning => Problem::new(
            Code::MoveRunning,
            "one move at a time for one queue; cancel it or let it end",
        ),
        Refusal::MoveNotFound => {
            Problem::new(Code::MoveNotFound, "no move with this id is running")
        }
        Refusal::SubscriptionExists
        | Refusal::EnvelopeMissing
        | Refusal::TokenInvalid
        | Refusal::Policy(_) => Problem::new(
            Code::InvalidParameter,
            format!("not now: {}", refusal.code().replace('_', " ")),
        ),
        Refusal::RelayMoved { .. } => Problem::new(Code::Overloaded, "another relay has moved on"),
        Refusal::TooMany { what, limit } => Problem::new(
            Code::TooMany,
            format!("this server keeps at most {limit} {what}"),
        ),
    }
}

/// What every handler returns.
pub type HttpResult<T> = Result<T, HttpError>;
