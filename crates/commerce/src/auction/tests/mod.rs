//! Each rule by an example that can be checked by eye, then all of them at random against a
//! model that keeps every bid and computes everything anew after each step.

mod breaches;
mod certificate;
mod english;
mod formats;
mod generate;
mod life;
mod model;
mod random;
mod values;

use super::*;
use crate::Millis;
use crate::ids::Secret;
use crate::money::{Currency, Money};
use crate::text::Name;

fn money(minor: i64) -> Money {
    Money::new(minor).unwrap()
}

fn who(name: &str) -> Bidder {
    Bidder::new(name).unwrap()
}

/// English, from 10 by 2, open from 0 to 100,000, everything else absent.
fn terms() -> Terms {
    Terms {
        format: Format::English,
        currency: Currency::new("EUR").unwrap(),
        starting_price: money(10),
        increment: Increment::Fixed(money(2)),
        lots: 1,
        reserve_price: None,
        buy_now_price: None,
        starts_at: 0,
        ends_at: 100_000,
        soft_close: None,
        retraction: None,
    }
}

fn new(terms: Terms) -> NewAuction {
    NewAuction {
        seq: 7,
        secret: Secret([1; 10]),
        mask_key: MaskKey([2; MASK_KEY_BYTES]),
        seller: who("seller"),
        product: Name::new("Lamp").unwrap(),
        terms,
    }
}

/// An auction, and the log that the engine would keep of it.
struct Room {
    auction: Auction,
    taken: Vec<AdmittedBid>,
    log: Vec<verify::Entry>,
    now: Millis,
}

impl Room {
    fn new(terms: Terms) -> Self {
        let (auction, _) = Auction::create(new(terms), 0).unwrap();
        Self {
            auction,
            taken: Vec::new(),
            log: Vec::new(),
            now: 0,
        }
    }

    fn note(&mut self, events: &[AuctionEvent], buy_now: bool) {
        for event in events {
            if let AuctionEvent::BidAccepted { bid, .. } = event {
                self.taken.push(bid.clone());
                self.log.push(if buy_now {
                    verify::Entry::BuyNow(bid.clone())
                } else {
                    verify::Entry::Bid(bid.clone())
                });
            }
        }
    }

    fn try_bid(
        &mut self,
        name: &str,
        amount: i64,
        maximum: Option<i64>,
    ) -> Result<Vec<AuctionEvent>, AuctionRefusal> {
        let events = self.auction.bid(&BidCommand {
            bid: 100 + self.auction.bids,
            bidder: who(name),
            amount: money(amount),
            maximum: maximum.map(money),
            currency: None,
            admitted_at: self.now,
        })?;
        self.note(&events, false);
        Ok(events)
    }

    fn bid(&mut self, name: &str, amount: i64, maximum: i64) -> Vec<AuctionEvent> {
        self.try_bid(name, amount, Some(maximum)).unwrap()
    }

    fn try_buy_now(&mut self, name: &str) -> Result<Vec<AuctionEvent>, AuctionRefusal> {
        let events = self.auction.buy_now(&BuyNowCommand {
            bid: 100 + self.auction.bids,
            bidder: who(name),
            admitted_at: self.now,
        })?;
        self.note(&events, true);
        Ok(events)
    }

    fn try_retract(&mut self, name: &str, no: u64) -> Result<Vec<AuctionEvent>, AuctionRefusal> {
        let command = RetractCommand {
            no,
            by: who(name),
            admitted_at: self.now,
        };
        let events = self.auction.retract(&command, &self.taken)?;
        self.taken.retain(|bid| bid.no != no);
        self.log.push(verify::Entry::Retracted {
            no,
            by: who(name),
            admitted_at: self.now,
        });
        Ok(events)
    }

    /// Closes at the end, and lets the independent recomputation confirm the result.
    fn close(&mut self) -> Vec<AuctionEvent> {
        let end = self.auction.ends_at;
        let events = self.auction.close(end, end).unwrap();
        self.confirm();
        events
    }

    fn confirm(&self) {
        let outcome = verify::outcome(&self.auction.terms, &who("seller"), &self.log).unwrap();
        let winners: Vec<_> = self
            .auction
            .awards
            .iter()
            .map(|award| verify::Winner {
                bidder: award.bidder.clone(),
                no: award.no,
            })
            .collect();
        assert_eq!(outcome.winners, winners);
        let paid = self.auction.awards.first().map(|award| award.price);
        assert_eq!(outcome.price, paid.map(|price| price.minor().into()));
        assert_eq!(outcome.ends_at, self.auction.ends_at);
    }

    fn price(&self) -> i64 {
        self.auction.contest.price.minor()
    }

    /// The leaders, best first, between spaces.
    fn lead(&self) -> String {
        let leaders = self.auction.contest.leaders(&self.auction.terms).iter();
        let names: Vec<_> = leaders.map(|leader| leader.bidder.as_str()).collect();
        names.join(" ")
    }
}
