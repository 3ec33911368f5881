use std::collections::{BTreeMap, BTreeSet};

use commerce::Money;
use proptest::collection::vec;
use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;

fn open() -> (TempDir, Customers) {
    let directory = tempfile::tempdir().unwrap();
    let customers = Customers::new(&directory.path().join("customers.db"));
    (directory, customers)
}

/// Another program at the same file.
fn beside(directory: &TempDir) -> Connection {
    Connection::open(directory.path().join("customers.db")).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn fact(customer: &str, at: i64, what: MileageWhat) -> MileageFact {
    MileageFact {
        customer: customer.to_owned(),
        at,
        what,
    }
}

fn accepted(order_seq: u64, points: i64) -> MileageFact {
    fact("ada@a.kr", 1, MileageWhat::Accepted { order_seq, points })
}

fn cancelled(order_seq: u64) -> MileageFact {
    fact("ada@a.kr", 2, MileageWhat::Cancelled { order_seq })
}

async fn balance(customers: &Customers, name: &str) -> Option<i64> {
    let found = customers.customer(name).await.unwrap();
    found.map(|found| found.mileage)
}

async fn ledger(customers: &Customers, name: &str) -> Vec<(String, i64)> {
    let entries = customers.mileage(name, None, 1_000).await.unwrap();
    let entries = entries.unwrap_or_default().into_iter();
    entries.map(|entry| (entry.cause, entry.points)).collect()
}

#[tokio::test]
async fn points_are_given_once_and_taken_back_once() {
    let (_directory, customers) = open();
    for _ in 0..2 {
        customers
            .count_mileage(vec![accepted(7, 398)])
            .await
            .unwrap();
        assert_eq!(balance(&customers, "ADA@a.kr").await, Some(398));
    }
    // Whatever two percent are by now: what was given is taken.
    let facts = vec![cancelled(7), accepted(7, 1_000), cancelled(7)];
    customers.count_mileage(facts).await.unwrap();
    assert_eq!(balance(&customers, "ada@a.kr").await, Some(0));
    let expected = [("order:7:cancelled", -398), ("order:7:accepted", 398)];
    let expected = expected.map(|(cause, points)| (cause.to_owned(), points));
    assert_eq!(ledger(&customers, "ada@a.kr").await, expected);
    let of_order = customers.mileage_of_order(7).await.unwrap();
    assert_eq!(of_order.len(), 2);
    assert!(of_order.iter().all(|entry| entry.order_seq == Some(7)));
}

#[tokio::test]
async fn a_cancellation_that_comes_first_is_settled_with_its_order() {
    let (_directory, customers) = open();
    customers.count_mileage(vec![cancelled(7)]).await.unwrap();
    customers.count_mileage(vec![cancelled(7)]).await.unwrap();
    assert_eq!(balance(&customers, "ada@a.kr").await, None);
    customers
        .count_mileage(vec![accepted(7, 55)])
        .await
        .unwrap();
    assert_eq!(balance(&customers, "ada@a.kr").await, Some(0));
    let facts = vec![cancelled(7), accepted(7, 55)];
    customers.count_mileage(facts).await.unwrap();
    assert_eq!(ledger(&customers, "ada@a.kr").await.len(), 2);
}

#[tokio::test]
async fn a_purchase_counts_by_its_id_for_whoever_came_first() {
    let (_directory, customers) = open();
    let bought = |name: &str| {
        let what = MileageWhat::Purchase {
            id: "p-1".to_owned(),
            points: 20,
        };
        fact(name, 1, what)
    };
    let facts = vec![bought("Kim"), bought("kim"), bought("lee")];
    customers.count_mileage(facts).await.unwrap();
    assert_eq!(balance(&customers, "KIM").await, Some(20));
    assert_eq!(balance(&customers, "lee").await, None);
}

#[tokio::test]
async fn the_ledgers_are_appended_only() {
    let (directory, customers) = open();
    customers.count_mileage(vec![accepted(1, 5)]).await.unwrap();
    customers.count_units(vec![units(1, 5)], 100).await.unwrap();
    let connection = beside(&directory);
    for statement in [
        "UPDATE mileage SET points = 6",
        "DELETE FROM mileage",
        "UPDATE units SET units = 6",
        "DELETE FROM units",
    ] {
        let error = connection.execute(statement, []).unwrap_err();
        assert!(error.to_string().contains("appended only"), "{error}");
    }
}

#[tokio::test]
async fn a_history_is_read_page_by_page_newest_first() {
    let (_directory, customers) = open();
    let facts = (1..=7).map(|seq| accepted(seq, 1)).collect();
    customers.count_mileage(facts).await.unwrap();
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = customers.mileage("ada@a.kr", before, 3).await.unwrap();
        let page = page.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        seen.extend(page.iter().filter_map(|entry| entry.order_seq));
        // What is counted meanwhile is above every cursor.
        let more = vec![accepted(100 + seen.len() as u64, 1)];
        customers.count_mileage(more).await.unwrap();
    }
    assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(customers.mileage("nobody", None, 3).await.unwrap(), None);
}

