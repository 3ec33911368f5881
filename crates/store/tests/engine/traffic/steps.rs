//! What may be asked of the queues, at random.

use engine::Reply;
use engine::{Command, Room};
use messaging::{ReceiptHandle, Send};
use proptest::prelude::*;

use super::model::{Model, QUEUES, SPARE};
use crate::rig::Fail;

#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Seconds.
    Wait(u16),
    Restart,
    /// Decided together.
    Batch(Vec<Step>),
    Crash(Fail, Vec<Step>),
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// One as it is, several as a batch request.
    Send {
        queue: usize,
        entries: Vec<Entry>,
    },
    Receive {
        queue: usize,
        max: usize,
        visibility_s: Option<u32>,
        attempt: Option<u8>,
    },
    /// Counted back from the newest handle of the queue.
    Delete {
        queue: usize,
        handles: Vec<usize>,
    },
    Change {
        queue: usize,
        handles: Vec<(usize, u32)>,
    },
    DeadLetter {
        queue: usize,
        handle: usize,
    },
    Redrive {
        queue: usize,
        max: usize,
    },
    StartMove {
        queue: usize,
        elsewhere: bool,
    },
    CancelMove {
        queue: usize,
    },
    MoveOn {
        queue: usize,
        max: usize,
    },
    Purge {
        queue: usize,
    },
    DeleteSpare,
    CreateSpare,
    Sweep {
        rows: usize,
    },
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) text: u8,
    pub(super) group: u8,
    pub(super) deduplication: Option<u8>,
    pub(super) delay_s: Option<u32>,
    /// Without a body: refused, and the others are not.
    pub(super) broken: bool,
}

impl Entry {
    /// Whatever else is there, the queue does not take it.
    pub(super) fn is_refused(&self, queue: usize) -> bool {
        let is = &QUEUES[queue];
        let is_fifo = is.scope.is_some();
        self.broken
            || (is_fifo && self.delay_s.is_some_and(|delay_s| delay_s > 0))
            || (is_fifo && self.deduplication.is_none() && !is.by_content)
    }

    pub(super) fn send(&self, queue: usize) -> Send {
        let is_fifo = QUEUES[queue].scope.is_some();
        let text = if self.broken {
            String::new()
        } else {
            format!("text {}", self.text)
        };
        Send {
            body: text,
            group: is_fifo.then(|| format!("g{}", self.group)),
            deduplication: self
                .deduplication
                .filter(|_| is_fifo)
                .map(|id| format!("once-{id}")),
            delay_s: self.delay_s,
            ..Send::default()
        }
    }
}

/// Every handle that was ever given out, by queue.
#[derive(Default)]
pub(super) struct Handles {
    all: [Vec<ReceiptHandle>; QUEUES.len()],
    /// How many there were when the batch began: nobody can use one before it is answered.
    known: [usize; QUEUES.len()],
}

impl Handles {
    pub(super) fn of(&self, queue: usize) -> &[ReceiptHandle] {
        &self.all[queue]
    }

    pub(super) fn begin(&mut self) {
        self.known = std::array::from_fn(|queue| self.all[queue].len());
    }

    /// Counted back from the newest. Where there are not so many, one of another queue.
    pub(super) fn get(&self, queue: usize, back: usize) -> ReceiptHandle {
        let of = |queue: usize| {
            let known = &self.all[queue][..self.known[queue]];
            known.iter().rev().nth(back).copied()
        };
        of(queue)
            .or_else(|| (0..QUEUES.len()).find_map(of))
            .unwrap_or(ReceiptHandle {
                queue_id: 1,
                seq: u64::MAX,
                receipt: 7,
            })
    }

    pub(super) fn learn(&mut self, queue: usize, reply: &Reply) {
        if let Reply::Messages { queue_id, messages } = reply {
            // The first message's handle is the newest.
            for message in messages.iter().rev() {
                self.all[queue].push(ReceiptHandle {
                    queue_id: *queue_id,
                    seq: message.seq,
                    receipt: message.receipt.expect("what is received has a receipt"),
                });
            }
        }
    }
}

