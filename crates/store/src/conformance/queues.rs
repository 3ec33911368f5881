//! Queues and their messages.

use commerce::LineId;
use engine::Kind;
use engine::ports::{Queue, QueueDepth, QueueTouch, Touch};
use hashbrown::HashMap;
use messaging::{Attribute, DeadLetter, Message, SentFirst, limits};

use super::mail::{fifo_queue, grouped, heads, held, load_queue, seqs};
use super::script::{START, Script, message, queue, touch_queue};
use super::{Harness, always, load};

pub(crate) fn the_oldest_visible_message_comes_first(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let (mut a, mut b) = (queue(1, "a", None), queue(2, "b", None));
    // By the time from which they are visible, then by sequence.
    let times = [30, 10, 20, 10, 40, 20];
    let messages: Vec<Message> = (1..)
        .zip(times)
        .map(|(seq, time)| message(seq, START + time))
        .collect();
    script.send(&mut a, messages.clone());
    script.send(&mut b, [message(1, START)]);
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        for (now, count, expected) in [
            (9, 10, vec![]),
            (10, 10, vec![2, 4]),
            (10, 1, vec![2]),
            (29, 10, vec![2, 4, 3, 6]),
            (30, 3, vec![2, 4, 3]),
            (1_000, 10, vec![2, 4, 3, 6, 1, 5]),
            (1_000, 0, vec![]),
        ] {
            let touch = QueueTouch {
                visible: count,
                ..touch_queue("a")
            };
            let loaded = load_queue(opened, touch, START + now);
            assert_eq!(seqs(&loaded.visible), expected, "{count} at {now}");
            for found in &loaded.visible {
                let sent = messages.iter().find(|m| m.seq == found.seq);
                assert_eq!(Some(found), sent);
            }
            assert_eq!(loaded.queue, a);
        }
        // From the front, visible or not; and by sequence.
        let touch = QueueTouch {
            first: 4,
            messages: vec![6, 2, 99, u64::MAX, 2],
            ..touch_queue("a")
        };
        let loaded = load_queue(opened, touch, START);
        assert_eq!(loaded.first, messages[..4]);
        assert_eq!(
            loaded.messages,
            HashMap::from([(2, messages[1].clone()), (6, messages[5].clone())])
        );
        assert!(loaded.visible.is_empty());

        let reader = &opened.reader;
        assert_eq!(reader.messages("a", 0, 100).unwrap(), messages);
        assert_eq!(reader.messages("a", 2, 3).unwrap(), messages[2..5]);
        assert_eq!(reader.messages("a", 6, 3).unwrap(), []);
        assert_eq!(reader.messages("b", 0, 100).unwrap(), [message(1, START)]);
        assert_eq!(reader.messages("c", 0, 100).unwrap(), []);
    });
}

pub(crate) fn what_was_visible_when_the_newest_entry_was_made_still_is(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let mut a = queue(1, "a", None);
    script.send(&mut a, [message(1, START + 100), message(2, START + 300)]);
    script.at = START + 200;
    let (line, kind) = (LineId::System, Kind::MessageDeadLettered);
    script.entry(line, kind, Some(0), "{}", None);
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let touch = || QueueTouch {
            visible: 10,
            ..touch_queue("a")
        };
        // The clock was set back since.
        for now in [START, START + 99, START + 200] {
            let loaded = load_queue(opened, touch(), now);
            assert_eq!(loaded.visible, [message(1, START + 100)]);
        }
        assert_eq!(load_queue(opened, touch(), START + 300).visible.len(), 2);
    });
}

