//! One `SQLite` file: opened when it is needed, and again when it went away.
//!
//! What always holds here: a write is one transaction, on disk before it is answered (WAL,
//! `synchronous=FULL`); a file that a newer version has written is refused and left as it is;
//! whoever waits for another process's lock waits [`BUSY`] at most; one thread writes and one
//! reads, however many ask. Several processes may use one file.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use crate::contain::contain;
use crate::{ads, alerts, inbox, mails, parcels, pauses, webhooks};

/// How long a write waits for that of another process.
const BUSY: Duration = Duration::from_secs(2);
/// How long a call waits for those before it, of this process.
const TURN: Duration = Duration::from_secs(10);

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
    writer: Lane,
    reader: Lane,
    /// What both connections are to, whichever of them there are.
    file: Mutex<Option<FileId>>,
}

/// Device and inode: another file at the same path has others.
type FileId = (u64, u64);

/// One of the two connections, and the turn to use it.
struct Lane {
    /// Waited for without a thread.
    turn: Arc<Semaphore>,
    /// To the thread that does the work, once there is one. The runtime's threads for blocking work would
    /// all have a part in it in the end, each with memory of its own.
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    /// How many have asked for it.
    asked: AtomicU64,
    slot: Mutex<Slot>,
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            jobs: Mutex::default(),
            asked: AtomicU64::new(0),
            slot: Mutex::default(),
        }
    }
}

type Job = Box<dyn FnOnce() + Send>;

impl Lane {
    /// Has its thread do the next job, which begins when it comes. The thread ends with the lane.
    fn give(&self, job: Job) -> std::io::Result<()> {
        let mut jobs = lock(&self.jobs);
        let job = match &*jobs {
            None => job,
            Some(sender) => match sender.send(job) {
                Ok(()) => return Ok(()),
                // A panic in the job before it has ended the thread.
                Err(mpsc::SendError(job)) => job,
            },
        };
        let (sender, receiver) = mpsc::channel::<Job>();
        std::thread::Builder::new()
            .name("effects".into())
            .spawn(move || receiver.into_iter().for_each(|job| job()))?;
        sender
            .send(job)
            .expect("the thread takes jobs until its lane is gone");
        *jobs = Some(sender);
        Ok(())
    }
}

#[derive(Default)]
struct Slot {
    connection: Option<Connection>,
    /// The last that had asked when none could be opened, and why.
    failed: Option<(u64, String)>,
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
            writer: Lane::default(),
            reader: Lane::default(),
            file: Mutex::default(),
        }))
    }

    /// One transaction, durable when this returns. Rolled back when `work` fails.
    ///
    /// # Errors
    /// When the file cannot be opened, locked or written, and what `work` fails with.
    ///
    /// # Panics
    /// In a runtime without timers.
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
        let error = |what: String| DatabaseError {
            path: self.0.path.display().to_string(),
            what,
        };
        let lane = self.0.lane(side);
        let number = lane.asked.fetch_add(1, Ordering::Relaxed) + 1;
        let turn = Arc::clone(&lane.turn).acquire_owned();
        let Ok(turn) = timeout(TURN, turn).await else {
            let waited = TURN.as_secs();
            return Err(error(format!("its turn has not come in {waited} s")));
        };
        let inner = Arc::clone(&self.0);
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move || {
            // It lasts as long as the work: whoever asked may have gone meanwhile.
            let turn = turn.expect("nobody closes it");
            let done = inner.call(side, number, work);
            drop((turn, inner));
            let _ = answer.send(done);
        });
        lane.give(job)
            .map_err(|failed| error(format!("no thread for it: {failed}")))?;
        let _still = let_time_stand();
        match answered.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(what)) => Err(error(what)),
            Err(_) => Err(error("the call was cut short".to_owned())),
        }
    }
}

