//! Moves committed pages from the write-ahead log into the database file, beside the writer.
//!
//! A passive checkpoint never blocks a commit, but under steady writing it never empties the
//! log either. So it also says when the log has grown past [`Pace::restart_pages`]; the writer then
//! finishes the rest itself, which is little, and starts the log over.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

/// When the log is looked at, and when it is too long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) every: Duration,
    pub(super) restart_pages: i64,
    /// How long a log is made before anything is written to it: what it usually grows to.
    pub(super) laid_out_bytes: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            every: Duration::from_millis(250),
            // 16 MiB of pages of 4 KiB: with what comes in until it is looked at again, that is
            // about what is laid out.
            restart_pages: 4_096,
            laid_out_bytes: 32 << 20,
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

fn run(file: &Path, pace: Pace, stopped: &Receiver<()>, restart: &AtomicBool) {
    let mut connection = None;
    let mut is_failing = false;
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(pace.every) {
        match round(&mut connection, file, pace) {
            Ok(too_long) => {
                if too_long {
                    restart.store(true, Ordering::Relaxed);
                }
                if is_failing {
                    tracing::info!("checkpoints go on");
                }
                is_failing = false;
            }
            Err(error) if is_busy(&error) => tracing::debug!(%error, "a checkpoint was put off"),
            Err(error) => {
                // Said once, not four times a second.
                if !is_failing {
                    tracing::warn!(%error, "no checkpoints for now: the write-ahead log grows");
                }
                is_failing = true;
                connection = None;
            }
        }
    }
}

/// One look. Whether the log has grown too long.
pub(super) fn round(
    connection: &mut Option<Connection>,
    file: &Path,
    pace: Pace,
) -> Result<bool, rusqlite::Error> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(Connection::open_with_flags(
            file,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?),
    };
    let too_long = checkpoint(connection, "PASSIVE")? > pace.restart_pages;
    if too_long {
        catch_up(connection)?;
    }
    Ok(too_long)
}

/// Somebody else uses what it needs, which is nothing out of the ordinary.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

/// What was committed during a long checkpoint is moved by a shorter one, and so on: the writer
/// waits for the rest to be moved and synced, which took it 4 to 7 ms after a single one.
fn catch_up(connection: &Connection) -> Result<(), rusqlite::Error> {
    for _ in 0..2 {
        checkpoint(connection, "PASSIVE")?;
    }
    Ok(())
}

/// How long the writer waits for readers to let go of the log. A reader that takes its time (an
/// audit, a shell with an open transaction) must not hold up the sale; the log grows meanwhile.
const RESTART_WAIT: Duration = Duration::from_millis(20);
/// How long anything else waits for a lock, as rusqlite sets it.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// Linux keeps what is written at once in one piece of its cache, up to 2 MiB, and then looks through
/// all of the piece whenever a frame in it is written: that took 45 us a commit of six frames, and
/// takes none with pieces of 32 KiB.
const LAID_OUT_AT_ONCE: usize = 32 << 10;

/// A log that is longer than this holds what a crash has left, and is laid out already.
const LEFT_BEHIND_BYTES: u64 = 1 << 20;

/// Makes the log as long as it will be, with zeros, where the disk has to write no more than the
/// frames themselves when it is synced: a file that grows has its new length written each time,
/// which takes about twice as long. Zeros are no frames, so a log that is read after a crash ends
/// before them. Only while nobody else writes, and nobody reads what is in the log.
pub(super) fn lay_out_log(
    connection: &Connection,
    database: &Path,
    pace: Pace,
) -> std::io::Result<()> {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    let length = || std::fs::metadata(&log).map_or(0, |found| found.len());
    if pace.laid_out_bytes == 0 || length() > LEFT_BEHIND_BYTES {
        return Ok(());
    }
    // Somebody who looks at the store keeps it as it is: then it grows as it always could.
    if let Err(error) = checkpoint(connection, "TRUNCATE") {
        tracing::debug!(%error, "the log could not be emptied");
    }
    if length() > 0 {
        return Ok(());
    }
    let mut file = OpenOptions::new().write(true).open(&log)?;
    let zeros = [0; LAID_OUT_AT_ONCE];
    let mut left = pace.laid_out_bytes;
    while left > 0 {
        let some = left.min(zeros.len());
        file.write_all(&zeros[..some])?;
        left -= some;
    }
    Ok(())
}

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
