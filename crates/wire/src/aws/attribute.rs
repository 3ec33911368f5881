//! The value of a message attribute, as both services send it.

use serde::{Deserialize, Serialize};

use super::collect;

/// Which of the values belongs to the data type is for the rules to say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MessageAttribute {
    /// `String`, `Number` or `Binary`, with a label perhaps.
    pub data_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    #[serde(
        deserialize_with = "collect::base64_option",
        serialize_with = "collect::to_base64_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub binary_value: Option<Vec<u8>>,
}

impl MessageAttribute {
    pub fn text(data_type: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            data_type: data_type.into(),
            string_value: Some(value.into()),
            binary_value: None,
        }
    }

    pub fn binary(data_type: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        Self {
            data_type: data_type.into(),
            string_value: None,
            binary_value: Some(value.into()),
        }
    }

    /// The value that its data type says it has.
    pub(crate) fn value(&self) -> &[u8] {
        let text = self.string_value.as_deref().map(str::as_bytes);
        let binary = self.binary_value.as_deref();
        let value = if self.is_binary() {
            binary.or(text)
        } else {
            text.or(binary)
        };
        value.unwrap_or_default()
    }

    pub(crate) fn is_binary(&self) -> bool {
        let base = self.data_type.split('.').next();
        base == Some("Binary")
    }
}
