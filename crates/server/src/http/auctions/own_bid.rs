//! One bid, by the id that only its bidder knows: read, taken back, an offer answered.

use axum::Json;
use axum::extract::State;
use commerce::BidId;
use commerce::auction::AuctionRefusal;
use engine::auction::{BidRecord, BidStatus, StoredAuction};
use engine::{Aftermath, Command, EngineError, Refusal, Reply};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::bid_views::BidView;
use super::refusals::{no_bid, retraction_too_late};
use crate::http::args::{JsonBody, PathArgs};
use crate::http::error::HttpResult;
use crate::http::views::ProblemView;
use crate::state::App;

pub(super) fn public() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get_bid, retract_bid))
        .routes(routes!(answer_offer))
}

/// A bid and its auction, which may be a little older than the bid and never younger: what follows
/// from there tells at most what is known. It knows the bid's verdict: the bid was the same before
/// the auction was read and after it. None when any part of the id is wrong.
pub async fn find(app: &App, id: BidId) -> Result<Option<(BidRecord, StoredAuction)>, EngineError> {
    app.engine
        .read(move |reader| {
            let Some(mut bid) = reader.bid(id.seq)?.filter(|bid| is_same(bid.id, id)) else {
                return Ok(None);
            };
            loop {
                let Some(stored) = reader.auction(bid.auction.seq)? else {
                    return Ok(None);
                };
                // A bid changes a few times in its life.
                let Some(after) = reader.bid(id.seq)? else {
                    return Ok(None);
                };
                if after == bid {
                    return Ok(Some((bid, stored)));
                }
                bid = after;
            }
        })
        .await
}

/// Takes the same time for every wrong one.
fn is_same(known: BidId, shown: BidId) -> bool {
    bool::from(subtle::ConstantTimeEq::ct_eq(
        &known.secret.0[..],
        &shown.secret.0[..],
    ))
}

pub async fn find_or_refuse(app: &App, id: &str) -> HttpResult<(BidRecord, StoredAuction)> {
    let id = BidId::parse(id).map_err(|_| no_bid())?;
    find(app, id).await?.ok_or_else(no_bid)
}

fn view(app: &App, bid: &BidRecord, stored: &StoredAuction) -> Json<BidView> {
    Json(BidView::now(bid, stored, app.engine.log_time()))
}

/// One bid as it stands. Only with its unguessable id.
#[utoipa::path(
    get, path = "/bids/by-id/{id}", tag = "auctions", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The bid", body = BidView),
        (status = 404, description = "No such bid", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn get_bid(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
) -> HttpResult<Json<BidView>> {
    let (bid, stored) = find_or_refuse(&app, &id).await?;
    Ok(view(&app, &bid, &stored))
}

/// Take a bid back, where and while the auction's terms let.
#[utoipa::path(
    delete, path = "/bids/by-id/{id}", tag = "auctions", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The bid, taken back now or before", body = BidView),
        (status = 404, description = "No such bid", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "It stands: it is too late, or the terms let nobody take a bid back", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn retract_bid(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
) -> HttpResult<Json<BidView>> {
    let (bid, stored) = find_or_refuse(&app, &id).await?;
    if bid.retracted_at.is_some() {
        return Ok(view(&app, &bid, &stored));
    }
    may_retract(&app, &bid, &stored)?;
    let command = Command::RetractBid {
        auction: bid.auction,
        bid: bid.id,
    };
    match app.engine.decide(command).await? {
        // Somebody else with the same id was quicker.
        Ok(_) | Err(Refusal::Auction(AuctionRefusal::AlreadyRetracted)) => {}
        Err(Refusal::Auction(AuctionRefusal::RetractionTooLate { until })) => {
            return Err(retraction_too_late(until, Some(bid.admitted_at)));
        }
        Err(refusal) => return Err(refusal.into()),
    }
    get_bid(State(app), PathArgs(id)).await
}

/// Refuses what can be seen from here: a retraction has all bids read, while everybody waits.
fn may_retract(app: &App, bid: &BidRecord, stored: &StoredAuction) -> HttpResult<()> {
    let refuse = |refusal| Err(Refusal::Auction(refusal).into());
    let now = app.engine.log_time();
    // A bid that waits for its verdict may move the end.
    if stored.waiting > 0 {
        return Ok(());
    }
    if let Err(refusal) = stored.auction.check_replay(now) {
        return refuse(refusal);
    }
    match bid.status {
        // Its verdict comes before the retraction.
        BidStatus::Pending => return Ok(()),
        BidStatus::Refused => return refuse(AuctionRefusal::NoSuchBid),
        BidStatus::Accepted => {}
    }
    match stored.auction.retraction_until(bid.admitted_at) {
        Some(until) if now >= until => Err(retraction_too_late(until, Some(bid.admitted_at))),
        Some(_) | None => Ok(()),
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OfferArgs {
    accept: bool,
}

/// Take the lot that is offered after the close, or decline it.
#[utoipa::path(
    post, path = "/bids/by-id/{id}/offer", tag = "auctions", params(("id" = String, Path)),
    request_body = OfferArgs,
    responses(
        (status = 200, description = "The bid: winning, or lost", body = BidView),
        (status = 404, description = "No such bid", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "Nothing is offered to this bidder, or the offer has run out", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn answer_offer(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
    JsonBody(args): JsonBody<OfferArgs>,
) -> HttpResult<Json<BidView>> {
    let (bid, _) = find_or_refuse(&app, &id).await?;
    let command = Command::AfterClose {
        auction: bid.auction,
        what: Aftermath::Answer {
            bid: bid.id,
            accept: args.accept,
        },
    };
    match app.engine.decide(command).await?? {
        Reply::Auction(stored) => Ok(view(&app, &bid, &stored)),
        _ => unreachable!("an answer to an offer answers with the auction"),
    }
}
