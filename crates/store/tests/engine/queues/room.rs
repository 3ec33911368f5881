//! A receive gets no more than there is room for where its messages go.

use engine::Room;

use super::*;

fn within(queue: &str, max: usize, room: Room) -> Command {
    Command::ReceiveMessages {
        queue: queue.to_owned(),
        max,
        visibility_timeout_s: None,
        attempt: None,
        waits: false,
        room,
    }
}

fn texts(answer: &Answer) -> Option<Vec<&str>> {
    match answer {
        Ok(Ok(Reply::Messages { messages, .. })) => Some(bodies(messages)),
        Ok(Ok(Reply::NoRoom)) => None,
        other => panic!("{other:?}"),
    }
}

/// Five messages of ten bytes each, in both kinds of queue.
async fn with_messages(rig: &Rig) -> Vec<String> {
    rig.done(create("q", none())).await;
    rig.done(create("q.fifo", fifo())).await;
    for queue in ["q", "q.fifo"] {
        for number in 0..5 {
            let mut sent = in_group(&format!("message {number}{number}"), "g");
            sent.group = sent.group.filter(|_| queue == "q.fifo");
            rig.done(Command::SendMessage {
                queue: queue.to_owned(),
                send: Box::new(sent),
            })
            .await;
        }
    }
    vec!["q".to_owned(), "q.fifo".to_owned()]
}

#[test]
fn what_does_not_fit_whole_is_not_received() {
    on_both(async |rig| {
        for queue in with_messages(rig).await {
            let in_flight = |rig: &Rig| {
                let depths = rig.reader().queues(i64::MAX / 2).unwrap();
                let depth = depths.into_iter().find(|depth| depth.queue.name == queue);
                let depth = depth.unwrap();
                (depth.visible, depth.queue.next_seq)
            };
            let before = in_flight(rig);
            for (max, bytes) in [(5, 49), (10, 49), (2, 19), (1, 9), (1, 0)] {
                let none = rig.decide(within(&queue, max, Room::Whole(bytes))).await;
                assert_eq!(texts(&none), None, "{max} in {bytes}");
            }
            assert_eq!(in_flight(rig), before);
            let some = rig.decide(within(&queue, 2, Room::Whole(20))).await;
            assert_eq!(texts(&some).unwrap(), ["message 00", "message 11"]);
        }
        let all = rig.decide(within("q", 10, Room::Whole(30))).await;
        assert_eq!(texts(&all).unwrap().len(), 3);
        // Nothing is never too much.
        let none = rig.decide(within("q", 10, Room::Whole(0))).await;
        assert!(texts(&none).unwrap().is_empty());
    });
}

#[test]
fn what_fits_in_part_is_received_in_part_and_one_message_always_is() {
    on_both(async |rig| {
        for queue in with_messages(rig).await {
            let is_fifo = queue == "q.fifo";
            let some = rig.decide(within(&queue, 10, Room::Part(29))).await;
            assert_eq!(texts(&some).unwrap(), ["message 00", "message 11"]);
            if is_fifo {
                // The rest of its group waits.
                let none = rig.decide(within(&queue, 10, Room::Part(29))).await;
                assert!(texts(&none).unwrap().is_empty());
                rig.clock.advance(31_000);
                let again = rig.decide(within(&queue, 10, Room::Part(1))).await;
                assert_eq!(texts(&again).unwrap(), ["message 00"]);
                continue;
            }
            let one = rig.decide(within(&queue, 10, Room::Part(1))).await;
            assert_eq!(texts(&one).unwrap(), ["message 22"]);
            let rest = rig.decide(within(&queue, 10, Room::Part(20))).await;
            assert_eq!(texts(&rest).unwrap(), ["message 33", "message 44"]);
        }
    });
}

#[test]
fn receives_of_one_batch_share_what_was_loaded_and_nothing_is_passed_by() {
    on_both(async |rig| {
        with_messages(rig).await;
        let asked = vec![
            within("q", 10, Room::Whole(15)),
            within("q", 10, Room::Part(15)),
            within("q", 2, Room::Part(25)),
            within("q", 1, Room::Whole(10)),
        ];
        let answers = rig.batch(asked).await;
        let texts: Vec<_> = answers.iter().map(texts).collect();
        assert_eq!(texts[0], None);
        assert_eq!(texts[1], Some(vec!["message 00"]));
        assert_eq!(texts[2], Some(vec!["message 11", "message 22"]));
        assert_eq!(texts[3], Some(vec!["message 33"]));
        let all = rig.decide(within("q", 10, Room::All)).await;
        assert_eq!(self::texts(&all), Some(vec!["message 44"]));
    });
}

#[test]
fn a_move_passes_by_nothing_for_its_bytes() {
    on_both(async |rig| {
        rig.done(create("dead", none())).await;
        rig.done(create("q", letters_to("dead"))).await;
        // More than what one step loads.
        let body = "x".repeat(1024 * 1024);
        for _ in 0..20 {
            rig.done(send("q", &body)).await;
        }
        for _ in 0..2 {
            rig.done(within_all("q")).await;
            rig.done(within_all("q")).await;
            rig.clock.advance(31_000);
        }
        rig.done(within_all("q")).await;
        rig.done(within_all("q")).await;
        assert_eq!(rig.reader().messages("dead", 0, 30).unwrap().len(), 20);
        rig.done(Command::StartMove {
            queue: "dead".to_owned(),
            destination: Some("q".to_owned()),
            rate: None,
        })
        .await;
        let mut steps = 0;
        loop {
            let step = Command::MoveStep {
                queue: "dead".to_owned(),
                destination: Some("q".to_owned()),
                max: 100,
            };
            let Reply::Move(task) = rig.done(step).await else {
                panic!("a move was asked for");
            };
            steps += 1;
            if task.status == MoveStatus::Completed {
                assert_eq!(task.moved, 20);
                break;
            }
        }
        assert!(steps > 2, "one step has loaded all of it");
    });
}

fn within_all(queue: &str) -> Command {
    receive_for(queue, 10, None)
}
