//! Two engines on one store, as two processes on one database are: what one commits the other
//! hears, and neither keeps the other out for longer than a batch.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use commerce::WhenSoldOut;
use engine::{
    Command, Engine, PlaceOrder, Refusal, TOPIC_ORDERS, TOPIC_STOCK, run_others, run_waits,
};
use store::memory::Shared;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::feed::read_to;
use crate::relay::{ORDERS, Relay, arrived, of, sell, subscribe, told};
use crate::rig::{
    Answer, Fail, Place, Rig, create, key, order_of, receive, receive_for, reply_order, runtime,
    send, sku, within,
};
use crate::waiting::{bodies, delayed, in_group, queues, take, waiting, waits};

/// Nobody listens for what the other commits yet.
fn two() -> [Rig; 2] {
    let one = Rig::new(Place::Shared(Shared::default()));
    let other = one.beside();
    [one, other]
}

/// It hears of the others' commits from now on.
fn listens(rig: &Rig) -> JoinHandle<()> {
    tokio::spawn(run_others(rig.engine().clone(), CancellationToken::new()))
}

fn orders(count: usize) -> Vec<Command> {
    let order = || Command::PlaceOrder(order_of("A"));
    std::iter::repeat_with(order).take(count).collect()
}

#[test]
fn a_tail_hears_what_another_engine_commits() {
    runtime().block_on(async {
        let [here, there] = two();
        listens(&here);
        let mut tail = here.engine().feed().tail(0, here.reader());
        there.done(create("A", 5, WhenSoldOut::Reject)).await;
        assert_eq!(read_to(&mut tail, 1).await.len(), 1);
        // More than one read brings.
        for _ in 0..5 {
            there.batch(orders(500)).await;
        }
        let log = here.reader().entries(0, usize::MAX >> 1).unwrap();
        assert_eq!(read_to(&mut tail, 2_501).await, log[1..]);
        assert_eq!(here.engine().feed().last_seq(), 2_501);
    });
}

#[test]
fn the_time_of_others_is_the_time_here_once_it_is_heard_of() {
    runtime().block_on(async {
        let [here, there] = two();
        listens(&here);
        let mut tail = here.engine().feed().tail(0, here.reader());
        there.clock.advance(60_000);
        there.done(create("A", 5, WhenSoldOut::Reject)).await;
        let seen = read_to(&mut tail, 1).await;
        assert_eq!(here.engine().log_time(), seen[0].at);
        assert_eq!(here.engine().now(), seen[0].at - 60_000);
        // What is decided here is not earlier.
        assert_eq!(here.order(order_of("A")).await.order.placed_at, seen[0].at);
    });
}

#[test]
fn what_others_have_committed_comes_before_ones_own_that_follows_it() {
    runtime().block_on(async {
        // Nobody has told it of the others when its own commit comes.
        let [here, there] = two();
        let mut tail = here.engine().feed().tail(0, here.reader());
        let mut last = 0;
        for round in 0..10 {
            if round == 0 {
                there.done(create("A", 5, WhenSoldOut::Reject)).await;
            }
            there.batch(orders(3)).await;
            here.batch(orders(2)).await;
            let log = here.reader().entries(last, 100).unwrap();
            let seen = read_to(&mut tail, last + log.len() as u64).await;
            assert_eq!(seen, log, "round {round}");
            last = seen.last().unwrap().seq;
        }
        assert_eq!(last, 51);
    });
}

/// Commands that two engines decide at the same time, each its own.
const EACH: usize = 400;
/// So many of them at once.
const AT_ONCE: usize = 9;

