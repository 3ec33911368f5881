//! The requests, and how they are read.
//!
//! Members are named as in the service model. Numbers are signed and unchecked, so that the
//! rules can say what is wrong with -1. A required text that is empty counts as missing, as it
//! does for Amazon.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::aws::attribute::MessageAttribute;
use crate::aws::error::{AwsError, ErrorCode};
use crate::aws::form::{Form, quoted};
use crate::aws::object::Object;
use crate::aws::query::{self, QueryError};
use crate::aws::{collect, limits};

/// `X-Amz-Target: AmazonSQS.<Action>`.
const TARGET_PREFIX: &str = "AmazonSQS.";
const QUEUE_URL: &str = "QueueUrl";

/// The parameter that is required and missing, if there is one.
trait Required {
    fn missing(&self) -> Option<&'static str>;
}

macro_rules! actions {
    ($($action:ident { $($required:ident $name:literal),* })*) => {
        /// The 23 actions.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action {
            $($action,)*
        }

        /// A request of any action. Serialized, it is the members of the action.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        pub enum Request {
            $($action($action),)*
        }

        impl Action {
            pub const ALL: &'static [Self] = &[$(Self::$action,)*];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$action => stringify!($action),)*
                }
            }
        }

        impl Request {
            pub const fn action(&self) -> Action {
                match self {
                    $(Self::$action(_) => Action::$action,)*
                }
            }

            fn decode(action: Action, from: &Source<'_>) -> Result<Self, AwsError> {
                match action {
                    $(Action::$action => from.decode().map(Self::$action),)*
                }
            }
        }

        $(impl Required for $action {
            fn missing(&self) -> Option<&'static str> {
                $(if self.$required.is_absent() {
                    return Some($name);
                })*
                None
            }
        })*
    };
}

actions! {
    AddPermission { queue_url "QueueUrl", label "Label", account_ids "AWSAccountIds", actions "Actions" }
    CancelMessageMoveTask { task_handle "TaskHandle" }
    ChangeMessageVisibility { queue_url "QueueUrl", receipt_handle "ReceiptHandle", visibility_timeout "VisibilityTimeout" }
    ChangeMessageVisibilityBatch { queue_url "QueueUrl" }
    CreateQueue { queue_name "QueueName" }
    DeleteMessage { queue_url "QueueUrl", receipt_handle "ReceiptHandle" }
    DeleteMessageBatch { queue_url "QueueUrl" }
    DeleteQueue { queue_url "QueueUrl" }
    GetQueueAttributes { queue_url "QueueUrl" }
    GetQueueUrl { queue_name "QueueName" }
    ListDeadLetterSourceQueues { queue_url "QueueUrl" }
    ListMessageMoveTasks { source_arn "SourceArn" }
    ListQueueTags { queue_url "QueueUrl" }
    ListQueues { }
    PurgeQueue { queue_url "QueueUrl" }
    ReceiveMessage { queue_url "QueueUrl" }
    RemovePermission { queue_url "QueueUrl", label "Label" }
    SendMessage { queue_url "QueueUrl", message_body "MessageBody" }
    SendMessageBatch { queue_url "QueueUrl" }
    SetQueueAttributes { queue_url "QueueUrl", attributes "Attributes" }
    StartMessageMoveTask { source_arn "SourceArn" }
    TagQueue { queue_url "QueueUrl", tags "Tags" }
    UntagQueue { queue_url "QueueUrl", tag_keys "TagKeys" }
}

impl Action {
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|action| action.as_str() == name)
    }
}

