//! Products, their orders, and the heads of their lines.

use commerce::{DRAIN_MAX, Email, Grants, Product, ProductId, Reorder, Waiting, WhenSoldOut};
use engine::ports::{Ahead, Opened, OrderChange, Touch};
use engine::{Kind, OrderStatus};

use super::script::{Ordered, START, Script, new_product, quantity, sku};
use super::{Harness, always, load};

pub(crate) fn products_are_found_by_sku(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    // Sorted as bytes: capitals before small letters, digits before both.
    let names = ["b", "B", "a-1", "a.1", "10", "9"];
    for (id, name) in (1u32..).zip(names) {
        script.product(new_product(id, name));
        script.commit(&mut opened);
    }
    // Every part that may be there or not, and every count.
    script.change("b", |product| {
        product.purchase_limit = Some(3);
        product.when_sold_out = WhenSoldOut::Wait;
        product.opens_at = Some(START + 1);
        product.reorder = Some(Reorder::new(1, 2, sku("F-1")).unwrap());
        product.ad_manager = Some(Email::new("ads@example.com").unwrap());
        product.open_replenishment = Some(17);
        product.replenish_not_before = START + 2;
        product.grants = Grants {
            waited_to: 2,
            last_at: START + 3,
            last_units: 4,
            mean_milliunits: 5,
            mean_ms: 6,
        };
        product.last_hash = [0xfe; 32];
    });
    script.commit(&mut opened);

    always(harness, opened, |opened| {
        let reader = &opened.reader;
        let all: Vec<Product> = script.products.values().cloned().collect();
        assert_eq!(reader.products(None, 100).unwrap(), all);
        assert_eq!(reader.products(None, 2).unwrap(), all[..2]);
        assert_eq!(reader.products(Some(&all[1].sku), 3).unwrap(), all[2..5]);
        assert_eq!(reader.products(Some(&sku("zzz")), 3).unwrap(), []);
        // After a sku that is not there: where it would stand.
        assert_eq!(
            reader.products(Some(&sku("a")), 1).unwrap()[0].sku,
            sku("a-1")
        );
        for product in &all {
            let found = reader.product(&product.sku).unwrap();
            assert_eq!(found.as_ref(), Some(product));
        }

        let loaded = load(
            opened,
            &Touch {
                products: vec![sku("b"), sku("b"), sku("9"), sku("none")],
                ..Touch::default()
            },
        );
        assert_eq!(loaded.products.len(), 2);
        assert_eq!(
            loaded.products[&sku("b")].product,
            script.products[&sku("b")]
        );
        assert_eq!(
            loaded.products[&sku("9")].product,
            script.products[&sku("9")]
        );
        assert_eq!(loaded.next_product, 7);
    });
}

pub(crate) fn orders_carry_what_became_of_them(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    script.product(new_product(1, "A"));
    let accepted = script.order(&Ordered::default());
    let sold_out = script.order(&Ordered {
        kind: Kind::OrderSoldOut,
        ..Ordered::default()
    });
    let placed = Ordered {
        kind: Kind::OrderPlaced,
        units: 2,
        ..Ordered::default()
    };
    let waits = script.order(&placed);
    let granted = script.order(&placed);
    let refused = script.order(&placed);
    // Placed and decided in one commit.
    let at_once = script.order(&placed);
    script.at += 1;
    script.later(at_once, Kind::OrderAccepted);
    script.commit(&mut opened);
    script.at += 10;
    script.later(granted, Kind::OrderAccepted);
    script.commit(&mut opened);
    script.later(refused, Kind::OrderSoldOut);
    let left = script.order(&placed);
    script.later(left, Kind::OrderCancelled);
    script.commit(&mut opened);
    script.at += 10;
    script.later(granted, Kind::OrderCancelled);
    script.commit(&mut opened);

    let orders = [accepted, sold_out, waits, granted, refused, at_once, left];
    always(harness, opened, |opened| {
        for order in orders {
            let expected = &script.orders[&order];
            assert_eq!(opened.reader.order(order).unwrap().as_ref(), Some(expected));
            let change = opened.reader.order_change(order).unwrap();
            let changed = expected.last_seq != order;
            let expected = OrderChange {
                order,
                status: expected.status,
                decided_at: expected.decided_at,
                cancelled_at: expected.cancelled_at,
                last_seq: expected.last_seq,
            };
            assert_eq!(change, changed.then_some(expected));
        }
        // An entry that made no order, though it is about one.
        let verdict = script.orders[&granted].last_seq;
        assert_eq!(opened.reader.order(verdict).unwrap(), None);
        assert_eq!(opened.reader.order(1).unwrap(), None);

        // Whoever touches an order touches its line, head included.
        script_loads(opened, &script, &orders, verdict, waits);
    });
}

