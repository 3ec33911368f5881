//! Bids and buy-now: what is refused, in which order, and what follows from what is not.

use super::bidder::Bidder;
use super::event::{AuctionEvent, AuctionRefusal, CloseReason};
use super::state::{AdmittedBid, Auction, AuctionStatus};
use super::terms::Format;
use crate::Millis;
use crate::money::{Currency, Money};

/// A bid at the door.
#[derive(Debug, Clone)]
pub struct BidCommand {
    /// The sequence that the bid's id will carry.
    pub bid: u64,
    pub bidder: Bidder,
    pub amount: Money,
    /// Without one the bid stands at its amount.
    pub maximum: Option<Money>,
    /// Without one, the auction's.
    pub currency: Option<Currency>,
    /// When it was durably taken in.
    pub admitted_at: Millis,
}

/// Somebody takes the lot at its buy-now price.
#[derive(Debug, Clone)]
pub struct BuyNowCommand {
    pub bid: u64,
    pub bidder: Bidder,
    pub admitted_at: Millis,
}

impl Auction {
    /// Refusals come first, in this order: wrong currency, no maximum in this format, maximum
    /// below the bid; cancelled, closed, not open yet, late, own lot, too low.
    pub fn bid(&mut self, command: &BidCommand) -> Result<Vec<AuctionEvent>, AuctionRefusal> {
        let maximum = self.check_shape(command)?;
        self.check_door(&command.bidder, command.admitted_at)?;
        let raise = self.check_amount(command, maximum)?;

        let mut events = Vec::with_capacity(3);
        let bid = self.take(command, maximum, &mut events);
        let led = self.leaders();
        let reserve_was_met = self.contest.reserve_met;
        self.contest.apply(&self.terms, &bid);
        self.tell_bid(&bid, raise, &mut events);
        self.tell_outbid(&led, &mut events);
        if self.contest.reserve_met && !reserve_was_met && !self.is_sealed() {
            let price = self.contest.price;
            events.push(AuctionEvent::ReserveMet { price });
        }
        if !raise {
            self.extend(&bid, &mut events);
        }
        if let Format::Dutch { .. } = self.terms.format {
            self.end(CloseReason::Taken, bid.admitted_at, &mut events);
        }
        Ok(events)
    }

    /// Refusals come first: cancelled, closed, not open yet, late, own lot, no buy-now.
    pub fn buy_now(
        &mut self,
        command: &BuyNowCommand,
    ) -> Result<Vec<AuctionEvent>, AuctionRefusal> {
        self.check_door(&command.bidder, command.admitted_at)?;
        let Some(price) = self.open_buy_now() else {
            return Err(AuctionRefusal::NoBuyNow {
                price: self.shown_price(command.admitted_at),
                least: self.least_valid(Some(&command.bidder), command.admitted_at),
            });
        };
        let mut events = Vec::with_capacity(4);
        let bid = BidCommand {
            bid: command.bid,
            bidder: command.bidder.clone(),
            amount: price,
            maximum: None,
            currency: None,
            admitted_at: command.admitted_at,
        };
        let bid = self.take(&bid, price, &mut events);
        let led = self.leaders();
        self.contest.buy_now(&self.terms, &bid);
        self.tell_bid(&bid, false, &mut events);
        self.tell_outbid(&led, &mut events);
        self.end(CloseReason::BoughtNow, bid.admitted_at, &mut events);
        Ok(events)
    }

    /// The buy-now price, while somebody may take it.
    pub fn open_buy_now(&self) -> Option<Money> {
        let price = self.terms.buy_now_price?;
        let reached = self
            .contest
            .standing
            .first()
            .is_some_and(|first| first.maximum >= price);
        (!self.status.is_over() && !reached && !self.contest.reserve_met).then_some(price)
    }

    /// The least bid that is not too low; none if no amount is that high. A leader's is one
    /// that bids over the own; to raise only the maximum, see the module.
    pub fn least_valid(&self, bidder: Option<&Bidder>, at: Millis) -> Option<Money> {
        match self.terms.format {
            Format::English => {}
            Format::SealedFirst | Format::SealedSecond => return Some(self.terms.starting_price),
            Format::Dutch { .. } => return Some(self.terms.scheduled_price(at)),
        }
        let own = bidder.and_then(|bidder| self.contest.leading(&self.terms, bidder));
        match own {
            Some(own) => self
                .terms
                .increment
                .above(self.contest.price.max(own.amount)),
            None if self.contest.is_full(&self.terms) => {
                self.terms.increment.above(self.contest.price)
            }
            None => Some(self.terms.starting_price),
        }
    }

