//! What the entries of each kind say, publicly and under seal. A field that does not belong to
//! its kind is an error, and so is a name that is not masked.

use std::borrow::Cow;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::super::bidder::Bidder;
use super::super::event::{CloseReason, UnsoldReason};
use super::super::state::AuctionStatus;
use super::super::terms::Terms;
use super::chain::unhex;
use crate::Millis;
use crate::money::Money;
use crate::proof::Hash;

fn masked(text: &str) -> Result<Bidder, &'static str> {
    let digits = text.strip_prefix("bidder-").unwrap_or_default();
    unhex::<6>(digits).ok_or("a name is not masked")?;
    Bidder::new(text).map_err(|_| "a name is not masked")
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bidder, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    masked(&text).map_err(D::Error::custom)
}

/// A masked name where a list or an option of names is read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub(super) struct Masked(#[serde(deserialize_with = "name")] pub(super) Bidder);

fn hash<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Hash, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    unhex(&text).ok_or_else(|| D::Error::custom("a seal is not 64 lower-case hexadecimal digits"))
}

/// 32 hexadecimal digits that are of no use but to be random.
#[derive(Debug)]
pub(super) struct Nonce;

impl<'de> Deserialize<'de> for Nonce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let digits = unhex::<16>(&text).map(|_| Self);
        digits.ok_or_else(|| D::Error::custom("a nonce is not 32 lower-case hexadecimal digits"))
    }
}

