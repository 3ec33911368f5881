//! Why a queue says no: one variant for each SQS error that can arise here, worded as Amazon
//! words it where that is known.

use std::error::Error;
use std::fmt;

use super::limits;

/// A request that a queue refuses. Nothing has been changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `field` is the request's parameter, `detail` the whole sentence for the client.
    InvalidParameterValue {
        field: &'static str,
        detail: String,
    },
    MissingParameter {
        field: &'static str,
    },
    /// A queue attribute that this kind of queue does not have.
    InvalidAttributeName {
        name: &'static str,
    },
    /// A queue attribute with a value outside its bounds.
    InvalidAttributeValue {
        name: &'static str,
    },
    InvalidMessageContents,
    MessageNotInflight,
    ReceiptHandleIsInvalid,
    /// Too many messages in flight for a short poll.
    OverLimit,
    EmptyBatchRequest,
    TooManyEntriesInBatchRequest {
        entries: usize,
    },
    BatchEntryIdsNotDistinct {
        id: String,
    },
    InvalidBatchEntryId,
    BatchRequestTooLong {
        bytes: u64,
    },
}

impl Refusal {
    /// "Value ... for parameter ... is invalid", the commonest form.
    pub(crate) fn value(
        field: &'static str,
        value: impl fmt::Display,
        reason: impl fmt::Display,
    ) -> Self {
        Self::InvalidParameterValue {
            field,
            detail: format!("Value {value} for parameter {field} is invalid. Reason: {reason}"),
        }
    }

    /// Where the value is too long, too secret or not known here.
    pub(crate) fn parameter(field: &'static str, detail: impl Into<String>) -> Self {
        Self::InvalidParameterValue {
            field,
            detail: detail.into(),
        }
    }

    /// The parameter or attribute at fault, where there is one.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::InvalidParameterValue { field, .. } | Self::MissingParameter { field } => {
                Some(field)
            }
            Self::InvalidAttributeName { name } | Self::InvalidAttributeValue { name } => {
                Some(name)
            }
            Self::InvalidMessageContents => Some("MessageBody"),
            Self::MessageNotInflight | Self::ReceiptHandleIsInvalid => Some("ReceiptHandle"),
            Self::EmptyBatchRequest
            | Self::TooManyEntriesInBatchRequest { .. }
            | Self::BatchEntryIdsNotDistinct { .. }
            | Self::InvalidBatchEntryId
            | Self::BatchRequestTooLong { .. } => Some("Entries"),
            Self::OverLimit => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidParameterValue { detail, .. } => f.write_str(detail),
            Self::MissingParameter { field } => {
                write!(f, "The request must contain the parameter {field}.")
            }
            Self::InvalidAttributeName { name } => write!(f, "Unknown Attribute {name}."),
            Self::InvalidAttributeValue { name } => {
                write!(f, "Invalid value for the parameter {name}.")
            }
            Self::InvalidMessageContents => f.write_str(
                "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | \
                 #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
            ),
            Self::MessageNotInflight => f.write_str("The specified message isn't in flight."),
            Self::ReceiptHandleIsInvalid => f.write_str("The input receipt handle is invalid."),
            Self::OverLimit => write!(
                f,
                "The maximum number of in flight messages, {}, is reached.",
                limits::IN_FLIGHT_MAX
            ),
            Self::EmptyBatchRequest => {
                f.write_str("There should be at least one entry in the request.")
            }
            Self::TooManyEntriesInBatchRequest { entries } => write!(
                f,
                "Maximum number of entries per request are {}. You have sent {entries}.",
                limits::BATCH_ENTRIES_MAX
            ),
            Self::BatchEntryIdsNotDistinct { id } => write!(f, "Id {id} repeated."),
            Self::InvalidBatchEntryId => write!(
                f,
                "A batch entry id can only contain alphanumeric characters, hyphens and \
                 underscores. It can be at most {} letters long.",
                limits::BATCH_ID_LENGTH_MAX
            ),
            Self::BatchRequestTooLong { bytes } => write!(
                f,
                "Batch requests cannot be longer than {} bytes. You have sent {bytes} bytes.",
                limits::MESSAGE_BYTES_MAX
            ),
        }
    }
}

impl Error for Refusal {}
