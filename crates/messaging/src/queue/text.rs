//! The alphabets of ids and of message text.

use super::limits;
use super::refusal::Refusal;

/// Message group, deduplication and receive attempt ids: 1 to 128 ASCII letters, digits and
/// punctuation (`!` to `~`).
pub(super) fn check_id(field: &'static str, id: &str) -> Result<(), Refusal> {
    if is_id(id) {
        return Ok(());
    }
    // A value that breaks the rule may be of any length and content, so it is not repeated.
    Err(Refusal::parameter(
        field,
        format!(
            "Value for parameter {field} is invalid. Reason: {field} can only include \
             alphanumeric and punctuation characters. 1 to {} in length.",
            limits::ID_LENGTH_MAX
        ),
    ))
}

pub(crate) fn is_id(id: &str) -> bool {
    (1..=limits::ID_LENGTH_MAX).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The characters of XML 1.0. Surrogates cannot occur in a Rust string.
pub(crate) fn is_message_text(text: &str) -> bool {
    text.chars().all(|character| {
        matches!(character, '\t' | '\n' | '\r')
            || (character >= ' ' && !matches!(character, '\u{fffe}' | '\u{ffff}'))
    })
}

/// Letters, digits, `_` and `-`: queue names and batch entry ids.
pub(crate) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}
