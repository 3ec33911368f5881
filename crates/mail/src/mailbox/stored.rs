//! An e-mail as it is read back, for somebody to look at.

use std::fmt;

use commerce::Millis;
use mail_parser::{Address, Message, MessageParser};

use crate::address::hashed;

/// What a reader's mail program would show. What is missing, or cannot be read, is empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored {
    pub id: String,
    /// `Name <address>`.
    pub from: String,
    pub to: String,
    pub subject: String,
    pub at: Option<Millis>,
    pub text: String,
    pub html: Option<String>,
    /// The file, at most 4 MiB of it.
    pub bytes: Vec<u8>,
}

impl Stored {
    pub(super) fn parse(id: String, bytes: Vec<u8>) -> Self {
        let parsed = MessageParser::default().parse(&bytes);
        let parsed = parsed.as_ref();
        let subject = parsed.and_then(Message::subject).unwrap_or_default();
        let text = parsed.and_then(|mail| mail.body_text(0));
        Self {
            id,
            from: party(parsed.and_then(Message::from)),
            to: party(parsed.and_then(Message::to)),
            subject: subject.to_owned(),
            at: parsed
                .and_then(Message::date)
                .map(|date| date.to_timestamp().saturating_mul(1000)),
            text: text
                .map(|text| text.replace("\r\n", "\n"))
                .unwrap_or_default(),
            html: parsed.and_then(html),
            bytes,
        }
    }
}

/// Only what was written as HTML, not what could be made into it.
fn html(mail: &Message<'_>) -> Option<String> {
    let part = mail.html_bodies().find(|part| part.is_text_html())?;
    Some(part.text_contents()?.replace("\r\n", "\n"))
}

fn party(address: Option<&Address<'_>>) -> String {
    let Some(first) = address.and_then(Address::first) else {
        return String::new();
    };
    match (first.name(), first.address()) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (None, Some(text)) | (Some(text), None) => text.to_owned(),
        (None, None) => String::new(),
    }
}

/// Without what it says, and the address as its hash.
impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored")
            .field("id", &self.id)
            .field("to", &hashed(&self.to))
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}
