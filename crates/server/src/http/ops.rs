//! The shop at a glance, for operations.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::adapters::rfc3339;
use crate::http::error::HttpResult;
use crate::http::queues::Sources;
use crate::http::views::seconds_between;
use crate::state::App;

pub fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(summary))
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
    let sources = Sources::of(&depths);
    let dead_letters = depths
        .iter()
        .filter(|depth| sources.feed(&depth.queue.name))
        .map(|depth| depth.visible + depth.in_flight + depth.delayed)
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
