//! Auctions: found, listed, due, and loaded with the bids that wait.

use commerce::auction::AuctionStatus;
use commerce::{LineId, Millis};
use engine::Kind;
use engine::auction::StoredAuction;
use engine::ports::{Loaded, Opened, Reader, Touch, WAITING_BIDS_MAX};

use super::lots::Bade;
use super::script::{START, Script};
use super::{Harness, always, load};

use AuctionStatus::{Cancelled, Closed, Open, Scheduled, Settled, Unsold};

fn load_auctions(opened: &mut Opened, auctions: Vec<u64>) -> Loaded {
    let touch = Touch {
        auctions,
        ..Touch::default()
    };
    load(opened, &touch)
}

pub(crate) fn entries_of_auctions_keep_their_line_and_what_is_sealed(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    script.note();
    let first = script.put_up(Open, 0, 1_000);
    let second = script.put_up(Scheduled, 500, 1_000);
    script.bid(&Bade::on(first));
    script.bid(&Bade {
        kind: Kind::BidPlaced,
        ..Bade::on(second)
    });
    // The line of the last auction there can be; a text that is sealed is kept as it is.
    let (last, data) = (LineId::Auction((1 << 50) - 1), r#"{"auction":"a"}"#);
    let sealed = "{ \"nonce\" :\n \"é 🍩\" }";
    script.sealed_entry(last, Kind::AuctionOpened, None, data, None, Some(sealed));
    let seq = script.sealed_entry(last, Kind::AuctionOpened, None, data, None, None);
    let mut stored = script.auctions[&first].clone();
    stored.auction.seq = (1 << 50) - 1;
    stored.last_seq = seq;
    stored.last_hash = script.log.last().unwrap().hash;
    script.changes.auctions.push(stored);
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let log = opened.reader.entries(0, 1_000).unwrap();
        assert_eq!(log, script.log);
        for entry in &script.log {
            let found = opened.reader.entry(entry.seq).unwrap();
            assert_eq!(found.as_ref(), Some(entry));
        }
        assert_eq!(log[1].line, LineId::Auction(first));
        assert_eq!(log[5].sealed.as_deref(), Some(sealed));
        assert_eq!(log[6].prev, log[5].seq);
        // None of it concerns nobody.
        let loaded = load(opened, &Touch::default());
        assert_eq!(loaded.system, (1, Some(log[0].hash)));
        assert_eq!(loaded.auction_count, 3);
        assert!(loaded.auctions.is_empty(), "nothing was asked for");
    });
}

pub(crate) fn auctions_are_found_and_listed_newest_first(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let statuses = [
        Open, Scheduled, Closed, Open, Settled, Unsold, Cancelled, Open,
    ];
    let seqs: Vec<u64> = statuses
        .iter()
        .map(|status| {
            let seq = script.put_up(*status, 0, 1_000);
            script.commit(&mut opened);
            seq
        })
        .collect();
    // Some are other than they were: one in the commit after, one twice in the same.
    script.alter(seqs[1], Kind::AuctionOpened, |auction| {
        auction.status = Open;
    });
    script.commit(&mut opened);
    script.alter(seqs[3], Kind::AuctionClosed, |auction| {
        auction.status = Closed;
    });
    script.alter(seqs[3], Kind::AuctionSettled, |auction| {
        auction.status = Settled;
    });
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let reader = &*opened.reader;
        for seq in 0..script.seq + 2 {
            let expected = script.auctions.get(&seq);
            assert_eq!(reader.auction(seq).unwrap().as_ref(), expected);
        }
        assert_eq!(reader.auction(u64::MAX).unwrap(), None);
        for status in [None, Some(Scheduled), Some(Open), Some(Closed)]
            .into_iter()
            .chain([Some(Settled), Some(Unsold), Some(Cancelled)])
        {
            check_list(&script, reader, status);
        }
        let open = reader.auctions(Some(Open), None, 10).unwrap();
        let open: Vec<u64> = open.iter().map(|stored| stored.auction.seq).collect();
        assert_eq!(open, [seqs[7], seqs[1], seqs[0]]);
        let loaded = load(opened, &Touch::default());
        assert_eq!(loaded.auction_count, 8);
    });
}

/// Whole, in pages of every size, and from every sequence on.
fn check_list(script: &Script, reader: &dyn Reader, status: Option<AuctionStatus>) {
    let newest_first = script.auctions.values().rev();
    let expected: Vec<StoredAuction> = newest_first
        .filter(|stored| status.is_none_or(|status| stored.auction.status == status))
        .cloned()
        .collect();
    let list = |before, limit| reader.auctions(status, before, limit).unwrap();
    assert_eq!(list(None, usize::MAX), expected, "{status:?}");
    assert_eq!(list(None, 0), []);
    assert_eq!(list(Some(u64::MAX), 100), expected);
    for before in 0..script.seq + 2 {
        let older: Vec<StoredAuction> = expected
            .iter()
            .filter(|stored| stored.auction.seq < before)
            .cloned()
            .collect();
        assert_eq!(list(Some(before), 100), older);
        assert_eq!(list(Some(before), 2), older[..older.len().min(2)]);
    }
}

