//! Stores that older versions wrote are read by this one.

use commerce::auction::{AuctionStatus, AwardStatus, Format};
use commerce::{CustomerHash, Money, ProductId, Reference, ReplenishmentStatus, WhenSoldOut};
use engine::auction::{BIDS_QUEUE, BidStatus};
use engine::audit::audit;
use engine::ports::{Cursors, Duplicate, QueueTouch, Reader, TopicTouch, Touch};
use engine::{Kind, OrderStatus};
use messaging::{DeduplicationScope, content_deduplication_id};
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::{FILE, VERSION, open, open_reader};
use crate::conformance::script::{START, customer, sku, touch_queue};

/// One for each version, as it was written then.
pub(super) const VINTAGES: [&str; VERSION as usize] = [
    include_str!("v1.sql"),
    include_str!("v2.sql"),
    include_str!("v3.sql"),
    include_str!("v4.sql"),
    include_str!("v5.sql"),
    include_str!("v6.sql"),
];

pub(super) fn store_of(script: &str) -> TempDir {
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
        // What was in flight then can be received at once.
        [("orders", 2, 0, 1), ("orders-dead", 1, 0, 0)]
    );
    assert_eq!(reader.subscriptions(None, None, 10).unwrap().len(), 2);
    assert_eq!(reader.relayed().unwrap(), Cursors { shop: 5, orders: 5 });

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
    let queue = &loaded.queues["orders"];
    let bodies = queue.visible.iter().map(|message| message.body.as_str());
    assert_eq!(bodies.collect::<Vec<_>>(), ["in flight", "visible"]);
    let was_held = &queue.visible[0];
    assert_eq!((was_held.receive_count, was_held.receipt), (1, None));
    assert_eq!(was_held.first_received_at_ms, Some(START + 3_000));
    assert_eq!(queue.first.len(), 3);
    let delayed = &queue.first[1];
    assert_eq!(delayed.visible_at_ms, START + 603_000);
    assert_eq!(delayed.attributes["n"].value.bytes(), b"1.50");
    let dead = &reader.messages("orders-dead", 0, 10).unwrap()[0];
    assert_eq!(dead.dead.as_ref().unwrap().source_queue, "orders");
    assert!(loaded.queues.contains_key("orders-dead"));
}