#[test]
fn two_engines_that_decide_at_once_make_one_log() {
    runtime().block_on(async {
        let rigs = two();
        rigs[0].done(create("A", 300, WhenSoldOut::Reject)).await;
        let done = Arc::new(AtomicBool::new(false));
        let mut heard = Vec::new();
        let mut watched = Vec::new();
        for rig in &rigs {
            // They meet at the store.
            rig.steering.decide_for(Duration::from_micros(200));
            listens(rig);
            let mut tail = rig.engine().feed().tail(0, rig.reader());
            // An order is one entry, and so is a receipt; what is refused is none.
            let last = 1 + 2 * (EACH - EACH / 8) as u64;
            heard.push(tokio::spawn(async move { read_to(&mut tail, last).await }));
            watched.push(tokio::spawn(never_goes_back(
                rig.engine().clone(),
                Arc::clone(&done),
            )));
        }
        let mut asked = JoinSet::new();
        for (whose, rig) in rigs.iter().enumerate() {
            for turn in 0..AT_ONCE {
                let engine = rig.engine().clone();
                asked.spawn(async move {
                    for n in (turn..EACH).step_by(AT_ONCE) {
                        let command = match n % 8 {
                            0 => Command::Settle { sku: sku("B") },
                            1 => receive("A", 1, &format!("{whose}-{n}")),
                            _ => Command::PlaceOrder(order_of("A")),
                        };
                        let answer = within(engine.decide(command)).await.unwrap();
                        match answer {
                            Ok(_) => assert_ne!(n % 8, 0),
                            Err(refusal) => {
                                assert_eq!(n % 8, 0);
                                assert!(matches!(refusal, Refusal::ProductNotFound { .. }));
                            }
                        }
                    }
                });
            }
        }
        within(asked.join_all()).await;
        let log = rigs[0].reader().entries(0, usize::MAX >> 1).unwrap();
        let seqs: Vec<u64> = log.iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, (1..=log.len() as u64).collect::<Vec<_>>());
        for heard in heard {
            assert_eq!(within(heard).await.unwrap(), log);
        }
        done.store(true, Ordering::SeqCst);
        for watched in watched {
            within(watched).await.unwrap();
        }
        for rig in &rigs {
            rig.audit_clean();
        }
        let product = rigs[1].reader().product(&sku("A")).unwrap().unwrap();
        assert_eq!(product.last_place, 2 * (EACH - EACH / 4) as u64);
    });
}

async fn never_goes_back(engine: Engine, done: Arc<AtomicBool>) {
    let mut newest = 0;
    while !done.load(Ordering::SeqCst) {
        let now = engine.feed().last_seq();
        assert!(now >= newest, "{now} after {newest}");
        newest = now;
        tokio::task::yield_now().await;
    }
}

/// The order that came of a key, however it was asked for.
fn ordered(answer: Answer) -> u64 {
    reply_order(&answer).order.id.seq
}

fn keyed(n: u64) -> Command {
    Command::PlaceOrder(PlaceOrder {
        key: Some(key(n)),
        ..order_of("A")
    })
}

#[test]
fn a_key_that_comes_to_two_engines_at_once_makes_one_order() {
    const KEYS: u64 = 100;
    runtime().block_on(async {
        let rigs = two();
        rigs[0].done(create("A", 30, WhenSoldOut::Reject)).await;
        for rig in &rigs {
            rig.steering.decide_for(Duration::from_micros(200));
        }
        let mut made = BTreeSet::new();
        for n in 0..KEYS {
            let (here, there) = tokio::join!(rigs[0].decide(keyed(n)), rigs[1].decide(keyed(n)));
            let (here, there) = (ordered(here), ordered(there));
            assert_eq!(here, there);
            made.insert(here);
        }
        // Nothing else was decided.
        assert!(made.into_iter().eq(2..2 + KEYS));
        rigs[1].audit_clean();
    });
}

