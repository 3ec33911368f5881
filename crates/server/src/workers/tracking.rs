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
use serde::Deserialize;
use tokio::sync::Notify;

use super::consumer::{Consumer, Delivery, Hears, Outcome, Pace};
use super::events;

pub use super::purchases::TRACKING_QUEUE;

/// When the database was away, it is tried again after so long.
const AWAY: Duration = Duration::from_secs(2);
/// Bounds of what a purchase says, in characters.
const ID_MAX: usize = 128;
const NAME_MAX: usize = 254;

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
                self.effects.fold_parcels(events, self.engine.now()).await
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

#[derive(Deserialize)]
struct Kind {
    r#type: Option<String>,
}

fn read(delivery: &Delivery) -> Read {
    let read = match serde_json::from_str(&delivery.body) {
        Ok(Kind { r#type: Some(_) }) => order_event(&delivery.body),
        Ok(Kind { r#type: None }) => purchase(delivery).map(Some),
        Err(error) => Err(format!("the message is not a JSON object: {error}")),
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

/// What this consumer needs of a purchase; the rest of it is for others.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Purchase {
    id: PurchaseId,
    username: String,
    tracking_id: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum PurchaseId {
    Number(u64),
    Text(String),
}

fn purchase(delivery: &Delivery) -> Result<ParcelEvent, String> {
    let purchase: Purchase = serde_json::from_str(&delivery.body).map_err(|error| {
        format!("the message is neither an order's event nor a purchase: {error}")
    })?;
    let id = match purchase.id {
        PurchaseId::Number(number) => number.to_string(),
        PurchaseId::Text(text) => text,
    };
    let within = |text: &str, max: usize| (1..=max).contains(&text.chars().count());
    if !within(&id, ID_MAX) {
        return Err(format!("id must have 1 to {ID_MAX} characters"));
    }
    if !within(&purchase.username, NAME_MAX) {
        return Err(format!("username must have 1 to {NAME_MAX} characters"));
    }
    let tracking_id = purchase.tracking_id;
    if !within(&tracking_id, ID_MAX) || !tracking_id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!(
            "trackingId must have 1 to {ID_MAX} letters, digits or punctuation"
        ));
    }
    Ok(ParcelEvent::Purchased(PurchaseParcel {
        id,
        customer: purchase.username,
        tracking_id,
        at: delivery.sent_at,
    }))
}

#[cfg(test)]
#[path = "tracking/tests.rs"]
mod tests;
