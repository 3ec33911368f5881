//! What the writer keeps in memory is there again after a start, from blocks and from entries
//! that are in no block yet.

use commerce::CustomerHash;
use commerce::auction::AuctionStatus;
use engine::Kind;
use engine::ports::{Opened, Touch};
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::{FILE, open};
use super::copy_as_killed;
use crate::conformance::lots::Bade;
use crate::conformance::script::{Ordered, START, Script, customer, key, new_product, sku};

const BLOCK_ROWS: usize = 16_384;
const BATCH: u64 = 512;
/// Past the end of the first block by some.
const ORDERS: u64 = BLOCK_ROWS as u64 + 1_000;
const CUSTOMERS: [&str; 3] = ["ada@example.com", "bob@example.com", "eve@example.com"];
/// Orders are placed so far apart, in milliseconds.
const APART: i64 = 1_000;

fn who(order: u64) -> &'static str {
    CUSTOMERS[usize::try_from(order % 3).unwrap()]
}

/// Order number n has key n, of product A for even n and B for odd n.
fn fill(opened: &mut Opened) -> Script {
    let mut script = Script::new();
    let mut limited = new_product(1, "A");
    limited.purchase_limit = Some(1_000_000);
    script.product(limited);
    script.product(new_product(2, "B"));
    for order in 1..=ORDERS {
        script.at = START + APART * i64::try_from(order).unwrap();
        let seq = script.order(&Ordered {
            sku: if order % 2 == 0 { "A" } else { "B" },
            customer: who(order),
            key: Some(key(order, order)),
            ..Ordered::default()
        });
        assert_eq!(seq, order + 2);
        if order % BATCH == 0 {
            script.commit(opened);
        }
    }
    script.commit(opened);
    settle(opened, &mut script);
    script
}

/// As many commits as a full block takes to the disk.
fn settle(opened: &mut Opened, script: &mut Script) {
    for probe in 0..64 {
        script.changes.probe = Some(probe);
        script.commit(opened);
    }
}

fn blocks(directory: &TempDir) -> u32 {
    Connection::open(directory.path().join(FILE))
        .unwrap()
        .query_row("SELECT count(*) FROM lookups", [], |row| row.get(0))
        .unwrap()
}

fn bought(opened: &mut Opened, name: &str) -> [u64; 3] {
    let asked = CUSTOMERS.map(|who| (sku(name), customer(who)));
    let touch = Touch {
        bought: asked.to_vec(),
        ..Touch::default()
    };
    let loaded = opened.store.load(&touch).unwrap();
    asked.map(|asked| loaded.bought[&asked])
}

/// All keys that should be there are, and no others; since is a number of orders.
fn check_keys(opened: &mut Opened, since: u64) {
    let touch = Touch {
        keys: (0..=ORDERS + 1).map(|n| key(n, n)).collect(),
        key_holders: CUSTOMERS.map(customer).to_vec(),
        keys_since: START + APART * i64::try_from(since).unwrap(),
        ..Touch::default()
    };
    let loaded = opened.store.load(&touch).unwrap();
    let first = since.max(1);
    assert_eq!(loaded.keys.len() as u64, ORDERS + 1 - first);
    for order in first..=ORDERS {
        assert_eq!(loaded.keys[&key(order, order)], order + 2);
    }
    let held = |who: CustomerHash| loaded.key_holders.get(&who).copied().unwrap_or(0);
    for name in CUSTOMERS {
        let expected = (first..=ORDERS).filter(|order| who(*order) == name).count();
        assert_eq!(
            held(customer(name)) as usize,
            expected,
            "{name} since {since}"
        );
    }
}

fn counts(mut of: impl FnMut(u64) -> u64) -> [u64; 3] {
    let mut counts = [0; 3];
    for order in 1..=ORDERS {
        counts[usize::try_from(order % 3).unwrap()] += of(order);
    }
    counts
}

