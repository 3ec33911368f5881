//! What is gone at once and cleared away later: purges, deleted queues, retention.

use engine::ports::{Opened, Queue, QueueDepth, QueueTouch, Sweep, Touch};
use messaging::{GroupHead, Message};

use super::mail::{fifo_queue, grouped, heads, held, load_queue, seqs};
use super::script::{START, Script, message, queue, touch_queue};
use super::{Harness, always, load};

fn everything(name: &str) -> QueueTouch {
    QueueTouch {
        visible: 100,
        receives: 10,
        first: 100,
        messages: (1..=20).collect(),
        ..touch_queue(name)
    }
}

/// Nothing of it is found in any way.
fn expect_empty(opened: &mut Opened, queue: &Queue) {
    let name = &queue.name;
    for now in [START, START + 1_000_000] {
        let found = load_queue(opened, everything(name), now);
        assert_eq!(found.queue, *queue);
        assert_eq!(found.total, 0);
        assert!(found.visible.is_empty());
        assert!(found.first.is_empty());
        assert!(found.messages.is_empty());
        assert!(found.groups.is_empty());
        assert_eq!(found.in_flight, 0);
        let depth = QueueDepth {
            queue: queue.clone(),
            visible: 0,
            in_flight: 0,
            delayed: 0,
            oldest_sent_at: None,
        };
        assert_eq!(opened.reader.queue(name, now).unwrap(), Some(depth));
        assert_eq!(opened.reader.next_visible(name, now).unwrap(), None);
    }
    assert_eq!(opened.reader.messages(name, 0, 100).unwrap(), []);
}

fn sweep(script: &mut Script, opened: &mut Opened, now: i64, rows: usize) {
    script.changes.sweep = Some(Sweep { now, rows });
    script.commit(opened);
}

pub(crate) fn a_purge_empties_a_queue_at_once(harness: &dyn Harness) {
    for kind in [queue(1, "q", None), fifo_queue(1, "q.fifo")] {
        let is_fifo = kind.config.is_fifo();
        let any = |seq| match is_fifo {
            true => grouped(seq, &format!("g{}", seq % 3), START),
            false => message(seq, START),
        };
        let mut opened = harness.open();
        let mut script = Script::new();
        let mut line = kind.clone();
        script.send(&mut line, (1..=8).map(any));
        script.send(&mut line, [held(any(9), START + 50)]);
        script.send(
            &mut line,
            [Message {
                visible_at_ms: START + 60,
                ..any(10)
            }],
        );
        let mut other = queue(2, "other", None);
        script.send(&mut other, [message(1, START)]);
        script.commit(&mut opened);
        assert!(!opened.reader.has_dropped_messages().unwrap());

        line.partition = 3;
        line.purged_at = Some(START + 5);
        script.put_queue(&line);
        script.commit(&mut opened);
        let mut opened = always(harness, opened, |opened| {
            expect_empty(opened, &line);
            assert!(opened.reader.has_dropped_messages().unwrap());
            assert_eq!(load(opened, &Touch::default()).next_queue, 4);
        });

        // The numbers go on, and what is sent from now on stays.
        script.send(&mut line, [any(11), any(12)]);
        script.commit(&mut opened);
        let kept = [any(11), any(12)];
        // Ten rows, four at a time; at the end it is known that there are none.
        for is_left in [true, true, false] {
            sweep(&mut script, &mut opened, START, 4);
            opened = always(harness, opened, |opened| {
                assert_eq!(opened.reader.has_dropped_messages().unwrap(), is_left);
                let reader = &opened.reader;
                assert_eq!(reader.messages(&line.name, 0, 100).unwrap(), kept);
                assert_eq!(reader.messages("other", 0, 100).unwrap().len(), 1);
                let found = load_queue(opened, everything(&line.name), START);
                assert_eq!(found.total, 2);
                assert_eq!(found.first, kept);
                if is_fifo {
                    assert_eq!(heads(&found.groups), [("g0", vec![12]), ("g2", vec![11])]);
                } else {
                    assert_eq!(found.visible, kept);
                }
            });
        }
        sweep(&mut script, &mut opened, START, 4);
        assert!(!opened.reader.has_dropped_messages().unwrap());
    }
}

