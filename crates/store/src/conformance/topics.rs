//! Topics and their subscriptions, the relay's cursor, the probe.

use std::sync::Arc;

use engine::ports::{
    Cursors, DELIVERIES_QUEUE, FAN_OUT_QUEUE, FAN_OUT_STEP, Opened, Subscription, Topic,
    TopicTouch, Touch,
};
use messaging::topic::{FilterPolicy, FilterScope, Protocol};

use super::mail::{fifo_queue, subscription, topic};
use super::script::{START, Script, message, new_product, queue};
use super::{Harness, always, load};

fn touch_topic(name: &str) -> Touch {
    Touch {
        topics: vec![TopicTouch {
            name: name.to_owned(),
            is_published: true,
            ..TopicTouch::default()
        }],
        now: START,
        ..Touch::default()
    }
}

fn ids(subscriptions: &[Subscription]) -> Vec<&str> {
    subscriptions
        .iter()
        .map(|subscription| subscription.subscription.id.as_str())
        .collect()
}

fn names(topics: &[Topic]) -> Vec<&str> {
    topics
        .iter()
        .map(|topic| topic.topic.name.as_str())
        .collect()
}

pub(crate) fn subscriptions_bring_their_queues(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let to_queue =
        |topic: &str, queue: &str| subscription(&format!("{topic}-{queue}"), topic, queue);
    for (id, name) in (1..).zip(["a", "b", "c", "dead", DELIVERIES_QUEUE]) {
        script.send(&mut queue(id, name, None), [message(1, START)]);
    }
    script.changes.topics = vec![topic(6, "t"), topic(7, "s"), topic(8, "w")];
    script.use_number(8);
    script.changes.subscriptions = vec![to_queue("t", "b"), to_queue("t", "a")];
    script.commit(&mut opened);
    let mut with_letters = to_queue("s", "a");
    with_letters.subscription.redrive = Some("dead".to_owned());
    let mut web = subscription("web", "w", "https://example.com/");
    web.subscription.protocol = Protocol::Https;
    // A queue that is gone brings nothing.
    let nowhere = to_queue("w", "nowhere");
    script.changes.subscriptions = vec![with_letters.clone(), web.clone(), nowhere.clone()];
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let loaded = load(opened, &Touch::default());
        assert!(loaded.topics.is_empty(), "nothing was asked for");
        assert!(loaded.subscriptions.is_empty(), "nothing was asked for");
        assert!(loaded.queues.is_empty(), "nothing was asked for");
        assert_eq!(loaded.next_queue, 9);
        let counts = (loaded.queue_count, loaded.topic_count);
        assert_eq!((counts, loaded.subscription_count), ((5, 3), 5));
        for (name, subscriptions, queues) in [
            (
                "t",
                vec![to_queue("t", "b"), to_queue("t", "a")],
                vec!["a", "b"],
            ),
            ("s", vec![with_letters.clone()], vec!["a", "dead"]),
            (
                "w",
                vec![web.clone(), nowhere.clone()],
                vec![DELIVERIES_QUEUE],
            ),
        ] {
            let loaded = load(opened, &touch_topic(name));
            assert_eq!(loaded.topics.len(), 1);
            assert_eq!(*loaded.topics[name].subscriptions, subscriptions);
            let mut found: Vec<&str> = loaded.queues.keys().map(String::as_str).collect();
            found.sort_unstable();
            assert_eq!(found, queues, "{name}");
            for queue in loaded.queues.values() {
                assert_eq!(queue.queue.next_seq, 2);
                assert!(queue.visible.is_empty());
                assert_eq!(queue.total, 1);
            }
        }
        let touch = Touch {
            topics: vec![TopicTouch {
                name: "t".to_owned(),
                ..TopicTouch::default()
            }],
            now: START,
            ..Touch::default()
        };
        let loaded = load(opened, &touch);
        assert_eq!(loaded.topics["t"].subscriptions.len(), 2);
        assert!(loaded.queues.is_empty(), "nothing is published");
        // By their ids: each with its topic, and with what it leads to.
        let touch = Touch {
            subscriptions: vec!["s-a".to_owned(), "none".to_owned()],
            now: START,
            ..Touch::default()
        };
        let loaded = load(opened, &touch);
        assert_eq!(loaded.subscriptions.len(), 1);
        assert_eq!(loaded.subscriptions["s-a"], with_letters);
        assert_eq!(loaded.topics["s"].topic, topic(7, "s"));
        assert_eq!(loaded.topics.len(), 1);
        assert_eq!(loaded.queues.len(), 2);
    });
}

