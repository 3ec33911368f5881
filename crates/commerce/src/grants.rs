//! How fast a line that waits for stock is served, and how long the next in it may have to wait.
//!
//! What always holds: only orders that waited for stock count. An order that is deferred although
//! there is enough has its verdict a commit later, which says nothing of when goods come.

use serde::{Deserialize, Serialize};

use crate::Millis;

/// Grants within a second of the first of them are one: a long line is served in several commits.
const TOGETHER_MS: u64 = 1_000;

/// What a product knows of its grants. Kept with it; a product from before it was kept has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grants {
    /// Orders up to this place had to wait for stock.
    pub waited_to: u64,
    /// When the newest grant began, 0 before the first, and its units so far.
    pub last_at: Millis,
    pub last_units: u64,
    /// Moving means over the grants before that: thousandths of units, and milliseconds until the
    /// grant that followed. 0 until there was a second grant.
    pub mean_milliunits: u64,
    pub mean_ms: u64,
}

impl Grants {
    /// Units were granted to orders that waited for stock. A moving mean of what one grant brings and
    /// of how long it is until the next: one part new, three parts old.
    pub(crate) fn add(&mut self, units: u64, now: Millis) {
        if units == 0 {
            return;
        }
        let elapsed = self.since_last(now);
        if self.last_at > 0 && elapsed < TOGETHER_MS {
            self.last_units = self.last_units.saturating_add(units);
            return;
        }
        if self.last_at > 0 {
            let milliunits = self.last_units.saturating_mul(1_000);
            let mean = |old: u64, new: u64| (old.saturating_mul(3).saturating_add(new)) / 4;
            (self.mean_milliunits, self.mean_ms) = if self.mean_ms == 0 {
                (milliunits, elapsed)
            } else {
                (
                    mean(self.mean_milliunits, milliunits).max(1),
                    mean(self.mean_ms, elapsed),
                )
            };
        }
        (self.last_at, self.last_units) = (now, units);
    }

    fn since_last(&self, now: Millis) -> u64 {
        u64::try_from(now.saturating_sub(self.last_at)).unwrap_or(0)
    }

    /// Units granted in 1,000 minutes; none until it was measured between two grants.
    pub fn rate(&self) -> Option<u64> {
        let units = u128::from(self.mean_milliunits) * 60_000;
        (self.mean_ms > 0).then(|| narrow(units / u128::from(self.mean_ms)))
    }

    /// Seconds until `units` more have been granted, rounded up. Once the last grant is longer ago than
    /// one usually takes, that time counts in place of the usual one: a line that stands still has an
    /// ever longer estimate, and not the one of better days.
    pub fn estimate_s(&self, units: u64, now: Millis) -> Option<u64> {
        if self.mean_ms == 0 {
            return None;
        }
        let ms = u128::from(self.mean_ms.max(self.since_last(now)));
        let estimate = (u128::from(units) * ms).div_ceil(u128::from(self.mean_milliunits));
        Some(narrow(estimate))
    }
}

fn narrow(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Millis = 60_000;

    fn granted(grants: &[(u64, Millis)]) -> Grants {
        let mut all = Grants::default();
        for (units, at) in grants {
            all.add(*units, *at);
        }
        all
    }

    #[test]
    fn an_estimate_follows_the_measured_rate() {
        assert_eq!(granted(&[]).estimate_s(10, MINUTE), None);
        let one = granted(&[(10, MINUTE)]);
        assert_eq!(one.estimate_s(10, MINUTE), None, "one grant is not a rate");
        let two = granted(&[(10, MINUTE), (10, 2 * MINUTE)]);
        assert_eq!(two.rate(), Some(10_000));
        assert_eq!(two.estimate_s(10, 2 * MINUTE), Some(60));
        assert_eq!(two.estimate_s(5, 2 * MINUTE), Some(30));
        assert_eq!(two.estimate_s(1, 2 * MINUTE), Some(6));
        // Half as fast from now on: three parts old, one part new.
        let slower = granted(&[(10, MINUTE), (10, 2 * MINUTE), (10, 4 * MINUTE)]);
        assert_eq!(slower.estimate_s(10, 4 * MINUTE), Some(75));
    }

    #[test]
    fn a_line_that_stands_still_is_not_promised_the_rate_of_better_days() {
        let two = granted(&[(10, MINUTE), (10, 2 * MINUTE)]);
        for (minutes, expected) in [(2, 60), (3, 60), (4, 120), (12, 600), (602, 36_000)] {
            let estimate = two.estimate_s(10, minutes * MINUTE);
            assert_eq!(estimate, Some(expected), "at {minutes} minutes");
        }
    }

    #[test]
    fn what_is_granted_within_a_second_is_one_grant() {
        // A receipt for 3,000 who wait, every minute, in three commits.
        let drains = (1..5).flat_map(|n| [0, 2, 4].map(|ms| (1_000, n * MINUTE + ms)));
        let grants = granted(&drains.collect::<Vec<_>>());
        assert_eq!(grants.rate(), Some(3_000_000));
    }

    #[test]
    fn a_clock_that_is_set_back_takes_no_time() {
        let two = granted(&[(10, MINUTE), (10, 2 * MINUTE)]);
        assert_eq!(two.estimate_s(10, 0), Some(60));
        let mut back = two;
        back.add(1, 0);
        assert_eq!((back.last_units, back.rate()), (11, two.rate()));
    }

    proptest! {
        #[test]
        fn an_estimate_only_grows_with_units_and_silence(
            grants in prop::collection::vec((1u64..=1_000_000_000_000, 1i64..=1 << 40), 0..20),
            units in 0u64..=1_000_000_000_000,
            silence in 0i64..=1 << 40,
        ) {
            let mut now = 1;
            let mut all = Grants::default();
            for (granted, later) in grants {
                now += later;
                all.add(granted, now);
            }
            let estimate = all.estimate_s(units, now);
            prop_assert_eq!(estimate.is_some(), all.rate().is_some());
            prop_assert!(estimate <= all.estimate_s(units + 1, now));
            prop_assert!(estimate <= all.estimate_s(units, now + silence));
        }
    }
}
