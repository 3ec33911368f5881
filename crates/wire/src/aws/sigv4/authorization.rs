//! What a request says about its signature: in the header `Authorization`, or in its URL.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::canonical::HttpRequest;
use super::error::SignatureError;
use super::{ALGORITHM, DATE_HEADER, EXPIRES_S_MAX, TERMINATOR, TOKEN_HEADER};
use crate::aws::form::{hexadecimal_digit, quoted};
use crate::aws::limits;

const HEADER: &str = "authorization";
const ALGORITHM_PARAMETER: &str = "X-Amz-Algorithm";
const CREDENTIAL_PARAMETER: &str = "X-Amz-Credential";
const DATE_PARAMETER: &str = "X-Amz-Date";
const EXPIRES_PARAMETER: &str = "X-Amz-Expires";
const SIGNED_HEADERS_PARAMETER: &str = "X-Amz-SignedHeaders";
pub(super) const SIGNATURE_PARAMETER: &str = "X-Amz-Signature";
const TOKEN_PARAMETER: &str = "X-Amz-Security-Token";

/// Amazon's form of a time.
const TIME_FORMAT: &str = "%Y%m%dT%H%M%SZ";
/// The form of the header `Date` (RFC 9110).
const HTTP_DATE_FORMAT: &str = "%a, %d %b %Y %H:%M:%S GMT";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    pub access_key: String,
    pub scope: Scope,
    /// Of temporary credentials.
    pub session_token: Option<String>,
    /// Of a signed URL only: how long it is good for.
    pub expires_s: Option<u32>,
    /// In lower case, sorted.
    pub(super) signed_headers: Vec<String>,
    pub(super) signature: [u8; 32],
    /// `20150830T123600Z`.
    pub(super) timestamp: String,
    pub(super) time_ms: i64,
}

/// `20150830/us-east-1/sqs/aws4_request`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// `20150830`.
    pub date: String,
    pub region: String,
    pub service: String,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            date,
            region,
            service,
        } = self;
        write!(f, "{date}/{region}/{service}/{TERMINATOR}")
    }
}

fn incomplete(detail: impl Into<String>) -> SignatureError {
    SignatureError::Incomplete(detail.into())
}

/// The parts, before they are looked at.
#[derive(Default)]
struct Parts {
    credential: Option<String>,
    signed_headers: Option<String>,
    signature: Option<String>,
}

impl Authorization {
    /// When it was signed, in milliseconds since the epoch.
    pub const fn time_ms(&self) -> i64 {
        self.time_ms
    }

    /// None if the request is not signed at all. The header goes before the URL.
    pub fn parse(request: &HttpRequest<'_>) -> Result<Option<Self>, SignatureError> {
        if request.header_values(HEADER).next().is_some() {
            return Self::from_header(request).map(Some);
        }
        let is_signed = request
            .parameters()
            .any(|(name, _)| name == ALGORITHM_PARAMETER.as_bytes());
        if is_signed {
            return Self::from_url(request).map(Some);
        }
        Ok(None)
    }

    fn from_header(request: &HttpRequest<'_>) -> Result<Self, SignatureError> {
        let header = request
            .header(HEADER)
            .filter(|header| header.len() <= limits::AUTHORIZATION_BYTES_MAX)
            .ok_or_else(|| incomplete("The Authorization header is too long or no text."))?;
        let parts = header
            .strip_prefix(ALGORITHM)
            .filter(|rest| rest.is_empty() || rest.starts_with([' ', ',']))
            .ok_or_else(|| {
                incomplete(format!(
                    "The Authorization header must be of type {ALGORITHM}."
                ))
            })?;
        let mut found = Parts::default();
        for part in parts.split(',') {
            let Some((name, value)) = part.trim().split_once('=') else {
                continue;
            };
            let place = match name {
                "Credential" => &mut found.credential,
                "SignedHeaders" => &mut found.signed_headers,
                "Signature" => &mut found.signature,
                _ => continue,
            };
            *place = Some(value.to_owned());
        }
        let (timestamp, time_ms) = match request.header(DATE_HEADER) {
            Some(text) => (text.to_owned(), parse_time(TIME_FORMAT, text)),
            None => {
                let text = request.header("date").ok_or_else(|| {
                    incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
                })?;
                let time_ms = parse_time(HTTP_DATE_FORMAT, text);
                (time_ms.map(format_time).unwrap_or_default(), time_ms)
            }
        };
        let time_ms = time_ms.ok_or_else(|| incomplete("The date of the request is no date."))?;
        let token = request.header(TOKEN_HEADER).map(str::to_owned);
        found.into_authorization(timestamp, time_ms, token, None)
    }

