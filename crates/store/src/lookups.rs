//! What a single writer keeps in memory so that the hot path needs no index: the idempotency keys
//! of the orders that came last, and how many of those a customer holds.
//!
//! ```text
//! ring:  | key hash 8 | customer 8 | entry 8 |  oldest first, 24 bytes a key
//! table: position in the ring, by key hash      about 9 bytes a key
//! ```
//! A key hash is the first half of the stored fingerprint; a hit is confirmed by reading the
//! order or bid it points to, so two keys that share a half are told apart. Whoever holds this
//! bounds how many keys come in; older ones are elsewhere.

use std::collections::{HashMap, VecDeque};

use commerce::CustomerHash;
use engine::KeyHash;
use hashbrown::HashTable;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    key: u64,
    customer: u64,
    order: u64,
}

/// Live keys, oldest first.
#[derive(Default)]
pub(crate) struct Keys {
    ring: VecDeque<Held>,
    /// How many entries have left the ring at its front.
    gone: u64,
    /// Positions since the beginning, truncated to 32 bits: never more than 2^32 live keys.
    table: HashTable<u32>,
    holders: HashMap<u64, u32>,
}

/// Never 0, which stands for no key where look-ups are stored.
pub(crate) fn half(key: KeyHash) -> u64 {
    u64::from_be_bytes(key.0[..8].try_into().expect("eight of sixteen bytes")).max(1)
}

fn low(position: u64) -> u32 {
    u32::try_from(position & u64::from(u32::MAX)).expect("masked to 32 bits")
}

impl Keys {
    fn held(&self, position: u32) -> &Held {
        let offset = position.wrapping_sub(low(self.gone));
        &self.ring[offset as usize]
    }

    /// Orders come in rising sequence.
    pub(crate) fn insert(&mut self, key: u64, customer: CustomerHash, order: u64) {
        let position = low(self.gone + self.ring.len() as u64);
        self.ring.push_back(Held {
            key,
            customer: customer.0,
            order,
        });
        let (ring, gone) = (&self.ring, low(self.gone));
        self.table.insert_unique(key, position, |position| {
            ring[position.wrapping_sub(gone) as usize].key
        });
        *self.holders.entry(customer.0).or_default() += 1;
    }

    /// Orders whose key has this half: nearly always one at most.
    pub(crate) fn candidates(&self, key: u64) -> impl Iterator<Item = u64> + '_ {
        self.table
            .iter_hash(key)
            .map(|position| self.held(*position))
            .filter(move |held| held.key == key)
            .map(|held| held.order)
    }

    pub(crate) fn held_by(&self, customer: CustomerHash) -> u32 {
        self.holders.get(&customer.0).copied().unwrap_or(0)
    }

    /// Forgets the keys of the orders before this one.
    pub(crate) fn forget_before(&mut self, order: u64) {
        while self.ring.front().is_some_and(|held| held.order < order) {
            self.forget_first();
        }
    }

    /// Forgets all keys, and keeps the room they took.
    pub(crate) fn clear(&mut self) {
        self.ring.clear();
        self.gone = 0;
        self.table.clear();
        self.holders.clear();
    }

    fn forget_first(&mut self) {
        let Some(held) = self.ring.front().copied() else {
            return;
        };
        let position = low(self.gone);
        if let Ok(entry) = self.table.find_entry(held.key, |p| *p == position) {
            entry.remove();
        }
        self.ring.pop_front();
        self.gone += 1;
        if let Some(count) = self.holders.get_mut(&held.customer) {
            *count -= 1;
            if *count == 0 {
                self.holders.remove(&held.customer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a list that is searched from the front.
        #[test]
        fn keys_are_found_until_they_are_forgotten(keys in prop::collection::vec((0u64..50, 0u64..5), 0..3000), forget in prop::collection::vec(0usize..3000, 0..4)) {
            let mut window = Keys::default();
            let mut model: Vec<(u64, u64, u64)> = Vec::new();
            let mut keys = keys.into_iter().zip(1u64..);
            // Some come, some are forgotten, and so on: positions wrap around holes.
            for come in forget.into_iter().chain([usize::MAX]) {
                for ((key, customer), order) in keys.by_ref().take(come) {
                    window.insert(key, CustomerHash(customer), order);
                    model.push((key, customer, order));
                }
                if come < usize::MAX {
                    let before = come as u64;
                    window.forget_before(before);
                    model.retain(|(_, _, order)| *order >= before);
                }
            }
            for key in 0..50 {
                let mut found: Vec<u64> = window.candidates(key).collect();
                found.sort_unstable();
                let expected: Vec<u64> = model.iter().filter(|(k, _, _)| *k == key).map(|(_, _, o)| *o).collect();
                prop_assert_eq!(found, expected);
            }
            for customer in 0..5 {
                let expected = model.iter().filter(|(_, c, _)| *c == customer).count();
                prop_assert_eq!(window.held_by(CustomerHash(customer)) as usize, expected);
            }
        }
    }
}
