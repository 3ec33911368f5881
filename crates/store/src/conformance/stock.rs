//! Goods that arrived, and requests to factories.

use commerce::{FailReason, ProductId, Replenishment};
use engine::ports::Touch;

use super::script::{START, Script, new_product, reference, replenishment, sku};
use super::{Harness, always, load};

pub(crate) fn references_are_known_per_product(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    script.product(new_product(1, "A"));
    script.product(new_product(2, "B"));
    script.changes.references = vec![
        (ProductId(1), reference("delivery 1"), 10, 3),
        (ProductId(1), reference("Delivery 1"), 11, 4),
        (ProductId(2), reference("delivery 1"), 1_000_000_000, 5),
    ];
    script.commit(&mut opened);
    script.changes.references = vec![(ProductId(1), reference("é '; -- 🍩"), 12, 6)];
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let ask = [
            ("A", "delivery 1", Some((10, 3))),
            ("A", "Delivery 1", Some((11, 4))),
            ("A", "é '; -- 🍩", Some((12, 6))),
            ("A", "delivery", None),
            ("B", "delivery 1", Some((1_000_000_000, 5))),
            ("B", "Delivery 1", None),
            ("none", "delivery 1", None),
        ];
        let names = ask.map(|(name, text, _)| (sku(name), reference(text)));
        let touch = Touch {
            references: names.to_vec(),
            ..Touch::default()
        };
        let loaded = load(opened, &touch);
        for (name, text, expected) in ask {
            let found = loaded.references.get(&(sku(name), reference(text)));
            assert_eq!(found.copied(), expected, "{name} {text}");
        }
    });
}

pub(crate) fn replenishments_are_found_and_listed(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let (a, b) = (new_product(1, "A"), new_product(2, "B"));
    script.product(a.clone());
    script.product(b.clone());
    for _ in 0..13 {
        script.note();
    }
    let mut all: Vec<Replenishment> = (10..16)
        .map(|seq| replenishment(seq, if seq % 3 == 0 { &b } else { &a }))
        .collect();
    script.changes.replenishments.clone_from(&all);
    script.commit(&mut opened);
    all[0].receive(99, START + 5).unwrap();
    all[1].start(START + 1).unwrap();
    all[2]
        .note_attempt(FailReason::FactoryTimeout, "no answer \"in time\"")
        .unwrap();
    all[3]
        .fail(FailReason::FactoryRefused, "é", START + 2)
        .unwrap();
    script.changes.replenishments = all[..4].to_vec();
    script.commit(&mut opened);

    always(harness, opened, |opened| {
        let reader = &opened.reader;
        let newest_first: Vec<Replenishment> = all.iter().rev().cloned().collect();
        let of = |product: &commerce::Product| -> Vec<Replenishment> {
            let of_it = newest_first.iter().filter(|r| r.product == product.id);
            of_it.cloned().collect()
        };
        for replenishment in &all {
            let found = reader.replenishment(replenishment.seq).unwrap();
            assert_eq!(found.as_ref(), Some(replenishment));
        }
        assert_eq!(reader.replenishment(9).unwrap(), None);
        assert_eq!(
            reader.replenishments(None, None, 100).unwrap(),
            newest_first
        );
        assert_eq!(
            reader.replenishments(None, None, 2).unwrap(),
            newest_first[..2]
        );
        assert_eq!(
            reader.replenishments(None, Some(13), 2).unwrap(),
            newest_first[3..5]
        );
        assert_eq!(reader.replenishments(None, Some(10), 2).unwrap(), []);
        assert_eq!(
            reader.replenishments(Some(a.id), None, 100).unwrap(),
            of(&a)
        );
        assert_eq!(
            reader.replenishments(Some(b.id), None, 100).unwrap(),
            of(&b)
        );
        assert_eq!(
            reader.replenishments(Some(a.id), Some(14), 2).unwrap(),
            of(&a)[1..3]
        );
        assert_eq!(
            reader.replenishments(Some(ProductId(3)), None, 2).unwrap(),
            []
        );

        let open: Vec<u64> = all.iter().filter(|r| r.is_open()).map(|r| r.seq).collect();
        let found = reader.open_replenishments(100).unwrap();
        assert_eq!(found.iter().map(|r| r.seq).collect::<Vec<_>>(), open);
        assert_eq!(open, [11, 12, 14, 15]);
        assert_eq!(reader.open_replenishments(1).unwrap(), found[..1]);

        let touch = Touch {
            replenishments: vec![10, 13, 13, 99, u64::MAX],
            ..Touch::default()
        };
        let loaded = load(opened, &touch);
        assert_eq!(loaded.replenishments.len(), 2);
        assert_eq!(loaded.replenishments[&10], all[0]);
        assert_eq!(loaded.replenishments[&13], all[3]);
    });
}
