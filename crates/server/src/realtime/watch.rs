//! One subject as a stream of live events: what was missed first, then what happens, each once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use commerce::{ProductId, Sku};
use engine::ports::line_entries;
use engine::{EngineError, Entry, Kind, OrderRecord, OrderStatus};
use tokio::time::Instant;

use crate::http::orders::standing;
use crate::http::views::{OrderView, Standing};
use crate::realtime::hub::{Group, Listener, Subject};
use crate::realtime::render::{LiveEvent, Rendered};
use crate::state::App;

/// Events that are read back for a listener who was away; past it, `reset`.
pub const BACKLOG_MAX: u64 = 10_000;

/// A waiting order's standing is told at most so often; its verdict at once.
const STANDING_EVERY: Duration = Duration::from_millis(250);

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
}

struct OrderWatch {
    app: App,
    order: OrderRecord,
    standing: Standing,
    told_at: Instant,
    /// The standing changed since it was told.
    changed: bool,
}

/// A stream of live events. When it ends, the listener was too slow or the server stops.
pub struct Watch {
    listener: Listener,
    ready: VecDeque<LiveEvent>,
    /// The newest sequence that was told.
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

impl Watch {
    /// Everything, from after `since` or from now.
    pub async fn everything(app: &App, since: Option<u64>) -> Result<Self, WatchError> {
        let listener = app
            .hub
            .listen(&[Subject::Everything])
            .ok_or(WatchError::TooMany)?;
        let mut watch = Self::entries(listener);
        let Some(since) = since else {
            return Ok(watch);
        };
        let newest = app.engine.feed().last_seq();
        // A sequence that was never given out is from before the store was restored.
        if since > newest || newest - since > BACKLOG_MAX {
            watch.tell_reset(newest);
            return Ok(watch);
        }
        let limit = usize::try_from(BACKLOG_MAX).expect("a small bound");
        let missed = app
            .engine
            .read(move |reader| reader.entries(since, limit))
            .await?;
        watch.tell_missed(missed, since);
        Ok(watch)
    }

    /// One product's line, from after `since` or from now.
    pub async fn line(
        app: &App,
        product: ProductId,
        sku: &Sku,
        since: Option<u64>,
    ) -> Result<Self, WatchError> {
        let listener = app
            .hub
            .listen(&[Subject::Line(product)])
            .ok_or(WatchError::TooMany)?;
        let mut watch = Self::entries(listener);
        let Some(since) = since else {
            return Ok(watch);
        };
        let newest = app.engine.feed().last_seq();
        if since > newest {
            watch.tell_reset(newest);
            return Ok(watch);
        }
        let sku = sku.clone();
        let limit = usize::try_from(BACKLOG_MAX).expect("a small bound") + 1;
        let (newest, mut missed) = app
            .engine
            .read(move |reader| {
                let newest = reader.product(&sku)?.map_or(0, |product| product.last_seq);
                let missed = line_entries(reader, newest, limit, |entry| entry.seq <= since)?;
                Ok((newest, missed))
            })
            .await?;
        if missed.len() as u64 > BACKLOG_MAX {
            watch.tell_reset(newest);
            return Ok(watch);
        }
        missed.reverse();
        watch.tell_missed(missed, since);
        Ok(watch)
    }

    /// One order: as it stands, then every change.
    pub async fn order(app: &App, order: OrderRecord) -> Result<Self, WatchError> {
        let pending = order.status == OrderStatus::Pending;
        let subjects = [Subject::Order(order.id.seq), Subject::Line(order.product)];
        let subjects = if pending {
            &subjects[..]
        } else {
            &subjects[..1]
        };
        let listener = app.hub.listen(subjects).ok_or(WatchError::TooMany)?;
        let mut watch = Self {
            listener,
            ready: VecDeque::new(),
            last: 0,
            what: What::Order(Box::new(OrderWatch {
                app: app.clone(),
                order,
                standing: Standing::default(),
                told_at: Instant::now(),
                changed: false,
            })),
        };
        let What::Order(order) = &mut watch.what else {
            return Ok(watch);
        };
        // Read again now that it is listened to, so that nothing falls in between.
        let seq = app.engine.feed().last_seq();
        order.read().await?;
        let event = order.event(seq.max(order.order.last_seq));
        watch.last = event.seq;
        watch.ready.push_back(event);
        Ok(watch)
    }

