//! The factory's settings and why it may not open with them.

use std::path::PathBuf;
use std::time::Duration;

use outgoing::{AllowedHosts, Timeouts};

/// The longest lead time and the longest time that callbacks are tried.
pub const LEAD_TIME_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The most jobs that a setting may allow to be open.
pub const JOBS_OPEN_MAX: u32 = 1_000_000;

/// The factory's settings; [`Config::new`] has the defaults.
#[derive(Debug, Clone)]
pub struct Config {
    /// The directory for `factory.db` and its lock; made when it is missing.
    pub data: PathBuf,
    /// From acceptance to production. Default 10 s, at most [`LEAD_TIME_MAX`].
    pub lead_time: Duration,
    /// How long after production the callback is tried. Default 24 h, at most
    /// [`LEAD_TIME_MAX`].
    pub callback_give_up: Duration,
    /// The hosts a callback may go to. Default: this machine.
    pub allowed: AllowedHosts,
    /// Of one callback. Default 2 s to connect, 10 s in all.
    pub timeouts: Timeouts,
    /// Jobs not yet delivered or abandoned; one more is answered 503. Default 10,000, from
    /// 1 to [`JOBS_OPEN_MAX`].
    pub jobs_open_max: u32,
    /// How long a finished job is kept, and so how long its `CallbackUrl` is the same job.
    /// Default 30 days.
    pub keep_finished: Duration,
}

impl Config {
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            lead_time: Duration::from_secs(10),
            callback_give_up: Duration::from_secs(24 * 60 * 60),
            allowed: AllowedHosts::default(),
            timeouts: Timeouts::default(),
            jobs_open_max: 10_000,
            keep_finished: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }

    pub(crate) fn check(&self) -> Result<(), OpenError> {
        let refuse = |name, reason| Err(OpenError::Setting { name, reason });
        if self.lead_time > LEAD_TIME_MAX {
            return refuse("lead_time", "is longer than 366 days");
        }
        if self.callback_give_up > LEAD_TIME_MAX {
            return refuse("callback_give_up", "is longer than 366 days");
        }
        if !(1..=JOBS_OPEN_MAX).contains(&self.jobs_open_max) {
            return refuse("jobs_open_max", "is not from 1 to 1000000");
        }
        if self.timeouts.connect.is_zero() || self.timeouts.total.is_zero() {
            return refuse("timeouts", "leave no time for an answer");
        }
        Ok(())
    }
}

/// Why the factory did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the setting {name} {reason}")]
    Setting {
        name: &'static str,
        reason: &'static str,
    },
    #[error("the data directory {path} cannot be used")]
    Directory {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// Another process, or another factory in this one, has the directory open.
    #[error("the data directory {path} is in use by another factory")]
    Locked { path: PathBuf },
    #[error("the database {path} cannot be opened")]
    Database {
        path: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
    /// The file was written by a later version, which may mean something else by it.
    #[error("the database {path} has schema version {found}, this program knows {known}")]
    Newer {
        path: PathBuf,
        found: i64,
        known: i64,
    },
    #[error("the thread of the database cannot be started")]
    Thread(#[source] std::io::Error),
    #[error(transparent)]
    Client(#[from] outgoing::BuildError),
}
