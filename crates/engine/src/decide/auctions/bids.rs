//! Bids are admitted, get their verdicts, are taken back.

use std::sync::Arc;

use commerce::auction::{
    AuctionEvent, AuctionRefusal, BidCommand, Bidder, BuyNowCommand, Format, RetractCommand,
};
use commerce::{AuctionId, BidId, Millis, Money, ProductId};
use messaging::{Deletion, ReceiptHandle};

use super::super::Batch;
use crate::auction::{
    AdmittedAs, BIDS_QUEUE, BidChange, BidRecord, BidStatus, Sealed, refusal_reason,
};
use crate::command::{BidMessage, BodyHash, KeyHash, Offer, PlaceBid, Refusal, Reply};
use crate::entry::{Buyer, Kind};

/// A bid on its way to its verdict.
struct Decision {
    bidder: Bidder,
    /// As others see the bidder, if that was worked out before.
    masked: Option<Arc<str>>,
    offer: Offer,
    admitted_at: Millis,
    key: Option<KeyHash>,
    body: BodyHash,
    first: First,
    /// A refusal is a verdict whatever its reason: the bid was admitted.
    must_answer: bool,
}

/// What a bid's first entry is.
#[derive(Debug, Clone, Copy)]
enum First {
    /// The verdict, which comes next.
    Verdict,
    /// The verdict, in the place that was kept for it when the bid was admitted.
    Held(BidId),
    /// The one that admitted it; the verdict is another.
    Placed(BidId),
}

impl First {
    /// The entry that admitted the bid, if that is another than the verdict.
    const fn placed(self) -> Option<u64> {
        match self {
            Self::Placed(bid) => Some(bid.seq),
            Self::Verdict | Self::Held(_) => None,
        }
    }
}

impl Batch {
    /// In this order, which is part of the API: the key, the auction, the number of keys, the
    /// message, then what the auction says.
    pub(in crate::decide) fn place_bid(&mut self, bid: PlaceBid) -> Result<Reply, Refusal> {
        if let Some(key) = bid.key
            && let Some(seq) = self.seq_of_key(key)
        {
            let earlier = self.find_bid(seq).ok_or(Refusal::BidNotFound)?;
            if earlier.body != bid.body {
                return Err(Refusal::KeyReused);
            }
            return Ok(reply(earlier, true));
        }
        let id = bid.auction;
        self.find_auction(id)?;
        let holder = bid.bidder.customer();
        if bid.key.is_some() {
            let held = self.loaded.key_holders.get(&holder).copied().unwrap_or(0);
            if held >= self.limits.keys_per_customer {
                return Err(Refusal::TooManyKeys {
                    limit: self.limits.keys_per_customer,
                });
            }
        }
        let admitted_at = match &bid.message {
            Some(message) => self.sent_at(message)?,
            None => self.now,
        };
        self.open_if_due(id.seq);
        self.decide_waiting_bids(id.seq);
        if !bid.defer && self.stored(id.seq).waiting > 0 {
            return Err(Refusal::BidsWaiting);
        }
        if bid.defer || bid.message.is_some() {
            let is_over = self.stored(id.seq).auction.status.is_over();
            // Of a message nobody else would be told: once the auction is over it goes to the dead
            // letters with its reason, before that it gets a verdict.
            if let Err(refusal) = self.check_admission(id.seq, &bid, admitted_at)
                && (bid.message.is_none() || is_over)
            {
                return Err(Refusal::Auction(refusal));
            }
        }
        let decision = Decision {
            admitted_at,
            key: bid.key,
            body: bid.body,
            first: First::Verdict,
            masked: None,
            must_answer: bid.message.is_some(),
            bidder: bid.bidder,
            offer: bid.offer,
        };
        let record = if bid.defer {
            self.admit_bid(id, decision)?
        } else {
            if let Some(message) = bid.message {
                self.delete_message(&message.queue, message.handle)?;
            }
            self.decide_bid(id, decision).map_err(Refusal::Auction)?
        };
        if let Some(key) = bid.key {
            self.new_keys.insert(key, record.id.seq);
            *self.loaded.key_holders.entry(holder).or_default() += 1;
            self.count(record.id.seq, bid.key, holder, ProductId(0), 0);
            self.new_bids.insert(record.id.seq, record.clone());
        }
        Ok(reply(record, false))
    }

