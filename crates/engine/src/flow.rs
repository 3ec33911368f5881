//! What passes through queues and topics: counted since the start, and of queues over the last
//! minute.
//!
//! What always holds: a row belongs to a queue or a topic that is there, so there are never more
//! rows than those; a batch is added when it is durable, all of it at once. Only what another process
//! deletes, and a topic with notifications on their way to web servers, is seen to be gone when
//! somebody says what is there.
//!
//! Deliberately not counted: what moves to a dead-letter queue and back, since nobody sent or
//! received it. How much lies in a queue the store counts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use commerce::Millis;

/// The last minute is kept in pieces of so long.
const SLOT_MS: Millis = 5_000;
const SLOTS: u8 = 12;

/// Messages, except where the name says otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Stored for whoever sent them, or for a topic.
    pub sent: u64,
    /// Bodies and attributes of those.
    pub sent_bytes: u64,
    /// Duplicates on a FIFO queue, answered and not stored.
    pub deduplicated: u64,
    pub received: u64,
    /// Looks that found nothing; one that waits counts when it begins to.
    pub empty_receives: u64,
    pub deleted: u64,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.sent_bytes += other.sent_bytes;
        self.deduplicated += other.deduplicated;
        self.received += other.received;
        self.empty_receives += other.empty_receives;
        self.deleted += other.deleted;
    }
}

/// What passed through one queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flow {
    /// Since this process started, or since the queue was made if that is later.
    pub total: Counts,
    /// In the last 55 to 60 seconds.
    pub last_minute: Counts,
}

/// By name. Queues through which nothing passed are left out.
pub type Flows = HashMap<String, Flow>;

/// What became of what was published to a topic. Notifications, except where the name says otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TopicCounts {
    /// Messages, without duplicates.
    pub published: u64,
    /// Bodies and attributes of those.
    pub published_bytes: u64,
    /// Stored in a queue, or taken by a web server or a mailbox.
    pub delivered: u64,
    /// Given up.
    pub failed: u64,
    /// Those for which a filter looked at attributes, and there were some or none.
    pub filtered_attributes: u64,
    pub filtered_no_attributes: u64,
    /// Those for which a filter looked into the body, and it was JSON or not.
    pub filtered_body: u64,
    pub filtered_invalid_body: u64,
    /// Of those given up: to a dead-letter queue, and not there although there is one.
    pub redriven: u64,
    pub not_redriven: u64,
}

impl TopicCounts {
    pub fn filtered_out(&self) -> u64 {
        self.filtered_attributes
            + self.filtered_no_attributes
            + self.filtered_body
            + self.filtered_invalid_body
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.published += other.published;
        self.published_bytes += other.published_bytes;
        self.delivered += other.delivered;
        self.failed += other.failed;
        self.filtered_attributes += other.filtered_attributes;
        self.filtered_no_attributes += other.filtered_no_attributes;
        self.filtered_body += other.filtered_body;
        self.filtered_invalid_body += other.filtered_invalid_body;
        self.redriven += other.redriven;
        self.not_redriven += other.not_redriven;
    }
}

/// By name. Topics through which nothing passed are left out.
pub type TopicFlows = HashMap<String, TopicCounts>;

#[derive(Default)]
pub(crate) struct Meter {
    rows: Mutex<HashMap<String, Row>>,
    topics: Mutex<TopicFlows>,
    /// Queues and topics that were not there when somebody looked last, though they have a row.
    strays: Mutex<[HashSet<String>; 2]>,
}

/// Forgets those that were not there at the last look either: one that is new may have a row before
/// it is seen.
fn forget_strays<T>(
    rows: &mut HashMap<String, T>,
    strays: &mut HashSet<String>,
    there: &HashSet<&str>,
) {
    let names = rows.keys().filter(|name| !there.contains(name.as_str()));
    let gone: HashSet<String> = names.cloned().collect();
    rows.retain(|name, _| !(gone.contains(name) && strays.contains(name)));
    *strays = gone;
}

#[derive(Default)]
struct Row {
    total: Counts,
    /// Each with the number of the piece of time that it counts.
    slots: [(Millis, Counts); SLOTS as usize],
}

fn slot(now: Millis) -> Millis {
    now.div_euclid(SLOT_MS)
}

impl Row {
    fn add(&mut self, counts: &Counts, now: Millis) {
        self.total.add(counts);
        let current = slot(now);
        let at = current.rem_euclid(SLOTS.into());
        let at = usize::try_from(at).expect("less than SLOTS");
        let (of, counted) = &mut self.slots[at];
        if *of != current {
            (*of, *counted) = (current, Counts::default());
        }
        counted.add(counts);
    }

    fn flow(&self, now: Millis) -> Flow {
        let current = slot(now);
        let mut last_minute = Counts::default();
        for (of, counted) in &self.slots {
            if (current - Millis::from(SLOTS) + 1..=current).contains(of) {
                last_minute.add(counted);
            }
        }
        Flow {
            total: self.total,
            last_minute,
        }
    }
}

