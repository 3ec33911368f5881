//! Auctions are listed, read and cancelled.

use axum::Json;
use axum::extract::State;
use commerce::AuctionId;
use commerce::auction::{AuctionRefusal, AuctionStatus};
use engine::auction::StoredAuction;
use engine::{Command, EngineError, Refusal, Reply};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::Code;

use super::refusals::no_auction;
use super::views::AuctionView;
use crate::http::args::{PathArgs, QueryArgs, cursor, limit};
use crate::http::error::{HttpError, HttpResult};
use crate::http::views::ProblemView;
use crate::state::App;

pub(super) fn public() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_auctions))
        .routes(routes!(get_auction))
}

pub(super) fn operator() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(cancel_auction))
}

/// The id in a path. One that cannot be an id names no auction.
pub fn auction_id(text: &str) -> HttpResult<AuctionId> {
    AuctionId::parse(text).map_err(|_| no_auction())
}

/// An auction by its id; none when any part of it is wrong.
pub async fn find(app: &App, id: AuctionId) -> Result<Option<StoredAuction>, EngineError> {
    let found = app
        .engine
        .read(move |reader| reader.auction(id.seq))
        .await?;
    Ok(found.filter(|stored| stored.id() == id))
}

pub async fn find_or_refuse(app: &App, id: &str) -> HttpResult<StoredAuction> {
    find(app, auction_id(id)?).await?.ok_or_else(no_auction)
}

pub(super) fn view(app: &App, stored: &StoredAuction) -> AuctionView {
    AuctionView::new(stored, app.engine.log_time())
}

/// Has something decided that answers with the auction.
pub(super) async fn decide(app: &App, command: Command) -> HttpResult<AuctionView> {
    match app.engine.decide(command).await?? {
        Reply::Auction(stored) => Ok(view(app, &stored)),
        _ => unreachable!("what is asked of an auction answers with it"),
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AuctionPage {
    /// `scheduled`, `open`, `closed`, `settled`, `unsold` or `cancelled`.
    status: Option<String>,
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next` of the page before.
    after: Option<u64>,
}

const STATUSES: [AuctionStatus; 6] = [
    AuctionStatus::Scheduled,
    AuctionStatus::Open,
    AuctionStatus::Closed,
    AuctionStatus::Settled,
    AuctionStatus::Unsold,
    AuctionStatus::Cancelled,
];

fn check_status(text: &str) -> HttpResult<AuctionStatus> {
    let found = STATUSES.into_iter().find(|status| status.as_str() == text);
    found.ok_or_else(|| {
        HttpError::at(
            Code::InvalidParameter,
            "status",
            "must be scheduled, open, closed, settled, unsold or cancelled",
        )
    })
}

#[derive(Debug, Serialize, ToSchema)]
struct AuctionList {
    auctions: Vec<AuctionView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// Auctions, newest first.
#[utoipa::path(
    get, path = "/auctions", tag = "auctions", params(AuctionPage),
    responses((status = 200, description = "A page", body = AuctionList))
)]
async fn list_auctions(
    State(app): State<App>,
    QueryArgs(page): QueryArgs<AuctionPage>,
) -> HttpResult<Json<AuctionList>> {
    let limit = limit(page.limit)?;
    let status = page.status.as_deref().map(check_status).transpose()?;
    let before = cursor("after", page.after)?;
    let mut found = app
        .engine
        .read(move |reader| reader.auctions(status, before, limit + 1))
        .await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| last.auction.seq);
    let auctions = found.iter().map(|stored| view(&app, stored)).collect();
    Ok(Json(AuctionList { auctions, next }))
}

/// One auction as it stands.
#[utoipa::path(
    get, path = "/auctions/{id}", tag = "auctions", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The auction", body = AuctionView),
        (status = 404, description = "No such auction", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn get_auction(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
) -> HttpResult<Json<AuctionView>> {
    let stored = find_or_refuse(&app, &id).await?;
    Ok(Json(view(&app, &stored)))
}

/// Take the lot back before the end: no bid counts.
#[utoipa::path(
    delete, path = "/auctions/{id}", tag = "auctions", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The auction, cancelled now or before", body = AuctionView),
        (status = 404, description = "No such auction", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "It is over", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn cancel_auction(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
) -> HttpResult<Json<AuctionView>> {
    let auction = auction_id(&id)?;
    let command = Command::CancelAuction { auction };
    match app.engine.decide(command).await? {
        Ok(Reply::Auction(stored)) => Ok(Json(view(&app, &stored))),
        Ok(_) => unreachable!("cancelling answers with the auction"),
        Err(Refusal::Auction(AuctionRefusal::Cancelled)) => {
            Ok(Json(view(&app, &find_or_refuse(&app, &id).await?)))
        }
        Err(refusal) => Err(refusal.into()),
    }
}
