//! Purchases made elsewhere, in the form of the hand-made system: one message to two queues.
//!
//! Both queues hear the topic `purchases`, so a publication is one commit and reaches both or
//! neither. The consumers are the shop's own or written by others; the message is the same.

use commerce::Money;
use effects::customers::{CUSTOMER_BYTES_MAX, fold};
use engine::{OwnSubscription, QueueSpec};
use messaging::{QueueConfig, RedrivePolicy};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::consumers::dead_letter_queue;
use super::events::unquoted;

pub const TOPIC_PURCHASES: &str = "purchases";
pub const MILEAGE_QUEUE: &str = "mileage";
pub const TRACKING_QUEUE: &str = "product-tracking";
/// What its consumer does not live through so often is set aside.
const RECEIVES_MAX: u32 = 10;
/// The longest id and tracking id, in characters.
pub const ID_CHARACTERS_MAX: usize = 128;

/// The message as it is sent: the hand-made system's fields, each as it came. Whoever sends it
/// past this server may have added others.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PurchaseMessage {
    pub id: Value,
    pub username: String,
    pub price: Value,
    /// What its sender believes the customer to have. Kept for other consumers; ours counts
    /// itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mileage_accumulated: Option<Value>,
    pub tracking_id: Value,
}

/// A message that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purchase {
    /// A number and the text of its digits are the same id.
    pub id: String,
    /// Folded.
    pub username: String,
    pub price: Money,
    pub tracking_id: String,
}

/// The field at fault, and why.
pub type Fault = (&'static str, String);

impl PurchaseMessage {
    /// # Errors
    /// Names the field and the bound.
    pub fn check(&self) -> Result<Purchase, Fault> {
        let username = fold(&self.username);
        if username.trim().is_empty() || username.len() > CUSTOMER_BYTES_MAX {
            let what = format!("must have 1 to {CUSTOMER_BYTES_MAX} bytes and not be blank");
            return Err(("username", what));
        }
        if username.chars().any(char::is_control) {
            return Err(("username", "must not contain control characters".to_owned()));
        }
        if let Some(value) = &self.mileage_accumulated {
            amount("mileageAccumulated", value)?;
        }
        Ok(Purchase {
            id: id("id", &self.id)?,
            username,
            price: amount("price", &self.price)?,
            tracking_id: id("trackingId", &self.tracking_id)?,
        })
    }
}

/// Whether a parcel can have this tracking id: it stands in paths and on labels.
///
/// # Errors
/// The bound.
pub fn check_tracking_id(text: &str) -> Result<(), &'static str> {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err("must be letters, digits and punctuation of ASCII")
    }
}

impl Purchase {
    /// None when the message is something else, an event.
    ///
    /// # Errors
    /// Why it is neither.
    pub(super) fn parse(body: &str) -> Result<Option<Self>, String> {
        #[derive(Deserialize)]
        struct Shape {
            #[serde(default)]
            username: Option<serde::de::IgnoredAny>,
        }
        let shape: Shape = serde_json::from_str(body).map_err(|error| {
            let what = unquoted(&error);
            format!("the message is neither an event nor a purchase: {what}")
        })?;
        if shape.username.is_none() {
            return Ok(None);
        }
        let message: PurchaseMessage = serde_json::from_str(body)
            .map_err(|error| format!("the message is not a purchase: {}", unquoted(&error)))?;
        let checked = message.check();
        checked
            .map(Some)
            .map_err(|(field, what)| format!("{field} {what}"))
    }
}

/// A text of 1 to 128 characters, or a whole number.
fn id(field: &'static str, value: &Value) -> Result<String, Fault> {
    let text = match value {
        Value::Number(number) if number.is_u64() || number.is_i64() => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return Err((field, "must be a text or a whole number".to_owned())),
    };
    if !(1..=ID_CHARACTERS_MAX).contains(&text.chars().count()) {
        let what = format!("must have 1 to {ID_CHARACTERS_MAX} characters");
        return Err((field, what));
    }
    if text.chars().any(char::is_control) {
        return Err((field, "must not contain control characters".to_owned()));
    }
    Ok(text)
}

