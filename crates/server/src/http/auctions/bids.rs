//! Bids come in: decided at once, or admitted now and decided through the queue of bids.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use commerce::auction::Bidder;
use commerce::{AuctionId, Currency, Money, digest};
use engine::auction::{BidRecord, BidStatus};
use engine::{BodyHash, Command, EngineError, KeyHash, Offer, PlaceBid, Reply};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::Code;

use super::args::{AuctionRef, BidderName};
use super::bid_views::{BidView, PendingBidView};
use super::find::auction_id;
use super::refusals;
use crate::http::args::{AcceptsKorean, OrderRequest, PathArgs};
use crate::http::error::{HttpError, HttpResult};
use crate::http::verdict::wait_for_verdict;
use crate::http::views::{ProblemView, mark_replay, written};
use crate::realtime::Subject;
use crate::shortcut::{Straight, straight as straight_to};
use crate::state::App;

pub(super) fn public() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(place_bid))
        .routes(routes!(queue_bid))
        .routes(routes!(buy_now))
}

/// Those that are asked for most towards an end.
pub fn straight(path: &str) -> Option<Straight> {
    match path {
        "/bids" => Some(|request, app| straight_to(place_bid, request, app)),
        "/bid" => Some(|request, app| straight_to(queue_bid, request, app)),
        _ => None,
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BidArgs {
    #[schema(value_type = String, example = "auc_0000000r3k2m9q0x7d4c1v5b8n")]
    auction_id: AuctionRef,
    /// An e-mail address, in which case does not matter, or another name without white space.
    #[schema(value_type = String, min_length = 1, max_length = 254, example = "ada@example.com")]
    bidder_id: BidderName,
    /// Minor units of the auction's currency.
    #[schema(value_type = i64, minimum = 0, maximum = 1_000_000_000_000_000_i64)]
    bid_amount: Money,
    /// What is bid up to, a step at a time, when others bid.
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1_000_000_000_000_000_i64)]
    maximum: Option<Money>,
    /// The auction's, if it is given.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^[A-Z]{3}$", example = "KRW")]
    currency: Option<Currency>,
}

impl BidArgs {
    fn check(self, key: Option<KeyHash>, defer: bool) -> HttpResult<PlaceBid> {
        let auction = self.auction_id.0.ok_or_else(unknown_auction)?;
        let offer = Offer::Amount {
            amount: self.bid_amount,
            maximum: self.maximum,
            currency: self.currency,
        };
        Ok(PlaceBid {
            body: body_hash(auction, &self.bidder_id.0, &offer),
            auction,
            bidder: self.bidder_id.0,
            offer,
            key,
            defer,
            message: None,
        })
    }
}

fn unknown_auction() -> HttpError {
    refusals::no_auction().field("auctionId")
}

/// The fingerprint of what is asked for. A maximum that is left out is the amount.
fn body_hash(auction: AuctionId, bidder: &Bidder, offer: &Offer) -> BodyHash {
    let (seq, secret) = (auction.seq.to_le_bytes(), auction.secret.0);
    let bidder = bidder.as_str().as_bytes();
    let whole = match offer {
        Offer::Amount {
            amount,
            maximum,
            currency,
        } => {
            let maximum = maximum.unwrap_or(*amount).minor().to_le_bytes();
            let amount = amount.minor().to_le_bytes();
            let currency = currency.as_ref().map_or("", Currency::as_str).as_bytes();
            digest(&[&seq, &secret, &amount, &maximum, currency, &[0], bidder])
        }
        Offer::BuyNow => digest(&[&seq, &secret, b"buy-now", bidder]),
    };
    let mut hash = [0; 8];
    hash.copy_from_slice(&whole.as_bytes()[..8]);
    BodyHash(u64::from_le_bytes(hash))
}

/// A bid and whether it was made by an earlier request with the same key.
struct Placed {
    bid: Box<BidRecord>,
    replay: bool,
}

async fn decide(app: &App, bid: PlaceBid) -> HttpResult<Placed> {
    let command = Command::PlaceBid(Box::new(bid));
    match app.engine.decide(command).await?? {
        Reply::Bid { bid, replay } => Ok(Placed { bid, replay }),
        _ => unreachable!("bidding answers with the bid"),
    }
}

/// The same of a bid whose auction is named in the body.
async fn decide_body(app: &App, bid: PlaceBid) -> HttpResult<Placed> {
    let placed = decide(app, bid).await;
    placed.map_err(|error| match error.0.code {
        Code::AuctionNotFound => unknown_auction(),
        _ => error,
    })
}

/// Waits until the bid has a verdict, at most so long. Returns it as it then stands.
async fn wait_for_bid(
    app: &App,
    bid: Box<BidRecord>,
    wait: Duration,
) -> Result<Box<BidRecord>, EngineError> {
    let seq = bid.id.seq;
    wait_for_verdict(
        app,
        Subject::Bid(seq),
        bid,
        wait,
        move |reader| Ok(reader.bid(seq)?.map(Box::new)),
        |bid| bid.status == BidStatus::Pending,
    )
    .await
}

