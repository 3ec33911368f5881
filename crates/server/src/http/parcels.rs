//! Parcels: where they are, and the carrier's word on it.
//!
//! The carrier shows who it is by a Standard Webhooks signature over the bytes of its notice.
//! A notice is safe to repeat: the same `webhook-id` gets the same answer.

use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use commerce::Millis;
use effects::DatabaseError;
use effects::parcels::{Answer, Notice, Noticed, Outcome, Parcel, ParcelChange, ParcelStatus};
use engine::{OrderRecord, OrderStatus};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::webhooks::{self, Received, VerifyError};
use wire::{Code, Problem};

use crate::adapters::{RFC3339_RULE, Time, parse_rfc3339};
use crate::http::args::{PathArgs, check_content_type, parse, read_body, single};
use crate::http::error::{HttpError, HttpResult};
use crate::http::orders::find_or_refuse;
use crate::http::views::{ParcelBrief, ProblemView, mark_replay};
use crate::state::App;

/// Characters.
const PLACE_MAX: usize = 200;
/// How far ahead of ours the carrier's clock may be.
const AHEAD_MAX_MS: Millis = webhooks::TOLERANCE_S * 1_000;
/// How long an order's view waits for what it says of its parcel.
const BRIEF_WITHIN: Duration = Duration::from_secs(1);

pub fn public() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get_parcel_of_order))
        .routes(routes!(move_parcel))
}

pub fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_parcel))
}

/// One line of a parcel's history.
#[derive(Debug, Serialize, ToSchema)]
struct ParcelChangeView {
    #[schema(example = "in_transit")]
    status: &'static str,
    #[schema(value_type = String, format = "date-time")]
    at: Time,
    /// Where it was then, in the carrier's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
}

/// A parcel as its receiver sees it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ParcelView {
    #[schema(example = "trk_2m9q0x7d4c1v5b8n")]
    tracking_id: String,
    /// `created`, `packed`, `in_transit`, `delivered` or `returned`.
    #[schema(example = "in_transit")]
    status: &'static str,
    /// Its order was cancelled.
    cancelled: bool,
    #[schema(value_type = String, format = "date-time")]
    created_at: Time,
    #[schema(value_type = String, format = "date-time")]
    changed_at: Time,
    /// The oldest first.
    history: Vec<ParcelChangeView>,
}

impl ParcelView {
    fn new(parcel: &Parcel, changes: Vec<ParcelChange>) -> Self {
        Self {
            tracking_id: parcel.tracking_id.clone(),
            status: parcel.status.as_str(),
            cancelled: parcel.cancelled,
            created_at: Time(parcel.created_at),
            changed_at: Time(parcel.changed_at),
            history: changes
                .into_iter()
                .map(|change| ParcelChangeView {
                    status: change.status.as_str(),
                    at: Time(change.at),
                    place: change.place,
                })
                .collect(),
        }
    }
}

/// A parcel as operators see it. What belongs to an order is absent for a purchase made elsewhere.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WholeParcelView {
    #[serde(flatten)]
    parcel: ParcelView,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<u64>,
    customer: String,
}

/// The answer to a notice.
#[derive(Debug, Serialize, ToSchema)]
struct MovedView {
    #[serde(flatten)]
    parcel: ParcelBrief,
    /// False when the parcel was there already, or further.
    changed: bool,
}

impl ParcelBrief {
    pub(super) fn of(parcel: &Parcel) -> Self {
        Self {
            tracking_id: parcel.tracking_id.clone(),
            status: parcel.status.as_str(),
            changed_at: Time(parcel.changed_at),
        }
    }
}

/// What an order's view says of its parcel: none when it cannot be told now, `Some(None)` when
/// there is none. An order is shown whether its parcel can be read or not, and waits
/// a second for it at most.
pub async fn brief_of(app: &App, order: &OrderRecord) -> Option<Option<ParcelBrief>> {
    match order.status {
        OrderStatus::Accepted | OrderStatus::Cancelled => {}
        OrderStatus::Pending
        | OrderStatus::SoldOut
        | OrderStatus::Rejected
        | OrderStatus::Expired => return Some(None),
    }
    let (id, seq) = (order.id.to_string(), order.id.seq);
    let found = timeout(BRIEF_WITHIN, app.effects.parcel_of_order(id, seq)).await;
    let why = match found {
        Ok(Ok(parcel)) => return Some(parcel.as_ref().map(ParcelBrief::of)),
        Ok(Err(error)) => error.to_string(),
        Err(late) => late.to_string(),
    };
    tracing::warn!(why, "an order is shown without its parcel");
    None
}

