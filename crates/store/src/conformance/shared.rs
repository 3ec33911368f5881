//! A store that several processes write to: what each of them commits, the next batch of any other
//! finds, and nobody has half of a batch taken from under it.
//!
//! Two things for such a store: [`InTurns`] runs all other checks on two handles by turns, so that
//! whatever one of them has cached is what the other has changed since; and `shared_suite!` adds what
//! `engine::ports::Others` asks for.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use commerce::Product;
use engine::Entry;
use engine::ports::{Changes, Durability, Loaded, News, Opened, Others, Store, StoreError, Touch};

use super::script::{START, Script, new_product, queue, sku};
use super::{Harness, load};

/// How such a store is opened.
pub(crate) trait SharedHarness: Harness {
    /// The newest store once more, beside those that have it open, as another process would.
    fn beside(&self) -> Opened;
}

/// Nothing here takes longer, or it has gone wrong.
const PATIENCE: Duration = Duration::from_secs(30);

/// So long a batch is watched being kept waiting.
const WATCHED: Duration = Duration::from_millis(50);

/// Every batch on the other handle than the one before.
pub(crate) struct InTurns<H>(pub(crate) H);

impl<H: SharedHarness> InTurns<H> {
    fn both(&self, first: Opened) -> Opened {
        let second = self.0.beside();
        Opened {
            store: Box::new(Turns {
                stores: [first.store, second.store],
                turn: 0,
                has_loaded: false,
                touch: Touch::default(),
            }),
            reader: first.reader,
            others: first.others,
            remembering: None,
        }
    }
}

impl<H: SharedHarness> Harness for InTurns<H> {
    fn open(&self) -> Opened {
        self.both(self.0.open())
    }

    fn reopen(&self, opened: Opened) -> Opened {
        self.both(self.0.reopen(opened))
    }
}

struct Turns {
    stores: [Box<dyn Store>; 2],
    turn: usize,
    has_loaded: bool,
    /// Of the newest load.
    touch: Touch,
}

impl Turns {
    fn current(&mut self) -> &mut dyn Store {
        &mut *self.stores[self.turn]
    }

    /// Whoever has loaded writes, and else the next one. Before it does, both look once more at what
    /// was looked at last: what they remember of that is about to change.
    fn writer(&mut self) -> &mut dyn Store {
        if self.has_loaded {
            self.release();
        } else {
            self.turn ^= 1;
        }
        for store in &mut self.stores {
            store.load(&self.touch).unwrap();
            store.release();
        }
        self.current()
    }
}

impl Store for Turns {
    fn load(&mut self, touch: &Touch) -> Result<Loaded, StoreError> {
        self.release();
        self.turn ^= 1;
        self.has_loaded = true;
        self.touch = touch.clone();
        self.current().load(touch)
    }

    fn release(&mut self) {
        if std::mem::take(&mut self.has_loaded) {
            self.current().release();
        }
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), StoreError> {
        self.writer().commit(changes)
    }

    fn append(&mut self, changes: &Changes) -> Result<Option<Arc<dyn Durability>>, StoreError> {
        self.writer().append(changes)
    }
}

/// One test for each check of a store that several processes write to.
macro_rules! shared_suite {
    ($harness:expr) => {
        $crate::conformance::suite! { $harness,
            a_batch_has_the_store_until_it_ends,
            two_writers_leave_no_gap_and_lose_nothing,
            what_was_committed_is_news_once,
        }
    };
}
pub(crate) use shared_suite;

fn everything() -> Touch {
    Touch {
        products: vec![sku("A")],
        now: START,
        ..Touch::default()
    }
}

/// The next entry of the log.
fn next_entry(loaded: &Loaded) -> Entry {
    let mut script = Script::new();
    script.seq = loaded.last_seq;
    script.note();
    script.changes.entries.remove(0)
}

/// How a batch ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Appended,
    Released,
    /// The process is gone.
    Dropped,
}

