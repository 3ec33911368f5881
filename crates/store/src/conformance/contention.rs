//! Readers beside the writer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use commerce::auction::AuctionStatus;
use commerce::{LineId, ProductId};
use engine::auction::BidStatus;
use engine::ports::{Cursors, Opened, Reader, Touch};
use engine::{Kind, OrderStatus};
use messaging::Message;

use super::lots::Bade;
use super::script::{Ordered, START, Script, message, new_product, queue, sku};
use super::{Harness, always, load};

/// Entries, and everything else that a commit of [`write`] adds one of.
const ENTRIES: u64 = 6;
/// Entries before the first of them.
const FIRST: u64 = 4;
const COMMITS: u64 = 150;
const READERS: usize = 3;

/// Commit number n makes entries up to `4 + 6 n`, an order that is placed and one that decides
/// the order of the commit before, the same of a bid, a message, a larger stock, and a later
/// cursor.
fn write(opened: &mut Opened, committed: &AtomicU64) -> Script {
    let mut script = Script::new();
    let mut line = queue(1, "q", None);
    script.product(new_product(1, "A"));
    script.put_queue(&line);
    script.entry(
        LineId::System,
        Kind::MessageDeadLettered,
        Some(0),
        "{}",
        None,
    );
    let auction = script.put_up(AuctionStatus::Open, 0, 1_000);
    assert_eq!(auction, AUCTION);
    let mut bid = script.bid(&deferred());
    script.commit(opened);
    let mut waits = None;
    for n in 1..=COMMITS {
        script.at += 1;
        let placed = script.order(&Ordered {
            kind: Kind::OrderPlaced,
            ..Ordered::default()
        });
        if let Some(order) = waits.replace(placed) {
            script.later(order, Kind::OrderAccepted);
        } else {
            script.entry(
                LineId::System,
                Kind::MessageDeadLettered,
                Some(0),
                "{}",
                None,
            );
        }
        script.entry(
            LineId::System,
            Kind::MessageDeadLettered,
            Some(0),
            "{}",
            None,
        );
        script.change("A", |product| product.grants.mean_ms = n);
        script.verdict(bid, Kind::BidAccepted);
        bid = script.bid(&deferred());
        let in_flight = Message {
            receipt: Some(n),
            ..message(n, START + 1)
        };
        script.send(&mut line, [in_flight]);
        script.changes.relayed = Some(Cursors { shop: n, orders: n });
        script.commit(opened);
        committed.store(n, Ordering::SeqCst);
    }
    script
}

const AUCTION: u64 = 3;

fn deferred() -> Bade {
    Bade {
        kind: Kind::BidPlaced,
        ..Bade::on(AUCTION)
    }
}

/// Which commit a reader's last look saw, by everything that tells.
fn look(reader: &dyn Reader, at_least: u64) -> u64 {
    let whole = |last: u64| {
        assert!(
            last == 0 || (last - FIRST).is_multiple_of(ENTRIES),
            "half a commit at {last}"
        );
        last.saturating_sub(FIRST) / ENTRIES
    };
    let mut seen = at_least;
    let mut later = |n: u64, what: &str| {
        assert!(
            n >= seen,
            "{what} shows commit {n} after commit {seen} was seen"
        );
        seen = n;
    };
    later(whole(reader.last_seq().unwrap()), "the end of the log");
    let log = reader.entries(0, usize::MAX >> 1).unwrap();
    assert!(
        log.iter().zip(1..).all(|(entry, seq)| entry.seq == seq),
        "a gap in the log"
    );
    later(whole(log.len() as u64), "the log");
    if let Some(product) = reader.product(&sku("A")).unwrap() {
        later(product.grants.mean_ms, "a product");
        let n = product.grants.mean_ms;
        assert_eq!(product.last_place, n);
        assert_eq!(product.waiting, n.min(1));
    }
    let depths = reader.queues(START).unwrap();
    if let [depth] = &depths[..] {
        let n = depth.queue.next_seq - 1;
        later(n, "a queue");
        assert_eq!((depth.visible, depth.in_flight, depth.delayed), (0, n, 0));
    }
    let line = reader.waiting(ProductId(1), 0, 10).unwrap();
    assert!(line.len() <= 1, "{line:?}");
    if let [waiting] = &line[..] {
        later(waiting.place, "the line");
        let order = reader.order(waiting.order).unwrap().unwrap();
        match order.status {
            OrderStatus::Pending => assert_eq!(order.last_seq, order.id.seq),
            _ => assert!(order.last_seq > order.id.seq && order.decided_at.is_some()),
        }
    }
    if let Some(stored) = reader.auction(AUCTION).unwrap() {
        later(stored.auction.bids, "an auction");
        assert_eq!(stored.waiting, 1);
    }
    let bids = reader.waiting_bids(AUCTION, 10).unwrap();
    assert!(bids.len() <= 1, "{bids:?}");
    if let [bid] = &bids[..] {
        later(whole(*bid), "the bids that wait");
        let bid = reader.bid(*bid).unwrap().unwrap();
        match bid.status {
            BidStatus::Pending => assert_eq!(bid.last_seq, bid.id.seq),
            _ => assert!(bid.last_seq > bid.id.seq && bid.decided_at.is_some()),
        }
    }
    let relayed = reader.relayed().unwrap();
    later(relayed.shop, "the cursor");
    assert_eq!(relayed.orders, relayed.shop, "they were written together");
    seen
}

pub(crate) fn a_reader_never_sees_half_a_commit(harness: &dyn Harness) {
    let mut opened = harness.open();
    let committed = AtomicU64::new(0);
    let reader = opened.reader.clone();
    std::thread::scope(|scope| {
        let read = scope.spawn(|| {
            let mut seen = 0;
            while seen < COMMITS {
                // What was committed before the look began is there.
                seen = look(&*reader, seen.max(committed.load(Ordering::SeqCst)));
            }
        });
        write(&mut opened, &committed);
        read.join().unwrap();
    });
    always(harness, opened, |opened| {
        assert_eq!(look(&*opened.reader, COMMITS), COMMITS);
    });
}

pub(crate) fn many_readers_do_not_disturb_the_writer(harness: &dyn Harness) {
    let mut opened = harness.open();
    let committed = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    let reader = opened.reader.clone();
    let script = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = 0;
                    loop {
                        seen = look(&*reader, seen);
                        if done.load(Ordering::SeqCst) {
                            break;
                        }
                    }
                })
            })
            .collect();
        let script = write(&mut opened, &committed);
        done.store(true, Ordering::SeqCst);
        for reader in readers {
            reader.join().unwrap();
        }
        script
    });
    always(harness, opened, |opened| {
        assert_eq!(opened.reader.entries(0, 10_000).unwrap(), script.log);
        let touch = Touch {
            products: vec![sku("A")],
            ..Touch::default()
        };
        let loaded = load(opened, &touch);
        assert_eq!(
            loaded.products[&sku("A")].product,
            script.products[&sku("A")]
        );
        assert_eq!(loaded.last_seq, script.seq);
    });
}
