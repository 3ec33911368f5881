//! Each consumer with its events, and what must have come of them: the fold, in the plainest way.

mod customers;
mod effects;
mod hooks;

use std::path::PathBuf;
use std::sync::Arc;

use commerce::Reference;
use engine::Command;
use rusqlite::Connection;
use serde_json::Value;

use crate::workers::ConsumerParts;
use crate::workers::consumer::{Consumer, Hears};
use crate::workers::testing::shop::{Shop, product, sku};

pub(super) use customers::{Notices, Points, Tiers};
pub(super) use effects::{Letters, Parcels, Sold};
pub(super) use hooks::{Called, Written};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub body: String,
    pub group: Option<String>,
}

pub(super) trait World {
    fn shop(&self) -> &Shop;

    /// A process that has only just started: nothing is left of another but what is on disk.
    fn process(&self) -> Arc<dyn Consumer>;

    /// In the order in which the sale decided them.
    fn messages(&self) -> Vec<Sent>;

    /// Messages at a time, so that a crash is in the middle of them.
    fn batch_max(&self) -> usize {
        3
    }

    /// Only the order within a group holds, and it does.
    fn is_fifo(&self) -> bool {
        false
    }

    /// What is there.
    fn effects(&self) -> Vec<String>;

    /// What must be there.
    fn fold(&self) -> Vec<String>;

    /// Whether a neighbour was told of each once, for a run in which nobody died.
    fn told_once(&self) -> bool {
        true
    }

    /// Whether that also holds when two messages about the same are worked on side by side. A
    /// neighbour knows the second time by its id.
    fn tells_once_side_by_side(&self) -> bool {
        true
    }
}

/// Rows of a database, as texts.
fn rows(path: PathBuf, query: &str) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare(query).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Sales, cancellations before and after the verdict, a line that is served, one VIP and one who
/// would be without a cancellation.
async fn day(shop: &Shop) {
    shop.offer(product("A-1", 200)).await;
    shop.offer(product("B-1", 3)).await;
    let first = shop.buy("A-1", "ada@example.com", 39).await;
    shop.buy("A-1", "bob@example.com", 30).await;
    let taken_back = shop.buy("A-1", "bob@example.com", 10).await;
    shop.buy("B-1", "cho@example.com", 3).await;
    let waited = shop.buy("B-1", "dan@example.com", 2).await;
    shop.buy("B-1", "eve@example.com", 2).await;
    shop.cancel(waited).await;
    shop.cancel(taken_back).await;
    shop.buy("A-1", "bob@example.com", 15).await;
    shop.buy("A-1", "ada@example.com", 11).await;
    // Too late: she is VIP.
    shop.cancel(first).await;
    shop.done(Command::ReceiveGoods {
        sku: sku("B-1"),
        quantity: 5,
        reference: Reference::new("r-1").unwrap(),
    })
    .await;
}

fn heard(shop: &Shop, hears: &[Hears]) -> Vec<Sent> {
    let told = shop.heard(hears).into_iter();
    told.map(|told| Sent {
        body: told.body,
        group: None,
    })
    .collect()
}

/// The events, as whoever folds them reads them.
fn events(shop: &Shop) -> Vec<Value> {
    let told = shop.told().into_iter();
    told.map(|told| serde_json::from_str(&told.body).unwrap())
        .collect()
}

fn is(event: &Value, kind: &str) -> bool {
    event["type"] == kind
}

fn is_reversal(event: &Value) -> bool {
    is(event, "order.cancelled") && event["data"]["was"] == "accepted"
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The same settings, and databases that are opened anew.
fn parts(shop: &Shop) -> ConsumerParts {
    let of = &shop.parts;
    let engine = Some(shop.engine.clone());
    let mut parts = ConsumerParts::new(&of.config, &of.clock, engine, &of.public_url).unwrap();
    parts.mailer = of.mailer.clone();
    parts
}