impl Step {
    pub(super) fn command(&self, model: &Model, handles: &Handles) -> Command {
        let name = |queue: usize| QUEUES[queue].name.to_owned();
        match self {
            Self::Send { queue, entries } => match entries.as_slice() {
                [one] => Command::SendMessage {
                    queue: name(*queue),
                    send: Box::new(one.send(*queue)),
                },
                several => Command::SendMessages {
                    queue: name(*queue),
                    sends: several.iter().map(|entry| entry.send(*queue)).collect(),
                },
            },
            Self::Receive {
                queue,
                max,
                visibility_s,
                attempt,
            } => Command::ReceiveMessages {
                queue: name(*queue),
                max: *max,
                visibility_timeout_s: *visibility_s,
                attempt: attempt.map(|attempt| format!("attempt-{attempt}")),
                waits: *max % 2 == 0,
                room: Room::All,
            },
            Self::Delete {
                queue,
                handles: back,
            } => match back.as_slice() {
                [one] => Command::DeleteMessage {
                    queue: name(*queue),
                    handle: handles.get(*queue, *one),
                },
                several => Command::DeleteMessages {
                    queue: name(*queue),
                    handles: several
                        .iter()
                        .map(|back| handles.get(*queue, *back))
                        .collect(),
                },
            },
            Self::Change {
                queue,
                handles: back,
            } => match back.as_slice() {
                [(one, timeout_s)] => Command::ChangeVisibility {
                    queue: name(*queue),
                    handle: handles.get(*queue, *one),
                    timeout_s: *timeout_s,
                },
                several => Command::ChangeVisibilities {
                    queue: name(*queue),
                    changes: several
                        .iter()
                        .map(|(back, timeout_s)| (handles.get(*queue, *back), *timeout_s))
                        .collect(),
                },
            },
            Self::DeadLetter { queue, handle } => Command::DeadLetter {
                queue: name(*queue),
                handle: handles.get(*queue, *handle),
                reason: "not wanted".to_owned(),
            },
            Self::Redrive { queue, max } => Command::Redrive {
                queue: name(*queue),
                message: None,
                max: *max,
            },
            Self::StartMove { queue, elsewhere } => Command::StartMove {
                queue: name(*queue),
                destination: elsewhere.then(|| name(QUEUES[*queue].elsewhere)),
                rate: None,
            },
            Self::CancelMove { queue } => Command::CancelMove {
                queue: name(*queue),
                task: model.running_task(*queue).unwrap_or_default(),
            },
            Self::MoveOn { queue, max } => Command::MoveStep {
                queue: name(*queue),
                destination: model.destination(*queue).map(name),
                max: *max,
            },
            Self::Purge { queue } => Command::PurgeQueue {
                queue: name(*queue),
            },
            Self::DeleteSpare => Command::DeleteQueue { queue: name(SPARE) },
            Self::CreateSpare => super::create(SPARE),
            Self::Sweep { rows } => Command::Sweep { rows: *rows },
        }
    }

    /// As it may stand in a batch whose answers are lost.
    pub(super) fn for_a_crash(&self) -> Option<Self> {
        match self {
            Self::Receive {
                queue,
                max,
                visibility_s,
                ..
            } => Some(Self::Receive {
                queue: *queue,
                max: *max,
                visibility_s: *visibility_s,
                // What was remembered for it cannot be read.
                attempt: None,
            }),
            Self::Send { .. }
            | Self::Delete { .. }
            | Self::Change { .. }
            | Self::DeadLetter { .. }
            | Self::Redrive { .. }
            | Self::MoveOn { .. } => Some(self.clone()),
            Self::StartMove { .. }
            | Self::CancelMove { .. }
            | Self::Purge { .. }
            | Self::DeleteSpare
            | Self::CreateSpare
            | Self::Sweep { .. } => None,
        }
    }
}

fn queue() -> impl Strategy<Value = usize> {
    prop_oneof![3 => Just(0usize), 1 => Just(1), 4 => Just(2), 1 => Just(3), 3 => Just(4), 1 => Just(SPARE)]
}

