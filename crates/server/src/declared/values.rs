//! Values as they may stand in the settings file: natural ones (`60`, `true`, a table), or the
//! texts that SQS itself has for all of them (`"60"`, `"true"`, `"{...}"`).

use serde::de::{Deserialize, Deserializer, Error};
use serde::{Deserialize as DeserializeDerive, Serialize};
use serde_json::Value;

/// A whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Whole(pub(super) u32);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let number = match &value {
            Value::Number(number) => number.as_u64().and_then(|one| u32::try_from(one).ok()),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        number
            .map(Self)
            .ok_or_else(|| D::Error::custom(format!("must be a whole number, is {value}")))
    }
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Flag(pub(super) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Bool(flag) => Ok(Self(flag)),
            Value::String(text) if text == "true" => Ok(Self(true)),
            Value::String(text) if text == "false" => Ok(Self(false)),
            value => Err(D::Error::custom(format!(
                "must be true or false, is {value}"
            ))),
        }
    }
}

/// JSON as a text; an empty one takes the attribute away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Json(pub(super) String);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            value @ Value::Object(_) => Ok(Self(value.to_string())),
            value => Err(D::Error::custom(format!(
                "must be a table or a text with JSON, is {value}"
            ))),
        }
    }
}

impl Json {
    /// What the text says; none for the empty one.
    pub(super) fn read<T: for<'a> DeserializeDerive<'a>>(&self) -> Result<Option<T>, String> {
        if self.0.is_empty() {
            return Ok(None);
        }
        serde_json::from_str(&self.0)
            .map(Some)
            .map_err(|error| error.to_string())
    }
}
