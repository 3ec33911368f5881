//! The audit finds what somebody has changed in the log of an auction, or beside it.

use engine::Aftermath;
use engine::audit::audit;
use rusqlite::Connection;
use store::sqlite;

use super::refusals::after;
use super::*;

/// An auction with something of everything, closed, and one that runs:
///
/// ```text
/// 1 .. 2 created, opened        7 ada's deferred bid
/// 3 ada 100                     8 its verdict
/// 4 bob 200                     9 closed: ada has won
/// 5 eve 300                    10 ada gives up, 11 the lot is offered to bob
/// 6 eve's is retracted         12 .. 13 another auction, 14 a bid on it waits
/// ```
async fn history(rig: &Rig) -> AuctionId {
    with_queues(rig).await;
    let auction = put_up(rig, terms()).await;
    placed(rig, bid(auction, "ada", 100)).await;
    placed(rig, bid(auction, "bob", 200)).await;
    let eve = placed(rig, bid(auction, "eve", 300)).await;
    rig.done(Command::RetractBid {
        auction,
        bid: eve.id,
    })
    .await;
    placed(rig, deferred(bid(auction, "ada", 400))).await;
    rig.clock.advance(60_000);
    rig.done(due(auction)).await;
    let bidder = who("ada");
    rig.done(after(auction, Aftermath::Forfeit { bidder }))
        .await;
    let until = END + 60_000;
    rig.done(after(auction, Aftermath::SecondChance { until }))
        .await;
    let running = Terms {
        ends_at: END + 60_000,
        ..terms()
    };
    let other = put_up(rig, running).await;
    placed(rig, deferred(bid(other, "ada", 100))).await;
    use Kind::{
        AuctionClosed, AuctionCreated, AuctionForfeited, AuctionOffered, AuctionOpened,
        BidAccepted, BidPlaced, BidRetracted,
    };
    let log = rig.reader().entries(0, 100).unwrap();
    let kinds: Vec<Kind> = log.iter().map(|entry| entry.kind).collect();
    assert_eq!(
        kinds,
        [
            AuctionCreated,
            AuctionOpened,
            BidAccepted,
            BidAccepted,
            BidAccepted,
            BidRetracted,
            BidPlaced,
            BidAccepted,
            AuctionClosed,
            AuctionForfeited,
            AuctionOffered,
            AuctionCreated,
            AuctionOpened,
            BidPlaced,
        ]
    );
    rig.audit_clean();
    auction
}

