//! The audit finds what is wrong with a store, and says which rule is broken where.
//!
//! Damage is done in two ways: with SQL on the files of a stopped store, as a disk or a person
//! would, and by a forger, who rewrites the log and computes every hash again, so that only
//! the rules of selling can tell.

pub(crate) mod forger;
mod keys;
mod rows;

use commerce::{Reorder, WhenSoldOut};
use engine::audit::{Report, audit};
use engine::{Command, Kind, PlaceOrder, ReplenishmentChange};
use rusqlite::Connection;
use store::sqlite;

use self::forger::Forger;
use crate::rig::{
    Place, Rig, create, deferred, email, key, new_product, order_of, queue_spec, receive,
    receive_for, runtime, send, sku, units,
};

/// A sale with something of everything:
///
/// ```text
///  1 product A, 5 units, waits          8 stock 2 for A, grants place 4 (9)
///  2..4 places 1 to 3 of A accepted    10 product R, asks a factory (11)
///  5 place 4 waits for 3               12 .. 13 its goods arrive
///  6 place 5 waits for 2               14 a dead letter
///  7 place 1 is cancelled
/// ```
async fn sale(place: Place) -> Rig {
    let rig = Rig::new(place);
    rig.done(create("A", 5, WhenSoldOut::Wait)).await;
    let first = rig.order(order_of("A")).await;
    for (number, customer) in [(1, "bob@example.com"), (2, "eve@example.com")] {
        let order = PlaceOrder {
            customer: email(customer),
            key: Some(key(number)),
            ..units(order_of("A"), 2)
        };
        rig.order(order).await;
    }
    rig.order(units(order_of("A"), 3)).await;
    rig.order(units(order_of("A"), 2)).await;
    rig.done(Command::CancelOrder { id: first.order.id }).await;
    rig.done(receive("A", 2, "delivery")).await;
    let product = commerce::NewProduct {
        reorder: Some(Reorder::new(1, 10, sku("F-1")).unwrap()),
        ..new_product("R", 1, WhenSoldOut::Reject)
    };
    rig.done(Command::CreateProduct(Box::new(product))).await;
    let asked = rig.reader().open_replenishments(1).unwrap()[0].id();
    rig.done(Command::Replenishment {
        id: asked,
        sku: sku("R"),
        change: ReplenishmentChange::Received { units: 10 },
    })
    .await;
    let config = messaging::QueueConfig {
        redrive: Some(messaging::RedrivePolicy {
            dead_letter_queue: "dead".to_owned(),
            max_receive_count: 1,
        }),
        ..messaging::QueueConfig::default()
    };
    rig.done(Command::EnsureQueues {
        queues: vec![
            queue_spec("q", config),
            queue_spec("dead", messaging::QueueConfig::default()),
        ],
        subscriptions: Vec::new(),
    })
    .await;
    rig.done(send("q", "a")).await;
    for _ in 0..2 {
        rig.done(receive_for("q", 1, Some(0))).await;
    }
    let kinds: Vec<Kind> = rig
        .reader()
        .entries(0, 100)
        .unwrap()
        .iter()
        .map(|entry| entry.kind)
        .collect();
    use Kind::{
        MessageDeadLettered, OrderAccepted, OrderCancelled, OrderPlaced, ProductCreated,
        ReplenishmentReceived, ReplenishmentRequested, StockReceived,
    };
    assert_eq!(
        kinds,
        [
            ProductCreated,
            OrderAccepted,
            OrderAccepted,
            OrderAccepted,
            OrderPlaced,
            OrderPlaced,
            OrderCancelled,
            StockReceived,
            OrderAccepted,
            ProductCreated,
            ReplenishmentRequested,
            StockReceived,
            ReplenishmentReceived,
            MessageDeadLettered,
        ]
    );
    rig.audit_clean();
    rig
}

/// What must be among the violations: rule, sku, sequence, place, and a part of the text.
type Told = (
    u8,
    Option<&'static str>,
    Option<u64>,
    Option<u64>,
    &'static str,
);

