//! How often what is asked for: random terms of every format, and random steps.

use commerce::auction::{Band, SoftClose};
use proptest::prelude::*;

use super::steps::{Act, After, Bade, NAMES, Step};
use super::*;
use crate::rig::Fail;

/// Soon, so that most auctions see theirs.
const ENDS: Millis = 20_000;

fn increments() -> impl Strategy<Value = Increment> {
    let bands = [(0, 1), (15, 2), (30, 7)].map(|(from, step)| Band {
        from: money(from),
        step: money(step),
    });
    prop_oneof![
        (1i64..6).prop_map(|step| Increment::Fixed(money(step))),
        Just(Increment::Bands(bands.to_vec())),
    ]
}

fn retractions() -> impl Strategy<Value = Option<RetractionRule>> {
    let rule = (1i64..30_000, 0i64..5_000).prop_map(|(within_ms, before_end_ms)| RetractionRule {
        within_ms,
        before_end_ms,
    });
    prop::option::weighted(0.8, rule)
}

/// Half of them are open at once.
fn starts() -> impl Strategy<Value = Millis> {
    prop_oneof![Just(0), 0i64..3_000]
}

fn english() -> impl Strategy<Value = Terms> {
    let soft =
        (500i64..15_000, 1i64..15_000, 0i64..30_000).prop_map(|(window, extend, more)| SoftClose {
            window_ms: window,
            extend_ms: extend,
            hard_end: ENDS + more,
        });
    let prices = (
        0i64..20,
        prop::option::of(1i64..60),
        prop::option::of(61i64..120),
    );
    let times = (prop::option::weighted(0.7, soft), retractions(), starts());
    (prices, increments(), 1u32..4, times).prop_map(
        |((price, reserve, buy_now), increment, lots, (soft_close, retraction, starts_at))| {
            let single = |more: i64| (lots == 1).then(|| money(price + more));
            Terms {
                starting_price: money(price),
                increment,
                lots,
                reserve_price: reserve.and_then(single),
                buy_now_price: buy_now.and_then(single),
                soft_close,
                retraction,
                starts_at,
                ends_at: ENDS,
                ..terms()
            }
        },
    )
}

fn sealed() -> impl Strategy<Value = Terms> {
    let format = prop_oneof![Just(Format::SealedFirst), Just(Format::SealedSecond)];
    let reserve = prop::option::of(1i64..20);
    (format, 0i64..10, reserve, retractions(), starts()).prop_map(
        |(format, price, reserve, retraction, starts_at)| Terms {
            format,
            starting_price: money(price),
            reserve_price: reserve.map(|more| money(price + more)),
            retraction,
            starts_at,
            ends_at: ENDS,
            ..terms()
        },
    )
}

fn dutch() -> impl Strategy<Value = Terms> {
    (20i64..200, 1i64..20, 1i64..5_000, 0i64..20, starts()).prop_map(
        |(price, step, every_ms, floor, starts_at)| Terms {
            format: Format::Dutch {
                step: money(step),
                every_ms,
                floor: money(floor),
            },
            starting_price: money(price),
            starts_at,
            ends_at: ENDS,
            ..terms()
        },
    )
}

fn creations() -> impl Strategy<Value = Step> {
    let terms = prop_oneof![4 => english(), 2 => sealed(), 1 => dutch()];
    let soon = prop_oneof![Just(0), 1i64..40_000];
    (terms, soon).prop_map(|(terms, closing_soon_ms)| Step::Create {
        terms: Box::new(terms),
        closing_soon_ms,
    })
}

fn bades() -> impl Strategy<Value = Bade> {
    let extra = prop_oneof![6 => Just(None), 1 => Just(Some(-1)), 6 => (0i64..60).prop_map(Some)];
    (0..NAMES.len(), -3i64..24, extra).prop_map(|(who, over, extra)| Bade { who, over, extra })
}

fn afters() -> impl Strategy<Value = After> {
    let who = || prop::option::weighted(0.2, 0..NAMES.len());
    prop_oneof![
        1 => who().prop_map(After::Settle),
        3 => who().prop_map(After::Forfeit),
        4 => (-5i64..9_000).prop_map(After::SecondChance),
        4 => (0usize..2, any::<bool>()).prop_map(|(back, accept)| After::Answer { back, accept }),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let keys = || prop::option::weighted(0.4, 0u64..12);
    let bodies = prop_oneof![6 => Just(1u64), 1 => Just(2u64)];
    // Mostly the two that were made last.
    let auction = || prop_oneof![4 => 0usize..2, 1 => 0usize..4];
    prop_oneof![
        1 => creations(),
        24 => (auction(), bades(), keys(), bodies, any::<bool>()).prop_map(
            |(auction, bade, key, body, defer)| Step::Bid { auction, bade, key, body, defer }
        ),
        2 => (auction(), 0..NAMES.len(), keys())
            .prop_map(|(auction, who, key)| Step::BuyNow { auction, who, key }),
        6 => (auction(), bades()).prop_map(|(auction, bade)| Step::Send { auction, bade }),
        6 => auction().prop_map(|auction| Step::Work { auction }),
        8 => (auction(), 0usize..6, prop::bool::weighted(0.1))
            .prop_map(|(auction, back, guessed)| Step::Retract { auction, back, guessed }),
        1 => (2usize..4).prop_map(|auction| Step::Cancel { auction }),
        3 => auction().prop_map(|auction| Step::Due { auction }),
        8 => (auction(), afters()).prop_map(|(auction, what)| Step::After { auction, what }),
    ]
}

pub(super) fn acts(most: usize) -> impl Strategy<Value = Vec<Act>> {
    let fails = prop_oneof![
        Just(Fail::CommitLost),
        Just(Fail::CommitKept),
        Just(Fail::SyncFailed),
    ];
    let batch = || prop::collection::vec(steps(), 1..10);
    let act = prop_oneof![
        4 => (0i64..3_000).prop_map(Act::Wait),
        3 => (-3_000i64..1_000).prop_map(Act::Near),
        1 => Just(Act::Restart),
        6 => Just(Act::Receive),
        3 => Just(Act::Clock),
        16 => batch().prop_map(Act::Batch),
        1 => (fails, batch()).prop_map(|(fail, steps)| Act::Crash(fail, steps)),
    ];
    let first = (creations(), creations()).prop_map(|(a, b)| Act::Batch(vec![a, b]));
    (first, prop::collection::vec(act, 10..most)).prop_map(|(first, rest)| {
        let mut acts = vec![first];
        acts.extend(rest);
        acts
    })
}
