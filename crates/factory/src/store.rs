//! The factory's own file: `factory.db`, `SQLite` in WAL mode with `synchronous=FULL`.
//!
//! What always holds here: a job that was accepted is on disk, `next_at` is set exactly
//! while something is left to do, and `tally.open` is the number of such jobs (triggers
//! keep it, so that it is rolled back with what it counts). It reads no clock.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::clock::from_ms;
use crate::config::OpenError;
use crate::job::{Failing, Failure, Goods, Job, JobId, Order, Status};
use crate::thread::{StoreError, Worker};

const SCHEMA_VERSION: i64 = 1;

/// Jobs produced, and finished jobs forgotten, in one transaction.
const STEP_MAX: u32 = 1_000;

const SCHEMA: &str = "
CREATE TABLE job (
  seq         INTEGER PRIMARY KEY AUTOINCREMENT,
  callback    TEXT    NOT NULL UNIQUE,
  group_id    TEXT    NOT NULL,
  product_id  TEXT    NOT NULL,
  count       INTEGER NOT NULL,
  factory_id  TEXT    NOT NULL,
  requester   TEXT    NOT NULL,
  status      TEXT    NOT NULL CHECK (status IN ('accepted','produced','delivered','abandoned')),
  accepted_at INTEGER NOT NULL, -- times are milliseconds since 1970
  due_at      INTEGER NOT NULL,
  produced_at INTEGER,
  finished_at INTEGER,
  next_at     INTEGER CHECK ((next_at IS NULL) = (status IN ('delivered','abandoned'))),
  attempts    INTEGER NOT NULL DEFAULT 0,
  failures    INTEGER NOT NULL DEFAULT 0, -- in a row, of the same kind
  refused     INTEGER NOT NULL DEFAULT 0, -- that kind
  last_status INTEGER,
  last_error  TEXT
) STRICT;
CREATE INDEX job_next ON job (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX job_finished ON job (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE tally (open INTEGER NOT NULL) STRICT;
INSERT INTO tally VALUES (0);
CREATE TRIGGER job_accepted AFTER INSERT ON job WHEN NEW.next_at IS NOT NULL BEGIN
  UPDATE tally SET open = open + 1;
END;
CREATE TRIGGER job_closed AFTER UPDATE OF next_at ON job
WHEN OLD.next_at IS NOT NULL AND NEW.next_at IS NULL BEGIN
  UPDATE tally SET open = open - 1;
END;
";

const COLUMNS: &str = "seq, callback, group_id, product_id, count, factory_id, requester, status, \
     accepted_at, due_at, produced_at, finished_at, next_at, attempts, failures, refused, \
     last_status, last_error";

/// What came of a request to make goods.
pub(crate) enum Accepted {
    New(Job),
    /// The same request had been accepted before.
    Same(Job),
    /// Another request has this callback URL.
    Reused,
    /// As many jobs are open as the settings allow.
    Full,
}

/// What is to be done now, and when to look again.
pub(crate) struct Agenda {
    /// The open jobs that come next, by time; those that are not due yet included.
    pub(crate) next: Vec<Job>,
    /// More than one step's worth was due: look again at once.
    pub(crate) more: bool,
}

/// What a callback has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) status: Status,
    pub(crate) next_at: Option<Timestamp>,
    pub(crate) finished_at: Option<Timestamp>,
    pub(crate) failing: Option<Failing>,
    pub(crate) last_status: Option<u16>,
    pub(crate) last_error: Option<String>,
}

/// The jobs on disk.
#[derive(Clone)]
pub(crate) struct Store(Worker);

impl Store {
    pub(crate) fn open(directory: &Path) -> Result<Self, OpenError> {
        let unusable = |source| OpenError::Directory {
            path: directory.to_owned(),
            source,
        };
        fs::create_dir_all(directory).map_err(unusable)?;
        let lock = private_file(&directory.join("factory.lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked {
                    path: directory.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        let path = directory.join("factory.db");
        // Made before `SQLite` opens it: the callbacks in it hold tokens, and the other files
        // of the database take its permissions.
        private_file(&path).map_err(unusable)?;
        let connection = open_database(&path).map_err(|source| OpenError::Database {
            path: path.clone(),
            source,
        })?;
        match schema_version(&connection).map_err(|source| OpenError::Database {
            path: path.clone(),
            source,
        })? {
            SCHEMA_VERSION => {}
            found => {
                return Err(OpenError::Newer {
                    path,
                    found,
                    known: SCHEMA_VERSION,
                });
            }
        }
        let worker = Worker::start(connection, lock).map_err(OpenError::Thread)?;
        Ok(Self(worker))
    }

    pub(crate) async fn accept(
        &self,
        order: Order,
        now: Timestamp,
        due: Timestamp,
        open_max: u32,
    ) -> Result<Accepted, StoreError> {
        self.0
            .ask(move |connection| accept(connection, &order, now, due, open_max))
            .await
    }

    pub(crate) async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        self.0.ask(move |connection| find(connection, id)).await
    }

    /// Newest first; `before` is where the last page ended.
    pub(crate) async fn newest(
        &self,
        limit: u32,
        before: Option<JobId>,
    ) -> Result<Vec<Job>, StoreError> {
        self.0
            .ask(move |connection| {
                let mut statement = connection.prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM job WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2"
                ))?;
                let before = before.map_or(i64::MAX, |id| id.0);
                statement
                    .query_map(params![before, limit], read_job)?
                    .collect()
            })
            .await
    }

    /// Produces what is due, forgets what finished before `forget`, and says what is next.
    pub(crate) async fn agenda(
        &self,
        now: Timestamp,
        forget: Timestamp,
        limit: u32,
    ) -> Result<Agenda, StoreError> {
        self.0
            .wait(move |connection| agenda(connection, now, forget, limit))
            .await
    }

    /// Records what came of a callback, unless the job is finished already.
    pub(crate) async fn record(&self, id: JobId, progress: Progress) -> Result<(), StoreError> {
        self.0
            .wait(move |connection| record(connection, id, &progress))
            .await
    }
}

fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn open_database(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA fullfsync = ON;
         PRAGMA checkpoint_fullfsync = ON;",
    )?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// Makes the tables in an empty file; they and the version are one transaction.
fn schema_version(connection: &Connection) -> rusqlite::Result<i64> {
    let version = |connection: &Connection| {
        connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
    };
    if version(connection)? == 0 {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        ))?;
    }
    version(connection)
}

fn accept(
    connection: &Connection,
    order: &Order,
    now: Timestamp,
    due: Timestamp,
    open_max: u32,
) -> rusqlite::Result<Accepted> {
    let known = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM job WHERE callback = ?1"))?
        .query_row([&order.callback], read_job)
        .optional()?;
    if let Some(job) = known {
        return Ok(if job.order == *order {
            Accepted::Same(job)
        } else {
            Accepted::Reused
        });
    }
    let open: u32 = connection
        .prepare_cached("SELECT open FROM tally")?
        .query_row([], |row| row.get(0))?;
    if open >= open_max {
        return Ok(Accepted::Full);
    }
    let goods = &order.goods;
    let job = connection
        .prepare_cached(&format!(
            "INSERT INTO job (callback, group_id, product_id, count, factory_id, requester,
                              status, accepted_at, due_at, next_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'accepted', ?7, ?8, ?8) RETURNING {COLUMNS}"
        ))?
        .query_row(
            params![
                order.callback,
                goods.message_group_id,
                goods.message_attribute_product_id,
                goods.message_attribute_product_cnt,
                goods.message_attribute_factory_id,
                goods.message_attribute_requester,
                now.as_millisecond(),
                due.as_millisecond(),
            ],
            read_job,
        )?;
    Ok(Accepted::New(job))
}

fn find(connection: &Connection, id: JobId) -> rusqlite::Result<Option<Job>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM job WHERE seq = ?1"))?
        .query_row([id.0], read_job)
        .optional()
}

fn agenda(
    connection: &Connection,
    now: Timestamp,
    forget: Timestamp,
    limit: u32,
) -> rusqlite::Result<Agenda> {
    let now = now.as_millisecond();
    let produced = connection
        .prepare_cached(
            "UPDATE job SET status = 'produced', produced_at = ?1, next_at = ?1
             WHERE seq IN (SELECT seq FROM job
                           WHERE next_at <= ?1 AND status = 'accepted' LIMIT ?2)",
        )?
        .execute(params![now, STEP_MAX])?;
    let forgotten = connection
        .prepare_cached(
            "DELETE FROM job
             WHERE seq IN (SELECT seq FROM job WHERE finished_at < ?1 LIMIT ?2)",
        )?
        .execute(params![forget.as_millisecond(), STEP_MAX])?;
    let next = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM job WHERE next_at IS NOT NULL ORDER BY next_at, seq LIMIT ?1"
        ))?
        .query_map([limit], read_job)?
        .collect::<rusqlite::Result<_>>()?;
    let full_step = |rows: usize| u32::try_from(rows).is_ok_and(|rows| rows == STEP_MAX);
    Ok(Agenda {
        next,
        more: full_step(produced) || full_step(forgotten),
    })
}

fn record(connection: &Connection, id: JobId, progress: &Progress) -> rusqlite::Result<()> {
    let ms = |time: Option<Timestamp>| time.map(Timestamp::as_millisecond);
    connection
        .prepare_cached(
            "UPDATE job SET status = ?2, next_at = ?3, finished_at = ?4, failures = ?5,
                            refused = ?6, last_status = ?7, last_error = ?8,
                            attempts = attempts + 1
             WHERE seq = ?1 AND status = 'produced'",
        )?
        .execute(params![
            id.0,
            progress.status.as_str(),
            ms(progress.next_at),
            ms(progress.finished_at),
            progress.failing.map_or(0, |failing| failing.times),
            progress
                .failing
                .is_some_and(|failing| failing.kind == Failure::Refused),
            progress.last_status,
            progress.last_error,
        ])?;
    Ok(())
}

fn read_job(row: &Row<'_>) -> rusqlite::Result<Job> {
    let time = |name| row.get(name).map(from_ms);
    let maybe_time = |name| row.get::<_, Option<i64>>(name).map(|ms| ms.map(from_ms));
    let status: String = row.get("status")?;
    let failures: u32 = row.get("failures")?;
    let kind = if row.get("refused")? {
        Failure::Refused
    } else {
        Failure::Temporary
    };
    Ok(Job {
        id: JobId(row.get("seq")?),
        order: Order {
            goods: Goods {
                message_group_id: row.get("group_id")?,
                message_attribute_product_id: row.get("product_id")?,
                message_attribute_product_cnt: row.get("count")?,
                message_attribute_factory_id: row.get("factory_id")?,
                message_attribute_requester: row.get("requester")?,
            },
            callback: row.get("callback")?,
        },
        status: Status::parse(&status).ok_or_else(|| {
            rusqlite::Error::InvalidColumnType(7, status, rusqlite::types::Type::Text)
        })?,
        accepted_at: time("accepted_at")?,
        due_at: time("due_at")?,
        produced_at: maybe_time("produced_at")?,
        finished_at: maybe_time("finished_at")?,
        next_at: maybe_time("next_at")?,
        attempts: row.get("attempts")?,
        failing: (failures > 0).then_some(Failing {
            kind,
            times: failures,
        }),
        last_status: row.get("last_status")?,
        last_error: row.get("last_error")?,
    })
}
