//! Sending: what a client's message is inside, and the sums that its SDK compares.

use std::collections::BTreeMap;

use engine::{Command, Refusal, Reply};
use messaging::{Attribute, AttributeValue, Send, batch, sequence_number};
use wire::aws::sqs::{
    BatchResult, FailedEntry, Response, SendMessage, SendMessageBatch, SendMessageEntry, SentEntry,
    SentMessage,
};
use wire::aws::{AwsError, MessageAttribute, md5};

use super::call::Call;
use super::error::{bounded, from_queue, from_refusal, invalid, short};

const TRACE_HEADER: &str = "AWSTraceHeader";
const DELAY_S: std::ops::RangeInclusive<u32> = 0..=messaging::limits::DELAY_S_MAX;

/// A message on its way in, and what will be said of it.
struct Prepared {
    send: Send,
    sums: SentMessage,
    /// What can be told without the rules.
    problem: Option<AwsError>,
}

pub(super) async fn send(call: &Call<'_>, request: SendMessage) -> Result<Response, AwsError> {
    let queue = call.queue(&request.queue_url).await?;
    let prepared = prepare(
        call,
        SendMessageEntry {
            id: String::new(),
            message_body: request.message_body,
            delay_seconds: request.delay_seconds,
            message_attributes: request.message_attributes,
            message_system_attributes: request.message_system_attributes,
            message_deduplication_id: request.message_deduplication_id,
            message_group_id: request.message_group_id,
        },
    );
    if let Some(problem) = prepared.problem {
        return Err(problem);
    }
    let command = Command::SendMessage {
        queue: queue.name.clone(),
        send: Box::new(prepared.send),
    };
    let reply = call.decide(command).await?;
    let is_fifo = queue.config.is_fifo();
    Ok(Response::SendMessage(sent(prepared.sums, reply, is_fifo)))
}

pub(super) async fn send_batch(
    call: &Call<'_>,
    request: SendMessageBatch,
) -> Result<Response, AwsError> {
    let queue = call.queue(&request.queue_url).await?;
    let whole = |error: messaging::Refusal| from_queue(&error);
    batch::validate_ids(request.entries.iter().map(|entry| entry.id.as_str())).map_err(whole)?;
    let (ids, prepared): (Vec<String>, Vec<Prepared>) = request
        .entries
        .into_iter()
        .map(|mut entry| (std::mem::take(&mut entry.id), prepare(call, entry)))
        .unzip();
    let sends = || prepared.iter().map(|prepared| &prepared.send);
    batch::validate_sends(&queue.config, sends()).map_err(whole)?;
    // As with the group, Amazon refuses the call for one entry that cannot be deduplicated.
    for send in sends() {
        messaging::deduplication_id(&queue.config, send).map_err(whole)?;
    }
    let mut waiting = Vec::with_capacity(prepared.len());
    let mut sends = Vec::with_capacity(prepared.len());
    for (id, prepared) in ids.into_iter().zip(prepared) {
        if prepared.problem.is_none() {
            sends.push(prepared.send);
        }
        waiting.push((id, prepared.sums, prepared.problem));
    }
    let command = |sends| Command::SendMessages {
        queue: queue.name.clone(),
        sends,
    };
    let mut replies = decide_batch(call, sends, command).await?;
    let mut result = BatchResult {
        successful: Vec::new(),
        failed: Vec::new(),
    };
    for (id, sums, problem) in waiting {
        let decided = match problem {
            Some(problem) => Err(problem),
            None => next(&mut replies),
        };
        match decided {
            Ok(reply) => result.successful.push(SentEntry {
                id,
                message: sent(sums, reply, queue.config.is_fifo()),
            }),
            Err(error) => result.failed.push(FailedEntry::new(id, &error)),
        }
    }
    Ok(Response::SendMessageBatch(result))
}

/// The answers to the entries of a batch that were fit to be decided, in their order.
pub(super) type Replies = std::vec::IntoIter<Result<Reply, Refusal>>;

pub(super) async fn decide_batch<T>(
    call: &Call<'_>,
    entries: Vec<T>,
    command: impl FnOnce(Vec<T>) -> Command,
) -> Result<Replies, AwsError> {
    if entries.is_empty() {
        return Ok(Vec::new().into_iter());
    }
    match call.decide(command(entries)).await? {
        Reply::Batch(replies) => Ok(replies.into_iter()),
        other => unreachable!("a batch is answered entry by entry, not with {other:?}"),
    }
}

pub(super) fn next(replies: &mut Replies) -> Result<Reply, AwsError> {
    let reply = replies.next().expect("one answer for each entry decided");
    reply.map_err(from_refusal)
}

fn sent(sums: SentMessage, reply: Reply, is_fifo: bool) -> SentMessage {
    let Reply::Sent { message, .. } = reply else {
        unreachable!("what is sent is answered with the message, not {reply:?}");
    };
    SentMessage {
        sequence_number: is_fifo.then(|| sequence_number(message.seq)),
        message_id: message.id,
        ..sums
    }
}

