//! From entries to topics: a task that tails the log and proposes what to publish.
//!
//! The log is the outbox. The relay's cursor and the messages it sends are one commit, so every
//! entry is published once, whatever dies when.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use commerce::{Currency, Millis, Money};
use messaging::topic::FilterScope;
use messaging::{Attribute, topic};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::command::{Command, Publish, Refusal, Relay};
use crate::decide::uuid;
use crate::engine::{Engine, EngineError};
use crate::entry::{Entry, Kind, OrderRecord};
use crate::ports::{Envelopes, Subscription};
use crate::trace::{Origin, Span, Step, TRACEPARENT, TRACESTATE};

/// Topic of everything that happens to a product's goods.
pub const TOPIC_STOCK: &str = "stock";
/// Topic of verdicts on orders.
pub const TOPIC_ORDERS: &str = "orders";
/// FIFO topic of what each customer bought and gave back, in order.
pub const TOPIC_CUSTOMERS: &str = "customers.fifo";
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
/// Orders told of in one commit: a few copies each, and buyers wait while it is decided.
const ORDERS_MAX: usize = 64;

/// Who subscribed is looked up when this process adds a subscription, so that it hears everything
/// that comes after, and so often in any case. Where other processes add some to the same store it is
/// looked up for each batch.
const SUBSCRIPTIONS_EVERY: Duration = Duration::from_millis(500);

/// How long to wait before trying again when the sequencer is full.
const RETRY: Duration = Duration::from_millis(50);

/// And when the store could not be read: no file handle was left, say.
const READ_AGAIN: Duration = Duration::from_millis(500);

impl Relay {
    const fn topics(self) -> &'static [&'static str] {
        match self {
            Self::Shop => &[TOPIC_STOCK, TOPIC_AUCTIONS, TOPIC_OPERATIONS],
            Self::Orders => &[TOPIC_ORDERS, TOPIC_CUSTOMERS, TOPIC_PARCELS],
        }
    }

    const fn publications_max(self) -> usize {
        match self {
            Self::Shop => PUBLICATIONS_MAX,
            Self::Orders => ORDERS_MAX,
        }
    }
}

/// Whose relay an entry's topic belongs to follows from the topic.
const fn topics(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::StockReceived
        | Kind::ReplenishmentRequested
        | Kind::ReplenishmentStarted
        | Kind::ReplenishmentReceived => &[TOPIC_STOCK],
        Kind::ReplenishmentFailed | Kind::MessageDeadLettered => &[TOPIC_OPERATIONS],
        Kind::OrderPlaced | Kind::OrderSoldOut => &[TOPIC_ORDERS],
        Kind::OrderAccepted | Kind::OrderCancelled => &[TOPIC_ORDERS, TOPIC_CUSTOMERS],
        Kind::AuctionCreated
        | Kind::AuctionOpened
        | Kind::AuctionClosingSoon
        | Kind::AuctionClosed
        | Kind::AuctionCancelled
        | Kind::AuctionSettled
        | Kind::AuctionForfeited
        | Kind::AuctionOffered
        | Kind::AuctionOfferAnswered => &[TOPIC_AUCTIONS],
        Kind::ParcelCreated | Kind::ParcelMoved => &[TOPIC_PARCELS],
        Kind::ProductCreated
        | Kind::ProductUpdated
        | Kind::BidPlaced
        | Kind::BidAccepted
        | Kind::BidRefused
        | Kind::BidRetracted => &[],
    }
}

/// What every event about an order says of it, so that nobody who hears it has to ask.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OrderFacts<'a> {
    /// Whoever has it may read and cancel the order.
    id: String,
    seq: u64,
    /// Folded: letters of either case are the same person.
    customer: String,
    sku: &'a str,
    quantity: u64,
    unit_price: Money,
    currency: Currency,
}

