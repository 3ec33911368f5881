//! What is written is read as the same again: requests through JSON and through both forms of
//! the query protocol, answers through JSON and XML.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::Value;
use wire::aws::sqs::{
    AddPermission, BatchResult, ChangeMessageVisibility, ChangeMessageVisibilityBatch,
    ChangeMessageVisibilityEntry, CreateQueue, DeleteMessageBatch, DeleteMessageEntry, FailedEntry,
    ListQueues, Message, ReceiveMessage, Request, Response, SendMessage, SendMessageBatch,
    SendMessageEntry, SentEntry, SentMessage, StartMessageMoveTask, UntagQueue,
};
use wire::aws::{Form, MessageAttribute, sns};

use crate::xml;

fn some_text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{1,12}", "\\PC{1,8}", "[\\t\\n\\r&=+%<>\"'.;]{1,6}"]
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), some_text()]
}

fn strings(least: usize) -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map(any_text(), any_text(), least..12)
}

fn attribute() -> impl Strategy<Value = MessageAttribute> {
    prop_oneof![
        (some_text(), any_text()).prop_map(|(kind, text)| MessageAttribute::text(kind, text)),
        ("Binary(\\.[a-z]{1,3})?", vec(any::<u8>(), 0..9))
            .prop_map(|(kind, bytes)| MessageAttribute::binary(kind, bytes)),
    ]
}

fn attributes() -> impl Strategy<Value = BTreeMap<String, MessageAttribute>> {
    btree_map(any_text(), attribute(), 0..12)
}

fn number() -> impl Strategy<Value = Option<i32>> {
    option::of(any::<i32>())
}

fn optional() -> impl Strategy<Value = Option<String>> {
    option::of(any_text())
}

prop_compose! {
    fn send()(
        (queue_url, message_body) in (some_text(), some_text()),
        delay_seconds in number(),
        (message_attributes, message_system_attributes) in (attributes(), attributes()),
        (message_deduplication_id, message_group_id) in (optional(), optional()),
    ) -> SendMessage {
        SendMessage {
            queue_url, message_body, delay_seconds, message_attributes, message_system_attributes,
            message_deduplication_id, message_group_id,
        }
    }
}

fn entry_of(id: String, send: SendMessage) -> SendMessageEntry {
    SendMessageEntry {
        id,
        message_body: send.message_body,
        delay_seconds: send.delay_seconds,
        message_attributes: send.message_attributes,
        message_system_attributes: send.message_system_attributes,
        message_deduplication_id: send.message_deduplication_id,
        message_group_id: send.message_group_id,
    }
}

