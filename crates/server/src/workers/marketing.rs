//! Tells the marketing system who has become VIP.
//!
//! ```text
//! customers.db, notice ──announce──> queue `marketing` ──Marketing──> POST, signed ──> told_at
//! ```
//! What always holds: a notice is written with the tier and stays untold until the marketing
//! system has answered 2xx. Every step may be repeated: the webhook's id is the notice's, the
//! same each time, and so are its bytes. While the marketing system is away its messages wait;
//! one that it fails over alone is put off and holds up no other; what it refuses is a dead
//! letter, and the notice stays untold.
//!
//! A message names the notice and nobody: who it is about stays in the customers database.

use std::sync::Arc;
use std::time::Duration;

use effects::Customers;
use effects::customers::Notice;
use engine::ports::Clock;
use engine::{Command, Refusal, Reply};
use futures_util::future::{BoxFuture, join_all};
use messaging::Send;
use outgoing::Client;
use serde::{Deserialize, Serialize};

use super::consumer::{Consumer, Delivery, Outcome, Pace};
use super::outage::{Blame, put_off, wait};
use super::{ConsumerParts, runtime};
use crate::adapters::rfc3339;
use crate::config::MarketingSystem;
use crate::state::App;
use crate::traces::of_message;
use crate::webhook::post_signed;

pub(super) const QUEUE: &str = "marketing";
/// The task that puts notices into the queue.
const ANNOUNCER: &str = "announcer";
/// How often it looks; another process may have written a notice.
const EVERY: Duration = Duration::from_millis(500);
/// Notices queued at a time.
const BATCH: usize = 100;
const EVENT: &str = "customer.became_vip";

/// What stands in the queue.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    notice: String,
}

/// What the marketing system is sent.
#[derive(Debug, Serialize)]
struct Webhook<'a> {
    r#type: &'static str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Debug, Serialize)]
struct Data<'a> {
    customer: &'a str,
    units: i64,
    since: String,
}

fn body_of(notice: &Notice) -> Vec<u8> {
    let since = rfc3339(notice.at);
    let webhook = Webhook {
        r#type: EVENT,
        timestamp: since.clone(),
        data: Data {
            customer: &notice.customer,
            units: notice.units,
            since,
        },
    };
    serde_json::to_vec(&webhook).expect("texts and numbers have a JSON form")
}

pub(super) struct Marketing {
    clock: Arc<dyn Clock>,
    customers: Customers,
    client: Client,
    system: Option<MarketingSystem>,
    blame: Blame,
}

impl Marketing {
    pub(super) fn new(parts: &ConsumerParts) -> Self {
        Self {
            clock: Arc::clone(&parts.clock),
            customers: parts.customers.clone(),
            client: parts.client.clone(),
            system: parts.config.marketing_system(),
            blame: Blame::default(),
        }
    }

    async fn tell(&self, delivery: &Delivery) -> Outcome {
        let Ok(Told { notice: id }) = serde_json::from_str(&delivery.body) else {
            return Outcome::never("the message names no notice");
        };
        let Some(system) = &self.system else {
            return wait(delivery, "no marketing system is set");
        };
        let notice = match self.customers.notice(id).await {
            Ok(Some(notice)) => notice,
            Ok(None) => return Outcome::never("there is no such notice"),
            Err(error) => return wait(delivery, error.to_string()),
        };
        if notice.state.told_at.is_some() {
            return Outcome::Done;
        }
        let body = body_of(&notice);
        let secrets = std::slice::from_ref(&system.secret);
        let at_s = self.clock.now().div_euclid(1_000);
        let posted = post_signed(&self.client, &system.url, secrets, &notice.id, at_s, &body);
        match posted.await {
            Ok(_) => self.blame.clear(),
            Err(failure) if failure.temporary => {
                // One that is there may choke on this notice alone.
                let is_alone = failure.over_this_call && !self.blame.is_shared(&notice.id);
                let later = if is_alone { put_off } else { wait };
                return later(delivery, failure.reason);
            }
            Err(failure) => return Outcome::never(failure.reason),
        }
        match self.customers.mark_told(notice.id, self.clock.now()).await {
            Ok(()) => Outcome::Done,
            // It is told again, under the same id.
            Err(error) => wait(delivery, error.to_string()),
        }
    }
}

impl Consumer for Marketing {
    fn name(&self) -> &'static str {
        "marketing"
    }

    fn queue(&self) -> &'static str {
        QUEUE
    }

    fn pace(&self) -> Pace {
        Pace {
            ceiling: 4,
            ..Pace::default()
        }
    }

    fn handle<'a>(&'a self, batch: &'a [Delivery]) -> BoxFuture<'a, Vec<Outcome>> {
        let told = batch.iter();
        let told = told.map(|delivery| of_message(&delivery.id, self.tell(delivery)));
        Box::pin(join_all(told))
    }
}

/// Puts notices into the queue, once there is somebody to tell.
pub(super) async fn announce(app: App) {
    let mut is_away = false;
    loop {
        app.workers.beat(ANNOUNCER, app.engine.now());
        match round(&app).await {
            Ok(()) => is_away = false,
            Err(error) => {
                if !is_away {
                    tracing::warn!(error, worker = ANNOUNCER, "notices wait");
                }
                is_away = true;
            }
        }
        tokio::select! {
            () = app.cancel.cancelled() => return,
            () = app.customers.notices().notified() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn round(app: &App) -> Result<(), String> {
    // A database that nobody has written anything to is not made by looking.
    if !app.config.customers_file().exists() {
        return Ok(());
    }
    let told = app.customers.untold_notices().await;
    let (untold, oldest) = told.map_err(|error| error.to_string())?;
    let now = app.engine.now();
    let age_s = oldest.map_or(0, |at| (now - at).max(0) / 1_000);
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    {
        metrics::gauge!("firstcome_vip_notices_untold").set(untold as f64);
        metrics::gauge!("firstcome_vip_notice_untold_age_seconds").set(age_s as f64);
    }
    if untold == 0 || app.config.marketing.url.is_none() {
        return Ok(());
    }
    let ids = app.customers.unqueued_notices(BATCH).await;
    let ids = ids.map_err(|error| error.to_string())?;
    if ids.is_empty() {
        return Ok(());
    }
    let sends = ids.iter().map(|id| Send {
        body: serde_json::to_string(&Told { notice: id.clone() }).expect("a text has a JSON form"),
        ..Send::default()
    });
    let command = Command::SendMessages {
        queue: QUEUE.to_owned(),
        sends: sends.collect(),
    };
    let sent = app.engine.decide(command).await;
    let sent = sent.map_err(|error| error.to_string())?;
    let refused = |refusal: Refusal| runtime::refused(&refusal).to_string();
    let Reply::Batch(answers) = sent.map_err(refused)? else {
        unreachable!("messages are answered one by one");
    };
    for answer in answers {
        answer.map_err(refused)?;
    }
    // Dying before this queues them again, which is harmless.
    let marked = app.customers.mark_queued(ids, now).await;
    marked.map_err(|error| error.to_string())
}
