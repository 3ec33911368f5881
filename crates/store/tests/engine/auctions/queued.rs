//! Bids that come through the queue, and those that wait for their verdicts.

use std::collections::HashMap;

use engine::ports::GROUP_FIRST_MAX;
use engine::{Entry, KeyHash};

use super::*;

fn statuses(rig: &Rig, bids: &[BidRecord]) -> Vec<BidStatus> {
    bids.iter().map(|bid| now(rig, bid.id).status).collect()
}

use BidStatus::{Accepted, Pending, Refused};

#[test]
fn a_deferred_bid_is_decided_before_all_that_came_after_it() {
    on_both(async |rig| {
        let auction = put_up(rig, terms()).await;
        let commands = vec![
            place(bid(auction, "ada", 100)),
            place(deferred(bid(auction, "bob", 200))),
            place(deferred(bid(auction, "eve", 150))),
            place(bid(auction, "ada", 205)),
            place(deferred(bid(auction, "eve", 300))),
        ];
        let bids: Vec<BidRecord> = rig
            .batch(commands)
            .await
            .into_iter()
            .map(|answer| record(answer.unwrap().unwrap()))
            .collect();
        let answered: Vec<BidStatus> = bids.iter().map(|bid| bid.status).collect();
        assert_eq!(answered, [Accepted, Pending, Pending, Refused, Pending]);
        assert_eq!(bids[3].least, Some(money(210)));
        let stand = [Accepted, Accepted, Refused, Refused, Pending];
        assert_eq!(statuses(rig, &bids), stand);
        assert_eq!(stored(rig, auction).waiting, 1);
        rig.restart().await;
        // Only what was left without a verdict asks for one.
        let messages = received(rig).await;
        assert_eq!(messages.len(), 1);
        let body = format!(r#"{{"placed":{},"auctionId":"{auction}"}}"#, bids[4].id.seq);
        assert_eq!(messages[0].0.body, body);
        assert_eq!(rig.done(decide(auction, &messages)).await.count(), 1);
        assert_eq!(
            statuses(rig, &bids),
            [Accepted, Accepted, Refused, Refused, Accepted]
        );
        assert_eq!(stored(rig, auction).waiting, 0);
        assert_eq!(queue(rig), []);
    });
}

trait Counted {
    fn count(&self) -> u64;
}

impl Counted for Reply {
    fn count(&self) -> u64 {
        match self {
            Self::Count(count) => *count,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn bids_that_are_deferred_together_leave_one_message_for_each_auction() {
    on_both(async |rig| {
        let auctions = [put_up(rig, terms()).await, put_up(rig, terms()).await];
        let commands = (0..40).map(|i: i64| {
            let auction = auctions[usize::from(i % 4 == 0)];
            place(deferred(bid(auction, "ada", 100 + 10 * i)))
        });
        let mut last = HashMap::new();
        for answer in rig.batch(commands.collect()).await {
            let bid = record(answer.unwrap().unwrap());
            last.insert(bid.auction, bid.id);
        }
        let asking: Vec<u64> = queue(rig).iter().map(placed_of).collect();
        let mut expected: Vec<u64> = last.values().map(|id| id.seq).collect();
        expected.sort_unstable();
        assert_eq!(asking, expected);
        for (auction, bids) in [(auctions[0], 30), (auctions[1], 10)] {
            assert_eq!(stored(rig, auction).waiting, 1);
            assert_eq!(stored(rig, auction).auction.bids, bids - 1);
        }
        rig.settled().await;
        assert_eq!(rig.engine().flow(BIDS_QUEUE).total.sent, 2);
        rig.audit_clean();
    });
}

#[test]
fn a_bid_whose_verdict_is_in_the_commit_that_admits_it_is_one_entry() {
    on_both(async |rig| {
        let [first, second] = [put_up(rig, terms()).await, put_up(rig, terms()).await];
        let key = KeyHash([7; 16]);
        let keyed = PlaceBid {
            key: Some(key),
            ..deferred(bid(first, "bob", 200))
        };
        let commands = vec![
            place(keyed.clone()),
            // Between its place in the log and its verdict is what others do.
            place(deferred(bid(second, "ada", 100))),
            Command::CreateAuction(Box::new(create(terms()))),
            place(deferred(bid(first, "eve", 150))),
            place(keyed.clone()),
            place(bid(second, "eve", 300)),
            place(deferred(bid(first, "ada", 400))),
        ];
        let answers = rig.batch(commands).await.into_iter();
        let told: Vec<(BidRecord, bool)> = answers
            .filter_map(|answer| match answer.unwrap().unwrap() {
                Reply::Bid { bid, replay } => Some((*bid, replay)),
                _ => None,
            })
            .collect();
        let [bob, ada, low] = [0, 1, 2].map(|at| told[at].0.clone());
        for bid in [&bob, &ada, &low] {
            assert_eq!((bid.status, bid.last_seq), (Pending, bid.id.seq));
        }
        // The same key finds the verdict, in the same commit and after it.
        let (again, is_replay) = &told[3];
        assert_eq!(
            (again.id, again.status, *is_replay),
            (bob.id, Accepted, true)
        );
        rig.restart().await;
        match rig.done(place(keyed)).await {
            Reply::Bid { bid, replay: true } => assert_eq!(*bid, *again),
            other => panic!("{other:?}"),
        }
        assert_eq!(
            statuses(rig, &[bob.clone(), ada, low]),
            [Accepted, Accepted, Refused]
        );
        let log = rig.reader().entries(0, usize::MAX >> 1).unwrap();
        let of_first = |entry: &&Entry| entry.line.auction() == Some(first.seq);
        let entries: Vec<&Entry> = log.iter().filter(of_first).collect();
        let kinds: Vec<(u64, Kind)> = entries.iter().map(|e| (e.seq, e.kind)).collect();
        let (from, last) = (bob.id.seq, told[5].0.id.seq);
        let bids = [
            (from, Kind::BidAccepted),
            (from + 4, Kind::BidRefused),
            (last, Kind::BidPlaced),
        ];
        assert_eq!(kinds[kinds.len() - 3..], bids);
        let verdict = entries.iter().find(|entry| entry.seq == from).unwrap();
        let buyer = verdict.buyer.as_ref().unwrap();
        assert_eq!((buyer.key, buyer.secret), (Some(key), Some(bob.id.secret)));
        assert_eq!(verdict.auction_data().placed, None);
        rig.audit_clean();
    });
}

fn placed_of(message: &Message) -> u64 {
    let body: serde_json::Value = serde_json::from_str(&message.body).unwrap();
    body["placed"].as_u64().unwrap()
}

#[test]
fn a_message_that_somebody_else_has_is_left_to_them_and_its_bid_is_decided() {
    on_both(async |rig| {
        let auction = put_up(rig, terms()).await;
        let first = placed(rig, deferred(bid(auction, "ada", 100))).await;
        let late = received(rig).await;
        rig.clock.advance(6_000);
        let in_time = received(rig).await;
        assert_eq!(late[0].0.id, in_time[0].0.id);
        assert_eq!(rig.done(decide(auction, &late)).await.count(), 0);
        assert_eq!(now(rig, first.id).status, Accepted);
        assert_eq!(queue(rig).len(), 1);
        // Twice in one command, and once more after it.
        let twice = [in_time.clone(), in_time.clone()].concat();
        assert_eq!(rig.done(decide(auction, &twice)).await.count(), 1);
        rig.done(decide(auction, &in_time)).await;
        assert_eq!(queue(rig), []);
        assert_eq!(stored(rig, auction).auction.bids, 1);
    });
}

#[test]
fn a_bid_from_the_queue_was_admitted_when_it_was_sent() {
    on_both(async |rig| {
        let auction = put_up(rig, terms()).await;
        rig.clock.advance(59_000);
        rig.done(send_bid(auction, "in-time")).await;
        rig.clock.advance(1_000);
        rig.done(send_bid(auction, "late")).await;
        // The close waits for the first of them, and for nothing that came later.
        let refused = rig.refused(due(auction)).await;
        assert_eq!(refused.code(), "bids_undecided");
        let messages = received(rig).await;
        assert_eq!(messages.len(), 2);
        let refused = rig.refused(due(auction)).await;
        assert_eq!(refused.code(), "bids_undecided");
        let by = |name: &str, at: usize| from_message(bid(auction, name, 500), messages[at].1);
        let in_time = placed(rig, by("ada", 0)).await;
        assert_eq!(in_time.status, Accepted);
        assert_eq!(in_time.admitted_at, START + 59_000);
        assert_eq!(in_time.decided_at, Some(END));
        assert_eq!(in_time, now(rig, in_time.id));
        let again = rig.refused(place(by("ada", 0))).await;
        assert_eq!(again, Refusal::BidNotFound);
        rig.done(due(auction)).await;
        assert_eq!(winners(rig, auction), [("ada".to_owned(), 500)]);
        // The other one came too late; its message is for the dead letters.
        let refused = rig.refused(place(by("bob", 1))).await;
        assert_eq!(refused.code(), "closed");
        assert_eq!(queue(rig).len(), 1);
        rig.done(Command::DeadLetter {
            queue: BIDS_QUEUE.to_owned(),
            handle: messages[1].1,
            reason: "closed".to_owned(),
        })
        .await;
        assert_eq!(queue(rig), []);
    });
}

#[test]
fn however_often_the_clock_asks_in_one_batch_it_overtakes_no_bid_in_the_queue() {
    on_both(async |rig| {
        let auction = put_up(rig, terms()).await;
        let first = placed(rig, deferred(bid(auction, "ada", 100))).await;
        rig.done(send_bid(auction, "letter")).await;
        rig.clock.advance(60_000);
        for answer in rig.batch(vec![due(auction), due(auction)]).await {
            assert_eq!(answer.unwrap().unwrap_err().code(), "bids_undecided");
        }
        assert_eq!(now(rig, first.id).status, Accepted);
        assert_eq!(queue(rig).len(), 1, "the other one is decided");
        // Once it is decided it holds up nothing any more, also in its own batch.
        let messages = received(rig).await;
        let letter = from_message(bid(auction, "bob", 200), messages[0].1);
        let answers = rig
            .batch(vec![due(auction), place(letter), due(auction)])
            .await;
        let refused = answers[0].as_ref().unwrap().as_ref().unwrap_err();
        assert_eq!(refused.code(), "bids_undecided");
        answers[2].as_ref().unwrap().as_ref().unwrap();
        assert_eq!(winners(rig, auction), [("bob".to_owned(), 200)]);
        assert_eq!(queue(rig), []);
    });
}

#[test]
fn whatever_a_message_asks_for_it_gets_a_verdict_while_the_auction_runs() {
    on_both(async |rig| {
        let auction = put_up(
            rig,
            Terms {
                starts_at: START + 1_000,
                ..terms()
            },
        )
        .await;
        rig.done(send_bid(auction, "early")).await;
        rig.clock.advance(1_000);
        for id in ["own", "low", "below", "good"] {
            rig.done(send_bid(auction, id)).await;
        }
        let messages = received(rig).await;
        let offers = [
            (bid(auction, "ada", 100), "not_open_yet"),
            (bid(auction, "seller", 100), "own_lot"),
            (bid(auction, "ada", 1), "too_low"),
            (up_to(99, bid(auction, "ada", 100)), "maximum_below_bid"),
            (up_to(900, bid(auction, "ada", 100)), ""),
        ];
        for ((offer, expected), (_, handle)) in offers.into_iter().zip(&messages) {
            let verdict = placed(rig, from_message(offer, *handle)).await;
            assert_eq!(verdict.reason.as_deref().unwrap_or(""), expected);
            assert_eq!(verdict, now(rig, verdict.id));
        }
        assert_eq!(queue(rig), []);
        assert_eq!(stored(rig, auction).auction.bids, 1);
    });
}

#[test]
fn a_worker_that_dies_loses_no_bid_and_repeats_none() {
    use crate::rig::Fail::{CommitKept, CommitLost};
    on_both(async |rig| {
        let auction = put_up(rig, terms()).await;
        let bids = [
            placed(rig, deferred(bid(auction, "ada", 100))).await,
            placed(rig, deferred(bid(auction, "bob", 50))).await,
        ];
        rig.done(send_bid(auction, "a")).await;
        for fail in [CommitLost, CommitKept] {
            let messages = received(rig).await;
            assert_eq!(messages.len(), 3);
            let last = from_message(bid(auction, "eve", 200), messages[2].1);
            rig.steering.fail_next(fail);
            let commands = vec![decide(auction, &messages[..2]), place(last)];
            for answer in rig.batch(commands).await {
                answer.unwrap_err();
            }
            rig.stop_and_start().await;
            let is_done = fail == CommitKept;
            let verdicts = match is_done {
                true => [Accepted, Refused],
                // The second was taken in behind the verdict on the first.
                false => [Accepted, Pending],
            };
            assert_eq!(statuses(rig, &bids), verdicts);
            assert_eq!(queue(rig).len(), if is_done { 0 } else { 3 });
            let taken = if is_done { 2 } else { 1 };
            assert_eq!(stored(rig, auction).auction.bids, taken);
            rig.clock.advance(5_000);
        }
    });
}

/// Bids that were deferred, and whose messages nobody has received.
const BACKLOG: usize = 5 * GROUP_FIRST_MAX + 5;

#[test]
fn a_close_clears_a_long_backlog_of_what_is_decided() {
    on_both(async |rig| {
        let auction = put_up(rig, terms()).await;
        let at = |i: usize| i64::try_from(100 + 10 * i).unwrap();
        // One in a batch: the next one decides it, and nobody has received its message.
        for i in 0..BACKLOG {
            placed(rig, deferred(bid(auction, "ada", at(i)))).await;
        }
        assert_eq!(stored(rig, auction).waiting, 1);
        rig.clock.advance(60_000);
        // A bid that somebody has sent may stand behind those that are looked at.
        let mut left = BACKLOG;
        while left > GROUP_FIRST_MAX {
            let refused = rig.refused(due(auction)).await;
            assert_eq!(refused, Refusal::BidsWaiting, "it may be asked at once");
            left -= GROUP_FIRST_MAX;
            assert_eq!(queue(rig).len(), left);
            assert_eq!(status(rig, auction), AuctionStatus::Open);
        }
        rig.done(due(auction)).await;
        assert_eq!(queue(rig), []);
        assert_eq!(winners(rig, auction), [("ada".to_owned(), at(BACKLOG - 1))]);
    });
}

#[test]
fn what_a_worker_held_that_is_gone_holds_back_nothing_after_the_next_start() {
    on_both(async |rig| {
        let auction = put_up(rig, terms()).await;
        let first = placed(rig, deferred(bid(auction, "ada", 100))).await;
        assert_eq!(received(rig).await.len(), 1);
        rig.stop_and_start().await;
        rig.done(decide(auction, &[])).await;
        assert_eq!(now(rig, first.id).status, Accepted);
        assert_eq!(queue(rig), [], "whoever held it");
        let next = placed(rig, deferred(bid(auction, "bob", 200))).await;
        let messages = received(rig).await;
        assert_eq!(messages.len(), 1, "nothing stands before it");
        rig.done(decide(auction, &messages)).await;
        assert_eq!(now(rig, next.id).status, Accepted);
        // Of a bid that a message brings nobody knows but who works on it.
        rig.done(send_bid(auction, "letter")).await;
        received(rig).await;
        rig.stop_and_start().await;
        rig.done(decide(auction, &[])).await;
        assert_eq!(queue(rig).len(), 1);
    });
}

#[test]
fn a_message_that_refers_to_no_bid_of_this_auction_is_left_to_the_worker() {
    on_both(async |rig| {
        let auction = put_up(rig, terms()).await;
        let other = put_up(rig, terms()).await;
        let elsewhere = placed(rig, bid(other, "ada", 100)).await;
        let of_other = format!(r#"{{"placed":{}}}"#, elsewhere.id.seq);
        let created = format!(r#"{{"placed":{}}}"#, auction.seq);
        let far = format!(r#"{{"placed":{}}}"#, u64::MAX);
        let letter = r#"{"auctionId":"auc","bidderId":"ada","bidAmount":100,"placed":1}"#;
        for body in [r#"{"placed":999999}"#, &of_other, &created, &far, letter] {
            let first = placed(rig, deferred(bid(auction, "ada", 100))).await;
            rig.done(decide(auction, &[])).await;
            assert_ne!(now(rig, first.id).status, Pending);
            assert_eq!(queue(rig), [], "what it asked for is there");
            rig.done(send_body(auction, body)).await;
            // A start, and a close: both clear away what is decided.
            rig.done(decide(auction, &[])).await;
            let left = queue(rig);
            assert_eq!(left.len(), 1, "{body}");
            assert_eq!(left[0].body, body);
            let messages = received(rig).await;
            rig.done(Command::DeadLetter {
                queue: BIDS_QUEUE.to_owned(),
                handle: messages[0].1,
                reason: "bid_not_found".to_owned(),
            })
            .await;
        }
        rig.done(send_body(auction, r#"{"placed":999998}"#)).await;
        rig.clock.advance(60_000);
        // Until somebody has said what it is.
        let refused = rig.refused(due(auction)).await;
        assert_eq!(refused.code(), "bids_undecided");
        let messages = received(rig).await;
        rig.done(Command::DeadLetter {
            queue: BIDS_QUEUE.to_owned(),
            handle: messages[0].1,
            reason: "bid_not_found".to_owned(),
        })
        .await;
        rig.done(send_body(auction, r#"{"placed":999997}"#)).await;
        rig.done(due(auction)).await;
        assert_eq!(winners(rig, auction), [("ada".to_owned(), 100)]);
        assert_eq!(queue(rig).len(), 1, "one that came too late stays too");
        let dead = rig.reader().messages(BIDS_DEAD_LETTER_QUEUE, 0, 100);
        assert_eq!(dead.unwrap().len(), 6, "nothing has vanished");
    });
}

#[test]
fn a_retraction_replays_what_came_in_its_own_batch() {
    on_both(async |rig| {
        let auction = put_up(rig, terms()).await;
        let first = placed(rig, bid(auction, "ada", 100)).await;
        let second = placed(rig, up_to(900, bid(auction, "bob", 200))).await;
        let retract = |bid: &BidRecord| Command::RetractBid {
            auction,
            bid: bid.id,
        };
        let commands = vec![
            place(bid(auction, "eve", 300)),
            place(deferred(bid(auction, "ada", 400))),
            retract(&second),
            retract(&first),
            place(bid(auction, "bob", 1)),
            retract(&second),
        ];
        let answers = rig.batch(commands).await;
        let refused = answers[5].as_ref().unwrap().as_ref().unwrap_err();
        assert_eq!(refused.code(), "already_retracted");
        let contest = stored(rig, auction).auction.contest;
        let standing: Vec<_> = contest
            .standing
            .iter()
            .map(|one| (one.bidder.as_str(), one.no))
            .collect();
        assert_eq!(standing, [("ada", 4), ("eve", 3)]);
        assert_eq!(contest.price, money(400));
    });
}

#[test]
fn without_the_queue_nothing_is_deferred() {
    runtime().block_on(async {
        for place_at in Place::both() {
            let rig = Rig::new(place_at);
            let auction = put_up(&rig, terms()).await;
            let refused = rig.refused(place(deferred(bid(auction, "ada", 100)))).await;
            assert!(matches!(refused, Refusal::QueueNotFound { .. }));
            placed(&rig, bid(auction, "ada", 100)).await;
            rig.clock.advance(60_000);
            rig.done(due(auction)).await;
            assert_eq!(winners(&rig, auction), [("ada".to_owned(), 100)]);
        }
    });
}
