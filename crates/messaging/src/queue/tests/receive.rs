use super::*;

#[test]
fn a_delivery_is_stamped() {
    let config = standard();
    let request = Receive {
        max: 1,
        visibility_timeout_s: Some(5),
    };
    let message = stored(&config, 1);
    let received = receive(
        &config,
        vec![message.clone()],
        &request,
        &mut || 77,
        NOW + 10,
    );
    let first = Message {
        visible_at_ms: NOW + 5010,
        receive_count: 1,
        first_received_at_ms: Some(NOW + 10),
        received_at_ms: Some(NOW + 10),
        receipt: Some(77),
        ..message
    };
    assert_eq!(received.delivered, std::slice::from_ref(&first));
    assert_eq!((received.dead, received.expired), (vec![], vec![]));

    // The second receive has the queue's time-out, and the first time stays.
    let second = received_once(&config, first.clone(), NOW + 5010);
    assert_eq!(
        second,
        Message {
            visible_at_ms: NOW + 35_010,
            receive_count: 2,
            received_at_ms: Some(NOW + 5010),
            receipt: Some(100),
            ..first
        }
    );
}

#[test]
fn invisible_messages_are_passed_by() {
    let config = standard();
    let mut delayed = stored(&config, 1);
    delayed.visible_at_ms = NOW + 1;
    let in_flight = received_once(&config, stored(&config, 2), NOW);
    let queue = [delayed, in_flight, stored(&config, 3)];
    assert_eq!(seqs(&receive_at(&config, &queue, 10, NOW).delivered), [3]);
    assert_eq!(
        seqs(&receive_at(&config, &queue, 10, NOW + 1).delivered),
        [1, 3]
    );
    assert_eq!(
        seqs(&receive_at(&config, &queue, 10, NOW + 29_999).delivered),
        [1, 3]
    );
    assert_eq!(
        seqs(&receive_at(&config, &queue, 10, NOW + 30_000).delivered),
        [1, 2, 3]
    );
}

#[test]
fn no_more_than_asked_for_and_never_more_than_ten() {
    let config = standard();
    let queue: Vec<Message> = (0..20).map(|seq| stored(&config, seq)).collect();
    assert_eq!(
        seqs(&receive_at(&config, &queue, 3, NOW).delivered),
        [0, 1, 2]
    );
    assert_eq!(receive_at(&config, &queue, 10, NOW).delivered.len(), 10);
    assert_eq!(receive_at(&config, &queue, 15, NOW).delivered.len(), 10);
}

#[test]
fn every_delivery_has_its_own_receipt() {
    let config = standard();
    let queue = [stored(&config, 1), stored(&config, 2)];
    let received = receive_at(&config, &queue, 10, NOW);
    let receipts: Vec<_> = received.delivered.iter().map(|m| m.receipt).collect();
    assert_eq!(receipts, [Some(100), Some(101)]);
}

#[test]
fn retention_ends_at_its_last_second_and_follows_the_queue() {
    let short = QueueConfig {
        retention_s: 60,
        ..standard()
    };
    let queue = [stored(&short, 1)];
    assert_eq!(
        receive_at(&short, &queue, 1, NOW + 59_999).delivered.len(),
        1
    );
    let received = receive_at(&short, &queue, 1, NOW + 60_000);
    assert_eq!(
        (seqs(&received.delivered), seqs(&received.expired)),
        (vec![], vec![1])
    );
    // A longer retention saves what is still there.
    assert_eq!(
        receive_at(&standard(), &queue, 1, NOW + 60_000)
            .delivered
            .len(),
        1
    );
}

