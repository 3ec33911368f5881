//! From the door to the last payment: refusals in their order, the close, what comes after.

use super::*;

#[test]
fn scheduled_or_open_at_once() {
    let mut later = terms();
    later.starts_at = 500;
    let (mut auction, events) = Auction::create(new(later.clone()), 100).unwrap();
    assert_eq!(
        (auction.status, events.len()),
        (AuctionStatus::Scheduled, 0)
    );
    let starts_at = 500;
    let early = Err(AuctionRefusal::NotOpenYet { starts_at });
    assert_eq!(auction.open(499), early);
    assert_eq!(auction.open(500), Ok(vec![AuctionEvent::Opened]));
    assert_eq!(auction.open(501), Err(AuctionRefusal::AlreadyOpen));

    let (auction, events) = Auction::create(new(later), 600).unwrap();
    assert_eq!(auction.status, AuctionStatus::Open);
    assert_eq!(auction.terms.starts_at, 600);
    assert_eq!(events, [AuctionEvent::Opened]);
}

#[test]
fn a_bid_after_the_start_opens_what_nobody_has_opened() {
    let mut later = terms();
    later.starts_at = 500;
    let mut room = Room::new(later);
    room.now = 499;
    let starts_at = 500;
    let early = AuctionRefusal::NotOpenYet { starts_at };
    assert_eq!(room.try_bid("a", 10, None), Err(early));
    room.now = 500;
    assert_eq!(room.bid("a", 10, 10)[0], AuctionEvent::Opened);
    room.close();
}

#[test]
fn refusals_come_in_order_and_change_nothing() {
    let mut later = terms();
    later.starts_at = 500;
    let mut room = Room::new(later);
    let before = room.auction.clone();
    let eur = Currency::new("EUR").unwrap();
    let mut bid = BidCommand {
        bid: 1,
        bidder: who("seller"),
        amount: money(9),
        maximum: Some(money(8)),
        currency: Some(Currency::new("KRW").unwrap()),
        admitted_at: 0,
    };
    let wrong = Err(AuctionRefusal::WrongCurrency { currency: eur });
    assert_eq!(room.auction.bid(&bid), wrong);
    bid.currency = Some(eur);
    assert_eq!(room.auction.bid(&bid), Err(AuctionRefusal::MaximumBelowBid));
    bid.maximum = None;
    let starts_at = 500;
    let early = Err(AuctionRefusal::NotOpenYet { starts_at });
    assert_eq!(room.auction.bid(&bid), early);
    bid.admitted_at = 100_000;
    let late = Err(AuctionRefusal::Late {
        ends_at: 100_000,
        price: Some(money(10)),
    });
    assert_eq!(room.auction.bid(&bid), late);
    bid.admitted_at = 99_999;
    assert_eq!(room.auction.bid(&bid), Err(AuctionRefusal::OwnLot));
    bid.bidder = who("a");
    assert!(matches!(
        room.auction.bid(&bid),
        Err(AuctionRefusal::TooLow { .. })
    ));
    assert_eq!(room.auction, before);

    room.close();
    let closed = Err(AuctionRefusal::Closed {
        price: Some(money(10)),
    });
    assert_eq!(room.auction.bid(&bid), closed);
    assert_eq!(room.auction.close(100_000, 100_000), closed);
    assert_eq!(room.auction.open(100_000), closed);
}

#[test]
fn the_close_waits_for_the_end_and_for_bids_on_their_way() {
    let mut room = Room::new(terms());
    let ends_at = 100_000;
    let early = Err(AuctionRefusal::TooEarly { ends_at });
    assert_eq!(room.auction.close(99_999, 200_000), early);
    let undecided = Err(AuctionRefusal::BidsUndecided { ends_at });
    assert_eq!(room.auction.close(150_000, 99_999), undecided);
    // Taken in by the queue in time, decided long after the end.
    room.now = 99_999;
    room.bid("a", 10, 10);
    let events = room.auction.close(150_000, 100_000).unwrap();
    assert!(matches!(
        &events[..],
        [AuctionEvent::Closed {
            reason: CloseReason::EndTime,
            price: Some(_),
            ..
        }]
    ));
    assert_eq!(room.auction.closed_at, Some(150_000));
    room.confirm();
}

#[test]
fn an_auction_that_slept_through_its_time_is_opened_and_closed() {
    let mut later = terms();
    later.starts_at = 500;
    let mut room = Room::new(later);
    let events = room.close();
    assert_eq!(events.len(), 3, "opened, closed, unsold: {events:?}");
    assert_eq!(
        events[2],
        AuctionEvent::Unsold {
            reason: UnsoldReason::NoBids
        }
    );
}

#[test]
fn only_the_seller_cancels_and_only_before_the_end() {
    let mut room = Room::new(terms());
    room.bid("a", 10, 10);
    let (seller, a) = (who("seller"), who("a"));
    assert_eq!(
        room.auction.cancel(&a, 1),
        Err(AuctionRefusal::NotTheSeller)
    );
    assert!(matches!(
        room.auction.cancel(&seller, 100_000),
        Err(AuctionRefusal::Late { .. })
    ));
    assert_eq!(
        room.auction.cancel(&seller, 99_999),
        Ok(vec![AuctionEvent::Cancelled])
    );
    let cancelled = AuctionRefusal::Cancelled;
    assert_eq!(room.try_bid("b", 50, None), Err(cancelled));
    assert_eq!(room.try_retract("a", 1), Err(cancelled));
    assert_eq!(room.try_buy_now("b"), Err(cancelled));
    let auction = &mut room.auction;
    assert_eq!(auction.open(1), Err(cancelled));
    assert_eq!(auction.close(100_000, 100_000), Err(cancelled));
    assert_eq!(auction.cancel(&seller, 1), Err(cancelled));
    let status = AuctionStatus::Cancelled;
    let not_closed = Err(AuctionRefusal::NotClosed { status });
    assert_eq!(auction.settle(&a), not_closed);
    assert_eq!(auction.offer_second_chance(2, 1), not_closed);
    assert_eq!(auction.answer_offer(&a, true, 1), not_closed);
}

