//! What commands about messages do to each other in one batch, and what a queue refuses.

use engine::{Command, Refusal, Reply};
use messaging::{Message, QueueConfig, ReceiptHandle, RedrivePolicy};

use crate::rig::{
    Answer, Place, Rig, create, order_of, queue_spec, receive_for, runtime, send, within,
};
use commerce::WhenSoldOut;

fn receive(queue: &str, max: usize) -> Command {
    receive_for(queue, max, None)
}

fn delete(queue: &str, handle: ReceiptHandle) -> Command {
    Command::DeleteMessage {
        queue: queue.to_owned(),
        handle,
    }
}

fn dead_letters_to(queue: &str, max_receive_count: u32) -> QueueConfig {
    QueueConfig {
        redrive: Some(RedrivePolicy {
            dead_letter_queue: queue.to_owned(),
            max_receive_count,
        }),
        ..QueueConfig::default()
    }
}

fn messages(answer: &Answer) -> (u32, &[Message]) {
    match answer {
        Ok(Ok(Reply::Messages { queue_id, messages })) => (*queue_id, messages),
        other => panic!("{other:?}"),
    }
}

fn bodies(answer: &Answer) -> Vec<&str> {
    let (_, messages) = messages(answer);
    messages
        .iter()
        .map(|message| message.body.as_str())
        .collect()
}

fn handle(answer: &Answer, at: usize) -> ReceiptHandle {
    let (queue_id, messages) = messages(answer);
    ReceiptHandle {
        queue_id,
        seq: messages[at].seq,
        receipt: messages[at].receipt.unwrap(),
    }
}

/// Visible, in flight, delayed; and they are as many as can be looked at.
fn depth(rig: &Rig, queue: &str) -> (u64, u64, u64) {
    let depths = rig.reader().queues(rig.engine().now()).unwrap();
    let depth = depths
        .iter()
        .find(|depth| depth.queue.name == queue)
        .unwrap();
    let stored = rig.reader().messages(queue, 0, 10_000).unwrap();
    let total = depth.visible + depth.in_flight + depth.delayed;
    assert_eq!(total, stored.len() as u64, "{queue}");
    (depth.visible, depth.in_flight, depth.delayed)
}

fn on_both(check: impl AsyncFn(&mut Rig)) {
    runtime().block_on(async {
        for place in Place::both() {
            let mut rig = Rig::new(place);
            rig.done(Command::EnsureQueues {
                queues: vec![
                    // The dead-letter queue of the first is named before it is made.
                    queue_spec("q", dead_letters_to("dead", 1)),
                    queue_spec("dead", QueueConfig::default()),
                ],
                subscriptions: Vec::new(),
            })
            .await;
            check(&mut rig).await;
            rig.audit_clean();
        }
    });
}

#[test]
fn messages_come_and_go_within_one_batch() {
    on_both(async |rig| {
        for body in ["a", "b", "c"] {
            rig.done(send("q", body)).await;
        }
        let first = rig.decide(receive("q", 1)).await;
        assert_eq!(bodies(&first), ["a"]);
        let late = Command::SendMessage {
            queue: "q".to_owned(),
            send: Box::new(messaging::Send {
                body: "delayed".to_owned(),
                delay_s: Some(5),
                ..messaging::Send::default()
            }),
        };
        let held = handle(&first, 0);
        let answers = rig
            .batch(vec![
                send("q", "d"),
                delete("q", held),
                receive("q", 2),
                late,
                delete("q", held),
                send("q", "e"),
                receive("q", 10),
                receive("q", 10),
            ])
            .await;
        assert!(
            matches!(answers[1], Ok(Ok(Reply::Count(1)))),
            "{:?}",
            answers[1]
        );
        assert_eq!(bodies(&answers[2]), ["b", "c"]);
        assert!(
            matches!(answers[4], Ok(Ok(Reply::Count(0)))),
            "{:?}",
            answers[4]
        );
        // Not the delayed one.
        assert_eq!(bodies(&answers[6]), ["d", "e"]);
        assert_eq!(bodies(&answers[7]), [""; 0]);
        assert_eq!(depth(rig, "q"), (0, 4, 1));

        let deletes = [handle(&answers[2], 0), handle(&answers[6], 1)];
        let answers = rig
            .batch(deletes.map(|held| delete("q", held)).into())
            .await;
        assert!(
            answers.iter().all(|a| matches!(a, Ok(Ok(Reply::Count(1))))),
            "{answers:?}"
        );
        assert_eq!(depth(rig, "q"), (0, 2, 1));
        rig.clock.advance(5_000);
        assert_eq!(depth(rig, "q"), (1, 2, 0));
        rig.restart().await;
        assert_eq!(depth(rig, "q"), (1, 2, 0));
        assert_eq!(bodies(&rig.decide(receive("q", 10)).await), ["delayed"]);
    });
}

