//! Logs with bids that are wrong under hashes and seals that fit: each is found, and what is
//! wrong with which entry is said.

use serde_json::{Value, json};

use super::lines::{Line, Lines};
use super::recorder::{Recorder, Way};
use super::*;

pub(super) const NOBODY: &str = "bidder-000000000000";

/// Four bidders, a reserve, an extension, a retraction, two deferred bids that are refused,
/// and everything that may come after a close.
pub(super) fn sale() -> Lines {
    let mut terms = terms();
    terms.reserve_price = Some(money(40));
    terms.soft_close = Some(SoftClose {
        window_ms: 10_000,
        extend_ms: 20_000,
        hard_end: 150_000,
    });
    terms.retraction = Some(RetractionRule {
        within_ms: 5_000,
        before_end_ms: 1_000,
    });
    let mut room = Recorder::new(terms);
    room.now = 1_000;
    room.bid("a", 10, Some(30), Way::Direct);
    room.bid("b", 12, Some(20), Way::Deferred);
    room.bid("c", 13, None, Way::Deferred);
    room.now = 2_000;
    room.decide_next();
    room.decide_next();
    room.bid("e", 24, Some(25), Way::Direct);
    room.bid("c", 11, None, Way::Direct);
    room.bid("d", 70, None, Way::Direct);
    room.now = 3_000;
    room.retract(4);
    room.now = 95_000;
    room.closing_soon();
    room.bid("b", 30, Some(60), Way::Direct);
    room.bid("a", 50, None, Way::Direct);
    room.now = 115_000;
    room.bid("c", 90, None, Way::Deferred);
    room.decide_next();
    room.now = 115_001;
    room.close();
    room.forfeit();
    room.offer(115_100);
    room.now = 115_100;
    room.bid("e", 90, None, Way::Deferred);
    room.decide_next();
    room.offer(115_200);
    room.answer(true);
    room.settle();
    room.lines
}

/// Changes the log and says which entry must be blamed.
pub(super) type Forgery = fn(&mut Lines) -> u64;

pub(super) fn change(lines: &mut Lines, kind: &str, field: &str, value: impl Into<Value>) -> u64 {
    let line = lines.last(kind);
    line.data[field] = value.into();
    line.seq
}

/// The same value in the open and under the seal.
fn change_both(line: &mut Line, field: &str, value: impl Into<Value>) -> u64 {
    let value = value.into();
    line.data[field] = value.clone();
    line.sealed.as_mut().unwrap()[field] = value;
    line.seq
}

pub(super) fn refused(lines: &Lines, reason: &str) -> usize {
    let is = |line: &Line| line.data["reason"] == reason;
    lines.all.iter().position(is).unwrap()
}

pub(super) fn check(lines: fn() -> Lines, table: &[(&str, Forgery)]) {
    lines().verify().unwrap();
    for (what, forge) in table {
        let mut forged = lines();
        let seq = forge(&mut forged);
        let violations = forged.verify().expect_err(what);
        let mut told = violations.told.iter();
        let named = told.any(|v| v.seq == Some(seq) && v.what.contains(what));
        assert!(named, "entry {seq}: {what}, but:\n{violations}");
    }
}

