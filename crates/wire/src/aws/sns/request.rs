//! The requests, and how they are read from a form.
//!
//! A required text that is empty counts as missing.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::aws::attribute::MessageAttribute;
use crate::aws::collect;
use crate::aws::error::{AwsError, ErrorCode};
use crate::aws::form::{Form, quoted};
use crate::aws::query::{self, QueryError};

/// The parameter that is required and missing, if there is one.
trait Required {
    fn missing(&self) -> Option<&'static str>;
}

macro_rules! actions {
    ($($action:ident { $($required:ident $name:literal),* })*) => {
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

            fn decode(action: Action, form: &Form) -> Result<Self, AwsError> {
                match action {
                    $(Action::$action => decode(form).map(Self::$action),)*
                }
            }
        }

        $(impl Required for $action {
            fn missing(&self) -> Option<&'static str> {
                $(if self.$required.is_empty() {
                    return Some($name);
                })*
                None
            }
        })*
    };
}

actions! {
    AddPermission { topic_arn "TopicArn", label "Label", account_ids "AWSAccountId", actions "ActionName" }
    ConfirmSubscription { topic_arn "TopicArn", token "Token" }
    CreateTopic { name "Name" }
    DeleteTopic { topic_arn "TopicArn" }
    GetSubscriptionAttributes { subscription_arn "SubscriptionArn" }
    GetTopicAttributes { topic_arn "TopicArn" }
    ListSubscriptions { }
    ListSubscriptionsByTopic { topic_arn "TopicArn" }
    ListTagsForResource { resource_arn "ResourceArn" }
    ListTopics { }
    Publish { }
    PublishBatch { topic_arn "TopicArn" }
    RemovePermission { topic_arn "TopicArn", label "Label" }
    SetSubscriptionAttributes { subscription_arn "SubscriptionArn", attribute_name "AttributeName" }
    SetTopicAttributes { topic_arn "TopicArn", attribute_name "AttributeName" }
    Subscribe { topic_arn "TopicArn", protocol "Protocol" }
    TagResource { resource_arn "ResourceArn", tags "Tags" }
    Unsubscribe { subscription_arn "SubscriptionArn" }
    UntagResource { resource_arn "ResourceArn", tag_keys "TagKeys" }
}

impl Action {
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|action| action.as_str() == name)
    }
}

impl Request {
    pub fn from_form(form: &Form) -> Result<Self, AwsError> {
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
        Self::decode(action, form)
    }
}

fn decode<T: DeserializeOwned + Required>(form: &Form) -> Result<T, AwsError> {
    let request: T = query::decode(form).map_err(|error| match error {
        QueryError::Missing { parameter } => invalid(&parameter, NO_VALUE),
        QueryError::Invalid { parameter, reason } => invalid(&parameter, &reason),
    })?;
    match request.missing() {
        Some(parameter) => Err(invalid(parameter, NO_VALUE)),
        None => Ok(request),
    }
}

const NO_VALUE: &str = "no value for required parameter";

fn invalid(parameter: &str, reason: &str) -> AwsError {
    AwsError::new(
        ErrorCode::InvalidParameter,
        format!("Invalid parameter: {} Reason: {reason}", quoted(parameter)),
    )
}

type Attributes = BTreeMap<String, MessageAttribute>;
type Strings = BTreeMap<String, String>;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AddPermission {
    pub topic_arn: String,
    pub label: String,
    #[serde(rename = "AWSAccountId", deserialize_with = "collect::list")]
    pub account_ids: Vec<String>,
    #[serde(rename = "ActionName", deserialize_with = "collect::list")]
    pub actions: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ConfirmSubscription {
    pub topic_arn: String,
    pub token: String,
    pub authenticate_on_unsubscribe: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateTopic {
    pub name: String,
    #[serde(deserialize_with = "collect::map")]
    pub attributes: Strings,
    #[serde(deserialize_with = "collect::map")]
    pub tags: Strings,
    pub data_protection_policy: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeleteTopic {
    pub topic_arn: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GetSubscriptionAttributes {
    pub subscription_arn: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GetTopicAttributes {
    pub topic_arn: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListSubscriptions {
    pub next_token: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListSubscriptionsByTopic {
    pub topic_arn: String,
    pub next_token: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListTagsForResource {
    pub resource_arn: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListTopics {
    pub next_token: Option<String>,
}

/// To one of topic, target and telephone. Which of them, and an empty message, is for the
/// rules, because SNS has words of its own for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Publish {
    pub topic_arn: Option<String>,
    pub target_arn: Option<String>,
    pub phone_number: Option<String>,
    pub message: String,
    pub subject: Option<String>,
    pub message_structure: Option<String>,
    #[serde(deserialize_with = "collect::map")]
    pub message_attributes: Attributes,
    pub message_deduplication_id: Option<String>,
    pub message_group_id: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PublishBatch {
    pub topic_arn: String,
    #[serde(
        rename = "PublishBatchRequestEntries",
        deserialize_with = "collect::entries"
    )]
    pub entries: Vec<PublishEntry>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PublishEntry {
    pub id: String,
    pub message: String,
    pub subject: Option<String>,
    pub message_structure: Option<String>,
    #[serde(deserialize_with = "collect::map")]
    pub message_attributes: Attributes,
    pub message_deduplication_id: Option<String>,
    pub message_group_id: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RemovePermission {
    pub topic_arn: String,
    pub label: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SetSubscriptionAttributes {
    pub subscription_arn: String,
    pub attribute_name: String,
    pub attribute_value: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SetTopicAttributes {
    pub topic_arn: String,
    pub attribute_name: String,
    pub attribute_value: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Subscribe {
    pub topic_arn: String,
    pub protocol: String,
    pub endpoint: Option<String>,
    #[serde(deserialize_with = "collect::map")]
    pub attributes: Strings,
    /// The ARN also of a subscription that is not confirmed yet.
    #[serde(deserialize_with = "collect::boolean")]
    pub return_subscription_arn: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TagResource {
    pub resource_arn: String,
    #[serde(deserialize_with = "collect::map")]
    pub tags: Strings,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Unsubscribe {
    pub subscription_arn: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UntagResource {
    pub resource_arn: String,
    #[serde(deserialize_with = "collect::list")]
    pub tag_keys: Vec<String>,
}
