//! Prices: integers in the currency's minor unit, never floats.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use crate::text::Invalid;

/// The highest price of one unit, in minor units. A million units of it still fit in 128 bits
/// and their sum in any report fits in 64.
pub const PRICE_MAX: i64 = 1_000_000_000_000_000;

/// An amount in minor units, `0..=PRICE_MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Money(i64);

impl Money {
    pub fn new(minor: i64) -> Result<Self, Invalid> {
        if (0..=PRICE_MAX).contains(&minor) {
            Ok(Self(minor))
        } else {
            Err(Invalid::new(format!("must be 0 to {PRICE_MAX}")))
        }
    }

    pub const fn minor(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for Money {
    type Error = Invalid;
    fn try_from(minor: i64) -> Result<Self, Invalid> {
        Self::new(minor)
    }
}

impl From<Money> for i64 {
    fn from(money: Money) -> Self {
        money.0
    }
}

/// Three capital letters, as in ISO 4217. The list itself is not checked: it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "Cow<'_, str>")]
pub struct Currency([u8; 3]);

impl Currency {
    pub fn new(text: &str) -> Result<Self, Invalid> {
        match text.as_bytes() {
            &[a, b, c] if [a, b, c].iter().all(u8::is_ascii_uppercase) => Ok(Self([a, b, c])),
            _ => Err(Invalid::new("must be three capital letters (ISO 4217)")),
        }
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only capital letters get in")
    }
}

impl TryFrom<Cow<'_, str>> for Currency {
    type Error = Invalid;
    fn try_from(text: Cow<'_, str>) -> Result<Self, Invalid> {
        Self::new(&text)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
