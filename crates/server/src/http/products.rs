//! Products, receipts and stock movements.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use commerce::{
    Currency, Email, Money, Name, NewProduct, PURCHASE_LIMIT_MAX, Product, ProductChange,
    Reference, Reorder, STOCK_MAX, Sku, WhenSoldOut,
};
use engine::ports::{Reader, StoreError, line_entries};
use engine::{Command, Entry, Kind, Reply};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::Code;

use crate::adapters::{RFC3339_RULE, parse_rfc3339, rfc3339};
use crate::http::args::{JsonBody, PathArgs, QueryArgs, cursor, limit};
use crate::http::error::{HttpError, HttpResult};
use crate::http::views::{ProblemView, ProductView};
use crate::state::App;

/// What buyers read.
pub fn public() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_products))
        .routes(routes!(get_product))
}

/// What the shop's own systems do.
pub fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create_product))
        .routes(routes!(change_product))
        .routes(routes!(receive_goods))
        .routes(routes!(list_movements))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ReorderArgs {
    #[schema(maximum = 1_000_000_000)]
    point: u64,
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    quantity: u64,
    #[schema(value_type = String, pattern = "^[A-Za-z0-9._-]{1,64}$", example = "FF-500293")]
    factory: Sku,
}

impl ReorderArgs {
    fn check(self) -> HttpResult<Reorder> {
        Reorder::new(self.point, self.quantity, self.factory)
            .map_err(|(field, invalid)| HttpError::at(Code::InvalidField, field, invalid.0))
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewProductArgs {
    #[schema(value_type = String, pattern = "^[A-Za-z0-9._-]{1,64}$", example = "CP-502101")]
    sku: Sku,
    #[schema(value_type = String, min_length = 1, max_length = 200, example = "Donut")]
    name: Name,
    /// Minor units of the currency.
    #[schema(value_type = i64, minimum = 0, maximum = 1_000_000_000_000_000_i64)]
    price: Money,
    #[schema(value_type = String, pattern = "^[A-Z]{3}$", example = "KRW")]
    currency: Currency,
    #[schema(maximum = 1_000_000_000)]
    stock: u64,
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1_000_000)]
    purchase_limit: Option<u32>,
    #[serde(default)]
    #[schema(pattern = "^(reject|wait)$", example = "wait")]
    when_sold_out: Option<String>,
    #[serde(default)]
    #[schema(format = "date-time")]
    opens_at: Option<String>,
    #[serde(default)]
    reorder: Option<ReorderArgs>,
    /// An e-mail address.
    #[serde(default)]
    #[schema(max_length = 254)]
    ad_manager: Option<String>,
}

fn check_limit(limit: Option<u32>) -> HttpResult<Option<u32>> {
    match limit {
        Some(units) if !(1..=PURCHASE_LIMIT_MAX).contains(&units) => Err(HttpError::at(
            Code::InvalidField,
            "purchaseLimit",
            format!("must be 1 to {PURCHASE_LIMIT_MAX}"),
        )),
        Some(_) | None => Ok(limit),
    }
}

fn check_when(text: &str) -> HttpResult<WhenSoldOut> {
    match text {
        "reject" => Ok(WhenSoldOut::Reject),
        "wait" => Ok(WhenSoldOut::Wait),
        _ => Err(HttpError::at(
            Code::InvalidField,
            "whenSoldOut",
            "must be reject or wait",
        )),
    }
}

fn check_time(text: Option<&str>) -> HttpResult<Option<commerce::Millis>> {
    text.map(parse_rfc3339)
        .transpose()
        .map_err(|_| HttpError::at(Code::InvalidField, "opensAt", RFC3339_RULE))
}

pub fn check_email(field: &str, text: &str) -> HttpResult<Email> {
    Email::new(text).map_err(|invalid| HttpError::at(Code::InvalidField, field, invalid.0))
}

impl NewProductArgs {
    fn check(self) -> HttpResult<NewProduct> {
        if self.stock > STOCK_MAX {
            return Err(HttpError::at(
                Code::InvalidField,
                "stock",
                format!("must be 0 to {STOCK_MAX}"),
            ));
        }
        let ad_manager = self.ad_manager.as_deref();
        Ok(NewProduct {
            sku: self.sku,
            name: self.name,
            price: self.price,
            currency: self.currency,
            stock: self.stock,
            purchase_limit: check_limit(self.purchase_limit)?,
            when_sold_out: self
                .when_sold_out
                .map(|text| check_when(&text))
                .transpose()?
                .unwrap_or_default(),
            opens_at: check_time(self.opens_at.as_deref())?,
            reorder: self.reorder.map(ReorderArgs::check).transpose()?,
            ad_manager: ad_manager
                .map(|text| check_email("adManager", text))
                .transpose()?,
        })
    }
}

