//! An auction as its page shows it: how it stands, and what became of its bids.

use commerce::Millis;
use engine::auction::StoredAuction;
use serde::Serialize;

use super::bid_views::ListedBidView;
use super::views::AuctionView;
use crate::adapters::Time;

/// So many bids come with it, the newest ones.
pub const SHOWN_MAX: usize = 20;

#[derive(Debug, Serialize)]
pub struct ShownAuctionView {
    #[serde(flatten)]
    auction: AuctionView,
    /// Newest first.
    bids: Vec<ShownBidView>,
    /// The numbers of bids that were taken back.
    retracted: Vec<u64>,
}

/// A bid of this auction, as everybody reads it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownBidView {
    no: u64,
    bidder_id: String,
    bid_amount: Option<i64>,
    timestamp: Time,
    status: &'static str,
}

impl From<ListedBidView> for ShownBidView {
    fn from(bid: ListedBidView) -> Self {
        let ListedBidView {
            no,
            auction_id: _,
            bidder_id,
            bid_amount,
            timestamp,
            status,
        } = bid;
        Self {
            no,
            bidder_id,
            bid_amount,
            timestamp,
            status,
        }
    }
}

impl ShownAuctionView {
    pub fn new(
        stored: &StoredAuction,
        now: Millis,
        bids: Vec<ListedBidView>,
        retracted: Vec<u64>,
    ) -> Self {
        Self {
            auction: AuctionView::new(stored, now),
            bids: bids.into_iter().map(ShownBidView::from).collect(),
            retracted,
        }
    }
}
