//! The writer: what a batch touches comes from memory where it can, what it changes goes out in
//! one transaction.

use std::collections::{HashMap, HashSet, VecDeque};

use std::sync::Arc;
use std::sync::atomic::Ordering;

use commerce::{
    DRAIN_MAX, Email, Hash, Line, LineId, Millis, Product, ProductId, Sku, WhenSoldOut,
};
use engine::ports::{Changes, Cursors, Durability, Loaded, Store, StoreError, Touch};
use rusqlite::Connection;

use super::checkpoint::{Checkpointer, is_busy, restart_log};
use super::durability::LogSync;
use super::files::Locks;
use super::look_ups::{BlockSizes, LookUps};
use super::write_auctions::Auctions;
use super::write_mailbox::Mailbox;
use super::write_rows::{put_meta, write_entries, write_lines};
use super::{CACHE, read};

pub(super) struct SqliteStore {
    connection: Connection,
    checkpointer: Checkpointer,
    durability: Arc<LogSync>,
    last_seq: u64,
    last_at: Millis,
    system: (u64, Option<Hash>),
    relayed: Cursors,
    products: HashMap<Sku, Product>,
    skus: HashMap<ProductId, Sku>,
    auctions: Auctions,
    mailbox: Mailbox,
    look_ups: LookUps,
    /// Held as long as the store is open, and let go last.
    _locks: Locks,
}

impl SqliteStore {
    pub(super) fn new(
        connection: Connection,
        locks: Locks,
        checkpointer: Checkpointer,
        durability: LogSync,
        sizes: BlockSizes,
    ) -> Result<Self, StoreError> {
        let mut store = Self {
            look_ups: LookUps::new(sizes),
            last_seq: 0,
            last_at: 0,
            system: (0, None),
            relayed: Cursors::default(),
            products: HashMap::new(),
            skus: HashMap::new(),
            auctions: Auctions::default(),
            mailbox: Mailbox::default(),
            connection,
            checkpointer,
            durability: Arc::new(durability),
            _locks: locks,
        };
        store.read_small_tables()?;
        let has_limit = |product: &&Product| product.purchase_limit.is_some();
        let limited = store.products.values().filter(has_limit);
        store.look_ups = LookUps::read(&store.connection, limited.map(|p| p.id), sizes)?;
        store
            .connection
            .pragma_update(None, "cache_size", CACHE)
            .map_err(|source| StoreError::new("cannot set the size of the cache", source))?;
        Ok(store)
    }

    /// See [`Opened::remembering`](engine::ports::Opened).
    pub(super) fn remembering(&mut self) -> Option<Box<dyn FnOnce() + Send>> {
        self.mailbox.remembering()
    }

    /// Asks the connection that writes for one of its settings.
    #[cfg(test)]
    pub(super) fn pragma<T: rusqlite::types::FromSql>(&self, name: &str) -> T {
        self.connection
            .pragma_query_value(None, name, |row| row.get(0))
            .expect("the setting has this type")
    }

    /// What the sealed keys take in memory; see [`LookUps::heap_bytes`].
    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> (usize, usize) {
        self.look_ups.heap_bytes()
    }

    fn read_small_tables(&mut self) -> Result<(), StoreError> {
        let connection = &self.connection;
        if let Some(last) = read::last_entry(connection)? {
            self.last_seq = last.seq;
            self.last_at = last.at;
        }
        self.system = read::newest_system_entry(connection)?;
        self.relayed = read::relayed(connection)?;
        for product in read::products(connection, None, usize::MAX >> 1)? {
            self.skus.insert(product.id, product.sku.clone());
            self.products.insert(product.sku.clone(), product);
        }
        self.auctions = Auctions::read(connection)?;
        self.mailbox = Mailbox::read(connection)?;
        Ok(())
    }

    fn load_line(&self, sku: &Sku, head: bool) -> Result<Option<Line>, StoreError> {
        let Some(product) = self.products.get(sku) else {
            return Ok(None);
        };
        let wanted = head || product.when_sold_out == WhenSoldOut::Reject;
        let waiting = if wanted && product.waiting > 0 {
            read::waiting(&self.connection, product.id, 0, DRAIN_MAX)?
        } else {
            Vec::new()
        };
        Ok(Some(Line::new(product.clone(), VecDeque::from(waiting))))
    }

