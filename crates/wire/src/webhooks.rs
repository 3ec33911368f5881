//! Standard Webhooks: how a receiver knows that a call is ours, and that it is new.
//!
//! The scheme is that of the specification, version 1.0.0 (standardwebhooks.com), with its
//! symmetric signatures, `v1`:
//! ```text
//! webhook-id:         msg_2KWPBgLlAfxdpx2AI54pPJ85f4W      the same for every attempt
//! webhook-timestamp:  1674087231                           seconds, of this attempt
//! webhook-signature:  v1,<base64> v1,<base64>              one for each secret in use
//!
//! signature = HMAC-SHA256(secret, id "." timestamp "." body)
//! secret    = "whsec_" base64(24 to 64 bytes)
//! ```
//! What always holds: an id has no full stop, so that no other id, time and body give the same
//! signed bytes; a comparison takes the same time wherever the signatures differ; a secret is
//! in no `Debug` and in no error.
//!
//! It deliberately does not know the clock, nor where random bytes come from, nor whether an
//! id was seen before: the id is the receiver's idempotency key. Signatures of other versions
//! (`v1a`, Ed25519) are passed over, as the specification asks.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

#[cfg(test)]
mod tests;

pub const ID_HEADER: &str = "webhook-id";
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// How far the time of an attempt may be from the receiver's, either way, in seconds.
pub const TOLERANCE_S: i64 = 300;
pub const SECRET_BYTES_MIN: usize = 24;
pub const SECRET_BYTES_MAX: usize = 64;
/// How many secrets may be in use at once: the current one, and those being replaced.
pub const SECRETS_MAX: usize = 4;
pub const ID_BYTES_MAX: usize = 128;

/// Of the signatures in one header, those that are looked at; with more it is refused.
const SIGNATURES_MAX: usize = 16;
/// A signature of the longest kind there is (`v1a`, 64 bytes) takes 92 bytes.
const SIGNATURE_HEADER_BYTES_MAX: usize = 2048;
/// Enough until the year 33658.
const TIMESTAMP_DIGITS_MAX: usize = 12;

const SECRET_PREFIX: &str = "whsec_";
const VERSION: &str = "v1";

/// What the sender and one receiver share, 24 to 64 bytes.
#[derive(Clone)]
pub struct Secret(Box<[u8]>);

/// Why something is not a secret. Does not quote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error("must start with {SECRET_PREFIX}")]
    Prefix,
    #[error("must be base64 after {SECRET_PREFIX}")]
    Encoding,
    #[error("must have {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes, has {0}")]
    Length(usize),
}

impl Secret {
    /// A secret of these bytes, which must be random for it to be one.
    pub fn from_random(bytes: &[u8]) -> Result<Self, SecretError> {
        if (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len()) {
            Ok(Self(bytes.into()))
        } else {
            Err(SecretError::Length(bytes.len()))
        }
    }

    /// Reads `whsec_<base64>`.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let encoded = text
            .strip_prefix(SECRET_PREFIX)
            .ok_or(SecretError::Prefix)?;
        let bytes = BASE64_STANDARD
            .decode(encoded)
            .map_err(|_| SecretError::Encoding)?;
        Self::from_random(&bytes)
    }

    /// `whsec_<base64>`, to be shown to the receiver once.
    pub fn reveal(&self) -> String {
        format!("{SECRET_PREFIX}{}", BASE64_STANDARD.encode(&self.0))
    }

    fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// Secrets are not for logs.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The three headers of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    pub id: String,
    pub timestamp: String,
    pub signature: String,
}

impl Signed {
    pub fn headers(&self) -> [(&'static str, &str); 3] {
        [
            (ID_HEADER, &self.id),
            (TIMESTAMP_HEADER, &self.timestamp),
            (SIGNATURE_HEADER, &self.signature),
        ]
    }
}

/// Why nothing can be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    #[error("the id must have 1 to {ID_BYTES_MAX} visible ASCII characters and no full stop")]
    InvalidId,
    #[error("there must be 1 to {SECRETS_MAX} secrets, there are {0}")]
    Secrets(usize),
}

