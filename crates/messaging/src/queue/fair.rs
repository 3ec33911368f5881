//! Fair queues: on a standard queue whose messages name groups, a group that takes more than
//! its share comes after the quiet ones.
//!
//! What always holds: only the order of delivery changes. Nothing is dropped or held back,
//! and a noisy group gets everything when nobody else has anything waiting.
//!
//! Rules: developer guide, "How Amazon SQS fair queues work".

use std::collections::BTreeMap;

use super::limits;
use super::message::Message;

/// What the queue's consumers are busy with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// All messages of the queue in flight, those without a group included.
    pub in_flight: u64,
    /// Of all of them together.
    pub processing_ms: u64,
    /// Groups that are not named here are idle.
    pub groups: BTreeMap<String, GroupLoad>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupLoad {
    pub in_flight: u64,
    /// How long its messages in flight have been so. What was deleted counts no more: of it
    /// nothing is kept.
    pub processing_ms: u64,
}

impl Load {
    /// More than a tenth of what is in flight, with at least thirty of its own, or more than
    /// a tenth of the processing time, with at least thirty seconds of its own.
    pub fn is_noisy(&self, group: &str) -> bool {
        self.groups.get(group).is_some_and(|load| {
            let much_in_flight = load.in_flight >= limits::NOISY_IN_FLIGHT_MIN
                && is_above_share(load.in_flight, self.in_flight);
            let much_time = load.processing_ms >= limits::NOISY_PROCESSING_MS_MIN
                && is_above_share(load.processing_ms, self.processing_ms);
            much_in_flight || much_time
        })
    }

    /// The groups that are noisy, by name.
    pub fn noisy(&self) -> impl Iterator<Item = (&str, &GroupLoad)> {
        let groups = self.groups.iter();
        let named = groups.map(|(group, load)| (group.as_str(), load));
        named.filter(|(group, _)| self.is_noisy(group))
    }
}

fn is_above_share(part: u64, whole: u64) -> bool {
    u128::from(part) * 100 > u128::from(whole) * u128::from(limits::NOISY_SHARE_PERCENT)
}

/// The candidates in fair order: quiet groups first as they were, then the noisy groups,
/// those with the fewest messages in flight first. A message without a group is a tenant of
/// its own and always quiet. Groups keep their order within; nothing is added or lost.
pub fn order(candidates: Vec<Message>, load: &Load) -> Vec<Message> {
    let noise: BTreeMap<&str, u64> = load
        .noisy()
        .map(|(group, of_group)| (group, of_group.in_flight))
        .collect();
    if noise.is_empty() {
        return candidates;
    }
    let mut candidates = candidates;
    // The sort is stable, and `None` (quiet) comes before any `Some`.
    candidates.sort_by_key(|message| {
        message
            .group
            .as_deref()
            .and_then(|group| noise.get(group).copied())
    });
    candidates
}