    fn entries(listener: Listener) -> Self {
        Self {
            listener,
            ready: VecDeque::new(),
            last: 0,
            what: What::Entries,
        }
    }

    fn tell_reset(&mut self, newest: u64) {
        self.last = newest;
        self.ready.push_back(reset(newest));
    }

    fn tell_missed(&mut self, missed: Vec<Entry>, since: u64) {
        self.last = missed.last().map_or(since, |entry| entry.seq);
        let events = missed
            .into_iter()
            .map(|entry| Rendered::new(Arc::new(entry)).live());
        self.ready.extend(events);
    }

    pub async fn next(&mut self) -> Option<LiveEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let due = match &self.what {
                What::Order(order) if order.changed => Some(order.told_at + STANDING_EVERY),
                What::Order(_) | What::Entries => None,
            };
            let group = match due {
                None => self.listener.next().await?,
                Some(due) => tokio::select! {
                    group = self.listener.next() => group?,
                    () = tokio::time::sleep_until(due) => Arc::new([]),
                },
            };
            self.take(&group).await?;
        }
    }

    async fn take(&mut self, group: &Group) -> Option<()> {
        match &mut self.what {
            What::Entries => {
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
            self.standing = standing(&self.app, &self.order).await?;
        }
        Ok(())
    }

    /// An event when there is something to tell now.
    async fn take(&mut self, group: &Group, seq: u64) -> Result<Option<LiveEvent>, EngineError> {
        let mut own = false;
        for event in group.iter() {
            let entry = &event.entry;
            if !entry.kind.is_order() {
                continue;
            }
            if entry.subject == self.order.id.seq {
                own |= entry.seq > self.order.last_seq;
                continue;
            }
            if self.order.status != OrderStatus::Pending {
                continue;
            }
            let data = entry.data();
            if data.place.is_none_or(|place| place >= self.order.place) {
                continue;
            }
            match entry.kind {
                // Somebody before this order got a verdict, or left the line.
                Kind::OrderAccepted | Kind::OrderSoldOut | Kind::OrderCancelled
                    if entry.subject != entry.seq && data.was.as_deref() != Some("accepted") =>
                {
                    self.standing.ahead = self.standing.ahead.saturating_sub(1);
                    self.standing.ahead_units = self
                        .standing
                        .ahead_units
                        .saturating_sub(data.quantity.unwrap_or(0));
                    self.changed = true;
                }
                _ => {}
            }
        }
        if own {
            self.read().await?;
            return Ok(Some(self.event(seq)));
        }
        if !self.changed || self.told_at.elapsed() < STANDING_EVERY {
            return Ok(None);
        }
        self.standing = standing(&self.app, &self.order).await?;
        self.changed = false;
        Ok(Some(self.event(seq)))
    }

    fn event(&mut self, seq: u64) -> LiveEvent {
        self.told_at = Instant::now();
        self.changed = false;
        let pending = self.order.status == OrderStatus::Pending;
        let view = OrderView::new(&self.order, pending.then_some(self.standing));
        let mut json = serde_json::to_string(&view).expect("an order has a JSON form");
        // The order, and what every event carries.
        let at = crate::adapters::rfc3339(self.app.engine.now());
        json.insert_str(1, &format!(r#""seq":{seq},"type":"order","at":"{at}","#));
        LiveEvent {
            seq,
            name: "order",
            json: json.into(),
        }
    }
}
