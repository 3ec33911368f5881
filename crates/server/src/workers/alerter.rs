//! Looks at the shop every few seconds, opens and resolves alerts, and tells operations.
//!
//! One look is one read of the store and one of the consumers' database. Webhooks are told in
//! the transaction that changes an alert, and sent right behind it (what a crash leaves unsent the
//! keeper of webhooks sends); for an e-mail a message goes to the queue `emails`,
//! and then it is noted that it went: a crash in between sends it again, with the same id.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use commerce::{Millis, ReplenishmentStatus};
use effects::alerts::{
    Alerts, Backlog, Line, Memory, Observation, Telling, Transition, sightings, transitions,
};
use effects::webhooks::Webhooks;
use engine::ports::{QueueDepth, Reader, StoreError};
use engine::{Command, Refusal};
use messaging::Send;

use super::alert_mail::AlertMail;
use super::{ConsumerState, ConsumerStatus, webhooks};
use crate::state::App;

const NAME: &str = "alerter";
/// Where e-mails are written and sent.
pub const EMAILS_QUEUE: &str = "emails";
/// Requests to factories looked at, newest first.
const REPLENISHMENTS: usize = 200;
/// Messages of webhooks sent at once; what is more is sent a few seconds later.
const WEBHOOKS_MAX: u32 = 1_000;
/// Lines looked at.
const LINES: usize = 1_000;
/// In the last tenth of the time for which a queue keeps a message it is said that it will go.
const LAST_PART: Millis = 10;
/// As long as it stays so, it is said again after so long.
const SAID_AGAIN_MS: Millis = 60 * 60 * 1_000;

/// What one read of the store shows.
struct Seen {
    depths: Vec<QueueDepth>,
    factories: Vec<(String, i64)>,
    lines: Vec<Line>,
    gone: Option<String>,
}

pub(super) struct Alerter {
    app: App,
    alerts: Alerts,
    webhooks: Webhooks,
    /// The queues that this shop's own consumers work on.
    queues: BTreeSet<String>,
    memory: Memory,
    looking_since: Millis,
    /// So that a queue that is missing is logged once.
    mails_put_off: bool,
    /// When it was last logged that messages of this queue will be deleted.
    said: BTreeMap<String, Millis>,
}