pub(crate) fn messages_are_changed_and_removed(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let mut a = queue(1, "a", None);
    let mut b = queue(2, "b", None);
    let everything = Message {
        attributes: [
            ("number".to_owned(), Attribute::number("1.0e5")),
            ("bytes".to_owned(), Attribute::binary([0, 255, 1])),
        ]
        .into(),
        trace_header: Some("Root=1".to_owned()),
        sender: Some("sender".to_owned()),
        group: Some("group".to_owned()),
        deduplication: Some("once".to_owned()),
        receive_count: 2,
        received_before: 3,
        first_received_at_ms: Some(START + 1),
        received_at_ms: Some(START + 2),
        receipt: Some(u64::MAX),
        dead: Some(DeadLetter {
            source_queue: "b".to_owned(),
            reason: Some("\u{1F369}".to_owned()),
            receive_count: 9,
            at_ms: START,
        }),
        sent_first: Some(SentFirst {
            queue: "first.fifo".to_owned(),
            at_ms: START - 1,
        }),
        ..message(3, START)
    };
    script.send(
        &mut a,
        [message(1, START), message(2, START), everything.clone()],
    );
    script.send(&mut b, [message(1, START)]);
    script.commit(&mut opened);

    // Replaced: it is found where it is visible now, and nowhere else.
    let hidden = Message {
        visible_at_ms: START + 50,
        receipt: Some(7),
        ..message(1, START)
    };
    script.changes.messages.push((1, hidden.clone()));
    script.changes.messages_removed.push((1, 2));
    // Sent and gone in one commit: the sequence is used up, nothing else is left.
    a.next_seq = 6;
    script.changes.queues.push(a.clone());
    script.changes.messages.push((1, message(5, START)));
    script.changes.messages_removed.push((1, 4));
    // Not there (any more): nothing to do.
    script.changes.messages_removed.push((2, 99));
    script.commit(&mut opened);

    always(harness, opened, |opened| {
        let touch = |visible| QueueTouch {
            visible,
            first: 10,
            messages: vec![1, 2, 3, 4],
            ..touch_queue("a")
        };
        let loaded = load_queue(opened, touch(10), START);
        assert_eq!(loaded.visible, [everything.clone(), message(5, START)]);
        assert_eq!(
            loaded.first,
            [hidden.clone(), everything.clone(), message(5, START)]
        );
        assert_eq!(loaded.messages.len(), 2);
        assert_eq!(loaded.messages[&1], hidden);
        assert_eq!(loaded.queue.next_seq, 6);
        let loaded = load_queue(opened, touch(10), START + 50);
        assert_eq!(seqs(&loaded.visible), [3, 5, 1]);
        let depths = opened.reader.queues(START).unwrap();
        let counts = depths.iter().map(|d| (d.visible, d.in_flight, d.delayed));
        assert_eq!(counts.collect::<Vec<_>>(), [(2, 1, 0), (1, 0, 0)]);
    });
}

pub(crate) fn messages_past_their_bytes_are_left_out(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let mut plain = queue(1, "a", None);
    let mut fifo = fifo_queue(2, "f.fifo");
    script.send(&mut plain, (1..=6).map(|seq| message(seq, START)));
    let groups = ["x", "x", "x", "y", "y"];
    let sent = (1..).zip(groups);
    script.send(
        &mut fifo,
        sent.map(|(seq, group)| grouped(seq, group, START)),
    );
    script.commit(&mut opened);
    let each = message(1, START).bytes();
    always(harness, opened, |opened| {
        let touch = |name, visible, visible_bytes| QueueTouch {
            visible,
            visible_bytes,
            receives: 1,
            ..touch_queue(name)
        };
        for (visible, bytes, expected, is_cut, has_more) in [
            (10, None, 6, false, false),
            (10, Some(6 * each), 6, false, false),
            (10, Some(2 * each), 2, true, true),
            (10, Some(2 * each + 1), 3, true, true),
            (10, Some(1), 1, true, true),
            (2, Some(2 * each), 2, false, true),
            (2, Some(9 * each), 2, false, true),
        ] {
            let loaded = load_queue(opened, touch("a", visible, bytes), START);
            let found = (loaded.visible.len(), loaded.is_cut, loaded.has_more);
            assert_eq!(found, (expected, is_cut, has_more), "{visible}, {bytes:?}");
        }
        for (first, bytes, expected) in [
            (0, None, 0),
            (10, None, 6),
            (4, None, 4),
            (10, Some(2 * each), 2),
            (10, Some(2 * each + 1), 3),
            (10, Some(1), 1),
            (2, Some(9 * each), 2),
        ] {
            let touch = QueueTouch {
                first,
                first_bytes: bytes,
                ..touch_queue("a")
            };
            let found = load_queue(opened, touch, START).first;
            let found: Vec<u64> = found.iter().map(|message| message.seq).collect();
            let expected: Vec<u64> = (1..=expected).collect();
            assert_eq!(found, expected, "{first}, {bytes:?}");
        }
        for (bytes, expected, is_cut) in [
            (None, vec![("x", vec![1, 2, 3]), ("y", vec![4, 5])], false),
            (
                Some(5),
                vec![("x", vec![1, 2, 3]), ("y", vec![4, 5])],
                false,
            ),
            (Some(4), vec![("x", vec![1, 2, 3]), ("y", vec![4])], true),
            (Some(3), vec![("x", vec![1, 2, 3])], true),
            (Some(2), vec![("x", vec![1, 2])], true),
        ] {
            let bytes = bytes.map(|count: u64| count * each);
            let loaded = load_queue(opened, touch("f.fifo", 10, bytes), START);
            assert_eq!(heads(&loaded.groups), expected, "{bytes:?}");
            assert_eq!((loaded.is_cut, loaded.has_more), (is_cut, is_cut));
        }
    });
}

