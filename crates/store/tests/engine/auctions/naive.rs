//! The naive model of `commerce`, which knows neither the state machine nor the replay of the audit,
//! asked about every decision of a log: each bid as it was admitted, in the order of the log.

use std::collections::HashMap;

use engine::Entry;
use engine::auction::AuctionData;
use engine::ports::Reader;

use super::*;

/// The rules read out loud; the same file as there.
#[path = "../../../../commerce/src/auction/tests/model.rs"]
mod model;

use model::{Model, ModelBid};

/// Asks it about every auction there is.
pub(super) fn check(reader: &dyn Reader) {
    let mut lines: HashMap<u64, Vec<Entry>> = HashMap::new();
    for entry in reader.entries(0, usize::MAX >> 1).unwrap() {
        if let Some(auction) = entry.line.auction() {
            lines.entry(auction).or_default().push(entry);
        }
    }
    for stored in reader.auctions(None, None, usize::MAX).unwrap() {
        let mut judge = Judge {
            model: Model::new(stored.auction.terms.clone()),
            names: HashMap::new(),
            stored: &stored,
        };
        for entry in &lines[&stored.auction.seq] {
            judge.look(entry);
        }
    }
}

struct Judge<'a> {
    model: Model,
    /// Real names by those that the log shows: the model has names that live for ever.
    names: HashMap<String, &'static str>,
    stored: &'a StoredAuction,
}

impl Judge<'_> {
    fn name(&mut self, bidder: &str) -> &'static str {
        let masked = self.stored.mask(&who(bidder));
        self.names
            .entry(masked)
            .or_insert_with(|| Box::leak(bidder.to_owned().into_boxed_str()))
    }

    fn look(&mut self, entry: &Entry) {
        let data = entry.auction_data();
        match entry.kind {
            Kind::BidAccepted | Kind::BidRefused => self.verdict(entry, &data),
            Kind::BidRetracted => {
                let no = usize::try_from(data.no.unwrap()).unwrap();
                let by = self.model.bids[no - 1].who;
                let taken_back = self.model.retract(by, no, entry.at);
                assert_eq!(taken_back, Ok(()), "{entry:?}");
                self.shown(entry, &data);
            }
            Kind::AuctionClosed => self.closed(entry, &data),
            _ => {}
        }
    }

    fn verdict(&mut self, entry: &Entry, data: &AuctionData<'_>) {
        let sealed = entry.sealed().unwrap();
        let bid = ModelBid {
            who: self.name(&entry.buyer.as_ref().unwrap().customer),
            amount: sealed.amount.unwrap().minor(),
            maximum: sealed.maximum.unwrap().minor(),
            at: sealed.admitted_at.unwrap(),
            retracted: false,
        };
        let reason = data.reason.as_deref();
        let is_buy_now = data.buy_now == Some(true) || reason == Some("no_buy_now");
        let expected = match reason {
            None => Ok(()),
            Some("closed") => Err("closed".to_owned()),
            Some("late") => Err("late".to_owned()),
            Some("not_open_yet") => Err("early".to_owned()),
            Some("own_lot") => Err("own lot".to_owned()),
            Some("no_buy_now") => Err("no buy-now".to_owned()),
            Some("too_low") => Err(match data.least {
                Some(least) => format!("too low: {}", least.minor()),
                None => "too low: none".to_owned(),
            }),
            // What is wrong with a bid by itself the model is not asked.
            Some("no_maximum" | "maximum_below_bid" | "wrong_currency" | "cancelled") => return,
            Some(other) => panic!("{other}"),
        };
        let answer = if is_buy_now {
            self.model.buy_now(bid.who, bid.at)
        } else {
            self.model.bid(bid)
        };
        assert_eq!(answer, expected, "{entry:?}");
        if reason.is_none() {
            assert_eq!(data.no, Some(self.model.bids.len() as u64));
            self.shown(entry, data);
        }
    }

    /// Price and end, where they are shown.
    fn shown(&self, entry: &Entry, data: &AuctionData<'_>) {
        if let Some(price) = data.price {
            assert_eq!(price.minor(), self.model.price(), "{entry:?}");
        }
        assert_eq!(data.ends_at, Some(self.model.ends_at), "{entry:?}");
    }

    fn closed(&mut self, entry: &Entry, data: &AuctionData<'_>) {
        self.model.over = true;
        let winners = data.winners.iter().flatten();
        let shown: Vec<_> = winners
            .map(|winner| {
                let name = self.names[&*winner.bidder];
                (
                    name,
                    usize::try_from(winner.no).unwrap(),
                    winner.price.minor(),
                )
            })
            .collect();
        assert_eq!(shown, self.model.result(), "{entry:?}");
        assert_eq!(data.ends_at, Some(self.model.ends_at));
    }
}