fn script_loads(opened: &mut Opened, script: &Script, orders: &[u64], no_order: u64, head: u64) {
    let touch = Touch {
        orders: orders
            .iter()
            .copied()
            .chain([no_order, 1, u64::MAX])
            .collect(),
        ..Touch::default()
    };
    let loaded = load(opened, &touch);
    assert_eq!(loaded.orders.len(), orders.len());
    for order in orders {
        assert_eq!(loaded.orders[order], script.orders[order]);
    }
    let line = &loaded.products[&sku("A")];
    assert_eq!(line.product, script.products[&sku("A")]);
    let waiting: Vec<u64> = line.waiting.iter().map(|waiting| waiting.order).collect();
    assert_eq!(waiting, [head]);
    assert_eq!(loaded.orders[&head].status, OrderStatus::Pending);
}

/// A product with so many orders waiting.
fn line_of(script: &mut Script, id: u32, name: &'static str, length: u32, when: WhenSoldOut) {
    let mut product = new_product(id, name);
    product.when_sold_out = when;
    script.product(product);
    for i in 0..length {
        script.order(&Ordered {
            sku: name,
            units: i % 5 + 1,
            kind: Kind::OrderPlaced,
            ..Ordered::default()
        });
    }
}

fn expected_line(script: &Script, name: &str) -> Vec<Waiting> {
    let pending = script
        .orders
        .values()
        .filter(|order| order.sku == sku(name) && order.status == OrderStatus::Pending);
    pending
        .map(|order| Waiting {
            place: order.place,
            order: order.id.seq,
            quantity: order.quantity,
            customer: order.customer.clone(),
        })
        .collect()
}

pub(crate) fn a_head_is_loaded_when_it_is_asked_for(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    line_of(&mut script, 1, "waits", 3, WhenSoldOut::Wait);
    line_of(&mut script, 2, "rejects", 3, WhenSoldOut::Reject);
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let products = vec![sku("waits"), sku("rejects")];
        let mut touch = Touch {
            products,
            ..Touch::default()
        };
        let loaded = load(opened, &touch);
        assert!(loaded.products[&sku("waits")].waiting.is_empty());
        assert_eq!(
            loaded.products[&sku("rejects")].waiting,
            expected_line(&script, "rejects")
        );

        touch.heads = vec![sku("waits"), sku("none")];
        let loaded = load(opened, &touch);
        assert_eq!(
            loaded.products[&sku("waits")].waiting,
            expected_line(&script, "waits")
        );
        assert_eq!(
            loaded.products[&sku("rejects")].waiting,
            expected_line(&script, "rejects")
        );

        // The order brings the head, whichever way the line was touched besides.
        let first = expected_line(&script, "waits")[0].order;
        touch.heads.clear();
        touch.orders = vec![first];
        let loaded = load(opened, &touch);
        assert_eq!(
            loaded.products[&sku("waits")].waiting,
            expected_line(&script, "waits")
        );
    });
}

pub(crate) fn a_head_is_never_longer_than_one_call_decides(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let length = u32::try_from(DRAIN_MAX).unwrap() + 5;
    line_of(&mut script, 1, "waits", length, WhenSoldOut::Wait);
    line_of(&mut script, 2, "rejects", length, WhenSoldOut::Reject);
    script.commit(&mut opened);
    // Places that have gone from the front and from the middle leave no hole in the head.
    for place in [1, 2, 500] {
        let order = expected_line(&script, "waits")
            .into_iter()
            .find(|waiting| waiting.place == place)
            .unwrap()
            .order;
        script.later(order, Kind::OrderCancelled);
    }
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let loaded = load(
            opened,
            &Touch {
                products: vec![sku("waits"), sku("rejects")],
                heads: vec![sku("waits")],
                ..Touch::default()
            },
        );
        for name in ["waits", "rejects"] {
            let line = &loaded.products[&sku(name)];
            assert_eq!(
                line.waiting,
                expected_line(&script, name)[..DRAIN_MAX].to_vec()
            );
            assert_eq!(line.product, script.products[&sku(name)]);
            assert!(line.product.waiting > line.waiting.len() as u64);
        }
    });
}