fn check_due(opened: &Opened, now: Millis, expected: &[u64], next: Option<Millis>) {
    let reader = &opened.reader;
    let due = |limit| {
        let due = reader.due_auctions(START + now, limit).unwrap();
        for id in &due {
            let stored = reader.auction(id.seq).unwrap().unwrap();
            assert_eq!(stored.id(), *id);
        }
        due.iter().map(|id| id.seq).collect::<Vec<_>>()
    };
    assert_eq!(due(100), expected, "at {now}");
    assert_eq!(due(2), expected[..expected.len().min(2)], "at {now}");
    let found = reader.next_due_auction(START + now).unwrap();
    assert_eq!(found, next.map(|next| START + next), "after {now}");
}

pub(crate) fn auctions_are_due_in_the_order_of_their_times(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let late = script.put_up(Open, 0, 900);
    let same = script.put_up(Open, 0, 500);
    let again = script.put_up(Open, 0, 500);
    // One that has not begun is due when it begins.
    let later = script.put_up(Scheduled, 300, 800);
    for over in [Closed, Settled, Unsold, Cancelled] {
        script.put_up(over, 0, 100);
    }
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| {
        check_due(opened, -1, &[], Some(300));
        check_due(opened, 299, &[], Some(300));
        check_due(opened, 300, &[later], Some(500));
        check_due(opened, 500, &[later, same, again], Some(900));
        check_due(opened, 900, &[later, same, again, late], None);
        check_due(
            opened,
            Millis::MAX - START,
            &[later, same, again, late],
            None,
        );
    });

    // It begins; one is extended, one is over, of one the end is near before it comes.
    script.alter(later, Kind::AuctionOpened, |auction| auction.status = Open);
    script.alter(again, Kind::BidAccepted, |auction| {
        auction.ends_at += 50;
    });
    script.alter(same, Kind::AuctionClosed, |auction| {
        auction.status = Unsold;
    });
    script.auctions.get_mut(&late).unwrap().closing_soon_ms = 380;
    script.put_auction(late);
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| {
        check_due(opened, 519, &[], Some(520));
        check_due(opened, 520, &[late], Some(550));
        check_due(opened, 800, &[late, again, later], None);
    });
    script.auctions.get_mut(&late).unwrap().told_closing_soon = true;
    script.put_auction(late);
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        check_due(opened, 550, &[again], Some(800));
        check_due(opened, 900, &[again, later, late], None);
    });
}

/// Bids of this auction that wait, as readers see them.
fn waiting(opened: &Opened, auction: u64) -> Vec<u64> {
    opened.reader.waiting_bids(auction, usize::MAX).unwrap()
}

pub(crate) fn an_auction_is_loaded_with_the_bids_that_wait(harness: &dyn Harness) {
    let mut opened = harness.open();
    let mut script = Script::new();
    let quiet = script.put_up(Open, 0, 1_000);
    let busy = script.put_up(Open, 0, 1_000);
    let place = |script: &mut Script, auction| {
        script.bid(&Bade {
            kind: Kind::BidPlaced,
            ..Bade::on(auction)
        })
    };
    let placed: Vec<u64> = (0..5).map(|_| place(&mut script, busy)).collect();
    let other = place(&mut script, quiet);
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| {
        // One that is named twice is loaded once.
        let loaded = load_auctions(opened, vec![busy, quiet, busy, 0, busy + 1, u64::MAX]);
        assert_eq!(loaded.auctions.len(), 2);
        for (auction, bids) in [(busy, &placed[..]), (quiet, &[other])] {
            let found = &loaded.auctions[&auction];
            assert_eq!(found.stored, script.auctions[&auction]);
            assert_eq!(found.standing, None, "they were not asked for");
            let expected = bids.iter().map(|bid| &script.bids[bid]);
            assert!(found.waiting.iter().eq(expected));
            assert_eq!(waiting(opened, auction), bids);
        }
        let two = opened.reader.waiting_bids(busy, 2).unwrap();
        assert_eq!(two, placed[..2]);
        assert!(opened.reader.waiting_bids(busy, 0).unwrap().is_empty());
        assert!(waiting(opened, 0).is_empty());
        assert!(waiting(opened, u64::MAX).is_empty());
    });

    script.verdict(placed[0], Kind::BidAccepted);
    script.verdict(placed[1], Kind::BidRefused);
    // It comes and goes in one commit.
    let gone = place(&mut script, busy);
    script.verdict(gone, Kind::BidAccepted);
    script.verdict(other, Kind::BidAccepted);
    script.commit(&mut opened);
    let mut opened = always(harness, opened, |opened| {
        let loaded = load_auctions(opened, vec![quiet, busy]);
        assert!(loaded.auctions[&quiet].waiting.is_empty());
        let expected = placed[2..].iter().map(|bid| &script.bids[bid]);
        assert!(loaded.auctions[&busy].waiting.iter().eq(expected));
        assert_eq!(waiting(opened, busy), placed[2..]);
        assert!(waiting(opened, quiet).is_empty());
    });

    // More than one command decides.
    let mut all = placed[2..].to_vec();
    all.extend((0..WAITING_BIDS_MAX).map(|_| place(&mut script, busy)));
    script.commit(&mut opened);
    always(harness, opened, |opened| {
        let loaded = load_auctions(opened, vec![busy]);
        let head = &loaded.auctions[&busy].waiting;
        let expected = all[..WAITING_BIDS_MAX].iter();
        assert!(head.iter().map(|bid| &bid.id.seq).eq(expected));
        assert_eq!(waiting(opened, busy), all);
    });
}
