//! The e-mails that the shop sends, in English and Korean: from plain values to a subject, a
//! text and the same as HTML. All of it is pure.
//!
//! What always holds: both forms say the same, because both are made from one [`page`]; what
//! somebody else wrote (a product's name) is one line and escaped; no colour is set, so that a
//! reader with a dark background sees no dark letters on it.

mod ads;
mod alerts;
mod auctions;
mod money;
mod orders;
mod page;
mod times;

#[cfg(test)]
mod tests;

pub use ads::{PauseAds, ResumeAds};
pub use alerts::{Alert, AlertCause};
pub use auctions::{AuctionLost, AuctionOffered, AuctionOutbid, AuctionWon};
pub use money::minor_digits;
pub use orders::{OrderAccepted, OrderCancelled, OrderSoldOut};
pub use page::{InvalidLink, Link};

/// What one of the templates gives: everything of a message but who and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    pub subject: String,
    pub text: String,
    pub html: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    English,
    Korean,
}

impl Language {
    /// As in HTML's `lang`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Korean => "ko",
        }
    }

    /// The language of a tag such as `ko`, `ko-KR` or `en-GB`.
    pub fn from_tag(tag: &str) -> Option<Self> {
        match tag.split('-').next()?.to_ascii_lowercase().as_str() {
            "en" => Some(Self::English),
            "ko" => Some(Self::Korean),
            _ => None,
        }
    }

    fn choose<'a>(self, english: &'a str, korean: &'a str) -> &'a str {
        match self {
            Self::English => english,
            Self::Korean => korean,
        }
    }
}

/// For whom a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reader {
    pub language: Language,
    /// The difference to UTC in which times are given, in minutes: 540 in Korea. Out of a day
    /// it is taken as none.
    pub utc_offset_min: i32,
}
