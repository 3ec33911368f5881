//! Who may open a store, and what is found when something is wrong with it.

use std::sync::Arc;

use commerce::auction::AuctionStatus;
use engine::Kind;
use engine::ports::{Changes, Reader, Store as _, StoreFiles as _, Touch};
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::checkpoint::Pace;
use super::super::files::LOCK;
use super::super::{
    BlockSizes, CACHE, FILE, Files, OpenError, VERSION, open, open_at, open_reader, read,
};
use crate::conformance::script::{Ordered, Script, new_product, sku};

fn refusal<T>(result: Result<T, OpenError>) -> OpenError {
    match result {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

#[test]
fn what_was_answered_survives_a_power_failure() {
    let directory = TempDir::new().unwrap();
    let (mut store, _) = open_at(directory.path(), Pace::default(), BlockSizes::default()).unwrap();
    assert_eq!(store.pragma::<String>("journal_mode"), "wal");
    // 1 is NORMAL: the log is synced before a checkpoint, and otherwise by whoever appended.
    assert_eq!(store.pragma::<i64>("synchronous"), 1);
    let durability = store.append(&Changes {
        probe: Some(1),
        ..Changes::default()
    });
    let durability = durability.unwrap().expect("an append is not synced yet");
    durability.sync().unwrap();
    assert_eq!(store.pragma::<i64>("wal_autocheckpoint"), 0);
    assert_eq!(store.pragma::<i64>("cache_size"), CACHE);
    assert_eq!(store.pragma::<u32>("user_version"), VERSION);
}

#[test]
fn a_second_writer_is_told_who_has_the_store() {
    let directory = TempDir::new().unwrap();
    let shown = directory.path().display().to_string();
    let first = open(directory.path()).unwrap();
    let error = refusal(open(directory.path()));
    assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&shown), "{text}");
    let holder = format!("(process {})", std::process::id());
    assert!(text.contains(&holder), "{text}");
    // It goes with its holder, not with the file.
    drop(first);
    assert!(directory.path().join(LOCK).exists());
    open(directory.path()).unwrap();
}

/// A tidy hand deletes the lock file, and a second server is started.
#[cfg(target_os = "linux")]
#[test]
fn a_second_writer_is_kept_out_also_where_the_lock_file_was_removed() {
    let directory = TempDir::new().unwrap();
    let first = open(directory.path()).unwrap();
    std::fs::remove_file(directory.path().join(LOCK)).unwrap();
    for _ in 0..2 {
        let error = refusal(open(directory.path()));
        assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("removed or replaced"), "{text}");
    }
    // Whoever only reads is not held up.
    open_reader(directory.path()).unwrap();
    drop(first);
    open(directory.path()).unwrap();
}

#[test]
fn a_file_that_was_removed_or_replaced_is_missed() {
    for name in [FILE, "firstcome.db-wal", "firstcome.db-shm", LOCK] {
        let directory = TempDir::new().unwrap();
        let _open = open(directory.path()).unwrap();
        let files = Files::of(directory.path());
        assert_eq!(files.gone(), None);
        let file = directory.path().join(name);
        let away = directory.path().join("away");
        std::fs::rename(&file, &away).unwrap();
        assert_eq!(files.gone().as_deref(), Some(name));
        std::fs::copy(&away, &file).unwrap();
        assert_eq!(files.gone().as_deref(), Some(name), "it is another file");
        std::fs::rename(&away, &file).unwrap();
        assert_eq!(files.gone(), None);
    }
}

#[test]
fn a_newer_store_is_left_alone() {
    let directory = TempDir::new().unwrap();
    drop(open(directory.path()).unwrap());
    let file = directory.path().join(FILE);
    let newer = VERSION + 1;
    Connection::open(&file)
        .unwrap()
        .pragma_update(None, "user_version", newer)
        .unwrap();
    for error in [
        refusal(open(directory.path()).map(|_| ())),
        refusal(open_reader(directory.path()).map(|_| ())),
    ] {
        let text = error.to_string();
        let OpenError::Newer { path, found, known } = error else {
            panic!("{text}");
        };
        assert_eq!((found, known), (newer, VERSION));
        assert_eq!(path, directory.path().display().to_string());
        assert!(text.contains(&path), "{text}");
    }
    // The refusal let the lock go.
    Connection::open(&file)
        .unwrap()
        .pragma_update(None, "user_version", VERSION)
        .unwrap();
    open(directory.path()).unwrap();
}

