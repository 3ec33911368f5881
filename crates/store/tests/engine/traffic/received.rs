//! What a receive may hand out, and what it must.

use std::collections::BTreeSet;

use commerce::Millis;
use engine::Reply;
use messaging::Message;

use super::model::{Answered, Attempt, HEAD, Mail, Model, QUEUES, Refused};

impl Model {
    pub(super) fn received(
        &mut self,
        queue: usize,
        max: usize,
        visibility_s: u32,
        attempt: Option<String>,
        reply: Answered<'_>,
    ) {
        let is_fifo = QUEUES[queue].scope.is_some();
        if attempt.is_some() && !is_fifo {
            assert_eq!(reply.err(), Some(Refused("queue_refusal")));
            return;
        }
        let Ok(Reply::Messages { messages, .. }) = reply else {
            panic!("{reply:?}");
        };
        if let Some(id) = &attempt
            && self.repeat(queue, id, visibility_s, messages)
        {
            return;
        }
        assert!(messages.len() <= max);
        self.check_choice(queue, max, messages);
        self.mark_unsure(queue);
        for message in messages {
            self.hand_out(queue, visibility_s, message);
        }
        if is_fifo {
            self.check_groups(queue, messages);
        }
        if let Some(id) = attempt {
            let handed_out = messages.iter().map(handed_out).collect();
            let attempt = Attempt {
                at: self.now,
                handed_out,
            };
            self.lines[queue].attempts.insert(id, attempt);
        }
    }

    /// The same answer as before, when the attempt is known and nothing has changed since.
    fn repeat(&mut self, queue: usize, id: &str, visibility_s: u32, messages: &[Message]) -> bool {
        let now = self.now;
        let line = &mut self.lines[queue];
        let Some(attempt) = line.attempts.get(id).cloned() else {
            return false;
        };
        let unchanged = |(seq, receipt, until): &(u64, u64, Millis)| {
            let mut mails = line.mails.iter();
            mails.any(|mail| {
                mail.seq == *seq
                    && mail.receipt == Some(*receipt)
                    && mail.visible_at == *until
                    && mail.is_held(now)
            })
        };
        let is_over = attempt.handed_out.is_empty() || now - attempt.at >= 300_000;
        if is_over || !attempt.handed_out.iter().all(unchanged) {
            return false;
        }
        let until = now + Millis::from(visibility_s) * 1_000;
        assert_eq!(messages.len(), attempt.handed_out.len(), "attempt {id}");
        for (message, (seq, receipt, _)) in messages.iter().zip(&attempt.handed_out) {
            assert_eq!((message.seq, message.receipt), (*seq, Some(*receipt)));
            let mail = line.find(*seq).expect("it is unchanged");
            mail.visible_at = until;
            assert_eq!(Mail::of(message), *mail, "not another receive");
        }
        let attempt = Attempt {
            handed_out: messages.iter().map(handed_out).collect(),
            ..attempt
        };
        line.attempts.insert(id.to_owned(), attempt);
        true
    }

    /// Where nothing else has happened in this batch, and nothing is in the way that has expired
    /// or is exhausted, there is only one right answer.
    fn check_choice(&self, queue: usize, max: usize, messages: &[Message]) {
        let now = self.now;
        let line = &self.lines[queue];
        let in_the_way = |mail: &Mail| {
            mail.visible_at <= now
                && (self.is_expired(queue, mail) || Self::is_exhausted(queue, mail))
        };
        if self.touched.contains(&queue) || line.mails.iter().any(in_the_way) {
            return;
        }
        let expected: Vec<u64> = match QUEUES[queue].scope {
            None => {
                let mut visible: Vec<&Mail> = line
                    .mails
                    .iter()
                    .filter(|mail| mail.visible_at <= now)
                    .collect();
                visible.sort_by_key(|mail| (mail.visible_at, mail.seq));
                visible.iter().map(|mail| mail.seq).take(max).collect()
            }
            Some(_) => self
                .free_groups(queue)
                .into_iter()
                .flat_map(|head| head.into_iter().take_while(|mail| mail.visible_at <= now))
                .map(|mail| mail.seq)
                .take(max)
                .collect(),
        };
        let seqs: Vec<u64> = messages.iter().map(|message| message.seq).collect();
        assert_eq!(seqs, expected, "{:?}", line.mails);
    }