#[test]
fn what_became_of_a_batch_that_failed_the_others_know() {
    runtime().block_on(async {
        let [here, mut there] = two();
        listens(&here);
        let mut tail = here.engine().feed().tail(0, here.reader());
        there.done(create("A", 5, WhenSoldOut::Reject)).await;
        let mut seqs = Vec::new();
        for n in 0..30 {
            // It dies in the middle, and whoever asked asks the other.
            let fails = [Fail::CommitLost, Fail::CommitKept, Fail::SyncFailed];
            there
                .steering
                .fail_next(fails[usize::try_from(n).unwrap() % 3]);
            assert!(there.decide(keyed(n)).await.is_err());
            let order = ordered(here.decide(keyed(n)).await);
            seqs.push(order);
            there.restart().await;
            assert_eq!(ordered(there.decide(keyed(n)).await), order);
        }
        assert!(seqs.into_iter().eq(2..32));
        let log = here.reader().entries(0, 100).unwrap();
        assert_eq!(read_to(&mut tail, 31).await, log);
        assert_eq!(log.len(), 31);
        here.audit_clean();
    });
}

#[test]
fn a_batch_that_writes_nothing_lets_the_others_in() {
    runtime().block_on(async {
        let rigs = two();
        for (rig, other) in [(&rigs[0], &rigs[1]), (&rigs[1], &rigs[0])] {
            for answer in rig.batch(orders(3)).await {
                assert!(matches!(answer, Ok(Err(_))), "{answer:?}");
            }
            other.done(Command::Probe).await;
        }
        // Nor does one that could not be loaded.
        rigs[0].steering.fail_next(Fail::Load);
        assert!(rigs[0].decide(Command::Probe).await.is_err());
        rigs[1].done(Command::Probe).await;
        // Nor one whose commit fails: that engine stops, and the others go on.
        rigs[0].steering.fail_next(Fail::CommitLost);
        assert!(rigs[0].decide(Command::Probe).await.is_err());
        rigs[1].done(Command::Probe).await;
    });
}

#[test]
fn whoever_waits_for_messages_hears_of_those_that_come_through_another_engine() {
    runtime().block_on(async {
        let [here, there] = two();
        listens(&here);
        queues(&there).await;
        // Sent.
        let polled = waits(&here, "q", 10);
        waiting(&here, 1).await;
        there.done(send("q", "a")).await;
        assert_eq!(bodies(polled).await, ["a"]);
        // Given back by whoever has it.
        there.done(send("plain", "b")).await;
        let handle = take(&there, "plain", 900).await;
        let polled = waits(&here, "plain", 10);
        waiting(&here, 1).await;
        let queue = "plain".to_owned();
        there
            .done(Command::ChangeVisibility {
                queue,
                handle,
                timeout_s: 0,
            })
            .await;
        assert_eq!(bodies(polled).await, ["b"]);
        // What stands behind a message of a group that is deleted.
        there.batch(["first", "second"].map(in_group).into()).await;
        let handle = take(&there, "f.fifo", 900).await;
        let polled = waits(&here, "f.fifo", 10);
        waiting(&here, 1).await;
        let queue = "f.fifo".to_owned();
        there.done(Command::DeleteMessage { queue, handle }).await;
        assert_eq!(bodies(polled).await, ["second"]);
        // A queue that is gone: nobody waits for it any longer.
        let polls = [(); 5].map(|()| waits(&here, "dead", 1));
        waiting(&here, 5).await;
        let queue = "dead".to_owned();
        there.done(Command::DeleteQueue { queue }).await;
        for polled in polls {
            let refusal = within(polled).await.unwrap().unwrap_err();
            assert_eq!(refusal.code(), "queue_not_found");
        }
    });
}