fn no_parcel(detail: &str) -> HttpError {
    HttpError::new(Code::ParcelNotFound, detail)
}

fn away(error: &DatabaseError) -> HttpError {
    tracing::warn!(%error, "the parcels cannot be reached");
    HttpError::new(
        Code::OutcomeUnknown,
        "the parcels cannot be reached now; the same again is safe",
    )
}

/// An order's parcel and where it has been. Only with the order's unguessable id.
#[utoipa::path(
    get, path = "/orders/{id}/parcel", tag = "orders", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The parcel", body = ParcelView),
        (status = 404, description = "No such order, or it has no parcel yet", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn get_parcel_of_order(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
) -> HttpResult<Json<ParcelView>> {
    let order = find_or_refuse(&app, &id).await?;
    let found = app
        .effects
        .parcel_history_of_order(order.id.to_string(), order.id.seq)
        .await;
    let (parcel, changes) = found
        .map_err(|error| away(&error))?
        .ok_or_else(|| no_parcel("this order has no parcel yet"))?;
    Ok(Json(ParcelView::new(&parcel, changes)))
}

/// One parcel, with whose it is.
#[utoipa::path(
    get, path = "/parcels/{trackingId}", tag = "orders", params(("trackingId" = String, Path)),
    responses(
        (status = 200, description = "The parcel", body = WholeParcelView),
        (status = 404, description = "No such parcel", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn get_parcel(
    State(app): State<App>,
    PathArgs(tracking_id): PathArgs<String>,
) -> HttpResult<Json<WholeParcelView>> {
    let found = app.effects.parcel(tracking_id).await;
    let (parcel, changes) = found
        .map_err(|error| away(&error))?
        .ok_or_else(|| no_parcel("no parcel has this tracking id"))?;
    Ok(Json(WholeParcelView {
        parcel: ParcelView::new(&parcel, changes),
        order_id: parcel.order_id,
        sku: parcel.sku,
        quantity: parcel.quantity,
        customer: parcel.customer,
    }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NoticeArgs {
    #[schema(
        pattern = "^(created|packed|in_transit|delivered|returned)$",
        example = "in_transit"
    )]
    status: String,
    /// When it happened (RFC 3339), at most five minutes ahead of this server's clock; now, when
    /// it is left out.
    #[schema(format = "date-time")]
    at: Option<String>,
    /// Where it was then.
    #[schema(min_length = 1, max_length = 200, example = "Seoul hub")]
    place: Option<String>,
}

/// A notice whose sender is known.
struct SignedNotice {
    status: ParcelStatus,
    at: Millis,
    place: Option<String>,
    /// The webhook's id, and a fingerprint of where it went and what it says.
    webhook: Option<(String, [u8; 32])>,
}

impl FromRequest<App> for SignedNotice {
    type Rejection = HttpError;

    async fn from_request(request: Request, app: &App) -> HttpResult<Self> {
        let (parts, body) = request.into_parts();
        check_content_type(&parts.headers)?;
        let bytes = read_body(body).await?;
        let now = app.engine.now();
        let id = sender(app, &parts.headers, &bytes, now)?;
        let args: NoticeArgs = parse(&bytes)?;
        let status = check_status(&args.status)?;
        let at = check_at(args.at.as_deref(), now)?;
        check_place(args.place.as_deref())?;
        let mut said = blake3::Hasher::new();
        said.update(parts.uri.path().as_bytes());
        said.update(&[0]);
        said.update(&bytes);
        let said = *said.finalize().as_bytes();
        Ok(Self {
            status,
            at,
            place: args.place,
            webhook: id.map(|id| (id, said)),
        })
    }
}

/// The webhook's id, once it is known that the carrier sent it.
fn sender(app: &App, headers: &HeaderMap, body: &[u8], now: Millis) -> HttpResult<Option<String>> {
    let secrets = app.config.carrier.secrets();
    let id = single(headers, &HeaderName::from_static(webhooks::ID_HEADER))?;
    if secrets.is_empty() {
        if !app.config.carrier_is_open() {
            return Err(HttpError::new(
                Code::InvalidSignature,
                "this server takes no notices before the setting carrier.secret is there",
            ));
        }
        return match id {
            Some(id) if id.len() > webhooks::ID_BYTES_MAX => Err(HttpError::at(
                Code::InvalidHeader,
                webhooks::ID_HEADER,
                format!("it must have 1 to {} characters", webhooks::ID_BYTES_MAX),
            )),
            id => Ok(id.map(str::to_owned)),
        };
    }
    let received = Received {
        id,
        timestamp: single(
            headers,
            &HeaderName::from_static(webhooks::TIMESTAMP_HEADER),
        )?,
        signature: single(
            headers,
            &HeaderName::from_static(webhooks::SIGNATURE_HEADER),
        )?,
        body,
    };
    let verified = webhooks::verify(&received, &secrets, now).map_err(unverified)?;
    Ok(Some(verified.id.to_owned()))
}

fn unverified(error: VerifyError) -> HttpError {
    let field = match error {
        VerifyError::Missing(header) | VerifyError::Invalid(header) => header,
        VerifyError::TooOld | VerifyError::TooNew => webhooks::TIMESTAMP_HEADER,
        VerifyError::Mismatch => webhooks::SIGNATURE_HEADER,
    };
    HttpError::at(Code::InvalidSignature, field, error.to_string())
}

fn check_status(text: &str) -> HttpResult<ParcelStatus> {
    ParcelStatus::parse(text).ok_or_else(|| {
        let all = ParcelStatus::ALL.map(ParcelStatus::as_str).join(", ");
        HttpError::at(
            Code::InvalidField,
            "status",
            format!("must be one of {all}"),
        )
    })
}

fn check_at(at: Option<&str>, now: Millis) -> HttpResult<Millis> {
    let Some(text) = at else {
        return Ok(now);
    };
    match parse_rfc3339(text) {
        Ok(at) if (0..=now + AHEAD_MAX_MS).contains(&at) => Ok(at),
        Ok(_) => Err(HttpError::at(
            Code::InvalidField,
            "at",
            "must be after 1970 and at most 5 minutes ahead of this server's clock",
        )),
        Err(_) => Err(HttpError::at(Code::InvalidField, "at", RFC3339_RULE)),
    }
}

fn check_place(place: Option<&str>) -> HttpResult<()> {
    let Some(place) = place else {
        return Ok(());
    };
    let length = place.chars().count();
    if place.chars().any(char::is_control) || !(1..=PLACE_MAX).contains(&length) {
        return Err(HttpError::at(
            Code::InvalidField,
            "place",
            format!("must have 1 to {PLACE_MAX} characters and no control characters"),
        ));
    }
    Ok(())
}

/// The carrier says where a parcel is.
///
/// A step that the parcel has reached or passed changes nothing, one further on moves it, over
/// steps between them too.
///
/// Signed as Standard Webhooks has it (standardwebhooks.com), in three headers: `webhook-id`, the
/// same id with the same notice gets the same answer; `webhook-timestamp`, seconds since 1970 of
/// this attempt, within five minutes of this server's clock; `webhook-signature`,
/// `v1,<base64>`, needed with the setting `carrier.secret`.
#[utoipa::path(
    post, path = "/carrier/parcels/{trackingId}", tag = "orders", request_body = NoticeArgs,
    params(("trackingId" = String, Path)),
    responses(
        (status = 200, description = "Taken in, now or before", body = MovedView),
        (status = 401, description = "The signature is missing, old or wrong", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "No such parcel", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "The parcel is delivered or returned", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn move_parcel(
    State(app): State<App>,
    PathArgs(tracking_id): PathArgs<String>,
    signed: SignedNotice,
) -> HttpResult<Response> {
    let notice = Notice {
        tracking_id: tracking_id.clone(),
        status: signed.status,
        at: signed.at,
        place: signed.place,
        webhook: signed.webhook,
    };
    let noticed = app.effects.notice(notice, app.engine.now()).await;
    match noticed.map_err(|error| away(&error))? {
        Noticed::NotFound => Err(no_parcel("no parcel has this tracking id")),
        Noticed::IdReused => Err(HttpError::at(
            Code::IdempotencyKeyReused,
            webhooks::ID_HEADER,
            "a notice with this id said something else",
        )),
        Noticed::Answered { answer, replay } => {
            app.parcel_news.notify_one();
            Ok(respond(tracking_id, answer, replay))
        }
    }
}

fn respond(tracking_id: String, answer: Answer, replay: bool) -> Response {
    let parcel = ParcelBrief {
        tracking_id,
        status: answer.status.as_str(),
        changed_at: Time(answer.changed_at),
    };
    let mut response = match answer.outcome {
        Outcome::Moved | Outcome::Known => {
            let changed = answer.outcome == Outcome::Moved;
            Json(MovedView { parcel, changed }).into_response()
        }
        Outcome::Refused => refused(&parcel).into_response(),
    };
    mark_replay(&mut response, replay);
    response
}

fn refused(parcel: &ParcelBrief) -> HttpError {
    let detail = format!("the parcel is {} and goes no further", parcel.status);
    Problem::new(Code::ParcelStepRefused, detail)
        .field("status")
        .with("parcel", parcel)
        .into()
}
