//! What becomes of each message of a batch: the rules, without doing anything.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::workers::consumer::{Delivery, Outcome, Pace};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    Done,
    /// It failed, and is tried again after so long.
    Again {
        after: Duration,
        reason: String,
    },
    /// To the dead-letter queue.
    Dead {
        reason: String,
    },
    /// It did not fail: it waits for a neighbour.
    Wait {
        after: Duration,
        reason: String,
    },
    /// It did not fail, and no neighbour is away: its own time has not come.
    NotYet {
        after: Duration,
    },
    /// One before it in its group did not get through. It comes again right behind that one.
    Behind,
}

/// For each message, in order. `tries` says how often each was tried, this time included;
/// `random` is drawn from for each back-off.
pub(super) fn fates(
    batch: &[Delivery],
    outcomes: Vec<Outcome>,
    pace: &Pace,
    tries: impl Fn(&Delivery) -> u32,
    random: &mut dyn FnMut() -> u64,
) -> Vec<Fate> {
    let mut held_up = BTreeSet::new();
    let mut fates = Vec::with_capacity(batch.len());
    for (delivery, outcome) in batch.iter().zip(outcomes) {
        let group = delivery.group.as_deref();
        if group.is_some_and(|group| held_up.contains(group)) {
            fates.push(Fate::Behind);
            continue;
        }
        let tried = tries(delivery);
        let fate = match outcome {
            Outcome::Done => Fate::Done,
            Outcome::Later { reason, .. } if tried >= pace.receives_max => Fate::Dead { reason },
            Outcome::Later { after, reason } => Fate::Again {
                after: after.unwrap_or_else(|| back_off(pace, tried, random())),
                reason,
            },
            Outcome::Wait { after, reason } => Fate::Wait { after, reason },
            Outcome::NotYet { after, .. } => Fate::NotYet { after },
            Outcome::Never { reason } => Fate::Dead { reason },
        };
        if fate != Fate::Done {
            held_up.extend(group);
        }
        fates.push(fate);
    }
    fates
}

/// Full jitter: anything up to the doubled wait, so that those that failed together do not come
/// back together. Never nothing at all: a try that just failed is not repeated at once.
pub(super) fn back_off(pace: &Pace, tried: u32, random: u64) -> Duration {
    let doubled = pace
        .retry
        .saturating_mul(1 << tried.saturating_sub(1).min(16))
        .min(pace.retry_max);
    let most = u64::try_from(doubled.as_millis())
        .unwrap_or(u64::MAX)
        .max(1);
    Duration::from_millis(random % most + 1)
}