fn units(order_seq: u64, quantity: u32) -> UnitsFact {
    UnitsFact {
        customer: "ada@a.kr".to_owned(),
        order_seq,
        quantity,
        is_reversal: false,
        seq: order_seq,
        at: 1_000 + i64::try_from(order_seq).unwrap(),
    }
}

fn back(order_seq: u64, quantity: u32, seq: u64) -> UnitsFact {
    UnitsFact {
        is_reversal: true,
        seq,
        ..units(order_seq, quantity)
    }
}

async fn ada(customers: &Customers) -> CustomerView {
    customers.customer("ada@a.kr").await.unwrap().unwrap()
}

#[tokio::test]
async fn the_hundredth_unit_makes_a_vip_and_the_ninety_ninth_does_not() {
    let (_directory, customers) = open();
    assert_eq!(
        customers
            .count_units(vec![units(1, 99)], 100)
            .await
            .unwrap(),
        0
    );
    assert_eq!(ada(&customers).await.tier, Tier::Normal);
    assert_eq!(customers.unqueued_notices(10).await.unwrap().len(), 0);
    // The same event again is no unit more.
    assert_eq!(
        customers
            .count_units(vec![units(1, 99)], 100)
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        customers.count_units(vec![units(2, 1)], 100).await.unwrap(),
        1
    );
    let vip = ada(&customers).await;
    assert_eq!(
        (vip.tier, vip.units, vip.vip_since),
        (Tier::Vip, 100, Some(1_002))
    );
    let notice = vip.notice.unwrap();
    assert_eq!((notice.units, notice.at), (100, 1_002));
    assert_eq!(customers.untold_notices().await.unwrap(), (1, Some(1_002)));
}

