//! Counts what customers have bought, and makes those VIP who reach the bound.
//!
//! A FIFO queue, one group a customer: their events come in the order in which the sale decided
//! them, so a cancellation after the hundredth unit comes too late and one before it does not.

use effects::Customers;
use effects::customers::UnitsFact;
use futures_util::future::BoxFuture;

use super::consumer::{Consumer, Delivery, Hears, Outcome, Pace};
use super::{events, outage};
use crate::traces;

pub(super) const QUEUE: &str = "vip.fifo";

pub(super) struct Vip {
    customers: Customers,
    /// Qualifying units that make a VIP.
    bound: u64,
}

impl Vip {
    pub(super) fn new(customers: Customers, bound: u64) -> Self {
        Self { customers, bound }
    }
}

/// What this message changes, if anything, or why it never will.
fn fact(delivery: &Delivery) -> Result<Option<UnitsFact>, String> {
    let event = events::parse(&delivery.body)?;
    let is_reversal = event.is_reversal();
    if !is_reversal && !event.is_accepted() {
        return Ok(None);
    }
    let quantity = u32::try_from(event.order.quantity)
        .map_err(|_| "quantity is more than an order can have".to_owned())?;
    Ok(Some(UnitsFact {
        order_seq: event.order.seq,
        customer: event.order.customer,
        quantity,
        is_reversal,
        seq: event.seq,
        at: event.at,
    }))
}

impl Consumer for Vip {
    fn name(&self) -> &'static str {
        "vip"
    }

    fn queue(&self) -> &'static str {
        QUEUE
    }

    fn hears(&self) -> &'static [Hears] {
        &[Hears {
            topic: engine::TOPIC_CUSTOMERS,
            types: &["order.accepted", "order.cancelled"],
        }]
    }

    fn pace(&self) -> Pace {
        Pace {
            batch_max: 100,
            ceiling: 2,
            ..Pace::default()
        }
    }

    fn handle<'a>(&'a self, batch: &'a [Delivery]) -> BoxFuture<'a, Vec<Outcome>> {
        Box::pin(async move {
            let read: Vec<_> = batch.iter().map(fact).collect();
            let facts = read.iter().flatten().flatten().cloned().collect();
            let counted = self.customers.count_units(facts, self.bound);
            let counted = traces::effect("count units", counted).await;
            outage::outcomes(batch, read, counted)
        })
    }
}

#[cfg(test)]
mod tests {
    use effects::customers::Tier;

    use super::super::testing::{Outage, cancelled, delivery, order};
    use super::*;

    #[tokio::test]
    async fn a_batch_that_comes_again_makes_nobody_vip_twice() {
        let (outage, customers) = Outage::begin();
        let vip = Vip::new(customers.clone(), 100);
        let batch = [
            delivery(&order(5, "order.accepted", "ada@a.kr", 10, 60)),
            delivery(&order(7, "order.placed", "ada@a.kr", 10, 60)),
            delivery("{}"),
            delivery(&cancelled(5, "accepted", "ada@a.kr", 10, 60)),
            delivery(&order(9, "order.accepted", "ada@a.kr", 10, 99)),
            delivery(&order(11, "order.accepted", "ada@a.kr", 10, 1)),
        ];
        let outcomes = vip.handle(&batch).await;
        assert!(matches!(&outcomes[0], Outcome::Wait { .. }), "{outcomes:?}");
        assert_eq!(outcomes[1], Outcome::Done);
        outage.end();
        for _ in 0..2 {
            let outcomes = vip.handle(&batch).await;
            for (at, outcome) in outcomes.iter().enumerate() {
                assert_eq!(*outcome == Outcome::Done, at != 2, "{outcome:?}");
            }
            let found = customers.customer("ada@a.kr").await.unwrap().unwrap();
            assert_eq!((found.tier, found.units), (Tier::Vip, 100));
        }
        assert_eq!(customers.untold_notices().await.unwrap().0, 1);
    }
}
