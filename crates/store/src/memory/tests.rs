//! The suite, on a store that is opened again by its handle.

use engine::ports::Opened;

use super::Memory;
use crate::conformance::Harness;

/// A crash cannot take what is in memory here: opening it again is another pair of handles.
#[derive(Default)]
struct InMemory {
    newest: std::cell::RefCell<Memory>,
}

impl Harness for InMemory {
    fn open(&self) -> Opened {
        self.newest.replace(Memory::default());
        self.newest.borrow().open()
    }

    fn reopen(&self, opened: Opened) -> Opened {
        drop(opened);
        self.newest.borrow().open()
    }
}

crate::conformance::suite!(InMemory::default());
