//! What was sent to FIFO queues and topics in the last minutes: where its row is, by fingerprint, in
//! memory. Only what is found is read, and seldom anything is: a sender that sends nothing twice has
//! no duplicates. At 50,000 messages a second there are 15 million of them, so each counts.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvError, Sender, channel};
use std::thread::JoinHandle;

use commerce::Millis;
use engine::ports::{Duplicate, StoreError};
use hashbrown::HashMap;
use messaging::{DedupEntry, DedupKey, limits};
use rusqlite::Connection;

use crate::sqlite::{read, read_only};

/// What was sent of late, in lots: the oldest is forgotten as a whole, and none grows so large that
/// making room in it would hold up a batch.
#[derive(Default)]
pub(super) struct Duplicates {
    lots: Lots,
    /// What was sent before the start, as long as it is not among them.
    earlier: Option<Earlier>,
    /// Tells when that has been read, or never will be.
    read: Option<Receiver<Infallible>>,
}

type Lots = VecDeque<Lot>;

/// Very many rows are read beside everything else: nobody but who sends to a FIFO queue has to wait
/// for them.
struct Earlier {
    reading: Option<JoinHandle<Result<Lots, StoreError>>>,
    is_over: Arc<AtomicBool>,
}

impl Earlier {
    /// None when the system has no thread left, or the store no file.
    fn read(connection: &Connection) -> Option<(Self, Receiver<Infallible>)> {
        let file = connection.path().map(Path::new)?.to_owned();
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let (ends, read) = channel();
        let begin = move || {
            // Whatever becomes of it, whoever waits is told.
            let _ends: Sender<Infallible> = ends;
            let connection = read::reading("what was sent of late", read_only(&file))?;
            lots(&connection, || !over.load(Ordering::Relaxed))
        };
        let reading = std::thread::Builder::new()
            .name("duplicates".into())
            .spawn(begin)
            .ok()?;
        let earlier = Self {
            reading: Some(reading),
            is_over,
        };
        Some((earlier, read))
    }
}

impl Drop for Earlier {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(reading) = self.reading.take() {
            let _ = reading.join();
        }
    }
}

/// All that are stored, unless it is told to stop.
fn lots(connection: &Connection, go_on: impl Fn() -> bool) -> Result<Lots, StoreError> {
    let mut duplicates = Duplicates::default();
    read::each_duplicate(connection, |hash, row, sent_at| {
        duplicates.insert(hash, row, sent_at);
        go_on()
    })?;
    Ok(duplicates.lots)
}

/// The rows of `duplicates`, by the fingerprint of what a message is compared by.
struct Lot {
    rows: HashMap<[u8; 16], i64>,
    began: Millis,
    newest: Millis,
}

/// So many are read at once by a start.
const AT_ONCE_MAX: i64 = if cfg!(test) { 5 } else { 50_000 };
/// What fits into a table of 2^20 places.
const LOT_MAX: usize = (1 << 20) / 8 * 7;
/// So much longer than it has to be one may be remembered.
const LOT_MS: Millis = 60_000;

/// The owner is a queue or a topic.
pub(super) fn fingerprint(owner: u32, key: &DedupKey) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&owner.to_le_bytes());
    let group = key.group.as_deref();
    hasher.update(&[u8::from(group.is_some())]);
    let group = group.unwrap_or_default();
    hasher.update(&(group.len() as u64).to_le_bytes());
    hasher.update(group.as_bytes());
    hasher.update(key.id.as_bytes());
    let hash = hasher.finalize();
    hash.as_bytes()[..16].try_into().expect("a hash is longer")
}

impl Duplicates {
    pub(super) fn read(connection: &Connection) -> Result<Self, StoreError> {
        let is_many = read::duplicates_at_most(connection)? > AT_ONCE_MAX;
        if let Some((earlier, read)) = is_many.then(|| Earlier::read(connection)).flatten() {
            return Ok(Self {
                lots: Lots::new(),
                earlier: Some(earlier),
                read: Some(read),
            });
        }
        Ok(Self {
            lots: lots(connection, || true)?,
            earlier: None,
            read: None,
        })
    }

    /// What blocks until all that was sent before the start has been read, if that goes on.
    pub(super) fn remembering(&mut self) -> Option<Box<dyn FnOnce() + Send>> {
        let read = self.read.take()?;
        Some(Box::new(move || {
            // It ends with an error when the other side is gone: nothing is ever sent.
            let Err(RecvError) = read.recv();
        }))
    }

    /// Waits until all that was sent before the start is known.
    pub(super) fn wait_for_earlier(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let Some(earlier) = &mut self.earlier else {
            return Ok(());
        };
        let read = earlier.reading.take().map(JoinHandle::join);
        let lots = match read {
            Some(Ok(Ok(lots))) => lots,
            failed => {
                if let Some(Ok(Err(error))) = failed {
                    tracing::warn!(%error, "what was sent of late is read again");
                }
                lots(connection, || true)?
            }
        };
        self.put_before(lots);
        Ok(())
    }

    fn put_before(&mut self, mut lots: Lots) {
        lots.append(&mut self.lots);
        self.lots = lots;
        self.earlier = None;
    }

    pub(super) fn insert(&mut self, hash: [u8; 16], row: i64, sent_at: Millis) {
        let has_room =
            |lot: &Lot| lot.rows.len() < LOT_MAX && (0..LOT_MS).contains(&(sent_at - lot.began));
        if !self.lots.back().is_some_and(has_room) {
            self.forget(sent_at);
            self.lots.push_back(Lot {
                rows: HashMap::new(),
                began: sent_at,
                newest: sent_at,
            });
        }
        let lot = self.lots.back_mut().expect("it has just been looked for");
        lot.newest = lot.newest.max(sent_at);
        lot.rows.insert(hash, row);
    }

