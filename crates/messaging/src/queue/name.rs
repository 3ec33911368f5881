//! The name of a queue.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::limits;
use super::refusal::Refusal;
use super::text::is_name_byte;

const FIFO_SUFFIX: &str = ".fifo";

/// 1 to 80 letters, digits, `-` and `_`; the name of a FIFO queue ends in `.fifo`, which counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct QueueName(String);

impl QueueName {
    pub fn new(name: impl Into<String>) -> Result<Self, Refusal> {
        let name = name.into();
        let stem = name.strip_suffix(FIFO_SUFFIX).unwrap_or(&name);
        let valid = !stem.is_empty()
            && name.len() <= limits::QUEUE_NAME_LENGTH_MAX
            && stem.bytes().all(is_name_byte);
        if valid {
            return Ok(Self(name));
        }
        Err(Refusal::parameter(
            "QueueName",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        ))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_fifo(&self) -> bool {
        self.0.ends_with(FIFO_SUFFIX)
    }

    /// A FIFO queue's name ends in `.fifo` and no other queue's does.
    pub fn validate_kind(&self, fifo: bool) -> Result<(), Refusal> {
        if self.is_fifo() == fifo {
            return Ok(());
        }
        Err(Refusal::parameter(
            "QueueName",
            if fifo {
                "The name of a FIFO queue can only include alphanumeric characters, hyphens, or \
                 underscores, must end with .fifo suffix and be 1 to 80 in length"
            } else {
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in \
                 length"
            },
        ))
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for QueueName {
    type Err = Refusal;

    fn from_str(name: &str) -> Result<Self, Refusal> {
        Self::new(name)
    }
}

impl TryFrom<String> for QueueName {
    type Error = Refusal;

    fn try_from(name: String) -> Result<Self, Refusal> {
        Self::new(name)
    }
}

impl From<QueueName> for String {
    fn from(name: QueueName) -> Self {
        name.0
    }
}

impl AsRef<str> for QueueName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