pub(super) async fn run(app: App, queues: BTreeSet<String>) {
    let every = Duration::from_millis(app.config.alerts.every_ms);
    let mut alerter = Alerter::new(app.clone(), queues);
    loop {
        app.workers.beat(NAME, app.engine.now());
        tokio::select! {
            () = app.cancel.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        if let Err(error) = alerter.round().await {
            tracing::warn!(error, "alerts: a look was put off");
        }
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Alerter {
    pub(super) fn new(app: App, queues: BTreeSet<String>) -> Self {
        Self {
            alerts: Alerts::new(&app.effects),
            webhooks: Webhooks::new(&app.effects),
            queues,
            memory: Memory::default(),
            looking_since: app.engine.now(),
            mails_put_off: false,
            said: BTreeMap::new(),
            app,
        }
    }

    pub(super) async fn round(&mut self) -> Result<(), String> {
        let seen = self.look().await?;
        let limits = self.app.config.alerts.limits();
        let causes = sightings(&limits, &seen, &mut self.memory);
        let open = self.alerts.open().await.map_err(text)?;
        let changes = transitions(&limits, seen.at, self.looking_since, &open, &causes);
        let is_mailed = self.app.config.alerts.email.is_some();
        if !changes.is_empty() {
            log(&changes);
            let applied = self.alerts.apply(changes, is_mailed, seen.at).await;
            applied.map_err(text)?;
            self.send_webhooks().await?;
        }
        let open = self.alerts.open().await.map_err(text)?;
        metrics::gauge!("firstcome_alerts_open")
            .set(f64::from(u32::try_from(open.len()).unwrap_or(u32::MAX)));
        self.tell().await
    }

    async fn send_webhooks(&self) -> Result<(), String> {
        let told = self.webhooks.unqueued_alerts(WEBHOOKS_MAX).await;
        let told = told.map_err(text)?;
        if let Err(error) = webhooks::send(&self.app.engine, &self.webhooks, told).await {
            tracing::info!(error, "alerts: webhooks are sent a little later");
        }
        Ok(())
    }

    async fn look(&mut self) -> Result<Observation, String> {
        let (now, visible_by) = (self.app.engine.now(), self.app.engine.log_time());
        let products_max = self.app.engine.limits().products_max;
        let app = self.app.clone();
        let seen = self
            .app
            .engine
            .read_own(move |reader| {
                Ok(Seen {
                    depths: reader.queues(visible_by)?,
                    factories: failing_factories(reader)?,
                    lines: lines(reader, products_max)?,
                    gone: app.store_files.gone(),
                })
            })
            .await
            .map_err(text)?;
        self.say_what_expires(&seen.depths, now);
        let endpoints = self.webhooks.endpoints(now).await.map_err(text)?;
        Ok(Observation {
            at: now,
            dead_letters: dead_letters(&seen.depths),
            consumers: self.backlogs(&seen.depths),
            waiting: self.waiting(),
            factories: seen.factories,
            lines: seen.lines,
            endpoints: endpoints
                .into_iter()
                .filter(|one| one.disabled.is_some_and(|(why, _)| why.is_failure()))
                .map(|one| one.id)
                .collect(),
            newer: self.app.newer.clone(),
            gone: seen.gone.into_iter().collect(),
        })
    }

    /// Then nobody works on them any more, and the alert that they wait is resolved.
    fn say_what_expires(&mut self, depths: &[QueueDepth], now: Millis) {
        let found = expiring(depths, &self.queues, now);
        self.said.retain(|queue, _| found.contains_key(queue));
        for (queue, at) in found {
            let said = self.said.get(&queue);
            if said.is_some_and(|said| now - said < SAID_AGAIN_MS) {
                continue;
            }
            let hours_left = (at - now).max(0) / 3_600_000;
            tracing::error!(
                queue,
                hours_left,
                "messages will be deleted: the queue keeps them no longer"
            );
            self.said.insert(queue, now);
        }
    }

    fn backlogs(&self, depths: &[QueueDepth]) -> Vec<Backlog> {
        let flows = self.app.engine.flows();
        let of_ours = depths
            .iter()
            .filter(|depth| self.queues.contains(&depth.queue.name));
        of_ours
            .map(|depth| {
                let flow = flows.get(&depth.queue.name).copied().unwrap_or_default();
                Backlog {
                    queue: depth.queue.name.clone(),
                    visible: i64::try_from(depth.visible).unwrap_or(i64::MAX),
                    handled: flow.total.received + flow.total.deleted,
                }
            })
            .collect()
    }

    /// Those of this process.
    fn waiting(&self) -> Vec<(String, i64, Millis)> {
        let waits = |status: ConsumerStatus| match status.state {
            ConsumerState::Waiting { since, .. } => {
                let count = status.backlog.map_or(0, |backlog| {
                    i64::try_from(backlog.visible + backlog.in_flight).unwrap_or(i64::MAX)
                });
                Some((status.queue.to_owned(), count, since))
            }
            ConsumerState::Running | ConsumerState::Paused | ConsumerState::Stopped => None,
        };
        let all = self.app.consumers.status().into_iter();
        all.filter_map(waits).collect()
    }

    async fn tell(&mut self) -> Result<(), String> {
        for telling in self.alerts.untold().await.map_err(text)? {
            if let Some(email) = self.app.config.alerts.email.clone()
                && !self.mail(&telling, email).await?
            {
                return Ok(());
            }
            self.alerts.mark_told(&telling).await.map_err(text)?;
        }
        Ok(())
    }

    /// False when nobody takes e-mails now.
    async fn mail(&mut self, telling: &Telling, to: String) -> Result<bool, String> {
        let mail = AlertMail::new(telling, to);
        let command = Command::SendMessage {
            queue: EMAILS_QUEUE.to_owned(),
            send: Box::new(Send {
                body: serde_json::to_string(&mail).expect("it has a JSON form"),
                ..Send::default()
            }),
        };
        match self.app.engine.decide(command).await.map_err(text)? {
            Ok(_) => {
                self.mails_put_off = false;
                Ok(true)
            }
            Err(Refusal::QueueNotFound { .. }) => {
                if !std::mem::replace(&mut self.mails_put_off, true) {
                    tracing::warn!("there is no queue `{EMAILS_QUEUE}`: alerts wait to be mailed");
                }
                Ok(false)
            }
            Err(refusal) => Err(format!("an e-mail was refused: {}", refusal.code())),
        }
    }
}

fn log(changes: &[Transition]) {
    for change in changes {
        match change {
            Transition::Open(cause) => tracing::warn!(
                rule = cause.rule.as_str(),
                subject = cause.subject,
                count = cause.count,
                "an alert was opened"
            ),
            Transition::Resolve { n } => tracing::info!(alert = n, "an alert was resolved"),
            Transition::Seen { .. } => {}
        }
    }
}

fn dead_letters(depths: &[QueueDepth]) -> Vec<(String, i64)> {
    let named: BTreeSet<&str> = depths
        .iter()
        .filter_map(|depth| depth.queue.config.redrive.as_ref())
        .map(|redrive| redrive.dead_letter_queue.as_str())
        .collect();
    depths
        .iter()
        .filter(|depth| named.contains(depth.queue.name.as_str()))
        .map(|depth| {
            let count = depth.visible + depth.in_flight + depth.delayed;
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            (depth.queue.name.clone(), count)
        })
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// Queues of these consumers, and their dead-letter queues, whose oldest message will soon have been
/// kept for as long as its queue keeps any; and when that is.
fn expiring(
    depths: &[QueueDepth],
    queues: &BTreeSet<String>,
    now: Millis,
) -> BTreeMap<String, Millis> {
    let of_ours = depths.iter().map(|depth| &depth.queue);
    let of_ours = of_ours.filter(|queue| queues.contains(&queue.name));
    let dead: BTreeSet<&str> = of_ours
        .filter_map(|queue| queue.config.redrive.as_ref())
        .map(|redrive| redrive.dead_letter_queue.as_str())
        .collect();
    depths
        .iter()
        .filter(|depth| {
            let name = depth.queue.name.as_str();
            queues.contains(name) || dead.contains(name)
        })
        .filter_map(|depth| {
            let kept_ms = i64::from(depth.queue.config.retention_s) * 1_000;
            let at = depth.oldest_sent_at? + kept_ms;
            (now >= at - kept_ms / LAST_PART).then(|| (depth.queue.name.clone(), at))
        })
        .collect()
}

/// Those whose newest requests failed, with how many in a row. A request that was not taken yet
/// says nothing.
fn failing_factories(reader: &dyn Reader) -> Result<Vec<(String, i64)>, StoreError> {
    let mut known: BTreeMap<String, (i64, bool)> = BTreeMap::new();
    for replenishment in reader.replenishments(None, None, REPLENISHMENTS)? {
        let (failures, is_decided) = known
            .entry(replenishment.factory.to_string())
            .or_insert((0, false));
        match replenishment.status {
            ReplenishmentStatus::Failed if !*is_decided => *failures += 1,
            ReplenishmentStatus::InProduction | ReplenishmentStatus::Received => *is_decided = true,
            ReplenishmentStatus::Requested | ReplenishmentStatus::Failed => {}
        }
    }
    Ok(known
        .into_iter()
        .map(|(factory, (failures, _))| (factory, failures))
        .filter(|(_, failures)| *failures > 0)
        .collect())
}

fn lines(reader: &dyn Reader, products_max: usize) -> Result<Vec<Line>, StoreError> {
    let products = reader.products(None, products_max)?;
    let mut lines = Vec::new();
    for product in products.iter().filter(|one| one.waiting > 0).take(LINES) {
        let Some(head) = reader.waiting(product.id, 0, 1)?.pop() else {
            continue;
        };
        let Some(order) = reader.order(head.order)? else {
            continue;
        };
        lines.push(Line {
            sku: product.sku.to_string(),
            head_since: order.placed_at,
            waiting: i64::try_from(product.waiting).unwrap_or(i64::MAX),
        });
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use engine::ports::Queue;
    use messaging::{QueueConfig, RedrivePolicy};

    use super::*;

    fn depth(name: &str, oldest_sent_at: Option<Millis>) -> QueueDepth {
        let config = QueueConfig {
            retention_s: 1_000,
            redrive: (!name.ends_with("-dlq")).then(|| RedrivePolicy {
                dead_letter_queue: format!("{name}-dlq"),
                max_receive_count: 3,
            }),
            ..QueueConfig::default()
        };
        QueueDepth {
            queue: Queue {
                id: 1,
                name: name.to_owned(),
                partition: 1,
                config,
                more: Arc::default(),
                moves: Arc::default(),
                next_seq: 1,
                created_at: 0,
                modified_at: 0,
                purged_at: None,
            },
            visible: u64::from(oldest_sent_at.is_some()),
            in_flight: 0,
            delayed: 0,
            oldest_sent_at,
        }
    }

    #[test]
    fn what_consumers_were_to_work_on_does_not_expire_unsaid() {
        let ours = ["emails".to_owned()].into();
        for (name, sent_at, expected) in [
            ("emails", None, None),
            ("emails", Some(1), None),
            ("emails", Some(0), Some(1_000_000)),
            // Somebody else's program works on it, and chose how long its messages are kept.
            ("theirs", Some(0), None),
        ] {
            for name in [name.to_owned(), format!("{name}-dlq")] {
                let depths = [
                    depth("emails", None),
                    depth("theirs", None),
                    depth(&name, sent_at),
                ];
                let found = expiring(&depths, &ours, 900_000);
                assert_eq!(found.get(&name).copied(), expected, "{name}");
            }
        }
    }
}