pub(crate) fn the_line_is_read_in_place_order(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    line_of(&mut script, 1, "A", 20, WhenSoldOut::Wait);
    line_of(&mut script, 2, "B", 3, WhenSoldOut::Wait);
    script.commit(&mut opened);
    for waiting in &expected_line(&script, "A")[4..7] {
        script.later(waiting.order, Kind::OrderAccepted);
    }
    // Comes and goes in one commit: was never there.
    let passing = script.order(&Ordered {
        kind: Kind::OrderPlaced,
        ..Ordered::default()
    });
    script.later(passing, Kind::OrderAccepted);
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let reader = &opened.reader;
        let line = expected_line(&script, "A");
        assert_eq!(line.len(), 17);
        assert_eq!(reader.waiting(ProductId(1), 0, 100).unwrap(), line);
        assert_eq!(reader.waiting(ProductId(1), 4, 2).unwrap(), line[4..6]);
        assert_eq!(reader.waiting(ProductId(1), 20, 2).unwrap(), []);
        assert_eq!(
            reader.waiting(ProductId(2), 0, 100).unwrap(),
            expected_line(&script, "B")
        );
        for place in 0..22 {
            let before: Vec<&Waiting> = line.iter().filter(|w| w.place < place).collect();
            let units = before.iter().map(|w| w.quantity.units()).sum();
            let expected = Ahead {
                orders: before.len() as u64,
                units,
                last_seq: script.log.len() as u64,
            };
            assert_eq!(reader.ahead(ProductId(1), place).unwrap(), expected);
        }
        assert_eq!(line[0].quantity, quantity(1));
    });
}

pub(crate) fn who_stands_before_a_place_is_counted_in_long_lines(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    line_of(&mut script, 1, "A", 1_300, WhenSoldOut::Wait);
    line_of(&mut script, 2, "B", 700, WhenSoldOut::Wait);
    script.commit(&mut opened);
    let check = |opened: &mut Opened, script: &Script| {
        for (id, name) in [(1, "A"), (2, "B")] {
            let line = expected_line(script, name);
            for place in [
                0,
                1,
                2,
                511,
                512,
                513,
                700,
                1_023,
                1_024,
                1_025,
                1_300,
                u64::MAX,
            ] {
                let before = line.iter().filter(|waiting| waiting.place < place);
                let expected = Ahead {
                    orders: before.clone().count() as u64,
                    units: before.map(|waiting| waiting.quantity.units()).sum(),
                    last_seq: script.log.len() as u64,
                };
                let found = opened.reader.ahead(ProductId(id), place).unwrap();
                assert_eq!(found, expected, "before place {place} of {name}");
            }
        }
    };
    check(&mut opened, &script);
    // From the front, from the middle, all of a stretch, and one who comes and goes at once.
    for gone in [0..7, 100..101, 400..1_100] {
        for waiting in &expected_line(&script, "A")[gone] {
            script.later(waiting.order, Kind::OrderCancelled);
        }
        let passing = script.order(&Ordered {
            kind: Kind::OrderPlaced,
            ..Ordered::default()
        });
        script.later(passing, Kind::OrderAccepted);
        script.commit(&mut opened);
        check(&mut opened, &script);
    }
    for waiting in expected_line(&script, "B") {
        script.later(waiting.order, Kind::OrderAccepted);
    }
    script.commit(&mut opened);
    always(harness, opened, |opened| check(opened, &script));
}

pub(crate) fn unsettled_products_are_those_that_may_be_owed_something(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let reorder = Reorder::new(0, 10, sku("F-1")).unwrap();
    line_of(&mut script, 1, "z-waits", 2, WhenSoldOut::Wait);
    line_of(
        &mut script,
        2,
        "rejects-with-deferred",
        1,
        WhenSoldOut::Reject,
    );
    line_of(&mut script, 3, "quiet", 0, WhenSoldOut::Wait);
    line_of(&mut script, 4, "to-be-reordered", 0, WhenSoldOut::Wait);
    line_of(&mut script, 5, "on-its-way", 0, WhenSoldOut::Wait);
    script.change("to-be-reordered", |product| {
        product.reorder = Some(reorder.clone())
    });
    script.change("on-its-way", |product| {
        product.reorder = Some(reorder.clone());
        product.open_replenishment = Some(1);
    });
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let unsettled = opened.reader.unsettled_products(None, 10).unwrap();
        let names: Vec<&str> = unsettled
            .iter()
            .map(|product| product.sku.as_str())
            .collect();
        assert_eq!(
            names,
            ["rejects-with-deferred", "to-be-reordered", "z-waits"]
        );
        assert_eq!(unsettled[2], script.products[&sku("z-waits")]);
        for (after, expected) in [
            (None, &unsettled[..2]),
            (Some("on-its-way"), &unsettled[..2]),
            (Some("rejects-with-deferred"), &unsettled[1..]),
            (Some("z-waits"), &[]),
        ] {
            let after = after.map(sku);
            let page = opened.reader.unsettled_products(after.as_ref(), 2).unwrap();
            assert_eq!(page, expected, "{after:?}");
        }
    });
}