#[test]
fn look_ups_survive_the_end_of_a_block() {
    let directory = TempDir::new().unwrap();
    let mut opened = open(directory.path()).unwrap();
    let mut script = fill(&mut opened);
    assert_eq!(blocks(&directory), 1);

    // Given back: some that are in the block, some that are not.
    let given_back: Vec<u64> = (10..20).chain(ORDERS - 10..=ORDERS).collect();
    for order in &given_back {
        script.later(order + 2, Kind::OrderCancelled);
    }
    script.commit(&mut opened);
    let left = |order: u64| u64::from(!given_back.contains(&order));
    let of_a = counts(|order| if order % 2 == 0 { left(order) } else { 0 });
    let of_b = counts(|order| if order % 2 == 1 { left(order) } else { 0 });
    assert_eq!(bought(&mut opened, "A"), of_a);

    // A limit that comes late counts blocks and what is in no block.
    script.change("B", |product| product.purchase_limit = Some(1_000_000));
    script.commit(&mut opened);
    assert_eq!(bought(&mut opened, "B"), of_b);

    let killed = copy_as_killed(directory.path());
    drop(opened);
    let mut opened = open(killed.path()).unwrap();
    assert_eq!(bought(&mut opened, "A"), of_a);
    assert_eq!(bought(&mut opened, "B"), of_b);
    check_keys(&mut opened, 0);
    // Time goes by inside the block, to its end, and past it: a key goes when it is due, not
    // with its block.
    for since in [3, 5_000, BLOCK_ROWS as u64, ORDERS - 1, ORDERS + 1] {
        check_keys(&mut opened, since);
    }
    drop(opened);
    let mut opened = open(directory.path()).unwrap();
    check_keys(&mut opened, 10_000);
    assert_eq!(bought(&mut opened, "A"), of_a);

    // A second block, after a start in the middle of it.
    script.at += APART;
    for _ in 0..BLOCK_ROWS as u64 / BATCH {
        for _ in 0..BATCH {
            script.order(&Ordered {
                customer: CUSTOMERS[0],
                ..Ordered::default()
            });
        }
        script.commit(&mut opened);
    }
    settle(&mut opened, &mut script);
    assert_eq!(blocks(&directory), 2);
    drop(opened);
    let mut opened = open(directory.path()).unwrap();
    let [ada, bob, eve] = of_a;
    assert_eq!(
        bought(&mut opened, "A"),
        [ada + BLOCK_ROWS as u64, bob, eve]
    );
    check_keys(&mut opened, 0);
}

#[test]
fn keys_of_bids_survive_the_end_of_a_block() {
    let directory = TempDir::new().unwrap();
    let mut opened = open(directory.path()).unwrap();
    let mut script = Script::new();
    let auction = script.put_up(AuctionStatus::Open, 0, 1_000);
    let first = auction + 1;
    for bid in 1..=ORDERS {
        script.bid(&Bade {
            bidder: who(bid),
            key: Some(key(bid, bid)),
            ..Bade::on(auction)
        });
        if bid % BATCH == 0 {
            script.commit(&mut opened);
        }
    }
    script.commit(&mut opened);
    settle(&mut opened, &mut script);
    assert_eq!(blocks(&directory), 1);
    for _ in 0..2 {
        let touch = Touch {
            keys: (0..=ORDERS + 1).map(|n| key(n, n)).collect(),
            key_holders: CUSTOMERS.map(customer).to_vec(),
            ..Touch::default()
        };
        let loaded = opened.store.load(&touch).unwrap();
        assert_eq!(loaded.keys.len() as u64, ORDERS);
        for bid in 1..=ORDERS {
            assert_eq!(loaded.keys[&key(bid, bid)], first + bid - 1);
        }
        assert_eq!(loaded.bids, script.bids.clone().into_iter().collect());
        let held = CUSTOMERS.map(|who| u64::from(loaded.key_holders[&customer(who)]));
        assert_eq!(held, counts(|_| 1));
        drop(opened);
        opened = open(directory.path()).unwrap();
    }
}
