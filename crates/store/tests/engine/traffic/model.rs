//! Six lists, and what is remembered of what was sent, received and moved.

use std::collections::{BTreeMap, BTreeSet};

use commerce::Millis;
use engine::{Refusal, Reply};
use messaging::{DeduplicationScope, Message, ReceiptHandle};

use super::steps::{Handles, Step};

pub(super) struct QueueIs {
    pub(super) name: &'static str,
    /// Of a FIFO queue.
    pub(super) scope: Option<DeduplicationScope>,
    pub(super) by_content: bool,
    pub(super) dead: Option<usize>,
    /// Where a move may take its dead letters instead.
    pub(super) elsewhere: usize,
    pub(super) delay_s: u32,
    pub(super) retention_s: u32,
}

const LONG: u32 = 1_209_600;
const STANDARD: QueueIs = QueueIs {
    name: "work",
    scope: None,
    by_content: false,
    dead: Some(1),
    elsewhere: SPARE,
    delay_s: 0,
    retention_s: LONG,
};
const FIFO: QueueIs = QueueIs {
    name: "line.fifo",
    scope: Some(DeduplicationScope::Queue),
    dead: Some(3),
    elsewhere: 4,
    ..STANDARD
};

/// The dead-letter queues are those behind the queues that they serve.
pub(super) const QUEUES: [QueueIs; 6] = [
    STANDARD,
    QueueIs {
        name: "work-dead",
        dead: None,
        retention_s: 500,
        ..STANDARD
    },
    FIFO,
    QueueIs {
        name: "line-dead.fifo",
        dead: None,
        // What is sent here directly may stand before a dead letter, and hold it up.
        delay_s: 3,
        retention_s: 300,
        ..FIFO
    },
    QueueIs {
        name: "groups.fifo",
        scope: Some(DeduplicationScope::MessageGroup),
        by_content: true,
        dead: None,
        delay_s: 2,
        // Messages do expire here.
        retention_s: 120,
        ..FIFO
    },
    QueueIs {
        name: "spare",
        dead: None,
        retention_s: 90,
        ..STANDARD
    },
];
/// The one that comes and goes.
pub(super) const SPARE: usize = 5;
pub(super) const RECEIVES_MAX: u32 = 2;
pub(super) const VISIBILITY_S: u32 = 20;
/// A FIFO queue looks at so many messages of a group.
pub(super) const HEAD: usize = 10;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mail {
    pub(super) seq: u64,
    pub(super) id: String,
    pub(super) body: String,
    pub(super) group: Option<String>,
    pub(super) sent_at: Millis,
    pub(super) visible_at: Millis,
    pub(super) received: u32,
    /// Of the latest receive.
    pub(super) receipt: Option<u64>,
    pub(super) came_from: Option<usize>,
}

impl Mail {
    pub(super) fn of(message: &Message) -> Self {
        let came_from = message.dead.as_ref().map(|dead| {
            let mut queues = QUEUES.iter();
            let at = queues.position(|queue| queue.name == dead.source_queue);
            at.expect("one of the queues")
        });
        Self {
            seq: message.seq,
            id: message.id.clone(),
            body: message.body.clone(),
            group: message.group.clone(),
            sent_at: message.sent_at_ms,
            visible_at: message.visible_at_ms,
            received: message.receive_count,
            receipt: message.receipt,
            came_from,
        }
    }

    /// As it arrives in another queue.
    pub(super) fn afresh(self, now: Millis) -> Self {
        Self {
            visible_at: now,
            received: 0,
            receipt: None,
            ..self
        }
    }

    pub(super) fn is_held(&self, now: Millis) -> bool {
        self.receipt.is_some() && self.visible_at > now
    }
}

#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) group: Option<String>,
    pub(super) deduplication: String,
    /// 0 where nobody was told.
    pub(super) seq: u64,
    pub(super) id: String,
    pub(super) at: Millis,
}

#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) at: Millis,
    /// Sequence, receipt, and until when.
    pub(super) handed_out: Vec<(u64, u64, Millis)>,
}

#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) id: String,
    pub(super) destination: Option<usize>,
    pub(super) moved: u64,
}

#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) exists: bool,
    pub(super) mails: Vec<Mail>,
    pub(super) next_seq: u64,
    /// Everything that was ever sent, for deduplication.
    pub(super) sent: Vec<Sent>,
    pub(super) attempts: BTreeMap<String, Attempt>,
    pub(super) purged_at: Option<Millis>,
    pub(super) task: Option<Task>,
    /// Ids of what may be gone: expired, exhausted or moved, and only the store knows.
    pub(super) unsure: BTreeSet<String>,
    /// Of those, what must be gone: it was passed by.
    pub(super) gone: BTreeSet<String>,
    /// Purged in this batch: what is unsure has left before, or is gone.
    pub(super) is_purged: bool,
}

