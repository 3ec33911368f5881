//! The same store for several engines: each handle has it for itself from `load` to the end of the
//! batch, as a transaction has the rows it has locked.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use engine::ports::{Changes, Loaded, News, Opened, Others, Reader, Store, StoreError, Touch};

use super::Memory;

/// A store in memory that may be opened many times over.
#[derive(Clone, Default)]
pub struct Shared {
    memory: Memory,
    turn: Arc<Turn>,
    notes: Arc<Mutex<Notes>>,
}

/// Whose batch it is.
#[derive(Default)]
struct Turn {
    is_taken: Mutex<bool>,
    over: Condvar,
}

impl Turn {
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the others are told.
#[derive(Default)]
struct Notes {
    commits: u64,
    /// With the commit that named them last.
    woken: HashMap<String, u64>,
}

/// One of those that write to it.
struct Writer {
    shared: Shared,
    has_turn: bool,
}

impl Shared {
    pub fn open(&self) -> Opened {
        Opened {
            store: Box::new(Writer {
                shared: self.clone(),
                has_turn: false,
            }),
            reader: Arc::new(self.memory.clone()),
            others: Some(Arc::new(self.clone())),
            remembering: None,
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Others for Shared {
    fn news(&self, since: u64) -> Result<News, StoreError> {
        let notes = self.notes();
        let woken = notes.woken.iter().filter(|(_, at)| **at > since);
        Ok(News {
            mark: notes.commits,
            last_seq: self.memory.last_seq()?,
            woken: woken.map(|(queue, _)| queue.clone()).collect(),
        })
    }
}

impl Writer {
    fn take_turn(&mut self) {
        if !self.has_turn {
            let turn = &self.shared.turn;
            let taken = turn.over.wait_while(turn.lock(), |is_taken| *is_taken);
            *taken.unwrap_or_else(PoisonError::into_inner) = true;
            self.has_turn = true;
        }
    }
}

impl Store for Writer {
    fn load(&mut self, touch: &Touch) -> Result<Loaded, StoreError> {
        self.take_turn();
        let loaded = Store::load(&mut self.shared.memory, touch);
        if loaded.is_err() {
            self.release();
        }
        loaded
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), StoreError> {
        self.take_turn();
        let committed = self.shared.memory.commit(changes);
        // Only now: what is told of is there.
        let mut notes = self.shared.notes();
        notes.commits += 1;
        let commit = notes.commits;
        let woken = changes.woken.iter().map(|queue| (queue.clone(), commit));
        notes.woken.extend(woken);
        drop(notes);
        self.release();
        committed
    }

    fn release(&mut self) {
        if std::mem::take(&mut self.has_turn) {
            *self.shared.turn.lock() = false;
            self.shared.turn.over.notify_one();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.release();
    }
}