    /// What was sent five minutes ago is no longer compared with.
    pub(super) fn forget(&mut self, now: Millis) {
        let reading = self.earlier.as_mut().map(|earlier| &mut earlier.reading);
        if let Some(reading) = reading
            && let Some(read) = reading.take_if(|reading| reading.is_finished())
            && let Ok(Ok(lots)) = read.join()
        {
            // Nobody has asked for it, and it is forgotten all the same.
            self.put_before(lots);
        }
        let forget = now - limits::DEDUPLICATION_INTERVAL_MS;
        self.lots.retain(|lot| lot.newest > forget);
    }

    /// Both scopes: which one counts, the queue's settings say.
    pub(super) fn look_up(
        &self,
        connection: &Connection,
        owner: u32,
        sought: &[Duplicate],
    ) -> Result<HashMap<DedupKey, DedupEntry>, StoreError> {
        let mut entries = HashMap::new();
        for duplicate in sought {
            let in_group = duplicate.group.is_some().then(|| duplicate.group.clone());
            for group in [Some(None), in_group].into_iter().flatten() {
                let key = DedupKey {
                    group,
                    id: duplicate.id.clone(),
                };
                let hash = fingerprint(owner, &key);
                // The newest of them.
                let mut lots = self.lots.iter().rev();
                let Some(row) = lots.find_map(|lot| lot.rows.get(&hash)) else {
                    continue;
                };
                // One that is over may have been cleared away.
                if let Some((message_id, seq, sent_at_ms)) =
                    read::duplicate(connection, *row, &hash)?
                {
                    let entry = DedupEntry {
                        key: key.clone(),
                        message_id,
                        seq,
                        sent_at_ms,
                    };
                    entries.insert(key, entry);
                }
            }
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u8) -> [u8; 16] {
        [n; 16]
    }

    fn known(duplicates: &Duplicates) -> Vec<usize> {
        duplicates.lots.iter().map(|lot| lot.rows.len()).collect()
    }

    #[test]
    fn a_lot_is_forgotten_when_all_of_it_is_over() {
        let mut duplicates = Duplicates::default();
        duplicates.insert(hash(1), 1, 0);
        duplicates.insert(hash(2), 2, LOT_MS - 1);
        duplicates.insert(hash(3), 3, LOT_MS);
        assert_eq!(known(&duplicates), [2, 1]);
        let over = LOT_MS - 1 + limits::DEDUPLICATION_INTERVAL_MS;
        duplicates.forget(over - 1);
        assert_eq!(known(&duplicates), [2, 1]);
        duplicates.forget(over);
        assert_eq!(known(&duplicates), [1]);
        // Without a sweep, too.
        duplicates.insert(hash(4), 4, over + LOT_MS);
        assert_eq!(known(&duplicates), [1]);
    }

    #[test]
    fn a_lot_has_a_bound() {
        let mut duplicates = Duplicates::default();
        for (row, _) in (0_i64..).zip(0..=LOT_MAX) {
            let mut hash = [0; 16];
            hash[..8].copy_from_slice(&row.to_le_bytes());
            duplicates.insert(hash, row, 0);
        }
        assert_eq!(known(&duplicates), [LOT_MAX, 1]);
        assert!(duplicates.lots[0].rows.capacity() <= LOT_MAX);
    }

    /// What a start begins with when the rows of before are still being read, by this.
    fn reading(thread: Option<JoinHandle<Result<Lots, StoreError>>>) -> Duplicates {
        Duplicates {
            lots: Lots::new(),
            earlier: Some(Earlier {
                reading: thread,
                is_over: Arc::default(),
            }),
            read: None,
        }
    }

    fn stored() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE duplicates (
                     n INTEGER PRIMARY KEY, sent_at INTEGER, hash BLOB, message TEXT, seq INTEGER);
                 INSERT INTO duplicates VALUES (7, 0, zeroblob(16), 'm', 1);",
            )
            .unwrap();
        connection
    }

    #[test]
    fn what_was_read_beside_is_older_than_what_came_meanwhile() {
        let connection = stored();
        let lots = lots(&connection, || true).unwrap();
        let mut duplicates = reading(Some(std::thread::spawn(|| Ok(lots))));
        duplicates.insert(hash(0), 8, 1);
        duplicates.insert(hash(1), 9, 1);
        duplicates.wait_for_earlier(&connection).unwrap();
        assert_eq!(known(&duplicates), [1, 2]);
        assert_eq!(duplicates.lots[0].rows[&hash(0)], 7);
        duplicates.wait_for_earlier(&connection).unwrap();
        assert_eq!(known(&duplicates), [1, 2]);
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten_too() {
        let connection = stored();
        let lots = lots(&connection, || true).unwrap();
        let mut duplicates = reading(Some(std::thread::spawn(|| Ok(lots))));
        while duplicates.earlier.is_some() {
            duplicates.forget(0);
            std::thread::yield_now();
        }
        assert_eq!(known(&duplicates), [1]);
        duplicates.forget(limits::DEDUPLICATION_INTERVAL_MS);
        assert_eq!(known(&duplicates), [0; 0]);
    }

    #[test]
    fn what_could_not_be_read_is_read_again_when_it_is_needed() {
        for failed in [
            None,
            Some(std::thread::spawn(|| Err(StoreError::new("no", "disk")))),
        ] {
            let mut duplicates = reading(failed);
            let nothing = Connection::open_in_memory().unwrap();
            assert!(duplicates.wait_for_earlier(&nothing).is_err());
            duplicates.wait_for_earlier(&stored()).unwrap();
            assert_eq!(known(&duplicates), [1]);
        }
    }
}
