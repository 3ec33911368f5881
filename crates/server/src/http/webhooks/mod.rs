//! Webhook endpoints: who is told of which events, and what became of it.
//!
//! - `endpoints`: made, read, changed, deleted; their secrets
//! - `deliveries`: what was told, told again, and a test
//! - `views`: what operators read and write

mod deliveries;
mod endpoints;
mod views;

use effects::DatabaseError;
use effects::webhooks::{ENDPOINTS_MAX, OLD_SECRETS_MAX, Refused, Webhooks};
use utoipa_axum::router::OpenApiRouter;
use wire::Code;

use crate::adapters::{OsIds, rfc3339};
use crate::http::error::HttpError;
use crate::state::App;

pub fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(endpoints::operator())
        .merge(deliveries::operator())
}

fn webhooks(app: &App) -> Webhooks {
    Webhooks::new(&app.effects)
}

/// The consumers' database is away: the sale goes on, this waits.
pub(super) fn away(error: DatabaseError) -> HttpError {
    tracing::warn!(%error, "the database of the consumers is away");
    HttpError::new(
        Code::Overloaded,
        "the database of what follows an order is away; nothing was stored",
    )
}

fn not_found() -> HttpError {
    HttpError::new(Code::WebhookNotFound, "no webhook endpoint has this id")
}

fn refused(refused: Refused) -> HttpError {
    match refused {
        Refused::NotFound => not_found(),
        Refused::TooManyEndpoints => HttpError::new(
            Code::TooMany,
            format!("this server keeps at most {ENDPOINTS_MAX} webhook endpoints"),
        ),
        Refused::TooManySecrets { first_ends_at } => HttpError::new(
            Code::TooMany,
            format!(
                "at most {OLD_SECRETS_MAX} secrets are being replaced at once; the first ends at {}",
                rfc3339(first_ends_at)
            ),
        ),
        Refused::Disabled => HttpError::new(
            Code::WebhookDisabled,
            "the endpoint gets nothing; enable it first",
        ),
        Refused::TooFarBehind => HttpError::new(
            Code::TooMany,
            "more deliveries would wait for this endpoint than are kept",
        ),
    }
}

fn random() -> Result<[u8; 32], HttpError> {
    use engine::ports::Ids as _;
    let ids = OsIds::new()
        .map_err(|_| HttpError::new(Code::Overloaded, "the system has no random bits to give"))?;
    Ok(ids.entropy())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
