//! Where in the log the bid with a number is.
//!
//! Bids of one auction have rising numbers in a rising sequence, with whatever else happened
//! between them. So the place is guessed from two that are known, a piece of the log is read
//! there, and what it shows of the auction brings the two closer. Every second guess is the
//! middle, so that no arrangement of bids makes many guesses necessary. Where a piece shows none
//! of the bids, they are looked for on its newer side first: from there a bid knows the one
//! before it, however much lies between. The last bids are gone through one by one like that.

use engine::ports::StoreError;

/// A bid that was taken: its entry, and its number in the auction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered {
    pub seq: u64,
    pub no: u64,
}

/// Pieces of the log and single bids that are looked at before the rest is gone through.
const READS_MAX: usize = 256;
/// Entries in a piece.
pub const PIECE: usize = 128;
/// So near, going from bid to bid is no more work than another piece.
const NEAR: u64 = 128;
/// Bids that are passed one by one: more than a few only where hardly any entry is a bid.
const STEPS_MAX: u64 = 10_000;

/// Reads [`PIECE`] entries after a sequence: the auction's bids among them, and the last sequence
/// that was seen.
type Piece<'a> = dyn FnMut(u64) -> Result<(Vec<Numbered>, u64), StoreError> + 'a;
/// Gives the bid before a bid, by sequence.
type Before<'a> = dyn FnMut(u64) -> Result<u64, StoreError> + 'a;

/// The sequence of the bid with the number `wanted`, 0 for the number 0; none when it would take
/// more reading than one request may cause.
pub fn find(
    auction: u64,
    newest: Numbered,
    wanted: u64,
    piece: &mut Piece<'_>,
    before: &mut Before<'_>,
) -> Result<Option<u64>, StoreError> {
    assert!(wanted <= newest.no, "nothing is newer than the newest");
    if wanted == 0 {
        return Ok(Some(0));
    }
    let mut search = Search {
        low: Numbered {
            seq: auction,
            no: 0,
        },
        high: newest,
        from: auction,
        to: newest.seq,
        reads: 0,
    };
    while search.high.no - wanted > NEAR && search.reads < READS_MAX {
        search.narrow(wanted, piece, before)?;
    }
    let steps = search.high.no - wanted;
    if steps > STEPS_MAX {
        return Ok(None);
    }
    let mut seq = search.high.seq;
    for _ in 0..steps {
        seq = before(seq)?;
    }
    Ok(Some(seq))
}

/// What is wanted is above `low` and not above `high`, two bids, and looked for between `from`
/// and `to`.
struct Search {
    low: Numbered,
    high: Numbered,
    from: u64,
    to: u64,
    reads: usize,
}

impl Search {
    fn guess(&self, wanted: u64) -> u64 {
        let span = self.to - self.from;
        let in_proportion = self.from == self.low.seq && self.reads.is_multiple_of(2);
        if !in_proportion {
            return self.from + span / 2;
        }
        let part = u128::from(span) * u128::from(wanted - self.low.no - 1);
        let bids = u128::from(self.high.no - self.low.no);
        self.from + u64::try_from(part / bids).expect("a part of the span")
    }

    fn narrow(
        &mut self,
        wanted: u64,
        piece: &mut Piece<'_>,
        before: &mut Before<'_>,
    ) -> Result<(), StoreError> {
        if self.from >= self.to {
            let back = self.back(before)?;
            self.step_back(back);
            return Ok(());
        }
        let guess = self.guess(wanted);
        self.reads += 1;
        let (mut bids, last) = piece(guess)?;
        bids.retain(|bid| bid.no < self.high.no);
        if bids.is_empty() {
            let back = self.back(before)?;
            if back <= guess {
                self.step_back(back);
            } else {
                self.from = last.min(self.to);
            }
            return Ok(());
        }
        if let Some(above) = bids.iter().find(|bid| bid.no >= wanted) {
            self.high = *above;
            self.to = guess;
        }
        if let Some(below) = bids.iter().rfind(|bid| bid.no < wanted) {
            self.low = *below;
            self.from = below.seq;
        }
        Ok(())
    }