impl Line {
    fn new() -> Self {
        Self {
            exists: true,
            next_seq: 1,
            ..Self::default()
        }
    }

    pub(super) fn find(&mut self, seq: u64) -> Option<&mut Mail> {
        self.mails.iter_mut().find(|mail| mail.seq == seq)
    }

    pub(super) fn take(&mut self, id: &str) -> Mail {
        let at = self.mails.iter().position(|mail| mail.id == id);
        self.mails.remove(at.expect("it is there"))
    }

    pub(super) fn is_unsure(&self, id: &str) -> bool {
        self.unsure.contains(id)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct TakenOut {
    pub(super) queue: usize,
    pub(super) count: u64,
    pub(super) destination: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Refused(pub(super) &'static str);

pub(super) type Answered<'a> = Result<&'a Reply, Refused>;

pub(super) struct Model {
    pub(super) now: Millis,
    pub(super) lines: [Line; QUEUES.len()],
    pub(super) dead_letters: usize,
    /// Every receipt that was given out: none comes twice.
    pub(super) receipts: BTreeSet<u64>,
    /// Queues that this batch has done something to: what comes now is not predicted.
    pub(super) touched: BTreeSet<usize>,
    /// The last of the batch took so many messages out of this queue; which ones only the store
    /// knows.
    pub(super) taken_out: Option<TakenOut>,
}

impl Model {
    pub(super) fn new(now: Millis) -> Self {
        Self {
            now,
            lines: std::array::from_fn(|_| Line::new()),
            dead_letters: 0,
            receipts: BTreeSet::new(),
            touched: BTreeSet::new(),
            taken_out: None,
        }
    }

    /// A batch begins.
    pub(super) fn begin(&mut self, now: Millis) {
        self.now = now;
        self.touched.clear();
    }

    pub(super) fn is_expired(&self, queue: usize, mail: &Mail) -> bool {
        self.now - mail.sent_at >= Millis::from(QUEUES[queue].retention_s) * 1_000
    }

    pub(super) fn is_exhausted(queue: usize, mail: &Mail) -> bool {
        QUEUES[queue].dead.is_some() && mail.received >= RECEIVES_MAX
    }

    pub(super) fn answered(&mut self, step: &Step, reply: Answered<'_>, handles: &mut Handles) {
        if let Some(queue) = step.queue()
            && !self.lines[queue].exists
        {
            assert_eq!(reply.err(), Some(Refused("queue_not_found")), "{step:?}");
            return;
        }
        match step {
            Step::Send { queue, entries } => self.sent(*queue, entries, reply),
            Step::Receive {
                queue,
                max,
                visibility_s,
                attempt,
            } => {
                let visibility_s = visibility_s.unwrap_or(VISIBILITY_S);
                let attempt = attempt.map(|attempt| format!("attempt-{attempt}"));
                self.received(*queue, *max, visibility_s, attempt, reply);
                if let Ok(reply) = reply {
                    handles.learn(*queue, reply);
                }
            }
            Step::Delete {
                queue,
                handles: back,
            } => {
                let found = back.iter().map(|back| handles.get(*queue, *back));
                for (handle, reply) in found.zip(each(reply, back.len())) {
                    self.deleted(*queue, handle, reply);
                }
            }
            Step::Change {
                queue,
                handles: back,
            } => {
                let found = back.iter().map(|(back, timeout_s)| {
                    let handle = handles.get(*queue, *back);
                    (handle, *timeout_s)
                });
                for ((handle, timeout_s), reply) in found.zip(each(reply, back.len())) {
                    self.changed(*queue, handle, timeout_s, reply);
                }
            }
            Step::DeadLetter { queue, handle } => {
                self.dead_lettered(*queue, handles.get(*queue, *handle), reply);
            }
            Step::Redrive { queue, max } => self.redriven(*queue, *max, reply),
            Step::StartMove { queue, elsewhere } => self.move_started(*queue, *elsewhere, reply),
            Step::CancelMove { queue } => self.move_cancelled(*queue, reply),
            Step::MoveOn { queue, max } => self.moved(*queue, *max, reply),
            Step::Purge { queue } => self.purged(*queue, reply),
            Step::DeleteSpare => {
                assert!(matches!(reply, Ok(Reply::Done)), "{reply:?}");
                self.lines[SPARE] = Line::default();
            }
            Step::CreateSpare => {
                assert!(matches!(reply, Ok(Reply::Queue(_))), "{reply:?}");
                if !self.lines[SPARE].exists {
                    self.lines[SPARE] = Line::new();
                }
            }
            Step::Sweep { .. } => self.swept(reply),
        }
        self.touched.extend(step.queue());
    }

    fn deleted(&mut self, queue: usize, handle: ReceiptHandle, reply: Answered<'_>) {
        let now = self.now;
        let is_fifo = QUEUES[queue].scope.is_some();
        let line = &mut self.lines[queue];
        let count = match reply {
            Ok(Reply::Count(count)) => Ok(*count),
            Ok(other) => panic!("{other:?}"),
            Err(refused) => Err(refused),
        };
        let Some(mail) = line.find(handle.seq).cloned() else {
            assert_eq!(count, Ok(0), "{handle:?}");
            return;
        };
        let is_latest = mail.receipt == Some(handle.receipt);
        let expected = match (is_fifo, is_latest) {
            (true, true) if mail.is_held(now) => Ok(1),
            (true, _) => Err(Refused("queue_refusal")),
            (false, true) => Ok(1),
            (false, false) => Ok(0),
        };
        if mail.receipt.is_none() && mail.sent_at == now && count == Ok(0) {
            // Whoever has no handle of it cannot tell that it was sent just before.
            return;
        }
        if count == Ok(0) && expected != count {
            assert!(line.is_unsure(&mail.id), "{mail:?}: {count:?}");
            line.gone.insert(mail.id);
            return;
        }
        assert_eq!(count, expected, "{mail:?}");
        if count == Ok(1) {
            line.take(&mail.id);
            line.unsure.remove(&mail.id);
        }
    }

    fn changed(
        &mut self,
        queue: usize,
        handle: ReceiptHandle,
        timeout_s: u32,
        reply: Answered<'_>,
    ) {
        let now = self.now;
        match self.lines[queue].find(handle.seq) {
            Some(mail) if mail.receipt == Some(handle.receipt) && mail.is_held(now) => {
                assert!(matches!(reply, Ok(Reply::Done)), "{mail:?}: {reply:?}");
                mail.visible_at = now + Millis::from(timeout_s) * 1_000;
            }
            other => {
                assert_eq!(reply.err(), Some(Refused("queue_refusal")), "{other:?}");
            }
        }
    }

    fn dead_lettered(&mut self, queue: usize, handle: ReceiptHandle, reply: Answered<'_>) {
        let line = &mut self.lines[queue];
        let refused = Some(Refused("queue_refusal"));
        let mail = line.find(handle.seq).cloned();
        let Some(mail) = mail.filter(|mail| mail.receipt == Some(handle.receipt)) else {
            assert_eq!(reply.err(), refused, "{handle:?}");
            return;
        };
        if line.is_unsure(&mail.id) && reply.err() == refused {
            line.gone.insert(mail.id);
            return;
        }
        if QUEUES[queue].dead.is_none() {
            assert_eq!(reply.err(), Some(Refused("no_dead_letter_queue")));
            return;
        }
        assert!(matches!(reply, Ok(Reply::Done)), "{mail:?}: {reply:?}");
        line.unsure.remove(&mail.id);
        self.bury(queue, &mail.id);
    }

    /// To the dead-letter queue. Its sequence there is known when the store is read.
    pub(super) fn bury(&mut self, queue: usize, id: &str) {
        let dead = QUEUES[queue]
            .dead
            .expect("only asked of those that have one");
        let now = self.now;
        let mail = self.lines[queue].take(id);
        let sent_at = if QUEUES[queue].scope.is_some() {
            now
        } else {
            mail.sent_at
        };
        self.lines[dead].mails.push(Mail {
            seq: 0,
            sent_at,
            came_from: Some(queue),
            ..mail.afresh(now)
        });
        self.dead_letters += 1;
        self.touched.insert(dead);
    }
}

/// The answers to each entry of a batch request; or the one there is.
pub(super) fn each(reply: Answered<'_>, entries: usize) -> Vec<Answered<'_>> {
    match reply {
        Ok(Reply::Batch(answers)) => {
            assert_eq!(answers.len(), entries, "one answer for each");
            let code = |refusal: &Refusal| Refused(refusal.code());
            answers
                .iter()
                .map(|answer| answer.as_ref().map_err(code))
                .collect()
        }
        one => {
            assert_eq!(entries, 1, "{one:?}");
            vec![one]
        }
    }
}
