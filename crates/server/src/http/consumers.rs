//! Consumers, as operations see and handle them: what each does, paused and resumed.
//!
//! The same routes in every process that has consumers: with the shop, and alone.

use axum::Json;
use axum::extract::{FromRef, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::Code;

use crate::adapters::Time;
use crate::http::args::{PathArgs, QueryArgs, cursor};
use crate::http::error::{HttpError, HttpResult};
use crate::http::views::ProblemView;
use crate::state::App;
use crate::workers::{ConsumerState, ConsumerStatus, Consumers, SAMPLE_EVERY, Sample};

impl FromRef<App> for Consumers {
    fn from_ref(app: &App) -> Self {
        app.consumers.clone()
    }
}

pub fn operator<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Consumers: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(list_consumers))
        .routes(routes!(get_history))
        .routes(routes!(pause_consumer))
        .routes(routes!(resume_consumer))
}

/// A consumer at this moment. Counts are since the process started.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ConsumerView {
    name: &'static str,
    queue: &'static str,
    /// `running`, `paused`, `waiting` or `stopped`.
    state: &'static str,
    /// Why it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    waiting_since: Option<Time>,
    /// Batches that may be worked on side by side, between `floor` and `ceiling`.
    concurrency: usize,
    floor: usize,
    ceiling: usize,
    /// Messages that it holds.
    in_hand: usize,
    handled: u64,
    /// Tries of a message that failed.
    failed: u64,
    /// Messages that it sent to the dead-letter queue.
    dead: u64,
    /// Handled in the last 55 to 60 seconds.
    rate_per_minute: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure: Option<FailureView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    last_progress_at: Option<Time>,
    /// Its queue, as it was last looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    backlog: Option<BacklogView>,
}

