//! A store that somebody has rewritten: a copy of a log and what is kept beside it, and means to
//! change them and make the hashes fit again.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use commerce::auction::AuctionStatus;
use commerce::{
    AuctionId, Hash, LineId, Millis, Product, ProductId, Quantity, Replenishment, Sku, Waiting,
    chain, genesis,
};
use engine::auction::{BidChange, BidRecord, StoredAuction};
use engine::ports::{
    Ahead, Cursors, MoveTask, OrderChange, QueueDepth, Reader, StoreError, Subscription, Topic,
};
use engine::{Data, Entry, OrderRecord};
use messaging::Message;

pub(crate) struct Forger {
    log: Vec<Entry>,
    products: BTreeMap<Sku, Product>,
    waiting: Vec<(ProductId, Waiting)>,
    changes: HashMap<u64, OrderChange>,
    /// Newest first.
    replenishments: Vec<Replenishment>,
    /// What it turns into, and after how many looks at a product.
    later: Option<(Box<Self>, AtomicU32)>,
    /// How long it takes to read some of the log, and how often that was asked for.
    pub(crate) takes: Duration,
    pub(crate) asked: AtomicU32,
}

impl Forger {
    pub(crate) fn of(reader: &dyn Reader) -> Self {
        let log = reader.entries(0, usize::MAX >> 1).unwrap();
        let products = reader.products(None, 1_000).unwrap();
        let mut waiting = Vec::new();
        for product in &products {
            let line = reader.waiting(product.id, 0, 1_000).unwrap();
            waiting.extend(line.into_iter().map(|w| (product.id, w)));
        }
        let changes = log
            .iter()
            .filter_map(|entry| reader.order_change(entry.seq).unwrap())
            .map(|change| (change.order, change))
            .collect();
        Self {
            replenishments: reader.replenishments(None, None, 1_000).unwrap(),
            products: products.into_iter().map(|p| (p.sku.clone(), p)).collect(),
            log,
            waiting,
            changes,
            later: None,
            takes: Duration::ZERO,
            asked: AtomicU32::new(0),
        }
    }

    /// A live server: somebody goes on to commit while it is looked at.
    pub(super) fn turns_into(&mut self, later: Self, looks: u32) {
        self.later = Some((Box::new(later), AtomicU32::new(looks)));
    }

    fn now(&self) -> &Self {
        match &self.later {
            Some((later, looks)) if looks.load(Ordering::Relaxed) == 0 => later,
            _ => self,
        }
    }

    pub(super) fn entry(&mut self, seq: u64) -> &mut Entry {
        &mut self.log[usize::try_from(seq).unwrap() - 1]
    }

