//! The suite on `SQLite`, and what only this store promises.

mod auctions;
mod checkpoints;
mod clearing;
mod closing;
mod key_pages;
mod look_ups;
mod opening;
mod remembered;
mod sealed_keys;
mod sealed_model;
mod vintages;

use std::cell::{Cell, RefCell};
use std::path::Path;

use engine::ports::Opened;
use tempfile::TempDir;

use super::BlockSizes;

use crate::conformance::Harness;

/// Stores in directories of their own. Every other time a store is opened again, it is a copy
/// of the files as they lay there while the first one was open: what a killed process leaves.
#[derive(Default)]
struct OnDisk {
    sizes: BlockSizes,
    directories: RefCell<Vec<TempDir>>,
    closed_last: Cell<bool>,
}

/// A block is full after a few look-ups, the next one before it is on disk, and everything that is
/// made of blocks is crowded.
const TINY: BlockSizes = BlockSizes {
    rows: 3,
    sorted_after: 1,
    pages_at_once: 1,
    page_rows: 2,
    generation_keys: 7,
    sketch_lines: 1,
    counts_max: 6,
};

impl OnDisk {
    fn with_tiny_blocks() -> Self {
        Self {
            sizes: TINY,
            ..Self::default()
        }
    }

    fn open_newest(&self) -> Opened {
        self.newest(|directory| super::open_sized(directory, self.sizes))
            .unwrap()
    }

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
        self.open_newest()
    }

    fn reopen(&self, opened: Opened) -> Opened {
        if !self.closed_last.replace(!self.closed_last.get()) {
            let copy = self.newest(copy_as_killed);
            drop(opened);
            self.directories.borrow_mut().push(copy);
        } else {
            drop(opened);
        }
        self.open_newest()
    }
}

crate::conformance::suite!(OnDisk::default());

mod with_tiny_blocks {
    use super::OnDisk;

    crate::conformance::suite! { OnDisk::with_tiny_blocks(),
        keys_are_found_until_they_expire,
        keys_that_share_their_first_half_are_told_apart,
        customers_hold_the_keys_that_are_still_live,
        purchases_count_what_was_not_given_back,
        purchases_from_before_the_limit_count,
        keys_of_bids_are_found_until_they_expire,
        an_auction_is_found_by_the_key_that_made_it,
        orders_carry_what_became_of_them,
        many_readers_do_not_disturb_the_writer,
    }
}
