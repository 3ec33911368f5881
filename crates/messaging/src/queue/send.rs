//! Taking a message into a queue.

use super::attribute;
use super::config::QueueConfig;
use super::fifo;
use super::limits;
use super::message::{Message, Send};
use super::refusal::Refusal;
use super::text::{check_id, is_message_text};

const OTHER_KIND: &str = "The request include parameter that is not valid for this queue type.";

/// The message to store. On a FIFO queue call [`deduplicate`](super::deduplicate) first: a
/// duplicate is answered with the ids of the first one and not stored.
pub fn accept(
    config: &QueueConfig,
    send: Send,
    seq: u64,
    id: String,
    now_ms: i64,
) -> Result<Message, Refusal> {
    validate_send(config, &send)?;
    let delay_s = match send.delay_s {
        // A FIFO queue has only the delay of the whole queue.
        Some(delay_s) if !config.is_fifo() => delay_s,
        Some(_) | None => config.delay_s,
    };
    let deduplication = fifo::deduplication_id(config, &send)?;
    Ok(Message {
        seq,
        id,
        deduplication,
        body: send.body,
        attributes: send.attributes,
        trace_header: send.trace_header,
        sender: send.sender,
        group: send.group,
        sent_at_ms: now_ms,
        visible_at_ms: now_ms.saturating_add(i64::from(delay_s) * 1000),
        receive_count: 0,
        received_before: 0,
        first_received_at_ms: None,
        received_at_ms: None,
        receipt: None,
        dead: None,
        sent_first: None,
    })
}

/// Everything about a message that can be judged without the queue's contents.
pub fn validate_send(config: &QueueConfig, send: &Send) -> Result<(), Refusal> {
    if send.body.is_empty() {
        return Err(Refusal::MissingParameter {
            field: "MessageBody",
        });
    }
    if send.bytes() > u64::from(config.message_bytes_max) {
        return Err(Refusal::parameter(
            "MessageBody",
            format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {} \
                 bytes.",
                config.message_bytes_max
            ),
        ));
    }
    if !is_message_text(&send.body) {
        return Err(Refusal::InvalidMessageContents);
    }
    attribute::validate(&send.attributes, limits::ATTRIBUTES_MAX)?;
    if let Some(trace_header) = &send.trace_header {
        validate_trace_header(trace_header)?;
    }
    validate_delay(config, send.delay_s)?;
    match (&send.group, config.is_fifo()) {
        (None, true) => {
            return Err(Refusal::MissingParameter {
                field: "MessageGroupId",
            });
        }
        (Some(group), _) => check_id("MessageGroupId", group)?,
        (None, false) => {}
    }
    if let Some(deduplication) = &send.deduplication {
        if !config.is_fifo() {
            return Err(Refusal::parameter(
                "MessageDeduplicationId",
                format!(
                    "Value for parameter MessageDeduplicationId is invalid. Reason: {OTHER_KIND}"
                ),
            ));
        }
        check_id("MessageDeduplicationId", deduplication)?;
    }
    fifo::require_deduplication(config, send)
}

fn validate_trace_header(trace_header: &str) -> Result<(), Refusal> {
    let valid = (1..=limits::TRACE_HEADER_BYTES_MAX).contains(&trace_header.len())
        && is_message_text(trace_header);
    if valid {
        return Ok(());
    }
    Err(Refusal::parameter(
        "AWSTraceHeader",
        format!(
            "Value for parameter AWSTraceHeader is invalid. Reason: it must be 1 to {} bytes of \
             text.",
            limits::TRACE_HEADER_BYTES_MAX
        ),
    ))
}

fn validate_delay(config: &QueueConfig, delay_s: Option<u32>) -> Result<(), Refusal> {
    match delay_s {
        // Clients that always send the field send 0 to FIFO queues too.
        None | Some(0) => Ok(()),
        Some(delay_s) if config.is_fifo() => {
            Err(Refusal::value("DelaySeconds", delay_s, OTHER_KIND))
        }
        Some(delay_s) if delay_s > limits::DELAY_S_MAX => Err(Refusal::value(
            "DelaySeconds",
            delay_s,
            "DelaySeconds must be >= 0 and <= 900.",
        )),
        Some(_) => Ok(()),
    }
}
