//! Makes what is declared so, before the first request is taken.

use std::collections::BTreeMap;

use engine::ports::{Reader, StoreError, Subscription, Topic};
use engine::{Command, Engine, EngineError, Refusal, SubscriptionChange, TopicSettings};
use messaging::QueueSettings;
use messaging::topic::{self, Protocol};

use super::settings::{DeclaredQueue, DeclaredSubscription, DeclaredTopic};
use crate::config::{Aws, Config, ConfigError};
use crate::http::error::HttpError;
use crate::serve::ServeError;

/// Subscriptions read at a time.
const PAGE: usize = 1_000;

/// # Errors
/// [`ServeError::Setting`] names the declaration that cannot be had.
pub async fn apply(engine: &Engine, config: &Config) -> Result<(), ServeError> {
    let mut settings = Vec::with_capacity(config.queues.len());
    for (at, queue) in config.queues.iter().enumerate() {
        let read = queue.settings();
        let read = read.map_err(|(field, what)| wrong_queue(at, queue, field, &what))?;
        settings.push(read);
    }
    // Where dead letters go comes last: by then every queue is there, and says whom it allows.
    for ((at, queue), settings) in config.queues.iter().enumerate().zip(&settings) {
        let rest = QueueSettings {
            redrive: None,
            ..settings.clone()
        };
        make_queue(engine, queue, rest, true)
            .await?
            .map_err(|refusal| wrong_queue(at, queue, "attributes", &text_of(refusal)))?;
    }
    for ((at, queue), settings) in config.queues.iter().enumerate().zip(settings) {
        let dead_letters = QueueSettings {
            redrive: settings.redrive,
            ..QueueSettings::default()
        };
        make_queue(engine, queue, dead_letters, false)
            .await?
            .map_err(|refusal| {
                wrong_queue(at, queue, "attributes.RedrivePolicy", &text_of(refusal))
            })?;
    }
    for (at, topic) in config.topics.iter().enumerate() {
        make_topic(engine, at, topic, &config.aws).await?;
    }
    Ok(())
}

/// What was refused, in the words of the API.
fn text_of(refusal: Refusal) -> String {
    HttpError::from(refusal).0.detail
}

fn wrong_queue(at: usize, queue: &DeclaredQueue, field: &str, what: &str) -> ConfigError {
    ConfigError {
        name: format!("queues.{at}.{field}"),
        what: format!("queue {}: {what}", queue.name),
    }
}

fn wrong_topic(at: usize, topic: &DeclaredTopic, field: &str, what: &str) -> ConfigError {
    ConfigError {
        name: format!("topics.{at}.{field}"),
        what: format!("topic {}: {what}", topic.name),
    }
}

/// A queue with these settings. Nothing is written when it is as it should be.
async fn make_queue(
    engine: &Engine,
    declared: &DeclaredQueue,
    settings: QueueSettings,
    with_tags: bool,
) -> Result<Result<(), Refusal>, EngineError> {
    let name = declared.name.clone();
    let (wanted, now) = (name.clone(), engine.log_time());
    let found = engine
        .read(move |reader| reader.queue(&wanted, now))
        .await?;
    let Some(found) = found.map(|depth| depth.queue) else {
        tracing::info!(queue = %name, "a queue is made as the settings say");
        let command = Command::CreateQueue {
            name,
            owner: None,
            settings: Box::new(settings),
            tags: declared.tags.clone(),
        };
        return Ok(engine.decide(command).await?.map(|_| ()));
    };
    if let Some(attribute) = settings.difference(&found.config, &found.more) {
        tracing::info!(queue = %name, attribute, "a queue is changed as the settings say");
        let command = Command::SetQueue {
            queue: name.clone(),
            settings: Box::new(settings),
        };
        if let Err(refusal) = engine.decide(command).await? {
            return Ok(Err(refusal));
        }
    }
    let tags = missing(&declared.tags, &found.more.tags);
    if with_tags && !tags.is_empty() {
        let command = Command::TagQueue {
            queue: name,
            tags,
            untag: Vec::new(),
        };
        return Ok(engine.decide(command).await?.map(|_| ()));
    }
    Ok(Ok(()))
}

