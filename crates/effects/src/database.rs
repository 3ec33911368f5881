//! One `SQLite` file: opened when it is needed, and again when it went away.
//!
//! What always holds here: a write is one transaction, on disk before it is answered (WAL,
//! `synchronous=FULL`); a file that a newer version has written is refused and left as it is;
//! whoever waits for another process's lock waits [`BUSY`] at most. Several processes may use
//! one file.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::contain::contain;
use crate::{ads, alerts, inbox, mails, parcels, pauses, webhooks};

/// How long a write waits for that of another process.
const BUSY: Duration = Duration::from_secs(2);

/// Why a call has no answer. Nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{path}: {what}")]
pub struct DatabaseError {
    pub path: String,
    pub what: String,
}

/// A database of the consumers. Cheap to clone.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    path: PathBuf,
    /// The schema's versions, each as what it adds to the one before.
    versions: &'static [&'static [&'static str]],
    writer: Mutex<Option<Connection>>,
    reader: Mutex<Option<Connection>>,
}

/// `effects.db`: parcels, e-mails, webhooks, alerts.
#[derive(Clone)]
pub struct Effects(pub Database);

impl Effects {
    /// Nothing is opened yet.
    pub fn new(path: &Path) -> Self {
        Self(Database::new(
            path,
            &[&[
                inbox::SCHEMA,
                pauses::SCHEMA,
                webhooks::SCHEMA,
                alerts::SCHEMA,
                mails::SCHEMA,
                ads::SCHEMA,
                parcels::SCHEMA,
            ]],
        ))
    }
}

impl Database {
    /// Nothing is opened yet.
    pub fn new(path: &Path, versions: &'static [&'static [&'static str]]) -> Self {
        Self(Arc::new(Inner {
            path: path.to_owned(),
            versions,
            writer: Mutex::new(None),
            reader: Mutex::new(None),
        }))
    }

    /// One transaction, durable when this returns. Rolled back when `work` fails.
    ///
    /// # Errors
    /// When the file cannot be opened, locked or written, and what `work` fails with.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        self.call(Side::Writer, move |connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let answer = work(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        })
        .await
    }

    /// Sees one moment of the database.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        self.call(Side::Reader, move |connection| {
            let transaction = connection.transaction()?;
            work(&transaction)
        })
        .await
    }

    async fn call<T: Send + 'static>(
        &self,
        side: Side,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        let inner = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || inner.call(side, work)).await;
        let error = |what: String| DatabaseError {
            path: self.0.path.display().to_string(),
            what,
        };
        match done {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(what)) => Err(error(what)),
            Err(_) => Err(error("the call was cut short".to_owned())),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Writer,
    Reader,
}

impl Inner {
    fn call<T>(
        &self,
        side: Side,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, String> {
        let slot = match side {
            Side::Writer => &self.writer,
            Side::Reader => &self.reader,
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        // A file that was replaced or removed under us is not written for ever.
        if slot.is_some() && !self.path.exists() {
            *slot = None;
        }
        let connection = match &mut *slot {
            Some(connection) => connection,
            None => slot.insert(self.open()?),
        };
        // Half a transaction goes with the panic that left it: it is rolled back.
        let done = match contain(|| work(connection)) {
            Ok(done) => done.map_err(|error| error.to_string()),
            Err(mistake) => Err(format!("a panic at {}", mistake.place)),
        };
        if done.is_err() {
            // Whatever is wrong with the connection is not kept.
            *slot = None;
        }
        done
    }

    fn open(&self) -> Result<Connection, String> {
        if let Some(directory) = self.path.parent() {
            std::fs::create_dir_all(directory).map_err(|error| error.to_string())?;
        }
        make_private(&self.path).map_err(|error| error.to_string())?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection =
            Connection::open_with_flags(&self.path, flags).map_err(|error| error.to_string())?;
        self.prepare(&mut connection)
            .map_err(|error| error.to_string())?
            .map_or(Ok(connection), Err)
    }

    /// Brings the schema up to date; what is wrong with it, if it is of a newer version.
    fn prepare(&self, connection: &mut Connection) -> rusqlite::Result<Option<String>> {
        connection.busy_timeout(BUSY)?;
        // A statement is planned once, whatever values it is given.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: u32 =
            transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let newest = u32::try_from(self.versions.len()).expect("a handful of versions");
        if version > newest {
            return Ok(Some(format!(
                "its schema is version {version}, this program knows {newest}: use a newer one"
            )));
        }
        for version in self.versions.iter().skip(version as usize) {
            for part in *version {
                transaction.execute_batch(part)?;
            }
        }
        if version < newest {
            transaction.pragma_update(None, "user_version", newest)?;
        }
        transaction.commit()?;
        Ok(None)
    }
}

/// One makes the file at a time; see [`make_private`].
static MAKING: Mutex<()> = Mutex::new(());

/// There are e-mail addresses in it: nobody else on the machine may read it. The other files of
/// the database take its permissions.
///
/// Only a file that is not there is opened, and nobody connects before it is closed again: whoever
/// closes a file gives up the locks that this process has on it (POSIX), those of `SQLite` among them,
/// which goes on believing that it has them. Another process could then take itself for the last one
/// and remove the log that is still written to
/// (<https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_>).
fn make_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let _alone = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut options = std::fs::OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(path);
    match made.map(drop) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
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
}
