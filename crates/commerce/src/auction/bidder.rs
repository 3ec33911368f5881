//! Who bids, and what others may see of it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use crate::customer::CustomerHash;
use crate::text::Invalid;

fn check_bidder(text: &str) -> Result<(), Invalid> {
    if !(1..=254).contains(&text.len()) {
        return Err(Invalid::new(format!(
            "must have 1 to 254 bytes, has {}",
            text.len()
        )));
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(Invalid::new(
            "must not contain white space or control characters",
        ));
    }
    Ok(())
}

/// A bidder or seller: an e-mail address or any other name without white space, 1 to 254 bytes.
/// Compared byte by byte; whoever folds names folds them before.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "Cow<'_, str>")]
pub struct Bidder {
    text: Arc<str>,
    customer: CustomerHash,
}

impl Bidder {
    /// Checks the name against the bounds of this type.
    pub fn new(text: &str) -> Result<Self, Invalid> {
        check_bidder(text)?;
        Ok(Self::from_stored(text.into()))
    }

    /// As [`new`](Self::new), with an e-mail address in lower case: letters of either case are
    /// the same person, who must not bid against the own bid. Other names stay as they are.
    pub fn folded(text: &str) -> Result<Self, Invalid> {
        check_bidder(text)?;
        if text.contains('@') && text.chars().any(char::is_uppercase) {
            Self::new(&text.to_lowercase())
        } else {
            Ok(Self::from_stored(text.into()))
        }
    }

    /// A name that was checked when it was stored.
    pub fn from_stored(text: Arc<str>) -> Self {
        let customer = CustomerHash::of(&text);
        Self { text, customer }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    /// What decides who holds how many keys. Worked out with the name, at the door.
    pub fn customer(&self) -> CustomerHash {
        self.customer
    }
}

impl TryFrom<Cow<'_, str>> for Bidder {
    type Error = Invalid;

    fn try_from(text: Cow<'_, str>) -> Result<Self, Self::Error> {
        Self::new(&text)
    }
}

impl Serialize for Bidder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl fmt::Display for Bidder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

pub const MASK_KEY_BYTES: usize = 32;

/// Random bytes of one auction, from which its masked names are made. Never shown: with them
/// anyone could try whether a name they guess took part.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MaskKey(pub [u8; MASK_KEY_BYTES]);

impl fmt::Debug for MaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MaskKey(..)")
    }
}

/// A bidder as one viewer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownBidder {
    /// `bidder-` and 12 hexadecimal digits: the same in all of one auction, and unrelated to
    /// what the same person is called in the next.
    pub name: String,
    /// It is the viewer.
    pub own: bool,
}

impl MaskKey {
    pub fn show(&self, bidder: &Bidder, viewer: Option<&Bidder>) -> ShownBidder {
        let digest = blake3::keyed_hash(&self.0, bidder.as_str().as_bytes());
        // 48 bits: among 1,000 bidders two share a name once in 500 million auctions.
        let name = digest.to_hex();
        ShownBidder {
            name: format!("bidder-{}", &name[..12]),
            own: viewer == Some(bidder),
        }
    }
}
