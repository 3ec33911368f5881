use std::collections::BTreeMap;

use super::*;
use crate::aws::{AwsError, ErrorCode, Form, MessageAttribute, limits};

const QUEUE: &str = "http://localhost:9324/000000000000/q";

fn json(action: &str, body: &str) -> Result<Request, AwsError> {
    Request::from_json(&format!("AmazonSQS.{action}"), body.as_bytes())
}

fn form(path: &str, body: &str) -> Result<Request, AwsError> {
    Request::from_form(Form::parse("", body.as_bytes())?, path)
}

fn error(code: ErrorCode, message: &str) -> AwsError {
    AwsError::new(code, message)
}

#[test]
fn every_action_is_known_by_its_name() {
    assert_eq!(Action::ALL.len(), 23);
    for &action in Action::ALL {
        assert_eq!(Action::parse(action.as_str()), Some(action));
    }
    assert_eq!(Action::parse("sendMessage"), None);
}

#[test]
fn an_unknown_action_is_told() {
    for target in [
        "",
        "AmazonSQS.",
        "AmazonSQS.Nothing",
        "AmazonSNS.SendMessage",
        "SendMessage",
    ] {
        let refused = Request::from_json(target, b"{}").unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidAction, "{target}");
        assert!(refused.message.contains(target));
    }
    assert_eq!(
        form("/", "Action=Nothing"),
        Err(error(
            ErrorCode::InvalidAction,
            "The action Nothing is not valid for this endpoint."
        ))
    );
    for body in ["", "Action=", "QueueName=q"] {
        assert_eq!(
            form("/", body).unwrap_err().code,
            ErrorCode::MissingAction,
            "{body}"
        );
    }
}

/// Unknown members are passed by, `null` is nothing, a number may be a text.
#[test]
fn json_is_read_leniently() {
    let body = format!(
        r#"{{"QueueUrl":"{QUEUE}","MessageBody":"b","DelaySeconds":"5","Future":{{"a":[1,null]}},
           "MessageAttributes":null,"MessageGroupId":null,"MessageDeduplicationId":"d"}}"#
    );
    assert_eq!(
        json("SendMessage", &body),
        Ok(Request::SendMessage(SendMessage {
            queue_url: QUEUE.to_owned(),
            message_body: "b".to_owned(),
            delay_seconds: Some(5),
            message_deduplication_id: Some("d".to_owned()),
            ..SendMessage::default()
        }))
    );
    let nothing = Ok(Request::ListQueues(ListQueues::default()));
    assert_eq!(json("ListQueues", ""), nothing);
    assert_eq!(json("ListQueues", "{}"), nothing);
    let tags = r#"{"QueueName":"q","Tags":{"a":"b"}}"#;
    assert_eq!(
        json("CreateQueue", tags),
        json("CreateQueue", &tags.replace("Tags", "tags"))
    );
}

