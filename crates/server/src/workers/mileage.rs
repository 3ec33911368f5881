//! Gives points for what was bought, and takes them back for what was cancelled.
//!
//! The queue is a standard one: its messages come in any order and sometimes twice. Each names
//! its cause, which counts once (see `effects::customers`). A batch is one transaction.

use effects::Customers;
use effects::customers::{MileageFact, MileageWhat, points};
use futures_util::future::BoxFuture;

use super::consumer::{Consumer, Delivery, Hears, Outcome, Pace};
use super::events::{self, OrderEvent};
use super::outage;
use super::purchases::{MILEAGE_QUEUE, Purchase, TOPIC_PURCHASES};
use crate::traces;

pub(super) struct Mileage {
    customers: Customers,
    basis_points: u32,
}

impl Mileage {
    pub(super) fn new(customers: Customers, basis_points: u32) -> Self {
        Self {
            customers,
            basis_points,
        }
    }

    /// What this message changes, if anything, or why it never will.
    fn fact(&self, delivery: &Delivery) -> Result<Option<MileageFact>, String> {
        if let Some(purchase) = Purchase::parse(&delivery.body)? {
            let points = self.points(purchase.price, 1)?;
            return Ok(Some(MileageFact {
                customer: purchase.username,
                at: delivery.sent_at,
                what: MileageWhat::Purchase {
                    id: purchase.id,
                    points,
                },
            }));
        }
        let event = events::parse(&delivery.body)?;
        let order_seq = event.order.seq;
        let what = if event.is_accepted() {
            let points = self.points(event.order.unit_price, event.order.quantity)?;
            MileageWhat::Accepted { order_seq, points }
        } else if event.is_reversal() {
            MileageWhat::Cancelled { order_seq }
        } else {
            return Ok(None);
        };
        let OrderEvent { order, at, .. } = event;
        let customer = order.customer;
        Ok(Some(MileageFact { customer, at, what }))
    }

    fn points(&self, price: commerce::Money, quantity: u64) -> Result<i64, String> {
        points(price, quantity, self.basis_points)
            .ok_or_else(|| "it is worth more points than a balance can hold".to_owned())
    }
}

impl Consumer for Mileage {
    fn name(&self) -> &'static str {
        "mileage"
    }

    fn queue(&self) -> &'static str {
        MILEAGE_QUEUE
    }

    fn hears(&self) -> &'static [Hears] {
        &[
            Hears {
                topic: engine::TOPIC_ORDERS,
                types: &["order.accepted", "order.cancelled"],
            },
            Hears {
                topic: TOPIC_PURCHASES,
                types: &[],
            },
        ]
    }

    fn pace(&self) -> Pace {
        Pace {
            batch_max: 100,
            // They take turns at one database: more of them wait for each other.
            ceiling: 2,
            ..Pace::default()
        }
    }

    fn handle<'a>(&'a self, batch: &'a [Delivery]) -> BoxFuture<'a, Vec<Outcome>> {
        Box::pin(async move {
            let read: Vec<_> = batch.iter().map(|delivery| self.fact(delivery)).collect();
            let facts = read.iter().flatten().flatten().cloned().collect();
            let counted = self.customers.count_mileage(facts);
            let counted = traces::effect("count mileage", counted).await;
            outage::outcomes(batch, read, counted)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Outage, cancelled, delivery, order};
    use super::*;

    async fn balance(customers: &Customers, name: &str) -> Option<i64> {
        customers
            .customer(name)
            .await
            .unwrap()
            .map(|found| found.mileage)
    }

    #[tokio::test]
    async fn two_percent_of_an_order_and_of_a_purchase() {
        let (_directory, customers) = Outage::none();
        let mileage = Mileage::new(customers.clone(), 200);
        let purchase = r#"{"id":1,"username":"ada@a.kr","price":"1000","mileageAccumulated":0,"trackingId":"T"}"#;
        let batch = [
            delivery(&order(5, "order.accepted", "ada@a.kr", 19_900, 3)),
            delivery(purchase),
            delivery(purchase),
            delivery(&order(5, "order.accepted", "ada@a.kr", 19_900, 3)),
            // It was waiting when it was cancelled: nothing had been given.
            delivery(&cancelled(6, "pending", "ada@a.kr", 100, 1)),
        ];
        assert_eq!(mileage.handle(&batch).await, vec![Outcome::Done; 5]);
        assert_eq!(balance(&customers, "ada@a.kr").await, Some(1_194 + 20));
        let batch = [delivery(&cancelled(5, "accepted", "ada@a.kr", 19_900, 3))];
        // Another setting by now.
        let mileage = Mileage::new(customers.clone(), 500);
        assert_eq!(mileage.handle(&batch).await, vec![Outcome::Done]);
        assert_eq!(balance(&customers, "ada@a.kr").await, Some(20));
    }

    #[tokio::test]
    async fn poison_in_a_batch_harms_nobody_else() {
        let (_directory, customers) = Outage::none();
        let mileage = Mileage::new(customers.clone(), 10_000);
        let batch = [
            delivery("not JSON"),
            delivery(r#"{"id":"x","username":"","price":1,"trackingId":"t"}"#),
            delivery(r#"{"id":"x","username":"kim","price":-1,"trackingId":"t"}"#),
            delivery(r#"{"id":"y","username":"kim","price":7,"trackingId":"t"}"#),
            delivery(&order(5, "order.accepted", "kim", 1_000_000_000_000_000, 2)),
        ];
        let outcomes = mileage.handle(&batch).await;
        for (at, outcome) in outcomes.iter().enumerate() {
            let is_done = *outcome == Outcome::Done;
            assert_eq!(is_done, at == 3, "{outcome:?}");
            assert!(
                is_done || matches!(outcome, Outcome::Never { .. }),
                "{outcome:?}"
            );
        }
        assert_eq!(balance(&customers, "kim").await, Some(7));
    }

    #[tokio::test]
    async fn while_the_database_is_away_everything_waits_and_poison_does_not() {
        let (outage, customers) = Outage::begin();
        let mileage = Mileage::new(customers.clone(), 200);
        let batch = [
            delivery(&order(5, "order.accepted", "ada@a.kr", 100, 1)),
            delivery("not JSON"),
        ];
        for _ in 0..3 {
            let outcomes = mileage.handle(&batch).await;
            assert!(matches!(&outcomes[0], Outcome::Wait { .. }), "{outcomes:?}");
            assert!(
                matches!(&outcomes[1], Outcome::Never { .. }),
                "{outcomes:?}"
            );
        }
        outage.end();
        assert_eq!(mileage.handle(&batch).await[0], Outcome::Done);
        assert_eq!(balance(&customers, "ada@a.kr").await, Some(2));
    }
}
