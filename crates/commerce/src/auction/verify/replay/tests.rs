use super::*;
use crate::auction::{Increment, RetractionRule};
use crate::money::Currency;

#[test]
fn there_is_an_end_to_replaying() {
    let money = |minor| Money::new(minor).unwrap();
    let name = |name| Bidder::new(name).unwrap();
    let terms = Terms {
        format: Format::English,
        currency: Currency::new("EUR").unwrap(),
        starting_price: money(10),
        increment: Increment::Fixed(money(2)),
        lots: 1,
        reserve_price: None,
        buy_now_price: None,
        starts_at: 0,
        ends_at: 100_000_000,
        soft_close: None,
        retraction: Some(RetractionRule {
            within_ms: 600_000,
            before_end_ms: 3_600_000,
        }),
    };
    let mut replay = Replay::new(terms, name("seller")).unwrap();
    let bid = |no, bidder, minor| {
        Entry::Bid(AdmittedBid {
            no,
            bid: no,
            bidder: name(bidder),
            amount: money(minor),
            maximum: money(minor),
            admitted_at: 0,
        })
    };
    let retracted = |no, by| Entry::Retracted {
        no,
        by: name(by),
        admitted_at: 1,
    };
    replay.apply(&bid(1, "a", 10)).unwrap();
    replay.apply(&bid(2, "b", 12)).unwrap();
    replay.replayed = REPLAYED_BIDS_MAX - 2;
    replay.apply(&retracted(2, "b")).unwrap();
    assert_eq!(replay.price(1), Some(10));
    let too_much = Err(Breach::TooMuch { no: 1 });
    assert_eq!(replay.apply(&retracted(1, "a")), too_much);
}