    fn back(&mut self, before: &mut Before<'_>) -> Result<u64, StoreError> {
        self.reads += 1;
        before(self.high.seq)
    }

    /// To the bid before the one above, over everything that lies between them.
    fn step_back(&mut self, back: u64) {
        self.high = Numbered {
            seq: back,
            no: self.high.no - 1,
        };
        self.from = self.low.seq;
        self.to = back;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A log in which these sequences are bids of one auction, in order.
    fn check(bids: &[u64], far: bool) {
        let newest = Numbered {
            seq: *bids.last().unwrap(),
            no: bids.len() as u64,
        };
        let end = newest.seq + 1_000;
        let some = (0..=newest.no).step_by(bids.len().div_ceil(97));
        let all = some.chain([1, 2, newest.no]);
        for wanted in all.filter(|wanted| *wanted <= newest.no) {
            let (pieces, steps) = (Cell::new(0), Cell::new(0));
            let mut piece = |after: u64| {
                pieces.set(pieces.get() + 1);
                let last = (after + PIECE as u64).min(end);
                let from = bids.partition_point(|seq| *seq <= after);
                let to = bids.partition_point(|seq| *seq <= last);
                let found = (from..to).map(|at| Numbered {
                    seq: bids[at],
                    no: at as u64 + 1,
                });
                Ok((found.collect(), last))
            };
            let mut before = |seq: u64| {
                steps.set(steps.get() + 1);
                let at = bids.binary_search(&seq).unwrap();
                Ok(if at == 0 { 0 } else { bids[at - 1] })
            };
            let found = find(1, newest, wanted, &mut piece, &mut before).unwrap();
            let expected = match wanted {
                0 => 0,
                no => bids[usize::try_from(no - 1).unwrap()],
            };
            assert!(pieces.get() <= READS_MAX, "{} pieces", pieces.get());
            assert!(steps.get() <= STEPS_MAX + READS_MAX as u64);
            match found {
                Some(found) => assert_eq!(found, expected, "number {wanted}"),
                None => assert!(far, "number {wanted} of {} was not found", newest.no),
            }
        }
    }

    #[test]
    fn a_bid_is_found_wherever_bids_are() {
        // Nothing but bids.
        check(&(2..200_000).collect::<Vec<_>>(), false);
        // Every tenth entry.
        check(&(1..50_000).map(|n| n * 10).collect::<Vec<_>>(), false);
        // A rush at the start, then much else, then a few.
        let rush = (2..50_000).chain([2_000_000, 2_000_001, 2_500_000]);
        check(&rush.collect::<Vec<_>>(), false);
        // A few, much else, a rush at the end.
        let rush = [2, 3, 90].into_iter().chain(2_000_000..2_050_000);
        check(&rush.collect::<Vec<_>>(), false);
        // Rushes, each longer after the one before.
        let rushes = (1..8).flat_map(|n: u64| {
            let start = 40_u64.pow(u32::try_from(n).unwrap());
            start..start + 15_000.min(start)
        });
        let mut bids: Vec<u64> = rushes.filter(|seq| *seq > 1).collect();
        bids.dedup();
        check(&bids, false);
        check(&[2], false);
    }

    #[test]
    fn where_hardly_any_entry_is_a_bid_the_reading_is_bounded() {
        check(&(1..60_000).map(|n| n * 5_000).collect::<Vec<_>>(), true);
        // A rush after the other, far apart, and stragglers between them.
        let rushes = (0..40).flat_map(|n: u64| {
            let start = 2 + n * 300_000;
            (start..start + 3_000).chain([start + 100_000, start + 200_000])
        });
        check(&rushes.collect::<Vec<_>>(), true);
    }
}