    fn from_url(request: &HttpRequest<'_>) -> Result<Self, SignatureError> {
        let parameter = |wanted: &str| {
            let mut parameters = request.parameters();
            let (_, value) = parameters.find(|(name, _)| name == wanted.as_bytes())?;
            String::from_utf8(value).ok()
        };
        if parameter(ALGORITHM_PARAMETER).as_deref() != Some(ALGORITHM) {
            return Err(incomplete(format!(
                "{ALGORITHM_PARAMETER} must be {ALGORITHM}."
            )));
        }
        let timestamp = parameter(DATE_PARAMETER).unwrap_or_default();
        let time_ms = parse_time(TIME_FORMAT, &timestamp)
            .ok_or_else(|| incomplete(format!("{DATE_PARAMETER} is missing or no date.")))?;
        let expires_s = parameter(EXPIRES_PARAMETER)
            .and_then(|expires| expires.parse().ok())
            .filter(|expires| (1..=EXPIRES_S_MAX).contains(expires))
            .ok_or_else(|| {
                incomplete(format!(
                    "{EXPIRES_PARAMETER} must be 1 to {EXPIRES_S_MAX} seconds."
                ))
            })?;
        let parts = Parts {
            credential: parameter(CREDENTIAL_PARAMETER),
            signed_headers: parameter(SIGNED_HEADERS_PARAMETER),
            signature: parameter(SIGNATURE_PARAMETER),
        };
        let token = parameter(TOKEN_PARAMETER);
        parts.into_authorization(timestamp, time_ms, token, Some(expires_s))
    }
}

impl Parts {
    fn into_authorization(
        self,
        timestamp: String,
        time_ms: i64,
        session_token: Option<String>,
        expires_s: Option<u32>,
    ) -> Result<Authorization, SignatureError> {
        let missing = |part: &str| incomplete(format!("The request has no '{part}' parameter."));
        let credential = self.credential.ok_or_else(|| missing("Credential"))?;
        let signed_headers = self
            .signed_headers
            .ok_or_else(|| missing("SignedHeaders"))?;
        let signature = self.signature.ok_or_else(|| missing("Signature"))?;
        let (access_key, scope) = parse_credential(&credential).ok_or_else(|| {
            incomplete(format!(
                "Credential must be <key>/<date>/<region>/<service>/{TERMINATOR}, not '{}'.",
                quoted(&credential)
            ))
        })?;
        Ok(Authorization {
            access_key,
            scope,
            session_token,
            expires_s,
            signed_headers: parse_signed_headers(&signed_headers)?,
            signature: parse_signature(&signature)
                .ok_or_else(|| incomplete("Signature must be 64 hexadecimal digits."))?,
            timestamp,
            time_ms,
        })
    }
}

/// From the end, because an access key may have a slash.
fn parse_credential(credential: &str) -> Option<(String, Scope)> {
    let mut parts = credential.rsplitn(5, '/');
    if parts.next() != Some(TERMINATOR) {
        return None;
    }
    let mut next = || parts.next().filter(|part| !part.is_empty());
    let service = next()?.to_owned();
    let region = next()?.to_owned();
    let date = next()?.to_owned();
    let access_key = next()?.to_owned();
    let scope = Scope {
        date,
        region,
        service,
    };
    Some((access_key, scope))
}

fn parse_signed_headers(names: &str) -> Result<Vec<String>, SignatureError> {
    let names: Vec<String> = names
        .split(';')
        .map(str::to_ascii_lowercase)
        .filter(|name| !name.is_empty())
        .collect();
    if names.len() > limits::SIGNED_HEADERS_MAX {
        return Err(incomplete(format!(
            "More than {} headers are signed.",
            limits::SIGNED_HEADERS_MAX
        )));
    }
    if !names.is_sorted_by(|a, b| a < b) {
        return Err(incomplete("SignedHeaders must be sorted, each name once."));
    }
    Ok(names)
}

fn parse_signature(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut signature = [0; 32];
    for (byte, pair) in signature.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = hexadecimal_digit(pair[0])? << 4 | hexadecimal_digit(pair[1])?;
    }
    Some(signature)
}

fn parse_time(format: &str, text: &str) -> Option<i64> {
    let time = DateTime::strptime(format, text).ok()?;
    let time = TimeZone::UTC.to_timestamp(time).ok()?;
    Some(time.as_millisecond())
}

pub(super) fn format_time(milliseconds: i64) -> String {
    let time = Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH);
    time.strftime(TIME_FORMAT).to_string()
}
