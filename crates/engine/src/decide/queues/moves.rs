//! Messages go to dead-letter queues, and come back.

use std::borrow::Cow;
use std::sync::Arc;

use messaging::{Message, ReceiptHandle};

use super::super::Batch;
use super::uuid;
use crate::command::{Refusal, Reply};
use crate::entry::{Data, Kind};
use crate::ports::{LoadedQueue, MOVES_MAX, MoveStatus, MoveTask};

impl Batch {
    pub(in crate::decide) fn dead_letter(
        &mut self,
        name: &str,
        handle: ReceiptHandle,
        reason: String,
    ) -> Result<Reply, Refusal> {
        let loaded = self.queue(name)?;
        let held = loaded
            .messages
            .get(&handle.seq)
            .filter(|message| message.receipt == Some(handle.receipt))
            .cloned();
        let Some(message) = held else {
            return Err(Refusal::Queue(messaging::Refusal::ReceiptHandleIsInvalid));
        };
        self.move_to_dead_letters(name, message, reason)?;
        Ok(Reply::Done)
    }

    pub(super) fn move_to_dead_letters(
        &mut self,
        name: &str,
        message: Message,
        reason: String,
    ) -> Result<(), Refusal> {
        let now = self.now;
        let config = self.queue(name)?.queue.config.clone();
        let Some(target) = config
            .redrive
            .as_ref()
            .map(|redrive| redrive.dead_letter_queue.clone())
            .filter(|target| self.is_of_one_owner(name, target))
        else {
            return Err(Refusal::NoDeadLetterSource);
        };
        let target_seq = self.queue(&target)?.queue.next_seq;
        let (id, receives) = (message.id.clone(), message.receive_count);
        self.remove(name, &message);
        let dead = messaging::dead_letter(&config, message, name, Some(reason.clone()), now);
        self.put_new(
            &target,
            Message {
                seq: target_seq,
                ..dead
            },
        );
        self.record_dead_letter(name, Some(&target), &id, receives, &reason);
        Ok(())
    }

    /// Operations hears of it, from the log.
    pub(in crate::decide) fn record_dead_letter(
        &mut self,
        from: &str,
        to: Option<&str>,
        message_id: &str,
        receives: u32,
        reason: &str,
    ) {
        let data = Data {
            queue: Some(Cow::Borrowed(from)),
            dead_letter_queue: to.map(Cow::Borrowed),
            message_id: Some(Cow::Borrowed(message_id)),
            receive_count: Some(u64::from(receives)),
            reason: Some(Cow::Borrowed(reason)),
            ..Data::default()
        };
        self.record_system(Kind::MessageDeadLettered, 0, &data);
    }

    pub(in crate::decide) fn redrive(
        &mut self,
        name: &str,
        message: Option<u64>,
        max: usize,
    ) -> Result<Reply, Refusal> {
        let loaded = self.queue(name)?;
        let chosen: Vec<Message> = match message {
            Some(seq) => loaded.messages.get(&seq).cloned().into_iter().collect(),
            None => loaded.first.iter().take(max).cloned().collect(),
        };
        let mut moved = 0;
        for message in chosen {
            if self.move_out(name, message, None) {
                moved += 1;
            }
        }
        Ok(Reply::Count(moved))
    }

    /// To its destination, or to where it came from; false if there is no such queue.
    fn move_out(&mut self, name: &str, message: Message, destination: Option<&str>) -> bool {
        let source = message.dead.as_ref().map(|dead| dead.source_queue.clone());
        let target = destination.map(str::to_owned).or(source);
        let Some(target) = target.filter(|target| self.is_of_one_owner(name, target)) else {
            return false;
        };
        let Some(next) = self
            .loaded
            .queues
            .get(&target)
            .map(|target| target.queue.next_seq)
        else {
            return false;
        };
        self.remove(name, &message);
        let back = messaging::redrive(message, self.now);
        self.put_new(&target, Message { seq: next, ..back });
        true
    }