    /// The heads of the groups of which something can be received, in their order.
    pub(super) fn free_groups(&self, queue: usize) -> Vec<Vec<&Mail>> {
        let mails = &self.lines[queue].mails;
        let groups: BTreeSet<&Option<String>> = mails.iter().map(|mail| &mail.group).collect();
        let mut heads: Vec<(Millis, Vec<&Mail>)> = groups
            .into_iter()
            .map(|group| {
                let of_group = mails.iter().filter(|mail| mail.group == *group);
                let head: Vec<&Mail> = of_group.take(HEAD).collect();
                let was_held = head.iter().filter(|mail| mail.receipt.is_some());
                let free_at = was_held
                    .map(|mail| mail.visible_at)
                    .fold(head[0].visible_at, Millis::max);
                (free_at, head)
            })
            .filter(|(free_at, _)| *free_at <= self.now)
            .collect();
        // By name among those of the same time: the sort is stable.
        heads.sort_by_key(|(free_at, _)| *free_at);
        heads.into_iter().map(|(_, head)| head).collect()
    }

    /// A receive may have found that these have expired or are exhausted.
    fn mark_unsure(&mut self, queue: usize) {
        let now = self.now;
        let found: Vec<String> = self.lines[queue]
            .mails
            .iter()
            .filter(|mail| mail.visible_at <= now)
            .filter(|mail| self.is_expired(queue, mail) || Self::is_exhausted(queue, mail))
            .map(|mail| mail.id.clone())
            .collect();
        if !found.is_empty() {
            self.touched.extend(QUEUES[queue].dead);
        }
        self.lines[queue].unsure.extend(found);
    }

    fn hand_out(&mut self, queue: usize, visibility_s: u32, message: &Message) {
        let now = self.now;
        let is_here = self.lines[queue].mails.iter().any(|m| m.id == message.id);
        if !is_here {
            // It has just died somewhere, which nobody was told of.
            let source = (0..QUEUES.len()).find(|source| {
                QUEUES[*source].dead == Some(queue) && self.lines[*source].is_unsure(&message.id)
            });
            let source = source.unwrap_or_else(|| panic!("out of nowhere: {message:?}"));
            self.lines[source].unsure.remove(&message.id);
            self.bury(source, &message.id);
        }
        let line = &mut self.lines[queue];
        let mail = line.mails.iter_mut().find(|mail| mail.id == message.id);
        let mail = mail.expect("it was found above");
        let before = mail.clone();
        assert!(before.visible_at <= now, "held or delayed: {before:?}");
        let receipt = message.receipt.expect("what is received has a receipt");
        assert!(self.receipts.insert(receipt), "the same receipt again");
        *mail = Mail {
            seq: message.seq,
            visible_at: now + Millis::from(visibility_s) * 1_000,
            received: before.received + 1,
            receipt: Some(receipt),
            ..before.clone()
        };
        assert!(before.seq == 0 || before.seq == message.seq);
        // What came in this batch has shown its sequence: what comes after it has a later one.
        line.next_seq = line.next_seq.max(message.seq + 1);
        assert_eq!(Mail::of(message), *mail);
        assert_eq!(message.received_at_ms, Some(now));
        assert!(
            message
                .first_received_at_ms
                .is_some_and(|first| first <= now)
        );
        line.unsure.remove(&message.id);
        assert!(!self.is_expired(queue, &before), "expired: {before:?}");
        assert!(!Self::is_exhausted(queue, &before), "exhausted: {before:?}");
    }

    /// In the order of each group, with nothing left out, and nothing of a group in flight.
    fn check_groups(&mut self, queue: usize, messages: &[Message]) {
        let now = self.now;
        let line = &mut self.lines[queue];
        let given: BTreeSet<&str> = messages.iter().map(|m| m.id.as_str()).collect();
        for (at, message) in messages.iter().enumerate() {
            let before = messages[..at].iter();
            let same_group = before.filter(|other| other.group == message.group);
            assert!(
                same_group.clone().all(|other| other.seq < message.seq),
                "out of order"
            );
            let ahead = line
                .mails
                .iter()
                .filter(|mail| mail.group == message.group && !given.contains(mail.id.as_str()));
            for mail in ahead {
                assert!(
                    !mail.is_held(now),
                    "{message:?} though {mail:?} is in flight"
                );
                if mail.seq != 0 && mail.seq < message.seq {
                    assert!(
                        line.unsure.contains(&mail.id),
                        "{message:?} before {mail:?}"
                    );
                    line.gone.insert(mail.id.clone());
                }
            }
        }
    }
}

fn handed_out(message: &Message) -> (u64, u64, Millis) {
    let receipt = message.receipt.expect("what is received has a receipt");
    (message.seq, receipt, message.visible_at_ms)
}
