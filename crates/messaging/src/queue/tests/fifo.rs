use super::*;

fn content_based() -> QueueConfig {
    QueueConfig {
        fifo: Some(FifoConfig {
            content_based_deduplication: true,
            ..FifoConfig::default()
        }),
        ..QueueConfig::default()
    }
}

fn scoped_to_group() -> QueueConfig {
    QueueConfig {
        fifo: Some(FifoConfig {
            deduplication_scope: DeduplicationScope::MessageGroup,
            ..FifoConfig::default()
        }),
        ..QueueConfig::default()
    }
}

fn entry(config: &QueueConfig, send: Send, seq: u64) -> DedupEntry {
    let message = accept(config, send, seq, format!("id-{seq}"), NOW).unwrap();
    DedupEntry::of(config, &message).unwrap()
}

fn is_duplicate(config: &QueueConfig, first: Send, second: &Send, after_ms: i64) -> bool {
    let hits = [entry(config, first, 1)];
    match deduplicate(config, second, &hits, NOW + after_ms).unwrap() {
        Deduplication::Unique => false,
        Deduplication::Duplicate { message_id, seq } => {
            assert_eq!((message_id.as_str(), seq), ("id-1", 1));
            true
        }
    }
}

#[test]
fn five_minutes_from_the_first() {
    for (after_ms, duplicate) in [(0, true), (299_999, true), (300_000, false)] {
        let send = grouped("g", "d");
        assert_eq!(
            is_duplicate(&fifo(), send.clone(), &send, after_ms),
            duplicate
        );
    }
}

#[test]
fn ids_count_and_bodies_do_not() {
    let first = grouped("g", "d");
    let other_body = Send {
        body: "other".to_owned(),
        ..first.clone()
    };
    assert!(is_duplicate(&fifo(), first.clone(), &other_body, 1));
    assert!(!is_duplicate(&fifo(), first, &grouped("g", "e"), 1));
}

#[test]
fn scope_is_the_queue_or_the_group() {
    let (first, other_group) = (grouped("g", "d"), grouped("h", "d"));
    assert!(is_duplicate(&fifo(), first.clone(), &other_group, 1));
    assert!(!is_duplicate(
        &scoped_to_group(),
        first.clone(),
        &other_group,
        1
    ));
    assert!(is_duplicate(&scoped_to_group(), first.clone(), &first, 1));
}

#[test]
fn content_stands_in_for_an_id() {
    let config = content_based();
    let unnamed = |body: &str| Send {
        deduplication: None,
        body: body.to_owned(),
        ..grouped("g", "")
    };
    // SHA-256 of "hello".
    let hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(
        deduplication_id(&config, &unnamed("hello"))
            .unwrap()
            .as_deref(),
        Some(hash)
    );
    let message = accept(&config, unnamed("hello"), 1, String::new(), NOW).unwrap();
    assert_eq!(message.deduplication.as_deref(), Some(hash));

    assert!(is_duplicate(
        &config,
        unnamed("hello"),
        &unnamed("hello"),
        1
    ));
    assert!(!is_duplicate(
        &config,
        unnamed("hello"),
        &unnamed("hullo"),
        1
    ));
    // Attributes are not part of the content.
    let mut with_attribute = unnamed("hello");
    with_attribute
        .attributes
        .insert("a".to_owned(), Attribute::string("v"));
    assert!(is_duplicate(&config, unnamed("hello"), &with_attribute, 1));
    // An explicit id overrides the content, and may equal its hash.
    assert!(!is_duplicate(
        &config,
        unnamed("hello"),
        &grouped("g", "d"),
        1
    ));
    assert!(is_duplicate(
        &config,
        unnamed("hello"),
        &grouped("g", hash),
        1
    ));
}

#[test]
fn entries_outlive_their_message_and_survive_the_store() {
    // There is no message here at all: the entry alone decides.
    let stored = serde_json::to_string(&entry(&fifo(), grouped("g", "d"), 1)).unwrap();
    let hits = [serde_json::from_str(&stored).unwrap()];
    assert!(matches!(
        deduplicate(&fifo(), &grouped("g", "d"), &hits, NOW + 1),
        Ok(Deduplication::Duplicate { .. })
    ));
}

#[test]
fn standard_queues_do_not_deduplicate() {
    assert_eq!(deduplication_key(&standard(), &text("x")), Ok(None));
    assert_eq!(DedupEntry::of(&standard(), &stored(&standard(), 1)), None);
    let hits = [entry(&fifo(), grouped("g", "d"), 1)];
    assert_eq!(
        deduplicate(&standard(), &text("x"), &hits, NOW),
        Ok(Deduplication::Unique)
    );
}