pub(crate) fn depths_tell_visible_from_in_flight_and_delayed(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let mut a = queue(1, "a", None);
    let empty = queue(2, "empty", None);
    let received = |seq, until| Message {
        receipt: Some(seq),
        receive_count: 1,
        ..message(seq, START + until)
    };
    script.put_queue(&empty);
    script.send(
        &mut a,
        [
            message(1, START),
            message(2, START + 10),
            received(3, 20),
            received(4, 30),
            message(5, START + 40),
        ],
    );
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| {
        for (now, visible, in_flight, delayed) in [
            (-1, 0, 2, 3),
            (0, 1, 2, 2),
            (10, 2, 2, 1),
            (20, 3, 1, 1),
            (39, 4, 0, 1),
            (40, 5, 0, 0),
        ] {
            let depths = [
                QueueDepth {
                    queue: a.clone(),
                    visible,
                    in_flight,
                    delayed,
                    oldest_sent_at: Some(START + 1),
                },
                QueueDepth {
                    queue: empty.clone(),
                    visible: 0,
                    in_flight: 0,
                    delayed: 0,
                    oldest_sent_at: None,
                },
            ];
            assert_eq!(
                opened.reader.queues(START + now).unwrap(),
                depths,
                "at {now}"
            );
            for depth in depths {
                let one = opened.reader.queue(&depth.queue.name, START + now);
                assert_eq!(one.unwrap(), Some(depth), "at {now}");
            }
        }
    });

    // Settings change, messages stay.
    a.config.visibility_timeout_s = 7;
    script.changes.queues.push(a.clone());
    script.changes.messages_removed.push((1, 1));
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let depth = &opened.reader.queues(START + 40).unwrap()[0];
        assert_eq!(depth.queue, a);
        assert_eq!(depth.visible, 4);
        assert_eq!(depth.oldest_sent_at, Some(START + 2));
    });
}

