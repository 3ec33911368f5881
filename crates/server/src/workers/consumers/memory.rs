//! What this process remembers of messages that came back.
//!
//! A queue counts how often a message was received. Not each of these was a try of the message
//! itself: it may have waited for a neighbour, or for the one before it in its group. Those are
//! taken off here. A restart forgets them, and a message is then a dead letter the sooner; never
//! the other way round, so that one which ends the process each time has an end too.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::workers::consumer::Delivery;

/// Messages remembered; of one more the oldest is forgotten.
const REMEMBERED_MAX: usize = 10_000;

#[derive(Default)]
pub(super) struct Memory {
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    by_id: HashMap<String, Note>,
    order: VecDeque<String>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Note {
    excused: u32,
    /// Worked on by itself: the last time it, or one beside it, took too long.
    alone: bool,
}

impl Memory {
    /// How often the message was tried, this time included.
    pub(super) fn tries(&self, delivery: &Delivery) -> u32 {
        let excused = self.of(delivery).excused;
        delivery.receive_count.saturating_sub(excused).max(1)
    }

    pub(super) fn is_alone(&self, delivery: &Delivery) -> bool {
        self.of(delivery).alone
    }

    /// This time does not count as a try.
    pub(super) fn excuse(&self, delivery: &Delivery) {
        self.change(delivery, |note| note.excused += 1);
    }

    pub(super) fn set_alone(&self, delivery: &Delivery) {
        self.change(delivery, |note| note.alone = true);
    }

    pub(super) fn forget(&self, delivery: &Delivery) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.by_id.remove(&delivery.id).is_some() {
            notes.order.retain(|id| *id != delivery.id);
        }
    }

    fn of(&self, delivery: &Delivery) -> Note {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.by_id.get(&delivery.id).copied().unwrap_or_default()
    }

    fn change(&self, delivery: &Delivery, change: impl FnOnce(&mut Note)) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if !notes.by_id.contains_key(&delivery.id) {
            notes.order.push_back(delivery.id.clone());
            if notes.order.len() > REMEMBERED_MAX
                && let Some(oldest) = notes.order.pop_front()
            {
                notes.by_id.remove(&oldest);
            }
        }
        change(notes.by_id.entry(delivery.id.clone()).or_default());
    }
}
