//! Random terms of every format, and random steps.

use proptest::prelude::*;

use super::*;
use crate::money::PRICE_MAX;

/// Soon, so that most auctions see theirs.
const END: Millis = 30_000;

/// More than are kept of one lot, so that some fall off and come back.
pub(super) const NAMES: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "seller"];

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// So much over the price, with so much more as maximum, admitted so long ago.
    Bid {
        who: usize,
        over: i64,
        extra: Option<i64>,
        lag: Millis,
    },
    BuyNow {
        who: usize,
    },
    /// A bid counted from the newest, by its bidder or by somebody else.
    Retract {
        back: usize,
        own: bool,
    },
    Wait(Millis),
    Close,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let extra = prop_oneof![2 => Just(None), 3 => (0i64..60).prop_map(Some)];
    let lag = prop_oneof![3 => Just(0), 1 => 0i64..4_000];
    prop_oneof![
        24 => (0usize..10, -3i64..16, extra, lag)
            .prop_map(|(who, over, extra, lag)| Step::Bid { who, over, extra, lag }),
        1 => (0usize..10).prop_map(|who| Step::BuyNow { who }),
        5 => (0usize..6, prop::bool::weighted(0.9)).prop_map(|(back, own)| Step::Retract { back, own }),
        6 => (0i64..9_000).prop_map(Step::Wait),
        1 => Just(Step::Close),
    ]
}

fn increment() -> impl Strategy<Value = Increment> {
    let bands = [(0, 1), (15, 2), (30, 7), (100, 10)].map(|(from, step)| Band {
        from: money(from),
        step: money(step),
    });
    prop_oneof![
        (1i64..6).prop_map(|step| Increment::Fixed(money(step))),
        Just(Increment::Bands(bands.to_vec())),
        Just(Increment::default()),
    ]
}

/// What all prices have in common: mostly nothing, sometimes so much that bids reach the highest
/// amount there is.
fn base(below_the_top: i64) -> impl Strategy<Value = i64> {
    prop_oneof![3 => Just(0), 1 => Just(PRICE_MAX - below_the_top)]
}

/// Half of them are open at once.
fn start() -> impl Strategy<Value = Millis> {
    prop_oneof![Just(0), 0i64..3_000]
}

fn retraction() -> impl Strategy<Value = Option<RetractionRule>> {
    prop::option::weighted(
        0.8,
        (1i64..40_000, 0i64..10_000).prop_map(|(within_ms, before_end_ms)| RetractionRule {
            within_ms,
            before_end_ms,
        }),
    )
}

pub(super) fn english() -> impl Strategy<Value = Terms> {
    let soft =
        (1i64..30_000, 1i64..30_000, 0i64..60_000).prop_map(|(window, extend, more)| SoftClose {
            window_ms: window,
            extend_ms: extend,
            hard_end: END + more,
        });
    let reserve = prop::option::of(1i64..80);
    let buy_now = prop::option::of(81i64..160);
    (
        (base(200), 0i64..20, increment(), 1u32..4, reserve, buy_now),
        (prop::option::weighted(0.7, soft), retraction(), start()),
    )
        .prop_map(
            |((base, start, increment, lots, reserve, buy_now), (soft, rule, starts_at))| {
                let start = base + start;
                let single = |price: i64| (lots == 1).then(|| money(start + price));
                Terms {
                    starting_price: money(start),
                    increment,
                    lots,
                    reserve_price: reserve.and_then(single),
                    buy_now_price: buy_now.and_then(single),
                    soft_close: soft,
                    retraction: rule,
                    starts_at,
                    ends_at: END,
                    ..terms()
                }
            },
        )
}

pub(super) fn sealed() -> impl Strategy<Value = Terms> {
    let format = prop_oneof![Just(Format::SealedFirst), Just(Format::SealedSecond)];
    let reserve = prop::option::of(1i64..30);
    let start_price = (base(30), 0i64..20).prop_map(|(base, start)| base + start);
    (format, start_price, reserve, retraction(), start()).prop_map(
        |(format, start, reserve, retraction, starts_at)| Terms {
            format,
            starting_price: money(start),
            reserve_price: reserve.map(|more| money((start + more).min(PRICE_MAX))),
            retraction,
            starts_at,
            ends_at: END,
            ..terms()
        },
    )
}

pub(super) fn dutch() -> impl Strategy<Value = Terms> {
    let prices = (base(200), 20i64..200, 0i64..20);
    (prices, 1i64..20, 1i64..5_000, start()).prop_map(
        |((base, start, floor), step, every_ms, starts_at)| Terms {
            format: Format::Dutch {
                step: money(step),
                every_ms,
                floor: money(base + floor),
            },
            starting_price: money(base + start),
            starts_at,
            ends_at: END,
            ..terms()
        },
    )
}
