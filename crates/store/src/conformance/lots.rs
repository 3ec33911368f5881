//! Auctions and bids in the words of a script: what is put up, what is bid, what becomes of it.
//! Nobody looks at who leads: a store does not know.

use std::borrow::Cow;

use commerce::auction::{
    AdmittedBid, Auction, AuctionStatus, Bidder, Contest, Format, Increment, MaskKey,
    RetractionRule, Terms,
};
use commerce::{AuctionId, BidId, Currency, CustomerHash, LineId, Millis, Money, Name, ProductId};
use engine::auction::{
    AdmittedAs, AuctionData, BidChange, BidRecord, BidStatus, Sealed, StoredAuction, refusal_reason,
};
use engine::ports::Counted;
use engine::{BodyHash, Buyer, KeyHash, Kind};

use super::script::{START, Script, secret};

pub(crate) fn money(minor: u64) -> Money {
    Money::new(i64::try_from(minor).unwrap()).unwrap()
}

/// An auction of this status between these moments after [`START`], with nothing bid.
fn auction(seq: u64, status: AuctionStatus, starts: Millis, ends: Millis) -> StoredAuction {
    let terms = Terms {
        format: Format::English,
        currency: Currency::new("EUR").unwrap(),
        starting_price: money(100),
        increment: Increment::default(),
        lots: 1,
        reserve_price: Some(money(900)),
        buy_now_price: None,
        starts_at: START + starts,
        ends_at: START + ends,
        soft_close: None,
        retraction: Some(RetractionRule {
            within_ms: 600_000,
            before_end_ms: 3_600_000,
        }),
    };
    StoredAuction {
        auction: Auction {
            v: 1,
            seq,
            secret: secret(seq).0,
            mask_key: MaskKey([9; 32]),
            seller: Bidder::new("house").unwrap(),
            product: Name::new("A teapot \"1780\" 🍩").unwrap(),
            created_at: START,
            status,
            ends_at: terms.ends_at,
            extensions: 0,
            bids: 0,
            bids_standing: 0,
            contest: Contest::new(&terms),
            closed_at: None,
            awards: Vec::new(),
            terms,
        },
        last_seq: seq,
        last_hash: [0; 32],
        last_bid: 0,
        waiting: 0,
        closing_soon_ms: 0,
        told_closing_soon: false,
    }
}

/// A bid as it enters the log.
#[derive(Debug, Clone)]
pub(crate) struct Bade {
    pub(crate) auction: u64,
    pub(crate) bidder: &'static str,
    pub(crate) kind: Kind,
    pub(crate) key: Option<KeyHash>,
    /// So long before its entry it was admitted, as what comes through a queue is; what is only
    /// placed is admitted by that.
    pub(crate) admitted_before: Millis,
}

impl Bade {
    pub(crate) fn on(auction: u64) -> Self {
        Self {
            auction,
            bidder: "ada@example.com",
            kind: Kind::BidAccepted,
            key: None,
            admitted_before: 0,
        }
    }
}

impl Script {
    /// Puts something up for auction, from one moment after [`START`] to another.
    pub(crate) fn put_up(&mut self, status: AuctionStatus, starts: Millis, ends: Millis) -> u64 {
        self.put_up_for(None, auction(self.seq + 1, status, starts, ends))
    }

    /// Puts an auction up for whoever brings this key, with a body that is named after it.
    pub(crate) fn put_up_with(&mut self, key: KeyHash) -> u64 {
        let seq = self.seq + 1;
        let buyer = Buyer {
            customer: "".into(),
            secret: None,
            key: Some(key),
            body: BodyHash(seq),
        };
        self.changes.counted.push(Counted {
            order: seq,
            key: Some(key),
            customer: CustomerHash::of(""),
            product: ProductId(0),
            delta: 0,
            at: self.at,
        });
        let stored = auction(seq, AuctionStatus::Open, 0, 1_000);
        self.put_up_for(Some(buyer), stored)
    }

