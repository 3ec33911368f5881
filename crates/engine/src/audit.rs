//! Replays a store's log and says which place or movement breaks which rule.
//!
//! Written apart from the state machines: it knows the rules of the design and the format of
//! the log, and recomputes everything from the first entry on. It reads only, so it runs beside
//! a live server; entries that arrive while it runs are included.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use commerce::{Currency, Email, Hash, LineId, Millis, Money, chain, commit_to_buyer, genesis};

use crate::decide::{SYSTEM_LINE, hex};
use crate::engine::Limits;
use crate::entry::{Buyer, Data, Entry, Family, Kind, OrderStatus};
use crate::ports::{Reader, StoreError};

mod auctions;
mod requests;
mod stored;

/// Entries read at a time.
const PAGE: usize = 10_000;
/// Violations that are told one by one; the rest is counted.
pub const TOLD_MAX: usize = 100;

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its number in the design.
    pub rule: u8,
    pub sku: Option<String>,
    pub seq: Option<u64>,
    pub place: Option<u64>,
    pub what: String,
}

/// What an audit found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub entries: u64,
    pub orders: u64,
    pub accepted: u64,
    pub products: u64,
    pub replenishments: u64,
    pub auctions: u64,
    /// Those that came to their end, sold or not, with winner and price worked out anew.
    pub auctions_closed: u64,
    pub bids: u64,
    /// The first [`TOLD_MAX`].
    pub violations: Vec<Violation>,
    pub violations_total: u64,
    /// The newest hash of each line: two stores with the same heads have the same history.
    pub heads: BTreeMap<String, Hash>,
}

impl Report {
    pub fn is_clean(&self) -> bool {
        self.violations_total == 0
    }
}

#[derive(Debug, Clone)]
struct Pending {
    place: u64,
    units: u64,
}

#[derive(Debug, Default)]
struct LineModel {
    sku: String,
    last_seq: u64,
    hash: Hash,
    received: u64,
    allocated: u64,
    last_place: u64,
    pending: BTreeMap<u64, (u64, Pending)>,
    pending_units: u64,
    open_replenishment: Option<u64>,
    /// The newest price that the log has.
    price: Option<(Money, Option<Currency>)>,
    /// The smallest quantity refused since units last became free.
    refused: Option<u64>,
}

struct Audit<'a> {
    reader: &'a dyn Reader,
    report: Report,
    lines: HashMap<LineId, LineModel>,
    auctions: HashMap<u64, auctions::AuctionModel>,
    system: (u64, Hash),
    /// The state of every order that is not final yet or may be cancelled.
    orders: HashMap<u64, (OrderStatus, u64)>,
    /// Those that were accepted and are cancelled.
    given_back: HashSet<u64>,
    /// When each idempotency key was last used for an order.
    keys: HashMap<[u8; 16], Millis>,
    key_retention: Millis,
    /// Replenishments by their sequence, and whether their goods were counted.
    replenishments: HashMap<u64, bool>,
    requests: HashMap<u64, requests::Request>,
    last_seq: u64,
    last_at: Millis,
}

/// Checks everything there is, on a store whose keys were kept as long as by default, and as if it
/// were the time of its newest entry.
///
/// # Errors
/// When the store cannot be read; a rule that is broken is in the report.
pub fn audit(reader: &dyn Reader) -> Result<Report, StoreError> {
    audit_with(reader, Limits::default().key_retention, Millis::MIN)
}

/// Checks everything there is. An idempotency key may come again once it was kept this long, and may
/// be forgotten from then on: `now` says which those are.
///
/// # Errors
/// As [`audit()`].
pub fn audit_with(
    reader: &dyn Reader,
    key_retention: Duration,
    now: Millis,
) -> Result<Report, StoreError> {
    let mut audit = Audit {
        reader,
        report: Report::default(),
        lines: HashMap::new(),
        auctions: HashMap::new(),
        system: (0, genesis(SYSTEM_LINE)),
        orders: HashMap::new(),
        given_back: HashSet::new(),
        keys: HashMap::new(),
        key_retention: Millis::try_from(key_retention.as_millis()).unwrap_or(Millis::MAX),
        replenishments: HashMap::new(),
        requests: HashMap::new(),
        last_seq: 0,
        last_at: Millis::MIN,
    };
    audit.read_on()?;
    audit.compare_products()?;
    audit.compare_requests()?;
    audit.compare_auctions()?;
    audit.compare_look_ups(now)?;
    for line in audit.lines.values() {
        audit.report.heads.insert(line.sku.clone(), line.hash);
    }
    audit.report.products = audit.lines.len() as u64;
    Ok(audit.report)
}

