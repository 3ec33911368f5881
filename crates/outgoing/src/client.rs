//! The client itself: one POST with a JSON body, one bounded answer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{redirect, retry};

use crate::error::{BuildError, CallError};
use crate::hosts::{AllowedHosts, Target};
use crate::resolve::CheckedResolver;

/// The most of an answer's body that is kept, in bytes; the rest is not read.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Idle connections kept for one host.
const IDLE_PER_HOST_MAX: usize = 8;
const IDLE_MAX: Duration = Duration::from_secs(30);

/// How long a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the connection stands: name, TCP and TLS.
    pub connect: Duration,
    /// Until the last byte of the answer, the connection included.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            total: Duration::from_secs(10),
        }
    }
}

/// An answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// At most [`BODY_BYTES_MAX`].
    pub body: Bytes,
    /// The body was longer than what is kept.
    pub truncated: bool,
    /// `Retry-After`, if it could be read.
    pub retry_after: Option<RetryAfter>,
}

/// When to come back (RFC 9110, 10.2.3). Bounding it is the caller's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    Wait(Duration),
    At(SystemTime),
}

impl RetryAfter {
    fn read(value: &str) -> Option<Self> {
        let value = value.trim();
        // Digits only: a sign is no part of it.
        if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
            let seconds = value.parse().unwrap_or(u64::MAX);
            return Some(Self::Wait(Duration::from_secs(seconds)));
        }
        httpdate::parse_http_date(value).ok().map(Self::At)
    }

    /// How long that is at this moment, in milliseconds since 1970; what is over is no wait.
    pub fn wait(self, now_ms: i64) -> Duration {
        match self {
            Self::Wait(wait) => wait,
            Self::At(at) => {
                let now = UNIX_EPOCH + Duration::from_millis(u64::try_from(now_ms).unwrap_or(0));
                at.duration_since(now).unwrap_or_default()
            }
        }
    }
}

impl Response {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Calls other people's servers; cheap to clone, clones share their connections.
#[derive(Clone)]
pub struct Client {
    allowed: AllowedHosts,
    http: reqwest::Client,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("allowed", &self.allowed)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Certificates are checked against the system's roots (`SSL_CERT_FILE` and
    /// `SSL_CERT_DIR` name others). Where there are none, as in an empty container image,
    /// http works and every https call ends in [`CallError::Tls`].
    pub fn new(allowed: AllowedHosts, timeouts: Timeouts) -> Result<Self, BuildError> {
        match Self::build(&allowed, timeouts, |builder| builder) {
            Ok(client) => Ok(client),
            Err(error) => {
                let client = Self::build(&allowed, timeouts, |builder| builder.tls_certs_only([]))?;
                tracing::warn!(
                    reason = %reason(&error.0),
                    "no usable root certificates: calls over https will fail"
                );
                Ok(client)
            }
        }
    }

    pub(crate) fn build(
        allowed: &AllowedHosts,
        timeouts: Timeouts,
        roots: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Result<Self, BuildError> {
        // A process has one provider of cryptography; whoever was first chose it.
        let _already_chosen = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .user_agent(concat!("firstcome/", env!("CARGO_PKG_VERSION")))
            .referer(false)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .dns_resolver(CheckedResolver {
                allowed: allowed.clone(),
            })
            .connect_timeout(timeouts.connect)
            .timeout(timeouts.total)
            .pool_idle_timeout(IDLE_MAX)
            .pool_max_idle_per_host(IDLE_PER_HOST_MAX);
        let http = roots(builder).build().map_err(BuildError)?;
        Ok(Self {
            allowed: allowed.clone(),
            http,
        })
    }

    /// Whether [`Client::post_json`] would try to call this URL.
    pub fn check(&self, url: &str) -> Result<Target, CallError> {
        self.allowed.check(url)
    }

    /// Posts a body that is JSON and waits for the answer. Nothing is retried, but an idle
    /// connection that turns out to be closed before anything was sent is replaced.
    pub async fn post_json(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Response, CallError> {
        let target = self.check(url)?;
        let host = target.host();
        let headers = header_map(headers)?;
        let answer = self
            .http
            .post(target.url)
            .headers(headers)
            .body(reqwest::Body::from(body.into()))
            .send()
            .await
            .map_err(|error| CallError::from_reqwest(&error, host.clone()))?;
        read_answer(answer)
            .await
            .map_err(|error| CallError::from_reqwest(&error, host))
    }
}

fn header_map(headers: &[(&str, &str)]) -> Result<HeaderMap, CallError> {
    let mut map = HeaderMap::with_capacity(headers.len() + 2);
    map.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    map.insert(ACCEPT, HeaderValue::from_static("application/json"));
    for (name, value) in headers {
        let invalid = || CallError::InvalidHeader {
            name: (*name).to_owned(),
        };
        let header = HeaderName::try_from(*name).map_err(|_| invalid())?;
        let mut value = HeaderValue::try_from(*value).map_err(|_| invalid())?;
        // What is sent to others may be a credential; it stays out of any `Debug`.
        value.set_sensitive(true);
        map.insert(header, value);
    }
    Ok(map)
}

async fn read_answer(mut answer: reqwest::Response) -> Result<Response, reqwest::Error> {
    let status = answer.status().as_u16();
    let retry_after = answer
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| RetryAfter::read(value.to_str().ok()?));
    let mut body = BytesMut::new();
    let mut truncated = false;
    while let Some(chunk) = answer.chunk().await? {
        let room = BODY_BYTES_MAX - body.len();
        if chunk.len() > room {
            body.extend_from_slice(&chunk[..room]);
            truncated = true;
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Response {
        status,
        body: body.freeze(),
        truncated,
        retry_after,
    })
}

/// The last cause, which is the one that says something.
fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now_ms = 784_111_777_000 - 90_000;
        for (value, expected_s) in [
            ("0", Some(0)),
            (" 7 ", Some(7)),
            ("99999999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(90)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(90)),
            ("Sun Nov  6 08:49:37 1994", Some(90)),
            ("Sun, 06 Nov 1983 08:49:37 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("tomorrow", None),
        ] {
            let read = RetryAfter::read(value).map(|it| it.wait(now_ms).as_secs());
            assert_eq!(read, expected_s, "{value}");
        }
    }
}
