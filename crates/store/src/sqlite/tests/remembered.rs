//! What was sent of late, over a start that has very many of them to read.

use engine::ports::{Changes, Duplicate, QueueTouch, Store, Sweep, Touch};
use tempfile::TempDir;

use super::super::checkpoint::Pace;
use super::super::{BlockSizes, SqliteStore, open_at};
use crate::conformance::mail::{dedup_entry, fifo_queue, grouped};
use crate::conformance::script::{START, Script, touch_queue};

/// More than a start reads at once, in tests.
const MANY: u64 = 9;

fn opened(directory: &TempDir) -> SqliteStore {
    let opened = open_at(directory.path(), Pace::default(), BlockSizes::default());
    opened.unwrap().0
}

fn found(store: &mut impl Store) -> Vec<u64> {
    let sought = (1..=MANY + 1).map(|n| Duplicate {
        group: None,
        id: format!("id {n}"),
    });
    let queue = QueueTouch {
        duplicates: sought.collect(),
        ..touch_queue("f.fifo")
    };
    let touch = Touch {
        queues: vec![queue],
        now: START,
        ..Touch::default()
    };
    let mut loaded = store.load(&touch).unwrap();
    let queue = loaded.queues.remove("f.fifo").unwrap();
    store.release();
    let mut seqs: Vec<u64> = queue.duplicates.values().map(|entry| entry.seq).collect();
    seqs.sort_unstable();
    seqs
}

#[test]
fn a_start_that_has_many_to_read_finds_every_one() {
    let directory = TempDir::new().unwrap();
    let open = || opened(&directory);
    let mut store = open();
    let mut script = Script::new();
    let mut fifo = fifo_queue(1, "f.fifo");
    script.send(&mut fifo, [grouped(1, "g", START)]);
    let sent_at = |n: u64| START + i64::try_from(n).unwrap();
    let entry = |n: u64| (1, dedup_entry(None, &format!("id {n}"), n, sent_at(n)));
    script.changes.duplicates.extend((1..=MANY).map(entry));
    store.commit(&std::mem::take(&mut script.changes)).unwrap();
    let all: Vec<u64> = (1..=MANY).collect();
    assert_eq!(found(&mut store), all);
    drop(store);

    // Closed at once, and opened again.
    drop(open());
    let mut store = open();
    script.changes.duplicates.push(entry(MANY + 1));
    store.commit(&std::mem::take(&mut script.changes)).unwrap();
    let all: Vec<u64> = (1..=MANY + 1).collect();
    assert_eq!(found(&mut store), all);
    drop(store);

    // What is swept is not found, whether it is read before or after.
    let mut store = open();
    let changes = Changes {
        sweep: Some(Sweep {
            now: sent_at(4) + messaging::limits::DEDUPLICATION_INTERVAL_MS,
            rows: 100,
        }),
        ..Changes::default()
    };
    store.commit(&changes).unwrap();
    assert_eq!(found(&mut store), all[4..]);
}

#[test]
fn who_waits_outside_is_told_when_it_is_known_or_never_will_be() {
    let directory = TempDir::new().unwrap();
    let open = || opened(&directory);
    let mut store = open();
    assert!(store.remembering().is_none());
    let mut script = Script::new();
    let mut fifo = fifo_queue(1, "f.fifo");
    script.send(&mut fifo, [grouped(1, "g", START)]);
    let entry = |n: u64| (1, dedup_entry(None, &format!("id {n}"), n, START));
    script.changes.duplicates.extend((1..=MANY).map(entry));
    store.commit(&std::mem::take(&mut script.changes)).unwrap();
    drop(store);
    for is_kept in [true, false] {
        let mut store = open();
        let known = store.remembering().unwrap();
        let kept = is_kept.then_some(store);
        known();
        if let Some(mut store) = kept {
            assert!(store.remembering().is_none());
            assert_eq!(found(&mut store), (1..=MANY).collect::<Vec<_>>());
        }
    }
}
