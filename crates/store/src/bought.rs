//! Units that customers have of products with a purchase limit, which a single writer keeps in
//! memory: 20 to 40 bytes for each customer who has any.
//!
//! A table that has no more room is made anew at twice the size, with everybody in it, and no order
//! is decided meanwhile: with a million customers that took some 40 ms. So a product of many has
//! many tables, each of which grows by itself: the largest step is 256 times smaller.

use std::collections::HashMap;
use std::hash::BuildHasher;

use commerce::{CustomerHash, ProductId};
use hashbrown::{DefaultHashBuilder, HashTable};

#[derive(Default)]
pub(crate) struct Bought {
    products: HashMap<ProductId, Counts>,
}

impl Bought {
    pub(crate) fn is_counted(&self, product: ProductId) -> bool {
        self.products.contains_key(&product)
    }

    pub(crate) fn counts_any(&self) -> bool {
        !self.products.is_empty()
    }

    pub(crate) fn count(&mut self, product: ProductId) {
        self.products.entry(product).or_default();
    }

    pub(crate) fn of(&self, product: ProductId, customer: CustomerHash) -> u64 {
        let counts = self.products.get(&product);
        counts.map_or(0, |counts| counts.of(customer))
    }

    /// Only for products that are counted.
    pub(crate) fn add(&mut self, product: ProductId, customer: CustomerHash, delta: i64) {
        if let Some(counts) = self.products.get_mut(&product) {
            counts.add(customer, delta);
        }
    }
}

/// So many customers fit one table; beyond that there are [`TABLES`].
const TOGETHER_MAX: usize = 16_384;
const TABLES: usize = 256;

struct Count {
    customer: u64,
    units: u64,
}

/// Of one product. Who has no units is not in it.
struct Counts {
    /// Seeded, so that nobody can choose addresses that fall on each other.
    hasher: DefaultHashBuilder,
    /// One, or [`TABLES`].
    tables: Vec<HashTable<Count>>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            hasher: DefaultHashBuilder::default(),
            tables: vec![HashTable::new()],
        }
    }
}

impl Counts {
    fn of(&self, customer: CustomerHash) -> u64 {
        let hash = self.hasher.hash_one(customer.0);
        let table = &self.tables[table_of(hash, self.tables.len())];
        let found = table.find(hash, |count| count.customer == customer.0);
        found.map_or(0, |count| count.units)
    }

    fn add(&mut self, customer: CustomerHash, delta: i64) {
        let hash = self.hasher.hash_one(customer.0);
        let tables = self.tables.len();
        let table = &mut self.tables[table_of(hash, tables)];
        let hasher = &self.hasher;
        let entry = table.entry(
            hash,
            |count| count.customer == customer.0,
            |count| hasher.hash_one(count.customer),
        );
        let mut entry = entry.or_insert(Count {
            customer: customer.0,
            units: 0,
        });
        let count = entry.get_mut();
        count.units = count
            .units
            .checked_add_signed(delta)
            .expect("nobody gives back more than they had");
        if count.units == 0 {
            entry.remove();
        }
        if tables == 1 && self.tables[0].len() > TOGETHER_MAX {
            self.split();
        }
    }

    fn split(&mut self) {
        let all = std::mem::take(&mut self.tables);
        self.tables.resize_with(TABLES, HashTable::new);
        for count in all.into_iter().flatten() {
            let hash = self.hasher.hash_one(count.customer);
            let hasher = &self.hasher;
            self.tables[table_of(hash, TABLES)]
                .insert_unique(hash, count, |count| hasher.hash_one(count.customer));
        }
    }
}

/// By bits that the tables themselves do not look at: those use the lowest and the highest.
fn table_of(hash: u64, tables: usize) -> usize {
    usize::from(hash.to_be_bytes()[1]) % tables
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a map, with customers enough for one table and for many.
        #[test]
        fn units_are_counted(
            steps in prop::collection::vec((0u64..40_000, 1i64..5, any::<bool>()), 0..500),
            before in prop::sample::select(vec![0u64, 100, 20_000]),
        ) {
            let product = ProductId(7);
            let mut bought = Bought::default();
            bought.add(product, CustomerHash(1), 1);
            prop_assert_eq!(bought.of(product, CustomerHash(1)), 0, "is not counted yet");
            bought.count(product);
            let mut model: HashMap<u64, u64> = HashMap::new();
            for customer in 0..before {
                bought.add(product, CustomerHash(customer), 2);
                model.insert(customer, 2);
            }
            for (customer, units, gives_back) in steps {
                let has = model.entry(customer).or_default();
                let delta = if gives_back { -units.min(has.cast_signed()) } else { units };
                *has = has.checked_add_signed(delta).expect("no more than it has");
                bought.add(product, CustomerHash(customer), delta);
            }
            for (customer, units) in &model {
                prop_assert_eq!(bought.of(product, CustomerHash(*customer)), *units);
            }
            let held: usize = bought.products[&product].tables.iter().map(HashTable::len).sum();
            prop_assert_eq!(held, model.values().filter(|units| **units > 0).count());
            prop_assert_eq!(bought.of(ProductId(8), CustomerHash(0)), 0);
        }
    }

    /// What the split is for: no table holds much more than its share.
    #[test]
    fn customers_spread_over_the_tables() {
        let mut counts = Counts::default();
        for customer in 0..100_000u64 {
            counts.add(CustomerHash(customer), 1);
        }
        assert_eq!(counts.tables.len(), TABLES);
        let largest = counts.tables.iter().map(HashTable::len).max();
        assert!(largest < Some(600), "{largest:?} of some 390");
    }
}
