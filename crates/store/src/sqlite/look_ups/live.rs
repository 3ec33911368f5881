//! The look-ups of a store: filled at the start, asked by a batch, written with its commit.

use commerce::{CustomerHash, Millis, ProductId};
use engine::ports::{Changes, Loaded, StoreError, Touch};
use engine::{KeyHash, Kind};
use rusqlite::Connection;

use super::super::{auctions, read};
use super::closing::Closing;
use super::pages::{self, Contents};
use super::rows::{LookUp, ROW_BYTES, count, look_ups_in};
use super::sealed::{BlockSizes, Sealed};
use super::sorter::Sorter;
use crate::bought::Bought;
use crate::lookups::{Keys, half};

/// How often keys that are too old are forgotten. Until then they are not found either, but
/// they count among those that a customer holds.
const FORGET_EVERY_MS: Millis = 1_000;

/// Entries that a start reads at once.
const ENTRIES_AT_ONCE: usize = 16_384;

pub(in super::super) struct LookUps {
    sizes: BlockSizes,
    /// Look-ups that are not in a block yet.
    open_block: Vec<u8>,
    /// Their keys that are still live.
    fresh: Keys,
    /// The block before, as long as not all of it is on disk.
    closing: Option<Closing>,
    sorter: Sorter,
    /// What the last one took, for the next.
    room: Room,
    sealed: Sealed,
    bought: Bought,
    /// Keys older than this have been forgotten.
    forgot_before: Option<Millis>,
    /// The customers of a batch: here so that it need not be made for each.
    asked: Vec<u64>,
}

/// Memory that is used again: making it anew for each block took longer than all else, since so
/// much at once comes from the system, which empties it first.
#[derive(Default)]
struct Room {
    rows: Vec<u8>,
    keys: Keys,
    contents: Contents,
}

impl LookUps {
    pub(in super::super) fn new(sizes: BlockSizes) -> Self {
        Self {
            sizes,
            open_block: Vec::new(),
            fresh: Keys::default(),
            closing: None,
            sorter: Sorter::default(),
            room: Room::default(),
            sealed: Sealed::new(sizes),
            bought: Bought::default(),
            forgot_before: None,
            asked: Vec::new(),
        }
    }

    /// Sealed blocks first, then the entries that are younger than the last block. Units are
    /// counted of the products given here.
    pub(in super::super) fn read(
        connection: &Connection,
        limited: impl IntoIterator<Item = ProductId>,
        sizes: BlockSizes,
    ) -> Result<Self, StoreError> {
        let mut look_ups = Self::new(sizes);
        let bought = &mut look_ups.bought;
        limited
            .into_iter()
            .for_each(|product| bought.count(product));
        if bought.counts_any() {
            each_in_blocks(connection, |row| count(bought, row))?;
        }
        let mut last = last_block(connection)?;
        pages::delete_after(connection, last)?;
        look_ups.sealed.read(connection)?;
        loop {
            let entries = read::entries(connection, last, ENTRIES_AT_ONCE)?;
            let Some(newest) = entries.last() else {
                return Ok(look_ups);
            };
            last = newest.seq;
            for entry in &entries {
                if let Some(row) = LookUp::of(entry) {
                    look_ups.add(&row);
                }
                look_ups.seal_at_start(connection, entry.seq, entry.at)?;
            }
        }
    }

    /// Of the entries that a crash left in no block there may be a block and more.
    fn seal_at_start(
        &mut self,
        connection: &Connection,
        number: u64,
        at: Millis,
    ) -> Result<(), StoreError> {
        if !self.is_full() {
            return Ok(());
        }
        let error = |source| StoreError::new("cannot write the look-ups", source);
        let transaction = connection.unchecked_transaction().map_err(error)?;
        self.close(connection, number, at).map_err(error)?;
        self.finish_closing(connection).map_err(error)?;
        transaction.commit().map_err(error)
    }

    fn is_full(&self) -> bool {
        look_ups_in(&self.open_block) >= self.sizes.rows
    }

    fn add(&mut self, row: &LookUp) {
        row.write(&mut self.open_block);
        if row.key != 0 {
            self.fresh.insert(row.key, row.customer, row.order);
            self.sealed.note(row.key, row.customer.0);
        }
        count(&mut self.bought, row);
    }

