//! One conversion from everything that can go wrong to what SQS says.

use std::fmt;
use std::ops::RangeInclusive;

use engine::{EngineError, Refusal};
use wire::aws::{AwsError, ErrorCode};

/// An answer that another store or a later attempt would not give: nothing is wrong with the
/// request.
pub(in crate::aws) fn from_engine(error: EngineError) -> AwsError {
    match error {
        EngineError::Overloaded => AwsError::new(
            ErrorCode::ServiceUnavailable,
            "More requests wait than this server takes; nothing was stored.",
        ),
        EngineError::Stopping => AwsError::new(
            ErrorCode::ServiceUnavailable,
            "The server is stopping; nothing was stored.",
        ),
        // What went wrong is in the log.
        EngineError::Store(_) => AwsError::new(
            ErrorCode::InternalFailure,
            "It is not known whether this was stored.",
        ),
    }
}

pub(super) fn from_refusal(refusal: Refusal) -> AwsError {
    match refusal {
        Refusal::QueueNotFound { .. } => AwsError::queue_does_not_exist(),
        Refusal::Queue(refusal) => from_queue(&refusal),
        Refusal::QueueExists { attribute } => AwsError::new(
            ErrorCode::QueueNameExists,
            format!(
                "A queue already exists with the same name and a different value for attribute \
                 {attribute}"
            ),
        ),
        Refusal::QueueDeletedRecently => AwsError::new(
            ErrorCode::QueueDeletedRecently,
            "You must wait 60 seconds after deleting a queue before you can create another with \
             the same name.",
        ),
        Refusal::PurgeInProgress => AwsError::new(
            ErrorCode::PurgeQueueInProgress,
            "Only one PurgeQueue operation on a queue is allowed every 60 seconds.",
        ),
        Refusal::DeadLetterQueueUnfit { reason } => invalid(format!(
            "Value for parameter RedrivePolicy is invalid. Reason: {reason}"
        )),
        Refusal::NotADeadLetterQueue | Refusal::NoDeadLetterSource => {
            invalid("Source queue must be configured as a Dead Letter Queue.")
        }
        Refusal::MoveRunning => invalid(
            "There is already a task running. Only one active task is allowed for a source queue \
             arn at a given time.",
        ),
        Refusal::MoveNotFound => not_found("Task does not exist."),
        Refusal::TooMany { what, limit } => AwsError::new(
            ErrorCode::OverLimit,
            format!("This server keeps at most {limit} {what}."),
        ),
        // Nothing that a request of this service proposes is refused otherwise.
        refusal => AwsError::new(
            ErrorCode::UnsupportedOperation,
            format!("The server refused this: {}.", refusal.code()),
        ),
    }
}

/// What the rules of queues refuse, in their words.
pub(super) fn from_queue(refusal: &messaging::Refusal) -> AwsError {
    use messaging::Refusal;
    let code = match refusal {
        Refusal::InvalidParameterValue { .. } => ErrorCode::InvalidParameterValue,
        Refusal::MissingParameter { .. } => ErrorCode::MissingParameter,
        Refusal::InvalidAttributeName { .. } => ErrorCode::InvalidAttributeName,
        Refusal::InvalidAttributeValue { .. } => ErrorCode::InvalidAttributeValue,
        Refusal::InvalidMessageContents => ErrorCode::InvalidMessageContents,
        Refusal::MessageNotInflight => ErrorCode::MessageNotInflight,
        Refusal::ReceiptHandleIsInvalid => ErrorCode::ReceiptHandleIsInvalid,
        Refusal::OverLimit => ErrorCode::OverLimit,
        Refusal::EmptyBatchRequest => ErrorCode::EmptyBatchRequest,
        Refusal::TooManyEntriesInBatchRequest { .. } => ErrorCode::TooManyEntriesInBatchRequest,
        Refusal::BatchEntryIdsNotDistinct { .. } => ErrorCode::BatchEntryIdsNotDistinct,
        Refusal::InvalidBatchEntryId => ErrorCode::InvalidBatchEntryId,
        Refusal::BatchRequestTooLong { .. } => ErrorCode::BatchRequestTooLong,
    };
    AwsError::new(code, refusal.to_string())
}

pub(super) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new(ErrorCode::InvalidParameterValue, message)
}

pub(super) fn invalid_value(
    parameter: &str,
    value: impl fmt::Display,
    reason: impl fmt::Display,
) -> AwsError {
    invalid(format!(
        "Value {value} for parameter {parameter} is invalid. Reason: {reason}"
    ))
}

pub(super) fn not_found(message: impl Into<String>) -> AwsError {
    AwsError::new(ErrorCode::ResourceNotFoundException, message)
}

/// A number of the wire, which is signed and may be anything, within its bounds.
pub(super) fn bounded(
    parameter: &str,
    value: i32,
    bounds: RangeInclusive<u32>,
    reason: &str,
) -> Result<u32, AwsError> {
    u32::try_from(value)
        .ok()
        .filter(|value| bounds.contains(value))
        .ok_or_else(|| invalid_value(parameter, value, reason))
}

/// Part of an input in an error's text: short.
pub(super) fn short(text: &str) -> String {
    const CHARACTERS_MAX: usize = 100;
    let plain = |character: char| {
        if character.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            character
        }
    };
    text.chars().take(CHARACTERS_MAX).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_refused_with_its_bounds() {
        for (value, expected) in [
            (-1, None),
            (0, None),
            (1, Some(1)),
            (10, Some(10)),
            (11, None),
            (i32::MIN, None),
        ] {
            let answer = bounded("MaxResults", value, 1..=10, "1 to 10.");
            match expected {
                Some(expected) => assert_eq!(answer, Ok(expected)),
                None => assert_eq!(
                    answer.unwrap_err().message,
                    format!("Value {value} for parameter MaxResults is invalid. Reason: 1 to 10.")
                ),
            }
        }
    }

    #[test]
    fn an_outage_is_told_apart_from_a_wrong_request() {
        for (error, code) in [
            (EngineError::Overloaded, ErrorCode::ServiceUnavailable),
            (EngineError::Stopping, ErrorCode::ServiceUnavailable),
            (EngineError::Store("x".into()), ErrorCode::InternalFailure),
        ] {
            assert_eq!(from_engine(error).code, code);
        }
    }
}