#[test]
fn exhausted_messages_are_dead_instead_of_delivered_and_do_not_count() {
    let config = with_redrive(standard(), 2);
    let worn = |seq, receive_count| Message {
        receive_count,
        ..stored(&config, seq)
    };
    let queue = [worn(1, 2), worn(2, 1), worn(3, 5), worn(4, 0), worn(5, 2)];
    let received = receive_at(&config, &queue, 2, NOW);
    assert_eq!(seqs(&received.delivered), [2, 4]);
    // The fifth was not reached: nobody would have received it.
    assert_eq!(seqs(&received.dead), [1, 3]);
    // It comes unchanged, for `dead_letter` to remember its count.
    assert_eq!(received.dead[0], worn(1, 2));
    // Without a policy messages are delivered for ever.
    let received = receive_at(&standard(), &queue, 10, NOW);
    assert_eq!(received.delivered.len(), 5);
}

#[test]
fn an_exhausted_message_in_flight_stays_with_its_consumer() {
    let config = with_redrive(standard(), 1);
    let last_chance = received_once(&config, stored(&config, 1), NOW);
    let received = receive_at(&config, std::slice::from_ref(&last_chance), 1, NOW + 29_999);
    assert_eq!(received, Received::default());
    let received = receive_at(&config, &[last_chance], 1, NOW + 30_000);
    assert_eq!(seqs(&received.dead), [1]);
}

#[test]
fn dead_letters_start_afresh_and_remember() {
    for config in [standard(), fifo()] {
        let message = received_once(&config, stored(&config, 1), NOW);
        let reason = Some("too often".to_owned());
        let dead = dead_letter(
            &config,
            message.clone(),
            "source",
            reason.clone(),
            NOW + 90_000,
        );
        assert_eq!(
            dead,
            Message {
                // Retention runs on for a standard queue and starts again for a FIFO queue.
                sent_at_ms: if config.is_fifo() { NOW + 90_000 } else { NOW },
                visible_at_ms: NOW + 90_000,
                received_before: 1,
                dead: Some(DeadLetter {
                    source_queue: "source".to_owned(),
                    reason,
                    receive_count: 1,
                    at_ms: NOW + 90_000,
                }),
                sent_first: config.is_fifo().then(|| SentFirst {
                    queue: "source".to_owned(),
                    at_ms: NOW,
                }),
                ..stored(&config, 1)
            }
        );
        // The handle from before the move has no effect on the copy.
        let with_old_handle = delete(&config, Some(&dead), 100, NOW + 90_000);
        assert_ne!(with_old_handle, Ok(Deletion::Deleted));
        // From one dead-letter queue to the next: all receives are told, its own are counted.
        let received = received_once(&config, dead, NOW + 90_000);
        assert_eq!((received.receive_count, received.receives_in_all()), (1, 2));
        let again = dead_letter(&config, received, "dead", None, NOW + 180_000);
        assert_eq!((again.receive_count, again.receives_in_all()), (0, 2));
    }
}

#[test]
fn a_fifo_queue_knows_when_a_message_came_first() {
    let config = fifo();
    let dies = |message, queue, at| dead_letter(&config, message, queue, None, at);
    let came = |message: &Message| ["a", "b"].map(|queue| message.came_at_ms(queue));
    let dead = dies(stored(&config, 1), "a", NOW + 1);
    assert_eq!(came(&redrive(dead.clone(), NOW + 2)), [NOW, NOW + 2]);
    // Again, and through a second queue of dead letters.
    let again = dies(redrive(dead.clone(), NOW + 2), "a", NOW + 3);
    assert_eq!(came(&redrive(again, NOW + 4)), [NOW, NOW + 4]);
    let deeper = dies(dead.clone(), "dead", NOW + 3);
    assert_eq!(came(&redrive(deeper, NOW + 4)), [NOW, NOW + 4]);
    // Moved elsewhere, it came there when it was moved, and dies as a message of that queue.
    let moved = dies(redrive(dead, NOW + 2), "b", NOW + 3);
    assert_eq!(came(&redrive(moved, NOW + 4)), [NOW + 4, NOW + 2]);
}

#[test]
fn redrive_sends_it_again() {
    let config = standard();
    let message = received_once(&config, stored(&config, 1), NOW);
    let dead = dead_letter(&config, message, "source", None, NOW + 1);
    let again = redrive(received_once(&config, dead, NOW + 2), NOW + 3);
    assert_eq!(
        again,
        Message {
            sent_at_ms: NOW + 3,
            visible_at_ms: NOW + 3,
            ..stored(&config, 1)
        }
    );
}

