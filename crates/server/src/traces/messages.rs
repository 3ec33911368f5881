//! Messages in the hands of those who work on them: a span for each that comes with a trace, below
//! whoever has sent it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use engine::trace::{TraceContext, apart, within};
use messaging::{Attribute, Message};
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;

use super::attributes::{attributes_of, context_of};
use super::spans::{New, Open, SYSTEM, on, trace};

/// Whose queue it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Of this process.
    Own,
    /// Behind an SQS endpoint.
    Sqs,
}

/// What must be known of a message.
pub struct Item<'a> {
    pub id: &'a str,
    pub attributes: &'a BTreeMap<String, Attribute>,
    pub receive_count: u32,
}

impl<'a> From<&'a Message> for Item<'a> {
    fn from(message: &'a Message) -> Self {
        Self {
            id: &message.id,
            attributes: &message.attributes,
            receive_count: message.receive_count,
        }
    }
}

/// A batch in work: one span for each of its messages that is part of a trace.
pub struct Processing {
    /// By the place in the batch.
    open: BTreeMap<usize, Open>,
    by_id: Arc<HashMap<String, TraceContext>>,
}

tokio::task_local! {
    static BATCH: Arc<HashMap<String, TraceContext>>;
}

/// None when traces are off, or no message comes with one that is recorded.
pub fn processing<'a>(
    consumer: &str,
    queue: &str,
    system: System,
    batch: impl ExactSizeIterator<Item = Item<'a>>,
) -> Option<Processing> {
    let spans = on()?;
    let size = batch.len();
    let mut open = BTreeMap::new();
    let mut by_id = HashMap::new();
    for (at, item) in batch.enumerate() {
        let Some(parent) = context_of(item.attributes) else {
            continue;
        };
        let new = span(consumer, queue, system, size, &item);
        if let Some(span) = spans.begin(std::slice::from_ref(&parent), new) {
            by_id.insert(item.id.to_owned(), span.first());
            open.insert(at, span);
        }
    }
    (!open.is_empty()).then(|| Processing {
        open,
        by_id: Arc::new(by_id),
    })
}

fn span(consumer: &str, queue: &str, system: System, size: usize, item: &Item<'_>) -> New {
    let system = match system {
        System::Own => SYSTEM,
        System::Sqs => "aws_sqs",
    };
    let mut attributes = vec![
        KeyValue::new("messaging.system", system),
        KeyValue::new("messaging.operation.name", "process"),
        KeyValue::new("messaging.operation.type", "process"),
        KeyValue::new("messaging.destination.name", queue.to_owned()),
        KeyValue::new("messaging.consumer.group.name", consumer.to_owned()),
        KeyValue::new("messaging.message.id", item.id.to_owned()),
        KeyValue::new(
            "firstcome.message.receive_count",
            i64::from(item.receive_count),
        ),
    ];
    if size > 1 {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        attributes.push(KeyValue::new("messaging.batch.message_count", size));
    }
    New {
        name: format!("process {queue}").into(),
        kind: SpanKind::Consumer,
        attributes,
        links: Vec::new(),
    }
}

impl Processing {
    /// Does the work below the spans: what is done for all messages at once is part of each trace.
    pub async fn within<F: Future>(&self, work: F) -> F::Output {
        let below = trace(self.open.values().map(Open::first).collect());
        let work = BATCH.scope(Arc::clone(&self.by_id), work);
        within(below, work).await
    }

    /// What became of the message at this place of the batch, and whether that was a failure.
    pub fn end(&mut self, at: usize, outcome: &'static str, is_failure: bool) {
        if let Some(mut open) = self.open.remove(&at) {
            open.set(&KeyValue::new("firstcome.outcome", outcome));
            if is_failure {
                open.fail(outcome);
            }
            open.end();
        }
    }
}

/// What a message carries that follows from this one of the batch.
pub fn carried_from(id: &str) -> BTreeMap<String, Attribute> {
    let context = BATCH.try_with(|batch| batch.get(id).map(attributes_of));
    context.ok().flatten().unwrap_or_default()
}

/// Does work for one message of the batch alone.
pub async fn of_message<F: Future>(id: &str, work: F) -> F::Output {
    let context = BATCH.try_with(|batch| batch.get(id).cloned());
    match context {
        Ok(Some(context)) => within(trace(vec![context]), work).await,
        // Nobody watches it: nor does anybody think that it is part of another's trace.
        Ok(None) => apart(work).await,
        Err(_) => work.await,
    }
}
