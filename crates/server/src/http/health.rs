//! Is the process there, does the store take writes, and the numbers.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use engine::Command;
use serde::Serialize;
use tokio::sync::Semaphore;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::Code;

use crate::http::error::{HttpError, HttpResult};
use crate::http::queues::{metrics as queue_metrics, topic_metrics};
use crate::http::views::ProblemView;
use crate::state::App;

/// A store that takes longer than this for one row is not ready.
const READY_WITHIN: Duration = Duration::from_secs(5);

pub fn public() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
}

pub fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(metrics))
}

#[derive(Debug, Serialize, ToSchema)]
struct HealthView {
    #[schema(example = "ok")]
    status: &'static str,
}

/// The process answers.
#[utoipa::path(
    get, path = "/healthz", tag = "operations",
    responses((status = 200, description = "It does", body = HealthView))
)]
async fn healthz() -> Json<HealthView> {
    Json(HealthView { status: "ok" })
}

/// The store takes writes: one was just committed, into files that are still there. The workers progress.
#[utoipa::path(
    get, path = "/readyz", tag = "operations",
    responses(
        (status = 200, description = "Ready", body = HealthView),
        (status = 503, description = "Stopping, the store takes no writes, or a worker stands still", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn readyz(State(app): State<App>) -> HttpResult<Json<HealthView>> {
    let not_ready = |why: String| HttpError::new(Code::Overloaded, why);
    if app.cancel.is_cancelled() {
        return Err(not_ready("the server is stopping".to_owned()));
    }
    if let Some(file) = gone(&app).await {
        return Err(not_ready(format!(
            "{file} was removed or replaced while this server writes it: what is stored now is lost when it ends"
        )));
    }
    if let Some(worker) = app.workers.standing_still(app.engine.now()) {
        return Err(not_ready(format!("the worker {worker} stands still")));
    }
    match tokio::time::timeout(READY_WITHIN, app.engine.decide(Command::Probe)).await {
        Ok(decided) => {
            decided??;
            Ok(Json(HealthView { status: "ready" }))
        }
        Err(_) => Err(not_ready("the store takes too long for a write".to_owned())),
    }
}

/// The file of the store that is not there any more, if one is not.
async fn gone(app: &App) -> Option<String> {
    // However many ask: one thread looks.
    static LOOKS: Semaphore = Semaphore::const_new(1);
    let _turn = LOOKS.acquire().await.expect("it is never closed");
    let files = Arc::clone(&app.store_files);
    tokio::task::spawn_blocking(move || files.gone())
        .await
        .ok()?
}

/// Gauges that are read when somebody looks; the text of those that belong to queues.
async fn refresh(app: &App) -> HttpResult<String> {
    let now = app.engine.log_time();
    let rows = app.engine.limits().products_max;
    let files = Arc::clone(&app.store_files);
    let (products, queues, topics, is_clearing, log_bytes) = app
        .engine
        .read_own(move |reader| {
            let products = reader.products(None, rows)?;
            Ok((
                products,
                queue_metrics::read(reader, now)?,
                topic_metrics::read(reader)?,
                reader.has_dropped_messages()?,
                files.log_bytes(),
            ))
        })
        .await?;
    let gauge = |number: u64| -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a gauge is a float by its format"
        )]
        {
            number as f64
        }
    };
    metrics::gauge!("firstcome_sequencer_depth").set(gauge(app.engine.depth()));
    metrics::gauge!("firstcome_clearing").set(gauge(is_clearing.into()));
    metrics::gauge!("firstcome_log_bytes").set(gauge(log_bytes));
    metrics::gauge!("firstcome_feed_listeners").set(gauge(app.hub.listeners()));
    for product in products {
        let sku = product.sku.to_string();
        metrics::gauge!("firstcome_line_waiting", "sku" => sku.clone()).set(gauge(product.waiting));
        metrics::gauge!("firstcome_product_available", "sku" => sku)
            .set(gauge(product.stock.available()));
    }
    let names = queues.iter().map(|(depth, _)| depth.queue.name.as_str());
    let topic_names = topics.iter().map(String::as_str);
    app.engine
        .tidy_flows(&names.collect(), &topic_names.collect());
    Ok(queue_metrics::text(&queues, &app.engine.flows(), now)
        + &topic_metrics::text(&topics, &app.engine.topic_flows()))
}

/// Prometheus text.
#[utoipa::path(
    get, path = "/metrics", tag = "operations",
    responses((status = 200, description = "Prometheus text format", body = String, content_type = "text/plain"))
)]
async fn metrics(State(app): State<App>) -> HttpResult<Response> {
    let of_queues = refresh(&app).await?;
    app.metrics.run_upkeep();
    let text = app.metrics.render() + &of_queues;
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, content_type)], text).into_response())
}