/// The tags that are not there, or have another value.
fn missing(
    wanted: &BTreeMap<String, String>,
    there: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let differs = |(key, value): &(&String, &String)| there.get(*key) != Some(value);
    let tags = wanted.iter().filter(differs);
    tags.map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

async fn make_topic(
    engine: &Engine,
    at: usize,
    declared: &DeclaredTopic,
    aws: &Aws,
) -> Result<(), ServeError> {
    let wrong = |field: &str, what: &str| wrong_topic(at, declared, field, what);
    let settings = declared.settings();
    let settings = settings.map_err(|(field, what)| wrong(field, &what))?;
    let name = declared.name.clone();
    let wanted = name.clone();
    let found = engine.read(move |reader| reader.topic(&wanted)).await?;
    let commands = match found {
        None => vec![Command::CreateTopic {
            name: name.clone(),
            owner: None,
            settings: Box::new(settings),
            tags: declared.tags.clone(),
        }],
        Some(found) => {
            let set = (!is_topic_so(&found, &settings)).then(|| Command::SetTopic {
                topic: name.clone(),
                settings: Box::new(settings),
            });
            let tags = missing(&declared.tags, &found.tags);
            let tag = (!tags.is_empty()).then(|| Command::TagTopic {
                topic: name.clone(),
                tags,
                untag: Vec::new(),
            });
            set.into_iter().chain(tag).collect()
        }
    };
    for command in commands {
        if let Err(refusal) = engine.decide(command).await? {
            return Err(wrong("attributes", &text_of(refusal)).into());
        }
    }
    for (number, subscription) in declared.subscriptions.iter().enumerate() {
        let field = format!("subscriptions.{number}");
        let wrong = |what: &str| wrong(&field, what);
        subscribe(engine, &name, subscription, aws)
            .await?
            .map_err(|what| wrong(&what))?;
    }
    Ok(())
}

fn is_topic_so(found: &Topic, settings: &TopicSettings) -> bool {
    let fifo = found.topic.fifo.as_ref();
    let content_based = fifo.is_some_and(|fifo| fifo.content_based_deduplication);
    let scope = fifo.map(|fifo| fifo.deduplication_scope);
    settings
        .content_based_deduplication
        .is_none_or(|sent| sent == content_based)
        && settings
            .deduplication_scope
            .is_none_or(|sent| Some(sent) == scope)
        && missing(&settings.attributes, &found.attributes).is_empty()
}

/// The queue hears the topic, as it is declared. The inner error says why it cannot.
async fn subscribe(
    engine: &Engine,
    topic: &str,
    declared: &DeclaredSubscription,
    aws: &Aws,
) -> Result<Result<(), String>, EngineError> {
    let change = match declared.change(aws) {
        Ok(change) => change,
        Err((_, what)) => return Ok(Err(what)),
    };
    let (queue, now) = (declared.queue(), engine.log_time());
    let named: Vec<String> = std::iter::once(queue.clone())
        .chain(declared.dead_letter_queue())
        .collect();
    let (wanted, of) = (queue.clone(), topic.to_owned());
    let (missing, known) = engine
        .read(move |reader| {
            for name in named {
                if reader.queue(&name, now)?.is_none() {
                    return Ok((Some(name), None));
                }
            }
            Ok((None, subscription_of(reader, &of, &wanted)?))
        })
        .await?;
    if let Some(missing) = missing {
        return Ok(Err(format!("there is no queue {missing}")));
    }
    let command = match known {
        Some(known) if is_so(&known, &change) => return Ok(Ok(())),
        Some(known) => Command::SetSubscription {
            id: known.subscription.id,
            change: Box::new(change),
        },
        None => Command::Subscribe {
            topic: topic.to_owned(),
            owner: None,
            subscription: Box::new(topic::Subscription {
                // Drawn where it is decided.
                id: String::new(),
                protocol: Protocol::Queue,
                endpoint: queue,
                raw: change.raw.unwrap_or_default(),
                filter: change.filter.flatten(),
                redrive: change.redrive.flatten(),
                confirmed: false,
            }),
            attributes: change.attributes,
        },
    };
    let decided = engine.decide(command).await?;
    Ok(decided.map(|_| ()).map_err(text_of))
}

fn subscription_of(
    reader: &dyn Reader,
    topic: &str,
    queue: &str,
) -> Result<Option<Subscription>, StoreError> {
    let mut after = None;
    loop {
        let page = reader.subscription_page(Some(topic), after, PAGE)?;
        let is_last = page.len() < PAGE;
        after = page.last().map(|(last, _)| *last);
        let found = page.into_iter().map(|(_, found)| found).find(|found| {
            let rules = &found.subscription;
            rules.protocol == Protocol::Queue && rules.endpoint == queue
        });
        if found.is_some() || is_last {
            return Ok(found);
        }
    }
}

fn is_so(known: &Subscription, change: &SubscriptionChange) -> bool {
    let rules = &known.subscription;
    change.raw.is_none_or(|raw| raw == rules.raw)
        && change
            .filter
            .as_ref()
            .is_none_or(|filter| *filter == rules.filter)
        && change
            .redrive
            .as_ref()
            .is_none_or(|redrive| *redrive == rules.redrive)
}
