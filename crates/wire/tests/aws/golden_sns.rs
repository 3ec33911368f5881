//! What the clients were told to send to a topic.

use wire::aws::sns::{
    AddPermission, ConfirmSubscription, CreateTopic, DeleteTopic, GetSubscriptionAttributes,
    GetTopicAttributes, ListSubscriptions, ListSubscriptionsByTopic, ListTagsForResource,
    ListTopics, Publish, PublishBatch, PublishEntry, RemovePermission, Request,
    SetSubscriptionAttributes, SetTopicAttributes, Subscribe, TagResource, Unsubscribe,
    UntagResource,
};

use crate::values::{BODY, attributes, list, strings, text};

pub(crate) fn expected(step: &str) -> Request {
    let topic_arn = "arn:aws:sns:us-east-1:000000000000:news".to_owned();
    let subscription_arn = format!("{topic_arn}:1");
    match step {
        "AddPermission" => Request::AddPermission(AddPermission {
            topic_arn,
            label: "l".to_owned(),
            account_ids: list(["111111111111"]),
            actions: list(["Publish"]),
        }),
        "ConfirmSubscription" => Request::ConfirmSubscription(ConfirmSubscription {
            topic_arn,
            token: "tok".to_owned(),
            authenticate_on_unsubscribe: text("true"),
        }),
        "CreateTopic" => Request::CreateTopic(CreateTopic {
            name: "news".to_owned(),
            attributes: strings([("DisplayName", "a & b"), ("FifoTopic", "false")]),
            tags: strings([("team", "shop"), ("k", "")]),
            data_protection_policy: None,
        }),
        "DeleteTopic" => Request::DeleteTopic(DeleteTopic { topic_arn }),
        "GetSubscriptionAttributes" => {
            Request::GetSubscriptionAttributes(GetSubscriptionAttributes { subscription_arn })
        }
        "GetTopicAttributes" => Request::GetTopicAttributes(GetTopicAttributes { topic_arn }),
        "ListSubscriptions" => Request::ListSubscriptions(ListSubscriptions {
            next_token: text("t1"),
        }),
        "ListSubscriptionsByTopic" => Request::ListSubscriptionsByTopic(ListSubscriptionsByTopic {
            topic_arn,
            next_token: text("t1"),
        }),
        "ListTagsForResource" => Request::ListTagsForResource(ListTagsForResource {
            resource_arn: topic_arn,
        }),
        "ListTopics" => Request::ListTopics(ListTopics {
            next_token: text("t1"),
        }),
        "Publish" => Request::Publish(Publish {
            topic_arn: Some(topic_arn),
            message: BODY.to_owned(),
            subject: text("s"),
            message_structure: text("json"),
            message_attributes: attributes(),
            ..Publish::default()
        }),
        "Publish-fifo" => Request::Publish(Publish {
            topic_arn: Some(format!("{topic_arn}.fifo")),
            message: "m".to_owned(),
            message_deduplication_id: text("d"),
            message_group_id: text("g"),
            ..Publish::default()
        }),
        "PublishBatch" => Request::PublishBatch(PublishBatch {
            topic_arn,
            entries: vec![
                PublishEntry {
                    id: "a".to_owned(),
                    message: "1".to_owned(),
                    subject: text("s"),
                    message_attributes: attributes(),
                    ..PublishEntry::default()
                },
                PublishEntry {
                    id: "b".to_owned(),
                    message_structure: text("json"),
                    message_deduplication_id: text("d"),
                    message_group_id: text("g"),
                    ..PublishEntry::default()
                },
            ],
        }),
        "RemovePermission" => Request::RemovePermission(RemovePermission {
            topic_arn,
            label: "l".to_owned(),
        }),
        "SetSubscriptionAttributes" => {
            Request::SetSubscriptionAttributes(SetSubscriptionAttributes {
                subscription_arn,
                attribute_name: "FilterPolicyScope".to_owned(),
                attribute_value: text("MessageBody"),
            })
        }
        "SetTopicAttributes" => Request::SetTopicAttributes(SetTopicAttributes {
            topic_arn,
            attribute_name: "DisplayName".to_owned(),
            attribute_value: text("c"),
        }),
        "Subscribe" => Request::Subscribe(Subscribe {
            topic_arn,
            protocol: "sqs".to_owned(),
            endpoint: text("arn:aws:sqs:us-east-1:000000000000:orders"),
            attributes: strings([
                ("RawMessageDelivery", "true"),
                ("FilterPolicy", r#"{"a": ["b"]}"#),
            ]),
            return_subscription_arn: true,
        }),
        "TagResource" => Request::TagResource(TagResource {
            resource_arn: topic_arn,
            tags: strings([("team", "shop")]),
        }),
        "Unsubscribe" => Request::Unsubscribe(Unsubscribe { subscription_arn }),
        "UntagResource" => Request::UntagResource(UntagResource {
            resource_arn: topic_arn,
            tag_keys: list(["team", "k"]),
        }),
        _ => panic!("{step} has no expected value"),
    }
}
