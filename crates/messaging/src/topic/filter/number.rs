//! Numbers as policies compare them.
//!
//! Five digits count after the point, as Amazon documents. Whole numbers of 64 bits are compared
//! exactly: as binary fractions, neighbours above 2^53 would be the same one.

use serde_json::Number as JsonNumber;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Number {
    whole: Option<i128>,
    near: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Number {
    pub(super) fn of_json(number: &JsonNumber) -> Option<Self> {
        let signed = number.as_i64().map(i128::from);
        Some(Self {
            whole: signed.or_else(|| number.as_u64().map(i128::from)),
            near: number.as_f64()?,
        })
    }

    /// The value of an attribute.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let near: f64 = text.parse().ok()?;
        near.is_finite().then(|| Self {
            whole: text.parse().ok(),
            near,
        })
    }
}

impl Comparison {
    pub(super) fn holds(self, value: Number, bound: Number) -> bool {
        match (value.whole, bound.whole) {
            (Some(value), Some(bound)) => self.is_so(&value, &bound),
            _ => self.is_so(
                &hundred_thousandths(value.near),
                &hundred_thousandths(bound.near),
            ),
        }
    }

    fn is_so<T: PartialOrd>(self, value: &T, bound: &T) -> bool {
        match self {
            Self::Equal => value == bound,
            Self::Less => value < bound,
            Self::LessOrEqual => value <= bound,
            Self::Greater => value > bound,
            Self::GreaterOrEqual => value >= bound,
        }
    }
}

/// Whether a range from one to the other holds anything. Compared without rounding, so that no
/// policy is refused for it that was taken before.
pub(super) fn is_range(bottom: Number, top: Number) -> bool {
    match (bottom.whole, top.whole) {
        (Some(bottom), Some(top)) => bottom < top,
        _ => bottom.near < top.near,
    }
}

/// Whole numbers, so that equality is exact.
fn hundred_thousandths(number: f64) -> f64 {
    (number * 100_000.0).round()
}
