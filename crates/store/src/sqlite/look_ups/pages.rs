//! Sealed keys as they lie on disk: two tables of rows that fit a page.
//!
//! ```text
//! key_pages     (block, first key, page)      -> | key 8 | order 8 | ...        by key
//! holder_pages  (block, first customer, page) -> | customer 8 | order 8 | ...   by customer
//! ```
//! Numbers are little endian. What is written of a block is never changed, and it goes as a whole.
//! A key, or a customer, of whom there is much may fill several pages of a block: they begin with
//! the same number, and `page` tells them apart.
//!
//! The tables have row numbers of their own with an index beside them. Without, `SQLite` puts no
//! more than a quarter of a page into a row, and the rest elsewhere: measured, that made blocks
//! larger and slower to write and to search.

use commerce::Millis;
use engine::ports::StoreError;
use rusqlite::{Connection, Row, params};

use super::super::read;
use super::rows::{LookUp, ROW_BYTES};

/// So many fill a page of 4 KiB, but for a few bytes.
pub(super) const PAGE_ROWS: usize = 240;

const PAIR_BYTES: usize = 16;

/// What is looked for, a key or a customer, and the order or bid it has.
pub(super) type Pair = (u64, u64);

/// A page that a search would not find its way in.
pub(super) struct Damaged;

/// One of the two tables.
pub(super) struct Pages {
    insert: &'static str,
    find: &'static str,
    read: &'static str,
    delete: &'static str,
    delete_after: &'static str,
}

pub(super) const KEYS: Pages = Pages {
    insert: "INSERT INTO key_pages (block, first_key, page, entries) VALUES (?1, ?2, ?3, ?4)",
    find: "SELECT first_key, entries FROM key_pages WHERE block = ?1 AND first_key <= ?2
           ORDER BY first_key DESC, page DESC",
    read: "SELECT entries, first_key FROM key_pages WHERE block = ?1 ORDER BY first_key, page",
    delete: "DELETE FROM key_pages WHERE rowid IN
             (SELECT rowid FROM key_pages WHERE block = ?1 LIMIT ?2)",
    delete_after: "DELETE FROM key_pages WHERE block > ?1",
};

pub(super) const HOLDERS: Pages = Pages {
    insert: "INSERT INTO holder_pages (block, first_customer, page, entries)
             VALUES (?1, ?2, ?3, ?4)",
    find: "SELECT first_customer, entries FROM holder_pages
           WHERE block = ?1 AND first_customer <= ?2
           ORDER BY first_customer DESC, page DESC",
    read: "SELECT entries, first_customer FROM holder_pages WHERE block = ?1
           ORDER BY first_customer, page",
    delete: "DELETE FROM holder_pages WHERE rowid IN
             (SELECT rowid FROM holder_pages WHERE block = ?1 LIMIT ?2)",
    delete_after: "DELETE FROM holder_pages WHERE block > ?1",
};

/// Numbers of 64 bits without a sign, in their order, where `SQLite` has a sign.
fn sortable(number: u64) -> i64 {
    (number ^ (1 << 63)).cast_signed()
}

impl Pages {
    /// Puts down one page of what a block has, which is sorted. Each page is one row.
    fn write(
        &self,
        connection: &Connection,
        block: u64,
        page: usize,
        pairs: &[Pair],
    ) -> Result<(), rusqlite::Error> {
        let mut insert = connection.prepare_cached(self.insert)?;
        let mut bytes = Vec::with_capacity(pairs.len() * PAIR_BYTES);
        for (number, order) in pairs {
            bytes.extend_from_slice(&number.to_le_bytes());
            bytes.extend_from_slice(&order.to_le_bytes());
        }
        let first = sortable(pairs[0].0);
        let page = i64::try_from(page).expect("a block has fewer pages");
        insert.execute(params![read::stored(block), first, page, bytes])?;
        Ok(())
    }