fn assert_told(report: &Report, what: &str, told: &[Told]) {
    for (rule, sku, seq, place, text) in told {
        let found = report.violations.iter().any(|violation| {
            violation.rule == *rule
                && violation.sku.as_deref() == *sku
                && violation.seq == *seq
                && violation.place == *place
                && violation.what.contains(text)
        });
        assert!(
            found,
            "{what}: not told of {text:?} in {:#?}",
            report.violations
        );
    }
    assert_eq!(report.violations_total, report.violations.len() as u64);
}

#[test]
fn damage_to_the_files_is_told() {
    const A: Option<&str> = Some("A");
    let cases: &[(&str, &str, &[Told])] = &[
        (
            "a byte of the data",
            "UPDATE log SET data = replace(data, '\"quantity\":2', '\"quantity\":1') WHERE seq = 3",
            &[
                (
                    11,
                    A,
                    Some(3),
                    Some(2),
                    "does not follow from the entry before it in its line",
                ),
                (1, A, Some(3), Some(2), "where its history gives"),
            ],
        ),
        (
            "a byte of the data of a system entry",
            "UPDATE log SET data = replace(data, '\"q\"', '\"p\"') WHERE seq = 14",
            &[(
                11,
                None,
                Some(14),
                None,
                "does not follow from the entry before it",
            )],
        ),
        (
            "data that is no JSON",
            "UPDATE log SET data = substr(data, 2) WHERE seq = 4",
            &[(11, A, Some(4), None, "cannot be read")],
        ),
        (
            "the time of an entry",
            "UPDATE log SET at = at - 1 WHERE seq = 8",
            &[
                (11, A, Some(8), None, "is older than the entry before it"),
                (11, A, Some(8), None, "does not follow"),
            ],
        ),
        (
            "the kind of an entry",
            "UPDATE log SET kind = 12 WHERE seq = 9",
            &[
                (11, A, Some(9), Some(4), "does not follow"),
                (2, A, Some(9), Some(4), "was refused 3 with 3 available"),
                (
                    5,
                    A,
                    Some(9),
                    Some(4),
                    "is not what the order shows: accepted",
                ),
            ],
        ),
        (
            "an entry that is gone",
            "DELETE FROM log WHERE seq = 3",
            &[
                (11, A, Some(4), Some(3), "entry 3 is missing from the log"),
                (11, A, Some(4), Some(3), "does not follow"),
                (3, A, Some(4), Some(3), "has place 3 where 2 is next"),
                (
                    1,
                    A,
                    None,
                    None,
                    "is stored differently from what its history gives",
                ),
            ],
        ),
        (
            "the last entry of a line that is gone",
            "DELETE FROM log WHERE seq = 14; DELETE FROM log WHERE seq = 13",
            &[(
                11,
                Some("R"),
                None,
                None,
                "ends with an entry that is not in the log",
            )],
        ),
        (
            "a product from a backup",
            "UPDATE products SET state = json_set(state, '$.lastSeq', 8) WHERE sku = 'A'",
            &[(1, A, None, None, "as it was before its newest entries")],
        ),
        (
            "the buyer's address",
            "UPDATE log SET customer = 'mallory@example.com' WHERE seq = 4",
            &[(11, A, Some(4), Some(3), "another buyer")],
        ),
        (
            "the secret of an id",
            "UPDATE log SET secret = x'00010203040506070809' WHERE seq = 4",
            &[(11, A, Some(4), Some(3), "another buyer or another id")],
        ),
        (
            "an order without its buyer",
            "UPDATE log SET customer = NULL WHERE seq = 4",
            &[(5, A, Some(4), Some(3), "nobody placed")],
        ),
        (
            "a key that two orders have",
            "UPDATE log SET key = (SELECT key FROM log WHERE seq = 3) WHERE seq = 5",
            &[(
                6,
                A,
                Some(5),
                Some(4),
                "idempotency key of an earlier order",
            )],
        ),
        (
            "what is allocated",
            "UPDATE products SET state = json_set(state, '$.stock.allocated', 6) WHERE sku = 'A'",
            &[(1, A, None, None, "is stored differently")],
        ),
        (
            "what is on hand",
            "UPDATE products SET state = json_set(state, '$.stock.onHand', 6) WHERE sku = 'A'",
            &[(1, A, None, None, "is stored differently")],
        ),
        (
            "what is reserved",
            "UPDATE products SET state = json_set(state, '$.stock.reserved', 1) WHERE sku = 'R'",
            &[(1, Some("R"), None, None, "is stored differently")],
        ),
        (
            "the next place",
            "UPDATE products SET state = json_set(state, '$.lastPlace', 7) WHERE sku = 'A'",
            &[(1, A, None, None, "is stored differently")],
        ),
        (
            "the open replenishment",
            "UPDATE products SET state = json_set(state, '$.openReplenishment', 11) WHERE sku = 'R'",
            &[(8, Some("R"), None, None, "another open replenishment")],
        ),
        (
            "a product that is gone",
            "DELETE FROM products WHERE sku = 'R'",
            &[(1, Some("R"), None, None, "has a history and is not stored")],
        ),
        (
            "a product from nowhere",
            "INSERT INTO products SELECT 9, 'N', json_set(state, '$.sku', 'N', '$.id', 9)
             FROM products WHERE sku = 'A'",
            &[(11, Some("N"), None, None, "has no history")],
        ),
        (
            "one who waits, lost",
            "DELETE FROM waiting WHERE place = 5",
            &[(
                3,
                A,
                None,
                None,
                "has a waiting line that its history does not give",
            )],
        ),
        (
            "one who waits, moved to the front",
            "UPDATE waiting SET place = 1 WHERE place = 5",
            &[(3, A, None, None, "has a waiting line")],
        ),
        (
            "a verdict that the order does not show",
            "DELETE FROM order_changes WHERE order_seq = 5",
            &[(5, A, Some(9), Some(4), "the order does not show")],
        ),
        (
            "another verdict than was given",
            "UPDATE order_changes SET status = 2 WHERE order_seq = 5",
            &[(
                5,
                A,
                Some(9),
                Some(4),
                "is not what the order shows: sold_out",
            )],
        ),
        (
            "a cancellation without an entry",
            "INSERT INTO order_changes VALUES (3, 5, 0, 0, 3)",
            &[(
                5,
                A,
                Some(3),
                Some(2),
                "is not what the order shows: cancelled",
            )],
        ),
        (
            "a cancellation that points to another order's entry",
            "INSERT INTO order_changes VALUES (3, 5, 0, 0, 7)",
            &[(5, A, Some(3), Some(2), "was changed without an entry")],
        ),
    ];
    runtime().block_on(async {
        for (what, sql, told) in cases {
            let rig = sale(Place::disk()).await;
            rig.engine().stop().await;
            let Place::Disk(directory) = &rig.place else {
                unreachable!("it was made on disk");
            };
            let shell = Connection::open(directory.path().join("firstcome.db")).unwrap();
            shell.execute_batch(sql).unwrap();
            assert!(shell.changes() > 0, "{what}: nothing was damaged");
            let reader = sqlite::open_reader(directory.path()).unwrap();
            assert_told(&audit(&*reader).unwrap(), what, told);
        }
    });
}

