//! Whether what is kept of keys and customers is what the log gives: block by block, beside a live
//! writer. A block that a commit has not finished, or that is not full yet, is in no table; a start
//! makes it from the log.

use commerce::Millis;
use engine::ports::StoreError;
use rusqlite::{Connection, params};

use super::super::read;
use super::pages::{Contents, Damaged, HOLDERS, KEYS, Pages, Pair};
use super::rows::{LookUp, ROW_BYTES};

/// Entries read at a time.
const ENTRIES_AT_ONCE: usize = 16_384;

/// Reads the first block after `after`, and its pages, as of one moment. Says what is wrong with it,
/// and its number; none when there is no such block. Where its newest key is older than `since` pages
/// may be gone, some or all.
pub(in super::super) fn check_next_block(
    snapshot: &Connection,
    after: u64,
    since: Millis,
    broken: &mut dyn FnMut(u64, String),
) -> Result<Option<u64>, StoreError> {
    let block = read::one(
        snapshot,
        "the look-ups",
        "SELECT last_seq, entries FROM lookups WHERE last_seq > ?1 ORDER BY last_seq LIMIT 1",
        params![read::stored(after)],
        |row| Ok((read::u64_at(row, 0)?, row.get::<_, Vec<u8>>(1)?)),
    )?;
    let Some((block, rows)) = block else {
        return Ok(None);
    };
    if sorted(&rows) != sorted(&of_log(snapshot, after, block)?) {
        broken(
            block,
            "ends a block of look-ups that is not what the log gives".to_owned(),
        );
    }
    let mut contents = Contents::default();
    contents.fill(block, &rows);
    if is_kept(snapshot, &contents, since)? && has_pages(snapshot)? {
        let mut check = |table: &Pages, of: &str, expected: &[Pair]| {
            match table.read_whole(snapshot, block)? {
                Ok(found) if found == expected => {}
                Ok(_) => broken(
                    block,
                    format!("ends a block of keys that are not all found by {of}"),
                ),
                Err(Damaged) => broken(
                    block,
                    format!("ends a block of keys with a page by {of} that cannot be searched"),
                ),
            }
            Ok(())
        };
        check(&KEYS, "key", &contents.keys)?;
        check(&HOLDERS, "customer", &contents.holders)?;
    }
    Ok(Some(block))
}

/// Whether somebody may still come with one of its keys.
fn is_kept(
    connection: &Connection,
    contents: &Contents,
    since: Millis,
) -> Result<bool, StoreError> {
    let newest = contents.keys.iter().map(|(_, order)| *order).max();
    let Some(newest) = newest else {
        return Ok(false);
    };
    let found = read::entries_as_stored(connection, newest.saturating_sub(1), 1)?;
    let entry = found.first().filter(|entry| entry.seq == newest);
    Ok(entry.is_some_and(|entry| entry.at >= since))
}

/// Stores older than version 5 have none.
fn has_pages(connection: &Connection) -> Result<bool, StoreError> {
    connection
        .table_exists(None, "key_pages")
        .map_err(|source| StoreError::new("cannot look which tables there are", source))
}

fn sorted(rows: &[u8]) -> Vec<&[u8]> {
    let mut sorted: Vec<&[u8]> = rows.chunks(ROW_BYTES).collect();
    sorted.sort_unstable();
    sorted
}

/// The look-ups of the entries after `after`, up to this one.
fn of_log(connection: &Connection, mut after: u64, until: u64) -> Result<Vec<u8>, StoreError> {
    let mut rows = Vec::new();
    loop {
        let mut entries = read::entries_as_stored(connection, after, ENTRIES_AT_ONCE)?;
        entries.retain(|entry| entry.seq <= until);
        let Some(newest) = entries.last() else {
            return Ok(rows);
        };
        after = newest.seq;
        // Of one that cannot be read nothing is found.
        let readable = entries.iter().filter(|entry| entry.check().is_ok());
        let look_ups = readable.filter_map(LookUp::of);
        look_ups.for_each(|look_up| look_up.write(&mut rows));
    }
}
