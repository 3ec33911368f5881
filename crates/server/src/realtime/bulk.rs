//! Streams of every event, behind those who buy: each event to each of many listeners may cost more
//! than the orders that the events tell of, and all of them share the same processors.
//!
//! What always holds: a listener hears every event in the log's order, or is told to which sequence it
//! was skipped (`reset`); no more than [`PENDING_MAX`] events wait here; telling all listeners together
//! takes about a tenth of a core ([`SHARE`]), but for what was saved up in a rest. Whatever has few listeners is
//! told at once, and nobody who is told of everything is much later than [`BEHIND_MAX`].

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::realtime::hub::{Group, Subject};
use crate::realtime::render::Rendered;

/// All listeners together may take one part in so many of a core.
const SHARE: u32 = 10;
/// What it takes to tell one listener of some events, and of each of them more: measured, with all
/// that the system does for a small answer.
const TELLING: Duration = Duration::from_micros(10);
const EACH: Duration = Duration::from_micros(1);
/// As many events are told together as take so long, or as long as the telling itself.
const AT_ONCE: Duration = Duration::from_millis(5);
/// What may be told at once after a rest.
const BURST: Duration = Duration::from_secs(1);
/// Who would be told of everything later than this is skipped.
const BEHIND_MAX: Duration = Duration::from_secs(2);
/// Events that wait until there is time for them.
pub const PENDING_MAX: usize = 10_000;
/// Who is skipped looks again: not more often than this.
const SKIP_EVERY: Duration = Duration::from_secs(2);

#[derive(Default)]
pub(super) struct Bulk {
    pending: HashMap<Subject, Pending>,
    /// Events in all of them.
    count: usize,
    /// When what was handed out is paid for; a rest lies in the past.
    free_at: Option<Instant>,
    skipped_at: Option<Instant>,
}

#[derive(Default)]
struct Pending {
    events: VecDeque<Arc<Rendered>>,
    /// What came after those was left out, up to this sequence.
    skipped_to: Option<u64>,
}

impl Bulk {
    pub(super) fn add(&mut self, subject: Subject, event: Arc<Rendered>) {
        if self.count >= PENDING_MAX {
            self.skip();
        }
        let pending = self.pending.entry(subject).or_default();
        if let Some(skipped_to) = &mut pending.skipped_to {
            *skipped_to = event.entry.seq;
            return;
        }
        pending.events.push_back(event);
        self.count += 1;
    }

    /// There is no time for what waits.
    fn skip(&mut self) {
        self.pending.values_mut().for_each(Pending::skip);
        self.count = 0;
    }

    /// What is handed out now. `listeners` says to how many.
    pub(super) fn due(
        &mut self,
        now: Instant,
        listeners: impl Fn(Subject) -> usize,
    ) -> Vec<(Subject, Group)> {
        let mut due = Vec::new();
        if self.held_until().is_some_and(|until| until > now) {
            return due;
        }
        let may_skip = self.may_skip_at().is_none_or(|at| at <= now);
        let mut cost = Duration::ZERO;
        self.pending.retain(|subject, pending| {
            let listeners = u32::try_from(listeners(*subject).max(1)).unwrap_or(u32::MAX);
            let some = at_once(listeners);
            let all = pending.events.len();
            if may_skip && SHARE * cost_of(listeners, all) > BEHIND_MAX {
                self.count -= all;
                pending.skip();
            }
            let some = pending.events.len().min(some);
            if some > 0 {
                self.count -= some;
                cost += cost_of(listeners, some);
                due.push((*subject, pending.events.drain(..some).collect()));
            } else if may_skip && let Some(seq) = pending.skipped_to.take() {
                cost += cost_of(listeners, 1);
                self.skipped_at = Some(now);
                due.push((*subject, Group::skipped(seq)));
            }
            !pending.is_empty()
        });
        let rested = now.checked_sub(BURST).unwrap_or(now);
        let paid = self.free_at.map_or(rested, |free| free.max(rested));
        self.free_at = Some(paid + SHARE * cost);
        due
    }

    /// When something is handed out next.
    pub(super) fn next(&self) -> Option<Instant> {
        if self.pending.is_empty() {
            return None;
        }
        Some(self.held_until().unwrap_or_else(Instant::now))
    }

    /// Nothing holds it up, or what does ends then.
    fn held_until(&self) -> Option<Instant> {
        match self.count {
            0 => self.free_at.max(self.may_skip_at()),
            _ => self.free_at,
        }
    }

    fn may_skip_at(&self) -> Option<Instant> {
        Some(self.skipped_at? + SKIP_EVERY)
    }
}

/// What it takes to tell so many of so many events.
fn cost_of(listeners: u32, events: usize) -> Duration {
    let events = u32::try_from(events).unwrap_or(u32::MAX);
    (TELLING + EACH.saturating_mul(events)).saturating_mul(listeners)
}