#[test]
fn a_forged_bid_is_named() {
    check(
        sale,
        &[
            ("should have been taken", |lines| {
                let at = refused(lines, "too_low");
                let placed = lines.all[at].data["placed"].as_u64();
                let bid = lines.all.iter_mut().find(|line| Some(line.seq) == placed);
                let placed = bid.unwrap().sealed.as_mut().unwrap();
                (placed["amount"], placed["maximum"]) = (json!(24), json!(24));
                lines.all[at].data["least"] = json!(25);
                lines.all[at].sealed.as_mut().unwrap()["maximum"] = json!(24);
                change_both(&mut lines.all[at], "amount", 24)
            }),
            ("least is 25, and should be 24", |lines| {
                let at = refused(lines, "too_low");
                lines.all[at].data["least"] = json!(25);
                lines.all[at].seq
            }),
            ("should be TooLow", |lines| {
                let at = refused(lines, "too_low");
                lines.all[at].data["reason"] = "late".into();
                lines.all[at].seq
            }),
            ("should be Late", |lines| {
                let at = refused(lines, "late");
                lines.all[at].data["reason"] = "own_lot".into();
                lines.all[at].seq
            }),
            ("admittedAt is 114999, and should be 115000", |lines| {
                let at = refused(lines, "late");
                lines.all[at].sealed.as_mut().unwrap()["admittedAt"] = json!(114_999);
                lines.all[at].seq
            }),
            ("out of time", let_in_late),
            ("was admitted after its verdict", |lines| {
                let line = lines.last("bid.accepted");
                line.sealed.as_mut().unwrap()["admittedAt"] = json!(95_001);
                line.seq
            }),
            ("takes a bid that was too low", |lines| {
                let at = lines.find("bid.accepted");
                lines.all[at].sealed.as_mut().unwrap()["maximum"] = json!(9);
                change_both(&mut lines.all[at], "amount", 9)
            }),
            ("no is 9, and should be 6", |lines| {
                change_both(lines.last("bid.accepted"), "no", 9)
            }),
            ("sealed no is 4", |lines| {
                let line = lines.last("bid.accepted");
                line.sealed.as_mut().unwrap()["no"] = json!(4);
                line.seq
            }),
            ("amount is another one", |lines| {
                change(lines, "bid.accepted", "amount", 51)
            }),
            ("bidder is another one", |lines| {
                change(lines, "bid.refused", "bidder", NOBODY)
            }),
            ("price is 59, and should be 52", |lines| {
                change(lines, "bid.accepted", "price", 59)
            }),
            ("leading is true", |lines| {
                change(lines, "bid.accepted", "leading", true)
            }),
            ("outbid does not name", |lines| {
                change(lines, "bid.accepted", "outbid", vec![NOBODY])
            }),
            ("endsAt is 115001", |lines| {
                change(lines, "bid.accepted", "endsAt", 115_001)
            }),
            ("moves the end to where", |lines| {
                change(lines, "bid.accepted", "endsAt", 150_001)
            }),
            ("reserveMet is true", |lines| {
                change(lines, "bid.accepted", "reserveMet", true)
            }),
            ("bids is 6, and should be 5", |lines| {
                change(lines, "bid.accepted", "bids", 6)
            }),
            ("prevBid is 1", |lines| {
                change(lines, "bid.accepted", "prevBid", 1)
            }),
            ("regained does not name", |lines| {
                change(lines, "bid.retracted", "regained", json!([]))
            }),
            ("retracts somebody else's bid", |lines| {
                change(lines, "bid.retracted", "bidder", NOBODY)
            }),
            ("endsAt is 1, and", |lines| {
                change(lines, "bid.retracted", "endsAt", 1)
            }),
            ("which does not stand", |lines| {
                change(lines, "bid.retracted", "no", 9)
            }),
            ("what the terms do not let be retracted", |lines| {
                let line = lines.last("bid.retracted");
                line.at = 7_000;
                line.seq
            }),
            ("takes the seller's own bid", |lines| {
                let winner = lines.last("auction.settled").data["bidder"].clone();
                lines.all[0].data["seller"] = winner.clone();
                let bids = |line: &&Line| line.data["bidder"] == winner;
                lines.all.iter().find(bids).unwrap().seq
            }),
            ("hides what its format shows", |lines| {
                let line = lines.last("bid.accepted");
                line.data.as_object_mut().unwrap().remove("amount");
                line.seq
            }),
            ("names a least bid", |lines| {
                change(lines, "bid.refused", "least", 30)
            }),
            ("gives a number to what was refused", |lines| {
                let line = lines.last("bid.refused");
                line.sealed.as_mut().unwrap()["no"] = json!(7);
                line.seq
            }),
            ("a nonce is not 32", |lines| {
                let line = lines.last("bid.accepted");
                line.sealed.as_mut().unwrap()["nonce"] = "1".into();
                line.seq
            }),
            ("a seal is not 64", |lines| {
                let line = lines.last("bid.accepted");
                line.sealed = None;
                line.data["seal"] = "1".into();
                line.seq
            }),
            ("a name is not masked", |lines| {
                change(lines, "bid.accepted", "bidder", "a@b.example")
            }),
            ("unknown field `maximum`", |lines| {
                change(lines, "bid.accepted", "maximum", 50)
            }),
        ],
    );
}

/// A bid of the moment of the end, as the winner.
fn let_in_late(lines: &mut Lines) -> u64 {
    let mut line = lines.last("bid.accepted").clone();
    let close = lines.find("auction.closed");
    line.seq = lines.all[close].seq - 1;
    line.at = 115_000;
    for (field, value) in [("no", json!(7)), ("amount", json!(80))] {
        change_both(&mut line, field, value);
    }
    let sealed = line.sealed.as_mut().unwrap();
    sealed["maximum"] = json!(80);
    sealed["admittedAt"] = json!(115_000);
    line.data["leading"] = true.into();
    line.data["price"] = 80.into();
    line.data["bids"] = 6.into();
    let (seq, bidder) = (line.seq, line.data["bidder"].clone());
    lines.all.insert(close, line);
    let close = lines.last("auction.closed");
    close.data["winners"] = json!([{"bidder": bidder, "no": 7, "price": 80}]);
    close.data["price"] = 80.into();
    close.data["bids"] = 6.into();
    seq
}

#[test]
fn a_verdict_is_given_once_and_in_turn() {
    check(
        sale,
        &[
            ("leaves the bid of entry", |lines| {
                let at = refused(lines, "too_low");
                lines.all.remove(at);
                lines.last("auction.closed").seq
            }),
            ("is a second verdict", |lines| {
                let at = refused(lines, "too_low");
                let mut again = lines.all[at].clone();
                again.seq += 1;
                lines.all.insert(at + 1, again);
                lines.all[at + 1].seq
            }),
            ("no deferred bid", |lines| {
                let at = refused(lines, "too_low");
                lines.all[at].data["placed"] = json!(7);
                lines.all[at].seq
            }),
            ("overtakes the bid of entry", |lines| {
                let at = refused(lines, "too_low");
                let other = lines.all[at].data["placed"].clone();
                let before = &mut lines.all[at - 1];
                assert_eq!(before.kind, "bid.accepted");
                let own = std::mem::replace(&mut before.data["placed"], other);
                let seq = before.seq;
                lines.all[at].data["placed"] = own;
                seq
            }),
            ("overtakes the bid of entry", |lines| {
                let placed = lines.find("bid.placed");
                assert_eq!(lines.all[placed - 1].kind, "bid.accepted");
                let (a, b) = (lines.all[placed - 1].seq, lines.all[placed].seq);
                lines.all.swap(placed - 1, placed);
                (lines.all[placed - 1].seq, lines.all[placed].seq) = (a, b);
                for line in &mut lines.all {
                    if line.data["placed"] == b {
                        line.data["placed"] = a.into();
                    }
                }
                b
            }),
            ("decides another bid than was placed", |lines| {
                let placed = lines.last("bid.placed");
                placed.sealed.as_mut().unwrap()["amount"] = json!(89);
                lines.last("bid.refused").seq
            }),
        ],
    );
}
