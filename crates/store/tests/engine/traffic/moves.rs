//! Dead letters go back or elsewhere; queues are purged and swept.

use engine::Reply;
use engine::ports::{MoveStatus, MoveTask};

use super::model::{Answered, Line, Mail, Model, QUEUES, Refused, SPARE, TakenOut, Task};
use super::steps::Step;

impl Step {
    /// The queue it is about.
    pub(super) fn queue(&self) -> Option<usize> {
        match self {
            Self::Send { queue, .. }
            | Self::Receive { queue, .. }
            | Self::Delete { queue, .. }
            | Self::Change { queue, .. }
            | Self::DeadLetter { queue, .. }
            | Self::Redrive { queue, .. }
            | Self::StartMove { queue, .. }
            | Self::CancelMove { queue }
            | Self::MoveOn { queue, .. }
            | Self::Purge { queue } => Some(*queue),
            Self::DeleteSpare => Some(SPARE),
            Self::CreateSpare | Self::Sweep { .. } => None,
        }
    }
}

impl Model {
    pub(super) fn running_task(&self, queue: usize) -> Option<String> {
        self.lines[queue].task.as_ref().map(|task| task.id.clone())
    }

    pub(super) fn destination(&self, queue: usize) -> Option<usize> {
        self.lines[queue].task.as_ref()?.destination
    }

    /// Takes it out and puts it where it goes; false if there is nowhere.
    pub(super) fn send_on(
        &mut self,
        queue: usize,
        mail: &Mail,
        destination: Option<usize>,
    ) -> bool {
        let target = destination.or(mail.came_from);
        let Some(target) = target.filter(|target| self.lines[*target].exists) else {
            return false;
        };
        let now = self.now;
        let mail = self.lines[queue].take(&mail.id);
        self.lines[target].mails.push(Mail {
            seq: 0,
            sent_at: now,
            came_from: None,
            ..mail.afresh(now)
        });
        true
    }

    pub(super) fn redriven(&mut self, queue: usize, max: usize, reply: Answered<'_>) {
        let Ok(Reply::Count(count)) = reply else {
            panic!("{reply:?}");
        };
        // Visible or not; those that were there before this batch.
        let first: Vec<Mail> = self.lines[queue].mails.iter().take(max).cloned().collect();
        if self.touched.contains(&queue) {
            self.leave_open(queue, *count, None);
            return;
        }
        let mut moved = 0;
        for mail in &first {
            moved += u64::from(self.send_on(queue, mail, None));
        }
        assert_eq!(*count, moved);
    }

    /// So many went away, and which ones only the store knows.
    fn leave_open(&mut self, queue: usize, count: u64, destination: Option<usize>) {
        self.taken_out = Some(TakenOut {
            queue,
            count,
            destination,
        });
    }

    pub(super) fn move_started(&mut self, queue: usize, elsewhere: bool, reply: Answered<'_>) {
        let destination = elsewhere.then_some(QUEUES[queue].elsewhere);
        let is_dead_letter_queue = QUEUES.iter().any(|is| is.dead == Some(queue));
        let expected = if self.lines[queue].task.is_some() {
            Some("move_running")
        } else if !is_dead_letter_queue {
            Some("not_a_dead_letter_queue")
        } else if destination.is_some_and(|target| !self.lines[target].exists) {
            Some("queue_not_found")
        } else {
            None
        };
        assert_eq!(reply.err(), expected.map(Refused));
        let Ok(Reply::Move(task)) = reply else {
            return;
        };
        let line = &mut self.lines[queue];
        if line.unsure.is_empty() && !self.touched.contains(&queue) {
            assert_eq!(task.to_move, line.mails.len() as u64);
        }
        assert_eq!((task.moved, task.status), (0, MoveStatus::Running));
        line.task = Some(Task {
            id: task.id.clone(),
            destination,
            moved: 0,
        });
    }

    pub(super) fn move_cancelled(&mut self, queue: usize, reply: Answered<'_>) {
        match self.lines[queue].task.take() {
            Some(task) => {
                let status = |reply: &MoveTask| (reply.id.clone(), reply.status);
                let Ok(Reply::Move(reply)) = reply else {
                    panic!("{reply:?}");
                };
                assert_eq!(status(reply), (task.id, MoveStatus::Cancelled));
            }
            None => assert_eq!(reply.err(), Some(Refused("move_not_found"))),
        }
    }

    pub(super) fn moved(&mut self, queue: usize, max: usize, reply: Answered<'_>) {
        let Some(task) = self.lines[queue].task.clone() else {
            assert_eq!(reply.err(), Some(Refused("move_not_found")));
            return;
        };
        let Ok(Reply::Move(after)) = reply else {
            panic!("{reply:?}");
        };
        assert_eq!(after.id, task.id);
        let count = after.moved - task.moved;
        if self.touched.contains(&queue) {
            self.leave_open(queue, count, task.destination);
        } else {
            self.check_move(queue, max, &task, after, count);
        }
        self.lines[queue].task = (after.status == MoveStatus::Running).then_some(Task {
            moved: after.moved,
            ..task
        });
    }

    fn check_move(&mut self, queue: usize, max: usize, task: &Task, after: &MoveTask, count: u64) {
        let now = self.now;
        let chosen: Vec<Mail> = match QUEUES[queue].scope {
            None => {
                let mails = self.lines[queue].mails.iter();
                let mut visible: Vec<&Mail> = mails.filter(|mail| mail.visible_at <= now).collect();
                visible.sort_by_key(|mail| (mail.visible_at, mail.seq));
                visible.into_iter().take(max).cloned().collect()
            }
            Some(_) => self
                .free_groups(queue)
                .into_iter()
                .flat_map(|head| head.into_iter().take_while(|mail| mail.visible_at <= now))
                .take(max)
                .cloned()
                .collect(),
        };
        let mut moved = 0;
        let mut is_stuck = false;
        for mail in &chosen {
            if self.is_expired(queue, mail) {
                self.lines[queue].take(&mail.id);
                continue;
            }
            if !self.send_on(queue, mail, task.destination) {
                is_stuck = true;
                break;
            }
            moved += 1;
        }
        let expected = if chosen.is_empty() {
            MoveStatus::Completed
        } else if is_stuck {
            MoveStatus::Failed
        } else {
            MoveStatus::Running
        };
        assert_eq!((count, after.status), (moved, expected), "{chosen:?}");
        assert_eq!(after.failure.is_some(), is_stuck);
    }

    pub(super) fn purged(&mut self, queue: usize, reply: Answered<'_>) {
        let now = self.now;
        let line = &mut self.lines[queue];
        if line.purged_at.is_some_and(|at| now - at < 60_000) {
            assert_eq!(reply.err(), Some(Refused("purge_in_progress")));
            return;
        }
        assert!(matches!(reply, Ok(Reply::Done)), "{reply:?}");
        // What was exhausted may have left before it.
        let unsure = std::mem::take(&mut line.unsure);
        line.mails.retain(|mail| unsure.contains(&mail.id));
        line.purged_at = Some(now);
        line.unsure = unsure;
        line.is_purged = true;
    }

    pub(super) fn swept(&mut self, reply: Answered<'_>) {
        assert!(matches!(reply, Ok(Reply::Done)), "{reply:?}");
        let now = self.now;
        for queue in 0..QUEUES.len() {
            let expired: Vec<String> = self.lines[queue]
                .mails
                .iter()
                .filter(|mail| mail.visible_at <= now && self.is_expired(queue, mail))
                .map(|mail| mail.id.clone())
                .collect();
            let line: &mut Line = &mut self.lines[queue];
            line.unsure.extend(expired);
        }
    }
}
