//! An answer of SQS, as it was recorded, to the value that it must have been written from.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use wire::aws::MessageAttribute;
use wire::aws::sqs::{
    BatchResult, FailedEntry, Message, MoveTask, Response, SentEntry, SentMessage, SuccessfulEntry,
};

use crate::xml::Element;

/// From a result of the query protocol, by way of what AWS JSON has in its place.
pub(crate) fn from_xml(action: &str, result: Option<&Element>) -> Response {
    let members = result.map(|result| members(action, result));
    from_json(action, Value::Object(members.unwrap_or_default()))
}

fn members(action: &str, element: &Element) -> Map<String, Value> {
    let mut found = Map::new();
    for child in &element.children {
        let is_list = action.starts_with("List");
        match child.name.as_str() {
            "QueueUrl" if action == "ListDeadLetterSourceQueues" => {
                push(&mut found, "queueUrls", child.text.clone().into());
            }
            "QueueUrl" if is_list => push(&mut found, "QueueUrls", child.text.clone().into()),
            "Message" if action == "ReceiveMessage" => {
                push(&mut found, "Messages", members(action, child).into());
            }
            "BatchResultErrorEntry" => push(&mut found, "Failed", members(action, child).into()),
            "ListMessageMoveTasksResultEntry" => {
                push(&mut found, "Results", members(action, child).into());
            }
            name if name.ends_with("BatchResultEntry") => {
                push(&mut found, "Successful", members(action, child).into());
            }
            "Attribute" => put(&mut found, "Attributes", child, "Name"),
            "Tag" => put(&mut found, "Tags", child, "Key"),
            "MessageAttribute" => put(&mut found, "MessageAttributes", child, "Name"),
            name => {
                let value = match name {
                    "SenderFault" => Value::Bool(child.text == "true"),
                    name if name.starts_with("Approximate") || name.ends_with("Timestamp") => {
                        Value::Number(child.text.parse().expect("it is a number"))
                    }
                    "MaxNumberOfMessagesPerSecond" => {
                        Value::Number(child.text.parse().expect("it is a number"))
                    }
                    _ => Value::String(child.text.clone()),
                };
                assert_eq!(found.insert(name.to_owned(), value), None, "{name} twice");
            }
        }
    }
    found
}

fn push(found: &mut Map<String, Value>, list: &str, value: Value) {
    let list = found
        .entry(list)
        .or_insert_with(|| Value::Array(Vec::new()));
    list.as_array_mut().unwrap().push(value);
}

/// A member of a map: its name and its value.
fn put(found: &mut Map<String, Value>, map: &str, entry: &Element, key: &str) {
    let map = found
        .entry(map)
        .or_insert_with(|| Value::Object(Map::new()));
    let value = entry.child("Value").unwrap();
    let value = match value.children.is_empty() {
        true => Value::String(value.text.clone()),
        false => members("", value).into(),
    };
    let name = entry.text(key).unwrap().to_owned();
    assert_eq!(map.as_object_mut().unwrap().insert(name, value), None);
}

pub(crate) fn from_json(action: &str, mut answer: Value) -> Response {
    let answer = answer.as_object_mut().expect("an answer is an object");
    let response = response(action, answer);
    assert!(answer.is_empty(), "{action}: nobody reads {answer:?}");
    response
}

fn response(action: &str, answer: &mut Map<String, Value>) -> Response {
    match action {
        "AddPermission" => Response::AddPermission,
        "CancelMessageMoveTask" => Response::CancelMessageMoveTask {
            approximate_number_of_messages_moved: number(
                answer,
                "ApproximateNumberOfMessagesMoved",
            )
            .unwrap(),
        },
        "ChangeMessageVisibility" => Response::ChangeMessageVisibility,
        "ChangeMessageVisibilityBatch" => {
            Response::ChangeMessageVisibilityBatch(batch(answer, successful))
        }
        "CreateQueue" => Response::CreateQueue {
            queue_url: text(answer, "QueueUrl").unwrap(),
        },
        "DeleteMessage" => Response::DeleteMessage,
        "DeleteMessageBatch" => Response::DeleteMessageBatch(batch(answer, successful)),
        "DeleteQueue" => Response::DeleteQueue,
        "GetQueueAttributes" => Response::GetQueueAttributes {
            attributes: strings(answer, "Attributes"),
        },
        "GetQueueUrl" => Response::GetQueueUrl {
            queue_url: text(answer, "QueueUrl").unwrap(),
        },
        "ListDeadLetterSourceQueues" => Response::ListDeadLetterSourceQueues {
            queue_urls: texts(answer, "queueUrls"),
            next_token: text(answer, "NextToken"),
        },
        "ListMessageMoveTasks" => Response::ListMessageMoveTasks {
            results: each(answer, "Results", move_task),
        },
        "ListQueueTags" => Response::ListQueueTags {
            tags: strings(answer, "Tags"),
        },
        "ListQueues" => Response::ListQueues {
            queue_urls: texts(answer, "QueueUrls"),
            next_token: text(answer, "NextToken"),
        },
        "PurgeQueue" => Response::PurgeQueue,
        "ReceiveMessage" => Response::ReceiveMessage {
            messages: each(answer, "Messages", message),
        },
        "RemovePermission" => Response::RemovePermission,
        "SendMessage" => Response::SendMessage(sent(answer)),
        "SendMessageBatch" => Response::SendMessageBatch(batch(answer, |entry| SentEntry {
            id: text(entry, "Id").unwrap(),
            message: sent(entry),
        })),
        "SetQueueAttributes" => Response::SetQueueAttributes,
        "StartMessageMoveTask" => Response::StartMessageMoveTask {
            task_handle: text(answer, "TaskHandle").unwrap(),
        },
        "TagQueue" => Response::TagQueue,
        "UntagQueue" => Response::UntagQueue,
        _ => panic!("{action} is no action"),
    }
}

