//! Long polls: who is woken by what, and when.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine::{Command, Engine, Limits, Refusal, Reply, run_waits};
use messaging::{Message, QueueConfig, ReceiptHandle, RedrivePolicy};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::rig::{Place, Rig, queue_spec, receive_for, runtime, send, within};

pub(crate) type Received = Result<(u32, Vec<Message>), Refusal>;

/// One who waits until there is something, and how often he has looked.
async fn poll(
    engine: Engine,
    queue: &'static str,
    max: usize,
    visibility_s: u32,
    looks: Arc<AtomicUsize>,
) -> Received {
    looks.fetch_add(1, Ordering::SeqCst);
    let mut waiter = engine.waits().enter(queue);
    loop {
        let command = receive_for(queue, max, Some(visibility_s));
        match engine.decide(command).await.unwrap() {
            Ok(Reply::Messages { queue_id, messages }) if !messages.is_empty() => {
                waiter.used();
                return Ok((queue_id, messages));
            }
            Ok(Reply::Messages { .. }) => {}
            Ok(other) => panic!("{other:?}"),
            Err(refusal) => {
                waiter.failed();
                return Err(refusal);
            }
        }
        waiter.woken().await;
        looks.fetch_add(1, Ordering::SeqCst);
        waiter.used();
    }
}

pub(crate) fn waits(rig: &Rig, queue: &'static str, max: usize) -> JoinHandle<Received> {
    waits_for(rig, queue, max, 30)
}

fn waits_for(
    rig: &Rig,
    queue: &'static str,
    max: usize,
    visibility_s: u32,
) -> JoinHandle<Received> {
    let looks = Arc::default();
    tokio::spawn(poll(rig.engine().clone(), queue, max, visibility_s, looks))
}

pub(crate) async fn bodies(polled: JoinHandle<Received>) -> Vec<String> {
    let (_, messages) = within(polled).await.unwrap().unwrap();
    messages.into_iter().map(|message| message.body).collect()
}

/// They have looked, and wait.
pub(crate) async fn waiting(rig: &Rig, count: usize) {
    let all = async {
        while rig.engine().waits().waiting() < count {
            tokio::task::yield_now().await;
        }
        // Looks that were on their way are over.
        rig.done(Command::Probe).await;
        rig.settled().await;
    };
    within(all).await;
}

pub(crate) async fn queues(rig: &Rig) {
    let fifo = Some(messaging::FifoConfig::default());
    let redrive = RedrivePolicy {
        dead_letter_queue: "dead".to_owned(),
        max_receive_count: 1,
    };
    rig.done(Command::EnsureQueues {
        queues: vec![
            queue_spec("plain", QueueConfig::default()),
            queue_spec(
                "q",
                QueueConfig {
                    redrive: Some(redrive),
                    ..QueueConfig::default()
                },
            ),
            queue_spec("dead", QueueConfig::default()),
            queue_spec(
                "f.fifo",
                QueueConfig {
                    fifo,
                    ..QueueConfig::default()
                },
            ),
        ],
        subscriptions: Vec::new(),
    })
    .await;
}

pub(crate) fn in_group(body: &str) -> Command {
    Command::SendMessage {
        queue: "f.fifo".to_owned(),
        send: Box::new(messaging::Send {
            body: body.to_owned(),
            group: Some("g".to_owned()),
            deduplication: Some(body.to_owned()),
            ..messaging::Send::default()
        }),
    }
}

pub(crate) fn delayed(queue: &str, body: &str, delay_s: u32) -> Command {
    Command::SendMessage {
        queue: queue.to_owned(),
        send: Box::new(messaging::Send {
            body: body.to_owned(),
            delay_s: Some(delay_s),
            ..messaging::Send::default()
        }),
    }
}

