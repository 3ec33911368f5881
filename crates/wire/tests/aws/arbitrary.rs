//! Input that nobody would send. Nothing panics, and an answer can always be written.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use wire::aws::envelope::Notification;
use wire::aws::sigv4::{Authorization, Expected, HttpRequest, SigningKey};
use wire::aws::sqs::{Action, RedriveAllowPolicy, RedrivePolicy, Request, Response};
use wire::aws::{
    Arn, AwsError, ErrorCode, Form, MessageAttribute, QueueAddress, Service, md5, sns,
};

use crate::xml;

/// Bytes that mean something to one of the parsers.
fn meaningful() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        "[a-zA-Z0-9]{0,3}",
        "[&=.%+;,/:{}\\[\\]\"\\\\ ]",
        "(Action|QueueUrl|Attribute|Entries|entry|member|Name|Value|key|value|DataType|Tag)",
        "(SendMessage|SendMessageBatch|ReceiveMessage|TagQueue|Publish|PublishBatch)",
        "(SendMessageBatchRequestEntry|PublishBatchRequestEntries|MessageAttributes)",
        "(1|10|0|-1|null|true|4294967296|%F0%9F|%00|\u{1F600})",
    ];
    vec(token, 0..40).prop_map(|tokens| tokens.concat().into_bytes())
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..200), meaningful()]
}

fn check_form(query: &str, body: &[u8], path: &str) {
    let Ok(form) = Form::parse(query, body) else {
        return;
    };
    let _service = form.service(Some(path));
    let _refused = sns::Request::from_form(&form);
    let _refused = Request::from_form(form, path);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn json(body in bytes()) {
        for action in Action::ALL {
            let target = format!("AmazonSQS.{}", action.as_str());
            if let Err(error) = Request::from_json(&target, &body) {
                let answer = error.to_json();
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&answer.body).is_ok());
            }
        }
    }

    #[test]
    fn targets(target in "\\PC{0,40}") {
        let refused = Request::from_json(&target, b"");
        prop_assert!(refused.is_err());
    }

    #[test]
    fn forms(query in "\\PC{0,40}", body in bytes(), path in "\\PC{0,20}") {
        check_form(&query, &body, &path);
        for action in ["SendMessageBatch", "TagQueue", "Publish", "PublishBatch", "Subscribe"] {
            check_form(&format!("Action={action}&QueueUrl=q&TopicArn=t"), &body, &path);
        }
    }

    #[test]
    fn names(text in "\\PC{0,40}|[:/%a-z]{0,20}") {
        if let Some(arn) = Arn::parse(&text) {
            prop_assert_eq!(arn.to_string(), text.clone());
        }
        let _none = QueueAddress::parse(&text);
        let _refused = RedrivePolicy::parse(&text);
        let _refused = RedriveAllowPolicy::parse(&text);
        let _refused = sns::MessageByProtocol::parse(&text);
    }

    #[test]
    fn signatures(
        authorization in "(AWS4-HMAC-SHA256 )?(Credential=[A-Z/0-9a-z_]{0,30},? ?)?(SignedHeaders=[a-z;-]{0,20},)?(Signature=[0-9a-f]{60,66})?\\PC{0,10}",
        date in "[0-9TZ]{0,20}|20150830T123600Z",
        query in "(X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20150830T123600Z&)?[&=%A-Za-z0-9-]{0,60}",
        path in "\\PC{0,20}",
        body in vec(any::<u8>(), 0..20),
        now_ms in any::<i64>(),
    ) {
        let headers: [(&str, &[u8]); 3] = [
            ("Host", b"h"),
            ("x-amz-date", date.as_bytes()),
            ("Authorization", authorization.as_bytes()),
        ];
        for headers in [&headers[..], &headers[..2]] {
            let request = HttpRequest { method: "GET", path: &path, query: &query, headers, body: &body };
            let Ok(Some(parsed)) = Authorization::parse(&request) else {
                continue;
            };
            let key = SigningKey::derive("secret", &parsed.scope);
            let expected = Expected { service: &parsed.scope.service, region: None, now_ms, clock_skew_s: 900, unsigned_payload: true };
            prop_assert!(parsed.verify(&request, &key, &expected).is_err());
        }
    }

    #[test]
    fn answers(text in any::<String>(), code in 0..ErrorCode::ALL.len()) {
        let error = AwsError::new(ErrorCode::ALL[code], text.clone());
        for service in [Service::Sqs, Service::Sns] {
            let root = xml::parse(&error.to_xml(service, &text).body);
            prop_assert!(root.child("Error").is_some());
        }
        let response = Response::CreateQueue { queue_url: text };
        xml::parse(&response.to_xml("r"));
    }

    #[test]
    fn envelopes(text in any::<String>(), binary in vec(any::<u8>(), 0..9), timestamp_ms in any::<i64>()) {
        let attributes = BTreeMap::from([
            (text.clone(), MessageAttribute::binary("Binary", binary)),
            (format!("{text}2"), MessageAttribute::text(text.clone(), text.clone())),
        ]);
        md5::of_attributes(&attributes);
        let notification = Notification {
            message_id: &text,
            topic_arn: &text,
            subject: Some(&text),
            message: &text,
            timestamp_ms,
            unsubscribe_url: &text,
            sequence_number: Some(&text),
            attributes: &attributes,
        };
        let json: serde_json::Value = serde_json::from_str(&notification.to_json(None)).unwrap();
        prop_assert_eq!(json["Message"].as_str(), Some(text.as_str()));
        prop_assert_eq!(json["MessageAttributes"].as_object().unwrap().len(), 2);
    }
}