/// What is published to very many goes in steps, each with the queues of its own.
pub(crate) fn wide_topics_bring_the_queues_of_a_step(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    for (id, name) in (1..).zip(["first", "last", DELIVERIES_QUEUE]) {
        script.send(&mut queue(id, name, None), [message(1, START)]);
    }
    script.changes.topics = vec![topic(4, "t"), topic(5, "t.fifo")];
    script.use_number(6);
    // The newest come first, by their ids.
    let count = FAN_OUT_STEP + 1;
    let ids = (1..=count).rev().map(|number| format!("{number:05}"));
    for id in ids {
        let (named, queue) = match id.parse::<usize>() {
            Ok(number) if number == count => (id, "last"),
            _ => (id, "first"),
        };
        let fifo = format!("f-{named}");
        let subscriptions = &mut script.changes.subscriptions;
        subscriptions.push(subscription(&named, "t", queue));
        subscriptions.push(subscription(&fifo, "t.fifo", queue));
    }
    script.commit(&mut opened);
    let brought = |opened: &mut Opened, name: &str, is_published: bool, steps: &[&str]| {
        let touch = Touch {
            topics: vec![TopicTouch {
                name: name.to_owned(),
                is_published,
                steps: steps.iter().map(|after| (*after).to_owned()).collect(),
                ..TopicTouch::default()
            }],
            now: START,
            ..Touch::default()
        };
        let loaded = load(opened, &touch);
        let mut queues: Vec<String> = loaded.queues.into_keys().collect();
        queues.sort_unstable();
        let topic = &loaded.topics[name];
        assert_eq!(topic.subscriptions.len(), count);
        (topic.is_wide, queues.join(" "))
    };
    let both = || "first last".to_owned();
    let mut opened = always(harness, opened, |opened| {
        assert_eq!(brought(opened, "t", true, &[]), (false, both()));
    });
    // Only where there is somewhere to wait.
    script.send(&mut queue(6, FAN_OUT_QUEUE, None), [message(1, START)]);
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let mut brought = |name, is_published, steps: &[&str]| {
            let (is_wide, queues) = brought(opened, name, is_published, steps);
            assert_eq!(is_wide, name == "t");
            queues
        };
        assert_eq!(brought("t", true, &[]), "");
        assert_eq!(brought("t", true, &[""]), "first");
        assert_eq!(brought("t", false, &["", "00001"]), both());
        assert_eq!(brought("t", false, &["01000"]), "last");
        assert_eq!(brought("t", false, &["01001"]), "");
        assert_eq!(brought("t.fifo", true, &[]), both());
    });
}

pub(crate) fn topics_are_kept_and_listed_by_name(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let all = ["b", "a", "c.fifo", "B", "_"];
    for (id, name) in (1..).zip(all) {
        script.changes.topics.push(topic(id, name));
    }
    script.commit(&mut opened);
    // Changed: a later sequence, and other attributes.
    let mut changed = topic(3, "c.fifo");
    changed.next_seq = 1 << 40;
    changed.attributes.clear();
    changed.owner = None;
    script.changes.topics.push(changed.clone());
    script.changes.topics_removed.push("b".to_owned());
    // Not there: nothing to do.
    script.changes.topics_removed.push("none".to_owned());
    script.commit(&mut opened);
    // Made again under the same name it is another one.
    script.changes.topics.push(topic(9, "b"));
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let reader = &opened.reader;
        let listed = reader.topics(None, 100).unwrap();
        assert_eq!(names(&listed), ["B", "_", "a", "b", "c.fifo"]);
        for (after, limit, expected) in [
            (None, 2, vec!["B", "_"]),
            (Some("_"), 2, vec!["a", "b"]),
            (Some("aa"), 2, vec!["b", "c.fifo"]),
            (Some("c.fifo"), 2, vec![]),
            (None, 0, vec![]),
        ] {
            let page = reader.topics(after, limit).unwrap();
            assert_eq!(names(&page), expected, "{limit} after {after:?}");
        }
        assert_eq!(reader.topic("c.fifo").unwrap().as_ref(), Some(&changed));
        assert_eq!(reader.topic("b").unwrap(), Some(topic(9, "b")));
        assert_eq!(reader.topic("c").unwrap(), None);
        let loaded = load(opened, &touch_topic("c.fifo"));
        assert_eq!(loaded.topics["c.fifo"].topic, changed);
        assert!(loaded.topics["c.fifo"].subscriptions.is_empty());
        assert_eq!(loaded.topic_count, 5);
        assert!(load(opened, &touch_topic("c")).topics.is_empty());
    });
}

