//! What is looked up by a key or a customer rather than by a sequence.

use commerce::Millis;
use engine::Kind;
use engine::ports::{Loaded, Opened, Touch};

use super::script::{Ordered, START, Script, customer, key, new_product, sku};
use super::{Harness, always, load};

const ADA: &str = "ada@example.com";
const BOB: &str = "bob@example.com";

const HOUR: Millis = 3_600_000;

fn load_keys(opened: &mut Opened, keys: Vec<engine::KeyHash>, since: Millis) -> Loaded {
    load(
        opened,
        &Touch {
            keys,
            key_holders: vec![customer(ADA), customer(BOB), customer("eve@example.com")],
            keys_since: since,
            ..Touch::default()
        },
    )
}

pub(crate) fn keys_are_found_until_they_expire(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    script.product(new_product(1, "A"));
    let mut orders = Vec::new();
    for i in 0..5 {
        orders.push(script.order(&Ordered {
            key: Some(key(i, i)),
            // A key is used up by an order that was sold out, too.
            kind: [Kind::OrderAccepted, Kind::OrderSoldOut, Kind::OrderPlaced]
                [usize::try_from(i).unwrap() % 3],
            ..Ordered::default()
        }));
        script.commit(&mut opened);
        script.at += HOUR;
    }
    script.order(&Ordered::default());
    // An order that changed since is found as it stands.
    script.later(orders[2], Kind::OrderAccepted);
    // A key is free again after it expired: the newer order has it.
    let again = script.order(&Ordered {
        key: Some(key(0, 0)),
        ..Ordered::default()
    });
    script.commit(&mut opened);

    let mut opened = always(harness, opened, |opened| {
        // The younger since comes last: a store may forget what is older for good.
        for since in [
            START - HOUR,
            START + 1,
            START + 2 * HOUR,
            START + 2 * HOUR + 1,
        ] {
            let keys = (0..5)
                .map(|i| key(i, i))
                .chain([key(7, 7), key(1, 2)])
                .collect();
            let loaded = load_keys(opened, keys, since);
            let expected = |order: &u64| script.orders[order].placed_at >= since;
            for (i, order) in (0u64..).zip(&orders).skip(1) {
                let found = loaded.keys.get(&key(i, i)).copied();
                assert_eq!(
                    found,
                    expected(order).then_some(*order),
                    "{i} since {since}"
                );
            }
            if since > START {
                assert_eq!(loaded.keys.get(&key(0, 0)), Some(&again));
            }
            for order in loaded.keys.values() {
                assert_eq!(loaded.orders[order], script.orders[order]);
            }
            assert!(!loaded.keys.contains_key(&key(7, 7)));
            assert!(!loaded.keys.contains_key(&key(1, 2)));
        }
        // Only what was asked for.
        let loaded = load_keys(opened, vec![key(4, 4)], START + 3 * HOUR);
        assert_eq!(loaded.keys.len(), 1);
        assert_eq!(loaded.orders.len(), 1);
    });

    // All of them gone, and then a new one.
    let loaded = load_keys(&mut opened, vec![key(4, 4)], START + 100 * HOUR);
    assert!(loaded.keys.is_empty());
    assert!(loaded.key_holders.is_empty());
    script.at = START + 100 * HOUR;
    let newest = script.order(&Ordered {
        key: Some(key(4, 4)),
        ..Ordered::default()
    });
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let loaded = load_keys(opened, vec![key(4, 4)], START + 100 * HOUR);
        assert_eq!(loaded.keys[&key(4, 4)], newest);
        assert_eq!(loaded.key_holders[&customer(ADA)], 1);
    });
}

pub(crate) fn keys_that_share_their_first_half_are_told_apart(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    script.product(new_product(1, "A"));
    let order = |script: &mut Script, rest| {
        script.order(&Ordered {
            key: Some(key(42, rest)),
            ..Ordered::default()
        })
    };
    let one = order(&mut script, 1);
    let two = order(&mut script, 2);
    script.commit(&mut opened);
    let three = order(&mut script, 3);
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let keys = (0..5).map(|rest| key(42, rest)).collect();
        let loaded = load_keys(opened, keys, START);
        assert_eq!(loaded.keys.len(), 3);
        for (rest, order) in [(1, one), (2, two), (3, three)] {
            assert_eq!(loaded.keys[&key(42, rest)], order);
        }
        let loaded = load_keys(opened, vec![key(42, 2)], START);
        assert_eq!(loaded.keys.len(), 1);
        assert_eq!(loaded.keys[&key(42, 2)], two);
    });
}

