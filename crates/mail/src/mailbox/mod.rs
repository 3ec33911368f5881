//! E-mails as files, `<id>.eml`, in one directory: for development, for the operations page,
//! and for machines from which something else fetches them.
//!
//! What always holds: a file is whole or not there, also after a power failure; there are at
//! most as many as the bound says, and who writes one does not look at all of them; those that are
//! too old go with each new one; an e-mail that is
//! there already is not written again, and the name of a file is an id that was checked, so that
//! none leads out of the directory.

mod stored;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::compose::Composed;
use crate::message::is_id;
use crate::outcome::{Failure, FailureCause, Outcome};
use crate::transport::Transport;

pub use stored::Stored;

/// Of one listing.
const LISTED_MAX: usize = 200;
/// Of a file that is read back: more than the largest e-mail that is written.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How long an e-mail is kept, as the table of those that were sent keeps it.
const KEPT: Duration = Duration::from_secs(90 * 24 * 3_600);
/// Removed with each new one.
const REMOVED_MAX: usize = 100;

/// What happens to an e-mail for which there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// It is a failure, until somebody fetches some: nothing is lost.
    Fail,
    /// The oldest goes: for a demonstration.
    RemoveOldest,
}

/// A directory of e-mails. Clones share it; other processes should not write to it.
#[derive(Debug, Clone)]
pub struct Mailbox {
    directory: Arc<Path>,
    files_max: usize,
    when_full: WhenFull,
    /// One at a time counts and writes.
    writing: Arc<Mutex<Known>>,
}

/// What is in the directory, as far as is known without looking: at least what is there, since
/// others only fetch. To look for each e-mail would cost as much as there are.
#[derive(Debug, Default)]
struct Known {
    /// Oldest first; none before the first look.
    files: Option<VecDeque<Old>>,
}

/// A file and when it was written.
type Old = (SystemTime, PathBuf);

/// The newest e-mails of the mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Newest first.
    pub mails: Vec<Stored>,
    /// Of all that are there.
    pub total: usize,
}

struct File {
    id: String,
    path: PathBuf,
    written_at: SystemTime,
}

impl Mailbox {
    /// The directory is made when the first e-mail comes.
    pub fn new(directory: impl Into<PathBuf>, files_max: usize, when_full: WhenFull) -> Self {
        assert!(files_max > 0, "a mailbox holds something");
        Self {
            directory: directory.into().into(),
            files_max,
            when_full,
            writing: Arc::default(),
        }
    }

    /// The newest e-mails, at most 200.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn list(&self, at_most: usize) -> io::Result<Listed> {
        let mailbox = self.clone();
        blocking(move || {
            let mut files = mailbox.files()?;
            let total = files.len();
            files.sort_by(|a, b| (b.written_at, &b.id).cmp(&(a.written_at, &a.id)));
            files.truncate(at_most.min(LISTED_MAX));
            let mut mails = Vec::with_capacity(files.len());
            for file in files {
                // One that was fetched meanwhile is not there any more.
                mails.extend(read(&file.path, file.id)?);
            }
            Ok(Listed { mails, total })
        })
        .await
    }

    /// One e-mail, if it is there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn read(&self, id: &str) -> io::Result<Option<Stored>> {
        if !is_id(id) {
            return Ok(None);
        }
        let (path, id) = (self.path(id), id.to_owned());
        blocking(move || read(&path, id)).await
    }

    fn path(&self, id: &str) -> PathBuf {
        self.directory.join(format!("{id}.eml"))
    }

    fn files(&self) -> io::Result<Vec<File>> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".eml"));
            let Some(id) = id.filter(|id| is_id(id)) else {
                continue;
            };
            match entry.metadata().and_then(|metadata| metadata.modified()) {
                Ok(written_at) => files.push(File {
                    id: id.to_owned(),
                    path: entry.path(),
                    written_at,
                }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(files)
    }

    fn write(&self, id: &str, bytes: &[u8]) -> io::Result<Outcome> {
        let mut known = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let delivered = Outcome::Delivered {
            reply: String::new(),
        };
        let path = self.path(id);
        if path.try_exists()? {
            return Ok(delivered);
        }
        fs::create_dir_all(&self.directory)?;
        if !self.make_room(&mut known)? {
            let text = format!("the mailbox holds {} e-mails", self.files_max);
            return Ok(Failure::new(FailureCause::Full, text).into());
        }
        let beside = self.directory.join(format!("{id}.tmp"));
        let mut file = fs::File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        let written_at = file.metadata()?.modified()?;
        fs::rename(&beside, &path)?;
        if let Some(files) = &mut known.files {
            files.push_back((written_at, path));
        }
        sync_directory(&self.directory)?;
        Ok(delivered)
    }

    /// Whether one more may be written.
    fn make_room(&self, known: &mut Known) -> io::Result<bool> {
        // Not known any more, if this fails half-way.
        let mut files = match known.files.take() {
            Some(files) => files,
            None => self.look()?,
        };
        let fails = self.when_full == WhenFull::Fail;
        if fails && files.len() >= self.files_max {
            // Somebody may have fetched some.
            files = self.look()?;
        }
        let is_old = |(written_at, _): &&Old| written_at.elapsed().is_ok_and(|age| age > KEPT);
        let old = files.iter().take_while(is_old).count().min(REMOVED_MAX);
        let too_many = (files.len() + 1).saturating_sub(self.files_max);
        let (removed, has_room) = match self.when_full {
            WhenFull::Fail => (old, old >= too_many),
            WhenFull::RemoveOldest => (old.max(too_many), true),
        };
        for (_, path) in files.drain(..removed) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        known.files = Some(files);
        Ok(has_room)
    }

    fn look(&self) -> io::Result<VecDeque<Old>> {
        let mut files = self.files()?;
        files.sort_by(|a, b| (a.written_at, &a.id).cmp(&(b.written_at, &b.id)));
        let files = files.into_iter();
        Ok(files.map(|file| (file.written_at, file.path)).collect())
    }
}

impl Transport for Mailbox {
    fn send<'a>(&'a self, mail: &'a Composed) -> BoxFuture<'a, Outcome> {
        async move {
            let (mailbox, mail) = (self.clone(), mail.clone());
            blocking(move || mailbox.write(mail.id(), mail.bytes()))
                .await
                .unwrap_or_else(|error| {
                    Failure::new(FailureCause::Storage, format!("the mailbox: {error}")).into()
                })
        }
        .boxed()
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn read(path: &Path, id: String) -> io::Result<Option<Stored>> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(Some(Stored::parse(id, bytes)))
}

/// So that the name is there after a power failure, and not only what it names.
#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}

/// Elsewhere a directory cannot be opened for that.
#[cfg(not(unix))]
fn sync_directory(_directory: &Path) -> io::Result<()> {
    Ok(())
}
