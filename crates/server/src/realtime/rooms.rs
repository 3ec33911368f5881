//! The rooms that one socket is in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// Rooms one socket may be in.
pub(super) const ROOMS_MAX: usize = 64;

/// The rooms of one socket, each with what ends it.
#[derive(Clone, Default)]
pub(super) struct Rooms(Arc<Mutex<HashMap<String, CancellationToken>>>);

impl Rooms {
    /// None when the socket is in as many rooms as it may be.
    pub(super) fn enter(
        &self,
        room: &str,
        parent: &CancellationToken,
    ) -> Option<CancellationToken> {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.retain(|_, cancel| !cancel.is_cancelled());
        if rooms.len() >= ROOMS_MAX && !rooms.contains_key(room) {
            return None;
        }
        let cancel = parent.child_token();
        if let Some(before) = rooms.insert(room.to_owned(), cancel.clone()) {
            before.cancel();
        }
        Some(cancel)
    }

    pub(super) fn leave(&self, room: &str) -> bool {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match rooms.remove(room) {
            Some(cancel) => {
                cancel.cancel();
                true
            }
            None => false,
        }
    }

    pub(super) fn leave_all(&self) {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, cancel) in rooms.drain() {
            cancel.cancel();
        }
    }
}
