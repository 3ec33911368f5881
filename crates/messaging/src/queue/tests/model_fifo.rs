//! Random histories of a FIFO queue, against a model that scans one list of all messages.
//! The functions under test see only the first ten messages of each group.

use proptest::prelude::*;

use super::*;

const RETENTION_MS: i64 = 60_000;
const MAX_RECEIVES: u32 = 2;
const HEAD: usize = 10;

#[derive(Clone, Debug)]
enum Step {
    Send { group: u8, deduplication: u16 },
    Receive { max: usize, timeout_s: u32 },
    Delete { nth: usize },
    Change { nth: usize, timeout_s: u32 },
    Wait { ms: i64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..3_u8, prop_oneof![0..4_u16, any::<u16>()])
            .prop_map(|(group, deduplication)| Step::Send { group, deduplication }),
        4 => (1..=10_usize, 0..20_u32)
            .prop_map(|(max, timeout_s)| Step::Receive { max, timeout_s }),
        3 => (0..8_usize).prop_map(|nth| Step::Delete { nth }),
        2 => (0..8_usize, 0..20_u32).prop_map(|(nth, timeout_s)| Step::Change { nth, timeout_s }),
        3 => prop_oneof![0..3_000_i64, 0..30_000_i64, Just(300_000)]
            .prop_map(|ms| Step::Wait { ms }),
    ];
    prop::collection::vec(step, 1..120)
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Sent(u64),
    Duplicate(u64),
    Delivered(Vec<u64>),
    Done,
    Refused,
}

struct Tested {
    config: QueueConfig,
    queue: Vec<Message>,
    dead: Vec<u64>,
    entries: Vec<DedupEntry>,
    handles: Vec<(u64, u64)>,
    seq: u64,
}

impl Tested {
    fn step(&mut self, step: &Step, now_ms: i64) -> Seen {
        let config = &self.config;
        match step {
            Step::Send {
                group,
                deduplication,
            } => {
                let send = grouped(&group.to_string(), &deduplication.to_string());
                let found = deduplicate(config, &send, &self.entries, now_ms).unwrap();
                if let Deduplication::Duplicate { seq, .. } = found {
                    return Seen::Duplicate(seq);
                }
                self.seq += 1;
                let message = accept(config, send, self.seq, self.seq.to_string(), now_ms).unwrap();
                self.entries.push(DedupEntry::of(config, &message).unwrap());
                self.queue.push(message);
                Seen::Sent(self.seq)
            }
            Step::Receive { max, timeout_s } => {
                let request = Receive {
                    max: *max,
                    visibility_timeout_s: Some(*timeout_s),
                };
                let first_receipt = self.handles.len() as u64;
                let mut receipts = first_receipt..;
                let received = receive_fifo(
                    config,
                    self.heads(),
                    &request,
                    &mut || receipts.next().unwrap(),
                    now_ms,
                );
                for gone in received.dead.iter().chain(&received.expired) {
                    self.queue.retain(|message| message.seq != gone.seq);
                }
                self.dead.extend(seqs(&received.dead));
                for delivered in &received.delivered {
                    let stored = self.queue.iter_mut().find(|m| m.seq == delivered.seq);
                    *stored.unwrap() = delivered.clone();
                    self.handles
                        .push((delivered.seq, delivered.receipt.unwrap()));
                }
                Seen::Delivered(seqs(&received.delivered))
            }
            Step::Delete { nth } => {
                let Some((seq, receipt)) = self.handle(*nth) else {
                    return Seen::Done;
                };
                let message = self.queue.iter().find(|message| message.seq == seq);
                match delete(config, message, receipt, now_ms) {
                    Ok(Deletion::Deleted) => {
                        self.queue.retain(|message| message.seq != seq);
                        Seen::Done
                    }
                    Ok(Deletion::Nothing) => Seen::Done,
                    Err(_) => Seen::Refused,
                }
            }
            Step::Change { nth, timeout_s } => {
                let Some((seq, receipt)) = self.handle(*nth) else {
                    return Seen::Done;
                };
                let message = self.queue.iter_mut().find(|message| message.seq == seq);
                let found = message.as_deref();
                let changed = change_visibility(config, found, receipt, *timeout_s, now_ms);
                match (message, changed) {
                    (Some(message), Ok(changed)) => {
                        *message = changed;
                        Seen::Done
                    }
                    (_, result) => {
                        assert!(result.is_err(), "changed what is not there");
                        Seen::Refused
                    }
                }
            }
            Step::Wait { .. } => Seen::Done,
        }
    }

    fn handle(&self, nth: usize) -> Option<(u64, u64)> {
        self.handles.iter().rev().nth(nth).copied()
    }

    /// What a store would load.
    fn heads(&self) -> Vec<GroupHead> {
        let mut heads: Vec<GroupHead> = Vec::new();
        for message in &self.queue {
            let group = message.group.clone().unwrap();
            match heads.iter_mut().find(|head| head.group == group) {
                Some(head) if head.messages.len() == HEAD => {}
                Some(head) => head.messages.push(message.clone()),
                None => heads.push(GroupHead {
                    group,
                    messages: vec![message.clone()],
                }),
            }
        }
        heads
    }
}

