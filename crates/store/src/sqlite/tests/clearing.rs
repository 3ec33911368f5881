//! What is purged, deleted or expired leaves no rows behind.

use engine::ports::{Changes, Store as _, Sweep};
use messaging::{Attempt, limits};
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::checkpoint::Pace;
use super::super::{BlockSizes, FILE, open_at};
use crate::conformance::mail::{dedup_entry, fifo_queue, grouped, held};
use crate::conformance::script::{START, Script, message, queue};

const TABLES: [&str; 5] = [
    "messages",
    "message_groups",
    "duplicates",
    "attempts",
    "dropped",
];

#[test]
fn swept_tables_hold_what_can_still_be_found() {
    let directory = TempDir::new().unwrap();
    let (mut store, _) = open_at(directory.path(), Pace::default(), BlockSizes::default()).unwrap();
    let shell = Connection::open(directory.path().join(FILE)).unwrap();
    let rows = || {
        TABLES.map(|table| -> u32 {
            let count = format!("SELECT count(*) FROM {table}");
            shell.query_row(&count, [], |row| row.get(0)).unwrap()
        })
    };
    let mut script = Script::new();
    let mut fifo = fifo_queue(1, "f.fifo");
    let mut line = queue(2, "q", None);
    let mut gone = fifo_queue(3, "gone.fifo");
    for seq in 1..=9 {
        let group = format!("g{}", seq % 3);
        script.send(&mut fifo, [grouped(seq, &group, START)]);
        script.send(&mut gone, [grouped(seq, &group, START)]);
        script.send(&mut line, [message(seq, START)]);
        let entry = dedup_entry(None, &group, seq, START + i64::try_from(seq).unwrap());
        script.changes.duplicates.push((1, entry));
        let taken = [held(grouped(seq, &group, START), START)];
        let attempt = Attempt::of(format!("try {seq}"), &taken, START);
        script.changes.attempts.push((1, attempt));
    }
    store.commit(&std::mem::take(&mut script.changes)).unwrap();
    assert_eq!(rows(), [27, 6, 9, 9, 0]);

    fifo.partition = 4;
    script.put_queue(&fifo);
    script.send(&mut fifo, [grouped(10, "g", START)]);
    script
        .changes
        .queues_removed
        .push(("gone.fifo".to_owned(), START));
    store.commit(&std::mem::take(&mut script.changes)).unwrap();
    assert_eq!(
        rows(),
        [28, 7, 9, 9, 2],
        "nothing is cleared away in the commit itself"
    );

    let mut sweep = |now: i64, rows: usize| {
        let changes = Changes {
            sweep: Some(Sweep {
                now: START + now,
                rows,
            }),
            ..Changes::default()
        };
        store.commit(&changes).unwrap();
    };
    for (messages, groups, dropped) in [(24, 7, 2), (20, 7, 2), (19, 4, 1), (15, 4, 1), (11, 4, 1)]
    {
        sweep(0, 4);
        assert_eq!(rows(), [messages, groups, 9, 9, dropped]);
    }
    sweep(0, 4);
    assert_eq!(rows(), [10, 1, 9, 9, 0]);
    // Four of each kind at a time.
    let later = limits::DEDUPLICATION_INTERVAL_MS + 9;
    for left in [5, 1, 0, 0] {
        sweep(later, 4);
        assert_eq!(rows(), [10, 1, left, left, 0]);
    }
    let expired = i64::from(line.config.retention_s) * 1_000 + 100;
    for left in [5, 1, 0] {
        sweep(expired, 4);
        assert_eq!(rows(), [left, 0, 0, 0, 0]);
    }
}
