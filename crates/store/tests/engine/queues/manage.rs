//! Queues are made, changed, emptied and deleted.

use super::*;

#[test]
fn a_queue_is_made_once_with_what_was_sent() {
    on_both(async |rig| {
        let settings = QueueSettings {
            delay_s: Some(5),
            ..none()
        };
        let queue = made(rig, create("q", settings.clone())).await;
        assert_eq!(made(rig, create("q", settings)).await, queue);
        assert_eq!(made(rig, create("q", none())).await, queue);
        let other = QueueSettings {
            delay_s: Some(6),
            ..none()
        };
        let attribute = "DelaySeconds";
        let refusal = rig.refused(create("q", other)).await;
        assert_eq!(refusal, Refusal::QueueExists { attribute });
        for (name, settings) in [
            ("no spaces", none()),
            (
                "q.fifo",
                QueueSettings {
                    fifo: Some(false),
                    ..none()
                },
            ),
            ("r", fifo()),
            (
                "r",
                QueueSettings {
                    throughput_limit: Some(ThroughputLimit::PerQueue),
                    ..none()
                },
            ),
        ] {
            let refusal = rig.refused(create(name, settings)).await;
            assert_eq!(refusal.code(), "queue_refusal", "{name}");
        }
        rig.clock.advance(1_000);
        let changed = made(
            rig,
            set(
                "q",
                QueueSettings {
                    retention_s: Some(60),
                    ..none()
                },
            ),
        )
        .await;
        assert_eq!(changed.modified_at, queue.modified_at + 1_000);
        assert_eq!(
            (changed.config.delay_s, changed.config.retention_s),
            (5, 60)
        );
        rig.done(Command::TagQueue {
            queue: "q".to_owned(),
            tags: [
                ("a".to_owned(), "1".to_owned()),
                ("b".to_owned(), String::new()),
            ]
            .into(),
            untag: vec!["a".to_owned()],
        })
        .await;
        rig.restart().await;
        let stored = rig.reader().queue("q", 0).unwrap().unwrap().queue;
        assert_eq!(stored.more.tags.keys().collect::<Vec<_>>(), ["b"]);
        assert_eq!(stored.config, changed.config);
        for command in [set("none", none()), delete("none"), purge("none")] {
            assert_eq!(rig.refused(command).await.code(), "queue_not_found");
        }
    });
}

#[test]
fn a_dead_letter_queue_is_there_of_the_same_kind_and_allows_it() {
    on_both(async |rig| {
        rig.done(create("dead", none())).await;
        rig.done(create("dead.fifo", fifo())).await;
        let only = |queues: &[&str]| QueueSettings {
            redrive_allow: Some(Some(RedriveAllow::ByQueue(
                queues.iter().map(|queue| (*queue).to_owned()).collect(),
            ))),
            ..none()
        };
        rig.done(create("choosy", only(&["q"]))).await;
        rig.done(create("q", letters_to("choosy"))).await;
        for ask in [create, set] {
            for (target, code) in [
                ("none", "dead_letter_queue_unfit"),
                ("r", "dead_letter_queue_unfit"),
                ("choosy", "dead_letter_queue_unfit"),
                ("dead.fifo", "queue_refusal"),
            ] {
                let refusal = rig.refused(ask("r", letters_to(target))).await;
                assert_eq!(refusal.code(), code, "{target}");
            }
            rig.done(create("r", none())).await;
        }
        // Nobody is asked again about what stays as it is.
        rig.done(set("choosy", only(&["somebody-else"]))).await;
        let delay = QueueSettings {
            delay_s: Some(1),
            ..none()
        };
        rig.done(set("q", delay)).await;
        // A dead-letter queue that is gone holds nothing up: messages stay where they are.
        rig.done(set(
            "q",
            QueueSettings {
                delay_s: Some(0),
                ..none()
            },
        ))
        .await;
        rig.done(delete("choosy")).await;
        rig.done(send("q", "a")).await;
        for _ in 0..3 {
            let (messages, _) = received(rig, "q", 10).await;
            assert_eq!(bodies(&messages), ["a"]);
            rig.clock.advance(30_000);
        }
        rig.done(set("q", letters_to("dead"))).await;
        assert_eq!(received(rig, "q", 10).await.0, []);
        assert_eq!(bodies(&received(rig, "dead", 10).await.0), ["a"]);
    });
}

