//! The links: hashes, pointers, sequences and times.

use std::borrow::Cow;

use serde::Deserialize;

use super::report::Findings;
use crate::Millis;
use crate::proof::{Hash, chain, genesis};

/// An entry as it is stored and shown, before anything in it is believed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryText<'a> {
    pub seq: u64,
    /// The sequence of the entry before it in the line, 0 for the first.
    pub prev: u64,
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    pub at: Millis,
    #[serde(borrow)]
    pub data: Cow<'a, str>,
    /// 64 hexadecimal digits.
    #[serde(borrow)]
    pub hash: Cow<'a, str>,
    #[serde(default)]
    pub sealed: Option<Cow<'a, str>>,
}

/// Which entry is the newest, as the file says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head<'a> {
    pub(super) seq: u64,
    /// 64 hexadecimal digits.
    #[serde(borrow)]
    pub(super) hash: Cow<'a, str>,
}

/// Reads lower-case hexadecimal digits of exactly so many bytes.
pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (pair, byte) in text.as_bytes().chunks_exact(2).zip(&mut bytes) {
        *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
    }
    Some(bytes)
}

/// Binds a public entry to its sealed text.
pub(super) fn seal(sealed: &str) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"firstcome.seal.v1\0");
    hasher.update(sealed.as_bytes());
    *hasher.finalize().as_bytes()
}

#[derive(Debug)]
pub(super) struct Links {
    pub(super) head: Hash,
    /// 0 before the first entry.
    pub(super) seq: u64,
    at: Millis,
}

impl Links {
    pub(super) fn new(auction: &str) -> Self {
        Self {
            head: genesis(auction),
            seq: 0,
            at: Millis::MIN,
        }
    }

    pub(super) fn follow(&mut self, entry: &EntryText<'_>, findings: &mut Findings) {
        if entry.seq <= self.seq {
            findings.tell(format!("comes after entry {}", self.seq));
        }
        findings.same("prev", &entry.prev, &self.seq);
        if entry.at < self.at {
            findings.tell("is older than the entry before it");
        }
        // The chain knows no longer kind; this one is also told to be none of an auction.
        let expected = (entry.kind.len() <= usize::from(u8::MAX)).then(|| {
            let data = entry.data.as_bytes();
            chain(&self.head, entry.at, &entry.kind, data)
        });
        let claimed = unhex(&entry.hash);
        if claimed.is_none() {
            findings.tell("hash is not 64 lower-case hexadecimal digits");
        } else if claimed != expected {
            findings.tell("hash is not that of this entry after the one before it");
        }
        // What is claimed goes on, so that a later entry is not blamed for this one.
        self.head = claimed.or(expected).unwrap_or(self.head);
        self.seq = entry.seq;
        self.at = self.at.max(entry.at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_have_one_spelling() {
        assert_eq!(unhex("00ff1a"), Some([0, 255, 26]));
        for wrong in ["", "00ff1", "00ff1A", "00ff1g", "00ff1a00", "0\u{e9}f1a"] {
            assert_eq!(unhex::<3>(wrong), None, "{wrong}");
        }
    }
}
