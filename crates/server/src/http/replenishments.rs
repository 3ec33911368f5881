//! Requests to factories, and what comes back.

use axum::Json;
use axum::extract::State;
use commerce::{Replenishment, ReplenishmentId};
use engine::{Command, Refusal, ReplenishmentChange, ReplenishmentReply, Reply};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::{Code, Problem};

use crate::http::args::{JsonBody, PathArgs, QueryArgs, cursor, limit};
use crate::http::error::{HttpError, HttpResult};
use crate::http::products::{check_units, find as find_product, sku_of};
use crate::http::views::{ProblemView, ReplenishmentView};
use crate::state::App;

/// What factories call: each carries its own token.
pub fn factory() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(receive))
}

pub fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get_one))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Page {
    sku: Option<String>,
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next` of the page before.
    before: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ReplenishmentList {
    replenishments: Vec<ReplenishmentView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// Requests to factories, newest first.
#[utoipa::path(
    get, path = "/replenishments", tag = "restocking", params(Page),
    responses(
        (status = 200, description = "A page", body = ReplenishmentList),
        (status = 404, description = "No such product", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn list(
    State(app): State<App>,
    QueryArgs(page): QueryArgs<Page>,
) -> HttpResult<Json<ReplenishmentList>> {
    let limit = limit(page.limit)?;
    let product = match page.sku {
        Some(sku) => Some(find_product(&app, &sku_of(&sku)?).await?.id),
        None => None,
    };
    let before = cursor("before", page.before)?;
    let mut found = app
        .engine
        .read(move |reader| reader.replenishments(product, before, limit + 1))
        .await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| last.seq);
    Ok(Json(ReplenishmentList {
        replenishments: found.iter().map(ReplenishmentView::new).collect(),
        next,
    }))
}

pub async fn find(app: &App, id: &str) -> HttpResult<Replenishment> {
    let none = || HttpError::new(Code::ReplenishmentNotFound, "no replenishment has this id");
    let id = ReplenishmentId::parse(id).map_err(|_| none())?;
    let found = app
        .engine
        .read(move |reader| reader.replenishment(id.seq))
        .await?;
    found.filter(|found| found.id() == id).ok_or_else(none)
}

/// One request to a factory.
#[utoipa::path(
    get, path = "/replenishments/{id}", tag = "restocking", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The replenishment", body = ReplenishmentView),
        (status = 404, description = "No such replenishment", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn get_one(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
) -> HttpResult<Json<ReplenishmentView>> {
    Ok(Json(ReplenishmentView::new(&find(&app, &id).await?)))
}

/// The field in which system D's form says how many units came.
pub const COUNT: &str = "MessageAttributeProductCnt";

/// Whether the token is the one that went out with the request. Takes the same time for every
/// wrong one.
pub fn check_token(replenishment: &Replenishment, token: Option<&str>) -> HttpResult<()> {
    let shown = token.unwrap_or("");
    let same = subtle::ConstantTimeEq::ct_eq(shown.as_bytes(), replenishment.token.0.as_bytes());
    if bool::from(same) {
        Ok(())
    } else {
        Err(HttpError::at(
            Code::InvalidToken,
            "token",
            "the token of the callback URL is missing or wrong",
        ))
    }
}

/// Counts what really arrived, once. `field` is where the callback says how many units.
pub async fn count(
    app: &App,
    replenishment: &Replenishment,
    field: &'static str,
    units: u64,
) -> HttpResult<ReplenishmentReply> {
    let command = Command::Replenishment {
        id: replenishment.id(),
        sku: replenishment.sku.clone(),
        change: ReplenishmentChange::Received { units },
    };
    match app.engine.decide(command).await? {
        Ok(Reply::Replenishment(reply)) => Ok(*reply),
        Ok(_) => unreachable!("a replenishment's change answers with it"),
        Err(Refusal::ReferenceReused { quantity }) => {
            tracing::warn!(
                replenishment.id = %replenishment.id(),
                sku = %replenishment.sku,
                counted = quantity,
                not_counted = units,
                "a callback came again with another quantity",
            );
            let detail =
                format!("this request was received with {quantity}; nothing more was counted");
            let problem = Problem::new(Code::ReferenceReused, detail).field(field);
            Err(problem.with("counted", quantity).into())
        }
        Err(refusal) => Err(refusal.into()),
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TokenArgs {
    /// What came with the callback URL.
    token: Option<String>,
}

/// Our own form; system D's is taken too.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OwnDelivery {
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    quantity: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DeliveryView {
    replenishment: String,
    sku: String,
    quantity: u64,
    on_hand: u64,
    /// It was counted before; nothing was counted now.
    repeated: bool,
}

/// The factory delivers. Late, partial, too large or repeated: counted once, as what came. Again
/// with another quantity it is refused.
#[utoipa::path(
    post, path = "/replenishments/{id}/receipt", tag = "restocking",
    params(("id" = String, Path), TokenArgs), request_body = OwnDelivery,
    responses(
        (status = 200, description = "Counted, now or before", body = DeliveryView),
        (status = 401, description = "The token is missing or wrong", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "No such replenishment", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "It was received with another quantity; nothing was counted now", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn receive(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
    QueryArgs(args): QueryArgs<TokenArgs>,
    JsonBody(body): JsonBody<serde_json::Value>,
) -> HttpResult<Json<DeliveryView>> {
    let replenishment = find(&app, &id).await?;
    check_token(&replenishment, args.token.as_deref())?;
    let (field, units) = units_of(&body, &replenishment)?;
    let reply = count(&app, &replenishment, field, units).await?;
    Ok(Json(DeliveryView {
        replenishment: id,
        sku: reply.replenishment.sku.to_string(),
        quantity: reply.replenishment.received,
        on_hand: reply.on_hand,
        repeated: reply.repeated,
    }))
}

/// The field that says it, and the units. Which form it is shows in the field's name, so that an
/// error is about the form that was meant.
fn units_of(
    body: &serde_json::Value,
    replenishment: &Replenishment,
) -> HttpResult<(&'static str, u64)> {
    let bytes = serde_json::to_vec(body).expect("a JSON value has a JSON form");
    if body.get(COUNT).is_some() || body.get("MessageAttributeProductId").is_some() {
        let delivery: wire::manufactures::Delivery = crate::http::args::parse(&bytes)?;
        if delivery.message_attribute_product_id != replenishment.sku.as_str() {
            return Err(HttpError::at(
                Code::InvalidField,
                "MessageAttributeProductId",
                "is another product than the one that was asked for",
            ));
        }
        let units = check_units(COUNT, delivery.message_attribute_product_cnt)?;
        return Ok((COUNT, units));
    }
    let own: OwnDelivery = crate::http::args::parse(&bytes)?;
    Ok(("quantity", check_units("quantity", own.quantity)?))
}