#[test]
fn requests_are_checked() {
    let check = |max, visibility_timeout_s| {
        Receive {
            max,
            visibility_timeout_s,
        }
        .validate()
        .map_err(|refusal| refusal.to_string())
    };
    assert_eq!(check(1, None), Ok(()));
    assert_eq!(check(10, Some(43_200)), Ok(()));
    for max in [0, 11] {
        assert_eq!(
            check(max, None),
            Err(format!(
                "Value {max} for parameter MaxNumberOfMessages is invalid. Reason: Must be \
                 between 1 and 10, if provided."
            ))
        );
    }
    assert!(check(1, Some(43_201)).is_err());
    assert_eq!(validate_wait(20), Ok(()));
    assert_eq!(
        validate_wait(21).unwrap_err().field(),
        Some("WaitTimeSeconds")
    );
}

#[test]
fn room_in_flight() {
    for (config, in_flight, long_poll, expected) in [
        (standard(), 0, false, Ok(10)),
        (standard(), 119_995, false, Ok(5)),
        (standard(), 120_000, false, Err(Refusal::OverLimit)),
        (standard(), 120_001, true, Ok(0)),
        (fifo(), 120_000, false, Ok(0)),
    ] {
        assert_eq!(in_flight_room(&config, in_flight, 10, long_poll), expected);
    }
}

mod fair_order {
    use super::*;
    use crate::queue::fair::{GroupLoad, Load, order};

    fn load(in_flight: u64, processing_ms: u64, groups: &[(&str, u64, u64)]) -> Load {
        Load {
            in_flight,
            processing_ms,
            groups: groups
                .iter()
                .map(|&(group, in_flight, processing_ms)| {
                    let load = GroupLoad {
                        in_flight,
                        processing_ms,
                    };
                    (group.to_owned(), load)
                })
                .collect(),
        }
    }

    fn of_groups(groups: &[&str]) -> Vec<Message> {
        (0..)
            .zip(groups)
            .map(|(seq, group)| Message {
                group: (!group.is_empty()).then(|| (*group).to_owned()),
                ..stored(&standard(), seq)
            })
            .collect()
    }

    #[test]
    fn a_group_is_noisy_above_a_tenth() {
        for (in_flight, of, processing_ms, of_ms, noisy) in [
            (30, 299, 0, 0, true),
            (30, 300, 0, 0, false),
            (29, 29, 0, 0, false),
            (1000, 10_000, 0, 0, false),
            (1001, 10_000, 0, 0, true),
            (1, 10, 30_000, 299_999, true),
            (1, 10, 30_000, 300_000, false),
            (1, 10, 29_999, 29_999, false),
            (0, 0, 0, 0, false),
        ] {
            let load = load(of, of_ms, &[("a", in_flight, processing_ms)]);
            assert_eq!(load.is_noisy("a"), noisy, "{load:?}");
            assert!(!load.is_noisy("b"));
        }
    }

    #[test]
    fn noisy_groups_come_last_the_least_busy_of_them_first() {
        let busy = load(
            200,
            0,
            &[("loud", 100, 0), ("less", 60, 0), ("quiet", 5, 0)],
        );
        let queue = of_groups(&["loud", "less", "quiet", "loud", "", "idle", "less", ""]);
        assert_eq!(seqs(&order(queue.clone(), &busy)), [2, 4, 5, 7, 1, 6, 0, 3]);
        // A noisy group gets everything when nobody else waits.
        let alone = of_groups(&["loud", "loud"]);
        assert_eq!(seqs(&order(alone, &busy)), [0, 1]);
        // Nobody is noisy: the order of the queue.
        let calm = load(9, 0, &[("loud", 3, 0)]);
        assert_eq!(order(queue.clone(), &calm), queue);
    }
}
