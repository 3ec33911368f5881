//! The english format: maxima, reserve, buy-now, soft close, several lots, retraction.

use super::*;

/// Bids `(who, amount, maximum)` one after the other, with who leads at which price after each.
fn check(terms: Terms, script: &[(&str, i64, i64, &str, i64)]) -> Room {
    let mut room = Room::new(terms);
    for (at, &(name, amount, maximum, lead, price)) in script.iter().enumerate() {
        room.bid(name, amount, maximum);
        assert_eq!(
            (room.lead().as_str(), room.price()),
            (lead, price),
            "bid {at}"
        );
    }
    room
}

fn too_low(price: i64, least: i64) -> AuctionRefusal {
    AuctionRefusal::TooLow {
        price: Some(money(price)),
        least: Some(money(least)),
    }
}

#[test]
fn the_second_price_plus_one_increment() {
    check(terms(), &[("a", 10, 100, "a", 10), ("b", 12, 60, "a", 62)]);
}

#[test]
fn never_above_the_maximum() {
    check(terms(), &[("a", 10, 100, "a", 10), ("b", 12, 99, "a", 100)]);
    check(
        terms(),
        &[("a", 10, 100, "a", 10), ("b", 12, 101, "b", 101)],
    );
}

#[test]
fn a_tie_goes_to_the_earlier() {
    check(
        terms(),
        &[
            ("a", 10, 100, "a", 10),
            ("b", 100, 100, "a", 100),
            ("c", 102, 150, "c", 102),
        ],
    );
}

#[test]
fn a_bid_without_a_maximum_stands_at_its_amount() {
    let mut room = check(terms(), &[("a", 50, 50, "a", 50), ("a", 70, 70, "a", 70)]);
    assert_eq!(room.try_bid("b", 71, None), Err(too_low(70, 72)));
    room.try_bid("b", 72, None).unwrap();
    assert_eq!(room.price(), 72);
}

#[test]
fn a_leader_raises_the_maximum_and_the_price_stays() {
    let mut room = check(
        terms(),
        &[
            ("a", 10, 100, "a", 10),
            ("b", 12, 99, "a", 100),
            ("a", 10, 500, "a", 100),
            ("b", 102, 300, "a", 302),
        ],
    );
    // Not higher than the own maximum, and too little to bid over oneself.
    assert_eq!(room.try_bid("a", 302, Some(500)), Err(too_low(302, 304)));
    assert_eq!(room.try_bid("a", 303, Some(600)), Err(too_low(302, 304)));
    assert_eq!(room.try_bid("a", 9, Some(600)), Err(too_low(302, 304)));
}

#[test]
fn a_first_bid_may_equal_the_starting_price() {
    let mut room = Room::new(terms());
    assert_eq!(room.try_bid("a", 9, None), Err(too_low(10, 10)));
    room.bid("a", 10, 10);
    assert_eq!(room.try_bid("b", 11, None), Err(too_low(10, 12)));
}

#[test]
fn nothing_is_higher_than_the_highest_price() {
    let top = crate::money::PRICE_MAX;
    let mut room = Room::new(terms());
    room.bid("a", top, top);
    assert_eq!(
        room.try_bid("b", top, None),
        Err(AuctionRefusal::TooLow {
            price: Some(money(top)),
            least: None
        })
    );
    room.close();
    let mut room = Room::new(terms());
    room.bid("a", 10, top);
    room.bid("b", 12, top);
    assert_eq!((room.lead().as_str(), room.price()), ("a", top));
}

#[test]
fn those_who_were_outbid_are_told() {
    let mut room = Room::new(terms());
    room.bid("a", 10, 20);
    let events = room.bid("b", 30, 30);
    let outbid = AuctionEvent::Outbid {
        bidder: who("a"),
        price: money(30),
    };
    assert_eq!(events[1..], [outbid]);
    let events = room.bid("a", 32, 40);
    assert!(matches!(
        &events[0],
        AuctionEvent::BidAccepted {
            leading: Some(true),
            raise: false,
            ..
        }
    ));
}

