//! Text in headers that must come out as it went in.
//!
//! The builder encodes word by word, and leaves alone what is ASCII. So it loses the space
//! between two encoded words where there was more than one, and `=?utf-8?b?...?=` as it was
//! typed is decoded by readers: a stranger's subject would become another one, with line ends
//! if he likes. Therefore whatever is not plain is encoded here (RFC 2047), as a whole.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lettre::message::Mailbox;
use lettre::message::header::{HeaderName, HeaderValue};

/// A line with encoded words has at most 76 characters (RFC 2047, 2), of which the frame of a
/// word takes 12 and the fold 1. Four characters of base64 are three bytes.
const LINE_CHARACTERS_MAX: usize = 76;
const FRAME_CHARACTERS: usize = 12;
const WORD_BYTES_MAX: usize = (LINE_CHARACTERS_MAX - FRAME_CHARACTERS - 1) / 4 * 3;

/// A header whose whole value is free text.
pub(crate) fn unstructured(name: HeaderName, text: &str) -> HeaderValue {
    if is_plain(text) {
        return HeaderValue::new(name, text.to_owned());
    }
    let encoded = encoded_words(text, name.len());
    HeaderValue::dangerous_new_pre_encoded(name, text.to_owned(), encoded)
}

/// A header with one address, where the builder's own form will not do. The raw value is
/// without the name: the builder reads the envelope from it.
pub(crate) fn mailbox(name: HeaderName, mailbox: &Mailbox) -> Option<HeaderValue> {
    let phrase = mailbox.name.as_deref().filter(|text| !is_plain(text))?;
    let phrase = encoded_words(phrase, name.len());
    let encoded = format!("{phrase}\r\n <{}>", mailbox.email);
    Some(HeaderValue::dangerous_new_pre_encoded(
        name,
        mailbox.email.to_string(),
        encoded,
    ))
}

fn is_plain(text: &str) -> bool {
    text.is_ascii() && !text.contains("=?")
}

/// On its line, the first word has the header's name before it.
fn encoded_words(text: &str, name_characters: usize) -> String {
    let before = name_characters + ": ".len() + FRAME_CHARACTERS;
    let mut room = LINE_CHARACTERS_MAX.saturating_sub(before) / 4 * 3;
    let mut words = vec![String::new()];
    for c in text.chars() {
        let word = words.last_mut().expect("there is always one");
        if word.len() + c.len_utf8() > room {
            words.push(c.to_string());
            room = WORD_BYTES_MAX;
        } else {
            word.push(c);
        }
    }
    let encoded: Vec<String> = words
        .iter()
        .map(|word| match word.as_str() {
            // The name left no room: the first word begins on the next line.
            "" => String::new(),
            word => format!("=?utf-8?b?{}?=", BASE64_STANDARD.encode(word)),
        })
        .collect();
    encoded.join("\r\n ")
}