/// Signs one attempt with every secret in use, the current one first. The id stays the same
/// for every attempt at the same event, the time is that of the attempt (milliseconds since
/// the epoch; a clock before 1970 reads as 1970).
pub fn sign(id: &str, body: &[u8], secrets: &[Secret], now_ms: i64) -> Result<Signed, SignError> {
    if !is_id(id) {
        return Err(SignError::InvalidId);
    }
    if !(1..=SECRETS_MAX).contains(&secrets.len()) {
        return Err(SignError::Secrets(secrets.len()));
    }
    let timestamp = seconds(now_ms).max(0).to_string();
    let signatures: Vec<String> = secrets
        .iter()
        .map(|secret| BASE64_STANDARD.encode(secret.sign(id, &timestamp, body)))
        .map(|encoded| format!("{VERSION},{encoded}"))
        .collect();
    Ok(Signed {
        id: id.to_owned(),
        timestamp,
        signature: signatures.join(" "),
    })
}

/// What came in: the three headers, where there are, and the body's bytes as they came.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    pub id: Option<&'a str>,
    pub timestamp: Option<&'a str>,
    pub signature: Option<&'a str>,
    pub body: &'a [u8],
}

/// Whose call it is, once it is known to be theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified<'a> {
    /// The same id is the same event.
    pub id: &'a str,
    /// When this attempt was made, in seconds since the epoch.
    pub attempted_at_s: i64,
}

/// Why a call is not taken. Nothing in it helps to guess a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    #[error("the header {0} is missing")]
    Missing(&'static str),
    #[error("the header {0} is not valid")]
    Invalid(&'static str),
    #[error("the attempt is too old")]
    TooOld,
    #[error("the attempt is from the future")]
    TooNew,
    /// None of the signatures, if there are any of a version that is known here, is of one of
    /// the secrets.
    #[error("no signature matches")]
    Mismatch,
}

/// Whether one of these secrets signed what came in, within [`TOLERANCE_S`] of now.
pub fn verify<'a>(
    received: &Received<'a>,
    secrets: &[Secret],
    now_ms: i64,
) -> Result<Verified<'a>, VerifyError> {
    let id = received.id.ok_or(VerifyError::Missing(ID_HEADER))?;
    let timestamp = received
        .timestamp
        .ok_or(VerifyError::Missing(TIMESTAMP_HEADER))?;
    let signature = received
        .signature
        .ok_or(VerifyError::Missing(SIGNATURE_HEADER))?;
    if !is_id(id) {
        return Err(VerifyError::Invalid(ID_HEADER));
    }
    let attempted_at_s = parse_timestamp(timestamp)?;
    let given = parse_signatures(signature)?;
    let age_s = seconds(now_ms).saturating_sub(attempted_at_s);
    if age_s > TOLERANCE_S {
        return Err(VerifyError::TooOld);
    }
    if age_s < -TOLERANCE_S {
        return Err(VerifyError::TooNew);
    }
    // Every signature is compared with every secret's, so that the time tells nobody which fits.
    let mut matches = Choice::from(0);
    for secret in secrets {
        let expected = secret.sign(id, timestamp, received.body);
        for signature in &given {
            matches |= expected.ct_eq(signature);
        }
    }
    if matches.into() {
        Ok(Verified { id, attempted_at_s })
    } else {
        Err(VerifyError::Mismatch)
    }
}

/// A full stop would let the end of an id pass for the beginning of a time.
fn is_id(text: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_graphic() && b != b'.')
}

fn seconds(ms: i64) -> i64 {
    ms.div_euclid(1000)
}

/// Digits only: what is signed is the text, and no two texts may mean the same time.
fn parse_timestamp(text: &str) -> Result<i64, VerifyError> {
    let is_plain = (1..=TIMESTAMP_DIGITS_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    if !is_plain {
        return Err(VerifyError::Invalid(TIMESTAMP_HEADER));
    }
    text.parse()
        .map_err(|_| VerifyError::Invalid(TIMESTAMP_HEADER))
}

/// The signatures of our version. One that is not well formed matches nothing; the others may.
fn parse_signatures(text: &str) -> Result<Vec<[u8; 32]>, VerifyError> {
    let listed = text.split(' ').filter(|part| !part.is_empty());
    if text.len() > SIGNATURE_HEADER_BYTES_MAX || listed.clone().count() > SIGNATURES_MAX {
        return Err(VerifyError::Invalid(SIGNATURE_HEADER));
    }
    Ok(listed
        .filter_map(|part| part.split_once(','))
        .filter(|(version, _)| *version == VERSION)
        .filter_map(|(_, encoded)| BASE64_STANDARD.decode(encoded).ok()?.try_into().ok())
        .collect())
}