#[derive(Clone)]
struct Item {
    seq: u64,
    group: u8,
    sent: i64,
    hidden_until: i64,
    receives: u32,
    handle: Option<usize>,
}

#[derive(Default)]
struct Model {
    items: Vec<Item>,
    dead: Vec<u64>,
    /// Every message ever stored: deduplication id, sequence, time.
    history: Vec<(u16, u64, i64)>,
    handles: Vec<u64>,
}

impl Model {
    fn step(&mut self, step: &Step, now: i64) -> Seen {
        match step {
            Step::Send {
                group,
                deduplication,
            } => {
                let first = self
                    .history
                    .iter()
                    .find(|(id, _, sent)| id == deduplication && now - sent < 300_000);
                if let Some((_, seq, _)) = first {
                    return Seen::Duplicate(*seq);
                }
                let seq = self.history.len() as u64 + 1;
                self.history.push((*deduplication, seq, now));
                self.items.push(Item {
                    seq,
                    group: *group,
                    sent: now,
                    hidden_until: now,
                    receives: 0,
                    handle: None,
                });
                Seen::Sent(seq)
            }
            Step::Receive { max, timeout_s } => self.receive(*max, *timeout_s, now),
            Step::Delete { nth } => {
                let Some(handle) = self.handles.len().checked_sub(nth + 1) else {
                    return Seen::Done;
                };
                let seq = self.handles[handle];
                let Some(at) = self.items.iter().position(|item| item.seq == seq) else {
                    return Seen::Done;
                };
                if !self.holds(at, handle, now) {
                    return Seen::Refused;
                }
                self.items.remove(at);
                Seen::Done
            }
            Step::Change { nth, timeout_s } => {
                let Some(handle) = self.handles.len().checked_sub(nth + 1) else {
                    return Seen::Done;
                };
                let seq = self.handles[handle];
                match self.items.iter().position(|item| item.seq == seq) {
                    Some(at) if self.holds(at, handle, now) => {
                        self.items[at].hidden_until = now + i64::from(*timeout_s) * 1000;
                        Seen::Done
                    }
                    _ => Seen::Refused,
                }
            }
            Step::Wait { .. } => Seen::Done,
        }
    }

    fn holds(&self, at: usize, handle: usize, now: i64) -> bool {
        self.items[at].handle == Some(handle) && now < self.items[at].hidden_until
    }

    fn receive(&mut self, max: usize, timeout_s: u32, now: i64) -> Seen {
        let before = self.items.clone();
        let mut groups: Vec<u8> = Vec::new();
        for item in &before {
            if !groups.contains(&item.group) {
                groups.push(item.group);
            }
        }
        let mut delivered = Vec::new();
        for group in groups {
            let members = || before.iter().filter(|item| item.group == group);
            // Nothing here is ever delayed, so what is hidden is in flight.
            if members().any(|item| now < item.hidden_until) {
                continue;
            }
            for member in members().take(HEAD) {
                if delivered.len() == max {
                    break;
                }
                let at = self
                    .items
                    .iter()
                    .position(|item| item.seq == member.seq)
                    .unwrap();
                if now - member.sent >= RETENTION_MS {
                    self.items.remove(at);
                } else if member.receives == MAX_RECEIVES {
                    self.dead.push(member.seq);
                    self.items.remove(at);
                } else {
                    let item = &mut self.items[at];
                    item.receives += 1;
                    item.hidden_until = now + i64::from(timeout_s) * 1000;
                    item.handle = Some(self.handles.len());
                    self.handles.push(item.seq);
                    delivered.push(item.seq);
                }
            }
        }
        Seen::Delivered(delivered)
    }
}

proptest! {
    #[test]
    fn a_fifo_queue_does_as_its_model(steps in steps()) {
        let config = QueueConfig { retention_s: 60, ..with_redrive(fifo(), MAX_RECEIVES) };
        let mut tested = Tested {
            config, queue: vec![], dead: vec![], entries: vec![], handles: vec![], seq: 0,
        };
        let mut model = Model::default();
        let mut now = NOW;
        // Of each group the last message that was delivered for the first time.
        let mut first_deliveries = [0_u64; 3];
        for (number, step) in steps.iter().enumerate() {
            if let Step::Wait { ms } = step {
                now += ms;
            }
            let seen = tested.step(step, now);
            if let Seen::Delivered(delivered) = &seen {
                for message in tested.queue.iter().filter(|m| m.receive_count == 1) {
                    let group: usize = message.group.as_ref().unwrap().parse().unwrap();
                    if delivered.contains(&message.seq) {
                        prop_assert!(first_deliveries[group] < message.seq, "order");
                        first_deliveries[group] = message.seq;
                    }
                }
            }
            prop_assert_eq!(seen, model.step(step, now), "step {}", number);
            let left: Vec<u64> = model.items.iter().map(|item| item.seq).collect();
            prop_assert_eq!(seqs(&tested.queue), left, "step {}", number);
            prop_assert_eq!(&tested.dead, &model.dead);
        }
    }
}
