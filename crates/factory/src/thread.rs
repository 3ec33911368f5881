//! The thread that owns the database connection, and the way to ask it.
//!
//! Everything that waits when the thread is free is done in one transaction, and nobody is
//! answered before that has been committed; so one fsync serves them all and the async
//! runtime never waits for a disk. It does not know what the work is.

use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

/// Work that waits for the thread.
const INBOX_MAX: usize = 1_024;
/// Work in one transaction.
const BATCH_MAX: usize = 256;

type Reply = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// Given the connection inside a transaction, or why there is none.
type Work = Box<dyn FnOnce(Result<&Connection, StoreError>) -> Reply + Send>;

#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("too much work is waiting")]
    Busy,
    #[error("the thread of the database has ended")]
    Stopped,
    #[error("the transaction was rolled back for another request's failure")]
    RolledBack,
    #[error(transparent)]
    Failed(Arc<rusqlite::Error>),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(Arc::new(error))
    }
}

/// A handle; the thread ends, after what it was given, when the last one is dropped.
#[derive(Clone)]
pub(crate) struct Worker(mpsc::Sender<Work>);

impl Worker {
    /// Starts the thread. `held` is dropped after the connection.
    pub(crate) fn start(
        connection: Connection,
        held: impl Send + 'static,
    ) -> Result<Self, std::io::Error> {
        let (sender, inbox) = mpsc::channel(INBOX_MAX);
        std::thread::Builder::new()
            .name("factory-db".to_owned())
            .spawn(move || {
                serve(&connection, inbox);
                drop(connection);
                drop(held);
            })?;
        Ok(Self(sender))
    }

    /// For a caller who can be told to come back: [`StoreError::Busy`] at once when too
    /// much is waiting.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (work, answer) = package(work);
        self.0.try_send(work).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => StoreError::Stopped,
        })?;
        answer.await.unwrap_or(Err(StoreError::Stopped))
    }

    /// For work of our own, which waits its turn.
    pub(crate) async fn wait<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (work, answer) = package(work);
        self.0.send(work).await.map_err(|_| StoreError::Stopped)?;
        answer.await.unwrap_or(Err(StoreError::Stopped))
    }
}

fn package<T: Send + 'static>(
    work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
) -> (Work, oneshot::Receiver<Result<T, StoreError>>) {
    let (sender, receiver) = oneshot::channel();
    let work = move |connection: Result<&Connection, StoreError>| -> Reply {
        let outcome = connection
            .and_then(|connection| in_savepoint(connection, work).map_err(StoreError::from));
        Box::new(move |committed| {
            let answer = committed.and(outcome);
            // Whoever asked may have gone; what was done stays done.
            let _gone = sender.send(answer);
        })
    };
    (Box::new(work), receiver)
}

/// Work that fails halfway leaves nothing behind in the transaction it shares.
fn in_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.prepare_cached("SAVEPOINT work")?.execute([])?;
    let outcome = work(connection);
    if outcome.is_err() {
        connection.prepare_cached("ROLLBACK TO work")?.execute([])?;
    }
    connection.prepare_cached("RELEASE work")?.execute([])?;
    outcome
}

fn serve(connection: &Connection, mut inbox: mpsc::Receiver<Work>) {
    let mut batch = Vec::new();
    while let Some(first) = inbox.blocking_recv() {
        batch.push(first);
        while batch.len() < BATCH_MAX
            && let Ok(next) = inbox.try_recv()
        {
            batch.push(next);
        }
        commit(connection, batch.drain(..));
    }
}

fn commit(connection: &Connection, batch: impl Iterator<Item = Work>) {
    let begun = connection
        .execute_batch("BEGIN IMMEDIATE")
        .map_err(StoreError::from);
    let replies: Vec<Reply> = batch
        .map(|work| match &begun {
            Err(error) => work(Err(error.clone())),
            // A full disk or a failed read ends the transaction under the work before
            // this one; what came after would then be committed by itself.
            Ok(()) if connection.is_autocommit() => work(Err(StoreError::RolledBack)),
            Ok(()) => work(Ok(connection)),
        })
        .collect();
    let committed = begun.and_then(|()| Ok(connection.execute_batch("COMMIT")?));
    if committed.is_err() && !connection.is_autocommit() {
        let _nothing_left_to_do = connection.execute_batch("ROLLBACK");
    }
    for reply in replies {
        reply(committed.clone());
    }
}
