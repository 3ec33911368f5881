//! Moves committed pages from the write-ahead log into the database file, beside the writer.
//!
//! A passive checkpoint never blocks a commit, but under steady writing it never empties the
//! log either. So it also says when the log has grown past [`Pace::restart_pages`]; the writer then
//! finishes the rest itself, which is little, and starts the log over.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

/// When the log is looked at, and when it is too long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) every: Duration,
    pub(super) restart_pages: i64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            every: Duration::from_millis(250),
            // 64 MiB of pages of 4 KiB.
            restart_pages: 16_384,
        }
    }
}

pub(super) struct Checkpointer {
    pub(super) restart: Arc<AtomicBool>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(super) fn start(file: &Path, pace: Pace) -> std::io::Result<Self> {
        let restart = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = channel();
        let (file, flag) = (file.to_owned(), Arc::clone(&restart));
        let thread = std::thread::Builder::new()
            .name("checkpoint".into())
            .spawn(move || run(&file, pace, &stopped, &flag))?;
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

fn run(file: &PathBuf, pace: Pace, stopped: &Receiver<()>, restart: &AtomicBool) {
    let connection = match Connection::open(file) {
        Ok(connection) => connection,
        Err(error) => {
            tracing::warn!(%error, "no checkpoints: the log will grow until the next start");
            return;
        }
    };
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(pace.every) {
        match checkpoint(&connection, "PASSIVE") {
            Ok(pages) => {
                if pages > pace.restart_pages {
                    restart.store(true, Ordering::Relaxed);
                }
            }
            Err(error) => tracing::debug!(%error, "a checkpoint was put off"),
        }
    }
}

/// How long the writer waits for readers to let go of the log. A reader that takes its time (an
/// audit, a shell with an open transaction) must not hold up the sale; the log grows meanwhile.
const RESTART_WAIT: Duration = Duration::from_millis(20);
/// How long anything else waits for a lock, as rusqlite sets it.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// Moves the rest of the log and has the next commit begin it anew.
pub(super) fn restart_log(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(RESTART_WAIT)?;
    let result = checkpoint(connection, "RESTART");
    connection.busy_timeout(BUSY_WAIT)?;
    result.map(|_| ())
}

/// How many pages the log held.
fn checkpoint(connection: &Connection, mode: &str) -> Result<i64, rusqlite::Error> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        row.get(1)
    })
}
