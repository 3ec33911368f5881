//! Bids: what became of them, their keys, and those that stand.

use commerce::auction::{AuctionStatus, REPLAY_BIDS_MAX};
use commerce::{CustomerHash, Millis};
use engine::auction::BIDS_QUEUE;
use engine::ports::{Loaded, Opened, QueueTouch, Touch};
use engine::{BodyHash, KeyHash, Kind};
use messaging::Message;

use super::lots::Bade;
use super::mail::{fifo_queue, grouped};
use super::script::{Ordered, START, Script, customer, key, new_product, touch_queue};
use super::{Harness, always, load};

const ADA: &str = "ada@example.com";
const BOB: &str = "Bob, who is \"no\" address";
const HOUR: Millis = 3_600_000;

fn open(script: &mut Script) -> u64 {
    script.put_up(AuctionStatus::Open, 0, 1_000)
}

pub(crate) fn the_bids_that_messages_refer_to_are_loaded_with_them(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let auction = open(&mut script);
    let bids = [Kind::BidPlaced, Kind::BidAccepted, Kind::BidPlaced].map(|kind| {
        script.bid(&Bade {
            kind,
            ..Bade::on(auction)
        })
    });
    let bodies = [
        format!(r#"{{"placed":{}}}"#, bids[0]),
        format!(r#"{{"placed":{},"auctionId":"auc"}}"#, bids[1]),
        format!(r#"{{"placed":{auction}}}"#),
        format!(r#"{{"placed":{}}}"#, u64::MAX),
        format!(r#"{{"placed":{},"bidAmount":1}}"#, bids[2]),
        format!("[{}]", bids[2]),
    ];
    let messages = (1..).zip(&bodies).map(|(seq, body)| Message {
        body: body.clone(),
        ..grouped(seq, "a", START)
    });
    let mut queue = fifo_queue(1, BIDS_QUEUE);
    script.send(&mut queue, messages);
    let mut other = fifo_queue(2, "other.fifo");
    let elsewhere = Message {
        body: bodies[0].clone(),
        ..grouped(1, "a", START)
    };
    script.send(&mut other, [elsewhere]);
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let mut loaded = |name: &str, group: &str| {
            let touch = Touch {
                queues: vec![QueueTouch {
                    group_firsts: vec![group.to_owned()],
                    ..touch_queue(name)
                }],
                ..Touch::default()
            };
            load(opened, &touch).bids
        };
        let found = loaded(BIDS_QUEUE, "a");
        assert_eq!(found.len(), 2, "{found:?}");
        for seq in &bids[..2] {
            assert_eq!(found[seq], script.bids[seq]);
        }
        assert!(loaded(BIDS_QUEUE, "b").is_empty());
        assert!(loaded("other.fifo", "a").is_empty());
    });
}

pub(crate) fn bids_carry_what_became_of_them(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    script.product(new_product(1, "A"));
    let order = script.order(&Ordered::default());
    let auction = open(&mut script);
    let bid = |script: &mut Script, kind, bidder| {
        script.bid(&Bade {
            kind,
            bidder,
            key: (bidder == BOB).then(|| key(script.seq, 0)),
            admitted_before: 7,
            ..Bade::on(auction)
        })
    };
    let taken = bid(&mut script, Kind::BidAccepted, ADA);
    let refused = bid(&mut script, Kind::BidRefused, BOB);
    let bought = bid(&mut script, Kind::BidAccepted, BOB);
    let [accepted, turned_down, left] = [(); 3].map(|()| bid(&mut script, Kind::BidPlaced, ADA));
    script.commit(&mut opened);
    let check = |script: &Script, opened: &mut Opened| {
        let seqs: Vec<u64> = (0..script.seq + 2).chain([u64::MAX]).collect();
        for seq in &seqs {
            let found = opened.reader.bid(*seq).unwrap();
            assert_eq!(found.as_ref(), script.bids.get(seq));
            let change = opened.reader.bid_change(*seq).unwrap();
            assert_eq!(change, script.bid_changes.get(seq).copied());
        }
        let touch = Touch {
            bids: seqs,
            ..Touch::default()
        };
        let loaded = load(opened, &touch);
        assert!(
            loaded
                .bids
                .iter()
                .all(|(seq, bid)| script.bids[seq] == *bid)
        );
        assert_eq!(loaded.bids.len(), script.bids.len());
        assert!(loaded.auctions.is_empty() && loaded.orders.is_empty());
        assert_eq!(opened.reader.order(taken).unwrap(), None);
        assert_eq!(opened.reader.bid(order).unwrap(), None);
    };
    let mut opened = always(harness, opened, |opened| check(&script, opened));

    script.at += 20;
    script.verdict(accepted, Kind::BidAccepted);
    script.verdict(turned_down, Kind::BidRefused);
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| {
        check(&script, opened);
        let change = opened.reader.bid_change(accepted).unwrap().unwrap();
        assert!(change.verdict > left);
        assert_eq!(opened.reader.bid_change(refused).unwrap(), None);
    });

    // One that was its own verdict, one whose verdict came later, one in the commit of it.
    script.at += 20;
    script.retract(bought);
    script.retract(accepted);
    script.verdict(left, Kind::BidAccepted);
    script.retract(left);
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        check(&script, opened);
        for bid in [bought, accepted, left] {
            let found = opened.reader.bid(bid).unwrap().unwrap();
            assert_eq!(found.retracted_at, Some(START + 40));
            assert!(found.no.is_some());
        }
        let change = opened.reader.bid_change(bought).unwrap().unwrap();
        assert_eq!(change.verdict, bought);
    });
}

