//! A queue's attributes as a client sends them, and what becomes of them.
//!
//! What always holds: what was not sent is not touched; the kind of a queue never changes;
//! creating a queue again is an answer only when everything that was sent is as it is
//! (API reference, `CreateQueue`).
//!
//! Deliberately not known here: the names and texts of the API, ARNs. The protocol's layer
//! reads them into this.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::config::{
    DeduplicationScope, FifoConfig, QueueConfig, RedriveAllow, RedrivePolicy, ThroughputLimit,
};
use super::refusal::Refusal;

/// Tags on one queue (API reference, `TagQueue`).
pub const TAGS_MAX: usize = 50;
const TAG_KEY_LENGTH_MAX: usize = 128;
const TAG_VALUE_LENGTH_MAX: usize = 256;

/// What a queue has beside the attributes that change how it decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueMore {
    /// The account that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redrive_allow: Option<RedriveAllow>,
    /// Who else may do what, as sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// `KmsMasterKeyId` and the like: kept and returned, nothing is encrypted.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub encryption: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// The attributes of one request: those that were sent. Where an inner `None` is possible, the
/// client sent an empty value and takes the attribute away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueSettings {
    pub visibility_timeout_s: Option<u32>,
    pub delay_s: Option<u32>,
    pub retention_s: Option<u32>,
    pub message_bytes_max: Option<u32>,
    pub receive_wait_s: Option<u32>,
    pub redrive: Option<Option<RedrivePolicy>>,
    pub redrive_allow: Option<Option<RedriveAllow>>,
    pub policy: Option<Option<String>>,
    pub fifo: Option<bool>,
    pub content_based_deduplication: Option<bool>,
    pub deduplication_scope: Option<DeduplicationScope>,
    pub throughput_limit: Option<ThroughputLimit>,
    pub encryption: BTreeMap<String, String>,
}

impl QueueSettings {
    /// The attributes of a new queue.
    ///
    /// # Errors
    /// A value outside its bounds, or an attribute of the other kind of queue.
    pub fn create(self, is_fifo: bool) -> Result<(QueueConfig, QueueMore), Refusal> {
        // A standard queue does not have the attribute at all, `false` included.
        if self.fifo == Some(false) || (self.fifo == Some(true) && !is_fifo) {
            return Err(if is_fifo {
                Refusal::InvalidAttributeValue { name: "FifoQueue" }
            } else {
                Refusal::InvalidAttributeName { name: "FifoQueue" }
            });
        }
        let config = QueueConfig {
            fifo: is_fifo.then(FifoConfig::default),
            ..QueueConfig::default()
        };
        self.merge(config, QueueMore::default())
    }

    /// The attributes of a queue after they were set.
    ///
    /// # Errors
    /// As [`create`](Self::create); the kind of a queue cannot be changed.
    pub fn apply(
        self,
        config: &QueueConfig,
        more: &QueueMore,
    ) -> Result<(QueueConfig, QueueMore), Refusal> {
        match self.fifo {
            // As `create`: a standard queue does not have the attribute at all.
            Some(_) if !config.is_fifo() => {
                Err(Refusal::InvalidAttributeName { name: "FifoQueue" })
            }
            Some(false) => Err(Refusal::InvalidAttributeValue { name: "FifoQueue" }),
            Some(true) | None => Ok(()),
        }?;
        self.merge(config.clone(), more.clone())
    }

