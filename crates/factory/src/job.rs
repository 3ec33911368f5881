//! A job and its states, without storage and without HTTP.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// What is to be made, in the words of the systems that order it. This is also, as JSON,
/// the body of the callback: the `CallbackUrl` is not repeated there, for it holds a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
#[schema(as = ManufactureGoods)]
pub(crate) struct Goods {
    pub(crate) message_group_id: String,
    pub(crate) message_attribute_product_id: String,
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub(crate) message_attribute_product_cnt: u32,
    pub(crate) message_attribute_factory_id: String,
    pub(crate) message_attribute_requester: String,
}

/// One request to make goods and to call back.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) goods: Goods,
    pub(crate) callback: String,
}

/// A job's number in order of acceptance; as text `job_` and 16 digits, which sort alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct JobId(pub(crate) i64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ManufactureStatus)]
pub(crate) enum Status {
    /// Stored; the goods are being made.
    Accepted,
    /// The goods are there; the callback has not been taken yet.
    Produced,
    /// The callback was answered with a 2xx.
    Delivered,
    /// The callback was tried for as long as the settings say.
    Abandoned,
}

#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) order: Order,
    pub(crate) status: Status,
    pub(crate) accepted_at: Timestamp,
    pub(crate) due_at: Timestamp,
    pub(crate) produced_at: Option<Timestamp>,
    pub(crate) finished_at: Option<Timestamp>,
    /// When there is something to do next: production, then the next callback.
    pub(crate) next_at: Option<Timestamp>,
    /// Callbacks that were answered or that failed.
    pub(crate) attempts: u32,
    /// How the callbacks have been failing lately.
    pub(crate) failing: Option<Failing>,
    /// What came of the last callback: its status, or why there was none.
    pub(crate) last_status: Option<u16>,
    pub(crate) last_error: Option<String>,
}

/// A run of callbacks that failed in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failing {
    pub(crate) kind: Failure,
    pub(crate) times: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nobody answered, or the answer was 408, 425, 429 or a 5xx.
    Temporary,
    /// The answer was another 4xx or a 3xx, or a setting stands against the call.
    Refused,
}

impl Failing {
    /// The run with one more failure; another kind begins a new one.
    pub(crate) fn again(before: Option<Self>, kind: Failure) -> Self {
        match before {
            Some(run) if run.kind == kind => Self {
                kind,
                times: run.times.saturating_add(1),
            },
            Some(_) | None => Self { kind, times: 1 },
        }
    }
}

impl JobId {
    /// Reads exactly what [`fmt::Display`] writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("job_")?;
        if digits.len() != 16 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        digits.parse().ok().map(Self)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job_{:016}", self.0)
    }
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Produced => "produced",
            Self::Delivered => "delivered",
            Self::Abandoned => "abandoned",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [
            Self::Accepted,
            Self::Produced,
            Self::Delivered,
            Self::Abandoned,
        ]
        .into_iter()
        .find(|status| status.as_str() == text)
    }
}

/// By hand, so that no log can show the callback's query.
impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order")
            .field("goods", &self.goods)
            .field("callback", &outgoing::without_query(&self.callback))
            .finish()
    }
}