    pub(in crate::decide) fn start_move(
        &mut self,
        name: &str,
        destination: Option<String>,
        rate: Option<u32>,
    ) -> Result<Reply, Refusal> {
        let source = self.queue(name)?;
        let (is_fifo, to_move) = (source.queue.config.is_fifo(), source.total);
        if running(source).is_some() {
            return Err(Refusal::MoveRunning);
        }
        let is_dead_letter_queue = self.loaded.queues.values().any(|other| {
            let redrive = other.queue.config.redrive.as_ref();
            redrive.is_some_and(|redrive| redrive.dead_letter_queue == name)
        });
        if !is_dead_letter_queue {
            return Err(Refusal::NotADeadLetterQueue);
        }
        if let Some(destination) = &destination {
            let target = self.queue(destination)?;
            if target.queue.config.is_fifo() != is_fifo || destination == name {
                return Err(Refusal::DeadLetterQueueUnfit {
                    reason: "The destination must be another queue of the same type.",
                });
            }
        }
        let task = MoveTask {
            id: uuid(self.draw()),
            destination,
            rate,
            started_at: self.now,
            moved: 0,
            to_move,
            status: MoveStatus::Running,
            failure: None,
        };
        let loaded = self.loaded_queue(name);
        let moves = Arc::make_mut(&mut loaded.queue.moves);
        moves.insert(0, task.clone());
        moves.truncate(MOVES_MAX);
        self.dirty_queues.insert(name.to_owned());
        Ok(Reply::Move(Box::new(task)))
    }

    pub(in crate::decide) fn cancel_move(
        &mut self,
        name: &str,
        id: &str,
    ) -> Result<Reply, Refusal> {
        let is_running = running(self.queue(name)?).is_some_and(|task| task.id == id);
        if !is_running {
            return Err(Refusal::MoveNotFound);
        }
        let task = self.change_move(name, |task| task.status = MoveStatus::Cancelled);
        Ok(Reply::Move(Box::new(task)))
    }

    pub(in crate::decide) fn move_step(
        &mut self,
        name: &str,
        max: usize,
    ) -> Result<Reply, Refusal> {
        let now = self.now;
        let loaded = self.queue(name)?;
        let config = loaded.queue.config.clone();
        let Some(task) = running(loaded).cloned() else {
            return Err(Refusal::MoveNotFound);
        };
        let mut chosen: Vec<Message> = loaded.visible.iter().take(max).cloned().collect();
        for head in &loaded.groups {
            // In order within the group, and nothing that is held.
            let free = head.messages.iter();
            chosen.extend(
                free.take_while(|message| message.is_visible(now))
                    .take(max.saturating_sub(chosen.len()))
                    .cloned(),
            );
        }
        if chosen.is_empty() {
            // What another command of this batch took stood where others could have been loaded:
            // whether those are there, the next step sees.
            if self.has_touched(name)? {
                return Ok(Reply::Move(Box::new(task)));
            }
            let task = self.change_move(name, |task| task.status = MoveStatus::Completed);
            return Ok(Reply::Move(Box::new(task)));
        }
        let destination = task.destination.as_deref();
        let mut moved = 0;
        let mut stuck = None;
        for message in chosen {
            let id = message.id.clone();
            if message.is_expired(&config, now) {
                // It would begin a second life.
                self.remove(name, &message);
            } else if self.move_out(name, message, destination) {
                moved += 1;
            } else {
                stuck = Some(id);
                break;
            }
        }
        let task = self.change_move(name, |task| {
            task.moved += moved;
            if let Some(id) = stuck {
                task.status = MoveStatus::Failed;
                task.failure = Some(match &task.destination {
                    Some(gone) => format!("The destination {gone} does not exist."),
                    None => format!("The queue that message {id} came from does not exist."),
                });
            }
        });
        Ok(Reply::Move(Box::new(task)))
    }

    /// Whether this batch has changed or removed messages of the queue.
    fn has_touched(&mut self, name: &str) -> Result<bool, Refusal> {
        let partition = self.queue(name)?.queue.partition;
        let mut touched = self.messages.range((partition, 0)..=(partition, u64::MAX));
        Ok(touched.next().is_some())
    }

    fn change_move(&mut self, name: &str, change: impl FnOnce(&mut MoveTask)) -> MoveTask {
        let loaded = self.loaded_queue(name);
        let task = Arc::make_mut(&mut loaded.queue.moves)
            .iter_mut()
            .find(|task| task.status == MoveStatus::Running)
            .expect("the caller has looked for it");
        change(task);
        let task = task.clone();
        self.dirty_queues.insert(name.to_owned());
        task
    }
}

fn running(loaded: &LoadedQueue) -> Option<&MoveTask> {
    let mut moves = loaded.queue.moves.iter();
    moves.find(|task| task.status == MoveStatus::Running)
}
