//! Signatures: three lines are the query, `Authorization` and `X-Amz-Date`, the rest the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::aws::sigv4::{Authorization, Expected, HttpRequest, SigningKey};

fuzz_target!(|data: &[u8]| {
    let mut lines = data.splitn(4, |&byte| byte == b'\n');
    let mut next = || lines.next().unwrap_or_default();
    let (query, authorization, date, body) = (next(), next(), next(), next());
    let Ok(query) = std::str::from_utf8(query) else {
        return;
    };
    let headers: [(&str, &[u8]); 3] = [
        ("host", b"localhost"),
        ("x-amz-date", date),
        ("authorization", authorization),
    ];
    for headers in [&headers[..], &headers[..2]] {
        let request = HttpRequest {
            method: "POST",
            path: query,
            query,
            headers,
            body,
        };
        let Ok(Some(parsed)) = Authorization::parse(&request) else {
            continue;
        };
        let key = SigningKey::derive("secret", &parsed.scope);
        let expected = Expected {
            service: &parsed.scope.service,
            region: None,
            now_ms: parsed.time_ms(),
            clock_skew_s: 900,
            unsigned_payload: true,
        };
        let _refused = parsed.verify(&request, &key, &expected);
    }
});
