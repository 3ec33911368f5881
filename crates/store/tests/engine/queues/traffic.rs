//! Batch requests, moves, and who comes first.

use std::sync::Arc;

use engine::Room;
use engine::ports::Changes;
use messaging::{FifoConfig, limits};

use super::*;
use crate::rig::{START, within};

#[test]
fn each_entry_of_a_batch_is_answered_for_itself_and_in_order() {
    on_both(async |rig| {
        rig.done(create(
            "q",
            QueueSettings {
                message_bytes_max: Some(1_024),
                ..none()
            },
        ))
        .await;
        let batch = |queue: &str, bodies: &[&str]| Command::SendMessages {
            queue: queue.to_owned(),
            sends: bodies.iter().map(|body| in_group(body, "g")).collect(),
        };
        let long = "x".repeat(1_025);
        let bodies_sent = ["a", "", "b", &long, "\u{ffff}", "c"];
        let answer = rig.decide(batch("q", &bodies_sent)).await;
        let refused = "queue_refusal";
        assert_eq!(
            codes(&answer),
            ["sent", refused, "sent", refused, refused, "sent"]
        );
        let (messages, handles) = received(rig, "q", 10).await;
        assert_eq!(bodies(&messages), ["a", "b", "c"]);
        assert_eq!(
            messages.iter().map(|m| m.seq).collect::<Vec<_>>(),
            [1, 2, 3]
        );
        // Together they are too long for one request: nothing of it is taken.
        rig.done(create("large", none())).await;
        let large = "x".repeat(600_000);
        let refusal = rig.refused(batch("large", &[&large, &large])).await;
        assert_eq!(refusal.code(), refused);
        assert_eq!(rig.reader().messages("large", 0, 10).unwrap(), []);

        let forged = ReceiptHandle {
            receipt: handles[1].receipt ^ 1,
            ..handles[1]
        };
        let answer = rig
            .decide(Command::ChangeVisibilities {
                queue: "q".to_owned(),
                changes: vec![
                    (handles[0], 60),
                    (forged, 60),
                    (handles[1], 43_201),
                    (handles[2], 0),
                ],
            })
            .await;
        assert_eq!(codes(&answer), ["done", refused, refused, "done"]);
        let again = received(rig, "q", 10).await;
        assert_eq!(bodies(&again.0), ["c"]);
        let answer = rig
            .decide(Command::DeleteMessages {
                queue: "q".to_owned(),
                // The same twice; one that has been received again since; one of nobody.
                handles: vec![handles[0], handles[0], handles[2], again.1[0], forged],
            })
            .await;
        assert_eq!(
            codes(&answer),
            ["deleted", "nothing", "nothing", "deleted", "nothing"]
        );
        let left = rig.reader().messages("q", 0, 10).unwrap();
        assert_eq!(bodies(&left), ["b"]);
        for command in [
            batch("none", &["a"]),
            Command::DeleteMessages {
                queue: "none".to_owned(),
                handles: vec![forged],
            },
            Command::ChangeVisibilities {
                queue: "none".to_owned(),
                changes: vec![(forged, 1)],
            },
        ] {
            assert_eq!(rig.refused(command).await.code(), "queue_not_found");
        }
    });
}

