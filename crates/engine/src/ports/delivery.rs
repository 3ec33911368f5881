//! What waits for those who hear a topic: for subscribers that are no queues, and for more
//! subscribers than are served at a time.

use std::collections::BTreeMap;

use commerce::Millis;
use messaging::topic::{self, Protocol, Publication};
use serde::{Deserialize, Serialize};

use super::Subscription;

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

/// The queue in which publications wait that their subscribers are given in steps.
pub const FAN_OUT_QUEUE: &str = "sns-fan-out";

/// Subscriptions that one step looks at.
pub const FAN_OUT_STEP: usize = 1_000;

/// A message of [`FAN_OUT_QUEUE`], as JSON in its body: a publication, and who has it already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FanOut {
    pub topic: String,
    pub message_id: String,
    /// Who subscribed later than that is not one of its subscribers.
    pub published_at: Millis,
    /// Everybody up to this subscription, in the order of their ids, has been looked at.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub after: String,
    /// The shop's own log tells it: what cannot be delivered is not told of by the log again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_of_log: bool,
    pub publication: Publication,
    /// Those with the same text share one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub envelopes: Vec<SharedEnvelope>,
}

/// An envelope around a message, cut as [`Envelope`] is.
///
/// [`Envelope`]: crate::Envelope
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedEnvelope {
    pub protocols: Vec<Protocol>,
    pub head: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub middle: Option<String>,
    pub tail: String,
}

/// Whether so many subscriptions are served in steps, whatever is published: what they lead to is
/// then loaded for each step. FIFO topics have few, and an order to keep.
pub fn is_wide(topic: &topic::Topic, subscriptions: usize) -> bool {
    topic.fifo.is_none() && subscriptions > FAN_OUT_STEP
}

/// The subscriptions of the step after this one, by rising ids.
pub fn next_step<'a>(all: &'a [Subscription], after: &str) -> Vec<&'a Subscription> {
    let mut rest: Vec<&Subscription> = all.iter().filter(|one| *id(one) > *after).collect();
    if rest.len() > FAN_OUT_STEP {
        rest.select_nth_unstable_by(FAN_OUT_STEP, |one, other| id(one).cmp(id(other)));
        rest.truncate(FAN_OUT_STEP);
    }
    rest.sort_unstable_by(|one, other| id(one).cmp(id(other)));
    rest
}

fn id(one: &Subscription) -> &str {
    &one.subscription.id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription(number: usize) -> Subscription {
        Subscription {
            topic: "t".to_owned(),
            subscription: topic::Subscription {
                id: format!("{number:05}"),
                protocol: Protocol::Queue,
                endpoint: "q".to_owned(),
                raw: false,
                filter: None,
                redrive: None,
                confirmed: true,
            },
            owner: None,
            token: None,
            attributes: BTreeMap::new(),
            created_at: 0,
        }
    }

    #[test]
    fn steps_look_at_everybody_once_whatever_their_order() {
        for count in [0, 1, FAN_OUT_STEP, FAN_OUT_STEP + 1, 2 * FAN_OUT_STEP + 7] {
            // As good as shuffled: 7,919 is a prime.
            let order = (0..count).map(|number| number * 7_919 % count);
            let all: Vec<Subscription> = order.map(subscription).collect();
            let (mut seen, mut after) = (Vec::new(), String::new());
            loop {
                let step = next_step(&all, &after);
                let Some(last) = step.last() else {
                    break;
                };
                assert!(step.len() <= FAN_OUT_STEP);
                after.clone_from(&last.subscription.id);
                seen.extend(step.iter().map(|one| one.subscription.id.clone()));
            }
            let expected: Vec<String> = (0..count).map(|number| format!("{number:05}")).collect();
            assert_eq!(seen, expected, "of {count}");
        }
    }
}
