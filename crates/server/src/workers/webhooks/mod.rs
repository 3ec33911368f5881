//! Webhooks out, from events to calls.
//!
//! ```text
//! topics ──> webhooks ──teller──> a row for each endpoint ──> webhook-deliveries ──caller──> POST
//!                                        ^                                          └──> the row
//!                             replay, test, alerts
//! ```
//! - `teller`: events to rows and messages
//! - `caller`: one attempt, and what follows from it
//! - `keeper`: what a crash left between a row and its message; rows whose message is gone; what
//!   is heard; old history
//!
//! The queue `webhooks` hears a topic only while an enabled endpoint may want something of it:
//! without endpoints an order costs nothing here.

mod caller;
mod keeper;
mod teller;

use std::collections::{BTreeMap, HashMap};

use effects::webhooks::{Endpoint, Queued, Webhooks};
use engine::ports::Subscription;
use engine::{
    Command, Engine, EngineError, OwnSubscription, Reply, TOPIC_AUCTIONS, TOPIC_OPERATIONS,
    TOPIC_ORDERS, TOPIC_PARCELS, TOPIC_STOCK,
};
use futures_util::future::try_join_all;
use messaging::{Attribute, Send};
use serde::{Deserialize, Serialize};

pub(super) use caller::{Caller, Calls};
pub(super) use keeper::run as keep;
pub(super) use teller::Teller;
pub use teller::event;

pub const TELLER_QUEUE: &str = "webhooks";
pub const CALLER_QUEUE: &str = "webhook-deliveries";

/// What may be heard: a topic, and how the types begin that come through it. Of `operations` one
/// type alone: dead letters are told as alerts.
const TOPICS: [(&str, &[&str]); 5] = [
    (TOPIC_ORDERS, &["order."]),
    (TOPIC_STOCK, &["stock.", "replenishment."]),
    (TOPIC_AUCTIONS, &["auction."]),
    (TOPIC_PARCELS, &["parcel."]),
    (TOPIC_OPERATIONS, &[FAILED]),
];
const FAILED: &str = engine::Kind::ReplenishmentFailed.as_str();
/// Made here and not by the log.
const OWN_TYPES: [&str; 2] = ["alert.opened", "alert.resolved"];
/// Messages in one command (API reference, `SendMessageBatch`).
const SENDS_MAX: usize = 10;
/// A read of this shop's subscriptions is bounded.
const SUBSCRIPTIONS_MAX: usize = 10_000;

/// A message of [`CALLER_QUEUE`].
#[derive(Debug, Serialize, Deserialize)]
struct CallMessage {
    delivery: i64,
}

/// Whether events of this entry of an endpoint's list can ever be told.
pub fn is_told(entry: &str) -> bool {
    let Some(family) = entry.strip_suffix('*') else {
        let of_log = engine::Kind::ALL.iter().map(|kind| kind.as_str());
        let heard = of_log.filter(|kind| topic_families().any(|family| kind.starts_with(family)));
        return heard.chain(OWN_TYPES).any(|known| known == entry);
    };
    family.is_empty()
        || topic_families()
            .chain(["alert."])
            .any(|known| known == family)
}

fn topic_families() -> impl Iterator<Item = &'static str> {
    TOPICS
        .iter()
        .flat_map(|(_, families)| families.iter().copied())
}

/// Whether it may be replayed: what endpoints hear of the log.
pub fn is_heard(topic: &str, kind: &str) -> bool {
    let mut known = TOPICS.iter().filter(|(known, _)| *known == topic);
    known.any(|(_, families)| families.iter().any(|family| kind.starts_with(family)))
}

/// Sends the messages of these deliveries, then notes that they were sent. One too many changes
/// nothing: a delivery that was made is not made again.
///
/// # Errors
/// Says why some were not sent, or not noted: they are found and sent later.
pub async fn send(engine: &Engine, webhooks: &Webhooks, queued: Vec<Queued>) -> Result<(), String> {
    send_told(engine, webhooks, queued, &Told::new()).await
}