prop_compose! {
    fn receive()(
        queue_url in some_text(),
        // An empty list item cannot be told from an empty list in a form.
        attribute_names in vec(some_text(), 0..12),
        message_system_attribute_names in vec(some_text(), 0..3),
        message_attribute_names in vec(some_text(), 0..3),
        (max_number_of_messages, visibility_timeout, wait_time_seconds) in (number(), number(), number()),
        receive_request_attempt_id in optional(),
    ) -> ReceiveMessage {
        ReceiveMessage {
            queue_url, attribute_names, message_system_attribute_names, message_attribute_names,
            max_number_of_messages, visibility_timeout, wait_time_seconds,
            receive_request_attempt_id,
        }
    }
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        send().prop_map(Request::SendMessage),
        (some_text(), vec((any_text(), send()), 0..4)).prop_map(|(queue_url, entries)| {
            let entries = entries.into_iter().map(|(id, send)| entry_of(id, send));
            Request::SendMessageBatch(SendMessageBatch {
                queue_url,
                entries: entries.collect(),
            })
        }),
        receive().prop_map(Request::ReceiveMessage),
        (some_text(), strings(0), strings(0)).prop_map(|(queue_name, attributes, tags)| {
            Request::CreateQueue(CreateQueue {
                queue_name,
                attributes,
                tags,
            })
        }),
        (some_text(), some_text(), any::<i32>()).prop_map(
            |(queue_url, receipt_handle, timeout)| {
                Request::ChangeMessageVisibility(ChangeMessageVisibility {
                    queue_url,
                    receipt_handle,
                    visibility_timeout: Some(timeout),
                })
            }
        ),
        (some_text(), vec((any_text(), any_text(), number()), 0..12)).prop_map(
            |(queue_url, entries)| {
                let entry =
                    |(id, receipt_handle, visibility_timeout)| ChangeMessageVisibilityEntry {
                        id,
                        receipt_handle,
                        visibility_timeout,
                    };
                Request::ChangeMessageVisibilityBatch(ChangeMessageVisibilityBatch {
                    queue_url,
                    entries: entries.into_iter().map(entry).collect(),
                })
            }
        ),
        (some_text(), vec((any_text(), any_text()), 0..12)).prop_map(|(queue_url, entries)| {
            let entry = |(id, receipt_handle)| DeleteMessageEntry { id, receipt_handle };
            Request::DeleteMessageBatch(DeleteMessageBatch {
                queue_url,
                entries: entries.into_iter().map(entry).collect(),
            })
        }),
        (optional(), optional(), number()).prop_map(|(prefix, next_token, max_results)| {
            Request::ListQueues(ListQueues {
                queue_name_prefix: prefix,
                next_token,
                max_results,
            })
        }),
        (some_text(), optional(), number()).prop_map(|(source_arn, destination_arn, rate)| {
            Request::StartMessageMoveTask(StartMessageMoveTask {
                source_arn,
                destination_arn,
                max_number_of_messages_per_second: rate,
            })
        }),
        (
            some_text(),
            some_text(),
            vec(some_text(), 1..12),
            vec(some_text(), 1..3)
        )
            .prop_map(|(queue_url, label, account_ids, actions)| {
                Request::AddPermission(AddPermission {
                    queue_url,
                    label,
                    account_ids,
                    actions,
                })
            }),
        (some_text(), vec(some_text(), 1..12)).prop_map(|(queue_url, tag_keys)| {
            Request::UntagQueue(UntagQueue {
                queue_url,
                tag_keys,
            })
        }),
    ]
}

prop_compose! {
    fn publish_entry()(
        (id, message) in (any_text(), any_text()),
        (subject, message_structure) in (optional(), optional()),
        message_attributes in attributes(),
        (message_deduplication_id, message_group_id) in (optional(), optional()),
    ) -> sns::PublishEntry {
        sns::PublishEntry {
            id, message, subject, message_structure, message_attributes,
            message_deduplication_id, message_group_id,
        }
    }
}

fn sns_request() -> impl Strategy<Value = sns::Request> {
    prop_oneof![
        (some_text(), vec(publish_entry(), 0..4)).prop_map(|(topic_arn, entries)| {
            sns::Request::PublishBatch(sns::PublishBatch { topic_arn, entries })
        }),
        (optional(), optional(), publish_entry()).prop_map(|(topic_arn, target_arn, entry)| {
            sns::Request::Publish(sns::Publish {
                topic_arn,
                target_arn,
                phone_number: None,
                message: entry.message,
                subject: entry.subject,
                message_structure: entry.message_structure,
                message_attributes: entry.message_attributes,
                message_deduplication_id: entry.message_deduplication_id,
                message_group_id: entry.message_group_id,
            })
        }),
        (
            some_text(),
            some_text(),
            optional(),
            strings(0),
            any::<bool>()
        )
            .prop_map(
                |(topic_arn, protocol, endpoint, attributes, return_subscription_arn)| {
                    sns::Request::Subscribe(sns::Subscribe {
                        topic_arn,
                        protocol,
                        endpoint,
                        attributes,
                        return_subscription_arn,
                    })
                }
            ),
        (some_text(), strings(1)).prop_map(|(resource_arn, tags)| {
            sns::Request::TagResource(sns::TagResource { resource_arn, tags })
        }),
    ]
}

// Writing forms, as SDKs do.

#[derive(Clone, Copy)]
enum Style {
    /// SQS: `Attribute.1.Name`.
    Flat,
    /// SNS: `Attributes.entry.1.key`.
    Wrapped,
}