#[test]
fn a_winner_pays_once() {
    let mut room = Room::new(terms());
    room.bid("a", 10, 10);
    room.close();
    let (a, b) = (who("a"), who("b"));
    assert_eq!(room.auction.settle(&b), Err(AuctionRefusal::NotAWinner));
    let events = room.auction.settle(&a).unwrap();
    assert_eq!(events[1..], [AuctionEvent::Settled]);
    assert_eq!(room.auction.status, AuctionStatus::Settled);
    assert_eq!(room.auction.settle(&a), Err(AuctionRefusal::NotAWinner));
    assert_eq!(room.auction.forfeit(&a), Err(AuctionRefusal::NotAWinner));
    let full = Err(AuctionRefusal::NothingLeft);
    assert_eq!(room.auction.offer_second_chance(2, 1), full);
}

#[test]
fn the_lot_is_offered_down_the_line() {
    let mut room = Room::new(terms());
    for (name, maximum) in [("c", 30), ("b", 40), ("a", 90)] {
        let least = room.auction.least_valid(Some(&who(name)), 0).unwrap();
        room.bid(name, least.minor(), maximum);
    }
    room.close();
    let auction = &mut room.auction;
    let (a, b, c) = (who("a"), who("b"), who("c"));
    assert_eq!(
        auction.forfeit(&a).unwrap()[1..],
        [AuctionEvent::Unsold {
            reason: UnsoldReason::Forfeited
        }]
    );
    let past = Err(AuctionRefusal::OfferEndsInPast);
    assert_eq!(auction.offer_second_chance(1_000, 1_000), past);
    let offered = |bidder: &Bidder, price, until| AuctionEvent::Offered {
        bidder: bidder.clone(),
        price: money(price),
        until,
    };
    assert_eq!(
        auction.offer_second_chance(2_000, 1_000),
        Ok(vec![offered(&b, 40, 2_000)])
    );
    let until = 2_000;
    let runs = Err(AuctionRefusal::OfferRuns { until });
    assert_eq!(auction.offer_second_chance(9_000, 1_999), runs);
    assert_eq!(
        auction.answer_offer(&c, true, 1_500),
        Err(AuctionRefusal::NoOffer)
    );
    let expired = Err(AuctionRefusal::OfferExpired { until });
    assert_eq!(auction.answer_offer(&b, true, 2_000), expired);
    assert_eq!(
        auction.offer_second_chance(3_000, 2_000),
        Ok(vec![
            AuctionEvent::OfferDeclined { bidder: b },
            offered(&c, 30, 3_000)
        ])
    );
    auction.answer_offer(&c, true, 2_500).unwrap();
    assert_eq!(auction.status, AuctionStatus::Closed);
    auction.settle(&c).unwrap();
    assert_eq!(auction.status, AuctionStatus::Settled);
}

#[test]
fn below_the_reserve_the_high_bidder_is_asked_first_and_nobody_twice() {
    let mut reserved = terms();
    reserved.reserve_price = Some(money(80));
    let mut room = Room::new(reserved);
    room.bid("a", 10, 70);
    room.close();
    let auction = &mut room.auction;
    assert_eq!(auction.status, AuctionStatus::Unsold);
    auction.offer_second_chance(2, 1).unwrap();
    assert_eq!(auction.awards[0].price, money(70));
    let declined = AuctionEvent::OfferDeclined { bidder: who("a") };
    assert_eq!(
        auction.answer_offer(&who("a"), false, 1),
        Ok(vec![declined])
    );
    assert_eq!(auction.status, AuctionStatus::Unsold);
    let nobody = Err(AuctionRefusal::NobodyLeft);
    assert_eq!(auction.offer_second_chance(2, 1), nobody);
}

#[test]
fn each_of_several_lots_is_paid_on_its_own() {
    let mut two = terms();
    two.lots = 2;
    let mut room = Room::new(two);
    room.bid("a", 30, 30);
    room.bid("b", 40, 40);
    // The price is the lowest amount that a leader stands at.
    assert_eq!(room.price(), 30);
    room.bid("c", 32, 32);
    room.close();
    let auction = &mut room.auction;
    let (a, b, c) = (who("a"), who("b"), who("c"));
    assert_eq!(auction.settle(&b).unwrap().len(), 1);
    assert_eq!(auction.status, AuctionStatus::Closed);
    assert_eq!(auction.forfeit(&c).unwrap()[1..], [AuctionEvent::Settled]);
    auction.offer_second_chance(2, 1).unwrap();
    auction.answer_offer(&a, true, 1).unwrap();
    assert_eq!(auction.status, AuctionStatus::Closed);
    auction.settle(&a).unwrap();
    assert_eq!(auction.status, AuctionStatus::Settled);
}
