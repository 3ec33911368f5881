//! An answer of SNS, as it was recorded, to the value that it must have been written from.

use std::collections::BTreeMap;

use wire::aws::sns::{FailedEntry, PublishedEntry, Response, Subscription};

use crate::xml::Element;

/// What is not read here, the comparison with what is written finds missing.
pub(crate) fn from_xml(action: &str, result: Option<&Element>) -> Response {
    let of = |name: &str| {
        result
            .and_then(|result| result.text(name))
            .map(str::to_owned)
    };
    match action {
        "AddPermission" => Response::AddPermission,
        "ConfirmSubscription" => Response::ConfirmSubscription {
            subscription_arn: of("SubscriptionArn").unwrap(),
        },
        "CreateTopic" => Response::CreateTopic {
            topic_arn: of("TopicArn").unwrap(),
        },
        "DeleteTopic" => Response::DeleteTopic,
        "GetSubscriptionAttributes" => Response::GetSubscriptionAttributes {
            attributes: attributes(result),
        },
        "GetTopicAttributes" => Response::GetTopicAttributes {
            attributes: attributes(result),
        },
        "ListSubscriptions" => Response::ListSubscriptions {
            subscriptions: members(result, "Subscriptions").map(subscription).collect(),
            next_token: of("NextToken"),
        },
        "ListSubscriptionsByTopic" => Response::ListSubscriptionsByTopic {
            subscriptions: members(result, "Subscriptions").map(subscription).collect(),
            next_token: of("NextToken"),
        },
        "ListTagsForResource" => Response::ListTagsForResource {
            tags: members(result, "Tags")
                .map(|tag| (text(tag, "Key"), text(tag, "Value")))
                .collect(),
        },
        "ListTopics" => Response::ListTopics {
            topic_arns: members(result, "Topics")
                .map(|topic| text(topic, "TopicArn"))
                .collect(),
            next_token: of("NextToken"),
        },
        "Publish" => Response::Publish {
            message_id: of("MessageId").unwrap(),
            sequence_number: of("SequenceNumber"),
        },
        "PublishBatch" => Response::PublishBatch {
            successful: members(result, "Successful")
                .map(|entry| PublishedEntry {
                    id: text(entry, "Id"),
                    message_id: text(entry, "MessageId"),
                    sequence_number: entry.text("SequenceNumber").map(str::to_owned),
                })
                .collect(),
            failed: members(result, "Failed")
                .map(|entry| FailedEntry {
                    id: text(entry, "Id"),
                    sender_fault: text(entry, "SenderFault") == "true",
                    code: text(entry, "Code"),
                    message: text(entry, "Message"),
                })
                .collect(),
        },
        "RemovePermission" => Response::RemovePermission,
        "SetSubscriptionAttributes" => Response::SetSubscriptionAttributes,
        "SetTopicAttributes" => Response::SetTopicAttributes,
        "Subscribe" => Response::Subscribe {
            subscription_arn: of("SubscriptionArn").unwrap(),
        },
        "TagResource" => Response::TagResource,
        "Unsubscribe" => Response::Unsubscribe,
        "UntagResource" => Response::UntagResource,
        _ => panic!("{action} is no action"),
    }
}

fn members<'a>(result: Option<&'a Element>, list: &str) -> std::slice::Iter<'a, Element> {
    let list = result.and_then(|result| result.child(list)).unwrap();
    assert!(list.children.iter().all(|child| child.name == "member"));
    list.children.iter()
}

fn attributes(result: Option<&Element>) -> BTreeMap<String, String> {
    let attributes = result
        .and_then(|result| result.child("Attributes"))
        .unwrap();
    let entries = attributes.children("entry");
    entries
        .map(|entry| (text(entry, "key"), text(entry, "value")))
        .collect()
}

fn subscription(member: &Element) -> Subscription {
    Subscription {
        subscription_arn: text(member, "SubscriptionArn"),
        owner: text(member, "Owner"),
        protocol: text(member, "Protocol"),
        endpoint: text(member, "Endpoint"),
        topic_arn: text(member, "TopicArn"),
    }
}

fn text(element: &Element, name: &str) -> String {
    element
        .text(name)
        .unwrap_or_else(|| panic!("no {name}"))
        .to_owned()
}
