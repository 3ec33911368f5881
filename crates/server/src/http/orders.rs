//! Orders: placed, read, cancelled; and system B's compact form.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use commerce::{Email, OrderId, Product, Quantity, Sku, digest};
use engine::ports::{Ahead, Reader, StoreError};
use engine::{
    BodyHash, Command, EngineError, OrderRecord, OrderReply, OrderStatus, PlaceOrder, Reply,
    Standing,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::{Code, Problem};

use crate::http::args::{AcceptsKorean, OrderRequest, PathArgs};
use crate::http::error::{HttpError, HttpResult};
use crate::http::parcels::brief_of;
use crate::http::products::check_email;
use crate::http::verdict::wait_for_verdict;
use crate::http::views::{OrderView, ProblemView, mark_replay, written};
use crate::realtime::Subject;
use crate::shortcut::{Straight, straight as straight_to};
use crate::state::App;

/// A request that did not ask to wait, whose order stands behind others that are being decided:
/// so long it waits for its verdict.
const VERDICT_WAIT: Duration = Duration::from_secs(5);

pub fn public() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(place_order))
        .routes(routes!(get_order, cancel_order))
        .routes(routes!(buy))
}

/// Those that are asked for most while something sells out.
pub(super) fn straight(path: &str) -> Option<Straight> {
    match path {
        "/orders" => Some(|request, app| straight_to(place_order, request, app)),
        "/buy" => Some(|request, app| straight_to(buy, request, app)),
        _ => None,
    }
}