/// By an event's id, what the messages about it carry.
type Told = HashMap<String, BTreeMap<String, Attribute>>;

async fn send_told(
    engine: &Engine,
    webhooks: &Webhooks,
    queued: Vec<Queued>,
    told: &Told,
) -> Result<(), String> {
    let sent = queued
        .chunks(SENDS_MAX)
        .map(|chunk| send_some(engine, chunk, told));
    try_join_all(sent).await?;
    let numbers = queued.into_iter().map(|one| one.n).collect();
    webhooks
        .mark_queued(numbers)
        .await
        .map_err(|error| error.to_string())
}

async fn send_some(engine: &Engine, queued: &[Queued], told: &Told) -> Result<(), String> {
    let sends = queued.iter().map(|one| Send {
        body: serde_json::to_string(&CallMessage { delivery: one.n })
            .expect("a number has a JSON form"),
        // A fair queue: an endpoint with many messages does not keep the others waiting.
        group: Some(one.endpoint.clone()),
        attributes: told.get(&one.event).cloned().unwrap_or_default(),
        ..Send::default()
    });
    let command = Command::SendMessages {
        queue: CALLER_QUEUE.to_owned(),
        sends: sends.collect(),
    };
    match engine.decide(command).await {
        Ok(Ok(Reply::Batch(answers))) => match answers.into_iter().find_map(Result::err) {
            None => Ok(()),
            Some(refusal) => Err(format!("refused: {}", refusal.code())),
        },
        Ok(Ok(_)) => unreachable!("a batch answers with a batch"),
        Ok(Err(refusal)) => Err(format!("refused: {}", refusal.code())),
        Err(error) => Err(error.to_string()),
    }
}

/// What is heard. To be asked before the endpoints are read: what is wanted by then is heard under
/// another id, and nobody who has not seen it ends that.
///
/// # Errors
/// When the engine cannot read.
pub async fn heard(engine: &Engine) -> Result<Vec<Subscription>, EngineError> {
    let read = engine.read(|reader| reader.subscriptions(None, None, SUBSCRIPTIONS_MAX));
    let all = read.await?.into_iter();
    Ok(all
        .filter(|known| known.subscription.endpoint == TELLER_QUEUE)
        .collect())
}

