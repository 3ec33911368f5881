//! What an auction is held by. Checked once, when it is created, and never changed.

use serde::{Deserialize, Serialize};

use super::increment::Increment;
use crate::Millis;
use crate::money::{Currency, Money};
use crate::text::Invalid;

/// The longest auction, its last possible extension included: 400 days.
pub const DURATION_MAX_MS: Millis = 400 * 24 * 3_600_000;
/// The longest window, extension or retraction time: 30 days.
pub const WINDOW_MAX_MS: Millis = 30 * 24 * 3_600_000;
/// The most identical lots of one auction.
pub const LOTS_MAX: u32 = 100;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    #[default]
    English,
    SealedFirst,
    SealedSecond,
    #[serde(rename_all = "camelCase")]
    Dutch {
        /// The price falls by `step` every `every_ms`, and not below `floor`.
        step: Money,
        every_ms: Millis,
        floor: Money,
    },
}

impl Format {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::English => "english",
            Self::SealedFirst => "sealed-first",
            Self::SealedSecond => "sealed-second",
            Self::Dutch { .. } => "dutch",
        }
    }

    /// Whether amounts are hidden until the close.
    pub const fn is_sealed(&self) -> bool {
        match self {
            Self::SealedFirst | Self::SealedSecond => true,
            Self::English | Self::Dutch { .. } => false,
        }
    }
}

/// A bid in the last `window_ms` moves the end to `extend_ms` after the bid, if that is later,
/// and never past `hard_end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SoftClose {
    pub window_ms: Millis,
    pub extend_ms: Millis,
    pub hard_end: Millis,
}

/// Until when a bidder may take a bid back: `within_ms` after it, and before the last
/// `before_end_ms`. To take a high maximum back is to have seen the others': see the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetractionRule {
    pub within_ms: Millis,
    pub before_end_ms: Millis,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    pub format: Format,
    pub currency: Currency,
    /// A first bid may equal it. With several lots, of each.
    pub starting_price: Money,
    pub increment: Increment,
    /// Identical lots; the highest bidders get one each.
    pub lots: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve_price: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buy_now_price: Option<Money>,
    pub starts_at: Millis,
    /// The end as announced; an auction's own `ends_at` is the present one.
    pub ends_at: Millis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft_close: Option<SoftClose>,
    /// None: a bid stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retraction: Option<RetractionRule>,
}

/// The field at fault, by its name in the API, and why.
pub type TermError = (&'static str, Invalid);

fn refuse<T>(field: &'static str, why: impl Into<String>) -> Result<T, TermError> {
    Err((field, Invalid::new(why)))
}

impl Terms {
    /// Checks every bound. `now` is when the auction is created.
    pub fn check(&self, now: Millis) -> Result<(), TermError> {
        self.check_times(now)?;
        self.increment.check().map_err(|why| ("increment", why))?;
        if !(1..=LOTS_MAX).contains(&self.lots) {
            return refuse("lots", format!("must be 1 to {LOTS_MAX}"));
        }
        if let Some(rule) = self.retraction {
            check_window("retraction.withinMs", rule.within_ms, 1)?;
            check_window("retraction.beforeEndMs", rule.before_end_ms, 0)?;
        }
        match &self.format {
            Format::English => self.check_english(),
            Format::SealedFirst | Format::SealedSecond => self.check_plain(),
            &Format::Dutch {
                step,
                every_ms,
                floor,
            } => {
                self.check_plain()?;
                if self.reserve_price.is_some() {
                    return refuse(
                        "reservePrice",
                        "must be absent: a dutch auction has a floor",
                    );
                }
                if step.minor() < 1 {
                    return refuse("format.step", "must be at least 1");
                }
                check_window("format.everyMs", every_ms, 1)?;
                if floor > self.starting_price {
                    return refuse("format.floor", "must not be above startingPrice");
                }
                Ok(())
            }
        }
    }

    fn check_times(&self, now: Millis) -> Result<(), TermError> {
        if self.ends_at <= now {
            return refuse("endTime", "must be in the future");
        }
        if self.ends_at <= self.starts_at {
            return refuse("endTime", "must be after the start");
        }
        let last = now.saturating_add(DURATION_MAX_MS);
        if self.ends_at > last {
            return refuse("endTime", "must be within 400 days");
        }
        if self.soft_close.is_some_and(|soft| soft.hard_end > last) {
            return refuse("softClose.hardEnd", "must be within 400 days");
        }
        Ok(())
    }

    fn check_english(&self) -> Result<(), TermError> {
        if let Some(soft) = self.soft_close {
            check_window("softClose.windowMs", soft.window_ms, 1)?;
            check_window("softClose.extendMs", soft.extend_ms, 1)?;
            if soft.hard_end < self.ends_at {
                return refuse("softClose.hardEnd", "must not be before endTime");
            }
        }
        if self.lots > 1 && self.reserve_price.is_some() {
            return refuse("reservePrice", "must be absent with several lots");
        }
        if self.lots > 1 && self.buy_now_price.is_some() {
            return refuse("buyNowPrice", "must be absent with several lots");
        }
        self.check_reserve()?;
        if let Some(buy_now) = self.buy_now_price {
            if buy_now <= self.starting_price {
                return refuse("buyNowPrice", "must be above startingPrice");
            }
            if self.reserve_price.is_some_and(|reserve| buy_now < reserve) {
                return refuse("buyNowPrice", "must not be below reservePrice");
            }
        }
        Ok(())
    }

    fn check_plain(&self) -> Result<(), TermError> {
        let format = self.format.as_str();
        if self.lots != 1 {
            return refuse("lots", format!("must be 1 when the format is {format}"));
        }
        if self.soft_close.is_some() {
            return refuse(
                "softClose",
                format!("must be absent when the format is {format}"),
            );
        }
        if self.buy_now_price.is_some() {
            return refuse(
                "buyNowPrice",
                format!("must be absent when the format is {format}"),
            );
        }
        self.check_reserve()
    }

    fn check_reserve(&self) -> Result<(), TermError> {
        match self.reserve_price {
            Some(reserve) if reserve <= self.starting_price => {
                refuse("reservePrice", "must be above startingPrice")
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The price of a dutch auction at a moment; of the others, the starting price.
    pub fn scheduled_price(&self, at: Millis) -> Money {
        match &self.format {
            Format::English | Format::SealedFirst | Format::SealedSecond => self.starting_price,
            Format::Dutch {
                step,
                every_ms,
                floor,
            } => {
                let steps = at.saturating_sub(self.starts_at).max(0) / every_ms;
                let fallen = step.minor().saturating_mul(steps);
                let left = self.starting_price.minor().saturating_sub(fallen);
                // The floor is a price, so whatever is above it and below the start is one.
                Money::new(left.max(floor.minor())).expect("between the floor and the start")
            }
        }
    }
}

fn check_window(field: &'static str, ms: Millis, least: Millis) -> Result<(), TermError> {
    if (least..=WINDOW_MAX_MS).contains(&ms) {
        Ok(())
    } else {
        refuse(
            field,
            format!("must be {least} to {WINDOW_MAX_MS} milliseconds"),
        )
    }
}
