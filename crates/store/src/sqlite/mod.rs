//! The embedded default: one `SQLite` file, one writer, readers beside it.
//!
//! What always holds here:
//! - a batch counts as durable after the write-ahead log was synced, which `durability.rs` does
//!   itself, with the same call as `synchronous=FULL` would: so the next batch can be decided
//!   and written while the disk works on this one;
//! - one process writes: locks of the kernel's keep a second one out (`files`);
//! - the hot path only appends: one row of `log` an order, by rising integer key. The look-ups
//!   that a decision needs are kept in compact blocks, the last of them in memory, of the others
//!   only filters (`look_ups`), so that memory hardly grows and a start reads blocks, not orders.
//!
//! Checkpoints of the write-ahead log are made by a thread of their own, so that a commit
//! seldom waits for one.

mod auctions;
mod checkpoint;
mod damage;
mod durability;
mod files;
mod line_sums;
mod look_ups;
mod mailbox;
mod read;
mod reader;
mod schema;
mod write;
mod write_auctions;
mod write_mailbox;
mod write_rows;

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::ports::{Opened, Reader, StoreError};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use self::checkpoint::Pace;
use self::durability::LogSync;
use self::files::{FILE, Locks};
use self::write::SqliteStore;

pub use files::Files;
#[doc(hidden)]
pub use look_ups::BlockSizes;
pub use reader::SqliteReader;
pub use schema::VERSION;

/// Pages that the writer keeps in memory while an older store becomes a newer one: 64 MiB; negative
/// means kibibytes.
const UPGRADE_CACHE: i64 = -65_536;
/// While it reads, once, what it needs to start.
const STARTING_CACHE: i64 = -4_096;
/// And then. What is written is nearly all at the end of the log: pages that are used again soon are
/// in the processor's cache as well, and a large cache of them only takes long to fill.
const CACHE: i64 = -8_192;

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{path} is in use by another process{by}; stop it, or choose another --data directory")]
    InUse { path: String, by: String },
    #[error(
        "{path} was written by a newer firstcome (store version {found}, this one knows {known}); \
         use that release or restore a backup"
    )]
    Newer {
        path: String,
        found: u32,
        known: u32,
    },
    #[error("{path} holds no store; start `firstcome serve --data {path}` first")]
    Missing { path: String },
    #[error(
        "{path} holds a write-ahead log ({path}/firstcome.db-wal, {bytes} bytes), but firstcome.db is \
         {state}; nothing was touched. Put that firstcome.db back, or restore a backup into an empty \
         directory; to begin anew, move firstcome.db-wal away"
    )]
    LogAlone {
        path: String,
        state: &'static str,
        bytes: u64,
    },
    #[error(
        "the write-ahead log or the file in {path} is damaged: {what}. Nothing was sold on it: keep a \
         copy of all files and restore a backup; `firstcome audit --data {path}` says more"
    )]
    Damaged { path: String, what: String },
    #[error("cannot open the store in {path}: {source}")]
    Io {
        path: String,
        source: std::io::Error,
    },
    #[error("cannot open the store in {path}: {source}")]
    Sqlite {
        path: String,
        source: rusqlite::Error,
    },
    #[error("cannot read the store in {path}: {}", in_full(source))]
    Store { path: String, source: StoreError },
}