    /// Everything that is refused at the door, whatever the amount: what a bid that is decided
    /// later must pass now. In the order of [`bid`](Self::bid), without the last.
    pub fn check_admission(&self, command: &BidCommand) -> Result<(), AuctionRefusal> {
        self.check_shape(command)?;
        self.check_door(&command.bidder, command.admitted_at)
    }

    fn check_shape(&self, command: &BidCommand) -> Result<Money, AuctionRefusal> {
        let currency = self.terms.currency;
        if command.currency.is_some_and(|given| given != currency) {
            return Err(AuctionRefusal::WrongCurrency { currency });
        }
        let maximum = command.maximum.unwrap_or(command.amount);
        let english = self.terms.format == Format::English;
        if !english && maximum != command.amount {
            return Err(AuctionRefusal::NoMaximum);
        }
        if maximum < command.amount {
            return Err(AuctionRefusal::MaximumBelowBid);
        }
        Ok(maximum)
    }

    fn check_door(&self, bidder: &Bidder, at: Millis) -> Result<(), AuctionRefusal> {
        self.not_over()?;
        let starts_at = self.terms.starts_at;
        // The moment decides and not the status: whoever opens or closes may be late.
        if at < starts_at {
            return Err(AuctionRefusal::NotOpenYet { starts_at });
        }
        if at >= self.ends_at {
            return Err(self.late_refusal(at));
        }
        if *bidder == self.seller {
            return Err(AuctionRefusal::OwnLot);
        }
        Ok(())
    }

    /// Whether it only raises the own maximum of a leader.
    fn check_amount(&self, command: &BidCommand, maximum: Money) -> Result<bool, AuctionRefusal> {
        let (bidder, at) = (&command.bidder, command.admitted_at);
        if self.terms.format == Format::English
            && let Some(own) = self.contest.leading(&self.terms, bidder)
        {
            let stands_at = self.contest.price.max(own.amount);
            let within = self.terms.starting_price..=stands_at;
            if within.contains(&command.amount) && maximum > own.maximum {
                return Ok(true);
            }
        }
        let least = self.least_valid(Some(bidder), at);
        match least {
            Some(least) if command.amount >= least => Ok(false),
            Some(_) | None => Err(AuctionRefusal::TooLow {
                price: self.shown_price(at),
                least,
            }),
        }
    }

    fn take(
        &mut self,
        command: &BidCommand,
        maximum: Money,
        events: &mut Vec<AuctionEvent>,
    ) -> AdmittedBid {
        if self.status == AuctionStatus::Scheduled {
            self.begin(events);
        }
        self.bids += 1;
        self.bids_standing += 1;
        AdmittedBid {
            no: self.bids,
            bid: command.bid,
            bidder: command.bidder.clone(),
            amount: command.amount,
            maximum,
            admitted_at: command.admitted_at,
        }
    }

    pub(super) fn leaders(&self) -> Vec<Bidder> {
        let leaders = self.contest.leaders(&self.terms).iter();
        leaders.map(|leader| leader.bidder.clone()).collect()
    }

    fn tell_bid(&self, bid: &AdmittedBid, raise: bool, events: &mut Vec<AuctionEvent>) {
        let leading = self.contest.leading(&self.terms, &bid.bidder).is_some();
        let sealed = self.is_sealed();
        events.push(AuctionEvent::BidAccepted {
            bid: bid.clone(),
            raise,
            price: (!sealed).then_some(self.contest.price),
            leading: (!sealed).then_some(leading),
        });
    }

    /// `led` are those who led before.
    pub(super) fn tell_outbid(&self, led: &[Bidder], events: &mut Vec<AuctionEvent>) {
        if self.is_sealed() {
            return;
        }
        for bidder in led {
            if self.contest.leading(&self.terms, bidder).is_none() {
                events.push(AuctionEvent::Outbid {
                    bidder: bidder.clone(),
                    price: self.contest.price,
                });
            }
        }
    }

    fn extend(&mut self, bid: &AdmittedBid, events: &mut Vec<AuctionEvent>) {
        let Some(soft) = self.terms.soft_close else {
            return;
        };
        let from = self.ends_at;
        if bid.admitted_at < from.saturating_sub(soft.window_ms) {
            return;
        }
        let to = bid
            .admitted_at
            .saturating_add(soft.extend_ms)
            .min(soft.hard_end);
        if to > from {
            self.ends_at = to;
            self.extensions += 1;
            events.push(AuctionEvent::Extended {
                no: bid.no,
                from,
                to,
            });
        }
    }
}
