//! What the clock does with an auction, once and late.

use super::*;

/// The order of those that have something to be done.
fn due_now(rig: &Rig) -> Vec<AuctionId> {
    let at = rig.engine().now();
    rig.reader().due_auctions(at, usize::MAX).unwrap()
}

fn next_due(rig: &Rig) -> Option<Millis> {
    let at = rig.engine().now();
    rig.reader().next_due_auction(at).unwrap()
}

#[test]
fn an_auction_opens_tells_that_its_end_is_near_and_closes() {
    on_both(async |rig| {
        let soon = CreateAuction {
            closing_soon_ms: 5_000,
            ..create(Terms {
                starts_at: START + 1_000,
                ..terms()
            })
        };
        let auction = made(rig.done(Command::CreateAuction(Box::new(soon))).await).id();
        // Too early, nothing is done, however often somebody asks.
        let steps = [
            (START + 1_000, Kind::AuctionOpened),
            (END - 5_000, Kind::AuctionClosingSoon),
            (END, Kind::AuctionClosed),
        ];
        let mut expected = vec![Kind::AuctionCreated];
        for (at, kind) in steps {
            assert_eq!(next_due(rig), Some(at));
            rig.clock.advance(at - rig.engine().now() - 1);
            assert_eq!(due_now(rig), []);
            rig.done(due(auction)).await;
            assert_eq!(kinds(rig, auction), expected);
            rig.clock.advance(1);
            assert_eq!(due_now(rig), [auction]);
            rig.done(due(auction)).await;
            expected.push(kind);
            assert_eq!(kinds(rig, auction), expected);
            assert_eq!(due_now(rig), []);
            rig.restart().await;
        }
        assert_eq!(next_due(rig), None);
        assert_eq!(status(rig, auction), AuctionStatus::Unsold);
    });
}

#[test]
fn the_first_bid_opens_what_nobody_has_opened() {
    on_both(async |rig| {
        let later = Terms {
            starts_at: START + 1_000,
            ..terms()
        };
        let [by_bid, by_deferred, by_close] = [(); 3].map(|()| later.clone());
        let by_bid = put_up(rig, by_bid).await;
        let by_deferred = put_up(rig, by_deferred).await;
        let by_close = put_up(rig, by_close).await;
        assert_eq!(status(rig, by_bid), AuctionStatus::Scheduled);
        rig.clock.advance(1_000);
        placed(rig, bid(by_bid, "ada", 100)).await;
        placed(rig, deferred(bid(by_deferred, "ada", 100))).await;
        rig.clock.advance(70_000);
        rig.done(due(by_close)).await;
        let opened = [Kind::AuctionCreated, Kind::AuctionOpened];
        let then = [
            (by_bid, Kind::BidAccepted),
            (by_deferred, Kind::BidPlaced),
            (by_close, Kind::AuctionClosed),
        ];
        for (auction, third) in then {
            assert_eq!(kinds(rig, auction)[..2], opened);
            assert_eq!(kinds(rig, auction)[2], third);
        }
    });
}

