//! Auctions where only this store can go wrong: in what it keeps in memory, in what it writes,
//! and when somebody has damaged the file.

use commerce::auction::AuctionStatus;
use engine::Kind;
use engine::auction::BidStatus;
use engine::ports::{Opened, Touch};
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::write_auctions::CACHED_MAX;
use super::super::{FILE, open, read};
use crate::conformance::lots::Bade;
use crate::conformance::script::{START, Script};

use AuctionStatus::{Closed, Open, Scheduled};

fn shell(directory: &TempDir) -> Connection {
    Connection::open(directory.path().join(FILE)).unwrap()
}

fn placed(auction: u64) -> Bade {
    Bade {
        kind: Kind::BidPlaced,
        ..Bade::on(auction)
    }
}

#[test]
fn a_bid_writes_no_indexed_column() {
    let directory = TempDir::new().unwrap();
    drop(open(directory.path()).unwrap());
    shell(&directory)
        .execute_batch(
            "CREATE TABLE touched (seq INTEGER, what TEXT);
             CREATE TRIGGER indexed AFTER UPDATE OF status, due_at ON auctions
             BEGIN INSERT INTO touched VALUES (NEW.seq, 'indexed'); END;
             CREATE TRIGGER written AFTER UPDATE ON auctions
             BEGIN INSERT INTO touched VALUES (NEW.seq, 'written'); END;",
        )
        .unwrap();
    let touched = |what: &str| {
        let count = "SELECT count(*) FROM touched WHERE what = ?1";
        shell(&directory)
            .query_row(count, [what], |row| row.get::<_, u32>(0))
            .unwrap()
    };
    let mut opened = open(directory.path()).unwrap();
    let mut script = Script::new();
    let auction = script.put_up(Open, 0, 1_000);
    script.commit(&mut opened);
    for _ in 0..3 {
        for _ in 0..10 {
            script.bid(&Bade::on(auction));
        }
        script.commit(&mut opened);
    }
    // Once a batch, however many bids it holds.
    assert_eq!((touched("written"), touched("indexed")), (3, 0));

    // The writer that comes after knows the row as soon as it was asked for it.
    drop(opened);
    let mut opened = open(directory.path()).unwrap();
    let touch = Touch {
        auctions: vec![auction],
        ..Touch::default()
    };
    opened.store.load(&touch).unwrap();
    script.bid(&Bade::on(auction));
    script.commit(&mut opened);
    assert_eq!((touched("written"), touched("indexed")), (4, 0));
    // What is due at another time, or is over, is written so.
    script.alter(auction, Kind::BidAccepted, |auction| auction.ends_at += 1);
    script.commit(&mut opened);
    script.alter(auction, Kind::AuctionClosed, |auction| {
        auction.status = Closed;
    });
    script.commit(&mut opened);
    assert_eq!((touched("written"), touched("indexed")), (6, 2));
    assert_eq!(opened.reader.due_auctions(i64::MAX, 10).unwrap(), []);
}

/// Every auction is loaded as it stands, and so are the readers' lists.
fn check_all(opened: &mut Opened, script: &Script) {
    let touch = Touch {
        auctions: script.auctions.keys().copied().collect(),
        ..Touch::default()
    };
    let loaded = opened.store.load(&touch).unwrap();
    assert_eq!(loaded.auction_count, script.auctions.len());
    assert_eq!(loaded.auctions.len(), script.auctions.len());
    for (seq, stored) in &script.auctions {
        assert_eq!(loaded.auctions[seq].stored, *stored);
    }
    for status in [Scheduled, Open, Closed] {
        let list = opened.reader.auctions(Some(status), None, usize::MAX);
        let expected = script.auctions.values().rev();
        let expected = expected.filter(|stored| stored.auction.status == status);
        assert!(list.unwrap().iter().eq(expected));
    }
    let mut due: Vec<(i64, u64)> = script
        .auctions
        .values()
        .filter_map(|stored| Some((stored.due_at()?, stored.auction.seq)))
        .collect();
    due.sort_unstable();
    let found = opened.reader.due_auctions(i64::MAX, usize::MAX).unwrap();
    assert!(
        found
            .iter()
            .map(|id| id.seq)
            .eq(due.iter().map(|(_, seq)| *seq))
    );
}

#[test]
fn more_auctions_than_are_kept_in_memory_are_as_they_were_left() {
    let directory = TempDir::new().unwrap();
    let mut opened = open(directory.path()).unwrap();
    let mut script = Script::new();
    let first = script.put_up(Open, 0, 1_000);
    // Without entries of their own, of which nobody asks anything here.
    for seq in first + 1..first + 100 + CACHED_MAX as u64 {
        let mut stored = script.auctions[&first].clone();
        stored.auction.seq = seq;
        stored.auction.ends_at = START + i64::try_from(seq % 500).unwrap();
        if seq % 3 == 0 {
            stored.auction.status = Closed;
        }
        script.changes.auctions.push(stored.clone());
        script.auctions.insert(seq, stored);
    }
    script.commit(&mut opened);
    check_all(&mut opened, &script);
    // All of them run: room is made nevertheless, and what was let go is written as it should be.
    for turn in 0..2 {
        for (i, stored) in script.auctions.values_mut().enumerate() {
            stored.auction.status = Open;
            stored.auction.ends_at += i64::try_from(i % (2 + turn)).unwrap();
            script.changes.auctions.push(stored.clone());
        }
        script.commit(&mut opened);
    }
    check_all(&mut opened, &script);
    drop(opened);
    let mut opened = open(directory.path()).unwrap();
    check_all(&mut opened, &script);
}

