//! Receiving, at once or waiting.
//!
//! What always holds: somebody who waits stands in the queue's wait list before the queue is
//! looked at, so nothing that arrives in between is slept through; while he waits there is one
//! timer and nothing that turns. A server that stops answers him at once, with nothing.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use engine::ports::Queue;
use engine::{Command, Reply, Room};
use messaging::{
    Attribute, AttributeValue, Message, ReceiptHandle, limits, sequence_number, validate_attempt_id,
};
use tokio::time::Instant;
use wire::aws::sqs::{
    self as wire_sqs, AttributeFilter, ReceiveMessage, Response, system_attribute_wanted,
};
use wire::aws::{AwsError, MessageAttribute, md5};

use super::call::Call;
use super::error::{bounded, from_queue};

const COUNT: RangeInclusive<u32> = 1..=10;
const COUNT_REASON: &str = "Must be between 1 and 10, if provided.";
const TIMEOUT_S: RangeInclusive<u32> = 0..=limits::VISIBILITY_TIMEOUT_S_MAX;
const TIMEOUT_REASON: &str = "Must be between 0 and 43200, if provided.";
const WAIT_S: RangeInclusive<u32> = 0..=limits::RECEIVE_WAIT_S_MAX;
const WAIT_REASON: &str = "Must be >= 0 and <= 20, if provided.";

/// What most answers have room in.
const SMALL_BYTES: usize = 256 * 1024;
/// How long a receive waits for room, also one that does not wait for messages.
const ROOM_WITHIN: Duration = Duration::from_secs(5);

/// What to ask the engine, as often as it takes.
struct Ask {
    queue: String,
    max: usize,
    visibility_timeout_s: Option<u32>,
    attempt: Option<String>,
    wait: Duration,
}

/// Which attributes the client wants to see.
struct Wanted {
    older: Vec<String>,
    newer: Vec<String>,
    named: Vec<String>,
}

pub(super) async fn receive(
    call: &Call<'_>,
    request: ReceiveMessage,
) -> Result<Response, AwsError> {
    let queue = call.queue(&request.queue_url).await?;
    let ask = ask(&queue, &request)?;
    let wanted = Wanted {
        older: request.attribute_names,
        newer: request.message_system_attribute_names,
        named: request.message_attribute_names,
    };
    let (queue_id, messages) = if ask.wait.is_zero() {
        once(call, &ask, Instant::now()).await?
    } else {
        wait(call, &ask).await?
    };
    let messages = messages.into_iter();
    Ok(Response::ReceiveMessage {
        messages: messages
            .map(|message| shown(call, &queue, queue_id, &wanted, message))
            .collect(),
    })
}

fn ask(queue: &Queue, request: &ReceiveMessage) -> Result<Ask, AwsError> {
    let optional = |name, value: Option<i32>, bounds, reason| {
        value
            .map(|value| bounded(name, value, bounds, reason))
            .transpose()
    };
    let max = optional(
        "MaxNumberOfMessages",
        request.max_number_of_messages,
        COUNT,
        COUNT_REASON,
    )?;
    let visibility_timeout_s = optional(
        "VisibilityTimeout",
        request.visibility_timeout,
        TIMEOUT_S,
        TIMEOUT_REASON,
    )?;
    let wait_s = optional(
        "WaitTimeSeconds",
        request.wait_time_seconds,
        WAIT_S,
        WAIT_REASON,
    )?;
    let attempt = request.receive_request_attempt_id.clone();
    if let Some(attempt) = &attempt {
        validate_attempt_id(&queue.config, attempt).map_err(|error| from_queue(&error))?;
    }
    let wait_s = wait_s.unwrap_or(queue.config.receive_wait_s);
    Ok(Ask {
        queue: queue.name.clone(),
        max: max.unwrap_or(1) as usize,
        visibility_timeout_s,
        attempt,
        wait: Duration::from_secs(wait_s.into()),
    })
}

/// None when it is too much for the room.
async fn look(
    call: &Call<'_>,
    ask: &Ask,
    room: Room,
) -> Result<Option<(u32, Vec<Message>)>, AwsError> {
    let command = Command::ReceiveMessages {
        queue: ask.queue.clone(),
        max: ask.max,
        visibility_timeout_s: ask.visibility_timeout_s,
        attempt: ask.attempt.clone(),
        waits: !ask.wait.is_zero(),
        room,
    };
    match call.decide(command).await? {
        Reply::Messages { queue_id, messages } => Ok(Some((queue_id, messages))),
        Reply::NoRoom => Ok(None),
        other => unreachable!("a receive is answered with messages, not {other:?}"),
    }
}