#[test]
fn reading_does_not_make_a_store() {
    let directory = TempDir::new().unwrap();
    let missing = directory.path().join("not").join("there");
    for place in [directory.path(), &missing] {
        let error = refusal(open_reader(place));
        assert!(matches!(error, OpenError::Missing { .. }), "{error:?}");
        assert!(error.to_string().contains(&place.display().to_string()));
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    // Writing does, with the directories on the way.
    open(&missing).unwrap();
    open_reader(&missing).unwrap();
}

#[test]
fn a_log_without_its_file_is_left_alone() {
    let directory = TempDir::new().unwrap();
    let mut opened = open(directory.path()).unwrap();
    let mut script = Script::new();
    script.product(new_product(1, "A"));
    script.commit(&mut opened);
    // As a crash leaves them.
    let left = TempDir::new().unwrap();
    let wal = format!("{FILE}-wal");
    let log = std::fs::read(directory.path().join(&wal)).unwrap();
    std::fs::write(left.path().join(&wal), &log).unwrap();
    for expected in ["missing", "empty"] {
        if expected == "empty" {
            std::fs::write(left.path().join(FILE), "").unwrap();
        }
        for error in [
            refusal(open(left.path()).map(|_| ())),
            refusal(open_reader(left.path()).map(|_| ())),
        ] {
            let text = error.to_string();
            let OpenError::LogAlone { state, bytes, .. } = error else {
                panic!("{text}");
            };
            assert_eq!((state, bytes), (expected, log.len() as u64));
            assert!(text.contains("move firstcome.db-wal away"), "{text}");
            assert!(!text.contains("serve"), "{text}");
        }
        let made = std::fs::read_dir(left.path()).unwrap().count();
        assert_eq!(made, if expected == "empty" { 2 } else { 1 });
        assert!(std::fs::read(left.path().join(&wal)).unwrap() == log);
    }
    // What the text says makes a new store.
    std::fs::rename(left.path().join(&wal), left.path().join("aside")).unwrap();
    open(left.path()).unwrap();
}

#[test]
fn a_store_whose_tables_disagree_is_refused_and_kept() {
    const CASES: [(&str, &str); 12] = [
        (
            "UPDATE products SET state = json_set(state, '$.lastSeq', 9)",
            "product A is at entry 9",
        ),
        (
            "UPDATE products SET state = json_set(state, '$.lastSeq', 3)",
            "product A ends with entry 3",
        ),
        (
            "UPDATE products SET state = json_set(state, '$.lastHash[3]', 256 - 1 - (state ->> '$.lastHash[3]'))",
            "another hash",
        ),
        ("DELETE FROM products", "product 1 is not stored"),
        (
            "INSERT INTO products SELECT 2, 'B', state FROM products",
            "product B ends with entry 4",
        ),
        (
            "DELETE FROM log WHERE seq = 4",
            "product A is at entry 4, and the log ends with entry 3",
        ),
        ("DELETE FROM log WHERE seq = 3", "entry 3 is missing"),
        (
            "INSERT INTO lookups VALUES (5, 0, x'')",
            "a block of look-ups is at entry 5",
        ),
        (
            "INSERT OR REPLACE INTO meta VALUES ('orders_cursor', 6)",
            "the relay is at entry 6",
        ),
        (
            "INSERT INTO replenishments VALUES (7, 1, 0, '{}')",
            "a replenishment is at entry 7",
        ),
        (
            "INSERT INTO bid_changes VALUES (8, 8, NULL, 8)",
            "a bid is at entry 8",
        ),
        (
            "DELETE FROM order_changes",
            "the order of entry 2 does not show its verdict in entry 4",
        ),
    ];
    for (sql, expected) in CASES {
        let directory = TempDir::new().unwrap();
        let mut opened = open(directory.path()).unwrap();
        let mut script = Script::new();
        script.product(new_product(1, "A"));
        script.order(&Ordered {
            kind: Kind::OrderPlaced,
            ..Ordered::default()
        });
        script.order(&Ordered {
            kind: Kind::OrderPlaced,
            ..Ordered::default()
        });
        script.later(2, Kind::OrderAccepted);
        script.commit(&mut opened);
        drop(opened);
        drop(open(directory.path()).unwrap());
        let shell = Connection::open(directory.path().join(FILE)).unwrap();
        shell.execute_batch(sql).unwrap();
        // As after a crash: what was written is in the write-ahead log.
        shell
            .set_db_config(
                rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
                true,
            )
            .unwrap();
        drop(shell);
        let wal = directory.path().join(format!("{FILE}-wal"));
        let log = std::fs::read(&wal).unwrap();
        assert!(!log.is_empty());
        let error = refusal(open(directory.path()).map(|_| ()));
        let text = error.to_string();
        assert!(matches!(error, OpenError::Damaged { .. }), "{sql}: {text}");
        assert!(text.contains(expected), "{sql}: {text}");
        assert!(std::fs::read(&wal).unwrap() == log, "{sql}");
    }
}

/// Of a log with a damaged frame `SQLite` reads what is before it, also when the file has pages of later
/// commits.
#[test]
fn a_damaged_frame_of_the_log_stops_the_start() {
    let directory = TempDir::new().unwrap();
    let pace = Pace {
        every: std::time::Duration::from_secs(3_600),
        ..Pace::default()
    };
    let (mut store, _) = open_at(directory.path(), pace, BlockSizes::default()).unwrap();
    let mut script = Script::new();
    script.product(new_product(1, "A"));
    let file = directory.path().join(FILE);
    let shell = Connection::open(&file).unwrap();
    for mode in ["TRUNCATE", "PASSIVE"] {
        for order in 0..60 {
            if order == 40 {
                // Its table has a page that is seldom written.
                script.put_up(AuctionStatus::Open, 0, 1_000);
            }
            script.order(&Ordered::default());
            store.commit(&std::mem::take(&mut script.changes)).unwrap();
        }
        let checkpoint = format!("PRAGMA wal_checkpoint({mode})");
        shell.query_row(&checkpoint, [], |_| Ok(())).unwrap();
    }
    // As a crash leaves them.
    let wal = format!("{FILE}-wal");
    let log = std::fs::read(directory.path().join(&wal)).unwrap();
    let left = |log: &[u8]| {
        let left = TempDir::new().unwrap();
        std::fs::copy(&file, left.path().join(FILE)).unwrap();
        std::fs::write(left.path().join(&wal), log).unwrap();
        left
    };
    let open = |left: &TempDir| {
        let pace = Pace {
            laid_out_bytes: 0,
            ..pace
        };
        open_at(left.path(), pace, BlockSizes::default())
    };
    open(&left(&log)).unwrap();
    let (mut refused, frames) = (0, (log.len() - 32) / (24 + 4096));
    for frame in (0..frames).step_by(7) {
        // As a disk may give it back: one bit is another.
        let mut log = log.clone();
        log[32 + frame * (24 + 4096) + 500] ^= 1;
        let left = left(&log);
        match open(&left) {
            // What is older as a whole agrees with itself.
            Ok((_, reader)) => {
                let product = reader.product(&sku("A")).unwrap().unwrap();
                let last = reader.last_seq().unwrap();
                assert_eq!(product.last_seq, last, "{frame}");
                let auctions = reader.auctions(None, None, 10).unwrap();
                assert!(auctions.iter().all(|auction| auction.last_seq < last));
            }
            Err(error) => {
                refused += u32::from(matches!(error, OpenError::Damaged { .. }));
                assert!(
                    std::fs::read(left.path().join(&wal)).unwrap() == log,
                    "{frame}"
                );
            }
        }
    }
    assert!(refused > 5, "{refused} of {frames}");
}

#[test]
fn a_file_that_is_no_store_is_an_error_that_names_the_directory() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join(FILE), [b'x'; 10_000]).unwrap();
    for error in [
        refusal(open(directory.path()).map(|_| ())),
        refusal(open_reader(directory.path()).map(|_| ())),
    ] {
        let shown = directory.path().display().to_string();
        assert!(matches!(error, OpenError::Sqlite { .. }), "{error:?}");
        assert!(error.to_string().contains(&shown), "{error}");
    }
}

