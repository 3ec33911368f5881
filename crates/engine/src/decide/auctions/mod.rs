//! Auctions: `commerce::auction` decides, this joins it to the log.
//!
//! - this file: what all of them share, how an entry of an auction is written, and the life of
//!   an auction but for its bids
//! - `bids`: bids are admitted, get their verdicts, are taken back
//! - `tell`: what the events of one command are as one entry
//!
//! What always holds here: bids get their verdicts in the order of their admission, so whatever
//! is asked of an auction, the bids that wait are decided first; an auction closes only when
//! nothing that was admitted before its end is undecided (rule 7).

mod bids;
mod tell;

use std::borrow::Cow;
use std::sync::Arc;

use commerce::auction::{
    Auction, AuctionEvent, AuctionRefusal, Award, AwardStatus, Bidder, MaskKey, NewAuction,
};
use commerce::{AuctionId, CustomerHash, Millis, ProductId, chain, genesis};

use super::Batch;
use super::orders::hex;
use crate::auction::{AuctionData, BIDS_QUEUE, Sealed, StoredAuction, bid_of_message, seal};
use crate::command::{Aftermath, CreateAuction, Refusal, Reply};
use crate::entry::{Buyer, Entry, Kind};
use crate::ports::LoadedAuction;

/// Who holds the keys that auctions were made with. Sellers have none of their own: how many a
/// customer may hold bounds what strangers can have stored, and only operators make auctions.
const NOBODY: &str = "";

/// What stands first in an auction's group of [`BIDS_QUEUE`].
#[derive(Default)]
pub(super) struct Firsts {
    /// When the earliest message came that is for the worker.
    letter: Option<Millis>,
    /// There may be more messages than were loaded.
    is_full: bool,
}

impl Batch {
    /// In this order, which is part of the API: the key, the number of auctions, the terms.
    pub(super) fn create_auction(&mut self, new: CreateAuction) -> Result<Reply, Refusal> {
        if let Some(key) = new.key
            && let Some(seq) = self.seq_of_key(key)
        {
            let body = self.loaded.auction_bodies.get(&seq);
            let body = *body.ok_or(Refusal::AuctionNotFound)?;
            if body != new.body {
                return Err(Refusal::KeyReused);
            }
            return Ok(self.made(seq, true));
        }
        if self.loaded.auction_count >= self.limits.auctions_max {
            return Err(Refusal::TooMany {
                what: "auctions",
                limit: self.limits.auctions_max,
            });
        }
        let now = self.now;
        let id = AuctionId {
            seq: self.last_seq + 1,
            secret: self.draw_secret(),
        };
        let new_auction = NewAuction {
            seq: id.seq,
            secret: id.secret,
            mask_key: MaskKey(self.draw()),
            seller: new.seller,
            product: new.product,
            terms: new.terms,
        };
        let (auction, events) =
            Auction::create(new_auction, now).map_err(|(field, why)| Refusal::Terms {
                field,
                why: why.to_string(),
            })?;
        let seq = self.next_seq();
        assert_eq!(seq, id.seq, "one sequence for the entry and the id");
        self.loaded.auction_count += 1;
        let mut public = auction.terms.clone();
        let reserve_price = public.reserve_price.take();
        let product = auction.product.clone();
        let stored = StoredAuction {
            last_seq: 0,
            last_hash: genesis(&id.to_string()),
            last_bid: 0,
            waiting: 0,
            closing_soon_ms: new.closing_soon_ms,
            told_closing_soon: false,
            auction,
        };
        let seller = stored.mask(&stored.auction.seller);
        self.loaded.auctions.insert(
            seq,
            LoadedAuction {
                stored,
                waiting: [].into(),
                standing: None,
            },
        );
        let sealed = self.sealed(Sealed {
            reserve_price,
            ..Sealed::default()
        });
        let data = AuctionData {
            product: Some(Cow::Borrowed(product.as_str())),
            seller: Some(seller.into()),
            terms: Some(Cow::Owned(public)),
            ..AuctionData::default()
        };
        self.record_auction(
            seq,
            Kind::AuctionCreated,
            seq,
            seq,
            data,
            Some(sealed),
            new.key.map(|key| Buyer {
                customer: NOBODY.into(),
                secret: None,
                key: Some(key),
                body: new.body,
            }),
        );
        if let Some(key) = new.key {
            self.new_keys.insert(key, seq);
            self.loaded.auction_bodies.insert(seq, new.body);
            self.count(seq, Some(key), CustomerHash::of(NOBODY), ProductId(0), 0);
        }
        if events.contains(&AuctionEvent::Opened) {
            self.record_life(seq, Kind::AuctionOpened, AuctionData::default());
        }
        Ok(self.made(seq, false))
    }

    fn made(&self, seq: u64, replay: bool) -> Reply {
        Reply::Made {
            auction: Box::new(self.stored(seq).clone()),
            replay,
        }
    }