#[test]
fn what_has_expired_is_not_moved() {
    on_both(async |rig| {
        let short = QueueSettings {
            retention_s: Some(60),
            ..fifo()
        };
        rig.done(create("dead.fifo", short)).await;
        let settings = QueueSettings {
            fifo: Some(true),
            ..letters_to("dead.fifo")
        };
        rig.done(create("q.fifo", settings)).await;
        let sent = |body: &str, group: &str| Command::SendMessage {
            queue: "q.fifo".to_owned(),
            send: Box::new(Send {
                deduplication: Some(body.to_owned()),
                ..in_group(body, group)
            }),
        };
        let bury = async |rig: &Rig| {
            received(rig, "q.fifo", 10).await;
            rig.clock.advance(30_000);
            received(rig, "q.fifo", 10).await;
        };
        rig.done(sent("old", "g")).await;
        bury(rig).await;
        rig.clock.advance(30_000);
        rig.done(sent("new", "g")).await;
        bury(rig).await;
        rig.clock.advance(20_000);
        rig.done(Command::StartMove {
            queue: "dead.fifo".to_owned(),
            destination: None,
            rate: None,
        })
        .await;
        let step = || Command::MoveStep {
            queue: "dead.fifo".to_owned(),
            destination: None,
            max: 10,
        };
        for (moved, status) in [(1, MoveStatus::Running), (1, MoveStatus::Completed)] {
            let Reply::Move(task) = rig.done(step()).await else {
                panic!("a move was asked for");
            };
            assert_eq!((task.moved, task.status, task.to_move), (moved, status, 2));
        }
        assert_eq!(rig.refused(step()).await, Refusal::MoveNotFound);
        let left = rig.reader().messages("q.fifo", 0, 10).unwrap();
        assert_eq!(bodies(&left), ["new"]);
        assert_eq!(rig.reader().messages("dead.fifo", 0, 10).unwrap(), []);
    });
}

#[test]
fn a_move_goes_on_when_others_take_what_it_looked_at() {
    const COUNT: u64 = 300;
    on_both(async |rig| {
        for (queue, dead, kind) in [("q", "dead", none()), ("q.fifo", "dead.fifo", fifo())] {
            rig.done(create(dead, kind.clone())).await;
            let settings = QueueSettings {
                redrive: letters_to(dead).redrive,
                ..kind
            };
            rig.done(create(queue, settings)).await;
            let sends = (0..COUNT).map(|number| Command::SendMessage {
                queue: queue.to_owned(),
                send: Box::new(in_group(&number.to_string(), "g")),
            });
            rig.batch(sends.collect()).await;
            // Received and let go, then found to be dead.
            for _ in 0..2 * COUNT / 10 {
                received(rig, queue, 10).await;
                rig.clock.advance(30_000);
            }
            let buried = rig.reader().messages(dead, 0, 1_000).unwrap();
            assert_eq!(buried.len() as u64, COUNT);
            rig.done(Command::StartMove {
                queue: dead.to_owned(),
                destination: Some(queue.to_owned()),
                rate: None,
            })
            .await;
            let step = || Command::MoveStep {
                queue: dead.to_owned(),
                destination: Some(queue.to_owned()),
                max: 100,
            };
            let redrive = Command::Redrive {
                queue: dead.to_owned(),
                message: None,
                max: 100,
            };
            let answers = rig.batch(vec![redrive, step()]).await;
            let Ok(Ok(Reply::Move(task))) = &answers[1] else {
                panic!("{answers:?}");
            };
            assert_eq!(task.status, MoveStatus::Running, "{queue}");
            let mut task = task.clone();
            while task.status == MoveStatus::Running {
                let Reply::Move(next) = rig.done(step()).await else {
                    panic!("a move was asked for");
                };
                task = next;
            }
            assert_eq!(task.status, MoveStatus::Completed);
            assert_eq!(rig.reader().messages(dead, 0, 10).unwrap(), []);
            let back = rig.reader().messages(queue, 0, 1_000).unwrap();
            assert_eq!(back.len() as u64, COUNT);
        }
    });
}

