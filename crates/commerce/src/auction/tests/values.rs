//! The parts: increments, terms, masked names, what is stored.

use super::*;
use crate::money::PRICE_MAX;

#[test]
fn the_default_table_has_a_step_for_every_price() {
    let table = Increment::default();
    table.check().unwrap();
    for (price, step) in [
        (0, 1),
        (99, 1),
        (100, 5),
        (499, 5),
        (500, 10),
        (9_999, 100),
        (10_000, 250),
        (PRICE_MAX, 1_000_000),
    ] {
        assert_eq!(table.at(money(price)), money(step), "at {price}");
    }
    assert_eq!(table.above(money(99)), Some(money(100)));
    assert_eq!(table.above(money(PRICE_MAX)), None);
}

#[test]
fn a_table_that_makes_no_sense_is_refused() {
    let bands = |bands: &[(i64, i64)]| {
        let band = |&(from, step): &(i64, i64)| Band {
            from: money(from),
            step: money(step),
        };
        Increment::Bands(bands.iter().map(band).collect())
    };
    bands(&[(0, 1), (10, 1)]).check().unwrap();
    for wrong in [
        Increment::Fixed(money(0)),
        bands(&[]),
        bands(&[(1, 1)]),
        bands(&[(0, 0)]),
        bands(&[(0, 2), (10, 1)]),
        bands(&[(0, 1), (10, 2), (10, 3)]),
        bands(&[(0, 1); BANDS_MAX + 1]),
    ] {
        wrong.check().unwrap_err();
    }
}

#[test]
fn terms_are_refused_by_field() {
    type Change = fn(&mut Terms);
    let table: [(&str, Change); 24] = [
        ("endTime", |t| t.ends_at = 0),
        ("endTime", |t| t.starts_at = t.ends_at),
        ("endTime", |t| t.ends_at = DURATION_MAX_MS + 1),
        ("softClose.hardEnd", |t| {
            soft_close(t, 1, 1, DURATION_MAX_MS + 1);
        }),
        ("increment", |t| t.increment = Increment::Fixed(money(0))),
        ("lots", |t| t.lots = 0),
        ("lots", |t| t.lots = LOTS_MAX + 1),
        ("lots", |t| (t.lots, t.format) = (2, Format::SealedFirst)),
        ("reservePrice", |t| t.reserve_price = Some(money(10))),
        ("reservePrice", |t| {
            (t.lots, t.reserve_price) = (2, Some(money(20)));
        }),
        ("reservePrice", |t| {
            t.format = dutch(1, 1, 0);
            t.reserve_price = Some(money(20));
        }),
        ("buyNowPrice", |t| t.buy_now_price = Some(money(10))),
        ("buyNowPrice", |t| {
            (t.lots, t.buy_now_price) = (2, Some(money(20)));
        }),
        ("buyNowPrice", |t| {
            (t.reserve_price, t.buy_now_price) = (Some(money(30)), Some(money(29)));
        }),
        ("buyNowPrice", |t| {
            (t.format, t.buy_now_price) = (Format::SealedFirst, Some(money(20)));
        }),
        ("softClose.windowMs", |t| soft_close(t, 0, 1, t.ends_at)),
        ("softClose.extendMs", |t| {
            soft_close(t, 1, WINDOW_MAX_MS + 1, t.ends_at);
        }),
        ("softClose.hardEnd", |t| soft_close(t, 1, 1, t.ends_at - 1)),
        ("softClose", |t| {
            soft_close(t, 1, 1, t.ends_at);
            t.format = Format::SealedSecond;
        }),
        ("retraction.withinMs", |t| retraction(t, 0, 0)),
        ("retraction.beforeEndMs", |t| retraction(t, 1, -1)),
        ("format.step", |t| t.format = dutch(0, 1, 0)),
        ("format.everyMs", |t| t.format = dutch(1, 0, 0)),
        ("format.floor", |t| t.format = dutch(1, 1, 11)),
    ];
    for (at, (field, change)) in table.into_iter().enumerate() {
        let mut terms = terms();
        terms.check(0).unwrap();
        change(&mut terms);
        let refused = Auction::create(new(terms), 0).map(|_| ());
        assert_eq!(refused.unwrap_err().0, field, "row {at}");
    }
}

fn soft_close(terms: &mut Terms, window_ms: Millis, extend_ms: Millis, hard_end: Millis) {
    terms.soft_close = Some(SoftClose {
        window_ms,
        extend_ms,
        hard_end,
    });
}

fn retraction(terms: &mut Terms, within_ms: Millis, before_end_ms: Millis) {
    terms.retraction = Some(RetractionRule {
        within_ms,
        before_end_ms,
    });
}

fn dutch(step: i64, every_ms: Millis, floor: i64) -> Format {
    Format::Dutch {
        step: money(step),
        every_ms,
        floor: money(floor),
    }
}

#[test]
fn a_masked_name_is_stable_in_one_auction_and_only_there() {
    let (key, other) = (MaskKey([2; 32]), MaskKey([3; 32]));
    let (a, b) = (who("a@b.example"), who("c@d.example"));
    let seen = key.show(&a, Some(&b));
    assert_eq!(seen.name.len(), "bidder-".len() + 12);
    assert!(!seen.own);
    let own = key.show(&a, Some(&a));
    assert!(own.own);
    assert_eq!(own.name, seen.name);
    assert_eq!(key.show(&a, None), seen);
    assert_ne!(key.show(&b, None).name, seen.name);
    assert_ne!(other.show(&a, None).name, seen.name);
}

#[test]
fn a_bidder_is_a_name_without_white_space() {
    for wrong in ["", "a b", "a\n", "\u{7f}", &"x".repeat(255)] {
        Bidder::new(wrong).unwrap_err();
    }
    Bidder::new(&"x".repeat(254)).unwrap();
}

#[test]
fn what_version_1_stored_is_read() {
    let stored = r#"{"v":1,"seq":7,"secret":[1,1,1,1,1,1,1,1,1,1],"maskKey":[2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2],"seller":"seller","product":"Lamp","terms":{"format":"english","currency":"EUR","startingPrice":10,"increment":{"fixed":2},"lots":1,"startsAt":0,"endsAt":100000},"createdAt":0,"status":"open","endsAt":100000,"extensions":0,"bids":1,"bidsStanding":1,"contest":{"price":10,"reserveMet":false,"standing":[{"bidder":"a","amount":10,"maximum":50,"no":1,"bid":100}]}}"#;
    let mut room = Room::new(terms());
    room.bid("a", 10, 50);
    assert_eq!(serde_json::to_string(&room.auction).unwrap(), stored);
    let read: Auction = serde_json::from_str(stored).unwrap();
    assert_eq!(read, room.auction);
}

#[test]
fn a_dutch_format_reads_back() {
    let format = dutch(10, 1_000, 30);
    let text = serde_json::to_string(&format).unwrap();
    assert_eq!(text, r#"{"dutch":{"step":10,"everyMs":1000,"floor":30}}"#);
    assert_eq!(serde_json::from_str::<Format>(&text).unwrap(), format);
}
