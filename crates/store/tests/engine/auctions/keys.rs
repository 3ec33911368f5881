//! Idempotency keys: one bid, or one auction, for each, whoever asks again.

use commerce::auction::AuctionRefusal;

use super::refusals::{auction_refusal, refusal, unknown};
use super::*;
use crate::rig::key;
use crate::sealed::CROWDED;

fn few() -> Limits {
    Limits {
        keys_per_customer: 4,
        ..Limits::default()
    }
}

#[test]
fn a_key_gives_the_same_answer_and_takes_no_other_body() {
    on_both_with(few(), async |rig| keys_of_bids(rig).await);
}

#[test]
fn so_does_one_that_was_sealed() {
    runtime().block_on(async {
        let mut rig = Rig::with_limits(Place::blocks(CROWDED), few());
        with_queues(&rig).await;
        keys_of_bids(&mut rig).await;
        rig.audit_clean();
    });
}

async fn keys_of_bids(rig: &mut Rig) {
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

fn put_up_with(number: u64, body: u64) -> Command {
    Command::CreateAuction(Box::new(CreateAuction {
        key: Some(key(number)),
        body: BodyHash(body),
        ..create(terms())
    }))
}

/// The auction, and whether it had been made before.
async fn made_or_found(rig: &Rig, command: Command) -> (StoredAuction, bool) {
    match rig.done(command).await {
        Reply::Made { auction, replay } => (*auction, replay),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_key_puts_an_auction_up_once() {
    on_both_with(few(), async |rig| keys_of_auctions(rig).await);
}

#[test]
fn so_does_one_of_an_auction_that_was_sealed() {
    runtime().block_on(async {
        let mut rig = Rig::with_limits(Place::blocks(CROWDED), few());
        with_queues(&rig).await;
        keys_of_auctions(&mut rig).await;
        rig.audit_clean();
    });
}

async fn keys_of_auctions(rig: &mut Rig) {
    let (first, replay) = made_or_found(rig, put_up_with(1, 1)).await;
    assert!(!replay);
    // Another key, and none, make another one of the same.
    let (second, replay) = made_or_found(rig, put_up_with(2, 1)).await;
    assert!(!replay && second.id() != first.id());
    assert_ne!(put_up(rig, terms()).await, first.id());
    let taken = placed(rig, bid(first.id(), "ada", 100)).await;
    assert_eq!(taken.status, BidStatus::Accepted);
    for restarted in [false, true] {
        if restarted {
            rig.restart().await;
        }
        let before = rig.reader().entries(0, 1_000).unwrap().len();
        let (again, replay) = made_or_found(rig, put_up_with(1, 1)).await;
        assert!(replay);
        assert_eq!(again, stored(rig, first.id()), "as it stands");
        assert_eq!(again.auction.bids, 1);
        assert_eq!(
            made_or_found(rig, put_up_with(2, 1)).await,
            (second.clone(), true)
        );
        let refused = refusal(rig, put_up_with(1, 2)).await;
        assert_eq!(refused, Refusal::KeyReused);
        let after = rig.reader().entries(0, 1_000).unwrap().len();
        assert_eq!(after, before, "nothing was written");
    }
    // Operators make as many as they like: these keys are nobody's.
    for number in 10..30 {
        let (_, replay) = made_or_found(rig, put_up_with(number, 1)).await;
        assert!(!replay);
    }
    let (_, replay) = made_or_found(rig, put_up_with(10, 1)).await;
    assert!(replay);
    // What is refused uses up no key.
    let wrong = Terms {
        ends_at: 0,
        ..terms()
    };
    let wrong = Command::CreateAuction(Box::new(CreateAuction {
        key: Some(key(40)),
        ..create(wrong)
    }));
    let refused = refusal(rig, wrong).await;
    assert!(
        matches!(
            refused,
            Refusal::Terms {
                field: "endTime",
                ..
            }
        ),
        "{refused:?}"
    );
    let (_, replay) = made_or_found(rig, put_up_with(40, 1)).await;
    assert!(!replay);
}

#[test]
fn two_requests_with_one_key_in_one_batch_put_up_one_auction() {
    on_both(async |rig| {
        let commands = vec![put_up_with(1, 1), put_up_with(1, 1), put_up_with(1, 2)];
        let answers = rig.batch(commands).await;
        let Ok(Ok(Reply::Made {
            auction,
            replay: false,
        })) = &answers[0]
        else {
            panic!("{answers:?}");
        };
        let Ok(Ok(Reply::Made {
            auction: again,
            replay: true,
        })) = &answers[1]
        else {
            panic!("{answers:?}");
        };
        assert_eq!(again, auction);
        assert!(matches!(answers[2], Ok(Err(Refusal::KeyReused))));
    });
}
