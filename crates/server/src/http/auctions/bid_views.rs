//! A bid: as its bidder reads it, and as everybody does.

use std::sync::Arc;

use commerce::{Millis, Money};
use engine::auction::{BidRecord, BidStanding, BidStatus, StoredAuction};
use serde::Serialize;
use utoipa::ToSchema;

use super::views::highest_bid;
use crate::adapters::Time;

/// A bid as its bidder reads it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BidView {
    /// Only the bidder knows it: it proves whose bid it is.
    #[schema(example = "bid_0000000r3k2m9q0x7d4c1v5b8n")]
    pub id: String,
    pub auction_id: String,
    #[schema(value_type = String)]
    pub bidder_id: Arc<str>,
    /// The name under which others see it in this auction.
    #[schema(value_type = String, example = "bidder-1f0a2b3c4d5e")]
    pub bidder_name: Arc<str>,
    /// Minor units of the auction's currency.
    pub bid_amount: i64,
    /// When it is above the amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<i64>,
    /// When it was admitted.
    #[schema(value_type = String, format = "date-time")]
    pub timestamp: Time,
    #[schema(example = "leading")]
    pub status: &'static str,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "too_low")]
    pub reason: Option<Arc<str>>,
    /// Its number among the bids of the auction that were taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no: Option<u64>,
    /// Null while it is hidden.
    pub current_highest_bid: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "date-time")]
    pub end_time: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "date-time")]
    pub decided_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "date-time")]
    pub retracted_at: Option<Time>,
}

impl BidView {
    /// As its verdict found it. Made of the bid alone: nothing is read for it.
    pub fn decided(bid: &BidRecord) -> Self {
        Self {
            id: bid.id.to_string(),
            auction_id: bid.auction.to_string(),
            bidder_id: Arc::clone(&bid.bidder),
            bidder_name: Arc::clone(&bid.masked),
            bid_amount: bid.amount.minor(),
            maximum: (bid.maximum > bid.amount).then_some(bid.maximum.minor()),
            timestamp: Time(bid.admitted_at),
            status: verdict(bid),
            reason: bid.reason.clone(),
            no: bid.no,
            current_highest_bid: bid.price.map(Money::minor),
            end_time: bid.ends_at.map(Time),
            decided_at: bid.decided_at.map(Time),
            retracted_at: bid.retracted_at.map(Time),
        }
    }

    /// As it stands now.
    pub fn now(bid: &BidRecord, stored: &StoredAuction, now: Millis) -> Self {
        Self {
            status: match stored.standing_of(bid) {
                BidStanding::Refused => refused(bid),
                standing => standing_text(standing),
            },
            current_highest_bid: highest_bid(&stored.auction, now).map(Money::minor),
            end_time: Some(Time(stored.auction.ends_at)),
            ..Self::decided(bid)
        }
    }
}

fn verdict(bid: &BidRecord) -> &'static str {
    match (bid.status, bid.leading) {
        (BidStatus::Pending, _) => "pending",
        (BidStatus::Refused, _) => refused(bid),
        (BidStatus::Accepted, _) if bid.retracted_at.is_some() => "retracted",
        // Nobody can bid after it.
        (BidStatus::Accepted, _) if bid.won => "winning",
        (BidStatus::Accepted, Some(true)) => "leading",
        (BidStatus::Accepted, Some(false)) => "outbid",
        (BidStatus::Accepted, None) => "accepted",
    }
}

fn refused(bid: &BidRecord) -> &'static str {
    match bid.reason.as_deref() {
        Some("too_low") => "too_low",
        Some("late" | "closed") => "late",
        Some(_) | None => "rejected",
    }
}

pub fn standing_text(standing: BidStanding) -> &'static str {
    match standing {
        BidStanding::Pending => "pending",
        BidStanding::Leading => "leading",
        BidStanding::Outbid => "outbid",
        BidStanding::Accepted => "accepted",
        BidStanding::Refused => "rejected",
        BidStanding::Retracted => "retracted",
        BidStanding::Winning => "winning",
        BidStanding::Lost => "lost",
    }
}

/// A bid that waits for its verdict.
#[derive(Debug, Serialize, ToSchema)]
pub struct PendingBidView {
    #[serde(flatten)]
    pub bid: BidView,
    #[schema(example = "Your bid is in. The verdict follows.")]
    pub message: &'static str,
}

/// A bid that was taken, as everybody reads it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedBidView {
    pub no: u64,
    #[schema(value_type = String)]
    pub auction_id: Arc<str>,
    /// The masked name.
    #[schema(example = "bidder-1f0a2b3c4d5e")]
    pub bidder_id: String,
    /// Null while it is sealed.
    pub bid_amount: Option<i64>,
    /// When it got its verdict.
    #[schema(value_type = String, format = "date-time")]
    pub timestamp: Time,
    #[schema(example = "outbid")]
    pub status: &'static str,
}

/// A page of bids, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct BidList {
    pub bids: Vec<ListedBidView>,
    /// What `before` is for the next page; null at the end.
    pub next: Option<u64>,
}
