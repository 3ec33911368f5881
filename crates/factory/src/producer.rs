//! The factory itself: takes orders, produces what is due and calls back.
//!
//! [`Factory::run`] sleeps until the next job is due or a new one has come, so an idle
//! factory does nothing. What is under way is held in memory only: after a kill the
//! database says again what is to be done, which is why a callback may be posted twice.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use outgoing::{CallError, Client};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

use crate::clock::{after, now, until};
use crate::config::{Config, OpenError};
use crate::job::{Failing, Job, JobId, Order, Status};
use crate::retry::{Outcome, judge, wait};
use crate::store::{Accepted, Progress, Store};
use crate::thread::StoreError;

/// Callbacks under way at the same time.
const CALLBACKS_MAX: usize = 32;

/// The longest sleep: a wall clock that was set is noticed after this.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// The wait before the database is tried again after it failed.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// What callbacks under way are given when the factory is stopped. One that is cut off is
/// posted again after the next start.
const STOP_GRACE: Duration = Duration::from_secs(3);

/// The reference factory; cheap to clone, clones are the same factory.
#[derive(Clone)]
pub struct Factory(Arc<Inner>);

struct Inner {
    config: Config,
    store: Store,
    client: Client,
    /// Wakes the producer when a job was accepted.
    nudge: Notify,
    running: AtomicBool,
}

impl Factory {
    /// Opens or makes the database. This waits for the disk: call it before the runtime has
    /// other work, or on a thread for blocking work.
    pub fn open(config: Config) -> Result<Self, OpenError> {
        config.check()?;
        let client = Client::new(config.allowed.clone(), config.timeouts)?;
        let store = Store::open(&config.data)?;
        Ok(Self(Arc::new(Inner {
            config,
            store,
            client,
            nudge: Notify::new(),
            running: AtomicBool::new(false),
        })))
    }

    /// The routes, with their description for the `OpenAPI` document.
    pub fn router(&self) -> OpenApiRouter<()> {
        crate::http::router(self.clone())
    }

    /// Produces and calls back until it is cancelled; callbacks under way then have three
    /// seconds to end. A factory runs once: a second run of it ends at once.
    pub fn run(&self, stop: CancellationToken) -> impl Future<Output = ()> + Send + 'static {
        run(self.clone(), stop)
    }

    pub(crate) fn check_callback(&self, url: &str) -> Result<(), CallError> {
        self.0.client.check(url).map(|_target| ())
    }

    pub(crate) async fn accept(&self, order: Order) -> Result<Accepted, StoreError> {
        let now = now();
        let due = after(now, self.0.config.lead_time);
        let accepted = self
            .0
            .store
            .accept(order, now, due, self.0.config.jobs_open_max)
            .await?;
        if let Accepted::New(_) = accepted {
            self.0.nudge.notify_one();
        }
        Ok(accepted)
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    /// One callback and its record. The record is tried until it is written: calling again
    /// because the disk is full would only pester the one who was called.
    async fn call_back(self, job: Job, stop: CancellationToken) -> JobId {
        let body =
            serde_json::to_vec(&job.order.goods).expect("strings and a number are always JSON");
        let answer = self
            .0
            .client
            .post_json(&job.order.callback, &[], body)
            .await;
        let outcome = judge(answer);
        let random = getrandom::u32().unwrap_or_default();
        let progress = progress(&job, outcome, now(), self.0.config.callback_give_up, random);
        log(&job, &progress);
        while let Err(error) = self.0.store.record(job.id, progress.clone()).await {
            tracing::error!(job = %job.id, %error, "what came of a callback is not recorded yet");
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(STORE_RETRY) => {}
            }
        }
        job.id
    }
}

impl std::fmt::Debug for Factory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Factory")
            .field("config", &self.0.config)
            .finish_non_exhaustive()
    }
}

async fn run(factory: Factory, stop: CancellationToken) {
    if factory.0.running.swap(true, Ordering::AcqRel) {
        tracing::error!("this factory is running already");
        return;
    }
    let _running = ResetOnDrop(Arc::clone(&factory.0));
    let mut calls = JoinSet::new();
    let mut under_way = HashSet::new();
    while !stop.is_cancelled() {
        let pause = start_due(&factory, &stop, &mut calls, &mut under_way).await;
        tokio::select! {
            () = stop.cancelled() => {}
            () = factory.0.nudge.notified() => {}
            () = tokio::time::sleep(pause) => {}
            Some(ended) = calls.join_next() => forget(&mut under_way, ended),
        }
        // The answers that came together are taken together.
        while let Some(ended) = calls.try_join_next() {
            forget(&mut under_way, ended);
        }
    }
    let ending = async { while calls.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_GRACE, ending).await.is_err() {
        calls.shutdown().await;
    }
}

