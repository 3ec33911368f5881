//! What must be there for consumers to be fed: their queues, the dead-letter queues of those,
//! and what they hear.

use std::sync::Arc;

use engine::{OwnSubscription, QueueSpec};
use messaging::{DeduplicationScope, FifoConfig, QueueConfig, RedrivePolicy, ThroughputLimit};

use crate::workers::consumer::Consumer;

/// Dead letters are kept for 14 days, the longest there is.
const DLQ_RETENTION_S: u32 = 1_209_600;
/// The runtime counts the tries itself: this is for messages that no consumer lives through.
const RECEIVES_MAX: u32 = 1_000;

/// Where messages of this queue end that could not be processed.
pub(in crate::workers) fn dead_letter_queue(queue: &str) -> String {
    match queue.strip_suffix(".fifo") {
        Some(name) => format!("{name}-dlq.fifo"),
        None => format!("{queue}-dlq"),
    }
}

/// Adds what these consumers need to be there.
pub(in crate::workers) fn own(
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
                is_renewed: false,
            });
        }
    }
}
