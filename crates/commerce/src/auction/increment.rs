//! By how much a bid must be higher.

use serde::{Deserialize, Serialize};

use crate::money::Money;
use crate::text::Invalid;

/// The most bands of a table.
pub const BANDS_MAX: usize = 32;

/// From this price on, a bid is higher by at least this step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Band {
    pub from: Money,
    pub step: Money,
}

/// The increment at every price. A step is at least 1, and never smaller at a higher price, so
/// that a price plus its increment rises with the price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Increment {
    Fixed(Money),
    Bands(Vec<Band>),
}

/// In minor units: from 5.00 on, 1 to 2.5 % of the price.
const DEFAULT: [(i64, i64); 18] = [
    (0, 1),
    (100, 5),
    (500, 10),
    (1_000, 25),
    (2_500, 50),
    (5_000, 100),
    (10_000, 250),
    (25_000, 500),
    (50_000, 1_000),
    (100_000, 2_500),
    (250_000, 5_000),
    (500_000, 10_000),
    (1_000_000, 25_000),
    (2_500_000, 50_000),
    (5_000_000, 100_000),
    (10_000_000, 250_000),
    (25_000_000, 500_000),
    (50_000_000, 1_000_000),
];

impl Default for Increment {
    /// | price from | step | | price from | step | | price from | step |
    /// |---|---|---|---|---|---|---|---|
    /// | 0.00 | 0.01 | | 100.00 | 2.50 | | 10,000.00 | 250.00 |
    /// | 1.00 | 0.05 | | 250.00 | 5.00 | | 25,000.00 | 500.00 |
    /// | 5.00 | 0.10 | | 500.00 | 10.00 | | 50,000.00 | 1,000.00 |
    /// | 10.00 | 0.25 | | 1,000.00 | 25.00 | | 100,000.00 | 2,500.00 |
    /// | 25.00 | 0.50 | | 2,500.00 | 50.00 | | 250,000.00 | 5,000.00 |
    /// | 50.00 | 1.00 | | 5,000.00 | 100.00 | | 500,000.00 | 10,000.00 |
    ///
    /// Written for a currency of 100 minor units; one without them (KRW, JPY) reads the same
    /// digits without the point.
    fn default() -> Self {
        let money = |minor| Money::new(minor).expect("the table is within bounds");
        Self::Bands(
            DEFAULT
                .iter()
                .map(|&(from, step)| Band {
                    from: money(from),
                    step: money(step),
                })
                .collect(),
        )
    }
}

impl Increment {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        match self {
            Self::Fixed(step) if step.minor() < 1 => Err(Invalid::new("must be at least 1")),
            Self::Fixed(_) => Ok(()),
            Self::Bands(bands) => {
                if !(1..=BANDS_MAX).contains(&bands.len()) {
                    return Err(Invalid::new(format!("must have 1 to {BANDS_MAX} bands")));
                }
                if bands[0].from.minor() != 0 {
                    return Err(Invalid::new("must have a first band from 0"));
                }
                if bands[0].step.minor() < 1 {
                    return Err(Invalid::new("must have steps of at least 1"));
                }
                let rises =
                    |pair: &[Band]| pair[0].from < pair[1].from && pair[0].step <= pair[1].step;
                if !bands.windows(2).all(rises) {
                    return Err(Invalid::new(
                        "must have bands at rising prices with steps that do not fall",
                    ));
                }
                Ok(())
            }
        }
    }

    /// The step at this price.
    pub fn at(&self, price: Money) -> Money {
        match self {
            Self::Fixed(step) => *step,
            Self::Bands(bands) => {
                let after = bands.partition_point(|band| band.from <= price);
                bands[after - 1].step
            }
        }
    }

    /// One increment above this price; none if no price is that high.
    pub fn above(&self, price: Money) -> Option<Money> {
        // Both are at most PRICE_MAX, so the sum is far inside an i64.
        Money::new(price.minor() + self.at(price).minor()).ok()
    }
}
