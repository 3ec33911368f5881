//! The factory's callback in system D's form.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use commerce::{Replenishment, Sku};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::Code;
use wire::manufactures::Delivery;

use crate::http::args::{JsonBody, QueryArgs};
use crate::http::error::{HttpError, HttpResult};
use crate::http::products::{check_units, find as find_product};
use crate::http::replenishments::{COUNT, check_token, count, find};
use crate::http::views::ProblemView;
use crate::state::App;

pub fn factory() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(receive_donuts))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CallbackArgs {
    /// Which request it answers; together with the token.
    replenishment: Option<String>,
    token: Option<String>,
}

/// What the factory delivers, in system D's words.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
struct DeliverySchema {
    #[schema(example = "CP-502101")]
    message_attribute_product_id: String,
    /// A whole number, or the same as a string of digits.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    message_attribute_product_cnt: u64,
    message_attribute_factory_id: Option<String>,
    message_group_id: Option<String>,
    message_attribute_requester: Option<String>,
    callback_url: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct StockedView {
    #[schema(example = "stock received: 10 on hand")]
    message: String,
    /// On hand afterwards.
    stock: u64,
    repeated: bool,
}

/// System D's callback. With its token it is counted once, however often it comes, and refused when
/// it comes again with another count; without (a setting) it is counted for the product's open
/// replenishment.
#[utoipa::path(
    post, path = "/product/donut", tag = "restocking", params(CallbackArgs),
    request_body = DeliverySchema,
    responses(
        (status = 200, description = "Counted, now or before", body = StockedView),
        (status = 401, description = "The token is missing or wrong", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "No such product or replenishment", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "Nothing is open for this product, or the request was received with another count; nothing was counted now", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn receive_donuts(
    State(app): State<App>,
    QueryArgs(args): QueryArgs<CallbackArgs>,
    JsonBody(delivery): JsonBody<Delivery>,
) -> HttpResult<(StatusCode, Json<StockedView>)> {
    let units = check_units(COUNT, delivery.message_attribute_product_cnt)?;
    let replenishment = match &args.replenishment {
        Some(id) => {
            let replenishment = find(&app, id).await?;
            check_token(&replenishment, args.token.as_deref())?;
            replenishment
        }
        // Half of what the URL had: without the other half it is no callback without a token.
        None if args.token.is_some() => {
            return Err(HttpError::at(
                Code::InvalidParameter,
                "replenishment",
                "it belongs to the token and is missing",
            ));
        }
        None => open_one(&app, &delivery).await?,
    };
    if replenishment.sku.as_str() != delivery.message_attribute_product_id {
        return Err(HttpError::at(
            Code::InvalidField,
            "MessageAttributeProductId",
            "is another product than the one that was asked for",
        ));
    }
    let reply = count(&app, &replenishment, COUNT, units).await?;
    let stock = reply.on_hand;
    let message = if reply.repeated {
        format!("received before: {stock} on hand")
    } else {
        format!("stock received: {stock} on hand")
    };
    Ok((
        StatusCode::OK,
        Json(StockedView {
            message,
            stock,
            repeated: reply.repeated,
        }),
    ))
}

async fn open_one(app: &App, delivery: &Delivery) -> HttpResult<Replenishment> {
    if !app.config.untokened_callbacks() {
        return Err(HttpError::at(
            Code::InvalidToken,
            "token",
            "this shop takes callbacks with their token only",
        ));
    }
    let sku = Sku::new(&delivery.message_attribute_product_id).map_err(|_| {
        HttpError::at(
            Code::ProductNotFound,
            "MessageAttributeProductId",
            "no product has this sku",
        )
    })?;
    let product = find_product(app, &sku)
        .await
        .map_err(|error| match error.0.code {
            Code::ProductNotFound => error.field("MessageAttributeProductId"),
            _ => error,
        })?;
    let none = || {
        HttpError::at(
            Code::NoOpenReplenishment,
            "MessageAttributeProductId",
            "nothing is on its way for this product",
        )
    };
    let seq = product.open_replenishment.ok_or_else(none)?;
    let open = app
        .engine
        .read(move |reader| reader.replenishment(seq))
        .await?
        .ok_or_else(none)?;
    // A factory that says who it is must be the one that was asked.
    match &delivery.message_attribute_factory_id {
        Some(factory) if factory != open.factory.as_str() => Err(HttpError::at(
            Code::NoOpenReplenishment,
            "MessageAttributeFactoryId",
            "what is on its way for this product was asked of another factory",
        )),
        Some(_) | None => Ok(open),
    }
}
