//! The attributes of a queue that change how it decides.

use serde::{Deserialize, Serialize};

use super::limits;
use super::refusal::Refusal;

/// Durations are in seconds, as in the API. A stored configuration that lacks a field has
/// Amazon's default for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueConfig {
    /// 0 to 43,200.
    pub visibility_timeout_s: u32,
    /// 0 to 900.
    pub delay_s: u32,
    /// 60 to 1,209,600.
    pub retention_s: u32,
    /// 1,024 to 1,048,576.
    pub message_bytes_max: u32,
    /// 0 to 20: how long a receive waits that does not say so itself.
    pub receive_wait_s: u32,
    pub redrive: Option<RedrivePolicy>,
    pub fifo: Option<FifoConfig>,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            visibility_timeout_s: 30,
            delay_s: 0,
            retention_s: 345_600,
            message_bytes_max: limits::MESSAGE_BYTES_MAX,
            receive_wait_s: 0,
            redrive: None,
            fifo: None,
        }
    }
}

/// After `max_receive_count` receives without a delete a message goes to another queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedrivePolicy {
    /// Its name (or ARN), of the same kind as the queue: both FIFO or neither.
    pub dead_letter_queue: String,
    /// 1 to 1,000.
    pub max_receive_count: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FifoConfig {
    /// A message without a deduplication id has the SHA-256 of its body for one.
    pub content_based_deduplication: bool,
    pub deduplication_scope: DeduplicationScope,
    pub throughput_limit: ThroughputLimit,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeduplicationScope {
    #[default]
    Queue,
    MessageGroup,
}

/// Kept because clients set and read it; the quota itself is not imposed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThroughputLimit {
    #[default]
    PerQueue,
    PerMessageGroupId,
}

/// Which queues may name this one as their dead-letter queue (`RedriveAllowPolicy`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedriveAllow {
    #[default]
    AllowAll,
    DenyAll,
    /// At most ten.
    ByQueue(Vec<String>),
}

impl RedriveAllow {
    pub fn validate(&self) -> Result<(), Refusal> {
        match self {
            Self::ByQueue(queues)
                if !(1..=limits::REDRIVE_ALLOW_QUEUES_MAX).contains(&queues.len()) =>
            {
                Err(Refusal::InvalidAttributeValue {
                    name: "RedriveAllowPolicy",
                })
            }
            Self::ByQueue(_) | Self::AllowAll | Self::DenyAll => Ok(()),
        }
    }

    pub fn permits(&self, source_queue: &str) -> bool {
        match self {
            Self::AllowAll => true,
            Self::DenyAll => false,
            Self::ByQueue(queues) => queues.iter().any(|queue| queue == source_queue),
        }
    }
}

impl QueueConfig {
    pub fn is_fifo(&self) -> bool {
        self.fifo.is_some()
    }

    /// A FIFO attribute on a standard queue cannot be expressed here: the protocol's layer
    /// refuses it with [`Refusal::InvalidAttributeName`].
    pub fn validate(&self) -> Result<(), Refusal> {
        let check = |valid: bool, name: &'static str| {
            if valid {
                Ok(())
            } else {
                Err(Refusal::InvalidAttributeValue { name })
            }
        };
        check(
            self.visibility_timeout_s <= limits::VISIBILITY_TIMEOUT_S_MAX,
            "VisibilityTimeout",
        )?;
        check(self.delay_s <= limits::DELAY_S_MAX, "DelaySeconds")?;
        check(
            (limits::RETENTION_S_MIN..=limits::RETENTION_S_MAX).contains(&self.retention_s),
            "MessageRetentionPeriod",
        )?;
        check(
            (limits::MESSAGE_BYTES_MIN..=limits::MESSAGE_BYTES_MAX)
                .contains(&self.message_bytes_max),
            "MaximumMessageSize",
        )?;
        check(
            self.receive_wait_s <= limits::RECEIVE_WAIT_S_MAX,
            "ReceiveMessageWaitTimeSeconds",
        )?;
        if let Some(redrive) = &self.redrive {
            redrive.validate(self.is_fifo())?;
        }
        if let Some(fifo) = &self.fifo {
            // High throughput is per group, which a queue-wide comparison would defeat.
            check(
                fifo.throughput_limit == ThroughputLimit::PerQueue
                    || fifo.deduplication_scope == DeduplicationScope::MessageGroup,
                "FifoThroughputLimit",
            )?;
        }
        Ok(())
    }
}

impl RedrivePolicy {
    fn validate(&self, fifo: bool) -> Result<(), Refusal> {
        let refuse = |reason: &str| {
            Err(Refusal::parameter(
                "RedrivePolicy",
                format!("Value for parameter RedrivePolicy is invalid. Reason: {reason}"),
            ))
        };
        if !(1..=limits::MAX_RECEIVE_COUNT_MAX).contains(&self.max_receive_count) {
            return refuse("Invalid value for maxReceiveCount: must be between 1 and 1000.");
        }
        if self.dead_letter_queue.is_empty() {
            return refuse(
                "Redrive policy does not contain mandatory attribute: deadLetterTargetArn.",
            );
        }
        if self.dead_letter_queue.ends_with(".fifo") != fifo {
            return refuse("Dead-letter queue must be same type of queue as the source.");
        }
        Ok(())
    }
}