#[test]
fn an_end_that_is_moved_is_told_again_once_it_stands() {
    on_both(async |rig| {
        let soft = Terms {
            soft_close: Some(commerce::auction::SoftClose {
                window_ms: 3_000,
                extend_ms: 3_000,
                hard_end: END + 60_000,
            }),
            ..terms()
        };
        let soon = CreateAuction {
            closing_soon_ms: 5_000,
            ..create(soft)
        };
        let auction = made(rig.done(Command::CreateAuction(Box::new(soon))).await).id();
        let told = |rig: &Rig| -> Vec<(Millis, Option<Millis>)> {
            let log = rig.reader().entries(0, usize::MAX >> 1).unwrap();
            let soon = log.iter().filter(|e| e.kind == Kind::AuctionClosingSoon);
            soon.map(|entry| (entry.at, entry.auction_data().ends_at))
                .collect()
        };
        let mut expected = vec![(END - 5_000, Some(END))];
        rig.clock.advance(55_000);
        rig.done(due(auction)).await;
        assert_eq!(told(rig), expected);
        assert_eq!(next_due(rig), Some(END));
        // Bids that move the end in quick succession: nothing is told while they do.
        rig.clock.advance(3_500);
        for n in 0..4 {
            placed(rig, bid(auction, "ada", 100 + 10 * n)).await;
            rig.clock.advance(500);
            rig.done(due(auction)).await;
            assert_eq!(told(rig), expected);
        }
        rig.restart().await;
        // The last one came half a second ago.
        let ends_at = END + 3_000;
        assert_eq!(next_due(rig), Some(END + 1_000));
        rig.clock.advance(500);
        rig.done(due(auction)).await;
        expected.push((END + 1_000, Some(ends_at)));
        assert_eq!(told(rig), expected);
        // Once; and the close comes at the end that was told.
        rig.done(due(auction)).await;
        assert_eq!(told(rig), expected);
        assert_eq!(next_due(rig), Some(ends_at));
        rig.clock.advance(2_000);
        rig.done(due(auction)).await;
        assert_eq!(winners(rig, auction), [("ada".to_owned(), 130)]);
    });
}

#[test]
fn a_late_bid_moves_the_end_and_when_it_is_due() {
    on_both(async |rig| {
        let soft = Terms {
            soft_close: Some(commerce::auction::SoftClose {
                window_ms: 5_000,
                extend_ms: 8_000,
                hard_end: END + 10_000,
            }),
            ..terms()
        };
        let auction = put_up(rig, soft).await;
        rig.clock.advance(56_000);
        assert_eq!(
            placed(rig, bid(auction, "ada", 100)).await.ends_at,
            Some(END + 4_000)
        );
        assert_eq!(next_due(rig), Some(END + 4_000));
        rig.clock.advance(4_000);
        assert_eq!(due_now(rig), []);
        rig.done(due(auction)).await;
        assert_eq!(status(rig, auction), AuctionStatus::Open);
        // It waits for its verdict when the end would have come, and moves it.
        let waits = placed(rig, deferred(bid(auction, "bob", 110))).await;
        rig.clock.advance(4_000);
        assert_eq!(due_now(rig), [auction]);
        rig.done(due(auction)).await;
        assert_eq!(now(rig, waits.id).ends_at, Some(END + 8_000));
        assert_eq!(status(rig, auction), AuctionStatus::Open);
        assert_eq!(next_due(rig), Some(END + 8_000));
        placed(rig, bid(auction, "ada", 120)).await;
        assert_eq!(next_due(rig), Some(END + 10_000));
        rig.clock.advance(6_000);
        rig.done(due(auction)).await;
        assert_eq!(winners(rig, auction), [("ada".to_owned(), 120)]);
    });
}

#[test]
fn what_ended_while_nobody_was_there_closes_at_the_start() {
    runtime().block_on(async {
        for place_at in Place::both() {
            let mut rig = Rig::new(place_at);
            with_queues(&rig).await;
            let scheduled = put_up(
                &rig,
                Terms {
                    starts_at: START + 30_000,
                    ..terms()
                },
            )
            .await;
            let auction = put_up(&rig, terms()).await;
            placed(&rig, up_to(500, bid(auction, "ada", 100))).await;
            // Admitted, and the process dies before it is decided.
            rig.steering.fail_next(crate::rig::Fail::CommitKept);
            let lost = rig.decide(place(deferred(bid(auction, "bob", 300)))).await;
            lost.unwrap_err();
            rig.clock.advance(600_000);
            rig.stop_and_start().await;
            assert_eq!(due_now(&rig), [scheduled, auction]);
            rig.batch(due_now(&rig).into_iter().map(due).collect())
                .await;
            assert_eq!(due_now(&rig), []);
            assert_eq!(status(&rig, scheduled), AuctionStatus::Unsold);
            assert_eq!(winners(&rig, auction), [("ada".to_owned(), 310)]);
            let closed = stored(&rig, auction).auction;
            assert_eq!(closed.closed_at, Some(START + 600_000));
            assert_eq!(closed.ends_at, END);
            lines::check(&*rig.reader());
            rig.audit_clean();
        }
    });
}

