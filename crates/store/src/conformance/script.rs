//! Commits in the words of a shop, with what every entry needs filled in.

use std::collections::BTreeMap;
use std::sync::Arc;

use commerce::{
    Currency, CustomerHash, Email, LineId, Millis, Money, Name, NewProduct, OrderId, Product,
    ProductId, Quantity, Reference, Replenishment, ReplenishmentId, Secret, Sku, Token, Waiting,
    WhenSoldOut,
};
use engine::auction::{BidChange, BidRecord, StoredAuction};
use engine::ports::{Changes, Counted, Opened, OrderChange, Queue, QueueTouch};
use engine::{BodyHash, Buyer, Entry, KeyHash, Kind, OrderRecord, OrderStatus};
use messaging::{Message, QueueConfig, RedrivePolicy};

/// When scripts begin.
pub(crate) const START: Millis = 1_700_000_000_000;

pub(crate) fn sku(text: &str) -> Sku {
    Sku::new(text).unwrap()
}

pub(crate) fn customer(text: &str) -> CustomerHash {
    Email::new(text).unwrap().customer()
}

pub(crate) fn quantity(units: u32) -> Quantity {
    Quantity::new(units).unwrap()
}

pub(crate) fn reference(text: &str) -> Reference {
    Reference::new(text).unwrap()
}

/// A key whose first half is `half`.
pub(crate) fn key(half: u64, rest: u64) -> KeyHash {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&half.to_be_bytes());
    bytes[8..].copy_from_slice(&rest.to_be_bytes());
    KeyHash(bytes)
}

pub(crate) fn new_product(id: u32, text: &str) -> Product {
    let new = NewProduct {
        sku: sku(text),
        name: Name::new("Thing").unwrap(),
        price: Money::new(450).unwrap(),
        currency: Currency::new("EUR").unwrap(),
        stock: 10,
        purchase_limit: None,
        when_sold_out: WhenSoldOut::Reject,
        opens_at: None,
        reorder: None,
        ad_manager: None,
    };
    Product::new(ProductId(id), new, START)
}

pub(crate) fn queue(id: u32, name: &str, dead_letter_queue: Option<&str>) -> Queue {
    Queue {
        id,
        name: name.to_owned(),
        config: QueueConfig {
            redrive: dead_letter_queue.map(|name| RedrivePolicy {
                dead_letter_queue: name.to_owned(),
                max_receive_count: 3,
            }),
            ..QueueConfig::default()
        },
        partition: id,
        more: Arc::default(),
        moves: Arc::default(),
        next_seq: 1,
        created_at: START,
        modified_at: START,
        purged_at: None,
    }
}

pub(crate) fn touch_queue(name: &str) -> QueueTouch {
    QueueTouch {
        name: name.to_owned(),
        ..QueueTouch::default()
    }
}

/// A message that was sent at `START + seq` and is visible from `visible_at` on.
pub(crate) fn message(seq: u64, visible_at: Millis) -> Message {
    Message {
        seq,
        id: format!("message-{seq}"),
        body: format!("body {seq} \"quoted\" é 🍩"),
        sent_at_ms: START + Millis::try_from(seq).unwrap(),
        visible_at_ms: visible_at,
        ..Message::default()
    }
}

pub(crate) fn replenishment(seq: u64, product: &Product) -> Replenishment {
    Replenishment::new(
        ReplenishmentId {
            seq,
            secret: secret(seq),
        },
        product.id,
        product.sku.clone(),
        sku("F-1"),
        100,
        Token(format!("token-{seq}")),
        START,
    )
}

fn signed(units: u32) -> i32 {
    i32::try_from(units).unwrap()
}

pub(super) fn secret(seq: u64) -> Secret {
    let mut bytes = [7; 10];
    bytes[..8].copy_from_slice(&seq.to_le_bytes());
    Secret(bytes)
}

/// An order as it enters the log.
#[derive(Debug, Clone)]
pub(crate) struct Ordered {
    pub(crate) sku: &'static str,
    pub(crate) customer: &'static str,
    pub(crate) units: u32,
    pub(crate) kind: Kind,
    pub(crate) key: Option<KeyHash>,
}

impl Default for Ordered {
    fn default() -> Self {
        Self {
            sku: "A",
            customer: "ada@example.com",
            units: 1,
            kind: Kind::OrderAccepted,
            key: None,
        }
    }
}

