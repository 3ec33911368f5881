//! What clients sent in scenarios of their own: each request is signed as it says, decodes to the
//! action of its name, and was answered as one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use wire::aws::sigv4::{Authorization, Expected, SigningKey};
use wire::aws::{Form, Service, TARGET_HEADER, sns, sqs};

use crate::http::Recorded;

/// Folder, and how many requests are in it: a file that is lost must not go unnoticed.
const CLIENTS: &[(&str, usize)] = &[
    ("aws-rust", 21),
    ("celery", 17),
    ("kombu", 2),
    ("sqs-consumer", 15),
];

fn action(recorded: &Recorded<'_>) -> String {
    if let Some(target) = recorded.header(TARGET_HEADER) {
        let request = sqs::Request::from_json(target, recorded.body).unwrap();
        return format!("sqs-{}", request.action().as_str());
    }
    let form = Form::parse(recorded.query, recorded.body).unwrap();
    match form.service(None) {
        Service::Sqs => {
            let request = sqs::Request::from_form(form, recorded.path).unwrap();
            format!("sqs-{}", request.action().as_str())
        }
        Service::Sns => {
            let request = sns::Request::from_form(&form).unwrap();
            format!("sns-{}", request.action().as_str())
        }
    }
}

#[test]
fn what_is_sent_in_scenarios_is_verified_decoded_and_was_answered() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for (client, count) in CLIENTS {
        let names = |folder: &Path| -> BTreeSet<String> {
            let files = fs::read_dir(folder).unwrap();
            let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
            names.collect()
        };
        let asked = names(&golden.join(client));
        assert_eq!(asked.len(), *count, "{client}");
        assert_eq!(
            asked,
            names(&golden.join("answers").join(client)),
            "{client}"
        );
        for file in asked {
            let raw = fs::read(golden.join(client).join(&file)).unwrap();
            let recorded = Recorded::parse(&raw);
            let (service, rest) = file.split_once('-').unwrap();
            let named = rest.split(['-', '.']).next().unwrap();
            assert_eq!(
                action(&recorded),
                format!("{service}-{named}"),
                "{client} {file}"
            );
            let request = recorded.request();
            let authorization = Authorization::parse(&request).unwrap().unwrap();
            let expected = Expected {
                service,
                region: Some("eu-central-1"),
                now_ms: authorization.time_ms(),
                clock_skew_s: 0,
                unsigned_payload: false,
            };
            let key = SigningKey::derive("test", &authorization.scope);
            let verified = authorization.verify(&request, &key, &expected);
            assert_eq!(verified, Ok(()), "{client} {file}");
        }
    }
}
