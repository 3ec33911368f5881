//! Keys of sealed blocks: that memory and disk do not keep what nobody asks for, and what a start
//! reads.

use std::path::Path;

use engine::ports::{Opened, Store as _, Touch};
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::checkpoint::Pace;
use super::super::{BlockSizes, FILE, SqliteStore, open_at, opened};
use super::copy_as_killed;
use crate::conformance::script::{Ordered, START, Script, customer, key, new_product};

pub(super) const CUSTOMERS: [&str; 5] = [
    "ada@example.com",
    "bob@example.com",
    "cy@example.com",
    "dot@example.com",
    "eve@example.com",
];

/// Room for everything but a block, which is on disk with the commit that fills it.
pub(super) const ROOMY: BlockSizes = BlockSizes {
    rows: 8,
    sorted_after: 0,
    pages_at_once: usize::MAX,
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

pub(super) fn opened_in(directory: &Path, sizes: BlockSizes) -> Opened {
    let pace = Pace {
        laid_out_bytes: 0,
        ..Pace::default()
    };
    let (store, reader) = open_at(directory, pace, sizes).unwrap();
    opened(store, reader)
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
        ..ROOMY
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

/// A key that expired and was used again is known twice when the clock was set back.
#[test]
fn of_two_orders_with_one_key_the_newer_has_it() {
    for apart in [0, 1, 20, 100] {
        let directory = TempDir::new().unwrap();
        let mut opened = opened_in(directory.path(), ROOMY);
        let mut script = Script::new();
        script.product(new_product(1, "A"));
        ordered(&mut script, CUSTOMERS[0], 7);
        for number in 1_000..1_000 + apart {
            ordered(&mut script, CUSTOMERS[1], number);
        }
        let newer = ordered(&mut script, CUSTOMERS[2], 7);
        script.commit(&mut opened);
        // As they are, and with a block more.
        for more in [8, 0] {
            let touch = Touch {
                keys: vec![key(7_u64.wrapping_mul(0x9e37_79b9_7f4a_7c15), 7)],
                keys_since: START,
                ..Touch::default()
            };
            let loaded = opened.store.load(&touch).unwrap();
            assert_eq!(loaded.keys.values().collect::<Vec<_>>(), [&newer]);
            for number in 0..more {
                ordered(&mut script, CUSTOMERS[1], 5_000 + number);
                script.commit(&mut opened);
            }
        }
    }
}