impl Meter {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a batch did, and the queues that it deleted.
    pub(crate) fn add(&self, batch: BTreeMap<String, Counts>, deleted: &[String], now: Millis) {
        if batch.is_empty() && deleted.is_empty() {
            return;
        }
        let mut rows = self.lock();
        for (queue, counts) in batch {
            rows.entry(queue).or_default().add(&counts, now);
        }
        for queue in deleted {
            rows.remove(queue);
        }
    }

    pub(crate) fn add_topics(&self, batch: BTreeMap<String, TopicCounts>, deleted: &[String]) {
        if batch.is_empty() && deleted.is_empty() {
            return;
        }
        let mut topics = self.lock_topics();
        for (topic, counts) in batch {
            topics.entry(topic).or_default().add(&counts);
        }
        for topic in deleted {
            topics.remove(topic);
        }
    }

    pub(crate) fn topics(&self) -> TopicFlows {
        self.lock_topics().clone()
    }

    fn lock_topics(&self) -> MutexGuard<'_, TopicFlows> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These queues and topics are there.
    pub(crate) fn tidy(&self, queues: &HashSet<&str>, topics: &HashSet<&str>) {
        let mut strays = self.strays.lock().unwrap_or_else(PoisonError::into_inner);
        let [of_queues, of_topics] = &mut *strays;
        forget_strays(&mut self.lock(), of_queues, queues);
        forget_strays(&mut self.lock_topics(), of_topics, topics);
    }

    pub(crate) fn flows(&self, now: Millis) -> Flows {
        self.lock()
            .iter()
            .map(|(queue, row)| (queue.clone(), row.flow(now)))
            .collect()
    }

    pub(crate) fn flow(&self, queue: &str, now: Millis) -> Flow {
        let rows = self.lock();
        rows.get(queue)
            .map_or_else(Flow::default, |row| row.flow(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(queue: &str, sent: u64) -> BTreeMap<String, Counts> {
        let counts = Counts {
            sent,
            ..Counts::default()
        };
        BTreeMap::from([(queue.to_owned(), counts)])
    }

    #[test]
    fn a_minute_passes_and_the_total_stays() {
        let meter = Meter::default();
        let start = 1_000_000_000;
        // So many seconds after the start: what is sent, and what the last minute then has.
        for (at_s, new, last_minute) in [
            (0, 3, 3),
            (4, 1, 4),
            (55, 2, 6),
            // The first piece has left, its place is taken again.
            (60, 5, 7),
            (114, 0, 7),
            (115, 0, 5),
            (120, 0, 0),
            (600, 1, 1),
        ] {
            let now = start + at_s * 1_000;
            meter.add(sent("q", new), &[], now);
            assert_eq!(meter.flow("q", now).last_minute.sent, last_minute, "{at_s}");
        }
        assert_eq!(meter.flow("q", start).total.sent, 12);
    }

    #[test]
    fn a_queue_that_is_gone_has_no_row() {
        let meter = Meter::default();
        meter.add(sent("q", 1), &[], 0);
        meter.add(sent("q", 1), &["q".to_owned()], 0);
        assert_eq!(meter.flow("q", 0), Flow::default());
        assert!(meter.flows(0).is_empty());
        meter.add(sent("q", 1), &[], 0);
        assert_eq!(meter.flows(0)["q"].total.sent, 1);
    }

    #[test]
    fn what_is_not_there_at_two_looks_has_no_row() {
        let meter = Meter::default();
        let published = |topic: &str| {
            let counts = TopicCounts {
                published: 1,
                ..TopicCounts::default()
            };
            meter.add_topics(BTreeMap::from([(topic.to_owned(), counts)]), &[]);
        };
        let there = |names: &[&'static str]| names.iter().copied().collect();
        meter.add(sent("q", 1), &[], 0);
        published("t");
        // It may have been made after the look.
        meter.tidy(&there(&[]), &there(&[]));
        assert_eq!((meter.flows(0).len(), meter.topics().len()), (1, 1));
        meter.tidy(&there(&["q"]), &there(&["t"]));
        meter.tidy(&there(&["t"]), &there(&["q"]));
        assert_eq!((meter.flows(0).len(), meter.topics().len()), (1, 1));
        meter.add(sent("other", 1), &[], 0);
        published("other");
        meter.tidy(&there(&[]), &there(&[]));
        assert_eq!(meter.flows(0).keys().collect::<Vec<_>>(), ["other"]);
        assert_eq!(meter.topics().keys().collect::<Vec<_>>(), ["other"]);
        // It begins anew.
        meter.add(sent("q", 1), &[], 0);
        assert_eq!(meter.flow("q", 0).total.sent, 1);
    }

    #[test]
    fn a_clock_that_is_set_back_counts_nothing_twice() {
        let meter = Meter::default();
        meter.add(sent("q", 1), &[], 120_000);
        meter.add(sent("q", 1), &[], 0);
        assert_eq!(meter.flow("q", 0).last_minute.sent, 1);
        assert_eq!(meter.flow("q", 120_000).total.sent, 2);
    }
}
