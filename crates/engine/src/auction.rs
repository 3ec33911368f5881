//! Auctions and bids as the log and a store hold them.
//!
//! A bid *is* its first entry, as an order is: the sequence in its id finds it. That is its verdict,
//! or for a bid whose verdict comes in a later commit a `bid.placed`.
//! What must not be seen before the close (the reserve, maxima, amounts of sealed bids) is in the
//! entry's `sealed` text; the public `data` carries the text's hash, so that it can be opened
//! afterwards and nobody can have changed it in between.

use std::borrow::Cow;
use std::sync::Arc;

use commerce::auction::{
    AdmittedBid, Auction, AuctionRefusal, AuctionStatus, Bidder, Format, Terms,
};
use commerce::{AuctionId, BidId, Hash, Millis, Money, Secret, digest};
use serde::{Deserialize, Serialize};

use crate::command::{BodyHash, KeyHash};
use crate::entry::{BidStep, Entry, Kind};
use crate::ports::Loaded;

/// The queue through which deferred bids go, one message group an auction.
pub const BIDS_QUEUE: &str = "bids.fifo";
/// Where bids end that cannot be processed.
pub const BIDS_DEAD_LETTER_QUEUE: &str = "bids-dlq.fifo";

/// So long an end stands before it is told that it was moved.
const END_STANDS_MS: Millis = 1_000;

/// A message that asks for the verdict on a bid that was admitted before. It names the entry and
/// not the bid's id, which is the bidder's alone. With anything else in it, it is none: a bid that
/// somebody sent may have fields of its own.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BidReference {
    placed: u64,
    /// For whoever reads the queue: the message's group says it too.
    #[expect(dead_code, reason = "it may be there, and counts for nothing")]
    auction_id: Option<String>,
}

/// The entry of the bid that a message of [`BIDS_QUEUE`] refers to, whether or not it is there;
/// none for a message that brings a bid itself.
pub fn bid_of_message(body: &str) -> Option<u64> {
    // Serde reads an array as the fields in their order, which nobody can have meant.
    let is_object = body.trim_start().starts_with('{');
    let reference: BidReference = serde_json::from_str(body).ok().filter(|_| is_object)?;
    Some(reference.placed)
}

/// The bids that the loaded messages of [`BIDS_QUEUE`] refer to: a store loads them with these.
pub fn bids_referred_to(loaded: &Loaded) -> Vec<u64> {
    let queue = loaded.queues.get(BIDS_QUEUE);
    let messages = queue.into_iter().flat_map(|queue| &queue.group_firsts);
    messages
        .flat_map(|(_, firsts)| firsts)
        .filter_map(|message| bid_of_message(&message.body))
        .collect()
}

/// What an entry of an auction carries for everybody to see. Which fields are there depends on
/// the kind; new ones are added at the end. Names of people are masked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuctionData<'a> {
    #[serde(borrow)]
    pub auction: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    pub product: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    pub seller: Option<Cow<'a, str>>,
    /// Without the reserve price, which is sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Cow<'a, Terms>>,
    /// The bid's number among those that were taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    pub bidder: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leading: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raise: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buy_now: Option<bool>,
    /// Who led before and does not now.
    #[serde(default, skip_serializing_if = "Vec::is_empty", borrow)]
    pub outbid: Vec<Cow<'a, str>>,
    /// Who leads again after a retraction.
    #[serde(default, skip_serializing_if = "Vec::is_empty", borrow)]
    pub regained: Vec<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Millis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extended: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve_met: Option<bool>,
    /// Bids that stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bids: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<AuctionStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    pub reason: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    pub unsold_reason: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    pub winners: Option<Vec<WinnerData<'a>>>,
    /// The least bid that would not have been too low.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
    /// Whose offer ran out.
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    pub declined: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<bool>,
    /// The entry that admitted a deferred bid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed: Option<u64>,
    /// The `bid.accepted` before this one in the auction: bids are listed by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev_bid: Option<u64>,
    /// The hash of the sealed text; see [`seal`].
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    pub seal: Option<Cow<'a, str>>,
    /// The bid took the lot of a Dutch auction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub won: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WinnerData<'a> {
    #[serde(borrow)]
    pub bidder: Cow<'a, str>,
    pub no: u64,
    pub price: Money,
}