#[test]
fn the_second_version_is_read() {
    let directory = store_of(VINTAGES[1]);
    let mut opened = open(directory.path()).unwrap();
    let reader = opened.reader.clone();
    let now = START + 5_000;
    let depth = |name: &str| {
        let depth = reader.queue(name, now).unwrap().unwrap();
        (depth.visible, depth.in_flight, depth.delayed)
    };
    assert_eq!(depth("orders"), (2, 0, 1));
    assert_eq!(depth("orders-dead"), (1, 0, 0));
    assert_eq!(depth("jobs.fifo"), (4, 1, 0));
    assert_eq!(depth("jobs-dead.fifo"), (3, 0, 0));
    assert_eq!(depth("fair"), (2, 1, 0));
    assert_eq!(reader.queue("gone", now).unwrap(), None);
    assert!(reader.has_dropped_messages().unwrap());
    assert_eq!(
        reader.next_visible("jobs.fifo", now).unwrap(),
        Some(START + 605_000)
    );

    let jobs = reader.queue("jobs.fifo", now).unwrap().unwrap().queue;
    assert_eq!((jobs.id, jobs.partition, jobs.next_seq), (6, 6, 11));
    let fifo = jobs.config.fifo.as_ref().unwrap();
    assert!(fifo.content_based_deduplication);
    assert_eq!(fifo.deduplication_scope, DeduplicationScope::MessageGroup);
    assert_eq!(jobs.more.tags["team"], "donuts");
    assert_eq!(jobs.more.encryption["SqsManagedSseEnabled"], "true");
    let purged = reader.queue("orders-dead", now).unwrap().unwrap().queue;
    assert_eq!((purged.id, purged.partition), (2, 9));
    assert_eq!(purged.purged_at, Some(now));
    let moves = reader.moving_queues().unwrap();
    assert_eq!(moves[0].0, "jobs-dead.fifo");
    assert_eq!((moves[0].1.moved, moves[0].1.rate), (1, Some(10)));

    let topics = reader.topics(None, 10).unwrap();
    let names = topics.iter().map(|topic| topic.topic.name.as_str());
    assert_eq!(
        names.collect::<Vec<_>>(),
        ["news", "news.fifo", "orders", "stock"]
    );
    assert_eq!(topics[1].next_seq, 2);
    let news = reader.subscriptions(Some("news"), None, 10).unwrap();
    assert!(!news[0].subscription.confirmed);
    assert!(news[0].token.is_some());
    let filter = news[1].subscription.filter.as_ref().unwrap();
    assert_eq!(filter.text(), news[1].attributes["FilterPolicy"]);

    let duplicate = |group: &str, id: &str| Duplicate {
        group: Some(group.to_owned()),
        id: id.to_owned(),
    };
    let touch = Touch {
        queues: vec![QueueTouch {
            visible: 10,
            receives: 1,
            attempts: vec!["try-1".to_owned()],
            // Of a group, of another one, and of a message that is deleted.
            duplicates: vec![
                duplicate("b", "once"),
                duplicate("a", "once"),
                duplicate("a", &content_deduplication_id("a4")),
            ],
            ..touch_queue("jobs.fifo")
        }],
        topics: vec![TopicTouch {
            name: "news.fifo".to_owned(),
            duplicates: vec![duplicate("a", &content_deduplication_id("in order"))],
            is_published: true,
            ..TopicTouch::default()
        }],
        now,
        ..Touch::default()
    };
    let loaded = opened.store.load(&touch).unwrap();
    assert_eq!(loaded.next_queue, 12);
    let queue = &loaded.queues["jobs.fifo"];
    assert_eq!(queue.groups.len(), 1, "the other one is in flight");
    let first = &queue.groups[0].messages[0];
    assert_eq!(first.body, "b1 \u{1F369}");
    assert_eq!(first.attributes["raw"].value.bytes(), [0, 255]);
    assert_eq!(first.sender.as_deref(), Some("AIDAEXAMPLE"));
    assert_eq!(first.deduplication.as_deref(), Some("once"));
    let attempt = &queue.attempts["try-1"];
    assert_eq!(attempt.messages.len(), 2);
    let held = &queue.messages[&6];
    assert_eq!(held.receipt, Some(attempt.messages[1].receipt));
    assert_eq!(held.body, "a5");
    let mut seqs: Vec<u64> = queue.duplicates.values().map(|entry| entry.seq).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, [5, 8, 10]);
    let published = &loaded.topics["news.fifo"].duplicates;
    let published = published.values().next().unwrap();
    assert_eq!((published.message_id.as_str(), published.seq), ("p-3", 1));
    let touch = Touch {
        queues: vec![QueueTouch {
            messages: vec![1],
            ..touch_queue("fair")
        }],
        now,
        ..Touch::default()
    };
    let loaded = opened.store.load(&touch).unwrap();
    let receipt = loaded.queues["fair"].messages[&1].receipt.unwrap();
    assert!(receipt > u64::MAX / 2, "a receipt has all of its bits");
    // The shop's side is as the first version left it; four letters have died since.
    let report = audit(&*reader).unwrap();
    assert!(report.is_clean(), "{:#?}", report.violations);
    assert_eq!((report.entries, report.orders, report.accepted), (22, 7, 4));
}

#[test]
fn the_third_version_is_read() {
    let directory = store_of(VINTAGES[2]);
    let mut opened = open(directory.path()).unwrap();
    let reader = opened.reader.clone();
    let report = audit(&*reader).unwrap();
    assert!(report.is_clean(), "{:#?}", report.violations);
    assert_eq!((report.entries, report.orders), (52, 7));

    use AuctionStatus::{Cancelled, Closed, Open, Scheduled, Unsold};
    let list = reader.auctions(None, None, 10).unwrap();
    let shown: Vec<_> = list
        .iter()
        .map(|stored| (stored.auction.seq, stored.auction.status))
        .collect();
    assert_eq!(
        shown,
        [
            (30, Closed),
            (28, Cancelled),
            (27, Scheduled),
            (25, Unsold),
            (23, Open)
        ]
    );
    let due = reader.due_auctions(i64::MAX, 10).unwrap();
    assert_eq!(due.iter().map(|id| id.seq).collect::<Vec<_>>(), [23, 27]);
    assert_eq!(
        reader.next_due_auction(START).unwrap(),
        Some(START + 85_000)
    );
    let sealed = reader.auction(25).unwrap().unwrap().auction;
    assert_eq!(sealed.terms.format, Format::SealedSecond);
    assert_eq!(sealed.awards.len(), 2);
    assert_eq!(sealed.awards[0].status, AwardStatus::Forfeited);
    let taken = reader.auction(30).unwrap().unwrap().auction;
    assert_eq!(taken.awards[0].price.minor(), 50);

    // What was taken, too low, taken back, deferred and decided, and still waits.
    let bid = |seq: u64| reader.bid(seq).unwrap().unwrap();
    assert_eq!((bid(37).no, bid(37).maximum.minor()), (Some(1), 900));
    assert_eq!(bid(38).reason.as_deref(), Some("too_low"));
    assert_eq!(bid(39).retracted_at, Some(START + 11_000));
    let deferred = bid(40);
    assert_eq!(&*deferred.bidder, "eve-🍩");
    assert_eq!((deferred.no, deferred.last_seq), (Some(3), 45));
    assert_eq!(reader.bid_change(40).unwrap().unwrap().verdict, 41);
    assert_eq!(bid(42).least.map(Money::minor), Some(520));
    assert_eq!(bid(52).status, BidStatus::Pending);
    let keys = [37, 38, 40, 51, 52].map(|seq| bid(seq).key.unwrap());
    let loaded = opened
        .store
        .load(&Touch {
            auctions: vec![23],
            standing_bids: vec![23],
            keys: keys.to_vec(),
            key_holders: vec![CustomerHash::of("bob")],
            queues: vec![QueueTouch {
                group_firsts: vec![reader.auction(23).unwrap().unwrap().id().to_string()],
                ..touch_queue(BIDS_QUEUE)
            }],
            ..Touch::default()
        })
        .unwrap();
    assert_eq!(loaded.auction_count, 5);
    assert_eq!(keys.map(|key| loaded.keys[&key]), [37, 38, 40, 51, 52]);
    assert_eq!(loaded.key_holders[&CustomerHash::of("bob")], 2);
    let english = &loaded.auctions[&23];
    assert_eq!(english.waiting, [bid(52)]);
    let standing = english.standing.as_ref().unwrap();
    assert_eq!(
        standing.iter().map(|bid| bid.no).collect::<Vec<_>>(),
        [1, 4]
    );
    let firsts = loaded.queues[BIDS_QUEUE].group_firsts.values().next();
    let held = firsts.unwrap().iter().filter(|m| m.receipt.is_some());
    assert_eq!((firsts.unwrap().len(), held.count()), (3, 1));
}

