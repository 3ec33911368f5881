//! The streams of server-sent events.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::args::{PathArgs, QueryArgs};
use crate::http::auctions::{find_bid_or_refuse, find_or_refuse as find_auction};
use crate::http::error::HttpResult;
use crate::http::orders::find_or_refuse;
use crate::http::products::{find as find_product, sku_of};
use crate::http::views::ProblemView;
use crate::realtime::{Watch, sse};
use crate::state::App;

pub fn public() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(product_events))
        .routes(routes!(order_events))
        .routes(routes!(auction_events))
        .routes(routes!(bid_events))
}

pub fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(events))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Since {
    /// Resume after this sequence; `Last-Event-ID` does the same.
    since: Option<u64>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ProductStream {
    /// Resume after this sequence; `Last-Event-ID` does the same.
    since: Option<u64>,
    /// Only the newest event of each type, at most four times a second: for pages that show what is
    /// left.
    #[serde(default)]
    latest: bool,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AuctionStream {
    /// Resume after this sequence; `Last-Event-ID` does the same.
    since: Option<u64>,
    /// Only how it stands, with its newest bids, at once and at most four times a second: for pages
    /// that show it.
    #[serde(default)]
    latest: bool,
}

/// Everything that happens, as server-sent events.
#[utoipa::path(
    get, path = "/events", tag = "live",
    params(Since, ("Last-Event-ID" = Option<u64>, Header, description = "the id of the last event seen")),
    responses((status = 200, description = "A stream", body = String, content_type = "text/event-stream"))
)]
async fn events(
    State(app): State<App>,
    headers: HeaderMap,
    QueryArgs(query): QueryArgs<Since>,
) -> HttpResult<Response> {
    let since = sse::since(&headers, query.since)?;
    sse::respond(&app, Watch::everything(&app, since).await)
}

/// What happens to one product's stock and line.
#[utoipa::path(
    get, path = "/products/{sku}/events", tag = "live",
    params(("sku" = String, Path), ProductStream, ("Last-Event-ID" = Option<u64>, Header, description = "the id of the last event seen")),
    responses(
        (status = 200, description = "A stream", body = String, content_type = "text/event-stream"),
        (status = 404, description = "No such product", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn product_events(
    State(app): State<App>,
    PathArgs(sku): PathArgs<String>,
    headers: HeaderMap,
    QueryArgs(query): QueryArgs<ProductStream>,
) -> HttpResult<Response> {
    let since = sse::since(&headers, query.since)?;
    let sku = sku_of(&sku)?;
    let product = find_product(&app, &sku).await?;
    let watch = match query.latest {
        true => Watch::latest(&app, product.id, &sku, since).await,
        false => Watch::product(&app, product.id, &sku, since).await,
    };
    sse::respond(&app, watch)
}

/// One order: as it stands, then every change. Only with its unguessable id.
#[utoipa::path(
    get, path = "/orders/{id}/events", tag = "live",
    params(("id" = String, Path), Since, ("Last-Event-ID" = Option<u64>, Header, description = "taken and not needed: the stream begins with the order as it stands")),
    responses(
        (status = 200, description = "A stream", body = String, content_type = "text/event-stream"),
        (status = 404, description = "No such order", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn order_events(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
    headers: HeaderMap,
    QueryArgs(query): QueryArgs<Since>,
) -> HttpResult<Response> {
    sse::since(&headers, query.since)?;
    let order = find_or_refuse(&app, &id).await?;
    sse::respond(&app, Watch::order(&app, order).await)
}

/// What happens in one auction: bids under masked names, the end.
#[utoipa::path(
    get, path = "/auctions/{id}/events", tag = "live",
    params(("id" = String, Path), AuctionStream, ("Last-Event-ID" = Option<u64>, Header, description = "the id of the last event seen")),
    responses(
        (status = 200, description = "A stream", body = String, content_type = "text/event-stream"),
        (status = 404, description = "No such auction", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn auction_events(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
    headers: HeaderMap,
    QueryArgs(query): QueryArgs<AuctionStream>,
) -> HttpResult<Response> {
    let since = sse::since(&headers, query.since)?;
    let auction = find_auction(&app, &id).await?;
    let watch = match query.latest {
        true => Watch::auction_as_it_stands(&app, auction.id(), since).await,
        false => Watch::auction(&app, auction.id(), since).await,
    };
    sse::respond(&app, watch)
}

/// One bid: as it stands, then its verdict, its retraction, and whenever its bidder is outbid or
/// leads again. Only with its unguessable id.
#[utoipa::path(
    get, path = "/bids/by-id/{id}/events", tag = "live",
    params(("id" = String, Path), Since, ("Last-Event-ID" = Option<u64>, Header, description = "the id of the last event seen; the stream then begins with what was missed, not with the bid")),
    responses(
        (status = 200, description = "A stream", body = String, content_type = "text/event-stream"),
        (status = 404, description = "No such bid", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn bid_events(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
    headers: HeaderMap,
    QueryArgs(query): QueryArgs<Since>,
) -> HttpResult<Response> {
    let since = sse::since(&headers, query.since)?;
    let (bid, _) = find_bid_or_refuse(&app, &id).await?;
    sse::respond(&app, Watch::bid(&app, &bid, since).await)
}
