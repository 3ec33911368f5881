//! What is wrong with a declaration whatever the store holds.

use std::collections::BTreeSet;

use messaging::topic::{self, Protocol, TopicName};
use messaging::{QueueMore, QueueName};

use super::settings::{DeclaredQueue, DeclaredSubscription, DeclaredTopic, Wrong};
use crate::config::{Aws, ConfigError};
use crate::workers;

/// # Errors
/// Names the setting, `queues.0.attributes.DelaySeconds`, and in the text the queue or topic.
pub fn check(
    queues: &[DeclaredQueue],
    topics: &[DeclaredTopic],
    aws: &Aws,
) -> Result<(), ConfigError> {
    let mut names = BTreeSet::new();
    for (at, queue) in queues.iter().enumerate() {
        let wrong = |field: &str, what: String| ConfigError {
            name: format!("queues.{at}.{field}"),
            what: format!("queue {}: {what}", queue.name),
        };
        check_queue(queue).map_err(|(field, what)| wrong(field.as_ref(), what))?;
        if !names.insert(&queue.name) {
            return Err(wrong("name", "each queue stands there once".to_owned()));
        }
    }
    let mut names = BTreeSet::new();
    for (at, topic) in topics.iter().enumerate() {
        let wrong = |field: &str, what: String| ConfigError {
            name: format!("topics.{at}.{field}"),
            what: format!("topic {}: {what}", topic.name),
        };
        check_topic(topic, aws).map_err(|(field, what)| wrong(&field, what))?;
        if !names.insert(&topic.name) {
            return Err(wrong("name", "each topic stands there once".to_owned()));
        }
    }
    Ok(())
}

fn attribute((name, what): Wrong) -> (String, String) {
    (format!("attributes.{name}"), what)
}

fn check_queue(queue: &DeclaredQueue) -> Result<(), (String, String)> {
    let named = |what: String| ("name".to_owned(), what);
    let name = QueueName::new(queue.name.as_str()).map_err(|error| named(error.to_string()))?;
    if workers::is_own(&queue.name) {
        return Err(named("this is one of the shop's own queues".to_owned()));
    }
    let settings = queue.settings().map_err(attribute)?;
    settings.create(name.is_fifo()).map_err(|refusal| {
        let field = refusal.field().unwrap_or_default();
        (format!("attributes.{field}"), refusal.to_string())
    })?;
    QueueMore::default()
        .tag(queue.tags.clone())
        .map_err(|refusal| ("tags".to_owned(), refusal.to_string()))
}

fn check_topic(declared: &DeclaredTopic, aws: &Aws) -> Result<(), (String, String)> {
    let named = |refusal: topic::TopicRefusal| ("name".to_owned(), refusal.to_string());
    let name = TopicName::new(declared.name.as_str()).map_err(named)?;
    let settings = declared.settings().map_err(attribute)?;
    let has_fifo_settings =
        settings.content_based_deduplication.is_some() || settings.deduplication_scope.is_some();
    if has_fifo_settings && !name.is_fifo() {
        let what = "only a topic whose name ends in .fifo has these attributes".to_owned();
        return Err(("attributes".to_owned(), what));
    }
    let topic = topic::Topic {
        name,
        fifo: (settings.fifo == Some(true)).then(topic::TopicFifo::default),
    };
    topic
        .validate()
        .map_err(|refusal| ("attributes.FifoTopic".to_owned(), refusal.to_string()))?;
    let mut queues = BTreeSet::new();
    for (at, subscription) in declared.subscriptions.iter().enumerate() {
        let wrong = |field: &str, what: String| (format!("subscriptions.{at}.{field}"), what);
        check_subscription(subscription, &topic, aws)
            .map_err(|(field, what)| wrong(field, what))?;
        if !queues.insert(subscription.queue()) {
            return Err(wrong("queue", "each queue hears a topic once".to_owned()));
        }
    }
    Ok(())
}

fn check_subscription(
    declared: &DeclaredSubscription,
    topic: &topic::Topic,
    aws: &Aws,
) -> Result<(), Wrong> {
    let change = declared.change(aws)?;
    QueueName::new(declared.queue()).map_err(|refusal| ("queue", refusal.to_string()))?;
    let subscription = topic::Subscription {
        id: String::new(),
        protocol: Protocol::Queue,
        endpoint: declared.queue(),
        raw: change.raw.unwrap_or_default(),
        filter: None,
        redrive: change.redrive.flatten(),
        confirmed: true,
    };
    subscription.validate(topic).map_err(|refusal| {
        let field = match refusal.field() {
            "RedrivePolicy" => "dead_letter_queue",
            _ => "queue",
        };
        (field, refusal.to_string())
    })
}
