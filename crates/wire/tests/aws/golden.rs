//! Every recorded request is signed as it says, and decodes to what the client was told.

use std::fs;
use std::path::Path;

use wire::aws::sigv4::{Authorization, Expected, SignatureError, SigningKey};
use wire::aws::{Form, Service, TARGET_HEADER, sns, sqs};

use crate::http::Recorded;
use crate::{golden_sns, golden_sqs};

pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// Folder, and how many requests are in it: a file that is lost must not go unnoticed.
const CLIENTS: &[(&str, usize)] = &[
    ("boto3-1.26", 30),
    ("boto3-1.44", 49),
    ("js-2.1400", 49),
    ("js-2.1693", 29),
    ("js-3", 49),
];

fn for_each(check: impl Fn(&str, &str, &Recorded<'_>)) {
    for (client, count) in CLIENTS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden")
            .join(client);
        let mut seen = 0;
        for file in fs::read_dir(folder).unwrap() {
            let file = file.unwrap().path();
            let raw = fs::read(&file).unwrap();
            let step = file.file_stem().unwrap().to_str().unwrap();
            check(client, step, &Recorded::parse(&raw));
            seen += 1;
        }
        assert_eq!(seen, *count, "{client}");
    }
}

#[test]
fn what_clients_send_decodes_to_what_they_mean() {
    for_each(|client, step, recorded| {
        let (service, step) = step.split_once('-').unwrap();
        if let Some(target) = recorded.header(TARGET_HEADER) {
            let request = sqs::Request::from_json(target, recorded.body);
            assert_eq!(request, Ok(golden_sqs::expected(step)), "{client} {step}");
            return;
        }
        let form = Form::parse(recorded.query, recorded.body).unwrap();
        match form.service(None) {
            Service::Sqs => {
                assert_eq!(service, "sqs");
                let request = sqs::Request::from_form(form, recorded.path);
                assert_eq!(request, Ok(golden_sqs::expected(step)), "{client} {step}");
            }
            Service::Sns => {
                assert_eq!(service, "sns");
                let request = sns::Request::from_form(&form);
                assert_eq!(request, Ok(golden_sns::expected(step)), "{client} {step}");
            }
        }
    });
}

#[test]
fn what_clients_sign_is_verified() {
    for_each(|client, step, recorded| {
        let request = recorded.request();
        let authorization = Authorization::parse(&request).unwrap().unwrap();
        assert_eq!(authorization.access_key, "AKIAIOSFODNN7EXAMPLE");
        let is_session = step == "sqs-ListQueues-session";
        assert_eq!(
            authorization.session_token.as_deref(),
            is_session.then_some("AQoDYXdzEPT//////////wEXAMPLE"),
            "{client} {step}"
        );
        let service = step.split('-').next().unwrap();
        let expected = Expected {
            service,
            region: Some("us-east-1"),
            now_ms: authorization.time_ms(),
            clock_skew_s: 0,
            unsigned_payload: false,
        };
        let key = SigningKey::derive(SECRET, &authorization.scope);
        let verify = |request| authorization.verify(&request, &key, &expected);
        assert_eq!(verify(request), Ok(()), "{client} {step}");

        // One byte of the body, or another key, and it is not.
        let mut body = recorded.body.to_vec();
        body.push(b' ');
        let mut changed = request;
        changed.body = &body;
        let error = verify(changed).unwrap_err();
        assert!(
            matches!(
                error,
                SignatureError::Mismatch | SignatureError::PayloadMismatch
            ),
            "{client} {step}: {error}"
        );
        let other_key = SigningKey::derive("other", &authorization.scope);
        assert_eq!(
            authorization.verify(&request, &other_key, &expected),
            Err(SignatureError::Mismatch)
        );
    });
}