#[test]
fn a_maximum_that_reaches_the_reserve_moves_the_price_to_it() {
    let mut terms = terms();
    terms.reserve_price = Some(money(80));
    let mut room = Room::new(terms.clone());
    room.bid("a", 10, 79);
    assert_eq!(
        (room.price(), room.auction.shown_reserve()),
        (10, Some(false))
    );
    let events = room.bid("a", 10, 80);
    assert_eq!(events[1..], [AuctionEvent::ReserveMet { price: money(80) }]);
    assert_eq!(
        (room.price(), room.auction.shown_reserve()),
        (80, Some(true))
    );
    assert_eq!(room.bid("a", 80, 90).len(), 1, "met once");
    room.close();
    assert_eq!(room.auction.status, AuctionStatus::Closed);

    let mut room = Room::new(terms);
    room.bid("a", 79, 79);
    let events = room.close();
    assert_eq!(
        events,
        [
            AuctionEvent::Closed {
                reason: CloseReason::EndTime,
                price: None,
                winners: vec![]
            },
            AuctionEvent::Unsold {
                reason: UnsoldReason::BelowReserve
            }
        ]
    );
}

#[test]
fn buy_now_is_open_until_a_maximum_reaches_it_or_the_reserve_is_met() {
    let mut terms = terms();
    terms.buy_now_price = Some(money(100));
    let mut room = Room::new(terms.clone());
    room.bid("a", 10, 99);
    let events = room.try_buy_now("b").unwrap();
    assert_eq!(events.len(), 3, "accepted, outbid, closed: {events:?}");
    assert_eq!(
        (room.auction.status, room.price()),
        (AuctionStatus::Closed, 100)
    );
    room.confirm();

    let refused = |price, least| {
        Err(AuctionRefusal::NoBuyNow {
            price: Some(money(price)),
            least: Some(money(least)),
        })
    };
    let mut room = Room::new(terms.clone());
    room.bid("a", 10, 100);
    assert_eq!(room.try_buy_now("b"), refused(10, 12));

    terms.reserve_price = Some(money(50));
    let mut room = Room::new(terms);
    room.bid("a", 10, 49);
    assert_eq!(room.auction.open_buy_now(), Some(money(100)));
    room.bid("a", 10, 50);
    assert_eq!(room.try_buy_now("b"), refused(50, 52));
}

#[test]
fn a_bid_in_the_window_moves_the_end_up_to_the_hard_end() {
    let mut terms = terms();
    terms.soft_close = Some(SoftClose {
        window_ms: 1_000,
        extend_ms: 2_000,
        hard_end: 102_500,
    });
    let mut room = Room::new(terms);
    let ends = |room: &Room| (room.auction.ends_at, room.auction.extensions);
    room.now = 98_999;
    room.bid("a", 10, 10);
    assert_eq!(ends(&room), (100_000, 0));
    room.now = 99_000;
    let events = room.bid("b", 12, 12);
    let extended = AuctionEvent::Extended {
        no: 2,
        from: 100_000,
        to: 101_000,
    };
    assert_eq!(events.last(), Some(&extended));
    room.now = 100_999;
    room.bid("b", 12, 50);
    assert_eq!(ends(&room), (101_000, 1), "a raise is seen by nobody");
    room.bid("a", 14, 14);
    assert_eq!(ends(&room), (102_500, 2));
    room.now = 102_499;
    room.bid("a", 60, 60);
    assert_eq!(ends(&room), (102_500, 2));
    room.close();
}