impl Audit<'_> {
    fn read_on(&mut self) -> Result<(), StoreError> {
        loop {
            let page = self.reader.entries_as_stored(self.last_seq, PAGE)?;
            if page.is_empty() {
                return Ok(());
            }
            for entry in &page {
                self.entry(entry)?;
            }
        }
    }

    fn stored_entry(&self, seq: u64) -> Result<Option<Entry>, StoreError> {
        let after = seq.saturating_sub(1);
        let found = self.reader.entries_as_stored(after, 1)?.pop();
        Ok(found.filter(|entry| entry.seq == seq))
    }

    fn broken(&mut self, rule: u8, entry: &Entry, what: impl Into<String>) {
        let sku = self.lines.get(&entry.line).map(|line| line.sku.clone());
        let place = serde_json::from_str::<Data<'_>>(&entry.data)
            .ok()
            .and_then(|data| data.place);
        self.tell(Violation {
            rule,
            sku,
            seq: Some(entry.seq),
            place,
            what: what.into(),
        });
    }

    fn tell(&mut self, violation: Violation) {
        self.report.violations_total += 1;
        if self.report.violations.len() < TOLD_MAX {
            self.report.violations.push(violation);
        }
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), StoreError> {
        self.report.entries += 1;
        if entry.seq != self.last_seq + 1 {
            let expected = self.last_seq + 1;
            self.broken(
                11,
                entry,
                format!("entry {expected} is missing from the log"),
            );
        }
        if entry.at < self.last_at {
            self.broken(11, entry, "is older than the entry before it");
        }
        self.last_seq = entry.seq;
        self.last_at = entry.at;
        match entry.line {
            LineId::System => {
                self.system_entry(entry);
                return Ok(());
            }
            LineId::Auction(auction) => return self.auction_entry(auction, entry),
            LineId::Product(_) => {}
        }
        let Ok(data) = serde_json::from_str::<Data<'_>>(&entry.data) else {
            self.broken(11, entry, "holds data that cannot be read");
            return Ok(());
        };
        if entry.kind == Kind::ProductCreated {
            let sku = data.sku.as_deref().unwrap_or("").to_owned();
            self.lines.insert(
                entry.line,
                LineModel {
                    hash: genesis(&sku),
                    sku,
                    ..LineModel::default()
                },
            );
        }
        self.link(entry);
        self.step(entry, &data);
        self.levels(entry, &data);
        self.stored_status(entry)
    }

    fn system_entry(&mut self, entry: &Entry) {
        let (prev, before) = self.system;
        let expected = chain(
            &before,
            entry.at,
            entry.kind.as_str(),
            entry.data.as_bytes(),
        );
        if entry.prev != prev || entry.hash != expected {
            self.broken(11, entry, "does not follow from the entry before it");
        }
        self.system = (entry.seq, entry.hash);
        if entry.kind.family() == Family::Parcel && !self.was_accepted(entry.subject) {
            self.broken(
                9,
                entry,
                "tells of a parcel of an order that was not accepted",
            );
        }
    }

    fn was_accepted(&self, order: u64) -> bool {
        let stands = matches!(self.orders.get(&order), Some((OrderStatus::Accepted, _)));
        stands || self.given_back.contains(&order)
    }

    /// Rule 11: every entry carries the hash of the one before it in its line.
    fn link(&mut self, entry: &Entry) {
        let Some(line) = self.lines.get_mut(&entry.line) else {
            self.broken(11, entry, "belongs to a product that was never created");
            return;
        };
        let expected = chain(
            &line.hash,
            entry.at,
            entry.kind.as_str(),
            entry.data.as_bytes(),
        );
        let follows = entry.prev == line.last_seq && entry.hash == expected;
        line.last_seq = entry.seq;
        line.hash = entry.hash;
        if !follows {
            self.broken(
                11,
                entry,
                "does not follow from the entry before it in its line",
            );
        }
    }

    fn step(&mut self, entry: &Entry, data: &Data<'_>) {
        let units = data.quantity.unwrap_or(0);
        match entry.kind {
            Kind::ProductCreated | Kind::StockReceived => {
                self.note_price(entry, data);
                if let Some(line) = self.lines.get_mut(&entry.line) {
                    line.received += units;
                    line.refused = None;
                }
            }
            Kind::OrderPlaced | Kind::OrderAccepted | Kind::OrderSoldOut
                if entry.subject == entry.seq =>
            {
                let status = entry.kind.order_status().expect("a kind of an order");
                self.admission(entry, data, status, units);
            }
            Kind::OrderAccepted | Kind::OrderSoldOut => self.later_verdict(entry, units),
            Kind::OrderPlaced => self.broken(5, entry, "places an order that was there before"),
            Kind::OrderCancelled => self.cancellation(entry, units),
            Kind::ReplenishmentRequested => {
                self.note_request(entry, data, false);
                self.requested(entry);
            }
            Kind::ReplenishmentStarted => {
                self.note_request(entry, data, false);
                if !self.is_open_replenishment(entry) {
                    self.broken(8, entry, "starts a replenishment that is not open");
                }
            }
            Kind::ReplenishmentReceived => {
                self.note_request(entry, data, true);
                self.counted(entry);
            }
            Kind::ReplenishmentFailed => {
                self.note_request(entry, data, false);
                if !self.end_replenishment(entry) {
                    self.broken(8, entry, "fails a replenishment that is not open");
                }
            }
            Kind::ProductUpdated => self.note_price(entry, data),
            Kind::MessageDeadLettered
            | Kind::AuctionCreated
            | Kind::AuctionOpened
            | Kind::AuctionClosingSoon
            | Kind::AuctionClosed
            | Kind::AuctionCancelled
            | Kind::AuctionSettled
            | Kind::AuctionForfeited
            | Kind::AuctionOffered
            | Kind::AuctionOfferAnswered
            | Kind::BidPlaced
            | Kind::BidAccepted
            | Kind::BidRefused
            | Kind::BidRetracted
            | Kind::ParcelCreated
            | Kind::ParcelMoved => {
                self.broken(11, entry, "does not belong into a product's line");
            }
        }
    }

    fn note_price(&mut self, entry: &Entry, data: &Data<'_>) {
        let price = data.unit_price.map(|price| (price, data.currency));
        if let Some(line) = self.lines.get_mut(&entry.line) {
            line.price = price.or(line.price);
        }
    }

    fn admission(&mut self, entry: &Entry, data: &Data<'_>, status: OrderStatus, units: u64) {
        self.report.orders += 1;
        let place = data.place.unwrap_or(0);
        let Some(line) = self.lines.get_mut(&entry.line) else {
            return;
        };
        let expected = line.last_place + 1;
        line.last_place = place;
        if place != expected {
            self.broken(
                3,
                entry,
                format!("has place {place} where {expected} is next"),
            );
        }
        match &entry.buyer {
            Some(buyer) if buyer.secret.is_some() => self.buyer(entry, data, buyer),
            Some(_) | None => self.broken(5, entry, "is an order that nobody placed"),
        }
        let line = self.lines.get(&entry.line);
        let waits = line.is_some_and(|line| !line.pending.is_empty());
        match status {
            OrderStatus::Accepted => {
                if waits {
                    self.broken(4, entry, "was accepted while others waited before it");
                }
                self.accept(entry, units);
                self.orders
                    .insert(entry.seq, (OrderStatus::Accepted, units));
            }
            OrderStatus::SoldOut => {
                if waits {
                    self.broken(4, entry, "was refused while others waited before it");
                }
                self.refuse(entry, units);
            }
            OrderStatus::Rejected | OrderStatus::Expired | OrderStatus::Cancelled => {
                self.broken(
                    5,
                    entry,
                    "admits an order with a verdict that none begins with",
                );
            }
            OrderStatus::Pending => {
                if let Some(line) = self.lines.get_mut(&entry.line) {
                    line.pending
                        .insert(place, (entry.seq, Pending { place, units }));
                    line.pending_units += units;
                }
                self.orders.insert(entry.seq, (OrderStatus::Pending, units));
            }
        }
    }

    /// Rule 6: a key makes one order as long as it is kept. Rule 11: an order is whose it was.
    fn buyer(&mut self, entry: &Entry, data: &Data<'_>, buyer: &Buyer) {
        if let Some(key) = buyer.key {
            let before = self.keys.insert(key.0, entry.at);
            if before.is_some_and(|before| entry.at - before <= self.key_retention) {
                self.broken(6, entry, "has the idempotency key of an earlier order");
            }
        }
        if let Some(secret) = buyer.secret {
            let commitment = commit_to_buyer(secret, &Email::from_stored(&buyer.customer));
            if data.buyer.as_deref().map(str::as_bytes) != Some(&hex(commitment)) {
                self.broken(11, entry, "is stored under another buyer or another id");
            }
        }
    }

    /// Rules 2 and 4: a unit is promised once, and nobody overtakes.
    fn accept(&mut self, entry: &Entry, units: u64) {
        self.report.accepted += 1;
        let Some(line) = self.lines.get_mut(&entry.line) else {
            return;
        };
        let free = line.received.saturating_sub(line.allocated);
        let overtook = line.refused.filter(|refused| units >= *refused);
        line.allocated += units;
        if units > free {
            self.broken(
                2,
                entry,
                format!("was accepted for {units} with {free} available"),
            );
        }
        if let Some(refused) = overtook {
            self.broken(
                4,
                entry,
                format!("was accepted for {units} after {refused} were refused, with nothing new"),
            );
        }
    }

    fn refuse(&mut self, entry: &Entry, units: u64) {
        let Some(line) = self.lines.get_mut(&entry.line) else {
            return;
        };
        let free = line.received.saturating_sub(line.allocated);
        line.refused = Some(line.refused.map_or(units, |refused| refused.min(units)));
        if units <= free {
            self.broken(
                2,
                entry,
                format!("was refused {units} with {free} available"),
            );
        }
    }

    fn later_verdict(&mut self, entry: &Entry, units: u64) {
        if !matches!(
            self.orders.get(&entry.subject),
            Some((OrderStatus::Pending, _))
        ) {
            self.broken(
                5,
                entry,
                "is a second verdict, or one on an order that is not there",
            );
            return;
        }
        let head = self
            .lines
            .get_mut(&entry.line)
            .and_then(|line| line.pending.pop_first());
        match head {
            Some((_, (seq, pending))) => {
                if let Some(line) = self.lines.get_mut(&entry.line) {
                    line.pending_units = line.pending_units.saturating_sub(pending.units);
                }
                if seq != entry.subject {
                    let place = pending.place;
                    self.broken(4, entry, format!("was decided before place {place}"));
                }
                if pending.units != units {
                    self.broken(5, entry, "decides another quantity than was ordered");
                }
            }
            None => self.broken(5, entry, "decides an order that does not wait"),
        }
        if entry.kind == Kind::OrderAccepted {
            self.accept(entry, units);
            self.orders
                .insert(entry.subject, (OrderStatus::Accepted, units));
        } else {
            self.refuse(entry, units);
            self.orders.remove(&entry.subject);
        }
    }

    fn cancellation(&mut self, entry: &Entry, units: u64) {
        match self.orders.remove(&entry.subject) {
            Some((OrderStatus::Accepted, ordered)) if ordered == units => {
                self.given_back.insert(entry.subject);
                if let Some(line) = self.lines.get_mut(&entry.line) {
                    line.allocated = line.allocated.saturating_sub(units);
                    line.refused = None;
                }
            }
            Some((OrderStatus::Pending, ordered)) if ordered == units => {
                if let Some(line) = self.lines.get_mut(&entry.line) {
                    line.pending.retain(|_, (seq, _)| *seq != entry.subject);
                    line.pending_units = line.pending_units.saturating_sub(units);
                }
            }
            Some(_) | None => {
                self.broken(5, entry, "cancels an order that cannot be cancelled");
            }
        }
    }

    /// Rule 8: one open request a product.
    fn requested(&mut self, entry: &Entry) {
        let id = entry.subject;
        let Some(line) = self.lines.get_mut(&entry.line) else {
            return;
        };
        let other = line.open_replenishment.replace(id);
        if other.is_some() {
            self.broken(8, entry, "is a second open replenishment");
        }
        if entry.seq == id {
            self.report.replenishments += 1;
            self.replenishments.insert(id, false);
        } else if self.replenishments.get(&id) != Some(&false) {
            self.broken(8, entry, "reopens a replenishment that cannot be reopened");
        }
    }

    /// Rule 8: goods are counted once.
    fn counted(&mut self, entry: &Entry) {
        self.end_replenishment(entry);
        match self.replenishments.insert(entry.subject, true) {
            Some(false) => {}
            Some(true) => {
                self.broken(8, entry, "counts the goods of a replenishment twice");
            }
            None => self.broken(8, entry, "counts goods that nobody asked for"),
        }
    }

    fn is_open_replenishment(&self, entry: &Entry) -> bool {
        let line = self.lines.get(&entry.line);
        line.is_none_or(|line| line.open_replenishment == Some(entry.subject))
    }

    /// Nothing is open any more, if this was. Says whether it was.
    fn end_replenishment(&mut self, entry: &Entry) -> bool {
        let was_open = self.is_open_replenishment(entry);
        if was_open && let Some(line) = self.lines.get_mut(&entry.line) {
            line.open_replenishment = None;
        }
        was_open
    }

    /// Rule 1: the sums that every entry carries are the sums of what happened.
    fn levels(&mut self, entry: &Entry, data: &Data<'_>) {
        let (Some(stock), Some(line)) = (data.stock, self.lines.get(&entry.line)) else {
            return;
        };
        let expected = [
            line.received,
            0,
            line.allocated,
            line.pending.len() as u64,
            line.pending_units,
            line.last_place,
        ];
        let told: [u64; 6] = stock.into();
        if told != expected {
            self.broken(
                1,
                entry,
                format!("tells stock {told:?} where its history gives {expected:?}"),
            );
        }
    }
}
