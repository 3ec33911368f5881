//! Who bids, and what others may see of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::{Invalid, checked_text};

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

checked_text!(
    /// A bidder or seller: an e-mail address or any other name without white space, 1 to 254
    /// bytes. Compared byte by byte; whoever folds names folds them before.
    Bidder,
    check_bidder
);

impl Bidder {
    /// As [`new`](Self::new), with an e-mail address in lower case: letters of either case are
    /// the same person, who must not bid against the own bid. Other names stay as they are.
    pub fn folded(text: &str) -> Result<Self, Invalid> {
        check_bidder(text)?;
        if text.contains('@') && text.chars().any(char::is_uppercase) {
            Self::new(&text.to_lowercase())
        } else {
            Self::new(text)
        }
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
