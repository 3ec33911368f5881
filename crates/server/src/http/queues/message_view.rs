//! What operators read of a message. In a page a long one is cut, and says so.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use commerce::Millis;
use messaging::{AttributeValue, Message, MessageState};
use serde::Serialize;
use utoipa::ToSchema;

use crate::adapters::rfc3339;

/// Bytes of a body in a page of messages, and of an attribute's value; a single message is
/// shown whole.
const BODY_SHOWN_BYTES: usize = 4_096;
const ATTRIBUTE_SHOWN_BYTES: usize = 1_024;

/// A message in a queue.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageView {
    id: String,
    seq: u64,
    #[schema(example = "visible")]
    state: &'static str,
    sent_at: String,
    /// When it can be received again; absent when it can be now.
    #[serde(skip_serializing_if = "Option::is_none")]
    visible_at: Option<String>,
    /// In a dead-letter queue: how often it was received where it came from.
    receive_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_received_at: Option<String>,
    body: String,
    /// Of the whole body.
    body_bytes: usize,
    /// Only the first part of the body or of an attribute is here.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
    /// A binary value is in base64.
    attributes: BTreeMap<String, String>,
    attribute_types: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deduplication_id: Option<String>,
    /// Why it is here, in a dead-letter queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_queue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_at: Option<String>,
}

impl MessageView {
    /// With all of its body.
    pub(super) fn whole(message: &Message, now: Millis) -> Self {
        Self::new(message, now, usize::MAX, usize::MAX)
    }

    /// As one of a page: a long body is cut.
    pub(super) fn short(message: &Message, now: Millis) -> Self {
        Self::new(message, now, BODY_SHOWN_BYTES, ATTRIBUTE_SHOWN_BYTES)
    }

    fn new(message: &Message, now: Millis, body_bytes: usize, attribute_bytes: usize) -> Self {
        let dead = message.dead.as_ref();
        let body = first_bytes(&message.body, body_bytes);
        let mut cut = body.len() < message.body.len();
        let mut attributes = BTreeMap::new();
        let mut attribute_types = BTreeMap::new();
        for (name, attribute) in &message.attributes {
            let text = match &attribute.value {
                AttributeValue::Text(text) => text.clone(),
                AttributeValue::Binary(bytes) => BASE64_STANDARD.encode(bytes),
            };
            let shown = first_bytes(&text, attribute_bytes);
            cut |= shown.len() < text.len();
            attributes.insert(name.clone(), shown.to_owned());
            attribute_types.insert(name.clone(), attribute.data_type.clone());
        }
        let state = message.state(now);
        let is_hidden = state != MessageState::Visible;
        Self {
            id: message.id.clone(),
            seq: message.seq,
            state: match state {
                MessageState::Visible => "visible",
                MessageState::InFlight => "in_flight",
                MessageState::Delayed => "delayed",
            },
            sent_at: rfc3339(message.sent_at_ms),
            visible_at: is_hidden.then(|| rfc3339(message.visible_at_ms)),
            receive_count: dead.map_or(message.receive_count, |dead| dead.receive_count),
            first_received_at: message.first_received_at_ms.map(rfc3339),
            body: body.to_owned(),
            body_bytes: message.body.len(),
            cut,
            attributes,
            attribute_types,
            group_id: message.group.clone(),
            deduplication_id: message.deduplication.clone(),
            reason: dead.and_then(|dead| dead.reason.clone()),
            source_queue: dead.map(|dead| dead.source_queue.clone()),
            dead_at: dead.map(|dead| rfc3339(dead.at_ms)),
        }
    }
}

/// At most so many bytes of a text, whole characters.
fn first_bytes(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use messaging::Attribute;

    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        for (text, most, expected) in [
            ("abc", 5, "abc"),
            ("abc", 3, "abc"),
            ("abc", 2, "ab"),
            ("한글", 6, "한글"),
            ("한글", 5, "한"),
            ("한글", 2, ""),
        ] {
            assert_eq!(first_bytes(text, most), expected, "{text} {most}");
        }
    }

    #[test]
    fn a_long_message_says_that_it_is_cut_and_a_whole_one_is_not() {
        let message = Message {
            body: "x".repeat(BODY_SHOWN_BYTES + 1),
            attributes: BTreeMap::from([
                ("b".to_owned(), Attribute::binary(*b"\xff\x00")),
                ("n".to_owned(), Attribute::number("01")),
            ]),
            ..Message::default()
        };
        let short = MessageView::short(&message, 0);
        assert_eq!(short.body.len(), BODY_SHOWN_BYTES);
        assert_eq!(short.body_bytes, BODY_SHOWN_BYTES + 1);
        assert!(short.cut);
        assert_eq!(short.attributes["b"], "/wA=");
        assert_eq!(short.attribute_types["n"], "Number");
        let whole = MessageView::whole(&message, 0);
        assert_eq!(whole.body, message.body);
        assert!(!whole.cut);
        let long = Message {
            attributes: BTreeMap::from([("a".to_owned(), Attribute::string("x".repeat(2_000)))]),
            ..Message::default()
        };
        assert!(MessageView::short(&long, 0).cut);
    }
}