    /// When the message came to the queue, if whoever holds it may still have it worked on.
    fn sent_at(&mut self, message: &BidMessage) -> Result<Millis, Refusal> {
        let now = self.now;
        let loaded = self.queue(&message.queue)?;
        let found = loaded.messages.get(&message.handle.seq);
        let config = &loaded.queue.config;
        let deletion = messaging::delete(config, found, message.handle.receipt, now)
            .map_err(Refusal::Queue)?;
        match (deletion, found) {
            (Deletion::Deleted, Some(found)) => Ok(found.came_at_ms(&message.queue).min(now)),
            // It was worked on before.
            (Deletion::Deleted | Deletion::Nothing, _) => Err(Refusal::BidNotFound),
        }
    }

    fn check_admission(
        &self,
        auction: u64,
        bid: &PlaceBid,
        admitted_at: Millis,
    ) -> Result<(), AuctionRefusal> {
        let auction = &self.stored(auction).auction;
        let (amount, maximum, currency) = match bid.offer {
            Offer::Amount {
                amount,
                maximum,
                currency,
            } => (amount, maximum, currency),
            Offer::BuyNow => (auction.terms.starting_price, None, None),
        };
        auction.check_admission(&BidCommand {
            bid: 0,
            bidder: bid.bidder.clone(),
            amount,
            maximum,
            currency,
            admitted_at,
        })
    }

    /// Takes a bid in whose verdict comes later.
    fn admit_bid(&mut self, id: AuctionId, decision: Decision) -> Result<BidRecord, Refusal> {
        let Offer::Amount {
            amount, maximum, ..
        } = decision.offer
        else {
            unreachable!("whoever buys now waits for the answer");
        };
        let maximum = maximum.unwrap_or(amount);
        self.queue(BIDS_QUEUE)?;
        let bid = BidId {
            seq: self.last_seq + 1,
            secret: self.draw_secret(),
        };
        let seq = self.next_seq();
        assert_eq!(seq, bid.seq, "one sequence for the entry and the id");
        let record = BidRecord::pending(AdmittedAs {
            id: bid,
            auction: id,
            bidder: decision.bidder.shared(),
            masked: self.masked(id.seq, &decision),
            amount,
            maximum,
            admitted_at: self.now,
            key: decision.key,
            body: decision.body,
        });
        if self.stored(id.seq).waiting == 0 {
            self.held.insert(id.seq, bid);
        } else {
            self.record_placed(&record);
        }
        self.asking.insert(seq, id);
        let loaded = self.loaded_auction(id.seq);
        // Only a head that is loaded whole may be appended to; otherwise the store has the bids
        // in between.
        if loaded.waiting.len() as u64 == loaded.stored.waiting {
            loaded.waiting.push_back(record.clone());
        }
        loaded.stored.waiting += 1;
        self.new_bids.insert(seq, record.clone());
        Ok(record)
    }

    /// The entry of a bid that waits for its verdict.
    fn record_placed(&mut self, bid: &BidRecord) {
        let sealed = self.sealed(Sealed {
            bidder: Some((&*bid.masked).into()),
            amount: Some(bid.amount),
            maximum: Some(bid.maximum),
            ..Sealed::default()
        });
        let buyer = Buyer {
            customer: Arc::clone(&bid.bidder),
            secret: Some(bid.id.secret),
            key: bid.key,
            body: bid.body,
        };
        let (auction, seq) = (bid.auction.seq, bid.id.seq);
        let data = crate::auction::AuctionData::default();
        let kind = Kind::BidPlaced;
        self.record_auction(auction, kind, seq, seq, data, Some(sealed), Some(buyer));
    }

