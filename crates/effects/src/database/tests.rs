//! Opened, away, replaced, and wanted by many at once.

use super::*;

fn note(
    database: &Database,
    event: &'static str,
) -> impl Future<Output = Result<bool, DatabaseError>> {
    database.write(move |transaction| inbox::is_first(transaction, "c", event, 1))
}

#[tokio::test]
async fn an_event_is_handled_once_also_by_another_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("effects.db");
    let (one, two) = (Effects::new(&path).0, Effects::new(&path).0);
    assert!(note(&one, "1").await.unwrap());
    assert!(!note(&one, "1").await.unwrap());
    assert!(!note(&two, "1").await.unwrap());
    assert!(note(&two, "2").await.unwrap());
}

const OTHER: &str = "database::tests::another_process_that_asks_for_the_lock";

/// Not a test of its own: the process that the test below starts. A process is never in its own
/// way, and gives up all its locks on a file with the first handle on it that it closes.
#[cfg(unix)]
#[test]
#[ignore = "started by the test that asks"]
fn another_process_that_asks_for_the_lock() {
    use rustix::fs::{FlockOperation, fcntl_lock};
    use std::io::Read as _;
    let mut path = String::new();
    std::io::stdin().read_to_string(&mut path).unwrap();
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let locked = fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive);
    println!("\nthe lock: {}", locked.is_ok());
}

/// Whether another process finds the file locked: asked of the system, not of `SQLite`.
#[cfg(unix)]
fn is_locked(path: &Path) -> bool {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args([OTHER, "--exact", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = other.stdin.take().unwrap();
    stdin.write_all(path.to_str().unwrap().as_bytes()).unwrap();
    drop(stdin);
    let said = other.wait_with_output().unwrap().stdout;
    let said = String::from_utf8(said).unwrap();
    let got = said
        .lines()
        .find_map(|line| line.strip_prefix("the lock: "));
    got.expect("the other process says what it got") == "false"
}

/// The last one who closes a file removes its log. Another process that only comes by, a backup
/// with the `sqlite3` shell, must not take itself for that.
#[cfg(unix)]
#[tokio::test]
async fn whoever_is_connected_has_the_file_locked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("effects.db");
    let database = Effects::new(&path).0;
    for round in 0..3 {
        assert!(note(&database, "1").await.is_ok());
        assert!(is_locked(&path), "the writer, {round}");
        assert!(database.read(|_| Ok(())).await.is_ok());
        assert!(is_locked(&path), "both, {round}");
        // What fails is connected to anew.
        let failed = database
            .write(|transaction| transaction.execute("INSERT INTO nowhere VALUES (1)", []))
            .await;
        assert!(failed.is_err());
        assert!(is_locked(&path), "the reader, {round}");
    }
    drop(database);
    assert!(!is_locked(&path), "nobody");
}

#[tokio::test]
async fn what_fails_leaves_no_note_behind() {
    let directory = tempfile::tempdir().unwrap();
    let database = Effects::new(&directory.path().join("effects.db")).0;
    let failed = database
        .write(|transaction| {
            assert!(inbox::is_first(transaction, "c", "1", 1)?);
            transaction.execute("INSERT INTO nowhere VALUES (1)", [])
        })
        .await;
    assert!(failed.unwrap_err().what.contains("nowhere"));
    assert!(note(&database, "1").await.unwrap());
}

#[tokio::test]
async fn a_panic_is_rolled_back_and_ends_one_call() {
    let directory = tempfile::tempdir().unwrap();
    let database = Effects::new(&directory.path().join("effects.db")).0;
    let failed: Result<(), _> = database
        .write(|transaction| {
            assert!(inbox::is_first(transaction, "c", "1", 1)?);
            panic!("a mistake")
        })
        .await;
    let what = failed.unwrap_err().what;
    assert!(what.contains("a panic at"), "{what}");
    assert!(note(&database, "1").await.unwrap());
}

#[tokio::test]
async fn a_database_that_was_away_is_used_again() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("elsewhere");
    std::fs::write(&place, "a file where a directory must be").unwrap();
    let database = Effects::new(&place.join("effects.db")).0;
    assert!(note(&database, "1").await.is_err());
    std::fs::remove_file(&place).unwrap();
    assert!(note(&database, "1").await.unwrap());
}

#[tokio::test]
async fn those_in_line_hear_at_once_why_it_could_not_be_opened() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("elsewhere");
    std::fs::write(&place, "a file where a directory must be").unwrap();
    let database = Effects::new(&place.join("effects.db")).0;
    let turn = Arc::clone(&database.0.writer.turn);
    let held = turn.acquire_owned().await.unwrap();
    let (first, second) = (note(&database, "1"), note(&database, "2"));
    let (mut first, mut second) = (Box::pin(first), Box::pin(second));
    assert!(asked_once(first.as_mut()).await.is_none());
    assert!(asked_once(second.as_mut()).await.is_none());
    drop(held);
    let why = first.await.unwrap_err().what;
    std::fs::remove_file(&place).unwrap();
    assert_eq!(second.await.unwrap_err().what, why);
    assert!(note(&database, "3").await.unwrap(), "it came later");
}

