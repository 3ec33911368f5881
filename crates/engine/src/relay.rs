//! From entries to topics: a task that tails the log and proposes what to publish.
//!
//! The log is the outbox. The relay's cursor and the messages it sends are one commit, so every
//! entry is published once, whatever dies when.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use messaging::{Attribute, topic};
use tokio_util::sync::CancellationToken;

use crate::command::{Command, Publish, Refusal};
use crate::decide::uuid;
use crate::engine::{Engine, EngineError};
use crate::entry::{Entry, Kind};
use crate::ports::Envelopes;

/// Topic of everything that happens to a product's goods.
pub const TOPIC_STOCK: &str = "stock";
/// Topic of verdicts on orders.
pub const TOPIC_ORDERS: &str = "orders";
/// Topic of what happens to auctions, but for the single bids.
pub const TOPIC_AUCTIONS: &str = "auctions";
/// Topic of what becomes of the parcels of orders.
pub const TOPIC_PARCELS: &str = "parcels";
/// Topic of what operations must hear.
pub const TOPIC_OPERATIONS: &str = "operations";

/// Entries without a publication pass by so many before the cursor is written all the same.
const CURSOR_EVERY: u64 = 50_000;

/// Publications in one commit.
const PUBLICATIONS_MAX: usize = 256;

/// Who subscribed is looked up when this process adds a subscription, so that it hears
/// everything that comes after, and so often for those that another process adds.
const SUBSCRIPTIONS_EVERY: Duration = Duration::from_millis(500);

/// How long to wait before trying again when the sequencer is full.
const RETRY: Duration = Duration::from_millis(50);

fn topic(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::StockReceived
        | Kind::ReplenishmentRequested
        | Kind::ReplenishmentStarted
        | Kind::ReplenishmentReceived => Some(TOPIC_STOCK),
        Kind::ReplenishmentFailed | Kind::MessageDeadLettered => Some(TOPIC_OPERATIONS),
        Kind::OrderPlaced | Kind::OrderAccepted | Kind::OrderSoldOut | Kind::OrderCancelled => {
            Some(TOPIC_ORDERS)
        }
        Kind::AuctionCreated
        | Kind::AuctionOpened
        | Kind::AuctionClosingSoon
        | Kind::AuctionClosed
        | Kind::AuctionCancelled
        | Kind::AuctionSettled
        | Kind::AuctionForfeited
        | Kind::AuctionOffered
        | Kind::AuctionOfferAnswered => Some(TOPIC_AUCTIONS),
        Kind::ParcelCreated | Kind::ParcelMoved => Some(TOPIC_PARCELS),
        Kind::ProductCreated
        | Kind::ProductUpdated
        | Kind::BidPlaced
        | Kind::BidAccepted
        | Kind::BidRefused
        | Kind::BidRetracted => None,
    }
}

fn publish(entry: &Entry, topic: &'static str, envelopes: &dyn Envelopes) -> Publish {
    let message = format!(
        r#"{{"type":"{}","seq":{},"at":{},"data":{}}}"#,
        entry.kind.as_str(),
        entry.seq,
        entry.at,
        message_text(&entry.data)
    );
    let kind = Attribute::string(entry.kind.as_str());
    let publication = topic::Publication {
        message,
        attributes: [("type".to_owned(), kind)].into(),
        ..topic::Publication::default()
    };
    // The same id whenever the entry is published: it is one publication.
    let digest = blake3::hash(format!("{topic}:{}", entry.seq).as_bytes());
    let id: [u8; 16] = digest.as_bytes()[..16]
        .try_into()
        .expect("a hash is longer");
    let id = uuid(id);
    let envelopes = envelopes.wrap(topic, &id, entry.at, &publication);
    Publish {
        id,
        publication,
        envelopes,
    }
}