#[test]
fn the_timer_knows_of_delays_and_time_outs_that_begin_elsewhere() {
    runtime().block_on(async {
        let [here, there] = two();
        listens(&here);
        queues(&there).await;
        here.clock.run();
        let cancel = CancellationToken::new();
        let timer = tokio::spawn(run_waits(here.engine().clone(), cancel.clone()));
        let pair = [waits(&here, "q", 1), waits(&here, "q", 1)];
        let held = waits(&here, "plain", 10);
        waiting(&here, 3).await;
        there
            .batch(vec![delayed("q", "a", 1), delayed("q", "b", 1)])
            .await;
        // Received there before anybody here has heard of it, or by whoever waits here.
        let sent = vec![send("plain", "held"), receive_for("plain", 1, Some(1))];
        there.batch(sent).await;
        let mut found = Vec::new();
        for polled in pair {
            found.extend(bodies(polled).await);
        }
        found.sort();
        assert_eq!(found, ["a", "b"]);
        assert_eq!(bodies(held).await, ["held"]);
        cancel.cancel();
        within(timer).await.unwrap().unwrap();
    });
}

#[test]
fn each_message_goes_to_one_of_those_who_wait_at_both_engines() {
    const WAIT: usize = 20;
    runtime().block_on(async {
        let rigs = two();
        queues(&rigs[0]).await;
        let mut polls = Vec::new();
        for rig in &rigs {
            listens(rig);
            polls.extend((0..WAIT).map(|_| waits(rig, "plain", 1)));
        }
        for rig in &rigs {
            waiting(rig, WAIT).await;
        }
        let names: Vec<String> = (0..2 * WAIT).map(|n| format!("{n:02}")).collect();
        for half in names.chunks(WAIT) {
            let sends = half.iter().map(|name| send("plain", name));
            rigs[0].batch(sends.collect()).await;
        }
        let mut got = Vec::new();
        for polled in polls {
            got.extend(bodies(polled).await);
        }
        got.sort();
        assert_eq!(got, names);
    });
}

#[test]
fn whoever_subscribes_through_another_engine_hears_all_that_follows() {
    runtime().block_on(async {
        let [here, there] = two();
        listens(&here);
        here.done(create("A", 5, WhenSoldOut::Reject)).await;
        subscribe(&here, &[(TOPIC_STOCK, "stock")]).await;
        let relay = Relay::start(here.engine());
        here.done(receive("A", 1, "it is at work")).await;
        arrived(&here, "stock", 1).await;
        subscribe(&there, &[(TOPIC_ORDERS, "orders")]).await;
        let first = there.order(order_of("A")).await.order.id.seq;
        arrived(&here, "orders", 1).await;
        assert_eq!(told(&*here.reader(), "orders"), [first]);
        relay.stop().await.unwrap();
    });
}

#[test]
fn two_relays_tell_of_every_entry_once() {
    runtime().block_on(async {
        let rigs = two();
        rigs[0].done(create("A", 3, WhenSoldOut::Wait)).await;
        subscribe(&rigs[0], &[(TOPIC_ORDERS, "orders")]).await;
        let relays = rigs.each_ref().map(|rig| {
            listens(rig);
            Relay::start(rig.engine())
        });
        tokio::join!(sell(&rigs[0], 40, "here"), sell(&rigs[1], 40, "there"));
        for rig in &rigs {
            rig.settled().await;
        }
        let log = rigs[0].reader().entries(0, usize::MAX >> 1).unwrap();
        let expected = of(&log, ORDERS);
        arrived(&rigs[0], "orders", expected.len()).await;
        for relay in relays {
            relay.stop().await.unwrap();
        }
        assert_eq!(told(&*rigs[1].reader(), "orders"), expected);
    });
}

#[test]
fn looking_for_what_others_commit_ends_with_the_engine() {
    runtime().block_on(async {
        let [here, there] = two();
        let (listening, cancel) = (listens(&here), CancellationToken::new());
        let cancelled = tokio::spawn(run_others(there.engine().clone(), cancel.clone()));
        within(here.engine().stop()).await;
        within(listening).await.unwrap();
        cancel.cancel();
        within(cancelled).await.unwrap();
        // Where nobody else can write there is nothing to look for.
        let alone = Rig::new(Place::disk());
        within(listens(&alone)).await.unwrap();
    });
}
