//! Look-ups as they are stored, in blocks of rows of one length.

use commerce::{CustomerHash, ProductId};
use engine::ports::Counted;
use engine::{Entry, OrderStatus};

use crate::bought::Bought;
use crate::lookups::half;

/// One look-up as stored: order 8, key half 8 (0 for none), customer 8, product 4, units 4;
/// little endian.
pub(super) const ROW_BYTES: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LookUp {
    pub(super) order: u64,
    pub(super) key: u64,
    pub(super) customer: CustomerHash,
    pub(super) product: ProductId,
    /// Units more (ordered) or fewer (given back) that the customer has.
    pub(super) delta: i32,
}

impl LookUp {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.order.to_le_bytes());
        out.extend_from_slice(&self.key.to_le_bytes());
        out.extend_from_slice(&self.customer.0.to_le_bytes());
        out.extend_from_slice(&self.product.0.to_le_bytes());
        out.extend_from_slice(&self.delta.to_le_bytes());
    }

    pub(super) fn read(bytes: &[u8]) -> Self {
        let word = |at: usize| {
            u64::from_le_bytes(bytes[at..at + 8].try_into().expect("a row has 32 bytes"))
        };
        let half =
            |at: usize| -> [u8; 4] { bytes[at..at + 4].try_into().expect("a row has 32 bytes") };
        Self {
            order: word(0),
            key: word(8),
            customer: CustomerHash(word(16)),
            product: ProductId(u32::from_le_bytes(half(24))),
            delta: i32::from_le_bytes(half(28)),
        }
    }

    /// What an entry means for the look-ups, if anything.
    pub(super) fn of(entry: &Entry) -> Option<Self> {
        let buyer = entry.buyer.as_ref()?;
        let first = entry.subject == entry.seq;
        let units = || {
            let quantity = entry.data().quantity.unwrap_or(0);
            i32::try_from(quantity).expect("an order is for a million units at most")
        };
        let delta = match entry.kind.order_status() {
            Some(OrderStatus::Pending | OrderStatus::Accepted) if first => units(),
            Some(OrderStatus::SoldOut | OrderStatus::Rejected | OrderStatus::Expired) if !first => {
                -units()
            }
            Some(OrderStatus::Cancelled) => -units(),
            Some(
                OrderStatus::Pending
                | OrderStatus::Accepted
                | OrderStatus::SoldOut
                | OrderStatus::Rejected
                | OrderStatus::Expired,
            )
            | None => 0,
        };
        let key = buyer.key.map_or(0, half);
        (key != 0 || delta != 0).then(|| Self {
            order: entry.subject,
            key,
            customer: CustomerHash::of(&buyer.customer),
            product: entry.line.product().unwrap_or(ProductId(0)),
            delta,
        })
    }
}

impl From<&Counted> for LookUp {
    fn from(counted: &Counted) -> Self {
        Self {
            order: counted.order,
            key: counted.key.map_or(0, half),
            customer: counted.customer,
            product: counted.product,
            delta: counted.delta,
        }
    }
}

pub(super) fn count(bought: &mut Bought, row: &LookUp) {
    if row.delta != 0 && bought.is_counted(row.product) {
        bought.add(row.product, row.customer, i64::from(row.delta));
    }
}

/// How many look-ups these rows are.
pub(super) fn look_ups_in(rows: &[u8]) -> usize {
    rows.len() / ROW_BYTES
}
