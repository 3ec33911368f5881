//! Before the close nothing sealed is shown, and some forgeries are found all the same.

use serde_json::json;

use super::lines::{Lines, print};
use super::recorder::{Recorder, Way};
use super::*;

fn running() -> Lines {
    let mut terms = terms();
    terms.retraction = Some(RetractionRule {
        within_ms: 5_000,
        before_end_ms: 1_000,
    });
    let mut room = Recorder::new(terms);
    room.now = 1_000;
    room.bid("a", 10, Some(30), Way::Direct);
    room.bid("b", 20, Some(40), Way::Deferred);
    room.decide_next();
    room.bid("c", 20, None, Way::Direct);
    room.retract(2);
    room.lines
}

#[test]
fn a_running_auction_is_looked_at_as_far_as_it_goes() {
    let verified = running().verify().unwrap();
    assert!(!verified.is_final && !verified.opened);
    assert_eq!((verified.bids, verified.refused), (2, 1));
    assert!(verified.winners.is_empty());
    type Forgery = fn(&mut Lines) -> u64;
    let table: [(&str, Forgery); 9] = [
        ("lowers the price", |lines| {
            let line = lines.last("bid.accepted");
            line.data["price"] = json!(9);
            line.seq
        }),
        ("takes a bid below the starting price", |lines| {
            let line = lines.last("bid.accepted");
            line.data["amount"] = json!(9);
            line.seq
        }),
        ("outbid who did not lead", |lines| {
            let line = lines.last("bid.accepted");
            line.data["outbid"] = json!(["bidder-000000000000"]);
            line.seq
        }),
        ("more leaders than there are lots", |lines| {
            let line = lines.last("bid.accepted");
            line.data.as_object_mut().unwrap().remove("outbid");
            line.seq
        }),
        ("was refused as TooLow", |lines| {
            let line = lines.last("bid.refused");
            line.data["amount"] = json!(200);
            line.seq
        }),
        ("was refused as Late", |lines| {
            let line = lines.last("bid.refused");
            line.data["reason"] = json!("late");
            line.data.as_object_mut().unwrap().remove("least");
            line.seq
        }),
        ("lowers the price below the start", |lines| {
            let line = lines.last("bid.retracted");
            line.data["price"] = json!(9);
            line.seq
        }),
        ("is not the seller's own lot", |lines| {
            let line = lines.last("bid.refused");
            line.data["reason"] = json!("own_lot");
            line.seq
        }),
        ("bids is 7", |lines| {
            let line = lines.last("bid.retracted");
            line.data["bids"] = json!(7);
            line.seq
        }),
    ];
    for (what, forge) in table {
        let mut lines = running();
        let seq = forge(&mut lines);
        let violations = lines.verify().expect_err(what);
        let mut told = violations.told.iter();
        let named = told.any(|v| v.seq == Some(seq) && v.what.contains(what));
        assert!(named, "entry {seq}: {what}, but:\n{violations}");
    }
}

#[test]
fn final_says_whether_there_was_a_close_and_what_was_sealed_is_there() {
    let open = running();
    let mut closed = running();
    closed.all.truncate(2);
    let mut room = Recorder::new(terms());
    room.close();
    closed.all = room.lines.all;
    let table = [
        (&open, true, false, "final is true, and there is no close"),
        (&open, false, true, "sealed texts are opened"),
        (&closed, false, false, "the auction has been closed"),
        (&closed, true, false, "nothing is opened"),
    ];
    for (lines, is_final, opened, what) in table {
        let text = print(&lines.auction, is_final, &lines.entries(opened));
        let violations = verify(text.as_bytes()).unwrap_err();
        let mut told = violations.told.iter();
        assert!(told.any(|v| v.what.contains(what)), "{what}: {violations}");
    }
}

#[test]
fn a_seal_must_fit_and_all_or_none_are_opened() {
    let mut room = Recorder::new(terms());
    room.bid("a", 10, Some(30), Way::Direct);
    room.close();
    let lines = room.lines;
    let at = lines.find("bid.accepted");
    let entries = || lines.entries(true);
    let check = |entries: &[EntryText<'_>], at: usize, what: &str| {
        let text = print(&lines.auction, true, entries);
        let violations = verify(text.as_bytes()).unwrap_err();
        let seq = Some(entries[at].seq);
        let mut told = violations.told.iter();
        let named = told.any(|v| v.seq == seq && v.what.contains(what));
        assert!(named, "{what}: {violations}");
    };
    let mut changed = entries();
    let sealed = changed[at].sealed.as_ref().unwrap();
    let more = sealed.replace("\"maximum\":30", "\"maximum\":10");
    changed[at].sealed = Some(more.into());
    check(&changed, at, "does not fit its seal");

    let mut hidden = entries();
    hidden[at].sealed = None;
    check(&hidden, at, "is not opened, and others are");

    let mut added = entries();
    added[1].sealed = Some("{}".into());
    check(&added, 1, "opens what was never sealed");

    let mut first = entries();
    first[0].sealed = None;
    check(&first, at, "is opened, and others are not");
}
