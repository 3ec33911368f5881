//! Message groups of FIFO queues: which are loaded, in which order, how much of each.

use engine::ports::{GROUP_FIRST_MAX, Opened, QueueTouch, Redelay};
use messaging::{Message, Receive, receive_fifo};

use super::mail::{fifo_queue, grouped, heads, held, load_queue, seqs};
use super::script::{START, Script, touch_queue};
use super::{Harness, always};

/// All groups of the queue of which something may be received.
fn all(opened: &mut Opened, now: i64) -> Vec<(String, Vec<u64>)> {
    let touch = QueueTouch {
        visible: 1_000,
        receives: 100,
        ..touch_queue("f.fifo")
    };
    let loaded = load_queue(opened, touch, START + now);
    assert!(loaded.visible.is_empty(), "a FIFO queue has groups");
    heads(&loaded.groups)
        .into_iter()
        .map(|(group, seqs)| (group.to_owned(), seqs))
        .collect()
}

fn expect(opened: &mut Opened, now: i64, expected: &[(&str, &[u64])]) {
    let expected: Vec<(String, Vec<u64>)> = expected
        .iter()
        .map(|(group, seqs)| ((*group).to_owned(), seqs.to_vec()))
        .collect();
    assert_eq!(all(opened, now), expected, "at {now}");
}

pub(crate) fn groups_come_by_the_time_they_could_be_received(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let mut fifo = fifo_queue(1, "f.fifo");
    script.send(
        &mut fifo,
        [
            grouped(1, "late", START + 30),
            grouped(2, "b", START + 10),
            grouped(3, "a", START + 10),
            // Its first message is delayed, so what stands behind it waits as well.
            grouped(4, "delayed", START + 20),
            grouped(5, "delayed", START),
            grouped(6, "first", START),
            // Behind one that can be received, and delayed itself: it comes with the head.
            grouped(7, "b", START + 90),
            grouped(8, "é 🍩", START + 30),
        ],
    );
    let mut other = fifo_queue(2, "other.fifo");
    script.send(&mut other, [grouped(1, "a", START)]);
    script.commit(&mut opened);
    let b: (&str, &[u64]) = ("b", &[2, 7]);
    always(harness, opened, |opened| {
        expect(opened, -1, &[]);
        expect(opened, 0, &[("first", &[6])]);
        expect(opened, 9, &[("first", &[6])]);
        expect(opened, 10, &[("first", &[6]), ("a", &[3]), b]);
        expect(
            opened,
            30,
            &[
                ("first", &[6]),
                ("a", &[3]),
                b,
                ("delayed", &[4, 5]),
                ("late", &[1]),
                ("é 🍩", &[8]),
            ],
        );
        // As many as are wanted are enough; those that have waited longest.
        let touch = QueueTouch {
            visible: 1,
            receives: 1,
            ..touch_queue("f.fifo")
        };
        let loaded = load_queue(opened, touch, START + 30);
        assert_eq!(loaded.groups[0].group, "first");
        assert_eq!(loaded.groups[0].messages, [grouped(6, "first", START)]);
        // Nothing is wanted, nothing comes.
        let loaded = load_queue(opened, touch_queue("f.fifo"), START + 30);
        assert!(loaded.groups.is_empty());
        assert_eq!(loaded.total, 8);
    });
}

