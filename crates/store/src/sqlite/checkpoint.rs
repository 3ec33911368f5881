//! Moves committed pages from the write-ahead log into the database file, beside the writer.
//!
//! A passive checkpoint never blocks a commit, but under steady writing it never empties the
//! log either. So it also says when the log has grown past [`RESTART_PAGES`]; the writer then
//! finishes the rest itself, which is little, and starts the log over.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

/// How often the log is looked at.
const EVERY: Duration = Duration::from_millis(250);
/// 64 MiB of pages of 8 KiB.
const RESTART_PAGES: i64 = 8_192;

pub(super) struct Checkpointer {
    pub(super) restart: Arc<AtomicBool>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(super) fn start(file: &Path) -> std::io::Result<Self> {
        let restart = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = channel();
        let (file, flag) = (file.to_owned(), Arc::clone(&restart));
        let thread = std::thread::Builder::new()
            .name("checkpoint".into())
            .spawn(move || run(&file, &stopped, &flag))?;
        Ok(Self {
            restart,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(file: &PathBuf, stopped: &Receiver<()>, restart: &AtomicBool) {
    let connection = match Connection::open(file) {
        Ok(connection) => connection,
        Err(error) => {
            tracing::warn!(%error, "no checkpoints: the log will grow until the next start");
            return;
        }
    };
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(EVERY) {
        match checkpoint(&connection, "PASSIVE") {
            Ok(pages) => {
                if pages > RESTART_PAGES {
                    restart.store(true, Ordering::Relaxed);
                }
            }
            Err(error) => tracing::debug!(%error, "a checkpoint was put off"),
        }
    }
}

/// How many pages the log held.
pub(super) fn checkpoint(connection: &Connection, mode: &str) -> Result<i64, rusqlite::Error> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        row.get(1)
    })
}