/// One look. Nothing is received before there is room for its answer; most are small, so that of a
/// little room many have enough.
async fn once(
    call: &Call<'_>,
    ask: &Ask,
    deadline: Instant,
) -> Result<(u32, Vec<Message>), AwsError> {
    let patient = deadline.max(Instant::now() + ROOM_WITHIN);
    if ask.attempt.is_none() {
        let held = call.room.take(SMALL_BYTES, patient).await?;
        if let Some(found) = look(call, ask, Room::Whole(SMALL_BYTES as u64)).await? {
            // Who waits on for messages has no use for it.
            if !found.1.is_empty() {
                call.room.keep(held);
            }
            return Ok(found);
        }
    }
    let bytes = ask.max.max(2) * limits::MESSAGE_BYTES_MAX as usize;
    loop {
        let held = call.room.take(bytes, patient).await?;
        if let Some(found) = look(call, ask, Room::Part(bytes as u64)).await? {
            if !found.1.is_empty() {
                call.room.keep(held);
            }
            return Ok(found);
        }
    }
}

async fn wait(call: &Call<'_>, ask: &Ask) -> Result<(u32, Vec<Message>), AwsError> {
    let engine = &call.app.engine;
    let until = Instant::now() + ask.wait;
    let deadline = tokio::time::sleep_until(until);
    tokio::pin!(deadline);
    let mut waiter = engine.waits().enter(&ask.queue);
    loop {
        let received = match once(call, ask, until).await {
            Ok(received) => received,
            Err(error) => {
                waiter.failed();
                return Err(error);
            }
        };
        if !received.1.is_empty() {
            waiter.used();
            return Ok(received);
        }
        tokio::select! {
            () = waiter.woken() => {}
            () = &mut deadline => return Ok(received),
            () = call.app.cancel.cancelled() => return Ok(received),
        }
        // Back in his place before he looks again.
        waiter.used();
    }
}

fn shown(
    call: &Call<'_>,
    queue: &Queue,
    queue_id: u32,
    wanted: &Wanted,
    message: Message,
) -> wire_sqs::Message {
    let attributes = system_attributes(call, queue, wanted, &message);
    let filter = AttributeFilter(&wanted.named);
    let named = message.attributes.into_iter();
    let message_attributes: BTreeMap<String, MessageAttribute> = named
        .filter(|(name, _)| filter.wants(name))
        .map(|(name, attribute)| (name, from_attribute(attribute)))
        .collect();
    let handle = ReceiptHandle {
        queue_id,
        seq: message.seq,
        receipt: message.receipt.expect("what is received has a receipt"),
    };
    wire_sqs::Message {
        message_id: message.id,
        receipt_handle: handle.encode(),
        md5_of_body: md5::of_body(&message.body),
        body: message.body,
        attributes,
        md5_of_message_attributes: md5::of_attributes(&message_attributes),
        message_attributes,
    }
}

fn system_attributes(
    call: &Call<'_>,
    queue: &Queue,
    wanted: &Wanted,
    message: &Message,
) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::new();
    if wanted.older.is_empty() && wanted.newer.is_empty() {
        return attributes;
    }
    let mut add = |name: &str, value: Option<String>| {
        if system_attribute_wanted(&wanted.older, &wanted.newer, name)
            && let Some(value) = value
        {
            attributes.insert(name.to_owned(), value);
        }
    };
    let is_fifo = queue.config.is_fifo();
    let owner = queue.more.owner.as_deref();
    add("SenderId", message.sender.clone());
    add("SentTimestamp", Some(message.sent_at_ms.to_string()));
    add(
        "ApproximateReceiveCount",
        Some(message.receives_in_all().to_string()),
    );
    add(
        "ApproximateFirstReceiveTimestamp",
        message.first_received_at_ms.map(|at| at.to_string()),
    );
    add("MessageGroupId", message.group.clone());
    add("MessageDeduplicationId", message.deduplication.clone());
    add(
        "SequenceNumber",
        is_fifo.then(|| sequence_number(message.seq)),
    );
    add("AWSTraceHeader", message.trace_header.clone());
    add(
        "DeadLetterQueueSourceArn",
        message
            .dead
            .as_ref()
            .map(|dead| call.context.queue_arn(owner, &dead.source_queue)),
    );
    attributes
}

fn from_attribute(attribute: Attribute) -> MessageAttribute {
    match attribute.value {
        AttributeValue::Text(text) => MessageAttribute::text(attribute.data_type, text),
        AttributeValue::Binary(bytes) => MessageAttribute::binary(attribute.data_type, bytes),
    }
}
