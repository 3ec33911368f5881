//! What is sent, and what is a repetition.

use commerce::Millis;
use engine::Reply;
use messaging::{DeduplicationScope, content_deduplication_id};

use super::model::{Answered, Mail, Model, QUEUES, Refused, Sent, each};
use super::steps::Entry;

impl Model {
    /// Each entry for itself, in order.
    pub(super) fn sent(&mut self, queue: usize, entries: &[Entry], reply: Answered<'_>) {
        for (entry, reply) in entries.iter().zip(each(reply, entries.len())) {
            let send = entry.send(queue);
            let is = &QUEUES[queue];
            let is_fifo = is.scope.is_some();
            if entry.is_refused(queue) {
                assert_eq!(reply.err(), Some(Refused("queue_refusal")), "{send:?}");
                continue;
            }
            let Ok(Reply::Sent { message, .. }) = reply else {
                panic!("{reply:?}");
            };
            let by_content = || content_deduplication_id(&send.body);
            let sent = Sent {
                group: send.group.clone(),
                deduplication: send.deduplication.clone().unwrap_or_else(by_content),
                seq: message.seq,
                id: message.id.clone(),
                at: self.now,
            };
            if let Some(first) = self.first_of(queue, &sent) {
                assert_eq!(message.id, first.id, "{send:?}");
                assert!(first.seq == 0 || first.seq == message.seq, "{send:?}");
                continue;
            }
            let now = self.now;
            let arrivals = self.may_arrive(queue);
            let line = &mut self.lines[queue];
            // What died in this batch, and nobody was told of, may have come before it.
            assert!(message.seq == line.next_seq || (arrivals && message.seq > line.next_seq));
            line.next_seq = message.seq + 1;
            let delay_s = entry.delay_s.filter(|_| !is_fifo).unwrap_or(is.delay_s);
            line.mails.push(Mail {
                seq: message.seq,
                id: message.id.clone(),
                body: send.body,
                group: send.group,
                sent_at: now,
                visible_at: now + Millis::from(delay_s) * 1_000,
                received: 0,
                receipt: None,
                came_from: None,
            });
            if is_fifo {
                line.sent.push(sent);
            }
        }
    }

    /// The one that it repeats, if it does.
    pub(super) fn first_of(&self, queue: usize, sent: &Sent) -> Option<&Sent> {
        let scope = QUEUES[queue].scope?;
        self.lines[queue].sent.iter().find(|first| {
            let in_scope = scope == DeduplicationScope::Queue || first.group == sent.group;
            in_scope && first.deduplication == sent.deduplication && self.now - first.at < 300_000
        })
    }

    /// Whether something has arrived in this batch, or may have, under a sequence nobody knows.
    fn may_arrive(&self, queue: usize) -> bool {
        let mut lines = QUEUES.iter().zip(&self.lines);
        self.lines[queue].mails.iter().any(|mail| mail.seq == 0)
            || lines.any(|(is, line)| is.dead == Some(queue) && !line.unsure.is_empty())
    }
}