#[test]
fn several_lots_go_to_the_highest_at_one_price() {
    let mut terms = terms();
    terms.lots = 2;
    let mut room = check(terms, &[("a", 10, 50, "a", 10), ("b", 20, 20, "a b", 10)]);
    assert_eq!(room.try_bid("c", 11, None), Err(too_low(10, 12)));
    // A leader bids over what the leader stands at, not over the price.
    assert_eq!(room.try_bid("b", 21, None), Err(too_low(10, 22)));
    room.bid("c", 12, 12);
    assert_eq!((room.lead().as_str(), room.price()), ("a b", 14));
    room.bid("c", 16, 30);
    assert_eq!((room.lead().as_str(), room.price()), ("a c", 22));
    let AuctionEvent::Closed { winners, price, .. } = &room.close()[0] else {
        panic!("closed first");
    };
    assert_eq!(*price, Some(money(22)));
    assert!(winners.iter().all(|award| award.price == money(22)));
}

#[test]
fn lots_that_nobody_wants_are_left() {
    let mut terms = terms();
    terms.lots = 3;
    let mut room = Room::new(terms);
    room.bid("a", 40, 40);
    room.bid("b", 30, 50);
    room.close();
    let paid: Vec<_> = room
        .auction
        .awards
        .iter()
        .map(|a| a.price.minor())
        .collect();
    assert_eq!(paid, [10, 10]);
}

#[test]
fn a_retraction_leaves_what_the_others_would_have_made() {
    let mut terms = terms();
    terms.reserve_price = Some(money(90));
    terms.retraction = Some(RetractionRule {
        within_ms: 5_000,
        before_end_ms: 1_000,
    });
    let mut room = Room::new(terms);
    room.bid("a", 10, 40);
    room.bid("b", 12, 20);
    room.now = 10_000;
    room.bid("c", 50, 100);
    assert_eq!((room.lead().as_str(), room.price()), ("c", 90));

    assert_eq!(room.try_retract("c", 4), Err(AuctionRefusal::NoSuchBid));
    assert_eq!(room.try_retract("b", 3), Err(AuctionRefusal::NotTheBidder));
    assert_eq!(
        room.try_retract("a", 1),
        Err(AuctionRefusal::RetractionTooLate { until: 5_000 })
    );
    room.now = 14_999;
    let events = room.try_retract("c", 3).unwrap();
    assert_eq!(
        events,
        [
            AuctionEvent::Retracted {
                no: 3,
                bidder: who("c"),
                price: Some(money(22)),
                reserve_met: Some(false)
            },
            AuctionEvent::Outbid {
                bidder: who("c"),
                price: money(22)
            },
            AuctionEvent::Regained {
                bidder: who("a"),
                price: money(22)
            }
        ]
    );
    assert_eq!(
        room.try_retract("c", 3),
        Err(AuctionRefusal::AlreadyRetracted)
    );

    room.now = 98_900;
    room.bid("c", 24, 24);
    room.now = 99_000;
    let until = 99_000;
    assert_eq!(
        room.try_retract("c", 4),
        Err(AuctionRefusal::RetractionTooLate { until })
    );
    room.now = 100_000;
    assert!(matches!(
        room.try_retract("c", 4),
        Err(AuctionRefusal::Late { .. })
    ));
    room.close();
}

#[test]
fn a_retraction_of_the_only_bid_leaves_the_start() {
    let mut terms = terms();
    terms.retraction = Some(RetractionRule {
        within_ms: 600_000,
        before_end_ms: 3_600_000,
    });
    terms.ends_at = 86_400_000;
    let mut room = Room::new(terms);
    room.bid("a", 50, 50);
    room.try_retract("a", 1).unwrap();
    assert_eq!((room.lead().as_str(), room.price()), ("", 10));
    room.bid("b", 10, 10);
    assert_eq!(room.taken[0].no, 2, "a number is never given twice");
    room.close();
}

#[test]
fn without_a_rule_nothing_is_retracted() {
    let mut room = Room::new(terms());
    room.bid("a", 50, 50);
    assert_eq!(room.try_retract("a", 1), Err(AuctionRefusal::NoRetraction));
    let bids = REPLAY_BIDS_MAX + 1;
    room.auction.bids = bids;
    assert_eq!(
        room.try_retract("a", 1),
        Err(AuctionRefusal::TooManyBids { bids })
    );
}