    /// Which of the keys are known, and how many the customers hold.
    pub(in super::super) fn load(
        &mut self,
        connection: &Connection,
        loaded: &mut Loaded,
        touch: &Touch,
    ) -> Result<(), StoreError> {
        self.forget(connection, touch.keys_since, loaded.last_seq)?;
        let mut candidates = Vec::new();
        for key in &touch.keys {
            let half = half(*key);
            candidates.clear();
            candidates.extend(self.fresh.candidates(half));
            if let Some(closing) = &self.closing {
                candidates.extend(closing.keys.candidates(half));
            }
            if confirm(connection, loaded, touch.keys_since, *key, &mut candidates)? {
                continue;
            }
            candidates.clear();
            self.sealed.candidates(connection, half, &mut candidates)?;
            confirm(connection, loaded, touch.keys_since, *key, &mut candidates)?;
        }
        self.load_holders(connection, loaded, touch)
    }

    fn load_holders(
        &mut self,
        connection: &Connection,
        loaded: &mut Loaded,
        touch: &Touch,
    ) -> Result<(), StoreError> {
        let mut asked = std::mem::take(&mut self.asked);
        asked.clear();
        asked.extend(touch.key_holders.iter().map(|customer| customer.0));
        asked.sort_unstable();
        for same in asked.chunk_by(|one, next| one == next) {
            let customer = CustomerHash(same[0]);
            let mut held = self.sealed.at_most(customer.0);
            let coming = u32::try_from(same.len()).unwrap_or(u32::MAX);
            // The last key that the customer brings must still find less than the limit.
            if held > 0 && held.saturating_add(coming) >= touch.keys_per_customer {
                let closing = self.closing.as_ref();
                held = self.fresh.held_by(customer)
                    + closing.map_or(0, |closing| closing.keys.held_by(customer))
                    + self.sealed.exactly(connection, customer.0)?;
            }
            if held > 0 {
                loaded.key_holders.insert(customer, held);
            }
        }
        self.asked = asked;
        Ok(())
    }

    fn forget(
        &mut self,
        connection: &Connection,
        since: Millis,
        last_seq: u64,
    ) -> Result<(), StoreError> {
        let due = self
            .forgot_before
            .is_none_or(|before| since - before >= FORGET_EVERY_MS);
        if due {
            let first = read::first_since(connection, since, last_seq)?;
            self.fresh.forget_before(first);
            if let Some(closing) = &mut self.closing {
                closing.keys.forget_before(first);
            }
            self.sealed.forget_before(first);
            self.forgot_before = Some(since);
        }
        Ok(())
    }

    /// Units that a customer has of a product with a purchase limit. When it just got its first
    /// one, what its customers have so far is counted once.
    pub(in super::super) fn bought(
        &mut self,
        connection: &Connection,
        product: ProductId,
        customer: CustomerHash,
    ) -> Result<u64, StoreError> {
        if !self.bought.is_counted(product) {
            self.bought.count(product);
            let mut count_row = |row: &LookUp| {
                if row.product == product {
                    count(&mut self.bought, row);
                }
            };
            each_in_blocks(connection, &mut count_row)?;
            if let Some(closing) = &self.closing {
                each_row(&closing.rows, &mut count_row);
            }
            each_row(&self.open_block, &mut count_row);
        }
        Ok(self.bought.of(product, customer))
    }

    /// Units that a customer has, if they are counted.
    pub(in super::super) fn bought_if_counted(
        &self,
        product: ProductId,
        customer: CustomerHash,
    ) -> Option<u64> {
        let counted = self.bought.is_counted(product);
        counted.then(|| self.bought.of(product, customer))
    }

    /// Takes what a batch counts. Writes some of a block that is full, and deletes some pages of
    /// one that nobody asks for any more.
    pub(in super::super) fn write(
        &mut self,
        connection: &Connection,
        changes: &Changes,
    ) -> Result<(), rusqlite::Error> {
        for counted in &changes.counted {
            self.add(&LookUp::from(counted));
        }
        if self.is_full()
            && let Some(newest) = changes.entries.last()
        {
            self.close(connection, newest.seq, newest.at)?;
        }
        if let Some(closing) = &mut self.closing {
            let filled = look_ups_in(&self.open_block);
            if closing.advance(connection, &mut self.sorter, self.sizes, filled)? {
                self.seal();
            }
        }
        if let Some(block) = self.sealed.expired()
            && pages::delete_some(connection, block, self.sizes.pages_at_once)?
        {
            self.sealed.was_deleted(block);
        }
        Ok(())
    }

