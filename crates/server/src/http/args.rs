//! What comes in: bodies, path parts, queries and headers, checked before a handler sees them,
//! each refusal with the name of the field.

use axum::body::{HttpBody as _, to_bytes};
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use commerce::digest;
use engine::KeyHash;
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;
use wire::{Code, Prefer};

use crate::http::error::{HttpError, HttpResult};
use crate::socket::{BODY_WITHIN, BodyError};

/// The largest body there is, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// A JSON body.
pub struct JsonBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = HttpError;

    async fn from_request(request: Request, _: &S) -> HttpResult<Self> {
        check_content_type(request.headers())?;
        parse(&read_body(request.into_body()).await?).map(Self)
    }
}

/// A body that may be missing; when it is there, it is JSON.
pub struct MaybeJsonBody<T>(pub Option<T>);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for MaybeJsonBody<T> {
    type Rejection = HttpError;

    async fn from_request(request: Request, _: &S) -> HttpResult<Self> {
        let (parts, content) = request.into_parts();
        let bytes = read_body(content).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        check_content_type(&parts.headers)?;
        parse(&bytes).map(Self)
    }
}

/// A JSON body with the key it may carry.
pub struct KeyedBody<T> {
    pub body: T,
    pub key: Option<KeyHash>,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for KeyedBody<T> {
    type Rejection = HttpError;

    async fn from_request(request: Request, _: &S) -> HttpResult<Self> {
        check_content_type(request.headers())?;
        let (body, key) = keyed(request).await?;
        Ok(Self { body, key })
    }
}

/// What [`KeyedBody`] has, of a request whose content type is right.
async fn keyed<T: DeserializeOwned>(request: Request) -> HttpResult<(T, Option<KeyHash>)> {
    // One key is one request, of one route: a key of /orders says nothing of /buy.
    let scope = request.uri().path();
    let key = idempotency_key(request.headers())?.map(|key| key_hash(scope, key));
    let body = parse(&read_body(request.into_body()).await?)?;
    Ok((body, key))
}

/// A JSON body with the headers that an order may carry.
pub struct OrderRequest<T> {
    pub body: T,
    pub key: Option<KeyHash>,
    pub prefer: Prefer,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for OrderRequest<T> {
    type Rejection = HttpError;

    async fn from_request(request: Request, _: &S) -> HttpResult<Self> {
        check_content_type(request.headers())?;
        let prefer = prefer(request.headers())?;
        let (body, key) = keyed(request).await?;
        Ok(Self { body, key, prefer })
    }
}

/// The fingerprint of a key in its scope.
fn key_hash(scope: &str, key: &str) -> KeyHash {
    let whole = digest(&[scope.as_bytes(), &[0], key.as_bytes()]);
    let mut hash = [0; 16];
    hash.copy_from_slice(&whole.as_bytes()[..16]);
    KeyHash(hash)
}

/// The bytes of a body, as they came.
pub(crate) async fn read_body(body: axum::body::Body) -> HttpResult<axum::body::Bytes> {
    let too_large = || {
        let detail = format!("a body may have {BODY_BYTES_MAX} bytes");
        Err(HttpError::new(Code::BodyTooLarge, detail))
    };
    // What the client says it will send: it may wait to be told to.
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return too_large();
    }
    let error = match to_bytes(body, BODY_BYTES_MAX).await {
        Ok(bytes) => return Ok(bytes),
        Err(error) => error,
    };
    if BodyError::is_late(&error) {
        return Err(HttpError::new(
            Code::RequestTimeout,
            format!("a body must arrive within {} s", BODY_WITHIN.as_secs()),
        ));
    }
    if error.into_inner().is::<LengthLimitError>() {
        return too_large();
    }
    let detail = "the body is cut short, or its chunks are not as HTTP has them";
    Err(HttpError::new(Code::InvalidJson, detail))
}

pub(crate) fn check_content_type(headers: &HeaderMap) -> HttpResult<()> {
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    if !codings.all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(HttpError::at(
            Code::UnsupportedMediaType,
            "Content-Encoding",
            "the body must not be compressed",
        ));
    }
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let Some(value) = values.next() else {
        return Err(wrong_type("it is missing"));
    };
    if values.next().is_some() {
        return Err(HttpError::at(
            Code::InvalidHeader,
            "Content-Type",
            "it is given twice",
        ));
    }
    let Ok(text) = value.to_str() else {
        return Err(wrong_type("it is not ASCII"));
    };
    let essence = text.split(';').next().unwrap_or("").trim();
    let json = essence.eq_ignore_ascii_case("application/json")
        || (essence.len() > 17
            && essence.is_char_boundary(12)
            && essence[..12].eq_ignore_ascii_case("application/")
            && essence.ends_with("+json"));
    if json {
        Ok(())
    } else {
        Err(wrong_type("it says something else"))
    }
}

