use super::*;
use crate::aws::{AwsError, ErrorCode};

const NOW_MS: i64 = 1_440_938_160_000; // 2015-08-30T12:36:00Z
const TIME: &str = "20150830T123600Z";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const CREDENTIAL: &str = "AKIDEXAMPLE/20150830/us-east-1/sqs/aws4_request";

/// A request as a client would build it, to be signed and then spoilt.
#[derive(Clone)]
struct Client {
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Client {
    fn new() -> Self {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Self {
            path: "/".to_owned(),
            query: String::new(),
            headers: vec![
                header("Host", "localhost:9324"),
                header("X-Amz-Date", TIME),
                header("X-Amz-Target", "AmazonSQS.ListQueues"),
            ],
            body: b"{}".to_vec(),
        }
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers
            .retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    fn with_request<T>(&self, then: impl FnOnce(&HttpRequest<'_>) -> T) -> T {
        let headers: Vec<(&str, &[u8])> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        then(&HttpRequest {
            method: "POST",
            path: &self.path,
            query: &self.query,
            headers: &headers,
            body: &self.body,
        })
    }

    fn signature(&self) -> String {
        self.with_request(|request| {
            let authorization = Authorization::parse(request).unwrap().unwrap();
            let canonical = canonical_request(request, &authorization).unwrap();
            let key = SigningKey::derive(SECRET, &authorization.scope);
            let signature = key.sign(&string_to_sign(&canonical, &authorization));
            crate::aws::md5::hexadecimal(&signature)
        })
    }

    fn sign(self, signed_headers: &str) -> Self {
        self.sign_as(CREDENTIAL, signed_headers)
    }

    fn sign_as(self, credential: &str, signed_headers: &str) -> Self {
        let value = |signature: &str| {
            format!(
                "{ALGORITHM} Credential={credential}, SignedHeaders={signed_headers}, \
                 Signature={signature}"
            )
        };
        let unsigned = self
            .clone()
            .header("Authorization", &value(&"0".repeat(64)));
        let signature = unsigned.signature();
        self.header("Authorization", &value(&signature))
    }

    /// Signed in its URL.
    fn presign(mut self, expires: &str) -> Self {
        self.query = format!(
            "Action=ListQueues&X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={}&X-Amz-Date={TIME}\
             &X-Amz-Expires={expires}&X-Amz-SignedHeaders=host&X-Amz-Security-Token=t%2F",
            CREDENTIAL.replace('/', "%2F")
        );
        self.headers.truncate(1);
        self.body.clear();
        let mut unsigned = self.clone();
        unsigned
            .query
            .push_str(&format!("&X-Amz-Signature={}", "0".repeat(64)));
        let parses = unsigned.with_request(|request| Authorization::parse(request).is_ok());
        let signature = if parses {
            unsigned.signature()
        } else {
            "0".repeat(64)
        };
        self.query
            .push_str(&format!("&X-Amz-Signature={signature}"));
        self
    }

    fn verify_at(&self, now_ms: i64) -> Result<(), SignatureError> {
        self.verify(&Expected { now_ms, ..EXPECTED })
    }

    fn verify(&self, expected: &Expected<'_>) -> Result<(), SignatureError> {
        self.with_request(|request| {
            let authorization = Authorization::parse(request)?.expect("it is signed");
            let key = SigningKey::derive(SECRET, &authorization.scope);
            authorization.verify(request, &key, expected)
        })
    }
}

const EXPECTED: Expected<'static> = Expected {
    service: "sqs",
    region: None,
    now_ms: NOW_MS,
    clock_skew_s: CLOCK_SKEW_S,
    unsigned_payload: false,
};
const ALL: &str = "host;x-amz-date;x-amz-target";

#[test]
fn clocks_may_differ_by_the_bound() {
    let client = Client::new().sign(ALL);
    let skew_ms = i64::from(CLOCK_SKEW_S) * 1000;
    for (now_ms, good) in [
        (NOW_MS, true),
        (NOW_MS + skew_ms, true),
        (NOW_MS - skew_ms, true),
        (NOW_MS + skew_ms + 1, false),
        (NOW_MS - skew_ms - 1, false),
        (i64::MAX, false),
        (i64::MIN, false),
    ] {
        assert_eq!(client.verify_at(now_ms).is_ok(), good, "{now_ms}");
    }
    assert_eq!(
        AwsError::from(client.verify_at(NOW_MS + 1_000_000).unwrap_err()),
        AwsError::new(
            ErrorCode::SignatureDoesNotMatch,
            "Signature expired: 20150830T123600Z is not within 900 seconds of 20150830T125240Z."
        )
    );
}

#[test]
fn a_signed_url_is_good_for_its_time() {
    let client = Client::new().presign("60");
    for (now_ms, expected) in [
        (NOW_MS, None),
        (NOW_MS + 60_000, None),
        (NOW_MS + 60_001, Some(ErrorCode::RequestExpired)),
        (NOW_MS - 900_001, Some(ErrorCode::SignatureDoesNotMatch)),
    ] {
        let code = client
            .verify_at(now_ms)
            .err()
            .map(|error| AwsError::from(error).code);
        assert_eq!(code, expected, "{now_ms}");
    }
    for expires in ["0", "604801", "x", "-1", ""] {
        let error = Client::new()
            .presign(expires)
            .verify_at(NOW_MS)
            .unwrap_err();
        assert!(matches!(error, SignatureError::Incomplete(_)), "{expires}");
    }
    let token = client.with_request(|request| {
        Authorization::parse(request)
            .unwrap()
            .unwrap()
            .session_token
    });
    assert_eq!(token.as_deref(), Some("t/"));
    let mut changed = client;
    changed.query = changed.query.replace("ListQueues", "PurgeQueue");
    assert_eq!(changed.verify_at(NOW_MS), Err(SignatureError::Mismatch));
}

/// Without this a signature for one request would be one for another.
#[test]
fn what_a_request_is_about_is_signed() {
    for (signed, missing) in [
        ("x-amz-date;x-amz-target", "host"),
        ("host;x-amz-target", "x-amz-date"),
        ("host;x-amz-date", "x-amz-target"),
    ] {
        assert_eq!(
            Client::new().sign(signed).verify_at(NOW_MS),
            Err(SignatureError::UnsignedHeader(missing))
        );
    }
    // A token may be added after signing.
    let token = Client::new().sign(ALL).header("X-Amz-Security-Token", "t");
    assert_eq!(token.verify_at(NOW_MS), Ok(()));
}

#[test]
fn any_change_is_noticed() {
    let client = Client::new()
        .header("X-Other", "a")
        .sign("host;x-amz-date;x-amz-target;x-other");
    assert_eq!(client.verify_at(NOW_MS), Ok(()));
    let changed = |change: fn(&mut Client)| {
        let mut client = client.clone();
        change(&mut client);
        client.verify_at(NOW_MS)
    };
    for change in [
        (|c| c.body.push(b' ')) as fn(&mut Client),
        |c| c.path = "/q".to_owned(),
        |c| c.query = "a=b".to_owned(),
        |c| c.headers[0].1 = "other".to_owned(),
        |c| c.headers[2].1 = "AmazonSQS.DeleteQueue".to_owned(),
        |c| c.headers.push(("x-other".to_owned(), "b".to_owned())),
    ] {
        assert_eq!(changed(change), Err(SignatureError::Mismatch));
    }
    // What is not signed may be added by a proxy, and blanks may be folded.
    assert_eq!(
        changed(|c| c.headers.push(("Via".to_owned(), "p".to_owned()))),
        Ok(())
    );
    assert_eq!(changed(|c| c.headers[3].1 = "  a ".to_owned()), Ok(()));
}

#[test]
fn the_body_is_signed_unless_it_may_not_be() {
    let hash = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"; // of {}
    let signed = "host;x-amz-content-sha256;x-amz-date;x-amz-target";
    let client = |hash: &str| {
        Client::new()
            .header("X-Amz-Content-SHA256", hash)
            .sign(signed)
    };
    assert_eq!(client(hash).verify_at(NOW_MS), Ok(()));
    let other = hash.replace('4', "5");
    assert_eq!(
        client(&other).verify_at(NOW_MS),
        Err(SignatureError::PayloadMismatch)
    );
    for hash in ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", ""] {
        let refused = Err(SignatureError::UnsignedPayload);
        assert_eq!(client(hash).verify_at(NOW_MS), refused, "{hash}");
        let lenient = Expected {
            unsigned_payload: true,
            ..EXPECTED
        };
        let expected = if hash == "UNSIGNED-PAYLOAD" {
            Ok(())
        } else {
            refused
        };
        assert_eq!(client(hash).verify(&lenient), expected, "{hash}");
    }
}

#[test]
fn the_scope_is_this_service_and_day() {
    for (credential, region, good) in [
        (CREDENTIAL, None, true),
        (CREDENTIAL, Some("us-east-1"), true),
        (CREDENTIAL, Some("eu-west-1"), false),
        ("A/20150830/us-east-1/sns/aws4_request", None, false),
        ("A/20150829/us-east-1/sqs/aws4_request", None, false),
        ("A/B/20150830/us-east-1/sqs/aws4_request", None, true),
    ] {
        let client = Client::new().sign_as(credential, ALL);
        let result = client.verify(&Expected { region, ..EXPECTED });
        match result {
            Ok(()) => assert!(good, "{credential}"),
            Err(error) => {
                assert!(matches!(error, SignatureError::Scope(_)), "{error}");
                assert!(!good, "{credential}");
            }
        }
    }
}

#[test]
fn the_date_header_of_http_will_do() {
    let client = Client::new()
        .without("X-Amz-Date")
        .header("Date", "Sun, 30 Aug 2015 12:36:00 GMT");
    assert_eq!(
        client
            .clone()
            .sign("date;host;x-amz-target")
            .verify_at(NOW_MS),
        Ok(())
    );
    assert_eq!(
        client.sign("host;x-amz-target").verify_at(NOW_MS),
        Err(SignatureError::UnsignedHeader("date"))
    );
}

#[test]
fn a_signature_that_is_not_whole_is_refused_with_a_reason() {
    let zeros = "0".repeat(64);
    let many: Vec<String> = (10..90).map(|n| format!("h{n}")).collect();
    for (authorization, reason) in [
        ("Basic YTpi".to_owned(), "must be of type AWS4-HMAC-SHA256"),
        (
            "AWS4-HMAC-SHA256X Credential=a".to_owned(),
            "must be of type AWS4-HMAC-SHA256",
        ),
        (String::new(), "must be of type AWS4-HMAC-SHA256"),
        ("AWS4-HMAC-SHA256 ".to_owned(), "no 'Credential' parameter"),
        (
            format!("AWS4-HMAC-SHA256 Credential={CREDENTIAL}"),
            "no 'SignedHeaders' parameter",
        ),
        (
            format!("AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders=host"),
            "no 'Signature' parameter",
        ),
        (
            format!("AWS4-HMAC-SHA256 Credential=a/b,SignedHeaders=host,Signature={zeros}"),
            "Credential must be",
        ),
        (
            format!(
                "AWS4-HMAC-SHA256 Credential=a//r/s/aws4_request,SignedHeaders=host,Signature={zeros}"
            ),
            "Credential must be",
        ),
        (
            format!(
                "AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders=host,Signature={}",
                &zeros[1..]
            ),
            "64 hexadecimal digits",
        ),
        (
            format!(
                "AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders=host,Signature={}",
                zeros.replace('0', "g")
            ),
            "64 hexadecimal digits",
        ),
        (
            format!(
                "AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders=x;host,Signature={zeros}"
            ),
            "must be sorted",
        ),
        (
            format!(
                "AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders={},Signature={zeros}",
                many.join(";")
            ),
            "More than 64 headers",
        ),
        (format!("AWS4-HMAC-SHA256 {}", "x".repeat(9000)), "too long"),
    ] {
        let client = Client::new().header("Authorization", &authorization);
        let error = client.with_request(Authorization::parse).unwrap_err();
        assert!(
            error.to_string().contains(reason),
            "{error} is not {reason}"
        );
        assert_eq!(AwsError::from(error).code, ErrorCode::IncompleteSignature);
    }
    for (date, reason) in [("2015-08-30", "no date"), ("20151330T000000Z", "no date")] {
        let good =
            format!("{ALGORITHM} Credential={CREDENTIAL},SignedHeaders=host,Signature={zeros}");
        let client = Client::new().without("X-Amz-Date");
        let client = client
            .header("X-Amz-Date", date)
            .header("Authorization", &good);
        let error = client.with_request(Authorization::parse).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
    let absent = Client::new().sign(ALL).without("X-Amz-Target");
    assert!(matches!(
        absent.verify_at(NOW_MS),
        Err(SignatureError::Incomplete(_))
    ));
}

#[test]
fn a_request_without_a_signature_has_none() {
    let parsed = Client::new().with_request(Authorization::parse);
    assert_eq!(parsed, Ok(None));
}

#[test]
fn keys_are_not_shown() {
    let scope = Scope {
        date: "20150830".to_owned(),
        region: "us-east-1".to_owned(),
        service: "iam".to_owned(),
    };
    let key = SigningKey::derive(SECRET, &scope);
    assert_eq!(format!("{key:?}"), "SigningKey(..)");
}
