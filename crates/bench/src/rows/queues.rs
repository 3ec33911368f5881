//! The rows of the queues: the same requests to Firstcome, which syncs every one of them, and to
//! servers that keep messages in memory. A message is 100 bytes.
//!
//! Of a cycle every connection sends, receives and deletes in turn, so a queue stays short and a
//! run can be of any length.

use super::{Count, Request, Row, Setup, System, Wire};
use crate::queue::SIGNED;

pub(super) const CONNECTIONS: &[u16] = &[1, 16, 64];

const SEND: &[(&str, &str)] = &[
    ("Content-Type", "application/x-amz-json-1.0"),
    ("X-Amz-Target", "AmazonSQS.SendMessage"),
    SIGNED[0],
    SIGNED[1],
];
const SEND_BATCH: &[(&str, &str)] = &[
    ("Content-Type", "application/x-amz-json-1.0"),
    ("X-Amz-Target", "AmazonSQS.SendMessageBatch"),
    SIGNED[0],
    SIGNED[1],
];
const FORM: &[(&str, &str)] = &[
    ("Content-Type", "application/x-www-form-urlencoded"),
    SIGNED[0],
    SIGNED[1],
];

const CREATE: &str = r#"{"QueueName":"bench"}"#;
const CREATE_FIFO: &str = r#"{"QueueName":"bench.fifo","Attributes":{"FifoQueue":"true"}}"#;
const CREATE_FORM: &str = "Action=CreateQueue&Version=2012-11-05&QueueName=bench";

const ONE: &str = r#"{"QueueUrl":"{captured}","MessageBody":"order {conn} {n} {key} 0123456789 0123456789 0123456789 0123456"}"#;
const ONE_FIFO: &str = r#"{"QueueUrl":"{captured}","MessageGroupId":"group-{group}","MessageDeduplicationId":"{key}","MessageBody":"order {conn} {n} {key} 0123456789 0123456789 0123456789 0123456"}"#;
const TEN: &str = r#"{"QueueUrl":"{captured}","Entries":[{"Id":"0","MessageBody":"order {conn} {n} {key} 0123456789 0123456789 0123456789 0123450"},{"Id":"1","MessageBody":"order {conn} {n} {key} 0123456789 0123456789 0123456789 0123451"},{"Id":"2","MessageBody":"order {conn} {n} {key} 0123456789 0123456789 0123456789 0123452"},{"Id":"3","MessageBody":"order {conn} {n} {key} 0123456789 0123456789 0123456789 0123453"},{"Id":"4","MessageBody":"order {conn} {n} {key} 0123456789 0123456789 0123456789 0123454"},{"Id":"5","MessageBody":"order {conn} {n} {key} 0123456789 0123456789 0123456789 0123455"},{"Id":"6","MessageBody":"order {conn} {n} {key} 0123456789 0123456789 0123456789 0123456"},{"Id":"7","MessageBody":"order {conn} {n} {key} 0123456789 0123456789 0123456789 0123457"},{"Id":"8","MessageBody":"order {conn} {n} {key} 0123456789 0123456789 0123456789 0123458"},{"Id":"9","MessageBody":"order {conn} {n} {key} 0123456789 0123456789 0123456789 0123459"}]}"#;
const ONE_FORM: &str = "Action=SendMessage&Version=2012-11-05&QueueUrl={captured encoded}&MessageBody=order+{conn}+{n}+{key}+0123456789+0123456789+0123456789+0123456";
const TEN_FORM: &str = "Action=SendMessageBatch&Version=2012-11-05&QueueUrl={captured encoded}&SendMessageBatchRequestEntry.1.Id=0&SendMessageBatchRequestEntry.1.MessageBody=order+{conn}+{n}+{key}+0123456789+0123456789+0123456789+0123450&SendMessageBatchRequestEntry.2.Id=1&SendMessageBatchRequestEntry.2.MessageBody=order+{conn}+{n}+{key}+0123456789+0123456789+0123456789+0123451&SendMessageBatchRequestEntry.3.Id=2&SendMessageBatchRequestEntry.3.MessageBody=order+{conn}+{n}+{key}+0123456789+0123456789+0123456789+0123452&SendMessageBatchRequestEntry.4.Id=3&SendMessageBatchRequestEntry.4.MessageBody=order+{conn}+{n}+{key}+0123456789+0123456789+0123456789+0123453&SendMessageBatchRequestEntry.5.Id=4&SendMessageBatchRequestEntry.5.MessageBody=order+{conn}+{n}+{key}+0123456789+0123456789+0123456789+0123454&SendMessageBatchRequestEntry.6.Id=5&SendMessageBatchRequestEntry.6.MessageBody=order+{conn}+{n}+{key}+0123456789+0123456789+0123456789+0123455&SendMessageBatchRequestEntry.7.Id=6&SendMessageBatchRequestEntry.7.MessageBody=order+{conn}+{n}+{key}+0123456789+0123456789+0123456789+0123456&SendMessageBatchRequestEntry.8.Id=7&SendMessageBatchRequestEntry.8.MessageBody=order+{conn}+{n}+{key}+0123456789+0123456789+0123456789+0123457&SendMessageBatchRequestEntry.9.Id=8&SendMessageBatchRequestEntry.9.MessageBody=order+{conn}+{n}+{key}+0123456789+0123456789+0123456789+0123458&SendMessageBatchRequestEntry.10.Id=9&SendMessageBatchRequestEntry.10.MessageBody=order+{conn}+{n}+{key}+0123456789+0123456789+0123456789+0123459";

