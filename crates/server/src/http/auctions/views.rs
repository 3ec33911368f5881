//! An auction as anybody reads it: masked names, and nothing that is hidden until the close.

use commerce::auction::{
    Auction, AuctionStatus, Award, AwardStatus, Bidder, Format, Increment, RetractionRule,
    SoftClose,
};
use commerce::{Currency, Millis, Money};
use engine::auction::StoredAuction;
use serde::Serialize;
use utoipa::ToSchema;

use crate::adapters::Time;

/// From this price on, a bid is higher by at least this step.
#[derive(Debug, Serialize, ToSchema)]
pub struct BandView {
    pub from: i64,
    pub step: i64,
}

/// One step for every price, or one for each band.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum IncrementView {
    Fixed(i64),
    Bands(Vec<BandView>),
}

impl IncrementView {
    fn new(increment: &Increment) -> Self {
        match increment {
            Increment::Fixed(step) => Self::Fixed(step.minor()),
            Increment::Bands(bands) => {
                let bands = bands.iter().map(|band| BandView {
                    from: band.from.minor(),
                    step: band.step.minor(),
                });
                Self::Bands(bands.collect())
            }
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SoftCloseView {
    pub window_ms: Millis,
    pub extend_ms: Millis,
    #[schema(value_type = String, format = "date-time")]
    pub hard_end: Time,
}

impl SoftCloseView {
    fn new(soft: SoftClose) -> Self {
        Self {
            window_ms: soft.window_ms,
            extend_ms: soft.extend_ms,
            hard_end: Time(soft.hard_end),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetractionView {
    pub within_ms: Millis,
    pub before_end_ms: Millis,
}

impl RetractionView {
    fn new(rule: RetractionRule) -> Self {
        Self {
            within_ms: rule.within_ms,
            before_end_ms: rule.before_end_ms,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DutchView {
    pub step: i64,
    pub every_ms: Millis,
    pub floor: i64,
}

impl DutchView {
    fn new(format: &Format) -> Option<Self> {
        match *format {
            Format::English | Format::SealedFirst | Format::SealedSecond => None,
            Format::Dutch {
                step,
                every_ms,
                floor,
            } => Some(Self {
                step: step.minor(),
                every_ms,
                floor: floor.minor(),
            }),
        }
    }
}

/// Nobody writes down that an offer has run out: whoever looks by then sees it.
fn award_status(status: AwardStatus, now: Millis) -> &'static str {
    match status {
        AwardStatus::Won => "won",
        AwardStatus::Settled => "settled",
        AwardStatus::Forfeited => "forfeited",
        AwardStatus::Offered { until } if until <= now => "expired",
        AwardStatus::Offered { .. } => "offered",
        AwardStatus::Declined => "declined",
    }
}

/// Until when an offer may be answered.
fn offered_until(status: AwardStatus) -> Option<Time> {
    match status {
        AwardStatus::Offered { until } => Some(Time(until)),
        AwardStatus::Won
        | AwardStatus::Settled
        | AwardStatus::Forfeited
        | AwardStatus::Declined => None,
    }
}

/// Who won a lot, gave it up, or has an offer.
#[derive(Debug, Serialize, ToSchema)]
pub struct WinnerView {
    /// The masked name.
    #[schema(example = "bidder-1f0a2b3c4d5e")]
    pub bidder: String,
    pub price: i64,
    #[schema(example = "won")]
    pub status: &'static str,
    /// Of an offer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "date-time")]
    pub until: Option<Time>,
}

/// An auction. Every field is always there; what there is not, or is hidden, is null.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuctionView {
    #[schema(example = "auc_0000000r3k2m9q0x7d4c1v5b8n")]
    pub id: String,
    pub product: String,
    #[schema(example = "open")]
    pub status: &'static str,
    #[schema(example = "english")]
    pub format: &'static str,
    #[schema(value_type = String, example = "KRW")]
    pub currency: Currency,
    pub lots: u32,
    /// Minor units of the currency, as are all prices.
    pub starting_price: i64,
    /// What the leaders would pay. Null while it is hidden.
    pub current_price: Option<i64>,
    /// The current price once a bid stands.
    pub current_highest_bid: Option<i64>,
    /// Null while it is hidden, and until the close when there are several lots: only the others'
    /// maxima say who of the leaders is ahead.
    pub highest_bidder: Option<String>,
    /// The masked names of those who lead: in the order of the names, after the close the best
    /// first.
    pub leaders: Vec<String>,
    /// Bids that stand.
    pub bid_count: u64,
    /// The least bid of somebody who does not lead. Null when there is none.
    pub least_valid_bid: Option<i64>,
    pub increment: IncrementView,
    /// Null without a reserve, and while it is hidden.
    pub reserve_met: Option<bool>,
    /// While it is to be had.
    pub buy_now_price: Option<i64>,
    #[schema(value_type = String, format = "date-time")]
    pub start_time: Time,
    /// The present end.
    #[schema(value_type = String, format = "date-time")]
    pub end_time: Time,
    /// The end without extensions.
    #[schema(value_type = String, format = "date-time")]
    pub announced_end_time: Time,
    pub extensions: u32,
    pub soft_close: Option<SoftCloseView>,
    pub retraction: Option<RetractionView>,
    pub dutch: Option<DutchView>,
    /// The masked name.
    pub seller: String,
    pub winners: Vec<WinnerView>,
    #[schema(value_type = Option<String>, format = "date-time")]
    pub closed_at: Option<Time>,
    /// Why nothing is sold.
    #[schema(example = "below_reserve")]
    pub unsold_reason: Option<&'static str>,
    /// 0 once it is over.
    pub time_left_ms: Millis,
    #[schema(value_type = String, format = "date-time")]
    pub server_time: Time,
    /// The newest event that this reflects: resume the live feed after it.
    pub last_event: u64,
}

impl AuctionView {
    pub fn new(stored: &StoredAuction, now: Millis) -> Self {
        let auction = &stored.auction;
        let terms = &auction.terms;
        let over = auction.status.is_over();
        let leaders = shown_leaders(stored);
        let least = auction.least_valid(None, now).filter(|_| !over);
        Self {
            id: stored.id().to_string(),
            product: auction.product.to_string(),
            status: auction.status.as_str(),
            format: terms.format.as_str(),
            currency: terms.currency,
            lots: terms.lots,
            starting_price: terms.starting_price.minor(),
            current_price: price(auction, now).map(Money::minor),
            current_highest_bid: highest_bid(auction, now).map(Money::minor),
            highest_bidder: leaders
                .first()
                .filter(|_| terms.lots == 1 || auction.status.was_closed())
                .cloned(),
            leaders,
            bid_count: auction.bids_standing,
            least_valid_bid: least.map(Money::minor),
            increment: IncrementView::new(&terms.increment),
            reserve_met: auction.shown_reserve().filter(|_| !is_void(auction)),
            buy_now_price: auction.open_buy_now().map(Money::minor),
            start_time: Time(terms.starts_at),
            end_time: Time(auction.ends_at),
            announced_end_time: Time(terms.ends_at),
            extensions: auction.extensions,
            soft_close: terms.soft_close.map(SoftCloseView::new),
            retraction: terms.retraction.map(RetractionView::new),
            dutch: DutchView::new(&terms.format),
            seller: stored.mask(&auction.seller),
            winners: winners(stored, now),
            closed_at: auction.closed_at.map(Time),
            unsold_reason: unsold_reason(auction),
            time_left_ms: if over {
                0
            } else {
                (auction.ends_at - now).max(0)
            },
            server_time: Time(now),
            last_event: stored.last_seq,
        }
    }
}

/// Whether no bid counts, whoever led.
fn is_void(auction: &Auction) -> bool {
    auction.status == AuctionStatus::Cancelled
}

fn price(auction: &Auction, now: Millis) -> Option<Money> {
    let shown = auction.shown_price(now);
    match auction.terms.format {
        // As before the first bid.
        Format::English if is_void(auction) => Some(auction.terms.starting_price),
        Format::English | Format::SealedFirst | Format::SealedSecond | Format::Dutch { .. } => {
            shown
        }
    }
}

/// The current price, once there is a bid that it comes from.
pub fn highest_bid(auction: &Auction, now: Millis) -> Option<Money> {
    let stands = !auction.contest.standing.is_empty() && !is_void(auction);
    auction.shown_price(now).filter(|_| stands)
}

/// Who leads, or led when it was closed. In a sealed format that is as secret as the amounts. The
/// rank of one among several is the order of the maxima: until the close they come in the order of
/// their names, which say nothing and never change.
fn shown_leaders(stored: &StoredAuction) -> Vec<String> {
    let auction = &stored.auction;
    let was_closed = auction.status.was_closed();
    let sealed = auction.terms.format.is_sealed() && !was_closed;
    if sealed || is_void(auction) {
        return Vec::new();
    }
    let leaders = auction.contest.leaders(&auction.terms).iter();
    let mut names: Vec<_> = leaders.map(|leader| stored.mask(&leader.bidder)).collect();
    if !was_closed {
        names.sort_unstable();
    }
    names
}

fn winners(stored: &StoredAuction, now: Millis) -> Vec<WinnerView> {
    let awards = stored.auction.awards.iter();
    awards
        .map(|award| WinnerView {
            bidder: stored.mask(&award.bidder),
            price: award.price.minor(),
            status: award_status(award.status, now),
            until: offered_until(award.status),
        })
        .collect()
}

fn unsold_reason(auction: &Auction) -> Option<&'static str> {
    if auction.status != AuctionStatus::Unsold {
        return None;
    }
    let gave_up = |award: &Award| award.status == AwardStatus::Forfeited;
    Some(if auction.contest.standing.is_empty() {
        "no_bids"
    } else if auction.awards.iter().any(gave_up) {
        "forfeited"
    } else {
        "below_reserve"
    })
}

/// One winner with the real name: for the seller.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamedWinnerView {
    #[schema(value_type = String)]
    pub bidder_id: Bidder,
    /// What everybody else reads.
    pub bidder: String,
    /// The number of the bid that it rests on.
    pub no: u64,
    pub price: i64,
    #[schema(example = "won")]
    pub status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "date-time")]
    pub until: Option<Time>,
}

/// Who has to pay what.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResultView {
    pub id: String,
    pub product: String,
    #[schema(example = "closed")]
    pub status: &'static str,
    #[schema(value_type = String, example = "KRW")]
    pub currency: Currency,
    pub winners: Vec<NamedWinnerView>,
}

impl ResultView {
    pub fn new(stored: &StoredAuction, now: Millis) -> Self {
        let auction = &stored.auction;
        let winners = auction.awards.iter().map(|award| NamedWinnerView {
            bidder_id: award.bidder.clone(),
            bidder: stored.mask(&award.bidder),
            no: award.no,
            price: award.price.minor(),
            status: award_status(award.status, now),
            until: offered_until(award.status),
        });
        Self {
            id: stored.id().to_string(),
            product: auction.product.to_string(),
            status: auction.status.as_str(),
            currency: auction.terms.currency,
            winners: winners.collect(),
        }
    }
}