/// Starts what is due and returns how long nothing else will be.
async fn start_due(
    factory: &Factory,
    stop: &CancellationToken,
    calls: &mut JoinSet<JobId>,
    under_way: &mut HashSet<JobId>,
) -> Duration {
    let now = now();
    let keep = factory.0.config.keep_finished.as_millis();
    let forget = i64::try_from(keep).map_or(Timestamp::MIN, |keep| {
        crate::clock::from_ms(now.as_millisecond().saturating_sub(keep))
    });
    // Those under way are still due as far as the database knows; one more than can be
    // started tells when to look again.
    let limit = u32::try_from(under_way.len() + CALLBACKS_MAX + 1).unwrap_or(u32::MAX);
    let agenda = match factory.0.store.agenda(now, forget, limit).await {
        Ok(agenda) => agenda,
        Err(error) => {
            tracing::error!(%error, "the factory cannot read what is to be done");
            return STORE_RETRY;
        }
    };
    let mut pause = SLEEP_MAX;
    for job in agenda.next {
        if under_way.contains(&job.id) {
            continue;
        }
        let due = job.next_at.unwrap_or(now);
        if due > now {
            pause = pause.min(until(now, due));
            break;
        }
        if under_way.len() == CALLBACKS_MAX {
            // The next callback that ends wakes the producer.
            break;
        }
        match job.status {
            Status::Produced => {
                under_way.insert(job.id);
                calls.spawn(factory.clone().call_back(job, stop.clone()));
            }
            Status::Accepted | Status::Delivered | Status::Abandoned => {}
        }
    }
    if agenda.more { Duration::ZERO } else { pause }
}

fn forget(under_way: &mut HashSet<JobId>, ended: Result<JobId, tokio::task::JoinError>) {
    match ended {
        Ok(id) => {
            under_way.remove(&id);
        }
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// What a callback changes: taken is the end, a failure is tried again until the time is up.
/// The last try is at that very time, so a factory that was down for long tries once more.
pub(crate) fn progress(
    job: &Job,
    outcome: Outcome,
    now: Timestamp,
    give_up_after: Duration,
    random: u32,
) -> Progress {
    let (kind, status, error, retry_after) = match outcome {
        Outcome::Taken { status } => {
            return Progress {
                status: Status::Delivered,
                next_at: None,
                finished_at: Some(now),
                failing: None,
                last_status: Some(status),
                last_error: None,
            };
        }
        Outcome::Failed {
            kind,
            status,
            error,
            retry_after,
        } => (kind, status, error, retry_after),
    };
    let failing = Failing::again(job.failing, kind);
    let give_up = after(job.produced_at.unwrap_or(now), give_up_after);
    let over = now >= give_up;
    let next = after(now, wait(failing, random).max(retry_after)).min(give_up);
    Progress {
        status: if over {
            Status::Abandoned
        } else {
            Status::Produced
        },
        next_at: (!over).then_some(next),
        finished_at: over.then_some(now),
        failing: Some(failing),
        last_status: status,
        last_error: Some(error),
    }
}

fn log(job: &Job, progress: &Progress) {
    let callback = outgoing::without_query(&job.order.callback);
    let attempt = job.attempts.saturating_add(1);
    let error = progress.last_error.as_deref().unwrap_or_default();
    match progress.status {
        Status::Delivered => {
            tracing::info!(job = %job.id, callback, attempt, "callback delivered");
        }
        Status::Abandoned => {
            tracing::error!(job = %job.id, callback, attempt, error, "callback abandoned");
        }
        Status::Accepted | Status::Produced => {
            tracing::warn!(job = %job.id, callback, attempt, error, "callback failed, will be retried");
        }
    }
}

/// A run that is dropped halfway leaves the factory free to run again.
struct ResetOnDrop(Arc<Inner>);

impl Drop for ResetOnDrop {
    fn drop(&mut self) {
        self.0.running.store(false, Ordering::Release);
    }
}