    pub(super) fn edit(&mut self, seq: u64, edit: impl FnOnce(&mut Data<'_>)) {
        let text = self.entry(seq).data.clone();
        let mut data: Data<'_> = serde_json::from_str(&text).unwrap();
        edit(&mut data);
        self.entry(seq).data = serde_json::to_string(&data).unwrap().into();
    }

    pub(super) fn product(&mut self, sku: &str, edit: impl FnOnce(&mut Product)) {
        edit(self.products.get_mut(&Sku::new(sku).unwrap()).unwrap());
    }

    /// Puts an entry into the log once more, right behind itself.
    pub(super) fn repeat(&mut self, seq: u64) {
        let again = self.entry(seq).clone();
        self.log.insert(usize::try_from(seq).unwrap(), again);
        self.renumber();
    }

    /// As an entry that is about itself.
    pub(super) fn repeat_as_new(&mut self, seq: u64) {
        self.repeat(seq);
        self.entry(seq + 1).subject = seq + 1;
    }

    pub(super) fn remove(&mut self, seq: u64) {
        self.log.remove(usize::try_from(seq).unwrap() - 1);
        self.changes.retain(|_, change| change.last_seq != seq);
        self.renumber();
    }

    /// An order that had its verdict joins the line as if it had none.
    pub(super) fn wait_again(&mut self, order: u64) {
        let entry = self.entry(order).clone();
        let data = entry.data();
        let quantity = u32::try_from(data.quantity.unwrap()).unwrap();
        let waiting = Waiting {
            place: data.place.unwrap(),
            order,
            quantity: Quantity::new(quantity).unwrap(),
            customer: entry.buyer.clone().unwrap().customer,
        };
        self.waiting.push((entry.line.product().unwrap(), waiting));
        self.waiting.sort_by_key(|(line, w)| (*line, w.place));
    }

    /// Sequences without a gap again, and all that points to them.
    fn renumber(&mut self) {
        let new: HashMap<u64, u64> = self
            .log
            .iter()
            .zip(1..)
            .map(|(entry, seq)| (entry.seq, seq))
            .collect();
        // The first of two that were the same keeps what points to it.
        let mut first = HashMap::new();
        for (entry, seq) in self.log.iter().zip(1..) {
            first.entry(entry.seq).or_insert(seq);
        }
        let moved = |old: u64| first.get(&old).copied().unwrap_or(old);
        for (entry, seq) in self.log.iter_mut().zip(1..) {
            entry.subject = moved(entry.subject);
            entry.seq = seq;
        }
        self.changes = self
            .changes
            .values()
            .map(|change| OrderChange {
                order: moved(change.order),
                last_seq: new
                    .get(&change.last_seq)
                    .copied()
                    .unwrap_or(change.last_seq),
                ..change.clone()
            })
            .map(|change| (change.order, change))
            .collect();
        for (_, waiting) in &mut self.waiting {
            waiting.order = moved(waiting.order);
        }
        for product in self.products.values_mut() {
            product.open_replenishment = product.open_replenishment.map(moved);
        }
    }

    /// Every hash and every link, as if this were what happened; and the products that end
    /// with them.
    pub(super) fn hash_again(&mut self) {
        let names: HashMap<LineId, Sku> = self
            .products
            .values()
            .map(|product| (product.id.into(), product.sku.clone()))
            .collect();
        let mut ends: HashMap<LineId, (u64, Hash)> = HashMap::new();
        for entry in &mut self.log {
            let name = names
                .get(&entry.line)
                .map_or("firstcome.system", Sku::as_str);
            let (prev, before) = ends
                .get(&entry.line)
                .copied()
                .unwrap_or_else(|| (0, genesis(name)));
            entry.prev = prev;
            entry.hash = chain(
                &before,
                entry.at,
                entry.kind.as_str(),
                entry.data.as_bytes(),
            );
            ends.insert(entry.line, (entry.seq, entry.hash));
        }
        for product in self.products.values_mut() {
            if let Some((seq, hash)) = ends.get(&product.id.into()) {
                (product.last_seq, product.last_hash) = (*seq, *hash);
            }
        }
    }
}

fn not_asked<T>() -> Result<T, StoreError> {
    Err(StoreError::text("an audit does not ask for this"))
}

impl Reader for Forger {
    fn last_seq(&self) -> Result<u64, StoreError> {
        Ok(self.now().log.len() as u64)
    }

    fn load(&self, _queue: &str, _now: Millis) -> Result<messaging::fair::Load, StoreError> {
        not_asked()
    }

    fn product(&self, sku: &Sku) -> Result<Option<Product>, StoreError> {
        if let Some((_, looks)) = &self.later {
            let _ = looks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        }
        Ok(self.now().products.get(sku).cloned())
    }

    fn products(&self, after: Option<&Sku>, limit: usize) -> Result<Vec<Product>, StoreError> {
        let after = |product: &&Product| after.is_none_or(|after| product.sku > *after);
        Ok(self
            .now()
            .products
            .values()
            .filter(after)
            .take(limit)
            .cloned()
            .collect())
    }

    fn check_look_ups(
        &self,
        _after: u64,
        _since: Millis,
        _broken: &mut dyn FnMut(u64, String),
    ) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    fn waiting(
        &self,
        product: ProductId,
        after_place: u64,
        limit: usize,
    ) -> Result<Vec<Waiting>, StoreError> {
        let line = self.now().waiting.iter().filter(|(of, _)| *of == product);
        let after = line.map(|(_, w)| w).filter(|w| w.place > after_place);
        Ok(after.take(limit).cloned().collect())
    }

    fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(self.takes);
        let after = usize::try_from(after).unwrap();
        Ok(self
            .now()
            .log
            .iter()
            .skip(after)
            .take(limit)
            .cloned()
            .collect())
    }

