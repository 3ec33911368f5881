//! What was sent to FIFO queues and topics of late, and what receive attempts were answered.

use engine::ports::{Duplicate, Opened, QueueTouch, Sweep, TopicTouch, Touch};
use hashbrown::HashMap;
use messaging::{Attempt, DedupEntry, DedupKey, limits};

use super::mail::{dedup_entry, fifo_queue, grouped, held, load_queue, subscription, topic};
use super::script::{START, Script, touch_queue};
use super::{Harness, always, load};

const FIVE_MINUTES: i64 = limits::DEDUPLICATION_INTERVAL_MS;

fn duplicate(group: Option<&str>, id: &str) -> Duplicate {
    Duplicate {
        group: group.map(str::to_owned),
        id: id.to_owned(),
    }
}

fn of(entries: &[&DedupEntry]) -> HashMap<DedupKey, DedupEntry> {
    entries
        .iter()
        .map(|entry| (entry.key.clone(), (*entry).clone()))
        .collect()
}

fn look_up(
    opened: &mut Opened,
    queue: &str,
    sought: &[Duplicate],
) -> HashMap<DedupKey, DedupEntry> {
    let touch = QueueTouch {
        duplicates: sought.to_vec(),
        ..touch_queue(queue)
    };
    load_queue(opened, touch, START).duplicates
}

fn sweep(script: &mut Script, opened: &mut Opened, now: i64) {
    script.changes.sweep = Some(Sweep { now, rows: 100 });
    script.commit(opened);
}

pub(crate) fn duplicates_are_found_in_both_scopes(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let mut a = fifo_queue(1, "a.fifo");
    script.send(&mut a, [grouped(1, "g", START)]);
    script.send(&mut fifo_queue(2, "b.fifo"), []);
    let of_queue = dedup_entry(None, "x", 1, START);
    let of_group = dedup_entry(Some("g"), "x", 2, START + 1);
    let of_other = dedup_entry(Some("other \u{1F369}"), "x", 1 << 39, START);
    // Neither group nor id ends where it seems to.
    let tricky = [
        dedup_entry(Some("gx"), "", 4, START),
        dedup_entry(Some("g"), "xx", 5, START),
        dedup_entry(Some(""), "gx", 6, START),
    ];
    for entry in [&of_queue, &of_group, &of_other].into_iter().chain(&tricky) {
        script.changes.duplicates.push((1, entry.clone()));
    }
    let elsewhere = dedup_entry(None, "x", 9, START);
    script.changes.duplicates.push((2, elsewhere.clone()));
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let a = |opened: &mut Opened, sought: &[Duplicate]| look_up(opened, "a.fifo", sought);
        let grouped = duplicate(Some("g"), "x");
        assert_eq!(
            a(opened, std::slice::from_ref(&grouped)),
            of(&[&of_queue, &of_group])
        );
        assert_eq!(a(opened, &[duplicate(None, "x")]), of(&[&of_queue]));
        let both = [grouped.clone(), duplicate(Some("other \u{1F369}"), "x")];
        assert_eq!(a(opened, &both), of(&[&of_queue, &of_group, &of_other]));
        assert_eq!(a(opened, &[duplicate(Some("gx"), "")]), of(&[&tricky[0]]));
        assert_eq!(a(opened, &[duplicate(Some("g"), "xx")]), of(&[&tricky[1]]));
        assert_eq!(a(opened, &[duplicate(Some(""), "gx")]), of(&[&tricky[2]]));
        assert_eq!(a(opened, &[duplicate(Some("g"), "y")]), of(&[]));
        assert_eq!(a(opened, &[]), of(&[]));
        assert_eq!(look_up(opened, "b.fifo", &[grouped]), of(&[&elsewhere]));
    });
}

pub(crate) fn topics_bring_the_duplicates_of_all_they_lead_to(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    for (id, name) in [(1, "q.fifo"), (2, "dead.fifo"), (3, "other.fifo")] {
        script.put_queue(&fifo_queue(id, name));
    }
    script.changes.topics.push(topic(4, "t.fifo"));
    let mut to_queue = subscription("s", "t.fifo", "q.fifo");
    to_queue.subscription.redrive = Some("dead.fifo".to_owned());
    script.changes.subscriptions.push(to_queue);
    let entry = |owner: u64| dedup_entry(Some("g"), "x", owner, START);
    for owner in 1..=4 {
        let owned = entry(owner.into());
        script.changes.duplicates.push((owner, owned));
    }
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let touch = Touch {
            topics: vec![TopicTouch {
                name: "t.fifo".to_owned(),
                duplicates: vec![duplicate(Some("g"), "x")],
                is_published: true,
                ..TopicTouch::default()
            }],
            // Named as well, for something else.
            queues: vec![touch_queue("q.fifo"), touch_queue("other.fifo")],
            now: START,
            ..Touch::default()
        };
        let loaded = load(opened, &touch);
        assert_eq!(loaded.topics["t.fifo"].duplicates, of(&[&entry(4)]));
        assert_eq!(loaded.queues["q.fifo"].duplicates, of(&[&entry(1)]));
        assert_eq!(loaded.queues["dead.fifo"].duplicates, of(&[&entry(2)]));
        assert_eq!(loaded.queues["other.fifo"].duplicates, of(&[]));
    });
}

