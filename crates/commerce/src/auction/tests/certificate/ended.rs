//! The same for the close, for what follows it and for the order of entries.

use serde_json::json;

use super::forged::{NOBODY, change, check, refused, sale};
use super::lines::Line;

#[test]
fn a_forged_close_and_what_follows_is_named() {
    check(
        sale,
        &[
            ("winners are not those", |lines| {
                let winner = lines.last("auction.settled").data["bidder"].clone();
                let line = lines.last("auction.closed");
                line.data["winners"][0]["bidder"] = winner;
                line.data["winners"][0]["no"] = json!(3);
                line.seq
            }),
            ("the price of a winner is 51, and should be 52", |lines| {
                let line = lines.last("auction.closed");
                line.data["winners"][0]["price"] = json!(51);
                line.data["price"] = json!(51);
                line.seq
            }),
            ("price is 51, and should be 52", |lines| {
                change(lines, "auction.closed", "price", 51)
            }),
            ("winners are not those", |lines| {
                // The reserve comes up after everybody has bid.
                lines.all[0].sealed.as_mut().unwrap()["reservePrice"] = json!(61);
                lines.last("auction.closed").seq
            }),
            ("winners are not those", |lines| {
                let line = lines.last("auction.closed");
                line.data["winners"] = json!([]);
                line.data["status"] = "unsold".into();
                line.data["unsoldReason"] = "below_reserve".into();
                line.data.as_object_mut().unwrap().remove("price");
                line.seq
            }),
            ("unsoldReason is NoBids", |lines| {
                change(lines, "auction.closed", "unsoldReason", "no_bids")
            }),
            ("status is Unsold", |lines| {
                change(lines, "auction.closed", "status", "unsold")
            }),
            ("reason is Taken", |lines| {
                change(lines, "auction.closed", "reason", "taken")
            }),
            ("endsAt is 115000", |lines| {
                // Closed at the end as announced, for those who did not see the extension.
                let line = lines.last("bid.accepted");
                line.data["endsAt"] = json!(100_000);
                line.data.as_object_mut().unwrap().remove("extended");
                change(lines, "auction.closed", "endsAt", 115_000)
            }),
            ("closes before the end", |lines| {
                let close = lines.find("auction.closed");
                let late = refused(lines, "late");
                assert!(late < close);
                for line in &mut lines.all[late - 1..] {
                    line.at = line.at.min(114_999);
                }
                lines.all[close].seq
            }),
            ("a bid is taken while the auction is closed", |lines| {
                let at = lines
                    .all
                    .iter()
                    .rposition(|line| line.kind == "bid.accepted");
                let mut line = lines.all.remove(at.unwrap());
                let close = lines.find("auction.closed");
                line.seq = lines.all[close].seq;
                lines.all[close].seq -= 1;
                line.at = lines.all[close].at;
                let seq = line.seq;
                lines.all.insert(close + 1, line);
                seq
            }),
            ("should be Closed", |lines| {
                change(lines, "bid.refused", "reason", "late")
            }),
            ("price is 52, and should be 25", |lines| {
                change(lines, "auction.settled", "price", 52)
            }),
            ("status is Closed, and should be Settled", |lines| {
                change(lines, "auction.settled", "status", "closed")
            }),
            ("holds no lot that is unpaid", |lines| {
                change(lines, "auction.settled", "bidder", NOBODY)
            }),
            ("status is Closed, and should be Unsold", |lines| {
                change(lines, "auction.forfeited", "status", "closed")
            }),
            ("offers the lot out of turn", |lines| {
                let at = lines.find("auction.offered");
                lines.all[at].data["bidder"] = NOBODY.into();
                lines.all[at].seq
            }),
            ("price is 49, and should be 50", |lines| {
                let at = lines.find("auction.offered");
                lines.all[at].data["price"] = json!(49);
                lines.all[at].seq
            }),
            ("offers while another offer runs", |lines| {
                let at = lines.find("auction.offered");
                lines.all[at].data["until"] = json!(115_101);
                lines.last("auction.offered").seq
            }),
            ("status is Settled, and should be Unsold", |lines| {
                change(lines, "auction.offered", "status", "settled")
            }),
            ("offers a lot that is not free", |lines| {
                let at = lines.find("auction.forfeited");
                lines.all.remove(at);
                let at = lines.find("auction.offered");
                lines.all[at].seq
            }),
            ("declined is absent", |lines| {
                let line = lines.last("auction.offered");
                line.data.as_object_mut().unwrap().remove("declined");
                line.seq
            }),
            ("offers until a moment that has passed", |lines| {
                let line = lines.last("auction.offered");
                line.data["until"] = json!(line.at);
                line.seq
            }),
            ("names a price for what was declined", |lines| {
                change(lines, "auction.offer_answered", "accepted", false)
            }),
            ("answers an offer that has run out", |lines| {
                let line = lines.last("auction.offer_answered");
                line.at = 115_200;
                line.seq
            }),
            ("answers an offer that the bidder", |lines| {
                change(lines, "auction.offer_answered", "bidder", NOBODY)
            }),
        ],
    );
}

