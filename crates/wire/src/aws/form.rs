//! The parameters of the query protocol: `a=1&b.1.Name=x`, from a form's body or a query
//! string.
//!
//! What always holds: at most [`limits::PARAMETERS_MAX`] parameters, sorted by name, each name
//! once; names and values are UTF-8.

use std::fmt;

use super::error::{AwsError, ErrorCode};
use super::limits;

/// Which of the two services a request is for; both may be on one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    Sqs,
    Sns,
}

impl Service {
    /// As it stands in ARNs and in the scope of a signature.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqs => "sqs",
            Self::Sns => "sns",
        }
    }

    /// The `Version` of the query protocol.
    pub const fn version(self) -> &'static str {
        match self {
            Self::Sqs => "2012-11-05",
            Self::Sns => "2010-03-31",
        }
    }

    /// The namespace of its XML.
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::Sqs => "http://queue.amazonaws.com/doc/2012-11-05/",
            Self::Sns => "http://sns.amazonaws.com/doc/2010-03-31/",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Parameters, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    parameters: Vec<(String, String)>,
}

impl Form {
    /// Reads the URL's query string (without `?`) and the body of a form, either of which may
    /// be empty. A parameter that stands twice must have the same value both times.
    pub fn parse(query: &str, body: &[u8]) -> Result<Self, AwsError> {
        if query.len() + body.len() > limits::REQUEST_BYTES_MAX {
            return Err(AwsError::too_large());
        }
        let mut parameters = Vec::new();
        for part in [query.as_bytes(), body] {
            for pair in part.split(|&byte| byte == b'&') {
                if pair.is_empty() {
                    continue;
                }
                if parameters.len() == limits::PARAMETERS_MAX {
                    return Err(malformed(format!(
                        "The request has more than {} parameters.",
                        limits::PARAMETERS_MAX
                    )));
                }
                parameters.push(parse_pair(pair)?);
            }
        }
        parameters.sort();
        parameters.dedup();
        match parameters.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(malformed(format!(
                "The parameter {} stands in the request twice.",
                quoted(&pair[0].0)
            ))),
            None => Ok(Self { parameters }),
        }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters
            .binary_search_by(|(other, _)| other.as_str().cmp(name))
            .ok()
            .map(|at| self.parameters[at].1.as_str())
    }

    /// The value of `Action`.
    pub fn action(&self) -> Result<&str, AwsError> {
        match self.get("Action") {
            Some(action) if !action.is_empty() => Ok(action),
            Some(_) | None => Err(AwsError::missing_action()),
        }
    }

    /// Told by the version, else by the scope of the signature, else by the action, where only
    /// SNS has one of that name.
    pub fn service(&self, signed_for: Option<&str>) -> Service {
        let named = |service: Service| {
            self.get("Version") == Some(service.version())
                || (self.get("Version").is_none() && signed_for == Some(service.name()))
        };
        if named(Service::Sqs) {
            Service::Sqs
        } else if named(Service::Sns) {
            Service::Sns
        } else {
            let action = self.get("Action").unwrap_or_default();
            let is_sqs = super::sqs::Action::parse(action).is_some();
            let is_sns = super::sns::Action::parse(action).is_some();
            if is_sns && !is_sqs {
                Service::Sns
            } else {
                Service::Sqs
            }
        }
    }

    /// Adds a parameter that is not there.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        let at = self
            .parameters
            .partition_point(|(other, _)| other.as_str() < name);
        self.parameters
            .insert(at, (name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn parameters(&self) -> &[(String, String)] {
        &self.parameters
    }
}

fn malformed(message: impl Into<String>) -> AwsError {
    AwsError::new(ErrorCode::MalformedQueryString, message)
}

fn parse_pair(pair: &[u8]) -> Result<(String, String), AwsError> {
    let (name, value) = match pair.iter().position(|&byte| byte == b'=') {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (pair, &pair[pair.len()..]),
    };
    Ok((decode(name)?, decode(value)?))
}

fn decode(text: &[u8]) -> Result<String, AwsError> {
    let bytes = percent_decode(text, true)
        .ok_or_else(|| malformed("A percent sign is not followed by two hexadecimal digits."))?;
    String::from_utf8(bytes).map_err(|_| malformed("The parameters are not UTF-8."))
}

/// In forms, but not in paths and in what is signed, `+` is a space.
pub(crate) fn percent_decode(text: &[u8], plus_is_space: bool) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                bytes.push(hexadecimal_digit(*high)? << 4 | hexadecimal_digit(*low)?);
                tail
            }
            (b'%', _) => return None,
            (b'+', tail) if plus_is_space => {
                bytes.push(b' ');
                tail
            }
            (byte, tail) => {
                bytes.push(*byte);
                tail
            }
        };
    }
    Some(bytes)
}