fn batch<T>(
    answer: &mut Map<String, Value>,
    of: impl Fn(&mut Map<String, Value>) -> T,
) -> BatchResult<T> {
    BatchResult {
        successful: each(answer, "Successful", of),
        failed: each(answer, "Failed", |entry| FailedEntry {
            id: text(entry, "Id").unwrap(),
            sender_fault: entry.remove("SenderFault").unwrap().as_bool().unwrap(),
            code: text(entry, "Code").unwrap(),
            message: text(entry, "Message").unwrap(),
        }),
    }
}

fn successful(entry: &mut Map<String, Value>) -> SuccessfulEntry {
    SuccessfulEntry {
        id: text(entry, "Id").unwrap(),
    }
}

fn sent(answer: &mut Map<String, Value>) -> SentMessage {
    SentMessage {
        md5_of_message_body: text(answer, "MD5OfMessageBody").unwrap(),
        md5_of_message_attributes: text(answer, "MD5OfMessageAttributes"),
        md5_of_message_system_attributes: text(answer, "MD5OfMessageSystemAttributes"),
        message_id: text(answer, "MessageId").unwrap(),
        sequence_number: text(answer, "SequenceNumber"),
    }
}

fn message(found: &mut Map<String, Value>) -> Message {
    Message {
        message_id: text(found, "MessageId").unwrap(),
        receipt_handle: text(found, "ReceiptHandle").unwrap(),
        md5_of_body: text(found, "MD5OfBody").unwrap(),
        body: text(found, "Body").unwrap(),
        attributes: strings(found, "Attributes"),
        md5_of_message_attributes: text(found, "MD5OfMessageAttributes"),
        message_attributes: match found.remove("MessageAttributes") {
            Some(attributes) => {
                serde_json::from_value::<BTreeMap<String, MessageAttribute>>(attributes).unwrap()
            }
            None => BTreeMap::new(),
        },
    }
}

fn move_task(found: &mut Map<String, Value>) -> MoveTask {
    let rate = number(found, "MaxNumberOfMessagesPerSecond");
    MoveTask {
        task_handle: text(found, "TaskHandle"),
        status: text(found, "Status").unwrap(),
        source_arn: text(found, "SourceArn").unwrap(),
        destination_arn: text(found, "DestinationArn"),
        max_number_of_messages_per_second: rate.map(|rate| i32::try_from(rate).unwrap()),
        approximate_number_of_messages_moved: number(found, "ApproximateNumberOfMessagesMoved")
            .unwrap(),
        approximate_number_of_messages_to_move: number(found, "ApproximateNumberOfMessagesToMove"),
        failure_reason: text(found, "FailureReason"),
        started_timestamp: number(found, "StartedTimestamp").unwrap(),
    }
}

fn text(found: &mut Map<String, Value>, name: &str) -> Option<String> {
    let text = found.remove(name)?;
    Some(text.as_str().expect("it is a text").to_owned())
}

fn number(found: &mut Map<String, Value>, name: &str) -> Option<i64> {
    Some(found.remove(name)?.as_i64().expect("it is a number"))
}

fn texts(found: &mut Map<String, Value>, name: &str) -> Vec<String> {
    let texts = found.remove(name).map(serde_json::from_value);
    texts.map_or_else(Vec::new, Result::unwrap)
}

fn strings(found: &mut Map<String, Value>, name: &str) -> BTreeMap<String, String> {
    let strings = found.remove(name).map(serde_json::from_value);
    strings.map_or_else(BTreeMap::new, Result::unwrap)
}

fn each<T>(
    found: &mut Map<String, Value>,
    name: &str,
    of: impl Fn(&mut Map<String, Value>) -> T,
) -> Vec<T> {
    let Some(list) = found.remove(name) else {
        return Vec::new();
    };
    let Value::Array(list) = list else {
        panic!("{name} is no list");
    };
    let each = list.into_iter().map(|mut entry| {
        let entry = entry.as_object_mut().expect("an entry is an object");
        let one = of(entry);
        assert!(entry.is_empty(), "{name}: nobody reads {entry:?}");
        one
    });
    each.collect()
}
