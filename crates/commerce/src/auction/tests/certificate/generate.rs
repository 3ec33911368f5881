//! Random auctions, with everything that may be in a log.

use proptest::prelude::*;

use super::super::generate::{NAMES, dutch, english, sealed};
use super::recorder::{Recorder, Way};
use super::*;
use crate::money::PRICE_MAX;

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// So much over the price, with so much more as maximum.
    Bid(usize, i64, Option<i64>, Way),
    Decide,
    BuyNow(usize, Way),
    /// Counted from the newest.
    Retract(u64),
    Wait(Millis),
    /// From then on it is so long after the end, or before it.
    NearTheEnd(Millis),
    ClosingSoon,
    Cancel,
    Close,
    Settle,
    Forfeit,
    Offer(Millis),
    Answer(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let way = prop_oneof![
        3 => Just(Way::Direct),
        2 => Just(Way::Deferred),
        1 => (0i64..4_000).prop_map(Way::Message),
    ];
    let buy_now = prop_oneof![Just(Way::Direct), (0i64..4_000).prop_map(Way::Message)];
    let extra = prop_oneof![2 => Just(None), 3 => (-1i64..60).prop_map(Some)];
    prop_oneof![
        24 => (0usize..10, -3i64..16, extra, way).prop_map(|(w, o, e, y)| Step::Bid(w, o, e, y)),
        8 => Just(Step::Decide),
        1 => (0usize..10, buy_now).prop_map(|(w, y)| Step::BuyNow(w, y)),
        4 => (0u64..6).prop_map(Step::Retract),
        5 => (0i64..6_000).prop_map(Step::Wait),
        1 => (-3_000i64..1_000).prop_map(Step::NearTheEnd),
        1 => Just(Step::ClosingSoon),
        1 => prop::bool::weighted(0.1).prop_map(|rare| if rare { Step::Cancel } else { Step::Decide }),
        1 => prop::bool::weighted(0.3).prop_map(|rare| if rare { Step::Close } else { Step::Decide }),
    ]
}

fn later() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Settle),
        3 => Just(Step::Forfeit),
        3 => (1i64..3_000).prop_map(Step::Offer),
        3 => any::<bool>().prop_map(Step::Answer),
        2 => (0i64..2_000).prop_map(Step::Wait),
        2 => Just(Step::Decide),
        1 => (0usize..10, Just(Way::Deferred)).prop_map(|(who, way)| Step::Bid(who, 5, None, way)),
    ]
}

fn walk(recorder: &mut Recorder, step: Step) {
    match step {
        Step::Bid(who, over, extra, way) => {
            let price = match recorder.auction.terms.format {
                Format::English => recorder.auction.contest.price,
                Format::SealedFirst | Format::SealedSecond | Format::Dutch { .. } => {
                    recorder.auction.terms.scheduled_price(recorder.now)
                }
            };
            let amount = (price.minor() + over).clamp(0, PRICE_MAX);
            let english = recorder.auction.terms.format == Format::English;
            // A maximum where there is none is refused, now and then.
            let extra = extra.filter(|extra| english || *extra > 50);
            let maximum = extra.map(|extra| (amount + extra).clamp(0, PRICE_MAX));
            recorder.bid(NAMES[who], amount, maximum, way);
        }
        Step::Decide => {
            recorder.decide_next();
        }
        Step::BuyNow(who, way) => recorder.buy_now(NAMES[who], way),
        Step::Retract(back) => {
            let no = recorder.auction.bids.saturating_sub(back);
            recorder.retract(no);
        }
        Step::Wait(ms) => recorder.now += ms,
        Step::NearTheEnd(after) => {
            recorder.now = recorder.now.max(recorder.auction.ends_at + after);
        }
        Step::ClosingSoon => recorder.closing_soon(),
        Step::Cancel => recorder.cancel(),
        Step::Close => {
            if recorder.auction.status != AuctionStatus::Cancelled {
                recorder.close();
            }
        }
        Step::Settle => recorder.settle(),
        Step::Forfeit => recorder.forfeit(),
        Step::Offer(ms) => recorder.offer(recorder.now + ms),
        Step::Answer(accept) => recorder.answer(accept),
    }
}

fn play(terms: Terms, steps: Vec<Step>, later: Vec<Step>) -> Recorder {
    let mut recorder = Recorder::new(terms);
    for step in steps {
        walk(&mut recorder, step);
    }
    walk(&mut recorder, Step::Close);
    for step in later {
        walk(&mut recorder, step);
    }
    recorder
}

/// An auction from its creation to some time after its end.
pub(super) fn auction() -> impl Strategy<Value = Recorder> {
    let terms = prop_oneof![3 => english(), 1 => sealed(), 1 => dutch()];
    let steps = prop::collection::vec(step(), 0..60);
    let later = prop::collection::vec(later(), 0..16);
    (terms, steps, later).prop_map(|(terms, steps, later)| play(terms, steps, later))
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in &self.lines.all {
            writeln!(f, "{} {} {} {}", line.seq, line.at, line.kind, line.data)?;
            if let Some(sealed) = &line.sealed {
                writeln!(f, "    {sealed}")?;
            }
        }
        Ok(())
    }
}
