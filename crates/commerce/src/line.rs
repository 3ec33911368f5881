//! One product's line: who gets what, in the order of arrival.
//!
//! What always holds here (rules 1 to 4 of the design):
//! - places are 1, 2, 3 ... in the order of the calls;
//! - no unit is promised twice, and none is withheld while the head of the line can have it;
//! - an order is all or nothing, and in a line that waits the head blocks those behind it.
//!
//! A line is loaded with its product and the *first* of its waiting orders, as many as a batch
//! may decide; `product.waiting` says how many there are in all.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::Millis;
use crate::customer::Email;
use crate::product::{Product, WhenSoldOut};
use crate::stock::Quantity;

/// The most waiting orders that one call decides. What is left is decided by the next call,
/// before anything else of that line, so the bound is never visible as an order of verdicts.
pub const DRAIN_MAX: usize = 1_000;

/// An order that has its place and no verdict yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub place: u64,
    /// The sequence in the order's id.
    pub order: u64,
    pub quantity: Quantity,
    pub customer: Arc<str>,
}

/// A product and the head of its line.
#[derive(Debug, Clone)]
pub struct Line {
    pub product: Product,
    /// The first waiting orders in place order: all of them, or as many as were asked for.
    pub waiting: VecDeque<Waiting>,
}

/// An order at the door.
#[derive(Debug, Clone)]
pub struct Admission {
    /// The sequence that the order's id will carry.
    pub order: u64,
    pub quantity: Quantity,
    pub customer: Email,
    /// Units this customer has already, accepted or waiting. Only looked at when the product
    /// has a purchase limit.
    pub bought: u64,
    /// Give it a place now and its verdict afterwards.
    pub defer: bool,
}

/// What became of an admitted order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    Accepted { place: u64 },
    SoldOut { place: u64 },
    Pending { place: u64 },
}

impl Admitted {
    pub fn place(self) -> u64 {
        match self {
            Self::Accepted { place } | Self::SoldOut { place } | Self::Pending { place } => place,
        }
    }
}

/// Why an order was turned away at the door: it has no place, and nothing is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    NotOpenYet { opens_at: Millis },
    PurchaseLimit { limit: u32, bought: u64 },
}

/// The verdict on an order that waited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub order: Waiting,
    pub accepted: bool,
}

impl Line {
    pub fn new(product: Product, waiting: VecDeque<Waiting>) -> Self {
        let line = Self { product, waiting };
        line.check();
        line
    }

    /// Takes an order in. Refusals come first, in this order: not open yet, purchase limit.
    pub fn admit(&mut self, admission: &Admission, now: Millis) -> Result<Admitted, Refusal> {
        if let Some(opens_at) = self.product.opens_at
            && now < opens_at
        {
            return Err(Refusal::NotOpenYet { opens_at });
        }
        let units = admission.quantity.units();
        if let Some(limit) = self.product.purchase_limit
            && admission.bought + units > u64::from(limit)
        {
            return Err(Refusal::PurchaseLimit {
                limit,
                bought: admission.bought,
            });
        }
        let place = self.product.last_place + 1;
        self.product.last_place = place;
        let undecided_before = self.product.waiting > 0;
        let fits = units <= self.product.stock.available();
        let outcome = if admission.defer || undecided_before {
            self.enqueue(admission, place);
            Admitted::Pending { place }
        } else if fits {
            self.product.stock.allocate(units);
            Admitted::Accepted { place }
        } else {
            match self.product.when_sold_out {
                WhenSoldOut::Reject => Admitted::SoldOut { place },
                WhenSoldOut::Wait => {
                    self.enqueue(admission, place);
                    Admitted::Pending { place }
                }
            }
        };
        self.check();
        Ok(outcome)
    }

    fn enqueue(&mut self, admission: &Admission, place: u64) {
        // Only a head that is loaded whole may be appended to; otherwise the store has the
        // orders in between.
        if self.waiting.len() as u64 == self.product.waiting {
            self.waiting.push_back(Waiting {
                place,
                order: admission.order,
                quantity: admission.quantity,
                customer: admission.customer.shared(),
            });
        }
        self.product.waiting += 1;
        self.product.waiting_units += admission.quantity.units();
    }

    /// The verdict on the order at the head, if it can have one now.
    pub fn decide_head(&mut self) -> Option<Verdict> {
        let head = self.waiting.front()?;
        let units = head.quantity.units();
        let accepted = units <= self.product.stock.available();
        if !accepted && self.product.when_sold_out == WhenSoldOut::Wait {
            return None;
        }
        let order = self.waiting.pop_front().expect("looked at just above");
        self.product.waiting -= 1;
        self.product.waiting_units -= units;
        if accepted {
            self.product.stock.allocate(units);
        }
        self.check();
        Some(Verdict { order, accepted })
    }

    /// Whether the head could have a verdict if it were loaded.
    pub fn needs_draining(&self) -> bool {
        if self.product.waiting == 0 {
            return false;
        }
        match self.waiting.front() {
            None => true,
            Some(head) => {
                self.product.when_sold_out == WhenSoldOut::Reject
                    || head.quantity.units() <= self.product.stock.available()
            }
        }
    }

    /// Before units come or somebody leaves: whoever cannot be granted now has to wait for stock, and
    /// those who come later and find enough do not.
    fn note_who_waits(&mut self) {
        if self.product.waiting > 0 && !self.needs_draining() {
            self.product.grants.waited_to = self.product.last_place;
        }
    }

    /// Goods arrived.
    pub fn receive(&mut self, units: u64) {
        self.note_who_waits();
        self.product.stock.receive(units);
        self.check();
    }

    /// An accepted order gives its units back.
    pub fn cancel_accepted(&mut self, quantity: Quantity) {
        self.note_who_waits();
        self.product.stock.release(quantity.units());
        self.check();
    }

    /// A waiting order leaves the line.
    pub fn cancel_waiting(&mut self, order: u64, quantity: Quantity) {
        self.note_who_waits();
        self.product.waiting = self
            .product
            .waiting
            .checked_sub(1)
            .expect("an order that waits is counted");
        self.product.waiting_units = self
            .product
            .waiting_units
            .checked_sub(quantity.units())
            .expect("an order that waits is counted");
        self.waiting.retain(|waiting| waiting.order != order);
        self.check();
    }

    /// Whether the order with this place had to wait for stock, and not only for its verdict.
    pub fn waited_for_stock(&self, place: u64) -> bool {
        place <= self.product.grants.waited_to
    }

    /// Units were granted to orders that waited for stock: the measured rate follows.
    pub fn granted(&mut self, units: u64, now: Millis) {
        self.product.grants.add(units, now);
    }

    fn check(&self) {
        assert!(
            self.waiting.len() as u64 <= self.product.waiting,
            "more orders loaded than wait"
        );
        assert!(
            self.product.waiting <= self.product.last_place,
            "an order waits without a place"
        );
    }
}

#[cfg(test)]
mod tests;