#[test]
fn a_move_to_a_queue_that_is_gone_says_so() {
    on_both(async |rig| {
        for name in ["dead", "other"] {
            rig.done(create(name, none())).await;
        }
        rig.done(create("q", letters_to("dead"))).await;
        rig.done(send("dead", "a")).await;
        rig.done(Command::StartMove {
            queue: "dead".to_owned(),
            destination: Some("other".to_owned()),
            rate: None,
        })
        .await;
        rig.done(delete("other")).await;
        let step = Command::MoveStep {
            queue: "dead".to_owned(),
            destination: Some("other".to_owned()),
            max: 10,
        };
        let Reply::Move(task) = rig.done(step).await else {
            panic!("a move was asked for");
        };
        assert_eq!(task.status, MoveStatus::Failed);
        let failure = task.failure.unwrap();
        assert_eq!(failure, "The destination other does not exist.");
        assert_eq!(rig.reader().messages("dead", 0, 10).unwrap().len(), 1);
    });
}

#[test]
fn a_noisy_tenant_does_not_keep_a_quiet_one_waiting() {
    on_both(async |rig| {
        rig.done(create("q", none())).await;
        let from = |tenant: &str, body: &str| Command::SendMessage {
            queue: "q".to_owned(),
            send: Box::new(in_group(body, tenant)),
        };
        let backlog = (0..300).map(|number| from("noisy", &format!("noise {number}")));
        rig.batch(backlog.collect()).await;
        for _ in 0..4 {
            received(rig, "q", 10).await;
        }
        rig.done(from("quiet", "a")).await;
        rig.done(send("q", "of nobody")).await;
        rig.done(from("quiet", "b")).await;
        rig.clock.advance(1_000);
        // Several at once, the same commit: those first who are not to blame.
        let answers = rig
            .batch(vec![receive_for("q", 1, None), receive_for("q", 3, None)])
            .await;
        let found: Vec<String> = answers
            .iter()
            .flat_map(|answer| match answer {
                Ok(Ok(Reply::Messages { messages, .. })) => messages.clone(),
                other => panic!("{other:?}"),
            })
            .map(|message| message.body)
            .collect();
        assert_eq!(found, ["a", "of nobody", "b", "noise 40"]);
        // Without anybody else it gets everything.
        let (messages, _) = received(rig, "q", 10).await;
        assert_eq!(messages.len(), 10);
        assert_eq!(messages[0].body, "noise 41");
    });
}

/// A place with this queue, in which so many messages are in flight and ten more can be received.
fn with_in_flight(place: Place, name: &str, fifo: Option<FifoConfig>, held: u64) -> Place {
    let queue = Queue {
        id: 1,
        name: name.to_owned(),
        partition: 1,
        config: QueueConfig {
            fifo,
            ..QueueConfig::default()
        },
        more: Arc::default(),
        moves: Arc::default(),
        next_seq: held + 11,
        created_at: START,
        modified_at: START,
        purged_at: None,
    };
    let message = |seq| {
        let message = Message {
            seq,
            id: format!("message-{seq}"),
            body: seq.to_string(),
            // Each in a group of its own, so that none waits for another.
            group: queue.config.is_fifo().then(|| format!("group-{seq}")),
            sent_at_ms: START,
            visible_at_ms: START,
            ..Message::default()
        };
        if seq > held {
            return message;
        }
        Message {
            visible_at_ms: START + 30_000,
            receive_count: 1,
            first_received_at_ms: Some(START),
            received_at_ms: Some(START),
            receipt: Some(seq),
            ..message
        }
    };
    let first = Queue {
        next_seq: 1,
        ..queue.clone()
    };
    place.put(&Changes {
        queues: vec![first],
        next_queue: Some(2),
        ..Changes::default()
    });
    place.put(&Changes {
        messages: (1..queue.next_seq).map(|seq| (1, message(seq))).collect(),
        queues: vec![queue.clone()],
        ..Changes::default()
    });
    place
}

fn long_poll(queue: &str) -> Command {
    match receive_for(queue, 10, None) {
        Command::ReceiveMessages { queue, max, .. } => Command::ReceiveMessages {
            queue,
            max,
            visibility_timeout_s: None,
            attempt: None,
            waits: true,
            room: Room::All,
        },
        other => panic!("{other:?}"),
    }
}