#[test]
fn a_message_may_be_sent_received_and_buried_in_one_batch() {
    on_both(async |rig| {
        // Visible again at once: the second receive finds it exhausted.
        let answers = rig
            .batch(vec![
                send("q", "a"),
                receive_for("q", 1, Some(0)),
                receive_for("q", 1, Some(0)),
                receive("dead", 1),
            ])
            .await;
        assert_eq!(bodies(&answers[1]), ["a"]);
        assert_eq!(bodies(&answers[2]), [""; 0]);
        assert_eq!(bodies(&answers[3]), ["a"]);
        assert_eq!(depth(rig, "q"), (0, 0, 0));
        assert_eq!(depth(rig, "dead"), (0, 1, 0));
        // The old receipt has no power over the copy, wherever it is tried.
        let old = handle(&answers[1], 0);
        let held = handle(&answers[3], 0);
        assert_ne!(old.receipt, held.receipt);
        for queue in ["q", "dead"] {
            let answer = rig.decide(delete(queue, old)).await;
            assert!(matches!(answer, Ok(Ok(Reply::Count(0)))), "{answer:?}");
        }
        // Back, away again, and back twice in one batch.
        let redrive = || Command::Redrive {
            queue: "dead".to_owned(),
            message: None,
            max: usize::MAX,
        };
        let answers = rig
            .batch(vec![redrive(), redrive(), receive("q", 10)])
            .await;
        assert!(
            matches!(answers[0], Ok(Ok(Reply::Count(1)))),
            "{:?}",
            answers[0]
        );
        assert!(
            matches!(answers[1], Ok(Ok(Reply::Count(0)))),
            "{:?}",
            answers[1]
        );
        assert_eq!(bodies(&answers[2]), ["a"]);
        assert_eq!(depth(rig, "q"), (0, 1, 0));
        assert_eq!(depth(rig, "dead"), (0, 0, 0));
        let log = rig.reader().entries(0, 100).unwrap();
        assert_eq!(log.len(), 1, "one dead letter was told of");
    });
}

#[test]
fn the_dead_do_not_hide_the_living_from_one_who_waits() {
    on_both(async |rig| {
        rig.done(send("q", "exhausted")).await;
        let first = rig.decide(receive_for("q", 1, Some(1))).await;
        assert_eq!(bodies(&first), ["exhausted"]);
        rig.clock.advance(1_500);
        rig.done(send("q", "alive")).await;
        // Whom it woke has been told.
        rig.settled().await;

        // Only as many are looked at as were asked for, and the first of them is dead.
        let mut waiter = rig.engine().waits().enter("q");
        assert_eq!(bodies(&rig.decide(receive("q", 1)).await), [""; 0]);
        // Whoever got nothing although there is something is woken to look again.
        within(waiter.woken()).await;
        assert_eq!(bodies(&rig.decide(receive("q", 1)).await), ["alive"]);
        assert_eq!(depth(rig, "dead"), (1, 0, 0));
    });
}

#[test]
fn whoever_waits_for_a_message_is_woken() {
    on_both(async |rig| {
        let mut waiter = rig.engine().waits().enter("q");
        rig.done(send("q", "a")).await;
        within(waiter.woken()).await;
        let held = rig.decide(receive("q", 1)).await;
        rig.settled().await;
        waiter.used();
        rig.done(Command::ChangeVisibility {
            queue: "q".to_owned(),
            handle: handle(&held, 0),
            timeout_s: 0,
        })
        .await;
        within(waiter.woken()).await;
        rig.settled().await;
        let mut waiter = rig.engine().waits().enter("dead");
        rig.decide(receive("q", 1)).await.unwrap().unwrap();
        within(waiter.woken()).await;
        rig.settled().await;
        let mut waiter = rig.engine().waits().enter("q");
        rig.done(Command::Redrive {
            queue: "dead".to_owned(),
            message: Some(1),
            max: 0,
        })
        .await;
        within(waiter.woken()).await;
    });
}

