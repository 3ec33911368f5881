//! Endpoints: made, read, changed, deleted; their secrets.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use effects::webhooks::{Change, NewEndpoint, StoredSecret};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::Code;
use wire::webhooks::Secret;

use super::views::{
    ChangeArgs, EndpointView, EndpointWithSecret, NewEndpointArgs, description_of, types_of, url_of,
};
use super::{away, hex, not_found, random, refused, webhooks};
use crate::http::args::{JsonBody, MaybeJsonBody, PathArgs};
use crate::http::error::{HttpError, HttpResult};
use crate::http::views::ProblemView;
use crate::state::App;
use crate::workers;

/// Random bytes of an id; the rest of the draw is not used.
const ID_BYTES: usize = 12;
/// How long calls are signed with a secret that was replaced: a day, a week at most.
const OVERLAP_S: u32 = 24 * 3_600;
const OVERLAP_S_MAX: u32 = 7 * 24 * 3_600;

pub(super) fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(get_one, change, delete))
        .routes(routes!(secret))
        .routes(routes!(rotate))
}

#[derive(Debug, Serialize, ToSchema)]
struct EndpointList {
    /// In the order in which they were made; 200 at most.
    webhooks: Vec<EndpointView>,
}

/// From the answer on, events that come are told to it.
async fn heard(app: &App) -> HttpResult<()> {
    let heard = workers::webhooks::heard(&app.engine).await?;
    let endpoints = webhooks(app).endpoints(app.engine.now()).await;
    workers::webhooks::listen(&app.engine, &heard, &endpoints.map_err(away)?, true).await?;
    Ok(())
}

fn new_secret() -> HttpResult<StoredSecret> {
    let secret = Secret::from_random(&random()?).expect("32 bytes are a secret");
    Ok(StoredSecret(secret.reveal()))
}

/// Adds an endpoint. The answer holds its secret.
#[utoipa::path(
    post, path = "/webhooks", tag = "webhooks", request_body = NewEndpointArgs,
    responses(
        (status = 201, description = "Made; events from now on are told to it", body = EndpointWithSecret),
        (status = 409, description = "As many as this server keeps", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn create(
    State(app): State<App>,
    JsonBody(body): JsonBody<NewEndpointArgs>,
) -> HttpResult<(
    StatusCode,
    [(HeaderName, String); 1],
    Json<EndpointWithSecret>,
)> {
    let secret = new_secret()?;
    let new = NewEndpoint {
        id: format!("whk_{}", hex(&random()?[..ID_BYTES])),
        url: url_of(&app, &body.url)?,
        types: types_of(body.types)?,
        description: description_of(body.description)?,
        secret: secret.clone(),
        disabled: !body.enabled,
    };
    let made = webhooks(&app).create(new, app.engine.now()).await;
    let endpoint = made.map_err(away)?.map_err(refused)?;
    heard(&app).await?;
    let location = format!("/webhooks/{}", endpoint.id);
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(EndpointWithSecret::new(endpoint, secret)),
    ))
}

/// All endpoints, without their secrets.
#[utoipa::path(
    get, path = "/webhooks", tag = "webhooks",
    responses((status = 200, description = "The endpoints", body = EndpointList))
)]
async fn list(State(app): State<App>) -> HttpResult<Json<EndpointList>> {
    let endpoints = webhooks(&app).endpoints(app.engine.now()).await;
    Ok(Json(EndpointList {
        webhooks: endpoints
            .map_err(away)?
            .into_iter()
            .map(EndpointView::new)
            .collect(),
    }))
}

/// One endpoint, without its secret.
#[utoipa::path(
    get, path = "/webhooks/{id}", tag = "webhooks", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The endpoint", body = EndpointView),
        (status = 404, description = "No such endpoint", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn get_one(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
) -> HttpResult<Json<EndpointView>> {
    let found = webhooks(&app).endpoint(id, app.engine.now()).await;
    let endpoint = found.map_err(away)?.ok_or_else(not_found)?;
    Ok(Json(EndpointView::new(endpoint)))
}

/// Changes an endpoint; what is missing stays as it is.
#[utoipa::path(
    patch, path = "/webhooks/{id}", tag = "webhooks", params(("id" = String, Path)),
    request_body = ChangeArgs,
    responses(
        (status = 200, description = "The endpoint as it is now", body = EndpointView),
        (status = 404, description = "No such endpoint", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn change(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
    JsonBody(body): JsonBody<ChangeArgs>,
) -> HttpResult<Json<EndpointView>> {
    let change = Change {
        url: body.url.map(|url| url_of(&app, &url)).transpose()?,
        types: body.types.map(types_of).transpose()?,
        description: body.description.map(description_of).transpose()?,
        enabled: body.enabled,
    };
    let changed = webhooks(&app).change(id, change, app.engine.now()).await;
    let endpoint = changed.map_err(away)?.map_err(refused)?;
    heard(&app).await?;
    Ok(Json(EndpointView::new(endpoint)))
}

/// Deletes an endpoint with everything that is known of it.
#[utoipa::path(
    delete, path = "/webhooks/{id}", tag = "webhooks", params(("id" = String, Path)),
    responses(
        (status = 204, description = "Gone; a call that is under way may still arrive"),
        (status = 404, description = "No such endpoint", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn delete(State(app): State<App>, PathArgs(id): PathArgs<String>) -> HttpResult<StatusCode> {
    if !webhooks(&app).delete(id).await.map_err(away)? {
        return Err(not_found());
    }
    heard(&app).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Serialize, ToSchema)]
struct SecretView {
    /// `whsec_...`
    secret: String,
}

/// The current secret, for whoever sets up the receiver.
#[utoipa::path(
    get, path = "/webhooks/{id}/secret", tag = "webhooks", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The secret", body = SecretView),
        (status = 404, description = "No such endpoint", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn secret(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
) -> HttpResult<Json<SecretView>> {
    let found = webhooks(&app).secret(id).await.map_err(away)?;
    let StoredSecret(secret) = found.ok_or_else(not_found)?;
    Ok(Json(SecretView { secret }))
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RotateArgs {
    /// How long calls are signed with the secret before it as well: 0 to 604,800, a day unless it
    /// is said. 0 ends every older secret at once.
    #[schema(minimum = 0, maximum = 604_800)]
    overlap_seconds: Option<u32>,
}

/// A new secret. Calls carry a signature of the old one as well, for a while.
#[utoipa::path(
    post, path = "/webhooks/{id}/rotate-secret", tag = "webhooks", params(("id" = String, Path)),
    request_body(content = Option<RotateArgs>),
    responses(
        (status = 200, description = "The endpoint with its new secret", body = EndpointWithSecret),
        (status = 404, description = "No such endpoint", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "Three secrets are being replaced", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn rotate(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
    MaybeJsonBody(body): MaybeJsonBody<RotateArgs>,
) -> HttpResult<Json<EndpointWithSecret>> {
    let overlap_s = body
        .unwrap_or_default()
        .overlap_seconds
        .unwrap_or(OVERLAP_S);
    if overlap_s > OVERLAP_S_MAX {
        return Err(HttpError::at(
            Code::InvalidField,
            "overlapSeconds",
            format!("must be 0 to {OVERLAP_S_MAX}, is {overlap_s}"),
        ));
    }
    let secret = new_secret()?;
    let now = app.engine.now();
    let ends_at = now + i64::from(overlap_s) * 1_000;
    let rotated = webhooks(&app)
        .rotate(id, secret.clone(), ends_at, now)
        .await;
    let endpoint = rotated.map_err(away)?.map_err(refused)?;
    Ok(Json(EndpointWithSecret::new(endpoint, secret)))
}