    fn entry(&self, seq: u64) -> Result<Option<Entry>, StoreError> {
        Ok(self
            .now()
            .log
            .iter()
            .find(|entry| entry.seq == seq)
            .cloned())
    }

    fn order_change(&self, order: u64) -> Result<Option<OrderChange>, StoreError> {
        Ok(self.now().changes.get(&order).cloned())
    }

    fn order(&self, _: u64) -> Result<Option<OrderRecord>, StoreError> {
        not_asked()
    }

    fn ahead(&self, product: ProductId, place: u64) -> Result<Ahead, StoreError> {
        let line = self.now().waiting.iter().filter(|(of, _)| *of == product);
        let before = line.map(|(_, w)| w).filter(|w| w.place < place);
        Ok(Ahead {
            orders: before.clone().count() as u64,
            units: before.map(|w| w.quantity.units()).sum(),
            last_seq: self.now().log.len() as u64,
        })
    }

    fn replenishment(&self, seq: u64) -> Result<Option<Replenishment>, StoreError> {
        let mut all = self.now().replenishments.iter();
        Ok(all.find(|found| found.seq == seq).cloned())
    }

    fn replenishments(
        &self,
        _: Option<ProductId>,
        _: Option<u64>,
        _: usize,
    ) -> Result<Vec<Replenishment>, StoreError> {
        Ok(self.now().replenishments.clone())
    }

    fn open_replenishments(&self, _: usize) -> Result<Vec<Replenishment>, StoreError> {
        not_asked()
    }

    fn unsettled_products(&self, _: Option<&Sku>, _: usize) -> Result<Vec<Product>, StoreError> {
        not_asked()
    }

    // Nobody has put anything up for auction here.
    fn auction(&self, _: u64) -> Result<Option<StoredAuction>, StoreError> {
        Ok(None)
    }

    fn auctions(
        &self,
        _: Option<AuctionStatus>,
        _: Option<u64>,
        _: usize,
    ) -> Result<Vec<StoredAuction>, StoreError> {
        Ok(Vec::new())
    }

    fn due_auctions(&self, _: Millis, _: usize) -> Result<Vec<AuctionId>, StoreError> {
        Ok(Vec::new())
    }

    fn next_due_auction(&self, _: Millis) -> Result<Option<Millis>, StoreError> {
        Ok(None)
    }

    fn bid(&self, _: u64) -> Result<Option<BidRecord>, StoreError> {
        Ok(None)
    }

    fn bid_change(&self, _: u64) -> Result<Option<BidChange>, StoreError> {
        Ok(None)
    }

    fn waiting_bids(&self, _: u64, _: usize) -> Result<Vec<u64>, StoreError> {
        Ok(Vec::new())
    }

    fn queues(&self, _: Millis) -> Result<Vec<QueueDepth>, StoreError> {
        Ok(Vec::new())
    }

    fn queue(&self, _: &str, _: Millis) -> Result<Option<QueueDepth>, StoreError> {
        not_asked()
    }

    fn queue_names(&self) -> Result<Vec<String>, StoreError> {
        not_asked()
    }

    fn next_visible(&self, _: &str, _: Millis) -> Result<Option<Millis>, StoreError> {
        not_asked()
    }

    fn messages(&self, _: &str, _: u64, _: usize) -> Result<Vec<Message>, StoreError> {
        not_asked()
    }

    fn topics(&self, _: Option<&str>, _: usize) -> Result<Vec<Topic>, StoreError> {
        not_asked()
    }

    fn topic(&self, _: &str) -> Result<Option<Topic>, StoreError> {
        not_asked()
    }

    fn subscription(&self, _: &str) -> Result<Option<Subscription>, StoreError> {
        not_asked()
    }

    fn subscription_page(
        &self,
        _: Option<&str>,
        _: Option<u64>,
        _: usize,
    ) -> Result<Vec<(u64, Subscription)>, StoreError> {
        not_asked()
    }

    fn moving_queues(&self) -> Result<Vec<(String, MoveTask)>, StoreError> {
        not_asked()
    }

    fn has_dropped_messages(&self) -> Result<bool, StoreError> {
        not_asked()
    }

    fn relayed(&self) -> Result<Cursors, StoreError> {
        not_asked()
    }
}
