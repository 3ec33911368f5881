//! Units of one product, and the sums that must always hold.

use serde::{Deserialize, Serialize};

use crate::text::Invalid;

/// The most units that one delivery may bring, or a product start with.
pub const STOCK_MAX: u64 = 1_000_000_000;

/// How many units somebody asks for: 1 to 1,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Quantity(u32);

impl Quantity {
    pub const MAX: u32 = 1_000_000;

    pub fn new(units: u32) -> Result<Self, Invalid> {
        if (1..=Self::MAX).contains(&units) {
            Ok(Self(units))
        } else {
            Err(Invalid::new(format!("must be 1 to {}", Self::MAX)))
        }
    }

    pub const fn units(self) -> u64 {
        self.0 as u64
    }

    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Quantity {
    type Error = Invalid;
    fn try_from(units: u32) -> Result<Self, Invalid> {
        Self::new(units)
    }
}

impl From<Quantity> for u32 {
    fn from(quantity: Quantity) -> Self {
        quantity.0
    }
}

/// The stock of one product. Unsigned, and every subtraction is checked: nothing is ever
/// negative (rule 1), and what is promised never exceeds what is there (rule 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stock {
    pub on_hand: u64,
    pub reserved: u64,
    pub allocated: u64,
    /// All that ever arrived, the first stock included.
    pub received: u64,
}

impl Stock {
    pub fn available(&self) -> u64 {
        self.on_hand
            .checked_sub(self.reserved)
            .and_then(|free| free.checked_sub(self.allocated))
            .expect("reserved and allocated units are on hand")
    }

    pub(crate) fn receive(&mut self, units: u64) {
        self.on_hand = self.on_hand.checked_add(units).expect("bounded receipts");
        self.received = self.received.checked_add(units).expect("bounded receipts");
        self.check();
    }

    pub(crate) fn allocate(&mut self, units: u64) {
        assert!(units <= self.available(), "sold more than is available");
        self.allocated += units;
        self.check();
    }

    pub(crate) fn release(&mut self, units: u64) {
        self.allocated = self
            .allocated
            .checked_sub(units)
            .expect("released units were allocated");
        self.check();
    }

    fn check(&self) {
        assert!(self.reserved <= self.on_hand, "reserved what is not there");
        assert!(self.allocated <= self.on_hand, "promised what is not there");
        assert!(self.on_hand <= self.received, "have what never arrived");
    }
}

/// What a decision leaves behind, in the compact form that events store:
/// `[onHand, reserved, allocated, waiting, waitingUnits, lastPlace]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[u64; 6]", into = "[u64; 6]")]
pub struct StockLevels {
    pub on_hand: u64,
    pub reserved: u64,
    pub allocated: u64,
    pub waiting: u64,
    pub waiting_units: u64,
    pub last_place: u64,
}

impl StockLevels {
    pub fn available(&self) -> u64 {
        self.on_hand
            .saturating_sub(self.reserved)
            .saturating_sub(self.allocated)
    }
}

impl From<[u64; 6]> for StockLevels {
    fn from(v: [u64; 6]) -> Self {
        Self {
            on_hand: v[0],
            reserved: v[1],
            allocated: v[2],
            waiting: v[3],
            waiting_units: v[4],
            last_place: v[5],
        }
    }
}

impl From<StockLevels> for [u64; 6] {
    fn from(s: StockLevels) -> Self {
        [
            s.on_hand,
            s.reserved,
            s.allocated,
            s.waiting,
            s.waiting_units,
            s.last_place,
        ]
    }
}
