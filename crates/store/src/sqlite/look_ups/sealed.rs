//! Keys of sealed blocks: what memory knows of them, and how they are found on disk.
//!
//! What always holds:
//! - a key of a sealed block may be in the filters; whether it is, the pages say;
//! - a customer holds no more sealed keys than [`Sealed::at_most`], and as many as
//!   [`Sealed::exactly`];
//! - blocks lie one after the other: every order of a block is younger than all of the one before;
//! - nothing here grows with a key but the filters: 16 bits in the generation's, 16 in the block's
//!   (8 for the key, 8 for its customer), and 8 in the sketch.

use std::collections::VecDeque;

use engine::ports::StoreError;
use rusqlite::Connection;

use super::exact::{Exact, Span};
use super::filter::Filter;
use super::pages::{self, Contents, HOLDERS, KEYS, PAGE_ROWS};
use super::sketch::Sketch;

/// How large things are. Others than the default are for tests, to which a full block is large.
#[derive(Debug, Clone, Copy)]
pub struct BlockSizes {
    /// Look-ups in a block. It is sealed by the commit that fills it.
    pub rows: usize,
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

struct Block {
    span: Span,
    /// Its keys and its customers.
    filter: Filter,
}

struct Generation {
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
            live_from: 0,
            exact: Exact::new(sizes.counts_max),
            expired: VecDeque::new(),
        }
    }

    /// Takes what the blocks on disk have.
    pub(super) fn read(&mut self, connection: &Connection) -> Result<(), StoreError> {
        pages::read_blocks(connection, |contents| self.add(contents))
    }

    /// A block more, younger than all others.
    pub(super) fn add(&mut self, contents: &Contents) {
        let orders = contents.keys.iter().map(|(_, order)| *order);
        let (Some(first), Some(last)) = (orders.clone().min(), orders.max()) else {
            return;
        };
        let span = Span {
            block: contents.block,
            first,
            last,
        };
        let coming = contents.keys.len();
        let mut filter = Filter::new(2 * coming, BLOCK_BITS);
        let generation = self.generation_for(coming);
        for (key, _) in &contents.keys {
            generation.keys.insert(*key);
            filter.insert(*key);
        }
        for orders in contents.holders.chunk_by(|one, next| one.0 == next.0) {
            let customer = orders[0].0;
            let count = u32::try_from(orders.len()).expect("a block has fewer rows");
            generation.holders.add(customer, count);
            filter.insert(holder(customer));
        }
        generation.count += coming;
        generation.blocks.push_back(Block { span, filter });
        self.exact.add(span, &contents.holders);
    }

    fn generation_for(&mut self, coming: usize) -> &mut Generation {
        let has_room = self
            .generations
            .back()
            .is_some_and(|newest| newest.count + coming <= self.sizes.generation_keys);
        if !has_room {
            // A block may be larger than it should be, by a batch.
            let room = self.sizes.generation_keys.max(coming);
            self.generations.push_back(Generation {
                keys: Filter::new(room, GENERATION_BITS),
                holders: Sketch::new(self.sizes.sketch_lines),
                count: 0,
                blocks: VecDeque::new(),
            });
        }
        self.generations.back_mut().expect("there is one by now")
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

    /// The customer holds no more sealed keys than this.
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
            if oldest.blocks.is_empty() {
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
