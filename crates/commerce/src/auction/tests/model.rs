//! The rules, read out loud: a list of all bids that is gone through from the front, every
//! time, for every question. Nothing is carried from one answer to the next but the end.

use super::*;

#[derive(Debug, Clone)]
pub(super) struct ModelBid {
    pub(super) who: &'static str,
    pub(super) amount: i64,
    pub(super) maximum: i64,
    pub(super) at: Millis,
    pub(super) retracted: bool,
}

/// A bidder with the best of the own bids, and the number of the bid that reached it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ranked {
    pub(super) who: &'static str,
    pub(super) maximum: i64,
    pub(super) amount: i64,
    pub(super) no: usize,
}

pub(super) struct Model {
    pub(super) terms: Terms,
    pub(super) bids: Vec<ModelBid>,
    pub(super) ends_at: Millis,
    /// Closed or taken; the price of the hammer, if it fell early.
    pub(super) over: bool,
    pub(super) hammer: Option<i64>,
}

impl Model {
    pub(super) fn new(terms: Terms) -> Self {
        Self {
            ends_at: terms.ends_at,
            terms,
            bids: Vec::new(),
            over: false,
            hammer: None,
        }
    }

    fn lots(&self) -> usize {
        usize::try_from(self.terms.lots).unwrap()
    }

    pub(super) fn start(&self) -> i64 {
        self.terms.starting_price.minor()
    }

    fn reserve(&self) -> Option<i64> {
        self.terms.reserve_price.map(Money::minor)
    }

    pub(super) fn english(&self) -> bool {
        self.terms.format == Format::English
    }

    fn plus_step(&self, price: i64) -> i64 {
        let mut step = 0;
        match &self.terms.increment {
            Increment::Fixed(fixed) => step = fixed.minor(),
            Increment::Bands(bands) => {
                for band in bands {
                    if band.from.minor() <= price {
                        step = band.step.minor();
                    }
                }
            }
        }
        price + step
    }

    /// All bidders of the first `count` bids, best first.
    fn ranked(&self, count: usize) -> Vec<Ranked> {
        let mut ranked: Vec<Ranked> = Vec::new();
        for (at, bid) in self.bids[..count].iter().enumerate() {
            if bid.retracted {
                continue;
            }
            match ranked.iter_mut().find(|r| r.who == bid.who) {
                Some(own) => {
                    own.amount = own.amount.max(bid.amount);
                    if bid.maximum > own.maximum {
                        (own.maximum, own.no) = (bid.maximum, at + 1);
                    }
                }
                None => ranked.push(Ranked {
                    who: bid.who,
                    maximum: bid.maximum,
                    amount: bid.amount,
                    no: at + 1,
                }),
            }
        }
        ranked.sort_by_key(|r| (-r.maximum, r.no));
        ranked
    }

    pub(super) fn rank(&self) -> Vec<Ranked> {
        self.ranked(self.bids.len())
    }

    fn leaders_after(&self, count: usize) -> Vec<Ranked> {
        let mut ranked = self.ranked(count);
        ranked.truncate(self.lots());
        ranked
    }

    pub(super) fn leaders(&self) -> Vec<Ranked> {
        self.leaders_after(self.bids.len())
    }

    pub(super) fn reserve_met(&self) -> bool {
        let highest = self.rank().first().map(|first| first.maximum);
        self.reserve()
            .is_some_and(|reserve| highest >= Some(reserve))
    }

    /// What the leaders pay.
    pub(super) fn price(&self) -> i64 {
        if let Some(price) = self.hammer {
            return price;
        }
        let (rank, start) = (self.rank(), self.start());
        match self.terms.format {
            Format::English => self.english_price(),
            Format::SealedFirst => rank.first().map_or(start, |first| first.maximum),
            Format::SealedSecond => {
                let second = rank.get(1).map_or(start, |second| second.maximum);
                let reserve = self.reserve().filter(|_| self.reserve_met());
                second.max(reserve.unwrap_or(0))
            }
            Format::Dutch { .. } => start,
        }
    }

    fn english_price(&self) -> i64 {
        let lots = self.lots();
        let mut price = self.start();
        for count in 1..=self.bids.len() {
            let bid = &self.bids[count - 1];
            let all = self.ranked(count);
            if bid.retracted || all.len() < lots {
                continue;
            }
            let (leaders, others) = all.split_at(lots);
            price = price.max(leaders.iter().map(|l| l.amount).min().unwrap());
            let led = self
                .leaders_after(count - 1)
                .iter()
                .any(|l| l.who == bid.who);
            if !led && let Some(second) = others.iter().map(|o| o.maximum).max() {
                let weakest = leaders.iter().map(|l| l.maximum).min().unwrap();
                price = price.max(self.plus_step(second).min(weakest));
            }
            if let Some(reserve) = self.reserve()
                && leaders[0].maximum >= reserve
            {
                price = price.max(reserve);
            }
        }
        price
    }

