//! `[traces]`: where spans are sent. Off without an endpoint.

use figment::Figment;
use figment::providers::Serialized;
use outgoing::AllowedHosts;
use serde::{Deserialize, Serialize};

use super::{ConfigError, Secret};

/// Where a collector takes spans, below its base URL (OTLP/HTTP).
const PATH: &str = "/v1/traces";
const SERVICE_NAME_MAX: usize = 255;
const HEADERS_MAX: usize = 16;

/// The usual variables of OpenTelemetry, for what neither the file nor `FIRSTCOME_TRACES__*`
/// says; of two for the same the first counts.
const VARIABLES: [(&str, &[&str]); 3] = [
    (
        "traces.endpoint",
        &[
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
        ],
    ),
    (
        "traces.headers",
        &[
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
            "OTEL_EXPORTER_OTLP_HEADERS",
        ],
    ),
    ("traces.service_name", &["OTEL_SERVICE_NAME"]),
];

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Traces {
    /// The base URL of a collector that speaks OTLP over HTTP (`http://127.0.0.1:4318`), or its
    /// `/v1/traces`. Nothing is traced without one. It may be called whatever
    /// `outgoing.allowed_hosts` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Headers for the collector, `name=value` with commas between them; at most 16.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<Secret>,
    /// `service.name`: 1 to 255 characters.
    pub service_name: String,
    /// Of the requests that come without a trace, the part that begins one: 0 to 1. One that
    /// comes with a trace is traced when its caller records it.
    pub ratio: f64,
}

impl Default for Traces {
    fn default() -> Self {
        Self {
            endpoint: None,
            headers: None,
            service_name: "firstcome".to_owned(),
            ratio: 1.0,
        }
    }
}

/// A collector.
#[derive(Debug, Clone)]
pub struct Collector {
    /// Where spans are posted.
    pub url: String,
    /// That host and port, and nothing else.
    pub allowed: AllowedHosts,
    pub headers: Vec<(String, Secret)>,
}

impl Traces {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.collector()?;
        let name = &self.service_name;
        if name.trim().is_empty() || name.chars().count() > SERVICE_NAME_MAX {
            let what = format!("must have 1 to {SERVICE_NAME_MAX} characters");
            return Err(ConfigError::new("traces.service_name", what));
        }
        if !(0.0..=1.0).contains(&self.ratio) {
            let what = format!("must be 0 to 1, is {}", self.ratio);
            return Err(ConfigError::new("traces.ratio", what));
        }
        Ok(())
    }

    /// None when traces are off.
    ///
    /// # Errors
    /// When a setting makes no collector.
    pub fn collector(&self) -> Result<Option<Collector>, ConfigError> {
        // An empty variable is as good as none.
        let Some(endpoint) = self.endpoint.as_deref().filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        // A user and password in it are refused, and nothing of it is repeated.
        let refuse = |what: &str| ConfigError::new("traces.endpoint", what);
        let base = endpoint.trim_end_matches('/');
        if base.contains(['?', '#']) {
            return Err(refuse("must have no query and no fragment"));
        }
        let url = if base.ends_with(PATH) {
            base.to_owned()
        } else {
            format!("{base}{PATH}")
        };
        let allowed = AllowedHosts::only(&url).map_err(|error| refuse(&error.to_string()))?;
        let headers = self.headers()?;
        Ok(Some(Collector {
            url,
            allowed,
            headers,
        }))
    }

    fn headers(&self) -> Result<Vec<(String, Secret)>, ConfigError> {
        // What a header holds may be a secret: it is not repeated.
        let refuse = |what: &str| Err(ConfigError::new("traces.headers", what));
        let text = self.headers.as_ref().map_or("", |text| text.0.as_str());
        let mut headers = Vec::new();
        for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
            let Some((name, value)) = pair.split_once('=') else {
                return refuse("must be name=value, with commas between them");
            };
            let (name, value) = (name.trim(), decoded(value.trim()));
            let is_value = |byte: u8| (0x20..0x7f).contains(&byte);
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            if name.is_empty() || !name.bytes().all(is_name) {
                return refuse("a name must be letters, digits, hyphens and underscores");
            }
            match value {
                Some(value) if value.bytes().all(is_value) => {
                    headers.push((name.to_ascii_lowercase(), Secret(value)));
                }
                Some(_) | None => return refuse("a value must be printable ASCII"),
            }
        }
        if headers.len() > HEADERS_MAX {
            return refuse("there may be at most 16");
        }
        Ok(headers)
    }
}