#[test]
fn bids_are_shown_to_whoever_looks_with_a_shell() {
    let directory = TempDir::new().unwrap();
    let mut opened = open(directory.path()).unwrap();
    let mut script = Script::new();
    let auction = script.put_up(Open, 0, 1_000);
    let bids = [
        Kind::BidAccepted,
        Kind::BidRefused,
        Kind::BidPlaced,
        Kind::BidPlaced,
        Kind::BidPlaced,
        Kind::BidAccepted,
    ]
    .map(|kind| {
        script.bid(&Bade {
            kind,
            admitted_before: 5,
            ..Bade::on(auction)
        })
    });
    script.commit(&mut opened);
    script.at += 10;
    script.verdict(bids[2], Kind::BidAccepted);
    script.verdict(bids[3], Kind::BidRefused);
    script.retract(bids[2]);
    script.retract(bids[5]);
    script.commit(&mut opened);
    let shell = shell(&directory);
    let mut statement = shell
        .prepare(
            "SELECT bid_seq, auction_seq, no, bidder, amount, maximum, status, reason,
             admitted_at, decided_at, retracted_at FROM bids ORDER BY bid_seq",
        )
        .unwrap();
    let mut rows = statement.query([]).unwrap();
    for bid in script.bids.values() {
        let row = rows.next().unwrap().unwrap();
        let status = match bid.status {
            _ if bid.retracted_at.is_some() => "retracted",
            BidStatus::Pending => "pending",
            BidStatus::Accepted => "accepted",
            BidStatus::Refused => "refused",
        };
        assert_eq!(read::u64_at(row, 0).unwrap(), bid.id.seq);
        assert_eq!(read::u64_at(row, 1).unwrap(), auction);
        let no: Option<i64> = row.get(2).unwrap();
        assert_eq!(no.map(i64::cast_unsigned), bid.no);
        assert_eq!(row.get::<_, String>(3).unwrap(), &*bid.bidder);
        assert_eq!(row.get::<_, i64>(4).unwrap(), bid.amount.minor());
        assert_eq!(row.get::<_, i64>(5).unwrap(), bid.maximum.minor());
        assert_eq!(row.get::<_, String>(6).unwrap(), status);
        let reason: Option<String> = row.get(7).unwrap();
        assert_eq!(reason.as_deref(), bid.reason.as_deref());
        assert_eq!(row.get::<_, i64>(8).unwrap(), bid.admitted_at);
        assert_eq!(row.get::<_, Option<i64>>(9).unwrap(), bid.decided_at);
        assert_eq!(row.get::<_, Option<i64>>(10).unwrap(), bid.retracted_at);
    }
    assert!(rows.next().unwrap().is_none());
}

/// A store with one auction, a bid that was deferred and taken, and one that waits; then damaged.
fn damaged(sql: &str) -> (TempDir, Opened, Script) {
    let directory = TempDir::new().unwrap();
    let mut opened = open(directory.path()).unwrap();
    let mut script = Script::new();
    let auction = script.put_up(Open, 0, 1_000);
    let bid = script.bid(&placed(auction));
    script.bid(&placed(auction));
    script.verdict(bid, Kind::BidAccepted);
    script.commit(&mut opened);
    drop(opened);
    // A start would refuse some of it.
    let opened = open(directory.path()).unwrap();
    shell(&directory).execute_batch(sql).unwrap();
    (directory, opened, script)
}

/// What an error says, with what lies below it.
fn told(error: &engine::ports::StoreError) -> String {
    let source = error.source.as_ref().map(ToString::to_string);
    format!("{error}: {}", source.unwrap_or_default())
}

#[test]
fn what_no_line_has_for_its_number_is_an_error() {
    for number in ["4294967296", "9223372036854775807"] {
        let sql = format!("UPDATE log SET line = {number} WHERE seq = 2");
        let directory = TempDir::new().unwrap();
        let mut opened = open(directory.path()).unwrap();
        let mut script = Script::new();
        script.put_up(Open, 0, 1_000);
        script.put_up(Open, 0, 1_000);
        script.put_up(Open, 0, 1_000);
        script.commit(&mut opened);
        shell(&directory).execute_batch(&sql).unwrap();
        let error = opened.reader.entry(2).unwrap_err();
        let text = told(&error);
        assert!(text.contains(&format!("unknown line {number}")), "{text}");
        assert_eq!(opened.reader.entry(3).unwrap().as_ref(), script.log.get(2));
        opened.reader.entries(0, 10).unwrap_err();
    }
}

#[test]
fn bids_that_lead_nowhere_are_errors() {
    let touch = |standing: bool| Touch {
        auctions: vec![1],
        standing_bids: standing.then_some(1).into_iter().collect(),
        ..Touch::default()
    };
    // The verdict is gone: nothing is said of the bid.
    let (_directory, mut opened, _) = damaged("DELETE FROM log WHERE seq = 4");
    opened.reader.bid(2).unwrap_err();
    opened.store.load(&touch(false)).unwrap();
    opened.store.load(&touch(true)).unwrap_err();
    // It is no bid that was taken.
    let (_directory, mut opened, _) = damaged("UPDATE log SET kind = 62 WHERE seq = 4");
    opened.store.load(&touch(true)).unwrap_err();
    // What waits is no bid.
    let (_directory, mut opened, _) = damaged("UPDATE log SET kind = 51 WHERE seq = 3");
    opened.store.load(&touch(false)).unwrap_err();
    // Unharmed, all of it is there.
    let (_directory, mut opened, script) = damaged("");
    let loaded = opened.store.load(&touch(true)).unwrap();
    assert_eq!(loaded.auctions[&1].standing, Some(script.standing(1)));
    assert_eq!(loaded.auctions[&1].waiting[0], script.bids[&3]);
    let bid = opened.reader.bid(2).unwrap().unwrap();
    assert_eq!(bid.decided_at, Some(START));
}