/// What an entry keeps to itself until the auction is over.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sealed<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve_price: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    pub bidder: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admitted_at: Option<Millis>,
    /// Random, so that the rest cannot be guessed from the hash.
    #[serde(borrow)]
    pub nonce: Cow<'a, str>,
}

/// Binds a public entry to its sealed text.
pub fn seal(sealed: &str) -> Hash {
    *digest(&[b"firstcome.seal.v1\0", sealed.as_bytes()]).as_bytes()
}

/// An auction as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredAuction {
    pub auction: Auction,
    /// The newest entry of its line and its hash (rule 11).
    pub last_seq: u64,
    pub last_hash: Hash,
    /// The newest `bid.accepted`, 0 before the first.
    pub last_bid: u64,
    /// Deferred bids without a verdict.
    pub waiting: u64,
    /// How long before the end `auction.closing_soon` is told; 0 for not at all.
    pub closing_soon_ms: Millis,
    pub told_closing_soon: bool,
}

impl StoredAuction {
    pub fn id(&self) -> AuctionId {
        AuctionId {
            seq: self.auction.seq,
            secret: Secret(self.auction.secret),
        }
    }

    /// When the clock has something to do with it, if ever.
    pub fn due_at(&self) -> Option<Millis> {
        match self.auction.status {
            AuctionStatus::Scheduled => Some(self.auction.terms.starts_at),
            AuctionStatus::Open => {
                let ends_at = self.auction.ends_at;
                Some(self.closing_soon_at().map_or(ends_at, |at| at.min(ends_at)))
            }
            AuctionStatus::Closed
            | AuctionStatus::Settled
            | AuctionStatus::Unsold
            | AuctionStatus::Cancelled => None,
        }
    }

    /// When the end is near, unless that was told. Of an end that was moved it is told again, and
    /// not before it has stood for a moment: bids may move it many times a second.
    pub(crate) fn closing_soon_at(&self) -> Option<Millis> {
        if self.closing_soon_ms == 0 || self.told_closing_soon {
            return None;
        }
        let ends_at = self.auction.ends_at;
        let near = ends_at.saturating_sub(self.closing_soon_ms);
        let soft = self.auction.terms.soft_close;
        let stands = soft.filter(|_| self.auction.extensions > 0).map(|soft| {
            let moved_at = ends_at.saturating_sub(soft.extend_ms);
            moved_at.saturating_add(END_STANDS_MS.min(soft.extend_ms / 2))
        });
        Some(stands.map_or(near, |stands| stands.max(near)))
    }

    pub fn mask(&self, bidder: &Bidder) -> String {
        self.auction.show_bidder(bidder, None).name
    }

    /// How a bid of this auction stands now.
    pub fn standing_of(&self, bid: &BidRecord) -> BidStanding {
        let no = match bid.status {
            BidStatus::Pending => return BidStanding::Pending,
            BidStatus::Refused => return BidStanding::Refused,
            BidStatus::Accepted => bid.no,
        };
        if bid.retracted_at.is_some() {
            return BidStanding::Retracted;
        }
        self.standing(no.unwrap_or(0), &bid.bidder)
    }

    /// The same of a bid that was taken and not retracted. Whoever leads does so by the bid with
    /// the own highest maximum, and by those that came after it below that; what a higher maximum
    /// of the own came after does not lead.
    pub fn standing(&self, no: u64, bidder: &str) -> BidStanding {
        let auction = &self.auction;
        match auction.status {
            AuctionStatus::Scheduled | AuctionStatus::Open => {
                if auction.terms.format.is_sealed() {
                    return BidStanding::Accepted;
                }
                let leaders = auction.contest.leaders(&auction.terms);
                let leads = leaders
                    .iter()
                    .any(|leader| self.rests_on(no, leader.no) && leader.bidder.as_str() == bidder);
                if leads {
                    BidStanding::Leading
                } else {
                    BidStanding::Outbid
                }
            }
            AuctionStatus::Closed | AuctionStatus::Settled | AuctionStatus::Unsold => {
                let won = auction.awards.iter().any(|award| {
                    award.is_live()
                        && self.rests_on(no, award.no)
                        && award.bidder.as_str() == bidder
                });
                if won {
                    BidStanding::Winning
                } else {
                    BidStanding::Lost
                }
            }
            AuctionStatus::Cancelled => BidStanding::Lost,
        }
    }

