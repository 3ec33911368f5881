//! Amazon's published test suite for Signature Version 4.

use serde::Deserialize;
use wire::aws::sigv4::{Authorization, Expected, SigningKey, canonical_request, string_to_sign};

use crate::golden::SECRET;
use crate::http::Recorded;

const SUITE: &str = include_str!("../sigv4/suite.json");

#[derive(Deserialize)]
struct Case {
    name: String,
    /// The request with its `Authorization`.
    sreq: String,
    creq: String,
    sts: String,
}

#[test]
fn the_published_suite_is_passed() {
    let cases: Vec<Case> = serde_json::from_str(SUITE).unwrap();
    assert_eq!(cases.len(), 28);
    for case in cases {
        let name = case.name;
        let recorded = Recorded::parse(case.sreq.as_bytes());
        let request = recorded.request();
        let authorization = Authorization::parse(&request).unwrap().unwrap();
        let canonical = canonical_request(&request, &authorization).unwrap();
        assert_eq!(
            String::from_utf8(canonical.clone()).unwrap(),
            case.creq,
            "{name}"
        );
        assert_eq!(
            string_to_sign(&canonical, &authorization),
            case.sts,
            "{name}"
        );
        let expected = Expected {
            service: "service",
            region: Some("us-east-1"),
            now_ms: authorization.time_ms(),
            clock_skew_s: 0,
            unsigned_payload: false,
        };
        let key = SigningKey::derive(SECRET, &authorization.scope);
        assert_eq!(
            authorization.verify(&request, &key, &expected),
            Ok(()),
            "{name}"
        );
    }
}
