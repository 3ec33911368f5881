//! The log: nothing at first, then what was written, in order.

use commerce::auction::AuctionStatus;
use commerce::{Email, LineId, ProductId};
use engine::ports::{Ahead, Cursors, TopicTouch, Touch};
use engine::{Family, Kind};

use super::script::{START, Script, customer, key, new_product, reference, sku, touch_queue};
use super::{Harness, always, load};

pub(crate) fn an_empty_store_has_nothing(harness: &dyn Harness) {
    let opened = harness.open();
    always(harness, opened, |opened| {
        let loaded = load(
            opened,
            &Touch {
                products: vec![sku("A")],
                heads: vec![sku("A")],
                keys: vec![key(1, 1)],
                key_holders: vec![customer("ada@example.com")],
                bought: vec![(sku("A"), customer("ada@example.com"))],
                orders: vec![0, 1, u64::MAX],
                references: vec![(sku("A"), reference("r"))],
                replenishments: vec![0, 1, u64::MAX],
                auctions: vec![0, 1, u64::MAX],
                standing_bids: vec![0, 1, u64::MAX],
                bids: vec![0, 1, u64::MAX],
                queues: vec![touch_queue("q")],
                topics: vec![TopicTouch {
                    name: "t".to_owned(),
                    ..TopicTouch::default()
                }],
                subscriptions: vec!["s".to_owned()],
                keys_per_customer: 1,
                keys_since: START - 1_000,
                now: START,
            },
        );
        assert_eq!(loaded.last_seq, 0);
        assert_eq!(loaded.last_at, 0);
        assert_eq!(loaded.system, (0, None));
        assert_eq!(loaded.next_product, 1);
        assert_eq!(loaded.next_queue, 1);
        assert!(loaded.products.is_empty());
        assert!(loaded.keys.is_empty());
        assert!(loaded.key_holders.is_empty());
        assert!(loaded.bought.is_empty());
        assert!(loaded.orders.is_empty());
        assert!(loaded.references.is_empty());
        assert!(loaded.replenishments.is_empty());
        assert!(loaded.auctions.is_empty());
        assert!(loaded.bids.is_empty());
        assert_eq!(loaded.auction_count, 0);
        assert!(loaded.queues.is_empty());
        assert!(loaded.topics.is_empty());
        assert!(loaded.subscriptions.is_empty());
        assert_eq!(
            (
                loaded.queue_count,
                loaded.topic_count,
                loaded.subscription_count
            ),
            (0, 0, 0)
        );
        assert_eq!(loaded.relayed, Cursors::default());

        let reader = &opened.reader;
        assert_eq!(reader.last_seq().unwrap(), 0);
        assert_eq!(reader.product(&sku("A")).unwrap(), None);
        assert_eq!(reader.products(None, 10).unwrap(), []);
        let nobody = Ahead {
            orders: 0,
            units: 0,
            last_seq: 0,
        };
        assert_eq!(reader.ahead(ProductId(1), u64::MAX).unwrap(), nobody);
        assert_eq!(reader.waiting(ProductId(1), 0, 10).unwrap(), []);
        // Numbers beyond anything stored come from requests: they are not found, no more.
        for seq in [0, 1, u64::MAX] {
            assert_eq!(reader.order(seq).unwrap(), None);
            assert_eq!(reader.order_change(seq).unwrap(), None);
            assert_eq!(reader.entry(seq).unwrap(), None);
            assert_eq!(reader.entries(seq, 10).unwrap(), []);
            assert_eq!(reader.replenishment(seq).unwrap(), None);
            assert_eq!(reader.replenishments(None, Some(seq), 10).unwrap(), []);
            assert_eq!(reader.waiting(ProductId(1), seq, 10).unwrap(), []);
            assert_eq!(reader.messages("q", seq, 10).unwrap(), []);
        }
        assert_eq!(reader.replenishments(None, None, 10).unwrap(), []);
        assert_eq!(reader.open_replenishments(10).unwrap(), []);
        assert_eq!(reader.unsettled_products(None, 10).unwrap(), []);
        assert_eq!(reader.queues(START).unwrap(), []);
        assert_eq!(reader.queue("q", START).unwrap(), None);
        assert_eq!(reader.queue_names().unwrap(), [""; 0]);
        assert_eq!(reader.next_visible("q", START).unwrap(), None);
        assert_eq!(reader.moving_queues().unwrap(), []);
        assert!(!reader.has_dropped_messages().unwrap());
        assert_eq!(reader.topics(None, 10).unwrap(), []);
        assert_eq!(reader.topic("t").unwrap(), None);
        assert_eq!(reader.subscriptions(None, None, 10).unwrap(), []);
        assert_eq!(reader.subscriptions(Some("t"), Some(1), 10).unwrap(), []);
        assert_eq!(reader.subscription("s").unwrap(), None);
        assert_eq!(reader.relayed().unwrap(), Cursors::default());
    });
}

