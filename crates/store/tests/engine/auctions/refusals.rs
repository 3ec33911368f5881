//! Everything that is refused, by its name, and that it changes nothing.

use commerce::Secret;
use commerce::auction::{AuctionRefusal, Award, AwardStatus};
use engine::Aftermath;

use super::*;
use crate::rig::key;

/// What this command is refused for; nothing is written.
async fn refusal(rig: &Rig, command: Command) -> Refusal {
    let before = rig.reader().last_seq().unwrap();
    let refusal = rig.refused(command).await;
    assert_eq!(rig.reader().last_seq().unwrap(), before, "{refusal:?}");
    refusal
}

async fn auction_refusal(rig: &Rig, command: Command) -> AuctionRefusal {
    match refusal(rig, command).await {
        Refusal::Auction(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

fn retract(bid: &BidRecord) -> Command {
    Command::RetractBid {
        auction: bid.auction,
        bid: bid.id,
    }
}

fn after(auction: AuctionId, what: Aftermath) -> Command {
    Command::AfterClose { auction, what }
}

fn unknown(auction: AuctionId) -> [AuctionId; 2] {
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
        let cases: [(&str, fn(&mut Terms)); 4] = [
            ("endTime", |terms| terms.ends_at = START),
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
fn a_key_gives_the_same_answer_and_takes_no_other_body() {
    let few = Limits {
        keys_per_customer: 4,
        ..Limits::default()
    };
    on_both_with(few, async |rig| {
        let auction = put_up(rig, terms()).await;
        let keyed = |number, bid| PlaceBid {
            key: Some(key(number)),
            ..bid
        };
        let taken = placed(rig, keyed(1, bid(auction, "ada", 100))).await;
        let too_low = placed(rig, keyed(2, bid(auction, "bob", 105))).await;
        assert_eq!(too_low.status, BidStatus::Refused);
        let waits = placed(rig, keyed(3, deferred(bid(auction, "bob", 110)))).await;
        assert_eq!(waits.status, BidStatus::Pending);
        for restarted in [false, true] {
            if restarted {
                rig.restart().await;
            }
            for (number, first) in [(1, &taken), (2, &too_low), (3, &waits)] {
                // It is the same whatever else is asked for, and in which way.
                for again in [
                    bid(auction, "ada", 100),
                    deferred(bid(auction, "eve", 100)),
                    bid(unknown(auction)[0], "eve", 900),
                ] {
                    let reply = rig.done(place(keyed(number, again))).await;
                    let Reply::Bid { bid, replay: true } = reply else {
                        panic!("{reply:?}");
                    };
                    assert_eq!(*bid, now(rig, first.id));
                }
                let other = PlaceBid {
                    body: BodyHash(2),
                    ..keyed(number, bid(auction, "ada", 100))
                };
                assert_eq!(refusal(rig, place(other)).await, Refusal::KeyReused);
            }
            assert_eq!(now(rig, taken.id), taken);
            assert_eq!(now(rig, too_low.id), too_low);
            assert_eq!(now(rig, waits.id), waits);
        }
        // With its verdict it is answered by that.
        placed(rig, bid(auction, "eve", 200)).await;
        let reply = rig.done(place(keyed(3, bid(auction, "bob", 110)))).await;
        let Reply::Bid { bid: decided, .. } = reply else {
            panic!("{reply:?}");
        };
        assert_eq!(decided.status, BidStatus::Accepted);
        assert_eq!((decided.id, decided.no), (waits.id, Some(2)));
        assert_eq!(*decided, now(rig, waits.id));

        // What is refused at the door uses up no key; whoever holds too many gets no more.
        for _ in 0..3 {
            let own = keyed(4, bid(auction, "seller", 900));
            let refused = auction_refusal(rig, place(own)).await;
            assert_eq!(refused, AuctionRefusal::OwnLot);
        }
        for number in 5..8 {
            placed(rig, keyed(number, bid(auction, "ada", 1))).await;
        }
        let one_more = keyed(8, bid(auction, "ada", 900));
        let refused = refusal(rig, place(one_more.clone())).await;
        assert_eq!(refused, Refusal::TooManyKeys { limit: 4 });
        rig.restart().await;
        let refused = refusal(rig, place(one_more)).await;
        assert_eq!(refused, Refusal::TooManyKeys { limit: 4 });
        placed(rig, bid(auction, "ada", 900)).await;
    });
}

#[test]
fn two_with_one_key_in_one_batch_are_one_bid() {
    on_both(async |rig| {
        let auction = put_up(rig, terms()).await;
        let keyed = |body, defer| {
            place(PlaceBid {
                key: Some(key(1)),
                body: BodyHash(body),
                defer,
                ..bid(auction, "ada", 100)
            })
        };
        let commands = vec![
            keyed(1, true),
            keyed(1, false),
            keyed(2, false),
            due(auction),
        ];
        let answers = rig.batch(commands).await;
        let Ok(Ok(Reply::Bid { bid, replay: false })) = &answers[0] else {
            panic!("{answers:?}");
        };
        let Ok(Ok(Reply::Bid { bid: again, replay })) = &answers[1] else {
            panic!("{answers:?}");
        };
        assert!(again == bid && *replay);
        assert!(matches!(answers[2], Ok(Err(Refusal::KeyReused))));
        assert_eq!(now(rig, bid.id).status, BidStatus::Accepted);
        assert_eq!(stored(rig, auction).auction.bids, 1);
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

#[test]
fn a_bid_is_taken_back_once_and_in_time() {
    on_both(async |rig| {
        let auction = put_up(rig, terms()).await;
        let firm = put_up(
            rig,
            Terms {
                retraction: None,
                ..terms()
            },
        )
        .await;
        let stands = placed(rig, bid(firm, "ada", 100)).await;
        let refused = auction_refusal(rig, retract(&stands)).await;
        assert_eq!(refused, AuctionRefusal::NoRetraction);

        let first = placed(rig, bid(auction, "ada", 100)).await;
        let low = placed(rig, bid(auction, "ada", 1)).await;
        let second = placed(rig, bid(auction, "bob", 300)).await;
        let refused = auction_refusal(rig, retract(&low)).await;
        assert_eq!(refused, AuctionRefusal::NoSuchBid);
        let gone = record(rig.done(retract(&second)).await);
        assert_eq!(gone.retracted_at, Some(START));
        assert_eq!(gone, now(rig, second.id));
        assert_eq!(stored(rig, auction).auction.contest.price, money(100));
        rig.restart().await;
        let refused = auction_refusal(rig, retract(&second)).await;
        assert_eq!(refused, AuctionRefusal::AlreadyRetracted);
        rig.clock.advance(10_000);
        let refused = auction_refusal(rig, retract(&first)).await;
        let until = START + 10_000;
        assert_eq!(refused, AuctionRefusal::RetractionTooLate { until });

        let newest = placed(rig, bid(auction, "bob", 110)).await;
        rig.clock.advance(50_000);
        let refused = auction_refusal(rig, retract(&newest)).await;
        assert!(matches!(refused, AuctionRefusal::Late { .. }));
        rig.done(due(auction)).await;
        let refused = auction_refusal(rig, retract(&newest)).await;
        assert!(matches!(refused, AuctionRefusal::Closed { .. }));
        assert_eq!(winners(rig, auction), [("bob".to_owned(), 110)]);
    });
}

#[test]
fn an_auction_is_cancelled_before_its_end_and_once() {
    on_both(async |rig| {
        let [auction, other, sold] = [(); 3].map(|()| terms());
        let auction = put_up(rig, auction).await;
        let other = put_up(rig, other).await;
        let cancel = |auction| Command::CancelAuction { auction };
        // A bid that waits has its verdict before that.
        let waits = placed(rig, deferred(bid(auction, "ada", 100))).await;
        rig.done(cancel(auction)).await;
        assert_eq!(now(rig, waits.id).status, BidStatus::Accepted);
        assert_eq!(status(rig, auction), AuctionStatus::Cancelled);
        for command in [
            cancel(auction),
            place(bid(auction, "bob", 500)),
            place(deferred(bid(auction, "bob", 500))),
            place(buy_now(auction, "bob")),
            retract(&waits),
            due(auction),
        ] {
            // What has no end to come is refused by the clock as well, once that has come.
            if matches!(command, Command::AuctionDue { .. }) {
                rig.done(due(auction)).await;
                continue;
            }
            let refused = auction_refusal(rig, command).await;
            assert_eq!(refused, AuctionRefusal::Cancelled);
        }
        let sold = put_up(rig, sold).await;
        placed(rig, bid(sold, "ada", 100)).await;
        rig.clock.advance(60_000);
        let refused = auction_refusal(rig, due(auction)).await;
        assert_eq!(refused, AuctionRefusal::Cancelled);
        let refused = auction_refusal(rig, cancel(other)).await;
        assert!(matches!(refused, AuctionRefusal::Late { .. }));
        rig.done(due(sold)).await;
        let refused = auction_refusal(rig, cancel(sold)).await;
        assert!(matches!(refused, AuctionRefusal::Closed { .. }));
        assert_eq!(rig.reader().due_auctions(END, 10).unwrap(), [other]);
    });
}

fn statuses(awards: &[Award]) -> Vec<(&str, AwardStatus)> {
    awards
        .iter()
        .map(|award| (award.bidder.as_str(), award.status))
        .collect()
}

#[test]
fn a_lot_goes_on_to_the_next_bidder_until_somebody_pays() {
    on_both(async |rig| {
        let auction = put_up(rig, terms()).await;
        let ada = placed(rig, bid(auction, "ada", 100)).await;
        let bob = placed(rig, bid(auction, "bob", 200)).await;
        let eve = placed(rig, deferred(bid(auction, "eve", 300))).await;
        let settle = |name| after(auction, Aftermath::Settle { bidder: who(name) });
        let forfeit = |name| after(auction, Aftermath::Forfeit { bidder: who(name) });
        let chance = |until| after(auction, Aftermath::SecondChance { until });
        let answer = |bid: &BidRecord, accept| {
            let bid = bid.id;
            after(auction, Aftermath::Answer { bid, accept })
        };
        let running = AuctionRefusal::NotClosed {
            status: AuctionStatus::Open,
        };
        for command in [
            settle("eve"),
            forfeit("eve"),
            chance(END),
            answer(&ada, true),
        ] {
            assert_eq!(auction_refusal(rig, command).await, running);
        }
        rig.clock.advance(60_000);
        rig.done(due(auction)).await;
        for command in [settle("bob"), forfeit("ada")] {
            let refused = auction_refusal(rig, command).await;
            assert_eq!(refused, AuctionRefusal::NotAWinner);
        }
        let refused = auction_refusal(rig, chance(END + 5)).await;
        assert_eq!(refused, AuctionRefusal::NothingLeft);
        rig.done(forfeit("eve")).await;
        assert_eq!(status(rig, auction), AuctionStatus::Unsold);
        let refused = auction_refusal(rig, chance(END)).await;
        assert_eq!(refused, AuctionRefusal::OfferEndsInPast);
        assert_eq!(
            auction_refusal(rig, answer(&bob, true)).await,
            AuctionRefusal::NoOffer
        );
        rig.done(chance(END + 5)).await;
        let refused = auction_refusal(rig, chance(END + 9)).await;
        assert_eq!(refused, AuctionRefusal::OfferRuns { until: END + 5 });
        assert_eq!(
            auction_refusal(rig, answer(&ada, true)).await,
            AuctionRefusal::NoOffer
        );
        rig.clock.advance(5);
        let refused = auction_refusal(rig, answer(&bob, true)).await;
        assert_eq!(refused, AuctionRefusal::OfferExpired { until: END + 5 });
        // The one that ran out is declined with the next.
        rig.restart().await;
        rig.done(chance(END + 20)).await;
        rig.done(answer(&ada, false)).await;
        let refused = auction_refusal(rig, chance(END + 30)).await;
        assert_eq!(refused, AuctionRefusal::NobodyLeft);
        assert_eq!(now(rig, eve.id).no, Some(3));
        let awards = stored(rig, auction).auction.awards;
        let expected = [
            ("eve", AwardStatus::Forfeited),
            ("bob", AwardStatus::Declined),
            ("ada", AwardStatus::Declined),
        ];
        assert_eq!(statuses(&awards), expected);

        let sold = put_up(
            rig,
            Terms {
                ends_at: END + 60_000,
                ..terms()
            },
        )
        .await;
        for (name, amount) in [("ada", 100), ("bob", 200)] {
            placed(rig, bid(sold, name, amount)).await;
        }
        rig.clock.advance(60_000);
        rig.done(due(sold)).await;
        let forfeit = Aftermath::Forfeit { bidder: who("bob") };
        rig.done(after(sold, forfeit)).await;
        let until = END + 90_000;
        rig.done(after(sold, Aftermath::SecondChance { until }))
            .await;
        let ada = stored(rig, sold).auction.awards[1].bid;
        let bid = now_by_seq(rig, ada).id;
        let yes = Aftermath::Answer { bid, accept: true };
        rig.done(after(sold, yes)).await;
        assert_eq!(winners(rig, sold), [("ada".to_owned(), 100)]);
        let settle = || after(sold, Aftermath::Settle { bidder: who("ada") });
        rig.done(settle()).await;
        assert_eq!(status(rig, sold), AuctionStatus::Settled);
        assert_eq!(
            auction_refusal(rig, settle()).await,
            AuctionRefusal::NotAWinner
        );
        let told = kinds(rig, sold);
        let last = [
            Kind::AuctionClosed,
            Kind::AuctionForfeited,
            Kind::AuctionOffered,
            Kind::AuctionOfferAnswered,
            Kind::AuctionSettled,
        ];
        assert_eq!(told[told.len() - 5..], last);
    });
}

fn now_by_seq(rig: &Rig, seq: u64) -> BidRecord {
    rig.reader().bid(seq).unwrap().unwrap()
}
