//! Keys of sealed blocks against a list that is searched from the front: what is found, and how
//! many are held, while keys come and get old, over restarts and crashes.

use std::collections::BTreeMap;

use commerce::Millis;
use engine::KeyHash;
use engine::ports::{Loaded, Opened, Touch};
use proptest::prelude::*;
use tempfile::TempDir;

use super::super::BlockSizes;
use super::sealed_keys::{CUSTOMERS, ROOMY, opened_in};
use super::{TINY, copy_as_killed};
use crate::conformance::script::{Ordered, START, Script, customer, key, new_product};

/// A full block takes several commits to the disk, and is there before the next is full.
const SLOW: BlockSizes = BlockSizes {
    sorted_after: 2,
    pages_at_once: 2,
    ..ROOMY
};

/// Halves of keys that are used, and how many keys share each.
const HALVES: u64 = 6;
const SHARED: u64 = 12;

#[derive(Debug, Clone)]
enum Step {
    /// These (half, customer) are ordered in one batch, each with a key that is free.
    Order(Vec<(u64, usize)>),
    /// So many orders without a key.
    Unkeyed(usize),
    /// So many seconds go by.
    Wait(i64),
    /// Keys are so many seconds old at most: only what is younger than any time before counts.
    Ask { retention: i64, limit: u32 },
    /// Stopped in order and started.
    Restart,
    /// Killed and started from what lies on disk.
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    // Every other order is Ada's.
    let who = prop_oneof![Just(0_usize), 0..CUSTOMERS.len()];
    prop_oneof![
        6 => prop::collection::vec((0..HALVES, who), 1..7).prop_map(Step::Order),
        1 => (1..5_usize).prop_map(Step::Unkeyed),
        2 => (0..4_i64).prop_map(Step::Wait),
        6 => (1..40_i64, 0..30_u32).prop_map(|(retention, limit)| Step::Ask { retention, limit }),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
    ]
}

/// A store, and a list of what it should know.
struct World {
    sizes: BlockSizes,
    directory: TempDir,
    opened: Option<Opened>,
    script: Script,
    /// Key, customer, order, time.
    keys: Vec<(KeyHash, usize, u64, Millis)>,
    since: Millis,
}

impl World {
    fn new(sizes: BlockSizes) -> Self {
        let directory = TempDir::new().unwrap();
        let opened = Some(opened_in(directory.path(), sizes));
        let mut world = Self {
            sizes,
            directory,
            opened,
            script: Script::new(),
            keys: Vec::new(),
            since: START - 1_000,
        };
        world.script.product(new_product(1, "A"));
        world.commit();
        world
    }

    fn commit(&mut self) {
        self.script.commit(self.opened.as_mut().unwrap());
    }

    fn live(&self) -> impl Iterator<Item = &(KeyHash, usize, u64, Millis)> {
        self.keys.iter().filter(|(.., at)| *at >= self.since)
    }

    fn order(&mut self, half: u64, who: usize) {
        let is_free = |key: &KeyHash| self.live().all(|(live, ..)| live != key);
        let Some(key) = (0..SHARED).map(|rest| key(half, rest)).find(is_free) else {
            return;
        };
        let order = self.script.order(&Ordered {
            customer: CUSTOMERS[who],
            key: Some(key),
            ..Ordered::default()
        });
        self.keys.push((key, who, order, self.script.at));
    }

    fn ask(&mut self, retention: i64, limit: u32) -> Result<(), TestCaseError> {
        self.since = self.since.max(self.script.at - 1_000 * retention);
        let keys = (0..HALVES).flat_map(|half| (0..SHARED).map(move |rest| key(half, rest)));
        // Customer number n brings n keys in this batch.
        let brought = |who: usize| std::iter::repeat_n(customer(CUSTOMERS[who]), who);
        let touch = Touch {
            keys: keys.collect(),
            key_holders: (0..CUSTOMERS.len()).flat_map(brought).collect(),
            keys_per_customer: limit,
            keys_since: self.since,
            ..Touch::default()
        };
        let loaded: Loaded = self.opened.as_mut().unwrap().store.load(&touch).unwrap();
        let expected: BTreeMap<[u8; 16], u64> = self
            .live()
            .map(|(key, _, order, _)| (key.0, *order))
            .collect();
        let found: BTreeMap<[u8; 16], u64> = loaded
            .keys
            .iter()
            .map(|(key, order)| (key.0, *order))
            .collect();
        prop_assert_eq!(found, expected);
        for order in loaded.keys.values() {
            prop_assert_eq!(&loaded.orders[order], &self.script.orders[order]);
        }
        for (who, name) in CUSTOMERS.iter().enumerate().skip(1) {
            let held = u32::try_from(self.live().filter(|(_, of, ..)| *of == who).count()).unwrap();
            let said = loaded.key_holders.get(&customer(name));
            let said = said.copied().unwrap_or(0);
            prop_assert!(
                said >= held,
                "customer {} holds {}, not {}",
                who,
                held,
                said
            );
            for brought in 0..u32::try_from(who).unwrap() {
                let (refuses, should) = (said + brought >= limit, held + brought >= limit);
                prop_assert_eq!(refuses, should, "{} of {}, {} said", held, limit, said);
            }
        }
        Ok(())
    }

    fn restart(&mut self, killed: bool) {
        if killed {
            let copy = copy_as_killed(self.directory.path());
            self.opened = None;
            self.directory = copy;
        }
        self.opened = None;
        self.opened = Some(opened_in(self.directory.path(), self.sizes));
    }

    fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Order(orders) => {
                for (half, who) in orders {
                    self.order(*half, *who);
                }
                self.commit();
            }
            Step::Unkeyed(orders) => {
                for _ in 0..*orders {
                    self.script.order(&Ordered::default());
                }
                self.commit();
            }
            Step::Wait(seconds) => self.script.at += 1_000 * seconds,
            Step::Ask { retention, limit } => self.ask(*retention, *limit)?,
            Step::Restart => self.restart(false),
            Step::Crash => self.restart(true),
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn sealed_keys_are_found_and_counted_as_in_a_list(
        sizes in prop_oneof![Just(TINY), Just(SLOW), Just(ROOMY)],
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut world = World::new(sizes);
        for step in &steps {
            world.take(step)?;
        }
        // And once more, of all that is left.
        for (killed, limit) in [(false, 0), (true, 0), (false, 5)] {
            world.restart(killed);
            world.ask(40, limit)?;
        }
    }
}
