//! The look-ups of a store: filled at the start, asked by a batch, written with its commit.

use commerce::{CustomerHash, Millis, ProductId};
use engine::ports::{Changes, Loaded, StoreError, Touch};
use engine::{Entry, KeyHash};
use rusqlite::{Connection, params};

use super::super::{auctions, read};
use super::pages::{self, Contents};
use super::rows::{LookUp, ROW_BYTES, count};
use super::sealed::{BlockSizes, Sealed};
use crate::lookups::{Bought, Keys, half};

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
    sealed: Sealed,
    bought: Bought,
    /// Keys older than this have been forgotten.
    forgot_before: Option<Millis>,
    /// The customers of a batch: here so that it need not be made for each.
    asked: Vec<u64>,
}

/// What a transaction wrote, to be remembered once it is committed.
#[must_use]
#[derive(Default)]
pub(in super::super) struct Written {
    is_sealed: bool,
    /// Of the block that was sealed, if it has keys.
    contents: Option<Contents>,
    deleted: Option<u64>,
}

impl LookUps {
    pub(in super::super) fn new(sizes: BlockSizes) -> Self {
        Self {
            sizes,
            open_block: Vec::new(),
            fresh: Keys::default(),
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
        look_ups.sealed.read(connection)?;
        let mut last = last_block(connection)?;
        loop {
            let entries = read::entries(connection, last, ENTRIES_AT_ONCE)?;
            let Some(newest) = entries.last() else {
                return Ok(look_ups);
            };
            last = newest.seq;
            let rows = entries.iter().filter_map(LookUp::of);
            rows.for_each(|row| look_ups.add(&row));
        }
    }

    fn add(&mut self, row: &LookUp) {
        row.write(&mut self.open_block);
        if row.key != 0 {
            self.fresh.insert(row.key, row.customer, row.order);
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
            let fresh = self.fresh.held_by(customer);
            let mut sealed = self.sealed.at_most(customer.0);
            let coming = u32::try_from(same.len()).unwrap_or(u32::MAX);
            // The last key that the customer brings must still find less than the limit.
            let reaches = fresh.saturating_add(sealed).saturating_add(coming);
            if sealed > 0 && reaches >= touch.keys_per_customer {
                sealed = self.sealed.exactly(connection, customer.0)?;
            }
            if fresh + sealed > 0 {
                loaded.key_holders.insert(customer, fresh + sealed);
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

    /// Takes what a batch counts. Writes a block that is full, and deletes the pages of one that
    /// nobody asks for any more.
    pub(in super::super) fn write(
        &mut self,
        connection: &Connection,
        changes: &Changes,
    ) -> Result<Written, rusqlite::Error> {
        for counted in &changes.counted {
            self.add(&LookUp::from(counted));
        }
        let mut written = Written::default();
        if self.open_block.len() >= self.sizes.rows * ROW_BYTES
            && let Some(newest) = changes.entries.last()
        {
            self.seal(connection, newest, &mut written)?;
        }
        if let Some(block) = self.sealed.expired() {
            pages::delete_block(connection, block)?;
            written.deleted = Some(block);
        }
        Ok(written)
    }

    fn seal(
        &self,
        connection: &Connection,
        newest: &Entry,
        written: &mut Written,
    ) -> Result<(), rusqlite::Error> {
        connection
            .prepare_cached(
                "INSERT INTO lookups (last_seq, newest_at, entries) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![
                read::stored(newest.seq),
                newest.at,
                self.open_block
            ])?;
        written.is_sealed = true;
        written.contents = Contents::of(newest.seq, &self.open_block);
        if let Some(contents) = &written.contents {
            contents.write(connection, self.sizes.page_rows)?;
        }
        Ok(())
    }

    /// The transaction is committed.
    pub(in super::super) fn remember(&mut self, written: Written) {
        if written.is_sealed {
            self.open_block.clear();
            self.fresh.clear();
        }
        if let Some(contents) = &written.contents {
            self.sealed.add(contents);
        }
        if let Some(block) = written.deleted {
            self.sealed.was_deleted(block);
        }
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