pub(crate) fn entries_come_back_as_they_were_written(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    script.product(new_product(1, "A"));
    let order = script.order(&super::script::Ordered {
        // As it was given: only the fingerprint folds it.
        customer: "Ärgerlich@Example.COM",
        key: Some(key(u64::MAX, 0)),
        ..Default::default()
    });
    script.product(new_product(2, "B"));
    script.commit(&mut opened);

    // Every kind, system entries and lines in turn, bytes that need care in texts and in JSON.
    script.at += 5;
    let (first, _) = (script.put_up(AuctionStatus::Open, 0, 1_000), script.note());
    for (i, kind) in (0u32..).zip(Kind::ALL) {
        let line = match kind.family() {
            Family::Goods | Family::Order => LineId::Product(ProductId(1 + i % 2)),
            Family::Auction | Family::Bid => LineId::Auction(first),
            Family::Operations | Family::Parcel => LineId::System,
        };
        let data =
            format!(r#"{{"auction":"a","quantity":1,"reference":"{i} \" \\ é 🍩 \u0001 "}}"#);
        script.entry(line, *kind, Some(0), &data, None);
    }
    script.later(order, Kind::OrderCancelled);
    script.commit(&mut opened);

    let folded = Email::new("ärgerlich@example.com").unwrap().customer();
    assert_eq!(
        Email::from_stored(&script.log[1].buyer.as_ref().unwrap().customer).customer(),
        folded
    );

    let mut opened = always(harness, opened, |opened| {
        let log = &script.log;
        let reader = &opened.reader;
        assert_eq!(reader.entries(0, usize::MAX >> 1).unwrap(), *log);
        assert_eq!(reader.entries(3, 2).unwrap(), log[3..5]);
        assert_eq!(
            reader.entries(log.len() as u64 - 1, 5).unwrap(),
            log[log.len() - 1..]
        );
        assert_eq!(reader.entries(log.len() as u64, 5).unwrap(), []);
        assert_eq!(reader.entries(0, 0).unwrap(), []);
        for entry in log {
            assert_eq!(reader.entry(entry.seq).unwrap().as_ref(), Some(entry));
        }
        assert_eq!(reader.last_seq().unwrap(), script.seq);

        let loaded = load(opened, &Touch::default());
        let newest_system = log
            .iter()
            .rev()
            .find(|entry| entry.line == LineId::System)
            .unwrap();
        assert_eq!(loaded.last_seq, script.seq);
        assert_eq!(loaded.last_at, START + 5);
        assert_eq!(loaded.system, (newest_system.seq, Some(newest_system.hash)));
        assert!(loaded.products.is_empty(), "nothing was asked for");
        assert!(loaded.orders.is_empty(), "nothing was asked for");
    });

    // It goes on where it stopped.
    script.at += 1;
    let system = script.entry(
        LineId::System,
        Kind::MessageDeadLettered,
        Some(0),
        "{}",
        None,
    );
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        assert_eq!(opened.reader.entries(0, 1_000).unwrap(), script.log);
        let loaded = load(opened, &Touch::default());
        assert_eq!(loaded.last_seq, system);
        assert_eq!(loaded.last_at, START + 6);
        assert_eq!(loaded.system.0, system);
    });
}
