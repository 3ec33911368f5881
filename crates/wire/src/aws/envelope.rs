//! What SNS puts around a message: the notification, and the request to confirm a
//! subscription, byte for byte as Amazon writes them.
//!
//! ```text
//! {
//!   "Type" : "Notification",
//!   "MessageId" : "...",
//!   "SequenceNumber" : "...",              of a FIFO topic
//!   "TopicArn" : "...",
//!   "Subject" : "...",                     if it has one
//!   "Message" : "...",
//!   "Timestamp" : "2012-03-29T05:12:16.901Z",
//!   "SignatureVersion" : "1",              not of a FIFO topic
//!   "Signature" : "...",
//!   "SigningCertURL" : "...",
//!   "UnsubscribeURL" : "...",
//!   "MessageAttributes" : {                if it has any
//!     "name" : {"Type":"String","Value":"..."}
//!   }
//! }
//! ```
//!
//! Keys and certificates are not known here: a [`Signer`] has them. Sources: the developer
//! guide, "HTTP/HTTPS notification JSON format" and "Verifying the signatures", and messages
//! recorded from Amazon, which are also where it is seen that FIFO topics do not sign.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::attribute::MessageAttribute;
use super::collect::to_base64;

/// The headers of a delivery by HTTP, in lower case.
pub const TYPE_HEADER: &str = "x-amz-sns-message-type";
pub const MESSAGE_ID_HEADER: &str = "x-amz-sns-message-id";
pub const TOPIC_ARN_HEADER: &str = "x-amz-sns-topic-arn";
pub const SUBSCRIPTION_ARN_HEADER: &str = "x-amz-sns-subscription-arn";
/// `true` on a raw delivery.
pub const RAW_DELIVERY_HEADER: &str = "x-amz-sns-rawdelivery";
/// Amazon's, although the body is JSON.
pub const CONTENT_TYPE: &str = "text/plain; charset=UTF-8";

/// Who has the private key that belongs to the certificate.
pub trait Signer {
    fn version(&self) -> SignatureVersion;

    /// RSA PKCS #1 v1.5 over the hash that the version says.
    fn sign(&self, text: &[u8]) -> Vec<u8>;

    /// Where a subscriber finds the certificate.
    fn certificate_url(&self) -> &str;
}

/// The topic's attribute `SignatureVersion`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureVersion {
    /// SHA-1, Amazon's default.
    #[default]
    One,
    /// SHA-256.
    Two,
}

impl SignatureVersion {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::One => "1",
            Self::Two => "2",
        }
    }
}

/// A message that was published.
#[derive(Clone, Debug)]
pub struct Notification<'a> {
    pub message_id: &'a str,
    pub topic_arn: &'a str,
    pub subject: Option<&'a str>,
    pub message: &'a str,
    /// Milliseconds since the epoch.
    pub timestamp_ms: i64,
    pub unsubscribe_url: &'a str,
    /// Of a FIFO topic only.
    pub sequence_number: Option<&'a str>,
    pub attributes: &'a BTreeMap<String, MessageAttribute>,
}

/// The question whether an endpoint wants to be a subscriber, or wants to be one again.
#[derive(Clone, Debug)]
pub struct Confirmation<'a> {
    pub kind: ConfirmationKind,
    pub message_id: &'a str,
    pub token: &'a str,
    pub topic_arn: &'a str,
    /// Only what ends names it.
    pub subscription_arn: &'a str,
    pub subscribe_url: &'a str,
    pub timestamp_ms: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfirmationKind {
    /// Somebody wants this endpoint to be a subscriber.
    Subscribe,
    /// It was one until now.
    Unsubscribe,
}

impl Notification<'_> {
    pub const TYPE: &'static str = "Notification";

    /// The body of the delivery. Messages of a FIFO topic have no signature: no signer.
    pub fn to_json(&self, signer: Option<&dyn Signer>) -> String {
        let timestamp = timestamp(self.timestamp_ms);
        let mut object = Object::open(self.message.len());
        object.text("Type", Self::TYPE);
        object.text("MessageId", self.message_id);
        object.optional("SequenceNumber", self.sequence_number);
        object.text("TopicArn", self.topic_arn);
        object.optional("Subject", self.subject);
        object.text("Message", self.message);
        object.text("Timestamp", &timestamp);
        object.signature(signer, || self.string_to_sign());
        object.text("UnsubscribeURL", self.unsubscribe_url);
        if !self.attributes.is_empty() {
            object.attributes(self.attributes);
        }
        object.close()
    }

    /// Names and values in the order of the names, each with a line of its own.
    pub fn string_to_sign(&self) -> String {
        canonical(&[
            ("Message", Some(self.message)),
            ("MessageId", Some(self.message_id)),
            ("Subject", self.subject),
            ("Timestamp", Some(&timestamp(self.timestamp_ms))),
            ("TopicArn", Some(self.topic_arn)),
            ("Type", Some(Self::TYPE)),
        ])
    }
}

