//! Keys of sealed blocks: what memory knows of them, and how they are found on disk.
//!
//! What always holds:
//! - a key of a sealed block may be in the filters; whether it is, the pages say;
//! - a customer holds no more keys than [`Sealed::at_most`], and as many sealed ones as
//!   [`Sealed::exactly`];
//! - a key is in the filter and the sketch of a generation from the moment it comes, before its
//!   block is full, and the block goes to that generation;
//! - blocks lie one after the other: every order of a block is younger than all of the one before;
//! - nothing here grows with a key but the filters: 16 bits in the generation's, 16 in the block's
//!   (8 for the key, 8 for its customer), and 8 in the sketch.

use std::collections::VecDeque;

use engine::ports::StoreError;
use rusqlite::Connection;

use super::exact::{Exact, Span};
use super::filter::Filter;
use super::pages::{self, Contents, HOLDERS, KEYS, PAGE_ROWS, Pair};
use super::sketch::Sketch;

/// How large things are. Others than the default are for tests, to which a full block is large.
#[derive(Debug, Clone, Copy)]
pub struct BlockSizes {
    /// Look-ups in a block. A commit more may make it larger.
    pub rows: usize,
    /// Commits after which the keys of a full block should be sorted; the next one waits for that.
    pub sorted_after: usize,
    /// Pages of keys that a commit writes, and deletes from each table.
    pub pages_at_once: usize,
    /// Keys in a row of the tables of pages.
    pub page_rows: usize,
    /// Keys that share a filter and a sketch, and are forgotten by them together.
    pub generation_keys: usize,
    /// Lines of 64 counters in a sketch.
    pub sketch_lines: usize,
    /// Counts that are remembered, of single customers in single blocks.
    pub counts_max: usize,
}

impl Default for BlockSizes {
    fn default() -> Self {
        Self {
            rows: 16_384,
            // Sorting takes a millisecond or two, and commits under load half of one.
            sorted_after: 8,
            pages_at_once: 8,
            page_rows: PAGE_ROWS,
            // 64 blocks: filter 2 MiB, sketch 1 MiB.
            generation_keys: 1_048_576,
            sketch_lines: 16_384,
            // A few MiB at most.
            counts_max: 32_768,
        }
    }
}

/// About one of a thousand new keys is looked for in vain in the blocks' own filters.
const GENERATION_BITS: usize = 16;

/// About one of thirty blocks that are asked has it not.
const BLOCK_BITS: usize = 8;

/// The store forgets blocks by so many at a time, however long it was not asked.
const FORGOTTEN_AT_ONCE: usize = 64;

/// What a customer's fingerprint is in a filter that holds keys as well.
fn holder(customer: u64) -> u64 {
    customer.rotate_left(32) ^ 0x6b65_7973
}

pub(super) struct Block {
    span: Span,
    /// Its keys and its customers.
    filter: Filter,
}

impl Block {
    /// What memory keeps of a block; nothing of one without keys.
    pub(super) fn of(contents: &Contents) -> Option<Self> {
        let orders = contents.keys.iter().map(|(_, order)| *order);
        let span = Span {
            block: contents.block,
            first: orders.clone().min()?,
            last: orders.max()?,
        };
        let mut filter = Filter::new(2 * contents.keys.len(), BLOCK_BITS);
        for (key, _) in &contents.keys {
            filter.insert(*key);
        }
        for orders in contents.holders.chunk_by(|one, next| one.0 == next.0) {
            filter.insert(holder(orders[0].0));
        }
        Some(Self { span, filter })
    }
}

struct Generation {
    number: u64,
    /// Those of its blocks, and of the ones on their way to it.
    keys: Filter,
    holders: Sketch,
    /// How many keys it has got.
    count: usize,
    /// Oldest first.
    blocks: VecDeque<Block>,
}

pub(super) struct Sealed {
    sizes: BlockSizes,
    /// Oldest first.
    generations: VecDeque<Generation>,
    /// The next one's.
    next_number: u64,
    /// Where the keys of the block that is not full yet are, which is the newest, and those of the
    /// block that is full.
    open: Option<u64>,
    closing: Option<u64>,
    /// Orders before this one are too old.
    live_from: u64,
    exact: Exact,
    /// Blocks that are forgotten and still lie on disk.
    expired: VecDeque<u64>,
}

impl Sealed {
    pub(super) fn new(sizes: BlockSizes) -> Self {
        Self {
            sizes,
            generations: VecDeque::new(),
            next_number: 0,
            open: None,
            closing: None,
            live_from: 0,
            exact: Exact::new(sizes.counts_max),
            expired: VecDeque::new(),
        }
    }

    /// Takes what the blocks on disk have.
    pub(super) fn read(&mut self, connection: &Connection) -> Result<(), StoreError> {
        pages::read_blocks(connection, |contents| {
            if !contents.keys.is_empty() {
                self.note_all(contents);
            }
            self.close();
            self.add(Block::of(contents), &contents.holders);
        })
    }

    /// A key more, and a customer who holds one more, in no order: of a block that is not full yet.
    pub(super) fn note(&mut self, key: u64, customer: u64) {
        let generation = self.open_generation();
        generation.keys.insert(key);
        generation.holders.add(customer, 1);
        generation.count += 1;
    }

