//! The write-ahead log is kept short, and never at the price of a commit.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use engine::ports::{Changes, Store as _};
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::checkpoint::{Pace, is_busy, round};
use super::super::{BlockSizes, FILE, open_at};
use crate::conformance::script::{START, Script, message, queue};

/// Looks all the time, and finds a log of 32 pages too long.
const EAGER: Pace = Pace {
    every: Duration::from_millis(1),
    restart_pages: 32,
    laid_out_bytes: 0,
};

/// Some 128 KiB that are not the same as those before.
fn some_changes(n: u64) -> Changes {
    let mut script = Script::new();
    let mut line = queue(1, "q", None);
    let mut large = message(n, START);
    large.body = format!("{n:4}").repeat(32_768);
    script.send(&mut line, [large]);
    if n > 1 {
        script.changes.messages_removed.push((1, n - 1));
    }
    script.changes
}

fn log_bytes(directory: &TempDir) -> u64 {
    let file = directory.path().join(format!("{FILE}-wal"));
    std::fs::metadata(file).unwrap().len()
}

#[test]
fn the_log_stays_short_while_it_is_written() {
    let directory = TempDir::new().unwrap();
    let (mut store, _) = open_at(directory.path(), EAGER, BlockSizes::default()).unwrap();
    let mut written = 0;
    for n in 1..=400 {
        store.commit(&some_changes(n)).unwrap();
        written += 131_072;
    }
    let log = log_bytes(&directory);
    assert!(
        log < written / 4,
        "{log} bytes of log for {written} written"
    );
}

/// What is on the disk when the process is killed: the files as they are, without an orderly end.
fn killed(directory: &TempDir) -> TempDir {
    let copy = TempDir::new().unwrap();
    for name in [FILE.to_owned(), format!("{FILE}-wal")] {
        std::fs::copy(directory.path().join(&name), copy.path().join(&name)).unwrap();
    }
    copy
}

#[test]
fn a_log_that_was_laid_out_holds_what_was_written_and_no_more() {
    let laid_out = Pace {
        laid_out_bytes: 4 << 20,
        restart_pages: 16_384,
        ..EAGER
    };
    let directory = TempDir::new().unwrap();
    let (mut store, _) = open_at(directory.path(), laid_out, BlockSizes::default()).unwrap();
    assert_eq!(
        log_bytes(&directory),
        4 << 20,
        "zeros, before the first commit"
    );
    let newest = |directory: &TempDir| -> Option<u32> {
        let (_store, _) = open_at(directory.path(), laid_out, BlockSizes::default()).unwrap();
        let shell = Connection::open(directory.path().join(FILE)).unwrap();
        let newest = "SELECT max(key & 0xffffffffff) FROM messages";
        shell.query_row(newest, [], |row| row.get(0)).unwrap()
    };
    // Nothing but zeros; a few frames and zeros behind them; more than was laid out.
    assert_eq!(newest(&killed(&directory)), None);
    for n in 1..=60 {
        store.commit(&some_changes(n)).unwrap();
        let length = log_bytes(&directory);
        assert!(
            n > 10 || length == 4 << 20,
            "{length} bytes after {n} commits"
        );
        if n % 7 == 0 || n == 1 {
            assert_eq!(newest(&killed(&directory)), Some(u32::try_from(n).unwrap()));
        }
    }
    // Orderly: opened again, it is laid out anew.
    drop(store);
    let (_store, _) = open_at(directory.path(), laid_out, BlockSizes::default()).unwrap();
    assert_eq!(log_bytes(&directory), 4 << 20);
}

#[test]
fn a_reader_that_stays_holds_up_the_log_and_not_the_commits() {
    let directory = TempDir::new().unwrap();
    let (mut store, _) = open_at(directory.path(), EAGER, BlockSizes::default()).unwrap();
    store.commit(&some_changes(1)).unwrap();
    let shell = Connection::open(directory.path().join(FILE)).unwrap();
    let snapshot = shell.unchecked_transaction().unwrap();
    let count = |snapshot: &Connection| -> u32 {
        let count = "SELECT max(key & 0xffffffffff) FROM messages";
        snapshot.query_row(count, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(count(&snapshot), 1);

    let (done, is_done) = channel();
    let writer = std::thread::spawn(move || {
        for n in 2..=100 {
            store.commit(&some_changes(n)).unwrap();
        }
        done.send(()).unwrap();
        store
    });
    // Waiting for the reader at each commit would take minutes.
    let waited = is_done.recv_timeout(Duration::from_secs(20));
    assert_ne!(
        waited,
        Err(RecvTimeoutError::Timeout),
        "a reader holds up the writer"
    );
    let mut store = writer.join().unwrap();
    assert_eq!(
        count(&snapshot),
        1,
        "the reader still sees what it began with"
    );
    let grown = log_bytes(&directory);
    assert!(
        grown > 99 * 131_072,
        "the log could not be started over: {grown}"
    );

    drop(snapshot);
    assert_eq!(count(&shell), 100);
    for n in 101..=300 {
        store.commit(&some_changes(n)).unwrap();
    }
    assert!(
        log_bytes(&directory) < grown + 100 * 131_072,
        "the log goes on growing"
    );
}

#[test]
fn a_checkpoint_that_cannot_be_made_is_tried_again_and_makes_no_file() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join(FILE);
    let mut connection = None;
    let error = round(&mut connection, &file, EAGER).unwrap_err();
    assert!(!is_busy(&error), "{error}");
    assert!(connection.is_none() && !file.exists());
    let (mut store, _) = open_at(directory.path(), EAGER, BlockSizes::default()).unwrap();
    store.commit(&some_changes(1)).unwrap();
    assert!(round(&mut connection, &file, EAGER).is_ok());
    assert!(connection.is_some(), "kept for the next");
}
