//! A block on its way to the disk: no commit writes more than its part, and whatever a crash
//! leaves of it is as if it had never begun.

use std::collections::BTreeSet;
use std::path::Path;

use engine::ports::{Opened, Touch};
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::{BlockSizes, FILE};
use super::copy_as_killed;
use super::sealed_keys::{CUSTOMERS, ROOMY, opened_in};
use crate::conformance::script::{Ordered, START, Script, customer, key, new_product};

/// A full block has 64 keys: 16 pages of them, 16 by customer.
const SLOW: BlockSizes = BlockSizes {
    rows: 64,
    page_rows: 4,
    sorted_after: 2,
    pages_at_once: 3,
    generation_keys: 1_000,
    ..ROOMY
};

fn numbers(directory: &Path, sql: &str) -> Vec<u64> {
    let shell = Connection::open(directory.join(FILE)).unwrap();
    let mut statement = shell.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, i64>(0)).unwrap();
    rows.map(|number| u64::try_from(number.unwrap()).unwrap())
        .collect()
}

/// Pages by key, pages by customer, rows of `lookups`.
fn on_disk(directory: &Path) -> [u64; 3] {
    ["key_pages", "holder_pages", "lookups"]
        .map(|table| numbers(directory, &format!("SELECT count(*) FROM {table}"))[0])
}

fn order(script: &mut Script, number: u64) {
    script.order(&Ordered {
        customer: CUSTOMERS[0],
        key: Some(key(number.wrapping_mul(0x9e37_79b9_7f4a_7c15), number)),
        ..Ordered::default()
    });
}

fn place(opened: &mut Opened, script: &mut Script, orders: impl Iterator<Item = u64>) {
    for number in orders {
        order(script, number);
        script.commit(opened);
    }
}

fn probe(opened: &mut Opened, script: &mut Script) {
    script.changes.probe = Some(1);
    script.commit(opened);
}

fn started(sizes: BlockSizes) -> (TempDir, Opened, Script) {
    let directory = TempDir::new().unwrap();
    let opened = opened_in(directory.path(), sizes);
    let mut script = Script::new();
    script.product(new_product(1, "A"));
    (directory, opened, script)
}

/// All of these are found and counted, however many there are to a limit.
fn check(opened: &mut Opened, orders: u64) {
    for limit in [1, 1_000] {
        let touch = Touch {
            keys: (0..=orders)
                .map(|number| key(number.wrapping_mul(0x9e37_79b9_7f4a_7c15), number))
                .collect(),
            key_holders: vec![customer(CUSTOMERS[0])],
            keys_per_customer: limit,
            keys_since: START - 1,
            ..Touch::default()
        };
        let loaded = opened.store.load(&touch).unwrap();
        let found: BTreeSet<u64> = loaded.keys.values().copied().collect();
        assert_eq!(found, (2..orders + 2).collect());
        let held = loaded.key_holders[&customer(CUSTOMERS[0])];
        assert_eq!(u64::from(held), orders);
    }
}

#[test]
fn a_commit_writes_some_pages_and_the_last_one_the_row() {
    let (directory, mut opened, mut script) = started(SLOW);
    place(&mut opened, &mut script, 0..64);
    assert_eq!(on_disk(directory.path()), [0, 0, 0]);
    probe(&mut opened, &mut script);
    assert_eq!(
        on_disk(directory.path()),
        [0, 0, 0],
        "they are being sorted"
    );
    let mut before = [0, 0, 0];
    for commit in 1..=11 {
        probe(&mut opened, &mut script);
        let now = on_disk(directory.path());
        let (keys, holders) = (now[0] - before[0], now[1] - before[1]);
        let pages = if commit == 11 { 2 } else { 3 };
        assert_eq!(keys + holders, pages, "commit {commit}: {now:?}");
        assert_eq!(now[2], u64::from(commit == 11));
        check(&mut opened, 64);
        before = now;
    }
    probe(&mut opened, &mut script);
    assert_eq!(on_disk(directory.path()), [16, 16, 1]);
    assert_eq!(
        numbers(directory.path(), "SELECT DISTINCT block FROM key_pages"),
        numbers(directory.path(), "SELECT last_seq FROM lookups")
    );
}

