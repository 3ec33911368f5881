//! Counts the units that each product has sold.

use std::sync::Arc;
use std::time::Duration;

use effects::{Effects, is_first};
use engine::ports::Clock;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::workers::consumer::{Consumer, Delivery, Hears, Outcome};
use crate::workers::events::{self, OrderEvent};

const NAME: &str = "sold-units";

/// Stands in a file of its own in `crates/effects/src`, with a line in `Effects::new`.
pub const SCHEMA: &str =
    "CREATE TABLE sold_units (sku TEXT PRIMARY KEY, units INTEGER NOT NULL) STRICT";

pub struct SoldUnits {
    pub effects: Effects,
    pub clock: Arc<dyn Clock>,
}

impl Consumer for SoldUnits {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Made at the start, with its dead-letter queue `sold-units-dlq`.
    fn queue(&self) -> &'static str {
        "sold-units"
    }

    fn hears(&self) -> &'static [Hears] {
        &[Hears {
            topic: "orders",
            types: &["order.accepted", "order.cancelled"],
        }]
    }

    fn handle<'a>(&'a self, batch: &'a [Delivery]) -> BoxFuture<'a, Vec<Outcome>> {
        async move {
            let mut outcomes = Vec::with_capacity(batch.len());
            for delivery in batch {
                outcomes.push(self.count(delivery).await);
            }
            outcomes
        }
        .boxed()
    }
}

impl SoldUnits {
    async fn count(&self, delivery: &Delivery) -> Outcome {
        let event = match events::parse(&delivery.body) {
            Ok(event) => event,
            // It will never be one, however often it comes.
            Err(reason) => return Outcome::never(reason),
        };
        let now = self.clock.now();
        let written = self.effects.0.write(move |transaction| {
            // The note and the effect are one transaction: a second time changes nothing.
            if !is_first(transaction, NAME, &event.seq.to_string(), now)? {
                return Ok(());
            }
            transaction
                .execute(
                    "INSERT INTO sold_units (sku, units) VALUES (?1, ?2)
                     ON CONFLICT (sku) DO UPDATE SET units = units + ?2",
                    (&event.order.sku, units(&event)),
                )
                .map(drop)
        });
        match written.await {
            Ok(()) => Outcome::Done,
            // The database is away: not the fault of this message.
            Err(error) => Outcome::Wait {
                after: Duration::from_secs(5),
                reason: error.to_string(),
            },
        }
    }
}

/// A sum, so the order of the events does not matter.
fn units(event: &OrderEvent) -> i64 {
    let units = i64::try_from(event.order.quantity).unwrap_or(i64::MAX);
    if event.is_reversal() {
        -units
    } else if event.is_accepted() {
        units
    } else {
        0
    }
}