const fn setup(wire: Wire, body: &'static str) -> [Setup; 1] {
    [Setup::CreateQueue { wire, body }]
}

const SETUP: [Setup; 1] = setup(Wire::Json, CREATE);
const SETUP_FIFO: [Setup; 1] = setup(Wire::Json, CREATE_FIFO);
const SETUP_FORM: [Setup; 1] = setup(Wire::Query, CREATE_FORM);

/// What becomes of the messages of a request.
enum Flow {
    /// So many were sent, and stay.
    Sent(u32),
    /// They are received, so many at a time, and deleted.
    Cycle(usize),
}

#[expect(clippy::too_many_arguments, reason = "a row of a table")]
const fn row(
    name: &'static str,
    title: &'static str,
    system: System,
    setup: &'static [Setup; 1],
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    body_contains: &'static str,
    flow: Flow,
) -> Row {
    let Setup::CreateQueue { wire, .. } = setup[0] else {
        panic!("a queue is made first");
    };
    let path = match wire {
        Wire::Json => "/",
        Wire::Query => "{captured path}",
    };
    let (cycle, messages) = match flow {
        Flow::Sent(messages) => (None, messages),
        Flow::Cycle(batch) => (Some((wire, batch)), 0),
    };
    Row {
        name,
        title,
        system,
        setup,
        request: Request::Http {
            method: "POST",
            path,
            headers,
            body,
        },
        status: 200,
        also: None,
        body_contains,
        count: Count::None,
        cycle,
        messages,
        against: Some("echo"),
        connections: Some(CONNECTIONS),
        usual: false,
    }
}

