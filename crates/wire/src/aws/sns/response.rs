//! The answers, and how they are written.

use std::collections::BTreeMap;

use super::request::Action;
use crate::aws::error::AwsError;
use crate::aws::form::Service;
use crate::aws::xml::Xml;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    AddPermission,
    ConfirmSubscription {
        subscription_arn: String,
    },
    CreateTopic {
        topic_arn: String,
    },
    DeleteTopic,
    GetSubscriptionAttributes {
        attributes: BTreeMap<String, String>,
    },
    GetTopicAttributes {
        attributes: BTreeMap<String, String>,
    },
    ListSubscriptions {
        subscriptions: Vec<Subscription>,
        next_token: Option<String>,
    },
    ListSubscriptionsByTopic {
        subscriptions: Vec<Subscription>,
        next_token: Option<String>,
    },
    ListTagsForResource {
        tags: BTreeMap<String, String>,
    },
    ListTopics {
        topic_arns: Vec<String>,
        next_token: Option<String>,
    },
    Publish {
        message_id: String,
        /// Of a FIFO topic only.
        sequence_number: Option<String>,
    },
    PublishBatch {
        successful: Vec<PublishedEntry>,
        failed: Vec<FailedEntry>,
    },
    RemovePermission,
    SetSubscriptionAttributes,
    SetTopicAttributes,
    Subscribe {
        subscription_arn: String,
    },
    TagResource,
    Unsubscribe,
    UntagResource,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// `PendingConfirmation` until it is confirmed, and `Deleted` thereafter.
    pub subscription_arn: String,
    pub owner: String,
    pub protocol: String,
    pub endpoint: String,
    pub topic_arn: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishedEntry {
    pub id: String,
    pub message_id: String,
    pub sequence_number: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedEntry {
    pub id: String,
    pub sender_fault: bool,
    pub code: String,
    pub message: String,
}

impl FailedEntry {
    pub fn new(id: impl Into<String>, error: &AwsError) -> Self {
        Self {
            id: id.into(),
            sender_fault: error.code.is_sender_fault(),
            code: error.code.query_code(Service::Sns),
            message: error.message.clone(),
        }
    }
}

impl Response {
    pub const fn action(&self) -> Action {
        match self {
            Self::AddPermission => Action::AddPermission,
            Self::ConfirmSubscription { .. } => Action::ConfirmSubscription,
            Self::CreateTopic { .. } => Action::CreateTopic,
            Self::DeleteTopic => Action::DeleteTopic,
            Self::GetSubscriptionAttributes { .. } => Action::GetSubscriptionAttributes,
            Self::GetTopicAttributes { .. } => Action::GetTopicAttributes,
            Self::ListSubscriptions { .. } => Action::ListSubscriptions,
            Self::ListSubscriptionsByTopic { .. } => Action::ListSubscriptionsByTopic,
            Self::ListTagsForResource { .. } => Action::ListTagsForResource,
            Self::ListTopics { .. } => Action::ListTopics,
            Self::Publish { .. } => Action::Publish,
            Self::PublishBatch { .. } => Action::PublishBatch,
            Self::RemovePermission => Action::RemovePermission,
            Self::SetSubscriptionAttributes => Action::SetSubscriptionAttributes,
            Self::SetTopicAttributes => Action::SetTopicAttributes,
            Self::Subscribe { .. } => Action::Subscribe,
            Self::TagResource => Action::TagResource,
            Self::Unsubscribe => Action::Unsubscribe,
            Self::UntagResource => Action::UntagResource,
        }
    }

    /// The body of an answer with status 200.
    pub fn to_xml(&self, request_id: &str) -> Vec<u8> {
        let result = |xml: &mut Xml| self.write_result(xml);
        let result: Option<&dyn Fn(&mut Xml)> = if self.is_empty() { None } else { Some(&result) };
        Xml::response(Service::Sns, self.action().as_str(), request_id, result)
    }

    /// Whether the action has no result at all; those on tags have one with nothing in it.
    const fn is_empty(&self) -> bool {
        matches!(
            self,
            Self::AddPermission
                | Self::DeleteTopic
                | Self::RemovePermission
                | Self::SetSubscriptionAttributes
                | Self::SetTopicAttributes
                | Self::Unsubscribe
        )
    }

    fn write_result(&self, xml: &mut Xml) {
        match self {
            Self::AddPermission
            | Self::DeleteTopic
            | Self::RemovePermission
            | Self::SetSubscriptionAttributes
            | Self::SetTopicAttributes
            | Self::TagResource
            | Self::Unsubscribe
            | Self::UntagResource => {}
            Self::ConfirmSubscription { subscription_arn }
            | Self::Subscribe { subscription_arn } => {
                xml.text("SubscriptionArn", subscription_arn);
            }
            Self::CreateTopic { topic_arn } => xml.text("TopicArn", topic_arn),
            Self::GetSubscriptionAttributes { attributes }
            | Self::GetTopicAttributes { attributes } => write_attributes(xml, attributes),
            Self::ListSubscriptions {
                subscriptions,
                next_token,
            }
            | Self::ListSubscriptionsByTopic {
                subscriptions,
                next_token,
            } => {
                write_members(xml, "Subscriptions", subscriptions, |xml, subscription| {
                    xml.text("SubscriptionArn", &subscription.subscription_arn);
                    xml.text("Owner", &subscription.owner);
                    xml.text("Protocol", &subscription.protocol);
                    xml.text("Endpoint", &subscription.endpoint);
                    xml.text("TopicArn", &subscription.topic_arn);
                });
                xml.optional("NextToken", next_token.as_deref());
            }
            Self::ListTagsForResource { tags } => {
                write_members(xml, "Tags", tags, |xml, (key, value)| {
                    xml.text("Key", key);
                    xml.text("Value", value);
                });
            }
            Self::ListTopics {
                topic_arns,
                next_token,
            } => {
                write_members(xml, "Topics", topic_arns, |xml, arn| {
                    xml.text("TopicArn", arn);
                });
                xml.optional("NextToken", next_token.as_deref());
            }
            Self::Publish {
                message_id,
                sequence_number,
            } => {
                xml.text("MessageId", message_id);
                xml.optional("SequenceNumber", sequence_number.as_deref());
            }
            Self::PublishBatch { successful, failed } => {
                write_members(xml, "Successful", successful, |xml, entry| {
                    xml.text("Id", &entry.id);
                    xml.text("MessageId", &entry.message_id);
                    xml.optional("SequenceNumber", entry.sequence_number.as_deref());
                });
                write_members(xml, "Failed", failed, |xml, entry| {
                    xml.text("Id", &entry.id);
                    xml.text("Code", &entry.code);
                    xml.text("Message", &entry.message);
                    xml.text(
                        "SenderFault",
                        if entry.sender_fault { "true" } else { "false" },
                    );
                });
            }
        }
    }
}

fn write_attributes(xml: &mut Xml, attributes: &BTreeMap<String, String>) {
    xml.element("Attributes", |xml| {
        for (name, value) in attributes {
            xml.element("entry", |xml| {
                xml.text("key", name);
                xml.text("value", value);
            });
        }
    });
}

/// Unlike SQS, SNS writes a list also when it is empty.
fn write_members<T>(
    xml: &mut Xml,
    list: &str,
    members: impl IntoIterator<Item = T>,
    write: impl Fn(&mut Xml, T),
) {
    xml.element(list, |xml| {
        for member in members {
            xml.element("member", |xml| write(xml, member));
        }
    });
}