#[test]
fn what_json_cannot_be_read_as_is_named() {
    let many: Vec<String> = (0..101).map(|n| format!(r#""{n}":"v""#)).collect();
    let many = format!(r#"{{"QueueUrl":"q","Tags":{{{}}}}}"#, many.join(","));
    for (action, body, message) in [
        ("ListQueues", "{", "EOF while parsing an object"),
        (
            "ListQueues",
            "[",
            "invalid type: sequence, expected struct ListQueues",
        ),
        (
            "ListQueues",
            "7",
            "invalid type: integer `7`, expected struct ListQueues",
        ),
        (
            "SendMessage",
            r#"{"DelaySeconds":"five"}"#,
            "DelaySeconds: invalid value: string \"five\", expected a whole number of 32 bits",
        ),
        (
            "SendMessage",
            r#"{"DelaySeconds":1.5}"#,
            "DelaySeconds: invalid type: floating point `1.5`, expected a whole number of 32 bits",
        ),
        (
            "SendMessageBatch",
            r#"{"Entries":[{"MessageAttributes":{"a":{"BinaryValue":"*"}}}]}"#,
            "Entries[0].MessageAttributes.a.BinaryValue: it is not base64",
        ),
        (
            "TagQueue",
            r#"{"Tags":{"a":"1","a":"2"}}"#,
            "Tags: the name a stands there twice",
        ),
        (
            "SendMessage",
            r#"{"QueueUrl":"a","QueueUrl":"b"}"#,
            "duplicate field `QueueUrl`",
        ),
        ("TagQueue", &many, "Tags: it has more than 100 entries"),
        // A list of values is no object, though they stand in the order of its members.
        (
            "SendMessage",
            r#"["http://h/0/q","body"]"#,
            "invalid type: sequence, expected struct SendMessage",
        ),
        (
            "SendMessageBatch",
            r#"{"Entries":[["a","body"]]}"#,
            "Entries[0]: invalid type: sequence, expected struct SendMessageEntry",
        ),
        (
            "SendMessage",
            r#"{"MessageAttributes":{"a":["String","v"]}}"#,
            "MessageAttributes.a: invalid type: sequence, expected struct MessageAttribute",
        ),
    ] {
        let refused = json(action, body).unwrap_err();
        assert_eq!(refused.code, ErrorCode::MalformedInput, "{body}");
        let (refused, _column) = refused.message.split_once(" at line 1 column ").unwrap();
        assert_eq!(refused, message, "{body}");
    }
    assert!(Request::from_json("AmazonSQS.ListQueues", b"\"\xff\"").is_err());
}

#[test]
fn what_a_form_cannot_be_read_as_is_named() {
    for (body, expected) in [
        (
            "Action=SendMessage&QueueUrl=q&MessageBody=b&DelaySeconds=five",
            error(
                ErrorCode::InvalidParameterValue,
                "Value for parameter DelaySeconds is invalid. Reason: invalid value: string \
                 \"five\", expected a whole number of 32 bits.",
            ),
        ),
        (
            "Action=SendMessage&QueueUrl=q&MessageBody=b&MessageAttribute.1.Value.DataType=x",
            AwsError::missing_parameter("MessageAttribute.1.Name"),
        ),
    ] {
        assert_eq!(form("/", body), Err(expected), "{body}");
    }
}

/// In both protocols, and the first one that is missing.
#[test]
fn required_parameters_are_required() {
    for (action, given, missing) in [
        (
            "AddPermission",
            &[("QueueUrl", "q"), ("Label", "l")] as &[(&str, &str)],
            "AWSAccountIds",
        ),
        ("CancelMessageMoveTask", &[], "TaskHandle"),
        (
            "ChangeMessageVisibility",
            &[("QueueUrl", "q"), ("ReceiptHandle", "r")],
            "VisibilityTimeout",
        ),
        ("CreateQueue", &[("QueueName", "")], "QueueName"),
        ("DeleteMessage", &[("QueueUrl", "q")], "ReceiptHandle"),
        ("DeleteQueue", &[], "QueueUrl"),
        ("GetQueueUrl", &[], "QueueName"),
        ("ListMessageMoveTasks", &[], "SourceArn"),
        ("SendMessage", &[("MessageBody", "b")], "QueueUrl"),
        (
            "SendMessage",
            &[("QueueUrl", "q"), ("MessageBody", "")],
            "MessageBody",
        ),
        ("SetQueueAttributes", &[("QueueUrl", "q")], "Attributes"),
        ("TagQueue", &[("QueueUrl", "q")], "Tags"),
        ("UntagQueue", &[("QueueUrl", "q")], "TagKeys"),
    ] {
        let expected = Err(AwsError::missing_parameter(missing));
        let object: BTreeMap<_, _> = given.iter().copied().collect();
        let object = serde_json::to_string(&object).unwrap();
        assert_eq!(json(action, &object), expected, "{action}");
        let pairs: String = given
            .iter()
            .map(|(name, value)| format!("&{name}={value}"))
            .collect();
        assert_eq!(
            form("/", &format!("Action={action}{pairs}")),
            expected,
            "{action}"
        );
    }
}

/// The batch fails as a whole or the entry alone: the rules decide, so nothing is refused here.
#[test]
fn entries_are_not_judged() {
    for body in [
        r#"{"QueueUrl":"q"}"#.to_owned(),
        r#"{"QueueUrl":"q","Entries":[{}]}"#.to_owned(),
        format!(
            r#"{{"QueueUrl":"q","Entries":[{}]}}"#,
            vec!["{}"; 5000].join(",")
        ),
    ] {
        let Ok(Request::SendMessageBatch(batch)) = json("SendMessageBatch", &body) else {
            panic!("refused");
        };
        assert!(batch.entries.len() <= limits::ITEMS_MAX);
    }
}

#[test]
fn a_form_sent_to_a_queue_is_for_that_queue() {
    let url_of = |path: &str, body: &str| match form(path, body) {
        Ok(Request::PurgeQueue(purge)) => Ok(purge.queue_url),
        Ok(_) => panic!("another action"),
        Err(error) => Err(error.code),
    };
    let path = "/000000000000/q";
    assert_eq!(url_of(path, "Action=PurgeQueue"), Ok(path.to_owned()));
    assert_eq!(
        url_of(path, "Action=PurgeQueue&QueueUrl=u"),
        Ok("u".to_owned())
    );
    assert_eq!(
        url_of("/", "Action=PurgeQueue"),
        Err(ErrorCode::MissingParameter)
    );
    // For an action that is not about a queue it changes nothing.
    assert!(form(path, "Action=ListQueues").is_ok());
}

#[test]
fn a_request_is_bounded() {
    let body = vec![b' '; limits::REQUEST_BYTES_MAX + 1];
    let refused = Request::from_json("AmazonSQS.SendMessage", &body).unwrap_err();
    assert_eq!(refused.code, ErrorCode::RequestEntityTooLarge);
    // The largest message fits, also in the longest of the usual spellings.
    let body = format!(
        r#"{{"QueueUrl":"{QUEUE}","MessageBody":"{}"}}"#,
        "\\u00e9".repeat(1_048_576 / 2)
    );
    assert!(json("SendMessage", &body).is_ok());
    let body = format!(
        "Action=SendMessage&QueueUrl=q&MessageBody={}",
        "%C3%A9".repeat(1_048_576 / 2)
    );
    assert!(form("/", &body).is_ok());
}

fn strings<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    pairs.into_iter().map(owned).collect()
}

/// Action, answer, its JSON, and what stands in the result of its XML.
fn answers() -> Vec<(Response, &'static str, Option<&'static str>)> {
    let failed = FailedEntry::new("b", &error(ErrorCode::ReceiptHandleIsInvalid, "m"));
    let successful = SuccessfulEntry { id: "a".to_owned() };
    let task = MoveTask {
        status: "COMPLETED".to_owned(),
        source_arn: "s".to_owned(),
        started_timestamp: 7,
        ..MoveTask::default()
    };
    let running = MoveTask {
        task_handle: Some("h".to_owned()),
        destination_arn: Some("d".to_owned()),
        max_number_of_messages_per_second: Some(5),
        approximate_number_of_messages_to_move: Some(9),
        failure_reason: Some("f".to_owned()),
        ..task.clone()
    };
    let sent = SentMessage {
        md5_of_message_body: "1".to_owned(),
        message_id: "i".to_owned(),
        ..SentMessage::default()
    };
    let sent_fifo = SentMessage {
        md5_of_message_attributes: Some("2".to_owned()),
        md5_of_message_system_attributes: Some("3".to_owned()),
        sequence_number: Some("4".to_owned()),
        ..sent.clone()
    };
    let plain = Message {
        message_id: "i".to_owned(),
        receipt_handle: "r".to_owned(),
        md5_of_body: "1".to_owned(),
        body: "<\r>".to_owned(),
        ..Message::default()
    };
    let full = Message {
        attributes: strings([("SenderId", "s")]),
        md5_of_message_attributes: Some("2".to_owned()),
        message_attributes: BTreeMap::from([
            ("b".to_owned(), MessageAttribute::binary("Binary", [255])),
            ("t".to_owned(), MessageAttribute::text("String", "v")),
        ]),
        ..plain.clone()
    };
    vec![
        (Response::AddPermission, "{}", None),
        (
            Response::CancelMessageMoveTask {
                approximate_number_of_messages_moved: 3,
            },
            r#"{"ApproximateNumberOfMessagesMoved":3}"#,
            Some("<ApproximateNumberOfMessagesMoved>3</ApproximateNumberOfMessagesMoved>"),
        ),
        (Response::ChangeMessageVisibility, "{}", None),
        (
            Response::ChangeMessageVisibilityBatch(BatchResult {
                successful: vec![successful.clone()],
                failed: Vec::new(),
            }),
            r#"{"Successful":[{"Id":"a"}]}"#,
            Some(
                "<ChangeMessageVisibilityBatchResultEntry><Id>a</Id></ChangeMessageVisibilityBatchResultEntry>",
            ),
        ),
        (
            Response::CreateQueue {
                queue_url: "u".to_owned(),
            },
            r#"{"QueueUrl":"u"}"#,
            Some("<QueueUrl>u</QueueUrl>"),
        ),
        (Response::DeleteMessage, "{}", None),
        (
            Response::DeleteMessageBatch(BatchResult {
                successful: vec![successful],
                failed: vec![failed],
            }),
            r#"{"Successful":[{"Id":"a"}],"Failed":[{"Id":"b","SenderFault":true,"Code":"ReceiptHandleIsInvalid","Message":"m"}]}"#,
            Some(
                "<DeleteMessageBatchResultEntry><Id>a</Id></DeleteMessageBatchResultEntry><BatchResultErrorEntry><Id>b</Id><Code>ReceiptHandleIsInvalid</Code><Message>m</Message><SenderFault>true</SenderFault></BatchResultErrorEntry>",
            ),
        ),
        (Response::DeleteQueue, "{}", None),
        (
            Response::GetQueueAttributes {
                attributes: strings([("DelaySeconds", "0")]),
            },
            r#"{"Attributes":{"DelaySeconds":"0"}}"#,
            Some("<Attribute><Name>DelaySeconds</Name><Value>0</Value></Attribute>"),
        ),
        (
            Response::GetQueueAttributes {
                attributes: strings([]),
            },
            "{}",
            Some(""),
        ),
        (
            Response::GetQueueUrl {
                queue_url: "u".to_owned(),
            },
            r#"{"QueueUrl":"u"}"#,
            Some("<QueueUrl>u</QueueUrl>"),
        ),
        (
            Response::ListDeadLetterSourceQueues {
                queue_urls: Vec::new(),
                next_token: None,
            },
            r#"{"queueUrls":[]}"#,
            Some(""),
        ),
        (
            Response::ListMessageMoveTasks {
                results: vec![task, running],
            },
            r#"{"Results":[{"Status":"COMPLETED","SourceArn":"s","ApproximateNumberOfMessagesMoved":0,"StartedTimestamp":7},{"TaskHandle":"h","Status":"COMPLETED","SourceArn":"s","DestinationArn":"d","MaxNumberOfMessagesPerSecond":5,"ApproximateNumberOfMessagesMoved":0,"ApproximateNumberOfMessagesToMove":9,"FailureReason":"f","StartedTimestamp":7}]}"#,
            Some(
                "<ListMessageMoveTasksResultEntry><Status>COMPLETED</Status><SourceArn>s</SourceArn><ApproximateNumberOfMessagesMoved>0</ApproximateNumberOfMessagesMoved><StartedTimestamp>7</StartedTimestamp></ListMessageMoveTasksResultEntry><ListMessageMoveTasksResultEntry><TaskHandle>h</TaskHandle><Status>COMPLETED</Status><SourceArn>s</SourceArn><DestinationArn>d</DestinationArn><MaxNumberOfMessagesPerSecond>5</MaxNumberOfMessagesPerSecond><ApproximateNumberOfMessagesMoved>0</ApproximateNumberOfMessagesMoved><ApproximateNumberOfMessagesToMove>9</ApproximateNumberOfMessagesToMove><FailureReason>f</FailureReason><StartedTimestamp>7</StartedTimestamp></ListMessageMoveTasksResultEntry>",
            ),
        ),
        (
            Response::ListQueueTags {
                tags: strings([("k", "v")]),
            },
            r#"{"Tags":{"k":"v"}}"#,
            Some("<Tag><Key>k</Key><Value>v</Value></Tag>"),
        ),
        (
            Response::ListQueues {
                queue_urls: vec!["u".to_owned(), "v".to_owned()],
                next_token: Some("t".to_owned()),
            },
            r#"{"QueueUrls":["u","v"],"NextToken":"t"}"#,
            Some("<QueueUrl>u</QueueUrl><QueueUrl>v</QueueUrl><NextToken>t</NextToken>"),
        ),
        (
            Response::ListQueues {
                queue_urls: Vec::new(),
                next_token: None,
            },
            "{}",
            Some(""),
        ),
        (Response::PurgeQueue, "{}", None),
        (
            Response::ReceiveMessage {
                messages: Vec::new(),
            },
            "{}",
            Some(""),
        ),
        (
            Response::ReceiveMessage {
                messages: vec![plain, full],
            },
            r#"{"Messages":[{"MessageId":"i","ReceiptHandle":"r","MD5OfBody":"1","Body":"<\r>"},{"MessageId":"i","ReceiptHandle":"r","MD5OfBody":"1","Body":"<\r>","Attributes":{"SenderId":"s"},"MD5OfMessageAttributes":"2","MessageAttributes":{"b":{"DataType":"Binary","BinaryValue":"/w=="},"t":{"DataType":"String","StringValue":"v"}}}]}"#,
            Some(
                "<Message><MessageId>i</MessageId><ReceiptHandle>r</ReceiptHandle><MD5OfBody>1</MD5OfBody><Body>&lt;&#xD;&gt;</Body></Message><Message><MessageId>i</MessageId><ReceiptHandle>r</ReceiptHandle><MD5OfBody>1</MD5OfBody><MD5OfMessageAttributes>2</MD5OfMessageAttributes><Body>&lt;&#xD;&gt;</Body><Attribute><Name>SenderId</Name><Value>s</Value></Attribute><MessageAttribute><Name>b</Name><Value><BinaryValue>/w==</BinaryValue><DataType>Binary</DataType></Value></MessageAttribute><MessageAttribute><Name>t</Name><Value><StringValue>v</StringValue><DataType>String</DataType></Value></MessageAttribute></Message>",
            ),
        ),
        (Response::RemovePermission, "{}", None),
        (
            Response::SendMessage(sent.clone()),
            r#"{"MD5OfMessageBody":"1","MessageId":"i"}"#,
            Some("<MessageId>i</MessageId><MD5OfMessageBody>1</MD5OfMessageBody>"),
        ),
        (
            Response::SendMessage(sent_fifo),
            r#"{"MD5OfMessageBody":"1","MD5OfMessageAttributes":"2","MD5OfMessageSystemAttributes":"3","MessageId":"i","SequenceNumber":"4"}"#,
            Some(
                "<MessageId>i</MessageId><MD5OfMessageBody>1</MD5OfMessageBody><MD5OfMessageAttributes>2</MD5OfMessageAttributes><MD5OfMessageSystemAttributes>3</MD5OfMessageSystemAttributes><SequenceNumber>4</SequenceNumber>",
            ),
        ),
        (
            Response::SendMessageBatch(BatchResult {
                successful: vec![SentEntry {
                    id: "a".to_owned(),
                    message: sent,
                }],
                failed: Vec::new(),
            }),
            r#"{"Successful":[{"Id":"a","MD5OfMessageBody":"1","MessageId":"i"}]}"#,
            Some(
                "<SendMessageBatchResultEntry><Id>a</Id><MessageId>i</MessageId><MD5OfMessageBody>1</MD5OfMessageBody></SendMessageBatchResultEntry>",
            ),
        ),
        (Response::SetQueueAttributes, "{}", None),
        (
            Response::StartMessageMoveTask {
                task_handle: "h".to_owned(),
            },
            r#"{"TaskHandle":"h"}"#,
            Some("<TaskHandle>h</TaskHandle>"),
        ),
        (Response::TagQueue, "{}", None),
        (Response::UntagQueue, "{}", None),
    ]
}

#[test]
fn every_answer_in_both_protocols() {
    let mut actions = Vec::new();
    for (response, json, result) in answers() {
        let action = response.action().as_str();
        actions.push(action);
        assert_eq!(
            String::from_utf8(response.to_json()).unwrap(),
            json,
            "{action}"
        );
        let result = match result {
            Some(result) => format!("<{action}Result>{result}</{action}Result>"),
            None => String::new(),
        };
        let expected = format!(
            "<?xml version=\"1.0\"?><{action}Response \
             xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\">{result}\
             <ResponseMetadata><RequestId>r1</RequestId></ResponseMetadata></{action}Response>"
        );
        assert_eq!(String::from_utf8(response.to_xml("r1")).unwrap(), expected);
    }
    actions.dedup();
    assert_eq!(actions.len(), Action::ALL.len());
}

#[test]
fn a_failed_entry_has_the_code_of_the_query_protocol() {
    let failed = FailedEntry::new("x", &error(ErrorCode::QueueDoesNotExist, "m"));
    assert_eq!(failed.code, "AWS.SimpleQueueService.NonExistentQueue");
    assert!(failed.sender_fault);
    assert!(!FailedEntry::new("x", &error(ErrorCode::InternalFailure, "m")).sender_fault);
}