/// With what lies below it: which entry cannot be read, and why.
fn in_full(error: &StoreError) -> String {
    match &error.source {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Opens the store in a directory for writing, making it if need be.
///
/// # Errors
/// See [`OpenError`]; each names the directory and what to do.
pub fn open(directory: &Path) -> Result<Opened, OpenError> {
    open_sized(directory, BlockSizes::default())
}

/// As [`open`], with blocks of look-ups of other sizes: for tests that fill many of them.
///
/// # Errors
/// See [`OpenError`].
#[doc(hidden)]
pub fn open_sized(directory: &Path, sizes: BlockSizes) -> Result<Opened, OpenError> {
    let (store, reader) = open_at(directory, Pace::default(), sizes)?;
    Ok(opened(store, reader))
}

fn opened(mut store: SqliteStore, reader: SqliteReader) -> Opened {
    Opened {
        remembering: store.remembering(),
        store: Box::new(store),
        reader: Arc::new(reader),
        // The lock keeps them out.
        others: None,
    }
}

fn open_at(
    directory: &Path,
    pace: Pace,
    sizes: BlockSizes,
) -> Result<(SqliteStore, SqliteReader), OpenError> {
    let shown = directory.display().to_string();
    let io = |source| OpenError::Io {
        path: shown.clone(),
        source,
    };
    let sqlite = |source| OpenError::Sqlite {
        path: shown.clone(),
        source,
    };
    damage::refuse_log_alone(directory, &shown)?;
    make_directory(directory).map_err(io)?;
    let locks = Locks::take(directory, &shown)?;
    let file = directory.join(FILE);
    make_private(&file).map_err(io)?;
    let connection = Connection::open(&file).map_err(sqlite)?;
    // A store that is refused keeps its write-ahead log as it is.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .map_err(sqlite)?;
    // An old store keeps the page size it was made with.
    connection
        .pragma_update(None, "page_size", 4096)
        .map_err(sqlite)?;
    connection
        .pragma_update(None, "journal_mode", "WAL")
        .map_err(sqlite)?;
    // The log is synced after every batch, by `durability.rs`; this says that it is synced
    // before a checkpoint and when it starts over, too.
    connection
        .pragma_update(None, "synchronous", "NORMAL")
        .map_err(sqlite)?;
    connection
        .pragma_update(None, "wal_autocheckpoint", 0)
        .map_err(sqlite)?;
    connection
        .pragma_update(None, "cache_size", UPGRADE_CACHE)
        .map_err(sqlite)?;
    prepare_once(&connection).map_err(sqlite)?;
    let found = schema::version(&connection).map_err(sqlite)?;
    if found > VERSION {
        return Err(OpenError::Newer {
            path: shown,
            found,
            known: VERSION,
        });
    }
    schema::migrate(&connection, found).map_err(sqlite)?;
    // What is read once, at the start, need not stay. The store sets it back.
    connection
        .pragma_update(None, "cache_size", STARTING_CACHE)
        .map_err(sqlite)?;
    match damage::find(&connection) {
        Ok(None) => {}
        Ok(Some(what)) => return Err(OpenError::Damaged { path: shown, what }),
        Err(source) => {
            return Err(OpenError::Store {
                path: shown,
                source,
            });
        }
    }
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
        .map_err(sqlite)?;
    checkpoint::lay_out_log(&connection, &file, pace).map_err(io)?;
    sync_directory(directory).map_err(io)?;
    let checkpointer = checkpoint::Checkpointer::start(&file, pace).map_err(io)?;
    let durability = LogSync::new(&file);
    let store =
        SqliteStore::new(connection, locks, checkpointer, durability, sizes).map_err(|source| {
            OpenError::Store {
                path: shown.clone(),
                source,
            }
        })?;
    Ok((store, SqliteReader::new(file)))
}

/// Opens the store in a directory for reading only, beside whoever writes.
///
/// # Errors
/// See [`OpenError`].
pub fn open_reader(directory: &Path) -> Result<Arc<dyn Reader>, OpenError> {
    let shown = directory.display().to_string();
    damage::refuse_log_alone(directory, &shown)?;
    let file: PathBuf = directory.join(FILE);
    if !file.exists() {
        return Err(OpenError::Missing { path: shown });
    }
    let connection = read_only(&file).map_err(|source| OpenError::Sqlite {
        path: shown.clone(),
        source,
    })?;
    let found = schema::version(&connection).map_err(|source| OpenError::Sqlite {
        path: shown.clone(),
        source,
    })?;
    if found > VERSION {
        return Err(OpenError::Newer {
            path: shown,
            found,
            known: VERSION,
        });
    }
    Ok(Arc::new(SqliteReader::new(file)))
}

fn read_only(file: &Path) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open_with_flags(
        file,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    prepare_once(&connection)?;
    let found = schema::version(&connection)?;
    if found < 3 {
        connection.execute_batch(schema::READ_BEFORE_V3)?;
    }
    if found < 6 {
        connection.execute_batch(schema::READ_BEFORE_V6)?;
    }
    Ok(connection)
}

/// Each statement is planned once and kept. By itself `SQLite` would plan some of them again
/// whenever they are given other values.
fn prepare_once(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(())
}

/// A new directory is durable only when the one that holds it is.
fn make_directory(directory: &Path) -> std::io::Result<()> {
    let directory = std::path::absolute(directory)?;
    let missing = directory.ancestors().take_while(|at| !at.exists()).count();
    std::fs::create_dir_all(&directory)?;
    for holder in directory.ancestors().skip(1).take(missing) {
        sync_directory(holder)?;
    }
    Ok(())
}

/// Addresses and callback tokens are in it: only its owner reads it. `SQLite` gives the files it
/// makes beside it the same mode.
fn make_private(file: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// A new file is durable only when its directory is.
fn sync_directory(directory: &Path) -> std::io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests;