enum Source<'a> {
    Json(&'a [u8]),
    Form(&'a Form),
}

impl Request {
    /// AWS JSON 1.0: `target` is the header `X-Amz-Target`.
    pub fn from_json(target: &str, body: &[u8]) -> Result<Self, AwsError> {
        let action = target.strip_prefix(TARGET_PREFIX).and_then(Action::parse);
        let action = action.ok_or_else(|| {
            AwsError::new(
                ErrorCode::InvalidAction,
                format!("The operation {} is not known.", quoted(target)),
            )
        })?;
        if body.len() > limits::REQUEST_BYTES_MAX {
            return Err(AwsError::too_large());
        }
        // A client that has nothing to say may leave the body out.
        let body = if body.is_empty() { b"{}" } else { body };
        Self::decode(action, &Source::Json(body))
    }

    /// The query protocol. `path` is the URL's: a request sent to a queue's URL need not name
    /// the queue again.
    pub fn from_form(form: Form, path: &str) -> Result<Self, AwsError> {
        let name = form.action()?;
        let action = Action::parse(name).ok_or_else(|| {
            AwsError::new(
                ErrorCode::InvalidAction,
                format!(
                    "The action {} is not valid for this endpoint.",
                    quoted(name)
                ),
            )
        })?;
        let form = if path.len() > 1 && form.get(QUEUE_URL).is_none() {
            form.with(QUEUE_URL, path)
        } else {
            form
        };
        Self::decode(action, &Source::Form(&form))
    }
}

impl Source<'_> {
    fn decode<T: DeserializeOwned + Required>(&self) -> Result<T, AwsError> {
        let request: T = match self {
            Self::Json(body) => {
                let Object(request) =
                    serde_json::from_slice(body).map_err(|error| describe::<T>(body, &error))?;
                request
            }
            Self::Form(form) => query::decode(form).map_err(from_query_error)?,
        };
        match request.missing() {
            Some(parameter) => Err(AwsError::missing_parameter(parameter)),
            None => Ok(request),
        }
    }
}

/// Reads it once more, slowly, to find which member is at fault.
fn describe<T: DeserializeOwned>(body: &[u8], error: &serde_json::Error) -> AwsError {
    let mut json = serde_json::Deserializer::from_slice(body);
    let message = match serde_path_to_error::deserialize::<_, Object<T>>(&mut json) {
        Err(error) => match error.path().to_string().as_str() {
            // The body as a whole.
            "." | "?" => error.into_inner().to_string(),
            path => format!("{}: {}", quoted(path), error.inner()),
        },
        Ok(_) => error.to_string(),
    };
    AwsError::new(ErrorCode::MalformedInput, message)
}

fn from_query_error(error: QueryError) -> AwsError {
    match error {
        QueryError::Missing { parameter } => AwsError::missing_parameter(quoted(&parameter)),
        QueryError::Invalid { parameter, reason } => AwsError::new(
            ErrorCode::InvalidParameterValue,
            format!(
                "Value for parameter {} is invalid. Reason: {reason}.",
                quoted(&parameter)
            ),
        ),
    }
}

trait Absent {
    fn is_absent(&self) -> bool;
}