fn to_form(action: &str, members: &Value, style: Style) -> Form {
    let mut parameters = vec![("Action".to_owned(), action.to_owned())];
    let entry = format!("{action}RequestEntry");
    write(&mut parameters, "", members, style, &entry);
    let pairs = parameters
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    let body = pairs.collect::<Vec<_>>().join("&");
    Form::parse("", body.as_bytes()).unwrap()
}

fn encode(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' => char::from(byte).to_string(),
        b' ' => "+".to_owned(),
        _ => format!("%{byte:02x}"),
    };
    text.bytes().map(byte).collect()
}

fn write(to: &mut Vec<(String, String)>, path: &str, value: &Value, style: Style, entry: &str) {
    match value {
        Value::Null => {}
        Value::String(text) => to.push((path.to_owned(), text.clone())),
        Value::Number(_) | Value::Bool(_) => to.push((path.to_owned(), value.to_string())),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let path = match style {
                    Style::Flat => format!("{path}.{}", index + 1),
                    Style::Wrapped => format!("{path}.member.{}", index + 1),
                };
                write(to, &path, item, style, entry);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let below = |name: &str| match path {
                    "" => name.to_owned(),
                    _ => format!("{path}.{name}"),
                };
                let is_map = name.ends_with("ttributes") || name.eq_ignore_ascii_case("tags");
                match (is_map, member) {
                    (true, Value::Object(map)) => {
                        let path = below(form_name(name, style, entry));
                        write_map(to, &path, map, style, entry);
                    }
                    _ => write(
                        to,
                        &below(form_name(name, style, entry)),
                        member,
                        style,
                        entry,
                    ),
                }
            }
        }
    }
}

fn write_map(
    to: &mut Vec<(String, String)>,
    path: &str,
    map: &serde_json::Map<String, Value>,
    style: Style,
    entry: &str,
) {
    for (index, (name, value)) in map.iter().enumerate() {
        let (item, key, of) = match style {
            Style::Flat => (format!("{path}.{}", index + 1), "Name", "Value"),
            Style::Wrapped => (format!("{path}.entry.{}", index + 1), "key", "value"),
        };
        to.push((format!("{item}.{key}"), name.clone()));
        write(to, &format!("{item}.{of}"), value, style, entry);
    }
}

fn form_name<'a>(member: &'a str, style: Style, entry: &'a str) -> &'a str {
    match (style, member) {
        (Style::Wrapped, "tags") => "Tags",
        (Style::Wrapped, _) => member,
        (Style::Flat, "AWSAccountIds") => "AWSAccountId",
        (Style::Flat, "Actions") => "ActionName",
        (Style::Flat, "Entries") => entry,
        (Style::Flat, "Tags" | "tags") => "Tag",
        (Style::Flat, _)
            if member.ends_with("Attributes")
                || member.ends_with("Names")
                || member.ends_with("Keys") =>
        {
            &member[..member.len() - 1]
        }
        (Style::Flat, _) => member,
    }
}

// Answers.

prop_compose! {
    fn message()(
        (message_id, receipt_handle, md5_of_body, body) in (any_text(), any_text(), any_text(), any_text()),
        attributes in strings(0),
        message_attributes in attributes(),
    ) -> Message {
        Message {
            message_id, receipt_handle, md5_of_body, body, attributes,
            md5_of_message_attributes: wire::aws::md5::of_attributes(&message_attributes),
            message_attributes,
        }
    }
}

/// Characters that XML cannot carry were refused long before.
fn is_xml_text(text: &str) -> bool {
    text.chars()
        .all(|c| c >= ' ' || matches!(c, '\t' | '\n' | '\r'))
}

