//! Everything that is refused, by its name, and that it changes nothing.

use commerce::Secret;
use commerce::auction::{AuctionRefusal, DURATION_MAX_MS, SoftClose};
use engine::Aftermath;

use super::*;

/// What this command is refused for; nothing is written.
pub(super) async fn refusal(rig: &Rig, command: Command) -> Refusal {
    let before = rig.reader().last_seq().unwrap();
    let refusal = rig.refused(command).await;
    assert_eq!(rig.reader().last_seq().unwrap(), before, "{refusal:?}");
    refusal
}

pub(super) async fn auction_refusal(rig: &Rig, command: Command) -> AuctionRefusal {
    match refusal(rig, command).await {
        Refusal::Auction(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

pub(super) fn after(auction: AuctionId, what: Aftermath) -> Command {
    Command::AfterClose { auction, what }
}

pub(super) fn unknown(auction: AuctionId) -> [AuctionId; 2] {
    let guessed = AuctionId {
        secret: Secret([1; 10]),
        ..auction
    };
    let beyond = AuctionId {
        seq: 1 << 49,
        ..auction
    };
    [guessed, beyond]
}

#[test]
fn terms_that_do_not_hold_are_named() {
    let few = Limits {
        auctions_max: 1,
        ..Limits::default()
    };
    on_both_with(few, async |rig| {
        let with = |change: fn(&mut Terms)| {
            let mut wrong = terms();
            change(&mut wrong);
            Command::CreateAuction(Box::new(create(wrong)))
        };
        let cases: [(&str, fn(&mut Terms)); 5] = [
            ("endTime", |terms| terms.ends_at = START),
            ("softClose.hardEnd", |terms| {
                terms.soft_close = Some(SoftClose {
                    window_ms: 1,
                    extend_ms: 1,
                    hard_end: START + DURATION_MAX_MS + 1,
                });
            }),
            ("increment", |terms| {
                terms.increment = Increment::Fixed(money(0))
            }),
            ("lots", |terms| terms.lots = 0),
            ("buyNowPrice", |terms| {
                terms.buy_now_price = Some(money(100))
            }),
        ];
        for (expected, change) in cases {
            match refusal(rig, with(change)).await {
                Refusal::Terms { field, why } => {
                    assert_eq!(field, expected);
                    assert!(why.starts_with("must"), "{why}");
                }
                other => panic!("{expected}: {other:?}"),
            }
        }
        put_up(rig, terms()).await;
        let one_more = refusal(rig, with(|_| {})).await;
        let expected = Refusal::TooMany {
            what: "auctions",
            limit: 1,
        };
        assert_eq!(one_more, expected);
        // After a start it is counted as before.
        rig.restart().await;
        assert_eq!(refusal(rig, with(|_| {})).await, expected);
    });
}

#[test]
fn what_is_not_there_is_not_found() {
    on_both(async |rig| {
        let auction = put_up(rig, terms()).await;
        let other = put_up(rig, terms()).await;
        let own = placed(rig, bid(auction, "ada", 100)).await;
        for nowhere in unknown(auction) {
            let commands = [
                place(bid(nowhere, "ada", 100)),
                place(deferred(bid(nowhere, "ada", 100))),
                due(nowhere),
                Command::CancelAuction { auction: nowhere },
                after(nowhere, Aftermath::Settle { bidder: who("ada") }),
                Command::RetractBid {
                    auction: nowhere,
                    bid: own.id,
                },
                decide(nowhere, &[]),
            ];
            for command in commands {
                assert_eq!(refusal(rig, command).await, Refusal::AuctionNotFound);
            }
        }
        let guessed = BidId {
            secret: Secret([1; 10]),
            ..own.id
        };
        let no_bid = BidId {
            seq: auction.seq,
            ..own.id
        };
        for (auction, bid) in [(other, own.id), (auction, guessed), (auction, no_bid)] {
            let command = Command::RetractBid { auction, bid };
            assert_eq!(refusal(rig, command).await, Refusal::BidNotFound);
            let what = Aftermath::Answer { bid, accept: true };
            let command = after(auction, what);
            assert_eq!(refusal(rig, command).await, Refusal::BidNotFound);
        }
        let elsewhere = Command::DecideBids {
            auction: other,
            queue: BIDS_QUEUE.to_owned(),
            messages: vec![(
                own.id.seq,
                ReceiptHandle {
                    queue_id: 1,
                    seq: 1,
                    receipt: 1,
                },
            )],
        };
        assert_eq!(refusal(rig, elsewhere).await, Refusal::BidNotFound);
    });
}

#[test]
fn a_bid_is_refused_at_the_door_for_everything_but_its_amount() {
    on_both(async |rig| {
        let auction = put_up(
            rig,
            Terms {
                starts_at: START + 1_000,
                ..terms()
            },
        )
        .await;
        let sealed = put_up(
            rig,
            Terms {
                format: Format::SealedFirst,
                ..terms()
            },
        )
        .await;
        let dollars = |bid| {
            let Offer::Amount { amount, .. } = PlaceBid::clone(&bid).offer else {
                panic!("{bid:?}");
            };
            PlaceBid {
                offer: Offer::Amount {
                    amount,
                    maximum: None,
                    currency: Some(Currency::new("USD").unwrap()),
                },
                ..bid
            }
        };
        let check = async |bid: PlaceBid, expected: AuctionRefusal| {
            for bid in [bid.clone(), deferred(bid)] {
                assert_eq!(auction_refusal(rig, place(bid)).await, expected);
            }
        };
        let euros = AuctionRefusal::WrongCurrency {
            currency: terms().currency,
        };
        let early = AuctionRefusal::NotOpenYet {
            starts_at: START + 1_000,
        };
        check(bid(auction, "ada", 100), early).await;
        check(dollars(bid(auction, "ada", 100)), euros).await;
        rig.clock.advance(1_000);
        let below = AuctionRefusal::MaximumBelowBid;
        placed(rig, bid(auction, "ada", 100)).await;
        check(dollars(bid(auction, "bob", 200)), euros).await;
        check(up_to(199, bid(auction, "bob", 200)), below).await;
        check(
            up_to(201, bid(sealed, "bob", 200)),
            AuctionRefusal::NoMaximum,
        )
        .await;
        placed(rig, up_to(200, bid(sealed, "bob", 200))).await;
        check(bid(auction, "seller", 500), AuctionRefusal::OwnLot).await;

        // The end has come; then somebody closes.
        rig.clock.advance(59_000);
        let price = Some(money(100));
        let late = AuctionRefusal::Late {
            ends_at: END,
            price,
        };
        check(bid(auction, "bob", 500), late).await;
        check(bid(auction, "seller", 500), late).await;
        rig.done(due(auction)).await;
        let over = AuctionRefusal::Closed { price };
        check(bid(auction, "bob", 500), over).await;
        assert_eq!(
            auction_refusal(rig, place(buy_now(auction, "bob"))).await,
            over
        );
        assert_eq!(winners(rig, auction), [("ada".to_owned(), 100)]);
    });
}

#[test]
fn a_bid_that_is_too_low_is_told_what_would_not_be() {
    on_both(async |rig| {
        let auction = put_up(rig, terms()).await;
        for defer in [false, true] {
            let first = PlaceBid {
                defer,
                ..bid(auction, "ada", 99)
            };
            let first = placed(rig, first).await;
            rig.done(decide(auction, &[])).await;
            let first = now(rig, first.id);
            assert_eq!(first.status, BidStatus::Refused);
            assert_eq!(first.reason.as_deref(), Some("too_low"));
            assert_eq!(
                (first.price, first.least),
                (Some(money(100)), Some(money(100)))
            );
            assert_eq!(first.ends_at, Some(END));
        }
        placed(rig, up_to(500, bid(auction, "ada", 100))).await;
        let low = placed(rig, bid(auction, "bob", 109)).await;
        assert_eq!((low.price, low.least), (Some(money(100)), Some(money(110))));
        let outbid = placed(rig, bid(auction, "bob", 300)).await;
        assert_eq!(outbid.leading, Some(false));
        assert_eq!(outbid.price, Some(money(310)));
        assert_eq!(stored(rig, auction).auction.bids, 2);
    });
}

#[test]
fn buy_now_is_gone_when_somebody_would_pay_as_much() {
    on_both(async |rig| {
        let offered = Terms {
            buy_now_price: Some(money(500)),
            ..terms()
        };
        let never = put_up(rig, terms()).await;
        let refused = auction_refusal(rig, place(buy_now(never, "ada"))).await;
        assert!(matches!(refused, AuctionRefusal::NoBuyNow { .. }));
        let reached = put_up(rig, offered.clone()).await;
        placed(rig, up_to(500, bid(reached, "ada", 100))).await;
        let refused = auction_refusal(rig, place(buy_now(reached, "bob"))).await;
        let gone = AuctionRefusal::NoBuyNow {
            price: Some(money(100)),
            least: Some(money(110)),
        };
        assert_eq!(refused, gone);

        // A bid that waits is before it, and decides whether it is there.
        let raced = put_up(rig, offered.clone()).await;
        let commands = vec![
            place(deferred(up_to(700, bid(raced, "ada", 100)))),
            place(buy_now(raced, "bob")),
        ];
        let answers = rig.batch(commands).await;
        let refused = answers[1].as_ref().unwrap().as_ref().unwrap_err();
        assert_eq!(refused.code(), "no_buy_now");

        let taken = put_up(rig, offered).await;
        let waits = placed(rig, deferred(bid(taken, "ada", 100))).await;
        let bought = placed(rig, buy_now(taken, "bob")).await;
        assert!(bought.buy_now);
        assert_eq!((bought.amount, bought.no), (money(500), Some(2)));
        assert_eq!(now(rig, waits.id).no, Some(1));
        assert_eq!(winners(rig, taken), [("bob".to_owned(), 500)]);
        let refused = auction_refusal(rig, place(buy_now(taken, "eve"))).await;
        assert!(matches!(refused, AuctionRefusal::Closed { .. }));
    });
}