pub(crate) fn a_group_in_flight_is_left_out_until_all_of_it_is_back(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let mut fifo = fifo_queue(1, "f.fifo");
    let sent = |seq| grouped(seq, "g", START);
    script.send(&mut fifo, (1..=4).map(sent));
    script.send(&mut fifo, [grouped(5, "h", START)]);
    script.commit(&mut opened);
    // Two are received, with different time-outs.
    script.changes.messages = vec![
        (1, held(sent(1), START + 20)),
        (1, held(sent(2), START + 50)),
    ];
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| {
        for now in [0, 20, 49] {
            expect(opened, now, &[("h", &[5])]);
        }
        expect(opened, 50, &[("h", &[5]), ("g", &[1, 2, 3, 4])]);
    });
    // The one with the longer time-out is deleted: what is left has the other one's.
    script.changes.messages_removed.push((1, 2));
    // What arrives meanwhile opens nothing.
    script.send(&mut fifo, [grouped(6, "g", START)]);
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| {
        expect(opened, 19, &[("h", &[5])]);
        expect(opened, 20, &[("h", &[5]), ("g", &[1, 3, 4, 6])]);
    });
    // Given back early, and the first of the others is gone.
    let back = Message {
        visible_at_ms: START + 5,
        ..held(sent(1), START)
    };
    script.changes.messages.push((1, back));
    script.changes.messages_removed.push((1, 5));
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| {
        expect(opened, 4, &[]);
        expect(opened, 5, &[("g", &[1, 3, 4, 6])]);
    });
    // Everything in flight is deleted; then everything.
    script.changes.messages_removed.push((1, 1));
    script.commit(&mut opened);
    expect(&mut opened, 0, &[("g", &[3, 4, 6])]);
    script.changes.messages_removed = vec![(1, 3), (1, 4), (1, 6)];
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| expect(opened, 1_000, &[]));
    // A group may come again.
    script.send(&mut fifo, [grouped(7, "g", START)]);
    script.commit(&mut opened);
    always(harness, opened, |opened| expect(opened, 0, &[("g", &[7])]));
}

pub(crate) fn a_head_holds_the_first_ten_of_a_group(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let mut fifo = fifo_queue(1, "f.fifo");
    let sent = |seq| grouped(seq, "g", START);
    script.send(&mut fifo, (1..=25).map(sent));
    script.commit(&mut opened);
    let first_ten: Vec<u64> = (1..=10).collect();
    let mut opened = always(harness, opened, |opened| {
        expect(opened, 0, &[("g", &first_ten)]);
    });
    // All ten are in flight, the last of them for longest.
    for seq in 1..=10 {
        let until = START + 10 * i64::try_from(seq).unwrap();
        script.changes.messages.push((1, held(sent(seq), until)));
    }
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| {
        expect(opened, 99, &[]);
        expect(opened, 100, &[("g", &first_ten)]);
    });
    for seq in [1, 3, 10] {
        script.changes.messages_removed.push((1, seq));
    }
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        expect(opened, 89, &[]);
        expect(opened, 90, &[("g", &[2, 4, 5, 6, 7, 8, 9, 11, 12, 13])]);
    });
}

pub(crate) fn several_receives_find_enough_groups(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let mut fifo = fifo_queue(1, "f.fifo");
    // Forty groups of three: a receive of ten opens a fourth one, and locks what it leaves.
    for seq in 1..=120 {
        let group = format!("g{:02}", (seq - 1) / 3);
        script.send(&mut fifo, [grouped(seq, &group, START)]);
    }
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        for receives in [1, 2, 10] {
            let touch = QueueTouch {
                visible: receives * 10,
                receives,
                ..touch_queue("f.fifo")
            };
            let mut loaded = load_queue(opened, touch, START);
            let request = Receive {
                max: 10,
                visibility_timeout_s: None,
            };
            let mut before = 0;
            for receive in 0..receives {
                let mut delivered: Vec<Message> = Vec::new();
                while delivered.len() < 10 {
                    let head = loaded.groups.pop_front().expect("there are enough");
                    let left = Receive {
                        max: 10 - delivered.len(),
                        ..request.clone()
                    };
                    let config = &loaded.queue.config;
                    let found = receive_fifo(config, vec![head], &left, &mut || 1, START);
                    delivered.extend(found.delivered);
                }
                let numbers = seqs(&delivered);
                assert!(numbers.is_sorted(), "{numbers:?}");
                assert!(numbers[0] > before, "receive {receive} of {receives}");
                before = numbers[9];
            }
        }
    });
}

