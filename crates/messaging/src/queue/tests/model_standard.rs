//! Random histories of a standard queue with a dead-letter queue, against a model that is
//! written straight from the rules: lists that are scanned from the start.

use proptest::prelude::*;

use super::*;

const RETENTION_MS: i64 = 60_000;
const MAX_RECEIVES: u32 = 2;

#[derive(Clone, Debug)]
enum Step {
    Send {
        delay_s: u32,
    },
    Receive {
        max: usize,
        timeout_s: u32,
    },
    /// `nth` of all handles ever given, from the latest.
    Delete {
        nth: usize,
    },
    Change {
        nth: usize,
        timeout_s: u32,
    },
    Redrive,
    Wait {
        ms: i64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..3_u32).prop_map(|delay_s| Step::Send { delay_s }),
        4 => (1..=3_usize, 0..8_u32)
            .prop_map(|(max, timeout_s)| Step::Receive { max, timeout_s }),
        2 => (0..5_usize).prop_map(|nth| Step::Delete { nth }),
        2 => (0..5_usize, 0..8_u32).prop_map(|(nth, timeout_s)| Step::Change { nth, timeout_s }),
        1 => Just(Step::Redrive),
        3 => prop_oneof![0..3_000_i64, Just(1000), 0..40_000_i64]
            .prop_map(|ms| Step::Wait { ms }),
    ];
    prop::collection::vec(step, 1..80)
}

/// What a client sees of one step.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// Sequence and receive count of each.
    Delivered(Vec<(u64, u32)>),
    Done,
    NotInFlight,
    Invalid,
    Moved(usize),
}

/// The functions under test over the simplest store there is.
struct Tested {
    config: QueueConfig,
    queue: Vec<Message>,
    dead: Vec<Message>,
    handles: Vec<(u64, u64)>,
    seq: u64,
    receipt: u64,
}

impl Tested {
    fn step(&mut self, step: &Step, now_ms: i64) -> Seen {
        match step {
            Step::Send { delay_s } => {
                let send = Send {
                    delay_s: Some(*delay_s),
                    ..text("x")
                };
                self.seq += 1;
                let id = self.seq.to_string();
                self.queue
                    .push(accept(&self.config, send, self.seq, id, now_ms).unwrap());
                Seen::Done
            }
            Step::Receive { max, timeout_s } => {
                let request = Receive {
                    max: *max,
                    visibility_timeout_s: Some(*timeout_s),
                };
                let receipt = &mut self.receipt;
                let mut receipts = || {
                    *receipt += 1;
                    *receipt
                };
                let received = receive(
                    &self.config,
                    self.queue.clone(),
                    &request,
                    &mut receipts,
                    now_ms,
                );
                self.write(&received, now_ms)
            }
            Step::Delete { nth } => {
                let Some((seq, receipt)) = self.handle(*nth) else {
                    return Seen::Done;
                };
                let message = self.queue.iter().find(|message| message.seq == seq);
                match delete(&self.config, message, receipt, now_ms).unwrap() {
                    Deletion::Deleted => self.queue.retain(|message| message.seq != seq),
                    Deletion::Nothing => {}
                }
                Seen::Done
            }
            Step::Change { nth, timeout_s } => {
                let Some((seq, receipt)) = self.handle(*nth) else {
                    return Seen::Done;
                };
                let message = self.queue.iter_mut().find(|message| message.seq == seq);
                let changed = change_visibility(
                    &self.config,
                    message.as_deref(),
                    receipt,
                    *timeout_s,
                    now_ms,
                );
                match (message, changed) {
                    (Some(message), Ok(changed)) => {
                        *message = changed;
                        Seen::Done
                    }
                    (_, Err(Refusal::MessageNotInflight)) => Seen::NotInFlight,
                    (_, Err(_)) => Seen::Invalid,
                    (None, Ok(_)) => panic!("changed what is not there"),
                }
            }
            Step::Redrive => {
                let moved = std::mem::take(&mut self.dead);
                let count = moved.len();
                for message in moved {
                    self.seq += 1;
                    self.queue.push(Message {
                        seq: self.seq,
                        ..redrive(message, now_ms)
                    });
                }
                Seen::Moved(count)
            }
            Step::Wait { .. } => Seen::Done,
        }
    }

    fn handle(&self, nth: usize) -> Option<(u64, u64)> {
        self.handles.iter().rev().nth(nth).copied()
    }