#[test]
fn a_reader_of_its_own_follows_the_writer_and_outlives_it() {
    let directory = TempDir::new().unwrap();
    let mut opened = open(directory.path()).unwrap();
    let reader = open_reader(directory.path()).unwrap();
    assert_eq!(reader.last_seq().unwrap(), 0);
    let mut script = Script::new();
    script.product(new_product(1, "A"));
    script.commit(&mut opened);
    assert_eq!(reader.entries(0, 10).unwrap(), script.log);
    drop(opened);
    assert_eq!(reader.entries(0, 10).unwrap(), script.log);
    drop(reader);
    // Nobody has it open, and nobody need have.
    let reader = open_reader(directory.path()).unwrap();
    assert_eq!(reader.entries(0, 10).unwrap(), script.log);
    open(directory.path()).unwrap();
}

#[test]
fn a_commit_that_fails_leaves_nothing() {
    let directory = TempDir::new().unwrap();
    let mut opened = open(directory.path()).unwrap();
    let mut script = Script::new();
    script.product(new_product(1, "A"));
    let placed = Ordered {
        kind: Kind::OrderPlaced,
        ..Ordered::default()
    };
    script.order(&placed);
    script.commit(&mut opened);
    let before = (script.log.clone(), script.products.clone());

    script.order(&placed);
    // The same place twice: refused long after the entries were written.
    let twice = script.changes.waiting_added[0].clone();
    script.changes.waiting_added.push(twice);
    let error = opened.store.commit(&script.changes).unwrap_err();
    assert_eq!(error.to_string(), "cannot commit to SQLite");
    assert!(error.source.is_some());
    let unchanged = |reader: &Arc<dyn Reader>| {
        assert_eq!(reader.entries(0, 10).unwrap(), before.0);
        assert_eq!(
            reader.product(&sku("A")).unwrap().as_ref(),
            before.1.get(&sku("A"))
        );
        assert_eq!(reader.order(3).unwrap(), None);
    };
    unchanged(&opened.reader);
    drop(opened);
    let mut opened = open(directory.path()).unwrap();
    unchanged(&opened.reader);
    let loaded = opened.store.load(&Touch::default()).unwrap();
    assert_eq!(loaded.last_seq, 2);
}