pub(crate) fn duplicates_outlive_the_message_and_a_purge(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let mut fifo = fifo_queue(1, "f.fifo");
    script.send(&mut fifo, [grouped(1, "g", START), grouped(2, "g", START)]);
    let first = dedup_entry(None, "x", 1, START);
    script.changes.duplicates.push((1, first.clone()));
    script.commit(&mut opened);
    let found = |opened: &mut Opened| look_up(opened, "f.fifo", &[duplicate(Some("g"), "x")]);
    script.changes.messages_removed.push((1, 1));
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| {
        assert_eq!(found(opened), of(&[&first]), "after a delete");
    });
    fifo.partition = 2;
    script.put_queue(&fifo);
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| {
        assert_eq!(found(opened), of(&[&first]), "after a purge");
    });

    // Its last moment has not come.
    sweep(&mut script, &mut opened, START + FIVE_MINUTES - 1);
    let mut opened = always(harness, opened, |opened| {
        assert_eq!(found(opened), of(&[&first]), "before its time");
    });
    // The same again, later: the old one goes, the new one stays.
    let second = dedup_entry(None, "x", 7, START + FIVE_MINUTES);
    script.changes.duplicates.push((1, second.clone()));
    script.commit(&mut opened);
    sweep(&mut script, &mut opened, START + FIVE_MINUTES);
    let mut opened = always(harness, opened, |opened| {
        assert_eq!(found(opened), of(&[&second]), "its successor");
    });
    sweep(&mut script, &mut opened, START + 2 * FIVE_MINUTES);
    always(harness, opened, |opened| assert_eq!(found(opened), of(&[])));
}

pub(crate) fn receive_attempts_come_with_their_messages(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let mut fifo = fifo_queue(1, "f.fifo");
    let received = |seq| held(grouped(seq, "g", START), START + 30_000);
    script.send(&mut fifo, (1..=3).map(received));
    script.send(&mut fifo_queue(2, "other.fifo"), []);
    let attempt = Attempt::of("try \"1\"".to_owned(), &[received(1), received(2)], START);
    let empty = Attempt::of("nothing".to_owned(), &[], START + 5);
    script.changes.attempts = vec![(1, attempt.clone()), (1, empty.clone())];
    script.commit(&mut opened);
    let touch = |ids: &[&str]| QueueTouch {
        attempts: ids.iter().map(|id| (*id).to_owned()).collect(),
        ..touch_queue("f.fifo")
    };
    let ids = ["try \"1\"", "nothing", "unknown"];
    let mut opened = always(harness, opened, |opened| {
        let loaded = load_queue(opened, touch(&ids), START);
        assert_eq!(loaded.attempts.len(), 2);
        assert_eq!(loaded.attempts["try \"1\""], attempt);
        assert_eq!(loaded.attempts["nothing"], empty);
        assert_eq!(loaded.messages.len(), 2);
        assert_eq!(loaded.messages[&1], received(1));
        assert_eq!(loaded.messages[&2], received(2));
        assert!(load_queue(opened, touch(&[]), START).attempts.is_empty());
        let elsewhere = QueueTouch {
            name: "other.fifo".to_owned(),
            ..touch(&ids)
        };
        assert!(load_queue(opened, elsewhere, START).attempts.is_empty());
    });
    // Answered again, later; one of the messages is gone.
    let again = Attempt {
        messages: Attempt::of(String::new(), &[received(3)], START).messages,
        ..attempt
    };
    script.changes.attempts.push((1, again.clone()));
    script.changes.messages_removed.push((1, 3));
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| {
        let loaded = load_queue(opened, touch(&ids), START);
        assert_eq!(loaded.attempts["try \"1\""], again);
        assert!(loaded.messages.is_empty());
    });
    let expires = START + limits::RECEIVE_ATTEMPT_INTERVAL_MS;
    for (now, left) in [(expires - 1, 2), (expires, 1), (expires + 5, 0)] {
        sweep(&mut script, &mut opened, now);
        opened = always(harness, opened, |opened| {
            let loaded = load_queue(opened, touch(&ids), START);
            assert_eq!(loaded.attempts.len(), left, "at {now}");
        });
    }
}