/// A whole number, or the text of one.
fn amount(field: &'static str, value: &Value) -> Result<Money, Fault> {
    let number = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    let bound = || format!("must be a whole number from 0 to {}", commerce::PRICE_MAX);
    number
        .and_then(|number| Money::new(number).ok())
        .ok_or_else(|| (field, bound()))
}

/// Adds what must be there whoever consumes: both queues, and that they hear of purchases.
pub(super) fn own(queues: &mut Vec<QueueSpec>, subscriptions: &mut Vec<OwnSubscription>) {
    for queue in [MILEAGE_QUEUE, TRACKING_QUEUE] {
        if !queues.iter().any(|spec| spec.name == queue) {
            let dead_letter_queue = dead_letter_queue(queue);
            queues.push(spec(&dead_letter_queue, None));
            let redrive = RedrivePolicy {
                dead_letter_queue,
                max_receive_count: RECEIVES_MAX,
            };
            queues.push(spec(queue, Some(redrive)));
        }
        let subscription = OwnSubscription::from((TOPIC_PURCHASES, queue));
        if !subscriptions.contains(&subscription) {
            subscriptions.push(subscription);
        }
    }
}

fn spec(name: &str, redrive: Option<RedrivePolicy>) -> QueueSpec {
    QueueSpec {
        name: name.to_owned(),
        config: QueueConfig {
            redrive,
            retention_s: super::DLQ_RETENTION_S,
            ..QueueConfig::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purchase_is_read_as_systems_write_it() {
        let body = r#"{"id":7,"username":"Kim","price":"19900","mileageAccumulated":398,"trackingId":"T-1"}"#;
        let purchase = Purchase::parse(body).unwrap().unwrap();
        let expected = Purchase {
            id: "7".to_owned(),
            username: "kim".to_owned(),
            price: Money::new(19_900).unwrap(),
            tracking_id: "T-1".to_owned(),
        };
        assert_eq!(purchase, expected);
        assert_eq!(Purchase::parse(r#"{"type":"order.accepted"}"#), Ok(None));
    }

    #[test]
    fn the_reason_of_a_dead_letter_names_nobody() {
        for body in [
            r#""ada@example.com""#,
            r#"{"username":{"x":"ada@example.com"},"id":1,"price":1,"trackingId":1}"#,
            r#"{"username":"ada@example.com","id":1,"price":"ada@example.com","trackingId":1}"#,
            r#"{"username":"ada@example.com","id":1}"#,
        ] {
            let reason = Purchase::parse(body).unwrap_err();
            assert!(!reason.contains("ada"), "{reason}");
        }
    }

    #[test]
    fn a_wrong_purchase_is_refused_with_its_field() {
        let long = "x".repeat(129);
        for (fields, field) in [
            (r#"{"id":1.5}"#.to_owned(), "id"),
            (r#"{"id":""}"#.to_owned(), "id"),
            (format!(r#"{{"id":"{long}"}}"#), "id"),
            (r#"{"username":" "}"#.to_owned(), "username"),
            (r#"{"username":"a\u0000b"}"#.to_owned(), "username"),
            (format!(r#"{{"username":"{long}{long}"}}"#), "username"),
            (r#"{"price":-1}"#.to_owned(), "price"),
            (r#"{"price":1.5}"#.to_owned(), "price"),
            (r#"{"price":"1e3"}"#.to_owned(), "price"),
            (r#"{"price":""}"#.to_owned(), "price"),
            (r#"{"price":1000000000000001}"#.to_owned(), "price"),
            (
                r#"{"mileageAccumulated":true}"#.to_owned(),
                "mileageAccumulated",
            ),
            (r#"{"trackingId":null}"#.to_owned(), "trackingId"),
        ] {
            let mut message = serde_json::json!({
                "id": 1, "username": "kim", "price": 1, "trackingId": "t",
            });
            let fields: Value = serde_json::from_str(&fields).unwrap();
            for (name, value) in fields.as_object().unwrap() {
                message[name] = value.clone();
            }
            let message: PurchaseMessage = serde_json::from_value(message).unwrap();
            assert_eq!(message.check().unwrap_err().0, field, "{fields}");
        }
    }
}
