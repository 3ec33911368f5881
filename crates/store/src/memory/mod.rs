//! A store that forgets everything at the end: for tests and simulations.
//!
//! Written for the eye: maps that are searched as the port describes them, no caches, nothing
//! shared with the other stores but the suite they all pass.

mod auctions;
mod mailbox;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use commerce::auction::AuctionStatus;
use commerce::{
    AuctionId, CustomerHash, DRAIN_MAX, Line, LineId, Millis, Product, ProductId, Reference,
    Replenishment, Sku, Waiting, WhenSoldOut,
};
use engine::auction::{BidChange, BidRecord, StoredAuction};
use engine::ports::{
    Changes, Loaded, MoveStatus, MoveTask, Opened, OrderChange, QueueDepth, Reader, Store,
    StoreError, Subscription, Topic, Touch,
};
use engine::{Entry, KeyHash, OrderRecord, OrderStatus};
use messaging::Message;

use self::auctions::Auctions;
use self::mailbox::Mailbox;

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
    relay_cursor: u64,
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
            relay_cursor: state.relay_cursor,
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
        state.load_auctions(&mut loaded, touch);
        state.mailbox.load(&mut loaded, touch);
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
        if let Some(cursor) = changes.relay_cursor {
            state.relay_cursor = cursor;
        }
        Ok(())
    }
}

impl Reader for Memory {
    fn last_seq(&self) -> Result<u64, StoreError> {
        Ok(self.read().log.last().map_or(0, |entry| entry.seq))
    }

    fn product(&self, sku: &Sku) -> Result<Option<Product>, StoreError> {
        Ok(self.read().products.get(sku).cloned())
    }

    fn products(&self, after: Option<&Sku>, limit: usize) -> Result<Vec<Product>, StoreError> {
        let state = self.read();
        let products = state
            .products
            .values()
            .filter(|product| after.is_none_or(|after| product.sku > *after));
        Ok(products.take(limit).cloned().collect())
    }

    fn order(&self, seq: u64) -> Result<Option<OrderRecord>, StoreError> {
        Ok(self.read().order(seq))
    }

    fn ahead(&self, product: ProductId, place: u64) -> Result<(u64, u64), StoreError> {
        let state = self.read();
        let before: Vec<&Waiting> = state
            .waiting_of(product)
            .filter(|waiting| waiting.place < place)
            .collect();
        let units = before.iter().map(|waiting| waiting.quantity.units()).sum();
        Ok((before.len() as u64, units))
    }

    fn waiting(
        &self,
        product: ProductId,
        after_place: u64,
        limit: usize,
    ) -> Result<Vec<Waiting>, StoreError> {
        let state = self.read();
        let after = state
            .waiting_of(product)
            .filter(|waiting| waiting.place > after_place);
        Ok(after.take(limit).cloned().collect())
    }

    fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let state = self.read();
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        Ok(state.log.iter().skip(after).take(limit).cloned().collect())
    }

    fn entry(&self, seq: u64) -> Result<Option<Entry>, StoreError> {
        Ok(self.read().entry(seq).cloned())
    }

    fn replenishment(&self, seq: u64) -> Result<Option<Replenishment>, StoreError> {
        Ok(self.read().replenishments.get(&seq).cloned())
    }

    fn replenishments(
        &self,
        product: Option<ProductId>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Replenishment>, StoreError> {
        let state = self.read();
        let found = state
            .replenishments
            .values()
            .rev()
            .filter(|replenishment| product.is_none_or(|product| replenishment.product == product))
            .filter(|replenishment| before.is_none_or(|before| replenishment.seq < before));
        Ok(found.take(limit).cloned().collect())
    }

    fn open_replenishments(&self, limit: usize) -> Result<Vec<Replenishment>, StoreError> {
        let state = self.read();
        let open = state.replenishments.values().filter(|r| r.is_open());
        Ok(open.take(limit).cloned().collect())
    }

    fn unsettled_products(&self, limit: usize) -> Result<Vec<Product>, StoreError> {
        let state = self.read();
        let unsettled = state.products.values().filter(|product| {
            product.waiting > 0
                || (product.reorder.is_some() && product.open_replenishment.is_none())
        });
        Ok(unsettled.take(limit).cloned().collect())
    }

    fn auction(&self, seq: u64) -> Result<Option<StoredAuction>, StoreError> {
        Ok(self.read().auctions.auctions.get(&seq).cloned())
    }

    fn auctions(
        &self,
        status: Option<AuctionStatus>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<StoredAuction>, StoreError> {
        let state = self.read();
        let newest_first = state.auctions.auctions.values().rev();
        let found = newest_first
            .filter(|stored| status.is_none_or(|status| stored.auction.status == status))
            .filter(|stored| before.is_none_or(|before| stored.auction.seq < before));
        Ok(found.take(limit).cloned().collect())
    }

    fn due_auctions(&self, now: Millis, limit: usize) -> Result<Vec<AuctionId>, StoreError> {
        let state = self.read();
        let due = state.auctions.due();
        let due = due.into_iter().take_while(|(at, _)| *at <= now);
        Ok(due.take(limit).map(|(_, stored)| stored.id()).collect())
    }

    fn next_due_auction(&self, now: Millis) -> Result<Option<Millis>, StoreError> {
        let state = self.read();
        let mut times = state.auctions.due().into_iter().map(|(at, _)| at);
        Ok(times.find(|at| *at > now))
    }

    fn bid(&self, seq: u64) -> Result<Option<BidRecord>, StoreError> {
        Ok(self.read().bid(seq))
    }

    fn bid_change(&self, bid: u64) -> Result<Option<BidChange>, StoreError> {
        Ok(self.read().auctions.changes.get(&bid).copied())
    }

    fn waiting_bids(&self, auction: u64, limit: usize) -> Result<Vec<u64>, StoreError> {
        let state = self.read();
        Ok(state.auctions.waiting_of(auction).take(limit).collect())
    }

    fn queues(&self, now: Millis) -> Result<Vec<QueueDepth>, StoreError> {
        let state = self.read();
        let mailbox = &state.mailbox;
        let queues = mailbox.queues.values();
        Ok(queues.map(|queue| mailbox.depth(queue, now)).collect())
    }

    fn queue(&self, name: &str, now: Millis) -> Result<Option<QueueDepth>, StoreError> {
        let state = self.read();
        let mailbox = &state.mailbox;
        let queue = mailbox.queues.get(name);
        Ok(queue.map(|queue| mailbox.depth(queue, now)))
    }

    fn queue_names(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.read().mailbox.queues.keys().cloned().collect())
    }

    fn next_visible(&self, queue: &str, now: Millis) -> Result<Option<Millis>, StoreError> {
        let state = self.read();
        let Some(queue) = state.mailbox.queues.get(queue) else {
            return Ok(None);
        };
        let times = state.mailbox.messages_of(queue);
        let times = times.map(|message| message.visible_at_ms);
        Ok(times.filter(|at| *at > now).min())
    }

    fn messages(&self, queue: &str, after: u64, limit: usize) -> Result<Vec<Message>, StoreError> {
        let state = self.read();
        let Some(queue) = state.mailbox.queues.get(queue) else {
            return Ok(Vec::new());
        };
        let messages = state.mailbox.messages_of(queue);
        let after = messages.filter(|message| message.seq > after);
        Ok(after.take(limit).cloned().collect())
    }

    fn topics(&self, after: Option<&str>, limit: usize) -> Result<Vec<Topic>, StoreError> {
        let state = self.read();
        let topics = state.mailbox.topics.iter();
        let after = topics.filter(|(name, _)| Some(name.as_str()) > after);
        Ok(after.map(|(_, topic)| topic).take(limit).cloned().collect())
    }

    fn topic(&self, name: &str) -> Result<Option<Topic>, StoreError> {
        Ok(self.read().mailbox.topics.get(name).cloned())
    }

    fn subscription(&self, id: &str) -> Result<Option<Subscription>, StoreError> {
        let state = self.read();
        let mut all = state.mailbox.subscriptions.iter();
        Ok(all
            .find(|subscription| subscription.subscription.id == id)
            .cloned())
    }

    fn subscriptions(
        &self,
        topic: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Subscription>, StoreError> {
        let state = self.read();
        let all = &state.mailbox.subscriptions;
        let skip = after.and_then(|after| {
            let mut ids = all.iter().map(|one| one.subscription.id.as_str());
            ids.position(|id| id == after)
        });
        let rest = all.iter().skip(skip.map_or(0, |at| at + 1));
        let of_topic = rest.filter(|one| topic.is_none_or(|topic| one.topic == topic));
        Ok(of_topic.take(limit).cloned().collect())
    }

    fn moving_queues(&self) -> Result<Vec<(String, MoveTask)>, StoreError> {
        let state = self.read();
        let queues = state.mailbox.queues.values();
        let running = queues.filter_map(|queue| {
            let mut moves = queue.moves.iter();
            let task = moves.find(|task| task.status == MoveStatus::Running)?;
            Some((queue.name.clone(), task.clone()))
        });
        Ok(running.collect())
    }

    fn has_dropped_messages(&self) -> Result<bool, StoreError> {
        Ok(self.read().mailbox.has_dropped())
    }

    fn relay_cursor(&self) -> Result<u64, StoreError> {
        Ok(self.read().relay_cursor)
    }

    fn order_change(&self, order: u64) -> Result<Option<OrderChange>, StoreError> {
        Ok(self.read().order_changes.get(&order).cloned())
    }
}

#[cfg(test)]
mod tests;
