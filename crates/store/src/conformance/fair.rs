//! Fair queues: whose messages are loaded first when one tenant of a standard queue is noisy.

use engine::ports::{LoadedQueue, Opened, Queue, QueueTouch};
use messaging::{Message, fair};

use super::mail::{grouped, held, load_queue, seqs};
use super::script::{START, Script, message, queue, touch_queue};
use super::{Harness, always};

const BACKLOG: u64 = 1_000;
/// In flight, of the noisy group: enough to be noisy.
const HELD: u64 = 40;
const TIMES_OUT: i64 = START + 30_000;

/// Forty of the noisy group in flight, a thousand behind them that can be received.
fn noisy_backlog(opened: &mut Opened, script: &mut Script) -> Queue {
    let mut line = queue(1, "q", None);
    let noisy = |seq| grouped(seq, "noisy", START);
    script.send(&mut line, (1..=HELD).map(|seq| held(noisy(seq), TIMES_OUT)));
    script.send(&mut line, (HELD + 1..=HELD + BACKLOG).map(noisy));
    script.commit(opened);
    line
}

fn find(opened: &mut Opened, visible: usize, now: i64) -> LoadedQueue {
    let touch = QueueTouch {
        visible,
        receives: 1,
        ..touch_queue("q")
    };
    load_queue(opened, touch, now)
}

/// In the order in which a receive would hand them out.
fn fair_order(found: LoadedQueue, count: usize) -> Vec<u64> {
    let messages: Vec<Message> = found.visible.into();
    let ordered = match &found.load {
        Some(load) => fair::order(messages, load),
        None => messages,
    };
    let mut seqs = seqs(&ordered);
    seqs.truncate(count);
    seqs
}

pub(crate) fn a_quiet_tenant_is_found_behind_the_backlog_of_a_noisy_one(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let mut line = noisy_backlog(&mut opened, &mut script);
    let last = HELD + BACKLOG;
    script.send(
        &mut line,
        [
            grouped(last + 1, "quiet", START),
            grouped(last + 2, "later", START + 1_000),
            grouped(last + 3, "quiet", START),
            // A tenant of its own.
            message(last + 4, START),
        ],
    );
    script.commit(&mut opened);
    let quiet = [last + 1, last + 3, last + 4];
    let first_noisy = [HELD + 1, HELD + 2];
    always(harness, opened, |opened| {
        let found = find(opened, 1, START);
        let load = found.load.as_ref().expect("somebody is noisy");
        assert_eq!(load.in_flight, HELD);
        assert!(load.is_noisy("noisy"));
        assert!(!load.is_noisy("quiet"));
        assert_eq!(fair_order(found, 1), quiet[..1]);
        // Who only counts is told the same.
        let load = opened.reader.load("q", START).unwrap();
        assert_eq!((load.in_flight, load.groups.len()), (HELD, 1));
        let noisy: Vec<_> = load
            .noisy()
            .map(|(name, of)| (name, of.in_flight))
            .collect();
        assert_eq!(noisy, [("noisy", HELD)]);
        assert_eq!(
            opened.reader.load("q", TIMES_OUT).unwrap(),
            fair::Load::default()
        );
        assert_eq!(
            opened.reader.load("none", START).unwrap(),
            fair::Load::default()
        );
        let expected = [&quiet[..], &first_noisy[..]].concat();
        assert_eq!(fair_order(find(opened, 5, START), 5), expected);
        // A second later there is another one, after those that have waited longer.
        let expected = [&quiet[..], &[last + 2], &first_noisy[..1]].concat();
        assert_eq!(fair_order(find(opened, 5, START + 1_000), 5), expected);
        // Whoever was noisy is not when nothing of it is in flight any more.
        let found = find(opened, 2, TIMES_OUT);
        assert_eq!(found.load, None);
        assert_eq!(fair_order(found, 2), first_noisy);
    });
}

pub(crate) fn nobody_is_noisy_without_much_in_flight(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let mut line = queue(1, "q", None);
    let busy = |seq| grouped(seq, "busy", START);
    script.send(&mut line, (1..=29).map(|seq| held(busy(seq), TIMES_OUT)));
    script.send(&mut line, [busy(30), busy(31), grouped(32, "idle", START)]);
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| {
        let found = find(opened, 3, START);
        assert!(
            !found
                .load
                .as_ref()
                .is_some_and(|load| load.is_noisy("busy"))
        );
        assert_eq!(fair_order(found, 3), [30, 31, 32]);
    });
    // One more, and it is; some time may pass before anybody notices.
    script.changes.messages.push((1, held(busy(30), TIMES_OUT)));
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| {
        assert_eq!(fair_order(find(opened, 1, START + 1_000), 1), [32]);
    });
    // A tenth of what is in flight is not too much.
    let others = (33..=332).map(|seq| held(grouped(seq, &format!("g{seq}"), START), TIMES_OUT));
    script.send(&mut line, others);
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        assert_eq!(fair_order(find(opened, 1, START + 2_000), 1), [31]);
    });
}

pub(crate) fn many_quiet_tenants_are_all_found_in_time(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let mut line = noisy_backlog(&mut opened, &mut script);
    let last = HELD + BACKLOG;
    let tenants = 600;
    let quiet = |seq: u64| grouped(seq, &format!("t{seq}"), START);
    script.send(&mut line, (last + 1..=last + tenants).map(quiet));
    script.commit(&mut opened);
    // Whatever a look finds is taken away; nothing noisy is handed out before all of it is gone.
    let mut taken = 0;
    for round in 0.. {
        let now = START + round;
        let found = fair_order(find(&mut opened, 10, now), 10);
        let is_quiet = |seq: &u64| *seq > last;
        let count = found.iter().filter(|seq| is_quiet(seq)).count();
        if count == 0 {
            break;
        }
        assert!(
            found[..count].iter().all(is_quiet),
            "quiet first: {found:?}"
        );
        taken += count as u64;
        let gone = found.iter().filter(|seq| is_quiet(seq));
        script.changes.messages_removed = gone.map(|seq| (1, *seq)).collect();
        script.commit(&mut opened);
    }
    assert_eq!(taken, tenants);
}

pub(crate) fn a_tenant_with_few_but_slow_messages_becomes_noisy(harness: &dyn Harness) {
    const HOUR: i64 = 3_600_000;
    let mut opened = harness.open();
    let mut script = Script::new();
    let mut line = queue(1, "q", None);
    let long = START + 2 * HOUR;
    let slow = |seq| grouped(seq, "slow", START);
    script.send(&mut line, (1..=5).map(|seq| held(slow(seq), long)));
    // As many of many others, received when those had been worked on for an hour.
    let lately = |message: Message| Message {
        received_at_ms: Some(START + HOUR),
        ..held(message, long)
    };
    let others = (6..=45).map(|seq| lately(grouped(seq, &format!("g{seq}"), START)));
    script.send(&mut line, others);
    script.send(&mut line, [slow(46), grouped(47, "quiet", START)]);
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        // At first everybody is equal.
        assert_eq!(fair_order(find(opened, 2, START), 2), [46, 47]);
        let found = find(opened, 2, START + HOUR);
        let load = found.load.as_ref().expect("somebody is noisy");
        assert_eq!(load.in_flight, 45);
        assert_eq!(load.processing_ms, 5 * u64::try_from(HOUR).unwrap());
        assert!(load.is_noisy("slow"));
        assert!(!load.is_noisy("g6"));
        assert_eq!(fair_order(found, 2), [47, 46]);
        // They are slow no more when their time is over.
        let found = find(opened, 2, long);
        assert_eq!(found.load, None);
    });
}
