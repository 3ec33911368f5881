//! How many points a price is worth.

use commerce::Money;

/// 100 %, in hundredths of a percent.
pub const BASIS_POINTS_MAX: u32 = 10_000;

/// The most points that one cause may give. Nine thousand times as many still fit in a balance.
pub const POINTS_MAX: i64 = 1_000_000_000_000_000;

/// Whole points for so many units at this price, rounded down: two percent are 200 basis points
/// of the amount in minor units. None when that is more than [`POINTS_MAX`].
pub fn points(price: Money, quantity: u64, basis_points: u32) -> Option<i64> {
    let price = u128::from(price.minor().unsigned_abs());
    // At most 10^15 * 2^64 * 10^4, which is below 2^128.
    let amount = price * u128::from(quantity) * u128::from(basis_points.min(BASIS_POINTS_MAX));
    let points = i64::try_from(amount / u128::from(BASIS_POINTS_MAX)).ok()?;
    (points <= POINTS_MAX).then_some(points)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_whole_and_rounded_down() {
        for (price, quantity, basis_points, expected) in [
            (0, 1, 200, Some(0)),
            (49, 1, 200, Some(0)),
            (50, 1, 200, Some(1)),
            (99, 1, 200, Some(1)),
            // The whole amount is rounded, not each unit of it.
            (49, 100, 200, Some(98)),
            (19_900, 3, 200, Some(1_194)),
            (19_900, 3, 0, Some(0)),
            (19_900, 3, 10_000, Some(59_700)),
            (1, u64::MAX, 0, Some(0)),
            (1_000_000_000_000_000, 50, 200, Some(POINTS_MAX)),
            (1_000_000_000_000_000, 51, 200, None),
            (1_000_000_000_000_000, u64::MAX, 10_000, None),
        ] {
            let price = Money::new(price).unwrap();
            let given = points(price, quantity, basis_points);
            assert_eq!(given, expected, "{price:?} * {quantity}, {basis_points}");
        }
    }
}
