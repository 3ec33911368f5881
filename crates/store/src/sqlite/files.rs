//! The files of an open store: who may write them, and whether they are still those in the directory.
//!
//! What always holds here: a database that somebody writes is not written by a second process, even
//! where the lock file was deleted or replaced meanwhile. So two files are locked: the lock file, which
//! is there before anything else and tells who holds it, and the database itself.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use engine::ports::StoreFiles;

use super::OpenError;

pub(super) const FILE: &str = "firstcome.db";
/// What was committed and is not in [`FILE`] yet.
const LOG_FILE: &str = "firstcome.db-wal";
pub(super) const LOCK: &str = "firstcome.lock";
/// What lies in the directory beside the lock while a store is open.
const WRITTEN: [&str; 3] = [FILE, LOG_FILE, "firstcome.db-shm"];

/// Locks of the kernel's: they go when the process does, however it ends.
pub(super) struct Locks {
    _lock: File,
    /// To be closed after all of `SQLite`'s connections to it.
    _database: Option<File>,
}

impl Locks {
    /// The content of the lock file only tells a person who holds it.
    pub(super) fn take(directory: &Path, shown: &str) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io {
            path: shown.to_owned(),
            source,
        };
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(directory.join(LOCK))
            .map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = (&lock).take(32).read_to_string(&mut holder);
                let holder = holder.trim();
                let by = if holder.is_empty() {
                    String::new()
                } else {
                    format!(" (process {holder})")
                };
                return Err(in_use(shown, by));
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let database = lock_database(directory, shown)?;
        lock.set_len(0).map_err(io)?;
        lock.rewind().map_err(io)?;
        writeln!(lock, "{}", std::process::id()).map_err(io)?;
        Ok(Self {
            _lock: lock,
            _database: database,
        })
    }
}

fn in_use(shown: &str, by: String) -> OpenError {
    OpenError::InUse {
        path: shown.to_owned(),
        by,
    }
}

/// On Linux this lock and those that `SQLite` sets on the same file do not see each other. Where they
/// do, it would keep readers out, and the lock file has to do.
#[cfg(target_os = "linux")]
fn lock_database(directory: &Path, shown: &str) -> Result<Option<File>, OpenError> {
    let io = |source| OpenError::Io {
        path: shown.to_owned(),
        source,
    };
    let file = directory.join(FILE);
    super::make_private(&file).map_err(io)?;
    let file = File::open(&file).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {
            let by = format!(" (it holds {FILE}; its {LOCK} was removed or replaced)");
            Err(in_use(shown, by))
        }
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

#[cfg(not(target_os = "linux"))]
fn lock_database(_: &Path, _: &str) -> Result<Option<File>, OpenError> {
    Ok(None)
}

/// The files that an open store writes, as they were when it was opened.
#[derive(Debug)]
pub struct Files(Vec<(PathBuf, Identity)>);

impl Files {
    /// Of the store that this process has just opened in this directory.
    pub fn of(directory: &Path) -> Self {
        let known = WRITTEN.into_iter().chain([LOCK]).filter_map(|name| {
            let path = directory.join(name);
            let found = std::fs::metadata(&path).ok()?;
            Some((path, identity(&found)))
        });
        Self(known.collect())
    }
}

impl StoreFiles for Files {
    fn gone(&self) -> Option<String> {
        let is_gone = |path: &Path, known: &Identity| match std::fs::metadata(path) {
            Ok(found) => identity(&found) != *known,
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        };
        let (gone, _) = self.0.iter().find(|(path, known)| is_gone(path, known))?;
        Some(gone.file_name()?.to_string_lossy().into_owned())
    }

    fn log_bytes(&self) -> u64 {
        let log = self.0.iter().find(|(path, _)| path.ends_with(LOG_FILE));
        let found = log.and_then(|(path, _)| std::fs::metadata(path).ok());
        found.map_or(0, |found| found.len())
    }
}

/// Device and inode.
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(of: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (of.dev(), of.ino())
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Identity {
    (0, 0)
}
