//! Who reads at once, and who waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};

use engine::{Engine, EngineError, reads_at_once};
use tokio::task::JoinHandle;

use crate::rig::{PATIENCE, Place, Rig, runtime, within};

/// What `docs/ARCHITECTURE.md` says.
const MAY_WAIT: usize = 8_192;

/// Reads that take as long as the test wants.
#[derive(Default)]
struct Slow {
    asked: AtomicUsize,
    begun: AtomicUsize,
    over: Mutex<bool>,
    changed: Condvar,
}

impl Slow {
    fn read(self: &Arc<Self>, engine: &Engine) -> JoinHandle<Result<u64, EngineError>> {
        let (slow, engine) = (Arc::clone(self), engine.clone());
        tokio::spawn(async move {
            slow.asked.fetch_add(1, Ordering::SeqCst);
            let read = engine.read(move |reader| {
                slow.begun.fetch_add(1, Ordering::SeqCst);
                let over = slow.over.lock().unwrap();
                let waited = slow
                    .changed
                    .wait_timeout_while(over, PATIENCE, |over| !*over);
                assert!(!waited.unwrap().1.timed_out(), "nobody ended the reads");
                reader.last_seq()
            });
            read.await
        })
    }

    async fn begun(&self, count: usize) {
        within(async {
            while self.begun.load(Ordering::SeqCst) < count {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    fn end(&self) {
        *self.over.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

#[test]
fn timers_do_not_stand_in_line_with_those_who_ask() {
    runtime().block_on(async {
        let rig = Rig::new(Place::disk());
        let slow = Arc::new(Slow::default());
        let reads: Vec<_> = (0..2 * reads_at_once())
            .map(|_| slow.read(rig.engine()))
            .collect();
        slow.begun(reads_at_once()).await;
        let own = within(rig.engine().read_own(|reader| reader.last_seq())).await;
        assert!(own.is_ok());
        assert_eq!(slow.begun.load(Ordering::SeqCst), reads_at_once());
        slow.end();
        for read in reads {
            assert!(within(read).await.unwrap().is_ok());
        }
    });
}

#[test]
fn a_read_whose_reader_has_gone_counts_until_it_ends() {
    runtime().block_on(async {
        let rig = Rig::new(Place::disk());
        let slow = Arc::new(Slow::default());
        let gone: Vec<_> = (0..reads_at_once())
            .map(|_| slow.read(rig.engine()))
            .collect();
        slow.begun(reads_at_once()).await;
        for read in gone {
            read.abort();
            assert!(read.await.unwrap_err().is_cancelled());
        }
        let after = slow.read(rig.engine());
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(slow.begun.load(Ordering::SeqCst), reads_at_once());
        slow.end();
        assert!(within(after).await.unwrap().is_ok());
    });
}

#[test]
fn one_who_would_wait_behind_thousands_is_told_so_at_once() {
    // On one thread, a task that has said that it asks stands in line when another one runs.
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(async {
        let rig = Rig::new(Place::disk());
        let slow = Arc::new(Slow::default());
        let reads: Vec<_> = (0..reads_at_once())
            .map(|_| slow.read(rig.engine()))
            .collect();
        slow.begun(reads_at_once()).await;
        let waiting: Vec<_> = (0..MAY_WAIT).map(|_| slow.read(rig.engine())).collect();
        within(async {
            while slow.asked.load(Ordering::SeqCst) < reads_at_once() + MAY_WAIT {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let refused = within(rig.engine().read(|reader| reader.last_seq())).await;
        assert!(
            matches!(refused, Err(EngineError::Overloaded)),
            "{refused:?}"
        );
        slow.end();
        for read in reads.into_iter().chain(waiting) {
            assert!(within(read).await.unwrap().is_ok());
        }
        let after = within(rig.engine().read(|reader| reader.last_seq())).await;
        assert!(after.is_ok());
    });
}

#[test]
fn who_has_gone_before_its_turn_is_passed_over() {
    runtime().block_on(async {
        let rig = Rig::new(Place::disk());
        let slow = Arc::new(Slow::default());
        let count = reads_at_once();
        let reads: Vec<_> = (0..count).map(|_| slow.read(rig.engine())).collect();
        slow.begun(count).await;
        let gone = slow.read(rig.engine());
        within(async {
            while slow.asked.load(Ordering::SeqCst) <= count {
                tokio::task::yield_now().await;
            }
        })
        .await;
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        let after = slow.read(rig.engine());
        slow.end();
        for read in reads.into_iter().chain([after]) {
            assert!(within(read).await.unwrap().is_ok());
        }
        assert_eq!(slow.begun.load(Ordering::SeqCst), count + 1);
    });
}

#[test]
fn a_read_that_fails_by_a_mistake_costs_no_thread() {
    runtime().block_on(async {
        let rig = Rig::new(Place::disk());
        for _ in 0..2 * reads_at_once() {
            let read = rig
                .engine()
                .read::<u64, _>(|_| panic!("a mistake, on purpose"));
            let error = within(read).await.unwrap_err();
            assert!(matches!(error, EngineError::Store(_)), "{error:?}");
        }
        assert!(
            within(rig.engine().read(|reader| reader.last_seq()))
                .await
                .is_ok()
        );
    });
}

#[test]
fn the_threads_that_read_end_with_the_engine() {
    runtime().block_on(async {
        let rig = Rig::new(Place::disk());
        let (held, ended) = std::sync::mpsc::channel::<()>();
        // A thread that ends drops what is its own.
        std::thread_local!(static HELD: std::cell::RefCell<Option<std::sync::mpsc::Sender<()>>> =
            const { std::cell::RefCell::new(None) });
        let read = rig.engine().read(move |reader| {
            HELD.set(Some(held));
            reader.last_seq()
        });
        assert!(within(read).await.is_ok());
        drop(rig);
        assert_eq!(
            ended.recv_timeout(PATIENCE),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected)
        );
    });
}
