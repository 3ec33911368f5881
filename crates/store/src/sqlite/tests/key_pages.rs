//! Older stores get pages of their keys when they are opened.

use engine::ports::Touch;
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::{FILE, open};
use super::vintages::{VINTAGES, store_of};

/// All that a store knows by key, and the pages it is in.
fn keys_of(directory: &TempDir) -> (Vec<(u64, u64)>, Vec<i64>) {
    let mut opened = open(directory.path()).unwrap();
    let order = |seq: u64| opened.reader.order(seq).unwrap().unwrap().key;
    let known = [3, 5, 6, 7, 8, 10].map(|seq| (seq, order(seq).unwrap()));
    let touch = Touch {
        keys: known.map(|(_, key)| key).to_vec(),
        ..Touch::default()
    };
    let loaded = opened.store.load(&touch).unwrap();
    let found = known.map(|(seq, key)| (seq, loaded.keys[&key]));
    drop(opened);
    let shell = Connection::open(directory.path().join(FILE)).unwrap();
    let mut statement = shell
        .prepare(
            "SELECT length(entries) / 16 FROM key_pages UNION ALL
             SELECT length(entries) / 16 FROM holder_pages",
        )
        .unwrap();
    let pages = statement.query_map([], |row| row.get(0)).unwrap();
    (found.to_vec(), pages.map(Result::unwrap).collect())
}

#[test]
fn keys_of_older_versions_are_put_into_pages() {
    for script in VINTAGES {
        let directory = store_of(script);
        for _ in 0..2 {
            let (found, pages) = keys_of(&directory);
            assert!(found.iter().all(|(seq, found)| seq == found), "{found:?}");
            // Of two blocks: the keys, and the same by customer.
            assert_eq!(pages, [4, 2, 4, 2]);
        }
    }
}

#[test]
fn blocks_whose_keys_are_all_too_old_get_no_pages() {
    let directory = store_of(VINTAGES[3]);
    let shell = Connection::open(directory.path().join(FILE)).unwrap();
    let month = 31 * 24 * 3_600_000_i64;
    shell
        .execute(
            "UPDATE lookups SET newest_at = newest_at - ?1 WHERE last_seq = 7",
            [month],
        )
        .unwrap();
    drop(shell);
    drop(open(directory.path()).unwrap());
    let shell = Connection::open(directory.path().join(FILE)).unwrap();
    let blocks: Vec<i64> = shell
        .prepare("SELECT block FROM key_pages")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(blocks, [11]);
}

#[test]
fn an_upgrade_that_fails_leaves_the_older_version() {
    let directory = store_of(VINTAGES[3]);
    let shell = Connection::open(directory.path().join(FILE)).unwrap();
    // Found after the first block was put into pages.
    shell
        .execute(
            "UPDATE lookups SET entries = 'text' WHERE last_seq = 11",
            [],
        )
        .unwrap();
    assert!(open(directory.path()).is_err());
    let version: u32 = shell
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 4);
    let tables: u32 = shell
        .query_row(
            "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%_pages'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(tables, 0);
}
