//! What is told once in a while: of a product's line the newest events to those who only look at it, a
//! page on which thousands see what is left while thousands of orders a second change it; of an
//! auction how it stands; and who has left a line to those who wait in it.
//!
//! ```text
//! entries of the line:  a1 a2 a3 b4 a5 a6 a7 ...      a, b: types of events
//! told:                 a1          b4 a6             at once after a rest, then once in a while
//! ```
//! What always holds: of each type the newest event is told in the end, of those who left every one,
//! and of an auction the last; events come in the order of the log, and none twice. How often is
//! bounded for all who listen to one line together ([`pace`]): telling one listener costs about what an
//! order costs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use engine::Kind;
use tokio::time::Instant;

use crate::realtime::hub::{Group, Subject};
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

/// Those who left are told before more of them wait to be told.
const LEFT_MAX: usize = 10_000;

/// So many bids that were taken back are told together, the newest ones.
pub const RETRACTED_MAX: usize = 100;

/// What is to be told of each line that somebody looks at or waits in.
#[derive(Default)]
pub(super) struct Latest {
    subjects: HashMap<Subject, Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// In the order of the log.
    events: Vec<Arc<Rendered>>,
    told_at: Option<Instant>,
}

impl Latest {
    /// Comes after all that were added before, in place of an older one of its type.
    pub(super) fn add_newest(&mut self, subject: Subject, event: Arc<Rendered>) {
        let events = &mut self.subjects.entry(subject).or_default().events;
        events.retain(|older| older.entry.kind != event.entry.kind);
        events.push(event);
    }

    /// Comes after all that were added before. Somebody is told how the auction stands then, so that
    /// of its line only the two ends are kept, and which bids were taken back in between.
    pub(super) fn add_of_auction(&mut self, subject: Subject, event: Arc<Rendered>) {
        let events = &mut self.subjects.entry(subject).or_default().events;
        let is_between = |event: &Arc<Rendered>| event.entry.kind != Kind::BidRetracted;
        if events.len() > 1 && events.last().is_some_and(is_between) {
            events.pop();
        }
        events.push(event);
        if events.len() > RETRACTED_MAX + 2 {
            events.remove(1);
        }
    }

    /// Comes after all that were added before, and beside them.
    pub(super) fn add(&mut self, subject: Subject, event: Arc<Rendered>) {
        let events = &mut self.subjects.entry(subject).or_default().events;
        events.push(event);
    }

    /// What is told now. `listeners` says to how many.
    pub(super) fn due(
        &mut self,
        now: Instant,
        listeners: impl Fn(Subject) -> usize,
    ) -> Vec<(Subject, Group)> {
        let mut due = Vec::new();
        self.subjects.retain(|subject, waiting| {
            let is_free = waiting.events.len() >= LEFT_MAX
                || waiting
                    .rests_until(listeners(*subject))
                    .is_none_or(|until| until <= now);
            if is_free && !waiting.events.is_empty() {
                waiting.told_at = Some(now);
                due.push((*subject, waiting.events.drain(..).collect()));
                return true;
            }
            // What has rested and has nothing to tell need not be known.
            !is_free
        });
        due
    }

    /// When something is to be told next.
    pub(super) fn next(&self, listeners: impl Fn(Subject) -> usize) -> Option<Instant> {
        let waiting = self.subjects.iter();
        waiting
            .filter(|(_, waiting)| !waiting.events.is_empty())
            .filter_map(|(subject, waiting)| waiting.rests_until(listeners(*subject)))
            .min()
    }
}

impl Waiting {
    fn rests_until(&self, listeners: usize) -> Option<Instant> {
        Some(self.told_at? + pace(listeners))
    }
}

#[cfg(test)]
mod tests {
    use commerce::{LineId, ProductId};
    use engine::Entry;

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

    fn looks(product: u32) -> Subject {
        Subject::Latest(ProductId(product).into())
    }

    fn told(due: &[(Subject, Group)]) -> Vec<u64> {
        let events = due.iter().flat_map(|(_, group)| group.iter());
        events.map(|event| event.entry.seq).collect()
    }