#[tokio::test]
async fn a_vip_stays_one_and_is_told_of_once() {
    let (_directory, customers) = open();
    let facts = vec![units(1, 100), back(1, 100, 2), units(3, 100), units(1, 100)];
    assert_eq!(customers.count_units(facts, 100).await.unwrap(), 1);
    let vip = ada(&customers).await;
    assert_eq!(
        (vip.tier, vip.units, vip.vip_since),
        (Tier::Vip, 100, Some(1_001))
    );
    assert_eq!(customers.unqueued_notices(10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn cancelled_units_do_not_qualify() {
    let (_directory, customers) = open();
    let facts = vec![units(1, 60), back(1, 60, 2), units(3, 60), units(4, 39)];
    assert_eq!(customers.count_units(facts, 100).await.unwrap(), 0);
    assert_eq!(ada(&customers).await.units, 99);
    assert_eq!(
        customers.count_units(vec![units(5, 1)], 100).await.unwrap(),
        1
    );
}

#[tokio::test]
async fn a_notice_is_queued_and_told() {
    let (_directory, customers) = open();
    customers.count_units(vec![units(1, 1)], 1).await.unwrap();
    let ids = customers.unqueued_notices(10).await.unwrap();
    customers.mark_queued(ids.clone(), 5_000).await.unwrap();
    customers.mark_queued(ids.clone(), 6_000).await.unwrap();
    assert_eq!(
        customers.unqueued_notices(10).await.unwrap(),
        Vec::<String>::new()
    );
    assert_eq!(customers.untold_notices().await.unwrap().0, 1);
    customers.mark_told(ids[0].clone(), 7_000).await.unwrap();
    customers.mark_told(ids[0].clone(), 8_000).await.unwrap();
    let notice = customers.notice(ids[0].clone()).await.unwrap().unwrap();
    let state = NoticeState {
        queued_at: Some(5_000),
        told_at: Some(7_000),
    };
    assert_eq!(notice.state, state);
    assert_eq!(customers.untold_notices().await.unwrap(), (0, None));
    assert_eq!(customers.notice("vip_0".to_owned()).await.unwrap(), None);
}

/// An order as the sale decided it.
#[derive(Debug, Clone)]
struct Order {
    customer: u8,
    price: i64,
    quantity: u32,
    cancelled: bool,
}

const BOUND: u64 = 20;

fn orders() -> impl Strategy<Value = Vec<Order>> {
    let order = (0..4_u8, 0..500_i64, 1..9_u32, any::<bool>());
    let order = order.prop_map(|(customer, price, quantity, cancelled)| Order {
        customer,
        price,
        quantity,
        cancelled,
    });
    vec(order, 1..14)
}

/// What happens to one batch on its way.
#[derive(Debug, Clone, Copy)]
enum Luck {
    /// It is counted, and its messages are deleted.
    Fine,
    /// The process dies after the effect and before the delete: it all comes again.
    Again,
    /// The database fails in the middle of the batch; then it comes again.
    Fails,
}

fn luck() -> impl Strategy<Value = Vec<Luck>> {
    vec(
        prop_oneof![Just(Luck::Fine), Just(Luck::Again), Just(Luck::Fails)],
        16,
    )
}

fn name(customer: u8) -> String {
    format!("c{customer}@a.kr")
}

/// Makes the last of so many rows fail, as a disk that is full would; none mends it.
fn break_database(directory: &TempDir, table: &str, rows: Option<usize>) {
    let connection = beside(directory);
    let Some(rows) = rows else {
        connection
            .execute_batch("DROP TRIGGER broken; DROP TABLE counted")
            .unwrap();
        return;
    };
    let broken = format!(
        "CREATE TABLE counted AS SELECT count(*) + {rows} AS n FROM {table};
         CREATE TRIGGER broken BEFORE UPDATE ON customer
           WHEN (SELECT count(*) FROM {table}) >= (SELECT n FROM counted)
         BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
    );
    connection.execute_batch(&broken).unwrap();
}

/// The sums of the ledgers, which must be what the customers' rows say.
fn assert_sums(directory: &TempDir) {
    let wrong: i64 = beside(directory)
        .query_row(
            "SELECT count(*) FROM customer AS c WHERE
               balance <> (SELECT coalesce(sum(points), 0) FROM mileage WHERE customer = c.id)
               OR units <> (SELECT coalesce(sum(units), 0) FROM units WHERE customer = c.id)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(wrong, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A standard queue: any order, any number of times, a setting that changes in between.
    #[test]
    fn mileage_is_the_fold_over_the_events(
        orders in orders(),
        shuffle in vec(any::<u32>(), 80),
        luck in luck(),
        size in 1..7_usize,
    ) {
        // Each event twice, shuffled; every second one was counted under another setting.
        let mut messages = Vec::new();
        for (at, order) in orders.iter().enumerate() {
            let order_seq = at as u64 + 1;
            for basis_points in [200, 300] {
                let price = Money::new(order.price).unwrap();
                let points = points(price, u64::from(order.quantity), basis_points).unwrap();
                let accepted = MileageWhat::Accepted { order_seq, points };
                messages.push(fact(&name(order.customer), 1, accepted));
                if order.cancelled {
                    let cancelled = MileageWhat::Cancelled { order_seq };
                    messages.push(fact(&name(order.customer), 2, cancelled));
                }
            }
        }
        let keys = shuffle.iter().copied().cycle();
        let mut keyed: Vec<(u32, MileageFact)> = keys.zip(messages).collect();
        keyed.sort_by_key(|(key, _)| *key);
        let messages: Vec<MileageFact> = keyed.into_iter().map(|(_, fact)| fact).collect();
        // The fold: what the first message about an order says that it is worth.
        let mut expected: BTreeMap<String, i64> = BTreeMap::new();
        let mut counted = BTreeSet::new();
        for message in &messages {
            if let MileageWhat::Accepted { order_seq, points } = message.what
                && counted.insert(order_seq)
            {
                let is_cancelled = orders[usize::try_from(order_seq).unwrap() - 1].cancelled;
                let kept = if is_cancelled { 0 } else { points };
                *expected.entry(message.customer.clone()).or_default() += kept;
            }
        }
        runtime().block_on(async {
            let (directory, customers) = open();
            customers.count_mileage(Vec::new()).await.unwrap();
            for (batch, luck) in messages.chunks(size).zip(luck.iter().cycle()) {
                match luck {
                    Luck::Fine => {}
                    Luck::Again => customers.count_mileage(batch.to_vec()).await.unwrap(),
                    Luck::Fails => {
                        break_database(&directory, "mileage", Some(batch.len()));
                        // Unless some of it was counted before.
                        let _ = customers.count_mileage(batch.to_vec()).await;
                        break_database(&directory, "mileage", None);
                    }
                }
                customers.count_mileage(batch.to_vec()).await.unwrap();
                assert_sums(&directory);
            }
            for customer in 0..4 {
                let name = name(customer);
                assert_eq!(balance(&customers, &name).await, expected.get(&name).copied());
            }
            let left: i64 = beside(&directory)
                .query_row("SELECT count(*) FROM early_reversal", [], |row| row.get(0))
                .unwrap();
            assert_eq!(left, 0, "every reversal met its order");
        });
    }

    /// A FIFO queue: the order of one customer's events is given, and any suffix comes again.
    #[test]
    fn tiers_are_the_fold_over_the_events(
        orders in orders(),
        luck in luck(),
        size in 1..7_usize,
    ) {
        let (mut messages, mut late) = (Vec::new(), Vec::new());
        for (at, order) in orders.iter().enumerate() {
            let fact = UnitsFact {
                customer: name(order.customer),
                ..units(at as u64 + 1, order.quantity)
            };
            messages.push(fact.clone());
            if order.cancelled {
                let back = UnitsFact { is_reversal: true, seq: 1_000 + fact.seq, ..fact };
                // Some are cancelled at once, others when everything was sold.
                if order.quantity % 2 == 0 {
                    messages.push(back);
                } else {
                    late.push(back);
                }
            }
        }
        messages.extend(late);
        let mut net: BTreeMap<String, i64> = BTreeMap::new();
        let mut vip: BTreeMap<String, i64> = BTreeMap::new();
        for message in &messages {
            let sign = if message.is_reversal { -1 } else { 1 };
            let units = net.entry(message.customer.clone()).or_default();
            *units += sign * i64::from(message.quantity);
            if units.unsigned_abs() >= BOUND {
                vip.entry(message.customer.clone()).or_insert(message.at);
            }
        }
        runtime().block_on(async {
            let (directory, customers) = open();
            customers.count_units(Vec::new(), BOUND).await.unwrap();
            let mut became = 0;
            for (batch, luck) in messages.chunks(size).zip(luck.iter().cycle()) {
                match luck {
                    Luck::Fine => {}
                    Luck::Again => {
                        became += customers.count_units(batch.to_vec(), BOUND).await.unwrap();
                    }
                    Luck::Fails => {
                        break_database(&directory, "units", Some(batch.len()));
                        assert!(customers.count_units(batch.to_vec(), BOUND).await.is_err());
                        break_database(&directory, "units", None);
                    }
                }
                became += customers.count_units(batch.to_vec(), BOUND).await.unwrap();
                assert_sums(&directory);
            }
            assert_eq!(became, vip.len());
            for (name, units) in &net {
                let found = customers.customer(name).await.unwrap().unwrap();
                assert_eq!((found.units, found.vip_since), (*units, vip.get(name).copied()));
                assert_eq!(found.notice.map(|notice| notice.at), found.vip_since);
            }
            assert_eq!(customers.untold_notices().await.unwrap().0, vip.len() as u64);
        });
    }
}