/// Declares what `data` or `sealed` of a kind may say, and nothing else.
macro_rules! said {
    ($(#[$doc:meta])* $name:ident $body:tt) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub(super) struct $name $body
    };
}

said!(Created {
    pub(super) auction: String,
    #[serde(rename = "product")]
    pub(super) _product: String,
    #[serde(deserialize_with = "name")]
    pub(super) seller: Bidder,
    pub(super) terms: Box<RawValue>,
    #[serde(deserialize_with = "hash")]
    pub(super) seal: Hash,
});

said!(
    /// Of a kind that says nothing more.
    Bare { pub(super) auction: String }
);

said!(Placed {
    pub(super) auction: String,
    #[serde(deserialize_with = "hash")]
    pub(super) seal: Hash,
});

said!(Accepted {
    pub(super) auction: String,
    pub(super) no: u64,
    #[serde(deserialize_with = "name")]
    pub(super) bidder: Bidder,
    pub(super) amount: Option<Money>,
    pub(super) price: Option<Money>,
    pub(super) leading: Option<bool>,
    #[serde(default)]
    pub(super) raise: bool,
    #[serde(default)]
    pub(super) buy_now: bool,
    #[serde(default)]
    pub(super) outbid: Vec<Masked>,
    pub(super) ends_at: Millis,
    #[serde(default)]
    pub(super) extended: bool,
    #[serde(default)]
    pub(super) reserve_met: bool,
    pub(super) bids: u64,
    pub(super) placed: Option<u64>,
    /// The `bid.accepted` before this one.
    pub(super) prev_bid: Option<u64>,
    #[serde(deserialize_with = "hash")]
    pub(super) seal: Hash,
    /// It took the lot of a Dutch auction. Older entries do not say it.
    #[serde(default)]
    pub(super) won: bool,
});

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reason {
    TooLow,
    Late,
    Closed,
    Cancelled,
    NotOpenYet,
    OwnLot,
    WrongCurrency,
    NoMaximum,
    MaximumBelowBid,
    /// Of a buy-now that came by the queue.
    NoBuyNow,
}

said!(Refused {
    pub(super) auction: String,
    #[serde(deserialize_with = "name")]
    pub(super) bidder: Bidder,
    pub(super) amount: Option<Money>,
    pub(super) reason: Reason,
    pub(super) price: Option<Money>,
    pub(super) least: Option<Money>,
    pub(super) ends_at: Millis,
    pub(super) placed: Option<u64>,
    #[serde(deserialize_with = "hash")]
    pub(super) seal: Hash,
});

said!(Retracted {
    pub(super) auction: String,
    pub(super) no: u64,
    #[serde(deserialize_with = "name")]
    pub(super) bidder: Bidder,
    pub(super) price: Option<Money>,
    pub(super) reserve_met: Option<bool>,
    #[serde(default)]
    pub(super) outbid: Vec<Masked>,
    #[serde(default)]
    pub(super) regained: Vec<Masked>,
    /// It does not move.
    pub(super) ends_at: Option<Millis>,
    pub(super) bids: u64,
});

said!(ClosingSoon {
    pub(super) auction: String,
    pub(super) ends_at: Millis,
});

said!(Winner {
    #[serde(deserialize_with = "name")]
    pub(super) bidder: Bidder,
    pub(super) no: u64,
    pub(super) price: Money,
});

said!(Closed {
    pub(super) auction: String,
    pub(super) status: AuctionStatus,
    pub(super) reason: CloseReason,
    pub(super) unsold_reason: Option<UnsoldReason>,
    pub(super) price: Option<Money>,
    pub(super) winners: Vec<Winner>,
    pub(super) ends_at: Millis,
    pub(super) bids: u64,
});

said!(Settled {
    pub(super) auction: String,
    #[serde(deserialize_with = "name")]
    pub(super) bidder: Bidder,
    pub(super) price: Money,
    pub(super) status: AuctionStatus,
});

said!(Forfeited {
    pub(super) auction: String,
    #[serde(deserialize_with = "name")]
    pub(super) bidder: Bidder,
    pub(super) status: AuctionStatus,
});

said!(Offered {
    pub(super) auction: String,
    #[serde(deserialize_with = "name")]
    pub(super) bidder: Bidder,
    pub(super) price: Money,
    pub(super) until: Millis,
    /// Whose offer ran out.
    pub(super) declined: Option<Masked>,
    pub(super) status: Option<AuctionStatus>,
});

said!(Answered {
    pub(super) auction: String,
    #[serde(deserialize_with = "name")]
    pub(super) bidder: Bidder,
    pub(super) accepted: bool,
    pub(super) price: Option<Money>,
    pub(super) status: AuctionStatus,
});

said!(SealedReserve {
    pub(super) reserve_price: Option<Money>,
    #[serde(rename = "nonce")]
    pub(super) _nonce: Nonce,
});

said!(SealedBid {
    #[serde(deserialize_with = "name")]
    pub(super) bidder: Bidder,
    pub(super) amount: Money,
    pub(super) maximum: Money,
    #[serde(rename = "nonce")]
    pub(super) _nonce: Nonce,
});

said!(SealedVerdict {
    pub(super) no: Option<u64>,
    #[serde(deserialize_with = "name")]
    pub(super) bidder: Bidder,
    pub(super) amount: Money,
    pub(super) maximum: Money,
    pub(super) admitted_at: Millis,
    #[serde(rename = "nonce")]
    pub(super) _nonce: Nonce,
});

/// The public side of an entry.
#[derive(Debug)]
pub(super) enum Fact {
    Created(Created),
    Opened(Bare),
    Placed(Placed),
    Accepted(Accepted),
    Refused(Refused),
    Retracted(Retracted),
    ClosingSoon(ClosingSoon),
    Closed(Closed),
    Cancelled(Bare),
    Settled(Settled),
    Forfeited(Forfeited),
    Offered(Offered),
    Answered(Answered),
}

impl Fact {
    pub(super) fn read(kind: &str, data: &str) -> Result<Self, String> {
        let fact = match kind {
            "auction.created" => serde_json::from_str(data).map(Self::Created),
            "auction.opened" => serde_json::from_str(data).map(Self::Opened),
            "bid.placed" => serde_json::from_str(data).map(Self::Placed),
            "bid.accepted" => serde_json::from_str(data).map(Self::Accepted),
            "bid.refused" => serde_json::from_str(data).map(Self::Refused),
            "bid.retracted" => serde_json::from_str(data).map(Self::Retracted),
            "auction.closing_soon" => serde_json::from_str(data).map(Self::ClosingSoon),
            "auction.closed" => serde_json::from_str(data).map(Self::Closed),
            "auction.cancelled" => serde_json::from_str(data).map(Self::Cancelled),
            "auction.settled" => serde_json::from_str(data).map(Self::Settled),
            "auction.forfeited" => serde_json::from_str(data).map(Self::Forfeited),
            "auction.offered" => serde_json::from_str(data).map(Self::Offered),
            "auction.offer_answered" => serde_json::from_str(data).map(Self::Answered),
            _ => return Err("is of a kind that no auction has".into()),
        };
        fact.map_err(|why| format!("data cannot be read: {why}"))
    }

    pub(super) fn auction(&self) -> &str {
        match self {
            Self::Created(said) => &said.auction,
            Self::Opened(said) | Self::Cancelled(said) => &said.auction,
            Self::Placed(said) => &said.auction,
            Self::Accepted(said) => &said.auction,
            Self::Refused(said) => &said.auction,
            Self::Retracted(said) => &said.auction,
            Self::ClosingSoon(said) => &said.auction,
            Self::Closed(said) => &said.auction,
            Self::Settled(said) => &said.auction,
            Self::Forfeited(said) => &said.auction,
            Self::Offered(said) => &said.auction,
            Self::Answered(said) => &said.auction,
        }
    }

    /// The hash of its sealed text, of the kinds that have one.
    pub(super) fn seal(&self) -> Option<&Hash> {
        match self {
            Self::Created(said) => Some(&said.seal),
            Self::Placed(said) => Some(&said.seal),
            Self::Accepted(said) => Some(&said.seal),
            Self::Refused(said) => Some(&said.seal),
            Self::Opened(_)
            | Self::Retracted(_)
            | Self::ClosingSoon(_)
            | Self::Closed(_)
            | Self::Cancelled(_)
            | Self::Settled(_)
            | Self::Forfeited(_)
            | Self::Offered(_)
            | Self::Answered(_) => None,
        }
    }
}

/// Terms as they are shown: without the reserve price, and with nothing that the rules do not
/// know.
pub(super) fn read_terms(raw: &RawValue) -> Result<Terms, String> {
    let unreadable = |why| format!("terms cannot be read: {why}");
    let terms: Terms = serde_json::from_str(raw.get()).map_err(unreadable)?;
    let all: serde_json::Value = serde_json::from_str(raw.get()).map_err(unreadable)?;
    let known = serde_json::to_value(&terms).map_err(unreadable)?;
    if terms.reserve_price.is_some() {
        return Err("terms show the reserve price".into());
    }
    if all != known {
        return Err("terms say more than these rules know".into());
    }
    Ok(terms)
}