    pub(super) fn dutch_price(&self, at: Millis) -> i64 {
        let Format::Dutch {
            step,
            every_ms,
            floor,
        } = self.terms.format
        else {
            return self.start();
        };
        let mut price = self.start();
        let mut next = self.terms.starts_at + every_ms;
        while next <= at && price > floor.minor() {
            price = (price - step.minor()).max(floor.minor());
            next += every_ms;
        }
        price
    }

    pub(super) fn least(&self, who: &str, at: Millis) -> i64 {
        if !self.english() {
            return self.dutch_price(at);
        }
        let leaders = self.leaders();
        if let Some(own) = leaders.iter().find(|l| l.who == who) {
            return self.plus_step(self.price().max(own.amount));
        }
        if leaders.len() < self.lots() {
            return self.start();
        }
        self.plus_step(self.price())
    }

    fn door(&self, who: &str, at: Millis) -> Result<(), String> {
        if self.over {
            return Err("closed".into());
        }
        if at < self.terms.starts_at {
            return Err("early".into());
        }
        if at >= self.ends_at {
            return Err("late".into());
        }
        if who == "seller" {
            return Err("own lot".into());
        }
        Ok(())
    }

    /// Takes the bid in, or says why not.
    pub(super) fn bid(&mut self, bid: ModelBid) -> Result<(), String> {
        self.door(bid.who, bid.at)?;
        let leaders = self.leaders();
        let own = leaders.iter().find(|l| l.who == bid.who);
        let raise = self.english()
            && own.is_some_and(|own| {
                bid.amount >= self.start()
                    && bid.amount <= self.price().max(own.amount)
                    && bid.maximum > own.maximum
            });
        let least = self.least(bid.who, bid.at);
        if !raise && bid.amount < least {
            let is_an_amount = Money::new(least).is_ok();
            let least = if is_an_amount {
                least.to_string()
            } else {
                "none".into()
            };
            return Err(format!("too low: {least}"));
        }
        if let Format::Dutch { .. } = self.terms.format {
            self.hammer = Some(self.dutch_price(bid.at));
            self.over = true;
        }
        if let Some(soft) = self.terms.soft_close
            && !raise
            && bid.at >= self.ends_at - soft.window_ms
        {
            let wanted = (bid.at + soft.extend_ms).min(soft.hard_end);
            self.ends_at = self.ends_at.max(wanted);
        }
        self.bids.push(bid);
        Ok(())
    }

    pub(super) fn buy_now(&mut self, who: &'static str, at: Millis) -> Result<(), String> {
        self.door(who, at)?;
        let price = self.terms.buy_now_price.map(Money::minor);
        let reached = |price| self.bids.iter().any(|b| !b.retracted && b.maximum >= price);
        match price {
            Some(price) if !reached(price) && !self.reserve_met() => {
                self.bids.push(ModelBid {
                    who,
                    amount: price,
                    maximum: price,
                    at,
                    retracted: false,
                });
                self.hammer = Some(price);
                self.over = true;
                Ok(())
            }
            Some(_) | None => Err("no buy-now".into()),
        }
    }

    pub(super) fn retract(&mut self, who: &str, no: usize, at: Millis) -> Result<(), String> {
        if self.over {
            return Err("closed".into());
        }
        if at >= self.ends_at {
            return Err("late".into());
        }
        let Some(rule) = self.terms.retraction else {
            return Err("no retraction".into());
        };
        let ends_at = self.ends_at;
        let Some(bid) = self.bids.get_mut(no.wrapping_sub(1)) else {
            return Err("no such bid".into());
        };
        if bid.retracted {
            return Err("retracted".into());
        }
        if bid.who != who {
            return Err("another's".into());
        }
        if at >= bid.at + rule.within_ms || at >= ends_at - rule.before_end_ms {
            return Err("too late".into());
        }
        bid.retracted = true;
        Ok(())
    }

    /// Who pays what at the close.
    pub(super) fn result(&self) -> Vec<(&'static str, usize, i64)> {
        if self.reserve().is_some() && !self.reserve_met() {
            return Vec::new();
        }
        let price = self.price();
        let leaders = self.leaders().into_iter();
        leaders.map(|l| (l.who, l.no, price)).collect()
    }
}
