//! What a process answers that has consumers and no shop: whether it is there, what its
//! consumers do, and the numbers. Operators' routes ask for the operator token when one is set.

use std::sync::Arc;

use axum::extract::{FromRef, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use engine::ports::Clock;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use wire::Code;

use crate::config::Config;
use crate::http::consumers;
use crate::http::error::{HttpError, HttpResult};
use crate::http::router::{authorize, method_not_allowed, not_found};
use crate::workers::{Consumers, Health};

/// Consumers without a shop.
#[derive(Clone)]
pub struct Outpost {
    pub consumers: Consumers,
    pub config: Arc<Config>,
    pub metrics: PrometheusHandle,
    pub health: Health,
    pub clock: Arc<dyn Clock>,
    pub cancel: CancellationToken,
}

impl FromRef<Outpost> for Consumers {
    fn from_ref(outpost: &Outpost) -> Self {
        outpost.consumers.clone()
    }
}

pub fn router(outpost: Outpost) -> Router {
    let token = outpost.config.auth.operator_token.clone();
    let (of_consumers, _) = consumers::operator::<Outpost>().split_for_parts();
    let operator = of_consumers
        .route("/metrics", get(metrics))
        .route_layer(middleware::from_fn_with_state(token, authorize));
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .merge(operator)
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(outpost)
}

async fn healthz() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// Its consumers go round. Whether the queues can be reached, `GET /ops/consumers` says.
async fn readyz(State(outpost): State<Outpost>) -> HttpResult<Json<Value>> {
    if outpost.cancel.is_cancelled() {
        return Err(HttpError::new(Code::Overloaded, "the process is stopping"));
    }
    match outpost.health.standing_still(outpost.clock.now()) {
        Some(worker) => Err(HttpError::new(
            Code::Overloaded,
            format!("the worker {worker} stands still"),
        )),
        None => Ok(Json(json!({"status": "ready"}))),
    }
}

async fn metrics(State(outpost): State<Outpost>) -> Response {
    outpost.metrics.run_upkeep();
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    (
        [(header::CONTENT_TYPE, content_type)],
        outpost.metrics.render(),
    )
        .into_response()
}
