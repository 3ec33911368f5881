//! What is taken back: bids, auctions, lots that were won.

use commerce::auction::{AuctionRefusal, Award, AwardStatus, SoftClose};
use engine::Aftermath;

use super::refusals::{after, auction_refusal};
use super::*;

fn retract(bid: &BidRecord) -> Command {
    Command::RetractBid {
        auction: bid.auction,
        bid: bid.id,
    }
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
fn a_bid_that_waits_moves_the_end_for_a_retraction() {
    on_both(async |rig| {
        let soft = SoftClose {
            window_ms: 5_000,
            extend_ms: 5_000,
            hard_end: END + 60_000,
        };
        let auction = put_up(
            rig,
            Terms {
                soft_close: Some(soft),
                ..terms()
            },
        )
        .await;
        rig.clock.advance(54_000);
        let ada = placed(rig, bid(auction, "ada", 100)).await;
        assert_eq!(stored(rig, auction).auction.ends_at, END);
        rig.clock.advance(5_999);
        let bob = placed(rig, deferred(bid(auction, "bob", 200))).await;
        rig.clock.advance(1);
        // By what is stored the auction has ended, until the bid that waits has its verdict.
        assert_eq!(stored(rig, auction).auction.ends_at, END);
        let gone = record(rig.done(retract(&ada)).await);
        assert_eq!(gone.retracted_at, Some(END));
        assert_eq!(now(rig, bob.id).status, BidStatus::Accepted);
        let found = stored(rig, auction).auction;
        assert_eq!(found.ends_at, END - 1 + 5_000);
        assert_eq!(found.bids_standing, 1);

        // Once the end has come for good, that is the reason.
        rig.clock.advance(5_000);
        let refused = auction_refusal(rig, retract(&bob)).await;
        assert!(
            matches!(refused, AuctionRefusal::Late { .. }),
            "{refused:?}"
        );
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
        let accept = || after(sold, Aftermath::Answer { bid, accept: true });
        rig.done(accept()).await;
        assert_eq!(winners(rig, sold), [("ada".to_owned(), 100)]);
        let settle = || after(sold, Aftermath::Settle { bidder: who("ada") });
        rig.done(settle()).await;
        assert_eq!(status(rig, sold), AuctionStatus::Settled);
        // What is so already is not told again.
        let before = stored(rig, sold);
        for again in [
            settle(),
            after(sold, Aftermath::Forfeit { bidder: who("bob") }),
            accept(),
        ] {
            assert_eq!(made(rig.done(again).await), before);
        }
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
