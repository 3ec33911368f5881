//! `Publish` and `PublishBatch`.

use std::collections::BTreeMap;

use engine::ports::{Reader, StoreError, Topic};
use engine::{Command, Publish as Publishing, Refusal, Reply};
use messaging::topic::{self, PUBLICATION_BYTES_MAX, Publication, TopicRefusal};
use messaging::{Attribute, AttributeValue, batch, sequence_number};
use wire::aws::sns::{
    FailedEntry, MessageByProtocol, Publish, PublishBatch, PublishEntry, PublishedEntry, Response,
};
use wire::aws::{AwsError, ErrorCode, MessageAttribute};

use super::call::Call;
use super::envelopes::{Origin, blocking};
use super::error::{from_refusal, from_topic, invalid, no_such_topic};
use super::names;
use super::signing::{Signing, SigningError};
use super::topic_attributes::short;
use crate::aws::context::uuid;
use crate::aws::sqs::error::from_engine;

/// Subscriptions looked at together for one that is not raw.
const PAGE: usize = 100;

/// What is wrong with a message of a batch.
enum Problem {
    /// Amazon refuses the call for it.
    Whole(AwsError),
    /// It fails alone.
    Entry(AwsError),
}

pub(super) async fn publish(call: &Call<'_>, request: Publish) -> Result<Response, AwsError> {
    if let Some(phone) = &request.phone_number {
        return Err(no_phone(phone));
    }
    let (parameter, arn) = match (&request.topic_arn, &request.target_arn) {
        (Some(arn), _) => ("TopicArn", arn.clone()),
        (None, Some(arn)) if arn.contains(":endpoint/") => {
            return Err(invalid(
                "TargetArn Reason: No endpoint found for the target arn specified",
            ));
        }
        (None, Some(arn)) => ("TargetArn", arn.clone()),
        (None, None) => {
            return Err(invalid(
                "TopicArn or TargetArn Reason: no value for required parameter",
            ));
        }
    };
    let (topic, wraps) = find(call, parameter, &arn).await?;
    let entry = PublishEntry {
        id: String::new(),
        message: request.message,
        subject: request.subject,
        message_structure: request.message_structure,
        message_attributes: request.message_attributes,
        message_deduplication_id: request.message_deduplication_id,
        message_group_id: request.message_group_id,
    };
    let publication = match read(entry, "").and_then(|read| check(&topic, read)) {
        Ok(publication) => publication,
        Err(Problem::Whole(error) | Problem::Entry(error)) => return Err(error),
    };
    let mut answers = send(call, &topic, &arn, wraps, vec![publication]).await?;
    let answer = answers.pop().expect("one answer for one message");
    let (message_id, sequence_number) = published(answer.map_err(from_refusal)?);
    Ok(Response::Publish {
        message_id,
        sequence_number,
    })
}

