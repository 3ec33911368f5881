//! The close and what comes after it, as the engine would write them.

use serde_json::json;

use super::recorder::Recorder;
use super::*;

impl Recorder {
    /// Waits for the end, decides what came before it, and closes.
    pub(super) fn close(&mut self) {
        while self.auction.closed_at.is_none() {
            let ends_at = self.auction.ends_at;
            self.now = self.now.max(ends_at);
            let due = |(_, bid): &(u64, BidCommand)| bid.admitted_at < ends_at;
            if self.waiting.front().is_some_and(due) {
                self.decide_next();
                continue;
            }
            let events = self.auction.close(self.now, self.now).unwrap();
            self.opened(&events);
            self.closed(&events);
        }
    }

    pub(super) fn closed(&mut self, events: &[AuctionEvent]) {
        let closed = events.iter().find_map(|event| match event {
            AuctionEvent::Closed {
                reason,
                price,
                winners,
            } => Some((reason, price, winners)),
            _ => None,
        });
        let Some((reason, price, winners)) = closed else {
            return;
        };
        let unsold = events.iter().find_map(|event| match event {
            AuctionEvent::Unsold { reason } => Some(reason),
            _ => None,
        });
        let winner = |award: &Award| {
            let name = self.mask(&award.bidder);
            (name, award.no, award.price.minor())
        };
        self.winners = winners.iter().map(winner).collect();
        let winner = |(bidder, no, price): &(String, u64, i64)| json!({"bidder": bidder, "no": no, "price": price});
        let winners: Vec<_> = self.winners.iter().map(winner).collect();
        let data = json!({
            "status": self.auction.status,
            "reason": reason,
            "unsoldReason": unsold,
            "price": price,
            "winners": winners,
            "endsAt": self.auction.ends_at,
            "bids": self.auction.bids_standing,
        });
        self.write("auction.closed", data, None);
    }

    fn holder(&self, status: AwardStatus) -> Option<(Bidder, Money)> {
        let mut awards = self.auction.awards.iter();
        let award = awards.find(|award| award.status == status)?;
        Some((award.bidder.clone(), award.price))
    }

    pub(super) fn settle(&mut self) {
        if let Some((bidder, price)) = self.holder(AwardStatus::Won) {
            self.auction.settle(&bidder).unwrap();
            let status = self.auction.status;
            let bidder = self.mask(&bidder);
            let data = json!({"bidder": bidder, "price": price, "status": status});
            self.write("auction.settled", data, None);
        }
    }

    pub(super) fn forfeit(&mut self) {
        if let Some((bidder, _)) = self.holder(AwardStatus::Won) {
            self.auction.forfeit(&bidder).unwrap();
            let bidder = self.mask(&bidder);
            let data = json!({"bidder": bidder, "status": self.auction.status});
            self.write("auction.forfeited", data, None);
        }
    }

    pub(super) fn offer(&mut self, until: Millis) {
        let Ok(events) = self.auction.offer_second_chance(until, self.now) else {
            return;
        };
        let mut data = json!({});
        for event in &events {
            match event {
                AuctionEvent::OfferDeclined { bidder } => {
                    data["declined"] = self.mask(bidder).into();
                }
                AuctionEvent::Offered {
                    bidder,
                    price,
                    until,
                } => {
                    data["bidder"] = self.mask(bidder).into();
                    data["price"] = json!(price);
                    data["until"] = json!(until);
                }
                other => panic!("{other:?}"),
            }
        }
        self.write("auction.offered", data, None);
    }

    pub(super) fn answer(&mut self, accept: bool) {
        let awards = self.auction.awards.iter();
        let mut offered = awards.filter(|a| matches!(a.status, AwardStatus::Offered { .. }));
        let Some(award) = offered.next().cloned() else {
            return;
        };
        let answered = self.auction.answer_offer(&award.bidder, accept, self.now);
        if answered.is_ok() {
            let data = json!({
                "bidder": self.mask(&award.bidder),
                "accepted": accept,
                "price": accept.then_some(award.price),
                "status": self.auction.status,
            });
            self.write("auction.offer_answered", data, None);
        }
    }
}
