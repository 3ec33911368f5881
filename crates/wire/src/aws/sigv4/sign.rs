//! Signing a request, for the one who sends it.

use super::authorization::{Authorization, Scope, format_time};
use super::canonical::{HttpRequest, canonical_request, string_to_sign};
use super::key::SigningKey;
use super::{ALGORITHM, DATE_HEADER};
use crate::aws::md5::hexadecimal;

/// Whoever sends requests, and to what.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    pub access_key: &'a str,
    pub secret: &'a str,
    pub region: &'a str,
    pub service: &'a str,
}

impl Signer<'_> {
    /// The value of `X-Amz-Date` at this moment, in milliseconds since the epoch.
    pub fn date(now_ms: i64) -> String {
        format_time(now_ms)
    }

    /// The value of `Authorization`. Every header is signed; `X-Amz-Date` must be one of them.
    pub fn sign(&self, request: &HttpRequest<'_>) -> String {
        let timestamp = request.header(DATE_HEADER).unwrap_or_default().to_owned();
        let mut signed_headers: Vec<String> = request
            .headers
            .iter()
            .map(|(name, _)| name.to_ascii_lowercase())
            .collect();
        signed_headers.sort();
        signed_headers.dedup();
        let scope = Scope {
            date: timestamp.chars().take(8).collect(),
            region: self.region.to_owned(),
            service: self.service.to_owned(),
        };
        let key = SigningKey::derive(self.secret, &scope);
        let mut authorization = Authorization {
            access_key: self.access_key.to_owned(),
            scope,
            session_token: None,
            expires_s: None,
            signed_headers,
            signature: [0; 32],
            timestamp,
            time_ms: 0,
        };
        let canonical = canonical_request(request, &authorization);
        let canonical = canonical.expect("every header that is signed is there");
        authorization.signature = key.sign(&string_to_sign(&canonical, &authorization));
        let Authorization {
            access_key,
            scope,
            signed_headers,
            signature,
            ..
        } = &authorization;
        format!(
            "{ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={}, Signature={}",
            signed_headers.join(";"),
            hexadecimal(signature)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CLOCK_SKEW_S, Expected};
    use super::*;

    const NOW_MS: i64 = 1_440_938_160_000; // 2015-08-30T12:36:00Z
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    /// `get-vanilla` of Amazon's published test suite.
    #[test]
    fn it_signs_as_the_published_suite_does() {
        let headers: [(&str, &[u8]); 2] = [
            ("Host", b"example.amazonaws.com"),
            ("X-Amz-Date", b"20150830T123600Z"),
        ];
        let request = HttpRequest {
            method: "GET",
            path: "/",
            query: "",
            headers: &headers,
            body: b"",
        };
        let signer = Signer {
            access_key: "AKIDEXAMPLE",
            secret: SECRET,
            region: "us-east-1",
            service: "service",
        };
        assert_eq!(
            signer.sign(&request),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
    }

    #[test]
    fn what_it_signs_is_verified() {
        let date = Signer::date(NOW_MS);
        let mut headers: Vec<(&str, &[u8])> = vec![
            ("Host", b"localhost:9324"),
            ("X-Amz-Date", date.as_bytes()),
            ("X-Amz-Target", b"AmazonSQS.ReceiveMessage"),
        ];
        let body = br#"{"QueueUrl":"u"}"#;
        let signer = Signer {
            access_key: "AKIDEXAMPLE",
            secret: SECRET,
            region: "eu-central-1",
            service: "sqs",
        };
        let unsigned = HttpRequest {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers.clone(),
            body,
        };
        let authorization = signer.sign(&unsigned);
        headers.push(("Authorization", authorization.as_bytes()));
        let request = HttpRequest {
            headers: &headers,
            ..unsigned
        };
        let read = Authorization::parse(&request).unwrap().unwrap();
        let expected = Expected {
            service: "sqs",
            region: Some("eu-central-1"),
            now_ms: NOW_MS,
            clock_skew_s: CLOCK_SKEW_S,
            unsigned_payload: false,
        };
        let key = SigningKey::derive(SECRET, &read.scope);
        assert_eq!(read.verify(&request, &key, &expected), Ok(()));
        let spoilt = HttpRequest {
            body: b"{}",
            ..request
        };
        assert!(read.verify(&spoilt, &key, &expected).is_err());
    }
}
