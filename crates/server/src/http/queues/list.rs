//! All queues, and one with its settings.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::Code;

use super::no_such_queue;
use super::views::{QueueDetail, QueueView, Sources};
use crate::http::args::{PathArgs, QueryArgs};
use crate::http::error::{HttpError, HttpResult};
use crate::http::views::ProblemView;
use crate::state::App;

/// As many as SQS lists in a page.
const PAGE_MAX: usize = 1_000;

pub(super) fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_queues))
        .routes(routes!(get_queue))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct QueuePage {
    /// Only queues whose names begin so.
    prefix: Option<String>,
    /// Rows, 1 to 1,000; 1,000 when it is left out.
    #[param(minimum = 1, maximum = 1_000)]
    limit: Option<usize>,
    /// The `next` of the page before.
    after: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct QueueList {
    queues: Vec<QueueView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Every queue: how deep, how old, what passes through.
#[utoipa::path(
    get, path = "/ops/queues", tag = "operations", params(QueuePage),
    responses((status = 200, description = "A page, by name", body = QueueList))
)]
async fn list_queues(
    State(app): State<App>,
    QueryArgs(page): QueryArgs<QueuePage>,
) -> HttpResult<Json<QueueList>> {
    let limit = page.limit.unwrap_or(PAGE_MAX);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(HttpError::at(
            Code::InvalidParameter,
            "limit",
            format!("must be 1 to {PAGE_MAX}"),
        ));
    }
    let now = app.engine.log_time();
    let mut depths = app.engine.read(move |reader| reader.queues(now)).await?;
    depths.sort_by(|one, other| one.queue.name.cmp(&other.queue.name));
    let prefix = page.prefix.as_deref().unwrap_or_default();
    let after = page.after.as_deref();
    let mut wanted = depths.iter().filter(|depth| {
        let name = depth.queue.name.as_str();
        name.starts_with(prefix) && after.is_none_or(|after| name > after)
    });
    let sources = Sources::of(&depths);
    let flows = app.engine.flows();
    let page: Vec<_> = wanted.by_ref().take(limit).collect();
    let last = page.last().filter(|_| wanted.next().is_some());
    Ok(Json(QueueList {
        next: last.map(|depth| depth.queue.name.clone()),
        queues: page
            .into_iter()
            .map(|depth| QueueView::new(depth, &sources, flows.get(&depth.queue.name), now))
            .collect(),
    }))
}

/// One queue, with its settings, tags and moves.
#[utoipa::path(
    get, path = "/ops/queues/{name}", tag = "operations", params(("name" = String, Path)),
    responses(
        (status = 200, description = "The queue", body = QueueDetail),
        (status = 404, description = "No such queue", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn get_queue(
    State(app): State<App>,
    PathArgs(name): PathArgs<String>,
) -> HttpResult<Json<QueueDetail>> {
    let now = app.engine.log_time();
    let depths = app.engine.read(move |reader| reader.queues(now)).await?;
    let found = depths.iter().find(|depth| depth.queue.name == name);
    let depth = found.ok_or_else(no_such_queue)?;
    let flow = app.engine.flow(&name);
    let view = QueueView::new(depth, &Sources::of(&depths), Some(&flow), now);
    Ok(Json(QueueDetail::new(view, &depth.queue, &flow)))
}
