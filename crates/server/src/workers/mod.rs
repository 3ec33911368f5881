//! What happens after a decision: one file for each consumer, and the timers.
//!
//! A worker proposes commands, it never writes. Its work is safe to repeat: it may die between
//! any two steps and a message is then received again.

pub mod alert_mail;
mod alerter;
mod auctioneer;
mod bids;
pub mod consumer;
mod consumers;
mod deliveries;
mod emails;
pub mod events;
mod keeper;
mod marketing;
mod mileage;
mod outage;
pub mod purchases;
mod replenisher;
mod runtime;
mod sweeper;
#[cfg(test)]
mod testing;
mod vip;
pub mod webhooks;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use commerce::Millis;
use effects::Customers;
use engine::auction::{BIDS_DEAD_LETTER_QUEUE, BIDS_QUEUE};
use engine::ports::{Clock, DELIVERIES_QUEUE};
use engine::{Command, Engine, EngineError, QueueSpec, TOPIC_STOCK};
use messaging::{DeduplicationScope, FifoConfig, QueueConfig, RedrivePolicy, ThroughputLimit};
use tokio_util::task::TaskTracker;

use crate::config::{Config, ConfigError, Factory};
use crate::mailer::Mailer;
use crate::state::App;
use crate::workers::consumer::Consumer;

/// Where requests to factories wait.
pub const REPLENISHMENT_QUEUE: &str = "replenishment";
const REPLENISHMENT_DLQ: &str = "replenishment-dlq";
/// Where notifications end up that no endpoint took and no other queue is named for.
const DELIVERIES_DLQ: &str = "sns-deliveries-dlq";
/// Nobody else may make these otherwise than they are made here, change or delete them.
const OWN_QUEUES: [&str; 6] = [
    REPLENISHMENT_QUEUE,
    REPLENISHMENT_DLQ,
    BIDS_QUEUE,
    BIDS_DEAD_LETTER_QUEUE,
    DELIVERIES_QUEUE,
    DELIVERIES_DLQ,
];
/// An endpoint has 15 seconds to answer, and may have to wait for its turn before.
const DELIVERIES_TIMEOUT_S: u32 = 120;
/// The worker counts the tries itself: this is for messages that no worker lives through.
const DELIVERIES_RECEIVES_MAX: u32 = 1_000;
/// A bid that no worker lives through so often is set aside, and the auction goes on.
const BIDS_RECEIVES_MAX: u32 = 5;
/// Dead letters are kept for 14 days, the longest there is.
const DLQ_RETENTION_S: u32 = 1_209_600;

/// Whether the shop itself needs the queue of this name.
pub fn is_own(queue: &str) -> bool {
    OWN_QUEUES.contains(&queue)
}

/// A worker that has not gone round for so long stands still.
const STANDS_STILL_MS: Millis = 60_000;

/// When each worker last went round: what readiness looks at.
#[derive(Clone, Default)]
pub struct Health {
    seen: Arc<Mutex<BTreeMap<&'static str, Millis>>>,
}

impl Health {
    pub fn beat(&self, worker: &'static str, now: Millis) {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(worker, now);
    }

    pub fn standing_still(&self, now: Millis) -> Option<&'static str> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter()
            .find(|(_, last)| now - **last > STANDS_STILL_MS)
            .map(|(worker, _)| *worker)
    }
}

/// Auctions do not hold each other up: everything is per group. Whoever sends bids over SQS need
/// not name a deduplication id.
fn fifo() -> QueueConfig {
    QueueConfig {
        fifo: Some(FifoConfig {
            content_based_deduplication: true,
            deduplication_scope: DeduplicationScope::MessageGroup,
            throughput_limit: ThroughputLimit::PerMessageGroupId,
        }),
        ..QueueConfig::default()
    }
}

