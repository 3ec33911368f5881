//! The state machine by a table, the fold against a model, notices and the outbox by scripts.

mod fold;
mod notices;
mod status;

use commerce::Millis;
use tempfile::TempDir;

use super::{Folded, OrderParcel, ParcelEvent};
use crate::Effects;

const NOW: Millis = 1_800_000_000_000;

/// A database of its own.
struct Rig {
    effects: Effects,
    _directory: TempDir,
}

impl Rig {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        Self {
            effects: Effects::new(&directory.path().join("effects.db")),
            _directory: directory,
        }
    }

    async fn fold(&self, events: Vec<ParcelEvent>) -> Vec<Folded> {
        self.effects.fold_parcels(events, NOW).await.unwrap()
    }
}

fn order_id(order: u64) -> String {
    format!("ord_{order}")
}

fn accepted(order: u64) -> ParcelEvent {
    let parcel = OrderParcel {
        order_id: order_id(order),
        order_seq: order,
        customer: format!("buyer{}@example.com", order % 2),
        sku: "A-1".to_owned(),
        quantity: 2,
    };
    ParcelEvent::Accepted(parcel, 10 * order, NOW + 10)
}

fn cancelled(order: u64) -> ParcelEvent {
    ParcelEvent::Cancelled(order, 10 * order + 1, NOW + 20)
}