fn read_strings(element: &xml::Element, name: &str) -> BTreeMap<String, String> {
    let pairs = element.children(name);
    pairs
        .map(|pair| {
            let text = |name| pair.text(name).unwrap().to_owned();
            (text("Name"), text("Value"))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn requests_of_queues(request in request()) {
        let action = request.action().as_str();
        let json = serde_json::to_vec(&request).unwrap();
        prop_assert_eq!(Request::from_json(&format!("AmazonSQS.{action}"), &json), Ok(request.clone()));
        let members = serde_json::to_value(&request).unwrap();
        for style in [Style::Flat, Style::Wrapped] {
            let form = to_form(action, &members, style);
            prop_assert_eq!(Request::from_form(form, "/"), Ok(request.clone()));
        }
    }

    #[test]
    fn requests_of_topics(request in sns_request()) {
        let members = serde_json::to_value(&request).unwrap();
        let form = to_form(request.action().as_str(), &members, Style::Wrapped);
        prop_assert_eq!(sns::Request::from_form(&form), Ok(request));
    }

    #[test]
    fn answers_with_messages(messages in vec(message(), 0..4)) {
        let response = Response::ReceiveMessage { messages: messages.clone() };
        let json: Value = serde_json::from_slice(&response.to_json()).unwrap();
        for (index, message) in messages.iter().enumerate() {
            let json = &json["Messages"][index];
            prop_assert_eq!(&json["Body"], &Value::String(message.body.clone()));
            let attributes = json.get("MessageAttributes").cloned().unwrap_or_else(|| serde_json::json!({}));
            let attributes: BTreeMap<String, MessageAttribute> = serde_json::from_value(attributes).unwrap();
            prop_assert_eq!(&attributes, &message.message_attributes);
        }
        prop_assume!(messages.iter().all(|message| {
            let attributes = message.attributes.iter().flat_map(|(name, value)| [name, value]);
            attributes.chain([&message.body, &message.message_id]).all(|text| is_xml_text(text))
        }));
        let root = xml::parse(&response.to_xml("r"));
        let result = root.child("ReceiveMessageResult").unwrap();
        prop_assert_eq!(result.children("Message").count(), messages.len());
        for (read, message) in result.children("Message").zip(&messages) {
            prop_assert_eq!(read.text("Body"), Some(message.body.as_str()));
            prop_assert_eq!(read.text("MessageId"), Some(message.message_id.as_str()));
            prop_assert_eq!(read_strings(read, "Attribute"), message.attributes.clone());
            prop_assert_eq!(read.children("MessageAttribute").count(), message.message_attributes.len());
        }
    }

    #[test]
    fn answers_of_batches(sent in vec((any_text(), any_text()), 0..4), failed in vec((any_text(), any_text(), any::<bool>()), 0..4)) {
        let entry = |(id, message_id): &(String, String)| SentEntry {
            id: id.clone(),
            message: SentMessage { message_id: message_id.clone(), ..SentMessage::default() },
        };
        let failure = |(id, message, sender_fault): &(String, String, bool)| FailedEntry {
            id: id.clone(),
            sender_fault: *sender_fault,
            code: "InternalFailure".to_owned(),
            message: message.clone(),
        };
        let response = Response::SendMessageBatch(BatchResult {
            successful: sent.iter().map(entry).collect(),
            failed: failed.iter().map(failure).collect(),
        });
        let json: Value = serde_json::from_slice(&response.to_json()).unwrap();
        prop_assert_eq!(json.get("Successful").is_some(), !sent.is_empty());
        prop_assert_eq!(json.get("Failed").is_some(), !failed.is_empty());
        let root = xml::parse(&response.to_xml("r"));
        prop_assert_eq!(root.child("ResponseMetadata").unwrap().text("RequestId"), Some("r"));
        let result = root.child("SendMessageBatchResult").unwrap();
        for (read, (id, message_id)) in result.children("SendMessageBatchResultEntry").zip(&sent) {
            prop_assume!(is_xml_text(id) && is_xml_text(message_id));
            prop_assert_eq!(read.text("Id"), Some(id.as_str()));
            prop_assert_eq!(read.text("MessageId"), Some(message_id.as_str()));
        }
        for (read, (id, message, sender_fault)) in result.children("BatchResultErrorEntry").zip(&failed) {
            prop_assume!(is_xml_text(id) && is_xml_text(message));
            prop_assert_eq!(read.text("Message"), Some(message.as_str()));
            prop_assert_eq!(read.text("SenderFault"), Some(if *sender_fault { "true" } else { "false" }));
        }
    }
}
