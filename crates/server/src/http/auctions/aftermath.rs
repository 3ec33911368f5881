//! After the close: who paid, who will not, who is asked next.

use axum::Json;
use axum::extract::State;
use commerce::auction::DURATION_MAX_MS;
use engine::{Aftermath, Command};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::Code;

use super::args::{BidderName, moment};
use super::find::{auction_id, decide, find_or_refuse};
use super::views::{AuctionView, ResultView};
use crate::http::args::{JsonBody, PathArgs};
use crate::http::error::{HttpError, HttpResult};
use crate::http::views::ProblemView;
use crate::state::App;

pub(super) fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(result))
        .routes(routes!(settle))
        .routes(routes!(forfeit))
        .routes(routes!(second_chance))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WinnerArgs {
    #[schema(value_type = String, min_length = 1, max_length = 254, example = "ada@example.com")]
    bidder_id: BidderName,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SecondChanceArgs {
    /// Until when the bidder may answer: in the future, at most 400 days from now.
    #[schema(format = "date-time")]
    until: String,
}

async fn after_close(app: &App, id: &str, what: Aftermath) -> HttpResult<Json<AuctionView>> {
    let auction = auction_id(id)?;
    Ok(Json(
        decide(app, Command::AfterClose { auction, what }).await?,
    ))
}

/// Who has won, by their real names.
#[utoipa::path(
    get, path = "/auctions/{id}/result", tag = "auctions", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The winners; none before the close", body = ResultView),
        (status = 404, description = "No such auction", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn result(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
) -> HttpResult<Json<ResultView>> {
    let stored = find_or_refuse(&app, &id).await?;
    Ok(Json(ResultView::new(&stored, app.engine.log_time())))
}

/// A winner has paid.
#[utoipa::path(
    post, path = "/auctions/{id}/settle", tag = "auctions", params(("id" = String, Path)),
    request_body = WinnerArgs,
    responses(
        (status = 200, description = "The auction: settled once all who won have paid", body = AuctionView),
        (status = 404, description = "No such auction", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "Not closed, or not an unpaid winner", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn settle(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
    JsonBody(args): JsonBody<WinnerArgs>,
) -> HttpResult<Json<AuctionView>> {
    let bidder = args.bidder_id.0;
    after_close(&app, &id, Aftermath::Settle { bidder }).await
}

/// A winner will not pay: the lot is free again.
#[utoipa::path(
    post, path = "/auctions/{id}/forfeit", tag = "auctions", params(("id" = String, Path)),
    request_body = WinnerArgs,
    responses(
        (status = 200, description = "The auction", body = AuctionView),
        (status = 404, description = "No such auction", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "Not closed, or not an unpaid winner", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn forfeit(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
    JsonBody(args): JsonBody<WinnerArgs>,
) -> HttpResult<Json<AuctionView>> {
    let bidder = args.bidder_id.0;
    after_close(&app, &id, Aftermath::Forfeit { bidder }).await
}

/// Offer a free lot to the next bidder, for what that bidder was ready to pay.
#[utoipa::path(
    post, path = "/auctions/{id}/second-chance", tag = "auctions", params(("id" = String, Path)),
    request_body = SecondChanceArgs,
    responses(
        (status = 200, description = "The auction, with the offer among its winners", body = AuctionView),
        (status = 404, description = "No such auction", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "Not closed, an offer is running, no lot is free, or nobody is left to be asked", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn second_chance(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
    JsonBody(args): JsonBody<SecondChanceArgs>,
) -> HttpResult<Json<AuctionView>> {
    let until = moment("until", &args.until)?;
    // Nobody can take an offer back, and nobody else is asked while it runs.
    if until > app.engine.now().saturating_add(DURATION_MAX_MS) {
        return Err(HttpError::at(
            Code::InvalidField,
            "until",
            "must be within 400 days",
        ));
    }
    after_close(&app, &id, Aftermath::SecondChance { until }).await
}
