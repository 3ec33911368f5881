//! The reader, with its pool of connections.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use commerce::auction::AuctionStatus;
use commerce::{AuctionId, Millis, Product, ProductId, Replenishment, Sku, Waiting};
use engine::auction::{BidChange, BidRecord, StoredAuction};
use engine::ports::{
    Ahead, Cursors, MoveTask, OrderChange, Queue, QueueDepth, Reader, StoreError, Subscription,
    Topic,
};
use engine::{Entry, OrderRecord};
use messaging::Message;
use messaging::fair::Load;
use rusqlite::{Connection, params};

use super::read::{
    entries, entries_as_stored, entry, json_at, last_entry, many, order, order_change, product,
    products, relayed, replenishment, rows, sought, waiting,
};
use super::{auctions, line_sums, look_ups, mailbox};

/// Connections kept open when nobody reads.
const POOL_MAX: usize = 16;

/// Reads from read-only connections, as many as there are readers at a moment.
pub struct SqliteReader {
    file: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl SqliteReader {
    pub(super) fn new(file: PathBuf) -> Self {
        Self {
            file,
            idle: Mutex::new(Vec::new()),
        }
    }

    fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let connection = match idle {
            Some(connection) => connection,
            None => super::read_only(&self.file)
                .map_err(|source| StoreError::new("cannot open SQLite for reading", source))?,
        };
        let result = read(&connection);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < POOL_MAX {
            idle.push(connection);
        }
        result
    }

    /// Several statements that must see the same commit.
    fn with_snapshot<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.with(|connection| {
            let snapshot = connection
                .unchecked_transaction()
                .map_err(|source| StoreError::new("cannot begin to read from SQLite", source))?;
            read(&snapshot)
        })
    }
}

impl Reader for SqliteReader {
    fn last_seq(&self) -> Result<u64, StoreError> {
        self.with(|connection| Ok(last_entry(connection)?.map_or(0, |entry| entry.seq)))
    }

    fn product(&self, sku: &Sku) -> Result<Option<Product>, StoreError> {
        self.with(|connection| product(connection, sku))
    }

    fn products(&self, after: Option<&Sku>, limit: usize) -> Result<Vec<Product>, StoreError> {
        self.with(|connection| products(connection, after, limit))
    }

    fn order(&self, seq: u64) -> Result<Option<OrderRecord>, StoreError> {
        self.with_snapshot(|connection| order(connection, seq))
    }

    fn ahead(&self, product: ProductId, place: u64) -> Result<Ahead, StoreError> {
        self.with(|connection| line_sums::ahead(connection, product, place))
    }

    fn waiting(
        &self,
        product: ProductId,
        after_place: u64,
        limit: usize,
    ) -> Result<Vec<Waiting>, StoreError> {
        self.with(|connection| waiting(connection, product, after_place, limit))
    }

    fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.with(|connection| entries(connection, after, limit))
    }

    fn entries_as_stored(&self, after: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.with(|connection| entries_as_stored(connection, after, limit))
    }

    fn entry(&self, seq: u64) -> Result<Option<Entry>, StoreError> {
        self.with(|connection| entry(connection, seq))
    }

    fn check_look_ups(
        &self,
        after: u64,
        since: Millis,
        broken: &mut dyn FnMut(u64, String),
    ) -> Result<Option<u64>, StoreError> {
        self.with_snapshot(|snapshot| look_ups::check_next_block(snapshot, after, since, broken))
    }

    fn replenishment(&self, seq: u64) -> Result<Option<Replenishment>, StoreError> {
        self.with(|connection| replenishment(connection, seq))
    }

    fn replenishments(
        &self,
        product: Option<ProductId>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Replenishment>, StoreError> {
        let before = before.map_or(i64::MAX, sought);
        self.with(|connection| match product {
            Some(product) => many(
                connection,
                "replenishments",
                "SELECT state FROM replenishments WHERE product = ?1 AND seq < ?2
                 ORDER BY seq DESC LIMIT ?3",
                params![product.0, before, rows(limit)],
                |row| json_at(row, 0),
            ),
            None => many(
                connection,
                "replenishments",
                "SELECT state FROM replenishments WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2",
                params![before, rows(limit)],
                |row| json_at(row, 0),
            ),
        })
    }

    fn open_replenishments(&self, limit: usize) -> Result<Vec<Replenishment>, StoreError> {
        self.with(|connection| {
            many(
                connection,
                "replenishments",
                "SELECT state FROM replenishments WHERE open = 1 ORDER BY seq LIMIT ?1",
                params![rows(limit)],
                |row| json_at(row, 0),
            )
        })
    }

    fn unsettled_products(
        &self,
        after: Option<&Sku>,
        limit: usize,
    ) -> Result<Vec<Product>, StoreError> {
        self.with(|connection| {
            many(
                connection,
                "products",
                "SELECT state FROM products
                 WHERE sku > ?1
                   AND (state ->> 'waiting' > 0
                        OR (state ->> 'reorder' IS NOT NULL
                            AND state ->> 'openReplenishment' IS NULL))
                 ORDER BY sku LIMIT ?2",
                params![after.map_or("", Sku::as_str), rows(limit)],
                |row| json_at(row, 0),
            )
        })
    }

    fn auction(&self, seq: u64) -> Result<Option<StoredAuction>, StoreError> {
        self.with(|connection| auctions::auction(connection, seq))
    }

    fn auctions(
        &self,
        status: Option<AuctionStatus>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<StoredAuction>, StoreError> {
        self.with(|connection| auctions::auctions(connection, status, before, limit))
    }

    fn due_auctions(&self, now: Millis, limit: usize) -> Result<Vec<AuctionId>, StoreError> {
        self.with(|connection| auctions::due(connection, now, limit))
    }

    fn next_due_auction(&self, now: Millis) -> Result<Option<Millis>, StoreError> {
        self.with(|connection| auctions::next_due(connection, now))
    }

    fn bid(&self, seq: u64) -> Result<Option<BidRecord>, StoreError> {
        self.with_snapshot(|connection| auctions::bid(connection, seq))
    }

    fn bid_change(&self, bid: u64) -> Result<Option<BidChange>, StoreError> {
        self.with(|connection| auctions::bid_change(connection, bid))
    }

    fn waiting_bids(&self, auction: u64, limit: usize) -> Result<Vec<u64>, StoreError> {
        self.with(|connection| auctions::waiting_bids(connection, auction, limit))
    }

    fn queues(&self, now: Millis) -> Result<Vec<QueueDepth>, StoreError> {
        self.with_snapshot(|connection| {
            mailbox::queues(connection)?
                .into_iter()
                .map(|(queue, total)| mailbox::depth(connection, queue, total, now))
                .collect()
        })
    }

    fn queue(&self, name: &str, now: Millis) -> Result<Option<QueueDepth>, StoreError> {
        self.with_snapshot(|connection| {
            mailbox::queue(connection, name)?
                .map(|(queue, total)| mailbox::depth(connection, queue, total, now))
                .transpose()
        })
    }

    fn queue_row(&self, name: &str) -> Result<Option<Queue>, StoreError> {
        self.with(|connection| Ok(mailbox::queue(connection, name)?.map(|(queue, _)| queue)))
    }

    fn queue_rows(&self) -> Result<Vec<Queue>, StoreError> {
        let rows = self.with(mailbox::queues)?;
        Ok(rows.into_iter().map(|(queue, _)| queue).collect())
    }

    fn load(&self, queue: &str, now: Millis) -> Result<Load, StoreError> {
        self.with_snapshot(|connection| match mailbox::queue(connection, queue)? {
            Some((queue, _)) => mailbox::load(connection, queue.partition, now),
            None => Ok(Load::default()),
        })
    }

    fn queue_names(&self) -> Result<Vec<String>, StoreError> {
        self.with(mailbox::queue_names)
    }

    fn next_visible(&self, queue: &str, now: Millis) -> Result<Option<Millis>, StoreError> {
        self.with(|connection| mailbox::next_visible(connection, queue, now))
    }

    fn messages(&self, queue: &str, after: u64, limit: usize) -> Result<Vec<Message>, StoreError> {
        self.with_snapshot(|connection| match mailbox::queue(connection, queue)? {
            Some((queue, _)) => mailbox::messages(connection, queue.partition, after, limit),
            None => Ok(Vec::new()),
        })
    }

    fn topics(&self, after: Option<&str>, limit: usize) -> Result<Vec<Topic>, StoreError> {
        self.with(|connection| mailbox::topics(connection, after, limit))
    }

    fn topic(&self, name: &str) -> Result<Option<Topic>, StoreError> {
        self.with(|connection| mailbox::topic(connection, name))
    }

    fn subscription(&self, id: &str) -> Result<Option<Subscription>, StoreError> {
        self.with(|connection| mailbox::subscription(connection, id))
    }

    fn subscription_page(
        &self,
        topic: Option<&str>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Subscription)>, StoreError> {
        self.with(|connection| mailbox::subscriptions(connection, topic, after, limit))
    }

    fn moving_queues(&self) -> Result<Vec<(String, MoveTask)>, StoreError> {
        self.with(mailbox::moving_queues)
    }

    fn has_dropped_messages(&self) -> Result<bool, StoreError> {
        self.with(mailbox::has_dropped)
    }

    fn relayed(&self) -> Result<Cursors, StoreError> {
        self.with(relayed)
    }

    fn order_change(&self, order: u64) -> Result<Option<OrderChange>, StoreError> {
        self.with(|connection| order_change(connection, order))
    }
}
