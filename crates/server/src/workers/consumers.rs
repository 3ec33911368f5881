//! Runs the consumers: receives, hands over, and does with each message what its consumer said.

use std::sync::Arc;
use std::time::Duration;

use engine::{Command, EngineError, OwnSubscription, QueueSpec, Refusal};
use messaging::{
    DeduplicationScope, FifoConfig, Message, QueueConfig, ReceiptHandle, RedrivePolicy,
    ThroughputLimit,
};

use super::consumer::{Consumer, Delivery, Handle, Outcome};
use super::runtime;
use crate::state::App;

/// Looked for at least so often.
const EVERY: Duration = Duration::from_secs(1);
/// Dead letters are kept for 14 days, the longest there is.
const DLQ_RETENTION_S: u32 = 1_209_600;
/// The runtime counts the tries itself: this is for messages that no consumer lives through.
const RECEIVES_MAX: u32 = 1_000;

/// Where messages of this queue end that could not be processed.
pub(super) fn dead_letter_queue(queue: &str) -> String {
    match queue.strip_suffix(".fifo") {
        Some(name) => format!("{name}-dlq.fifo"),
        None => format!("{queue}-dlq"),
    }
}

/// Adds what these consumers need to be there.
pub(super) fn own(
    consumers: &[Arc<dyn Consumer>],
    queues: &mut Vec<QueueSpec>,
    subscriptions: &mut Vec<OwnSubscription>,
) {
    for consumer in consumers {
        let name = consumer.queue();
        let fifo = name.ends_with(".fifo").then_some(FifoConfig {
            content_based_deduplication: false,
            deduplication_scope: DeduplicationScope::MessageGroup,
            throughput_limit: ThroughputLimit::PerMessageGroupId,
        });
        let dead = dead_letter_queue(name);
        queues.push(QueueSpec {
            name: dead.clone(),
            config: QueueConfig {
                retention_s: DLQ_RETENTION_S,
                fifo: fifo.clone(),
                ..QueueConfig::default()
            },
        });
        let timeout = consumer.pace().timeout.as_secs();
        queues.push(QueueSpec {
            name: name.to_owned(),
            config: QueueConfig {
                redrive: Some(RedrivePolicy {
                    dead_letter_queue: dead,
                    max_receive_count: RECEIVES_MAX,
                }),
                visibility_timeout_s: u32::try_from(timeout).unwrap_or(43_200).min(43_200),
                retention_s: DLQ_RETENTION_S,
                fifo,
                ..QueueConfig::default()
            },
        });
        for hears in consumer.hears() {
            subscriptions.push(OwnSubscription {
                topic: hears.topic.to_owned(),
                queue: name.to_owned(),
                types: hears.types.iter().map(|kind| (*kind).to_owned()).collect(),
            });
        }
    }
}

pub(super) async fn run(app: App, consumer: Arc<dyn Consumer>) {
    let queue = consumer.queue();
    let nudge = app.engine.nudge(queue);
    loop {
        app.workers.beat(consumer.name(), app.engine.now());
        let notified = nudge.notified();
        tokio::pin!(notified);
        // From here on a message that arrives is not slept through.
        notified.as_mut().enable();
        if app.cancel.is_cancelled() {
            return;
        }
        match runtime::receive(&app, queue).await {
            Ok((queue_id, messages)) if !messages.is_empty() => {
                work(&app, &*consumer, queue_id, messages).await;
            }
            Err(EngineError::Stopping) => return,
            _ => {
                tokio::select! {
                    () = app.cancel.cancelled() => return,
                    () = notified => {}
                    () = tokio::time::sleep(EVERY) => {}
                }
            }
        }
    }
}

async fn work(app: &App, consumer: &dyn Consumer, queue_id: u32, messages: Vec<Message>) {
    let batch: Vec<Delivery> = messages
        .into_iter()
        .map(|message| delivery(queue_id, message))
        .collect();
    let outcomes = consumer.handle(&batch).await;
    for (delivery, outcome) in batch.iter().zip(outcomes) {
        if let Err(error) = end(app, consumer, delivery, outcome).await {
            // The message comes back when its time-out has passed.
            tracing::warn!(%error, worker = consumer.name(), "a message was left for later");
        }
    }
}

fn delivery(queue_id: u32, message: Message) -> Delivery {
    Delivery {
        handle: Handle::Own(ReceiptHandle {
            queue_id,
            seq: message.seq,
            receipt: message.receipt.unwrap_or(0),
        }),
        id: message.id,
        body: message.body,
        attributes: message.attributes,
        group: message.group,
        receive_count: message.receive_count,
        sent_at: message.sent_at_ms,
    }
}

async fn end(
    app: &App,
    consumer: &dyn Consumer,
    delivery: &Delivery,
    outcome: Outcome,
) -> Result<(), EngineError> {
    let Handle::Own(handle) = delivery.handle.clone() else {
        return Ok(());
    };
    let queue = consumer.queue().to_owned();
    let pace = consumer.pace();
    let put_off = |after: Duration| Command::ChangeVisibility {
        queue: queue.clone(),
        handle: handle.clone(),
        timeout_s: u32::try_from(after.as_millis().div_ceil(1_000)).unwrap_or(43_200),
    };
    let bury = |reason| Command::DeadLetter {
        queue: queue.clone(),
        handle: handle.clone(),
        reason,
    };
    let command = match outcome {
        Outcome::Done => Command::DeleteMessage {
            queue: queue.clone(),
            handle: handle.clone(),
        },
        Outcome::Later { reason, .. } if delivery.receive_count >= pace.receives_max => {
            bury(reason)
        }
        Outcome::Later { after, .. } => {
            let doubled = pace.retry * (1 << (delivery.receive_count - 1).min(16));
            put_off(after.unwrap_or(doubled.min(pace.retry_max)))
        }
        Outcome::Wait { after, .. } => put_off(after),
        Outcome::Never { reason } => bury(reason),
    };
    match app.engine.decide(command).await? {
        // Somebody else received it meanwhile: theirs is the work now.
        Ok(_) | Err(Refusal::Queue(_)) => Ok(()),
        Err(refusal) => Err(runtime::refused(&refusal)),
    }
}
