//! Keys of sealed blocks against a list that is searched from the front: what is found, how many
//! are held, over restarts and crashes, and that memory and disk do not keep what nobody asks for.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use commerce::Millis;
use engine::KeyHash;
use engine::ports::{Loaded, Opened, Store as _, Touch};
use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::checkpoint::Pace;
use super::super::{BlockSizes, FILE, SqliteStore, open_at};
use super::{TINY, copy_as_killed};
use crate::conformance::script::{Ordered, START, Script, customer, key, new_product};

const CUSTOMERS: [&str; 5] = [
    "ada@example.com",
    "bob@example.com",
    "cy@example.com",
    "dot@example.com",
    "eve@example.com",
];

/// Halves of keys that are used, and how many keys share each.
const HALVES: u64 = 6;
const SHARED: u64 = 12;

/// Room for everything but a block.
const ROOMY: BlockSizes = BlockSizes {
    rows: 8,
    page_rows: 3,
    generation_keys: 40,
    sketch_lines: 4,
    counts_max: 1_000,
};

/// A store is opened often here: nothing is laid out for it.
fn store_in(directory: &Path, sizes: BlockSizes) -> SqliteStore {
    let pace = Pace {
        laid_out_bytes: 0,
        ..Pace::default()
    };
    open_at(directory, pace, sizes).unwrap().0
}

fn opened_in(directory: &Path, sizes: BlockSizes) -> Opened {
    let pace = Pace {
        laid_out_bytes: 0,
        ..Pace::default()
    };
    let (store, reader) = open_at(directory, pace, sizes).unwrap();
    Opened {
        store: Box::new(store),
        reader: Arc::new(reader),
    }
}

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
        sizes in prop_oneof![Just(TINY), Just(ROOMY)],
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

fn ordered(script: &mut Script, who: &'static str, number: u64) -> u64 {
    script.order(&Ordered {
        customer: who,
        // Spread as fingerprints are.
        key: Some(key(number.wrapping_mul(0x9e37_79b9_7f4a_7c15), number)),
        ..Ordered::default()
    })
}

