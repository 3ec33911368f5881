//! JSON of others, which may hold what no Rust text or number can.
//!
//! JSON allows `"\ud83d"`, half of a character (RFC 8259, 8.2): what JavaScript's `JSON.stringify`
//! makes of a text that was cut inside an emoji. It also allows `1e400`. A message is not to be
//! lost to everybody who filters because of a value that nobody may even look at: half a character
//! is read as U+FFFD, and a number that is too large as the largest there is.

use serde_json::Value;
use serde_json::value::RawValue;

/// `\u` and four digits.
const ESCAPE: usize = 6;

/// Nothing if it is no JSON, or nested deeper than `serde_json` goes.
pub(super) fn parse(text: &str) -> Option<Value> {
    // The texts that need mending are few, so the others do not pay for it.
    let parsed = serde_json::from_str(text);
    parsed.or_else(|_| serde_json::from_str(&mended(text))).ok()
}

/// What is no JSON stays none.
fn mended(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    let mut is_quoted = false;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\\' if is_quoted => {
                let (escape, length) = escape(rest);
                mended.push_str(escape);
                length
            }
            '-' | '0'..='9' if !is_quoted => {
                let is_part = |c: char| matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E');
                let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                mended.push_str(&number(&rest[..length]));
                length
            }
            other => {
                is_quoted ^= other == '"';
                mended.push(other);
                other.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    mended
}

/// What the escape at the beginning becomes, and the length of what is read.
fn escape(text: &str) -> (&str, usize) {
    const HALF: &str = "\\ufffd";
    let Some(unit) = code_unit(text) else {
        // `\"` and the like: the second character is not what it seems.
        let second = text.chars().nth(1).map_or(0, char::len_utf8);
        return (&text[..1 + second], 1 + second);
    };
    match unit {
        0xd800..0xdc00 => match code_unit(&text[ESCAPE..]) {
            Some(0xdc00..0xe000) => (&text[..2 * ESCAPE], 2 * ESCAPE),
            _ => (HALF, ESCAPE),
        },
        0xdc00..0xe000 => (HALF, ESCAPE),
        _ => (&text[..ESCAPE], ESCAPE),
    }
}

fn code_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_plain.then(|| u16::from_str_radix(digits, 16).ok())?
}

fn number(text: &str) -> String {
    // It is read as raw whatever its size, if it is a number at all.
    let is_number = serde_json::from_str::<&RawValue>(text).is_ok();
    match text.parse::<f64>() {
        Ok(number) if is_number && number.is_infinite() => {
            format!("{:e}", f64::MAX.copysign(number))
        }
        Ok(_) | Err(_) => text.to_owned(),
    }
}
