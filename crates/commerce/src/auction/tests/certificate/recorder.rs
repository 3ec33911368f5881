//! Drives the state machine and writes the log that the engine would write.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

use super::lines::{Line, Lines};
use super::*;
use crate::ids::AuctionId;

pub(super) struct Recorder {
    pub(super) auction: Auction,
    pub(super) lines: Lines,
    pub(super) now: Millis,
    seq: u64,
    last_bid: Option<u64>,
    standing: Vec<AdmittedBid>,
    /// Deferred bids and the entries that placed them.
    pub(super) waiting: VecDeque<(u64, BidCommand)>,
    pub(super) refused: u64,
    pub(super) on_trust: u64,
    pub(super) winners: Vec<(String, u64, i64)>,
}

/// How a bid comes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    Direct,
    /// Put into the queue by the server, with a `bid.placed`.
    Deferred,
    /// Put into the queue by somebody else, so long ago.
    Message(Millis),
}

/// Leaves out what has no value, as the log does.
fn without_nulls(value: Value) -> Value {
    let Value::Object(fields) = value else {
        panic!("an object");
    };
    let there = fields.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(there.collect::<Map<_, _>>())
}

impl Recorder {
    pub(super) fn new(terms: Terms) -> Self {
        let new = new(terms);
        let id = AuctionId {
            seq: new.seq,
            secret: new.secret,
        };
        let (auction, events) = Auction::create(new, 0).unwrap();
        let mut shown = auction.terms.clone();
        let reserve = shown.reserve_price.take();
        let mut recorder = Self {
            seq: auction.seq,
            lines: Lines {
                auction: id.to_string(),
                all: Vec::new(),
            },
            now: 0,
            last_bid: None,
            standing: Vec::new(),
            waiting: VecDeque::new(),
            refused: 0,
            on_trust: 0,
            winners: Vec::new(),
            auction,
        };
        let seller = recorder.mask(&recorder.auction.seller);
        recorder.write(
            "auction.created",
            json!({"product": "Lamp \"A\"\u{1}", "seller": seller, "terms": shown}),
            Some(json!({"reservePrice": reserve})),
        );
        recorder.opened(&events);
        recorder
    }

    pub(super) fn mask(&self, bidder: &Bidder) -> String {
        self.auction.show_bidder(bidder, None).name
    }

