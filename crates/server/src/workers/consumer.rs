//! What a consumer is: something that is handed messages of one queue and says what became of
//! each. Adding one is one file beside this one, and its line in `consumers` (see `mod.rs`).
//!
//! A consumer does not know whose queue it is, ours or Amazon's, nor how many run side by side.

use std::collections::BTreeMap;
use std::time::Duration;

use commerce::Millis;
use futures_util::future::BoxFuture;
use messaging::{Attribute, ReceiptHandle};

/// What is needed to end or extend the holding of one message.
#[derive(Debug, Clone)]
pub enum Handle {
    /// Of a queue in this process.
    Own(ReceiptHandle),
    /// Of a queue behind an SQS endpoint.
    Sqs(String),
}

/// One message, held by us until its visibility timeout.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub id: String,
    pub body: String,
    pub attributes: BTreeMap<String, Attribute>,
    /// The message group, on a FIFO queue.
    pub group: Option<String>,
    /// This time included.
    pub receive_count: u32,
    pub sent_at: Millis,
    pub handle: Handle,
}

/// What became of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is left to do: it is deleted.
    Done,
    /// Not now. After the consumer's own back-off, or exactly so long; to the dead-letter queue
    /// with this reason when it was the last time.
    Later {
        after: Option<Duration>,
        reason: String,
    },
    /// A neighbour of the consumer is away, so others would fare no better. Comes again after so
    /// long, however often; never a dead letter for it. All of them waiting slows the consumer.
    Wait { after: Duration, reason: String },
    /// The time of this message alone has not come. Comes again after so long, however often;
    /// never a dead letter for it, and the others are not slowed down.
    NotYet { after: Duration, reason: String },
    /// Never, and why: to the dead-letter queue at once.
    Never { reason: String },
}

impl Outcome {
    pub fn later(reason: impl Into<String>) -> Self {
        Self::Later {
            after: None,
            reason: reason.into(),
        }
    }

    pub fn never(reason: impl Into<String>) -> Self {
        Self::Never {
            reason: reason.into(),
        }
    }
}

/// The bounds of one consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// Messages handed over at a time: 1 to 100 (10 at most are received from SQS at once).
    pub batch_max: usize,
    /// How long a batch may wait to become full.
    pub window: Duration,
    /// The visibility timeout. It is extended while the work goes on.
    pub timeout: Duration,
    /// The longest that work on one batch may take; then it is given up and comes again.
    pub work_max: Duration,
    /// Batches worked on side by side: at least, and at most.
    pub floor: usize,
    pub ceiling: usize,
    /// The wait after the first failure; it doubles each time, with jitter, up to `retry_max`.
    pub retry: Duration,
    pub retry_max: Duration,
    /// Received so often without success, a message is a dead letter.
    pub receives_max: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            batch_max: 10,
            window: Duration::ZERO,
            timeout: Duration::from_secs(30),
            work_max: Duration::from_secs(300),
            floor: 1,
            ceiling: 8,
            retry: Duration::from_secs(1),
            retry_max: Duration::from_secs(900),
            receives_max: 10,
        }
    }
}

/// Which events of a topic of the shop's own a consumer's queue hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hears {
    pub topic: &'static str,
    /// None means every type.
    pub types: &'static [&'static str],
}

/// A consumer. Its work is safe to repeat: it may die between any two steps, and a message is
/// then received again.
pub trait Consumer: Send + Sync + 'static {
    /// In metrics, logs and pages.
    fn name(&self) -> &'static str;

    /// A name that ends in `.fifo` is a FIFO queue: the messages of one group are handed over in
    /// order and never side by side. Its dead-letter queue is called `<queue>-dlq` (`.fifo`
    /// stays at the end).
    fn queue(&self) -> &'static str;

    fn hears(&self) -> &'static [Hears] {
        &[]
    }

    fn pace(&self) -> Pace {
        Pace::default()
    }

    /// One outcome for each message, in the same order. On a FIFO queue a failure ends the
    /// batch's group: what follows in it comes again too, whatever is said of it here.
    fn handle<'a>(&'a self, batch: &'a [Delivery]) -> BoxFuture<'a, Vec<Outcome>>;
}
