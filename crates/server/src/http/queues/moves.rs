//! Messages leave a queue other than by being worked on: dead letters go back, one, some or all
//! of them at a pace, and a queue is emptied.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use engine::ports::{Reader, StoreError};
use engine::{Command, Refusal, Reply};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::Code;

use super::no_such_queue;
use super::views::{MoveView, Sources};
use crate::http::args::{MaybeJsonBody, PathArgs};
use crate::http::error::{HttpError, HttpResult};
use crate::http::views::ProblemView;
use crate::state::App;

/// Messages moved by one call.
const REDRIVE_MAX: usize = 1_000;
/// Messages looked through for the one with a given id, and how many at a time.
const SEARCH_MAX: usize = 10_000;
const SEARCH_AT_A_TIME: usize = 50;
/// Messages a second (API reference, `StartMessageMoveTask`).
const RATE: std::ops::RangeInclusive<u32> = 1..=500;

pub(super) fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(redrive))
        .routes(routes!(start_move))
        .routes(routes!(cancel_move))
        .routes(routes!(purge_queue))
}

async fn must_take_dead_letters(app: &App, name: &str) -> HttpResult<()> {
    let now = app.engine.log_time();
    let depths = app.engine.read(move |reader| reader.queues(now)).await?;
    if !depths.iter().any(|depth| depth.queue.name == name) {
        return Err(no_such_queue());
    }
    if Sources::of(&depths).feed(name) {
        return Ok(());
    }
    Err(HttpError::new(
        Code::NoDeadLetterQueue,
        "no queue sends its dead letters here, so there is nowhere to send them back to",
    ))
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RedriveArgs {
    /// One message; the first 1,000 when it is left out.
    #[serde(default)]
    message_id: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct RedriveView {
    moved: u64,
}

/// Dead letters go back to where they came from, at once.
#[utoipa::path(
    post, path = "/ops/queues/{name}/redrive", tag = "operations",
    params(("name" = String, Path)), request_body = Option<RedriveArgs>,
    responses(
        (status = 200, description = "How many were moved", body = RedriveView),
        (status = 404, description = "No such queue", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "No queue has it as its dead-letter queue", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn redrive(
    State(app): State<App>,
    PathArgs(name): PathArgs<String>,
    MaybeJsonBody(args): MaybeJsonBody<Option<RedriveArgs>>,
) -> HttpResult<Json<RedriveView>> {
    let args = args.flatten().unwrap_or_default();
    must_take_dead_letters(&app, &name).await?;
    let message = match args.message_id {
        None => None,
        Some(id) => {
            let queue = name.clone();
            let found = app
                .engine
                .read(move |reader| search(reader, &queue, &id))
                .await?;
            match found {
                Some(seq) => Some(seq),
                // It is gone already: nothing to move.
                None => return Ok(Json(RedriveView { moved: 0 })),
            }
        }
    };
    let mut moved = 0;
    loop {
        let command = Command::Redrive {
            queue: name.clone(),
            message,
            max: REDRIVE_MAX - moved,
        };
        let Reply::Count(more) = app.engine.decide(command).await?? else {
            unreachable!("a redrive answers with a count");
        };
        moved += usize::try_from(more).expect("no more than were asked for");
        // Large ones move some at a time.
        if message.is_some() || more == 0 || moved >= REDRIVE_MAX {
            return Ok(Json(RedriveView {
                moved: moved as u64,
            }));
        }
    }
}

fn search(reader: &dyn Reader, queue: &str, id: &str) -> Result<Option<u64>, StoreError> {
    let mut after = 0;
    for _ in 0..SEARCH_MAX / SEARCH_AT_A_TIME {
        let found = reader.messages(queue, after, SEARCH_AT_A_TIME)?;
        if let Some(message) = found.iter().find(|message| message.id == id) {
            return Ok(Some(message.seq));
        }
        match found.last() {
            Some(last) if found.len() == SEARCH_AT_A_TIME => after = last.seq,
            Some(_) | None => break,
        }
    }
    Ok(None)
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MoveArgs {
    /// Another queue of the same kind; each goes back to where it came from when it is left out.
    #[serde(default)]
    destination: Option<String>,
    /// Messages a second; as fast as it goes when it is left out.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 500)]
    rate: Option<u32>,
}

fn moving(reply: Reply) -> Json<MoveView> {
    match reply {
        Reply::Move(task) => Json(MoveView::new(&task)),
        _ => unreachable!("a move is answered with its task"),
    }
}

/// All dead letters go back, or elsewhere, at a pace; the queue says how far it is.
#[utoipa::path(
    post, path = "/ops/queues/{name}/moves", tag = "operations",
    params(("name" = String, Path)), request_body = Option<MoveArgs>,
    responses(
        (status = 201, description = "It has begun", body = MoveView),
        (status = 404, description = "No such queue", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "A move is running, or no queue has it as its dead-letter queue", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn start_move(
    State(app): State<App>,
    PathArgs(name): PathArgs<String>,
    MaybeJsonBody(args): MaybeJsonBody<Option<MoveArgs>>,
) -> HttpResult<(StatusCode, Json<MoveView>)> {
    let args = args.flatten().unwrap_or_default();
    if args.rate.is_some_and(|rate| !RATE.contains(&rate)) {
        let detail = format!("must be {} to {}", RATE.start(), RATE.end());
        return Err(HttpError::at(Code::InvalidField, "rate", detail));
    }
    let command = Command::StartMove {
        queue: name.clone(),
        destination: args.destination,
        rate: args.rate,
    };
    let decided = app.engine.decide(command).await?;
    let reply = decided.map_err(|refusal| match refusal {
        Refusal::QueueNotFound { queue } if queue != name => {
            HttpError::at(Code::InvalidField, "destination", "no queue has this name")
        }
        Refusal::DeadLetterQueueUnfit { reason } => {
            HttpError::at(Code::InvalidField, "destination", reason)
        }
        other => other.into(),
    })?;
    Ok((StatusCode::CREATED, moving(reply)))
}

/// Ends a move. What was moved stays where it is.
#[utoipa::path(
    delete, path = "/ops/queues/{name}/moves/{id}", tag = "operations",
    params(("name" = String, Path), ("id" = String, Path)),
    responses(
        (status = 200, description = "It has ended", body = MoveView),
        (status = 404, description = "No such queue, or no such move is running", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn cancel_move(
    State(app): State<App>,
    PathArgs((queue, task)): PathArgs<(String, String)>,
) -> HttpResult<Json<MoveView>> {
    let command = Command::CancelMove { queue, task };
    Ok(moving(app.engine.decide(command).await??))
}

/// Deletes every message in a queue, those in flight too.
#[utoipa::path(
    post, path = "/ops/queues/{name}/purge", tag = "operations",
    params(("name" = String, Path)),
    responses(
        (status = 204, description = "It is empty"),
        (status = 404, description = "No such queue", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "It was purged in the last 60 seconds", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn purge_queue(
    State(app): State<App>,
    PathArgs(queue): PathArgs<String>,
) -> HttpResult<StatusCode> {
    app.engine.decide(Command::PurgeQueue { queue }).await??;
    Ok(StatusCode::NO_CONTENT)
}