pub(crate) fn subscriptions_are_kept_and_listed_in_their_order(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    script.changes.topics = vec![topic(1, "t"), topic(2, "s")];
    for (id, topic) in [("5", "t"), ("3", "t"), ("9", "s"), ("1", "t"), ("7", "s")] {
        script
            .changes
            .subscriptions
            .push(subscription(id, topic, "q"));
    }
    script.commit(&mut opened);
    // Changed, it keeps its turn.
    let mut changed = subscription("3", "t", "q");
    let policy = r#"{"price": [{"numeric": [">=", 1.50]}]}"#;
    changed.subscription.filter =
        Some(FilterPolicy::parse(policy, FilterScope::MessageBody).unwrap());
    changed.subscription.confirmed = false;
    changed.subscription.raw = true;
    changed.token = Some("token \"é\"".to_owned());
    changed.owner = Some("123456789012".to_owned());
    changed
        .attributes
        .insert("FilterPolicy".to_owned(), policy.to_owned());
    script.changes.subscriptions = vec![changed.clone()];
    script.changes.subscriptions_removed = vec!["9".to_owned(), "none".to_owned()];
    script.commit(&mut opened);
    let list = |opened: &Opened, topic: Option<&str>, after: Option<&str>, limit| {
        let all = opened.reader.subscription_page(None, None, 10).unwrap();
        let place_of = |id| all.iter().find(|(_, one)| one.subscription.id == id);
        let after = after.map(|id| place_of(id).unwrap().0);
        let found = opened.reader.subscriptions(topic, after, limit).unwrap();
        ids(&found).join(" ")
    };
    let mut opened = always(harness, opened, |opened| {
        for (topic, after, limit, expected) in [
            (None, None, 10, "5 3 1 7"),
            (None, None, 2, "5 3"),
            (None, Some("3"), 2, "1 7"),
            (None, Some("7"), 2, ""),
            (None, None, 0, ""),
            (Some("t"), None, 10, "5 3 1"),
            (Some("t"), Some("5"), 1, "3"),
            (Some("t"), Some("1"), 10, ""),
            (Some("s"), None, 10, "7"),
            (Some("none"), None, 10, ""),
        ] {
            let found = list(opened, topic, after, limit);
            assert_eq!(found, expected, "{limit} of {topic:?} after {after:?}");
        }
        let found = opened.reader.subscription("3").unwrap();
        assert_eq!(found.as_ref(), Some(&changed));
        assert_eq!(opened.reader.subscription("9").unwrap(), None);
        let loaded = load(opened, &touch_topic("t"));
        let subscriptions = Arc::clone(&loaded.topics["t"].subscriptions);
        assert_eq!(ids(&subscriptions), ["5", "3", "1"]);
        assert_eq!(subscriptions[1], changed);
        assert_eq!(loaded.subscription_count, 4);
    });

    // A topic takes its subscriptions with it.
    script.changes.topics_removed.push("t".to_owned());
    script.commit(&mut opened);
    script.changes.topics.push(topic(3, "t"));
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        assert_eq!(list(opened, None, None, 10), "7");
        assert_eq!(list(opened, Some("t"), None, 10), "");
        let touch = Touch {
            subscriptions: vec!["3".to_owned()],
            ..touch_topic("t")
        };
        let loaded = load(opened, &touch);
        assert!(loaded.topics["t"].subscriptions.is_empty());
        assert!(loaded.subscriptions.is_empty());
        assert_eq!(loaded.subscription_count, 1);
    });
}

pub(crate) fn a_page_goes_on_when_its_last_subscription_is_gone(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    script.changes.topics = vec![topic(1, "t"), topic(2, "s")];
    for (id, topic) in [("5", "t"), ("3", "s"), ("9", "t"), ("1", "t")] {
        let made = subscription(id, topic, "q");
        script.changes.subscriptions.push(made);
    }
    script.commit(&mut opened);
    let of_topic = opened.reader.subscription_page(Some("t"), None, 2).unwrap();
    let of_all = opened.reader.subscription_page(None, None, 3).unwrap();
    let (last, last_of_all) = (of_topic[1].0, of_all[2].0);
    assert_eq!(last, last_of_all, "both end with the same one");
    script.changes.subscriptions_removed = vec!["9".to_owned(), "3".to_owned()];
    script.commit(&mut opened);
    script.changes.subscriptions = vec![subscription("7", "t", "q")];
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        for topic in [Some("t"), None] {
            let rest = opened.reader.subscriptions(topic, Some(last), 10).unwrap();
            assert_eq!(ids(&rest), ["1", "7"], "{topic:?}");
        }
    });
}

pub(crate) fn a_queue_that_is_named_and_subscribed_comes_with_its_messages(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    script.send(&mut queue(1, "q", None), [message(1, START)]);
    script.send(&mut fifo_queue(2, "f.fifo"), []);
    script.changes.topics.push(topic(3, "t.fifo"));
    script.changes.subscriptions = vec![
        subscription("1", "t.fifo", "q"),
        subscription("2", "t.fifo", "f.fifo"),
    ];
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let touch = Touch {
            queues: vec![engine::ports::QueueTouch {
                visible: 1,
                ..super::script::touch_queue("q")
            }],
            ..touch_topic("t.fifo")
        };
        let loaded = load(opened, &touch);
        assert_eq!(loaded.queues["q"].visible, [message(1, START)]);
        assert_eq!(loaded.queues["q"].total, 1);
        assert!(loaded.queues["f.fifo"].groups.is_empty());
    });
}

pub(crate) fn the_relay_cursors_are_kept(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    for _ in 0..9 {
        script.note();
    }
    for (shop, orders) in [(5, 0), (9, 7), (3, 8)] {
        let relayed = Cursors { shop, orders };
        script.changes.relayed = Some(relayed);
        script.commit(&mut opened);
        opened = always(harness, opened, |opened| {
            assert_eq!(opened.reader.relayed().unwrap(), relayed);
            assert_eq!(load(opened, &Touch::default()).relayed, relayed);
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
        assert_eq!(loaded.relayed, Cursors::default());
        assert_eq!(opened.reader.entries(0, 10).unwrap(), script.log);
    });
}