    fn write(&mut self, changes: &Changes) -> Result<(), rusqlite::Error> {
        let connection = &self.connection;
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        write_entries(connection, &changes.entries)?;
        write_lines(connection, changes)?;
        self.auctions.write(connection, changes)?;
        self.mailbox.write(connection, changes)?;
        if let Some(relayed) = changes.relayed {
            put_meta(connection, "relay_cursor", read::stored(relayed.shop))?;
            put_meta(connection, "orders_cursor", read::stored(relayed.orders))?;
        }
        if let Some(system) = changes
            .entries
            .iter()
            .rev()
            .find(|entry| entry.line == LineId::System)
        {
            put_meta(connection, "system_seq", read::stored(system.seq))?;
        }
        if let Some(at) = changes.probe {
            put_meta(connection, "probe", at)?;
        }
        self.look_ups.write(connection, changes)?;
        connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    fn remember(&mut self, changes: &Changes) {
        if let Some(newest) = changes.entries.last() {
            self.last_seq = newest.seq;
            self.last_at = newest.at;
        }
        if let Some(system) = changes
            .entries
            .iter()
            .rev()
            .find(|entry| entry.line == LineId::System)
        {
            self.system = (system.seq, Some(system.hash));
        }
        for product in &changes.products {
            self.skus.insert(product.id, product.sku.clone());
            self.products.insert(product.sku.clone(), product.clone());
        }
        if let Some(relayed) = changes.relayed {
            self.relayed = relayed;
        }
    }
}

impl Store for SqliteStore {
    fn load(&mut self, touch: &Touch) -> Result<Loaded, StoreError> {
        let mut loaded = Loaded {
            last_seq: self.last_seq,
            last_at: self.last_at,
            system: self.system,
            next_product: u32::try_from(self.products.len()).expect("bounded by the engine") + 1,
            relayed: self.relayed,
            ..Loaded::default()
        };
        let mut with_head: HashSet<Sku> = touch.heads.iter().cloned().collect();
        for sku in &touch.products {
            let head = with_head.contains(sku);
            if let Some(line) = self.load_line(sku, head)? {
                loaded.products.insert(sku.clone(), line);
            }
        }
        self.look_ups.load(&self.connection, &mut loaded, touch)?;
        for (sku, customer) in &touch.bought {
            let Some(product) = self.products.get(sku) else {
                continue;
            };
            if product.purchase_limit.is_none() {
                continue;
            }
            let (connection, id) = (&self.connection, product.id);
            let units = self.look_ups.bought(connection, id, *customer)?;
            loaded.bought.insert((sku.clone(), *customer), units);
        }
        for seq in &touch.orders {
            let Some(order) = read::order(&self.connection, *seq)? else {
                continue;
            };
            // A cancellation touches the order's line, which only the order names, and gives
            // units back to the customer's count.
            let has_head =
                with_head.contains(&order.sku) && loaded.products.contains_key(&order.sku);
            if !has_head && let Some(line) = self.load_line(&order.sku, true)? {
                with_head.insert(order.sku.clone());
                loaded.products.insert(order.sku.clone(), line);
            }
            let customer = Email::from_stored(&order.customer).customer();
            let look_ups = &self.look_ups;
            if let Some(units) = look_ups.bought_if_counted(order.product, customer) {
                loaded.bought.insert((order.sku.clone(), customer), units);
            }
            loaded.orders.insert(*seq, order);
        }
        for (sku, reference) in &touch.references {
            if let Some(product) = self.products.get(sku)
                && let Some(known) = read::receipt(&self.connection, product.id, reference)?
            {
                loaded
                    .references
                    .insert((sku.clone(), reference.clone()), known);
            }
        }
        for seq in &touch.replenishments {
            if let Some(replenishment) = read::replenishment(&self.connection, *seq)? {
                loaded.replenishments.insert(*seq, replenishment);
            }
        }
        self.mailbox.load(&self.connection, &mut loaded, touch)?;
        self.auctions.load(&self.connection, &mut loaded, touch)?;
        Ok(loaded)
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), StoreError> {
        self.append(changes)?;
        self.durability.sync()
    }

    fn append(&mut self, changes: &Changes) -> Result<Option<Arc<dyn Durability>>, StoreError> {
        if let Err(error) = self.write(changes) {
            return Err(StoreError::new("cannot commit to SQLite", error));
        }
        self.remember(changes);
        if self.checkpointer.restart.swap(false, Ordering::Relaxed)
            && let Err(error) = restart_log(&self.connection)
        {
            // The next round tries again.
            if is_busy(&error) {
                tracing::debug!(%error, "a reader is in the way of starting the log over");
            } else {
                tracing::warn!(%error, "the write-ahead log could not be started over");
            }
        }
        let durability: Arc<dyn Durability> = self.durability.clone();
        Ok(Some(durability))
    }
}
