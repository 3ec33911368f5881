//! What one subscriber gets of a publication, and which look of its filter leaves it out.

use std::collections::BTreeMap;

use messaging::topic::{
    self, FilterScope, Protocol, Subscription as TopicSubscription, Undeliverable,
};
use messaging::{Send, limits};

use crate::command::{Envelope, Publish};
use crate::flow::TopicCounts;
use crate::ports::LoadedTopic;

/// Which look of its filter left a confirmed subscription out.
pub(super) fn note_filtered(
    subscription: &TopicSubscription,
    publication: &topic::Publication,
    counts: &mut TopicCounts,
) {
    let Some(filter) = subscription
        .filter
        .as_ref()
        .filter(|_| subscription.confirmed)
    else {
        return;
    };
    let counter = match filter.scope() {
        FilterScope::MessageAttributes if publication.attributes.is_empty() => {
            &mut counts.filtered_no_attributes
        }
        FilterScope::MessageAttributes => &mut counts.filtered_attributes,
        FilterScope::MessageBody => {
            let message = publication.message_for(subscription.protocol.name());
            match serde_json::from_str::<serde::de::IgnoredAny>(message) {
                Ok(_) => &mut counts.filtered_body,
                Err(_) => &mut counts.filtered_invalid_body,
            }
        }
    };
    *counter += 1;
}

/// Whether somebody wants an envelope that was not written.
pub(super) fn lacks_envelope(topic: &LoadedTopic, publish: &Publish) -> bool {
    let is_too_much_for_queues = publish.publication.attributes.len() > limits::ATTRIBUTES_MAX;
    topic.subscriptions.iter().any(|subscription| {
        let rules = &subscription.subscription;
        // Its dead-letter queue gets one.
        let is_wrapped = !rules.raw || is_too_much_for_queues && rules.redrive.is_some();
        rules.confirmed && is_wrapped && envelope_of(publish, rules).is_none()
    })
}

fn envelope_of<'a>(publish: &'a Publish, subscription: &TopicSubscription) -> Option<&'a Envelope> {
    let mut envelopes = publish.envelopes.iter();
    let found = envelopes.find(|(protocol, _)| *protocol == subscription.protocol);
    found.map(|(_, envelope)| envelope)
}

/// What is raw has its attributes beside it, unless there are more than any queue takes: the
/// dead-letter queue then gets it with its envelope, which holds them.
fn is_bare(delivery: &topic::Delivery<'_>) -> bool {
    delivery.subscription.raw && delivery.undeliverable != Some(Undeliverable::TooManyAttributes)
}

pub(super) fn body_of(
    publish: &Publish,
    seq: Option<u64>,
    delivery: &topic::Delivery<'_>,
) -> String {
    let subscription = delivery.subscription;
    let envelope = envelope_of(publish, subscription).filter(|_| !is_bare(delivery));
    let Some(envelope) = envelope else {
        return delivery.message.to_owned();
    };
    let (head, id, tail) = (&*envelope.head, &*subscription.id, &*envelope.tail);
    match (&envelope.middle, seq) {
        (Some(middle), Some(seq)) => {
            let number = messaging::sequence_number(seq);
            [head, &number, &**middle, id, tail].concat()
        }
        (Some(middle), None) => [head, &**middle, id, tail].concat(),
        (None, _) => [head, id, tail].concat(),
    }
}

pub(super) fn send_of(
    rules: &topic::Topic,
    delivery: &topic::Delivery<'_>,
    publish: &Publish,
    body: String,
) -> Send {
    let subscription = delivery.subscription;
    // By its name: where the queue is gone, its dead-letter queue needs the id as well.
    let is_fifo =
        subscription.protocol == Protocol::Queue && subscription.endpoint.ends_with(".fifo");
    Send {
        body,
        attributes: if is_bare(delivery) {
            publish.publication.attributes.clone()
        } else {
            BTreeMap::new()
        },
        group: publish.publication.group.clone(),
        deduplication: if is_fifo {
            topic::deduplication_id(rules, &publish.publication)
        } else {
            None
        },
        ..Send::default()
    }
}

pub(super) fn reason_of(undeliverable: Undeliverable) -> String {
    match undeliverable {
        Undeliverable::TooManyAttributes => "more attributes than a queue takes".to_owned(),
        Undeliverable::FifoQueueOfStandardTopic => {
            "a FIFO queue cannot be fed by a standard topic".to_owned()
        }
    }
}