#[test]
fn the_fourth_version_is_read() {
    let directory = store_of(VINTAGES[3]);
    let reader = open(directory.path()).unwrap().reader.clone();
    let report = audit(&*reader).unwrap();
    assert!(report.is_clean(), "{:#?}", report.violations);
    assert_eq!((report.entries, report.orders), (56, 7));
    let parcels = reader.entries(52, 10).unwrap();
    let told = parcels.iter().map(|entry| {
        let status = entry.data().status.unwrap().into_owned();
        (entry.kind, entry.subject, status)
    });
    let of = |kind, order, status: &str| (kind, order, status.to_owned());
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            of(Kind::ParcelCreated, 3, "created"),
            of(Kind::ParcelMoved, 3, "returned"),
            of(Kind::ParcelCreated, 5, "created"),
            of(Kind::ParcelMoved, 5, "in_transit"),
        ]
    );
}

#[test]
fn a_parcel_of_an_order_that_was_not_accepted_is_told() {
    // As if the notes were about order 10, which was sold out, and about no order at all.
    for order in [10, 11, 4_000] {
        let directory = store_of(VINTAGES[3]);
        let shell = Connection::open(directory.path().join(FILE)).unwrap();
        shell
            .execute("UPDATE log SET subject = ?1 WHERE seq = 56", [order])
            .unwrap();
        drop(shell);
        let report = audit(&*open_reader(directory.path()).unwrap()).unwrap();
        let [violation] = &report.violations[..] else {
            panic!("{:#?}", report.violations);
        };
        assert_eq!((violation.rule, violation.seq), (9, Some(56)));
    }
}

#[test]
fn a_store_from_before_the_auctions_is_read_as_if_there_were_none() {
    for script in &VINTAGES[..2] {
        let directory = store_of(script);
        let reader = open_reader(directory.path()).unwrap();
        assert_eq!(reader.entry(1).unwrap().unwrap().sealed, None);
        assert_eq!(reader.auctions(None, None, 10).unwrap(), []);
        assert_eq!(reader.auction(1).unwrap(), None);
        assert_eq!(reader.due_auctions(i64::MAX, 10).unwrap(), []);
        assert_eq!(reader.next_due_auction(0).unwrap(), None);
        assert_eq!(reader.bid(3).unwrap(), None);
        assert_eq!(reader.bid_change(3).unwrap(), None);
        assert!(reader.waiting_bids(1, 10).unwrap().is_empty());
        assert_eq!(reader.order(3).unwrap().unwrap().id.seq, 3);
    }
}

#[test]
fn who_waits_is_counted_in_every_version() {
    for script in VINTAGES {
        let directory = store_of(script);
        let ahead = |reader: &dyn Reader| {
            let ahead = |place| reader.ahead(ProductId(1), place).unwrap();
            [5, 6].map(|place| (ahead(place).orders, ahead(place).units))
        };
        let expected = [(0, 0), (1, 3)];
        assert_eq!(ahead(&*open_reader(directory.path()).unwrap()), expected);
        let opened = open(directory.path()).unwrap();
        assert_eq!(ahead(&*opened.reader), expected);
    }
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
