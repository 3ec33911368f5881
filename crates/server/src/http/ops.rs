//! What operations look at and act on.

use axum::Json;
use axum::extract::{Path, State};
use engine::ports::QueueDepth;
use engine::{Command, Reply};
use messaging::{Message, MessageState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::Code;

use crate::adapters::rfc3339;
use crate::http::args::{MaybeJsonBody, QueryArgs, cursor, limit};
use crate::http::error::{HttpError, HttpResult};
use crate::http::views::{ProblemView, seconds_between};
use crate::state::App;

/// Messages moved by one call.
const REDRIVE_MAX: usize = 1_000;

pub fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(summary))
        .routes(routes!(queues))
        .routes(routes!(messages))
        .routes(routes!(redrive))
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct QueueView {
    name: String,
    visible: u64,
    in_flight: u64,
    delayed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_age_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letter_queue: Option<String>,
    /// The queues whose dead letters come here.
    dead_letter_source_queues: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct QueueList {
    queues: Vec<QueueView>,
}

fn dead_letter_queue(depth: &QueueDepth) -> Option<&str> {
    let redrive = depth.queue.config.redrive.as_ref()?;
    Some(&redrive.dead_letter_queue)
}

fn queue_views(depths: &[QueueDepth], now: commerce::Millis) -> Vec<QueueView> {
    depths
        .iter()
        .map(|depth| QueueView {
            name: depth.queue.name.clone(),
            visible: depth.visible,
            in_flight: depth.in_flight,
            delayed: depth.delayed,
            oldest_age_seconds: depth.oldest_sent_at.map(|sent| seconds_between(sent, now)),
            dead_letter_queue: dead_letter_queue(depth).map(str::to_owned),
            dead_letter_source_queues: depths
                .iter()
                .filter(|other| dead_letter_queue(other) == Some(&depth.queue.name))
                .map(|other| other.queue.name.clone())
                .collect(),
        })
        .collect()
}

/// Every queue: how deep, how old.
#[utoipa::path(
    get, path = "/ops/queues", tag = "operations",
    responses((status = 200, description = "The queues", body = QueueList))
)]
async fn queues(State(app): State<App>) -> HttpResult<Json<QueueList>> {
    let now = app.engine.now();
    let depths = app.engine.read(move |reader| reader.queues(now)).await?;
    Ok(Json(QueueList {
        queues: queue_views(&depths, now),
    }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct MessagePage {
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next` of the page before.
    after: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MessageView {
    id: String,
    seq: u64,
    sent_at: String,
    receive_count: u32,
    body: String,
    /// Why it is here, in a dead-letter queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_queue: Option<String>,
    attributes: BTreeMap<String, String>,
    #[schema(example = "visible")]
    state: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
struct MessageList {
    messages: Vec<MessageView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

fn message_view(message: &Message, now: commerce::Millis) -> MessageView {
    let dead = message.dead.as_ref();
    MessageView {
        id: message.id.clone(),
        seq: message.seq,
        sent_at: rfc3339(message.sent_at_ms),
        // In a dead-letter queue: how often it was received where it came from.
        receive_count: dead.map_or(message.receive_count, |dead| dead.receive_count),
        body: message.body.clone(),
        reason: dead.and_then(|dead| dead.reason.clone()),
        source_queue: dead.map(|dead| dead.source_queue.clone()),
        attributes: message
            .attributes
            .iter()
            .map(|(name, attribute)| {
                let text = String::from_utf8_lossy(attribute.value.bytes()).into_owned();
                (name.clone(), text)
            })
            .collect(),
        state: match message.state(now) {
            MessageState::Visible => "visible",
            MessageState::InFlight => "in_flight",
            MessageState::Delayed => "delayed",
        },
    }
}

async fn must_exist(app: &App, name: &str) -> HttpResult<()> {
    let now = app.engine.now();
    let depths = app.engine.read(move |reader| reader.queues(now)).await?;
    if depths.iter().any(|depth| depth.queue.name == name) {
        Ok(())
    } else {
        Err(HttpError::new(
            Code::QueueNotFound,
            "no queue has this name",
        ))
    }
}

async fn must_take_dead_letters(app: &App, name: &str) -> HttpResult<()> {
    must_exist(app, name).await?;
    let now = app.engine.now();
    let depths = app.engine.read(move |reader| reader.queues(now)).await?;
    if depths
        .iter()
        .any(|depth| dead_letter_queue(depth) == Some(name))
    {
        Ok(())
    } else {
        Err(HttpError::new(
            Code::NoDeadLetterQueue,
            "no queue sends its dead letters here, so there is nowhere to send them back to",
        ))
    }
}

/// A look at messages without receiving them.
#[utoipa::path(
    get, path = "/ops/queues/{name}/messages", tag = "operations",
    params(("name" = String, Path), MessagePage),
    responses(
        (status = 200, description = "A page, oldest first", body = MessageList),
        (status = 404, description = "No such queue", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn messages(
    State(app): State<App>,
    Path(name): Path<String>,
    QueryArgs(page): QueryArgs<MessagePage>,
) -> HttpResult<Json<MessageList>> {
    let limit = limit(page.limit)?;
    must_exist(&app, &name).await?;
    let after = cursor("after", page.after)?.unwrap_or(0);
    let mut found = app
        .engine
        .read(move |reader| reader.messages(&name, after, limit + 1))
        .await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let now = app.engine.now();
    Ok(Json(MessageList {
        next: found.last().filter(|_| more).map(|last| last.seq),
        messages: found
            .iter()
            .map(|message| message_view(message, now))
            .collect(),
    }))
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

/// Messages looked through for the one with a given id.
const SEARCH_MAX: usize = 10_000;

/// Dead letters go back to where they came from.
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
    Path(name): Path<String>,
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
                .read(move |reader| reader.messages(&queue, 0, SEARCH_MAX))
                .await?;
            match found.iter().find(|message| message.id == id) {
                Some(message) => Some(message.seq),
                // It is gone already: nothing to move.
                None => return Ok(Json(RedriveView { moved: 0 })),
            }
        }
    };
    let command = Command::Redrive {
        queue: name,
        message,
        max: REDRIVE_MAX,
    };
    match app.engine.decide(command).await?? {
        Reply::Count(moved) => Ok(Json(RedriveView { moved })),
        _ => unreachable!("a redrive answers with a count"),
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct SequencerView {
    depth: u64,
    capacity: usize,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SummaryView {
    products: usize,
    /// Orders without a verdict.
    waiting: u64,
    queues: usize,
    dead_letters: u64,
    open_replenishments: usize,
    sequencer: SequencerView,
    listeners: u64,
    version: &'static str,
    uptime_seconds: u64,
    now: String,
    last_seq: u64,
}

/// The shop on one line.
#[utoipa::path(
    get, path = "/ops/summary", tag = "operations",
    responses((status = 200, description = "The numbers", body = SummaryView))
)]
async fn summary(State(app): State<App>) -> HttpResult<Json<SummaryView>> {
    let now = app.engine.now();
    let rows = app.engine.limits().products_max;
    let (products, open, depths) = app
        .engine
        .read(move |reader| {
            Ok((
                reader.products(None, rows)?,
                reader.open_replenishments(rows)?.len(),
                reader.queues(now)?,
            ))
        })
        .await?;
    let dead_letters = queue_views(&depths, now)
        .iter()
        .filter(|queue| !queue.dead_letter_source_queues.is_empty())
        .map(|queue| queue.visible + queue.in_flight + queue.delayed)
        .sum();
    Ok(Json(SummaryView {
        products: products.len(),
        waiting: products.iter().map(|product| product.waiting).sum(),
        queues: depths.len(),
        dead_letters,
        open_replenishments: open,
        sequencer: SequencerView {
            depth: app.engine.depth(),
            capacity: app.engine.limits().queue_max,
        },
        listeners: app.hub.listeners(),
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: seconds_between(app.started_at, now),
        now: rfc3339(now),
        last_seq: app.engine.feed().last_seq(),
    }))
}