fn load_keys(opened: &mut Opened, keys: Vec<KeyHash>, since: Millis) -> Loaded {
    let touch = Touch {
        keys,
        key_holders: vec![customer(ADA), CustomerHash::of(BOB)],
        keys_since: since,
        ..Touch::default()
    };
    load(opened, &touch)
}

pub(crate) fn an_auction_is_found_by_the_key_that_made_it(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    script.product(new_product(1, "A"));
    let first = script.put_up_with(key(1, 1));
    script.commit(&mut opened);
    script.at += HOUR;
    // Somebody bids with a key that shares its first half.
    let bid = script.bid(&Bade {
        key: Some(key(1, 2)),
        ..Bade::on(first)
    });
    let second = script.put_up_with(key(2, 2));
    script.commit(&mut opened);
    for number in 0..5 {
        script.order(&Ordered {
            key: Some(key(9, number)),
            ..Ordered::default()
        });
        script.commit(&mut opened);
    }
    always(harness, opened, |opened| {
        let all = vec![key(1, 1), key(1, 2), key(2, 2), key(2, 3)];
        for (since, found) in [
            (START, vec![(1, 1, first), (1, 2, bid), (2, 2, second)]),
            (START + HOUR, vec![(1, 2, bid), (2, 2, second)]),
            (START + HOUR + 1, vec![]),
        ] {
            let loaded = load_keys(opened, all.clone(), since);
            assert_eq!(loaded.keys.len(), found.len(), "since {since}");
            for (half, rest, seq) in &found {
                assert_eq!(loaded.keys[&key(*half, *rest)], *seq, "since {since}");
            }
            let auctions = found.iter().map(|(.., seq)| *seq);
            let auctions: Vec<u64> = auctions.filter(|seq| *seq != bid).collect();
            assert_eq!(loaded.auction_bodies.len(), auctions.len());
            assert_eq!(loaded.auctions.len(), auctions.len());
            for seq in auctions {
                assert_eq!(loaded.auction_bodies[&seq], BodyHash(seq));
                assert_eq!(loaded.auctions[&seq].stored, script.auctions[&seq]);
            }
        }
        // Only what was asked for.
        let loaded = load_keys(opened, vec![key(9, 1)], START);
        assert!(loaded.auctions.is_empty() && loaded.auction_bodies.is_empty());
    });
}