    /// The open block is full. The one before is on disk by now, or all of it is put there.
    fn close(
        &mut self,
        connection: &Connection,
        number: u64,
        at: Millis,
    ) -> Result<(), rusqlite::Error> {
        self.finish_closing(connection)?;
        let room = std::mem::take(&mut self.room);
        let rows = std::mem::replace(&mut self.open_block, room.rows);
        let keys = std::mem::replace(&mut self.fresh, room.keys);
        let closing = Closing::begin(number, at, rows, keys, &mut self.sorter, room.contents);
        self.closing = Some(closing);
        self.sealed.close();
        Ok(())
    }

    fn finish_closing(&mut self, connection: &Connection) -> Result<(), rusqlite::Error> {
        if let Some(closing) = &mut self.closing {
            closing.finish(connection, &mut self.sorter, self.sizes)?;
            self.seal();
        }
        Ok(())
    }

    /// All of the block that was full is written. If that is not committed, nobody asks this again.
    fn seal(&mut self) {
        let Some(closing) = self.closing.take() else {
            return;
        };
        let closed = closing.closed();
        self.sealed.add(closed.block, &closed.contents.holders);
        self.room = Room {
            rows: closed.rows,
            keys: closed.keys,
            contents: closed.contents,
        };
    }

    #[cfg(test)]
    pub(in super::super) fn heap_bytes(&self) -> (usize, usize) {
        self.sealed.heap_bytes()
    }
}

/// Half of the fingerprint matched; the row has all of it, and its time. Notes the newest that
/// has this key and is not too old, and says whether there is one.
fn confirm(
    connection: &Connection,
    loaded: &mut Loaded,
    since: Millis,
    key: KeyHash,
    candidates: &mut [u64],
) -> Result<bool, StoreError> {
    candidates.sort_unstable_by(|one, other| other.cmp(one));
    for first in candidates {
        let Some(entry) = read::entry(connection, *first)? else {
            continue;
        };
        let found = entry.buyer.as_ref().and_then(|buyer| buyer.key);
        if found != Some(key) || entry.at < since {
            continue;
        }
        if let Some(order) = read::order_of(connection, &entry)? {
            loaded.keys.insert(key, *first);
            loaded.orders.insert(*first, order);
            return Ok(true);
        }
        if let Some(bid) = auctions::bid_of(connection, &entry)? {
            loaded.keys.insert(key, *first);
            loaded.bids.insert(*first, bid);
            return Ok(true);
        }
        if let (Kind::AuctionCreated, Some(buyer)) = (entry.kind, &entry.buyer) {
            loaded.keys.insert(key, *first);
            loaded.auction_bodies.insert(*first, buyer.body);
            return Ok(true);
        }
    }
    Ok(false)
}

fn each_row(block: &[u8], mut each: impl FnMut(&LookUp)) {
    for row in block.chunks_exact(ROW_BYTES) {
        each(&LookUp::read(row));
    }
}

/// Reads every block there is.
fn each_in_blocks(
    connection: &Connection,
    mut each: impl FnMut(&LookUp),
) -> Result<(), StoreError> {
    let error = |source| StoreError::new("cannot read the look-ups", source);
    let mut statement = connection
        .prepare("SELECT entries FROM lookups ORDER BY last_seq")
        .map_err(error)?;
    let mut rows = statement.query([]).map_err(error)?;
    while let Some(row) = rows.next().map_err(error)? {
        let block = row
            .get_ref(0)
            .map_err(error)?
            .as_blob()
            .map_err(|source| StoreError::new("a block of look-ups is not a blob", source))?;
        each_row(block, &mut each);
    }
    Ok(())
}

/// The sequence that the youngest block ends with; 0 if there is none.
fn last_block(connection: &Connection) -> Result<u64, StoreError> {
    let last = read::one(
        connection,
        "the look-ups",
        "SELECT last_seq FROM lookups ORDER BY last_seq DESC LIMIT 1",
        [],
        |row| read::u64_at(row, 0),
    )?;
    Ok(last.unwrap_or(0))
}
