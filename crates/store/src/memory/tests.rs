//! The suite, on a store that is opened again by its handle.

use engine::ports::Opened;

use super::{Memory, Shared};
use crate::conformance::Harness;
use crate::conformance::shared::{SharedHarness, shared_suite};

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

/// The same for several.
#[derive(Default)]
struct SharedInMemory {
    newest: std::cell::RefCell<Shared>,
}

impl Harness for SharedInMemory {
    fn open(&self) -> Opened {
        self.newest.replace(Shared::default());
        self.beside()
    }

    fn reopen(&self, opened: Opened) -> Opened {
        drop(opened);
        self.beside()
    }
}

impl SharedHarness for SharedInMemory {
    fn beside(&self) -> Opened {
        self.newest.borrow().open()
    }
}

shared_suite!(SharedInMemory::default());

mod in_turns {
    use super::SharedInMemory;
    use crate::conformance::shared::InTurns;

    crate::conformance::suite!(InTurns(SharedInMemory::default()));
}