#[test]
fn a_forged_log_breaks_the_rules_of_selling() {
    const A: Option<&str> = Some("A");
    type Forge = fn(&mut Forger);
    let cases: &[(&str, Forge, &[Told])] = &[
        (
            "two places swapped",
            |forger| {
                forger.edit(3, |data| data.place = Some(3));
                forger.edit(4, |data| data.place = Some(2));
            },
            &[
                (3, A, Some(3), Some(3), "has place 3 where 2 is next"),
                (3, A, Some(4), Some(2), "has place 2 where 4 is next"),
            ],
        ),
        (
            "a place left out",
            |forger| {
                forger.edit(5, |data| data.place = Some(5));
                forger.edit(6, |data| data.place = Some(6));
            },
            &[(3, A, Some(5), Some(5), "has place 5 where 4 is next")],
        ),
        (
            "an order accepted twice",
            |forger| forger.repeat(9),
            &[(5, A, Some(10), Some(4), "is a second verdict")],
        ),
        (
            "an order refused after it was accepted",
            |forger| {
                forger.repeat(9);
                forger.entry(10).kind = Kind::OrderSoldOut;
            },
            &[(5, A, Some(10), Some(4), "is a second verdict")],
        ),
        (
            "an order cancelled twice",
            |forger| forger.repeat(7),
            &[(
                5,
                A,
                Some(8),
                Some(1),
                "cancels an order that cannot be cancelled",
            )],
        ),
        (
            "another quantity granted than was ordered",
            |forger| forger.edit(9, |data| data.quantity = Some(2)),
            &[(5, A, Some(9), Some(4), "decides another quantity")],
        ),
        (
            "the second in line served first",
            |forger| {
                forger.entry(9).subject = 6;
                forger.edit(9, |data| {
                    data.place = Some(5);
                    data.quantity = Some(2);
                });
            },
            &[(4, A, Some(9), Some(5), "was decided before place 4")],
        ),
        (
            "a newcomer served before those who wait",
            |forger| forger.entry(6).kind = Kind::OrderAccepted,
            &[
                (4, A, Some(6), Some(5), "was accepted while others waited"),
                (
                    2,
                    A,
                    Some(6),
                    Some(5),
                    "was accepted for 2 with 0 available",
                ),
            ],
        ),
        (
            "more sold than arrived",
            |forger| forger.edit(1, |data| data.quantity = Some(4)),
            &[
                (
                    2,
                    A,
                    Some(4),
                    Some(3),
                    "was accepted for 2 with 1 available",
                ),
                (1, A, Some(1), None, "where its history gives"),
            ],
        ),
        (
            "refused while there was enough",
            |forger| forger.entry(4).kind = Kind::OrderSoldOut,
            &[(2, A, Some(4), Some(3), "was refused 2 with 2 available")],
        ),
        (
            "accepted after others were refused, with nothing new",
            |forger| {
                forger.edit(3, |data| data.quantity = Some(9));
                forger.entry(3).kind = Kind::OrderSoldOut;
                forger.edit(4, |data| data.quantity = Some(9));
                forger.edit(1, |data| data.quantity = Some(8));
                forger.edit(4, |data| data.quantity = Some(9));
            },
            &[(
                4,
                A,
                Some(4),
                Some(3),
                "was accepted for 9 after 9 were refused",
            )],
        ),
        (
            "units that nobody gave to the head of the line",
            |forger| {
                forger.remove(9);
                forger.product("A", |product| {
                    product.stock.allocated -= 3;
                    product.waiting += 1;
                    product.waiting_units += 3;
                });
                forger.wait_again(5);
            },
            &[(
                2,
                A,
                None,
                None,
                "withholds units that the head of its line could have",
            )],
        ),
        (
            "a second open replenishment",
            |forger| forger.repeat_as_new(11),
            &[(
                8,
                Some("R"),
                Some(12),
                None,
                "is a second open replenishment",
            )],
        ),
        (
            "goods of a replenishment counted twice",
            |forger| {
                forger.repeat(13);
                forger.repeat(12);
            },
            &[(
                8,
                Some("R"),
                Some(15),
                None,
                "counts the goods of a replenishment twice",
            )],
        ),
        (
            "goods that nobody asked for",
            |forger| forger.remove(11),
            &[(8, Some("R"), Some(12), None, "nobody asked for")],
        ),
        (
            "a replenishment that failed after it had arrived",
            |forger| {
                forger.repeat(13);
                forger.entry(14).kind = Kind::ReplenishmentFailed;
            },
            &[(
                8,
                Some("R"),
                Some(14),
                None,
                "fails a replenishment that is not open",
            )],
        ),
        (
            "a line that begins with an order",
            |forger| forger.remove(1),
            &[(
                11,
                None,
                Some(1),
                Some(1),
                "a product that was never created",
            )],
        ),
    ];
    runtime().block_on(async {
        let rig = sale(Place::memory()).await;
        let honest = Forger::of(&*rig.reader());
        assert!(audit(&honest).unwrap().is_clean(), "a copy is as good");
        for (what, forge, told) in cases {
            let mut forger = Forger::of(&*rig.reader());
            forge(&mut forger);
            forger.hash_again();
            let report = audit(&forger).unwrap();
            assert_told(&report, what, told);
            let chain = |text: &str| text.contains("does not follow");
            assert!(
                !report
                    .violations
                    .iter()
                    .any(|violation| chain(&violation.what)),
                "{what}: the chain should be in order"
            );
        }
    });
}

