//! The independent recomputation finds what should not be in a log.

use proptest::prelude::*;

use super::generate::{dutch, english, sealed};
use super::verify::{Breach, Entry, outcome};
use super::*;

fn bid(no: u64, name: &str, amount: i64, at: Millis) -> AdmittedBid {
    AdmittedBid {
        no,
        bid: no,
        bidder: who(name),
        amount: money(amount),
        maximum: money(amount),
        admitted_at: at,
    }
}

fn retracted(no: u64, name: &str, at: Millis) -> Entry {
    Entry::Retracted {
        no,
        by: who(name),
        admitted_at: at,
    }
}

#[test]
fn each_breach_is_named_by_its_bid() {
    let mut terms = terms();
    terms.starts_at = 100;
    terms.buy_now_price = Some(money(80));
    terms.retraction = Some(RetractionRule {
        within_ms: 1_000,
        before_end_ms: 1_000,
    });
    let first = || Entry::Bid(bid(1, "a", 10, 100));
    let second = |b: AdmittedBid| vec![first(), Entry::Bid(b)];
    let halved = AdmittedBid {
        maximum: money(11),
        ..bid(2, "b", 12, 200)
    };
    let bought = || Entry::BuyNow(bid(2, "b", 80, 200));
    let table = [
        (
            vec![Entry::Bid(bid(2, "a", 10, 100))],
            Breach::Number { no: 2 },
        ),
        (second(bid(1, "b", 12, 200)), Breach::Number { no: 1 }),
        (
            vec![Entry::Bid(bid(1, "a", 10, 99))],
            Breach::OutOfTime { no: 1 },
        ),
        (
            second(bid(2, "b", 12, 100_000)),
            Breach::OutOfTime { no: 2 },
        ),
        (second(bid(2, "seller", 12, 200)), Breach::OwnLot { no: 2 }),
        (
            vec![Entry::Bid(bid(1, "a", 9, 100))],
            Breach::TooLow { no: 1 },
        ),
        (second(bid(2, "b", 11, 200)), Breach::TooLow { no: 2 }),
        (second(bid(2, "a", 11, 200)), Breach::TooLow { no: 2 }),
        (second(halved), Breach::TooLow { no: 2 }),
        (
            vec![first(), Entry::BuyNow(bid(2, "b", 79, 200))],
            Breach::BuyNow { no: 2 },
        ),
        (
            vec![Entry::Bid(bid(1, "a", 80, 100)), bought()],
            Breach::BuyNow { no: 2 },
        ),
        (
            vec![first(), bought(), Entry::Bid(bid(3, "c", 90, 200))],
            Breach::AfterTheEnd { no: 3 },
        ),
        (
            vec![first(), retracted(2, "a", 200)],
            Breach::Retraction { no: 2 },
        ),
        (
            vec![first(), retracted(1, "b", 200)],
            Breach::Retraction { no: 1 },
        ),
        (
            vec![first(), retracted(1, "a", 1_100)],
            Breach::Retraction { no: 1 },
        ),
        (
            vec![first(), retracted(1, "a", 200), retracted(1, "a", 300)],
            Breach::Retraction { no: 1 },
        ),
    ];
    let mut no_lots = terms.clone();
    no_lots.lots = 0;
    assert_eq!(outcome(&no_lots, &who("seller"), &[]), Err(Breach::Terms));
    for (at, (log, breach)) in table.into_iter().enumerate() {
        assert_eq!(
            outcome(&terms, &who("seller"), &log),
            Err(breach),
            "row {at}"
        );
    }
}

#[test]
fn a_changed_bid_changes_the_outcome() {
    let log = |amount| {
        vec![
            Entry::Bid(bid(1, "a", 20, 0)),
            Entry::Bid(bid(2, "b", amount, 1)),
        ]
    };
    let price = |amount| {
        let outcome = outcome(&terms(), &who("seller"), &log(amount)).unwrap();
        outcome.price
    };
    assert_eq!((price(30), price(31)), (Some(30), Some(31)));
}

/// An entry by kind, bidder, amount and a time after the start, or any of them.
type Rubbish = (u8, &'static str, i64, Millis);

fn rubbish() -> impl Strategy<Value = Rubbish> {
    let name = prop::sample::select(vec!["a", "b", "c", "seller"]);
    let amount = prop_oneof![0i64..200, Just(crate::money::PRICE_MAX)];
    let after = prop_oneof![8 => 0i64..40_000, 1 => any::<i64>()];
    (0u8..6, name, amount, after)
}

fn any_time() -> impl Strategy<Value = Millis> {
    prop_oneof![Just(Millis::MIN), Just(Millis::MAX - 50_000), any::<i64>()]
}

proptest! {
    #[test]
    fn no_log_makes_the_recomputation_panic(
        terms in prop_oneof![english(), sealed(), dutch()],
        starts_at in any_time(),
        lots in prop::option::weighted(0.1, any::<u32>()),
        every in prop::option::weighted(0.2, any::<i64>()),
        rubbish in prop::collection::vec(rubbish(), 0..12),
    ) {
        let mut terms = terms;
        let moved = |time: Millis| time.saturating_add(starts_at);
        (terms.starts_at, terms.ends_at) = (starts_at, moved(terms.ends_at));
        if let Some(soft) = &mut terms.soft_close {
            soft.hard_end = moved(soft.hard_end);
        }
        terms.lots = lots.unwrap_or(terms.lots);
        if let (Some(every), Format::Dutch { every_ms, .. }) = (every, &mut terms.format) {
            *every_ms = every;
        }
        let mut log = Vec::new();
        let mut bids = 0;
        for (kind, name, amount, after) in rubbish {
            let at = moved(after);
            if kind == 0 {
                log.push(retracted(bids, name, at));
                continue;
            }
            bids += 1;
            let bid = bid(bids, name, amount, at);
            log.push(if kind == 1 { Entry::BuyNow(bid) } else { Entry::Bid(bid) });
        }
        let _ = outcome(&terms, &who("seller"), &log);
    }
}
