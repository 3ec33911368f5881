//! A store that forgets everything at the end: for tests and simulations.
//!
//! Written for the eye: maps that are searched as the port describes them, no caches, nothing
//! shared with the other stores but the suite they all pass. [`Shared`] is the same for several
//! engines at once, as several processes on one database are.

mod auctions;
mod mailbox;
mod reader;
mod shared;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use commerce::{
    CustomerHash, DRAIN_MAX, Line, LineId, Millis, Product, ProductId, Reference, Replenishment,
    Sku, Waiting, WhenSoldOut,
};
use engine::ports::{Changes, Cursors, Loaded, Opened, OrderChange, Store, StoreError, Touch};
use engine::{Entry, KeyHash, Kind, OrderRecord, OrderStatus};

use self::auctions::Auctions;
use self::mailbox::Mailbox;
pub use self::shared::Shared;

#[derive(Default)]
struct State {
    log: Vec<Entry>,
    products: BTreeMap<Sku, Product>,
    order_changes: HashMap<u64, OrderChange>,
    waiting: BTreeMap<(ProductId, u64), Waiting>,
    receipts: HashMap<(ProductId, Reference), (u64, u64)>,
    replenishments: BTreeMap<u64, Replenishment>,
    auctions: Auctions,
    mailbox: Mailbox,
    relayed: Cursors,
}

/// Both sides of a store in memory.
#[derive(Clone, Default)]
pub struct Memory {
    state: Arc<RwLock<State>>,
}

