//! What stands in the file under `[[queues]]` and `[[topics]]`, and what the rules call it.
//!
//! Attributes have the names that SQS and SNS have for them. A queue is named by its name or by
//! its ARN, of which only the name counts.

use std::collections::BTreeMap;

use engine::{SubscriptionChange, TopicSettings};
use messaging::topic::{FilterPolicy, FilterScope};
use messaging::{DeduplicationScope, QueueSettings, RedriveAllow, RedrivePolicy, ThroughputLimit};
use serde::{Deserialize, Serialize};
use wire::aws::{Arn, Service};

use super::values::{Flag, Json, Whole};
use crate::aws::context::Named;
use crate::config::Aws;

/// A field of a declaration that is wrong, and why.
pub(super) type Wrong = (&'static str, String);

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredQueue {
    pub(super) name: String,
    #[serde(default)]
    pub(super) attributes: QueueAttributes,
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(super) struct QueueAttributes {
    visibility_timeout: Option<Whole>,
    delay_seconds: Option<Whole>,
    message_retention_period: Option<Whole>,
    maximum_message_size: Option<Whole>,
    receive_message_wait_time_seconds: Option<Whole>,
    redrive_policy: Option<Json>,
    redrive_allow_policy: Option<Json>,
    policy: Option<Json>,
    fifo_queue: Option<Flag>,
    content_based_deduplication: Option<Flag>,
    deduplication_scope: Option<String>,
    fifo_throughput_limit: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RedriveText {
    dead_letter_target_arn: String,
    max_receive_count: Whole,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RedriveAllowText {
    redrive_permission: String,
    #[serde(default)]
    source_queue_arns: Vec<String>,
}

/// The name in an ARN, or the name itself.
fn queue_name(text: &str) -> String {
    Named::queue(text).map_or_else(|| text.to_owned(), |named| named.name)
}

impl DeclaredQueue {
    /// As a client would have sent them. The name says of which kind the queue is.
    pub(super) fn settings(&self) -> Result<QueueSettings, Wrong> {
        let sent = &self.attributes;
        let whole = |value: &Option<Whole>| value.map(|value| value.0);
        let is_fifo = self.name.ends_with(".fifo");
        Ok(QueueSettings {
            visibility_timeout_s: whole(&sent.visibility_timeout),
            delay_s: whole(&sent.delay_seconds),
            retention_s: whole(&sent.message_retention_period),
            message_bytes_max: whole(&sent.maximum_message_size),
            receive_wait_s: whole(&sent.receive_message_wait_time_seconds),
            redrive: sent.redrive_policy.as_ref().map(redrive).transpose()?,
            redrive_allow: sent
                .redrive_allow_policy
                .as_ref()
                .map(redrive_allow)
                .transpose()?,
            policy: sent.policy.as_ref().map(policy).transpose()?,
            fifo: sent
                .fifo_queue
                .map(|flag| flag.0)
                .or_else(|| is_fifo.then_some(true)),
            content_based_deduplication: sent.content_based_deduplication.map(|flag| flag.0),
            deduplication_scope: match sent.deduplication_scope.as_deref() {
                None => None,
                Some("queue") => Some(DeduplicationScope::Queue),
                Some("messageGroup") => Some(DeduplicationScope::MessageGroup),
                Some(_) => {
                    let what = "must be queue or messageGroup".to_owned();
                    return Err(("DeduplicationScope", what));
                }
            },
            throughput_limit: match sent.fifo_throughput_limit.as_deref() {
                None => None,
                Some("perQueue") => Some(ThroughputLimit::PerQueue),
                Some("perMessageGroupId") => Some(ThroughputLimit::PerMessageGroupId),
                Some(_) => {
                    let what = "must be perQueue or perMessageGroupId".to_owned();
                    return Err(("FifoThroughputLimit", what));
                }
            },
            encryption: BTreeMap::new(),
        })
    }
}

fn redrive(json: &Json) -> Result<Option<RedrivePolicy>, Wrong> {
    let text: Option<RedriveText> = json.read().map_err(|what| ("RedrivePolicy", what))?;
    Ok(text.map(|text| RedrivePolicy {
        dead_letter_queue: queue_name(&text.dead_letter_target_arn),
        max_receive_count: text.max_receive_count.0,
    }))
}

fn redrive_allow(json: &Json) -> Result<Option<RedriveAllow>, Wrong> {
    let wrong = |what: String| ("RedriveAllowPolicy", what);
    let Some(text) = json.read::<RedriveAllowText>().map_err(wrong)? else {
        return Ok(None);
    };
    let sources = text.source_queue_arns.iter();
    match text.redrive_permission.as_str() {
        "allowAll" => Ok(Some(RedriveAllow::AllowAll)),
        "denyAll" => Ok(Some(RedriveAllow::DenyAll)),
        "byQueue" => {
            let names = sources.map(|source| queue_name(source)).collect();
            Ok(Some(RedriveAllow::ByQueue(names)))
        }
        _ => Err(wrong(
            "redrivePermission must be allowAll, denyAll or byQueue".to_owned(),
        )),
    }
}

fn policy(json: &Json) -> Result<Option<String>, Wrong> {
    let is_object: Option<serde_json::Map<String, serde_json::Value>> =
        json.read().map_err(|what| ("Policy", what))?;
    Ok(is_object.map(|_| json.0.clone()))
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredTopic {
    pub(super) name: String,
    #[serde(default)]
    attributes: TopicAttributes,
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) subscriptions: Vec<DeclaredSubscription>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
struct TopicAttributes {
    display_name: Option<String>,
    fifo_topic: Option<Flag>,
    content_based_deduplication: Option<Flag>,
    fifo_throughput_scope: Option<String>,
}

impl DeclaredTopic {
    /// As a client would have sent them. The name says of which kind the topic is.
    pub(super) fn settings(&self) -> Result<TopicSettings, Wrong> {
        let sent = &self.attributes;
        let is_fifo = self.name.ends_with(".fifo");
        let mut attributes = BTreeMap::new();
        if let Some(name) = &sent.display_name {
            attributes.insert("DisplayName".to_owned(), name.clone());
        }
        Ok(TopicSettings {
            fifo: sent
                .fifo_topic
                .map(|flag| flag.0)
                .or_else(|| is_fifo.then_some(true)),
            content_based_deduplication: sent.content_based_deduplication.map(|flag| flag.0),
            deduplication_scope: match sent.fifo_throughput_scope.as_deref() {
                None => None,
                Some("Topic") => Some(DeduplicationScope::Queue),
                Some("MessageGroup") => Some(DeduplicationScope::MessageGroup),
                Some(_) => {
                    let what = "must be Topic or MessageGroup".to_owned();
                    return Err(("FifoThroughputScope", what));
                }
            },
            attributes,
        })
    }
}

/// A queue that hears the topic.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeclaredSubscription {
    queue: String,
    /// The message as it was published, without the envelope around it.
    raw: Option<bool>,
    filter_policy: Option<Json>,
    filter_policy_scope: Option<String>,
    /// Where messages go that the queue cannot take.
    dead_letter_queue: Option<String>,
}

impl DeclaredSubscription {
    pub(super) fn queue(&self) -> String {
        queue_name(&self.queue)
    }

    pub(super) fn dead_letter_queue(&self) -> Option<String> {
        self.dead_letter_queue.as_deref().map(queue_name)
    }

    /// What is named, as a change of a subscription.
    pub(super) fn change(&self, aws: &Aws) -> Result<SubscriptionChange, Wrong> {
        let mut attributes = BTreeMap::new();
        let scope = match self.filter_policy_scope.as_deref() {
            None | Some("MessageAttributes") => FilterScope::MessageAttributes,
            Some("MessageBody") => FilterScope::MessageBody,
            Some(_) => {
                let what = "must be MessageAttributes or MessageBody".to_owned();
                return Err(("filter_policy_scope", what));
            }
        };
        if let Some(scope) = &self.filter_policy_scope {
            attributes.insert("FilterPolicyScope".to_owned(), scope.clone());
        }
        let filter = match &self.filter_policy {
            None => None,
            Some(json) if json.0.is_empty() => Some(None),
            Some(json) => {
                let policy = FilterPolicy::parse(&json.0, scope)
                    .map_err(|refusal| ("filter_policy", refusal.to_string()))?;
                Some(Some(policy))
            }
        };
        let redrive = self.dead_letter_queue();
        if let Some(queue) = &redrive {
            let arn = Arn {
                partition: "aws",
                service: Service::Sqs.name(),
                region: &aws.region,
                account: &aws.account,
                resource: queue,
            };
            let text = serde_json::json!({ "deadLetterTargetArn": arn.to_string() });
            attributes.insert("RedrivePolicy".to_owned(), text.to_string());
        }
        Ok(SubscriptionChange {
            raw: self.raw,
            filter,
            redrive: redrive.map(Some),
            attributes,
            ..SubscriptionChange::default()
        })
    }
}
