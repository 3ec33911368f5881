//! The auction that a store keeps, and its life but for the bids: create, open, close, cancel.

use serde::{Deserialize, Serialize};

use super::aftermath::{Award, AwardStatus};
use super::bidder::{Bidder, MaskKey, ShownBidder};
use super::contest::Contest;
use super::event::{AuctionEvent, AuctionRefusal, CloseReason, UnsoldReason};
use super::terms::{Format, TermError, Terms};
use crate::Millis;
use crate::ids::{SECRET_BYTES, Secret};
use crate::money::Money;
use crate::text::Name;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuctionStatus {
    Scheduled,
    Open,
    /// Somebody won and has not paid.
    Closed,
    /// Whoever won has paid.
    Settled,
    /// Nobody won, or whoever did gave up.
    Unsold,
    Cancelled,
}

impl AuctionStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Settled => "settled",
            Self::Unsold => "unsold",
            Self::Cancelled => "cancelled",
        }
    }

    /// Nothing more can be bid, and the clock has nothing more to do with it.
    pub const fn is_over(self) -> bool {
        match self {
            Self::Scheduled | Self::Open => false,
            Self::Closed | Self::Settled | Self::Unsold | Self::Cancelled => true,
        }
    }

    /// It came to its end, sold or not: what was sealed may be shown. Never of one that was
    /// cancelled.
    pub const fn was_closed(self) -> bool {
        match self {
            Self::Closed | Self::Settled | Self::Unsold => true,
            Self::Scheduled | Self::Open | Self::Cancelled => false,
        }
    }

    /// As stored: never reuse one.
    pub const fn number(self) -> u8 {
        match self {
            Self::Scheduled => 0,
            Self::Open => 1,
            Self::Closed => 2,
            Self::Settled => 3,
            Self::Unsold => 4,
            Self::Cancelled => 5,
        }
    }

    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Scheduled),
            1 => Some(Self::Open),
            2 => Some(Self::Closed),
            3 => Some(Self::Settled),
            4 => Some(Self::Unsold),
            5 => Some(Self::Cancelled),
            _ => None,
        }
    }
}

/// A bid that was taken, as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdmittedBid {
    /// Its number in the auction: 1, 2, 3 ... in the log's order.
    pub no: u64,
    /// The sequence in its id.
    pub bid: u64,
    pub bidder: Bidder,
    pub amount: Money,
    pub maximum: Money,
    pub admitted_at: Millis,
}

/// An auction at the door. The secret and the mask key are random bits of the caller's.
#[derive(Debug, Clone)]
pub struct NewAuction {
    pub seq: u64,
    pub secret: Secret,
    pub mask_key: MaskKey,
    pub seller: Bidder,
    pub product: Name,
    /// A start that is not after `now` is `now`.
    pub terms: Terms,
}

/// An auction and all that its decisions need. This is what a store keeps of it, as JSON with
/// the version in `v`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Auction {
    pub v: u8,
    /// Its id, in parts.
    pub seq: u64,
    pub secret: [u8; SECRET_BYTES],
    pub mask_key: MaskKey,
    pub seller: Bidder,
    pub product: Name,
    pub terms: Terms,
    pub created_at: Millis,

    pub status: AuctionStatus,
    /// The present end: the announced one, or later after extensions.
    pub ends_at: Millis,
    pub extensions: u32,
    /// Bids taken, and how many of them were not retracted.
    pub bids: u64,
    pub bids_standing: u64,
    pub contest: Contest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Millis>,
    /// Who won, gave up or had an offer: at most one entry a standing bidder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub awards: Vec<Award>,
}

/// The present version of a stored auction.
const VERSION: u8 = 1;

impl Auction {
    /// Scheduled, or open at once if the start is not in the future.
    pub fn create(new: NewAuction, now: Millis) -> Result<(Self, Vec<AuctionEvent>), TermError> {
        let mut terms = new.terms;
        terms.starts_at = terms.starts_at.max(now);
        terms.check(now)?;
        let mut auction = Self {
            v: VERSION,
            seq: new.seq,
            secret: new.secret.0,
            mask_key: new.mask_key,
            seller: new.seller,
            product: new.product,
            created_at: now,
            status: AuctionStatus::Scheduled,
            ends_at: terms.ends_at,
            extensions: 0,
            bids: 0,
            bids_standing: 0,
            contest: Contest::new(&terms),
            closed_at: None,
            awards: Vec::new(),
            terms,
        };
        let mut events = Vec::new();
        if auction.terms.starts_at == now {
            auction.begin(&mut events);
        }
        Ok((auction, events))
    }

    /// The start has come.
    pub fn open(&mut self, now: Millis) -> Result<Vec<AuctionEvent>, AuctionRefusal> {
        match self.status {
            AuctionStatus::Scheduled => {}
            AuctionStatus::Open => return Err(AuctionRefusal::AlreadyOpen),
            AuctionStatus::Closed | AuctionStatus::Settled | AuctionStatus::Unsold => {
                return Err(self.closed_refusal());
            }
            AuctionStatus::Cancelled => return Err(AuctionRefusal::Cancelled),
        }
        let starts_at = self.terms.starts_at;
        if now < starts_at {
            return Err(AuctionRefusal::NotOpenYet { starts_at });
        }
        let mut events = Vec::new();
        self.begin(&mut events);
        Ok(events)
    }