/// Two characters that JSON may hold as they are and a message may not (`#xFFFE` and `#xFFFF`;
/// see `messaging::Refusal::InvalidMessageContents`) are escaped: the same JSON, and nobody can
/// stop the relay with a reference.
fn message_text(json: &str) -> Cow<'_, str> {
    if json.contains(['\u{fffe}', '\u{ffff}']) {
        let escaped = json.replace('\u{fffe}', "\\ufffe");
        escaped.replace('\u{ffff}', "\\uffff").into()
    } else {
        json.into()
    }
}

/// Runs until cancelled.
///
/// # Errors
/// When the engine has stopped or its store fails.
pub async fn run_relay(
    engine: Engine,
    envelopes: Arc<dyn Envelopes>,
    cancel: CancellationToken,
) -> Result<(), EngineError> {
    let mut cursor = engine.read(|reader| reader.relay_cursor()).await?;
    let mut version = engine.subscriptions_version();
    let mut subscribed = topics_with_subscribers(&engine).await?;
    let mut looked = tokio::time::Instant::now();
    'restart: loop {
        let mut tail = engine.feed().tail(cursor, engine.reader());
        let mut seen = cursor;
        loop {
            let batch = tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                batch = tail.next() => batch?,
            };
            let Some(batch) = batch else {
                return Ok(());
            };
            // In this order: what is added after the version was read is seen the next time.
            let newest = engine.subscriptions_version();
            if newest != version || looked.elapsed() > SUBSCRIPTIONS_EVERY {
                version = newest;
                subscribed = topics_with_subscribers(&engine).await?;
                looked = tokio::time::Instant::now();
            }
            for chunk in batch.chunks(PUBLICATIONS_MAX) {
                let publications: Vec<(&'static str, Publish)> = chunk
                    .iter()
                    .filter_map(|entry| {
                        let topic = topic(entry.kind)?;
                        subscribed
                            .contains(&topic)
                            .then(|| (topic, publish(entry, topic, &*envelopes)))
                    })
                    .collect();
                seen = chunk.last().map_or(seen, |entry| entry.seq);
                if publications.is_empty() && seen - cursor < CURSOR_EVERY {
                    continue;
                }
                match advance(&engine, cursor, seen, publications, &cancel).await? {
                    Some(moved) if moved == seen => cursor = seen,
                    Some(moved) => {
                        cursor = moved;
                        continue 'restart;
                    }
                    None => return Ok(()),
                }
            }
        }
    }
}

/// Topics that nobody listens to cost nothing.
async fn topics_with_subscribers(engine: &Engine) -> Result<Vec<&'static str>, EngineError> {
    let topics = [
        TOPIC_STOCK,
        TOPIC_ORDERS,
        TOPIC_AUCTIONS,
        TOPIC_PARCELS,
        TOPIC_OPERATIONS,
    ];
    engine
        .read(move |reader| {
            let mut subscribed = Vec::new();
            for topic in topics {
                if !reader.subscriptions(Some(topic), None, 1)?.is_empty() {
                    subscribed.push(topic);
                }
            }
            Ok(subscribed)
        })
        .await
}

/// Where the cursor is afterwards; none when cancelled.
async fn advance(
    engine: &Engine,
    from: u64,
    to: u64,
    publications: Vec<(&'static str, Publish)>,
    cancel: &CancellationToken,
) -> Result<Option<u64>, EngineError> {
    loop {
        let command = Command::Relay {
            from,
            to,
            publications: publications.clone(),
        };
        match engine.decide(command).await {
            Ok(Ok(_)) => return Ok(Some(to)),
            Ok(Err(Refusal::RelayMoved { cursor })) => return Ok(Some(cursor)),
            Ok(Err(refusal)) => {
                return Err(EngineError::Store(
                    format!("the relay was refused: {}", refusal.code()).into(),
                ));
            }
            Err(EngineError::Overloaded) => {
                tokio::select! {
                    () = cancel.cancelled() => return Ok(None),
                    () = tokio::time::sleep(RETRY) => {}
                }
            }
            Err(error) => return Err(error),
        }
    }
}