#[test]
fn a_queue_without_its_dead_letter_queue_is_not_made() {
    on_both(async |rig| {
        let ensure = |queues, subscriptions: &[(&str, &str)]| Command::EnsureQueues {
            queues,
            subscriptions: subscriptions
                .iter()
                .map(|(topic, queue)| (*topic, *queue).into())
                .collect(),
        };
        let missing = |queue: &str| Refusal::QueueNotFound {
            queue: queue.to_owned(),
        };
        let refusal = rig
            .refused(ensure(
                vec![
                    queue_spec("fine", QueueConfig::default()),
                    queue_spec("not-fine", dead_letters_to("nowhere", 3)),
                ],
                &[],
            ))
            .await;
        assert_eq!(refusal, missing("nowhere"));
        let refusal = rig
            .refused(ensure(
                vec![queue_spec("fine", QueueConfig::default())],
                &[("t", "fine"), ("t", "nowhere")],
            ))
            .await;
        assert_eq!(refusal, missing("nowhere"));
        let names = |rig: &Rig| {
            let queues = rig.reader().queues(0).unwrap();
            queues
                .into_iter()
                .map(|depth| depth.queue.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(rig), ["dead", "q"], "all or nothing");
        assert_eq!(rig.reader().subscriptions(None, None, 10).unwrap(), []);

        // In one batch with what they need, and with what uses them.
        let answers = rig
            .batch(vec![
                ensure(vec![queue_spec("nowhere", QueueConfig::default())], &[]),
                ensure(
                    vec![queue_spec("q", dead_letters_to("nowhere", 1))],
                    &[("t", "q")],
                ),
                send("q", "a"),
                receive_for("q", 1, Some(0)),
                receive("q", 1),
            ])
            .await;
        assert!(
            answers.iter().all(|answer| matches!(answer, Ok(Ok(_)))),
            "{answers:?}"
        );
        assert_eq!(depth(rig, "nowhere"), (1, 0, 0));
        assert_eq!(depth(rig, "dead"), (0, 0, 0));
    });
}

#[test]
fn dead_letters_go_back_though_their_queue_sends_them_elsewhere_now() {
    on_both(async |rig| {
        rig.batch(vec![
            send("q", "a"),
            receive_for("q", 1, Some(0)),
            receive("q", 1),
        ])
        .await;
        assert_eq!(depth(rig, "dead"), (1, 0, 0));
        rig.done(Command::EnsureQueues {
            queues: vec![queue_spec("q", QueueConfig::default())],
            subscriptions: Vec::new(),
        })
        .await;
        let moved = rig
            .done(Command::Redrive {
                queue: "dead".to_owned(),
                message: None,
                max: 10,
            })
            .await;
        assert!(matches!(moved, Reply::Count(1)), "{moved:?}");
        assert_eq!(depth(rig, "dead"), (0, 0, 0));
        assert_eq!(bodies(&rig.decide(receive("q", 1)).await), ["a"]);
    });
}

#[test]
fn a_forged_receipt_harms_nobody() {
    on_both(async |rig| {
        rig.done(create("A", 1, WhenSoldOut::Reject)).await;
        rig.done(send("q", "a")).await;
        for seq in [0, 1, 2, u64::MAX] {
            let forged = ReceiptHandle {
                queue_id: u32::MAX,
                seq,
                receipt: u64::MAX,
            };
            let queue = "q".to_owned();
            let answers = rig
                .batch(vec![
                    delete("q", forged),
                    Command::ChangeVisibility {
                        queue: queue.clone(),
                        handle: forged,
                        timeout_s: 1,
                    },
                    Command::DeadLetter {
                        queue: queue.clone(),
                        handle: forged,
                        reason: "forged".to_owned(),
                    },
                    Command::Redrive {
                        queue: queue.clone(),
                        message: Some(seq),
                        max: 1,
                    },
                    delete("no-such-queue", forged),
                    Command::PlaceOrder(order_of("A")),
                ])
                .await;
            let names = answers.iter().map(|answer| match answer {
                Ok(Ok(Reply::Count(0))) => "nothing",
                Ok(Ok(Reply::Order(_))) => "an order",
                Ok(Err(refusal)) => refusal.code(),
                other => panic!("{other:?}"),
            });
            assert_eq!(
                names.collect::<Vec<_>>(),
                [
                    "nothing",
                    "queue_refusal",
                    "queue_refusal",
                    "nothing",
                    "queue_not_found",
                    "an order"
                ]
            );
        }
        assert_eq!(depth(rig, "q"), (1, 0, 0));
    });
}

#[test]
fn asking_for_too_many_messages_loads_none() {
    on_both(async |rig| {
        for max in [0, 11, usize::MAX] {
            let refusal = rig.refused(receive("q", max)).await;
            assert_eq!(refusal.code(), "queue_refusal");
        }
        // Many at once, each for as many as there may be.
        let answers = rig
            .batch((0..50).map(|_| receive("q", usize::MAX)).collect())
            .await;
        assert!(answers.iter().all(|answer| matches!(answer, Ok(Err(_)))));
        assert_eq!(bodies(&rig.decide(receive("q", 10)).await), [""; 0]);
    });
}
