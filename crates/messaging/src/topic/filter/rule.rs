//! What a policy is made of.

use std::net::IpAddr;

use super::number::{Comparison, Number};

/// One line of a policy.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    /// At least one rule must hold for the value at the path: keys joined by dots.
    Field { path: String, rules: Vec<Rule> },
    /// All conditions of at least one alternative must hold.
    Or(Vec<Vec<Self>>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Rule {
    Equals(Scalar),
    AnythingBut(Vec<Scalar>),
    Prefix(String),
    AnythingButPrefix(String),
    Suffix(String),
    AnythingButSuffix(String),
    /// In lower case.
    EqualsIgnoreCase(String),
    /// All of one or two comparisons.
    Numeric(Vec<(Comparison, Number)>),
    Cidr(Cidr),
    Exists(bool),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
}

impl Rule {
    /// Whether it holds for a value that is there. `Exists` is about the field and not about
    /// one value; the caller decides it.
    pub(super) fn holds(&self, value: &Scalar) -> bool {
        let text = match value {
            Scalar::Text(text) => Some(text.as_str()),
            Scalar::Null | Scalar::Bool(_) | Scalar::Number(_) => None,
        };
        match self {
            Self::Equals(scalar) => scalar.equals(value),
            // Nothing is not anything.
            Self::AnythingBut(scalars) => {
                *value != Scalar::Null && !scalars.iter().any(|scalar| scalar.equals(value))
            }
            Self::Prefix(prefix) => text.is_some_and(|text| text.starts_with(prefix)),
            Self::AnythingButPrefix(prefix) => text.is_some_and(|text| !text.starts_with(prefix)),
            Self::Suffix(suffix) => text.is_some_and(|text| text.ends_with(suffix)),
            Self::AnythingButSuffix(suffix) => text.is_some_and(|text| !text.ends_with(suffix)),
            Self::EqualsIgnoreCase(lower) => text.is_some_and(|text| text.to_lowercase() == *lower),
            Self::Numeric(comparisons) => match value {
                Scalar::Number(number) => comparisons
                    .iter()
                    .all(|(comparison, bound)| comparison.holds(*number, *bound)),
                Scalar::Null | Scalar::Bool(_) | Scalar::Text(_) => false,
            },
            Self::Cidr(cidr) => text
                .and_then(|text| text.parse().ok())
                .is_some_and(|address| cidr.contains(address)),
            Self::Exists(_) => false,
        }
    }
}

impl Scalar {
    fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(left), Self::Number(right)) => Comparison::Equal.holds(*left, *right),
            (left, right) => left == right,
        }
    }
}

/// A network: the address with the host's bits cleared, and how many bits are the network's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cidr {
    network: IpAddr,
    bits: u32,
}

impl Cidr {
    pub(super) fn new(address: IpAddr, bits: u32) -> Option<Self> {
        let bits_max = match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        (bits <= bits_max).then(|| Self {
            network: masked(address, bits),
            bits,
        })
    }

    fn contains(self, address: IpAddr) -> bool {
        // Addresses of the two families are never equal.
        masked(address, self.bits) == self.network
    }
}

fn masked(address: IpAddr, bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX
                .checked_shl(32_u32.saturating_sub(bits))
                .unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX
                .checked_shl(128_u32.saturating_sub(bits))
                .unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}
