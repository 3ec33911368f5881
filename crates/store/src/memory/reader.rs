//! The reading side: everything is looked for from the front.

use std::ops::Bound;

use commerce::auction::AuctionStatus;
use commerce::{AuctionId, Millis, Product, ProductId, Replenishment, Sku, Waiting};
use engine::auction::{BidChange, BidRecord, StoredAuction};
use engine::ports::{
    Ahead, Cursors, MoveStatus, MoveTask, OrderChange, QueueDepth, Reader, StoreError,
    Subscription, Topic,
};
use engine::{Entry, OrderRecord};
use messaging::Message;
use messaging::fair::Load;

use super::Memory;

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

    fn ahead(&self, product: ProductId, place: u64) -> Result<Ahead, StoreError> {
        let state = self.read();
        let before: Vec<&Waiting> = state
            .waiting_of(product)
            .filter(|waiting| waiting.place < place)
            .collect();
        let units = before.iter().map(|waiting| waiting.quantity.units()).sum();
        Ok(Ahead {
            orders: before.len() as u64,
            units,
            last_seq: state.log.last().map_or(0, |entry| entry.seq),
        })
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

    fn check_look_ups(
        &self,
        _after: u64,
        _since: Millis,
        _broken: &mut dyn FnMut(u64, String),
    ) -> Result<Option<u64>, StoreError> {
        Ok(None)
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

    fn unsettled_products(
        &self,
        after: Option<&Sku>,
        limit: usize,
    ) -> Result<Vec<Product>, StoreError> {
        let state = self.read();
        let unsettled = state.products.values().filter(|product| {
            after.is_none_or(|after| product.sku > *after)
                && (product.waiting > 0
                    || (product.reorder.is_some() && product.open_replenishment.is_none()))
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

    fn load(&self, queue: &str, now: Millis) -> Result<Load, StoreError> {
        let state = self.read();
        let mailbox = &state.mailbox;
        let queue = mailbox.queues.get(queue);
        Ok(queue.map_or_else(Load::default, |queue| mailbox.fair_load(queue, now)))
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
        let mut all = state.mailbox.subscriptions.values();
        Ok(all
            .find(|subscription| subscription.subscription.id == id)
            .cloned())
    }

    fn subscription_page(
        &self,
        topic: Option<&str>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Subscription)>, StoreError> {
        let state = self.read();
        let after = (Bound::Excluded(after.unwrap_or(0)), Bound::Unbounded);
        let rest = state.mailbox.subscriptions.range(after);
        let of_topic = rest.filter(|(_, one)| topic.is_none_or(|topic| one.topic == topic));
        let placed = of_topic.map(|(place, one)| (*place, one.clone()));
        Ok(placed.take(limit).collect())
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

    fn relayed(&self) -> Result<Cursors, StoreError> {
        Ok(self.read().relayed)
    }

    fn order_change(&self, order: u64) -> Result<Option<OrderChange>, StoreError> {
        Ok(self.read().order_changes.get(&order).cloned())
    }
}
