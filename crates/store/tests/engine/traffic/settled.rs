//! What only the store knows: which messages were expired, exhausted or moved, and which sequence
//! they have where they arrived.

use messaging::Message;

use super::Stored;
use super::model::{Mail, Model, QUEUES, TakenOut};

impl Model {
    pub(super) fn settle(&mut self, stored: &Stored) {
        let found = stored.by_id();
        for queue in 0..QUEUES.len() {
            for id in std::mem::take(&mut self.lines[queue].unsure) {
                self.settle_one(queue, &id, found.get(id.as_str()));
            }
            self.lines[queue].gone.clear();
            self.lines[queue].is_purged = false;
        }
        if let Some(taken_out) = self.taken_out {
            let TakenOut {
                queue,
                count,
                destination,
            } = taken_out;
            let mails = self.lines[queue].mails.clone();
            let away = mails.iter().filter(|mail| {
                let at = found.get(mail.id.as_str());
                at.is_some_and(|(at, _)| *at != queue)
            });
            let mut moved = 0;
            for mail in mails
                .iter()
                .filter(|mail| !found.contains_key(mail.id.as_str()))
            {
                assert!(self.is_expired(queue, mail), "lost: {mail:?}");
                self.lines[queue].take(&mail.id);
            }
            for mail in away {
                assert!(self.send_on(queue, mail, destination), "{mail:?}");
                moved += 1;
            }
            assert_eq!(moved, count);
            self.taken_out = None;
        }
        for (line, depth) in self.lines.iter_mut().zip(&stored.queues) {
            for mail in line.mails.iter_mut().filter(|mail| mail.seq == 0) {
                mail.seq = found[mail.id.as_str()].1.seq;
            }
            line.mails.sort_by_key(|mail| mail.seq);
            if let Some(depth) = depth {
                // What came and went again has used some.
                assert!(depth.queue.next_seq >= line.next_seq);
                line.next_seq = depth.queue.next_seq;
            }
        }
    }

    fn settle_one(&mut self, queue: usize, id: &str, found: Option<&(usize, &Message)>) {
        let line = &self.lines[queue];
        let is_gone = line.is_purged || line.gone.contains(id);
        let Some(mail) = line.mails.iter().find(|mail| mail.id == id).cloned() else {
            return;
        };
        match found {
            Some((at, message)) if *at == queue && message.seq == mail.seq => {
                assert!(!is_gone, "passed by: {mail:?}");
            }
            Some(_) => {
                let dead = QUEUES[queue].dead;
                let is_there = found.is_some_and(|(at, _)| dead == Some(*at));
                // Or it died, and was moved on from there.
                let was_moved = self
                    .taken_out
                    .is_some_and(|taken| dead == Some(taken.queue));
                assert!(is_there || was_moved, "{mail:?}: {found:?}");
                assert!(Self::is_exhausted(queue, &mail), "{mail:?}");
                assert!(!self.is_expired(queue, &mail), "{mail:?}");
                self.bury(queue, id);
            }
            None if self.is_dead_and_gone(queue, &mail) => {
                self.bury(queue, id);
                let dead = QUEUES[queue].dead.expect("it died");
                self.lines[dead].take(id);
            }
            None => {
                let is_allowed = self.lines[queue].is_purged || self.is_expired(queue, &mail);
                assert!(is_allowed, "lost: {mail:?}");
                self.lines[queue].take(id);
            }
        }
    }

    /// It died in a batch that purged the dead-letter queue after that; or it was so old that it
    /// had expired there.
    fn is_dead_and_gone(&self, queue: usize, mail: &Mail) -> bool {
        let dead = QUEUES[queue].dead;
        let is_gone = dead.is_some_and(|dead| {
            let keeps_its_age = QUEUES[dead].scope.is_none();
            self.lines[dead].is_purged || (keeps_its_age && self.is_expired(dead, mail))
        });
        is_gone && Self::is_exhausted(queue, mail) && !self.is_expired(queue, mail)
    }
}
