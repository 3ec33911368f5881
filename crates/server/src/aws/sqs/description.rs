//! The attributes of a queue as they are returned.
//!
//! What always holds: only those that were asked for, by name or all; an attribute that a queue
//! does not have is left out.

use std::collections::BTreeMap;

use engine::ports::{Queue, QueueDepth};
use messaging::{DeduplicationScope, RedriveAllow, RedrivePolicy, ThroughputLimit};
use wire::aws::AwsError;
use wire::aws::sqs::{self as wire_sqs, RedrivePermission};

use super::attributes::{KMS_KEY, KMS_REUSE, MANAGED_SSE, unknown};
use super::call::Call;

/// API reference, `SetQueueAttributes`.
const KMS_REUSE_S_DEFAULT: &str = "300";

/// Every name that can be asked for (API reference, `GetQueueAttributes`).
const NAMES: [&str; 22] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "ContentBasedDeduplication",
    "CreatedTimestamp",
    "DeduplicationScope",
    "DelaySeconds",
    "FifoQueue",
    "FifoThroughputLimit",
    KMS_REUSE,
    KMS_KEY,
    "LastModifiedTimestamp",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "Policy",
    "QueueArn",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    MANAGED_SSE,
    "VisibilityTimeout",
    "All",
];

/// The attributes that were asked for by name, or all of them.
pub(super) fn write(
    call: &Call<'_>,
    depth: &QueueDepth,
    names: &[String],
) -> Result<BTreeMap<String, String>, AwsError> {
    if let Some(name) = names.iter().find(|name| !NAMES.contains(&name.as_str())) {
        return Err(unknown(name));
    }
    let mut attributes = all(call, depth);
    if !names.iter().any(|name| name == "All") {
        attributes.retain(|has, _| names.iter().any(|name| name == has));
    }
    Ok(attributes)
}

fn all(call: &Call<'_>, depth: &QueueDepth) -> BTreeMap<String, String> {
    let queue = &depth.queue;
    let config = &queue.config;
    let mut attributes = BTreeMap::new();
    let mut add = |name: &str, value: String| {
        attributes.insert(name.to_owned(), value);
    };
    add("QueueArn", call.arn(queue));
    add("ApproximateNumberOfMessages", depth.visible.to_string());
    add(
        "ApproximateNumberOfMessagesNotVisible",
        depth.in_flight.to_string(),
    );
    add(
        "ApproximateNumberOfMessagesDelayed",
        depth.delayed.to_string(),
    );
    // Whole seconds, unlike the times of messages.
    add("CreatedTimestamp", (queue.created_at / 1_000).to_string());
    add(
        "LastModifiedTimestamp",
        (queue.modified_at / 1_000).to_string(),
    );
    add("VisibilityTimeout", config.visibility_timeout_s.to_string());
    add("MaximumMessageSize", config.message_bytes_max.to_string());
    add("MessageRetentionPeriod", config.retention_s.to_string());
    add("DelaySeconds", config.delay_s.to_string());
    add(
        "ReceiveMessageWaitTimeSeconds",
        config.receive_wait_s.to_string(),
    );
    if let Some(redrive) = &config.redrive {
        add("RedrivePolicy", redrive_text(call, queue, redrive));
    }
    if let Some(allow) = &queue.more.redrive_allow {
        add("RedriveAllowPolicy", redrive_allow_text(call, queue, allow));
    }
    if let Some(policy) = &queue.more.policy {
        add("Policy", policy.clone());
    }
    if let Some(fifo) = &config.fifo {
        add("FifoQueue", "true".to_owned());
        add(
            "ContentBasedDeduplication",
            fifo.content_based_deduplication.to_string(),
        );
        let scope = match fifo.deduplication_scope {
            DeduplicationScope::Queue => "queue",
            DeduplicationScope::MessageGroup => "messageGroup",
        };
        add("DeduplicationScope", scope.to_owned());
        let limit = match fifo.throughput_limit {
            ThroughputLimit::PerQueue => "perQueue",
            ThroughputLimit::PerMessageGroupId => "perMessageGroupId",
        };
        add("FifoThroughputLimit", limit.to_owned());
    }
    add(MANAGED_SSE, "false".to_owned());
    if queue.more.encryption.contains_key(KMS_KEY) {
        add(KMS_REUSE, KMS_REUSE_S_DEFAULT.to_owned());
    }
    for (name, value) in &queue.more.encryption {
        add(name, value.clone());
    }
    attributes
}

/// A dead-letter queue belongs to its source's account.
fn redrive_text(call: &Call<'_>, queue: &Queue, redrive: &RedrivePolicy) -> String {
    let owner = queue.more.owner.as_deref();
    let policy = wire_sqs::RedrivePolicy {
        dead_letter_target_arn: call.context.queue_arn(owner, &redrive.dead_letter_queue),
        max_receive_count: i32::try_from(redrive.max_receive_count).unwrap_or(i32::MAX),
    };
    policy.to_json()
}

fn redrive_allow_text(call: &Call<'_>, queue: &Queue, allow: &RedriveAllow) -> String {
    let owner = queue.more.owner.as_deref();
    let (redrive_permission, sources) = match allow {
        RedriveAllow::AllowAll => (RedrivePermission::AllowAll, &[][..]),
        RedriveAllow::DenyAll => (RedrivePermission::DenyAll, &[][..]),
        RedriveAllow::ByQueue(names) => (RedrivePermission::ByQueue, names.as_slice()),
    };
    let policy = wire_sqs::RedriveAllowPolicy {
        redrive_permission,
        source_queue_arns: sources
            .iter()
            .map(|name| call.context.queue_arn(owner, name))
            .collect(),
    };
    policy.to_json()
}
