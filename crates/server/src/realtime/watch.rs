//! One subject as a stream of live events: what was missed first, then what happens, each once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use commerce::{AuctionId, LineId, Product, ProductId, Sku};
use engine::auction::BidRecord;
use engine::ports::{Reader, StoreError, line_entries};
use engine::{EngineError, Entry, Family, OrderRecord, OrderStatus, Standing};
use tokio::time::Instant;

use crate::http::auctions::{BidView, find_bid};
use crate::http::orders::standing_at;
use crate::http::parcels::brief_of;
use crate::http::views::{OrderView, ParcelBrief};
use crate::realtime::hub::{Group, Listener, MaskedName, Subject, is_end, outbid_by};
use crate::realtime::latest::pace;
use crate::realtime::leaving::Leaving;
use crate::realtime::missed::Missed;
use crate::realtime::render::{LiveEvent, Rendered, whole};
use crate::realtime::standing;
use crate::state::App;

/// Events that are read back for a listener who was away; past it, `reset`.
pub const BACKLOG_MAX: u64 = 10_000;

#[derive(Debug)]
pub enum WatchError {
    /// As many listeners as this server takes.
    TooMany,
    Engine(EngineError),
}

impl From<EngineError> for WatchError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

enum What {
    Entries,
    Order(Box<OrderWatch>),
    /// How an auction stands, whenever it has changed.
    Auction,
}

struct OrderWatch {
    app: App,
    order: OrderRecord,
    standing: Standing,
    /// As in an order's view.
    parcel: Option<Option<ParcelBrief>>,
    /// As it was when somebody last left the line.
    product: Option<Arc<Product>>,
    /// The newest entry that is counted in the standing.
    counted: u64,
    told_at: Instant,
    /// How long the standing is not told again; a verdict is told at once.
    rest: Duration,
    /// The standing changed since it was told.
    changed: bool,
}

/// A stream of live events. When it ends, the listener was too slow or the server stops.
pub struct Watch {
    listener: Listener,
    ready: VecDeque<LiveEvent>,
    /// Told after what is ready, and before what the listener hears.
    missed: Option<Missed>,
    /// The newest sequence that was told, or that was missed and will be.
    last: u64,
    what: What,
}