impl Confirmation<'_> {
    /// `Type`, and the value of [`TYPE_HEADER`].
    pub const fn type_name(&self) -> &'static str {
        match self.kind {
            ConfirmationKind::Subscribe => "SubscriptionConfirmation",
            ConfirmationKind::Unsubscribe => "UnsubscribeConfirmation",
        }
    }

    /// The body of the delivery.
    pub fn to_json(&self, signer: Option<&dyn Signer>) -> String {
        let mut object = Object::open(0);
        object.text("Type", self.type_name());
        object.text("MessageId", self.message_id);
        object.text("Token", self.token);
        object.text("TopicArn", self.topic_arn);
        object.text("Message", &self.message());
        object.text("SubscribeURL", self.subscribe_url);
        object.text("Timestamp", &timestamp(self.timestamp_ms));
        object.signature(signer, || self.string_to_sign());
        object.close()
    }

    pub fn string_to_sign(&self) -> String {
        canonical(&[
            ("Message", Some(&self.message())),
            ("MessageId", Some(self.message_id)),
            ("SubscribeURL", Some(self.subscribe_url)),
            ("Timestamp", Some(&timestamp(self.timestamp_ms))),
            ("Token", Some(self.token)),
            ("TopicArn", Some(self.topic_arn)),
            ("Type", Some(self.type_name())),
        ])
    }

    fn message(&self) -> String {
        match self.kind {
            ConfirmationKind::Subscribe => format!(
                "You have chosen to subscribe to the topic {}.\nTo confirm the subscription, visit \
                 the SubscribeURL included in this message.",
                self.topic_arn
            ),
            ConfirmationKind::Unsubscribe => format!(
                "You have chosen to deactivate subscription {}.\nTo cancel this operation and \
                 restore the subscription, visit the SubscribeURL included in this message.",
                self.subscription_arn
            ),
        }
    }
}

/// Where a visit confirms a subscription; `base` is this server's address.
pub fn subscribe_url(base: &str, topic_arn: &str, token: &str) -> String {
    let base = base.trim_end_matches('/');
    format!("{base}/?Action=ConfirmSubscription&TopicArn={topic_arn}&Token={token}")
}

/// Where a visit ends a subscription.
pub fn unsubscribe_url(base: &str, subscription_arn: &str) -> String {
    let base = base.trim_end_matches('/');
    format!("{base}/?Action=Unsubscribe&SubscriptionArn={subscription_arn}")
}

/// Always with milliseconds. A time outside the calendar is not possible for a message; it
/// would be written as the epoch.
fn timestamp(milliseconds: i64) -> String {
    let timestamp = Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH);
    timestamp.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

fn canonical(pairs: &[(&str, Option<&str>)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if let Some(value) = value {
            for line in [name, value] {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

/// JSON in Amazon's layout, with a blank on both sides of the colon.
struct Object {
    out: String,
}

impl Object {
    const OVERHEAD_BYTES: usize = 1024;

    fn open(message_bytes: usize) -> Self {
        let mut out = String::with_capacity(message_bytes + Self::OVERHEAD_BYTES);
        out.push('{');
        Self { out }
    }

    fn name(&mut self, name: &str) {
        if self.out.len() > 1 {
            self.out.push(',');
        }
        self.out.push_str("\n  ");
        self.out.push_str(&json_text(name));
        self.out.push_str(" : ");
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.out.push_str(&json_text(value));
    }

    fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    fn signature(&mut self, signer: Option<&dyn Signer>, text: impl FnOnce() -> String) {
        if let Some(signer) = signer {
            let signature = signer.sign(text().as_bytes());
            self.text("SignatureVersion", signer.version().as_str());
            self.text("Signature", &to_base64(&signature));
            self.text("SigningCertURL", signer.certificate_url());
        }
    }

    fn attributes(&mut self, attributes: &BTreeMap<String, MessageAttribute>) {
        self.name("MessageAttributes");
        self.out.push('{');
        for (index, (name, attribute)) in attributes.iter().enumerate() {
            let value = match &attribute.binary_value {
                Some(bytes) if attribute.is_binary() => json_text(&to_base64(bytes)),
                Some(_) | None => json_text(attribute.string_value.as_deref().unwrap_or_default()),
            };
            self.out
                .push_str(if index == 0 { "\n    " } else { ",\n    " });
            self.out.push_str(&json_text(name));
            self.out.push_str(" : {\"Type\":");
            self.out.push_str(&json_text(&attribute.data_type));
            self.out.push_str(",\"Value\":");
            self.out.push_str(&value);
            self.out.push('}');
        }
        self.out.push_str("\n  }");
    }

    fn close(mut self) -> String {
        self.out.push_str("\n}");
        self.out
    }
}

fn json_text(text: &str) -> String {
    serde_json::to_string(text).expect("a text has a JSON form")
}

#[cfg(test)]
mod tests;