/// A field that may be left out, but not be null: there is nothing to remove.
pub(super) fn given<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// A field that may be left out, be null, or have a value.
fn maybe<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ProductChangeArgs {
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 200)]
    name: Option<Name>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = i64, required = false, minimum = 0, maximum = 1_000_000_000_000_000_i64)]
    price: Option<Money>,
    #[serde(default, deserialize_with = "maybe")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000)]
    purchase_limit: Option<Option<u32>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, required = false, pattern = "^(reject|wait)$", example = "wait")]
    when_sold_out: Option<String>,
    #[serde(default, deserialize_with = "maybe")]
    #[schema(value_type = Option<String>, format = "date-time")]
    opens_at: Option<Option<String>>,
    #[serde(default, deserialize_with = "maybe")]
    #[schema(value_type = Option<ReorderArgs>)]
    reorder: Option<Option<ReorderArgs>>,
    #[serde(default, deserialize_with = "maybe")]
    #[schema(value_type = Option<String>, max_length = 254)]
    ad_manager: Option<Option<String>>,
}

impl ProductChangeArgs {
    fn check(self) -> HttpResult<ProductChange> {
        let ad_manager = match self.ad_manager {
            None => None,
            Some(None) => Some(None),
            Some(Some(text)) => Some(Some(check_email("adManager", &text)?)),
        };
        Ok(ProductChange {
            name: self.name,
            price: self.price,
            purchase_limit: self.purchase_limit.map(check_limit).transpose()?,
            when_sold_out: self
                .when_sold_out
                .map(|text| check_when(&text))
                .transpose()?,
            opens_at: self
                .opens_at
                .map(|text| check_time(text.as_deref()))
                .transpose()?,
            reorder: match self.reorder {
                None => None,
                Some(None) => Some(None),
                Some(Some(reorder)) => Some(Some(reorder.check()?)),
            },
            ad_manager,
        })
    }
}

/// Reads the sku of a path. One that cannot be a sku names no product.
pub fn sku_of(text: &str) -> HttpResult<Sku> {
    Sku::new(text)
        .map_err(|_| HttpError::at(Code::ProductNotFound, "sku", "no product has this sku"))
}

/// A product with its open replenishment.
pub fn view(reader: &dyn Reader, product: &Product) -> Result<ProductView, StoreError> {
    let open = match product.open_replenishment {
        Some(seq) => reader.replenishment(seq)?,
        None => None,
    };
    Ok(ProductView::new(product, open.as_ref()))
}

async fn answer(app: &App, product: Product) -> HttpResult<ProductView> {
    Ok(app
        .engine
        .read(move |reader| view(reader, &product))
        .await?)
}