/// Values are percent-encoded, as those of W3C Baggage.
fn decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let code = digit(rest.next())? * 16 + digit(rest.next())?;
            bytes.push(u8::try_from(code).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// What OpenTelemetry's own variables say, below everything else that is said.
#[expect(
    clippy::disallowed_methods,
    reason = "this is where configuration is read"
)]
pub(super) fn from_environment(mut figment: Figment) -> Figment {
    for (key, names) in VARIABLES {
        let said = names.iter().find_map(|name| {
            let value = std::env::var(name).ok()?;
            (!value.is_empty()).then_some(value)
        });
        if let Some(value) = said {
            figment = figment.merge(Serialized::default(key, value));
        }
    }
    figment
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(endpoint: &str, headers: &str) -> Traces {
        Traces {
            endpoint: Some(endpoint.to_owned()),
            headers: Some(Secret(headers.to_owned())),
            ..Traces::default()
        }
    }

    #[test]
    fn an_endpoint_is_the_base_of_a_collector_or_its_path() {
        for (endpoint, url) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
            (
                "https://otel.example/otlp/",
                "https://otel.example/otlp/v1/traces",
            ),
            (
                "https://otel.example/v1/traces",
                "https://otel.example/v1/traces",
            ),
        ] {
            let collector = with(endpoint, "").collector().unwrap().unwrap();
            assert_eq!(collector.url, url);
            assert!(collector.allowed.check(url).is_ok(), "{url}");
            let other = "http://other.example/v1/traces";
            assert!(collector.allowed.check(other).is_err());
        }
        assert!(with("", "a=b").collector().unwrap().is_none());
    }

    #[test]
    fn what_makes_no_collector_is_refused_by_name_and_not_repeated() {
        for (endpoint, headers, name) in [
            ("localhost:4318", "", "traces.endpoint"),
            ("grpc://127.0.0.1:4317", "", "traces.endpoint"),
            ("http://secret:word@127.0.0.1:4318", "", "traces.endpoint"),
            ("http://127.0.0.1:4318/?key=secret", "", "traces.endpoint"),
            ("http://127.0.0.1:4318", "secret", "traces.headers"),
            ("http://127.0.0.1:4318", "a b=secret", "traces.headers"),
            ("http://127.0.0.1:4318", "a=secret%0d%0ab", "traces.headers"),
            ("http://127.0.0.1:4318", "a=secret%zz", "traces.headers"),
        ] {
            let error = with(endpoint, headers).check().unwrap_err();
            assert_eq!(error.name, name, "{endpoint} {headers}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let ratio = Traces {
            ratio: 1.5,
            ..Traces::default()
        };
        assert_eq!(ratio.check().unwrap_err().name, "traces.ratio");
    }

    #[test]
    fn headers_are_read_and_never_shown() {
        let traces = with(
            "http://127.0.0.1:4318",
            "api-key=0123abcd, Authorization=Basic%20eA==",
        );
        let collector = traces.collector().unwrap().unwrap();
        let headers: Vec<(&str, &str)> = collector
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.0.as_str()))
            .collect();
        let expected = [("api-key", "0123abcd"), ("authorization", "Basic eA==")];
        assert_eq!(headers, expected);
        assert!(!format!("{traces:?} {collector:?}").contains("0123abcd"));
    }
}
