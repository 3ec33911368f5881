//! `MessageStructure=json`: a message with a text for each protocol.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::aws::error::{AwsError, ErrorCode};

/// What everyone gets, and what some protocols get instead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageByProtocol {
    pub default: String,
    /// Under the protocols' names, `sqs`, `http`, `email` ...; names that are no protocol
    /// change nothing.
    pub others: BTreeMap<String, String>,
}

impl MessageByProtocol {
    /// A JSON object with texts, `default` among them. Values that are no texts are passed by
    /// (API reference, `Publish`).
    pub fn parse(message: &str) -> Result<Self, AwsError> {
        let invalid = |reason: &str| {
            AwsError::new(
                ErrorCode::InvalidParameter,
                format!("Invalid parameter: Message Structure - {reason}"),
            )
        };
        let object: Map<String, Value> = serde_json::from_str(message)
            .map_err(|_| invalid("JSON message body failed to parse"))?;
        let texts = object
            .into_iter()
            .filter_map(|(protocol, value)| match value {
                Value::String(text) => Some((protocol, text)),
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::Array(_)
                | Value::Object(_) => None,
            });
        let mut others: BTreeMap<String, String> = texts.collect();
        match others.remove("default") {
            Some(default) => Ok(Self { default, others }),
            None => Err(invalid("No default entry in JSON message body")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_must_be_a_default_text() {
        let parsed = MessageByProtocol::parse(r#"{"default":"d","sqs":"s","http":{"a":1}}"#);
        assert_eq!(
            parsed,
            Ok(MessageByProtocol {
                default: "d".to_owned(),
                others: BTreeMap::from([("sqs".to_owned(), "s".to_owned())]),
            })
        );
        for (message, reason) in [
            ("", "JSON message body failed to parse"),
            ("[]", "JSON message body failed to parse"),
            ("{}", "No default entry in JSON message body"),
            (r#"{"default":1}"#, "No default entry in JSON message body"),
        ] {
            assert_eq!(
                MessageByProtocol::parse(message).unwrap_err().message,
                format!("Invalid parameter: Message Structure - {reason}"),
                "{message}"
            );
        }
    }
}
