//! What was sent to FIFO queues and topics in the last minutes, in memory, by fingerprint.

use std::collections::VecDeque;

use commerce::Millis;
use engine::ports::Duplicate;
use hashbrown::HashMap;
use messaging::{DedupEntry, DedupKey, limits};

/// What was sent of late, by the fingerprint of what it is compared by.
#[derive(Default)]
pub(super) struct Duplicates {
    found: HashMap<[u8; 16], Duplicated>,
    by_time: VecDeque<(Millis, [u8; 16])>,
}

pub(super) struct Duplicated {
    pub(super) message: String,
    pub(super) seq: u64,
    pub(super) sent_at: Millis,
}

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
    pub(super) fn insert(&mut self, hash: [u8; 16], duplicated: Duplicated) {
        let now = duplicated.sent_at;
        self.by_time.push_back((now, hash));
        self.found.insert(hash, duplicated);
        self.forget(now);
    }

    /// What was sent five minutes ago is no longer compared with.
    pub(super) fn forget(&mut self, now: Millis) {
        let forget = now - limits::DEDUPLICATION_INTERVAL_MS;
        while self.by_time.front().is_some_and(|(at, _)| *at <= forget) {
            if let Some((at, hash)) = self.by_time.pop_front()
                && self
                    .found
                    .get(&hash)
                    .is_some_and(|found| found.sent_at == at)
            {
                self.found.remove(&hash);
            }
        }
    }

    /// Both scopes: which one counts, the queue's settings say.
    pub(super) fn look_up(
        &self,
        owner: u32,
        sought: &[Duplicate],
    ) -> HashMap<DedupKey, DedupEntry> {
        let mut entries = HashMap::new();
        for duplicate in sought {
            let in_group = duplicate.group.is_some().then(|| duplicate.group.clone());
            for group in [Some(None), in_group].into_iter().flatten() {
                let key = DedupKey {
                    group,
                    id: duplicate.id.clone(),
                };
                if let Some(found) = self.found.get(&fingerprint(owner, &key)) {
                    let entry = DedupEntry {
                        key: key.clone(),
                        message_id: found.message.clone(),
                        seq: found.seq,
                        sent_at_ms: found.sent_at,
                    };
                    entries.insert(key, entry);
                }
            }
        }
        entries
    }
}
