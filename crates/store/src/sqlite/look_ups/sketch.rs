//! How many keys a customer may hold: a number that is never too small, in a fixed size and with
//! one look at 64 bytes.
//!
//! A count-min sketch. A customer has four of the 64 counters in one line, shared with others;
//! the smallest of the four bounds what the customer holds. Only those that would be too small are
//! raised, so a counter says what the heaviest of its customers holds, hardly what all hold
//! together. Nothing can be taken out; a sketch goes with its generation.

use super::filter::spread;

/// A line of the processor's cache.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line([u8; COUNTERS]);

const COUNTERS: usize = 64;

/// A counter that stands here says nothing any more.
const FULL: u8 = u8::MAX;

pub(super) struct Sketch {
    lines: Vec<Line>,
}

impl Sketch {
    pub(super) fn new(lines: usize) -> Self {
        Self {
            lines: vec![Line([0; COUNTERS]); lines.max(1)],
        }
    }

    fn place(&self, customer: u64) -> (usize, [usize; 4]) {
        let hash = spread(customer);
        let line = ((hash >> 32) * self.lines.len() as u64) >> 32;
        let line = usize::try_from(line).expect("less than the number of lines");
        let counter = |at: u32| {
            usize::try_from((hash >> (6 * at)) & (COUNTERS as u64 - 1)).expect("less than 64")
        };
        (line, [counter(0), counter(1), counter(2), counter(3)])
    }

    fn least(&self, line: usize, counters: [usize; 4]) -> u8 {
        let counts = counters.map(|at| self.lines[line].0[at]);
        counts.into_iter().min().expect("there are four")
    }

    pub(super) fn add(&mut self, customer: u64, more: u32) {
        let (line, counters) = self.place(customer);
        let more = u8::try_from(more).unwrap_or(FULL);
        let holds = self.least(line, counters).saturating_add(more);
        for at in counters {
            let count = &mut self.lines[line].0[at];
            *count = holds.max(*count);
        }
    }

    /// The customer holds no more than this; [`u32::MAX`] if that cannot be said.
    pub(super) fn at_most(&self, customer: u64) -> u32 {
        let (line, counters) = self.place(customer);
        match self.least(line, counters) {
            FULL => u32::MAX,
            count => u32::from(count),
        }
    }

    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&self.lines[..])
    }
}