#[test]
fn whoever_takes_the_name_of_a_queue_gets_no_messages_of_another_account() {
    on_both(async |rig| {
        let others = |name: &str, settings: QueueSettings| Command::CreateQueue {
            name: name.to_owned(),
            owner: Some("111111111111".to_owned()),
            settings: Box::new(settings),
            tags: BTreeMap::new(),
        };
        rig.done(create("dead", none())).await;
        for source in ["q", "keeps"] {
            rig.done(create(source, letters_to("dead"))).await;
        }
        let refusal = rig.refused(others("other", letters_to("dead"))).await;
        assert_eq!(refusal.code(), "dead_letter_queue_unfit");
        // The dead-letter queue of a redrive policy: the messages stay.
        rig.done(delete("dead")).await;
        rig.done(others("dead", none())).await;
        rig.done(send("q", "a")).await;
        for _ in 0..3 {
            let (messages, _) = received(rig, "q", 10).await;
            assert_eq!(bodies(&messages), ["a"]);
            rig.clock.advance(30_000);
        }
        assert_eq!(received(rig, "dead", 10).await.0, []);
        // The queue that dead letters came from: they stay as well.
        rig.done(delete("dead")).await;
        rig.done(create("dead", none())).await;
        assert_eq!(received(rig, "q", 10).await.0, []);
        rig.done(delete("q")).await;
        rig.done(others("q", none())).await;
        rig.done(Command::StartMove {
            queue: "dead".to_owned(),
            destination: None,
            rate: None,
        })
        .await;
        let step = Command::MoveStep {
            queue: "dead".to_owned(),
            destination: None,
            max: 10,
        };
        let Reply::Move(task) = rig.done(step).await else {
            panic!("a move was asked for");
        };
        assert_eq!((task.moved, task.status), (0, MoveStatus::Failed));
        let redrive = Command::Redrive {
            queue: "dead".to_owned(),
            message: None,
            max: 10,
        };
        assert!(matches!(rig.done(redrive).await, Reply::Count(0)));
        assert_eq!(received(rig, "q", 10).await.0, []);
        assert_eq!(bodies(&received(rig, "dead", 10).await.0), ["a"]);
    });
}

#[test]
fn when_the_numbers_are_used_up_nothing_is_made_or_purged() {
    runtime().block_on(async {
        for place in Place::both() {
            place.number_from(NUMBERS_MAX - 2);
            let mut rig = Rig::new(place);
            rig.done(create("a", none())).await;
            let spec = |name: &str| QueueSpec {
                name: name.to_owned(),
                config: QueueConfig::default(),
            };
            // All of them or none.
            let both = Command::EnsureQueues {
                queues: vec![spec("b"), spec("c")],
                subscriptions: Vec::new(),
            };
            assert_eq!(rig.refused(both).await.code(), "too_many");
            rig.done(create("b", none())).await;
            let topic = Command::CreateTopic {
                name: "t".to_owned(),
                owner: None,
                settings: Box::default(),
                tags: BTreeMap::new(),
            };
            for command in [create("c", none()), purge("b"), topic] {
                assert_eq!(rig.refused(command).await.code(), "too_many");
            }
            // What is there goes on, also after a start.
            rig.restart().await;
            rig.done(Command::EnsureQueues {
                queues: vec![spec("a"), spec("b")],
                subscriptions: Vec::new(),
            })
            .await;
            rig.done(send("b", "m")).await;
            assert_eq!(bodies(&received(&rig, "b", 1).await.0), ["m"]);
            rig.done(delete("b")).await;
            assert_eq!(rig.refused(create("b", none())).await.code(), "too_many");
            rig.audit_clean();
        }
    });
}

#[test]
fn there_are_so_many_queues_and_no_more() {
    runtime().block_on(async {
        for place in Place::both() {
            let limits = Limits {
                queues_max: 2,
                ..Limits::default()
            };
            let rig = Rig::with_limits(place, limits);
            let first = made(&rig, create("a", none())).await;
            made(&rig, create("b", none())).await;
            let refusal = rig.refused(create("c", none())).await;
            let what = "queues";
            assert_eq!(refusal, Refusal::TooMany { what, limit: 2 });
            rig.done(delete("a")).await;
            let again = made(&rig, create("a", none())).await;
            assert!(again.id > first.id, "a number is never used again");
            assert!(again.partition > first.partition);
        }
    });
}

