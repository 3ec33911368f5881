//! What the clients were told to send to a queue.

use wire::aws::sqs::{
    AddPermission, CancelMessageMoveTask, ChangeMessageVisibility, ChangeMessageVisibilityBatch,
    ChangeMessageVisibilityEntry, CreateQueue, DeleteMessage, DeleteMessageBatch,
    DeleteMessageEntry, DeleteQueue, GetQueueAttributes, GetQueueUrl, ListDeadLetterSourceQueues,
    ListMessageMoveTasks, ListQueueTags, ListQueues, PurgeQueue, ReceiveMessage, RemovePermission,
    Request, SendMessage, SendMessageBatch, SendMessageEntry, SetQueueAttributes,
    StartMessageMoveTask, TagQueue, UntagQueue,
};

use crate::values::{BODY, attributes, list, strings, system_attributes, text};

const DEAD_ARN: &str = "arn:aws:sqs:us-east-1:000000000000:orders-dead";
const REDRIVE: &str = r#"{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:orders-dead", "maxReceiveCount": "3"}"#;

pub(crate) fn expected(step: &str) -> Request {
    let queue_url = "http://127.0.0.1:19324/000000000000/orders".to_owned();
    match step {
        "AddPermission" => Request::AddPermission(AddPermission {
            queue_url,
            label: "l".to_owned(),
            account_ids: list(["111111111111", "222222222222"]),
            actions: list(["SendMessage", "ReceiveMessage"]),
        }),
        "CancelMessageMoveTask" => Request::CancelMessageMoveTask(CancelMessageMoveTask {
            task_handle: "h".to_owned(),
        }),
        "ChangeMessageVisibility" => Request::ChangeMessageVisibility(ChangeMessageVisibility {
            queue_url,
            receipt_handle: "r1".to_owned(),
            visibility_timeout: Some(0),
        }),
        "ChangeMessageVisibilityBatch" => {
            let entry = |id: &str, handle: &str, visibility_timeout| ChangeMessageVisibilityEntry {
                id: id.to_owned(),
                receipt_handle: handle.to_owned(),
                visibility_timeout,
            };
            Request::ChangeMessageVisibilityBatch(ChangeMessageVisibilityBatch {
                queue_url,
                entries: vec![entry("a", "r1", Some(43_200)), entry("b", "r2", None)],
            })
        }
        "CreateQueue" => Request::CreateQueue(CreateQueue {
            queue_name: "orders".to_owned(),
            attributes: strings([("VisibilityTimeout", "30"), ("RedrivePolicy", REDRIVE)]),
            tags: strings([("team", "shop"), ("한", "글 &")]),
        }),
        "DeleteMessage" => Request::DeleteMessage(DeleteMessage {
            queue_url,
            receipt_handle: "r1".to_owned(),
        }),
        "DeleteMessageBatch" => {
            let entry = |id: &str, handle: &str| DeleteMessageEntry {
                id: id.to_owned(),
                receipt_handle: handle.to_owned(),
            };
            Request::DeleteMessageBatch(DeleteMessageBatch {
                queue_url,
                entries: vec![entry("a", "r1"), entry("b", "r2")],
            })
        }
        "DeleteQueue" => Request::DeleteQueue(DeleteQueue { queue_url }),
        "GetQueueAttributes" => Request::GetQueueAttributes(GetQueueAttributes {
            queue_url,
            attribute_names: list(["QueueArn", "VisibilityTimeout"]),
        }),
        "GetQueueUrl" => Request::GetQueueUrl(GetQueueUrl {
            queue_name: "orders".to_owned(),
            queue_owner_account_id: text("000000000000"),
        }),
        "GetQueueUrl-missing" => Request::GetQueueUrl(GetQueueUrl {
            queue_name: "missing".to_owned(),
            queue_owner_account_id: None,
        }),
        "ListDeadLetterSourceQueues" => {
            Request::ListDeadLetterSourceQueues(ListDeadLetterSourceQueues {
                queue_url: "http://127.0.0.1:19324/000000000000/orders-dead".to_owned(),
                next_token: text("t1"),
                max_results: Some(5),
            })
        }
        "ListMessageMoveTasks" => Request::ListMessageMoveTasks(ListMessageMoveTasks {
            source_arn: DEAD_ARN.to_owned(),
            max_results: Some(3),
        }),
        "ListQueueTags" => Request::ListQueueTags(ListQueueTags { queue_url }),
        "ListQueues" => Request::ListQueues(ListQueues {
            queue_name_prefix: text("ord"),
            next_token: text("t1"),
            max_results: Some(2),
        }),
        "ListQueues-prefix" => Request::ListQueues(ListQueues {
            queue_name_prefix: text("none"),
            ..ListQueues::default()
        }),
        "ListQueues-session" => Request::ListQueues(ListQueues::default()),
        "PurgeQueue" => Request::PurgeQueue(PurgeQueue { queue_url }),
        "ReceiveMessage" => Request::ReceiveMessage(ReceiveMessage {
            queue_url,
            attribute_names: list(["All"]),
            message_system_attribute_names: Vec::new(),
            message_attribute_names: list(["s.*", "All"]),
            max_number_of_messages: Some(10),
            visibility_timeout: Some(60),
            wait_time_seconds: Some(20),
            receive_request_attempt_id: text("try-1"),
        }),
        "ReceiveMessage-one" => Request::ReceiveMessage(ReceiveMessage {
            queue_url,
            max_number_of_messages: Some(1),
            ..ReceiveMessage::default()
        }),
        "ReceiveMessage-plain" => Request::ReceiveMessage(ReceiveMessage {
            queue_url,
            ..ReceiveMessage::default()
        }),
        "ReceiveMessage-system" => Request::ReceiveMessage(ReceiveMessage {
            queue_url,
            message_system_attribute_names: list(["SenderId", "SentTimestamp"]),
            ..ReceiveMessage::default()
        }),
        "RemovePermission" => Request::RemovePermission(RemovePermission {
            queue_url,
            label: "l".to_owned(),
        }),
        "SendMessage" => Request::SendMessage(SendMessage {
            queue_url,
            message_body: BODY.to_owned(),
            delay_seconds: Some(5),
            message_attributes: attributes(),
            message_system_attributes: system_attributes(),
            message_deduplication_id: None,
            message_group_id: None,
        }),
        "SendMessage-fifo" => Request::SendMessage(SendMessage {
            queue_url: format!("{queue_url}.fifo"),
            message_body: "b".to_owned(),
            message_deduplication_id: text("d+1"),
            message_group_id: text("g!~"),
            ..SendMessage::default()
        }),
        "SendMessage-signed-url" => Request::SendMessage(SendMessage {
            queue_url,
            message_body: "b c+d".to_owned(),
            ..SendMessage::default()
        }),
        "SendMessageBatch" => Request::SendMessageBatch(SendMessageBatch {
            queue_url,
            entries: vec![
                SendMessageEntry {
                    id: "a".to_owned(),
                    message_body: "1".to_owned(),
                    delay_seconds: Some(0),
                    ..SendMessageEntry::default()
                },
                SendMessageEntry {
                    id: "b".to_owned(),
                    message_body: "2".to_owned(),
                    message_attributes: attributes(),
                    message_system_attributes: system_attributes(),
                    ..SendMessageEntry::default()
                },
                SendMessageEntry {
                    id: "c".to_owned(),
                    message_deduplication_id: text("d"),
                    message_group_id: text("g"),
                    ..SendMessageEntry::default()
                },
            ],
        }),
        "SetQueueAttributes" => Request::SetQueueAttributes(SetQueueAttributes {
            queue_url,
            attributes: strings([("DelaySeconds", "5"), ("Policy", "")]),
        }),
        "StartMessageMoveTask" => Request::StartMessageMoveTask(StartMessageMoveTask {
            source_arn: DEAD_ARN.to_owned(),
            destination_arn: text("arn:aws:sqs:us-east-1:000000000000:orders"),
            max_number_of_messages_per_second: Some(50),
        }),
        "TagQueue" => Request::TagQueue(TagQueue {
            queue_url,
            tags: strings([("team", "shop"), ("a b", "c&d")]),
        }),
        "UntagQueue" => Request::UntagQueue(UntagQueue {
            queue_url,
            tag_keys: list(["team", "a b"]),
        }),
        _ => panic!("{step} has no expected value"),
    }
}
