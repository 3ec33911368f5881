//! A bid: as its bidder reads it, and as everybody does.

use std::sync::Arc;

use commerce::{Millis, Money};
use engine::auction::{BidRecord, BidStanding, BidStatus, StoredAuction};
use engine::json::Object;
use serde::Serialize;
use utoipa::ToSchema;

use super::views::highest_bid;
use crate::adapters::Time;

/// What a bid's JSON usually takes.
const BID_JSON_BYTES: usize = 512;

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

    /// What `serde_json` writes: put together here, as an order's answer is.
    pub fn to_json(&self) -> String {
        self.object().finish()
    }

    fn object(&self) -> Object {
        let Self {
            id,
            auction_id,
            bidder_id,
            bidder_name,
            bid_amount,
            maximum,
            timestamp,
            status,
            reason,
            no,
            current_highest_bid,
            end_time,
            decided_at,
            retracted_at,
        } = self;
        let mut json = Object::with_capacity(BID_JSON_BYTES);
        json.plain("id", id);
        json.plain("auctionId", auction_id);
        json.text("bidderId", bidder_id);
        json.text("bidderName", bidder_name);
        json.number("bidAmount", *bid_amount);
        json.number_if("maximum", *maximum);
        timestamp.with_text(|text| json.plain("timestamp", text));
        json.plain("status", status);
        json.text_if("reason", reason.as_deref());
        json.number_if("no", *no);
        match current_highest_bid {
            Some(amount) => json.number("currentHighestBid", *amount),
            None => json.null("currentHighestBid"),
        }
        let moments = [
            ("endTime", end_time),
            ("decidedAt", decided_at),
            ("retractedAt", retracted_at),
        ];
        for (name, at) in moments {
            if let Some(at) = at {
                at.with_text(|text| json.plain(name, text));
            }
        }
        json
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

impl PendingBidView {
    /// What `serde_json` writes.
    pub fn to_json(&self) -> String {
        let mut json = self.bid.object();
        json.text("message", self.message);
        json.finish()
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bid() -> impl Strategy<Value = BidView> {
        let moment = || (0..4_000_000_000_000_i64).prop_map(Time);
        let moments = (
            moment(),
            prop::option::of(moment()),
            prop::option::of(moment()),
            prop::option::of(moment()),
        );
        let texts = (
            "[0-9a-z]{26}",
            any::<[String; 2]>(),
            any::<Option<String>>(),
        );
        let numbers = any::<(i64, Option<i64>, Option<u64>, Option<i64>)>();
        (texts, numbers, moments).prop_map(|(texts, numbers, moments)| {
            let [bidder_id, bidder_name] = texts.1.map(Arc::from);
            BidView {
                id: format!("bid_{}", texts.0),
                auction_id: format!("auc_{}", texts.0),
                bidder_id,
                bidder_name,
                bid_amount: numbers.0,
                maximum: numbers.1,
                timestamp: moments.0,
                status: "leading",
                reason: texts.2.map(Arc::from),
                no: numbers.2,
                current_highest_bid: numbers.3,
                end_time: moments.1,
                decided_at: moments.2,
                retracted_at: moments.3,
            }
        })
    }

    proptest! {
        #[test]
        fn a_bid_is_written_as_serde_json_writes_it(bid in bid()) {
            prop_assert_eq!(bid.to_json(), serde_json::to_string(&bid).unwrap());
            let pending = PendingBidView { bid, message: "입찰이 접수되었습니다." };
            prop_assert_eq!(pending.to_json(), serde_json::to_string(&pending).unwrap());
        }
    }
}