/// Of a message that [`with_in_flight`] put there.
fn handle(seq: u64) -> ReceiptHandle {
    ReceiptHandle {
        queue_id: 1,
        seq,
        receipt: seq,
    }
}

async fn delete_held(rig: &Rig, queue: &str, seq: u64) {
    let deleted = rig
        .done(Command::DeleteMessage {
            queue: queue.to_owned(),
            handle: handle(seq),
        })
        .await;
    assert!(matches!(deleted, Reply::Count(1)), "{deleted:?}");
}

async fn change_visibility(rig: &Rig, queue: &str, seq: u64, timeout_s: u32) {
    rig.done(Command::ChangeVisibility {
        queue: queue.to_owned(),
        handle: handle(seq),
        timeout_s,
    })
    .await;
}

async fn polled(rig: &Rig, queue: &str) -> usize {
    match rig.done(long_poll(queue)).await {
        Reply::Messages { messages, .. } => messages.len(),
        other => panic!("{other:?}"),
    }
}

/// How many come of a receive in the batch that sends one.
async fn sent_and_polled(rig: &Rig, queue: &str) -> usize {
    let answers = rig.batch(vec![send(queue, "now"), long_poll(queue)]).await;
    match &answers[1] {
        Ok(Ok(Reply::Messages { messages, .. })) => messages.len(),
        other => panic!("{other:?}"),
    }
}

/// Standard: `OverLimit` for a short poll, no error for a long one. FIFO: no error (developer
/// guide, "Amazon SQS message quotas").
#[test]
fn at_the_bound_of_what_is_in_flight_a_receive_is_refused_or_finds_nothing() {
    const HELD: u64 = limits::IN_FLIGHT_MAX - 3;
    runtime().block_on(async {
        for place in Place::both() {
            let rig = Rig::new(with_in_flight(place, "q", None, HELD));
            // As many as there is room for, and none more.
            let (messages, _) = received(&rig, "q", 10).await;
            assert_eq!(messages.len(), 3);
            let refusal = rig.refused(receive_for("q", 10, None)).await;
            assert_eq!(refusal, Refusal::Queue(messaging::Refusal::OverLimit));
            let found = rig.done(long_poll("q")).await;
            assert!(
                matches!(&found, Reply::Messages { messages, .. } if messages.is_empty()),
                "{found:?}"
            );
            // A delete makes room for one.
            delete_held(&rig, "q", 1).await;
            assert_eq!(received(&rig, "q", 10).await.0.len(), 1);
            let refusal = rig.refused(receive_for("q", 1, None)).await;
            assert_eq!(refusal, Refusal::Queue(messaging::Refusal::OverLimit));
            // And when all time-outs are over there is room for everybody.
            rig.clock.advance(60_000);
            assert_eq!(received(&rig, "q", 10).await.0.len(), 10);
        }
        for place in Place::both() {
            let fifo = Some(FifoConfig::default());
            let rig = Rig::new(with_in_flight(place, "q.fifo", fifo, HELD));
            assert_eq!(received(&rig, "q.fifo", 10).await.0.len(), 3);
            assert_eq!(received(&rig, "q.fifo", 10).await.0, []);
            let found = rig.done(long_poll("q.fifo")).await;
            assert!(
                matches!(&found, Reply::Messages { messages, .. } if messages.is_empty()),
                "{found:?}"
            );
            rig.clock.advance(60_000);
            assert_eq!(received(&rig, "q.fifo", 10).await.0.len(), 10);
        }
    });
}