    /// The end has come, and every bid that was admitted before `decided_until` has its
    /// decision. Who closes must have taken in the sequencer's and the queue's bids up to the
    /// end; one of them may move it.
    pub fn close(
        &mut self,
        now: Millis,
        decided_until: Millis,
    ) -> Result<Vec<AuctionEvent>, AuctionRefusal> {
        self.not_over()?;
        let ends_at = self.ends_at;
        if now < ends_at {
            return Err(AuctionRefusal::TooEarly { ends_at });
        }
        if decided_until < ends_at {
            return Err(AuctionRefusal::BidsUndecided { ends_at });
        }
        let mut events = Vec::new();
        // Nobody was there to open it, or to bid.
        if self.status == AuctionStatus::Scheduled {
            self.begin(&mut events);
        }
        self.end(CloseReason::EndTime, now, &mut events);
        Ok(events)
    }

    /// The seller takes the lot back, before the end; all bids are void. Once the end has
    /// come the result stands, even before somebody closes.
    pub fn cancel(
        &mut self,
        by: &Bidder,
        now: Millis,
    ) -> Result<Vec<AuctionEvent>, AuctionRefusal> {
        if *by != self.seller {
            return Err(AuctionRefusal::NotTheSeller);
        }
        self.not_over()?;
        if now >= self.ends_at {
            return Err(self.late_refusal(now));
        }
        self.status = AuctionStatus::Cancelled;
        self.closed_at = Some(now);
        Ok(vec![AuctionEvent::Cancelled])
    }

    pub(super) fn begin(&mut self, events: &mut Vec<AuctionEvent>) {
        self.status = AuctionStatus::Open;
        events.push(AuctionEvent::Opened);
    }

    pub(super) fn end(&mut self, reason: CloseReason, at: Millis, events: &mut Vec<AuctionEvent>) {
        if self.is_sold() {
            let price = self.contest.price;
            let leaders = self.contest.leaders(&self.terms).iter();
            self.awards = leaders
                .map(|leader| Award::new(leader, price, AwardStatus::Won))
                .collect();
        }
        self.closed_at = Some(at);
        events.push(AuctionEvent::Closed {
            reason,
            price: self.awards.first().map(|award| award.price),
            winners: self.awards.clone(),
        });
        self.status = AuctionStatus::Closed;
        if self.awards.is_empty() {
            self.status = AuctionStatus::Unsold;
            let reason = if self.contest.standing.is_empty() {
                UnsoldReason::NoBids
            } else {
                UnsoldReason::BelowReserve
            };
            events.push(AuctionEvent::Unsold { reason });
        }
    }

    /// Whether the leaders have won once it ends.
    fn is_sold(&self) -> bool {
        self.terms.reserve_price.is_none() || self.contest.reserve_met
    }

    /// How many of the awards are of the close. The others were offered afterwards.
    pub(super) fn won_at_close(&self) -> usize {
        let leaders = self.contest.leaders(&self.terms).len();
        let won = if self.is_sold() { leaders } else { 0 };
        won.min(self.awards.len())
    }

    pub(super) fn not_over(&self) -> Result<(), AuctionRefusal> {
        match self.status {
            AuctionStatus::Scheduled | AuctionStatus::Open => Ok(()),
            AuctionStatus::Closed | AuctionStatus::Settled | AuctionStatus::Unsold => {
                Err(self.closed_refusal())
            }
            AuctionStatus::Cancelled => Err(AuctionRefusal::Cancelled),
        }
    }

    fn closed_refusal(&self) -> AuctionRefusal {
        AuctionRefusal::Closed {
            price: self.shown_price(self.ends_at),
        }
    }

    pub(super) fn late_refusal(&self, at: Millis) -> AuctionRefusal {
        AuctionRefusal::Late {
            ends_at: self.ends_at,
            price: self.shown_price(at),
        }
    }

    /// The current price as anyone may see it; none in a sealed format until it is sold.
    pub fn shown_price(&self, at: Millis) -> Option<Money> {
        match self.terms.format {
            Format::English => Some(self.contest.price),
            Format::SealedFirst | Format::SealedSecond => {
                self.closed_at?;
                self.awards.first().map(|award| award.price)
            }
            Format::Dutch { .. } if self.contest.standing.is_empty() => {
                Some(self.terms.scheduled_price(at.min(self.ends_at)))
            }
            Format::Dutch { .. } => Some(self.contest.price),
        }
    }

    /// Whether the reserve is met, as anyone may see it; none without one, and in a sealed
    /// format before the close.
    pub fn shown_reserve(&self) -> Option<bool> {
        self.terms.reserve_price?;
        // What was sealed stays so when the seller takes the lot back.
        if self.is_sealed() && (self.closed_at.is_none() || self.status == AuctionStatus::Cancelled)
        {
            return None;
        }
        Some(self.contest.reserve_met)
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.terms.format.is_sealed()
    }

    /// How a bidder appears to a viewer.
    pub fn show_bidder(&self, bidder: &Bidder, viewer: Option<&Bidder>) -> ShownBidder {
        self.mask_key.show(bidder, viewer)
    }
}
