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
mod demo_carrier;
mod drill;
mod emails;
pub mod events;
#[cfg(test)]
mod examples;
mod fan_out;
#[cfg(test)]
mod faults;
mod keeper;
mod marketing;
mod mileage;
mod outage;
mod parcel_teller;
mod parts;
pub mod purchases;
mod replenisher;
mod runtime;
mod sweeper;
#[cfg(test)]
pub(crate) mod testing;
pub mod tracking;
mod vip;
pub mod webhooks;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use commerce::Millis;
use engine::auction::{BIDS_DEAD_LETTER_QUEUE, BIDS_QUEUE};
use engine::ports::{Clock, DELIVERIES_QUEUE, FAN_OUT_QUEUE, Ids};
use engine::{Command, Engine, EngineError, QueueSpec, TOPIC_STOCK};
use messaging::{DeduplicationScope, FifoConfig, QueueConfig, RedrivePolicy, ThroughputLimit};
use tokio_util::task::TaskTracker;

pub use self::consumers::{
    ConsumerState, ConsumerStatus, Consumers, RunParts, SAMPLE_EVERY, Sample, run_consumer,
    sample_consumers,
};
use self::consumers::{EnginePort, QueuePort, SqsPort};
pub use self::parts::{ConsumerParts, consumers, is_off, retain_here};
use crate::config::Factory;
use crate::sqs;
use crate::state::App;
use crate::workers::consumer::Consumer;

pub(crate) use self::demo_carrier::run as carry_parcels;

/// Where requests to factories wait.
pub const REPLENISHMENT_QUEUE: &str = "replenishment";
const REPLENISHMENT_DLQ: &str = "replenishment-dlq";
/// Where notifications end up that no endpoint took and no other queue is named for.
const DELIVERIES_DLQ: &str = "sns-deliveries-dlq";
/// Nobody else may make these otherwise than they are made here, change or delete them.
const OWN_QUEUES: [&str; 14] = [
    REPLENISHMENT_QUEUE,
    REPLENISHMENT_DLQ,
    BIDS_QUEUE,
    BIDS_DEAD_LETTER_QUEUE,
    DELIVERIES_QUEUE,
    DELIVERIES_DLQ,
    FAN_OUT_QUEUE,
    purchases::MILEAGE_QUEUE,
    purchases::TRACKING_QUEUE,
    vip::QUEUE,
    marketing::QUEUE,
    emails::QUEUE,
    webhooks::TELLER_QUEUE,
    webhooks::CALLER_QUEUE,
];
/// An endpoint has 15 seconds to answer, and may have to wait for its turn before.
const DELIVERIES_TIMEOUT_S: u32 = 120;
/// A step takes a fraction of a second. It may wait for longer behind others; proposed once more, it
/// is done once.
const FAN_OUT_TIMEOUT_S: u32 = 10;
/// The worker counts the tries itself: this is for messages that no worker lives through.
const DELIVERIES_RECEIVES_MAX: u32 = 1_000;
/// A bid that no worker lives through so often is set aside, and the auction goes on.
const BIDS_RECEIVES_MAX: u32 = 5;
/// Dead letters are kept for 14 days, the longest there is.
const DLQ_RETENTION_S: u32 = 1_209_600;

/// Whether the shop itself needs the queue of this name.
pub fn is_own(queue: &str) -> bool {
    let is_dead_letters = |own: &&str| queue == consumers::dead_letter_queue(own);
    OWN_QUEUES.contains(&queue) || OWN_QUEUES.iter().any(is_dead_letters)
}

/// How long one look of a consumer waits for messages: an arrival ends it sooner.
const OWN_WAIT: Duration = Duration::from_secs(5);
pub const SQS_WAIT: Duration = Duration::from_secs(20);

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

