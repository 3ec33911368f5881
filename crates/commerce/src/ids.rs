//! Identifiers: a sequence, so that no index is needed to find the row, and unguessable bits
//! that the row confirms.
//!
//! ```text
//! ord_ 0000000r3k 2m9q0x7d4c1v5b8n
//!      |          +- 80 random bits, 16 characters
//!      +- the sequence of the entry that made it, 50 bits, 10 characters
//! ```
//! The alphabet is Crockford's base 32 in lower case, so ids sort as their sequences do.

use std::fmt;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const SEQ_CHARACTERS: usize = 10;
const SECRET_CHARACTERS: usize = 16;
const BODY_CHARACTERS: usize = SEQ_CHARACTERS + SECRET_CHARACTERS;

/// How many random bytes an id carries.
pub const SECRET_BYTES: usize = 10;

/// The unguessable part of an id.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Secret(pub [u8; SECRET_BYTES]);

impl Secret {
    /// As it stands in an id: 16 characters.
    pub fn to_base32(self) -> String {
        let mut text = String::with_capacity(SECRET_CHARACTERS);
        self.write_base32(&mut text);
        text
    }

    fn write_base32(self, text: &mut String) {
        for five_bytes in self.0.chunks_exact(5) {
            let mut bits = five_bytes
                .iter()
                .fold(0u64, |bits, byte| (bits << 8) | u64::from(*byte));
            bits <<= 24;
            for _ in 0..8 {
                let five = usize::try_from(bits >> 59).expect("five bits");
                text.push(char::from(ALPHABET[five]));
                bits <<= 5;
            }
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A text that is not an id of the wanted type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdError;

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an id of this type")
    }
}

impl std::error::Error for IdError {}

fn encode(prefix: &str, seq: u64, secret: Secret) -> String {
    assert!(seq < 1 << 50, "a sequence has 50 bits");
    let mut text = String::with_capacity(prefix.len() + BODY_CHARACTERS);
    text.push_str(prefix);
    for i in (0..SEQ_CHARACTERS).rev() {
        let five = usize::try_from((seq >> (5 * i)) & 31).expect("five bits");
        text.push(char::from(ALPHABET[five]));
    }
    secret.write_base32(&mut text);
    text
}

fn decode(prefix: &str, text: &str) -> Result<(u64, Secret), IdError> {
    let body = text.strip_prefix(prefix).ok_or(IdError)?.as_bytes();
    if body.len() != BODY_CHARACTERS {
        return Err(IdError);
    }
    let five = |byte: u8| -> Result<u64, IdError> {
        let at = ALPHABET.iter().position(|a| *a == byte).ok_or(IdError)?;
        Ok(at as u64)
    };
    let mut seq = 0u64;
    for byte in &body[..SEQ_CHARACTERS] {
        seq = (seq << 5) | five(*byte)?;
    }
    let mut secret = [0u8; SECRET_BYTES];
    for (group, out) in body[SEQ_CHARACTERS..]
        .chunks_exact(8)
        .zip(secret.chunks_exact_mut(5))
    {
        let mut bits = 0u64;
        for byte in group {
            bits = (bits << 5) | five(*byte)?;
        }
        out.copy_from_slice(&bits.to_be_bytes()[3..]);
    }
    Ok((seq, Secret(secret)))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name {
            pub seq: u64,
            pub secret: Secret,
        }

        impl $name {
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let (seq, secret) = decode($prefix, text)?;
                Ok(Self { seq, secret })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&encode($prefix, self.seq, self.secret))
            }
        }
    };
}

id!(
    /// An order: `ord_...`.
    OrderId,
    "ord_"
);
id!(
    /// A replenishment: `rep_...`.
    ReplenishmentId,
    "rep_"
);
id!(
    /// An auction: `auc_...`.
    AuctionId,
    "auc_"
);
id!(
    /// A bid: `bid_...`. Only its bidder knows it.
    BidId,
    "bid_"
);

/// The number under which a store keeps a product and its line. Never leaves the server.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct ProductId(pub u32);

/// Whose entries follow each other in one hash chain: a product's, an auction's, or the system's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LineId {
    /// What concerns neither a product nor an auction.
    System,
    Product(ProductId),
    /// By the sequence in the auction's id.
    Auction(u64),
}

impl LineId {
    /// As stored: 0 for the system, above it products, below it auctions.
    pub fn number(self) -> i64 {
        match self {
            Self::System => 0,
            Self::Product(product) => i64::from(product.0),
            Self::Auction(seq) => -i64::try_from(seq).expect("a sequence has 50 bits"),
        }
    }

    /// None for a number that no line has.
    pub fn from_number(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::System),
            1.. => u32::try_from(number)
                .ok()
                .map(|n| Self::Product(ProductId(n))),
            ..0 => Some(Self::Auction(number.unsigned_abs())),
        }
    }

    pub fn product(self) -> Option<ProductId> {
        match self {
            Self::Product(product) => Some(product),
            Self::System | Self::Auction(_) => None,
        }
    }

    pub fn auction(self) -> Option<u64> {
        match self {
            Self::Auction(seq) => Some(seq),
            Self::System | Self::Product(_) => None,
        }
    }
}

impl From<ProductId> for LineId {
    fn from(product: ProductId) -> Self {
        Self::Product(product)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_line_reads_back_as_it_was_stored(product in 1u32.., auction in 1u64..1 << 50) {
            for line in [LineId::System, LineId::Product(ProductId(product)), LineId::Auction(auction)] {
                prop_assert_eq!(LineId::from_number(line.number()), Some(line));
            }
        }

        #[test]
        fn an_id_reads_back_as_it_was_written(seq in 0u64..1 << 50, bytes: [u8; 10]) {
            let id = OrderId { seq, secret: Secret(bytes) };
            let text = id.to_string();
            prop_assert_eq!(text.len(), 30);
            prop_assert_eq!(OrderId::parse(&text), Ok(id));
            prop_assert_eq!(ReplenishmentId::parse(&text), Err(IdError));
        }

        #[test]
        fn ids_sort_as_their_sequences(a in 0u64..1 << 50, b in 0u64..1 << 50, s: [u8; 10], t: [u8; 10]) {
            let text = |seq, secret| OrderId { seq, secret: Secret(secret) }.to_string();
            if a != b {
                prop_assert_eq!(a < b, text(a, s) < text(b, t));
            }
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,40}") {
            let _ = OrderId::parse(&text);
        }
    }

    #[test]
    fn rubbish_is_not_an_id() {
        for text in [
            "",
            "ord_",
            "ord_0",
            "ord_00000000000000000000000000U",
            "rep_1",
        ] {
            assert_eq!(OrderId::parse(text), Err(IdError), "{text}");
        }
    }
}
