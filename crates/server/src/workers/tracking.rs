//! Product tracking: a parcel for each accepted order, and for each purchase that was made
//! elsewhere.
//!
//! The queue hears the events of orders, and takes purchases as a shop sends them:
//! `{id, username, price, mileageAccumulated, trackingId}`.

use std::sync::Arc;
use std::time::Duration;

use effects::Effects;
use effects::parcels::{Folded, OrderParcel, ParcelEvent, PurchaseParcel};
use engine::{Engine, TOPIC_ORDERS};
use futures_util::future::BoxFuture;
use tokio::sync::Notify;

use super::consumer::{Consumer, Delivery, Hears, Outcome, Pace};
use super::events;

use super::purchases::{Purchase, TRACKING_QUEUE, check_tracking_id};
use crate::traces;

/// When the database was away, it is tried again after so long.
const AWAY: Duration = Duration::from_secs(2);

pub struct Tracking {
    engine: Engine,
    effects: Effects,
    /// Whoever tells what became of parcels is told that there is something.
    news: Arc<Notify>,
}

impl Tracking {
    pub(super) fn new(engine: Engine, effects: Effects, news: Arc<Notify>) -> Self {
        Self {
            engine,
            effects,
            news,
        }
    }
}

impl Consumer for Tracking {
    fn name(&self) -> &'static str {
        "product-tracking"
    }

    fn queue(&self) -> &'static str {
        TRACKING_QUEUE
    }

    fn hears(&self) -> &'static [Hears] {
        &[Hears {
            topic: TOPIC_ORDERS,
            types: &["order.accepted", "order.cancelled"],
        }]
    }

    fn pace(&self) -> Pace {
        Pace {
            batch_max: 100,
            ..Pace::default()
        }
    }

    fn handle<'a>(&'a self, batch: &'a [Delivery]) -> BoxFuture<'a, Vec<Outcome>> {
        Box::pin(async move {
            let read: Vec<Read> = batch.iter().map(read).collect();
            let events: Vec<ParcelEvent> = read.iter().filter_map(Read::event).collect();
            let folded = if events.is_empty() {
                Ok(Vec::new())
            } else {
                let folded = self.effects.fold_parcels(events, self.engine.now());
                traces::effect("move parcels", folded).await
            };
            let mut folded = match folded {
                Ok(folded) => {
                    self.news.notify_one();
                    folded.into_iter().map(outcome).collect::<Vec<_>>()
                }
                Err(error) => {
                    let wait = Outcome::Wait {
                        after: AWAY,
                        reason: error.to_string(),
                    };
                    vec![wait; batch.len()]
                }
            }
            .into_iter();
            read.into_iter()
                .map(|read| match read {
                    Read::Event(_) => folded.next().expect("one outcome for each event"),
                    Read::Nothing => Outcome::Done,
                    Read::Poison(reason) => Outcome::never(reason),
                })
                .collect()
        })
    }
}

fn outcome(folded: Folded) -> Outcome {
    match folded {
        Folded::Changed | Folded::Known => Outcome::Done,
        Folded::Contradicts(reason) => Outcome::never(reason),
    }
}

/// What a message says.
enum Read {
    Event(Box<ParcelEvent>),
    /// It is of an order that never had a parcel.
    Nothing,
    Poison(String),
}

impl Read {
    fn event(&self) -> Option<ParcelEvent> {
        match self {
            Self::Event(event) => Some((**event).clone()),
            Self::Nothing | Self::Poison(_) => None,
        }
    }
}

fn read(delivery: &Delivery) -> Read {
    let read = match Purchase::parse(&delivery.body) {
        Ok(Some(purchase)) => bought(purchase, delivery).map(Some),
        Ok(None) => order_event(&delivery.body),
        Err(reason) => Err(reason),
    };
    match read {
        Ok(Some(event)) => Read::Event(Box::new(event)),
        Ok(None) => Read::Nothing,
        Err(reason) => Read::Poison(reason),
    }
}

fn order_event(body: &str) -> Result<Option<ParcelEvent>, String> {
    let event = events::parse(body)?;
    if event.is_reversal() {
        let order = event.order.seq;
        return Ok(Some(ParcelEvent::Cancelled(order, event.seq, event.at)));
    }
    if !event.is_accepted() {
        return Ok(None);
    }
    let parcel = OrderParcel {
        order_id: event.order.id,
        order_seq: event.order.seq,
        customer: event.order.customer,
        sku: event.order.sku,
        quantity: event.order.quantity,
    };
    Ok(Some(ParcelEvent::Accepted(parcel, event.seq, event.at)))
}

fn bought(purchase: Purchase, delivery: &Delivery) -> Result<ParcelEvent, String> {
    check_tracking_id(&purchase.tracking_id).map_err(|what| format!("trackingId {what}"))?;
    Ok(ParcelEvent::Purchased(PurchaseParcel {
        id: purchase.id,
        customer: purchase.username,
        tracking_id: purchase.tracking_id,
        at: delivery.sent_at,
    }))
}

#[cfg(test)]
#[path = "tracking/tests.rs"]
mod tests;