/// Hears each topic if an enabled endpoint may want something of it, and no longer otherwise.
/// `is_changed` says that the endpoints have just been changed.
///
/// # Errors
/// When the engine cannot do it; whoever looks next does.
pub async fn listen(
    engine: &Engine,
    heard: &[Subscription],
    endpoints: &[Endpoint],
    is_changed: bool,
) -> Result<(), EngineError> {
    for (topic, families) in TOPICS {
        let is_wanted = endpoints
            .iter()
            .filter(|endpoint| endpoint.disabled.is_none())
            .any(|endpoint| endpoint.types.want_any(families));
        let known = heard.iter().find(|known| known.topic == topic);
        let command = match (is_wanted, known) {
            (true, Some(_)) if !is_changed => continue,
            (true, _) => Command::EnsureQueues {
                queues: Vec::new(),
                subscriptions: vec![OwnSubscription {
                    // Of the other topics everything.
                    types: (topic == TOPIC_OPERATIONS)
                        .then(|| FAILED.to_owned())
                        .into_iter()
                        .collect(),
                    is_renewed: is_changed,
                    ..OwnSubscription::from((topic, TELLER_QUEUE))
                }],
            },
            (false, Some(known)) => Command::Unsubscribe {
                id: known.subscription.id.clone(),
            },
            (false, None) => continue,
        };
        // Somebody else may have done the same meanwhile.
        if let Err(refusal) = engine.decide(command).await? {
            tracing::debug!(
                topic,
                code = refusal.code(),
                "webhooks: not heard as wanted"
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use effects::webhooks::{EventTypes, NewEndpoint, StoredSecret};
    use engine::QueueSpec;
    use messaging::QueueConfig;

    use super::*;
    use crate::workers::testing::app::app;
    use crate::workers::testing::shop::Shop;

    #[tokio::test(start_paused = true)]
    async fn whoever_has_not_seen_an_endpoint_does_not_end_what_it_hears() {
        let shop = Shop::open(|_| {});
        shop.done(Command::EnsureQueues {
            queues: vec![QueueSpec {
                name: TELLER_QUEUE.to_owned(),
                config: QueueConfig::default(),
            }],
            subscriptions: Vec::new(),
        })
        .await;
        let engine = app(&shop, &[]).engine.clone();
        let webhooks = Webhooks::new(&shop.parts.effects);
        let make = async |id: &str| {
            let new = NewEndpoint {
                id: id.to_owned(),
                url: "https://erp.example/".to_owned(),
                types: EventTypes::new(["order.*", "parcel.*"]).unwrap(),
                description: String::new(),
                secret: StoredSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()),
                disabled: false,
            };
            webhooks.create(new, shop.now()).await.unwrap().unwrap();
        };
        let changed = async || {
            let heard = heard(&engine).await.unwrap();
            let endpoints = webhooks.endpoints(shop.now()).await.unwrap();
            listen(&engine, &heard, &endpoints, true).await.unwrap();
        };
        let topics = async || {
            let heard = heard(&engine).await.unwrap().into_iter();
            let mut topics: Vec<String> = heard.map(|known| known.topic).collect();
            topics.sort();
            topics
        };
        for was_heard in [false, true] {
            if was_heard {
                make("whk_old").await;
                changed().await;
                webhooks.delete("whk_old".to_owned()).await.unwrap();
            }
            // Somebody looks, and there is no endpoint any more, or none yet.
            let seen = heard(&engine).await.unwrap();
            assert_eq!(!seen.is_empty(), was_heard);
            let none = webhooks.endpoints(shop.now()).await.unwrap();
            assert!(none.is_empty());
            // One is made before he comes to act.
            make("whk_new").await;
            changed().await;
            listen(&engine, &seen, &none, false).await.unwrap();
            assert_eq!(topics().await, [TOPIC_ORDERS, TOPIC_PARCELS]);
            // Who looks again and again changes nothing.
            let before = heard(&engine).await.unwrap();
            let endpoints = webhooks.endpoints(shop.now()).await.unwrap();
            listen(&engine, &before, &endpoints, false).await.unwrap();
            assert_eq!(heard(&engine).await.unwrap(), before);
            webhooks.delete("whk_new".to_owned()).await.unwrap();
            changed().await;
            assert_eq!(topics().await, [""; 0]);
        }
    }

    #[test]
    fn only_types_that_can_be_told_are_taken() {
        for (entry, expected) in [
            ("*", true),
            ("order.*", true),
            ("order.accepted", true),
            ("order.acepted", false),
            ("replenishment.*", true),
            ("replenishment.failed", true),
            ("message.*", false),
            ("message.dead_lettered", false),
            ("alert.*", true),
            ("alert.opened", true),
            ("bid.*", false),
            ("bid.placed", false),
            ("product.created", false),
            ("orders.*", false),
        ] {
            assert_eq!(is_told(entry), expected, "{entry}");
        }
    }

    #[test]
    fn what_the_log_says_is_replayed_if_it_was_told() {
        for (kind, expected) in [
            (engine::Kind::OrderAccepted, true),
            (engine::Kind::ReplenishmentReceived, true),
            (engine::Kind::ReplenishmentFailed, true),
            (engine::Kind::MessageDeadLettered, false),
        ] {
            let topics = [TOPIC_ORDERS, TOPIC_STOCK, TOPIC_OPERATIONS];
            let is_heard = topics.iter().any(|topic| is_heard(topic, kind.as_str()));
            assert_eq!(is_heard, expected, "{kind:?}");
        }
    }
}