    /// The same of a whole block at once, one kind after the other.
    fn note_all(&mut self, contents: &Contents) {
        let generation = self.open_generation();
        for (key, _) in &contents.keys {
            generation.keys.insert(*key);
        }
        for orders in contents.holders.chunk_by(|one, next| one.0 == next.0) {
            let count = u32::try_from(orders.len()).expect("a block has fewer rows");
            generation.holders.add(orders[0].0, count);
        }
        generation.count += contents.keys.len();
    }

    fn open_generation(&mut self) -> &mut Generation {
        if self.open.is_none() {
            let coming = self.sizes.rows;
            let has_room = self
                .generations
                .back()
                .is_some_and(|newest| newest.count + coming <= self.sizes.generation_keys);
            if !has_room {
                self.generations.push_back(Generation {
                    number: self.next_number,
                    // A block may be larger than it should be, by a batch.
                    keys: Filter::new(self.sizes.generation_keys.max(coming), GENERATION_BITS),
                    holders: Sketch::new(self.sizes.sketch_lines),
                    count: 0,
                    blocks: VecDeque::new(),
                });
                self.next_number += 1;
            }
            self.open = self.generations.back().map(|newest| newest.number);
        }
        self.generations.back_mut().expect("there is one by now")
    }

    /// The block is full: the keys that come next are of another one.
    pub(super) fn close(&mut self) {
        assert_eq!(self.closing, None, "one after the other");
        self.closing = self.open.take();
    }

    /// The block that was closed is on disk; there is none if it has no keys.
    pub(super) fn add(&mut self, block: Option<Block>, holders: &[Pair]) {
        let to = self.closing.take();
        assert_eq!(
            to.is_some(),
            block.is_some(),
            "keys were noted as they came"
        );
        let Some(block) = block else {
            return;
        };
        self.exact.add(block.span, holders);
        let mut generations = self.generations.iter_mut().rev();
        let its = generations.find(|generation| Some(generation.number) == to);
        its.expect("it stays while a block is on its way to it")
            .blocks
            .push_back(block);
    }

    /// Orders and bids whose key has this half. A new key costs one look a generation; only one
    /// that may be known is looked for on disk.
    pub(super) fn candidates(
        &self,
        connection: &Connection,
        key: u64,
        found: &mut Vec<u64>,
    ) -> Result<(), StoreError> {
        for generation in &self.generations {
            if !generation.keys.may_contain(key) {
                continue;
            }
            for block in &generation.blocks {
                if block.span.last >= self.live_from && block.filter.may_contain(key) {
                    KEYS.find(connection, block.span.block, key, |order| found.push(order))?;
                }
            }
        }
        Ok(())
    }

    /// The customer holds no more keys than this, those that are in no block yet among them.
    pub(super) fn at_most(&self, customer: u64) -> u32 {
        self.generations
            .iter()
            .map(|generation| generation.holders.at_most(customer))
            .fold(0, u32::saturating_add)
    }

    /// How many sealed keys the customer holds. Read from disk and remembered for a while, so for
    /// the few for whom [`Self::at_most`] does not do.
    pub(super) fn exactly(
        &mut self,
        connection: &Connection,
        customer: u64,
    ) -> Result<u32, StoreError> {
        if !self.exact.knows(customer) {
            let mut counts = Vec::new();
            for generation in &self.generations {
                if generation.holders.at_most(customer) == 0 {
                    continue;
                }
                for block in &generation.blocks {
                    if block.filter.may_contain(holder(customer)) {
                        let mut count = 0;
                        HOLDERS.find(connection, block.span.block, customer, |_| count += 1)?;
                        counts.push((block.span, count));
                    }
                }
            }
            self.exact.remember(customer, counts);
        }
        self.exact.of(connection, customer, self.live_from)
    }

    /// Orders before this one are too old from now on. Of the blocks that have no others, a
    /// bounded number is let go.
    pub(super) fn forget_before(&mut self, order: u64) {
        self.live_from = self.live_from.max(order);
        for _ in 0..FORGOTTEN_AT_ONCE {
            let Some(oldest) = self.generations.front_mut() else {
                return;
            };
            let is_over = |block: &Block| block.span.last < self.live_from;
            if !oldest.blocks.front().is_some_and(is_over) {
                return;
            }
            let block = oldest.blocks.pop_front().expect("it was just looked at");
            self.expired.push_back(block.span.block);
            let is_awaited = [self.open, self.closing].contains(&Some(oldest.number));
            if oldest.blocks.is_empty() && !is_awaited {
                self.generations.pop_front();
            }
        }
    }

    /// A block that lies on disk for nothing.
    pub(super) fn expired(&self) -> Option<u64> {
        self.expired.front().copied()
    }

    /// Its pages are gone.
    pub(super) fn was_deleted(&mut self, block: u64) {
        assert_eq!(self.expired.pop_front(), Some(block), "one after the other");
    }

    /// What it takes beside its own fields, the map of counts aside, and how many of those it has.
    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> (usize, usize) {
        let bytes = self.generations.iter().map(|generation| {
            let blocks = generation.blocks.iter();
            generation.keys.heap_bytes()
                + generation.holders.heap_bytes()
                + generation.blocks.capacity() * size_of::<Block>()
                + blocks.map(|block| block.filter.heap_bytes()).sum::<usize>()
        });
        (bytes.sum(), self.exact.len())
    }
}
