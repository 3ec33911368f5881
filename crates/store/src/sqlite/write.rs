//! The writer: what a batch touches comes from memory where it can, what it changes goes out in
//! one transaction.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use commerce::{
    DRAIN_MAX, Email, Hash, Line, LineId, Millis, Product, ProductId, Sku, WhenSoldOut,
};
use engine::Entry;
use engine::ports::{Changes, Cursors, Durability, Loaded, Store, StoreError, Touch};
use rusqlite::{Connection, params};

use super::checkpoint::{Checkpointer, restart_log};
use super::durability::LogSync;
use super::lookup_rows::{ROW_BYTES, Row, apply, count};
use super::write_auctions::Auctions;
use super::write_mailbox::Mailbox;
use super::write_rows::{put_meta, write_entries, write_lines};
use super::{auctions, read};
use crate::lookups::{Bought, Keys, half};

/// Look-ups are written in blocks of this many.
pub(super) const BLOCK_ROWS: usize = 16_384;

/// How often keys that are too old are forgotten. Until then they are not found either, but
/// they count among those that a customer holds.
const FORGET_EVERY_MS: Millis = 1_000;

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
    keys: Keys,
    bought: Bought,
    /// Look-ups that are not in a block yet.
    open_block: Vec<u8>,
    /// Keys older than this have been forgotten.
    forgot_before: Option<Millis>,
    /// Held as long as the store is open, and let go last.
    _lock: File,
}

fn failed(what: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |source| StoreError::new(what, source)
}

impl SqliteStore {
    pub(super) fn new(
        connection: Connection,
        lock: File,
        checkpointer: Checkpointer,
        durability: LogSync,
    ) -> Result<Self, StoreError> {
        let mut store = Self {
            last_seq: 0,
            last_at: 0,
            system: (0, None),
            relayed: Cursors::default(),
            products: HashMap::new(),
            skus: HashMap::new(),
            auctions: Auctions::default(),
            mailbox: Mailbox::default(),
            keys: Keys::default(),
            bought: Bought::default(),
            open_block: Vec::new(),
            forgot_before: None,
            connection,
            checkpointer,
            durability: Arc::new(durability),
            _lock: lock,
        };
        store.read_small_tables()?;
        store.read_lookups()?;
        Ok(store)
    }

