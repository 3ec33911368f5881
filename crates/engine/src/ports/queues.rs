//! What a batch needs of a queue, and what is loaded of it.

use std::collections::VecDeque;

use hashbrown::HashMap;
use messaging::fair::Load;
use messaging::{Attempt, DedupEntry, DedupKey, GroupHead, Message};

use super::{Duplicate, Queue};

/// What a batch needs of one queue.
#[derive(Debug, Clone, Default)]
pub struct QueueTouch {
    pub name: String,
    /// So many messages that are visible at `now`, those that have waited longest first. Of a
    /// FIFO queue: so many groups of which something may be received.
    pub visible: usize,
    /// Not more of those once they have this many bytes together; the last one may go past it.
    pub visible_bytes: Option<u64>,
    /// How many receives share them: each of them locks the FIFO group it ends in.
    pub receives: usize,
    /// So many messages from the front, visible or not (for a redrive).
    pub first: usize,
    /// Not more of those once they have this many bytes together; the last one may go past it.
    pub first_bytes: Option<u64>,
    /// These messages, by sequence.
    pub messages: Vec<u64>,
    /// The first [`GROUP_FIRST_MAX`] messages of these groups of a FIFO queue, whatever their
    /// state. Of the queue of bids with those that they refer to ([`bids_referred_to`]).
    ///
    /// [`bids_referred_to`]: crate::auction::bids_referred_to
    pub group_firsts: Vec<String>,
    /// Was one of these sent of late? The group and the id; both scopes are looked up.
    pub duplicates: Vec<Duplicate>,
    /// These receive attempts.
    pub attempts: Vec<String>,
}

/// How many messages [`QueueTouch::group_firsts`] loads of a group.
pub const GROUP_FIRST_MAX: usize = 100;

/// A queue with the messages that were asked for.
#[derive(Debug, Clone)]
pub struct LoadedQueue {
    pub queue: Queue,
    /// Of a standard queue.
    pub visible: VecDeque<Message>,
    /// Somebody may receive of it in this batch. The engine says so, not the store.
    pub is_received: bool,
    /// There are more of them than were asked for.
    pub has_more: bool,
    /// There are more of them, and some that were asked for were left out for their bytes.
    pub is_cut: bool,
    /// Of a FIFO queue: the first ten messages of each group, those in flight included. A group
    /// of which nothing may be received is left out.
    pub groups: VecDeque<GroupHead>,
    pub first: Vec<Message>,
    pub messages: HashMap<u64, Message>,
    /// Only groups that have any, oldest first.
    pub group_firsts: HashMap<String, Vec<Message>>,
    pub duplicates: HashMap<DedupKey, DedupEntry>,
    pub attempts: HashMap<String, Attempt>,
    /// Messages in flight. Only when messages were asked for, visible ones or by their sequence,
    /// and the queue holds so many that the bound can be near; else 0.
    pub in_flight: u64,
    /// Who has how much in flight, where the messages of a standard queue name groups.
    pub load: Option<Load>,
    /// Messages in the queue before this batch, whatever their state.
    pub total: u64,
}

impl LoadedQueue {
    /// The queue alone.
    pub fn bare(queue: Queue) -> Self {
        Self {
            queue,
            visible: VecDeque::new(),
            is_received: false,
            has_more: false,
            is_cut: false,
            groups: VecDeque::new(),
            first: Vec::new(),
            messages: HashMap::new(),
            group_firsts: HashMap::new(),
            duplicates: HashMap::new(),
            attempts: HashMap::new(),
            in_flight: 0,
            load: None,
            total: 0,
        }
    }
}