/// Where time is paused, as in tests, it jumps on unless one of the runtime's own threads blocks: one
/// does, until this is dropped. Only a runtime of one thread can pause.
fn let_time_stand() -> Option<mpsc::Sender<()>> {
    let runtime = Handle::current();
    let may_pause = runtime.runtime_flavor() == RuntimeFlavor::CurrentThread;
    may_pause.then(|| {
        let (still, over) = mpsc::channel();
        runtime.spawn_blocking(move || over.recv());
        still
    })
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
        number: u64,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, String> {
        self.leave_what_was_replaced()?;
        let lane = self.lane(side);
        let mut slot = lock(&lane.slot);
        let connection = self.connected(lane, &mut slot, number)?;
        // Half a transaction goes with the panic that left it: it is rolled back.
        let done = match contain(|| work(connection)) {
            Ok(done) => done.map_err(|error| error.to_string()),
            Err(mistake) => Err(format!("a panic at {}", mistake.place)),
        };
        if done.is_err() {
            // Whatever is wrong with the connection is not kept.
            slot.connection = None;
        }
        done
    }

    /// A file that was replaced or removed under us is not written for ever.
    ///
    /// Both connections leave it before one is made to the new one, and take along what its log has:
    /// the log is found by its name, and would be taken for the new file's.
    fn leave_what_was_replaced(&self) -> Result<(), String> {
        let is_there = |file: Option<FileId>| file.is_none() || file == file_id(&self.path);
        if is_there(*lock(&self.file)) {
            return Ok(());
        }
        let (mut writer, mut reader) = (lock(&self.writer.slot), lock(&self.reader.slot));
        let mut file = lock(&self.file);
        let either = writer.connection.as_ref().or(reader.connection.as_ref());
        if let Some(connection) = either.filter(|_| !is_there(*file)) {
            let busy =
                connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
            if busy.map_err(|error| format!("it was replaced, and the old one fails: {error}"))? {
                return Err("it was replaced, and somebody still reads the old one".to_owned());
            }
            (*writer, *reader) = (Slot::default(), Slot::default());
        }
        if !is_there(*file) {
            *file = None;
        }
        Ok(())
    }

    fn lane(&self, side: Side) -> &Lane {
        match side {
            Side::Writer => &self.writer,
            Side::Reader => &self.reader,
        }
    }

    fn connected<'a>(
        &self,
        lane: &Lane,
        slot: &'a mut Slot,
        number: u64,
    ) -> Result<&'a mut Connection, String> {
        let Slot { connection, failed } = slot;
        if let Some(connection) = connection {
            return Ok(connection);
        }
        // Those who stood in line meanwhile do not each wait as long as the one before them did.
        if let Some((last, why)) = failed
            && number <= *last
        {
            return Err(why.clone());
        }
        match self.open() {
            Ok(opened) => {
                *failed = None;
                Ok(connection.insert(opened))
            }
            Err(why) => {
                *failed = Some((lane.asked.load(Ordering::Relaxed), why.clone()));
                Err(why)
            }
        }
    }

    fn open(&self) -> Result<Connection, String> {
        if let Some(directory) = self.path.parent() {
            std::fs::create_dir_all(directory).map_err(|error| error.to_string())?;
        }
        make_private(&self.path).map_err(|error| error.to_string())?;
        let found = file_id(&self.path);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection =
            Connection::open_with_flags(&self.path, flags).map_err(|error| error.to_string())?;
        if let Some(wrong) = self
            .prepare(&mut connection)
            .map_err(|error| error.to_string())?
        {
            return Err(wrong);
        }
        let mut file = lock(&self.file);
        if file_id(&self.path) != found || file.is_some_and(|file| Some(file) != found) {
            return Err("it was replaced while it was opened".to_owned());
        }
        *file = found;
        Ok(connection)
    }

    /// Brings the schema up to date; what is wrong with it, if it is of a newer version.
    fn prepare(&self, connection: &mut Connection) -> rusqlite::Result<Option<String>> {
        connection.busy_timeout(BUSY)?;
        // A statement is planned once, whatever values it is given.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let newest = u32::try_from(self.versions.len()).expect("a handful of versions");
        // Where nothing is to be added, whoever reads waits for nobody who writes.
        if version_of(connection)? == newest {
            return Ok(None);
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version = version_of(&transaction)?;
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

/// None when there is none, or nobody may look. It is not opened: see [`make_private`].
fn file_id(path: &Path) -> Option<FileId> {
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

fn version_of(connection: &Connection) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
    let _alone = lock(&MAKING);
    let mut options = std::fs::OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(path);
    match made.map(drop) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        done => done,
    }
}