/// In Amazon's words where the number is none; there is nothing here to send it with.
fn no_phone(phone: &str) -> AwsError {
    let digits = phone.strip_prefix('+').unwrap_or(phone);
    let is_number = (2..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    invalid(if is_number {
        "PhoneNumber Reason: text messages are not supported".to_owned()
    } else {
        format!(
            "PhoneNumber Reason: {} is not valid to publish to",
            short(phone)
        )
    })
}

pub(super) async fn publish_batch(
    call: &Call<'_>,
    request: PublishBatch,
) -> Result<Response, AwsError> {
    let arn = request.topic_arn;
    let (topic, wraps) = find(call, "TopicArn", &arn).await?;
    batch::validate_ids(request.entries.iter().map(|entry| entry.id.as_str()))
        .map_err(|refusal| from_batch(&refusal))?;
    let mut ids = Vec::with_capacity(request.entries.len());
    let mut publications = Vec::with_capacity(request.entries.len());
    for (index, mut entry) in request.entries.into_iter().enumerate() {
        ids.push(std::mem::take(&mut entry.id));
        let at = format!("publishBatchRequestEntries.{}.member.", index + 1);
        match read(entry, &at) {
            Ok(publication) => publications.push(publication),
            Err(Problem::Whole(error) | Problem::Entry(error)) => return Err(error),
        }
    }
    let bytes: u64 = publications.iter().map(Publication::bytes).sum();
    if bytes > PUBLICATION_BYTES_MAX {
        return Err(AwsError::new(
            ErrorCode::BatchRequestTooLong,
            "The length of all the messages put together is more than the limit.",
        ));
    }
    let mut fit = Vec::with_capacity(publications.len());
    let mut waiting = Vec::with_capacity(publications.len());
    for (id, publication) in ids.into_iter().zip(publications) {
        match check(&topic, publication) {
            Ok(publication) => {
                fit.push(publication);
                waiting.push((id, None));
            }
            Err(Problem::Entry(error)) => waiting.push((id, Some(error))),
            Err(Problem::Whole(error)) => return Err(error),
        }
    }
    let mut answers = send(call, &topic, &arn, wraps, fit).await?.into_iter();
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for (id, problem) in waiting {
        let answer = match problem {
            Some(error) => Err(error),
            None => answers
                .next()
                .expect("one answer for each message that was sent")
                .map_err(from_refusal),
        };
        match answer.map(published) {
            Ok((message_id, sequence_number)) => successful.push(PublishedEntry {
                id,
                message_id,
                sequence_number,
            }),
            Err(error) => failed.push(FailedEntry::new(id, &error)),
        }
    }
    Ok(Response::PublishBatch { successful, failed })
}

fn from_batch(refusal: &messaging::Refusal) -> AwsError {
    use messaging::Refusal;
    let (code, message) = match refusal {
        Refusal::EmptyBatchRequest => (
            ErrorCode::EmptyBatchRequest,
            "The batch request doesn't contain any entries.",
        ),
        Refusal::TooManyEntriesInBatchRequest { .. } => (
            ErrorCode::TooManyEntriesInBatchRequest,
            "The batch request contains more entries than permissible.",
        ),
        Refusal::BatchEntryIdsNotDistinct { .. } => (
            ErrorCode::BatchEntryIdsNotDistinct,
            "Two or more batch entries in the request have the same Id.",
        ),
        _ => (
            ErrorCode::InvalidBatchEntryId,
            "The Id of a batch entry in a batch request doesn't abide by the specification.",
        ),
    };
    AwsError::new(code, message)
}

/// The topic, and whether anybody wants its messages in an envelope.
async fn find(call: &Call<'_>, parameter: &str, arn: &str) -> Result<(Topic, bool), AwsError> {
    let named = names::topic(parameter, arn)?;
    let name = named.name.clone();
    let found = call
        .app
        .engine
        .read(move |reader| match reader.topic(&name)? {
            Some(topic) => Ok(Some((topic, wraps(reader, &name)?))),
            None => Ok(None),
        })
        .await
        .map_err(from_engine)?;
    let found = found.filter(|(topic, _)| call.goes_by(topic, &named));
    let (topic, wraps) = found.ok_or_else(no_such_topic)?;
    call.check_access(&topic)?;
    Ok((topic, wraps))
}

/// Whether anybody wants more than the bare message.
pub(super) fn wraps(reader: &dyn Reader, topic: &str) -> Result<bool, StoreError> {
    let mut after = None;
    loop {
        let page = reader.subscription_page(Some(topic), after, PAGE)?;
        if page.iter().any(|(_, found)| !found.subscription.raw) {
            return Ok(true);
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE => after = Some(*last),
            Some(_) | None => return Ok(false),
        }
    }
}

/// From the wire; `at` is where the message stands in the request, for the words of an error.
fn read(entry: PublishEntry, at: &str) -> Result<Publication, Problem> {
    let (message, by_protocol) = match entry.message_structure.as_deref() {
        None | Some("") => (entry.message, BTreeMap::new()),
        Some("json") => {
            let parsed = MessageByProtocol::parse(&entry.message).map_err(Problem::Whole)?;
            (parsed.default, parsed.others)
        }
        Some(other) => {
            let reason = format!("MessageStructure Reason: {} is not known", short(other));
            return Err(Problem::Whole(invalid(reason)));
        }
    };
    let mut attributes = BTreeMap::new();
    for (name, attribute) in entry.message_attributes {
        if attribute.data_type.is_empty() {
            return Err(Problem::Whole(AwsError::new(
                ErrorCode::ValidationError,
                format!(
                    "1 validation error detected: Value null at \
                     '{at}messageAttributes.{}.member.dataType' failed to satisfy constraint: \
                     Member must not be null",
                    short(&name)
                ),
            )));
        }
        attributes.insert(name, to_attribute(attribute));
    }
    Ok(Publication {
        message,
        by_protocol,
        subject: entry.subject,
        attributes,
        group: entry.message_group_id,
        deduplication: entry.message_deduplication_id,
    })
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

/// As recorded from Amazon: ids and attributes that are wrong fail the call.
fn check(topic: &Topic, publication: Publication) -> Result<Publication, Problem> {
    match topic::validate_publication(&topic.topic, &publication) {
        Ok(()) => Ok(publication),
        Err(refusal) => {
            let error = from_topic(&refusal);
            let is_whole = matches!(refusal, TopicRefusal::ParameterValueInvalid { .. })
                || matches!(
                    refusal.field(),
                    "MessageGroupId" | "MessageDeduplicationId" | "MessageAttributes"
                );
            Err(if is_whole {
                Problem::Whole(error)
            } else {
                Problem::Entry(error)
            })
        }
    }
}

/// Puts envelopes around valid messages and has them published, in one commit. When the first
/// subscriber who wants one comes at this moment, nothing was stored, and it is done again.
async fn send(
    call: &Call<'_>,
    topic: &Topic,
    topic_arn: &str,
    wraps: bool,
    publications: Vec<Publication>,
) -> Result<Vec<Result<Reply, Refusal>>, AwsError> {
    if publications.is_empty() {
        return Ok(Vec::new());
    }
    if !wraps {
        let answers = send_once(call, topic, topic_arn, false, publications.clone()).await?;
        if !answers
            .iter()
            .any(|answer| matches!(answer, Err(Refusal::EnvelopeMissing)))
        {
            return Ok(answers);
        }
    }
    send_once(call, topic, topic_arn, true, publications).await
}

async fn send_once(
    call: &Call<'_>,
    topic: &Topic,
    topic_arn: &str,
    wraps: bool,
    publications: Vec<Publication>,
) -> Result<Vec<Result<Reply, Refusal>>, AwsError> {
    let with_ids: Vec<(String, Publication)> = publications
        .into_iter()
        .map(|publication| new_id().map(|id| (id, publication)))
        .collect::<Result<_, _>>()?;
    let publishes = if wraps {
        let (app, origin) = (call.app.clone(), Origin::new(call, topic, topic_arn));
        blocking(move || with_envelopes(with_ids, &app.sns.signing, &origin)).await?
    } else {
        with_ids
            .into_iter()
            .map(|(id, publication)| Publishing {
                id,
                publication,
                envelopes: Vec::new(),
            })
            .collect()
    };
    let command = Command::Publish {
        topic: topic.topic.name.as_str().to_owned(),
        publishes,
    };
    match call.decide(command).await? {
        Reply::Batch(answers) => Ok(answers),
        other => unreachable!("publications are answered one by one, not with {other:?}"),
    }
}

fn with_envelopes(
    with_ids: Vec<(String, Publication)>,
    signing: &Signing,
    origin: &Origin,
) -> Result<Vec<Publishing>, SigningError> {
    with_ids
        .into_iter()
        .map(|(id, publication)| {
            Ok(Publishing {
                envelopes: origin.envelopes(signing, &id, &publication)?,
                id,
                publication,
            })
        })
        .collect()
}

/// The id of a message of its own.
pub(super) fn new_id() -> Result<String, AwsError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "the system has no random bits to give");
        AwsError::new(ErrorCode::InternalFailure, "Nothing was stored.")
    })?;
    Ok(uuid(bytes))
}

fn published(reply: Reply) -> (String, Option<String>) {
    match reply {
        Reply::Published { id, seq, .. } => (id, seq.map(sequence_number)),
        other => unreachable!("a publication is answered with its id, not with {other:?}"),
    }
}

#[cfg(test)]
mod tests;