#[test]
fn a_damaged_row_is_an_error_that_says_what_was_read() {
    let directory = TempDir::new().unwrap();
    let mut opened = open(directory.path()).unwrap();
    let mut script = Script::new();
    script.product(new_product(1, "A"));
    script.commit(&mut opened);
    let shell = Connection::open(directory.path().join(FILE)).unwrap();
    shell
        .execute_batch(
            "UPDATE products SET state = replace(state, '\"v\"', '\"w\"');
             UPDATE log SET hash = x'00';",
        )
        .unwrap();
    let reader = &opened.reader;
    let error = reader.product(&sku("A")).unwrap_err();
    assert_eq!(error.to_string(), "cannot read a product from SQLite");
    let error = reader.entries(0, 10).unwrap_err();
    assert_eq!(error.to_string(), "cannot read the log from SQLite");
    drop(opened);
    let error = refusal(open(directory.path()).map(|_| ()));
    assert!(matches!(error, OpenError::Store { .. }), "{error:?}");
    assert!(
        error.to_string().contains("cannot read the newest entry"),
        "{error}"
    );
}

#[test]
fn a_damaged_entry_fails_those_who_read_it_and_nobody_else() {
    for (sql, expected) in [
        ("data = 'nope'", "entry 3 holds data that is no object"),
        (
            "data = '{\"sku\":3}'",
            "entry 3 holds data that cannot be read",
        ),
        ("data = '[]'", "entry 3 holds data that is no object"),
        ("data = '{\"quantity\":0}'", "entry 3 has a quantity"),
        (
            "data = '{\"quantity\":9999999999}'",
            "entry 3 has a quantity",
        ),
        ("kind = 61", "entry 3 is in no line that has bid.accepted"),
        ("kind = 40", "entry 3 is in no line that has message"),
    ] {
        let directory = TempDir::new().unwrap();
        let mut opened = open(directory.path()).unwrap();
        let mut script = Script::new();
        script.product(new_product(1, "A"));
        for _ in 0..3 {
            script.order(&Ordered::default());
        }
        script.commit(&mut opened);
        let shell = Connection::open(directory.path().join(FILE)).unwrap();
        shell
            .execute_batch(&format!("UPDATE log SET {sql} WHERE seq = 3"))
            .unwrap();
        let reader = &opened.reader;
        assert_eq!(reader.order(2).unwrap().unwrap(), script.orders[&2]);
        assert_eq!(reader.entries(3, 9).unwrap(), script.log[3..]);
        let mut order = |seq| {
            opened.store.load(&Touch {
                orders: vec![seq],
                ..Touch::default()
            })
        };
        order(2).unwrap();
        let errors = [
            reader.order(3).unwrap_err(),
            reader.entry(3).unwrap_err(),
            reader.entries(0, 9).unwrap_err(),
            order(3).unwrap_err(),
        ];
        for error in errors {
            let below = error.source.unwrap().to_string();
            assert!(below.contains(expected), "{sql}: {below}");
        }
        // The audit goes on, and a start says which it is.
        assert_eq!(reader.entries_as_stored(0, 9).unwrap().len(), 4);
        engine::audit::audit(&**reader).unwrap();
        drop(opened);
        let error = refusal(open(directory.path()).map(|_| ()));
        assert!(matches!(error, OpenError::Store { .. }), "{sql}: {error:?}");
        assert!(error.to_string().contains(expected), "{sql}: {error}");
    }
}