/// Where what was published waits to be taken further.
fn topics_own(name: &str, visibility_timeout_s: u32) -> QueueSpec {
    QueueSpec {
        name: name.to_owned(),
        config: QueueConfig {
            redrive: Some(RedrivePolicy {
                dead_letter_queue: DELIVERIES_DLQ.to_owned(),
                max_receive_count: DELIVERIES_RECEIVES_MAX,
            }),
            visibility_timeout_s,
            ..QueueConfig::default()
        },
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
        topics_own(DELIVERIES_QUEUE, DELIVERIES_TIMEOUT_S),
        topics_own(FAN_OUT_QUEUE, FAN_OUT_TIMEOUT_S),
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

/// Looks after the shop's own queues, whoever works on them: alerts, and the consumers' last hour.
pub fn watch(app: &App, tracker: &TaskTracker, consumers: &[Arc<dyn Consumer>]) {
    let mut worked_on: BTreeSet<String> = [
        REPLENISHMENT_QUEUE,
        BIDS_QUEUE,
        DELIVERIES_QUEUE,
        FAN_OUT_QUEUE,
    ]
    .map(str::to_owned)
    .into();
    let on = consumers
        .iter()
        .filter(|one| !parts::is_off(&app.config, &***one));
    worked_on.extend(on.map(|one| one.queue().to_owned()));
    tracker.spawn(alerter::run(app.clone(), worked_on));
    let looked_at = app.consumers.clone();
    tracker.spawn(sample_consumers(looked_at, app.cancel.clone()));
}

/// Starts these consumers over the queues of this process; they end with the server's token.
pub fn start_consumers(
    app: &App,
    tracker: &TaskTracker,
    consumers: Vec<Arc<dyn Consumer>>,
    clock: &Arc<dyn Clock>,
    ids: &Arc<dyn Ids>,
) {
    for consumer in consumers {
        tracker.spawn(run_consumer(RunParts {
            monitor: app.consumers.of(&*consumer),
            port: EnginePort::open(&app.engine, consumer.queue()),
            consumer,
            clock: Arc::clone(clock),
            ids: Arc::clone(ids),
            health: app.workers.clone(),
            wait: OWN_WAIT,
            stop: app.cancel.clone(),
        }));
    }
}

/// The queue of this consumer at an SQS endpoint.
pub fn over_sqs(client: &sqs::Client, consumer: &dyn Consumer) -> Arc<dyn QueuePort> {
    SqsPort::open(client.clone(), consumer.queue())
}

/// Starts what belongs to the engine's process; it ends with the server's token.
pub fn start(app: &App, tracker: &TaskTracker, client: outgoing::Client) {
    tracker.spawn(marketing::announce(app.clone()));
    tracker.spawn(webhooks::keep(app.clone()));
    let replenisher = replenisher::Replenisher::new(app.clone(), client);
    tracker.spawn(runtime::run(app.clone(), REPLENISHMENT_QUEUE, replenisher));
    tracker.spawn(keeper::run(app.clone()));
    tracker.spawn(parcel_teller::run(app.clone()));
    tracker.spawn(sweeper::run(app.clone()));
    tracker.spawn(auctioneer::run(app.clone()));
    for _ in 0..bids::LOOPS {
        tracker.spawn(bids::run(app.clone()));
    }
    let steps = fan_out::FanOuts::new(app.clone());
    tracker.spawn(runtime::run(app.clone(), FAN_OUT_QUEUE, steps));
    let deliveries = deliveries::Deliveries::new(app.clone());
    for _ in 0..deliveries::LOOPS {
        let worker = deliveries.clone();
        tracker.spawn(runtime::run(app.clone(), DELIVERIES_QUEUE, worker));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_has_not_gone_round_for_a_minute_stands_still() {
        let health = Health::default();
        assert_eq!(health.standing_still(1_000_000), None);
        health.beat("one", 1_000_000);
        health.beat("two", 1_000_001);
        for (now, expected) in [
            (1_000_000, None),
            (1_000_000 + STANDS_STILL_MS, None),
            (1_000_001 + STANDS_STILL_MS, Some("one")),
        ] {
            assert_eq!(health.standing_still(now), expected, "at {now}");
        }
        health.beat("one", 1_000_001);
        assert_eq!(health.standing_still(1_000_001 + STANDS_STILL_MS), None);
        assert_eq!(
            health.standing_still(1_000_002 + STANDS_STILL_MS),
            Some("one")
        );
    }
}