#[test]
fn entries_out_of_order_are_named_whatever_their_hashes() {
    check(
        sale,
        &[
            ("is older than the entry before it", |lines| {
                let line = lines.last("auction.closing_soon");
                line.at = 1;
                line.seq
            }),
            ("comes after entry", |lines| {
                let seq = lines.all[2].seq;
                lines.all[3].seq = seq;
                seq
            }),
            ("is about another auction", |lines| {
                change(
                    lines,
                    "bid.accepted",
                    "auction",
                    "auc_00000000081111111111111111",
                )
            }),
            ("is of a kind that no auction has", |lines| {
                let line = lines.last("auction.closing_soon");
                line.kind = "order.accepted";
                line.seq
            }),
            ("is not the entry that the id", |lines| {
                lines.all[0].seq -= 1;
                lines.all[0].seq
            }),
            ("comes before auction.created", |lines| {
                lines.all.remove(0);
                lines.all[0].seq
            }),
            ("creates the auction again", |lines| {
                lines.all[1] = Line {
                    seq: 8,
                    ..lines.all[0].clone()
                };
                8
            }),
            ("terms show the reserve price", |lines| {
                lines.all[0].data["terms"]["reservePrice"] = json!(40);
                7
            }),
            ("terms say more", |lines| {
                lines.all[0].data["terms"]["handicap"] = json!(40);
                7
            }),
            ("terms.lots must be 1 to 100", |lines| {
                lines.all[0].data["terms"]["lots"] = json!(0);
                7
            }),
            ("terms.startsAt is before", |lines| {
                lines.all[0].data["terms"]["startsAt"] = json!(-1);
                7
            }),
            ("cancels when the end has come", |lines| {
                let close = lines.last("auction.closed");
                close.kind = "auction.cancelled";
                close.data = json!({"auction": close.data["auction"]});
                close.seq
            }),
            ("opens the auction before its start", |lines| {
                lines.all[0].data["terms"]["startsAt"] = json!(1);
                lines.all[1].seq
            }),
            ("a bid is taken while the auction is scheduled", |lines| {
                lines.all.remove(1);
                lines.all[1].seq
            }),
            ("opens what was opened", |lines| {
                let mut again = lines.all[1].clone();
                again.seq = lines.all[2].seq;
                lines.all[2].seq += 1;
                lines.all.insert(2, again);
                lines.all[2].seq
            }),
            ("endsAt is 1, and", |lines| {
                change(lines, "auction.closing_soon", "endsAt", 1)
            }),
            ("cancels what is over", |lines| {
                let line = lines.last("auction.settled");
                line.kind = "auction.cancelled";
                line.data = json!({"auction": line.data["auction"]});
                line.seq
            }),
            ("comes without a close before it", |lines| {
                let line = lines.last("auction.settled").clone();
                let at = lines.find("auction.closing_soon");
                let (seq, at_ms) = (lines.all[at].seq, lines.all[at].at);
                lines.all[at] = Line {
                    seq,
                    at: at_ms,
                    ..line
                };
                seq
            }),
        ],
    );
}