#[tokio::test]
async fn whoever_reads_waits_for_no_other_process_that_writes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("effects.db");
    assert!(note(&Effects::new(&path).0, "1").await.unwrap());
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let database = Effects::new(&path).0;
    let count = "SELECT count(*) FROM inbox";
    let read = database.read(move |tx| tx.query_row(count, [], |row| row.get::<_, i64>(0)));
    assert_eq!(read.await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_thread_writes_and_one_reads() {
    let directory = tempfile::tempdir().unwrap();
    let database = Effects::new(&directory.path().join("effects.db")).0;
    let id = |_: &Transaction<'_>| Ok(std::thread::current().id());
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let database = database.clone();
            tokio::spawn(async move {
                [database.write(id).await, database.read(id).await].map(Result::unwrap)
            })
        })
        .collect();
    let mut seen = std::collections::HashSet::new();
    for call in calls {
        seen.insert(call.await.unwrap());
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(seen.iter().all(|[writes, reads]| writes != reads));
}

/// The runtime's threads for blocking work are two here, and none of them is kept.
#[test]
fn however_many_wait_for_one_who_writes_they_keep_one_thread() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let directory = tempfile::tempdir().unwrap();
    let database = Effects::new(&directory.path().join("effects.db")).0;
    let (go_on, wait) = mpsc::channel::<()>();
    runtime.block_on(async {
        let (begun, begins) = oneshot::channel();
        let first = database.clone();
        let first = tokio::spawn(async move {
            let work = move |_: &Transaction<'_>| {
                begun.send(()).unwrap();
                wait.recv().unwrap();
                Ok(())
            };
            first.write(work).await
        });
        begins.await.unwrap();
        // Whoever asked for it may have gone; the work goes on.
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        let mut waiting: Vec<_> = (0..10).map(|_| Box::pin(note(&database, "1"))).collect();
        for one in &mut waiting {
            assert!(asked_once(one.as_mut()).await.is_none(), "it has to wait");
        }
        let other = tokio::task::spawn_blocking(|| ());
        let limit = Duration::from_secs(5);
        assert!(timeout(limit, other).await.is_ok(), "a thread is free");
        go_on.send(()).unwrap();
        for one in waiting {
            assert!(one.await.is_ok());
        }
    });
}

/// What it says when it is asked once.
async fn asked_once<T>(mut future: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        std::task::Poll::Ready(done) => std::task::Poll::Ready(Some(done)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_does_not_come_is_not_waited_for_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let database = Effects::new(&directory.path().join("effects.db")).0;
    let turn = Arc::clone(&database.0.reader.turn);
    let held = turn.acquire_owned().await.unwrap();
    let read = database.read(|_| Ok(())).await;
    assert!(read.unwrap_err().what.contains("its turn"));
    assert!(
        note(&database, "1").await.unwrap(),
        "the writer's is another"
    );
    drop(held);
    assert!(database.read(|_| Ok(())).await.is_ok());
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("effects.db");
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    let error = note(&Effects::new(&path).0, "1").await.unwrap_err();
    assert!(error.what.contains("version 99"), "{error}");
}

#[tokio::test]
async fn old_notes_are_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let database = Effects::new(&directory.path().join("effects.db")).0;
    assert!(note(&database, "1").await.unwrap());
    let later = inbox_kept() + 2;
    for event in ["2", "1"] {
        let is_first = database
            .write(move |transaction| inbox::is_first(transaction, "c", event, later))
            .await;
        assert!(is_first.unwrap(), "1 was forgotten");
    }
}

fn inbox_kept() -> i64 {
    28 * 24 * 60 * 60 * 1_000
}

/// What is noted in a file, and whether it is whole.
fn noted(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let check = "PRAGMA integrity_check";
    let check: String = connection.query_row(check, [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    let mut events = connection
        .prepare("SELECT event FROM inbox ORDER BY event")
        .unwrap();
    let rows = events.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}

#[tokio::test]
async fn a_file_that_was_put_in_its_place_is_used_from_the_next_call_on() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let (path, aside) = (at("effects.db"), at("aside.db"));
    let other = Effects::new(&at("other.db")).0;
    assert!(note(&other, "of the other file").await.unwrap());
    drop(other);
    let database = Effects::new(&path).0;
    assert!(note(&database, "before").await.unwrap());
    let count = "SELECT count(*) FROM inbox";
    let read = || database.read(move |tx| tx.query_row(count, [], |row| row.get::<_, i64>(0)));
    assert_eq!(read().await.unwrap(), 1);
    std::fs::rename(&path, &aside).unwrap();
    std::fs::rename(at("other.db"), &path).unwrap();
    // The reader comes first: the writer's connection must not stay behind.
    assert_eq!(read().await.unwrap(), 1);
    assert!(note(&database, "after").await.unwrap());
    assert_eq!(read().await.unwrap(), 2);
    assert_eq!(noted(&path), ["after", "of the other file"]);
    assert_eq!(
        noted(&aside),
        ["before"],
        "nothing of it was left in its log"
    );
    drop(database);
    assert_eq!(noted(&path), ["after", "of the other file"]);
}

#[tokio::test]
async fn a_file_that_was_removed_is_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("effects.db");
    let database = Effects::new(&path).0;
    for event in ["1", "2"] {
        assert!(note(&database, event).await.unwrap());
        assert!(database.read(|_| Ok(())).await.is_ok());
        std::fs::remove_file(&path).unwrap();
    }
    assert!(note(&database, "2").await.unwrap(), "another file");
    assert!(database.read(|_| Ok(())).await.is_ok());
    assert_eq!(noted(&path), ["2"]);
}
