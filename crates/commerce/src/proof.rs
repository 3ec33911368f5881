//! The hash chain of a line: every decision carries the hash of the one before it, so that a
//! sale can be replayed and proved afterwards.
//!
//! ```text
//! genesis   = BLAKE3("firstcome.line.v1" || 0x00 || sku)
//! hash(n)   = BLAKE3(hash(n-1) || at_ms as i64 big endian || len(kind) as u8 || kind || data)
//! buyer     = first 16 bytes of BLAKE3(order secret || folded e-mail), hexadecimal
//! ```
//! `data` are the bytes of the event as stored. The buyer's address is not in them, only a
//! commitment to it: the chain can be shown to anyone and still stand after an address was
//! erased, and a buyer can prove which entry is theirs with the order id and the address.

use crate::Millis;
use crate::customer::Email;
use crate::digest::digest;
use crate::ids::Secret;

/// A link of the chain.
pub type Hash = [u8; 32];

/// The link before a line's first decision.
pub fn genesis(line_name: &str) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"firstcome.line.v1\0");
    hasher.update(line_name.as_bytes());
    *hasher.finalize().as_bytes()
}

/// The link of a decision, after `before`.
pub fn chain(before: &Hash, at_ms: Millis, kind: &str, data: &[u8]) -> Hash {
    let length = u8::try_from(kind.len()).expect("kinds are short");
    let at = at_ms.to_be_bytes();
    *digest(&[before, &at, &[length], kind.as_bytes(), data]).as_bytes()
}

/// Binds a decision to a buyer without naming the buyer.
pub fn commit_to_buyer(secret: Secret, email: &Email) -> [u8; 16] {
    let email = email.as_str();
    let is_folded = |b: u8| b.is_ascii() && !b.is_ascii_uppercase();
    let digest = if email.bytes().all(is_folded) {
        digest(&[&secret.0, email.as_bytes()])
    } else {
        digest(&[&secret.0, email.to_lowercase().as_bytes()])
    };
    digest.as_bytes()[..16]
        .try_into()
        .expect("a digest has 32 bytes")
}