    /// What the clock has to do with an auction now, in order: open, tell that the end is near,
    /// close. When bids that were admitted before the end still have no verdict it is due again.
    pub(super) fn auction_due(&mut self, id: AuctionId) -> Result<Reply, Refusal> {
        self.find_auction(id)?;
        self.open_if_due(id.seq);
        self.decide_waiting_bids(id.seq);
        let now = self.now;
        let stored = self.stored(id.seq);
        let ends_at = stored.auction.ends_at;
        if now < ends_at {
            let near = stored.due_at().is_some_and(|at| at <= now)
                && stored.closing_soon_at().is_some_and(|at| at <= now);
            if near {
                self.stored_mut(id.seq).told_closing_soon = true;
                let data = AuctionData {
                    ends_at: Some(ends_at),
                    ..AuctionData::default()
                };
                self.record_life(id.seq, Kind::AuctionClosingSoon, data);
            }
            return Ok(self.auction_reply(id.seq));
        }
        let Some(decided_until) = self.bids_decided_until(id) else {
            return Err(Refusal::BidsWaiting);
        };
        let auction = &mut self.stored_mut(id.seq).auction;
        match auction.close(now, decided_until) {
            Ok(events) => {
                for event in &events {
                    self.tell_close(id.seq, event, &events);
                }
                Ok(self.auction_reply(id.seq))
            }
            Err(refusal) => Err(Refusal::Auction(refusal)),
        }
    }

    /// Every bid that was admitted before this moment has its verdict. None when that is only known
    /// after another look, because this one cleared away all that it saw.
    fn bids_decided_until(&mut self, id: AuctionId) -> Option<Millis> {
        let now = self.now;
        let loaded = self.loaded_auction(id.seq);
        if let Some(first) = loaded.waiting.front() {
            return Some(first.admitted_at);
        }
        if loaded.stored.waiting > 0 {
            return None;
        }
        let firsts = self.clear_decided(id);
        match firsts.letter {
            Some(letter) => Some(letter.min(now)),
            None if firsts.is_full => None,
            None => Some(now),
        }
    }

    /// Takes the messages away that ask for verdicts which are there, whoever holds them: of the
    /// first ones of this auction's group, up to one that is for the worker: it brings a bid
    /// itself, or asks for one that is not there. Not while a bid of this auction waits.
    pub(super) fn clear_decided(&mut self, id: AuctionId) -> Firsts {
        let Some(queue) = self.loaded.queues.get(BIDS_QUEUE) else {
            return Firsts::default();
        };
        let partition = queue.queue.partition;
        // They stay where they are: the same may be asked again in this batch.
        let firsts = queue.group_firsts.get(&id.to_string());
        let firsts = firsts.cloned().unwrap_or_default();
        let mut found = Firsts {
            letter: None,
            is_full: firsts.len() >= crate::ports::GROUP_FIRST_MAX,
        };
        for message in firsts {
            let is_gone = matches!(self.messages.get(&(partition, message.seq)), Some(None));
            if is_gone {
                continue;
            }
            let bid = bid_of_message(&message.body).and_then(|seq| self.find_bid(seq));
            if bid.is_none_or(|bid| bid.auction != id) {
                // One that was a dead letter stands behind those that came after it.
                let came_at = message.came_at_ms(BIDS_QUEUE);
                let earlier = found.letter.unwrap_or(came_at);
                found.letter = Some(came_at.min(earlier));
            } else if found.letter.is_none() {
                self.remove(BIDS_QUEUE, &message);
            }
        }
        found
    }

    pub(super) fn cancel_auction(&mut self, id: AuctionId) -> Result<Reply, Refusal> {
        self.find_auction(id)?;
        self.decide_all_waiting(id.seq)?;
        let now = self.now;
        let auction = &mut self.stored_mut(id.seq).auction;
        let seller = auction.seller.clone();
        auction.cancel(&seller, now).map_err(Refusal::Auction)?;
        self.record_life(id.seq, Kind::AuctionCancelled, AuctionData::default());
        Ok(self.auction_reply(id.seq))
    }

    pub(super) fn after_close(&mut self, id: AuctionId, what: Aftermath) -> Result<Reply, Refusal> {
        self.find_auction(id)?;
        let now = self.now;
        if self.is_done(id, &what)? {
            return Ok(self.auction_reply(id.seq));
        }
        let bidder = match &what {
            Aftermath::Answer { bid, .. } => {
                let bid = self.find_bid_of(id, *bid)?;
                // Names are anybody's to give: whoever answers holds the id of the very bid.
                let mut awards = self.stored(id.seq).auction.awards.iter();
                let is_offer = |award: &&Award| matches!(award.status, AwardStatus::Offered { .. });
                let is_of_another = |award: &Award| award.bid != bid.id.seq;
                if awards.find(is_offer).is_some_and(is_of_another) {
                    return Err(Refusal::Auction(AuctionRefusal::NoOffer));
                }
                Some(Bidder::new(&bid.bidder).expect("a stored bid has a bidder"))
            }
            Aftermath::Settle { .. }
            | Aftermath::Forfeit { .. }
            | Aftermath::SecondChance { .. } => None,
        };
        let auction = &mut self.stored_mut(id.seq).auction;
        let events = match (what, bidder) {
            (Aftermath::Settle { bidder }, _) => auction.settle(&bidder),
            (Aftermath::Forfeit { bidder }, _) => auction.forfeit(&bidder),
            (Aftermath::SecondChance { until }, _) => auction.offer_second_chance(until, now),
            (Aftermath::Answer { accept, .. }, Some(bidder)) => {
                auction.answer_offer(&bidder, accept, now)
            }
            (Aftermath::Answer { .. }, None) => unreachable!("looked up above"),
        };
        let events = events.map_err(Refusal::Auction)?;
        self.tell_aftermath(id.seq, &events);
        Ok(self.auction_reply(id.seq))
    }