fn answer(placed: &Placed, korean: bool) -> Response {
    let bid = &*placed.bid;
    let mut response = match bid.status {
        BidStatus::Accepted if bid.retracted_at.is_some() => {
            written(StatusCode::OK, BidView::decided(bid).to_json())
        }
        BidStatus::Accepted => written(StatusCode::CREATED, BidView::decided(bid).to_json()),
        BidStatus::Pending => pending(bid, korean),
        BidStatus::Refused => refusals::of_bid(bid).into_response(),
    };
    mark_replay(&mut response, placed.replay);
    response
}

fn pending(bid: &BidRecord, korean: bool) -> Response {
    let location = format!("/bids/by-id/{}", bid.id);
    let message = if korean {
        "입찰이 접수되었습니다. 결과를 곧 알려 드립니다."
    } else {
        "Your bid is in. The verdict follows."
    };
    let view = PendingBidView {
        bid: BidView::decided(bid),
        message,
    };
    let mut response = written(StatusCode::ACCEPTED, view.to_json());
    let location = HeaderValue::try_from(location).expect("an id is ASCII");
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// Bid. Answered when the decision is durable.
///
/// The key, then the body, then the auction, then what the auction says: refusals come in that
/// order.
#[utoipa::path(
    post, path = "/bids", tag = "auctions", request_body = BidArgs,
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters; the same key with the same body gives the same answer for 24 hours"),
        ("Prefer" = Option<String>, Header, description = "respond-async, or wait=N with 0 to 60 seconds (RFC 7240)"),
    ),
    responses(
        (status = 200, description = "A repeat: the bid was taken and has been taken back since", body = BidView),
        (status = 201, description = "Taken", body = BidView),
        (status = 202, description = "Admitted: the verdict follows", body = PendingBidView, headers(("Location" = String))),
        (status = 404, description = "No such auction", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "Too low, the auction is not open, or the lot is the bidder's own", body = ProblemView, content_type = "application/problem+json"),
        (status = 429, description = "Too many live keys of one bidder", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn place_bid(
    State(app): State<App>,
    AcceptsKorean(korean): AcceptsKorean,
    request: OrderRequest<BidArgs>,
) -> HttpResult<Response> {
    let OrderRequest { body, key, prefer } = request;
    let mut placed = decide_body(&app, body.check(key, prefer.respond_async)?).await?;
    if let (BidStatus::Pending, Some(seconds)) = (placed.bid.status, prefer.wait_s) {
        let wait = Duration::from_secs(seconds);
        placed.bid = wait_for_bid(&app, placed.bid, wait).await?;
    }
    Ok(answer(&placed, korean))
}

/// Bid through the queue: admitted at once, decided in order, the verdict is pushed.
#[utoipa::path(
    post, path = "/bid", tag = "auctions", request_body = BidArgs,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters")),
    responses(
        (status = 202, description = "Admitted", body = PendingBidView, headers(("Location" = String))),
        (status = 404, description = "No such auction", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "The auction is not open, or the lot is the bidder's own", body = ProblemView, content_type = "application/problem+json"),
        (status = 429, description = "Too many live keys of one bidder", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn queue_bid(
    State(app): State<App>,
    AcceptsKorean(korean): AcceptsKorean,
    request: OrderRequest<BidArgs>,
) -> HttpResult<Response> {
    let placed = decide_body(&app, request.body.check(request.key, true)?).await?;
    let mut response = pending(&placed.bid, korean);
    mark_replay(&mut response, placed.replay);
    Ok(response)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BuyNowArgs {
    #[schema(value_type = String, min_length = 1, max_length = 254, example = "ada@example.com")]
    bidder_id: BidderName,
}

/// Take the lot at its buy-now price, which ends the auction.
#[utoipa::path(
    post, path = "/auctions/{id}/buy-now", tag = "auctions", request_body = BuyNowArgs,
    params(
        ("id" = String, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters"),
    ),
    responses(
        (status = 201, description = "Won", body = BidView),
        (status = 404, description = "No such auction", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "There is no buy-now price to be had, the auction is not open, or the lot is the bidder's own", body = ProblemView, content_type = "application/problem+json"),
        (status = 429, description = "Too many live keys of one bidder", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn buy_now(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
    AcceptsKorean(korean): AcceptsKorean,
    request: OrderRequest<BuyNowArgs>,
) -> HttpResult<Response> {
    let auction = auction_id(&id)?;
    let bidder = request.body.bidder_id.0;
    let offer = Offer::BuyNow;
    let bid = PlaceBid {
        body: body_hash(auction, &bidder, &offer),
        auction,
        bidder,
        offer,
        key: request.key,
        defer: false,
        message: None,
    };
    let placed = decide(&app, bid).await?;
    Ok(answer(&placed, korean))
}