/// Offer something.
#[utoipa::path(
    post, path = "/products", tag = "products", request_body = NewProductArgs,
    responses(
        (status = 201, description = "The product is on sale", body = ProductView,
         headers(("Location" = String))),
        (status = 409, description = "The sku is taken", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn create_product(
    State(app): State<App>,
    JsonBody(args): JsonBody<NewProductArgs>,
) -> HttpResult<Response> {
    let new = args.check()?;
    let location = format!("/products/{}", new.sku);
    let reply = app
        .engine
        .decide(Command::CreateProduct(Box::new(new)))
        .await??;
    let Reply::Product(product) = reply else {
        unreachable!("creating answers with the product");
    };
    let view = answer(&app, *product).await?;
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(view),
    )
        .into_response())
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ProductPage {
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next` of the page before.
    after: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ProductList {
    products: Vec<ProductView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What is on offer, by sku.
#[utoipa::path(
    get, path = "/products", tag = "products", params(ProductPage),
    responses(
        (status = 200, description = "A page", body = ProductList),
    )
)]
async fn list_products(
    State(app): State<App>,
    QueryArgs(page): QueryArgs<ProductPage>,
) -> HttpResult<Json<ProductList>> {
    let limit = limit(page.limit)?;
    let after = page
        .after
        .map(|text| {
            Sku::new(&text).map_err(|_| {
                HttpError::at(
                    Code::InvalidParameter,
                    "after",
                    "must be the `next` of a page",
                )
            })
        })
        .transpose()?;
    let list = app
        .engine
        .read(move |reader| {
            let mut products = reader.products(after.as_ref(), limit + 1)?;
            let more = products.len() > limit;
            products.truncate(limit);
            let next = products
                .last()
                .filter(|_| more)
                .map(|product| product.sku.to_string());
            let products = products
                .iter()
                .map(|product| view(reader, product))
                .collect::<Result<_, _>>()?;
            Ok(ProductList { products, next })
        })
        .await?;
    Ok(Json(list))
}

pub async fn find(app: &App, sku: &Sku) -> HttpResult<Product> {
    let wanted = sku.clone();
    let product = app
        .engine
        .read(move |reader| reader.product(&wanted))
        .await?;
    product.ok_or_else(|| {
        HttpError::at(
            Code::ProductNotFound,
            "sku",
            format!("no product has the sku {sku}"),
        )
    })
}

/// One product and the state of its line.
#[utoipa::path(
    get, path = "/products/{sku}", tag = "products", params(("sku" = String, Path)),
    responses(
        (status = 200, description = "The product", body = ProductView),
        (status = 404, description = "No such product", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn get_product(
    State(app): State<App>,
    PathArgs(sku): PathArgs<String>,
) -> HttpResult<Json<ProductView>> {
    let product = find(&app, &sku_of(&sku)?).await?;
    Ok(Json(answer(&app, product).await?))
}

/// Change what may change; `null` removes an optional part.
#[utoipa::path(
    patch, path = "/products/{sku}", tag = "products", params(("sku" = String, Path)),
    request_body = ProductChangeArgs,
    responses(
        (status = 200, description = "The product", body = ProductView),
        (status = 404, description = "No such product", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn change_product(
    State(app): State<App>,
    PathArgs(sku): PathArgs<String>,
    JsonBody(args): JsonBody<ProductChangeArgs>,
) -> HttpResult<Json<ProductView>> {
    let sku = sku_of(&sku)?;
    let change = Box::new(args.check()?);
    let reply = app
        .engine
        .decide(Command::ChangeProduct { sku, change })
        .await??;
    let Reply::Product(product) = reply else {
        unreachable!("changing answers with the product");
    };
    Ok(Json(answer(&app, *product).await?))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ReceiptArgs {
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    quantity: u64,
    /// The delivery's own name; the same one is counted once.
    #[schema(value_type = String, min_length = 1, max_length = 128, example = "delivery-2026-11-20")]
    reference: Reference,
}

pub fn check_units(field: &str, units: u64) -> HttpResult<u64> {
    if (1..=STOCK_MAX).contains(&units) {
        Ok(units)
    } else {
        Err(HttpError::at(
            Code::InvalidField,
            field,
            format!("must be 1 to {STOCK_MAX}"),
        ))
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReceiptView {
    sku: String,
    quantity: u64,
    reference: String,
    on_hand: u64,
    available: u64,
    /// Waiting orders that this receipt served at once.
    granted: u64,
    /// The reference was counted before; nothing was counted now.
    repeated: bool,
}

/// Goods arrived. Orders that wait are granted in place order.
#[utoipa::path(
    post, path = "/products/{sku}/receipts", tag = "products", params(("sku" = String, Path)),
    request_body = ReceiptArgs,
    responses(
        (status = 200, description = "Counted before", body = ReceiptView),
        (status = 201, description = "Counted", body = ReceiptView),
        (status = 404, description = "No such product", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "The reference was used for another quantity", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn receive_goods(
    State(app): State<App>,
    PathArgs(sku): PathArgs<String>,
    JsonBody(args): JsonBody<ReceiptArgs>,
) -> HttpResult<Response> {
    let sku = sku_of(&sku)?;
    let quantity = check_units("quantity", args.quantity)?;
    let command = Command::ReceiveGoods {
        sku,
        quantity,
        reference: args.reference.clone(),
    };
    let Reply::Receipt(receipt) = app.engine.decide(command).await?? else {
        unreachable!("receiving answers with the receipt");
    };
    let status = if receipt.repeated {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let view = ReceiptView {
        sku: receipt.product.sku.to_string(),
        quantity,
        reference: args.reference.to_string(),
        on_hand: receipt.product.stock.on_hand,
        available: receipt.product.stock.available(),
        granted: receipt.granted,
        repeated: receipt.repeated,
    };
    Ok((status, Json(view)).into_response())
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct MovementPage {
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next` of the page before.
    before: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LevelsView {
    on_hand: u64,
    reserved: u64,
    allocated: u64,
    available: u64,
}

/// A change of the stock, with its cause.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MovementView {
    seq: u64,
    at: String,
    /// The event that made it.
    #[schema(example = "order.accepted")]
    cause: &'static str,
    reference: String,
    /// Changes.
    on_hand: i64,
    reserved: i64,
    allocated: i64,
    after: LevelsView,
}

#[derive(Debug, Serialize, ToSchema)]
struct MovementList {
    movements: Vec<MovementView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// Entries looked at for one page: most entries move stock, but a long sold-out stretch does
/// not, and a page must not walk all of it.
const MOVEMENT_SCAN_MAX: usize = 5_000;

/// What an entry changed; none when it moved nothing.
fn movement(entry: &Entry) -> Option<MovementView> {
    let data = entry.data();
    let after = data.stock?;
    let units = i64::try_from(data.quantity.unwrap_or(0)).ok()?;
    let place = || format!("place {}", data.place.unwrap_or(0));
    let (on_hand, allocated, reference) = match entry.kind {
        Kind::ProductCreated if units > 0 => (units, 0, "first stock".to_owned()),
        Kind::StockReceived => (units, 0, data.reference.as_deref()?.to_owned()),
        Kind::OrderAccepted => (0, units, place()),
        Kind::OrderCancelled if data.was.as_deref() == Some("accepted") => (0, -units, place()),
        Kind::ProductCreated
        | Kind::ProductUpdated
        | Kind::OrderPlaced
        | Kind::OrderSoldOut
        | Kind::OrderCancelled
        | Kind::ReplenishmentRequested
        | Kind::ReplenishmentStarted
        | Kind::ReplenishmentReceived
        | Kind::ReplenishmentFailed
        | Kind::MessageDeadLettered
        | Kind::AuctionCreated
        | Kind::AuctionOpened
        | Kind::AuctionClosingSoon
        | Kind::AuctionClosed
        | Kind::AuctionCancelled
        | Kind::AuctionSettled
        | Kind::AuctionForfeited
        | Kind::AuctionOffered
        | Kind::AuctionOfferAnswered
        | Kind::BidPlaced
        | Kind::BidAccepted
        | Kind::BidRefused
        | Kind::BidRetracted
        | Kind::ParcelCreated
        | Kind::ParcelMoved => return None,
    };
    Some(MovementView {
        seq: entry.seq,
        at: rfc3339(entry.at),
        cause: entry.kind.as_str(),
        reference,
        on_hand,
        reserved: 0,
        allocated,
        after: LevelsView {
            on_hand: after.on_hand,
            reserved: after.reserved,
            allocated: after.allocated,
            available: after.available(),
        },
    })
}

/// Every change of the stock, newest first.
#[utoipa::path(
    get, path = "/products/{sku}/movements", tag = "products",
    params(("sku" = String, Path), MovementPage),
    responses(
        (status = 200, description = "A page", body = MovementList),
        (status = 404, description = "No such product", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn list_movements(
    State(app): State<App>,
    PathArgs(sku): PathArgs<String>,
    QueryArgs(page): QueryArgs<MovementPage>,
) -> HttpResult<Json<MovementList>> {
    let limit = limit(page.limit)?;
    let before = cursor("before", page.before)?;
    let product = find(&app, &sku_of(&sku)?).await?;
    let list = app
        .engine
        .read(move |reader| movements(reader, &product, before, limit))
        .await?;
    Ok(Json(list))
}

fn movements(
    reader: &dyn Reader,
    product: &Product,
    before: Option<u64>,
    limit: usize,
) -> Result<MovementList, StoreError> {
    // `next` is the sequence of an entry of this line; anything else shows nothing.
    let newest = match before {
        None => product.last_seq,
        Some(before) => match reader.entry(before)? {
            Some(entry) if entry.line.product() == Some(product.id) => entry.prev,
            Some(_) | None => 0,
        },
    };
    let mut found = Vec::new();
    let mut seen = 0;
    let mut last = None;
    line_entries(reader, newest, MOVEMENT_SCAN_MAX, |entry| {
        if found.len() == limit {
            return true;
        }
        seen += 1;
        last = Some((entry.seq, entry.prev));
        found.extend(movement(entry));
        false
    })?;
    let more = found.len() == limit || seen == MOVEMENT_SCAN_MAX;
    let next = last
        .filter(|(_, prev)| more && *prev > 0)
        .map(|(seq, _)| seq);
    Ok(MovementList {
        movements: found,
        next,
    })
}