#[test]
fn sequence_numbers_have_twenty_digits_and_sort_as_text() {
    let numbers: Vec<String> = [0, 1, 9, 10, u64::MAX].map(sequence_number).into();
    assert!(numbers.iter().all(|number| number.len() == 20));
    assert!(numbers.is_sorted());
    assert_eq!(numbers[1], "10000000000000000001");
}

// Order and locks. A queue is a list of (group, seq).

fn queue_of(config: &QueueConfig, messages: &[(&str, u64)]) -> Vec<Message> {
    messages
        .iter()
        .map(|&(group, seq)| {
            let send = grouped(group, &seq.to_string());
            accept(config, send, seq, format!("id-{seq}"), NOW).unwrap()
        })
        .collect()
}

/// Writes back what a receive returned.
fn update(queue: &mut Vec<Message>, received: &Received) {
    queue.retain(|message| {
        !received
            .dead
            .iter()
            .chain(&received.expired)
            .any(|gone| gone.seq == message.seq)
    });
    for message in queue {
        if let Some(delivered) = received.delivered.iter().find(|new| new.seq == message.seq) {
            *message = delivered.clone();
        }
    }
}

#[test]
fn as_many_of_one_group_as_possible_then_the_next() {
    let config = fifo();
    let queue = queue_of(&config, &[("a", 1), ("b", 2), ("a", 3), ("c", 4), ("b", 5)]);
    assert_eq!(
        seqs(&receive_at(&config, &queue, 3, NOW).delivered),
        [1, 3, 2]
    );
    assert_eq!(
        seqs(&receive_at(&config, &queue, 10, NOW).delivered),
        [1, 3, 2, 5, 4]
    );
}

#[test]
fn a_group_in_flight_is_locked_until_all_of_it_is_back_or_gone() {
    let config = fifo();
    let mut queue = queue_of(&config, &[("a", 1), ("a", 2), ("a", 3), ("b", 4)]);
    let received = receive_at(&config, &queue, 2, NOW);
    assert_eq!(seqs(&received.delivered), [1, 2]);
    update(&mut queue, &received);
    assert_eq!(
        seqs(&receive_at(&config, &queue, 10, NOW + 1).delivered),
        [4]
    );

    // One of the two deleted: still locked, 3 may not pass 2.
    let without_first = &queue[1..];
    assert_eq!(
        seqs(&receive_at(&config, without_first, 10, NOW + 1).delivered),
        [4]
    );
    // Both deleted.
    assert_eq!(
        seqs(&receive_at(&config, &queue[2..], 10, NOW + 1).delivered),
        [3, 4]
    );

    // 2 is held for longer: 1 is visible, but the group is locked.
    queue[1] = change_visibility(&config, Some(&queue[1]), 101, 60, NOW + 1).unwrap();
    assert_eq!(
        seqs(&receive_at(&config, &queue, 10, NOW + 30_000).delivered),
        [4]
    );
    // 2 is handed back: everything from the start.
    queue[1] = change_visibility(&config, Some(&queue[1]), 101, 0, NOW + 30_000).unwrap();
    assert_eq!(
        seqs(&receive_at(&config, &queue, 10, NOW + 30_000).delivered),
        [1, 2, 3, 4]
    );
}

#[test]
fn dead_letters_do_not_lock_their_group() {
    let config = with_redrive(fifo(), 1);
    let mut queue = queue_of(&config, &[("a", 1), ("a", 2), ("a", 3)]);
    let received = receive_at(&config, &queue, 2, NOW);
    update(&mut queue, &received);
    // Their time-outs pass: both leave, and the third is delivered in the same receive.
    let received = receive_at(&config, &queue, 10, NOW + 30_000);
    assert_eq!(
        (seqs(&received.dead), seqs(&received.delivered)),
        (vec![1, 2], vec![3])
    );
}

#[test]
fn expiry_does_not_lock_a_group_but_waits_for_the_one_who_holds_it() {
    let config = QueueConfig {
        retention_s: 60,
        ..fifo()
    };
    let mut queue = queue_of(&config, &[("a", 1), ("a", 2)]);
    queue[1].sent_at_ms = NOW + 60_000;
    queue[1].visible_at_ms = NOW + 60_000;
    let received = receive_at(&config, &queue, 10, NOW + 60_000);
    assert_eq!(
        (seqs(&received.expired), seqs(&received.delivered)),
        (vec![1], vec![2])
    );

    queue[0] = received_once(&config, queue[0].clone(), NOW + 59_000);
    let received = receive_at(&config, &queue, 10, NOW + 60_000);
    assert_eq!(received, Received::default());
    let received = receive_at(&config, &queue, 10, NOW + 89_000);
    assert_eq!(
        (seqs(&received.expired), seqs(&received.delivered)),
        (vec![1], vec![2])
    );
}

