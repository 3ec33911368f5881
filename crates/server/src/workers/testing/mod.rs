//! Messages as consumers are handed them, a database that comes later, a shop to follow, and
//! time that passes when a test wants it to.

pub(crate) mod app;
pub(super) mod shop;
pub(super) mod time;

use std::collections::BTreeMap;
use std::path::PathBuf;

use effects::Customers;
use messaging::ReceiptHandle;
use tempfile::TempDir;

use super::consumer::{Delivery, Handle};

pub(super) fn delivery(body: &str) -> Delivery {
    Delivery {
        id: "m".to_owned(),
        body: body.to_owned(),
        attributes: BTreeMap::new(),
        group: None,
        receive_count: 1,
        sent_at: 1_000,
        handle: Handle::Own(ReceiptHandle {
            queue_id: 1,
            seq: 1,
            receipt: 1,
        }),
    }
}

/// The event of one order, `order.accepted` or another.
pub(super) fn order(seq: u64, kind: &str, customer: &str, price: i64, quantity: u64) -> String {
    event(seq, seq, kind, "{}", customer, price, quantity)
}

/// The cancellation of an order that had this status.
pub(super) fn cancelled(seq: u64, was: &str, customer: &str, price: i64, quantity: u64) -> String {
    let data = format!(r#"{{"was":"{was}"}}"#);
    event(
        seq + 1,
        seq,
        "order.cancelled",
        &data,
        customer,
        price,
        quantity,
    )
}

fn event(
    seq: u64,
    order: u64,
    kind: &str,
    data: &str,
    customer: &str,
    price: i64,
    quantity: u64,
) -> String {
    format!(
        r#"{{"type":"{kind}","seq":{seq},"at":{seq}000,"data":{data},"order":{{"id":"ord_x","seq":{order},"customer":"{customer}","sku":"S","quantity":{quantity},"unitPrice":{price},"currency":"KRW"}}}}"#
    )
}

/// A customers database whose directory is a file until the outage ends.
pub(super) struct Outage {
    _directory: TempDir,
    place: PathBuf,
}

impl Outage {
    pub(super) fn begin() -> (Self, Customers) {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("customers");
        std::fs::write(&place, "a file where a directory must be").unwrap();
        let customers = Customers::new(&place.join("customers.db"));
        let outage = Self {
            _directory: directory,
            place,
        };
        (outage, customers)
    }

    pub(super) fn none() -> (Self, Customers) {
        let (outage, customers) = Self::begin();
        outage.end();
        (outage, customers)
    }

    pub(super) fn end(&self) {
        std::fs::remove_file(&self.place).unwrap();
    }
}