pub(crate) fn the_first_of_a_group_come_whatever_their_state(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let mut fifo = fifo_queue(1, "f.fifo");
    let sent = |seq| grouped(seq, "g", START);
    let many = u64::try_from(GROUP_FIRST_MAX).unwrap() + 5;
    script.send(&mut fifo, (1..=many).map(sent));
    let delayed = grouped(many + 1, "é 🍩", START + 90);
    script.send(&mut fifo, [delayed.clone()]);
    let mut other = fifo_queue(2, "other.fifo");
    script.send(&mut other, [grouped(1, "elsewhere", START)]);
    script.commit(&mut opened);
    let in_flight = held(sent(2), START + 20);
    script.changes.messages.push((1, in_flight.clone()));
    script.changes.messages_removed.push((1, 3));
    script.commit(&mut opened);
    let mut expected: Vec<Message> = (1..=many).filter(|seq| *seq != 3).map(sent).collect();
    expected[1] = in_flight;
    expected.truncate(GROUP_FIRST_MAX);
    let first = |opened: &mut Opened, groups: &[&str]| {
        let touch = QueueTouch {
            group_firsts: groups.iter().map(|group| (*group).to_owned()).collect(),
            ..touch_queue("f.fifo")
        };
        load_queue(opened, touch, START).group_firsts
    };
    always(harness, opened, |opened| {
        assert!(first(opened, &[]).is_empty());
        assert!(first(opened, &["none", "elsewhere", ""]).is_empty());
        let found = first(opened, &["g", "none", "é 🍩", "g"]);
        assert_eq!(found.len(), 2);
        assert_eq!(found["g"], expected);
        assert_eq!(found["é 🍩"], std::slice::from_ref(&delayed));
    });
}

/// Messages are sent at `START` and their sequence.
pub(crate) fn a_new_delay_counts_for_what_nobody_has_received(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let (mut fifo, mut other) = (fifo_queue(1, "f.fifo"), fifo_queue(2, "other.fifo"));
    let sent = |seq: u64, group: &str| grouped(seq, group, START + i64::try_from(seq).unwrap());
    let back = Message {
        visible_at_ms: START + 3,
        ..held(sent(3, "back"), START)
    };
    let messages = [
        sent(1, "old"),
        sent(2, "held"),
        back,
        sent(4, "new"),
        sent(5, "held"),
    ];
    script.send(&mut fifo, messages);
    script.send(&mut other, [sent(1, "a"), sent(2, "a")]);
    script.commit(&mut opened);
    let kept = held(sent(2, "held"), START + 50);
    script.changes.messages.push((fifo.partition, kept));
    script.commit(&mut opened);
    let partition = fifo.partition;
    let redelay = |delay_ms| Redelay {
        partition,
        delay_ms,
        sent_after: START + 1,
    };
    // What comes with it had the delay that was.
    script.send(&mut fifo, [sent(6, "newest")]);
    script.changes.redelays.push(redelay(100));
    script.commit(&mut opened);
    let three: &[(&str, &[u64])] = &[("old", &[1]), ("back", &[3]), ("held", &[2, 5])];
    let mut opened = always(harness, opened, |opened| {
        expect(opened, 103, three);
        expect(
            opened,
            106,
            &[three, &[("new", &[4]), ("newest", &[6])]].concat(),
        );
    });
    script.changes.redelays.push(redelay(0));
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        expect(
            opened,
            50,
            &[
                ("old", &[1]),
                ("back", &[3]),
                ("new", &[4]),
                ("newest", &[6]),
                ("held", &[2, 5]),
            ],
        );
        let elsewhere = QueueTouch {
            visible: 10,
            receives: 1,
            ..touch_queue("other.fifo")
        };
        let loaded = load_queue(opened, elsewhere, START + 1);
        assert_eq!(heads(&loaded.groups), [("a", vec![1, 2])]);
    });
}
