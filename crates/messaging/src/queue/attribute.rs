//! Message attributes: a name, a data type with an optional label, and a value.
//!
//! Everything the protocols hash or filter by is kept as it was sent: the data type with its
//! label, the text of a number with its zeros, the bytes of a binary value.
//!
//! Rules: "Amazon SQS message attributes" in the developer guide.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::limits;
use super::refusal::Refusal;
use super::text::is_message_text;
use crate::base64url;

const FIELD: &str = "MessageAttributes";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// `String`, `Number` or `Binary`, optionally followed by a dot and a label.
    pub data_type: String,
    pub value: AttributeValue,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeValue {
    /// The value of a String or a Number.
    Text(String),
    Binary(#[serde(with = "base64url::serde_bytes")] Vec<u8>),
}

impl AttributeValue {
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl Attribute {
    pub fn string(value: impl Into<String>) -> Self {
        Self {
            data_type: "String".to_owned(),
            value: AttributeValue::Text(value.into()),
        }
    }

    pub fn number(value: impl Into<String>) -> Self {
        Self {
            data_type: "Number".to_owned(),
            value: AttributeValue::Text(value.into()),
        }
    }

    pub fn binary(value: impl Into<Vec<u8>>) -> Self {
        Self {
            data_type: "Binary".to_owned(),
            value: AttributeValue::Binary(value.into()),
        }
    }

    /// The data type without its label.
    pub fn base_type(&self) -> &str {
        self.data_type
            .split_once('.')
            .map_or(self.data_type.as_str(), |(base, _)| base)
    }
}

/// Names, data types and values count towards the size of a message.
pub(crate) fn total_bytes(attributes: &BTreeMap<String, Attribute>) -> u64 {
    attributes
        .iter()
        .map(|(name, attribute)| {
            (name.len() + attribute.data_type.len() + attribute.value.bytes().len()) as u64
        })
        .sum()
}

/// A topic takes more than ten, a queue does not.
pub(crate) fn validate(
    attributes: &BTreeMap<String, Attribute>,
    count_max: usize,
) -> Result<(), Refusal> {
    if attributes.len() > count_max {
        return Err(Refusal::parameter(
            FIELD,
            format!(
                "Number of message attributes [{}] exceeds the allowed maximum [{}].",
                attributes.len(),
                count_max
            ),
        ));
    }
    for (name, attribute) in attributes {
        validate_name(name)?;
        validate_value(name, attribute)?;
    }
    Ok(())
}

fn validate_name(name: &str) -> Result<(), Refusal> {
    if name.is_empty() || name.len() > limits::ATTRIBUTE_NAME_BYTES_MAX {
        return Err(Refusal::parameter(
            FIELD,
            format!(
                "The message attribute name must be 1 to {} bytes long.",
                limits::ATTRIBUTE_NAME_BYTES_MAX
            ),
        ));
    }
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("aws.") || lower.starts_with("amazon.") {
        return Err(Refusal::parameter(
            FIELD,
            format!(
                "The message attribute name '{name}' is invalid. Attribute name can not start \
                 with AWS. or Amazon."
            ),
        ));
    }
    if !is_dotted_name(name) {
        return Err(Refusal::parameter(
            FIELD,
            format!(
                "The message attribute name '{}' is invalid. Attribute name can contain A-Z, \
                 a-z, 0-9, underscore (_), hyphen (-), and period (.) characters; no period at \
                 the start, at the end or after another.",
                name.escape_default()
            ),
        ));
    }
    Ok(())
}

/// Letters, digits, `_`, `-` and `.`, with no dot at either end and no two together.
fn is_dotted_name(name: &str) -> bool {
    name.split('.').all(|part| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    })
}

fn validate_value(name: &str, attribute: &Attribute) -> Result<(), Refusal> {
    let refuse = |detail: String| Err(Refusal::parameter(FIELD, detail));
    let data_type = &attribute.data_type;
    if data_type.is_empty() {
        return refuse(format!(
            "The message attribute '{name}' must contain non-empty message attribute type."
        ));
    }
    if data_type.len() > limits::ATTRIBUTE_TYPE_BYTES_MAX || !is_dotted_name(data_type) {
        return refuse(format!(
            "The type of message attribute '{name}' is invalid. It can contain A-Z, a-z, 0-9, \
             underscore (_), hyphen (-), and period (.) characters, at most {} of them.",
            limits::ATTRIBUTE_TYPE_BYTES_MAX
        ));
    }
    let wants_binary = match attribute.base_type() {
        "Binary" => true,
        "String" | "Number" => false,
        _ => {
            return refuse(format!(
                "The message attribute '{name}' has an invalid message attribute type, the set \
                 of supported type prefixes is Binary, Number, and String."
            ));
        }
    };
    if attribute.value.bytes().is_empty() {
        return refuse(format!(
            "The message attribute '{name}' must contain non-empty message attribute value for \
             message attribute type '{data_type}'."
        ));
    }
    match &attribute.value {
        AttributeValue::Binary(_) if wants_binary => Ok(()),
        AttributeValue::Binary(_) => refuse(format!(
            "The message attribute '{name}' with type '{data_type}' must use field 'String'."
        )),
        AttributeValue::Text(_) if wants_binary => refuse(format!(
            "The message attribute '{name}' with type '{data_type}' must use field 'Binary'."
        )),
        AttributeValue::Text(text) if attribute.base_type() == "Number" => {
            if is_number(text) {
                Ok(())
            } else {
                refuse(format!(
                    "Can't cast the value of message (user) attribute '{name}' to a number."
                ))
            }
        }
        AttributeValue::Text(text) if is_message_text(text) => Ok(()),
        AttributeValue::Text(_) => Err(Refusal::InvalidMessageContents),
    }
}

/// A decimal number: a sign, digits with a point, an exponent; at most 38 significant digits,
/// between 10^-128 and 10^126.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        None => (unsigned, 0),
        Some((mantissa, exponent)) => match exponent.parse::<i32>() {
            Ok(exponent) => (mantissa, i64::from(exponent)),
            Err(_) => return false,
        },
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if digits().next().is_none() || !digits().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let Some(first) = digits().position(|digit| digit != b'0') else {
        return true; // Zero, however it is written.
    };
    let trailing_zeros = mantissa
        .bytes()
        .rev()
        .filter(|&byte| byte != b'.')
        .take_while(|&byte| byte == b'0')
        .count();
    let significant = whole.len() + fraction.len() - first - trailing_zeros;
    // The first significant digit stands for 10^magnitude. Texts are at most 1 MiB long.
    let magnitude = i64::try_from(whole.len()).expect("at most 1 MiB")
        - i64::try_from(first).expect("at most 1 MiB")
        - 1
        + exponent;
    significant <= limits::NUMBER_DIGITS_MAX
        && (limits::NUMBER_EXPONENT_MIN..=limits::NUMBER_EXPONENT_MAX).contains(&magnitude)
}