    fn write(&mut self, received: &Received, now_ms: i64) -> Seen {
        for gone in received.dead.iter().chain(&received.expired) {
            self.queue.retain(|message| message.seq != gone.seq);
        }
        for dead in &received.dead {
            let moved = dead_letter(&self.config, dead.clone(), "q", None, now_ms);
            assert_eq!(moved.dead.as_ref().unwrap().receive_count, MAX_RECEIVES);
            self.dead.push(moved);
        }
        for delivered in &received.delivered {
            let stored = self
                .queue
                .iter_mut()
                .find(|message| message.seq == delivered.seq);
            *stored.unwrap() = delivered.clone();
            self.handles
                .push((delivered.seq, delivered.receipt.unwrap()));
        }
        Seen::Delivered(
            received
                .delivered
                .iter()
                .map(|message| (message.seq, message.receive_count))
                .collect(),
        )
    }
}

struct Item {
    seq: u64,
    sent: i64,
    hidden_until: i64,
    receives: u32,
    /// Which of all handles ever given is the latest of this one.
    latest_handle: Option<usize>,
}

#[derive(Default)]
struct Model {
    items: Vec<Item>,
    dead: usize,
    /// The sequence behind each handle ever given.
    handles: Vec<u64>,
    seq: u64,
}

impl Model {
    fn step(&mut self, step: &Step, now: i64) -> Seen {
        match step {
            Step::Send { delay_s } => {
                self.push(now, now + i64::from(*delay_s) * 1000);
                Seen::Done
            }
            Step::Receive { max, timeout_s } => {
                let mut delivered = Vec::new();
                let mut at = 0;
                while at < self.items.len() && delivered.len() < *max {
                    let item = &mut self.items[at];
                    if now - item.sent >= RETENTION_MS {
                        self.items.remove(at);
                        continue;
                    }
                    if now < item.hidden_until {
                        at += 1;
                        continue;
                    }
                    if item.receives == MAX_RECEIVES {
                        self.items.remove(at);
                        self.dead += 1;
                        continue;
                    }
                    item.receives += 1;
                    item.hidden_until = now + i64::from(*timeout_s) * 1000;
                    item.latest_handle = Some(self.handles.len());
                    self.handles.push(item.seq);
                    delivered.push((item.seq, item.receives));
                    at += 1;
                }
                Seen::Delivered(delivered)
            }
            Step::Delete { nth } => {
                if let Some((_, at)) = self.holder(*nth) {
                    self.items.remove(at);
                }
                Seen::Done
            }
            Step::Change { nth, timeout_s } => {
                if *nth >= self.handles.len() {
                    return Seen::Done;
                }
                let Some((_, at)) = self.holder(*nth) else {
                    return Seen::Invalid;
                };
                let item = &mut self.items[at];
                if now >= item.hidden_until {
                    return Seen::NotInFlight;
                }
                item.hidden_until = now + i64::from(*timeout_s) * 1000;
                Seen::Done
            }
            Step::Redrive => {
                let count = std::mem::take(&mut self.dead);
                for _ in 0..count {
                    self.push(now, now);
                }
                Seen::Moved(count)
            }
            Step::Wait { .. } => Seen::Done,
        }
    }

    fn push(&mut self, sent: i64, hidden_until: i64) {
        self.seq += 1;
        self.items.push(Item {
            seq: self.seq,
            sent,
            hidden_until,
            receives: 0,
            latest_handle: None,
        });
    }

    /// The message that the handle still holds.
    fn holder(&self, nth: usize) -> Option<(usize, usize)> {
        let handle = self.handles.len().checked_sub(nth + 1)?;
        let at = self
            .items
            .iter()
            .position(|item| item.latest_handle == Some(handle))?;
        Some((handle, at))
    }
}

proptest! {
    #[test]
    fn a_standard_queue_does_as_its_model(steps in steps()) {
        let config = QueueConfig { retention_s: 60, ..with_redrive(standard(), MAX_RECEIVES) };
        let mut tested = Tested {
            config, queue: vec![], dead: vec![], handles: vec![], seq: 0, receipt: 0,
        };
        let mut model = Model::default();
        let mut now = NOW;
        for (number, step) in steps.iter().enumerate() {
            if let Step::Wait { ms } = step {
                now += ms;
            }
            prop_assert_eq!(tested.step(step, now), model.step(step, now), "step {}", number);
            let left: Vec<u64> = model.items.iter().map(|item| item.seq).collect();
            prop_assert_eq!(seqs(&tested.queue), left, "step {}", number);
            prop_assert_eq!(tested.dead.len(), model.dead);
        }
    }
}