pub(crate) fn a_batch_has_the_store_until_it_ends(harness: &dyn SharedHarness) {
    for end in [End::Appended, End::Released, End::Dropped] {
        let mut opened = harness.open();
        let mut beside = harness.beside();
        let loaded = load(&mut opened, &everything());
        let (sender, found) = channel();
        // Not waited for if it never comes to its end.
        let other = thread::spawn(move || {
            let loaded = load(&mut beside, &everything());
            let _ = sender.send(loaded.last_seq);
            beside
        });
        assert_eq!(
            found.recv_timeout(WATCHED),
            Err(RecvTimeoutError::Timeout),
            "{end:?}: the other has it, too"
        );
        let expected = match end {
            End::Appended => {
                let changes = Changes {
                    entries: vec![next_entry(&loaded)],
                    ..Changes::default()
                };
                let durability = opened.store.append(&changes).unwrap();
                assert!(durability.is_none(), "others can read it: it is durable");
                1
            }
            End::Released => {
                opened.store.release();
                0
            }
            End::Dropped => {
                drop(opened.store);
                0
            }
        };
        let found = found.recv_timeout(PATIENCE);
        assert_eq!(found, Ok(expected), "{end:?}");
        drop(other.join().unwrap());
    }
}

/// Batches of each of two.
const BATCHES: u64 = 200;

pub(crate) fn two_writers_leave_no_gap_and_lose_nothing(harness: &dyn SharedHarness) {
    let mut opened = harness.open();
    let mut beside = harness.beside();
    let mut script = Script::new();
    script.product(new_product(1, "A"));
    script.commit(&mut opened);
    let counts = |opened: &mut Opened| {
        for n in 0..BATCHES {
            let loaded = load(opened, &everything());
            if n % 5 == 0 {
                opened.store.release();
                continue;
            }
            let mut product: Product = loaded.products[&sku("A")].product.clone();
            product.grants.mean_ms += 1;
            // Whoever is not kept out comes now.
            thread::yield_now();
            let changes = Changes {
                entries: vec![next_entry(&loaded)],
                products: vec![product],
                ..Changes::default()
            };
            assert!(opened.store.append(&changes).unwrap().is_none());
            assert!(opened.reader.last_seq().unwrap() > loaded.last_seq);
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| counts(&mut beside));
        counts(&mut opened);
    });
    let written = 2 * (BATCHES - BATCHES / 5);
    for opened in [&mut opened, &mut beside] {
        let log = opened.reader.entries(0, usize::MAX >> 1).unwrap();
        let seqs: Vec<u64> = log.iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, (1..=1 + written).collect::<Vec<_>>());
        let loaded = load(opened, &everything());
        opened.store.release();
        assert_eq!(loaded.last_seq, 1 + written);
        let product = &loaded.products[&sku("A")].product;
        assert_eq!(product.grants.mean_ms, written);
    }
}

fn news(others: &Arc<dyn Others>, since: u64) -> News {
    let mut news = others.news(since).unwrap();
    news.woken.sort();
    news
}

pub(crate) fn what_was_committed_is_news_once(harness: &dyn SharedHarness) {
    let mut opened = harness.open();
    let mut beside = harness.beside();
    let others = opened.others.clone().expect("others write to it");
    assert!(beside.others.is_some());
    let mut script = Script::new();
    script.put_queue(&queue(1, "q", None));
    script.put_queue(&queue(2, "r", None));
    script.commit(&mut opened);
    let begin = news(&others, 0);
    assert_eq!((begin.last_seq, &begin.woken[..]), (0, &[][..]));
    // Of the log, of a queue, of both, of neither.
    let mut mark = begin.mark;
    for (entries, woken) in [
        (2, &[][..]),
        (0, &["q"][..]),
        (1, &["q", "r"][..]),
        (0, &[][..]),
        (0, &["r"][..]),
    ] {
        (0..entries).for_each(|_| script.note());
        script.changes.woken = strings(woken);
        script.changes.probe = Some(START);
        script.commit(&mut beside);
        let found = news(&others, mark);
        assert_eq!(
            (found.last_seq, &found.woken[..]),
            (script.seq, &strings(woken)[..])
        );
        mark = found.mark;
        let again = news(&others, mark);
        assert_eq!((again.last_seq, &again.woken[..]), (script.seq, &[][..]));
    }
    // Who looked long ago hears all of it, each queue once.
    assert_eq!(news(&others, begin.mark).woken, ["q", "r"]);
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}