fn rows_of(directory: &Path, table: &str) -> u32 {
    let shell = Connection::open(directory.join(FILE)).unwrap();
    let sql = format!("SELECT count(*) FROM {table}");
    shell.query_row(&sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn memory_grows_with_filters_and_not_with_keys() {
    let sizes = BlockSizes {
        rows: 256,
        page_rows: 100,
        generation_keys: 4_096,
        sketch_lines: 64,
        counts_max: 64,
    };
    let directory = TempDir::new().unwrap();
    let mut store = store_in(directory.path(), sizes);
    let mut script = Script::new();
    script.product(new_product(1, "A"));
    let mut bytes = Vec::new();
    for block in 0..32 {
        for number in 0..256 {
            let who = CUSTOMERS[usize::try_from(number % 5).unwrap()];
            ordered(&mut script, who, block * 256 + number);
        }
        store.commit(&std::mem::take(&mut script.changes)).unwrap();
        script.log.clear();
        // Everybody is counted exactly, again and again.
        let touch = Touch {
            key_holders: CUSTOMERS.map(customer).to_vec(),
            keys_since: START,
            ..Touch::default()
        };
        let loaded = store.load(&touch).unwrap();
        let held: u32 = loaded.key_holders.values().sum();
        assert_eq!(u64::from(held), 256 * (block + 1));
        let (heap, counts) = store.heap_bytes();
        assert!(counts <= sizes.counts_max, "{counts} counts");
        bytes.push(heap);
    }
    // A generation has 16 blocks: a filter of 8 KiB, a sketch of 4, and for each block 512 bytes
    // (of customers there are few) and what says where it lies.
    let (first, last) = (bytes[0], bytes[31]);
    assert!(first < 14 << 10, "{first} with one block");
    assert!(last < 2 * (13 << 10) + 32 * 700, "{last} with 32 blocks");
    assert_eq!(rows_of(directory.path(), "lookups"), 32);
    // The next start has the same, and knows the same.
    drop(store);
    let store = store_in(directory.path(), sizes);
    assert_eq!(store.heap_bytes().0, last);
}

#[test]
fn pages_of_keys_that_are_too_old_are_deleted_a_block_at_a_time() {
    let directory = TempDir::new().unwrap();
    let mut opened = opened_in(directory.path(), ROOMY);
    let mut script = Script::new();
    script.product(new_product(1, "A"));
    for number in 0..80 {
        script.at += 1_000;
        ordered(&mut script, CUSTOMERS[0], number);
        script.commit(&mut opened);
    }
    let pages = |directory: &TempDir| {
        let of = |table| rows_of(directory.path(), table);
        assert_eq!(of("key_pages"), of("holder_pages"));
        of("key_pages") / 3
    };
    assert_eq!(pages(&directory), 10);
    // Of the fifth block the last order is still live.
    let ask = |opened: &mut Opened, live_from: i64| {
        let touch = Touch {
            key_holders: vec![customer(CUSTOMERS[0])],
            keys_since: START + 1_000 * live_from,
            ..Touch::default()
        };
        let loaded = opened.store.load(&touch).unwrap();
        loaded.key_holders.get(&customer(CUSTOMERS[0])).copied()
    };
    assert_eq!(ask(&mut opened, 40), Some(41));
    for left in [9, 8, 7, 6, 6] {
        script.changes.probe = Some(1);
        script.commit(&mut opened);
        assert_eq!(pages(&directory), left);
        assert_eq!(ask(&mut opened, 40), Some(41));
    }
    // What was not deleted before a crash is deleted after it.
    assert_eq!(ask(&mut opened, 57), Some(24));
    let killed = copy_as_killed(directory.path());
    drop(opened);
    let mut opened = opened_in(killed.path(), ROOMY);
    for left in [6, 5, 4, 3, 3] {
        assert_eq!(pages(&killed), left);
        assert_eq!(ask(&mut opened, 57), Some(24));
        script.changes.probe = Some(1);
        script.commit(&mut opened);
    }
    assert_eq!(
        rows_of(killed.path(), "lookups"),
        10,
        "units are counted from these"
    );
    assert_eq!(ask(&mut opened, 1_000), None);
}

#[test]
fn a_start_reads_the_blocks_only_to_count_units() {
    let directory = TempDir::new().unwrap();
    let mut opened = opened_in(directory.path(), ROOMY);
    let mut script = Script::new();
    script.product(new_product(1, "A"));
    for number in 0..20 {
        ordered(&mut script, CUSTOMERS[0], number);
        script.commit(&mut opened);
    }
    drop(opened);
    // Whoever read them now would say so.
    let shell = Connection::open(directory.path().join(FILE)).unwrap();
    shell
        .execute("UPDATE lookups SET entries = 'text'", [])
        .unwrap();
    let mut opened = opened_in(directory.path(), ROOMY);
    let touch = Touch {
        keys: vec![key(0, 0)],
        key_holders: vec![customer(CUSTOMERS[0])],
        ..Touch::default()
    };
    let loaded = opened.store.load(&touch).unwrap();
    assert_eq!(loaded.keys[&key(0, 0)], 2);
    assert_eq!(loaded.key_holders[&customer(CUSTOMERS[0])], 20);
    script.change("A", |product| product.purchase_limit = Some(9));
    script.commit(&mut opened);
    drop(opened);
    let error = open_at(directory.path(), Pace::default(), ROOMY).map(|_| ());
    let text = error.unwrap_err().to_string();
    assert!(text.contains("a block of look-ups is not a blob"), "{text}");
}

#[test]
fn blocks_that_expire_together_are_let_go_a_bounded_number_at_a_time() {
    let directory = TempDir::new().unwrap();
    let sizes = BlockSizes { rows: 1, ..ROOMY };
    let mut store = store_in(directory.path(), sizes);
    let mut script = Script::new();
    script.product(new_product(1, "A"));
    for number in 0..100 {
        ordered(&mut script, CUSTOMERS[0], number);
        store.commit(&std::mem::take(&mut script.changes)).unwrap();
    }
    script.at += 1_000_000;
    ordered(&mut script, CUSTOMERS[0], 100);
    store.commit(&std::mem::take(&mut script.changes)).unwrap();
    let full = store.heap_bytes().0;
    // Whatever is let go, only one key is live.
    let mut bytes = Vec::new();
    for round in 1..4 {
        let touch = Touch {
            keys: vec![key(0, 0)],
            key_holders: vec![customer(CUSTOMERS[0])],
            keys_since: script.at - 100_000 + 1_000 * round,
            ..Touch::default()
        };
        let loaded = store.load(&touch).unwrap();
        assert!(loaded.keys.is_empty());
        assert_eq!(loaded.key_holders[&customer(CUSTOMERS[0])], 1);
        bytes.push(store.heap_bytes().0);
    }
    assert!(full > bytes[0], "{full} {bytes:?}");
    assert!(bytes[0] > bytes[1], "{bytes:?}");
    assert_eq!(bytes[1], bytes[2]);
}