#[test]
fn a_live_server_may_take_a_moment_to_give_what_it_owes() {
    runtime().block_on(async {
        let rig = Rig::new(Place::memory());
        rig.done(create("A", 5, WhenSoldOut::Wait)).await;
        rig.batch(vec![Command::PlaceOrder(deferred("A"))]).await;
        rig.settled().await;
        // Between the commit that gave it its place and the one that decided it.
        let between = || {
            let mut forger = Forger::of(&*rig.reader());
            forger.remove(3);
            forger.product("A", |product| {
                product.stock.allocated = 0;
                product.waiting = 1;
                product.waiting_units = 1;
            });
            forger.wait_again(2);
            forger.hash_again();
            forger
        };
        let mut live = between();
        live.turns_into(Forger::of(&*rig.reader()), 3);
        let report = audit(&live).unwrap();
        assert!(report.is_clean(), "{:#?}", report.violations);
        assert_eq!(report.entries, 3, "what came meanwhile is included");
        let report = audit(&between()).unwrap();
        assert_eq!(report.violations.len(), 1, "{:#?}", report.violations);
        assert_eq!(report.violations[0].rule, 2);
    });
}

#[test]
fn a_line_that_lost_an_order_does_not_keep_the_engine_busy() {
    runtime().block_on(async {
        let mut rig = Rig::new(Place::disk());
        rig.done(create("A", 0, WhenSoldOut::Wait)).await;
        rig.order(order_of("A")).await;
        let Place::Disk(directory) = &rig.place else {
            unreachable!("it was made on disk");
        };
        let shell = Connection::open(directory.path().join("firstcome.db")).unwrap();
        assert_eq!(shell.execute("DELETE FROM waiting", []), Ok(1));
        drop(shell);
        // The product says that somebody waits, and nobody is there to be given the unit.
        rig.done(receive("A", 1, "delivery")).await;
        rig.stop_and_start().await;
        rig.settled().await;
        rig.stop_and_start().await;
        let report = rig.audit();
        assert_told(
            &report,
            "a lost order",
            &[(
                3,
                Some("A"),
                None,
                None,
                "has a waiting line that its history does not give",
            )],
        );
    });
}

#[test]
fn a_report_tells_so_many_and_counts_the_rest() {
    runtime().block_on(async {
        let rig = Rig::new(Place::memory());
        rig.done(create("A", 500, WhenSoldOut::Reject)).await;
        for _ in 0..5 {
            let orders = (0..50).map(|_| Command::PlaceOrder(order_of("A")));
            rig.batch(orders.collect()).await;
        }
        let mut forger = Forger::of(&*rig.reader());
        for seq in 2..=251 {
            forger.edit(seq, |data| data.quantity = Some(2));
        }
        let report = audit(&forger).unwrap();
        assert_eq!(report.violations.len(), engine::audit::TOLD_MAX);
        assert!(report.violations_total >= 500);
        assert_eq!((report.entries, report.orders), (251, 250));
    });
}