    fn put_up_for(&mut self, buyer: Option<Buyer>, stored: StoredAuction) -> u64 {
        let seq = stored.auction.seq;
        let id = stored.id();
        self.auctions.insert(seq, stored);
        let data = data_of(id);
        let sealed = format!(r#"{{"reservePrice":900,"nonce":"of {id}"}}"#);
        self.line_entry(seq, Kind::AuctionCreated, None, &data, buyer, Some(&sealed));
        seq
    }

    /// Something happens to an auction.
    pub(crate) fn alter(&mut self, seq: u64, kind: Kind, change: impl FnOnce(&mut Auction)) {
        let stored = self.auctions.get_mut(&seq).unwrap();
        change(&mut stored.auction);
        let data = data_of(stored.id());
        self.line_entry(seq, kind, Some(seq), &data, None, None);
    }

    /// Adds an entry to the line of an auction, which ends with it.
    fn line_entry(
        &mut self,
        auction: u64,
        kind: Kind,
        subject: Option<u64>,
        data: &AuctionData<'_>,
        buyer: Option<Buyer>,
        sealed: Option<&str>,
    ) -> u64 {
        let data = serde_json::to_string(data).unwrap();
        let line = LineId::Auction(auction);
        self.sealed_entry(line, kind, subject, &data, buyer, sealed)
    }

    /// Writes an auction as it stands.
    pub(crate) fn put_auction(&mut self, seq: u64) {
        self.changes
            .auctions
            .retain(|known| known.auction.seq != seq);
        self.changes.auctions.push(self.auctions[&seq].clone());
    }

    /// Adds a bid; one that is only placed waits for its verdict.
    pub(crate) fn bid(&mut self, bade: &Bade) -> u64 {
        let seq = self.seq + 1;
        let stored = self.auctions.get_mut(&bade.auction).unwrap();
        let masked = format!("bidder-{}", bade.bidder.len());
        let mut record = BidRecord::pending(AdmittedAs {
            id: BidId {
                seq,
                secret: secret(seq),
            },
            auction: stored.id(),
            bidder: bade.bidder.into(),
            masked: masked.into(),
            amount: money(1_000 + seq),
            maximum: money(2_000 + seq),
            admitted_at: match bade.kind {
                Kind::BidPlaced => self.at,
                _ => self.at - bade.admitted_before,
            },
            key: bade.key,
            body: BodyHash(seq ^ u64::MAX),
        });
        let buyer = Buyer {
            customer: bade.bidder.into(),
            secret: Some(record.id.secret),
            key: bade.key,
            body: record.body,
        };
        if bade.kind == Kind::BidPlaced {
            stored.waiting += 1;
            self.changes.bids_waiting_added.push((bade.auction, seq));
            self.bid_entry(&record, bade.kind, None, &data_of(record.auction), buyer);
        } else {
            self.decide(&mut record, bade.kind, None, buyer);
        }
        if bade.key.is_some() {
            self.changes.counted.push(Counted {
                order: seq,
                key: bade.key,
                customer: CustomerHash::of(bade.bidder),
                product: ProductId(0),
                delta: 0,
                at: self.at,
            });
        }
        self.bids.insert(seq, record);
        seq
    }

    /// A bid that waits gets its verdict.
    pub(crate) fn verdict(&mut self, bid: u64, kind: Kind) {
        let mut record = self.bids[&bid].clone();
        let auction = record.auction.seq;
        self.auctions.get_mut(&auction).unwrap().waiting -= 1;
        self.changes.bids_waiting_removed.push((auction, bid));
        let buyer = Buyer {
            customer: record.bidder.clone(),
            secret: None,
            key: None,
            body: BodyHash(0),
        };
        self.decide(&mut record, kind, Some(bid), buyer);
        self.change_bid(BidChange {
            bid,
            verdict: record.last_seq,
            retracted_at: None,
            last_seq: record.last_seq,
        });
        self.bids.insert(bid, record);
    }

    /// Writes the entry with a verdict.
    fn decide(&mut self, record: &mut BidRecord, kind: Kind, placed: Option<u64>, buyer: Buyer) {
        let stored = self.auctions.get_mut(&record.auction.seq).unwrap();
        let last_bid = stored.last_bid;
        let mut data = data_of(record.auction);
        record.ends_at = Some(stored.auction.ends_at);
        record.decided_at = Some(self.at);
        if kind == Kind::BidAccepted {
            stored.auction.bids += 1;
            stored.auction.bids_standing += 1;
            stored.last_bid = self.seq + 1;
            record.status = BidStatus::Accepted;
            record.no = Some(stored.auction.bids);
            record.price = Some(record.amount);
            record.leading = Some(stored.auction.bids.is_multiple_of(2));
            record.buy_now = stored.auction.bids == 2;
            record.won = (2..=3).contains(&stored.auction.bids);
            data.prev_bid = (last_bid > 0).then_some(last_bid);
        } else {
            let refusal = commerce::auction::AuctionRefusal::OwnLot;
            record.status = BidStatus::Refused;
            record.reason = Some(refusal_reason(&refusal).into());
            record.least = Some(money(70));
        }
        data.no = record.no;
        data.price = record.price;
        data.leading = record.leading;
        data.buy_now = record.buy_now.then_some(true);
        data.won = (record.won && !record.buy_now).then_some(true);
        data.reason = record.reason.as_deref().map(|text| text.to_owned().into());
        data.least = record.least;
        data.ends_at = record.ends_at;
        data.placed = placed;
        record.last_seq = self.bid_entry(record, kind, placed, &data, buyer);
    }

    fn bid_entry(
        &mut self,
        record: &BidRecord,
        kind: Kind,
        subject: Option<u64>,
        data: &AuctionData<'_>,
        buyer: Buyer,
    ) -> u64 {
        let sealed = Sealed {
            no: record.no,
            bidder: Some(Cow::Borrowed(&record.masked)),
            amount: Some(record.amount),
            maximum: Some(record.maximum),
            admitted_at: (kind != Kind::BidPlaced).then_some(record.admitted_at),
            nonce: "é 🍩".into(),
            ..Sealed::default()
        };
        let sealed = serde_json::to_string(&sealed).unwrap();
        let auction = record.auction.seq;
        self.line_entry(auction, kind, subject, data, Some(buyer), Some(&sealed))
    }

    /// A bid that was taken is taken back.
    pub(crate) fn retract(&mut self, bid: u64) {
        let mut record = self.bids[&bid].clone();
        let verdict = self.bid_changes.get(&bid).map_or(bid, |c| c.verdict);
        let auction = record.auction.seq;
        let stored = self.auctions.get_mut(&auction).unwrap();
        stored.auction.bids_standing -= 1;
        let data = data_of(record.auction);
        let seq = self.line_entry(auction, Kind::BidRetracted, Some(bid), &data, None, None);
        record.retracted_at = Some(self.at);
        record.last_seq = seq;
        self.change_bid(BidChange {
            bid,
            verdict,
            retracted_at: record.retracted_at,
            last_seq: seq,
        });
        self.bids.insert(bid, record);
    }

    fn change_bid(&mut self, change: BidChange) {
        self.changes.bid_changes.push(change);
        self.bid_changes.insert(change.bid, change);
    }

    /// The bids of an auction that were taken and not retracted.
    pub(crate) fn standing(&self, auction: u64) -> Vec<AdmittedBid> {
        let bids = self.bids.values();
        let mut standing: Vec<AdmittedBid> = bids
            .filter(|bid| bid.auction.seq == auction && bid.retracted_at.is_none())
            .filter_map(|bid| {
                Some(AdmittedBid {
                    no: bid.no?,
                    bid: bid.id.seq,
                    bidder: Bidder::new(&bid.bidder).unwrap(),
                    amount: bid.amount,
                    maximum: bid.maximum,
                    admitted_at: bid.admitted_at,
                })
            })
            .collect();
        standing.sort_by_key(|bid| bid.no);
        standing
    }
}

fn data_of(auction: AuctionId) -> AuctionData<'static> {
    AuctionData {
        auction: auction.to_string().into(),
        ..AuctionData::default()
    }
}
