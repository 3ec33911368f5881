//! Whether a signature is good.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::authorization::{Authorization, format_time};
use super::canonical::{HttpRequest, canonical_request, string_to_sign};
use super::error::SignatureError;
use super::key::SigningKey;
use super::{DATE_HEADER, UNSIGNED_PAYLOAD};
use crate::aws::TARGET_HEADER;
use crate::aws::form::quoted;
use crate::aws::md5::hexadecimal;

/// What the server wants of a request.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// `sqs` or `sns`.
    pub service: &'a str,
    /// Any, if there is none.
    pub region: Option<&'a str>,
    /// Milliseconds since the epoch.
    pub now_ms: i64,
    pub clock_skew_s: u32,
    /// Whether a body that is not signed is accepted, as behind TLS it may be.
    pub unsigned_payload: bool,
}

impl Authorization {
    /// Everything that can be said without the key is said first; none of it is secret.
    pub fn verify(
        &self,
        request: &HttpRequest<'_>,
        key: &SigningKey,
        expected: &Expected<'_>,
    ) -> Result<(), SignatureError> {
        self.check_scope(expected)?;
        self.check_time(expected)?;
        self.check_headers(request)?;
        self.check_payload(request, expected)?;
        let text = string_to_sign(&canonical_request(request, self)?, self);
        if key.sign(&text).ct_eq(&self.signature).into() {
            Ok(())
        } else {
            Err(SignatureError::Mismatch)
        }
    }

    fn check_scope(&self, expected: &Expected<'_>) -> Result<(), SignatureError> {
        let refuse = |detail: String| Err(SignatureError::Scope(detail));
        let scope = &self.scope;
        if scope.service != expected.service {
            return refuse(format!(
                "Credential should be scoped to correct service: '{}'.",
                expected.service
            ));
        }
        if let Some(region) = expected.region
            && scope.region != region
        {
            return refuse(format!(
                "Credential should be scoped to a valid region, not '{}'.",
                quoted(&scope.region)
            ));
        }
        let day = self.timestamp.split('T').next().unwrap_or_default();
        if scope.date != day {
            return refuse(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date \
                 from HTTP: '{}' != '{day}', from '{}'.",
                quoted(&scope.date),
                quoted(&self.timestamp)
            ));
        }
        Ok(())
    }

    fn check_time(&self, expected: &Expected<'_>) -> Result<(), SignatureError> {
        let skew_ms = i64::from(expected.clock_skew_s) * 1000;
        let age_ms = expected.now_ms.saturating_sub(self.time_ms);
        let out_of_bounds = || SignatureError::Time {
            signed: self.timestamp.clone(),
            now: format_time(expected.now_ms),
            skew_s: expected.clock_skew_s,
        };
        match self.expires_s {
            _ if age_ms < -skew_ms => Err(out_of_bounds()),
            Some(expires_s) if age_ms > i64::from(expires_s) * 1000 => Err(SignatureError::Expired),
            None if age_ms > skew_ms => Err(out_of_bounds()),
            Some(_) | None => Ok(()),
        }
    }

    /// What a request is about must be signed: the host, the time, and over JSON the action.
    fn check_headers(&self, request: &HttpRequest<'_>) -> Result<(), SignatureError> {
        let is_signed = |name: &str| self.signed_headers.iter().any(|signed| signed == name);
        let is_there = |name: &str| request.header_values(name).next().is_some();
        if !is_signed("host") {
            return Err(SignatureError::UnsignedHeader("host"));
        }
        for name in [DATE_HEADER, TARGET_HEADER] {
            if is_there(name) && !is_signed(name) {
                return Err(SignatureError::UnsignedHeader(name));
            }
        }
        let in_header = self.expires_s.is_none();
        if in_header && !is_signed(DATE_HEADER) && !is_signed("date") {
            return Err(SignatureError::UnsignedHeader("date"));
        }
        Ok(())
    }

    fn check_payload(
        &self,
        request: &HttpRequest<'_>,
        expected: &Expected<'_>,
    ) -> Result<(), SignatureError> {
        let Some(claimed) = self.content_hash(request) else {
            return Ok(()); // It is computed, and so signed.
        };
        if claimed == UNSIGNED_PAYLOAD && expected.unsigned_payload {
            return Ok(());
        }
        if claimed.len() != 64 {
            // Also `STREAMING-...`: signed in pieces, which only S3 knows.
            return Err(SignatureError::UnsignedPayload);
        }
        let computed = hexadecimal(&Sha256::digest(request.body));
        if computed.as_bytes().ct_eq(claimed.as_bytes()).into() {
            Ok(())
        } else {
            Err(SignatureError::PayloadMismatch)
        }
    }
}
