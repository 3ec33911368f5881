//! What readers tell besides: when the next message can be received, what is being moved.

use std::sync::Arc;

use engine::ports::{LoadedQueue, MoveStatus, MoveTask, Opened, QueueTouch};
use messaging::{QueueMore, RedriveAllow};

use super::mail::{fifo_queue, grouped, held, load_queue, seqs};
use super::script::{START, Script, message, queue, touch_queue};
use super::{Harness, always};

pub(crate) fn the_next_message_that_becomes_visible_is_known(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let mut line = queue(1, "q", None);
    let mut other = queue(2, "other", None);
    script.put_queue(&queue(3, "empty", None));
    script.send(
        &mut line,
        [
            message(1, START + 30),
            held(message(2, START), START + 10),
            message(3, START),
            message(4, START + 10),
        ],
    );
    script.send(&mut other, [message(1, START + 5)]);
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| {
        let next = |now| opened.reader.next_visible("q", START + now).unwrap();
        for (now, expected) in [
            (-1, Some(0)),
            (0, Some(10)),
            (9, Some(10)),
            (10, Some(30)),
            (29, Some(30)),
            (30, None),
        ] {
            assert_eq!(next(now), expected.map(|at| START + at), "at {now}");
        }
        assert_eq!(opened.reader.next_visible("empty", START).unwrap(), None);
        assert_eq!(opened.reader.next_visible("none", START).unwrap(), None);
    });
    script.changes.messages_removed = vec![(1, 2), (1, 4)];
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let next = opened.reader.next_visible("q", START).unwrap();
        assert_eq!(next, Some(START + 30));
    });
}

fn task(id: &str, status: MoveStatus) -> MoveTask {
    MoveTask {
        id: id.to_owned(),
        destination: (id == "2").then(|| "elsewhere".to_owned()),
        rate: (id == "2").then_some(500),
        started_at: START,
        moved: 1 << 40,
        to_move: 1 << 41,
        status,
        failure: (status == MoveStatus::Failed).then(|| "it was \"RUNNING\"".to_owned()),
    }
}

pub(crate) fn queues_with_a_move_under_way_are_found(harness: &dyn Harness) {
    use MoveStatus::{Cancelled, Completed, Failed, Running};
    let mut opened = harness.open();
    let mut script = Script::new();
    let mut dead = queue(1, "dead", None);
    let mut done = queue(2, "done", None);
    let mut also = queue(3, "also", None);
    dead.moves = Arc::new(vec![task("2", Running), task("1", Failed)]);
    done.moves = Arc::new(vec![
        task("5", Completed),
        task("4", Failed),
        task("3", Cancelled),
    ]);
    also.moves = Arc::new(vec![task("6", Running)]);
    for queue in [&dead, &done, &also] {
        script.put_queue(queue);
    }
    script.put_queue(&queue(4, "never", None));
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| {
        let moving = opened.reader.moving_queues().unwrap();
        let expected = [("also", task("6", Running)), ("dead", task("2", Running))];
        assert_eq!(moving, expected.map(|(name, task)| (name.to_owned(), task)));
        for queue in [&dead, &done] {
            let found = load_queue(opened, touch_queue(&queue.name), START);
            assert_eq!(found.queue, *queue);
        }
    });
    dead.moves = Arc::new(vec![task("2", Completed), task("1", Failed)]);
    script.put_queue(&dead);
    script
        .changes
        .queues_removed
        .push(("also".to_owned(), START));
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        assert_eq!(opened.reader.moving_queues().unwrap(), []);
    });
}