/// How many events are told to so many listeners together.
fn at_once(listeners: u32) -> usize {
    let each = (AT_ONCE / listeners).max(TELLING);
    usize::try_from(each.as_nanos() / EACH.as_nanos()).unwrap_or(usize::MAX)
}

impl Pending {
    fn skip(&mut self) {
        if let Some(newest) = self.events.back() {
            self.skipped_to = Some(newest.entry.seq);
            self.events.clear();
        }
    }

    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.skipped_to.is_none()
    }
}

#[cfg(test)]
mod tests {
    use commerce::ProductId;
    use engine::{Entry, Kind};
    use proptest::prelude::*;

    use super::*;

    fn event(seq: u64) -> Arc<Rendered> {
        Arc::new(Rendered::new(Arc::new(Entry {
            seq,
            line: ProductId(1).into(),
            prev: seq - 1,
            kind: Kind::OrderAccepted,
            at: 0,
            subject: seq,
            data: "{}".into(),
            hash: [0; 32],
            buyer: None,
            sealed: None,
        })))
    }

    fn seqs(group: &Group) -> Vec<u64> {
        group.iter().map(|event| event.entry.seq).collect()
    }

    #[test]
    fn few_are_told_at_once() {
        let mut bulk = Bulk::default();
        let start = Instant::now();
        for seq in 1..=50 {
            bulk.add(Subject::Everything, event(seq));
            let due = bulk.due(start + Duration::from_millis(seq), |_| 3);
            assert_eq!(due.len(), 1);
            assert_eq!(seqs(&due[0].1), [seq]);
            assert_eq!(bulk.next(), None);
        }
    }

    #[test]
    fn who_cannot_be_told_of_everything_is_skipped_now_and_then() {
        let mut bulk = Bulk::default();
        let start = Instant::now();
        let (mut told, mut skips, mut newest) = (0, Vec::new(), 0);
        // 10,000 events a second for a thousand listeners, for 10 s.
        for ms in 0..10_000 {
            let now = start + Duration::from_millis(ms);
            for _ in 0..10 {
                newest += 1;
                bulk.add(Subject::Everything, event(newest));
            }
            for (_, group) in bulk.due(now, |_| 1_000) {
                told += group.len();
                skips.extend(group.skipped_to.map(|_| ms));
            }
            assert!(bulk.count <= PENDING_MAX);
        }
        // Fifty a second, and those that were saved up before; less for the skips.
        assert!((300..=600).contains(&told), "{told}");
        assert!((3..=5).contains(&skips.len()), "{skips:?}");
        assert!(
            skips.windows(2).all(|two| two[1] - two[0] >= 2_000),
            "{skips:?}"
        );
        // It ends: the last is told, or skipped.
        let mut last = 0;
        let mut now = start + Duration::from_secs(10);
        while let Some(next) = bulk.next() {
            now = now.max(next);
            for (_, group) in bulk.due(now, |_| 1_000) {
                last = group
                    .skipped_to
                    .or_else(|| seqs(&group).last().copied())
                    .unwrap();
            }
        }
        assert_eq!(last, newest);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Each subject hears all of its events in order, but for what it is told to have missed.
        #[test]
        fn nothing_is_missing_without_a_word(
            steps in prop::collection::vec((0u64..4_000, 0usize..2_000, 0u64..3_000, any::<bool>()), 1..60),
        ) {
            let subjects = [Subject::Everything, Subject::Line(ProductId(1).into())];
            let mut bulk = Bulk::default();
            let mut now = Instant::now();
            let (mut seq, mut sent) = (0, [Vec::new(), Vec::new()]);
            let mut heard = [0usize; 2];
            let mut hear = |due: Vec<(Subject, Group)>, sent: &[Vec<u64>; 2]| {
                for (subject, group) in due {
                    let at = usize::from(subject != subjects[0]);
                    for seq in seqs(&group) {
                        assert_eq!(sent[at][heard[at]], seq);
                        heard[at] += 1;
                    }
                    if let Some(skipped) = group.skipped_to {
                        let found = sent[at].binary_search(&skipped).expect("one of its own");
                        assert!(found >= heard[at], "forwards");
                        heard[at] = found + 1;
                    }
                }
                heard
            };
            for (events, listeners, ms, both) in steps {
                for _ in 0..events {
                    seq += 1;
                    for at in 0..=usize::from(both) {
                        bulk.add(subjects[at], event(seq));
                        sent[at].push(seq);
                    }
                }
                prop_assert!(bulk.count <= PENDING_MAX);
                now += Duration::from_millis(ms);
                hear(bulk.due(now, |_| listeners), &sent);
            }
            while let Some(next) = bulk.next() {
                now = now.max(next);
                hear(bulk.due(now, |_| 100), &sent);
            }
            let heard = hear(Vec::new(), &sent);
            prop_assert_eq!(heard, [sent[0].len(), sent[1].len()]);
        }
    }
}
