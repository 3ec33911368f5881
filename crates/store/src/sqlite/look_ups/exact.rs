//! How many sealed keys single customers hold, exactly: for those who are near the limit.
//!
//! What is remembered of a customer is a number for each block, and stays right as blocks come and
//! go. Only the block in which the oldest live order lies is counted again, when that moved on.
//! When more is remembered than there is room for, all of it is forgotten and read again as needed.

use std::collections::{HashMap, VecDeque};

use engine::ports::StoreError;
use rusqlite::Connection;

use super::pages::{HOLDERS, Pair};

/// A block and the orders it has keys of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) block: u64,
    pub(super) first: u64,
    pub(super) last: u64,
}

#[derive(Default)]
struct Counts {
    /// Oldest block first; those in which the customer has none may be missing.
    blocks: VecDeque<(Span, u32)>,
    /// How many of the oldest block are left from this order on.
    left: Option<(u64, u32)>,
}

pub(super) struct Exact {
    customers: HashMap<u64, Counts>,
    /// Numbers remembered, and how many there may be.
    len: usize,
    max: usize,
}

impl Exact {
    pub(super) fn new(max: usize) -> Self {
        Self {
            customers: HashMap::new(),
            len: 0,
            max,
        }
    }

    pub(super) fn knows(&self, customer: u64) -> bool {
        self.customers.contains_key(&customer)
    }

    /// Oldest block first.
    pub(super) fn remember(&mut self, customer: u64, counts: Vec<(Span, u32)>) {
        self.make_room(counts.len() + 1);
        self.len += counts.len();
        let blocks = counts.into();
        let left = None;
        self.customers.insert(customer, Counts { blocks, left });
    }

    fn make_room(&mut self, coming: usize) {
        // A customer counts too, whatever is known of them.
        if self.len + self.customers.len() + coming > self.max {
            self.customers.clear();
            self.len = 0;
        }
    }

    /// A block more, with its orders by customer.
    pub(super) fn add(&mut self, span: Span, holders: &[Pair]) {
        if self.customers.is_empty() {
            return;
        }
        self.make_room(self.customers.len());
        for orders in holders.chunk_by(|one, next| one.0 == next.0) {
            if let Some(counts) = self.customers.get_mut(&orders[0].0) {
                let count = u32::try_from(orders.len()).expect("a block has fewer rows");
                counts.blocks.push_back((span, count));
                self.len += 1;
            }
        }
    }

    /// How many keys this customer has from this order on. Only for those who are known.
    pub(super) fn of(
        &mut self,
        connection: &Connection,
        customer: u64,
        live_from: u64,
    ) -> Result<u32, StoreError> {
        let Some(counts) = self.customers.get_mut(&customer) else {
            return Err(StoreError::text("a customer who is counted was not read"));
        };
        while counts
            .blocks
            .front()
            .is_some_and(|(span, _)| span.last < live_from)
        {
            counts.blocks.pop_front();
            self.len -= 1;
        }
        let mut total: u32 = counts.blocks.iter().map(|(_, count)| count).sum();
        if let Some((oldest, count)) = counts.blocks.front()
            && oldest.first < live_from
        {
            let left = match counts.left {
                Some((from, left)) if from == live_from => left,
                Some(_) | None => {
                    let mut left = 0;
                    HOLDERS.find(connection, oldest.block, customer, |order| {
                        left += u32::from(order >= live_from);
                    })?;
                    counts.left = Some((live_from, left));
                    left
                }
            };
            total = total - count + left;
        }
        Ok(total)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.len + self.customers.len()
    }
}