    /// Asks the connection that writes for one of its settings.
    #[cfg(test)]
    pub(super) fn pragma<T: rusqlite::types::FromSql>(&self, name: &str) -> T {
        self.connection
            .pragma_query_value(None, name, |row| row.get(0))
            .expect("the setting has this type")
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
            if product.purchase_limit.is_some() {
                self.bought.count(product.id);
            }
            self.products.insert(product.sku.clone(), product);
        }
        self.auctions = Auctions::read(connection)?;
        self.mailbox = Mailbox::read(connection)?;
        Ok(())
    }

    /// Blocks first, then the entries that are younger than the last block.
    fn read_lookups(&mut self) -> Result<(), StoreError> {
        let error = failed("cannot read the look-ups");
        let mut last = 0;
        {
            let mut statement = self
                .connection
                .prepare("SELECT last_seq, entries FROM lookups ORDER BY last_seq")
                .map_err(&error)?;
            let mut rows = statement.query([]).map_err(&error)?;
            while let Some(row) = rows.next().map_err(&error)? {
                last = read::u64_at(row, 0).map_err(&error)?;
                let bytes = row.get_ref(1).map_err(&error)?;
                let bytes = bytes
                    .as_blob()
                    .map_err(|e| StoreError::new("a block of look-ups is not a blob", e))?;
                for chunk in bytes.chunks_exact(ROW_BYTES) {
                    apply(&mut self.keys, &mut self.bought, &Row::read(chunk));
                }
            }
        }
        loop {
            let page = read::entries(&self.connection, last, BLOCK_ROWS)?;
            let Some(newest) = page.last() else {
                return Ok(());
            };
            last = newest.seq;
            for entry in &page {
                self.look_up(entry);
            }
        }
    }

    fn look_up(&mut self, entry: &Entry) {
        if let Some(row) = Row::of(entry) {
            row.write(&mut self.open_block);
            apply(&mut self.keys, &mut self.bought, &row);
        }
    }

    /// A product got its first purchase limit: what its customers have so far is counted once.
    fn count_bought(&mut self, product: ProductId) -> Result<(), StoreError> {
        let error = failed("cannot read the look-ups");
        self.bought.count(product);
        let mut statement = self
            .connection
            .prepare("SELECT entries FROM lookups ORDER BY last_seq")
            .map_err(&error)?;
        let mut rows = statement.query([]).map_err(&error)?;
        let mut count_rows = |bytes: &[u8]| {
            for chunk in bytes.chunks_exact(ROW_BYTES) {
                let row = Row::read(chunk);
                if row.product == product {
                    count(&mut self.bought, &row);
                }
            }
        };
        while let Some(row) = rows.next().map_err(&error)? {
            let bytes: Vec<u8> = row.get(0).map_err(&error)?;
            count_rows(&bytes);
        }
        count_rows(&self.open_block);
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

    fn forget_keys(&mut self, since: Millis) -> Result<(), StoreError> {
        let due = self
            .forgot_before
            .is_none_or(|before| since - before >= FORGET_EVERY_MS);
        if due {
            let first = read::first_since(&self.connection, since, self.last_seq)?;
            self.keys.forget_before(first);
            self.forgot_before = Some(since);
        }
        Ok(())
    }

    fn load_keys(&mut self, loaded: &mut Loaded, touch: &Touch) -> Result<(), StoreError> {
        self.forget_keys(touch.keys_since)?;
        for key in &touch.keys {
            let candidates: Vec<u64> = self.keys.candidates(half(*key)).collect();
            for first in candidates {
                let Some(entry) = read::entry(&self.connection, first)? else {
                    continue;
                };
                // Half of the fingerprint matched; the row has all of it, and its time.
                let found = entry.buyer.as_ref().and_then(|buyer| buyer.key);
                if found != Some(*key) || entry.at < touch.keys_since {
                    continue;
                }
                if let Some(order) = read::order_of(&self.connection, &entry)? {
                    loaded.keys.insert(*key, first);
                    loaded.orders.insert(first, order);
                } else if let Some(bid) = auctions::bid_of(&self.connection, &entry)? {
                    loaded.keys.insert(*key, first);
                    loaded.bids.insert(first, bid);
                }
            }
        }
        for customer in &touch.key_holders {
            let held = self.keys.held_by(*customer);
            if held > 0 {
                loaded.key_holders.insert(*customer, held);
            }
        }
        Ok(())
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
        for counted in &changes.counted {
            let row = Row::from(counted);
            row.write(&mut self.open_block);
            apply(&mut self.keys, &mut self.bought, &row);
        }
        if self.open_block.len() >= BLOCK_ROWS * ROW_BYTES
            && let Some(newest) = changes.entries.last()
        {
            connection
                .prepare_cached(
                    "INSERT INTO lookups (last_seq, newest_at, entries) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![
                    read::stored(newest.seq),
                    newest.at,
                    self.open_block
                ])?;
            self.open_block.clear();
        }
        self.connection.prepare_cached("COMMIT")?.execute([])?;
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
        self.load_keys(&mut loaded, touch)?;
        for (sku, customer) in &touch.bought {
            let Some(product) = self.products.get(sku) else {
                continue;
            };
            if product.purchase_limit.is_none() {
                continue;
            }
            let id = product.id;
            if !self.bought.is_counted(id) {
                self.count_bought(id)?;
            }
            let units = self.bought.of(id, *customer);
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
            if self.bought.is_counted(order.product) {
                let customer = Email::from_stored(&order.customer).customer();
                let units = self.bought.of(order.product, customer);
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
        self.auctions.load(&self.connection, &mut loaded, touch)?;
        self.mailbox.load(&self.connection, &mut loaded, touch)?;
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
            // A reader is in the way; the next round tries again.
            tracing::debug!(%error, "the log could not be started over");
        }
        let durability: Arc<dyn Durability> = self.durability.clone();
        Ok(Some(durability))
    }
}