pub(super) const ROWS: &[Row] = &[
    row(
        "sqs-send",
        "SQS: `SendMessage`",
        System::FirstcomeQueues,
        &SETUP,
        SEND,
        ONE,
        "MessageId",
        Flow::Sent(1),
    ),
    row(
        "sqs-send-batch",
        "SQS: `SendMessageBatch` of 10",
        System::FirstcomeQueues,
        &SETUP,
        SEND_BATCH,
        TEN,
        "Successful",
        Flow::Sent(10),
    ),
    row(
        "sqs-cycle",
        "SQS: send, receive, delete, one at a time",
        System::FirstcomeQueues,
        &SETUP,
        SEND,
        ONE,
        "MessageId",
        Flow::Cycle(1),
    ),
    row(
        "sqs-cycle-batch",
        "SQS: send, receive, delete, batches of 10",
        System::FirstcomeQueues,
        &SETUP,
        SEND_BATCH,
        TEN,
        "Successful",
        Flow::Cycle(10),
    ),
    row(
        "sqs-fifo",
        "SQS: send, receive, delete, FIFO with 100 groups",
        System::FirstcomeQueues,
        &SETUP_FIFO,
        SEND,
        ONE_FIFO,
        "SequenceNumber",
        Flow::Cycle(1),
    ),
    row(
        "moto-send",
        "moto: `SendMessage`",
        System::Moto,
        &SETUP,
        SEND,
        ONE,
        "MessageId",
        Flow::Sent(1),
    ),
    row(
        "moto-send-batch",
        "moto: `SendMessageBatch` of 10",
        System::Moto,
        &SETUP,
        SEND_BATCH,
        TEN,
        "Successful",
        Flow::Sent(10),
    ),
    row(
        "moto-cycle",
        "moto: send, receive, delete, one at a time",
        System::Moto,
        &SETUP,
        SEND,
        ONE,
        "MessageId",
        Flow::Cycle(1),
    ),
    row(
        "moto-cycle-batch",
        "moto: send, receive, delete, batches of 10",
        System::Moto,
        &SETUP,
        SEND_BATCH,
        TEN,
        "Successful",
        Flow::Cycle(10),
    ),
    row(
        "moto-fifo",
        "moto: send, receive, delete, FIFO with 100 groups",
        System::Moto,
        &SETUP_FIFO,
        SEND,
        ONE_FIFO,
        "SequenceNumber",
        Flow::Cycle(1),
    ),
    row(
        "sqs-query-send",
        "SQS, query protocol: `SendMessage`",
        System::FirstcomeQueues,
        &SETUP_FORM,
        FORM,
        ONE_FORM,
        "MessageId",
        Flow::Sent(1),
    ),
    row(
        "sqs-query-send-batch",
        "SQS, query protocol: `SendMessageBatch` of 10",
        System::FirstcomeQueues,
        &SETUP_FORM,
        FORM,
        TEN_FORM,
        "SendMessageBatchResultEntry",
        Flow::Sent(10),
    ),
    row(
        "sqs-query-cycle",
        "SQS, query protocol: send, receive, delete",
        System::FirstcomeQueues,
        &SETUP_FORM,
        FORM,
        ONE_FORM,
        "MessageId",
        Flow::Cycle(1),
    ),
    row(
        "sqs-query-cycle-batch",
        "SQS, query protocol: send, receive, delete, batches of 10",
        System::FirstcomeQueues,
        &SETUP_FORM,
        FORM,
        TEN_FORM,
        "SendMessageBatchResultEntry",
        Flow::Cycle(10),
    ),
    row(
        "elasticmq-send",
        "ElasticMQ, query protocol: `SendMessage`",
        System::ElasticMq,
        &SETUP_FORM,
        FORM,
        ONE_FORM,
        "MessageId",
        Flow::Sent(1),
    ),
    row(
        "elasticmq-send-batch",
        "ElasticMQ, query protocol: `SendMessageBatch` of 10",
        System::ElasticMq,
        &SETUP_FORM,
        FORM,
        TEN_FORM,
        "SendMessageBatchResultEntry",
        Flow::Sent(10),
    ),
    row(
        "elasticmq-cycle",
        "ElasticMQ, query protocol: send, receive, delete",
        System::ElasticMq,
        &SETUP_FORM,
        FORM,
        ONE_FORM,
        "MessageId",
        Flow::Cycle(1),
    ),
    row(
        "elasticmq-cycle-batch",
        "ElasticMQ, query protocol: send, receive, delete, batches of 10",
        System::ElasticMq,
        &SETUP_FORM,
        FORM,
        TEN_FORM,
        "SendMessageBatchResultEntry",
        Flow::Cycle(10),
    ),
];