impl Absent for String {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

impl<T> Absent for Option<T> {
    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T> Absent for Vec<T> {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

impl<K, V> Absent for BTreeMap<K, V> {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

type Attributes = BTreeMap<String, MessageAttribute>;
type Strings = BTreeMap<String, String>;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AddPermission {
    pub queue_url: String,
    pub label: String,
    #[serde(rename = "AWSAccountIds", deserialize_with = "collect::list")]
    pub account_ids: Vec<String>,
    #[serde(deserialize_with = "collect::list")]
    pub actions: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CancelMessageMoveTask {
    pub task_handle: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ChangeMessageVisibility {
    pub queue_url: String,
    pub receipt_handle: String,
    /// Always there in a request that was decoded.
    #[serde(deserialize_with = "collect::integer")]
    pub visibility_timeout: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ChangeMessageVisibilityBatch {
    pub queue_url: String,
    #[serde(deserialize_with = "collect::entries")]
    pub entries: Vec<ChangeMessageVisibilityEntry>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ChangeMessageVisibilityEntry {
    pub id: String,
    pub receipt_handle: String,
    #[serde(deserialize_with = "collect::integer")]
    pub visibility_timeout: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateQueue {
    pub queue_name: String,
    #[serde(deserialize_with = "collect::map")]
    pub attributes: Strings,
    /// The model has it in lower case, here alone.
    #[serde(rename = "tags", alias = "Tags", deserialize_with = "collect::map")]
    pub tags: Strings,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeleteMessage {
    pub queue_url: String,
    pub receipt_handle: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeleteMessageBatch {
    pub queue_url: String,
    #[serde(deserialize_with = "collect::entries")]
    pub entries: Vec<DeleteMessageEntry>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeleteMessageEntry {
    pub id: String,
    pub receipt_handle: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeleteQueue {
    pub queue_url: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GetQueueAttributes {
    pub queue_url: String,
    #[serde(deserialize_with = "collect::list")]
    pub attribute_names: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GetQueueUrl {
    pub queue_name: String,
    #[serde(rename = "QueueOwnerAWSAccountId")]
    pub queue_owner_account_id: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListDeadLetterSourceQueues {
    pub queue_url: String,
    pub next_token: Option<String>,
    #[serde(deserialize_with = "collect::integer")]
    pub max_results: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListMessageMoveTasks {
    pub source_arn: String,
    #[serde(deserialize_with = "collect::integer")]
    pub max_results: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListQueueTags {
    pub queue_url: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListQueues {
    pub queue_name_prefix: Option<String>,
    pub next_token: Option<String>,
    #[serde(deserialize_with = "collect::integer")]
    pub max_results: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PurgeQueue {
    pub queue_url: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ReceiveMessage {
    pub queue_url: String,
    /// The older name of the next one; what either asks for is returned.
    #[serde(deserialize_with = "collect::list")]
    pub attribute_names: Vec<String>,
    #[serde(deserialize_with = "collect::list")]
    pub message_system_attribute_names: Vec<String>,
    #[serde(deserialize_with = "collect::list")]
    pub message_attribute_names: Vec<String>,
    #[serde(deserialize_with = "collect::integer")]
    pub max_number_of_messages: Option<i32>,
    #[serde(deserialize_with = "collect::integer")]
    pub visibility_timeout: Option<i32>,
    #[serde(deserialize_with = "collect::integer")]
    pub wait_time_seconds: Option<i32>,
    pub receive_request_attempt_id: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RemovePermission {
    pub queue_url: String,
    pub label: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SendMessage {
    pub queue_url: String,
    pub message_body: String,
    #[serde(deserialize_with = "collect::integer")]
    pub delay_seconds: Option<i32>,
    #[serde(deserialize_with = "collect::map")]
    pub message_attributes: Attributes,
    #[serde(deserialize_with = "collect::map")]
    pub message_system_attributes: Attributes,
    pub message_deduplication_id: Option<String>,
    pub message_group_id: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SendMessageBatch {
    pub queue_url: String,
    #[serde(deserialize_with = "collect::entries")]
    pub entries: Vec<SendMessageEntry>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SendMessageEntry {
    pub id: String,
    pub message_body: String,
    #[serde(deserialize_with = "collect::integer")]
    pub delay_seconds: Option<i32>,
    #[serde(deserialize_with = "collect::map")]
    pub message_attributes: Attributes,
    #[serde(deserialize_with = "collect::map")]
    pub message_system_attributes: Attributes,
    pub message_deduplication_id: Option<String>,
    pub message_group_id: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SetQueueAttributes {
    pub queue_url: String,
    #[serde(deserialize_with = "collect::map")]
    pub attributes: Strings,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct StartMessageMoveTask {
    pub source_arn: String,
    pub destination_arn: Option<String>,
    #[serde(deserialize_with = "collect::integer")]
    pub max_number_of_messages_per_second: Option<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TagQueue {
    pub queue_url: String,
    #[serde(deserialize_with = "collect::map")]
    pub tags: Strings,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UntagQueue {
    pub queue_url: String,
    #[serde(deserialize_with = "collect::list")]
    pub tag_keys: Vec<String>,
}