/// What a shop does, one commit after another.
pub(crate) struct Script {
    pub(crate) seq: u64,
    pub(crate) at: Millis,
    pub(crate) changes: Changes,
    /// Every entry that was committed or is about to be.
    pub(crate) log: Vec<Entry>,
    /// Every order as it stands.
    pub(crate) orders: BTreeMap<u64, OrderRecord>,
    pub(crate) products: BTreeMap<Sku, Product>,
    /// Auctions and bids as they stand; see `lots`.
    pub(crate) auctions: BTreeMap<u64, StoredAuction>,
    pub(crate) bids: BTreeMap<u64, BidRecord>,
    pub(crate) bid_changes: BTreeMap<u64, BidChange>,
    /// What the next queue, topic or partition would get.
    next_number: u32,
}

impl Script {
    pub(crate) fn new() -> Self {
        Self {
            seq: 0,
            at: START,
            changes: Changes::default(),
            log: Vec::new(),
            orders: BTreeMap::new(),
            products: BTreeMap::new(),
            auctions: BTreeMap::new(),
            bids: BTreeMap::new(),
            bid_changes: BTreeMap::new(),
            next_number: 1,
        }
    }

    pub(crate) fn commit(&mut self, opened: &mut Opened) {
        let changes = std::mem::take(&mut self.changes);
        opened.store.commit(&changes).unwrap();
    }

    /// Adds an entry; a product's line continues where it stood.
    pub(crate) fn entry(
        &mut self,
        line: impl Into<LineId>,
        kind: Kind,
        subject: Option<u64>,
        data: &str,
        buyer: Option<Buyer>,
    ) -> u64 {
        self.sealed_entry(line.into(), kind, subject, data, buyer, None)
    }

    /// Adds an entry that keeps something to itself.
    pub(crate) fn sealed_entry(
        &mut self,
        line: LineId,
        kind: Kind,
        subject: Option<u64>,
        data: &str,
        buyer: Option<Buyer>,
        sealed: Option<&str>,
    ) -> u64 {
        self.seq += 1;
        let before = self.log.iter().rev().find(|entry| entry.line == line);
        let entry = Entry {
            seq: self.seq,
            line,
            prev: before.map_or(0, |entry| entry.seq),
            kind,
            at: self.at,
            subject: subject.unwrap_or(self.seq),
            data: Arc::from(data),
            hash: *blake3::hash(&self.seq.to_le_bytes()).as_bytes(),
            buyer,
            sealed: sealed.map(Arc::from),
        };
        let hash = entry.hash;
        self.log.push(entry.clone());
        self.changes.entries.push(entry);
        let product = self
            .products
            .values()
            .find(|product| line == product.id.into());
        if let Some(product) = product.cloned() {
            self.put_product(product);
        }
        if let Some(stored) = line.auction().and_then(|seq| self.auctions.get_mut(&seq)) {
            stored.last_seq = self.seq;
            stored.last_hash = hash;
            let seq = stored.auction.seq;
            self.put_auction(seq);
        }
        self.seq
    }

    /// Adds an entry that concerns no line.
    pub(crate) fn note(&mut self) {
        let kind = Kind::MessageDeadLettered;
        self.entry(LineId::System, kind, Some(0), "{}", None);
    }