pub(crate) fn queues_keep_all_that_was_set(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let mut full = fifo_queue(1, "full.fifo");
    full.config.delay_s = 900;
    full.config.fifo = Some(messaging::FifoConfig {
        content_based_deduplication: true,
        deduplication_scope: messaging::DeduplicationScope::MessageGroup,
        throughput_limit: messaging::ThroughputLimit::PerMessageGroupId,
    });
    full.more = Arc::new(QueueMore {
        owner: Some("123456789012".to_owned()),
        redrive_allow: Some(RedriveAllow::ByQueue(vec!["a.fifo".to_owned()])),
        policy: Some("{\"Statement\": \"é\"}".to_owned()),
        encryption: [("KmsMasterKeyId".to_owned(), "alias/aws/sqs".to_owned())].into(),
        tags: [
            ("team".to_owned(), "\u{1F369}".to_owned()),
            ("empty".to_owned(), String::new()),
        ]
        .into(),
    });
    full.modified_at = START + 1;
    full.purged_at = Some(START + 2);
    let plain = queue(2, "Plain", None);
    script.put_queue(&full);
    script.put_queue(&plain);
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| {
        assert_eq!(opened.reader.queue_names().unwrap(), ["Plain", "full.fifo"]);
        let depth = opened.reader.queue("full.fifo", START).unwrap().unwrap();
        assert_eq!(depth.queue, full);
        let found = load_queue(opened, touch_queue("full.fifo"), START);
        assert_eq!(found.queue, full);
    });
    // One thing after the other, and messages in between.
    script.send(&mut full, [grouped(1, "g", START)]);
    script.commit(&mut opened);
    full.more = Arc::new(QueueMore::default());
    script.put_queue(&full);
    script.commit(&mut opened);
    full.config.retention_s = 60;
    full.modified_at = START + 3;
    script.put_queue(&full);
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let found = load_queue(opened, touch_queue("full.fifo"), START);
        assert_eq!(found.queue, full);
        assert_eq!(found.total, 1);
    });
}

/// The largest partition and sequence that a store must have room for.
const PARTITION: u32 = (1 << 23) - 1;
const SEQ: u64 = (1 << 40) - 3;

pub(crate) fn there_is_room_for_many_purges_and_messages(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let mut large = fifo_queue(PARTITION - 2, "large.fifo");
    large.partition = PARTITION;
    large.next_seq = SEQ;
    // Its neighbours begin where it ends.
    let mut before = queue(PARTITION - 1, "before", None);
    before.next_seq = SEQ;
    let mut small = queue(1, "small", None);
    script.put_queue(&large);
    script.put_queue(&before);
    script.commit(&mut opened);
    let sent = [grouped(SEQ, "g", START), grouped(SEQ + 1, "g", START)];
    let mut neighbour = message(SEQ + 1, START);
    neighbour.sent_at_ms = START - 1;
    script.send(&mut large, sent.clone());
    script.send(&mut before, [neighbour.clone()]);
    script.send(&mut small, [message(1, START)]);
    script.commit(&mut opened);
    let look = |opened: &mut Opened, name: &str| -> LoadedQueue {
        let touch = QueueTouch {
            visible: 10,
            receives: 1,
            first: 10,
            messages: vec![1, SEQ, SEQ + 1, SEQ + 2, SEQ + 3, u64::MAX],
            ..touch_queue(name)
        };
        load_queue(opened, touch, START)
    };
    let mut opened = always(harness, opened, |opened| {
        let found = look(opened, "large.fifo");
        assert_eq!(found.queue, large);
        assert_eq!(found.first, sent);
        assert_eq!(found.messages.len(), 2);
        assert_eq!(found.groups[0].messages, sent);
        assert_eq!(found.total, 2);
        let found = look(opened, "before");
        assert_eq!(found.first, [neighbour.clone()]);
        assert_eq!(found.visible, [neighbour.clone()]);
        assert_eq!(seqs(&look(opened, "small").first), [1]);
        let reader = &opened.reader;
        assert_eq!(reader.messages("large.fifo", SEQ, 10).unwrap(), sent[1..]);
        assert_eq!(reader.messages("large.fifo", u64::MAX, 10).unwrap(), []);
        let depth = reader.queue("large.fifo", START).unwrap().unwrap();
        assert_eq!(
            (depth.visible, depth.oldest_sent_at),
            (2, Some(sent[0].sent_at_ms))
        );
        let depth = reader.queue("before", START).unwrap().unwrap();
        assert_eq!((depth.visible, depth.oldest_sent_at), (1, Some(START - 1)));
    });
    let taken = held(sent[0].clone(), START + 9);
    script.changes.messages.push((PARTITION, taken.clone()));
    script.changes.messages_removed.push((PARTITION, SEQ + 1));
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let found = look(opened, "large.fifo");
        assert_eq!(found.first, std::slice::from_ref(&taken));
        assert!(found.groups.is_empty());
        assert_eq!(look(opened, "before").total, 1);
    });
}
