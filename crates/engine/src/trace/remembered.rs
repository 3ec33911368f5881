//! Which traces the newest entries come from, until the relay has told of them.

use std::collections::{HashMap, VecDeque};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{Trace, TraceContext};
use crate::entry::{Entry, Family};

/// Entries remembered; of one more the oldest is forgotten, and what tells of it later begins no
/// span.
pub(super) const ENTRIES_MAX: usize = 16_384;

/// Where an entry comes from.
pub(crate) struct Origin {
    /// The trace of the command that made it. What becomes of an order later, without a request
    /// that is traced, belongs to the trace of the order.
    pub(crate) trace: Trace,
    /// The trace of the order that it is about, when another request has made it.
    pub(crate) about: Option<TraceContext>,
}

/// By the entry's sequence. Only what is part of a trace is in it: nothing when nobody watches.
#[derive(Default)]
pub(crate) struct Remembered {
    is_used: AtomicBool,
    rows: Mutex<Rows>,
}

#[derive(Default)]
struct Rows {
    by_seq: HashMap<u64, Trace>,
    order: VecDeque<u64>,
}

impl Remembered {
    /// These entries are what a command of this trace was decided to.
    pub(crate) fn note(&self, seqs: RangeInclusive<u64>, trace: &Trace) {
        if seqs.is_empty() {
            return;
        }
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        for seq in seqs {
            if rows.by_seq.insert(seq, trace.clone()).is_none() {
                rows.order.push_back(seq);
            }
            if rows.order.len() > ENTRIES_MAX
                && let Some(oldest) = rows.order.pop_front()
            {
                rows.by_seq.remove(&oldest);
            }
        }
        self.is_used.store(true, Ordering::Release);
    }

    pub(crate) fn of(&self, entry: &Entry) -> Option<Origin> {
        self.by(entry.seq, entry.subject, entry.kind.family())
    }

    pub(super) fn by(&self, seq: u64, subject: u64, family: Family) -> Option<Origin> {
        if !self.is_used.load(Ordering::Acquire) {
            return None;
        }
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let own = rows.by_seq.get(&seq);
        let of_subject = rows.by_seq.get(&subject);
        let of_subject = of_subject.filter(|_| subject != seq && is_one_story(family));
        let Some(own) = own else {
            let trace = of_subject?.clone();
            return Some(Origin { trace, about: None });
        };
        let about = of_subject.and_then(|trace| trace.parents().first());
        Some(Origin {
            trace: own.clone(),
            about: about.cloned(),
        })
    }
}

/// Whether what happens to the subject later is still part of what its first request began. An
/// auction lives for days and has many bidders: there each request is for itself.
const fn is_one_story(family: Family) -> bool {
    match family {
        Family::Order | Family::Parcel | Family::Goods => true,
        Family::Auction | Family::Bid | Family::Operations => false,
    }
}