    fn masks<'a>(&self, bidders: impl Iterator<Item = &'a Bidder>) -> Value {
        let masks: Vec<_> = bidders.map(|bidder| self.mask(bidder)).collect();
        if masks.is_empty() {
            Value::Null
        } else {
            json!(masks)
        }
    }

    pub(super) fn write(&mut self, kind: &'static str, data: Value, sealed: Option<Value>) -> u64 {
        let seq = self.seq;
        let mut data = without_nulls(data);
        data["auction"] = self.lines.auction.clone().into();
        let sealed = sealed.map(|mut sealed| {
            sealed["nonce"] = format!("{:032x}", u128::from(seq) << 77 | 0x1f2e_3d4c).into();
            without_nulls(sealed)
        });
        self.lines.all.push(Line {
            seq,
            kind,
            at: self.now,
            data,
            sealed,
        });
        // Other lines have entries too.
        self.seq += 1 + seq % 3;
        seq
    }

    pub(super) fn opened(&mut self, events: &[AuctionEvent]) {
        if events.contains(&AuctionEvent::Opened) {
            self.write("auction.opened", json!({}), None);
        }
    }

    fn sealed(bid: &BidCommand, no: Option<u64>) -> Value {
        json!({
            "no": no,
            "bidder": "",
            "amount": bid.amount,
            "maximum": bid.maximum.unwrap_or(bid.amount),
            "admittedAt": bid.admitted_at,
        })
    }

    fn is_sealed(&self) -> bool {
        matches!(
            self.auction.terms.format,
            Format::SealedFirst | Format::SealedSecond
        )
    }

    pub(super) fn bid(&mut self, name: &str, amount: i64, maximum: Option<i64>, way: Way) {
        let lag = match way {
            Way::Direct | Way::Deferred => 0,
            Way::Message(lag) => lag,
        };
        let command = BidCommand {
            bid: self.seq,
            bidder: who(name),
            amount: money(amount),
            maximum: maximum.map(money),
            currency: None,
            admitted_at: self.now - lag,
        };
        if let Way::Deferred = way {
            let sealed = json!({
                "bidder": self.mask(&command.bidder),
                "amount": command.amount,
                "maximum": command.maximum.unwrap_or(command.amount),
            });
            let seq = self.write("bid.placed", json!({}), Some(sealed));
            self.waiting.push_back((seq, command));
        } else {
            self.decide_all();
            self.decide(&command, None, matches!(way, Way::Message(_)));
        }
    }

    /// Whatever else is asked of the auction comes after the bids that wait.
    fn decide_all(&mut self) {
        while self.decide_next() {}
    }

    pub(super) fn decide_next(&mut self) -> bool {
        let Some((placed, command)) = self.waiting.pop_front() else {
            return false;
        };
        self.decide(&command, Some(placed), true);
        true
    }

    fn decide(&mut self, command: &BidCommand, placed: Option<u64>, queued: bool) {
        let decided = self.auction.bid(command);
        let told = match decided {
            Ok(events) => {
                self.accept(command, &events, placed, false);
                true
            }
            Err(AuctionRefusal::TooLow { .. }) => self.refuse(command, decided, placed),
            Err(_) => queued && self.refuse(command, decided, placed),
        };
        let late = placed.is_none() && command.admitted_at < self.now;
        self.on_trust += u64::from(told && late);
    }

    /// At once, or by a message that was sent so long ago.
    pub(super) fn buy_now(&mut self, name: &str, way: Way) {
        self.decide_all();
        let lag = match way {
            Way::Direct | Way::Deferred => 0,
            Way::Message(lag) => lag,
        };
        let price = self.auction.open_buy_now();
        let bid = BidCommand {
            bid: self.seq,
            bidder: who(name),
            amount: price.unwrap_or(self.auction.terms.starting_price),
            maximum: None,
            currency: None,
            admitted_at: self.now - lag,
        };
        let decided = self.auction.buy_now(&BuyNowCommand {
            bid: bid.bid,
            bidder: bid.bidder.clone(),
            admitted_at: bid.admitted_at,
        });
        let told = match decided {
            Ok(events) => {
                self.accept(&bid, &events, None, true);
                true
            }
            Err(_) => matches!(way, Way::Message(_)) && self.refuse(&bid, decided, None),
        };
        self.on_trust += u64::from(told && lag > 0);
    }

    fn accept(
        &mut self,
        command: &BidCommand,
        events: &[AuctionEvent],
        placed: Option<u64>,
        buy_now: bool,
    ) {
        self.opened(events);
        let has = |wanted: fn(&AuctionEvent) -> bool| events.iter().any(wanted).then_some(true);
        let outbid = events.iter().filter_map(|event| match event {
            AuctionEvent::Outbid { bidder, .. } => Some(bidder),
            _ => None,
        });
        let outbid = self.masks(outbid);
        let accepted = events.iter().find_map(|event| match event {
            AuctionEvent::BidAccepted {
                bid,
                raise,
                price,
                leading,
            } => Some((bid.clone(), *raise, *price, *leading)),
            _ => None,
        });
        let (bid, raise, price, leading) = accepted.unwrap();
        let mut sealed = Self::sealed(command, Some(bid.no));
        let name = self.mask(&command.bidder);
        sealed["bidder"] = name.clone().into();
        let data = json!({
            "no": bid.no,
            "bidder": name,
            "amount": (!self.is_sealed()).then_some(bid.amount),
            "price": price,
            "leading": leading,
            "raise": raise.then_some(true),
            "buyNow": buy_now.then_some(true),
            "outbid": outbid,
            "endsAt": self.auction.ends_at,
            "extended": has(|event| matches!(event, AuctionEvent::Extended { .. })),
            "reserveMet": has(|event| matches!(event, AuctionEvent::ReserveMet { .. })),
            "bids": self.auction.bids_standing,
            "placed": placed,
            "prevBid": self.last_bid,
        });
        self.last_bid = Some(self.write("bid.accepted", data, Some(sealed)));
        self.standing.push(bid);
        self.closed(events);
    }

    fn refuse(
        &mut self,
        command: &BidCommand,
        decided: Result<Vec<AuctionEvent>, AuctionRefusal>,
        placed: Option<u64>,
    ) -> bool {
        let (reason, price, least) = match decided.unwrap_err() {
            AuctionRefusal::TooLow { price, least } => ("too_low", price, least),
            AuctionRefusal::Late { price, .. } => ("late", price, None),
            AuctionRefusal::Closed { price } => ("closed", price, None),
            AuctionRefusal::Cancelled => ("cancelled", None, None),
            AuctionRefusal::NotOpenYet { .. } => ("not_open_yet", None, None),
            AuctionRefusal::OwnLot => ("own_lot", None, None),
            AuctionRefusal::NoMaximum => ("no_maximum", None, None),
            AuctionRefusal::MaximumBelowBid => ("maximum_below_bid", None, None),
            AuctionRefusal::NoBuyNow { price, least } => ("no_buy_now", price, least),
            other => panic!("{other:?}"),
        };
        let name = self.mask(&command.bidder);
        let mut sealed = Self::sealed(command, None);
        sealed["bidder"] = name.clone().into();
        let data = json!({
            "bidder": name,
            "amount": (!self.is_sealed()).then_some(command.amount),
            "reason": reason,
            "price": price,
            "least": least,
            "endsAt": self.auction.ends_at,
            "placed": placed,
        });
        self.write("bid.refused", data, Some(sealed));
        self.refused += 1;
        true
    }

    pub(super) fn retract(&mut self, no: u64) {
        self.decide_all();
        let Some(bid) = self.standing.iter().find(|bid| bid.no == no) else {
            return;
        };
        let command = RetractCommand {
            no,
            by: bid.bidder.clone(),
            admitted_at: self.now,
        };
        let Ok(events) = self.auction.retract(&command, &self.standing) else {
            return;
        };
        self.standing.retain(|bid| bid.no != no);
        let mut data = json!({
            "no": no,
            "bidder": self.mask(&command.by),
            "bids": self.auction.bids_standing,
        });
        let of = |wanted: fn(&AuctionEvent) -> Option<&Bidder>| events.iter().filter_map(wanted);
        data["outbid"] = self.masks(of(|event| match event {
            AuctionEvent::Outbid { bidder, .. } => Some(bidder),
            _ => None,
        }));
        data["regained"] = self.masks(of(|event| match event {
            AuctionEvent::Regained { bidder, .. } => Some(bidder),
            _ => None,
        }));
        if let AuctionEvent::Retracted {
            price, reserve_met, ..
        } = events[0]
        {
            data["price"] = json!(price);
            data["reserveMet"] = json!(reserve_met);
        }
        self.write("bid.retracted", data, None);
    }

    pub(super) fn closing_soon(&mut self) {
        if self.auction.status == AuctionStatus::Open {
            let data = json!({"endsAt": self.auction.ends_at});
            self.write("auction.closing_soon", data, None);
        }
    }

    pub(super) fn cancel(&mut self) {
        let seller = who("seller");
        self.decide_all();
        if self.auction.cancel(&seller, self.now).is_ok() {
            self.write("auction.cancelled", json!({}), None);
        }
    }
}
