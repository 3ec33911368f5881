//! What operations must look at, and what was over lately.

use axum::Json;
use axum::extract::State;
use effects::alerts::{Alert, Alerts, RECENT_MAX};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::adapters::rfc3339;
use crate::http::error::HttpResult;
use crate::http::webhooks::away;
use crate::state::App;

pub fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AlertView {
    id: i64,
    /// `dead_letters`, `consumer_stands_still`, `factory_fails`, `line_waits`, `webhook_disabled`,
    /// `store_is_older` or `store_file_gone`.
    rule: &'static str,
    /// A queue, a factory, a sku, an endpoint or a file.
    subject: String,
    /// The most that was seen: messages, failures, orders that wait, entries.
    count: i64,
    opened_at: String,
    /// When its cause was last seen.
    last_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_at: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct AlertList {
    /// Oldest first.
    open: Vec<AlertView>,
    /// Newest first.
    recent: Vec<AlertView>,
}

impl AlertView {
    fn new(alert: Alert) -> Self {
        Self {
            id: alert.n,
            rule: alert.rule.as_str(),
            subject: alert.subject,
            count: alert.count,
            opened_at: rfc3339(alert.opened_at),
            last_at: rfc3339(alert.last_at),
            resolved_at: alert.resolved_at.map(rfc3339),
        }
    }
}

/// Alerts that are open, and those that were over lately (at most 100, kept for 90 days).
#[utoipa::path(
    get, path = "/ops/alerts", tag = "operations",
    responses((status = 200, description = "One alert for each cause", body = AlertList))
)]
async fn list(State(app): State<App>) -> HttpResult<Json<AlertList>> {
    let alerts = Alerts::new(&app.effects);
    let open = alerts.open().await.map_err(away)?;
    let recent = alerts.recent(RECENT_MAX).await.map_err(away)?;
    Ok(Json(AlertList {
        open: open.into_iter().map(AlertView::new).collect(),
        recent: recent.into_iter().map(AlertView::new).collect(),
    }))
}
