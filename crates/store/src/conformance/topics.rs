//! Subscriptions, the relay's cursor, the probe.

use engine::ports::{Subscription, Touch};

use super::script::{START, Script, message, new_product, queue};
use super::{Harness, always, load};

pub(crate) fn subscriptions_bring_their_queues(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let subscription = |topic: &str, queue: &str| Subscription {
        topic: topic.to_owned(),
        queue: queue.to_owned(),
    };
    for (id, name) in (1..).zip(["a", "b", "c"]) {
        script.send(&mut queue(id, name, None), [message(1, START)]);
    }
    script.changes.subscriptions = vec![subscription("t", "b"), subscription("t", "a")];
    script.commit(&mut opened);
    script.changes.subscriptions = vec![subscription("s", "a")];
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let key = |s: &Subscription| (s.topic.clone(), s.queue.clone());
        let mut all = [
            subscription("s", "a"),
            subscription("t", "a"),
            subscription("t", "b"),
        ];
        all.sort_by_key(key);
        let mut found = opened.reader.subscriptions().unwrap();
        found.sort_by_key(key);
        assert_eq!(found, all);

        let loaded = load(opened, &Touch::default());
        assert!(loaded.subscriptions.is_empty(), "nothing was asked for");
        assert!(loaded.queues.is_empty(), "nothing was asked for");
        let mut loaded = load(
            opened,
            &Touch {
                topics: true,
                now: START,
                ..Touch::default()
            },
        );
        loaded.subscriptions.sort_by_key(key);
        assert_eq!(loaded.subscriptions, all);
        let mut names: Vec<&String> = loaded.queues.keys().collect();
        names.sort();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(loaded.queues["a"].queue.next_seq, 2);
        assert!(loaded.queues["a"].visible.is_empty());
    });
}

pub(crate) fn the_relay_cursor_is_kept(harness: &dyn Harness) {
    let mut opened = harness.open();
    for cursor in [5, 1 << 40, 3] {
        let mut script = Script::new();
        script.changes.relay_cursor = Some(cursor);
        script.commit(&mut opened);
        opened = always(harness, opened, |opened| {
            assert_eq!(opened.reader.relay_cursor().unwrap(), cursor);
            assert_eq!(load(opened, &Touch::default()).relay_cursor, cursor);
        });
    }
}

pub(crate) fn a_probe_writes_and_changes_nothing(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    script.product(new_product(1, "A"));
    script.commit(&mut opened);
    for at in [START, START + 1, START - 1] {
        script.changes.probe = Some(at);
        script.commit(&mut opened);
    }
    always(harness, opened, |opened| {
        let loaded = load(opened, &Touch::default());
        assert_eq!((loaded.last_seq, loaded.last_at), (1, START));
        assert_eq!(loaded.system, (0, None));
        assert_eq!(loaded.relay_cursor, 0);
        assert_eq!(opened.reader.entries(0, 10).unwrap(), script.log);
    });
}