pub(crate) fn messages_in_flight_are_counted_near_the_bound(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let mut line = queue(1, "q", None);
    let in_flight = limits::IN_FLIGHT_MAX - 10;
    let small = |seq| Message {
        body: "-".to_owned(),
        ..message(seq, START)
    };
    script.send(
        &mut line,
        (1..=in_flight).map(|seq| held(small(seq), START + 10)),
    );
    let rest = in_flight + 1..limits::IN_FLIGHT_MAX;
    script.send(&mut line, rest.map(small));
    script.commit(&mut opened);
    let touch = || QueueTouch {
        visible: 1,
        receives: 1,
        ..touch_queue("q")
    };
    let found = load_queue(&mut opened, touch(), START);
    assert_eq!(found.in_flight, 0, "nowhere near it");
    script.send(&mut line, [small(limits::IN_FLIGHT_MAX)]);
    script.commit(&mut opened);
    let mut opened = harness.reopen(opened);
    let found = load_queue(&mut opened, touch(), START);
    assert_eq!(found.in_flight, in_flight);
    assert_eq!(seqs(&found.visible), [in_flight + 1]);
    // A store may say what it counted up to a second ago.
    let found = load_queue(&mut opened, touch(), START + 1_010);
    assert_eq!(found.in_flight, 0, "all of it is back");
    let found = load_queue(&mut opened, touch_queue("q"), START);
    assert_eq!(found.in_flight, 0, "nobody asked");
    let depth = opened.reader.queue("q", START).unwrap().unwrap();
    assert_eq!((depth.visible, depth.in_flight), (10, in_flight));
}

pub(crate) fn queues_are_loaded_with_those_beside_them(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let mut orders = queue(1, "orders", Some("dead"));
    let mut stock = queue(2, "stock", Some("dead"));
    let mut dead = queue(3, "dead", None);
    let mut other = queue(4, "other", None);
    for queue in [&mut orders, &mut stock, &mut dead, &mut other] {
        script.send(queue, [message(1, START)]);
    }
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let mut names = |touched: &[&str]| {
            let queues = touched.iter().map(|name| QueueTouch {
                visible: 1,
                ..touch_queue(name)
            });
            let loaded = load(
                opened,
                &Touch {
                    queues: queues.collect(),
                    now: START,
                    ..Touch::default()
                },
            );
            assert_eq!(loaded.next_queue, 5);
            for (name, loaded) in &loaded.queues {
                let queue: &Queue = [&orders, &stock, &dead, &other]
                    .into_iter()
                    .find(|queue| queue.name == *name)
                    .unwrap();
                assert_eq!(loaded.queue, *queue);
                // Messages come only with the queues that were named.
                let expected = usize::from(touched.contains(&name.as_str()));
                assert_eq!(loaded.visible.len(), expected, "{name}");
            }
            let mut names: Vec<String> = loaded.queues.into_keys().collect();
            names.sort();
            names
        };
        assert_eq!(names(&["orders"]), ["dead", "orders"]);
        assert_eq!(names(&["dead"]), ["dead", "orders", "stock"]);
        assert_eq!(names(&["other"]), ["other"]);
        assert_eq!(names(&["none"]), [""; 0]);
        // Named and beside a named one, in either order: with its messages.
        assert_eq!(names(&["dead", "orders"]), ["dead", "orders", "stock"]);
        assert_eq!(names(&["stock", "dead"]), ["dead", "orders", "stock"]);
    });
}

pub(crate) fn dead_letters_bring_the_queue_they_came_from(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let mut dead = queue(1, "dead", None);
    // Nobody sends dead letters here any more.
    for (id, name) in [(2, "orders"), (3, "stock")] {
        script.put_queue(&queue(id, name, None));
    }
    let from = |seq, source: &str| Message {
        dead: Some(DeadLetter {
            source_queue: source.to_owned(),
            reason: None,
            receive_count: 3,
            at_ms: START,
        }),
        ..message(seq, START)
    };
    script.send(
        &mut dead,
        [from(1, "orders"), from(2, "stock"), from(3, "gone")],
    );
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let mut names = |touch: QueueTouch| {
            let touch = Touch {
                queues: vec![touch],
                now: START,
                ..Touch::default()
            };
            let loaded = load(opened, &touch);
            let mut names: Vec<String> = loaded.queues.into_keys().collect();
            names.sort();
            names
        };
        let first = |first| QueueTouch {
            first,
            ..touch_queue("dead")
        };
        assert_eq!(names(first(1)), ["dead", "orders"]);
        assert_eq!(names(first(10)), ["dead", "orders", "stock"]);
        let one = QueueTouch {
            messages: vec![2],
            ..touch_queue("dead")
        };
        assert_eq!(names(one), ["dead", "stock"]);
    });
}
