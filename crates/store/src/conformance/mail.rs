//! Messages in groups, topics and subscriptions for scripts, and queues as a batch finds them.

use std::collections::BTreeMap;

use commerce::Millis;
use engine::ports::{LoadedQueue, Opened, Queue, QueueTouch, Subscription, Topic, Touch};
use messaging::topic::{self, Protocol, TopicFifo, TopicName};
use messaging::{DedupEntry, DedupKey, FifoConfig, GroupHead, Message};

use super::load;
use super::script::{START, message, queue};

pub(crate) fn load_queue(opened: &mut Opened, touch: QueueTouch, now: Millis) -> LoadedQueue {
    let name = touch.name.clone();
    let touch = Touch {
        queues: vec![touch],
        now,
        ..Touch::default()
    };
    load(opened, &touch).queues.remove(&name).unwrap()
}

pub(crate) fn seqs<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Vec<u64> {
    messages.into_iter().map(|message| message.seq).collect()
}

/// Each group with the sequences of its head.
pub(crate) fn heads<'a>(
    groups: impl IntoIterator<Item = &'a GroupHead>,
) -> Vec<(&'a str, Vec<u64>)> {
    let heads = groups.into_iter();
    heads
        .map(|head| (head.group.as_str(), seqs(&head.messages)))
        .collect()
}

pub(crate) fn fifo_queue(id: u32, name: &str) -> Queue {
    let mut fifo = queue(id, name, None);
    fifo.config.fifo = Some(FifoConfig::default());
    fifo
}

/// A message of a group, as a queue has it from the start.
pub(crate) fn grouped(seq: u64, group: &str, visible_at: Millis) -> Message {
    Message {
        group: Some(group.to_owned()),
        deduplication: Some(format!("dedup-{seq}")),
        ..message(seq, visible_at)
    }
}

/// The same message while somebody has it.
pub(crate) fn held(message: Message, until: Millis) -> Message {
    Message {
        visible_at_ms: until,
        receive_count: message.receive_count + 1,
        first_received_at_ms: message.first_received_at_ms.or(Some(START)),
        received_at_ms: Some(START),
        receipt: Some(u64::MAX - message.seq),
        ..message
    }
}

pub(crate) fn dedup_entry(group: Option<&str>, id: &str, seq: u64, sent_at: Millis) -> DedupEntry {
    DedupEntry {
        key: DedupKey {
            group: group.map(str::to_owned),
            id: id.to_owned(),
        },
        message_id: format!("message-{seq}"),
        seq,
        sent_at_ms: sent_at,
    }
}

pub(crate) fn topic(id: u32, name: &str) -> Topic {
    let name = TopicName::new(name).unwrap();
    Topic {
        id,
        topic: topic::Topic {
            fifo: name.is_fifo().then(TopicFifo::default),
            name,
        },
        owner: Some("000000000000".to_owned()),
        attributes: [("DisplayName".to_owned(), "\"é\" 🍩".to_owned())].into(),
        tags: [("team".to_owned(), String::new())].into(),
        next_seq: 1,
        created_at: START,
    }
}

pub(crate) fn subscription(id: &str, topic: &str, endpoint: &str) -> Subscription {
    Subscription {
        topic: topic.to_owned(),
        subscription: topic::Subscription {
            id: id.to_owned(),
            protocol: Protocol::Queue,
            endpoint: endpoint.to_owned(),
            raw: false,
            filter: None,
            redrive: None,
            confirmed: true,
        },
        owner: None,
        token: None,
        attributes: BTreeMap::new(),
        created_at: START,
    }
}
