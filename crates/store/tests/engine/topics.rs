//! What is published reaches everybody who subscribed, in one commit or in steps, or is accounted
//! for.

mod arrival;
mod fan_out;
mod manage;
mod steps;

use engine::ports::{Subscription, Topic};
use engine::{Command, Envelope, Publish, Reply, TopicSettings};
use messaging::topic::{FilterPolicy, FilterScope, Protocol};
use messaging::{Attribute, Message, QueueConfig};

use crate::rig::{Answer, Place, Rig, publish, queue_spec, runtime};

fn on_both(check: impl AsyncFn(&mut Rig)) {
    runtime().block_on(async {
        for place in Place::both() {
            let mut rig = Rig::new(place);
            check(&mut rig).await;
            rig.audit_clean();
        }
    });
}

fn fifo(by_content: bool) -> QueueConfig {
    QueueConfig {
        fifo: Some(messaging::FifoConfig {
            content_based_deduplication: by_content,
            ..messaging::FifoConfig::default()
        }),
        ..QueueConfig::default()
    }
}

/// Queues of these names, each of the kind that its name says.
async fn queues(rig: &Rig, names: &[&str]) {
    let spec = |name: &&str| match name.ends_with(".fifo") {
        true => queue_spec(name, fifo(false)),
        false => queue_spec(name, QueueConfig::default()),
    };
    rig.done(Command::EnsureQueues {
        queues: names.iter().map(spec).collect(),
        subscriptions: Vec::new(),
    })
    .await;
}

fn create(name: &str, settings: TopicSettings) -> Command {
    Command::CreateTopic {
        name: name.to_owned(),
        owner: Some("000000000000".to_owned()),
        settings: Box::new(settings),
        tags: [("team".to_owned(), "donuts".to_owned())].into(),
    }
}

fn fifo_topic() -> TopicSettings {
    TopicSettings {
        fifo: Some(true),
        ..TopicSettings::default()
    }
}

/// A topic of the kind that its name says.
async fn topic(rig: &Rig, name: &str) -> Topic {
    let settings = match name.ends_with(".fifo") {
        true => fifo_topic(),
        false => TopicSettings::default(),
    };
    match rig.done(create(name, settings)).await {
        Reply::Topic(topic) => *topic,
        other => panic!("{other:?}"),
    }
}

/// As a subscription is asked for: the engine gives it its id.
fn to(protocol: Protocol, endpoint: &str) -> messaging::topic::Subscription {
    messaging::topic::Subscription {
        id: String::new(),
        protocol,
        endpoint: endpoint.to_owned(),
        raw: false,
        filter: None,
        redrive: None,
        confirmed: false,
    }
}

fn raw(endpoint: &str) -> messaging::topic::Subscription {
    messaging::topic::Subscription {
        raw: true,
        ..to(Protocol::Queue, endpoint)
    }
}

fn wants(text: &str) -> Option<FilterPolicy> {
    Some(FilterPolicy::parse(text, FilterScope::MessageAttributes).unwrap())
}

fn subscribe(topic: &str, subscription: messaging::topic::Subscription) -> Command {
    Command::Subscribe {
        topic: topic.to_owned(),
        owner: None,
        subscription: Box::new(subscription),
        attributes: [("RawMessageDelivery".to_owned(), "true".to_owned())].into(),
    }
}

async fn subscribed(rig: &Rig, topic: &str, asked: messaging::topic::Subscription) -> Subscription {
    match rig.done(subscribe(topic, asked)).await {
        Reply::Subscription {
            subscription,
            repeated: false,
        } => *subscription,
        other => panic!("{other:?}"),
    }
}

/// With an envelope for queues, and an attribute to filter by.
fn news(text: &str, kind: &str) -> Publish {
    let mut news = publish(text);
    let kind = Attribute::string(kind);
    news.publication.attributes.insert("kind".to_owned(), kind);
    let envelope = Envelope {
        head: format!("<{text} ").into(),
        middle: Some("for ".into()),
        tail: ">".into(),
    };
    news.envelopes.push((Protocol::Queue, envelope));
    news
}

fn in_group(text: &str, group: &str, deduplication: &str) -> Publish {
    let mut news = publish(text);
    news.publication.group = Some(group.to_owned());
    news.publication.deduplication = Some(deduplication.to_owned());
    news
}

fn publishing(topic: &str, publishes: Vec<Publish>) -> Command {
    Command::Publish {
        topic: topic.to_owned(),
        publishes,
    }
}

/// Of each publication its id, its sequence, and how many got it.
fn published(answer: &Answer) -> Vec<(String, Option<u64>, u64)> {
    let Ok(Ok(Reply::Batch(answers))) = answer else {
        panic!("{answer:?}");
    };
    answers
        .iter()
        .map(|answer| match answer {
            Ok(Reply::Published {
                id,
                seq,
                deliveries,
            }) => (id.clone(), *seq, *deliveries),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn messages(rig: &Rig, queue: &str) -> Vec<Message> {
    rig.reader().messages(queue, 0, 1_000).unwrap()
}

fn bodies(rig: &Rig, queue: &str) -> Vec<String> {
    let messages = messages(rig, queue);
    messages.into_iter().map(|message| message.body).collect()
}