#[derive(Debug, Serialize, ToSchema)]
struct FailureView {
    #[schema(value_type = String)]
    at: Time,
    reason: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BacklogView {
    visible: u64,
    in_flight: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_age_seconds: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ConsumerList {
    consumers: Vec<ConsumerView>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct HistoryArgs {
    /// A consumer; all of them when it is left out.
    name: Option<String>,
    /// The `next` of an answer before: only what is newer.
    after: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HistoryView {
    /// Between two samples.
    every_seconds: u64,
    consumers: Vec<SeriesView>,
    /// To ask for what comes after this answer.
    next: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct SeriesView {
    name: &'static str,
    /// The oldest first, 720 at most: one hour.
    samples: Vec<SampleView>,
}

/// A consumer between two looks. Counts are of this time alone.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SampleView {
    /// Of the second look.
    #[schema(value_type = String, format = "date-time")]
    at: Time,
    /// Messages in its queue that nobody holds. Absent where the queue could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    visible: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_flight: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_age_seconds: Option<u64>,
    handled: u64,
    /// To a tenth.
    rate_per_second: f64,
    concurrency: usize,
    /// Tries of a message that failed.
    failed: u64,
    /// Messages that went to the dead-letter queue.
    dead: u64,
}

impl From<Sample> for SampleView {
    fn from(sample: Sample) -> Self {
        Self {
            at: Time(sample.at),
            visible: sample.visible,
            in_flight: sample.in_flight,
            oldest_age_seconds: sample.oldest_age.map(|age| age.as_secs()),
            handled: sample.handled,
            rate_per_second: sample.rate_per_second,
            concurrency: sample.concurrency,
            failed: sample.failed,
            dead: sample.dead,
        }
    }
}

impl From<ConsumerStatus> for ConsumerView {
    fn from(status: ConsumerStatus) -> Self {
        let (state, reason, waiting_since) = match status.state {
            ConsumerState::Running => ("running", None, None),
            ConsumerState::Paused => ("paused", None, None),
            ConsumerState::Waiting { reason, since } => {
                ("waiting", Some(reason), Some(Time(since)))
            }
            ConsumerState::Stopped => ("stopped", None, None),
        };
        Self {
            name: status.name,
            queue: status.queue,
            state,
            reason,
            waiting_since,
            concurrency: status.concurrency,
            floor: status.floor,
            ceiling: status.ceiling,
            in_hand: status.in_hand,
            handled: status.handled,
            failed: status.failed,
            dead: status.dead,
            rate_per_minute: status.rate_per_minute,
            last_failure: status.last_failure.map(|failure| FailureView {
                at: Time(failure.at),
                reason: failure.reason,
            }),
            last_progress_at: status.last_progress_at.map(Time),
            backlog: status.backlog.map(|backlog| BacklogView {
                visible: backlog.visible,
                in_flight: backlog.in_flight,
                oldest_age_seconds: backlog.oldest_age.map(|age| age.as_secs()),
            }),
        }
    }
}

/// Every consumer of this process: what it does, how much of it, what failed last.
#[utoipa::path(
    get, path = "/ops/consumers", tag = "operations",
    responses((status = 200, description = "All of them", body = ConsumerList))
)]
async fn list_consumers(State(consumers): State<Consumers>) -> Json<ConsumerList> {
    Json(ConsumerList {
        consumers: consumers.status().into_iter().map(Into::into).collect(),
    })
}

/// What consumers did in the last hour, as this process saw it: a restart begins anew.
#[utoipa::path(
    get, path = "/ops/consumers/history", tag = "operations", params(HistoryArgs),
    responses(
        (status = 200, description = "The samples", body = HistoryView),
        (status = 404, description = "No such consumer", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn get_history(
    State(consumers): State<Consumers>,
    QueryArgs(args): QueryArgs<HistoryArgs>,
) -> HttpResult<Json<HistoryView>> {
    let after = cursor("after", args.after)?.unwrap_or(0);
    let since = i64::try_from(after).unwrap_or(i64::MAX);
    let mut next = since;
    let mut found = Vec::new();
    for status in consumers.status() {
        if args.name.as_ref().is_some_and(|name| name != status.name) {
            continue;
        }
        let samples = consumers.samples(status.name, since).unwrap_or_default();
        next = samples.iter().map(|sample| sample.at).fold(next, i64::max);
        found.push(SeriesView {
            name: status.name,
            samples: samples.into_iter().map(Into::into).collect(),
        });
    }
    if args.name.is_some() && found.is_empty() {
        return Err(no_such_consumer());
    }
    Ok(Json(HistoryView {
        every_seconds: SAMPLE_EVERY.as_secs(),
        consumers: found,
        next: next.unsigned_abs(),
    }))
}

/// It receives nothing more, also after a restart; what it holds it finishes.
#[utoipa::path(
    post, path = "/ops/consumers/{name}/pause", tag = "operations", params(("name" = String, Path)),
    responses(
        (status = 200, description = "Paused", body = ConsumerView),
        (status = 404, description = "No such consumer", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn pause_consumer(
    State(consumers): State<Consumers>,
    PathArgs(name): PathArgs<String>,
) -> HttpResult<Json<ConsumerView>> {
    let found = consumers.pause(&name).await.map_err(away)?;
    found.map(Into::into).map(Json).ok_or_else(no_such_consumer)
}

/// It goes on.
#[utoipa::path(
    post, path = "/ops/consumers/{name}/resume", tag = "operations", params(("name" = String, Path)),
    responses(
        (status = 200, description = "Running", body = ConsumerView),
        (status = 404, description = "No such consumer", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn resume_consumer(
    State(consumers): State<Consumers>,
    PathArgs(name): PathArgs<String>,
) -> HttpResult<Json<ConsumerView>> {
    let found = consumers.resume(&name).await.map_err(away)?;
    found.map(Into::into).map(Json).ok_or_else(no_such_consumer)
}

fn no_such_consumer() -> HttpError {
    HttpError::new(Code::ConsumerNotFound, "no consumer has this name")
}

fn away(error: effects::DatabaseError) -> HttpError {
    tracing::warn!(%error, "a pause could not be noted");
    HttpError::new(
        Code::Overloaded,
        "the database of effects is away; nothing was changed",
    )
}
