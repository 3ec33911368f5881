//! The names of queues that were deleted not long ago. In memory only: after a restart any name
//! is free.

use std::collections::VecDeque;

use commerce::Millis;
use engine::ports::QUEUE_GONE_MS;
use hashbrown::HashMap;

/// Past it the oldest is forgotten.
const NAMES_MAX: usize = 10_000;

#[derive(Default)]
pub(crate) struct Gone {
    at: HashMap<String, Millis>,
    /// In the order in which they were deleted; a name may come more than once.
    order: VecDeque<(Millis, String)>,
}

impl Gone {
    pub(crate) fn insert(&mut self, name: &str, now: Millis) {
        while let Some((at, _)) = self.order.front()
            && (self.order.len() >= NAMES_MAX || *at <= now - QUEUE_GONE_MS)
            && let Some((at, oldest)) = self.order.pop_front()
        {
            if self.at.get(&oldest) == Some(&at) {
                self.at.remove(&oldest);
            }
        }
        self.at.insert(name.to_owned(), now);
        self.order.push_back((now, name.to_owned()));
    }

    pub(crate) fn get(&self, name: &str) -> Option<Millis> {
        self.at.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_or_one_too_many_is_forgotten() {
        let mut gone = Gone::default();
        gone.insert("a", 0);
        gone.insert("b", 1);
        gone.insert("a", QUEUE_GONE_MS - 1);
        assert_eq!(gone.get("a"), Some(QUEUE_GONE_MS - 1));
        gone.insert("c", QUEUE_GONE_MS + 1);
        assert_eq!(gone.get("a"), Some(QUEUE_GONE_MS - 1));
        assert_eq!(gone.get("b"), None);
        for n in 0..NAMES_MAX {
            gone.insert(&n.to_string(), QUEUE_GONE_MS + 1);
        }
        assert_eq!((gone.at.len(), gone.order.len()), (NAMES_MAX, NAMES_MAX));
        assert_eq!(gone.get("c"), None);
    }
}
