//! What the topics `orders` and `customers.fifo` say: an order's event, with what a consumer
//! needs to know of the order, so that it asks nobody.

use commerce::{Currency, Millis, Money};
use serde::Deserialize;
use serde_json::error::Category;

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
        .map_err(|error| format!("the message is not an order's event: {}", unquoted(&error)))
}

/// What is wrong with JSON, and where, without the text that it was found at: that may be
/// somebody's address.
pub(super) fn unquoted(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let (line, column) = (error.line(), error.column());
    let what = match error.classify() {
        // Of words of the library's own, or of a field of ours.
        Category::Syntax | Category::Eof | Category::Io => return text,
        Category::Data if text.starts_with("missing field ") => return text,
        Category::Data => ["invalid type", "invalid length", "invalid value"]
            .into_iter()
            .find(|known| text.starts_with(known))
            .unwrap_or("a value is not valid"),
    };
    format!("{what} at line {line} column {column}")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workers::emails::told_by;
    use crate::workers::webhooks;

    #[test]
    fn what_is_said_of_a_message_quotes_nothing_of_it() {
        for body in [
            r#""ada@example.com""#,
            r#"{"seq":"ada@example.com"}"#,
            r#"{"type":"order.accepted","seq":1,"order":{"seq":"ada@example.com"}}"#,
            r#"{"type":"order.accepted","seq":1,"at":1,"data":{},"order":{"id":"o","seq":1,"customer":"c","sku":"S","quantity":1,"unitPrice":1,"currency":"ada@example.com"}}"#,
        ] {
            let reasons = [
                parse(body).unwrap_err(),
                webhooks::event(body.to_owned()).err().unwrap_or_default(),
                told_by(body).unwrap_or_default(),
            ];
            for reason in reasons {
                assert!(!reason.contains("ada"), "{reason}");
            }
        }
        let reason = parse(r#"{"type":"#).unwrap_err();
        assert!(
            reason.ends_with("EOF while parsing a value at line 1 column 8"),
            "{reason}"
        );
        let reason = parse(r#"{"type":"x"}"#).unwrap_err();
        assert!(reason.contains("missing field `seq`"), "{reason}");
    }
}
