//! Who gets a copy.

use super::publication::{Publication, Topic};
use super::subscription::{Protocol, Subscription};
use crate::queue::limits::ATTRIBUTES_MAX;

/// One copy to make. Nothing is cloned: a message of 256 KiB may have many subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery<'a> {
    pub subscription: &'a Subscription,
    /// The text for this protocol; the envelope, unless it is raw, goes around it.
    pub message: &'a str,
    /// Why it cannot be delivered: it goes to the subscription's dead-letter queue, if any.
    pub undeliverable: Option<Undeliverable>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undeliverable {
    /// Raw delivery to a queue passes the attributes on, and a queue takes ten at most
    /// (developer guide, "Amazon SNS raw message delivery").
    TooManyAttributes,
    /// A FIFO queue can only be fed by a FIFO topic.
    FifoQueueOfStandardTopic,
}

/// The deliveries of a valid publication, in the order of the subscriptions.
pub fn route<'a>(
    topic: &Topic,
    subscriptions: &'a [Subscription],
    publication: &'a Publication,
) -> Vec<Delivery<'a>> {
    subscriptions
        .iter()
        .filter(|subscription| subscription.confirmed)
        .filter_map(|subscription| {
            let message = publication.message_for(subscription.protocol.name());
            let passes = subscription
                .filter
                .as_ref()
                .is_none_or(|filter| filter.matches(&publication.attributes, message));
            passes.then(|| Delivery {
                subscription,
                message,
                undeliverable: undeliverable(topic, subscription, publication),
            })
        })
        .collect()
}

fn undeliverable(
    topic: &Topic,
    subscription: &Subscription,
    publication: &Publication,
) -> Option<Undeliverable> {
    if subscription.protocol != Protocol::Queue {
        return None;
    }
    if subscription.endpoint.ends_with(".fifo") && topic.fifo.is_none() {
        return Some(Undeliverable::FifoQueueOfStandardTopic);
    }
    (subscription.raw && publication.attributes.len() > ATTRIBUTES_MAX)
        .then_some(Undeliverable::TooManyAttributes)
}