fn prepare(call: &Call<'_>, entry: SendMessageEntry) -> Prepared {
    // Of what was sent: a duplicate is answered with the id of an earlier message.
    let sums = SentMessage {
        md5_of_message_body: md5::of_body(&entry.message_body),
        md5_of_message_attributes: md5::of_attributes(&entry.message_attributes),
        md5_of_message_system_attributes: md5::of_attributes(&entry.message_system_attributes),
        ..SentMessage::default()
    };
    let mut problem = None;
    let mut keep = |error: AwsError| {
        problem.get_or_insert(error);
    };
    let delay_s = entry.delay_seconds.and_then(|delay_s| {
        let reason = "DelaySeconds must be >= 0 and <= 900.";
        let checked = bounded("DelaySeconds", delay_s, DELAY_S, reason);
        checked.map_err(&mut keep).ok()
    });
    let trace_header = trace_header(entry.message_system_attributes)
        .map_err(&mut keep)
        .unwrap_or_default();
    let attributes = entry.message_attributes.into_iter();
    Prepared {
        send: Send {
            body: entry.message_body,
            attributes: attributes
                .map(|(name, attribute)| (name, to_attribute(attribute)))
                .collect(),
            trace_header,
            sender: Some(call.context.account.clone()),
            group: entry.message_group_id,
            deduplication: entry.message_deduplication_id,
            delay_s,
        },
        sums,
        problem,
    }
}

/// The one system attribute that can be sent (API reference, `SendMessage`).
fn trace_header(
    attributes: BTreeMap<String, MessageAttribute>,
) -> Result<Option<String>, AwsError> {
    let mut trace_header = None;
    for (name, attribute) in attributes {
        if name != TRACE_HEADER {
            return Err(invalid(format!(
                "Message system attribute name '{}' is invalid.",
                short(&name)
            )));
        }
        match attribute.string_value {
            Some(value) if attribute.data_type == "String" => trace_header = Some(value),
            Some(_) | None => {
                return Err(invalid(format!(
                    "The message system attribute '{TRACE_HEADER}' must be of type String and \
                     have a value."
                )));
            }
        }
    }
    Ok(trace_header)
}

/// Without a value of either kind it has an empty text, which the rules refuse.
fn to_attribute(attribute: MessageAttribute) -> Attribute {
    let is_binary = attribute.data_type.split('.').next() == Some("Binary");
    let value = match (attribute.string_value, attribute.binary_value) {
        (Some(_), Some(bytes)) if is_binary => AttributeValue::Binary(bytes),
        (Some(text), _) => AttributeValue::Text(text),
        (None, Some(bytes)) => AttributeValue::Binary(bytes),
        (None, None) => AttributeValue::Text(String::new()),
    };
    Attribute {
        data_type: attribute.data_type,
        value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(data_type: &str, text: Option<&str>, bytes: Option<&[u8]>) -> MessageAttribute {
        MessageAttribute {
            data_type: data_type.to_owned(),
            string_value: text.map(str::to_owned),
            binary_value: bytes.map(<[u8]>::to_vec),
        }
    }

    #[test]
    fn a_value_is_taken_by_its_type() {
        let text = |text: &str| AttributeValue::Text(text.to_owned());
        let binary = |bytes: &[u8]| AttributeValue::Binary(bytes.to_vec());
        for (sent, expected) in [
            (attribute("String", Some("a"), None), text("a")),
            (attribute("String", Some("a"), Some(b"b")), text("a")),
            (attribute("Binary.png", Some("a"), Some(b"b")), binary(b"b")),
            (attribute("Binary", None, Some(b"b")), binary(b"b")),
            // Of the wrong kind: for the rules to refuse.
            (attribute("Binary", Some("a"), None), text("a")),
            (attribute("Number", None, Some(b"1")), binary(b"1")),
            (attribute("Number", None, None), text("")),
        ] {
            assert_eq!(to_attribute(sent.clone()).value, expected, "{sent:?}");
        }
    }

    #[test]
    fn only_the_trace_header_is_a_system_attribute() {
        let one = |name: &str, attribute| BTreeMap::from([(name.to_owned(), attribute)]);
        let root = attribute("String", Some("Root=1"), None);
        assert_eq!(
            trace_header(one("AWSTraceHeader", root.clone())),
            Ok(Some("Root=1".to_owned()))
        );
        assert_eq!(trace_header(BTreeMap::new()), Ok(None));
        assert!(trace_header(one("SenderId", root)).is_err());
        for wrong in [
            attribute("Number", Some("1"), None),
            attribute("String", None, Some(b"a")),
        ] {
            assert!(trace_header(one("AWSTraceHeader", wrong)).is_err());
        }
    }
}
