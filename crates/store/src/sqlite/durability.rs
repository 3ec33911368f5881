//! Syncs the write-ahead log, beside the thread that appends to it.
//!
//! What always holds here: when `sync` returns, every frame that was in the log before the call
//! is on the disk. A log is valid up to its first frame that is not, so what was appended later
//! is durable only with what was appended before, and a crash leaves a prefix.
//!
//! Why not `synchronous=FULL`: it makes the same system call, inside of `COMMIT`, where nothing
//! can be decided meanwhile.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use engine::ports::{Durability, StoreError};

pub(super) struct LogSync {
    path: PathBuf,
    log: OnceLock<File>,
}

impl LogSync {
    /// Of the database in this file.
    pub(super) fn new(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        Self {
            path: path.into(),
            log: OnceLock::new(),
        }
    }

    /// `SQLite` makes the file with the first commit and keeps it, and its place in the
    /// directory, for as long as anybody has the database open.
    fn log(&self) -> std::io::Result<&File> {
        if let Some(log) = self.log.get() {
            return Ok(log);
        }
        let log = File::open(&self.path)?;
        if let Some(directory) = self.path.parent() {
            super::sync_directory(directory)?;
        }
        Ok(self.log.get_or_init(|| log))
    }
}

impl Durability for LogSync {
    fn sync(&self) -> Result<(), StoreError> {
        self.log()
            .and_then(File::sync_data)
            .map_err(|source| StoreError::new("cannot sync the log of SQLite", source))
    }
}