fn reset(seq: u64) -> LiveEvent {
    LiveEvent {
        seq,
        name: "reset",
        json: format!(r#"{{"seq":{seq},"type":"reset"}}"#).into(),
    }
}

/// The newest entry of an auction's line.
fn newest_of_auction(id: AuctionId) -> impl FnOnce(&dyn Reader) -> Result<u64, StoreError> + Send {
    move |reader| Ok(reader.auction(id.seq)?.map_or(0, |stored| stored.last_seq))
}

impl Watch {
    /// Everything, from after `since` or from now.
    pub async fn everything(app: &App, since: Option<u64>) -> Result<Self, WatchError> {
        let listener = app
            .hub
            .listen(&[Subject::Everything])
            .ok_or(WatchError::TooMany)?;
        let mut watch = Self::entries(listener);
        let newest = app.engine.newest_seq(since.unwrap_or(0)).await?;
        let Some(since) = since else {
            // What waits to be told is from before.
            watch.last = newest;
            return Ok(watch);
        };
        // A sequence that was never given out is from before the store was restored.
        if since > newest || newest - since > BACKLOG_MAX {
            watch.tell_reset(newest);
            return Ok(watch);
        }
        let limit = usize::try_from(BACKLOG_MAX).expect("a small bound");
        let read = move |reader: &dyn Reader| reader.entries(since, limit);
        let missed = app.hub.read_back().read(&app.engine, read).await?;
        watch.tell_missed(app, &missed, since);
        Ok(watch)
    }

    /// One product's line, from after `since` or from now.
    pub async fn product(
        app: &App,
        product: ProductId,
        sku: &Sku,
        since: Option<u64>,
    ) -> Result<Self, WatchError> {
        let sku = sku.clone();
        let subjects = [Subject::Line(product.into())];
        let newest = move |reader: &dyn Reader| {
            let product = reader.product(&sku)?;
            Ok(product.map_or(0, |product| product.last_seq))
        };
        Self::line(app, &subjects, since, newest, |_| true).await
    }

    /// The newest of what happens in a product's line, once in a while. Who was away is told to
    /// look again.
    pub async fn latest(
        app: &App,
        product: ProductId,
        sku: &Sku,
        since: Option<u64>,
    ) -> Result<Self, WatchError> {
        let subject = Subject::Latest(product.into());
        let newest_of_all = app.engine.newest_seq(since.unwrap_or(0)).await?;
        let listener = app.hub.listen_after(newest_of_all, &[subject]);
        let mut watch = Self::entries(listener.ok_or(WatchError::TooMany)?);
        // What waits to be told is from before.
        watch.last = newest_of_all;
        if let Some(since) = since {
            let sku = sku.clone();
            let product = app.engine.read(move |reader| reader.product(&sku)).await?;
            let newest = product.map_or(0, |product| product.last_seq);
            if since > newest_of_all {
                watch.tell_reset(newest_of_all);
            } else if newest > since {
                watch.tell_reset(newest);
            } else {
                watch.last = since;
            }
        }
        Ok(watch)
    }

    /// One auction's line, from after `since` or from now.
    pub async fn auction(
        app: &App,
        auction: AuctionId,
        since: Option<u64>,
    ) -> Result<Self, WatchError> {
        let subjects = [Subject::Line(LineId::Auction(auction.seq))];
        let newest = newest_of_auction(auction);
        Self::line(app, &subjects, since, newest, |_| true).await
    }

    /// How one auction stands, now and then once in a while when it has changed.
    pub async fn auction_as_it_stands(
        app: &App,
        auction: AuctionId,
        since: Option<u64>,
    ) -> Result<Self, WatchError> {
        let subject = Subject::Latest(LineId::Auction(auction.seq));
        let newest_of_all = app.engine.newest_seq(since.unwrap_or(0)).await?;
        let listener = app.hub.listen_after(newest_of_all, &[subject]);
        let listener = listener.ok_or(WatchError::TooMany)?;
        let event = standing::of_auction(&app.engine, auction.seq, 0, Vec::new()).await?;
        let mut watch = Self {
            listener,
            ready: VecDeque::new(),
            missed: None,
            last: event.seq,
            what: What::Auction,
        };
        if since.is_some_and(|since| since > newest_of_all.max(event.seq)) {
            watch.ready.push_back(reset(event.seq));
        }
        if since != Some(event.seq) {
            watch.ready.push_back(event);
        }
        Ok(watch)
    }

    /// One bid: the entries about it, those by which its bidder was outbid or leads again, and the
    /// end of its auction.
    /// Without `since`, the bid as it stands comes first.
    pub async fn bid(app: &App, bid: &BidRecord, since: Option<u64>) -> Result<Self, WatchError> {
        let (seq, auction) = (bid.id.seq, bid.auction);
        let name = MaskedName::parse(&bid.masked);
        let mut subjects = vec![Subject::Bid(seq), Subject::Over(auction.seq)];
        subjects.extend(name.map(|name| Subject::Outbid(auction.seq, name)));
        let concerns = move |entry: &Entry| {
            let about_it = entry.kind.family() == Family::Bid && entry.subject == seq;
            about_it || is_end(entry) || name.is_some_and(|name| outbid_by(entry).contains(&name))
        };
        let newest = newest_of_auction(auction);
        let mut watch = Self::line(app, &subjects, since, newest, concerns).await?;
        if since.is_none() {
            // Read now that it is listened to, so that nothing falls in between. What was read may
            // be further than the feed.
            let seq = app.engine.feed().last_seq();
            if let Some((bid, stored)) = find_bid(app, bid.id).await? {
                let (seq, now) = (seq.max(stored.last_seq), app.engine.now());
                let view = BidView::now(&bid, &stored, now);
                watch.last = seq;
                watch.ready.push_back(whole(seq, "bid", now, &view));
            }
        }
        Ok(watch)
    }

    /// Those entries of a line that concern the listener, from after `since` or from now.
    /// `newest` finds the newest of the line.
    async fn line(
        app: &App,
        subjects: &[Subject],
        since: Option<u64>,
        newest: impl FnOnce(&dyn Reader) -> Result<u64, StoreError> + Send + 'static,
        concerns: impl Fn(&Entry) -> bool + Send + 'static,
    ) -> Result<Self, WatchError> {
        let listener = app.hub.listen(subjects).ok_or(WatchError::TooMany)?;
        let mut watch = Self::entries(listener);
        let newest_of_all = app.engine.newest_seq(since.unwrap_or(0)).await?;
        let Some(since) = since else {
            // What waits to be told is from before.
            watch.last = newest_of_all;
            return Ok(watch);
        };
        if since > newest_of_all {
            watch.tell_reset(newest_of_all);
            return Ok(watch);
        }
        let limit = usize::try_from(BACKLOG_MAX).expect("a small bound") + 1;
        let read = move |reader: &dyn Reader| {
            let newest = newest(reader)?;
            let mut missed = line_entries(reader, newest, limit, |entry| entry.seq <= since)?;
            let is_whole = missed.len() < limit;
            missed.retain(concerns);
            Ok((newest, is_whole.then_some(missed)))
        };
        let (newest, missed) = app.hub.read_back().read(&app.engine, read).await?;
        match missed {
            Some(mut missed) => {
                missed.reverse();
                watch.tell_missed(app, &missed, since);
            }
            None => watch.tell_reset(newest),
        }
        Ok(watch)
    }

    /// One order: as it stands, then every change.
    pub async fn order(app: &App, order: OrderRecord) -> Result<Self, WatchError> {
        let pending = order.status == OrderStatus::Pending;
        let line = Subject::Leaving(order.product.into());
        let subjects = [Subject::Order(order.id.seq), line];
        let subjects = if pending {
            &subjects[..]
        } else {
            &subjects[..1]
        };
        let listener = app.hub.listen(subjects).ok_or(WatchError::TooMany)?;
        let mut watch = Self {
            listener,
            ready: VecDeque::new(),
            missed: None,
            last: 0,
            what: What::Order(Box::new(OrderWatch {
                app: app.clone(),
                order,
                standing: Standing::default(),
                product: None,
                parcel: Some(None),
                counted: 0,
                told_at: Instant::now(),
                rest: Duration::ZERO,
                changed: false,
            })),
        };
        let What::Order(order) = &mut watch.what else {
            return Ok(watch);
        };
        // Read again now that it is listened to, so that nothing falls in between.
        let seq = app.engine.feed().last_seq();
        order.read().await?;
        order.parcel = brief_of(app, &order.order).await;
        let event = order.event(seq.max(order.order.last_seq));
        watch.last = event.seq;
        watch.ready.push_back(event);
        Ok(watch)
    }

    fn entries(listener: Listener) -> Self {
        Self {
            listener,
            ready: VecDeque::new(),
            missed: None,
            last: 0,
            what: What::Entries,
        }
    }

    fn tell_reset(&mut self, newest: u64) {
        self.last = newest;
        self.ready.push_back(reset(newest));
    }

    fn tell_missed(&mut self, app: &App, missed: &[Entry], since: u64) {
        self.last = missed.last().map_or(since, |entry| entry.seq);
        let seqs: Vec<u64> = missed.iter().map(|entry| entry.seq).collect();
        if !seqs.is_empty() {
            self.missed = Some(Missed::new(&app.engine, app.hub.read_back(), seqs));
        }
    }

    /// None when it cannot be read: the listener comes back for it.
    async fn take_missed(&mut self, mut missed: Missed) -> Option<()> {
        let page = missed.page().await.ok()?;
        if !page.is_empty() {
            let events = page.into_iter();
            let events = events.map(|entry| Rendered::new(Arc::new(entry)).live());
            self.ready.extend(events);
            self.missed = Some(missed);
        }
        Some(())
    }

    pub async fn next(&mut self) -> Option<LiveEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if let Some(missed) = self.missed.take() {
                self.take_missed(missed).await?;
                continue;
            }
            let due = match &self.what {
                What::Order(order) if order.changed => Some(order.told_at + order.rest),
                What::Order(_) | What::Entries | What::Auction => None,
            };
            let group = match due {
                None => self.listener.next().await?,
                Some(due) => tokio::select! {
                    group = self.listener.next() => group?,
                    () = tokio::time::sleep_until(due) => Group::default(),
                },
            };
            self.take(&group).await?;
        }
    }

    async fn take(&mut self, group: &Group) -> Option<()> {
        match &mut self.what {
            What::Entries => {
                if let Some(seq) = group.skipped_to.filter(|seq| *seq > self.last) {
                    self.tell_reset(seq);
                }
                for event in group.iter().filter(|event| event.entry.seq > self.last) {
                    self.ready.push_back(event.live());
                }
                if let Some(newest) = group.last() {
                    self.last = self.last.max(newest.entry.seq);
                }
            }
            What::Order(order) => {
                let newest = group.last().map_or(self.last, |event| event.entry.seq);
                self.last = self.last.max(newest);
                if let Some(event) = order.take(group, self.last).await.ok()? {
                    self.ready.push_back(event);
                }
            }
            // What the stream began with may have all of it. Later ones are told even when they say
            // what was read before: who took a bid back comes with its entry.
            What::Auction => {
                let is_new = group
                    .last()
                    .is_some_and(|newest| newest.entry.seq > self.last);
                self.ready.extend(group.whole.clone().filter(|_| is_new));
            }
        }
        Some(())
    }
}

