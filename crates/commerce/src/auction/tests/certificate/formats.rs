//! The same for a buy-now and for a sealed format.

use serde_json::json;

use super::forged::{change, check};
use super::lines::Lines;
use super::recorder::{Recorder, Way};
use super::*;

fn bought() -> Lines {
    let mut terms = terms();
    terms.buy_now_price = Some(money(80));
    let mut room = Recorder::new(terms);
    room.now = 10;
    room.bid("a", 10, Some(30), Way::Direct);
    room.buy_now("b", Way::Direct);
    room.lines
}

#[test]
fn a_forged_buy_now_is_named() {
    check(
        bought,
        &[
            ("buy-now that was not to be had", |lines| {
                let at = lines.find("bid.accepted");
                lines.all[at].sealed.as_mut().unwrap()["maximum"] = json!(80);
                lines.last("bid.accepted").seq
            }),
            (
                "between the bid that ended the auction and its close",
                |lines| {
                    let mut line = lines.last("auction.closed").clone();
                    line.kind = "auction.closing_soon";
                    line.data = json!({"auction": line.data["auction"], "endsAt": 100_000});
                    lines.last("auction.closed").seq += 1;
                    let (seq, close) = (line.seq, lines.find("auction.closed"));
                    lines.all.insert(close, line);
                    seq
                },
            ),
            ("reason is EndTime", |lines| {
                change(lines, "auction.closed", "reason", "end_time")
            }),
            ("buys a deferred bid now", |lines| {
                change(lines, "bid.accepted", "placed", 8)
            }),
        ],
    );
}

fn hidden() -> Lines {
    let mut terms = terms();
    terms.format = Format::SealedSecond;
    terms.reserve_price = Some(money(15));
    let mut room = Recorder::new(terms);
    room.now = 10;
    room.bid("a", 30, None, Way::Direct);
    room.bid("b", 20, None, Way::Direct);
    room.bid("a", 9, None, Way::Direct);
    room.close();
    room.bid("c", 40, None, Way::Deferred);
    room.decide_next();
    room.lines
}

#[test]
fn a_forged_sealed_auction_is_named() {
    check(
        hidden,
        &[
            ("shows what its format hides", |lines| {
                change(lines, "bid.accepted", "amount", 20)
            }),
            ("shows what its format hides", |lines| {
                change(lines, "bid.accepted", "leading", false)
            }),
            ("that there is an amount is true", |lines| {
                change(lines, "bid.refused", "amount", 40)
            }),
            ("the price of a winner is 20, and should be 21", |lines| {
                // Somebody who was sure to win has bid a little more.
                let sealed = lines.last("bid.accepted").sealed.as_mut().unwrap();
                (sealed["amount"], sealed["maximum"]) = (json!(21), json!(21));
                lines.last("auction.closed").seq
            }),
            ("takes a bid that was too low", |lines| {
                let line = lines.last("bid.accepted");
                line.sealed.as_mut().unwrap()["maximum"] = json!(21);
                line.seq
            }),
            ("price is 21, and should be 20", |lines| {
                change(lines, "bid.refused", "price", 21)
            }),
        ],
    );
}

fn not_to_be_had() -> Lines {
    let mut terms = terms();
    terms.buy_now_price = Some(money(80));
    let mut room = Recorder::new(terms);
    room.bid("a", 10, Some(80), Way::Direct);
    room.buy_now("b", Way::Message(0));
    room.close();
    room.lines
}

#[test]
fn a_forged_refusal_of_a_buy_now_is_named() {
    check(
        not_to_be_had,
        &[
            ("and should have been taken", |lines| {
                let at = lines.find("bid.accepted");
                lines.all[at].sealed.as_mut().unwrap()["maximum"] = json!(79);
                lines.last("bid.refused").seq
            }),
            ("should be Late", |lines| {
                let line = lines.last("bid.refused");
                line.at = 100_000;
                line.sealed.as_mut().unwrap()["admittedAt"] = json!(100_000);
                line.seq
            }),
            ("least is 13, and should be 12", |lines| {
                change(lines, "bid.refused", "least", 13)
            }),
            ("price is 11, and should be 10", |lines| {
                change(lines, "bid.refused", "price", 11)
            }),
            ("refuses a deferred bid as a buy-now", |lines| {
                change(lines, "bid.refused", "placed", 8)
            }),
        ],
    );
}
