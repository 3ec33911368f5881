//! What an endpoint was told, told again, and a test.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use effects::webhooks::Event;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::Code;

use super::views::DeliveryView;
use super::{away, hex, not_found, random, refused, webhooks};
use crate::http::args::{JsonBody, PathArgs, QueryArgs, SEQUENCE_MAX, cursor, limit};
use crate::http::error::{HttpError, HttpResult};
use crate::http::views::ProblemView;
use crate::state::App;
use crate::workers::webhooks::{event, is_heard, send};

/// Entries of the log that one replay looks at.
const REPLAY_MAX: usize = 10_000;

pub(super) fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(deliveries))
        .routes(routes!(replay))
        .routes(routes!(test))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Page {
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next` of the page before.
    before: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct DeliveryList {
    deliveries: Vec<DeliveryView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
}

/// Deliveries with each attempt, newest first. Of those that have ended the newest 1,000 are
/// kept, for 30 days.
#[utoipa::path(
    get, path = "/webhooks/{id}/deliveries", tag = "webhooks",
    params(("id" = String, Path), Page),
    responses(
        (status = 200, description = "A page", body = DeliveryList),
        (status = 404, description = "No such endpoint", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn deliveries(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
    QueryArgs(page): QueryArgs<Page>,
) -> HttpResult<Json<DeliveryList>> {
    let limit = limit(page.limit)?;
    let before = cursor("before", page.before)?.and_then(|before| i64::try_from(before).ok());
    let webhooks = webhooks(&app);
    let known = webhooks.endpoint(id.clone(), app.engine.now()).await;
    known.map_err(away)?.ok_or_else(not_found)?;
    let found = webhooks.deliveries(id, before, limit + 1).await;
    let mut found = found.map_err(away)?;
    let more = found.len() > limit;
    found.truncate(limit);
    Ok(Json(DeliveryList {
        next: found.last().filter(|_| more).map(|last| last.n),
        deliveries: found.into_iter().map(DeliveryView::new).collect(),
    }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReplayArgs {
    /// Events after this `seq`; 0 is from the beginning.
    since: u64,
    /// Up to this `seq`, itself included; the newest when it is missing.
    until: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ReplayView {
    /// Events that are told again.
    replayed: usize,
    /// The last `seq` that was looked at: `since` of the next call, if there is more.
    until: u64,
    /// There is more than one call looks at (10,000 entries of the log).
    more: bool,
}

/// Tells an endpoint again what the log holds, with the same ids: a receiver that has handled an
/// event passes it over.
#[utoipa::path(
    post, path = "/webhooks/{id}/replay", tag = "webhooks", params(("id" = String, Path)),
    request_body = ReplayArgs,
    responses(
        (status = 202, description = "They are being told", body = ReplayView),
        (status = 404, description = "No such endpoint", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "It is disabled, or too much waits for it", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn replay(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
    JsonBody(body): JsonBody<ReplayArgs>,
) -> HttpResult<(StatusCode, Json<ReplayView>)> {
    let since = seq("since", body.since)?;
    let last = seq("until", body.until.unwrap_or(SEQUENCE_MAX))?;
    if last < since {
        let why = format!("must not be before since, which is {since}");
        return Err(HttpError::at(Code::InvalidField, "until", why));
    }
    let (mut entries, orders) = app
        .engine
        .read(move |reader| {
            let entries = reader.entries(since, REPLAY_MAX + 1)?;
            let mut orders = HashMap::new();
            for entry in entries.iter().filter(|entry| entry.kind.is_order()) {
                if let Some(order) = reader.order(entry.subject)? {
                    orders.insert(entry.subject, order);
                }
            }
            Ok((entries, orders))
        })
        .await?;
    entries.retain(|entry| entry.seq <= last);
    let more = entries.len() > REPLAY_MAX;
    entries.truncate(REPLAY_MAX);
    let events: Result<Vec<Event>, String> = entries
        .iter()
        .filter_map(|entry| {
            let (topic, message) = engine::told(entry, orders.get(&entry.subject))?;
            is_heard(topic, entry.kind.as_str()).then(|| event(message))
        })
        .collect();
    let events = events.map_err(|why| HttpError::new(Code::OutcomeUnknown, why))?;
    let replayed = tell(&app, id, events, true).await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(ReplayView {
            replayed,
            until: entries.last().map_or(since, |last| last.seq),
            more,
        }),
    ))
}

fn seq(name: &'static str, value: u64) -> HttpResult<u64> {
    if value > SEQUENCE_MAX {
        let why = format!("must be 0 to {SEQUENCE_MAX}");
        return Err(HttpError::at(Code::InvalidField, name, why));
    }
    Ok(value)
}

async fn tell(app: &App, id: String, events: Vec<Event>, only_wanted: bool) -> HttpResult<usize> {
    let webhooks = webhooks(app);
    let made = webhooks
        .replay(id, events, only_wanted, app.engine.now())
        .await;
    let queued = made.map_err(away)?.map_err(refused)?;
    let count = queued.len();
    if let Err(why) = send(&app.engine, &webhooks, queued).await {
        tracing::info!(why, "webhooks: messages are sent a little later");
    }
    Ok(count)
}

#[derive(Debug, Serialize, ToSchema)]
struct TestView {
    /// The `webhook-id` to look for.
    event: String,
}

/// Sends an event of the type `webhook.test`, whatever the endpoint subscribed to.
#[utoipa::path(
    post, path = "/webhooks/{id}/test", tag = "webhooks", params(("id" = String, Path)),
    responses(
        (status = 202, description = "It is being told", body = TestView),
        (status = 404, description = "No such endpoint", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "It is disabled", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn test(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
) -> HttpResult<(StatusCode, Json<TestView>)> {
    let kind = "webhook.test";
    let body = json!({"type": kind, "at": app.engine.now(), "data": {"webhook": id}});
    let event = Event {
        id: format!("evt_test_{}", hex(&random()?[..12])),
        kind: kind.to_owned(),
        order_seq: None,
        body: body.to_string(),
    };
    let view = TestView {
        event: event.id.clone(),
    };
    tell(&app, id, vec![event], false).await?;
    Ok((StatusCode::ACCEPTED, Json(view)))
}
