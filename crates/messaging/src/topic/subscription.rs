//! A subscription: where copies go and which ones.

use serde::{Deserialize, Serialize};

use super::filter::FilterPolicy;
use super::limits;
use super::publication::Topic;
use super::refusal::TopicRefusal;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    Queue,
    Http,
    Https,
    Email,
    EmailJson,
}

impl Protocol {
    /// Its name in the API, and as a key of `MessageStructure=json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queue => "sqs",
            Self::Http => "http",
            Self::Https => "https",
            Self::Email => "email",
            Self::EmailJson => "email-json",
        }
    }

    pub fn from_name(name: &str) -> Result<Self, TopicRefusal> {
        [
            Self::Queue,
            Self::Http,
            Self::Https,
            Self::Email,
            Self::EmailJson,
        ]
        .into_iter()
        .find(|protocol| protocol.name() == name)
        .ok_or_else(|| {
            TopicRefusal::invalid(
                "Protocol",
                format!(
                    "Amazon SNS does not support this protocol string: {}",
                    name.escape_default()
                ),
            )
        })
    }

    /// A queue of the same owner needs no confirmation.
    pub fn needs_confirmation(self) -> bool {
        match self {
            Self::Queue => false,
            Self::Http | Self::Https | Self::Email | Self::EmailJson => true,
        }
    }

    fn supports_raw(self) -> bool {
        match self {
            Self::Queue | Self::Http | Self::Https => true,
            Self::Email | Self::EmailJson => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    pub id: String,
    pub protocol: Protocol,
    /// The queue's name (or ARN), the URL, the e-mail address.
    pub endpoint: String,
    /// The message as it was published, without the envelope.
    #[serde(default)]
    pub raw: bool,
    #[serde(default)]
    pub filter: Option<FilterPolicy>,
    /// The dead-letter queue of what cannot be delivered.
    #[serde(default)]
    pub redrive: Option<String>,
    #[serde(default)]
    pub confirmed: bool,
}

impl Subscription {
    pub fn validate(&self, topic: &Topic) -> Result<(), TopicRefusal> {
        if !is_endpoint(self.protocol, &self.endpoint) {
            return Err(TopicRefusal::invalid(
                "Endpoint",
                match self.protocol {
                    Protocol::Queue => "SQS endpoint ARN",
                    Protocol::Http => "Endpoint must match the specified protocol: http://",
                    Protocol::Https => "Endpoint must match the specified protocol: https://",
                    Protocol::Email | Protocol::EmailJson => "Email address",
                },
            ));
        }
        if self.raw && !self.protocol.supports_raw() {
            return Err(TopicRefusal::invalid(
                "RawMessageDelivery",
                format!(
                    "Attributes Reason: Delivery protocol [{}] does not support raw message \
                     delivery.",
                    self.protocol.name()
                ),
            ));
        }
        if topic.fifo.is_some() && self.protocol != Protocol::Queue {
            return Err(TopicRefusal::invalid(
                "Protocol",
                format!(
                    "Endpoint Reason: FIFO SNS Topics do not support the protocol {}",
                    self.protocol.name()
                ),
            ));
        }
        if topic.fifo.is_none() && self.protocol == Protocol::Queue && is_fifo(&self.endpoint) {
            return Err(TopicRefusal::invalid(
                "Endpoint",
                "Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics",
            ));
        }
        match &self.redrive {
            Some(queue) if queue.is_empty() => Err(TopicRefusal::invalid(
                "RedrivePolicy",
                "RedrivePolicy: deadLetterTargetArn is empty",
            )),
            Some(queue) if is_fifo(queue) != (topic.fifo.is_some() && is_fifo(&self.endpoint)) => {
                Err(TopicRefusal::invalid(
                    "RedrivePolicy",
                    "RedrivePolicy: must use a dead-letter queue of the same type as the \
                     subscription",
                ))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn is_fifo(queue: &str) -> bool {
    queue.ends_with(".fifo")
}

fn is_endpoint(protocol: Protocol, endpoint: &str) -> bool {
    let plain = !endpoint.is_empty()
        && endpoint.len() <= limits::ENDPOINT_BYTES_MAX
        && !endpoint
            .chars()
            .any(|character| character.is_whitespace() || character.is_control());
    let after = |scheme: &str| {
        endpoint
            .strip_prefix(scheme)
            .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
    };
    plain
        && match protocol {
            Protocol::Queue => true,
            Protocol::Http => after("http://"),
            Protocol::Https => after("https://"),
            Protocol::Email | Protocol::EmailJson => endpoint
                .rsplit_once('@')
                .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty()),
        }
}
