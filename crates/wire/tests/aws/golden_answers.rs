//! Every recorded answer, taken apart by a strict reader, is written by the codecs byte for byte.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use wire::aws::{AwsError, ErrorCode, Service};

use crate::http::Recorded;
use crate::xml::{self, Element};
use crate::{answers_sns, answers_sqs};

/// Folder, and how many answers are in it: a file that is lost must not go unnoticed.
const CLIENTS: &[(&str, usize)] = &[
    ("aws-rust", 21),
    ("boto3-1.44", 75),
    ("celery", 17),
    ("js-2.1450", 51),
    ("js-2.1693", 51),
    ("js-3", 52),
    ("kombu", 2),
    ("sqs-consumer", 15),
];

fn for_each(check: impl Fn(&str, &Answer<'_>)) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/answers");
    for (client, count) in CLIENTS {
        let files = fs::read_dir(golden.join(client)).unwrap();
        let files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
        for file in &files {
            let raw = fs::read(file).unwrap();
            let step = file.file_stem().unwrap().to_str().unwrap();
            check(&format!("{client} {step}"), &Answer::parse(step, &raw));
        }
        assert_eq!(files.len(), *count, "{client}");
    }
}

/// What the name of its file and its head say of it.
struct Answer<'a> {
    service: Service,
    action: &'a str,
    status: u16,
    is_json: bool,
    recorded: Recorded<'a>,
}

impl<'a> Answer<'a> {
    fn parse(step: &'a str, raw: &'a [u8]) -> Self {
        let mut parts = step.split('-');
        let service = match parts.next() {
            Some("sqs") => Service::Sqs,
            Some("sns") => Service::Sns,
            other => panic!("{other:?} is no service"),
        };
        let action = parts.next().unwrap();
        // The first line of an answer has its status where a request has its path.
        let recorded = Recorded::parse(raw);
        Self {
            service,
            action,
            status: recorded.path.parse().unwrap(),
            is_json: match recorded.header("content-type") {
                Some("application/x-amz-json-1.0") => true,
                Some("text/xml") => false,
                other => panic!("{other:?}"),
            },
            recorded,
        }
    }

    fn request_id(&self) -> &str {
        self.recorded.header("x-amzn-requestid").unwrap()
    }

    fn xml(&self) -> Element {
        xml::parse(self.recorded.body)
    }

    /// The result, and whether its envelope is that of the action.
    fn result(&self) -> Option<Element> {
        let root = self.xml();
        assert_eq!(root.name, format!("{}Response", self.action));
        let metadata = root.child("ResponseMetadata").unwrap();
        assert_eq!(metadata.text("RequestId"), Some(self.request_id()));
        let mut children = root.children.into_iter();
        let result = children
            .next()
            .filter(|first| first.name != "ResponseMetadata")?;
        assert_eq!(result.name, format!("{}Result", self.action));
        Some(result)
    }
}

fn same(step: &str, written: &[u8], recorded: &[u8]) {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(text(written), text(recorded), "{step}");
}

#[test]
fn what_was_answered_is_written_again_byte_for_byte() {
    for_each(|step, answer| {
        if answer.status != 200 {
            return;
        }
        let body = answer.recorded.body;
        let written = match (answer.service, answer.is_json) {
            (Service::Sqs, true) => {
                let value = serde_json::from_slice(body).unwrap();
                answers_sqs::from_json(answer.action, value).to_json()
            }
            (Service::Sqs, false) => {
                let response = answers_sqs::from_xml(answer.action, answer.result().as_ref());
                response.to_xml(answer.request_id())
            }
            (Service::Sns, true) => panic!("{step}: SNS speaks no JSON"),
            (Service::Sns, false) => {
                let response = answers_sns::from_xml(answer.action, answer.result().as_ref());
                response.to_xml(answer.request_id())
            }
        };
        same(step, &written, body);
    });
}

#[test]
fn what_was_refused_is_refused_byte_for_byte() {
    for_each(|step, answer| {
        if answer.status == 200 {
            return;
        }
        let body = answer.recorded.body;
        let (code, message) = if answer.is_json {
            let members: BTreeMap<String, String> = serde_json::from_slice(body).unwrap();
            assert_eq!(members.len(), 2, "{step}");
            (members["__type"].clone(), members["message"].clone())
        } else {
            let root = answer.xml();
            let error = root.child("Error").unwrap();
            let text = |name| error.text(name).unwrap().to_owned();
            (text("Code"), text("Message"))
        };
        let query_error = answer.recorded.header("x-amzn-query-error");
        let is_it = |known: &&ErrorCode| match query_error {
            Some(query) => {
                let query_code = format!("{};", known.query_code(answer.service));
                known.json_type() == code && query.starts_with(&query_code)
            }
            None => known.query_code(answer.service) == code,
        };
        // Where two go by one name, either writes it.
        let mut found = ErrorCode::ALL.iter().filter(is_it).peekable();
        assert!(found.peek().is_some(), "{step}: {code} is no code");
        for code in found {
            // The query protocol has words of its own for this one.
            let error = match code {
                ErrorCode::QueueDoesNotExist => AwsError::queue_does_not_exist(),
                code => AwsError::new(*code, message.as_str()),
            };
            let written = match answer.is_json {
                true => error.to_json(),
                false => error.to_xml(answer.service, answer.request_id()),
            };
            assert_eq!(written.status, answer.status, "{step}");
            assert_eq!(written.query_error.as_deref(), query_error, "{step}");
            let content_type = answer.recorded.header("content-type");
            assert_eq!(content_type, Some(written.content_type), "{step}");
            same(step, &written.body, body);
        }
    });
}
