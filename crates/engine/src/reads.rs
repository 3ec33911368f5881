//! The threads that read the store, and who stands in line for them.
//!
//! They are few, they are started as they are needed, and they stay: each has a connection of its
//! own to the store, with what that keeps in memory.

use std::collections::VecDeque;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;

use crate::engine::EngineError;
use crate::ports::{Reader, StoreError};

/// Reads for requests at once: two for each processor, from 4 to 32. More would only take the
/// processors from each other, and from the sequencer.
pub fn reads_at_once() -> usize {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    (2 * processors).clamp(4, 32)
}

/// So many may wait; one more is answered `Overloaded`.
const WAITING_MAX: usize = 8_192;

/// The timers and the relay read beside them, so that nobody who asks for much puts off the end of
/// an auction.
const OWN_READS_MAX: usize = 4;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Lane {
    Requests,
    Own,
}

pub(crate) struct Reads {
    requests: Pool,
    own: Pool,
}

impl Reads {
    pub(crate) fn new(reader: &Arc<dyn Reader>) -> Self {
        Self {
            requests: Pool::new(Arc::clone(reader), reads_at_once(), WAITING_MAX),
            own: Pool::new(Arc::clone(reader), OWN_READS_MAX, usize::MAX),
        }
    }

    /// Has a thread read. Whoever has gone before its turn came is passed over.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        lane: Lane,
        read: impl FnOnce(&dyn Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, EngineError> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move |reader: &dyn Reader| {
            if !answer.is_closed() {
                // Nobody hears it who has gone meanwhile.
                let _ = answer.send(read(reader));
            }
        });
        match lane {
            Lane::Requests => self.requests.push(job)?,
            Lane::Own => self.own.push(job)?,
        }
        let _still = let_time_stand();
        let cut_short = |_| EngineError::Store("a read was cut short".into());
        Ok(answered.await.map_err(cut_short)??)
    }
}

/// Where time is paused, as in tests, it jumps on when the runtime has nothing to do, unless one of its
/// own threads blocks. So one does, until this is dropped; only a runtime of one thread can pause.
fn let_time_stand() -> Option<mpsc::Sender<()>> {
    let runtime = Handle::try_current().ok()?;
    let may_pause = runtime.runtime_flavor() == RuntimeFlavor::CurrentThread;
    may_pause.then(|| {
        let (still, over) = mpsc::channel();
        runtime.spawn_blocking(move || over.recv());
        still
    })
}

type Job = Box<dyn FnOnce(&dyn Reader) + Send>;

struct Pool {
    shared: Arc<Shared>,
    threads_max: usize,
    waiting_max: usize,
}

struct Shared {
    reader: Arc<dyn Reader>,
    line: Mutex<Line>,
    /// A job was added, or there will be none.
    changed: Condvar,
}

#[derive(Default)]
struct Line {
    jobs: VecDeque<Job>,
    threads: usize,
    /// Threads that wait for a job, and how many of those were called to one and are not awake yet.
    idle: usize,
    called: usize,
    closed: bool,
}

impl Pool {
    fn new(reader: Arc<dyn Reader>, threads_max: usize, waiting_max: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                reader,
                line: Mutex::default(),
                changed: Condvar::new(),
            }),
            threads_max,
            waiting_max,
        }
    }

    fn push(&self, job: Job) -> Result<(), EngineError> {
        let mut line = self.shared.line();
        if line.jobs.len() >= self.waiting_max {
            return Err(EngineError::Overloaded);
        }
        line.jobs.push_back(job);
        if line.idle > line.called {
            line.called += 1;
            drop(line);
            self.shared.changed.notify_one();
        } else if line.threads < self.threads_max {
            let shared = Arc::clone(&self.shared);
            let started = thread::Builder::new()
                .name("reader".into())
                .spawn(move || shared.work());
            match started {
                Ok(_) => line.threads += 1,
                // The others take it, if there are any.
                Err(_) if line.threads > 0 => {}
                Err(error) => {
                    line.jobs.pop_back();
                    let what = format!("no thread to read with: {error}");
                    return Err(EngineError::Store(what.into()));
                }
            }
        }
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.line().closed = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            // The answer goes with the panic that it did not outlive, and whoever waits is told.
            let _ = catch_unwind(AssertUnwindSafe(|| job(&*self.reader)));
        }
    }

    fn next(&self) -> Option<Job> {
        let mut line = self.line();
        loop {
            if let Some(job) = line.jobs.pop_front() {
                return Some(job);
            }
            if line.closed {
                return None;
            }
            line.idle += 1;
            line = (self.changed.wait(line)).unwrap_or_else(PoisonError::into_inner);
            line.idle -= 1;
            // Who wakes uncalled makes one call too many of it, which does no harm.
            line.called = line.called.saturating_sub(1);
        }
    }
}