    #[test]
    fn the_first_comes_at_once_and_then_the_newest_of_each_type() {
        let mut latest = Latest::default();
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        latest.add_newest(looks(1), event(1, 1, Kind::OrderAccepted));
        assert_eq!(told(&latest.due(start, |_| 1)), [1]);
        latest.add_newest(looks(1), event(2, 1, Kind::OrderAccepted));
        latest.add_newest(looks(1), event(3, 1, Kind::ProductUpdated));
        latest.add_newest(looks(1), event(4, 1, Kind::OrderAccepted));
        // Another line does not wait for this one.
        latest.add_newest(looks(2), event(5, 2, Kind::OrderAccepted));
        assert_eq!(told(&latest.due(after(249), |_| 1)), [5]);
        assert_eq!(latest.next(|_| 1), Some(after(250)));
        assert_eq!(told(&latest.due(after(250), |_| 1)), [3, 4]);
        assert_eq!(told(&latest.due(after(251), |_| 1)), [] as [u64; 0]);
        assert_eq!(latest.next(|_| 1), None);
        // After a rest the next one comes at once, and nothing is kept meanwhile.
        assert_eq!(told(&latest.due(after(600), |_| 1)), [] as [u64; 0]);
        assert!(latest.subjects.is_empty());
        latest.add_newest(looks(1), event(6, 1, Kind::OrderAccepted));
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
        latest.add_newest(looks(1), event(1, 1, Kind::OrderAccepted));
        latest.due(start, |_| 8_000);
        latest.add_newest(looks(1), event(2, 1, Kind::OrderAccepted));
        assert!(latest.due(start + EVERY * 3, |_| 8_000).is_empty());
        assert_eq!(told(&latest.due(start + EVERY * 4, |_| 8_000)), [2]);
    }

    #[test]
    fn of_an_auction_both_ends_are_kept_and_who_took_a_bid_back() {
        let auction = Subject::Latest(LineId::Auction(1));
        let start = Instant::now();
        let mut latest = Latest::default();
        let mut tell = |seqs: &[(u64, Kind)], after_ms| {
            for (seq, kind) in seqs {
                latest.add_of_auction(auction, event(*seq, 1, *kind));
            }
            let due = latest.due(start + Duration::from_millis(after_ms), |_| 1);
            told(&due)
        };
        let taken = |seq| (seq, Kind::BidAccepted);
        let back = |seq| (seq, Kind::BidRetracted);
        assert_eq!(tell(&[taken(1)], 0), [1]);
        assert_eq!(tell(&[taken(2), taken(3), taken(4)], 250), [2, 4]);
        assert_eq!(
            tell(&[taken(5), back(6), taken(7), taken(8)], 500),
            [5, 6, 8]
        );
        assert_eq!(
            tell(&[back(9), back(10), taken(11), taken(12)], 750),
            [9, 10, 12]
        );
        // Very many: the first, the newest of those that were taken back, and the last.
        let many: Vec<_> = (20..1_000).map(back).chain([taken(1_000)]).collect();
        let told = tell(&many, 1_000);
        assert_eq!((told.len(), told[0]), (RETRACTED_MAX + 2, 20));
        assert!(told[1..].iter().copied().eq(900..=1_000));
    }

    #[test]
    fn those_who_left_are_told_all_together() {
        let line = Subject::Leaving(ProductId(1).into());
        let mut latest = Latest::default();
        let start = Instant::now();
        for seq in 1..=3 {
            latest.add(line, event(seq, 1, Kind::OrderAccepted));
            let expected: &[u64] = if seq == 1 { &[1] } else { &[] };
            assert_eq!(told(&latest.due(start, |_| 1)), expected);
        }
        assert_eq!(told(&latest.due(start + EVERY, |_| 1)), [2, 3]);
        // Very many of them do not wait.
        for seq in 0..LEFT_MAX as u64 {
            latest.add(line, event(4 + seq, 1, Kind::OrderAccepted));
        }
        assert_eq!(told(&latest.due(start + EVERY, |_| 1)).len(), LEFT_MAX);
    }
}