pub(crate) fn hexadecimal_digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        b'A'..=b'F' => Some(character - b'A' + 10),
        _ => None,
    }
}

/// Part of an input in an error message: short, and without control characters.
pub(crate) fn quoted(text: &str) -> String {
    let mut short: String = text
        .chars()
        .take(limits::QUOTED_CHARACTERS_MAX)
        .flat_map(|character| {
            if character.is_control() {
                character.escape_default().collect::<Vec<_>>()
            } else {
                vec![character]
            }
        })
        .collect();
    if text.chars().nth(limits::QUOTED_CHARACTERS_MAX).is_some() {
        short.push_str("...");
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_come_from_the_url_and_the_body() {
        let form = Form::parse("Action=A&x=%ED%95%9C+%2B", b"y=1&&z&Action=A").unwrap();
        assert_eq!(form.get("Action"), Some("A"));
        assert_eq!(form.get("x"), Some("한 +"));
        assert_eq!(form.get("y"), Some("1"));
        assert_eq!(form.get("z"), Some(""));
        assert_eq!(form.get("w"), None);
    }

    #[test]
    fn what_is_not_a_form_is_refused_with_a_reason() {
        for (query, message) in [
            (
                "a=%",
                "A percent sign is not followed by two hexadecimal digits.",
            ),
            (
                "a=%2",
                "A percent sign is not followed by two hexadecimal digits.",
            ),
            (
                "a=%zz",
                "A percent sign is not followed by two hexadecimal digits.",
            ),
            ("a=%ff", "The parameters are not UTF-8."),
            ("a=1&a=2", "The parameter a stands in the request twice."),
        ] {
            assert_eq!(
                Form::parse(query, b""),
                Err(AwsError::new(ErrorCode::MalformedQueryString, message)),
                "{query}"
            );
        }
    }

    #[test]
    fn a_form_is_bounded() {
        let body = |count: usize| -> String { (0..count).map(|n| format!("a{n}=1&")).collect() };
        assert!(Form::parse("", body(limits::PARAMETERS_MAX).as_bytes()).is_ok());
        assert!(Form::parse("", body(limits::PARAMETERS_MAX + 1).as_bytes()).is_err());
        let large = vec![b'a'; limits::REQUEST_BYTES_MAX + 1];
        assert_eq!(
            Form::parse("", &large).unwrap_err().code,
            ErrorCode::RequestEntityTooLarge
        );
    }

    #[test]
    fn the_service_is_told_by_version_then_scope_then_action() {
        for (query, signed_for, service) in [
            (
                "Version=2010-03-31&Action=AddPermission",
                Some("sqs"),
                Service::Sns,
            ),
            (
                "Version=2012-11-05&Action=AddPermission",
                Some("sns"),
                Service::Sqs,
            ),
            ("Action=AddPermission", Some("sns"), Service::Sns),
            ("Action=AddPermission", None, Service::Sqs),
            ("Action=Publish", None, Service::Sns),
            ("Action=Nothing", None, Service::Sqs),
        ] {
            let form = Form::parse(query, b"").unwrap();
            assert_eq!(form.service(signed_for), service, "{query}");
        }
    }
}