pub(crate) fn customers_hold_the_keys_that_are_still_live(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    script.product(new_product(1, "A"));
    for i in 0..10 {
        for customer in [ADA, "Ada@Example.COM", BOB] {
            script.order(&Ordered {
                customer,
                key: (customer != BOB || i % 2 == 0).then(|| key(i, script.seq)),
                ..Ordered::default()
            });
        }
        script.commit(&mut opened);
        script.at += HOUR;
    }
    always(harness, opened, |opened| {
        for hours in 0..=10 {
            let loaded = load_keys(opened, Vec::new(), START + hours * HOUR);
            let left = u32::try_from(10 - hours).unwrap();
            let held = |name| loaded.key_holders.get(&customer(name)).copied();
            assert_eq!(
                held(ADA),
                Some(left * 2).filter(|n| *n > 0),
                "after {hours} hours"
            );
            assert_eq!(
                held(BOB),
                Some(left / 2).filter(|n| *n > 0),
                "after {hours} hours"
            );
            assert_eq!(held("eve@example.com"), None);
        }
    });
}

fn bought(opened: &mut Opened, name: &'static str, who: &str) -> Option<u64> {
    let asked = (sku(name), customer(who));
    let touch = Touch {
        products: vec![sku(name)],
        bought: vec![asked.clone()],
        ..Touch::default()
    };
    load(opened, &touch).bought.get(&asked).copied()
}

pub(crate) fn purchases_count_what_was_not_given_back(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    for (id, name) in [(1, "A"), (2, "B")] {
        let mut product = new_product(id, name);
        product.purchase_limit = Some(100);
        script.product(product);
    }
    script.product(new_product(3, "unlimited"));
    let order = |script: &mut Script, kind, units| {
        script.order(&Ordered {
            kind,
            units,
            ..Ordered::default()
        })
    };
    order(&mut script, Kind::OrderAccepted, 1);
    order(&mut script, Kind::OrderSoldOut, 2);
    order(&mut script, Kind::OrderPlaced, 4);
    let granted = order(&mut script, Kind::OrderPlaced, 8);
    let refused = order(&mut script, Kind::OrderPlaced, 16);
    let cancelled = order(&mut script, Kind::OrderAccepted, 32);
    let left = order(&mut script, Kind::OrderPlaced, 64);
    script.order(&Ordered {
        sku: "B",
        units: 7,
        customer: "Ada@EXAMPLE.com",
        ..Ordered::default()
    });
    script.commit(&mut opened);
    assert_eq!(
        bought(&mut opened, "A", ADA),
        Some(1 + 4 + 8 + 16 + 32 + 64)
    );
    script.later(granted, Kind::OrderAccepted);
    script.later(refused, Kind::OrderSoldOut);
    script.commit(&mut opened);
    script.later(cancelled, Kind::OrderCancelled);
    script.later(left, Kind::OrderCancelled);
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| {
        assert_eq!(bought(opened, "A", ADA), Some(1 + 4 + 8));
        assert_eq!(bought(opened, "A", "ADA@example.com"), Some(13));
        assert_eq!(bought(opened, "A", BOB), Some(0));
        assert_eq!(bought(opened, "B", ADA), Some(7));
        assert_eq!(bought(opened, "unlimited", ADA), None);
        assert_eq!(bought(opened, "none", ADA), None);
    });

    script.later(granted, Kind::OrderCancelled);
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        assert_eq!(bought(opened, "A", ADA), Some(1 + 4));
        // Whoever cancels gets units back, so the count comes with the order.
        let touch = Touch {
            bought: vec![(sku("A"), customer(ADA))],
            orders: vec![cancelled],
            ..Touch::default()
        };
        assert_eq!(load(opened, &touch).bought[&(sku("A"), customer(ADA))], 5);
    });
}

pub(crate) fn purchases_from_before_the_limit_count(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    script.product(new_product(1, "A"));
    script.product(new_product(2, "B"));
    let order = |name, customer, units| Ordered {
        sku: name,
        customer,
        units,
        ..Ordered::default()
    };
    script.order(&order("A", ADA, 3));
    script.order(&order("B", ADA, 5));
    let given_back = script.order(&order("A", BOB, 2));
    script.commit(&mut opened);
    script.later(given_back, Kind::OrderCancelled);
    script.commit(&mut opened);
    assert_eq!(bought(&mut opened, "A", ADA), None);

    script.change("A", |product| product.purchase_limit = Some(9));
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| {
        assert_eq!(bought(opened, "A", ADA), Some(3));
        assert_eq!(bought(opened, "A", BOB), Some(0));
        assert_eq!(bought(opened, "B", ADA), None);
    });

    // Taken away, bought on, and set again.
    script.change("A", |product| product.purchase_limit = None);
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| {
        assert_eq!(bought(opened, "A", ADA), None);
    });
    script.order(&order("A", ADA, 4));
    script.commit(&mut opened);
    script.change("A", |product| product.purchase_limit = Some(9));
    script.order(&order("A", ADA, 1));
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        assert_eq!(bought(opened, "A", ADA), Some(8));
        assert_eq!(bought(opened, "A", BOB), Some(0));
    });
}
