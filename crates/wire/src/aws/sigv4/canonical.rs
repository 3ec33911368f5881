//! The one form of a request that both sides hash.

use sha2::{Digest, Sha256};

use super::authorization::{Authorization, SIGNATURE_PARAMETER};
use super::error::SignatureError;
use super::{ALGORITHM, CONTENT_HASH_HEADER};
use crate::aws::form::percent_decode;
use crate::aws::md5::hexadecimal;

/// A request as it came in.
#[derive(Clone, Copy, Debug)]
pub struct HttpRequest<'a> {
    pub method: &'a str,
    /// As sent, not decoded.
    pub path: &'a str,
    /// As sent, without `?`; empty if there is none.
    pub query: &'a str,
    /// Names in any case, in the order in which they came.
    pub headers: &'a [(&'a str, &'a [u8])],
    pub body: &'a [u8],
}

impl<'a> HttpRequest<'a> {
    pub(super) fn header_values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.headers
            .iter()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value)
    }

    /// The first value, if it is text.
    pub(super) fn header(&self, name: &str) -> Option<&'a str> {
        let value = self.header_values(name).next()?;
        std::str::from_utf8(value).ok().map(str::trim)
    }

    /// Names and values of the query, decoded as URLs are: a plus sign is a plus sign.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |text: &str| {
                // What cannot be decoded stands for itself.
                percent_decode(text.as_bytes(), false).unwrap_or_else(|| text.as_bytes().to_vec())
            };
            (decode(name), decode(value))
        })
    }
}

/// The bytes whose hash is signed. Fails if a signed header is not there.
pub fn canonical_request(
    request: &HttpRequest<'_>,
    authorization: &Authorization,
) -> Result<Vec<u8>, SignatureError> {
    let mut out = Vec::with_capacity(512);
    let mut line = |text: &[u8]| {
        out.extend_from_slice(text);
        out.push(b'\n');
    };
    line(request.method.as_bytes());
    line(canonical_path(request.path).as_bytes());
    line(canonical_query(request, authorization.expires_s.is_some()).as_bytes());
    for name in &authorization.signed_headers {
        let value = canonical_header(request, name)?;
        line(&[name.as_bytes(), b":", &value].concat());
    }
    line(b"");
    line(authorization.signed_headers.join(";").as_bytes());
    match authorization.content_hash(request) {
        Some(hash) => out.extend_from_slice(hash.as_bytes()),
        None => out.extend_from_slice(hexadecimal(&Sha256::digest(request.body)).as_bytes()),
    }
    Ok(out)
}

pub fn string_to_sign(canonical_request: &[u8], authorization: &Authorization) -> String {
    format!(
        "{ALGORITHM}\n{}\n{}\n{}",
        authorization.timestamp,
        authorization.scope,
        hexadecimal(&Sha256::digest(canonical_request))
    )
}

impl Authorization {
    /// What the client says it hashed: a header, or a parameter of a signed URL.
    pub(super) fn content_hash(&self, request: &HttpRequest<'_>) -> Option<String> {
        if let Some(hash) = request.header(CONTENT_HASH_HEADER) {
            return Some(hash.to_owned());
        }
        self.expires_s?;
        let is_hash = |name: &[u8]| name.eq_ignore_ascii_case(CONTENT_HASH_HEADER.as_bytes());
        let (_, hash) = request.parameters().find(|(name, _)| is_hash(name))?;
        String::from_utf8(hash).ok()
    }
}

/// Without empty segments, `.` and `..`, and encoded once more than it was sent, as for every
/// service but S3.
fn canonical_path(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    let mut out = String::with_capacity(path.len() + 1);
    for segment in &segments {
        out.push('/');
        percent_encode(segment.as_bytes(), &mut out);
    }
    if segments.is_empty() || path.ends_with('/') {
        out.push('/');
    }
    out
}

fn canonical_query(request: &HttpRequest<'_>, presigned: bool) -> String {
    let is_signature = |name: &[u8]| presigned && name == SIGNATURE_PARAMETER.as_bytes();
    let mut pairs: Vec<(String, String)> = request
        .parameters()
        .filter(|(name, _)| !is_signature(name))
        .map(|(name, value)| {
            let mut pair = (String::new(), String::new());
            percent_encode(&name, &mut pair.0);
            percent_encode(&value, &mut pair.1);
            pair
        })
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

/// Values in the order in which they came, each with its blanks folded.
fn canonical_header(request: &HttpRequest<'_>, name: &str) -> Result<Vec<u8>, SignatureError> {
    let mut out = Vec::new();
    for (index, value) in request.header_values(name).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let words = value
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        for (index, word) in words.enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(word);
        }
    }
    if request.header_values(name).next().is_none() {
        return Err(SignatureError::Incomplete(format!(
            "The header {} is signed, but the request does not have it.",
            crate::aws::form::quoted(name)
        )));
    }
    Ok(out)
}

/// All but the unreserved characters of RFC 3986.
fn percent_encode(bytes: &[u8], out: &mut String) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let digit = |four_bits: u8| char::from(b"0123456789ABCDEF"[usize::from(four_bits)]);
            out.push('%');
            out.push(digit(byte >> 4));
            out.push(digit(byte & 0xf));
        }
    }
}
