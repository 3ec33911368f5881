//! What a verification answers.

use std::fmt;

use super::super::aftermath::AwardStatus;
use super::super::bidder::Bidder;
use crate::Millis;
use crate::money::Money;
use crate::proof::Hash;

/// Violations that are told one by one; the rest is counted.
pub const TOLD_MAX: usize = 100;
/// The longest text of one: parts of it are whatever a file says.
const WHAT_BYTES_MAX: usize = 300;

/// A winner, by the name in the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Won {
    pub bidder: Bidder,
    /// The number of the bid it rests on.
    pub no: u64,
    pub price: Money,
}

/// What became of whoever won a lot or was offered one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    pub bidder: Bidder,
    pub price: Money,
    pub status: AwardStatus,
}

/// A line of an auction in which nothing is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub auction: String,
    /// It has been closed. If it was not, nobody has won.
    pub is_final: bool,
    /// Everything sealed was shown, so every decision was made anew. Otherwise only what was
    /// public could be compared.
    pub opened: bool,
    pub entries: u64,
    /// Bids that were taken, whether or not they were retracted afterwards.
    pub bids: u64,
    pub refused: u64,
    /// Deferred bids that have no verdict yet. Once it is final none of them could have won:
    /// one before it ended the auction.
    pub undecided: u64,
    /// Bids decided later than they were admitted, without an entry that admitted them.
    pub on_trust: u64,
    /// As of the close, in rank order.
    pub winners: Vec<Won>,
    /// Those and whoever was offered a lot since, as it is now, by the name.
    pub awards: Vec<Claimed>,
    /// The end after all extensions so far.
    pub ends_at: Millis,
    pub head_seq: u64,
    /// The hash of the newest entry: whoever has the same one has the same certificate.
    pub head: Hash,
    /// The file says which entry is the newest. Otherwise nothing in it holds `head_seq`.
    pub head_named: bool,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The entry at fault; none if it is the file.
    pub seq: Option<u64>,
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seq {
            Some(seq) => write!(f, "entry {seq}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// At least one thing is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violations {
    /// The first [`TOLD_MAX`], in the order of the file.
    pub told: Vec<Violation>,
    pub total: u64,
}

impl Violations {
    pub(super) fn of_the_file(what: String) -> Self {
        Self {
            told: vec![Violation { seq: None, what }],
            total: 1,
        }
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for violation in &self.told {
            writeln!(f, "{violation}")?;
        }
        write!(f, "{} violations", self.total)
    }
}

impl std::error::Error for Violations {}

/// Collects violations while a line is gone through.
#[derive(Debug, Default)]
pub(super) struct Findings {
    told: Vec<Violation>,
    total: u64,
    /// The entry that is being looked at.
    seq: Option<u64>,
}

impl Findings {
    pub(super) fn look_at(&mut self, seq: u64) {
        self.seq = Some(seq);
    }

    pub(super) fn look_at_the_file(&mut self) {
        self.seq = None;
    }

    pub(super) fn tell(&mut self, what: impl Into<String>) {
        self.total = self.total.saturating_add(1);
        if self.told.len() < TOLD_MAX {
            let mut what = what.into();
            if let Some((end, _)) = what.char_indices().find(|(at, _)| *at >= WHAT_BYTES_MAX) {
                what.truncate(end);
                what.push_str("...");
            }
            let seq = self.seq;
            self.told.push(Violation { seq, what });
        }
    }

    /// Tells unless it is so.
    pub(super) fn expect(&mut self, is_so: bool, what: &str) {
        if !is_so {
            self.tell(what);
        }
    }

    /// Tells what is shown, and what should be, unless they are the same.
    pub(super) fn same<T: PartialEq + fmt::Debug>(&mut self, name: &str, shown: &T, right: &T) {
        if shown != right {
            let (shown, right) = (Told(shown), Told(right));
            self.tell(format!("{name} is {shown}, and should be {right}"));
        }
    }

    pub(super) fn into_result(self) -> Result<(), Violations> {
        if self.total == 0 {
            return Ok(());
        }
        Err(Violations {
            told: self.told,
            total: self.total,
        })
    }
}

/// A value without the shells that Rust puts around it.
struct Told<'a, T>(&'a T);

impl<T: fmt::Debug> fmt::Display for Told<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:?}", self.0);
        let mut inner = text.as_str();
        for shell in ["Some(", "Money("] {
            let stripped = inner.strip_prefix(shell);
            inner = stripped
                .and_then(|inner| inner.strip_suffix(')'))
                .unwrap_or(inner);
        }
        f.write_str(if inner == "None" { "absent" } else { inner })
    }
}