fn entry() -> impl Strategy<Value = Entry> {
    let deduplication = prop_oneof![
        1 => Just(None),
        3 => (0u8..4).prop_map(Some),
        4 => any::<u8>().prop_map(Some),
    ];
    (
        any::<u8>(),
        0u8..3,
        deduplication,
        prop::option::weighted(0.2, 0u32..15),
        prop::bool::weighted(0.05),
    )
        .prop_map(|(text, group, deduplication, delay_s, broken)| Entry {
            // Few enough for the same text to come twice.
            text: text % 24,
            group,
            deduplication,
            delay_s,
            broken,
        })
}

/// What may stand anywhere in a batch.
fn step() -> impl Strategy<Value = Step> {
    let back = || 0usize..6;
    let visibility = prop::option::weighted(0.5, prop_oneof![Just(0u32), 1u32..30]);
    prop_oneof![
        8 => (queue(), prop_oneof![
                3 => prop::collection::vec(entry(), 1),
                1 => prop::collection::vec(entry(), 2..5),
            ])
            .prop_map(|(queue, entries)| Step::Send { queue, entries }),
        8 => (queue(), 1usize..=10, visibility, prop::option::weighted(0.3, 0u8..2))
            .prop_map(|(queue, max, visibility_s, attempt)| Step::Receive {
                queue, max, visibility_s, attempt,
            }),
        4 => (queue(), prop::collection::vec(back(), 1..4))
            .prop_map(|(queue, handles)| Step::Delete { queue, handles }),
        2 => (queue(), prop::collection::vec((back(), 0u32..25), 1..4))
            .prop_map(|(queue, handles)| Step::Change { queue, handles }),
        2 => (queue(), back()).prop_map(|(queue, handle)| Step::DeadLetter { queue, handle }),
    ]
}

/// What may only be the last of a batch: it changes what nobody is told of, or ends the batch.
fn last() -> impl Strategy<Value = Step> {
    let dead = || prop_oneof![4 => Just(1usize), 4 => Just(3), 1 => Just(0)];
    prop_oneof![
        3 => (dead(), 0usize..6).prop_map(|(queue, max)| Step::Redrive { queue, max }),
        4 => (dead(), prop::bool::weighted(0.3))
            .prop_map(|(queue, elsewhere)| Step::StartMove { queue, elsewhere }),
        1 => dead().prop_map(|queue| Step::CancelMove { queue }),
        6 => (dead(), 1usize..6).prop_map(|(queue, max)| Step::MoveOn { queue, max }),
        2 => queue().prop_map(|queue| Step::Purge { queue }),
        1 => Just(Step::DeleteSpare),
        1 => Just(Step::CreateSpare),
        2 => (1usize..20).prop_map(|rows| Step::Sweep { rows }),
    ]
}

fn batch() -> impl Strategy<Value = Vec<Step>> {
    let alone = step().prop_map(|step| vec![step]);
    let last_alone = last().prop_map(|step| vec![step]);
    let several = prop::collection::vec(step(), 2..6);
    let with_last = (prop::collection::vec(step(), 1..4), last()).prop_map(|(mut steps, last)| {
        steps.push(last);
        steps
    });
    prop_oneof![6 => alone, 3 => last_alone, 5 => several, 2 => with_last]
}

pub(super) fn acts() -> impl Strategy<Value = Vec<Act>> {
    let fail = prop_oneof![
        Just(Fail::CommitLost),
        Just(Fail::CommitKept),
        Just(Fail::SyncFailed)
    ];
    let wait = prop_oneof![6 => 0u16..25, 1 => 25u16..130, 1 => Just(300u16)];
    let act = prop_oneof![
        20 => batch().prop_map(Act::Batch),
        5 => wait.prop_map(Act::Wait),
        1 => (fail, batch()).prop_map(|(fail, steps)| Act::Crash(fail, steps)),
        1 => Just(Act::Restart),
    ];
    prop::collection::vec(act, 1..60)
}