#[test]
fn a_deleted_name_rests_for_a_minute_where_that_is_wanted() {
    runtime().block_on(async {
        for place in Place::both() {
            let limits = Limits {
                deleted_names_rest: true,
                ..Limits::default()
            };
            let rig = Rig::with_limits(place, limits);
            made(&rig, create("q", none())).await;
            made(&rig, create("another", none())).await;
            // Also by what stands right behind the deletion.
            let answers = rig.batch(vec![delete("q"), create("q", none())]).await;
            assert!(
                matches!(
                    &answers[..],
                    [Ok(Ok(_)), Ok(Err(Refusal::QueueDeletedRecently))]
                ),
                "{answers:?}"
            );
            rig.clock.advance(59_999);
            let refusal = rig.refused(create("q", none())).await;
            assert_eq!(refusal, Refusal::QueueDeletedRecently);
            rig.clock.advance(1);
            made(&rig, create("q", none())).await;
            // Another queue's name, and one that is there, are not concerned.
            rig.done(delete("another")).await;
            made(&rig, create("q", none())).await;
            made(&rig, create("third", none())).await;
            rig.audit_clean();
        }
    });
}

#[test]
fn a_new_delay_of_a_fifo_queue_counts_for_what_is_there() {
    on_both(async |rig| {
        let delayed = |delay_s| QueueSettings {
            delay_s: Some(delay_s),
            ..none()
        };
        let settings = QueueSettings {
            delay_s: Some(900),
            ..fifo()
        };
        rig.done(create("q.fifo", settings)).await;
        let sent = |body: &str| Command::SendMessage {
            queue: "q.fifo".to_owned(),
            send: Box::new(Send {
                deduplication: Some(body.to_owned()),
                ..in_group(body, body)
            }),
        };
        let got = async |rig: &Rig| bodies(&received(rig, "q.fifo", 10).await.0).join(" ");
        rig.done(sent("a")).await;
        rig.clock.advance(1_000);
        rig.done(sent("b")).await;
        assert_eq!(got(rig).await, "");
        // Sooner, also for one that is sent in the same commit.
        rig.batch(vec![sent("c"), set("q.fifo", delayed(2))]).await;
        rig.clock.advance(999);
        assert_eq!(got(rig).await, "");
        rig.clock.advance(1);
        assert_eq!(got(rig).await, "a");
        rig.done(set("q.fifo", delayed(0))).await;
        assert_eq!(got(rig).await, "b c");
        // What was received has its time-out, and nothing else.
        rig.done(sent("d")).await;
        rig.done(set("q.fifo", delayed(300))).await;
        rig.clock.advance(30_000);
        assert_eq!(got(rig).await, "a b c");
        rig.clock.advance(269_999);
        assert_eq!(got(rig).await, "a b c");
        rig.clock.advance(1);
        assert_eq!(got(rig).await, "d");
        // On a standard queue it counts for what is sent from then on.
        rig.done(create("q", delayed(10))).await;
        rig.done(send("q", "a")).await;
        rig.done(set("q", delayed(0))).await;
        assert_eq!(received(rig, "q", 10).await.0, []);
    });
}

#[test]
fn a_purge_takes_everything_but_what_was_sent_after_it() {
    on_both(async |rig| {
        rig.done(create("q.fifo", fifo())).await;
        let sent = |body: &str| Command::SendMessage {
            queue: "q.fifo".to_owned(),
            send: Box::new(in_group(body, "g")),
        };
        for body in ["a", "b"] {
            rig.done(sent(body)).await;
        }
        let (_, handles) = received(rig, "q.fifo", 1).await;
        // Sent in the same commit, and gone with the others; sent after it, and there.
        rig.batch(vec![sent("c"), purge("q.fifo"), sent("d")]).await;
        let (messages, _) = received(rig, "q.fifo", 10).await;
        assert_eq!(bodies(&messages), ["d"], "nothing holds the group");
        assert_eq!(messages[0].seq, 4);
        // Nobody is disturbed by a handle from before.
        for handle in &handles {
            let answer = rig
                .decide(Command::DeleteMessages {
                    queue: "q.fifo".to_owned(),
                    handles: vec![*handle],
                })
                .await;
            assert_eq!(codes(&answer), ["nothing"]);
        }
        // What was sent before it is still a repetition.
        rig.done(sent("a")).await;
        assert_eq!(rig.reader().messages("q.fifo", 0, 10).unwrap().len(), 1);
        rig.clock.advance(59_999);
        let refusal = rig.refused(purge("q.fifo")).await;
        assert_eq!(refusal, Refusal::PurgeInProgress);
        rig.clock.advance(1);
        rig.restart().await;
        rig.done(purge("q.fifo")).await;
        assert_eq!(received(rig, "q.fifo", 10).await.0, []);
    });
}