pub(crate) fn a_queue_deleted_and_made_again_is_another_one(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let mut old = fifo_queue(1, "q.fifo");
    script.send(
        &mut old,
        [
            grouped(1, "g", START),
            held(grouped(2, "g", START), START + 9),
        ],
    );
    let beside = queue(2, "beside", None);
    script.put_queue(&beside);
    script.commit(&mut opened);
    let removed = ["q.fifo", "never-there"].map(|name| (name.to_owned(), START + 7));
    script.changes.queues_removed.extend(removed);
    script.commit(&mut opened);
    let gone = |opened: &mut Opened, name: &str| {
        let touch = Touch {
            queues: vec![touch_queue(name)],
            now: START + 8,
            ..Touch::default()
        };
        load(opened, &touch).queues_gone.get(name).copied()
    };
    assert_eq!(gone(&mut opened, "q.fifo"), Some(START + 7));
    assert_eq!(gone(&mut opened, "never-there"), None);
    assert_eq!(gone(&mut opened, "beside"), None);
    let mut opened = always(harness, opened, |opened| {
        let reader = &opened.reader;
        assert_eq!(reader.queue("q.fifo", START).unwrap(), None);
        assert_eq!(reader.queue_names().unwrap(), ["beside"]);
        assert_eq!(reader.queues(START).unwrap().len(), 1);
        assert_eq!(reader.messages("q.fifo", 0, 10).unwrap(), []);
        assert_eq!(reader.next_visible("q.fifo", START).unwrap(), None);
        assert!(reader.has_dropped_messages().unwrap());
        let touch = Touch {
            queues: vec![everything("q.fifo")],
            now: START,
            ..Touch::default()
        };
        let loaded = load(opened, &touch);
        assert!(loaded.queues.is_empty());
        assert_eq!((loaded.queue_count, loaded.next_queue), (1, 3));
    });
    // Again under its name, before and after the old one is cleared away.
    let mut new = fifo_queue(3, "q.fifo");
    script.put_queue(&new);
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| expect_empty(opened, &new));
    script.send(&mut new, [grouped(1, "g", START)]);
    script.commit(&mut opened);
    sweep(&mut script, &mut opened, START, 100);
    always(harness, opened, |opened| {
        assert!(!opened.reader.has_dropped_messages().unwrap());
        let found = load_queue(opened, everything("q.fifo"), START);
        assert_eq!(found.queue, new);
        assert_eq!(heads(&found.groups), [("g", vec![1])]);
        assert_eq!(found.total, 1);
    });
}

pub(crate) fn what_is_past_its_retention_is_swept(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let minute = |mut queue: Queue| {
        queue.config.retention_s = 60;
        queue
    };
    let mut line = minute(queue(1, "q", None));
    let mut fifo = minute(fifo_queue(2, "f.fifo"));
    let mut longer = queue(3, "longer", None);
    // They were sent one millisecond after the other.
    script.send(&mut line, (1..=5).map(|seq| message(seq, START)));
    script.send(
        &mut line,
        [held(message(6, START), START + 70_000), message(7, START)],
    );
    script.send(
        &mut fifo,
        [
            grouped(1, "g", START),
            grouped(2, "gone", START),
            grouped(3, "g", START),
            // What is left of the group then is delayed.
            grouped(8, "g", START + 90_000),
            grouped(9, "stays", START),
        ],
    );
    script.send(&mut longer, [message(1, START)]);
    script.commit(&mut opened);

    let groups = |opened: &mut Opened, now| -> Vec<GroupHead> {
        let found = load_queue(opened, everything("f.fifo"), now);
        found.groups.into()
    };
    // A millisecond too early; then three rows at a time.
    for (now, rows, left, total) in [
        (60_000, 3, vec![1, 2, 3, 4, 5, 6, 7], 5),
        (60_003, 3, vec![4, 5, 6, 7], 2),
        (60_007, 2, vec![6, 7], 2),
        // What is in flight is not looked at before its time-out.
        (60_007, 3, vec![6], 2),
        (69_999, 10, vec![6], 1),
        (70_000, 10, vec![], 1),
    ] {
        sweep(&mut script, &mut opened, START + now, rows);
        opened = always(harness, opened, |opened| {
            let at = START + now;
            let found = load_queue(opened, everything("q"), at);
            assert_eq!(seqs(&found.first), left, "at {now}");
            assert_eq!(found.total, left.len() as u64, "at {now}");
            let depth = opened.reader.queue("q", at).unwrap().unwrap();
            let total = depth.visible + depth.in_flight + depth.delayed;
            assert_eq!(total, left.len() as u64);
            assert_eq!(opened.reader.messages("longer", 0, 10).unwrap().len(), 1);
        });
        let found = groups(&mut opened, START + now);
        let expected = match now {
            60_000 => vec![("g", vec![1, 3, 8]), ("gone", vec![2]), ("stays", vec![9])],
            60_003 | 60_007 => vec![("stays", vec![9])],
            _ => vec![],
        };
        assert_eq!(heads(&found), expected, "at {now}");
        let left = load_queue(&mut opened, everything("f.fifo"), START).total;
        assert_eq!(left, total, "at {now}");
    }
    // The delayed one, last of its queue: it goes when it could be received.
    sweep(&mut script, &mut opened, START + 89_999, 10);
    assert_eq!(
        heads(&groups(&mut opened, START + 90_000)),
        [("g", vec![8])]
    );
    sweep(&mut script, &mut opened, START + 90_000, 10);
    always(harness, opened, |opened| {
        let found = load_queue(opened, everything("f.fifo"), START + 90_000);
        assert!(found.groups.is_empty());
        assert_eq!(found.total, 0);
        assert!(!opened.reader.has_dropped_messages().unwrap());
    });
}
