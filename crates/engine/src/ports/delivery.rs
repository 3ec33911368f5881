//! What waits for subscribers that are no queues.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The queue in which messages for subscribers that are no queues wait for their worker.
pub const DELIVERIES_QUEUE: &str = "sns-deliveries";

/// A message of [`DELIVERIES_QUEUE`], as JSON in its body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// The subscription's id.
    pub subscription: String,
    pub topic: String,
    pub message_id: String,
    pub kind: DeliveryKind,
    pub raw: bool,
    /// As it goes out: with its envelope unless it is raw.
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, messaging::Attribute>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryKind {
    Notification,
    /// Asks the endpoint to confirm; what follows is decided by its answer.
    SubscriptionConfirmation,
    UnsubscribeConfirmation,
}
