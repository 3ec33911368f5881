//! What an e-mail says, and the bounds that it is held to.

use std::fmt;

use commerce::Millis;

use crate::address::hashed;

pub const ID_BYTES_MAX: usize = 128;
/// Of a subject, in characters: a product's name and a sentence around it.
pub const SUBJECT_CHARACTERS_MAX: usize = 400;
/// Of the name beside an address, in characters.
pub const NAME_CHARACTERS_MAX: usize = 200;
/// Of an address (RFC 5321, 4.5.3.1.3).
pub const ADDRESS_BYTES_MAX: usize = 254;
/// What a topic may say, 1 MiB, as JSON in JSON.
pub const TEXT_BYTES_MAX: usize = 2 * 1024 * 1024;
pub const HTML_BYTES_MAX: usize = 512 * 1024;
pub const HEADERS_MAX: usize = 16;
/// Of a further header's value, in characters: with its name it fits in one line (RFC 5322,
/// 2.1.1) even where it cannot be folded.
pub const HEADER_CHARACTERS_MAX: usize = 800;

/// An e-mail to one person, not yet checked: [`Message::compose`] does that.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The same id is the same e-mail. Letters, digits, `-`, `_` and `.`, not at the beginning;
    /// it becomes the `Message-ID`, in the domain of the sender.
    pub id: String,
    pub from: Party,
    pub to: Party,
    pub reply_to: Option<Party>,
    pub subject: String,
    pub text: String,
    pub html: Option<String>,
    /// Further headers, such as `List-Unsubscribe`; not those that are made from the rest.
    pub headers: Vec<(String, String)>,
    /// When it was written: the `Date`. A repeat keeps it, so that it is the same to the byte.
    pub at: Millis,
}

/// Somebody with an e-mail address.
#[derive(Clone, PartialEq, Eq)]
pub struct Party {
    pub name: Option<String>,
    pub address: String,
}

impl Party {
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            name: None,
            address: address.into(),
        }
    }

    pub fn named(name: impl Into<String>, address: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            address: address.into(),
        }
    }
}

/// Without the name, and the address as its hash: this ends up in logs.
impl fmt::Debug for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Party({})", hashed(&self.address))
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

/// Which field cannot be sent, and why. It will not become better by trying again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {reason}")]
pub struct InvalidMessage {
    /// `to`, `reply_to.name`, `headers[2]`: never what it holds.
    pub field: String,
    pub reason: String,
}

impl InvalidMessage {
    pub(crate) fn new(field: &str, reason: impl Into<String>) -> Self {
        Self {
            field: field.to_owned(),
            reason: reason.into(),
        }
    }
}

/// What can be the name of a file as well as the left side of a `Message-ID`.
pub(crate) fn is_id(id: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&id.len())
        && !id.starts_with('.')
        && !id.ends_with('.')
        && !id.contains("..")
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// One line of at most so many characters. A control character is what a header is broken out
/// of with, and so is whatever somebody else may take for the end of a line.
pub(crate) fn check_line(
    field: &str,
    text: &str,
    characters_max: usize,
) -> Result<(), InvalidMessage> {
    let ends_a_line = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if text.contains(ends_a_line) {
        return Err(InvalidMessage::new(
            field,
            "must not contain control characters",
        ));
    }
    let characters = text.chars().count();
    if characters > characters_max {
        return Err(InvalidMessage::new(
            field,
            format!("must have at most {characters_max} characters, has {characters}"),
        ));
    }
    Ok(())
}

pub(crate) fn check_length(
    field: &str,
    text: &str,
    bytes_max: usize,
) -> Result<(), InvalidMessage> {
    if text.len() > bytes_max {
        return Err(InvalidMessage::new(
            field,
            format!("must have at most {bytes_max} bytes, has {}", text.len()),
        ));
    }
    Ok(())
}
