//! What the topics `orders` and `customers.fifo` say: an order's event, with what a consumer
//! needs to know of the order, so that it asks nobody.

use commerce::{Currency, Millis, Money};
use serde::Deserialize;

/// `{"type", "seq", "at", "data": {...}, "order": {...}}`, one for each entry about an order.
#[derive(Debug, Clone, Deserialize)]
pub struct OrderEvent {
    /// `order.accepted`, `order.cancelled`, `order.sold_out`, `order.placed`.
    pub r#type: String,
    /// The entry's sequence: the event's id, larger for a later event.
    pub seq: u64,
    pub at: Millis,
    pub data: OrderData,
    pub order: OrderFacts,
}

#[derive(Debug, Clone, Deserialize)]
pub struct OrderData {
    /// Of a cancellation: the status before it. Only what was `accepted` had effects.
    #[serde(default)]
    pub was: Option<String>,
}

/// The same in every event about one order.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderFacts {
    /// `ord_...`: whoever has it may read and cancel the order.
    pub id: String,
    /// The order's first entry: short, and says nothing to a stranger.
    pub seq: u64,
    /// The e-mail address, folded.
    pub customer: String,
    pub sku: String,
    pub quantity: u64,
    /// Of one unit, in minor units of the currency.
    pub unit_price: Money,
    pub currency: Currency,
}

/// Why a message is not such an event.
pub fn parse(body: &str) -> Result<OrderEvent, String> {
    serde_json::from_str(body)
        .map_err(|error| format!("the message is not an order's event: {error}"))
}

impl OrderEvent {
    /// It adds to what follows from an order.
    pub fn is_accepted(&self) -> bool {
        self.r#type == engine::Kind::OrderAccepted.as_str()
    }

    /// It takes back what followed from an order.
    pub fn is_reversal(&self) -> bool {
        self.r#type == engine::Kind::OrderCancelled.as_str()
            && self.data.was.as_deref() == Some(engine::OrderStatus::Accepted.as_str())
    }
}
