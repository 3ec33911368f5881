//! Who may open a store, and what is found when something is wrong with it.

use std::sync::Arc;

use engine::Kind;
use engine::ports::{Changes, Reader, Store as _, Touch};
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::checkpoint::Pace;
use super::super::{
    BlockSizes, CACHE, FILE, LOCK, OpenError, VERSION, open, open_at, open_reader, read,
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
