//! Queues behind an SQS endpoint: of another process of ours, or Amazon's.
//!
//! SQS has no call for a dead letter: it is sent to the dead-letter queue, with its reason in the
//! attribute `FirstcomeReason`, and then deleted. Cut off in between it is there twice.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use messaging::Attribute;
use tokio::sync::OnceCell;

use super::names::dead_letter_queue;
use super::port::{Ask, Backlog, Halt, PortError, QueuePort, whole_seconds};
use crate::sqs::{BATCH_MAX, Client, Received, SqsError};
use crate::workers::consumer::{Delivery, Handle};

const REASON_ATTRIBUTE: &str = "FirstcomeReason";
/// A message has no more attributes (developer guide).
const ATTRIBUTES_MAX: usize = 10;
/// The longest poll there is.
const WAIT_S_MAX: u64 = 20;
/// A poll that is under way when the process stops may still bring messages.
const LAST_POLL: Duration = Duration::from_secs(1);

pub(in crate::workers) struct SqsPort {
    client: Client,
    queue: &'static str,
    url: OnceCell<String>,
    dead_url: OnceCell<String>,
}

impl SqsPort {
    pub(in crate::workers) fn open(client: Client, queue: &'static str) -> Arc<dyn QueuePort> {
        Arc::new(Self {
            client,
            queue,
            url: OnceCell::new(),
            dead_url: OnceCell::new(),
        })
    }

    /// Asked for once; a queue that is not there yet is asked for again.
    async fn url(&self) -> Result<&str, PortError> {
        let asked = self
            .url
            .get_or_try_init(|| self.client.queue_url(self.queue));
        asked.await.map(String::as_str).map_err(away)
    }

    async fn poll(&self, ask: Ask) -> Result<Vec<Delivery>, PortError> {
        let url = self.url().await?;
        let hold = whole_seconds(ask.hold);
        let wait_s = ask.wait.as_secs().min(WAIT_S_MAX);
        let client = &self.client;
        let mut received = client
            .receive(url, ask.max.min(BATCH_MAX), hold, wait_s)
            .await
            .map_err(away)?;
        // The first call waits for messages; what more there is, is there.
        while received.len() >= BATCH_MAX && received.len() < ask.max {
            let left = (ask.max - received.len()).min(BATCH_MAX);
            // What came before is not lost by a call that failed.
            let Ok(more) = client.receive(url, left, hold, 0).await else {
                break;
            };
            if more.is_empty() {
                break;
            }
            received.extend(more);
        }
        let received = received.into_iter();
        Ok(received.map(|one| delivery(self.queue, one)).collect())
    }

    async fn bury_it(&self, delivery: &Delivery, reason: &str) -> Result<(), PortError> {
        let dead_queue = dead_letter_queue(self.queue);
        let asked = self
            .dead_url
            .get_or_try_init(|| self.client.queue_url(&dead_queue));
        let url = asked.await.map_err(away)?;
        let mut attributes = delivery.attributes.clone();
        if attributes.len() < ATTRIBUTES_MAX {
            attributes.insert(
                REASON_ATTRIBUTE.to_owned(),
                Attribute::string(plain(reason)),
            );
        }
        let of_fifo = delivery
            .group
            .as_deref()
            .map(|group| (group, delivery.id.as_str()));
        self.client
            .send(url, &delivery.body, &attributes, of_fifo)
            .await
            .map_err(away)?;
        self.delete(vec![delivery.handle.clone()]).await
    }
}

impl QueuePort for SqsPort {
    fn receive<'a>(
        &'a self,
        ask: Ask,
        halt: &'a Halt,
    ) -> BoxFuture<'a, Result<Vec<Delivery>, PortError>> {
        async move {
            let ends = async {
                halt.stop.cancelled().await;
                tokio::time::sleep(LAST_POLL).await;
            };
            tokio::select! {
                received = self.poll(ask) => received,
                // What it would have brought comes back when its time-out has passed.
                () = ends => Ok(Vec::new()),
            }
        }
        .boxed()
    }

    fn delete(&self, handles: Vec<Handle>) -> BoxFuture<'_, Result<(), PortError>> {
        async move {
            let url = self.url().await?;
            let receipts: Vec<&str> = handles.iter().filter_map(receipt).collect();
            for some in receipts.chunks(BATCH_MAX) {
                self.client.delete(url, some).await.map_err(away)?;
            }
            Ok(())
        }
        .boxed()
    }

    fn hold(&self, changes: Vec<(Handle, Duration)>) -> BoxFuture<'_, Result<(), PortError>> {
        async move {
            let url = self.url().await?;
            let changes: Vec<(&str, u32)> = changes
                .iter()
                .filter_map(|(handle, time)| Some((receipt(handle)?, whole_seconds(*time))))
                .collect();
            for some in changes.chunks(BATCH_MAX) {
                self.client.hold(url, some).await.map_err(away)?;
            }
            Ok(())
        }
        .boxed()
    }

    fn bury<'a>(
        &'a self,
        delivery: &'a Delivery,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<(), PortError>> {
        self.bury_it(delivery, reason).boxed()
    }

    fn backlog(&self) -> BoxFuture<'_, Result<Backlog, PortError>> {
        async move {
            let url = self.url().await?;
            let (visible, in_flight) = self.client.depth(url).await.map_err(away)?;
            Ok(Backlog {
                visible,
                in_flight,
                oldest_age: None,
            })
        }
        .boxed()
    }
}

fn delivery(queue: &str, mut message: Received) -> Delivery {
    Delivery {
        attributes: message.take_attributes(),
        // On a standard queue it is only a name for fairness.
        group: message
            .attributes
            .get("MessageGroupId")
            .filter(|_| queue.ends_with(".fifo"))
            .cloned(),
        receive_count: message.number("ApproximateReceiveCount").unwrap_or(1),
        sent_at: message.number("SentTimestamp").unwrap_or(0),
        id: message.message_id,
        body: message.body,
        handle: Handle::Sqs(message.receipt_handle),
    }
}

fn receipt(handle: &Handle) -> Option<&str> {
    match handle {
        Handle::Own(_) => None,
        Handle::Sqs(receipt) => Some(receipt),
    }
}

/// What an attribute may hold: no control characters, and something.
fn plain(reason: &str) -> String {
    let text: String = reason
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(1_000)
        .collect();
    if text.is_empty() {
        "no reason was given".to_owned()
    } else {
        text
    }
}

fn away(error: SqsError) -> PortError {
    PortError::Away(error.to_string())
}