pub(crate) fn keys_of_bids_are_found_until_they_expire(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    script.product(new_product(1, "A"));
    let auction = open(&mut script);
    let bid = |script: &mut Script, key, kind, bidder| {
        script.bid(&Bade {
            key: Some(key),
            kind,
            bidder,
            // A key counts from when it was taken in, however long the bid had waited before.
            admitted_before: 10 * HOUR,
            ..Bade::on(auction)
        })
    };
    let first = bid(&mut script, key(1, 1), Kind::BidAccepted, ADA);
    let second = bid(&mut script, key(1, 2), Kind::BidRefused, "Ada@Example.COM");
    script.commit(&mut opened);
    script.at += HOUR;
    let placed = bid(&mut script, key(2, 2), Kind::BidPlaced, BOB);
    // An order whose key shares its first half with that of a bid.
    let order = script.order(&Ordered {
        key: Some(key(2, 3)),
        ..Ordered::default()
    });
    script.commit(&mut opened);
    script.at += HOUR;
    let plain = script.bid(&Bade::on(auction));
    // A verdict that comes later, and a retraction, use up no other key.
    script.verdict(placed, Kind::BidAccepted);
    script.retract(placed);
    let newest = bid(&mut script, key(3, 3), Kind::BidPlaced, ADA);
    script.commit(&mut opened);

    let keys = [key(1, 1), key(1, 2), key(2, 2), key(2, 3), key(3, 3)];
    let made = [first, second, placed, order, newest];
    let all = [keys.to_vec(), vec![key(1, 3), key(2, 1), key(3, 0)]].concat();
    always(harness, opened, |opened| {
        for (since, gone, held) in [
            (START - HOUR, 0, [Some(4), Some(1)]),
            (START, 0, [Some(4), Some(1)]),
            (START + HOUR, 2, [Some(2), Some(1)]),
            (START + 2 * HOUR, 4, [Some(1), None]),
        ] {
            let loaded = load_keys(opened, all.clone(), since);
            let expected: Vec<_> = keys.iter().zip(made).skip(gone).collect();
            assert_eq!(loaded.keys.len(), expected.len(), "since {since}");
            for (key, seq) in expected {
                assert_eq!(loaded.keys[key], seq, "since {since}");
            }
            for seq in loaded.keys.values() {
                let bid = script.bids.get(seq);
                assert_eq!(loaded.bids.get(seq), bid);
                assert_eq!(loaded.orders.get(seq), script.orders.get(seq));
            }
            assert!(!loaded.bids.contains_key(&plain));
            let holders = [customer(ADA), CustomerHash::of(BOB)];
            let found = holders.map(|who| loaded.key_holders.get(&who).copied());
            assert_eq!(found, held, "since {since}");
        }
    });
}

pub(crate) fn standing_bids_leave_out_what_was_taken_back(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let auction = open(&mut script);
    let other = open(&mut script);
    let empty = open(&mut script);
    let bid = |script: &mut Script, auction, kind| {
        script.bid(&Bade {
            kind,
            ..Bade::on(auction)
        })
    };
    let mut taken = Vec::new();
    let mut placed = Vec::new();
    for _ in 0..4 {
        taken.push(bid(&mut script, auction, Kind::BidAccepted));
        placed.push(bid(&mut script, auction, Kind::BidPlaced));
        bid(&mut script, auction, Kind::BidRefused);
        bid(&mut script, other, Kind::BidAccepted);
        script.at += 1;
    }
    script.commit(&mut opened);
    let check = |script: &Script, opened: &mut Opened| {
        let touch = Touch {
            auctions: vec![auction, other],
            standing_bids: vec![auction, empty, auction, 0, u64::MAX],
            ..Touch::default()
        };
        let loaded = load(opened, &touch);
        assert_eq!(loaded.auctions.len(), 3);
        for seq in [auction, empty] {
            let found = &loaded.auctions[&seq];
            assert_eq!(found.stored, script.auctions[&seq]);
            assert_eq!(found.standing, Some(script.standing(seq)));
        }
        assert_eq!(loaded.auctions[&other].standing, None);
        let waiting = loaded.auctions[&auction].waiting.len() as u64;
        assert_eq!(waiting, script.auctions[&auction].waiting);
        script.standing(auction).len()
    };
    let mut opened = always(harness, opened, |opened| {
        assert_eq!(check(&script, opened), 4);
    });

    script.retract(taken[1]);
    script.verdict(placed[0], Kind::BidAccepted);
    script.verdict(placed[1], Kind::BidAccepted);
    script.verdict(placed[2], Kind::BidRefused);
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| {
        assert_eq!(check(&script, opened), 5);
    });
    // The newest, the oldest, and one that was deferred.
    for gone in [placed[1], taken[0], placed[0]] {
        script.retract(gone);
    }
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| {
        assert_eq!(check(&script, opened), 2);
    });

    // So many that nobody would replay them are not loaded.
    for (bids, is_loaded) in [(REPLAY_BIDS_MAX + 1, false), (REPLAY_BIDS_MAX, true)] {
        let stored = script.auctions.get_mut(&auction).unwrap();
        stored.auction.bids = bids;
        script.put_auction(auction);
        script.commit(&mut opened);
        let touch = Touch {
            standing_bids: vec![auction],
            ..Touch::default()
        };
        let loaded = load(&mut opened, &touch);
        let standing = &loaded.auctions[&auction].standing;
        assert_eq!(standing.is_some(), is_loaded, "{bids}");
    }
}
