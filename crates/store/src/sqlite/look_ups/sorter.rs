//! A thread that sorts the keys of a block and makes its filter: milliseconds that no decision
//! should wait for.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use super::pages::Contents;
use super::sealed::Block;

/// A block's rows, and where to put what they have.
struct Work {
    block: u64,
    rows: Arc<Vec<u8>>,
    room: Contents,
}

/// A block's keys, sorted, and what memory keeps of them.
pub(super) struct Sorted {
    pub(super) contents: Contents,
    /// Nothing of a block without keys.
    pub(super) block: Option<Block>,
}

/// One block at a time: what was given is taken before the next. The thread is started for the
/// first, which most stores that are opened never have.
#[derive(Default)]
pub(super) struct Sorter {
    running: Option<Running>,
    /// Sorted here, because the system has no thread left.
    here: Option<Sorted>,
}

struct Running {
    work: Sender<Work>,
    sorted: Receiver<Sorted>,
    thread: JoinHandle<()>,
}

impl Running {
    fn start() -> std::io::Result<Self> {
        let (work, given) = channel();
        let (done, sorted) = channel();
        let thread = std::thread::Builder::new()
            .name("sorter".into())
            .spawn(move || {
                while let Ok(work) = given.recv() {
                    if done.send(sort(work)).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self {
            work,
            sorted,
            thread,
        })
    }
}

impl Sorter {
    /// The rows of a block, and room for its keys, which is used again.
    pub(super) fn give(&mut self, block: u64, rows: Arc<Vec<u8>>, room: Contents) {
        if self.running.is_none() {
            self.running = Running::start().ok();
        }
        let work = Work { block, rows, room };
        match &self.running {
            Some(running) => {
                let given = running.work.send(work);
                assert!(given.is_ok(), "the thread ends after this");
            }
            None => self.here = Some(sort(work)),
        }
    }

    /// What became of them; waits for it.
    pub(super) fn take(&mut self) -> Sorted {
        let running = self.running.as_ref();
        let sorted = self
            .here
            .take()
            .or_else(|| running.and_then(|running| running.sorted.recv().ok()));
        sorted.expect("something was given, and the thread ends after this")
    }
}

/// The rows are the giver's alone again once this is taken.
fn sort(work: Work) -> Sorted {
    let Work {
        block,
        rows,
        room: mut contents,
    } = work;
    contents.fill(block, &rows);
    let block = Block::of(&contents);
    Sorted { contents, block }
}

impl Drop for Sorter {
    fn drop(&mut self) {
        if let Some(Running { work, thread, .. }) = self.running.take() {
            drop(work);
            let _ = thread.join();
        }
    }
}