const fn one() -> u32 {
    1
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OrderArgs {
    #[schema(value_type = String, pattern = "^[A-Za-z0-9._-]{1,64}$", example = "CP-502101")]
    sku: Sku,
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    quantity: u32,
    /// An e-mail address.
    #[schema(max_length = 254, example = "ada@example.com")]
    customer: String,
}

fn check_quantity(units: u32) -> HttpResult<Quantity> {
    Quantity::new(units).map_err(|invalid| HttpError::at(Code::InvalidField, "quantity", invalid.0))
}

/// The fingerprint of what is asked for.
fn body_hash(sku: &Sku, quantity: Quantity, customer: &Email) -> BodyHash {
    let (sku, customer) = (sku.as_str().as_bytes(), customer.as_str().as_bytes());
    let whole = digest(&[sku, &[0], &quantity.get().to_le_bytes(), customer]);
    let mut hash = [0; 8];
    hash.copy_from_slice(&whole.as_bytes()[..8]);
    BodyHash(u64::from_le_bytes(hash))
}

/// What stands before an order, and the product it waits for.
type InLine = (Ahead, Option<Product>);

fn look_ahead(reader: &dyn Reader, order: &OrderRecord) -> Result<InLine, StoreError> {
    let ahead = reader.ahead(order.product, order.place)?;
    Ok((ahead, reader.product(&order.sku)?))
}

/// How an order that waits stands in its line.
fn standing(app: &App, order: &OrderRecord, (ahead, product): InLine) -> Standing {
    let units = ahead.units + order.quantity.units();
    // How long it takes until so many units are granted, by the rate of late.
    let estimate_s = product.and_then(|product| product.estimate_s(units, app.engine.now()));
    Standing {
        ahead: ahead.orders,
        ahead_units: ahead.units,
        estimate_s,
    }
}

/// The same, read anew, and the newest entry that was counted.
pub async fn standing_at(app: &App, order: &OrderRecord) -> Result<(Standing, u64), EngineError> {
    let of = order.clone();
    let found = app.engine.read(move |reader| look_ahead(reader, &of));
    let found = found.await?;
    let newest = found.0.last_seq;
    Ok((standing(app, order, found), newest))
}

/// An order by its id; none when the sequence or the unguessable part is wrong.
pub async fn find(app: &App, id: OrderId) -> Result<Option<OrderRecord>, EngineError> {
    app.engine.read(move |reader| by_id(reader, id)).await
}

fn by_id(reader: &dyn Reader, id: OrderId) -> Result<Option<OrderRecord>, StoreError> {
    let order = reader.order(id.seq)?;
    Ok(order.filter(|order| {
        bool::from(subtle::ConstantTimeEq::ct_eq(
            &order.id.secret.0[..],
            &id.secret.0[..],
        ))
    }))
}

async fn view(app: &App, order: &OrderRecord) -> Result<OrderView, EngineError> {
    let standing = match order.status {
        OrderStatus::Pending => Some(standing_at(app, order).await?.0),
        OrderStatus::Accepted
        | OrderStatus::SoldOut
        | OrderStatus::Rejected
        | OrderStatus::Expired
        | OrderStatus::Cancelled => None,
    };
    Ok(OrderView::new(order, standing))
}

/// The same in the answer to it: what the decision knew is not read again.
async fn first_view(app: &App, reply: &OrderReply) -> Result<OrderView, EngineError> {
    match reply.standing {
        Some(standing) => Ok(OrderView::new(&reply.order, Some(standing))),
        None => view(app, &reply.order).await,
    }
}

/// Waits until the order has a verdict, at most so long. Returns it as it then stands.
async fn wait_for_order(
    app: &App,
    order: OrderRecord,
    wait: Duration,
) -> Result<OrderRecord, EngineError> {
    let seq = order.id.seq;
    wait_for_verdict(
        app,
        Subject::Order(seq),
        order,
        wait,
        move |reader| reader.order(seq),
        |order| order.status == OrderStatus::Pending,
    )
    .await
}

/// Buy. Answered when the decision is durable.
///
/// The key, then the body, then the product, then the line: refusals come in that order.
#[utoipa::path(
    post, path = "/orders", tag = "orders", request_body = OrderArgs,
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters; the same key with the same body gives the same answer for 24 hours"),
        ("Prefer" = Option<String>, Header, description = "respond-async, or wait=N with 0 to 60 seconds (RFC 7240)"),
    ),
    responses(
        (status = 200, description = "A repeat: the order was accepted and has been cancelled since", body = OrderView),
        (status = 201, description = "Accepted", body = OrderView),
        (status = 202, description = "Pending: it has its place", body = OrderView, headers(("Location" = String))),
        (status = 404, description = "No such product", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "Sold out, over the purchase limit, or not open yet", body = ProblemView, content_type = "application/problem+json"),
        (status = 429, description = "Too many live keys of one customer", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn place_order(
    State(app): State<App>,
    request: OrderRequest<OrderArgs>,
) -> HttpResult<Response> {
    let OrderRequest {
        body: args,
        key,
        prefer,
    } = request;
    let quantity = check_quantity(args.quantity)?;
    let customer = check_email("customer", &args.customer)?;
    let order = PlaceOrder {
        body: body_hash(&args.sku, quantity, &customer),
        sku: args.sku,
        quantity,
        customer,
        key,
        defer: prefer.respond_async,
    };
    let mut reply = decide(&app, order).await?;
    if reply.order.status == OrderStatus::Pending {
        let wait = match (prefer.wait_s, prefer.respond_async) {
            (Some(seconds), _) => Some(Duration::from_secs(seconds)),
            (None, true) => None,
            (None, false) => behind_deferred(&reply).then_some(VERDICT_WAIT),
        };
        if let Some(wait) = wait {
            reply.order = wait_for_order(&app, reply.order, wait).await?;
            // Others may have left the line meanwhile.
            reply.standing = None;
        }
    }
    answer(&app, &reply).await
}

/// Whether it waits only for the sequencer, not for goods.
fn behind_deferred(reply: &OrderReply) -> bool {
    reply.when_sold_out == Some(commerce::WhenSoldOut::Reject)
}

async fn decide(app: &App, order: PlaceOrder) -> HttpResult<OrderReply> {
    match app.engine.decide(Command::PlaceOrder(order)).await?? {
        Reply::Order(reply) => Ok(*reply),
        _ => unreachable!("placing answers with the order"),
    }
}

async fn answer(app: &App, reply: &OrderReply) -> HttpResult<Response> {
    let order = &reply.order;
    let view = first_view(app, reply).await?;
    let mut response = match order.status {
        OrderStatus::Accepted => written(StatusCode::CREATED, view.to_json()),
        OrderStatus::Pending => {
            let mut response = written(StatusCode::ACCEPTED, view.to_json());
            let location = HeaderValue::try_from(format!("/orders/{}", order.id));
            (response.headers_mut()).insert(header::LOCATION, location.expect("an id is ASCII"));
            response
        }
        OrderStatus::Cancelled => written(StatusCode::OK, view.to_json()),
        OrderStatus::SoldOut | OrderStatus::Rejected | OrderStatus::Expired => {
            sold_out(reply, &view).into_response()
        }
    };
    mark_replay(&mut response, reply.replay);
    Ok(response)
}

fn sold_out(reply: &OrderReply, view: &OrderView) -> HttpError {
    let detail = format!(
        "place {} asked for {} and {} are available",
        view.place, view.quantity, reply.available
    );
    Problem::new(Code::SoldOut, detail)
        .with("available", reply.available)
        .with_json("order", view.to_json())
        .into()
}

fn order_id(text: &str) -> HttpResult<OrderId> {
    OrderId::parse(text).map_err(|_| no_order())
}

fn no_order() -> HttpError {
    HttpError::new(Code::OrderNotFound, "no order has this id")
}

pub async fn find_or_refuse(app: &App, id: &str) -> HttpResult<OrderRecord> {
    find(app, order_id(id)?).await?.ok_or_else(no_order)
}

/// One order: its place, its verdict, while it waits who is ahead, and where its parcel is.
#[utoipa::path(
    get, path = "/orders/{id}", tag = "orders", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The order", body = OrderView),
        (status = 404, description = "No such order", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn get_order(State(app): State<App>, PathArgs(id): PathArgs<String>) -> HttpResult<Response> {
    let id = order_id(&id)?;
    let look = move |reader: &dyn Reader| {
        let Some(order) = by_id(reader, id)? else {
            return Ok(None);
        };
        let pending = order.status == OrderStatus::Pending;
        let line = pending.then(|| look_ahead(reader, &order)).transpose()?;
        Ok(Some((order, line)))
    };
    let (order, line) = app.engine.read(look).await?.ok_or_else(no_order)?;
    let parcel = brief_of(&app, &order).await;
    let standing = line.map(|line| standing(&app, &order, line));
    let view = OrderView::new(&order, standing).with_parcel(parcel);
    Ok(written(StatusCode::OK, view.to_json()))
}

/// Give the units back; they go to the next in line.
#[utoipa::path(
    delete, path = "/orders/{id}", tag = "orders", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The order, cancelled", body = OrderView),
        (status = 404, description = "No such order", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "It was sold out", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn cancel_order(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
) -> HttpResult<Response> {
    let id = order_id(&id)?;
    match app.engine.decide(Command::CancelOrder { id }).await?? {
        Reply::Order(reply) => {
            let view = OrderView::new(&reply.order, None);
            Ok(written(StatusCode::OK, view.to_json()))
        }
        _ => unreachable!("cancelling answers with the order"),
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BuyArgs {
    #[schema(max_length = 254, example = "ada@example.com")]
    email: String,
    /// What the setting `buy.sku` names when it is left out.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9._-]{1,64}$")]
    sku: Option<Sku>,
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    quantity: u32,
}

#[derive(Debug, Serialize, ToSchema)]
struct BuyView {
    #[schema(example = "You are in the line at place 17.")]
    message: String,
    order: OrderView,
}

/// System B's compact form: in the line at once, the verdict is pushed.
#[utoipa::path(
    post, path = "/buy", tag = "orders", request_body = BuyArgs,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters")),
    responses(
        (status = 202, description = "In the line", body = BuyView, headers(("Location" = String))),
        (status = 404, description = "No such product", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "Over the purchase limit, or not open yet", body = ProblemView, content_type = "application/problem+json"),
        (status = 429, description = "Too many live keys of one customer", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn buy(
    State(app): State<App>,
    AcceptsKorean(korean): AcceptsKorean,
    request: OrderRequest<BuyArgs>,
) -> HttpResult<Response> {
    let OrderRequest {
        body: args, key, ..
    } = request;
    let quantity = check_quantity(args.quantity)?;
    let customer = check_email("email", &args.email)?;
    let sku = match args.sku {
        Some(sku) => sku,
        None => {
            let default = app
                .config
                .buy
                .sku
                .as_deref()
                .and_then(|sku| Sku::new(sku).ok());
            default.ok_or_else(|| {
                HttpError::at(
                    Code::MissingField,
                    "sku",
                    "missing field `sku`: this shop names no default product",
                )
            })?
        }
    };
    let reply = decide(
        &app,
        PlaceOrder {
            body: body_hash(&sku, quantity, &customer),
            sku,
            quantity,
            customer,
            key,
            defer: true,
        },
    )
    .await?;
    let place = reply.order.place;
    let message = if korean {
        format!("대기열 {place}번에 등록되었습니다. 결과를 곧 알려 드립니다.")
    } else {
        format!("You are in the line at place {place}. The verdict follows.")
    };
    let location = format!("/orders/{}", reply.order.id);
    let order = first_view(&app, &reply).await?;
    let mut response = (
        StatusCode::ACCEPTED,
        [(header::LOCATION, location)],
        Json(BuyView { message, order }),
    )
        .into_response();
    mark_replay(&mut response, reply.replay);
    Ok(response)
}
