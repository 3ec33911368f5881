//! The answers, and how they are written in both protocols.
//!
//! What always holds: a list or map that is empty is left out, as Amazon does, but for
//! `queueUrls` of dead-letter sources, which the model requires and Python indexes.

use std::collections::BTreeMap;

use serde::Serialize;

use super::request::Action;
use crate::aws::attribute::MessageAttribute;
use crate::aws::collect::to_base64;
use crate::aws::error::AwsError;
use crate::aws::form::Service;
use crate::aws::xml::Xml;

/// A variant has the action's name and, in JSON, its members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged, rename_all_fields = "PascalCase")]
pub enum Response {
    AddPermission,
    CancelMessageMoveTask {
        approximate_number_of_messages_moved: i64,
    },
    ChangeMessageVisibility,
    ChangeMessageVisibilityBatch(BatchResult<SuccessfulEntry>),
    CreateQueue {
        queue_url: String,
    },
    DeleteMessage,
    DeleteMessageBatch(BatchResult<SuccessfulEntry>),
    DeleteQueue,
    GetQueueAttributes {
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        attributes: BTreeMap<String, String>,
    },
    GetQueueUrl {
        queue_url: String,
    },
    ListDeadLetterSourceQueues {
        /// In lower case here alone.
        #[serde(rename = "queueUrls")]
        queue_urls: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        next_token: Option<String>,
    },
    ListMessageMoveTasks {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        results: Vec<MoveTask>,
    },
    ListQueueTags {
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        tags: BTreeMap<String, String>,
    },
    ListQueues {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        queue_urls: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        next_token: Option<String>,
    },
    PurgeQueue,
    ReceiveMessage {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        messages: Vec<Message>,
    },
    RemovePermission,
    SendMessage(SentMessage),
    SendMessageBatch(BatchResult<SentEntry>),
    SetQueueAttributes,
    StartMessageMoveTask {
        task_handle: String,
    },
    TagQueue,
    UntagQueue,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct BatchResult<T> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub successful: Vec<T>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SuccessfulEntry {
    pub id: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FailedEntry {
    pub id: String,
    pub sender_fault: bool,
    /// The code of the query protocol, in JSON too.
    pub code: String,
    pub message: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SentMessage {
    #[serde(rename = "MD5OfMessageBody")]
    pub md5_of_message_body: String,
    #[serde(
        rename = "MD5OfMessageAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    pub md5_of_message_attributes: Option<String>,
    #[serde(
        rename = "MD5OfMessageSystemAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    pub md5_of_message_system_attributes: Option<String>,
    #[serde(rename = "MessageId")]
    pub message_id: String,
    /// Of a FIFO queue only.
    #[serde(rename = "SequenceNumber", skip_serializing_if = "Option::is_none")]
    pub sequence_number: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SentEntry {
    #[serde(rename = "Id")]
    pub id: String,
    #[serde(flatten)]
    pub message: SentMessage,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Message {
    pub message_id: String,
    pub receipt_handle: String,
    #[serde(rename = "MD5OfBody")]
    pub md5_of_body: String,
    pub body: String,
    /// System attributes, those asked for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// Of the attributes below.
    #[serde(
        rename = "MD5OfMessageAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    pub md5_of_message_attributes: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub message_attributes: BTreeMap<String, MessageAttribute>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct MoveTask {
    /// Only of a task that is running.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_handle: Option<String>,
    /// `RUNNING`, `COMPLETED`, `CANCELLING`, `CANCELLED` or `FAILED`.
    pub status: String,
    pub source_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_number_of_messages_per_second: Option<i32>,
    pub approximate_number_of_messages_moved: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approximate_number_of_messages_to_move: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// Milliseconds since the epoch.
    pub started_timestamp: i64,
}

impl FailedEntry {
    pub fn new(id: impl Into<String>, error: &AwsError) -> Self {
        Self {
            id: id.into(),
            sender_fault: error.code.is_sender_fault(),
            code: error.code.query_code(Service::Sqs),
            message: error.message.clone(),
        }
    }
}

impl Response {
    pub const fn action(&self) -> Action {
        match self {
            Self::AddPermission => Action::AddPermission,
            Self::CancelMessageMoveTask { .. } => Action::CancelMessageMoveTask,
            Self::ChangeMessageVisibility => Action::ChangeMessageVisibility,
            Self::ChangeMessageVisibilityBatch(_) => Action::ChangeMessageVisibilityBatch,
            Self::CreateQueue { .. } => Action::CreateQueue,
            Self::DeleteMessage => Action::DeleteMessage,
            Self::DeleteMessageBatch(_) => Action::DeleteMessageBatch,
            Self::DeleteQueue => Action::DeleteQueue,
            Self::GetQueueAttributes { .. } => Action::GetQueueAttributes,
            Self::GetQueueUrl { .. } => Action::GetQueueUrl,
            Self::ListDeadLetterSourceQueues { .. } => Action::ListDeadLetterSourceQueues,
            Self::ListMessageMoveTasks { .. } => Action::ListMessageMoveTasks,
            Self::ListQueueTags { .. } => Action::ListQueueTags,
            Self::ListQueues { .. } => Action::ListQueues,
            Self::PurgeQueue => Action::PurgeQueue,
            Self::ReceiveMessage { .. } => Action::ReceiveMessage,
            Self::RemovePermission => Action::RemovePermission,
            Self::SendMessage(_) => Action::SendMessage,
            Self::SendMessageBatch(_) => Action::SendMessageBatch,
            Self::SetQueueAttributes => Action::SetQueueAttributes,
            Self::StartMessageMoveTask { .. } => Action::StartMessageMoveTask,
            Self::TagQueue => Action::TagQueue,
            Self::UntagQueue => Action::UntagQueue,
        }
    }

    /// The body of an answer with status 200.
    pub fn to_json(&self) -> Vec<u8> {
        if self.is_empty() {
            return b"{}".to_vec();
        }
        serde_json::to_vec(self).expect("texts and numbers have a JSON form")
    }

    /// The same for the query protocol.
    pub fn to_xml(&self, request_id: &str) -> Vec<u8> {
        let result = |xml: &mut Xml| self.write_result(xml);
        let result: Option<&dyn Fn(&mut Xml)> = if self.is_empty() { None } else { Some(&result) };
        Xml::response(Service::Sqs, self.action().as_str(), request_id, result)
    }

    /// Whether the action has no result at all.
    const fn is_empty(&self) -> bool {
        matches!(
            self,
            Self::AddPermission
                | Self::ChangeMessageVisibility
                | Self::DeleteMessage
                | Self::DeleteQueue
                | Self::PurgeQueue
                | Self::RemovePermission
                | Self::SetQueueAttributes
                | Self::TagQueue
                | Self::UntagQueue
        )
    }

    fn write_result(&self, xml: &mut Xml) {
        match self {
            Self::AddPermission
            | Self::ChangeMessageVisibility
            | Self::DeleteMessage
            | Self::DeleteQueue
            | Self::PurgeQueue
            | Self::RemovePermission
            | Self::SetQueueAttributes
            | Self::TagQueue
            | Self::UntagQueue => {}
            Self::CancelMessageMoveTask {
                approximate_number_of_messages_moved,
            } => xml.number(
                "ApproximateNumberOfMessagesMoved",
                *approximate_number_of_messages_moved,
            ),
            Self::ChangeMessageVisibilityBatch(result) => {
                write_batch(xml, "ChangeMessageVisibilityBatchResultEntry", result);
            }
            Self::CreateQueue { queue_url } | Self::GetQueueUrl { queue_url } => {
                xml.text("QueueUrl", queue_url);
            }
            Self::DeleteMessageBatch(result) => {
                write_batch(xml, "DeleteMessageBatchResultEntry", result)
            }
            Self::GetQueueAttributes { attributes } => {
                write_strings(xml, "Attribute", "Name", attributes);
            }
            Self::ListDeadLetterSourceQueues {
                queue_urls,
                next_token,
            }
            | Self::ListQueues {
                queue_urls,
                next_token,
            } => {
                for queue_url in queue_urls {
                    xml.text("QueueUrl", queue_url);
                }
                xml.optional("NextToken", next_token.as_deref());
            }
            Self::ListMessageMoveTasks { results } => {
                for task in results {
                    xml.element("ListMessageMoveTasksResultEntry", |xml| task.write(xml));
                }
            }
            Self::ListQueueTags { tags } => write_strings(xml, "Tag", "Key", tags),
            Self::ReceiveMessage { messages } => {
                for message in messages {
                    xml.element("Message", |xml| message.write(xml));
                }
            }
            Self::SendMessage(message) => message.write(xml),
            Self::SendMessageBatch(result) => {
                write_batch(xml, "SendMessageBatchResultEntry", result)
            }
            Self::StartMessageMoveTask { task_handle } => xml.text("TaskHandle", task_handle),
        }
    }
}

fn write_strings(xml: &mut Xml, element: &str, key: &str, strings: &BTreeMap<String, String>) {
    for (name, value) in strings {
        xml.element(element, |xml| {
            xml.text(key, name);
            xml.text("Value", value);
        });
    }
}

/// What stands in the list of the successful.
trait WriteEntry {
    fn write(&self, xml: &mut Xml);
}

fn write_batch<T: WriteEntry>(xml: &mut Xml, element: &str, result: &BatchResult<T>) {
    for entry in &result.successful {
        xml.element(element, |xml| entry.write(xml));
    }
    for entry in &result.failed {
        xml.element("BatchResultErrorEntry", |xml| {
            xml.text("Id", &entry.id);
            xml.text("Code", &entry.code);
            xml.text("Message", &entry.message);
            let sender_fault = if entry.sender_fault { "true" } else { "false" };
            xml.text("SenderFault", sender_fault);
        });
    }
}

impl WriteEntry for SuccessfulEntry {
    fn write(&self, xml: &mut Xml) {
        xml.text("Id", &self.id);
    }
}

impl WriteEntry for SentEntry {
    fn write(&self, xml: &mut Xml) {
        xml.text("Id", &self.id);
        self.message.write(xml);
    }
}

impl SentMessage {
    fn write(&self, xml: &mut Xml) {
        let attributes = self.md5_of_message_attributes.as_deref();
        let system_attributes = self.md5_of_message_system_attributes.as_deref();
        xml.text("MessageId", &self.message_id);
        xml.text("MD5OfMessageBody", &self.md5_of_message_body);
        xml.optional("MD5OfMessageAttributes", attributes);
        xml.optional("MD5OfMessageSystemAttributes", system_attributes);
        xml.optional("SequenceNumber", self.sequence_number.as_deref());
    }
}

impl Message {
    fn write(&self, xml: &mut Xml) {
        xml.text("MessageId", &self.message_id);
        xml.text("ReceiptHandle", &self.receipt_handle);
        xml.text("MD5OfBody", &self.md5_of_body);
        let attributes = self.md5_of_message_attributes.as_deref();
        xml.optional("MD5OfMessageAttributes", attributes);
        xml.text("Body", &self.body);
        write_strings(xml, "Attribute", "Name", &self.attributes);
        for (name, attribute) in &self.message_attributes {
            xml.element("MessageAttribute", |xml| {
                xml.text("Name", name);
                xml.element("Value", |xml| {
                    let binary = attribute.binary_value.as_deref().map(to_base64);
                    xml.optional("StringValue", attribute.string_value.as_deref());
                    xml.optional("BinaryValue", binary.as_deref());
                    xml.text("DataType", &attribute.data_type);
                });
            });
        }
    }
}

impl MoveTask {
    fn write(&self, xml: &mut Xml) {
        xml.optional("TaskHandle", self.task_handle.as_deref());
        xml.text("Status", &self.status);
        xml.text("SourceArn", &self.source_arn);
        xml.optional("DestinationArn", self.destination_arn.as_deref());
        if let Some(rate) = self.max_number_of_messages_per_second {
            xml.number("MaxNumberOfMessagesPerSecond", rate.into());
        }
        xml.number(
            "ApproximateNumberOfMessagesMoved",
            self.approximate_number_of_messages_moved,
        );
        if let Some(count) = self.approximate_number_of_messages_to_move {
            xml.number("ApproximateNumberOfMessagesToMove", count);
        }
        xml.optional("FailureReason", self.failure_reason.as_deref());
        xml.number("StartedTimestamp", self.started_timestamp);
    }
}
