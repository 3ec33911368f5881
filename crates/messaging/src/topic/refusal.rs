//! Why a topic says no, in the words of SNS where they are known.

use std::error::Error;
use std::fmt;

/// A request that a topic refuses. Nothing has been changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicRefusal {
    InvalidParameter {
        field: &'static str,
        detail: String,
    },
    /// A message attribute that cannot be what it says it is.
    ParameterValueInvalid {
        field: &'static str,
        detail: String,
    },
}

impl TopicRefusal {
    pub(super) fn invalid(field: &'static str, detail: impl Into<String>) -> Self {
        Self::InvalidParameter {
            field,
            detail: detail.into(),
        }
    }

    pub fn field(&self) -> &'static str {
        match self {
            Self::InvalidParameter { field, .. } | Self::ParameterValueInvalid { field, .. } => {
                field
            }
        }
    }
}

impl fmt::Display for TopicRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidParameter { detail, .. } => write!(f, "Invalid parameter: {detail}"),
            Self::ParameterValueInvalid { detail, .. } => f.write_str(detail),
        }
    }
}

impl Error for TopicRefusal {}
