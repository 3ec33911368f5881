//! The sealed formats and the dutch one.

use super::*;

fn sealed(format: Format) -> Terms {
    Terms { format, ..terms() }
}

/// Sealed bids `(who, amount)`, and who pays what.
fn check(terms: Terms, bids: &[(&str, i64)], expected: Option<(&str, i64)>) {
    let mut room = Room::new(terms);
    for &(name, amount) in bids {
        let events = room.bid(name, amount, amount);
        assert_eq!(events.len(), 1, "nothing but the bid: {events:?}");
        let AuctionEvent::BidAccepted { price, leading, .. } = &events[0] else {
            panic!("accepted");
        };
        assert_eq!((*price, *leading), (None, None));
        assert_eq!(room.auction.shown_price(room.now), None);
        assert_eq!(room.auction.shown_reserve(), None);
    }
    room.close();
    let paid = room.auction.awards.first();
    let paid = paid.map(|award| (award.bidder.as_str(), award.price.minor()));
    assert_eq!(paid, expected);
    let shown = room.auction.shown_price(0).map(Money::minor);
    assert_eq!(shown, expected.map(|(_, price)| price));
}

#[test]
fn the_highest_sealed_bid_pays_itself() {
    let first = || sealed(Format::SealedFirst);
    check(first(), &[], None);
    check(first(), &[("a", 10)], Some(("a", 10)));
    check(first(), &[("a", 50), ("b", 70), ("c", 60)], Some(("b", 70)));
    check(first(), &[("a", 50), ("b", 50)], Some(("a", 50)));
    // The highest of one's own counts, in whatever order.
    check(
        first(),
        &[("a", 50), ("b", 40), ("b", 60), ("b", 20)],
        Some(("b", 60)),
    );
    let reserved = Terms {
        reserve_price: Some(money(60)),
        ..first()
    };
    check(reserved.clone(), &[("a", 59)], None);
    check(reserved, &[("a", 60)], Some(("a", 60)));
}

#[test]
fn the_highest_sealed_bid_pays_the_second() {
    let second = || sealed(Format::SealedSecond);
    check(second(), &[("a", 50)], Some(("a", 10)));
    check(
        second(),
        &[("a", 50), ("b", 70), ("c", 60)],
        Some(("b", 60)),
    );
    check(second(), &[("a", 50), ("b", 50)], Some(("a", 50)));
    // One's own lower bid is not the second price.
    check(
        second(),
        &[("a", 20), ("b", 40), ("b", 60)],
        Some(("b", 20)),
    );
    let reserved = Terms {
        reserve_price: Some(money(55)),
        ..second()
    };
    check(reserved.clone(), &[("a", 50), ("b", 70)], Some(("b", 55)));
    check(reserved, &[("a", 60), ("b", 70)], Some(("b", 60)));
}

#[test]
fn a_sealed_bid_may_be_retracted_and_nobody_sees_a_leader() {
    let mut terms = sealed(Format::SealedSecond);
    terms.reserve_price = Some(money(30));
    terms.retraction = Some(RetractionRule {
        within_ms: 50_000,
        before_end_ms: 0,
    });
    let mut room = Room::new(terms);
    room.bid("a", 50, 50);
    room.bid("b", 70, 70);
    let events = room.try_retract("b", 2).unwrap();
    assert_eq!(
        events,
        [AuctionEvent::Retracted {
            no: 2,
            bidder: who("b"),
            price: None,
            reserve_met: None
        }]
    );
    room.close();
    assert_eq!(room.auction.awards[0].price, money(30));
}

#[test]
fn a_format_without_maxima_takes_none() {
    for format in [Format::SealedFirst, Format::SealedSecond, dutch().format] {
        let mut room = Room::new(Terms { format, ..dutch() });
        assert_eq!(
            room.try_bid("a", 150, Some(160)),
            Err(AuctionRefusal::NoMaximum)
        );
        assert!(matches!(
            room.try_bid("a", 99, None),
            Err(AuctionRefusal::TooLow { .. })
        ));
        assert!(matches!(
            room.try_buy_now("a"),
            Err(AuctionRefusal::NoBuyNow { .. })
        ));
    }
}

/// From 100 by 10 a second, down to 30.
fn dutch() -> Terms {
    Terms {
        starting_price: money(100),
        ..sealed(Format::Dutch {
            step: money(10),
            every_ms: 1_000,
            floor: money(30),
        })
    }
}

#[test]
fn the_dutch_price_falls_by_its_schedule() {
    for (at, price) in [
        (0, 100),
        (999, 100),
        (1_000, 90),
        (6_999, 40),
        (7_000, 30),
        (99_999, 30),
    ] {
        assert_eq!(dutch().scheduled_price(at), money(price), "at {at}");
    }
    let far = Terms {
        format: Format::Dutch {
            step: money(crate::money::PRICE_MAX),
            every_ms: 1,
            floor: money(0),
        },
        ..dutch()
    };
    assert_eq!(far.scheduled_price(Millis::MAX), money(0));
}

#[test]
fn the_first_taker_wins_at_the_price_of_the_moment() {
    let mut room = Room::new(dutch());
    room.now = 2_500;
    assert_eq!(
        room.try_bid("a", 79, None),
        Err(AuctionRefusal::TooLow {
            price: Some(money(80)),
            least: Some(money(80))
        })
    );
    let events = room.bid("a", 95, 95);
    assert_eq!(events.len(), 2, "accepted, closed: {events:?}");
    assert_eq!(room.auction.status, AuctionStatus::Closed);
    assert_eq!(room.auction.awards[0].price, money(80));
    assert_eq!(
        room.try_bid("b", 100, None),
        Err(AuctionRefusal::Closed {
            price: Some(money(80))
        })
    );
    room.confirm();
}

#[test]
fn a_dutch_auction_that_nobody_takes_is_unsold() {
    let mut room = Room::new(dutch());
    room.close();
    assert_eq!(room.auction.status, AuctionStatus::Unsold);
    assert_eq!(room.auction.shown_price(1_000_000), Some(money(30)));
}