#[test]
fn a_dutch_auction_goes_to_the_first_who_takes_it() {
    on_both(async |rig| {
        let falling = Terms {
            format: Format::Dutch {
                step: money(10),
                every_ms: 1_000,
                floor: money(40),
            },
            retraction: None,
            ..terms()
        };
        let auction = put_up(rig, falling).await;
        rig.clock.advance(2_500);
        let low = placed(rig, bid(auction, "ada", 79)).await;
        assert_eq!(low.least, Some(money(80)));
        // Two at once: the first in the log has it, at the price of that moment.
        let commands = vec![
            place(deferred(bid(auction, "bob", 85))),
            place(deferred(bid(auction, "ada", 99))),
            place(bid(auction, "eve", 99)),
        ];
        let answers = rig.batch(commands).await;
        for late in &answers[1..] {
            let refused = late.as_ref().unwrap().as_ref().unwrap_err();
            assert_eq!(refused.code(), "closed");
        }
        assert_eq!(winners(rig, auction), [("bob".to_owned(), 80)]);
        let told = kinds(rig, auction);
        let last = [Kind::BidRefused, Kind::BidAccepted, Kind::AuctionClosed];
        assert_eq!(told[told.len() - 3..], last);
        assert_eq!(due_now(rig), []);
        assert_eq!(next_due(rig), None);
    });
}

/// As many as end at once on a busy evening.
const MANY: usize = 10_000;

#[test]
fn ten_thousand_auctions_that_end_at_once_are_closed_in_a_few_batches() {
    let limits = Limits {
        queue_max: 2 * MANY,
        batch_max: 4_000,
        ..Limits::default()
    };
    runtime().block_on(async {
        for place_at in Place::both() {
            let rig = Rig::with_limits(place_at, limits.clone());
            with_queues(&rig).await;
            let one = || Command::CreateAuction(Box::new(create(terms())));
            let made: Vec<AuctionId> = rig
                .batch((0..MANY).map(|_| one()).collect())
                .await
                .into_iter()
                .map(|answer| made(answer.unwrap().unwrap()).id())
                .collect();
            // Every third has a bid that was decided, every fifth one that waits.
            let bids = made.iter().enumerate().filter_map(|(i, auction)| {
                let low = bid(*auction, "ada", 100);
                let waits = deferred(bid(*auction, "bob", 200));
                match (i % 3, i % 5) {
                    (_, 0) => Some(place(waits)),
                    (0, _) => Some(place(low)),
                    _ => None,
                }
            });
            for answer in rig.batch(bids.collect()).await {
                answer.unwrap().unwrap();
            }
            assert_eq!(queue(&rig).len(), MANY / 5);
            rig.clock.advance(60_000);
            assert_eq!(due_now(&rig), made);
            // Some are named twice, by two who look at the same clock.
            let commands = made.iter().chain(&made[..100]).map(|auction| due(*auction));
            let answers = rig.batch(commands.collect()).await;
            let (first, again) = answers.split_at(MANY);
            for answer in first {
                answer.as_ref().unwrap().as_ref().unwrap();
            }
            for answer in again {
                let refusal = answer.as_ref().unwrap().as_ref().unwrap_err();
                assert_eq!(refusal.code(), "closed");
            }
            assert_eq!((due_now(&rig), next_due(&rig)), (vec![], None));
            let closed = rig.reader().auctions(None, None, MANY + 1).unwrap();
            assert_eq!(closed.len(), MANY);
            for (i, stored) in closed.iter().rev().enumerate() {
                let winner = match (i % 3, i % 5) {
                    (_, 0) => Some("bob"),
                    (0, _) => Some("ada"),
                    _ => None,
                };
                let award = stored.auction.awards.first();
                assert_eq!(award.map(|award| award.bidder.as_str()), winner);
                assert_eq!(stored.waiting, 0);
            }
            assert_eq!(queue(&rig), [], "what asked for the verdicts is gone");
            lines::check(&*rig.reader());
        }
    });
}