/// The queues that the shop itself needs.
///
/// # Errors
/// When the engine cannot make them.
pub async fn ensure_queues(
    engine: &Engine,
    settings: &Factory,
    consumers: &[Arc<dyn Consumer>],
) -> Result<(), EngineError> {
    // Six times what one attempt may take, as Amazon advises for its consumers.
    let attempts_s = settings.request_timeout_ms.div_ceil(1_000) * 6;
    let visibility_timeout_s = u32::try_from(attempts_s)
        .unwrap_or(u32::MAX)
        .clamp(30, 43_200);
    let queues = vec![
        QueueSpec {
            name: REPLENISHMENT_DLQ.to_owned(),
            config: QueueConfig {
                retention_s: DLQ_RETENTION_S,
                ..QueueConfig::default()
            },
        },
        QueueSpec {
            name: REPLENISHMENT_QUEUE.to_owned(),
            config: QueueConfig {
                redrive: Some(RedrivePolicy {
                    dead_letter_queue: REPLENISHMENT_DLQ.to_owned(),
                    max_receive_count: settings.attempts_max,
                }),
                visibility_timeout_s,
                ..QueueConfig::default()
            },
        },
        QueueSpec {
            name: BIDS_DEAD_LETTER_QUEUE.to_owned(),
            config: QueueConfig {
                retention_s: DLQ_RETENTION_S,
                ..fifo()
            },
        },
        QueueSpec {
            name: BIDS_QUEUE.to_owned(),
            config: QueueConfig {
                redrive: Some(RedrivePolicy {
                    dead_letter_queue: BIDS_DEAD_LETTER_QUEUE.to_owned(),
                    max_receive_count: BIDS_RECEIVES_MAX,
                }),
                ..fifo()
            },
        },
        QueueSpec {
            name: DELIVERIES_DLQ.to_owned(),
            config: QueueConfig {
                retention_s: DLQ_RETENTION_S,
                ..QueueConfig::default()
            },
        },
        QueueSpec {
            name: DELIVERIES_QUEUE.to_owned(),
            config: QueueConfig {
                redrive: Some(RedrivePolicy {
                    dead_letter_queue: DELIVERIES_DLQ.to_owned(),
                    max_receive_count: DELIVERIES_RECEIVES_MAX,
                }),
                visibility_timeout_s: DELIVERIES_TIMEOUT_S,
                ..QueueConfig::default()
            },
        },
    ];
    let mut queues = queues;
    let mut subscriptions = vec![(TOPIC_STOCK, REPLENISHMENT_QUEUE).into()];
    consumers::own(consumers, &mut queues, &mut subscriptions);
    purchases::own(&mut queues, &mut subscriptions);
    let command = Command::EnsureQueues {
        queues,
        subscriptions,
    };
    match engine.decide(command).await? {
        Ok(_) => Ok(()),
        Err(refusal) => Err(EngineError::Store(
            format!("the shop's own queues were refused: {refusal:?}").into(),
        )),
    }
}

/// What consumers are made of.
#[derive(Clone)]
pub struct Parts {
    /// None where the shop is another process: then only those are made that need no engine.
    pub engine: Option<Engine>,
    pub clock: Arc<dyn Clock>,
    pub config: Arc<Config>,
    pub customers: Customers,
    pub effects: effects::Effects,
    /// For calls to others, of the usual time-outs.
    pub client: outgoing::Client,
    /// Who may be called.
    pub allowed: outgoing::AllowedHosts,
    pub mailer: Mailer,
    pub public_url: String,
}