    fn merge(
        self,
        mut config: QueueConfig,
        mut more: QueueMore,
    ) -> Result<(QueueConfig, QueueMore), Refusal> {
        let set = |to: &mut u32, value: Option<u32>| {
            if let Some(value) = value {
                *to = value;
            }
        };
        set(&mut config.visibility_timeout_s, self.visibility_timeout_s);
        set(&mut config.delay_s, self.delay_s);
        set(&mut config.retention_s, self.retention_s);
        set(&mut config.message_bytes_max, self.message_bytes_max);
        set(&mut config.receive_wait_s, self.receive_wait_s);
        if let Some(redrive) = self.redrive {
            config.redrive = redrive;
        }
        let is_fifo = config.is_fifo();
        let fifo_only = |name: &'static str| {
            if is_fifo {
                Ok(())
            } else {
                Err(Refusal::InvalidAttributeName { name })
            }
        };
        if let Some(content_based) = self.content_based_deduplication {
            fifo_only("ContentBasedDeduplication")?;
            if let Some(fifo) = &mut config.fifo {
                fifo.content_based_deduplication = content_based;
            }
        }
        if let Some(scope) = self.deduplication_scope {
            fifo_only("DeduplicationScope")?;
            if let Some(fifo) = &mut config.fifo {
                fifo.deduplication_scope = scope;
            }
        }
        if let Some(limit) = self.throughput_limit {
            fifo_only("FifoThroughputLimit")?;
            if let Some(fifo) = &mut config.fifo {
                fifo.throughput_limit = limit;
            }
        }
        if let Some(allow) = self.redrive_allow {
            if let Some(allow) = &allow {
                allow.validate()?;
            }
            more.redrive_allow = allow;
        }
        if let Some(policy) = self.policy {
            more.policy = policy;
        }
        for (name, value) in self.encryption {
            if value.is_empty() {
                more.encryption.remove(&name);
            } else {
                more.encryption.insert(name, value);
            }
        }
        config.validate()?;
        Ok((config, more))
    }

    /// The first attribute that was sent and is another one now, if there is one.
    pub fn difference(&self, config: &QueueConfig, more: &QueueMore) -> Option<&'static str> {
        fn differs<T: PartialEq>(sent: Option<&T>, is: &T) -> bool {
            sent.is_some_and(|sent| sent != is)
        }
        let fifo = config.fifo.as_ref();
        let checks = [
            (
                "VisibilityTimeout",
                differs(
                    self.visibility_timeout_s.as_ref(),
                    &config.visibility_timeout_s,
                ),
            ),
            (
                "DelaySeconds",
                differs(self.delay_s.as_ref(), &config.delay_s),
            ),
            (
                "MessageRetentionPeriod",
                differs(self.retention_s.as_ref(), &config.retention_s),
            ),
            (
                "MaximumMessageSize",
                differs(self.message_bytes_max.as_ref(), &config.message_bytes_max),
            ),
            (
                "ReceiveMessageWaitTimeSeconds",
                differs(self.receive_wait_s.as_ref(), &config.receive_wait_s),
            ),
            (
                "RedrivePolicy",
                differs(self.redrive.as_ref(), &config.redrive),
            ),
            (
                "RedriveAllowPolicy",
                differs(self.redrive_allow.as_ref(), &more.redrive_allow),
            ),
            ("Policy", differs(self.policy.as_ref(), &more.policy)),
            ("FifoQueue", differs(self.fifo.as_ref(), &fifo.is_some())),
            (
                "ContentBasedDeduplication",
                differs(
                    self.content_based_deduplication.as_ref(),
                    &fifo.is_some_and(|fifo| fifo.content_based_deduplication),
                ),
            ),
            (
                "DeduplicationScope",
                differs(
                    self.deduplication_scope.as_ref(),
                    &fifo.map_or_else(DeduplicationScope::default, |fifo| fifo.deduplication_scope),
                ),
            ),
            (
                "FifoThroughputLimit",
                differs(
                    self.throughput_limit.as_ref(),
                    &fifo.map_or_else(ThroughputLimit::default, |fifo| fifo.throughput_limit),
                ),
            ),
            (
                "KmsMasterKeyId",
                self.encryption
                    .iter()
                    .any(|(name, value)| more.encryption.get(name).map_or("", |is| is) != value),
            ),
        ];
        checks
            .into_iter()
            .find_map(|(name, differs)| differs.then_some(name))
    }
}

impl QueueMore {
    /// Adds tags; a tag that is there gets the new value.
    ///
    /// # Errors
    /// More than [`TAGS_MAX`], a key that is empty or over 128 characters, a value over 256.
    pub fn tag(&mut self, tags: BTreeMap<String, String>) -> Result<(), Refusal> {
        for (key, value) in &tags {
            if !(1..=TAG_KEY_LENGTH_MAX).contains(&key.chars().count()) {
                return Err(Refusal::parameter(
                    "TagKey",
                    "Tag keys must be between 1 and 128 characters in length.",
                ));
            }
            if value.chars().count() > TAG_VALUE_LENGTH_MAX {
                return Err(Refusal::parameter(
                    "TagValue",
                    "Tag values must be between 0 and 256 characters in length.",
                ));
            }
        }
        let new = tags
            .keys()
            .filter(|key| !self.tags.contains_key(*key))
            .count();
        if self.tags.len() + new > TAGS_MAX {
            return Err(Refusal::parameter(
                "Tags",
                format!("Too many tags added for queue: at most {TAGS_MAX}."),
            ));
        }
        self.tags.extend(tags);
        Ok(())
    }
}