fn wrong_type(why: &str) -> HttpError {
    HttpError::at(
        Code::UnsupportedMediaType,
        "Content-Type",
        format!("the content type must be application/json: {why}"),
    )
}

/// Reads JSON. The way to an error reads it again, to name the field.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> HttpResult<T> {
    // Serde reads an array as the fields in their order, which no caller can have meant.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(HttpError::new(
            Code::InvalidField,
            "the body must be an object",
        ));
    }
    serde_json::from_slice(bytes).map_err(|_| explain::<T>(bytes))
}

#[cold]
fn explain<T: DeserializeOwned>(bytes: &[u8]) -> HttpError {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let Err(error) = serde_path_to_error::deserialize::<_, T>(&mut deserializer) else {
        // The value is whole and something follows it.
        return HttpError::new(Code::InvalidJson, "something follows the JSON value");
    };
    let path = error.path().to_string();
    let inner = error.into_inner();
    let text = inner.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    let quoted = || text.split('`').nth(1).unwrap_or_default().to_owned();
    let inside = |name: String| match path.as_str() {
        "." | "?" | "" => name,
        path => match path.rsplit_once('.') {
            // The path may end in the field itself or in its parent.
            _ if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
            _ => format!("{path}.{name}"),
        },
    };
    if !inner.is_data() {
        return HttpError::new(Code::InvalidJson, text.to_owned());
    }
    if text.starts_with("unknown field") {
        let name = inside(quoted());
        return HttpError::at(Code::UnknownField, name, text.to_owned());
    }
    if text.starts_with("missing field") {
        let name = inside(quoted());
        return HttpError::at(Code::MissingField, name, text.to_owned());
    }
    if text.starts_with("duplicate field") {
        let name = inside(quoted());
        return HttpError::at(Code::InvalidField, name, "it is given twice");
    }
    if path == "." {
        return HttpError::new(Code::InvalidField, text.to_owned());
    }
    HttpError::at(Code::InvalidField, path, text.to_owned())
}

/// The parameters of a path.
pub struct PathArgs<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathArgs<T> {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> HttpResult<Self> {
        Path::from_request_parts(parts, state)
            .await
            .map(|Path(parameters)| Self(parameters))
            .map_err(|error| match error {
                PathRejection::FailedToDeserializePathParams(error) => match error.kind() {
                    ErrorKind::InvalidUtf8InPathParam { key } => HttpError::at(
                        Code::InvalidParameter,
                        key,
                        "it must be UTF-8, percent-encoded",
                    ),
                    _ => HttpError::new(Code::InvalidParameter, error.body_text()),
                },
                // Only a route that has no parameters can say so.
                _ => HttpError::new(Code::InvalidParameter, error.body_text()),
            })
    }
}

/// A query string with known names only.
pub struct QueryArgs<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryArgs<T> {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> HttpResult<Self> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|query: axum::extract::Query<T>| Self(query.0))
            .map_err(|error| {
                let text = error.body_text();
                let detail = text
                    .split_once(": ")
                    .map_or(text.as_str(), |(_, detail)| detail);
                match parameter_at_fault(detail) {
                    Some((name, detail)) => HttpError::at(Code::InvalidParameter, name, detail),
                    None => HttpError::new(Code::InvalidParameter, detail),
                }
            })
    }
}

/// The parameter that a refused query is about, and what is said of it: the reader writes
/// ``duplicate field `limit` ``, or the name before everything else.
fn parameter_at_fault(detail: &str) -> Option<(&str, &str)> {
    if let Some(twice) = detail.strip_prefix("duplicate field `") {
        return Some((twice.strip_suffix('`')?, "it is given twice"));
    }
    // A name that is not known may have a colon of its own.
    let at = detail
        .find(": unknown field `")
        .or_else(|| detail.find(": "))?;
    Some((&detail[..at], &detail[at + 2..]))
}

