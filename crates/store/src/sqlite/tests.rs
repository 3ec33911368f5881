//! The suite on `SQLite`, and what only this store promises.

mod auctions;
mod checkpoints;
mod clearing;
mod look_ups;
mod opening;
mod vintages;

use std::cell::{Cell, RefCell};
use std::path::Path;

use engine::ports::Opened;
use tempfile::TempDir;

use crate::conformance::Harness;

/// Stores in directories of their own. Every other time a store is opened again, it is a copy
/// of the files as they lay there while the first one was open: what a killed process leaves.
#[derive(Default)]
struct OnDisk {
    directories: RefCell<Vec<TempDir>>,
    closed_last: Cell<bool>,
}

impl OnDisk {
    fn newest<T>(&self, of: impl FnOnce(&Path) -> T) -> T {
        of(self.directories.borrow().last().unwrap().path())
    }
}

/// The database and its log, without the lock and without what is shared in memory.
fn copy_as_killed(from: &Path) -> TempDir {
    let to = TempDir::new().unwrap();
    for name in [super::FILE.to_owned(), format!("{}-wal", super::FILE)] {
        std::fs::copy(from.join(&name), to.path().join(&name)).unwrap();
    }
    to
}

impl Harness for OnDisk {
    fn open(&self) -> Opened {
        self.directories.borrow_mut().push(TempDir::new().unwrap());
        self.newest(super::open).unwrap()
    }

    fn reopen(&self, opened: Opened) -> Opened {
        if !self.closed_last.replace(!self.closed_last.get()) {
            let copy = self.newest(copy_as_killed);
            drop(opened);
            self.directories.borrow_mut().push(copy);
        } else {
            drop(opened);
        }
        self.newest(super::open).unwrap()
    }
}

crate::conformance::suite!(OnDisk::default());