#[test]
fn nothing_overtakes_a_delayed_message() {
    let config = fifo();
    let mut queue = queue_of(&config, &[("a", 1), ("a", 2), ("b", 3)]);
    // The queue's delay was longer when the first was sent.
    queue[0].visible_at_ms = NOW + 5000;
    assert_eq!(seqs(&receive_at(&config, &queue, 10, NOW).delivered), [3]);
    assert_eq!(
        seqs(&receive_at(&config, &queue, 10, NOW + 5000).delivered),
        [1, 2, 3]
    );
}

// Receive attempts.

#[test]
fn an_attempt_is_answered_again() {
    let config = fifo();
    let queue = queue_of(&config, &[("a", 1), ("a", 2)]);
    let delivered = receive_at(&config, &queue, 10, NOW).delivered;
    let attempt = Attempt::of("try".to_owned(), &delivered, NOW);
    let replay = |attempt: &Attempt, loaded: &[Message], now_ms| {
        replay_attempt(&config, attempt, loaded, &up_to(10), now_ms)
    };

    let Replay::Same {
        delivered: again,
        attempt: renewed,
    } = replay(&attempt, &delivered, NOW + 20_000)
    else {
        panic!("the attempt is repeated");
    };
    // The same messages, receipts and counts; the time-out starts again.
    let mut expected = delivered;
    for message in &mut expected {
        message.visible_at_ms = NOW + 50_000;
        message.received_at_ms = Some(NOW + 20_000);
    }
    assert_eq!(again, expected);
    // The renewed attempt fits what is stored now, and its five minutes have not moved.
    assert!(matches!(
        replay(&renewed, &again, NOW + 40_000),
        Replay::Same { .. }
    ));
    assert_eq!(renewed.expires_at_ms(), NOW + 300_000);
    let text = serde_json::to_string(&renewed).unwrap();
    assert_eq!(serde_json::from_str::<Attempt>(&text).unwrap(), renewed);
}

#[test]
fn an_attempt_is_over_when_its_messages_are_not_as_they_were() {
    let config = QueueConfig {
        visibility_timeout_s: 43_200,
        ..fifo()
    };
    let queue = queue_of(&config, &[("a", 1), ("a", 2)]);
    let delivered = receive_at(&config, &queue, 10, NOW).delivered;
    let attempt = Attempt::of("try".to_owned(), &delivered, NOW);
    let replay = |attempt: &Attempt, loaded: &[Message], now_ms| {
        replay_attempt(&config, attempt, loaded, &up_to(10), now_ms)
    };
    assert!(matches!(
        replay(&attempt, &delivered, NOW + 299_999),
        Replay::Same { .. }
    ));
    assert_eq!(replay(&attempt, &delivered, NOW + 300_000), Replay::Fresh);
    // One was deleted.
    assert_eq!(replay(&attempt, &delivered[1..], NOW + 1), Replay::Fresh);
    // One had its time-out changed.
    let mut changed = delivered.clone();
    changed[0] = change_visibility(&config, Some(&changed[0]), 100, 60, NOW).unwrap();
    assert_eq!(replay(&attempt, &changed, NOW + 1), Replay::Fresh);
    // One was received by somebody else.
    let mut taken = delivered.clone();
    taken[0].receipt = Some(7);
    assert_eq!(replay(&attempt, &taken, NOW + 1), Replay::Fresh);
    // There was nothing to repeat.
    let empty = Attempt::of("try".to_owned(), &[], NOW);
    assert_eq!(replay(&empty, &delivered, NOW + 1), Replay::Fresh);
}

#[test]
fn a_timed_out_attempt_is_over() {
    let config = fifo();
    let delivered = receive_at(&config, &queue_of(&config, &[("a", 1)]), 1, NOW).delivered;
    let attempt = Attempt::of("try".to_owned(), &delivered, NOW);
    let replay = replay_attempt(&config, &attempt, &delivered, &up_to(1), NOW + 30_000);
    assert_eq!(replay, Replay::Fresh);
}

#[test]
fn attempt_ids() {
    assert_eq!(validate_attempt_id(&fifo(), "try-1!"), Ok(()));
    for (config, id) in [(fifo(), ""), (fifo(), "a b"), (standard(), "try-1")] {
        let refusal = validate_attempt_id(&config, id).unwrap_err();
        assert_eq!(refusal.field(), Some("ReceiveRequestAttemptId"));
    }
}
