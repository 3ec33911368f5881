//! How much of a queue is in flight, near the bound of it.
//!
//! What always holds here: once counted, the number follows every message that is handed out,
//! changed, deleted or timed out, so nobody is refused for want of room that there is; with a
//! hundred thousand in flight to count them anew takes milliseconds.

use commerce::Millis;
use engine::ports::StoreError;
use messaging::{Message, limits};
use rusqlite::{Connection, params};

use super::{Mailbox, Stored};
use crate::sqlite::mailbox::{self, key};

/// The messages that were handed out and have their time-out after a moment.
#[derive(Clone, Copy)]
pub(super) struct InFlight {
    after: Millis,
    count: u64,
}

impl InFlight {
    fn counts(&self, is_held: bool, visible_at: Millis) -> bool {
        is_held && visible_at > self.after
    }
}

impl Stored {
    /// 0 where the bound is far.
    pub(super) fn in_flight(
        &mut self,
        connection: &Connection,
        now: Millis,
    ) -> Result<u64, StoreError> {
        if self.total < limits::IN_FLIGHT_MAX {
            // Not forgotten at once: the queue may be as large again with the next message.
            self.in_flight
                .take_if(|_| self.total < limits::IN_FLIGHT_MAX / 2);
            return Ok(0);
        }
        let partition = self.queue.partition;
        let count = match self.in_flight {
            Some(known) if known.after <= now => {
                let ended = mailbox::timed_out(connection, partition, known.after, now)?;
                known.count.saturating_sub(ended)
            }
            // A clock that was set back makes messages invisible again.
            Some(_) | None => mailbox::in_flight(connection, partition, now)?,
        };
        self.in_flight = Some(InFlight { after: now, count });
        Ok(count)
    }

    /// A message that was counted has gone.
    fn note_gone(&mut self, is_held: bool, visible_at: Millis) {
        if let Some(known) = &mut self.in_flight
            && known.counts(is_held, visible_at)
        {
            known.count = known.count.saturating_sub(1);
        }
    }
}

impl Mailbox {
    fn of_partition(&mut self, partition: u32) -> Option<&mut Stored> {
        let name = self.partitions.get(&partition)?;
        self.queues.get_mut(name)
    }

    /// Before a message is changed.
    pub(super) fn note_changed(
        &mut self,
        connection: &Connection,
        partition: u32,
        message: &Message,
    ) -> Result<(), rusqlite::Error> {
        let stored = self.of_partition(partition);
        let Some(stored) = stored.filter(|stored| stored.in_flight.is_some()) else {
            return Ok(());
        };
        let (is_held, visible_at) = connection
            .prepare_cached("SELECT held, visible_at FROM messages WHERE key = ?1")?
            .query_row(params![key(partition, message.seq)], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        stored.note_gone(is_held, visible_at);
        self.note_there(partition, message);
        Ok(())
    }

    /// One that is new may have been handed out in the batch that sent it.
    pub(super) fn note_there(&mut self, partition: u32, message: &Message) {
        // Of nearly all that are new nobody has to look which queue they are in.
        let is_held = message.receipt.is_some();
        if is_held
            && let Some(stored) = self.of_partition(partition)
            && let Some(known) = &mut stored.in_flight
            && known.counts(is_held, message.visible_at_ms)
        {
            known.count += 1;
        }
    }

    pub(super) fn note_deleted(&mut self, partition: u32, is_held: bool, visible_at: Millis) {
        if let Some(stored) = self.of_partition(partition) {
            stored.note_gone(is_held, visible_at);
        }
    }
}