    /// Whether this was said before, and is so: whoever says it again gets the same answer.
    fn is_done(&self, id: AuctionId, what: &Aftermath) -> Result<bool, Refusal> {
        let auction = &self.stored(id.seq).auction;
        Ok(match what {
            Aftermath::Settle { bidder } => auction.has_award(bidder, AwardStatus::Settled),
            Aftermath::Forfeit { bidder } => auction.has_award(bidder, AwardStatus::Forfeited),
            Aftermath::Answer { bid, accept } => {
                let bid = self.find_bid_of(id, *bid)?;
                auction.has_answered(bid.id.seq, *accept)
            }
            Aftermath::SecondChance { .. } => false,
        })
    }

    /// Opens it if its start has come: whoever opens by the clock may be late.
    fn open_if_due(&mut self, seq: u64) {
        let now = self.now;
        if self.stored_mut(seq).auction.open(now).is_ok() {
            self.record_life(seq, Kind::AuctionOpened, AuctionData::default());
        }
    }

    fn find_auction(&mut self, id: AuctionId) -> Result<&mut StoredAuction, Refusal> {
        match self.loaded.auctions.get_mut(&id.seq) {
            Some(loaded) if loaded.stored.id() == id => Ok(&mut loaded.stored),
            Some(_) | None => Err(Refusal::AuctionNotFound),
        }
    }

    fn loaded_auction(&mut self, seq: u64) -> &mut LoadedAuction {
        self.loaded
            .auctions
            .get_mut(&seq)
            .expect("the caller has looked at this auction")
    }

    fn stored(&self, seq: u64) -> &StoredAuction {
        &self.loaded.auctions[&seq].stored
    }

    fn stored_mut(&mut self, seq: u64) -> &mut StoredAuction {
        &mut self.loaded_auction(seq).stored
    }

    fn auction_reply(&self, seq: u64) -> Reply {
        Reply::Auction(Box::new(self.stored(seq).clone()))
    }

    /// The text that is kept back, with a nonce of its own.
    fn sealed(&mut self, sealed: Sealed<'_>) -> Arc<str> {
        let nonce = hex(self.draw());
        let sealed = Sealed {
            nonce: Cow::Borrowed(std::str::from_utf8(&nonce).expect("hexadecimal")),
            ..sealed
        };
        sealed.to_json().into()
    }

    /// An entry about the auction itself.
    fn record_life(&mut self, auction: u64, kind: Kind, data: AuctionData<'_>) {
        let seq = self.next_seq();
        self.record_auction(auction, kind, seq, auction, data, None, None);
    }

    /// Writes the next entry of an auction's line.
    #[expect(clippy::too_many_arguments, reason = "the columns of an entry")]
    fn record_auction(
        &mut self,
        auction: u64,
        kind: Kind,
        seq: u64,
        subject: u64,
        mut data: AuctionData<'_>,
        sealed: Option<Arc<str>>,
        buyer: Option<Buyer>,
    ) {
        let now = self.now;
        assert!(
            self.held.get(&auction).is_none(),
            "nothing is recorded past a bid that has no entry yet"
        );
        let stored = &mut self
            .loaded
            .auctions
            .get_mut(&auction)
            .expect("the caller has looked at this auction")
            .stored;
        data.auction = Cow::Owned(stored.id().to_string());
        data.seal = sealed.as_deref().map(|text| {
            blake3::Hash::from_bytes(seal(text))
                .to_hex()
                .to_string()
                .into()
        });
        let data: Arc<str> = data.to_json().into();
        let hash = chain(&stored.last_hash, now, kind.as_str(), data.as_bytes());
        let newest = self.changes.entries.last();
        self.is_out_of_order |= newest.is_some_and(|newest| newest.seq > seq);
        self.changes.entries.push(Entry {
            seq,
            line: commerce::LineId::Auction(auction),
            prev: stored.last_seq,
            kind,
            at: now,
            subject,
            data,
            hash,
            buyer,
            sealed,
        });
        stored.last_seq = seq;
        stored.last_hash = hash;
        self.dirty_auctions.insert(auction);
    }
}
