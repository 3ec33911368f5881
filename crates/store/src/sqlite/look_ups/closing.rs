//! A block of look-ups that is full, on its way to the disk: some of its pages with each commit,
//! so that no commit is held up by all of them.
//!
//! What always holds:
//! - its keys are known and counted as before until the last page is written;
//! - its row of `lookups` is written last. Pages without it are what a crash left: the block is
//!   rebuilt from the log, and they are deleted.

use std::sync::Arc;

use commerce::Millis;
use rusqlite::{Connection, params};

use super::super::read;
use super::pages::Contents;
use super::sealed::{Block, BlockSizes};
use super::sorter::{Sorted, Sorter};
use crate::lookups::Keys;

pub(super) struct Closing {
    /// The sequence that the block ends with, which is its number, and its time.
    number: u64,
    newest_at: Millis,
    pub(super) rows: Arc<Vec<u8>>,
    /// The keys that are still live.
    pub(super) keys: Keys,
    /// Commits since it was full.
    commits: usize,
    sorted: Option<Sorted>,
    /// Pages that are written, and the row after them.
    written: usize,
}

/// All of it is on disk: what memory keeps, and room that can be used again.
pub(super) struct Closed {
    pub(super) block: Option<Block>,
    pub(super) contents: Contents,
    pub(super) rows: Vec<u8>,
    pub(super) keys: Keys,
}

impl Closing {
    pub(super) fn begin(
        number: u64,
        newest_at: Millis,
        rows: Vec<u8>,
        keys: Keys,
        sorter: &mut Sorter,
        room: Contents,
    ) -> Self {
        let rows = Arc::new(rows);
        sorter.give(number, Arc::clone(&rows), room);
        Self {
            number,
            newest_at,
            rows,
            keys,
            commits: 0,
            sorted: None,
            written: 0,
        }
    }

    /// Writes what this commit should of it, so that all is written before the next block is
    /// full, and says whether that was the rest. `filled` look-ups are in the next block.
    pub(super) fn advance(
        &mut self,
        connection: &Connection,
        sorter: &mut Sorter,
        sizes: BlockSizes,
        filled: usize,
    ) -> Result<bool, rusqlite::Error> {
        self.commits += 1;
        let rows = sizes.rows.max(1);
        if self.commits <= sizes.sorted_after && 4 * filled < rows {
            return Ok(false);
        }
        let sorted = self.sorted.get_or_insert_with(|| sorter.take());
        // The row of `lookups` is the last step.
        let steps = sorted.contents.pages(sizes.page_rows) + 1;
        let due = 4 * filled * steps / (3 * rows);
        let until = self.written.saturating_add(sizes.pages_at_once).max(due);
        self.write_until(connection, sizes.page_rows, until.min(steps))?;
        Ok(self.written == steps)
    }

    /// Writes all that is left.
    pub(super) fn finish(
        &mut self,
        connection: &Connection,
        sorter: &mut Sorter,
        sizes: BlockSizes,
    ) -> Result<(), rusqlite::Error> {
        let sorted = self.sorted.get_or_insert_with(|| sorter.take());
        let steps = sorted.contents.pages(sizes.page_rows) + 1;
        self.write_until(connection, sizes.page_rows, steps)
    }

    fn write_until(
        &mut self,
        connection: &Connection,
        page_rows: usize,
        until: usize,
    ) -> Result<(), rusqlite::Error> {
        let Some(sorted) = &self.sorted else {
            return Ok(());
        };
        for step in self.written..until {
            if step < sorted.contents.pages(page_rows) {
                sorted.contents.write(connection, step, page_rows)?;
            } else {
                self.write_row(connection)?;
            }
        }
        self.written = until;
        Ok(())
    }

    fn write_row(&self, connection: &Connection) -> Result<(), rusqlite::Error> {
        connection
            .prepare_cached(
                "INSERT INTO lookups (last_seq, newest_at, entries) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![
                read::stored(self.number),
                self.newest_at,
                &self.rows[..]
            ])?;
        Ok(())
    }

    /// Only after all of it was written.
    pub(super) fn closed(self) -> Closed {
        let sorted = self.sorted.expect("it was written, so it was sorted");
        let mut rows = Arc::try_unwrap(self.rows).unwrap_or_default();
        rows.clear();
        let mut keys = self.keys;
        keys.clear();
        Closed {
            block: sorted.block,
            contents: sorted.contents,
            rows,
            keys,
        }
    }
}