#[test]
fn what_is_sent_and_received_in_one_batch_is_in_flight_too() {
    runtime().block_on(async {
        for place in Place::both() {
            let rig = Rig::new(with_in_flight(place, "q", None, limits::IN_FLIGHT_MAX - 12));
            assert_eq!(received(&rig, "q", 10).await.0.len(), 10);
            // So many that it is counted what is in flight.
            let later = |_| match send("q", "later") {
                Command::SendMessage { queue, send } => Command::SendMessage {
                    queue,
                    send: Box::new(Send {
                        delay_s: Some(900),
                        ..*send
                    }),
                },
                other => panic!("{other:?}"),
            };
            rig.batch((0..12).map(later).collect()).await;
            assert_eq!(polled(&rig, "q").await, 0);
            // There is room for two, and after a delete for one.
            for expected in [1, 1, 0] {
                assert_eq!(sent_and_polled(&rig, "q").await, expected);
            }
            delete_held(&rig, "q", 1).await;
            for expected in [1, 0] {
                assert_eq!(sent_and_polled(&rig, "q").await, expected);
            }
        }
    });
}

#[test]
fn a_delete_at_the_bound_wakes_one_who_waits() {
    runtime().block_on(async {
        for (name, fifo) in [("q", None), ("q.fifo", Some(FifoConfig::default()))] {
            for place in Place::both() {
                let place = with_in_flight(place, name, fifo.clone(), limits::IN_FLIGHT_MAX);
                let rig = Rig::new(place);
                let waits = rig.engine().waits();
                let mut first = waits.enter(name);
                let _second = waits.enter(name);
                assert_eq!(polled(&rig, name).await, 0);
                // What is in flight for longer or for shorter is so once.
                for timeout_s in [60, 90, 1] {
                    change_visibility(&rig, name, 2, timeout_s).await;
                    change_visibility(&rig, name, 3, 120).await;
                }
                assert_eq!(polled(&rig, name).await, 0);
                rig.done(Command::Probe).await;
                assert_eq!(waits.waiting(), 2, "nothing has made room");
                delete_held(&rig, name, 1).await;
                within(first.woken()).await;
                rig.done(Command::Probe).await;
                assert_eq!(waits.waiting(), 1, "room for one wakes one");
                assert_eq!(polled(&rig, name).await, 1);
                assert_eq!(polled(&rig, name).await, 0);
                // Two at once, and one that times out.
                delete_held(&rig, name, 4).await;
                delete_held(&rig, name, 5).await;
                rig.clock.advance(1_001);
                assert_eq!(polled(&rig, name).await, 3);
                assert_eq!(polled(&rig, name).await, 0);
            }
        }
        // Far from it nobody is told.
        let rig = Rig::new(with_in_flight(Place::memory(), "q", None, 5));
        let waits = rig.engine().waits();
        let _waiter = waits.enter("q");
        delete_held(&rig, "q", 1).await;
        rig.done(Command::Probe).await;
        assert_eq!(waits.waiting(), 1);
    });
}

/// Everything has at least the time of the newest entry, so it has to be looked for with that time.
#[test]
fn a_clock_that_was_set_back_hides_no_message() {
    const HOUR: commerce::Millis = 3_600_000;
    on_both(async |rig| {
        rig.done(create("q", none())).await;
        let product = crate::rig::create("A-1", 1, commerce::WhenSoldOut::Reject);
        rig.done(product).await;
        rig.clock.advance(-HOUR);
        for again in [false, true] {
            if again {
                rig.stop_and_start().await;
            }
            rig.done(send("q", "late")).await;
            let by = rig.engine().log_time();
            let depth = rig.reader().queue("q", by).unwrap().unwrap();
            assert_eq!((depth.visible, depth.delayed), (1, 0));
            let (messages, handles) = received(rig, "q", 10).await;
            assert_eq!(bodies(&messages), ["late"]);
            rig.done(Command::DeleteMessages {
                queue: "q".to_owned(),
                handles,
            })
            .await;
        }
        // What was sent while nothing is in the log after it, and the clock falls back again.
        rig.done(send("q", "later")).await;
        rig.clock.advance(-HOUR);
        let (messages, _) = received(rig, "q", 10).await;
        assert_eq!(bodies(&messages), ["later"]);
    });
}