/// Those who follow what the shop does, each with a queue of its own.
///
/// # Errors
/// When a client for calls to others cannot be made.
pub fn consumers(parts: &Parts) -> Result<Vec<Arc<dyn Consumer>>, outgoing::BuildError> {
    let customers = || parts.customers.clone();
    let mut all: Vec<Arc<dyn Consumer>> = vec![
        Arc::new(mileage::Mileage::new(
            customers(),
            parts.config.mileage.basis_points,
        )),
        Arc::new(vip::Vip::new(customers(), parts.config.vip.units)),
        Arc::new(marketing::Marketing::new(parts)),
    ];
    if let Some(engine) = &parts.engine {
        all.push(Arc::new(emails::Emails::new(parts, engine.clone())));
        all.push(Arc::new(webhooks::Teller {
            engine: engine.clone(),
            webhooks: effects::webhooks::Webhooks::new(&parts.effects),
        }));
        all.push(Arc::new(webhook_caller(parts, engine)?));
    }
    Ok(all)
}

fn webhook_caller(
    parts: &Parts,
    engine: &Engine,
) -> Result<webhooks::Caller, outgoing::BuildError> {
    let settings = &parts.config.webhooks;
    let total = Duration::from_millis(settings.timeout_ms);
    let timeouts = outgoing::Timeouts {
        connect: total.min(outgoing::Timeouts::default().connect),
        total,
    };
    Ok(webhooks::Caller {
        engine: engine.clone(),
        webhooks: effects::webhooks::Webhooks::new(&parts.effects),
        client: outgoing::Client::new(parts.allowed.clone(), timeouts)?,
        schedule: settings.schedule(),
        disable_after_ms: Millis::from(settings.disable_after_s) * 1_000,
        timeout: total,
        calls: webhooks::Calls::default(),
    })
}

/// A consumer that is off must be one that there is, by its name or its queue's.
///
/// # Errors
/// Names the one that there is not.
pub fn check_off(off: &[String], consumers: &[Arc<dyn Consumer>]) -> Result<(), ConfigError> {
    let known = |name: &str| {
        name == purchases::TRACKING_QUEUE || consumers.iter().any(|one| is_called(&**one, name))
    };
    match off.iter().find(|name| !known(name)) {
        Some(name) => Err(ConfigError {
            name: "consumers.off".to_owned(),
            what: format!("there is no consumer {name}"),
        }),
        None => Ok(()),
    }
}

fn is_called(consumer: &dyn Consumer, name: &str) -> bool {
    consumer.name() == name || consumer.queue() == name
}

/// Starts every worker; they end with the server's token.
pub fn start(
    app: &App,
    tracker: &TaskTracker,
    client: outgoing::Client,
    consumers: Vec<Arc<dyn Consumer>>,
) {
    let off = &app.config.consumers.off;
    let is_off = |one: &dyn Consumer| off.iter().any(|name| is_called(one, name));
    let consumers: Vec<_> = consumers
        .into_iter()
        .filter(|one| !is_off(&**one))
        .collect();
    let mut worked_on: BTreeSet<String> = [REPLENISHMENT_QUEUE, BIDS_QUEUE, DELIVERIES_QUEUE]
        .map(str::to_owned)
        .into();
    worked_on.extend(consumers.iter().map(|one| one.queue().to_owned()));
    tracker.spawn(alerter::run(app.clone(), worked_on));
    tracker.spawn(webhooks::keep(app.clone()));
    for consumer in consumers {
        tracker.spawn(consumers::run(app.clone(), consumer));
    }
    tracker.spawn(marketing::announce(app.clone()));
    let replenisher = replenisher::Replenisher::new(app.clone(), client);
    tracker.spawn(runtime::run(app.clone(), REPLENISHMENT_QUEUE, replenisher));
    tracker.spawn(keeper::run(app.clone()));
    tracker.spawn(sweeper::run(app.clone()));
    tracker.spawn(auctioneer::run(app.clone()));
    for _ in 0..bids::LOOPS {
        tracker.spawn(bids::run(app.clone()));
    }
    let deliveries = deliveries::Deliveries::new(app.clone());
    for _ in 0..deliveries::LOOPS {
        let worker = deliveries.clone();
        tracker.spawn(runtime::run(app.clone(), DELIVERIES_QUEUE, worker));
    }
}