impl Memory {
    pub fn open(&self) -> Opened {
        Opened {
            store: Box::new(self.clone()),
            reader: Arc::new(self.clone()),
            others: None,
            remembering: None,
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn entry(&self, seq: u64) -> Option<&Entry> {
        let at = usize::try_from(seq).ok()?.checked_sub(1)?;
        self.log.get(at)
    }

    fn order(&self, seq: u64) -> Option<OrderRecord> {
        let mut order = OrderRecord::from_entry(self.entry(seq)?)?;
        if let Some(change) = self.order_changes.get(&seq) {
            order.status = change.status;
            order.decided_at = change.decided_at;
            order.cancelled_at = change.cancelled_at;
            order.last_seq = change.last_seq;
        }
        Some(order)
    }

    fn orders(&self) -> impl Iterator<Item = OrderRecord> + '_ {
        self.log
            .iter()
            .filter(|entry| entry.kind.is_order() && entry.subject == entry.seq)
            .filter_map(|entry| self.order(entry.seq))
    }

    fn waiting_of(&self, product: ProductId) -> impl Iterator<Item = &Waiting> {
        self.waiting
            .range((product, 0)..=(product, u64::MAX))
            .map(|(_, waiting)| waiting)
    }

    fn line(&self, sku: &Sku, head: bool) -> Option<Line> {
        let product = self.products.get(sku)?;
        let wanted = head || product.when_sold_out == WhenSoldOut::Reject;
        let waiting: VecDeque<Waiting> = if wanted {
            self.waiting_of(product.id)
                .take(DRAIN_MAX)
                .cloned()
                .collect()
        } else {
            VecDeque::new()
        };
        Some(Line::new(product.clone(), waiting))
    }

    /// The entries that made an order or a bid with a key that is remembered, and whose it is.
    fn keyed(&self, since: Millis) -> impl Iterator<Item = (&Entry, KeyHash, CustomerHash)> {
        let firsts = self.log.iter().filter(|entry| entry.subject == entry.seq);
        firsts
            .filter(move |entry| entry.at >= since)
            .filter_map(|entry| {
                let buyer = entry.buyer.as_ref()?;
                Some((entry, buyer.key?, CustomerHash::of(&buyer.customer)))
            })
    }

    fn bought(&self, sku: &Sku, customer: CustomerHash) -> u64 {
        self.orders()
            .filter(|order| order.sku == *sku)
            .filter(|order| CustomerHash::of(&order.customer) == customer)
            .filter(|order| matches!(order.status, OrderStatus::Pending | OrderStatus::Accepted))
            .map(|order| order.quantity.units())
            .sum()
    }
}

impl Store for Memory {
    fn load(&mut self, touch: &Touch) -> Result<Loaded, StoreError> {
        let state = self.read();
        let system = state
            .log
            .iter()
            .rev()
            .find(|entry| entry.line == LineId::System);
        let mut loaded = Loaded {
            last_seq: state.log.last().map_or(0, |entry| entry.seq),
            last_at: state.log.last().map_or(0, |entry| entry.at),
            system: system.map_or((0, None), |entry| (entry.seq, Some(entry.hash))),
            next_product: u32::try_from(state.products.len()).expect("bounded") + 1,
            relayed: state.relayed,
            ..Loaded::default()
        };
        for sku in &touch.products {
            if let Some(line) = state.line(sku, touch.heads.contains(sku)) {
                loaded.products.insert(sku.clone(), line);
            }
        }
        for (entry, key, _) in state.keyed(touch.keys_since) {
            if !touch.keys.contains(&key) {
                continue;
            }
            loaded.keys.insert(key, entry.seq);
            if let Some(order) = state.order(entry.seq) {
                loaded.orders.insert(entry.seq, order);
            }
            if let Some(bid) = state.bid(entry.seq) {
                loaded.bids.insert(entry.seq, bid);
            }
            if let (Kind::AuctionCreated, Some(buyer)) = (entry.kind, &entry.buyer) {
                loaded.auction_bodies.insert(entry.seq, buyer.body);
            }
        }
        for customer in &touch.key_holders {
            let held = state.keyed(touch.keys_since);
            let held = held.filter(|(_, _, holder)| holder == customer).count();
            if held > 0 {
                loaded
                    .key_holders
                    .insert(*customer, u32::try_from(held).expect("bounded"));
            }
        }
        for (sku, customer) in &touch.bought {
            let limited = state
                .products
                .get(sku)
                .is_some_and(|product| product.purchase_limit.is_some());
            if limited {
                loaded
                    .bought
                    .insert((sku.clone(), *customer), state.bought(sku, *customer));
            }
        }
        for seq in &touch.orders {
            let Some(order) = state.order(*seq) else {
                continue;
            };
            if let Some(line) = state.line(&order.sku, true) {
                loaded.products.insert(order.sku.clone(), line);
            }
            let customer = CustomerHash::of(&order.customer);
            loaded.bought.insert(
                (order.sku.clone(), customer),
                state.bought(&order.sku, customer),
            );
            loaded.orders.insert(*seq, order);
        }
        for (sku, reference) in &touch.references {
            if let Some(product) = state.products.get(sku)
                && let Some(known) = state.receipts.get(&(product.id, reference.clone()))
            {
                loaded
                    .references
                    .insert((sku.clone(), reference.clone()), *known);
            }
        }
        for seq in &touch.replenishments {
            if let Some(replenishment) = state.replenishments.get(seq) {
                loaded.replenishments.insert(*seq, replenishment.clone());
            }
        }
        state.mailbox.load(&mut loaded, touch);
        state.load_auctions(&mut loaded, touch);
        Ok(loaded)
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), StoreError> {
        let mut state = self.write();
        state.log.extend(changes.entries.iter().cloned());
        for product in &changes.products {
            state.products.insert(product.sku.clone(), product.clone());
        }
        for change in &changes.order_changes {
            state.order_changes.insert(change.order, change.clone());
        }
        for (product, waiting) in &changes.waiting_added {
            state
                .waiting
                .insert((*product, waiting.place), waiting.clone());
        }
        for removed in &changes.waiting_removed {
            state.waiting.remove(removed);
        }
        for (product, reference, quantity, seq) in &changes.references {
            state
                .receipts
                .insert((*product, reference.clone()), (*quantity, *seq));
        }
        for replenishment in &changes.replenishments {
            state
                .replenishments
                .insert(replenishment.seq, replenishment.clone());
        }
        state.auctions.commit(changes);
        state.mailbox.commit(changes);
        if let Some(relayed) = changes.relayed {
            state.relayed = relayed;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