    /// Whether a bid stands with the best one of the same bidder.
    fn rests_on(&self, no: u64, best: u64) -> bool {
        match self.auction.terms.format {
            Format::English => no >= best,
            Format::SealedFirst | Format::SealedSecond | Format::Dutch { .. } => no == best,
        }
    }
}

/// What a bidder reads of a bid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BidStanding {
    Pending,
    Leading,
    Outbid,
    /// In a sealed format, before the close.
    Accepted,
    Refused,
    Retracted,
    Winning,
    Lost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BidStatus {
    Pending,
    Accepted,
    Refused,
}

/// A bid: its first entry and its verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct BidRecord {
    pub id: BidId,
    pub auction: AuctionId,
    /// The name as given, and as others see it.
    pub bidder: Arc<str>,
    pub masked: Arc<str>,
    pub amount: Money,
    pub maximum: Money,
    pub buy_now: bool,
    /// It took the lot, and nobody can bid after it: a buy-now, or the bid of a Dutch auction.
    pub won: bool,
    pub status: BidStatus,
    /// Why it was refused; see [`refusal_reason`].
    pub reason: Option<Arc<str>>,
    /// Its number among the bids that were taken.
    pub no: Option<u64>,
    /// As the verdict found them: the price afterwards, whether it led, the least valid bid if
    /// it was too low, and the end.
    pub price: Option<Money>,
    pub leading: Option<bool>,
    pub least: Option<Money>,
    pub ends_at: Option<Millis>,
    pub admitted_at: Millis,
    pub decided_at: Option<Millis>,
    pub retracted_at: Option<Millis>,
    pub key: Option<KeyHash>,
    pub body: BodyHash,
    /// The newest entry about it.
    pub last_seq: u64,
}

/// What is known of a bid from its admission on, whatever its verdict.
#[derive(Debug, Clone)]
pub struct AdmittedAs {
    pub id: BidId,
    pub auction: AuctionId,
    pub bidder: Arc<str>,
    pub masked: Arc<str>,
    pub amount: Money,
    pub maximum: Money,
    pub admitted_at: Millis,
    pub key: Option<KeyHash>,
    pub body: BodyHash,
}

impl BidRecord {
    /// A bid that waits for its verdict.
    pub fn pending(bid: AdmittedAs) -> Self {
        Self {
            last_seq: bid.id.seq,
            id: bid.id,
            auction: bid.auction,
            bidder: bid.bidder,
            masked: bid.masked,
            amount: bid.amount,
            maximum: bid.maximum,
            buy_now: false,
            won: false,
            status: BidStatus::Pending,
            reason: None,
            no: None,
            price: None,
            leading: None,
            least: None,
            ends_at: None,
            admitted_at: bid.admitted_at,
            decided_at: None,
            retracted_at: None,
            key: bid.key,
            body: bid.body,
        }
    }

    /// A bid as its first entry left it; none for an entry that made no bid.
    pub fn from_entry(entry: &Entry) -> Option<Self> {
        match entry.kind.bid_step()? {
            BidStep::Placed | BidStep::Accepted | BidStep::Refused => {}
            BidStep::Retracted => return None,
        }
        if entry.subject != entry.seq {
            return None;
        }
        let buyer = entry.buyer.as_ref()?;
        let data = entry.auction_data();
        let sealed = entry.sealed()?;
        let mut bid = Self::pending(AdmittedAs {
            id: BidId {
                seq: entry.seq,
                secret: buyer.secret?,
            },
            auction: AuctionId::parse(&data.auction).ok()?,
            bidder: Arc::clone(&buyer.customer),
            masked: sealed.bidder.as_deref()?.into(),
            amount: sealed.amount?,
            maximum: sealed.maximum?,
            admitted_at: sealed.admitted_at.unwrap_or(entry.at),
            key: buyer.key,
            body: buyer.body,
        });
        bid.apply_verdict(entry);
        Some(bid)
    }

