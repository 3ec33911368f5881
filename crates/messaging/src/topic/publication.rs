//! A topic, and what is published to it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::limits;
use super::refusal::TopicRefusal;
use crate::queue::{
    Attribute, DedupEntry, DedupKey, Deduplication, DeduplicationScope, content_id, is_id,
    is_message_text, is_name_byte, scoped_key, total_bytes, validate_attributes,
};

const FIFO_SUFFIX: &str = ".fifo";

/// 1 to 256 letters, digits, `-` and `_`; the name of a FIFO topic ends in `.fifo`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicName(String);

impl TopicName {
    pub fn new(name: impl Into<String>) -> Result<Self, TopicRefusal> {
        let name = name.into();
        let stem = name.strip_suffix(FIFO_SUFFIX).unwrap_or(&name);
        let valid = !stem.is_empty()
            && name.len() <= limits::TOPIC_NAME_LENGTH_MAX
            && stem.bytes().all(is_name_byte);
        if valid {
            return Ok(Self(name));
        }
        Err(TopicRefusal::invalid("Name", "Topic Name"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_fifo(&self) -> bool {
        self.0.ends_with(FIFO_SUFFIX)
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TopicName {
    type Err = TopicRefusal;

    fn from_str(name: &str) -> Result<Self, TopicRefusal> {
        Self::new(name)
    }
}

impl TryFrom<String> for TopicName {
    type Error = TopicRefusal;

    fn try_from(name: String) -> Result<Self, TopicRefusal> {
        Self::new(name)
    }
}

impl From<TopicName> for String {
    fn from(name: TopicName) -> Self {
        name.0
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    pub name: TopicName,
    #[serde(default)]
    pub fifo: Option<TopicFifo>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TopicFifo {
    pub content_based_deduplication: bool,
    /// `FifoThroughputScope`: `Queue` stands for the whole topic.
    pub deduplication_scope: DeduplicationScope,
}

impl Topic {
    pub fn validate(&self) -> Result<(), TopicRefusal> {
        if self.name.is_fifo() == self.fifo.is_some() {
            return Ok(());
        }
        Err(TopicRefusal::invalid(
            "Name",
            if self.fifo.is_some() {
                "Fifo Topic names must end with .fifo and must be made up of only uppercase and \
                 lowercase ASCII letters, numbers, underscores, and hyphens, and must be between \
                 1 and 256 characters long."
            } else {
                "Topic Name"
            },
        ))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    /// What everyone gets for whom `by_protocol` has nothing.
    pub message: String,
    /// `MessageStructure=json`: a text of its own for a protocol (`sqs`, `http`, `email` ...).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_protocol: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Attribute>,
    /// Required on a FIFO topic; on a standard one it is passed on for fair queues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deduplication: Option<String>,
}

impl Publication {
    pub fn bytes(&self) -> u64 {
        let by_protocol: usize = self
            .by_protocol
            .iter()
            .map(|(protocol, message)| protocol.len() + message.len())
            .sum();
        (self.message.len() + by_protocol) as u64 + total_bytes(&self.attributes)
    }

    pub fn message_for(&self, protocol: &str) -> &str {
        self.by_protocol.get(protocol).unwrap_or(&self.message)
    }
}

pub fn validate_publication(topic: &Topic, publication: &Publication) -> Result<(), TopicRefusal> {
    if publication.message.is_empty() {
        return Err(TopicRefusal::invalid("Message", "Empty message"));
    }
    if publication.bytes() > limits::PUBLICATION_BYTES_MAX {
        return Err(TopicRefusal::invalid("Message", "Message too long"));
    }
    let is_text = is_message_text(&publication.message)
        && publication
            .by_protocol
            .values()
            .all(|text| is_message_text(text));
    if !is_text {
        return Err(TopicRefusal::invalid(
            "Message",
            "Message Reason: Invalid characters found",
        ));
    }
    if let Some(subject) = &publication.subject {
        validate_subject(subject)?;
    }
    validate_attributes(&publication.attributes, limits::PUBLICATION_ATTRIBUTES_MAX).map_err(
        |refusal| TopicRefusal::ParameterValueInvalid {
            field: "MessageAttributes",
            detail: refusal.to_string(),
        },
    )?;
    validate_ids(topic, publication)
}

fn validate_subject(subject: &str) -> Result<(), TopicRefusal> {
    let valid = !subject.is_empty()
        && subject.chars().count() < limits::SUBJECT_LENGTH_MAX
        && !subject.chars().any(char::is_control)
        // It travels in messages.
        && is_message_text(subject);
    if valid {
        Ok(())
    } else {
        Err(TopicRefusal::invalid("Subject", "Subject"))
    }
}

fn validate_ids(topic: &Topic, publication: &Publication) -> Result<(), TopicRefusal> {
    match &publication.group {
        None if topic.fifo.is_some() => {
            return Err(TopicRefusal::invalid(
                "MessageGroupId",
                "The MessageGroupId parameter is required for FIFO topics",
            ));
        }
        Some(group) if !is_id(group) => {
            return Err(TopicRefusal::invalid(
                "MessageGroupId",
                "MessageGroupId Reason: it can only include alphanumeric and punctuation \
                 characters, 1 to 128 in length",
            ));
        }
        Some(_) | None => {}
    }
    match (&topic.fifo, &publication.deduplication) {
        (None, Some(_)) => Err(TopicRefusal::invalid(
            "MessageDeduplicationId",
            "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter \
             that is not valid for this topic type",
        )),
        (Some(_), Some(id)) if !is_id(id) => Err(TopicRefusal::invalid(
            "MessageDeduplicationId",
            "MessageDeduplicationId Reason: it can only include alphanumeric and punctuation \
             characters, 1 to 128 in length",
        )),
        (Some(fifo), None) if !fifo.content_based_deduplication => Err(TopicRefusal::invalid(
            "MessageDeduplicationId",
            "The topic should either have ContentBasedDeduplication enabled or \
             MessageDeduplicationId provided explicitly",
        )),
        (Some(_) | None, _) => Ok(()),
    }
}

/// The id as sent, else the SHA-256 of the message; none on a standard topic. FIFO queues
/// that subscribe get this id with their copy.
pub fn deduplication_id(topic: &Topic, publication: &Publication) -> Option<String> {
    topic.fifo.as_ref()?;
    Some(match &publication.deduplication {
        Some(id) => id.clone(),
        None => content_id(&publication.message),
    })
}

/// What to look stored entries up by; none on a standard topic.
pub fn deduplication_key(topic: &Topic, publication: &Publication) -> Option<DedupKey> {
    let scope = topic.fifo.as_ref()?.deduplication_scope;
    let id = deduplication_id(topic, publication)?;
    Some(scoped_key(scope, publication.group.as_deref(), id))
}

/// As on a FIFO queue: five minutes from the first publication, whatever became of it.
pub fn deduplicate(
    topic: &Topic,
    publication: &Publication,
    hits: &[DedupEntry],
    now_ms: i64,
) -> Deduplication {
    match deduplication_key(topic, publication) {
        Some(key) => key.find(hits, now_ms),
        None => Deduplication::Unique,
    }
}
