//! A batch that was written and not answered: what it did is read from the store, and must be
//! something that it may have done.

use std::collections::BTreeSet;

use engine::ports::MoveStatus;
use messaging::{Message, content_deduplication_id};

use super::Stored;
use super::model::{Mail, Model, QUEUES, Sent, Task};
use super::steps::{Handles, Step};

impl Model {
    pub(super) fn adopt(&mut self, stored: &Stored, steps: &[Step], handles: &Handles) {
        let found = stored.by_id();
        let mut dead = 0;
        let mut known = BTreeSet::new();
        for (queue, line) in self.lines.iter().enumerate() {
            for mail in &line.mails {
                known.insert(mail.id.clone());
                let may_go = Going::of(self, steps, handles, queue, mail);
                match found.get(mail.id.as_str()) {
                    None => assert!(may_go.away, "lost: {mail:?}"),
                    Some((at, message)) if *at == queue && message.seq == mail.seq => {
                        check_same(mail, message, steps, queue);
                    }
                    Some((at, message)) => {
                        assert!(may_go.to.contains(at), "{mail:?} went to {at}");
                        assert_eq!((&message.body, &message.group), (&mail.body, &mail.group));
                        dead += usize::from(QUEUES[queue].dead == Some(*at));
                    }
                }
            }
        }
        let new: Vec<&Message> = stored
            .messages
            .iter()
            .flatten()
            .filter(|message| !known.contains(&message.id))
            .collect();
        self.adopt_new(steps, &new);
        assert!(stored.dead_letters >= self.dead_letters + dead);
        self.dead_letters = stored.dead_letters;
        for (number, line) in self.lines.iter_mut().enumerate() {
            let Some(depth) = &stored.queues[number] else {
                assert!(!line.exists);
                continue;
            };
            line.mails = stored.messages[number].iter().map(Mail::of).collect();
            self.receipts
                .extend(line.mails.iter().filter_map(|mail| mail.receipt));
            assert!(depth.queue.next_seq >= line.next_seq);
            line.next_seq = depth.queue.next_seq;
            let mut moves = depth.queue.moves.iter();
            let running = moves.find(|task| task.status == MoveStatus::Running);
            line.task = running.map(|task| Task {
                id: task.id.clone(),
                destination: task.destination.as_ref().map(|name| {
                    let at = QUEUES.iter().position(|queue| queue.name == name);
                    at.expect("one of the queues")
                }),
                moved: task.moved,
            });
        }
    }

    /// Every message that was sent and is not a duplicate is there, and nothing else is.
    fn adopt_new(&mut self, steps: &[Step], new: &[&Message]) {
        let mut left: Vec<&Message> = new.to_vec();
        for step in steps {
            let Step::Send { queue, entries } = step else {
                continue;
            };
            let is = &QUEUES[*queue];
            if !self.lines[*queue].exists {
                continue;
            }
            for entry in entries {
                let send = entry.send(*queue);
                if entry.is_refused(*queue) {
                    continue;
                }
                let by_content = || content_deduplication_id(&send.body);
                let deduplication = send.deduplication.clone().unwrap_or_else(by_content);
                let mut sent = Sent {
                    group: send.group.clone(),
                    deduplication,
                    seq: 0,
                    id: String::new(),
                    at: self.now,
                };
                if self.first_of(*queue, &sent).is_some() {
                    continue;
                }
                let at = left.iter().position(|message| {
                    let is_it = (&message.body, &message.group) == (&send.body, &send.group);
                    is_it
                        && (is.scope.is_none()
                            || message.deduplication.as_ref() == Some(&sent.deduplication))
                });
                let message = left.remove(at.unwrap_or_else(|| panic!("lost: {send:?}")));
                sent.id.clone_from(&message.id);
                if is.scope.is_some() {
                    self.lines[*queue].sent.push(sent);
                }
            }
        }
        assert!(left.is_empty(), "out of nowhere: {left:?}");
    }
}

/// Where a message may be after a batch.
struct Going {
    away: bool,
    to: BTreeSet<usize>,
}

impl Going {
    fn of(model: &Model, steps: &[Step], handles: &Handles, queue: usize, mail: &Mail) -> Self {
        let held_by = |of: usize, back: usize| {
            let handle = handles.get(of, back);
            of == queue && handle.seq == mail.seq && Some(handle.receipt) == mail.receipt
        };
        let is_received = |of: usize| {
            let received =
                |step: &Step| matches!(step, Step::Receive { queue, .. } if *queue == of);
            steps.iter().any(received)
        };
        let is_moved = |of: usize| {
            let moved = |step: &Step| {
                matches!(step, Step::Redrive { queue, .. } | Step::MoveOn { queue, .. }
                         if *queue == of)
            };
            steps.iter().any(moved)
        };
        let is_deleted = steps.iter().any(|step| match step {
            Step::Delete {
                queue,
                handles: back,
            } => back.iter().any(|back| held_by(*queue, *back)),
            _ => false,
        });
        let is_buried = steps.iter().any(|step| match step {
            Step::DeadLetter { queue, handle } => held_by(*queue, *handle),
            _ => false,
        });
        let has_expired = model.is_expired(queue, mail) && !mail.is_held(model.now);
        let mut to = BTreeSet::new();
        // Received without any time to hold it, it may be exhausted within the batch.
        let dead = QUEUES[queue]
            .dead
            .filter(|_| is_buried || is_received(queue));
        to.extend(dead);
        if is_moved(queue) {
            to.extend(model.destination(queue));
            to.extend(mail.came_from);
        }
        if let Some(dead) = dead.filter(|dead| is_moved(*dead)) {
            to.extend(model.destination(dead));
            to.insert(queue);
        }
        Self {
            away: is_deleted
                || (has_expired && (is_received(queue) || is_moved(queue)))
                // Exhausted here, it may be found too old there within the batch.
                || dead.is_some_and(|dead| {
                    (is_moved(dead) || is_received(dead)) && model.is_expired(dead, mail)
                }),
            to,
        }
    }
}

fn check_same(mail: &Mail, message: &Message, steps: &[Step], queue: usize) {
    let is = Mail::of(message);
    let receives = steps
        .iter()
        .filter(|step| matches!(step, Step::Receive { queue: of, .. } if *of == queue))
        .count();
    let most = mail.received + u32::try_from(receives).expect("a few");
    assert!((mail.received..=most).contains(&is.received), "{is:?}");
    if is.received == mail.received {
        assert_eq!(is.receipt, mail.receipt);
    } else {
        assert_ne!(is.receipt, mail.receipt);
    }
    let same = Mail {
        visible_at: mail.visible_at,
        received: mail.received,
        receipt: mail.receipt,
        ..is
    };
    assert_eq!(same, *mail);
}
