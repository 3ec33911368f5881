//! Those who left a waiting line, counted once for all who still stand in it: a receipt of thousands of
//! units takes thousands of orders out of a line in which as many more wait, and going through all of
//! them for each would be their product.

use std::sync::Arc;

use commerce::Product;

use crate::realtime::render::Rendered;

/// Orders, and the units they are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gone {
    pub orders: u64,
    pub units: u64,
}

#[derive(Debug)]
pub struct Leaving {
    /// As it was after they had left, or later. Without it estimates stay what they were.
    pub product: Option<Arc<Product>>,
    /// The first and the last entry by which somebody left.
    first: u64,
    pub last: u64,
    /// By place: how many left up to it.
    up_to: Vec<(u64, Gone)>,
}

impl Leaving {
    /// None when nobody left.
    pub fn new(events: &[Arc<Rendered>], product: Option<Arc<Product>>) -> Option<Self> {
        let (first, last) = (events.first()?.entry.seq, events.last()?.entry.seq);
        let mut left: Vec<_> = events.iter().filter_map(|event| event.left()).collect();
        left.sort_unstable_by_key(|left| left.place);
        let mut gone = Gone::default();
        let up_to = left.iter().map(|left| {
            gone.orders += 1;
            gone.units += left.units;
            (left.place, gone)
        });
        Some(Self {
            product,
            first,
            last,
            up_to: up_to.collect(),
        })
    }

    /// Of places before this one, by entries after `counted`. `events` are those that this was made of.
    pub fn before(&self, place: u64, counted: u64, events: &[Arc<Rendered>]) -> Gone {
        if counted < self.first {
            return self.all_before(place);
        }
        // Some had left when those ahead were counted. Of one listener that is so for once.
        let left = events.iter().filter(|event| event.entry.seq > counted);
        let left = left.filter_map(|event| event.left());
        let left = left.filter(|left| left.place < place);
        left.fold(Gone::default(), |gone, left| Gone {
            orders: gone.orders + 1,
            units: gone.units + left.units,
        })
    }

    fn all_before(&self, place: u64) -> Gone {
        let at = self.up_to.partition_point(|(left, _)| *left < place);
        match at.checked_sub(1) {
            Some(last) => self.up_to[last].1,
            None => Gone::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::{Entry, Kind};
    use proptest::prelude::*;

    use super::*;

    fn event(seq: u64, place: u64, units: u64) -> Arc<Rendered> {
        Arc::new(Rendered::new(Arc::new(Entry {
            seq,
            line: commerce::ProductId(1).into(),
            prev: seq - 1,
            kind: Kind::OrderAccepted,
            at: 0,
            subject: 1,
            data: format!(r#"{{"place":{place},"quantity":{units}}}"#).into(),
            hash: [0; 32],
            buyer: None,
            sealed: None,
        })))
    }

    #[test]
    fn nobody_left() {
        assert!(Leaving::new(&[], None).is_none());
    }

    proptest! {
        #[test]
        fn as_many_as_one_counts(
            units in proptest::collection::btree_map(1..60_u64, 1..9_u64, 1..40),
            shift in 0..40_usize,
            counted in 0..45_u64,
        ) {
            // In any order: who cancels leaves from the middle.
            let mut left: Vec<(u64, u64)> = units.into_iter().collect();
            let middle = shift % left.len();
            left.rotate_left(middle);
            let events: Vec<_> = (2..)
                .zip(&left)
                .map(|(seq, (place, units))| event(seq, *place, *units))
                .collect();
            let leaving = Leaving::new(&events, None).unwrap();
            prop_assert_eq!(leaving.last, 1 + events.len() as u64);
            for place in 0..62 {
                let (mut orders, mut units) = (0, 0);
                for (seq, left) in (2..).zip(&left) {
                    if seq > counted && left.0 < place {
                        orders += 1;
                        units += left.1;
                    }
                }
                prop_assert_eq!(leaving.before(place, counted, &events), Gone { orders, units });
            }
        }
    }
}