    /// The orders that this number has in a block, in no order: from the last page that may have
    /// it back to the first.
    pub(super) fn find(
        &self,
        connection: &Connection,
        block: u64,
        number: u64,
        mut found: impl FnMut(u64),
    ) -> Result<(), StoreError> {
        let error = |source| StoreError::new("cannot read sealed keys", source);
        let mut statement = connection.prepare_cached(self.find).map_err(error)?;
        let mut rows = statement
            .query(params![read::stored(block), sortable(number)])
            .map_err(error)?;
        while let Some(row) = rows.next().map_err(error)? {
            let page = page_at(row, 1)?;
            let from = page.partition_point(|entry| pair(entry).0 < number);
            let of_it = page[from..].iter().map(pair);
            of_it
                .take_while(|(at, _)| *at == number)
                .for_each(|(_, order)| found(order));
            let first: i64 = row.get(0).map_err(error)?;
            if first < sortable(number) {
                break;
            }
        }
        Ok(())
    }

    /// All of a block, as a search comes upon it: each page begins with the number that it is
    /// filed under.
    pub(super) fn read_whole(
        &self,
        connection: &Connection,
        block: u64,
    ) -> Result<Result<Vec<Pair>, Damaged>, StoreError> {
        let error = |source| StoreError::new("cannot read sealed keys", source);
        let mut pairs = Vec::new();
        let mut statement = connection.prepare_cached(self.read).map_err(error)?;
        let mut rows = statement.query([read::stored(block)]).map_err(error)?;
        while let Some(row) = rows.next().map_err(error)? {
            let filed: i64 = row.get(1).map_err(error)?;
            let page = match row.get_ref(0).map_err(error)?.as_blob() {
                Ok(bytes) if bytes.len().is_multiple_of(PAIR_BYTES) => page_at(row, 0)?,
                Ok(_) | Err(_) => return Ok(Err(Damaged)),
            };
            if page.first().map(|first| sortable(pair(first).0)) != Some(filed) {
                return Ok(Err(Damaged));
            }
            pairs.extend(page.iter().map(pair));
        }
        Ok(Ok(pairs))
    }

    /// All of a block, sorted.
    fn read_block(
        &self,
        connection: &Connection,
        block: u64,
        pairs: &mut Vec<Pair>,
    ) -> Result<(), StoreError> {
        let error = |source| StoreError::new("cannot read sealed keys", source);
        pairs.clear();
        let mut statement = connection.prepare_cached(self.read).map_err(error)?;
        let mut rows = statement.query([read::stored(block)]).map_err(error)?;
        while let Some(row) = rows.next().map_err(error)? {
            pairs.extend(page_at(row, 0)?.iter().map(pair));
        }
        Ok(())
    }

    /// Deletes so many pages of a block, and says how many there were.
    fn delete(
        &self,
        connection: &Connection,
        block: u64,
        at_once: usize,
    ) -> Result<usize, rusqlite::Error> {
        let at_most = i64::try_from(at_once).unwrap_or(i64::MAX);
        let mut statement = connection.prepare_cached(self.delete)?;
        statement.execute(params![read::stored(block), at_most])
    }
}

fn pair(entry: &[u8; PAIR_BYTES]) -> Pair {
    let word = |at: usize| {
        u64::from_le_bytes(entry[at..at + 8].try_into().expect("an entry has 16 bytes"))
    };
    (word(0), word(8))
}

fn page_at<'row>(
    row: &'row Row<'_>,
    column: usize,
) -> Result<&'row [[u8; PAIR_BYTES]], StoreError> {
    let bytes = row
        .get_ref(column)
        .map_err(|source| StoreError::new("cannot read sealed keys", source))?
        .as_blob()
        .map_err(|source| StoreError::new("a page of sealed keys is not a blob", source))?;
    let (entries, rest) = bytes.as_chunks();
    if !rest.is_empty() {
        return Err(StoreError::text("a page of sealed keys is cut off"));
    }
    Ok(entries)
}

/// A block with all that it has, sorted by key and by customer.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// The sequence that the block ends with, which is its number.
    pub(super) block: u64,
    pub(super) keys: Vec<Pair>,
    pub(super) holders: Vec<Pair>,
}