    /// The end of a batch: the bids that it leaves without a verdict wait, each with a message that
    /// asks for it. One whose verdict is in the same commit needs none.
    pub(in crate::decide) fn ask_for_verdicts(&mut self) {
        let asking = std::mem::take(&mut self.asking);
        for (seq, auction) in asking {
            if let Some(held) = self.held.remove(&auction.seq) {
                assert_eq!(held.seq, seq, "what is held waits alone");
                let waiting = self.new_bids[&seq].clone();
                self.record_placed(&waiting);
            }
            self.changes.bids_waiting_added.push((auction.seq, seq));
            // Deleted by a command that came after the bid: then the next one on that auction, or
            // its close, decides.
            let Ok(loaded) = self.queue(BIDS_QUEUE) else {
                continue;
            };
            let config = loaded.queue.config.clone();
            let send = messaging::Send {
                body: format!(r#"{{"placed":{seq},"auctionId":"{auction}"}}"#),
                group: Some(auction.to_string()),
                deduplication: Some(format!("placed-{seq}")),
                ..messaging::Send::default()
            };
            self.send_unique(BIDS_QUEUE, &config, send)
                .expect("an own message is one that the queue takes");
        }
    }

    /// Verdicts on the deferred bids that are loaded: all of them, or as many as one command
    /// decides.
    pub(super) fn decide_waiting_bids(&mut self, auction: u64) {
        while let Some(waiting) = self.loaded_auction(auction).waiting.pop_front() {
            self.stored_mut(auction).waiting -= 1;
            if self.asking.remove(&waiting.id.seq).is_none() {
                let removed = &mut self.changes.bids_waiting_removed;
                removed.push((auction, waiting.id.seq));
            }
            let held = self.held.remove(&auction);
            let is_held = held.is_some();
            assert!(
                held.is_none_or(|held| held == waiting.id),
                "what is held waits alone"
            );
            let decision = Decision {
                bidder: Bidder::from_stored(waiting.bidder),
                masked: Some(waiting.masked),
                offer: Offer::Amount {
                    amount: waiting.amount,
                    maximum: Some(waiting.maximum),
                    currency: None,
                },
                admitted_at: waiting.admitted_at,
                key: waiting.key.filter(|_| is_held),
                body: if is_held { waiting.body } else { BodyHash(0) },
                first: if is_held {
                    First::Held(waiting.id)
                } else {
                    First::Placed(waiting.id)
                },
                must_answer: true,
            };
            let mut record = self
                .decide_bid(waiting.auction, decision)
                .expect("a bid that was admitted gets a verdict");
            (record.key, record.body) = (waiting.key, waiting.body);
            if !is_held {
                self.changes.bid_changes.push(BidChange {
                    bid: waiting.id.seq,
                    verdict: record.last_seq,
                    retracted_at: None,
                    last_seq: record.last_seq,
                });
            }
            self.new_bids.insert(waiting.id.seq, record);
        }
    }

    /// For commands that must not overtake a bid.
    pub(super) fn decide_all_waiting(&mut self, auction: u64) -> Result<(), Refusal> {
        self.decide_waiting_bids(auction);
        if self.stored(auction).waiting > 0 {
            return Err(Refusal::BidsWaiting);
        }
        Ok(())
    }

    /// The verdict. A bid that is too low gets one too; what else is refused of a bid that
    /// nobody has admitted is stored nowhere.
    fn decide_bid(
        &mut self,
        id: AuctionId,
        decision: Decision,
    ) -> Result<BidRecord, AuctionRefusal> {
        let bid = match decision.first {
            First::Verdict => self.last_seq + 1,
            First::Held(bid) | First::Placed(bid) => bid.seq,
        };
        let auction = &mut self.loaded_auction(id.seq).stored.auction;
        let (answer, amount, maximum) = match decision.offer {
            Offer::Amount {
                amount,
                maximum,
                currency,
            } => {
                let command = BidCommand {
                    bid,
                    bidder: decision.bidder.clone(),
                    amount,
                    maximum,
                    currency,
                    admitted_at: decision.admitted_at,
                };
                let answer = auction.bid(&command);
                (answer, amount, maximum.unwrap_or(amount))
            }
            Offer::BuyNow => {
                let price = auction
                    .open_buy_now()
                    .unwrap_or(auction.terms.starting_price);
                let command = BuyNowCommand {
                    bid,
                    bidder: decision.bidder.clone(),
                    admitted_at: decision.admitted_at,
                };
                (auction.buy_now(&command), price, price)
            }
        };
        let is_verdict = |refusal: &AuctionRefusal| {
            decision.must_answer || matches!(refusal, AuctionRefusal::TooLow { .. })
        };
        match answer {
            Ok(events) => Ok(self.accepted_bid(id, &decision, amount, maximum, &events)),
            Err(refusal) if is_verdict(&refusal) => {
                Ok(self.refused_bid(id, &decision, amount, maximum, &refusal))
            }
            Err(refusal) => Err(refusal),
        }
    }

    fn masked(&self, auction: u64, decision: &Decision) -> Arc<str> {
        let known = decision.masked.clone();
        known.unwrap_or_else(|| self.stored(auction).mask(&decision.bidder).into())
    }

    /// Where the verdict stands in the log, and the bid's id.
    fn place_of(&mut self, first: First) -> (u64, BidId) {
        match first {
            First::Verdict => {
                let (seq, secret) = (self.next_seq(), self.draw_secret());
                (seq, BidId { seq, secret })
            }
            First::Held(bid) => (bid.seq, bid),
            First::Placed(bid) => (self.next_seq(), bid),
        }
    }

    fn buyer(decision: &Decision, bid: BidId) -> Buyer {
        Buyer {
            customer: decision.bidder.shared(),
            secret: decision.first.placed().is_none().then_some(bid.secret),
            key: decision.key,
            body: decision.body,
        }
    }

    fn accepted_bid(
        &mut self,
        id: AuctionId,
        decision: &Decision,
        amount: Money,
        maximum: Money,
        events: &[AuctionEvent],
    ) -> BidRecord {
        let (seq, bid) = self.place_of(decision.first);
        let masked = self.masked(id.seq, decision);
        let stored = self.stored(id.seq);
        let mut data = super::tell::bid_data(stored, events);
        let ends_at = stored.auction.ends_at;
        let no = stored.auction.bids;
        let prev_bid = stored.last_bid;
        // There is no reserve in this format: whoever takes the lot has it.
        let won = matches!(stored.auction.terms.format, Format::Dutch { .. });
        if !stored.auction.terms.format.is_sealed() {
            data.amount = Some(amount);
        }
        data.bidder = Some((&*masked).into());
        data.placed = decision.first.placed();
        data.buy_now = matches!(decision.offer, Offer::BuyNow).then_some(true);
        data.prev_bid = (prev_bid > 0).then_some(prev_bid);
        data.won = won.then_some(true);
        let sealed = self.sealed(Sealed {
            no: Some(no),
            bidder: Some((&*masked).into()),
            amount: Some(amount),
            maximum: Some(maximum),
            admitted_at: Some(decision.admitted_at),
            ..Sealed::default()
        });
        let (price, leading) = (data.price, data.leading);
        let extended = data.extended == Some(true);
        let buyer = Self::buyer(decision, bid);
        let kind = Kind::BidAccepted;
        self.record_auction(id.seq, kind, seq, bid.seq, data, Some(sealed), Some(buyer));
        self.stored_mut(id.seq).last_bid = seq;
        self.add_standing(id.seq, events);
        if extended {
            // What was told of the end is no longer so.
            self.stored_mut(id.seq).told_closing_soon = false;
        }
        for event in events {
            self.tell_close(id.seq, event, events);
        }
        let buy_now = matches!(decision.offer, Offer::BuyNow);
        BidRecord {
            buy_now,
            won: won || buy_now,
            status: BidStatus::Accepted,
            no: Some(no),
            price,
            leading,
            ends_at: Some(ends_at),
            ..self.record_of(id, decision, bid, masked, amount, maximum, seq)
        }
    }

    fn refused_bid(
        &mut self,
        id: AuctionId,
        decision: &Decision,
        amount: Money,
        maximum: Money,
        refusal: &AuctionRefusal,
    ) -> BidRecord {
        let (seq, bid) = self.place_of(decision.first);
        let masked = self.masked(id.seq, decision);
        let stored = self.stored(id.seq);
        let reason = refusal_reason(refusal);
        let mut data = super::tell::refusal_data(stored, refusal);
        if !stored.auction.terms.format.is_sealed() {
            data.amount = Some(amount);
        }
        data.bidder = Some((&*masked).into());
        data.reason = Some(reason.into());
        data.placed = decision.first.placed();
        let (price, least, ends_at) = (data.price, data.least, data.ends_at);
        let sealed = self.sealed(Sealed {
            bidder: Some((&*masked).into()),
            amount: Some(amount),
            maximum: Some(maximum),
            admitted_at: Some(decision.admitted_at),
            ..Sealed::default()
        });
        let buyer = Self::buyer(decision, bid);
        let kind = Kind::BidRefused;
        self.record_auction(id.seq, kind, seq, bid.seq, data, Some(sealed), Some(buyer));
        BidRecord {
            status: BidStatus::Refused,
            reason: Some(reason.into()),
            price,
            least,
            ends_at,
            ..self.record_of(id, decision, bid, masked, amount, maximum, seq)
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a bid")]
    fn record_of(
        &self,
        auction: AuctionId,
        decision: &Decision,
        id: BidId,
        masked: Arc<str>,
        amount: Money,
        maximum: Money,
        seq: u64,
    ) -> BidRecord {
        BidRecord {
            decided_at: Some(self.now),
            last_seq: seq,
            ..BidRecord::pending(AdmittedAs {
                id,
                auction,
                bidder: decision.bidder.shared(),
                masked,
                amount,
                maximum,
                admitted_at: decision.admitted_at,
                key: decision.key,
                body: decision.body,
            })
        }
    }

    /// A retraction in the same batch replays this bid too.
    fn add_standing(&mut self, auction: u64, events: &[AuctionEvent]) {
        let Some(standing) = &mut self.loaded_auction(auction).standing else {
            return;
        };
        for event in events {
            if let AuctionEvent::BidAccepted { bid, .. } = event {
                standing.push(bid.clone());
            }
        }
    }

    /// The worker's command: verdicts, and the messages that asked for them are gone. Without
    /// messages, after a start: those go that a worker held which is gone. They would hold back
    /// all that stand behind them, until their time-out.
    pub(in crate::decide) fn decide_bids(
        &mut self,
        id: AuctionId,
        queue: &str,
        messages: Vec<(u64, ReceiptHandle)>,
    ) -> Result<Reply, Refusal> {
        self.find_auction(id)?;
        self.open_if_due(id.seq);
        self.decide_waiting_bids(id.seq);
        if messages.is_empty() {
            self.decide_all_waiting(id.seq)?;
            self.clear_decided(id);
        }
        let mut deleted = 0;
        for (seq, handle) in messages {
            let bid = self.find_bid(seq).filter(|bid| bid.auction == id);
            match bid {
                // It has its place behind those that were decided; the message comes again.
                Some(bid) if bid.status == BidStatus::Pending => {}
                Some(_) => {
                    // Somebody else may have it by now, or have deleted it: that is fine too.
                    if let Ok(Reply::Count(count)) = self.delete_message(queue, handle) {
                        deleted += count;
                    }
                }
                None => return Err(Refusal::BidNotFound),
            }
        }
        Ok(Reply::Count(deleted))
    }

    pub(in crate::decide) fn retract_bid(
        &mut self,
        id: AuctionId,
        bid: BidId,
    ) -> Result<Reply, Refusal> {
        self.find_auction(id)?;
        self.decide_all_waiting(id.seq)?;
        let record = self.find_bid_of(id, bid)?;
        let Some(no) = record.no else {
            return Err(Refusal::Auction(AuctionRefusal::NoSuchBid));
        };
        let command = RetractCommand {
            no,
            by: Bidder::new(&record.bidder).expect("a stored bid has a bidder"),
            admitted_at: self.now,
        };
        let now = self.now;
        let loaded = self.loaded_auction(id.seq);
        let auction = &loaded.stored.auction;
        auction.check_replay(now).map_err(Refusal::Auction)?;
        let bids = auction.bids;
        let Some(standing) = &mut loaded.standing else {
            // The clock of the batch is ahead of the one that it was loaded by.
            return Err(Refusal::Auction(AuctionRefusal::TooManyBids { bids }));
        };
        let events = loaded
            .stored
            .auction
            .retract(&command, standing)
            .map_err(Refusal::Auction)?;
        standing.retain(|bid| bid.no != no);
        let data = super::tell::retraction_data(&loaded.stored, &events);
        let seq = self.next_seq();
        self.record_auction(id.seq, Kind::BidRetracted, seq, bid.seq, data, None, None);
        let record = BidRecord {
            retracted_at: Some(self.now),
            last_seq: seq,
            ..record
        };
        let verdict = self.verdict_of(&record);
        self.changes.bid_changes.push(BidChange {
            bid: bid.seq,
            verdict,
            retracted_at: record.retracted_at,
            last_seq: seq,
        });
        self.new_bids.insert(bid.seq, record.clone());
        Ok(reply(record, false))
    }

    /// The entry with the verdict on a bid that was taken and not retracted before.
    fn verdict_of(&self, bid: &BidRecord) -> u64 {
        let known = self.new_bids.get(&bid.id.seq);
        let known = known.or_else(|| self.loaded.bids.get(&bid.id.seq));
        known.map_or(bid.id.seq, |known| known.last_seq)
    }

    pub(super) fn find_bid(&self, seq: u64) -> Option<BidRecord> {
        self.new_bids
            .get(&seq)
            .or_else(|| self.loaded.bids.get(&seq))
            .cloned()
    }

    pub(super) fn find_bid_of(&self, auction: AuctionId, id: BidId) -> Result<BidRecord, Refusal> {
        self.find_bid(id.seq)
            .filter(|bid| bid.id == id && bid.auction == auction)
            .ok_or(Refusal::BidNotFound)
    }
}

fn reply(bid: BidRecord, replay: bool) -> Reply {
    Reply::Bid {
        bid: Box::new(bid),
        replay,
    }
}