fn order_text(order: Option<&OrderRecord>) -> String {
    let Some(order) = order else {
        return String::new();
    };
    let facts = OrderFacts {
        id: order.id.to_string(),
        seq: order.id.seq,
        customer: order.customer.to_lowercase(),
        sku: order.sku.as_str(),
        quantity: order.quantity.units(),
        unit_price: order.unit_price,
        currency: order.currency,
    };
    let facts = serde_json::to_string(&facts).expect("texts and numbers have a JSON form");
    format!(r#","order":{}"#, message_text(&facts))
}

/// What is published of an entry, if anything is: the same whenever it is asked.
pub fn told(entry: &Entry, order: Option<&OrderRecord>) -> Option<(&'static str, String)> {
    let topic = topics(entry.kind).first()?;
    Some((topic, message(entry, order)))
}

fn message(entry: &Entry, order: Option<&OrderRecord>) -> String {
    format!(
        r#"{{"type":"{}","seq":{},"at":{},"data":{}{}}}"#,
        entry.kind.as_str(),
        entry.seq,
        entry.at,
        message_text(&entry.data),
        order_text(order),
    )
}

fn publish(
    entry: &Entry,
    order: Option<&OrderRecord>,
    topic: &'static str,
    envelopes: &dyn Envelopes,
    origin: Option<&Origin>,
) -> (Publish, Option<Box<dyn Span>>) {
    let message = message(entry, order);
    let mut publication = topic::Publication {
        message,
        attributes: type_of(entry.kind),
        ..topic::Publication::default()
    };
    if topic == TOPIC_CUSTOMERS
        && let Some(order) = order
    {
        let customer = blake3::hash(order.customer.to_lowercase().as_bytes()).to_hex();
        publication.group = Some(customer.as_str()[..32].to_owned());
        publication.deduplication = Some(entry.seq.to_string());
    }
    // The same id whenever the entry is published: it is one publication.
    let digest = blake3::hash(format!("{topic}:{}", entry.seq).as_bytes());
    let id: [u8; 16] = digest.as_bytes()[..16]
        .try_into()
        .expect("a hash is longer");
    let id = uuid(id);
    let span = origin.and_then(|origin| {
        let step = Step::Send {
            topic,
            message: &id,
            kind: entry.kind.as_str(),
            about: origin.about.as_ref(),
        };
        origin.trace.begin(step)
    });
    if let Some(span) = &span {
        let attributes = &mut publication.attributes;
        let context = span.context();
        let parent = Attribute::string(context.traceparent());
        attributes.insert(TRACEPARENT.to_owned(), parent);
        if let Some(state) = &context.state {
            attributes.insert(TRACESTATE.to_owned(), Attribute::string(&**state));
        }
    }
    let envelopes = envelopes.wrap(topic, &id, entry.at, &publication);
    let publish = Publish {
        id,
        publication,
        envelopes,
    };
    (publish, span)
}

/// Two characters that JSON may hold as they are and a message may not (`#xFFFE` and `#xFFFF`;
/// see `messaging::Refusal::InvalidMessageContents`) are escaped: the same JSON, and nobody can
/// stop the relay with a reference.
pub(crate) fn message_text(json: &str) -> Cow<'_, str> {
    if json.contains(['\u{fffe}', '\u{ffff}']) {
        let escaped = json.replace('\u{fffe}', "\\ufffe");
        escaped.replace('\u{ffff}', "\\uffff").into()
    } else {
        json.into()
    }
}

/// Runs until cancelled. What goes wrong while it reads is tried again from the cursor in the store.
///
/// # Errors
/// When the engine has stopped.
pub async fn run_relay(
    engine: Engine,
    envelopes: Arc<dyn Envelopes>,
    cancel: CancellationToken,
) -> Result<(), EngineError> {
    let shop = tell(&engine, Relay::Shop, &*envelopes, &cancel);
    // Orders are many: those who buy do not wait for those who hear of it.
    let behind = engine.behind();
    let orders = tell(&behind, Relay::Orders, &*envelopes, &cancel);
    tokio::try_join!(shop, orders).map(|_| ())
}