impl OrderWatch {
    async fn read(&mut self) -> Result<(), EngineError> {
        let seq = self.order.id.seq;
        let order = self
            .app
            .engine
            .read(move |reader| reader.order(seq))
            .await?;
        if let Some(order) = order {
            self.order = order;
        }
        if self.order.status == OrderStatus::Pending {
            (self.standing, self.counted) = standing_at(&self.app, &self.order).await?;
        }
        Ok(())
    }

    /// An event when there is something to tell now.
    async fn take(&mut self, group: &Group, seq: u64) -> Result<Option<LiveEvent>, EngineError> {
        let mut own = false;
        let mut parcel = false;
        match &group.leaving {
            Some(leaving) => self.count(leaving, group),
            None => {
                for entry in group.iter().map(|event| &event.entry) {
                    parcel |= entry.kind.family() == Family::Parcel;
                    own |= entry.kind.is_order() && entry.seq > self.order.last_seq;
                    // Not read again: one receipt may decide thousands that are watched.
                    self.order.follow(entry);
                }
            }
        }
        if parcel {
            // The entry says that it moved, the parcel itself where to and since when.
            self.parcel = brief_of(&self.app, &self.order).await;
        }
        if own || parcel {
            return Ok(Some(self.event(seq)));
        }
        if !self.changed || self.told_at.elapsed() < self.rest {
            return Ok(None);
        }
        // Those ahead are known by now, and how fast the line moves: reading it again would take
        // each of many who wait as long as there are orders before it.
        if let Some(product) = &self.product {
            let units = self.standing.ahead_units + self.order.quantity.units();
            self.standing.estimate_s = product.estimate_s(units, self.app.engine.now());
        }
        Ok(Some(self.event(seq)))
    }

    /// Those before this order who got a verdict, or left the line.
    fn count(&mut self, leaving: &Leaving, group: &Group) {
        self.product.clone_from(&leaving.product);
        if self.order.status != OrderStatus::Pending {
            return;
        }
        let gone = leaving.before(self.order.place, self.counted, group);
        self.standing.ahead = self.standing.ahead.saturating_sub(gone.orders);
        self.standing.ahead_units = self.standing.ahead_units.saturating_sub(gone.units);
        self.changed |= gone.orders > 0;
        self.counted = self.counted.max(leaving.last);
    }

    fn event(&mut self, seq: u64) -> LiveEvent {
        self.told_at = Instant::now();
        let line = Subject::Leaving(self.order.product.into());
        // Who left is heard of in that pace, some listeners at a time. They tell it as they hear it, and
        // not all at the end of one rest: a verdict would come after them.
        self.rest = pace(self.app.hub.listening(line)) / 2;
        self.changed = false;
        let pending = self.order.status == OrderStatus::Pending;
        let view = OrderView::new(&self.order, pending.then_some(self.standing))
            .with_parcel(self.parcel.clone());
        whole(seq, "order", self.app.engine.now(), &view)
    }
}

#[cfg(test)]
mod tests;
