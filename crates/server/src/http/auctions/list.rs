//! The bids of an auction, newest first.
//!
//! There is no index of bids by number: each knows the one before it, so a page is read
//! backwards. Where a page further back begins is looked for in the log, see `numbers`, so
//! that the last page costs hardly more than the first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use commerce::{LineId, Money};
use engine::auction::StoredAuction;
use engine::ports::{Reader, StoreError};
use engine::{Entry, Kind};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::Code;

use super::bid_views::{BidList, ListedBidView, standing_text};
use super::find::auction_id;
use super::numbers::{self, Numbered, PIECE};
use super::refusals::no_auction;
use super::shown::SHOWN_MAX;
use crate::adapters::Time;
use crate::http::args::{PathArgs, QueryArgs, cursor, limit_within};
use crate::http::error::{HttpError, HttpResult};
use crate::http::views::ProblemView;
use crate::state::App;

/// How many bids a page may have.
const BIDS_MAX: usize = 200;

pub(super) fn public() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_bids))
        .routes(routes!(list_bids_of))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct BidPage {
    /// Rows, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Only bids with a smaller number: the `next` of the page before.
    before: Option<u64>,
}

/// The bids that were taken, newest first.
#[utoipa::path(
    get, path = "/auctions/{id}/bids", tag = "auctions", params(("id" = String, Path), BidPage),
    responses(
        (status = 200, description = "A page", body = BidList),
        (status = 404, description = "No such auction", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn list_bids(
    State(app): State<App>,
    PathArgs(id): PathArgs<String>,
    QueryArgs(page): QueryArgs<BidPage>,
) -> HttpResult<Json<BidList>> {
    let limit = limit_within(page.limit, BIDS_MAX)?;
    let before = cursor("before", page.before)?;
    let id = auction_id(&id)?;
    let page = app
        .engine
        .read(move |reader| {
            let stored = reader.auction(id.seq)?.filter(|stored| stored.id() == id);
            let page = stored.map(|stored| read_page(reader, &stored, before, limit));
            page.transpose()
        })
        .await?;
    page.ok_or_else(no_auction)?.map(Json).ok_or_else(|| {
        HttpError::at(
            Code::InvalidParameter,
            "before",
            "lies too far back among the other entries of the log; the certificate has all bids",
        )
    })
}

/// The same under the path of the hand-made system.
#[utoipa::path(
    get, path = "/bids/{auctionId}", tag = "auctions", params(("auctionId" = String, Path), BidPage),
    responses(
        (status = 200, description = "A page", body = BidList),
        (status = 404, description = "No such auction", body = ProblemView, content_type = "application/problem+json"),
    )
)]
async fn list_bids_of(
    app: State<App>,
    id: PathArgs<String>,
    page: QueryArgs<BidPage>,
) -> HttpResult<Json<BidList>> {
    list_bids(app, id, page).await
}

fn bid_entry(reader: &dyn Reader, seq: u64) -> Result<Entry, StoreError> {
    let entry = reader.entry(seq)?;
    entry
        .filter(|entry| entry.kind == Kind::BidAccepted)
        .ok_or_else(|| StoreError::text(format!("entry {seq} is not a bid that was taken")))
}

/// None when the page's first bid was not found within what may be read for one page.
fn read_page(
    reader: &dyn Reader,
    stored: &StoredAuction,
    before: Option<u64>,
    limit: usize,
) -> Result<Option<BidList>, StoreError> {
    let newest = Numbered {
        seq: stored.last_bid,
        no: stored.auction.bids,
    };
    let wanted = before.map_or(newest.no, |before| before.saturating_sub(1).min(newest.no));
    let line = LineId::Auction(stored.auction.seq);
    let mut piece = |after: u64| {
        let entries = reader.entries(after, PIECE)?;
        let bids = entries
            .iter()
            .filter(|entry| entry.line == line && entry.kind == Kind::BidAccepted)
            .filter_map(numbered);
        let last = entries.last().map_or(u64::MAX, |entry| entry.seq);
        Ok((bids.collect(), last))
    };
    let mut before = |seq| Ok(bid_entry(reader, seq)?.auction_data().prev_bid.unwrap_or(0));
    let first = numbers::find(stored.auction.seq, newest, wanted, &mut piece, &mut before)?;
    let Some(first) = first else {
        return Ok(None);
    };
    let (bids, rest) = read_back(reader, stored, first, 1, limit)?;
    let next = bids.last().map(|bid| bid.no).filter(|_| rest > 0);
    Ok(Some(BidList { bids, next }))
}

/// Bids from `seq` back to `oldest`, both sequences of the log, and the bid before them, 0 for none.
fn read_back(
    reader: &dyn Reader,
    stored: &StoredAuction,
    mut seq: u64,
    oldest: u64,
    limit: usize,
) -> Result<(Vec<ListedBidView>, u64), StoreError> {
    let auction_id: Arc<str> = stored.id().to_string().into();
    let mut bids = Vec::with_capacity(limit.min(64));
    while seq >= oldest.max(1) && bids.len() < limit {
        let entry = bid_entry(reader, seq)?;
        bids.push(listed(reader, stored, &entry, &auction_id)?);
        seq = entry.auction_data().prev_bid.unwrap_or(0);
    }
    Ok((bids, seq))
}

/// The auction that was made by an entry of the log, and of its bids since another the newest.
pub fn read_shown(
    reader: &dyn Reader,
    seq: u64,
    from: u64,
) -> Result<(StoredAuction, Vec<ListedBidView>), StoreError> {
    let stored = reader.auction(seq)?;
    let stored = stored.ok_or_else(|| StoreError::text(format!("entry {seq} made no auction")))?;
    let (bids, _) = read_back(reader, &stored, stored.last_bid, from, SHOWN_MAX)?;
    Ok((stored, bids))
}

fn numbered(entry: &Entry) -> Option<Numbered> {
    let no = entry.auction_data().no?;
    Some(Numbered { seq: entry.seq, no })
}

fn listed(
    reader: &dyn Reader,
    stored: &StoredAuction,
    entry: &Entry,
    auction_id: &Arc<str>,
) -> Result<ListedBidView, StoreError> {
    let data = entry.auction_data();
    let no = data.no.unwrap_or(0);
    let change = reader.bid_change(entry.subject)?;
    let status = match change.and_then(|change| change.retracted_at) {
        Some(_) => "retracted",
        None => {
            let buyer = entry.buyer.as_ref();
            let bidder = buyer.map_or("", |buyer| &buyer.customer);
            standing_text(stored.standing(no, bidder))
        }
    };
    let opened = || {
        let over = stored.auction.status.was_closed();
        entry.sealed().filter(|_| over)?.amount
    };
    Ok(ListedBidView {
        no,
        auction_id: Arc::clone(auction_id),
        bidder_id: data.bidder.as_deref().unwrap_or_default().to_owned(),
        bid_amount: data.amount.or_else(opened).map(Money::minor),
        timestamp: Time(entry.at),
        status,
    })
}
