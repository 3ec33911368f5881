//! The key of one day, region and service.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::TERMINATOR;
use super::authorization::Scope;

/// Good for a day, so it may be kept in place of being derived for every request.
#[derive(Clone)]
pub struct SigningKey([u8; 32]);

impl SigningKey {
    pub fn derive(secret: &str, scope: &Scope) -> Self {
        let first = format!("AWS4{secret}");
        let key = hmac(first.as_bytes(), scope.date.as_bytes());
        let key = hmac(&key, scope.region.as_bytes());
        let key = hmac(&key, scope.service.as_bytes());
        Self(hmac(&key, TERMINATOR.as_bytes()))
    }

    pub fn sign(&self, string_to_sign: &str) -> [u8; 32] {
        hmac(&self.0, string_to_sign.as_bytes())
    }
}

/// Keys are not for logs.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}