/// When many come with each commit, more is written with each.
#[test]
fn a_block_is_on_disk_before_the_next_is_full() {
    let (directory, mut opened, mut script) = started(SLOW);
    for batch in 0..40 {
        for number in 0..16 {
            order(&mut script, 16 * batch + number);
        }
        script.commit(&mut opened);
        check(&mut opened, 16 * (batch + 1));
        let [keys, holders, rows] = on_disk(directory.path());
        // Of the block that is full none in this commit, and then a third with each of three.
        let (full, since) = ((batch + 1) / 4, (batch + 1) % 4);
        let expected = match (full, since) {
            (0, _) => (0, 0),
            (full, 3) => (32 * full, full),
            (full, 0) => (32 * (full - 1), full - 1),
            (full, since) => (
                32 * (full - 1) + [0, 11, 22][usize::try_from(since).unwrap()],
                full - 1,
            ),
        };
        assert_eq!((keys + holders, rows), expected, "after batch {batch}");
    }
}

#[test]
fn of_a_block_that_was_on_its_way_a_crash_leaves_nothing() {
    for commits in 0..14 {
        let (directory, mut opened, mut script) = started(SLOW);
        place(&mut opened, &mut script, 0..70);
        for _ in 0..commits {
            probe(&mut opened, &mut script);
        }
        let left = on_disk(directory.path());
        let killed = copy_as_killed(directory.path());
        drop(opened);
        for directory in [&directory, &killed] {
            let mut opened = opened_in(directory.path(), SLOW);
            check(&mut opened, 70);
            // It had more than a block of entries to read, and made one of the first.
            assert_eq!(on_disk(directory.path()), [16, 16, 1], "{left:?}");
            assert_eq!(
                numbers(directory.path(), "SELECT DISTINCT block FROM key_pages"),
                numbers(directory.path(), "SELECT last_seq FROM lookups")
            );
        }
    }
}

/// Whatever is found on disk of a block whose row is missing, and was not deleted, would be
/// counted twice.
#[test]
fn pages_without_their_row_are_deleted_by_a_start() {
    let (directory, mut opened, mut script) = started(SLOW);
    place(&mut opened, &mut script, 0..70);
    drop(opened);
    // With larger blocks none is full at the next start, and none is made by it.
    let larger = BlockSizes { rows: 100, ..SLOW };
    let shell = Connection::open(directory.path().join(FILE)).unwrap();
    shell.execute("DELETE FROM lookups", []).unwrap();
    drop(shell);
    let mut opened = opened_in(directory.path(), larger);
    assert_eq!(on_disk(directory.path()), [0, 0, 0]);
    check(&mut opened, 70);
}

/// A product that gets a limit while a block is on its way counts that block, too.
#[test]
fn units_of_a_block_on_its_way_are_counted() {
    let (_directory, mut opened, mut script) = started(SLOW);
    place(&mut opened, &mut script, 0..66);
    script.change("A", |product| product.purchase_limit = Some(100));
    script.commit(&mut opened);
    let asked = (crate::conformance::script::sku("A"), customer(CUSTOMERS[0]));
    let touch = Touch {
        bought: vec![asked.clone()],
        ..Touch::default()
    };
    let loaded = opened.store.load(&touch).unwrap();
    assert_eq!(loaded.bought[&asked], 66);
}

#[test]
fn a_commit_deletes_some_pages_of_keys_that_are_too_old() {
    let (directory, mut opened, mut script) = started(SLOW);
    place(&mut opened, &mut script, 0..64);
    for _ in 0..13 {
        probe(&mut opened, &mut script);
    }
    assert_eq!(on_disk(directory.path()), [16, 16, 1]);
    let touch = Touch {
        keys_since: script.at + 1_000,
        ..Touch::default()
    };
    opened.store.load(&touch).unwrap();
    for left in [13, 10, 7, 4, 1, 0, 0] {
        probe(&mut opened, &mut script);
        assert_eq!(on_disk(directory.path()), [left, left, 1]);
    }
}