#[test]
fn the_view_for_people_shows_orders_as_they_stand() {
    let directory = TempDir::new().unwrap();
    let mut opened = open(directory.path()).unwrap();
    let mut script = Script::new();
    script.product(new_product(1, "A"));
    let kinds = [Kind::OrderAccepted, Kind::OrderSoldOut, Kind::OrderPlaced];
    for kind in [kinds, kinds].concat() {
        script.order(&Ordered {
            kind,
            ..Ordered::default()
        });
    }
    script.commit(&mut opened);
    script.at += 1;
    script.later(4, Kind::OrderCancelled);
    script.later(7, Kind::OrderAccepted);
    script.commit(&mut opened);
    let shell = Connection::open(directory.path().join(FILE)).unwrap();
    let mut statement = shell
        .prepare(
            "SELECT order_seq, sku, place, quantity, customer, status, placed_at, decided_at,
             cancelled_at FROM orders ORDER BY order_seq",
        )
        .unwrap();
    let mut rows = statement.query([]).unwrap();
    for order in script.orders.values() {
        let row = rows.next().unwrap().unwrap();
        assert_eq!(read::u64_at(row, 0).unwrap(), order.id.seq);
        assert_eq!(row.get::<_, String>(1).unwrap(), order.sku.as_str());
        assert_eq!(read::u64_at(row, 2).unwrap(), order.place);
        assert_eq!(row.get::<_, u32>(3).unwrap(), order.quantity.get());
        assert_eq!(row.get::<_, String>(4).unwrap(), &*order.customer);
        assert_eq!(row.get::<_, String>(5).unwrap(), order.status.as_str());
        assert_eq!(row.get::<_, i64>(6).unwrap(), order.placed_at);
        assert_eq!(row.get::<_, Option<i64>>(7).unwrap(), order.decided_at);
        assert_eq!(row.get::<_, Option<i64>>(8).unwrap(), order.cancelled_at);
    }
    assert!(rows.next().unwrap().is_none());
}
