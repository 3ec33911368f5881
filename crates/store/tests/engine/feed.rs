//! A tail sees every entry once, in order, from wherever it begins and however far behind it is.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use commerce::WhenSoldOut;
use engine::feed::{FEED_BATCHES, Tail};
use engine::{Command, Entry};

use crate::damage::forger::Forger;
use crate::rig::{Place, Rig, create, order_of, receive, runtime, within};

/// Asks one time.
async fn once<T>(mut asked: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    poll_fn(|context| Poll::Ready(asked.as_mut().poll(context))).await
}

/// Reads until this sequence was seen.
pub(crate) async fn read_to(tail: &mut Tail, last: u64) -> Vec<Entry> {
    let mut seen: Vec<Entry> = Vec::new();
    while seen.last().is_none_or(|entry| entry.seq < last) {
        let batch = within(tail.next())
            .await
            .unwrap()
            .expect("the engine is there");
        assert!(!batch.is_empty(), "a batch has one entry at least");
        seen.extend(batch.iter().map(|entry| (**entry).clone()));
    }
    seen
}

#[test]
fn a_tail_begins_anywhere() {
    runtime().block_on(async {
        for place in Place::both() {
            let mut rig = Rig::new(place);
            rig.done(create("A", 5, WhenSoldOut::Reject)).await;
            let orders = |count| {
                (0..count)
                    .map(|_| Command::PlaceOrder(order_of("A")))
                    .collect()
            };
            rig.batch(orders(30)).await;
            rig.restart().await;
            assert_eq!(rig.engine().feed().last_seq(), 31);
            // From the store, from the feed, and from both.
            let mut tails: Vec<(u64, Tail)> = [0, 1, 17, 30, 31, 40]
                .map(|seq| (seq, rig.engine().feed().tail(seq, rig.reader())))
                .into();
            for _ in 0..3 {
                rig.batch(orders(10)).await;
            }
            let log = rig.reader().entries(0, 1_000).unwrap();
            assert_eq!(log.len(), 61);
            for (after, tail) in &mut tails {
                let at = usize::try_from(*after).unwrap();
                assert_eq!(read_to(tail, 61).await, log[at..], "after {after}");
            }
            // And on.
            rig.batch(orders(5)).await;
            for (_, tail) in &mut tails {
                let seen = read_to(tail, 66).await;
                assert_eq!(seen, rig.reader().entries(61, 10).unwrap());
            }
        }
    });
}

#[test]
fn a_tail_that_is_read_while_entries_come_has_no_gap() {
    runtime().block_on(async {
        for place in Place::both() {
            let rig = Rig::new(place);
            rig.done(create("A", 5, WhenSoldOut::Wait)).await;
            let readers: Vec<_> = [0, 100, 200]
                .map(|after| {
                    let mut tail = rig.engine().feed().tail(after, rig.reader());
                    tokio::spawn(async move { (after, read_to(&mut tail, 401).await) })
                })
                .into();
            for _ in 0..40 {
                rig.batch(
                    (0..10)
                        .map(|_| Command::PlaceOrder(order_of("A")))
                        .collect(),
                )
                .await;
            }
            let log = rig.reader().entries(0, 1_000).unwrap();
            for reader in readers {
                let (after, seen) = within(reader).await.unwrap();
                assert_eq!(seen, log[usize::try_from(after).unwrap()..401]);
            }
        }
    });
}

#[test]
fn a_tail_that_lags_behind_the_feed_reads_the_store() {
    runtime().block_on(async {
        let rig = Rig::new(Place::memory());
        rig.done(create("A", 0, WhenSoldOut::Reject)).await;
        let mut lagging = rig.engine().feed().tail(0, rig.reader());
        let mut half_read = rig.engine().feed().tail(0, rig.reader());
        read_to(&mut half_read, 1).await;
        let batches = u64::try_from(FEED_BATCHES).unwrap() * 2 + 100;
        for delivery in 1..=batches {
            rig.done(receive("A", 1, &delivery.to_string())).await;
            if delivery == 50 {
                read_to(&mut half_read, 40).await;
            }
        }
        let log = rig.reader().entries(0, usize::MAX >> 1).unwrap();
        assert_eq!(log.len() as u64, batches + 1);
        assert_eq!(read_to(&mut lagging, batches + 1).await, log);
        let rest = read_to(&mut half_read, batches + 1).await;
        let begun = usize::try_from(rest[0].seq).unwrap() - 1;
        assert!(begun >= 40);
        assert_eq!(rest, log[begun..]);
        // Both are up to date: what comes now comes from the feed.
        rig.done(receive("A", 1, "one more")).await;
        for tail in [&mut lagging, &mut half_read] {
            let seen = read_to(tail, batches + 2).await;
            assert_eq!(seen.len(), 1);
        }
    });
}

#[test]
fn a_tail_from_the_future_waits_for_it() {
    runtime().block_on(async {
        let rig = Rig::new(Place::memory());
        rig.done(create("A", 5, WhenSoldOut::Reject)).await;
        let mut never = rig.engine().feed().tail(u64::MAX, rig.reader());
        let mut soon = rig.engine().feed().tail(3, rig.reader());
        let never = tokio::spawn(async move { never.next().await.map(|batch| batch.is_some()) });
        for _ in 0..5 {
            rig.order(order_of("A")).await;
        }
        let seen = read_to(&mut soon, 6).await;
        assert_eq!(
            seen.iter().map(|entry| entry.seq).collect::<Vec<_>>(),
            [4, 5, 6]
        );
        assert!(!never.is_finished());
        drop(soon);
        // It ends with the engine.
        rig.engine().stop().await;
        drop(rig);
        assert!(!within(never).await.unwrap().unwrap());
    });
}

#[test]
fn whoever_stops_waiting_goes_on_with_what_was_being_read() {
    runtime().block_on(async {
        let rig = Rig::new(Place::memory());
        rig.done(create("A", 5, WhenSoldOut::Reject)).await;
        rig.order(order_of("A")).await;
        let mut slow = Forger::of(&*rig.reader());
        slow.takes = Duration::from_millis(50);
        let slow = Arc::new(slow);
        let mut tail = rig.engine().feed().tail(0, Arc::<Forger>::clone(&slow));
        let waited_for_again_and_again = async {
            loop {
                let asked = pin!(tail.next());
                if let Poll::Ready(batch) = once(asked).await {
                    return batch.unwrap().expect("the engine is there");
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        assert_eq!(within(waited_for_again_and_again).await.len(), 2);
        assert_eq!(slow.asked.load(Ordering::Relaxed), 1);
        rig.order(order_of("A")).await;
        assert_eq!(read_to(&mut tail, 3).await.len(), 1);
    });
}

#[test]
fn a_read_that_fails_is_asked_for_again() {
    runtime().block_on(async {
        let rig = Rig::new(Place::disk());
        rig.done(create("A", 5, WhenSoldOut::Reject)).await;
        rig.order(order_of("A")).await;
        let mut tail = rig.engine().feed().tail(0, rig.reader());
        let failing = async {
            assert!(within(tail.next()).await.is_err());
            assert!(within(tail.next()).await.is_err());
        };
        rig.place.unreadable_while(failing).await;
        assert_eq!(read_to(&mut tail, 2).await.len(), 2);
    });
}