pub(crate) async fn take(rig: &Rig, queue: &str, visibility_s: u32) -> ReceiptHandle {
    match rig.done(receive_for(queue, 1, Some(visibility_s))).await {
        Reply::Messages { queue_id, messages } => ReceiptHandle {
            queue_id,
            seq: messages[0].seq,
            receipt: messages[0].receipt.unwrap(),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_message_wakes_one_of_thousands() {
    const WAITERS: usize = 10_000;
    runtime().block_on(async {
        let limits = Limits {
            queue_max: WAITERS,
            ..Limits::default()
        };
        let rig = Rig::with_limits(Place::memory(), limits);
        queues(&rig).await;
        let looks = Arc::new(AtomicUsize::new(0));
        let mut polls = JoinSet::new();
        for _ in 0..WAITERS {
            let engine = rig.engine().clone();
            polls.spawn(poll(engine, "plain", 1, 30, Arc::clone(&looks)));
        }
        waiting(&rig, WAITERS).await;
        assert_eq!(looks.load(Ordering::SeqCst), WAITERS);
        for sent in 1..=20 {
            rig.done(send("plain", &format!("message {sent}"))).await;
            let polled = within(polls.join_next()).await.unwrap().unwrap();
            let (_, messages) = polled.unwrap();
            assert_eq!(messages[0].body, format!("message {sent}"));
            // The one who got it was full, so he let the next one look: that is all.
            waiting(&rig, WAITERS - sent).await;
            assert!(looks.load(Ordering::SeqCst) <= WAITERS + 2 * sent);
        }
        polls.shutdown().await;
        assert_eq!(rig.engine().waits().waiting(), 0);
    });
}

#[test]
fn messages_of_one_group_wake_one() {
    const WAITERS: usize = 20;
    runtime().block_on(async {
        for place in Place::both() {
            let rig = Rig::new(place);
            queues(&rig).await;
            let looks = Arc::new(AtomicUsize::new(0));
            let mut polls = JoinSet::new();
            for _ in 0..WAITERS {
                let engine = rig.engine().clone();
                polls.spawn(poll(engine, "f.fifo", 10, 30, Arc::clone(&looks)));
            }
            waiting(&rig, WAITERS).await;
            rig.batch(["a", "b", "c"].map(in_group).into()).await;
            let (queue_id, held) = within(polls.join_next()).await.unwrap().unwrap().unwrap();
            assert_eq!(held.len(), 3);
            waiting(&rig, WAITERS - 1).await;
            assert_eq!(looks.load(Ordering::SeqCst), WAITERS + 1);
            // While the group is held one is woken, in vain.
            rig.batch(["d", "e"].map(in_group).into()).await;
            waiting(&rig, WAITERS - 1).await;
            let handles = held.iter().map(|message| ReceiptHandle {
                queue_id,
                seq: message.seq,
                receipt: message.receipt.unwrap(),
            });
            rig.done(Command::DeleteMessages {
                queue: "f.fifo".to_owned(),
                handles: handles.collect(),
            })
            .await;
            let (_, messages) = within(polls.join_next()).await.unwrap().unwrap().unwrap();
            assert_eq!(messages.len(), 2);
            waiting(&rig, WAITERS - 2).await;
            assert_eq!(looks.load(Ordering::SeqCst), WAITERS + 3);
            polls.shutdown().await;
        }
    });
}

#[test]
fn whatever_makes_a_message_visible_wakes_whoever_waits_for_it() {
    runtime().block_on(async {
        for place in Place::both() {
            let rig = Rig::new(place);
            queues(&rig).await;
            // Sent.
            let polled = waits(&rig, "q", 10);
            waiting(&rig, 1).await;
            rig.done(send("q", "a")).await;
            assert_eq!(bodies(polled).await, ["a"]);
            let left = rig.reader().messages("q", 0, 10).unwrap();
            let handle = ReceiptHandle {
                queue_id: 2,
                seq: 1,
                receipt: left[0].receipt.unwrap(),
            };
            // Given back; as it is exhausted, it wakes whoever waits for dead letters.
            let dead = waits(&rig, "dead", 10);
            let polled = waits(&rig, "q", 10);
            waiting(&rig, 2).await;
            rig.done(Command::ChangeVisibility {
                queue: "q".to_owned(),
                handle,
                timeout_s: 0,
            })
            .await;
            assert_eq!(bodies(dead).await, ["a"]);
            // And moved back.
            rig.done(Command::Redrive {
                queue: "dead".to_owned(),
                message: None,
                max: 10,
            })
            .await;
            assert_eq!(bodies(polled).await, ["a"]);
            // What stands behind a message of a group that is deleted.
            rig.batch(vec![in_group("first"), in_group("second")]).await;
            let handle = take(&rig, "f.fifo", 30).await;
            let polled = waits(&rig, "f.fifo", 10);
            waiting(&rig, 1).await;
            rig.done(Command::DeleteMessage {
                queue: "f.fifo".to_owned(),
                handle,
            })
            .await;
            assert_eq!(bodies(polled).await, ["second"]);
            // A queue that is gone: nobody waits for it any longer.
            let polls: Vec<JoinHandle<Received>> =
                (0..5).map(|_| waits(&rig, "plain", 1)).collect();
            waiting(&rig, 5).await;
            let queue = "plain".to_owned();
            rig.done(Command::DeleteQueue { queue }).await;
            for polled in polls {
                let refusal = within(polled).await.unwrap().unwrap_err();
                assert_eq!(refusal.code(), "queue_not_found");
            }
        }
    });
}

#[test]
fn the_timer_wakes_for_delays_and_time_outs() {
    runtime().block_on(async {
        let both = Place::both().map(|place| async {
            let rig = Rig::new(place);
            queues(&rig).await;
            rig.clock.run();
            let cancel = CancellationToken::new();
            let timer = tokio::spawn(run_waits(rig.engine().clone(), cancel.clone()));
            let began = Instant::now();
            // Delayed before anybody waits, and held by somebody.
            rig.done(delayed("q", "before", 1)).await;
            rig.done(send("dead", "held")).await;
            take(&rig, "dead", 1).await;
            rig.batch(vec![in_group("first"), in_group("second")]).await;
            take(&rig, "f.fifo", 1).await;
            let before = waits(&rig, "q", 10);
            let held = waits(&rig, "dead", 10);
            let group = waits(&rig, "f.fifo", 10);
            // Two who take one each, of two that become visible together.
            let pair = [waits(&rig, "plain", 1), waits(&rig, "plain", 1)];
            waiting(&rig, 5).await;
            // Delayed while they wait.
            rig.batch(vec![delayed("plain", "a", 1), delayed("plain", "b", 1)])
                .await;
            assert_eq!(bodies(before).await, ["before"]);
            assert_eq!(bodies(held).await, ["held"]);
            assert_eq!(bodies(group).await, ["first", "second"]);
            let mut found = Vec::new();
            for polled in pair {
                found.extend(bodies(polled).await);
            }
            found.sort();
            assert_eq!(found, ["a", "b"]);
            let took = began.elapsed();
            assert!(
                took >= Duration::from_secs(1),
                "nobody had them early: {took:?}"
            );
            assert!(
                took < Duration::from_secs(10),
                "nobody was forgotten: {took:?}"
            );
            // A later one that is nearer.
            let polled = waits(&rig, "q", 10);
            rig.done(delayed("q", "later", 900)).await;
            waiting(&rig, 1).await;
            rig.done(delayed("q", "sooner", 1)).await;
            assert_eq!(bodies(polled).await, ["sooner"]);
            cancel.cancel();
            within(timer).await.unwrap().unwrap();
        });
        let [memory, disk] = both;
        tokio::join!(memory, disk);
    });
}
