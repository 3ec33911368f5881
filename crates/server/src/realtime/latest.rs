//! The newest events of a line, for those who only look at it: a page on which thousands see what
//! is left of a product while thousands of orders a second change it.
//!
//! ```text
//! entries of the line:  a1 a2 a3 b4 a5 a6 a7 ...      a, b: types of events
//! told:                 a1          b4 a6             at once after a rest, then once in a while
//! ```
//! What always holds: of each type the newest event is told in the end; events come in the order of
//! the log, and none twice. How often is bounded for all who listen together ([`pace`]): telling one
//! listener costs about what an order costs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use commerce::LineId;
use tokio::time::Instant;

use crate::realtime::hub::Group;
use crate::realtime::render::Rendered;

/// As often as a person can follow.
const EVERY: Duration = Duration::from_millis(250);

/// So many are told as often; twice as many are told half as often.
const TOGETHER: u32 = 2_000;

/// How long to wait before so many listeners are told again: 250 ms, and for more than 2,000 of them as
/// much longer as they are more.
pub fn pace(listeners: usize) -> Duration {
    let listeners = u32::try_from(listeners).unwrap_or(u32::MAX);
    (EVERY / TOGETHER)
        .saturating_mul(listeners)
        .clamp(EVERY, EVERY * 100)
}

/// What is to be told of each line that somebody looks at.
#[derive(Default)]
pub(super) struct Latest {
    lines: HashMap<LineId, Line>,
}

#[derive(Default)]
struct Line {
    /// One of each type, in the order of the log.
    newest: Vec<Arc<Rendered>>,
    told_at: Option<Instant>,
}

impl Latest {
    /// Comes after all that were added before.
    pub(super) fn add(&mut self, event: Arc<Rendered>) {
        let line = self.lines.entry(event.entry.line).or_default();
        line.newest
            .retain(|older| older.entry.kind != event.entry.kind);
        line.newest.push(event);
    }

    /// What is told now. `listeners` says how many look at a line.
    pub(super) fn due(
        &mut self,
        now: Instant,
        listeners: impl Fn(LineId) -> usize,
    ) -> Vec<(LineId, Group)> {
        let mut due = Vec::new();
        self.lines.retain(|id, line| {
            let rests = line.until(listeners(*id)).is_none_or(|until| until <= now);
            if rests && !line.newest.is_empty() {
                line.told_at = Some(now);
                due.push((*id, line.newest.drain(..).collect()));
                return true;
            }
            // Of a line that rests there is nothing to know.
            !rests
        });
        due
    }

    /// When something is to be told next.
    pub(super) fn next(&self, listeners: impl Fn(LineId) -> usize) -> Option<Instant> {
        let waiting = self
            .lines
            .iter()
            .filter(|(_, line)| !line.newest.is_empty());
        waiting
            .filter_map(|(id, line)| line.until(listeners(*id)))
            .min()
    }
}

impl Line {
    /// How long it rests after it was told of.
    fn until(&self, listeners: usize) -> Option<Instant> {
        Some(self.told_at? + pace(listeners))
    }
}

#[cfg(test)]
mod tests {
    use commerce::ProductId;
    use engine::{Entry, Kind};

    use super::*;

    fn event(seq: u64, product: u32, kind: Kind) -> Arc<Rendered> {
        Arc::new(Rendered::new(Arc::new(Entry {
            seq,
            line: ProductId(product).into(),
            prev: seq - 1,
            kind,
            at: 0,
            subject: seq,
            data: "{}".into(),
            hash: [0; 32],
            buyer: None,
            sealed: None,
        })))
    }

    fn told(due: &[(LineId, Group)]) -> Vec<u64> {
        let events = due.iter().flat_map(|(_, group)| group.iter());
        events.map(|event| event.entry.seq).collect()
    }

    #[test]
    fn the_first_comes_at_once_and_then_the_newest_of_each_type() {
        let mut latest = Latest::default();
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        latest.add(event(1, 1, Kind::OrderAccepted));
        assert_eq!(told(&latest.due(start, |_| 1)), [1]);
        latest.add(event(2, 1, Kind::OrderAccepted));
        latest.add(event(3, 1, Kind::ProductUpdated));
        latest.add(event(4, 1, Kind::OrderAccepted));
        // Another line does not wait for this one.
        latest.add(event(5, 2, Kind::OrderAccepted));
        assert_eq!(told(&latest.due(after(249), |_| 1)), [5]);
        assert_eq!(latest.next(|_| 1), Some(after(250)));
        assert_eq!(told(&latest.due(after(250), |_| 1)), [3, 4]);
        assert_eq!(told(&latest.due(after(251), |_| 1)), [] as [u64; 0]);
        assert_eq!(latest.next(|_| 1), None);
        // After a rest the next one comes at once, and nothing is kept meanwhile.
        assert_eq!(told(&latest.due(after(600), |_| 1)), [] as [u64; 0]);
        assert!(latest.lines.is_empty());
        latest.add(event(6, 1, Kind::OrderAccepted));
        assert_eq!(told(&latest.due(after(601), |_| 1)), [6]);
    }

    #[test]
    fn many_are_told_seldomer() {
        assert_eq!(pace(0), EVERY);
        assert_eq!(pace(2_000), EVERY);
        assert_eq!(pace(20_000), EVERY * 10);
        assert_eq!(pace(usize::MAX), EVERY * 100);
        let mut latest = Latest::default();
        let start = Instant::now();
        latest.add(event(1, 1, Kind::OrderAccepted));
        latest.due(start, |_| 8_000);
        latest.add(event(2, 1, Kind::OrderAccepted));
        assert!(latest.due(start + EVERY * 3, |_| 8_000).is_empty());
        assert_eq!(told(&latest.due(start + EVERY * 4, |_| 8_000)), [2]);
    }
}