async fn tell(
    engine: &Engine,
    which: Relay,
    envelopes: &dyn Envelopes,
    cancel: &CancellationToken,
) -> Result<(), EngineError> {
    loop {
        match tell_until_it_fails(engine, which, envelopes, cancel).await {
            Err(error @ EngineError::Store(_)) if engine.failure().is_none() => {
                tracing::warn!(%error, ?which, "the relay tries again");
            }
            ended => return ended,
        }
        tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            () = tokio::time::sleep(READ_AGAIN) => {}
        }
    }
}

async fn tell_until_it_fails(
    engine: &Engine,
    which: Relay,
    envelopes: &dyn Envelopes,
    cancel: &CancellationToken,
) -> Result<(), EngineError> {
    let mut cursors = engine.read_own(|reader| reader.relayed()).await?;
    let mut cursor = *which.cursor(&mut cursors);
    let mut version = engine.subscriptions_version();
    let mut subscribed = Heard::read(engine, which).await?;
    let mut looked = tokio::time::Instant::now();
    'restart: loop {
        let mut tail = engine.feed().tail(cursor, engine.reader());
        let mut seen = cursor;
        loop {
            let skipped = seen > cursor;
            let next = tokio::select! {
                () = cancel.cancelled() => None,
                batch = tail.next() => Some(batch?.map(Some)),
                () = tokio::time::sleep(SUBSCRIPTIONS_EVERY), if skipped => Some(Some(None)),
            };
            let newest = engine.subscriptions_version();
            // What nobody was there to hear is past when somebody comes, and for the next start.
            if skipped && (next.is_none() || newest != version) {
                let nothing = Vec::new();
                match advance(engine, which, (cursor, seen), nothing, envelopes, cancel).await? {
                    Some(moved) if moved == seen => cursor = seen,
                    Some(moved) => {
                        cursor = moved;
                        continue 'restart;
                    }
                    None => return Ok(()),
                }
            }
            let Some(Some(batch)) = next else {
                return Ok(());
            };
            let Some(batch) = batch else {
                continue;
            };
            // In this order: what is added after the version was read is seen the next time. What
            // others add moves no version here, and this batch may be the first that is to be heard.
            let is_shared = engine.others().is_some();
            if newest != version || is_shared || looked.elapsed() > SUBSCRIPTIONS_EVERY {
                version = newest;
                subscribed = Heard::read(engine, which).await?;
                looked = tokio::time::Instant::now();
            }
            for chunk in batch.chunks(which.publications_max()) {
                let (publications, spans) =
                    publications(engine, chunk, &subscribed, envelopes).await?;
                seen = chunk.last().map_or(seen, |entry| entry.seq);
                if publications.is_empty() && seen - cursor < CURSOR_EVERY {
                    continue;
                }
                let span = (cursor, seen);
                let moved = advance(engine, which, span, publications, envelopes, cancel).await?;
                for span in spans {
                    span.end(None);
                }
                match moved {
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

/// Each with its topic, and the time of what it tells of.
type Publications = Vec<(&'static str, Publish, Millis)>;

/// What these entries say on the topics that somebody hears, and the spans of those that are
/// part of a trace.
async fn publications(
    engine: &Engine,
    entries: &[Arc<Entry>],
    subscribed: &[Heard],
    envelopes: &dyn Envelopes,
) -> Result<(Publications, Vec<Box<dyn Span>>), EngineError> {
    let where_to = |entry: &Entry| {
        // A trace adds attributes, which a filter may ask for.
        let is_traced = engine.traces().of(entry).is_some();
        let heard = |topic: &&'static str| {
            let mut on_it = subscribed.iter().filter(|heard| heard.topic == *topic);
            on_it.any(|heard| is_traced || heard.wants(entry.kind))
        };
        topics(entry.kind)
            .iter()
            .copied()
            .filter(heard)
            .collect::<Vec<_>>()
    };
    let told: Vec<(&Entry, Vec<&'static str>)> = entries
        .iter()
        .map(|entry| (&**entry, where_to(entry)))
        .filter(|(_, topics)| !topics.is_empty())
        .collect();
    // What an entry about an order does not say itself is in the order.
    let of_orders = told.iter().filter(|(entry, _)| entry.kind.is_order());
    let asked: Vec<u64> = of_orders.map(|(entry, _)| entry.subject).collect();
    let mut orders = HashMap::new();
    if !asked.is_empty() {
        orders = engine
            .read_own(move |reader| {
                let mut found = HashMap::new();
                for seq in asked {
                    if let Some(order) = reader.order(seq)? {
                        found.insert(seq, order);
                    }
                }
                Ok(found)
            })
            .await?;
    }
    let (mut publications, mut spans) = (Vec::new(), Vec::new());
    for (entry, topics) in told {
        let origin = engine.traces().of(entry);
        for topic in topics {
            let order = orders.get(&entry.subject);
            let (publish, span) = publish(entry, order, topic, envelopes, origin.as_ref());
            publications.push((topic, publish, entry.at));
            spans.extend(span);
        }
    }
    Ok((publications, spans))
}

/// A topic that somebody listens to, and what of it.
struct Heard {
    topic: &'static str,
    /// Kinds that pass at least one filter; none when that is not known and all may.
    kinds: Option<Vec<Kind>>,
}

/// With more subscriptions than that their filters are left to each publication.
const FILTERS_MAX: usize = 100;

impl Heard {
    /// Topics that nobody listens to, and kinds that nobody wants, cost nothing: in a rush most
    /// orders are sold out, and few want to hear of each.
    async fn read(engine: &Engine, which: Relay) -> Result<Vec<Self>, EngineError> {
        let topics = which.topics();
        engine
            .read_own(move |reader| {
                let mut heard = Vec::new();
                for topic in topics.iter().copied() {
                    let listeners = reader.subscriptions(Some(topic), None, FILTERS_MAX + 1)?;
                    if !listeners.is_empty() {
                        heard.push(Self {
                            topic,
                            kinds: kinds_heard(&listeners),
                        });
                    }
                }
                Ok(heard)
            })
            .await
    }

    fn wants(&self, kind: Kind) -> bool {
        self.kinds
            .as_ref()
            .is_none_or(|kinds| kinds.contains(&kind))
    }
}

fn kinds_heard(listeners: &[Subscription]) -> Option<Vec<Kind>> {
    if listeners.len() > FILTERS_MAX {
        return None;
    }
    let passes = |kind: Kind| {
        let attributes = type_of(kind);
        listeners.iter().any(|listener| {
            let filter = listener.subscription.filter.as_ref();
            filter.is_none_or(|filter| {
                // What a message says is known when it is made.
                filter.scope() == FilterScope::MessageBody || filter.matches(&attributes, "")
            })
        })
    };
    let kinds = Kind::ALL.iter().copied();
    Some(kinds.filter(|kind| passes(*kind)).collect())
}

/// The attributes of every publication.
fn type_of(kind: Kind) -> BTreeMap<String, Attribute> {
    [("type".to_owned(), Attribute::string(kind.as_str()))].into()
}

/// Where the cursor is afterwards; none when cancelled.
async fn advance(
    engine: &Engine,
    which: Relay,
    (from, to): (u64, u64),
    mut publications: Publications,
    envelopes: &dyn Envelopes,
    cancel: &CancellationToken,
) -> Result<Option<u64>, EngineError> {
    let mut is_bare_fine = false;
    loop {
        let told = publications.iter();
        let command = Command::Relay {
            which,
            from,
            to,
            publications: told
                .map(|(topic, publish, _)| (*topic, publish.clone()))
                .collect(),
            is_bare_fine,
        };
        match engine.decide(command).await {
            Ok(Ok(_)) => return Ok(Some(to)),
            Ok(Err(Refusal::RelayMoved { cursor })) => return Ok(Some(cursor)),
            // Somebody came while they were written, through this process or another.
            Ok(Err(Refusal::EnvelopeMissing)) => {
                envelopes.forget();
                for (topic, publish, at) in &mut publications {
                    let (id, publication) = (&publish.id, &publish.publication);
                    publish.envelopes = envelopes.wrap(topic, id, *at, publication);
                }
                is_bare_fine = true;
            }
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