impl Contents {
    /// Takes what the rows of a block have, in place of what was here.
    pub(super) fn fill(&mut self, block: u64, rows: &[u8]) {
        self.block = block;
        self.keys.clear();
        self.holders.clear();
        // All at once: what is large is given back to the system when it grows.
        self.keys.reserve(rows.len() / ROW_BYTES);
        self.holders.reserve(rows.len() / ROW_BYTES);
        let rows = rows.chunks_exact(ROW_BYTES).map(LookUp::read);
        for row in rows.filter(|row| row.key != 0) {
            self.keys.push((row.key, row.order));
            self.holders.push((row.customer.0, row.order));
        }
        self.keys.sort_unstable();
        self.holders.sort_unstable();
    }

    /// How many pages it takes.
    pub(super) fn pages(&self, page_rows: usize) -> usize {
        2 * self.keys.len().div_ceil(page_rows)
    }

    /// Puts down one of them: first come the keys, then the same by customer.
    pub(super) fn write(
        &self,
        connection: &Connection,
        page: usize,
        page_rows: usize,
    ) -> Result<(), rusqlite::Error> {
        let of_keys = self.keys.len().div_ceil(page_rows);
        let (table, pairs, page) = if page < of_keys {
            (&KEYS, &self.keys, page)
        } else {
            (&HOLDERS, &self.holders, page - of_keys)
        };
        let from = page * page_rows;
        let pairs = &pairs[from..pairs.len().min(from + page_rows)];
        table.write(connection, self.block, page, pairs)
    }
}

/// Reads all blocks that have pages, oldest first.
pub(super) fn read_blocks(
    connection: &Connection,
    mut each: impl FnMut(&Contents),
) -> Result<(), StoreError> {
    let error = |source| StoreError::new("cannot read sealed keys", source);
    let mut statement = connection
        .prepare("SELECT DISTINCT block FROM key_pages ORDER BY block")
        .map_err(error)?;
    let mut blocks = statement.query([]).map_err(error)?;
    let mut contents = Contents::default();
    while let Some(row) = blocks.next().map_err(error)? {
        contents.block = read::u64_at(row, 0).map_err(error)?;
        KEYS.read_block(connection, contents.block, &mut contents.keys)?;
        HOLDERS.read_block(connection, contents.block, &mut contents.holders)?;
        each(&contents);
    }
    Ok(())
}

/// Deletes so many pages of a block from each of the tables, and says whether those were all.
pub(super) fn delete_some(
    connection: &Connection,
    block: u64,
    at_once: usize,
) -> Result<bool, rusqlite::Error> {
    let keys = KEYS.delete(connection, block, at_once)?;
    let holders = HOLDERS.delete(connection, block, at_once)?;
    Ok(keys.max(holders) < at_once)
}

/// Deletes the pages of blocks after this one: they were on their way when a crash came.
pub(super) fn delete_after(connection: &Connection, block: u64) -> Result<(), StoreError> {
    for table in [&KEYS, &HOLDERS] {
        connection
            .execute(table.delete_after, [read::stored(block)])
            .map_err(|source| StoreError::new("cannot delete pages of keys", source))?;
    }
    Ok(())
}

/// No setting keeps a key longer.
const RETENTION_MAX: Millis = 720 * 3_600_000;

/// What version 5 has and older ones have not: pages of the blocks that may hold live keys.
pub(in super::super) fn write_missing(connection: &Connection) -> Result<(), rusqlite::Error> {
    let mut statement = connection.prepare(
        "SELECT last_seq, entries FROM lookups
         WHERE newest_at >= (SELECT max(newest_at) FROM lookups) - ?1 ORDER BY last_seq",
    )?;
    let mut blocks = statement.query([RETENTION_MAX])?;
    let mut contents = Contents::default();
    while let Some(row) = blocks.next()? {
        contents.fill(read::u64_at(row, 0)?, row.get_ref(1)?.as_blob()?);
        for page in 0..contents.pages(PAGE_ROWS) {
            contents.write(connection, page, PAGE_ROWS)?;
        }
    }
    Ok(())
}