/// The bytes of a header, if it is there once and printable ASCII.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> HttpResult<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(HttpError::at(
            Code::InvalidHeader,
            name.as_str(),
            "it is given twice",
        ));
    }
    value.to_str().map(Some).map_err(|_| {
        HttpError::at(
            Code::InvalidHeader,
            name.as_str(),
            "it must be printable ASCII",
        )
    })
}

// Looked for in every request: read once.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// `Idempotency-Key`: 1 to 255 printable ASCII characters.
fn idempotency_key(headers: &HeaderMap) -> HttpResult<Option<&str>> {
    const NAME: &str = "Idempotency-Key";
    let Some(key) = single(headers, &IDEMPOTENCY_KEY).map_err(|mut error| {
        error.0.field = Some(NAME.to_owned());
        error
    })?
    else {
        return Ok(None);
    };
    if let Some(other) = key.bytes().find(|byte| !matches!(byte, 0x20..=0x7e)) {
        return Err(HttpError::at(
            Code::InvalidHeader,
            NAME,
            format!("it must be printable ASCII, has the byte {other:#04x}"),
        ));
    }
    if (1..=255).contains(&key.len()) {
        Ok(Some(key))
    } else {
        Err(HttpError::at(
            Code::InvalidHeader,
            NAME,
            format!("it must have 1 to 255 characters, has {}", key.len()),
        ))
    }
}

fn prefer(headers: &HeaderMap) -> HttpResult<Prefer> {
    let mut prefer = Prefer::default();
    // The header may come several times; that is the same as one list.
    for value in headers.get_all(PREFER) {
        let Ok(text) = value.to_str() else {
            return Err(HttpError::at(
                Code::InvalidHeader,
                "Prefer",
                "it must be ASCII",
            ));
        };
        let one = Prefer::parse(text)
            .map_err(|error| HttpError::at(Code::InvalidHeader, "Prefer", error.to_string()))?;
        prefer.respond_async |= one.respond_async;
        prefer.wait_s = prefer.wait_s.or(one.wait_s);
    }
    Ok(prefer)
}

/// Whether the client's first language is Korean.
pub struct AcceptsKorean(pub bool);

impl<S: Send + Sync> FromRequestParts<S> for AcceptsKorean {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let first = parts.headers.get(header::ACCEPT_LANGUAGE);
        Ok(Self(first.is_some_and(|value| {
            value.as_bytes().trim_ascii_start().starts_with(b"ko")
        })))
    }
}

/// How many rows a page may have.
pub const PAGE_MAX: usize = 100;

/// `?limit=`, 1 to 100.
pub fn limit(limit: Option<u32>) -> HttpResult<usize> {
    limit_within(limit, PAGE_MAX)
}

/// `?limit=` of a page that may have more or fewer rows than others; 50 unless it is said.
pub fn limit_within(limit: Option<u32>, max: usize) -> HttpResult<usize> {
    let limit = limit.map_or(50, |limit| limit as usize);
    if (1..=max).contains(&limit) {
        Ok(limit)
    } else {
        Err(HttpError::at(
            Code::InvalidParameter,
            "limit",
            format!("must be 1 to {max}"),
        ))
    }
}

/// The largest sequence there can be: stores keep them as signed 64-bit integers.
pub const SEQUENCE_MAX: u64 = u64::MAX >> 1;

/// The `next` of the page before.
pub fn cursor(name: &'static str, value: Option<u64>) -> HttpResult<Option<u64>> {
    match value {
        Some(value) if value > SEQUENCE_MAX => Err(HttpError::at(
            Code::InvalidParameter,
            name,
            format!("must be 0 to {SEQUENCE_MAX}"),
        )),
        Some(_) | None => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameter_at_fault_is_named() {
        for (detail, expected) in [
            (
                "limit: invalid digit found in string",
                Some(("limit", "invalid digit found in string")),
            ),
            (
                "x: unknown field `x`, expected `limit` or `after`",
                Some(("x", "unknown field `x`, expected `limit` or `after`")),
            ),
            (
                "a: b: unknown field `a: b`, expected `limit`",
                Some(("a: b", "unknown field `a: b`, expected `limit`")),
            ),
            (
                "duplicate field `limit`",
                Some(("limit", "it is given twice")),
            ),
            ("something else", None),
        ] {
            assert_eq!(parameter_at_fault(detail), expected, "{detail}");
        }
    }
}
