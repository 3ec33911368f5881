//! Who buys: an e-mail address, and its fingerprint for counting.

use std::fmt;
use std::sync::Arc;

use crate::text::Invalid;

/// An e-mail address as it was given: at most 254 bytes (RFC 5321, 4.5.3.1.3), one `@` with
/// something on both sides, no white space and no control characters. Whether somebody reads
/// it only a message can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    text: Arc<str>,
    customer: CustomerHash,
}

impl Email {
    pub fn new(text: &str) -> Result<Self, Invalid> {
        if text.len() > 254 {
            return Err(Invalid::new(format!(
                "must be at most 254 bytes, is {}",
                text.len()
            )));
        }
        let Some((local, domain)) = text.rsplit_once('@') else {
            return Err(Invalid::new("must be an e-mail address with an @"));
        };
        if local.is_empty() || local.len() > 64 || domain.is_empty() {
            return Err(Invalid::new(
                "must have 1 to 64 bytes before the @ and something after it",
            ));
        }
        let bad = |c: char| c.is_control() || c.is_whitespace() || c == '@';
        // Most are plain ASCII, which is looked at byte by byte.
        let is_plain = |b: u8| b.is_ascii_graphic() && b != b'@';
        let is_plain = local.bytes().all(is_plain) && domain.bytes().all(is_plain);
        if !is_plain && (local.contains(bad) || domain.contains(bad)) {
            return Err(Invalid::new(
                "must not contain white space, control characters or a second @",
            ));
        }
        Ok(Self::from_stored(text))
    }

    /// Reads back what a store kept, which was checked when it came in.
    pub fn from_stored(text: &str) -> Self {
        Self {
            text: text.into(),
            customer: CustomerHash::of(text),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    /// The customer behind the address: letters of either case are the same person. This is
    /// what purchase limits count by.
    pub fn customer(&self) -> CustomerHash {
        self.customer
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The fingerprint of a folded e-mail address: what is counted by, and what logs show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CustomerHash(pub u64);

impl CustomerHash {
    pub fn of(address: &str) -> Self {
        let plain = address
            .bytes()
            .all(|b| b.is_ascii() && !b.is_ascii_uppercase());
        let digest = if plain {
            blake3::hash(address.as_bytes())
        } else {
            blake3::hash(address.to_lowercase().as_bytes())
        };
        let first = digest.as_bytes()[..8].try_into();
        Self(u64::from_be_bytes(first.expect("a digest has 32 bytes")))
    }
}

impl fmt::Display for CustomerHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
