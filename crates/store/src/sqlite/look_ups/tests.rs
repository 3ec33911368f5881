//! What sealed keys stand on in memory, against what it stands for.

use std::collections::HashMap;

use proptest::prelude::*;

use super::filter::{Filter, spread};
use super::sketch::Sketch;

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever the numbers look like, and however many there are for the room.
    #[test]
    fn a_filter_never_denies_what_was_put_in(
        numbers in prop::collection::vec(prop_oneof![any::<u64>(), 0..40_u64, Just(u64::MAX)], 0..300),
        room in 0..400_usize,
        bits in 1..20_usize,
    ) {
        let mut filter = Filter::new(room, bits);
        for (put_in, number) in numbers.iter().enumerate() {
            filter.insert(*number);
            for number in &numbers[..=put_in] {
                prop_assert!(filter.may_contain(*number));
            }
        }
    }

    /// With one line, with several, and with so few counters that all of them are shared.
    #[test]
    fn a_sketch_never_says_less_than_there_is(
        adds in prop::collection::vec((0..200_u64, 1..120_u32), 0..200),
        lines in 0..5_usize,
    ) {
        let mut sketch = Sketch::new(lines);
        let mut counts: HashMap<u64, u32> = HashMap::new();
        for (customer, more) in adds {
            sketch.add(customer, more);
            *counts.entry(customer).or_default() += more;
            for (customer, count) in &counts {
                prop_assert!(sketch.at_most(*customer) >= *count);
            }
        }
    }
}

fn said_yes(filter: &Filter, numbers: impl Iterator<Item = u64>) -> usize {
    numbers.filter(|number| filter.may_contain(*number)).count()
}

#[test]
fn a_filter_denies_nearly_all_others() {
    for (bits, most) in [(16, 200), (8, 4_000)] {
        // Fingerprints are spread over all numbers; these are as bad as numbers get.
        let far = |number: u64| number.wrapping_mul(0x2545_f491_4f6c_dd1d);
        for shape in [std::convert::identity, far, spread] {
            let mut filter = Filter::new(50_000, bits);
            assert_eq!(said_yes(&filter, (0..1_000).map(shape)), 0);
            (0..50_000).map(shape).for_each(|n| filter.insert(n));
            let others = said_yes(&filter, (50_000..150_000).map(shape));
            assert!(others < most, "{others} of 100,000 with {bits} bits");
        }
    }
}

#[test]
fn a_sketch_says_hardly_more_than_there_is() {
    // As many customers as counters, each with one key, and one with many.
    let mut sketch = Sketch::new(1_024);
    let heavy = spread(1);
    sketch.add(heavy, 200);
    for customer in 2..65_536 {
        sketch.add(spread(customer), 1);
    }
    assert_eq!(sketch.at_most(heavy), 200);
    let total: u32 = (100_000..101_000).map(|n| sketch.at_most(spread(n))).sum();
    assert!(total < 1_700, "{total} for a thousand who have none");
    // Past what a counter holds it says that it does not know.
    sketch.add(heavy, 60);
    assert_eq!(sketch.at_most(heavy), u32::MAX);
}