#[test]
fn what_is_changed_in_the_log_or_beside_it_is_told() {
    /// What is done, and what must be told: rule, sequence, and a part of the text.
    type Case<'a> = (&'a str, &'a str, (u8, u64, &'a str));
    const AWARD: &str =
        "SELECT json_extract(state, '$.auction.awards[1]') FROM auctions WHERE seq = 1";
    let beyond = format!(
        "UPDATE auctions SET state = json_insert(state, '$.auction.awards[#]', \
         json_set(({AWARD}), '$.bidder', 'eve', '$.bid', 5, '$.no', 3, '$.status', 'won')) WHERE seq = 1"
    );
    let cases: [Case<'_>; 20] = [
        (
            "a price in the log",
            "UPDATE log SET data = replace(data, '\"price\":100,', '\"price\":101,') WHERE seq = 3",
            (7, 3, "hash is not that of this entry"),
        ),
        (
            "the winner's price in the log",
            "UPDATE log SET data = replace(data, '\"price\":400', '\"price\":210') WHERE seq = 9",
            (7, 9, "the price of a winner is 210, and should be 400"),
        ),
        (
            "a maximum under its seal",
            "UPDATE log SET sealed = replace(sealed, '\"maximum\":200', '\"maximum\":900') WHERE seq = 4",
            (7, 4, "sealed does not fit its seal"),
        ),
        (
            "the moment of a bid",
            "UPDATE log SET at = at + 1 WHERE seq = 4",
            (7, 4, "hash is not that of this entry"),
        ),
        (
            "a verdict that is gone",
            "DELETE FROM log WHERE seq = 8",
            (7, 9, "prev is 8"),
        ),
        (
            "a retraction without an entry",
            "INSERT INTO bid_changes VALUES (4, 4, 1, 4)",
            (5, 4, "was retracted without an entry"),
        ),
        (
            "a retraction that points to another bid's",
            "INSERT INTO bid_changes SELECT 4, 4, retracted_at, last_seq FROM bid_changes WHERE bid = 5",
            (5, 4, "was changed without an entry"),
        ),
        (
            "a retraction of a deferred bid without an entry",
            "UPDATE bid_changes SET retracted_at = 1 WHERE bid = 7",
            (5, 8, "was retracted without an entry"),
        ),
        (
            "a retraction that is forgotten",
            "UPDATE bid_changes SET retracted_at = NULL WHERE bid = 5",
            (5, 6, "is a retraction that the bid does not show"),
        ),
        (
            "a verdict without an entry",
            "INSERT INTO bid_changes VALUES (14, 8, NULL, 8)",
            (7, 14, "was decided without an entry"),
        ),
        (
            "an award that nobody gave",
            &beyond,
            (7, 1, "other awards than its history gives"),
        ),
        (
            "an offer that was never made",
            "UPDATE auctions SET state = json_set(state, '$.auction.awards[1].price', 100) WHERE seq = 1",
            (7, 1, "other awards"),
        ),
        (
            "an offer that runs on",
            "UPDATE auctions SET state = json_set(state, '$.auction.awards[1].status.offered.until', 1) \
             WHERE seq = 1",
            (7, 1, "other awards"),
        ),
        (
            "somebody who gave up and has won",
            "UPDATE auctions SET state = json_set(state, '$.auction.awards[0].status', 'won') WHERE seq = 1",
            (7, 1, "other awards"),
        ),
        (
            "an offer that is gone",
            "UPDATE auctions SET state = json_remove(state, '$.auction.awards[1]') WHERE seq = 1",
            (7, 1, "other awards"),
        ),
        (
            "the newest entry of an auction, gone",
            "DELETE FROM log WHERE seq = 11",
            (7, 1, "ends with an entry that is not in the log"),
        ),
        (
            "an auction from a backup",
            "UPDATE auctions SET state = json_set(state, '$.lastSeq', 10) WHERE seq = 1",
            (7, 1, "as it was before its newest entries"),
        ),
        (
            "an auction from the future",
            "UPDATE auctions SET state = json_set(state, '$.lastSeq', 99) WHERE seq = 1",
            (7, 1, "ends with an entry that is not in the log"),
        ),
        (
            "an auction that is gone",
            "DELETE FROM auctions WHERE seq = 1",
            (7, 1, "creates an auction that is not stored"),
        ),
        (
            "an auction from nowhere",
            "INSERT INTO auctions SELECT 20, status, NULL, json_set(state, '$.auction.seq', 20) \
             FROM auctions WHERE seq = 1",
            (7, 20, "has no history"),
        ),
    ];
    runtime().block_on(async {
        for (what, sql, (rule, seq, text)) in cases {
            let rig = Rig::new(Place::disk());
            history(&rig).await;
            rig.engine().stop().await;
            let Place::Disk(directory) = &rig.place else {
                unreachable!("it was made on disk");
            };
            let shell = Connection::open(directory.path().join("firstcome.db")).unwrap();
            shell.execute_batch(sql).unwrap();
            assert_eq!(shell.changes(), 1, "{what}: nothing was damaged");
            let reader = sqlite::open_reader(directory.path()).unwrap();
            let report = audit(&*reader).unwrap();
            let is_it = |violation: &engine::audit::Violation| {
                violation.rule == rule
                    && violation.seq == Some(seq)
                    && violation.what.contains(text)
            };
            assert!(
                report.violations.iter().any(is_it),
                "{what}: {:#?}",
                report.violations
            );
        }
    });
}