    /// Adds a product, or changes it.
    pub(crate) fn product(&mut self, product: Product) {
        let kind = match self.products.contains_key(&product.sku) {
            true => Kind::ProductUpdated,
            false => Kind::ProductCreated,
        };
        let data = format!(r#"{{"sku":"{}"}}"#, product.sku);
        self.entry(product.id, kind, Some(0), &data, None);
        self.put_product(product);
    }

    /// A line ends as its product says.
    fn put_product(&mut self, mut product: Product) {
        let line = LineId::from(product.id);
        if let Some(newest) = self.log.iter().rev().find(|entry| entry.line == line) {
            product.last_seq = newest.seq;
            product.last_hash = newest.hash;
        }
        self.changes
            .products
            .retain(|known| known.sku != product.sku);
        self.changes.products.push(product.clone());
        self.products.insert(product.sku.clone(), product);
    }

    pub(crate) fn change(&mut self, text: &str, change: impl FnOnce(&mut Product)) {
        let mut product = self.products[&sku(text)].clone();
        change(&mut product);
        self.product(product);
    }

    /// Adds an order; one that is only placed joins its product's line.
    pub(crate) fn order(&mut self, ordered: &Ordered) -> u64 {
        let mut product = self.products[&sku(ordered.sku)].clone();
        product.last_place += 1;
        let place = product.last_place;
        let data = format!(
            r#"{{"sku":"{}","place":{place},"quantity":{},"unitPrice":450,"currency":"EUR"}}"#,
            ordered.sku, ordered.units
        );
        let seq = self.seq + 1;
        let buyer = Buyer {
            customer: ordered.customer.into(),
            secret: Some(secret(seq)),
            key: ordered.key,
            body: BodyHash(seq ^ u64::MAX),
        };
        self.entry(product.id, ordered.kind, None, &data, Some(buyer.clone()));
        let pending = ordered.kind == Kind::OrderPlaced;
        let has_units = ordered.kind != Kind::OrderSoldOut;
        if ordered.key.is_some() || has_units {
            self.changes.counted.push(Counted {
                order: seq,
                key: ordered.key,
                customer: customer(ordered.customer),
                product: product.id,
                delta: if has_units { signed(ordered.units) } else { 0 },
                at: self.at,
            });
        }
        if pending {
            product.waiting += 1;
            product.waiting_units += u64::from(ordered.units);
            let waiting = Waiting {
                place,
                order: seq,
                quantity: quantity(ordered.units),
                customer: ordered.customer.into(),
            };
            self.changes.waiting_added.push((product.id, waiting));
        }
        let record = OrderRecord {
            id: OrderId {
                seq,
                secret: secret(seq),
            },
            product: product.id,
            sku: product.sku.clone(),
            place,
            quantity: quantity(ordered.units),
            customer: ordered.customer.into(),
            unit_price: Money::new(450).unwrap(),
            currency: Currency::new("EUR").unwrap(),
            status: match ordered.kind {
                Kind::OrderPlaced => OrderStatus::Pending,
                Kind::OrderAccepted => OrderStatus::Accepted,
                _ => OrderStatus::SoldOut,
            },
            placed_at: self.at,
            decided_at: (!pending).then_some(self.at),
            cancelled_at: None,
            key: ordered.key,
            body: buyer.body,
            last_seq: seq,
        };
        self.orders.insert(seq, record);
        self.put_product(product);
        seq
    }

    /// Adds a later entry about an order: its verdict, or its cancellation.
    pub(crate) fn later(&mut self, order: u64, kind: Kind) {
        let mut record = self.orders[&order].clone();
        let mut product = self.products[&record.sku].clone();
        if record.status == OrderStatus::Pending {
            product.waiting -= 1;
            product.waiting_units -= record.quantity.units();
            self.changes
                .waiting_removed
                .push((product.id, record.place));
        }
        let data = format!(
            r#"{{"sku":"{}","place":{},"quantity":{}}}"#,
            record.sku,
            record.place,
            record.quantity.units()
        );
        let buyer = Buyer {
            customer: Arc::clone(&record.customer),
            secret: None,
            key: None,
            body: BodyHash(0),
        };
        let seq = self.entry(product.id, kind, Some(order), &data, Some(buyer));
        if kind != Kind::OrderAccepted {
            self.changes.counted.push(Counted {
                order,
                key: None,
                customer: customer(&record.customer),
                product: product.id,
                delta: -signed(record.quantity.get()),
                at: self.at,
            });
        }
        if kind == Kind::OrderCancelled {
            record.cancelled_at = Some(self.at);
        } else {
            record.decided_at = Some(self.at);
        }
        record.status = match kind {
            Kind::OrderAccepted => OrderStatus::Accepted,
            Kind::OrderSoldOut => OrderStatus::SoldOut,
            _ => OrderStatus::Cancelled,
        };
        record.last_seq = seq;
        self.changes.order_changes.push(OrderChange {
            order,
            status: record.status,
            decided_at: record.decided_at,
            cancelled_at: record.cancelled_at,
            last_seq: seq,
        });
        self.orders.insert(order, record);
        self.put_product(product);
    }

    /// Puts messages into a queue, which counts them.
    pub(crate) fn send(&mut self, queue: &mut Queue, messages: impl IntoIterator<Item = Message>) {
        for message in messages {
            queue.next_seq = queue.next_seq.max(message.seq + 1);
            self.changes.messages.push((queue.partition, message));
        }
        self.put_queue(queue);
    }

    /// Adds a queue, or changes it.
    pub(crate) fn put_queue(&mut self, queue: &Queue) {
        self.changes.queues.retain(|known| known.id != queue.id);
        self.changes.queues.push(queue.clone());
        self.use_number(queue.id.max(queue.partition));
    }

    /// Queues, topics and partitions have their numbers from one row.
    pub(crate) fn use_number(&mut self, number: u32) {
        self.next_number = self.next_number.max(number + 1);
        self.changes.next_queue = Some(self.next_number);
    }
}