    /// What the entry says of this bid, if it is a verdict.
    pub fn apply_verdict(&mut self, entry: &Entry) {
        let data = entry.auction_data();
        match entry.kind.bid_step() {
            Some(BidStep::Accepted) => self.status = BidStatus::Accepted,
            Some(BidStep::Refused) => {
                self.status = BidStatus::Refused;
                self.reason = data.reason.as_deref().map(Arc::from);
            }
            Some(BidStep::Placed | BidStep::Retracted) | None => return,
        }
        self.no = data.no;
        self.price = data.price;
        self.leading = data.leading;
        self.least = data.least;
        self.ends_at = data.ends_at;
        self.buy_now = data.buy_now.unwrap_or(false);
        self.won = self.buy_now || data.won.unwrap_or(false);
        self.decided_at = Some(entry.at);
        self.last_seq = entry.seq;
    }
}

/// What became of a bid after its first entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BidChange {
    pub bid: u64,
    /// The entry with its verdict.
    pub verdict: u64,
    pub retracted_at: Option<Millis>,
    /// The newest entry about it.
    pub last_seq: u64,
}

/// The bid that an entry took, for a replay.
pub fn admitted_bid(entry: &Entry) -> Option<AdmittedBid> {
    if entry.kind != Kind::BidAccepted {
        return None;
    }
    let sealed = entry.sealed()?;
    Some(AdmittedBid {
        no: sealed.no?,
        bid: entry.subject,
        bidder: Bidder::new(&entry.buyer.as_ref()?.customer).ok()?,
        amount: sealed.amount?,
        maximum: sealed.maximum?,
        admitted_at: sealed.admitted_at?,
    })
}

/// The stable name of why a bid was refused.
pub const fn refusal_reason(refusal: &AuctionRefusal) -> &'static str {
    match refusal {
        AuctionRefusal::WrongCurrency { .. } => "wrong_currency",
        AuctionRefusal::NoMaximum => "no_maximum",
        AuctionRefusal::MaximumBelowBid => "maximum_below_bid",
        AuctionRefusal::Cancelled => "cancelled",
        AuctionRefusal::Closed { .. } => "closed",
        AuctionRefusal::NotOpenYet { .. } => "not_open_yet",
        AuctionRefusal::Late { .. } => "late",
        AuctionRefusal::OwnLot => "own_lot",
        AuctionRefusal::TooLow { .. } => "too_low",
        AuctionRefusal::NoBuyNow { .. } => "no_buy_now",
        AuctionRefusal::AlreadyOpen => "already_open",
        AuctionRefusal::TooEarly { .. } => "too_early",
        AuctionRefusal::BidsUndecided { .. } => "bids_undecided",
        AuctionRefusal::NotTheSeller => "not_the_seller",
        AuctionRefusal::TooManyBids { .. } => "too_many_bids",
        AuctionRefusal::NoRetraction => "no_retraction",
        AuctionRefusal::NoSuchBid => "no_such_bid",
        AuctionRefusal::NotTheBidder => "not_the_bidder",
        AuctionRefusal::AlreadyRetracted => "already_retracted",
        AuctionRefusal::RetractionTooLate { .. } => "retraction_too_late",
        AuctionRefusal::NotClosed { .. } => "not_closed",
        AuctionRefusal::NotAWinner => "not_a_winner",
        AuctionRefusal::OfferRuns { .. } => "offer_runs",
        AuctionRefusal::OfferEndsInPast => "offer_ends_in_past",
        AuctionRefusal::NothingLeft => "nothing_left",
        AuctionRefusal::NobodyLeft => "nobody_left",
        AuctionRefusal::NoOffer => "no_offer",
        AuctionRefusal::OfferExpired { .. } => "offer_expired",
    }
}
