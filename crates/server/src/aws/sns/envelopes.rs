//! The envelopes of a publication: what its subscribers get that did not ask for the bare
//! message.
//!
//! ```text
//! {"Type" : "Notification", ... "UnsubscribeURL" : "...:topic:<id of the subscription>" ... }
//!  '------------------- head ---------------------------------'                        '- tail -'
//! ```
//! Of a FIFO topic the head ends before the sequence number, and what follows is the middle.
//! All subscribers of one text share its head, its tail and its signature, which does not
//! cover the URL. The engine puts the id in between.

use engine::Envelope;
use engine::ports::Topic;
use messaging::topic::{Protocol, Publication};
use messaging::{Attribute, AttributeValue};
use std::collections::BTreeMap;
use wire::aws::envelope::{self, Notification, SignatureVersion, Signer};
use wire::aws::{AwsError, ErrorCode, MessageAttribute};

use super::call::Call;
use super::names;
use super::signing::{Signing, SigningError};

const PROTOCOLS: [Protocol; 5] = [
    Protocol::Queue,
    Protocol::Http,
    Protocol::Https,
    Protocol::Email,
    Protocol::EmailJson,
];

/// Stands for the id of the subscription. No text that may be published has this character
/// behind the URL: not a value of an attribute, nor its name.
const PLACE: char = '\u{ffff}';

/// Stands for the sequence number, which the engine gives.
const NUMBER: &str = "\u{ffff}";

/// What all envelopes of one request have in common.
pub(super) struct Origin {
    pub(super) topic_arn: String,
    pub(super) base_url: String,
    pub(super) timestamp_ms: i64,
    /// FIFO topics do not sign.
    pub(super) version: Option<SignatureVersion>,
}

impl Origin {
    pub(super) fn new(call: &Call<'_>, topic: &Topic, topic_arn: &str) -> Self {
        Self {
            topic_arn: topic_arn.to_owned(),
            base_url: call.context.base_url.clone(),
            timestamp_ms: call.app.engine.now(),
            version: signature_version(topic),
        }
    }

    /// One for each protocol; those with the same text share it. Signing takes a millisecond
    /// or two: this is not for the threads that serve connections.
    pub(super) fn envelopes(
        &self,
        signing: &Signing,
        message_id: &str,
        publication: &Publication,
    ) -> Result<Vec<(Protocol, Envelope)>, SigningError> {
        let signer = match self.version {
            Some(version) => Some(signing.key()?.signer(version, &self.base_url)),
            None => None,
        };
        let place = names::subscription_arn(&self.topic_arn, &PLACE.to_string());
        let unsubscribe_url = envelope::unsubscribe_url(&self.base_url, &place);
        let attributes = to_wire(&publication.attributes);
        let mut made: Vec<(&str, Envelope)> = Vec::new();
        let envelopes = PROTOCOLS
            .into_iter()
            .map(|protocol| {
                let message = publication.message_for(protocol.name());
                let known = made.iter().find(|(text, _)| *text == message);
                let envelope = known.map(|(_, envelope)| envelope.clone());
                let envelope = envelope.unwrap_or_else(|| {
                    let notification = Notification {
                        message_id,
                        topic_arn: &self.topic_arn,
                        subject: publication.subject.as_deref(),
                        message,
                        timestamp_ms: self.timestamp_ms,
                        unsubscribe_url: &unsubscribe_url,
                        sequence_number: self.version.is_none().then_some(NUMBER),
                        attributes: &attributes,
                    };
                    let signer = signer.as_ref().map(|signer| signer as &dyn Signer);
                    let envelope = cut(&notification.to_json(signer), self.version.is_none());
                    made.push((message, envelope.clone()));
                    envelope
                });
                (protocol, envelope)
            })
            .collect();
        Ok(envelopes)
    }
}

fn cut(text: &str, has_number: bool) -> Envelope {
    let (before, tail) = text
        .rsplit_once(PLACE)
        .expect("the URL with the place is in it");
    // The number is the first of the members that a publisher has a say in.
    let (head, middle) = if has_number {
        let cut = before.split_once(NUMBER);
        let (head, middle) = cut.expect("the number's place is in it");
        (head, Some(middle.into()))
    } else {
        (before, None)
    };
    Envelope {
        head: head.into(),
        middle,
        tail: tail.into(),
    }
}

/// Does what signs where it may block.
pub(super) async fn blocking<T: Send + 'static>(
    sign: impl FnOnce() -> Result<T, SigningError> + Send + 'static,
) -> Result<T, AwsError> {
    match tokio::task::spawn_blocking(sign).await {
        Ok(Ok(signed)) => Ok(signed),
        Ok(Err(error)) => Err(failure(&error)),
        Err(error) => Err(failure(&error)),
    }
}

