//! Stores that older versions wrote are read by this one.

use commerce::{ProductId, Reference, ReplenishmentStatus, WhenSoldOut};
use engine::OrderStatus;
use engine::audit::audit;
use engine::ports::{QueueTouch, Touch};
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::{FILE, VERSION, open, open_reader};
use crate::conformance::script::{START, customer, sku, touch_queue};

/// One for each version, as it was written then.
const VINTAGES: [&str; VERSION as usize] = [include_str!("v1.sql")];

fn store_of(script: &str) -> TempDir {
    let directory = TempDir::new().unwrap();
    let shell = Connection::open(directory.path().join(FILE)).unwrap();
    shell.execute_batch(script).unwrap();
    shell.close().unwrap();
    directory
}

#[test]
fn the_first_version_is_read() {
    let directory = store_of(VINTAGES[0]);
    let reader = open_reader(directory.path()).unwrap();
    assert!(audit(&*reader).unwrap().is_clean(), "read as it is");
    drop(reader);

    let mut opened = open(directory.path()).unwrap();
    let reader = opened.reader.clone();
    let report = audit(&*reader).unwrap();
    assert!(report.is_clean(), "{:#?}", report.violations);
    assert_eq!((report.entries, report.orders, report.accepted), (18, 7, 4));
    assert_eq!((report.products, report.replenishments), (2, 2));

    let donut = reader.product(&sku("CP-502101")).unwrap().unwrap();
    assert_eq!(donut.id, ProductId(1));
    assert_eq!(donut.purchase_limit, Some(3));
    assert_eq!(donut.when_sold_out, WhenSoldOut::Wait);
    assert_eq!(donut.opens_at, Some(START - 1));
    assert_eq!(donut.reorder.as_ref().unwrap().factory, sku("FF-500293"));
    assert_eq!(
        donut.ad_manager.as_ref().unwrap().as_str(),
        "ads@example.com"
    );
    assert_eq!((donut.stock.on_hand, donut.stock.allocated), (4, 4));
    assert_eq!(
        (donut.last_place, donut.waiting, donut.waiting_units),
        (5, 1, 3)
    );
    assert_eq!(donut.open_replenishment, Some(17));

    let status = |seq: u64| reader.order(seq).unwrap().unwrap().status;
    use OrderStatus::{Accepted, Cancelled, Pending, SoldOut};
    assert_eq!(
        [3, 5, 6, 7, 8, 9, 10].map(status),
        [
            Cancelled, Accepted, Cancelled, Accepted, Pending, Accepted, SoldOut
        ]
    );
    let failed = reader.replenishment(4).unwrap().unwrap();
    assert_eq!(failed.status, ReplenishmentStatus::Failed);
    let open = reader.open_replenishments(10).unwrap();
    assert_eq!(open.iter().map(|r| r.seq).collect::<Vec<_>>(), [17]);
    let depths = reader.queues(START + 3_000).unwrap();
    let counts = depths
        .iter()
        .map(|d| (d.queue.name.as_str(), d.visible, d.in_flight, d.delayed));
    assert_eq!(
        counts.collect::<Vec<_>>(),
        [("orders", 1, 1, 1), ("orders-dead", 1, 0, 0)]
    );
    assert_eq!(reader.subscriptions().unwrap().len(), 2);
    assert_eq!(reader.relay_cursor().unwrap(), 5);

    let order = |seq: u64| reader.order(seq).unwrap().unwrap();
    let people = [
        "ada@example.com",
        "bob@example.com",
        "eve@example.com",
        "zoe@example.com",
    ];
    let bought = people.map(|who| (sku("CP-502101"), customer(who)));
    let delivery = (sku("plain"), Reference::new("delivery \"1\" 🍩").unwrap());
    let loaded = opened
        .store
        .load(&Touch {
            products: vec![sku("CP-502101")],
            heads: vec![sku("CP-502101")],
            keys: [3, 5, 10].map(|seq| order(seq).key.unwrap()).to_vec(),
            key_holders: people.map(customer).to_vec(),
            bought: bought.to_vec(),
            references: vec![delivery.clone()],
            queues: vec![QueueTouch {
                visible: 10,
                first: 10,
                ..touch_queue("orders")
            }],
            now: START + 3_000,
            ..Touch::default()
        })
        .unwrap();
    assert_eq!((loaded.last_seq, loaded.last_at), (18, START + 3_000));
    assert_eq!(loaded.system.0, 18);
    assert_eq!(loaded.products[&sku("CP-502101")].waiting.len(), 1);
    for seq in [3, 5, 10] {
        assert_eq!(loaded.keys[&order(seq).key.unwrap()], seq);
    }
    let held = people.map(|who| loaded.key_holders[&customer(who)]);
    assert_eq!(held, [1, 1, 2, 2]);
    assert_eq!(bought.map(|bought| loaded.bought[&bought]), [0, 2, 2, 3]);
    assert_eq!(loaded.references[&delivery], (5, 14));
    assert_eq!(loaded.queues["orders"].visible.len(), 1);
    assert_eq!(loaded.queues["orders"].first.len(), 3);
    assert!(loaded.queues.contains_key("orders-dead"));
}

#[test]
fn every_version_becomes_this_one() {
    for script in VINTAGES {
        let directory = store_of(script);
        drop(open(directory.path()).unwrap());
        let shell = Connection::open(directory.path().join(FILE)).unwrap();
        let version = shell.pragma_query_value(None, "user_version", |row| row.get(0));
        assert_eq!(version, Ok(VERSION));
        drop(shell);
        // And stays it.
        drop(open(directory.path()).unwrap());
        assert!(
            audit(&*open_reader(directory.path()).unwrap())
                .unwrap()
                .is_clean()
        );
    }
}