fn failure(error: &dyn std::error::Error) -> AwsError {
    tracing::error!(%error, "a notification cannot be signed");
    AwsError::new(
        ErrorCode::InternalFailure,
        "Notifications cannot be signed; nothing was stored.",
    )
}

/// None for a FIFO topic: it does not sign.
pub(super) fn signature_version(topic: &Topic) -> Option<SignatureVersion> {
    let version = topic.attributes.get("SignatureVersion").map(String::as_str);
    topic.topic.fifo.is_none().then_some(match version {
        Some("2") => SignatureVersion::Two,
        Some(_) | None => SignatureVersion::One,
    })
}

fn to_wire(attributes: &BTreeMap<String, Attribute>) -> BTreeMap<String, MessageAttribute> {
    attributes
        .iter()
        .map(|(name, attribute)| {
            let data_type = attribute.data_type.as_str();
            let attribute = match &attribute.value {
                AttributeValue::Text(text) => MessageAttribute::text(data_type, text.as_str()),
                AttributeValue::Binary(bytes) => {
                    MessageAttribute::binary(data_type, bytes.as_slice())
                }
            };
            (name.clone(), attribute)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:sns:us-east-1:000000000000:t";

    fn envelopes(version: Option<SignatureVersion>) -> Vec<(Protocol, Envelope)> {
        let data = tempfile::tempdir().unwrap();
        let origin = Origin {
            topic_arn: ARN.to_owned(),
            base_url: "http://h:9324".to_owned(),
            timestamp_ms: 1_335_995_642_059,
            version,
        };
        let signing = Signing::new(data.path());
        origin.envelopes(&signing, "m-1", &publication()).unwrap()
    }

    fn publication() -> Publication {
        Publication {
            message: "hello \"you\"".to_owned(),
            by_protocol: BTreeMap::from([("sqs".to_owned(), "for queues".to_owned())]),
            // A place of its own, before the one that counts.
            subject: Some("S\u{ffff}".to_owned()),
            attributes: BTreeMap::from([
                ("a".to_owned(), Attribute::string("x")),
                ("b".to_owned(), Attribute::binary([0, 255])),
            ]),
            ..Publication::default()
        }
    }

    #[test]
    fn the_number_and_the_id_belong_into_the_gaps() {
        let envelopes = envelopes(None);
        let of = |wanted: Protocol| {
            let found = envelopes.iter().find(|(protocol, _)| *protocol == wanted);
            found.map(|(_, envelope)| envelope).unwrap()
        };
        let queue = of(Protocol::Queue);
        let middle = queue.middle.as_deref().unwrap();
        let text = [&*queue.head, "42", middle, "SUB", &*queue.tail].concat();
        assert_eq!(
            text,
            "{\n  \"Type\" : \"Notification\",\n  \"MessageId\" : \"m-1\",\n  \"SequenceNumber\" : \"42\",\n  \"TopicArn\" : \
             \"arn:aws:sns:us-east-1:000000000000:t\",\n  \"Subject\" : \"S\u{ffff}\",\n  \
             \"Message\" : \"for queues\",\n  \"Timestamp\" : \"2012-05-02T21:54:02.059Z\",\n  \
             \"UnsubscribeURL\" : \"http://h:9324/?Action=Unsubscribe&SubscriptionArn=\
             arn:aws:sns:us-east-1:000000000000:t:SUB\",\n  \"MessageAttributes\" : {\n    \
             \"a\" : {\"Type\":\"String\",\"Value\":\"x\"},\n    \"b\" : \
             {\"Type\":\"Binary\",\"Value\":\"AP8=\"}\n  }\n}"
        );
        let (http, mail) = (of(Protocol::Http), of(Protocol::Email));
        let text = http.middle.as_deref().unwrap();
        assert!(text.contains(r#""Message" : "hello \"you\"","#));
        assert!(
            std::sync::Arc::ptr_eq(&http.head, &mail.head),
            "the same text once"
        );
    }

    #[test]
    fn a_signature_covers_each_text() {
        for (version, shown) in [(SignatureVersion::One, "1"), (SignatureVersion::Two, "2")] {
            let envelopes = envelopes(Some(version));
            let heads: Vec<&str> = envelopes.iter().map(|(_, one)| &*one.head).collect();
            for head in &heads {
                let version = format!("\"SignatureVersion\" : \"{shown}\"");
                assert!(head.contains(&version), "{head}");
                let url = "\"SigningCertURL\" : \"http://h:9324/SimpleNotificationService-";
                assert!(head.contains(url), "{head}");
            }
            assert_ne!(heads[0], heads[1]);
            assert_eq!(heads[1], heads[2]);
        }
    }
}
