//! Who is woken by what, in which order, and what the timer asks for.

use std::pin::pin;
use std::task::{Context, Waker};

use proptest::prelude::*;

use super::*;

const QUEUE: &str = "q";

fn messages(waits: &Waits, count: usize) {
    let wake = Wake {
        now: count,
        at: None,
    };
    waits.wake(QUEUE, wake);
}

fn later(waits: &Waits, at: Millis) {
    let wake = Wake {
        now: 0,
        at: Some(at),
    };
    waits.wake(QUEUE, wake);
}

/// Whether it has been woken by now; what follows is that it takes its place again.
fn is_woken(waiter: &mut Waiter) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    pin!(waiter.woken()).poll(&mut context).is_ready()
}

fn woken<const N: usize>(mut waiters: [&mut Waiter; N]) -> [bool; N] {
    std::array::from_fn(|at| is_woken(waiters[at]))
}

#[test]
fn one_message_wakes_the_one_who_has_waited_longest() {
    let waits = Waits::default();
    let [mut a, mut b, mut c] = std::array::from_fn(|_| waits.enter(QUEUE));
    let mut elsewhere = waits.enter("other");
    assert_eq!(waits.waiting(), 4);
    assert_eq!(woken([&mut a, &mut b, &mut c]), [false; 3]);
    messages(&waits, 1);
    assert_eq!(woken([&mut b, &mut c, &mut a]), [false, false, true]);
    assert_eq!(waits.waiting(), 3);
    messages(&waits, 5);
    assert_eq!(woken([&mut b, &mut c]), [true, true]);
    assert!(!is_woken(&mut elsewhere));
    // There is nobody any more; whoever comes looks first.
    messages(&waits, 1);
    assert!(!is_woken(&mut waits.enter(QUEUE)));
}

#[test]
fn what_others_did_wakes_one_and_asks_the_store_anew() {
    let waits = Waits::default();
    let [mut a, mut b] = std::array::from_fn(|_| waits.enter(QUEUE));
    let (asked, _) = waits.tick(1_000);
    waits.learn(&asked[0], None);
    assert!(waits.tick(2_000).0.is_empty());
    waits.told_by_others("other");
    assert_eq!(woken([&mut a, &mut b]), [false; 2]);
    waits.told_by_others(QUEUE);
    assert_eq!(woken([&mut b, &mut a]), [false, true]);
    // It was asked before the others did something more: the answer may not know of that.
    let (asked, _) = waits.tick(3_000);
    assert_eq!(asked[0].since, 2_000);
    a.used();
    waits.told_by_others(QUEUE);
    waits.learn(&asked[0], None);
    let (asked, _) = waits.tick(4_000);
    waits.learn(&asked[0], Some(5_000));
    assert_eq!(waits.tick(4_500).1, Some(5_000));
}

#[test]
fn whoever_leaves_hands_the_wake_on() {
    let waits = Waits::default();
    let [a, b, mut c, mut d] = std::array::from_fn(|_| waits.enter(QUEUE));
    // Nothing came, nothing is handed on.
    drop(b);
    assert_eq!(woken([&mut c, &mut d]), [false, false]);
    messages(&waits, 1);
    drop(a);
    assert_eq!(woken([&mut d, &mut c]), [false, true]);
    // Woken, and gone before it said what became of it.
    drop(c);
    assert!(is_woken(&mut d));
    drop(d);
    assert_eq!(waits.waiting(), 0);
    assert!(waits.lock().lines.is_empty(), "nothing is left behind");
}

#[test]
fn a_look_that_failed_is_another_ones() {
    let waits = Waits::default();
    let [mut a, mut b, mut c] = std::array::from_fn(|_| waits.enter(QUEUE));
    messages(&waits, 1);
    assert_eq!(woken([&mut a, &mut b]), [true, false]);
    a.used();
    a.failed();
    assert_eq!(woken([&mut c, &mut b]), [false, true]);
    // Also when it was woken once more while it looked.
    b.used();
    messages(&waits, 1);
    b.failed();
    assert!(is_woken(&mut c));
    c.used();
    c.failed();
    assert!(waits.lock().lines.is_empty(), "nothing is left behind");
}

#[test]
fn a_place_is_kept_when_there_was_nothing() {
    let waits = Waits::default();
    let [mut a, mut b] = std::array::from_fn(|_| waits.enter(QUEUE));
    for _ in 0..3 {
        messages(&waits, 1);
        assert_eq!(woken([&mut b, &mut a]), [false, true]);
        a.used();
        assert_eq!(woken([&mut b, &mut a]), [false, false]);
    }
    // Also when everybody was away.
    messages(&waits, 2);
    assert_eq!(woken([&mut a, &mut b]), [true, true]);
    let mut c = waits.enter(QUEUE);
    b.used();
    a.used();
    messages(&waits, 1);
    assert_eq!(woken([&mut c, &mut b, &mut a]), [false, false, true]);
}

#[test]
fn what_arrives_during_a_look_is_not_slept_through() {
    let waits = Waits::default();
    let mut a = waits.enter(QUEUE);
    // During the first look, which began after it entered.
    messages(&waits, 1);
    assert!(is_woken(&mut a));
    // And during a later one.
    a.used();
    messages(&waits, 1);
    assert!(is_woken(&mut a));
}

/// What the timer wants to know: the queue, and after when.
fn asked(questions: &[Question]) -> Vec<(&str, Millis)> {
    questions
        .iter()
        .map(|question| (&*question.queue, question.since))
        .collect()
}

#[test]
fn the_timer_wakes_when_a_message_becomes_visible() {
    let waits = Waits::default();
    assert_eq!(asked(&waits.tick(100).0), []);
    let [mut a, mut b] = std::array::from_fn(|_| waits.enter(QUEUE));
    let (questions, next) = waits.tick(110);
    // A look may have been at any time since the tick before.
    assert_eq!(asked(&questions), [(QUEUE, 100)]);
    assert_eq!(next, None);
    waits.learn(&questions[0], Some(150));
    assert_eq!(asked(&waits.tick(120).0), []);
    assert_eq!(waits.tick(149).1, Some(150));
    assert_eq!(woken([&mut a, &mut b]), [false, false]);
    let (questions, _) = waits.tick(151);
    assert_eq!(woken([&mut b, &mut a]), [false, true]);
    // The look that follows sees all that is visible by now.
    assert_eq!(asked(&questions), [(QUEUE, 151)]);
    waits.learn(&questions[0], None);
    let (questions, next) = waits.tick(1_000);
    assert_eq!((asked(&questions), next), (vec![], None));
    assert!(!is_woken(&mut b));
}

#[test]
fn what_became_visible_between_a_look_and_the_timer_wakes() {
    let waits = Waits::default();
    waits.tick(100);
    let mut a = waits.enter(QUEUE);
    // It looked at 105; the message became visible at 108; the timer comes at 110.
    let (questions, _) = waits.tick(110);
    waits.learn(&questions[0], Some(108));
    let (questions, _) = waits.tick(110);
    assert!(is_woken(&mut a));
    assert_eq!(asked(&questions), [], "nobody waits");
    a.used();
    assert_eq!(asked(&waits.tick(111).0), [(QUEUE, 110)]);
}

#[test]
fn what_is_told_is_sooner_than_an_older_answer() {
    for (told, answer, expected) in [
        (Some(150), None, Some(150)),
        (Some(150), Some(170), Some(150)),
        (Some(150), Some(130), Some(130)),
        (None, Some(130), Some(130)),
        (None, None, None),
    ] {
        let waits = Waits::default();
        let _a = waits.enter(QUEUE);
        let (questions, _) = waits.tick(100);
        // While the store is asked, and after it has answered.
        if let Some(at) = told {
            later(&waits, at + 10);
            later(&waits, at);
            later(&waits, at + 20);
        }
        waits.learn(&questions[0], answer);
        assert_eq!(waits.tick(101).1, expected, "{told:?} {answer:?}");
        later(&waits, 160);
        let sooner = expected.map_or(160, |at: Millis| at.min(160));
        assert_eq!(waits.tick(102).1, Some(sooner));
    }
}

#[test]
fn an_answer_for_a_line_that_was_forgotten_is_not_believed() {
    let waits = Waits::default();
    let a = waits.enter(QUEUE);
    let (questions, _) = waits.tick(100);
    drop(a);
    // Nobody hears of this one.
    later(&waits, 150);
    let _b = waits.enter(QUEUE);
    waits.learn(&questions[0], None);
    let (questions, _) = waits.tick(120);
    assert_eq!(asked(&questions), [(QUEUE, 100)]);
}

#[test]
fn ten_thousand_may_wait() {
    const WAITERS: usize = 10_000;
    let began = tokio::time::Instant::now();
    let waits = Waits::default();
    let mut waiters: Vec<Waiter> = (0..WAITERS).map(|_| waits.enter(QUEUE)).collect();
    assert_eq!(waits.waiting(), WAITERS);
    // One message after the other wakes one of them each.
    for waiter in &mut waiters {
        messages(&waits, 1);
        assert!(is_woken(waiter));
    }
    // In front of those who came first, and at the end, they leave in any order.
    waiters.truncate(WAITERS / 2);
    waiters.reverse();
    drop(waiters);
    assert_eq!(waits.waiting(), 0);
    // Each on a queue of its own, too.
    let waiters: Vec<Waiter> = (0..WAITERS).map(|n| waits.enter(&n.to_string())).collect();
    assert_eq!(waits.tick(1).0.len(), WAITERS);
    drop(waiters);
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}

#[derive(Debug, Clone)]
enum Step {
    Enter,
    Messages(usize),
    /// The n-th of those who are there: goes away, looks in vain, or looks and is full.
    Leave(usize),
    Look {
        who: usize,
        full: bool,
    },
    /// A look that fails: another one looks.
    Fail(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Enter),
        3 => (0usize..4).prop_map(Step::Messages),
        2 => (0usize..8).prop_map(Step::Leave),
        4 => (0usize..8, prop::bool::weighted(0.3))
            .prop_map(|(who, full)| Step::Look { who, full }),
        1 => (0usize..8).prop_map(Step::Fail),
    ];
    prop::collection::vec(step, 1..80)
}

proptest! {
    #[test]
    fn wakes_are_handed_out_as_in_a_list(steps in steps()) {
        let waits = Waits::default();
        // In the order in which they came, each with whether it is chosen.
        let mut list: Vec<(Waiter, bool)> = Vec::new();
        let choose = |list: &mut Vec<(Waiter, bool)>, count: usize| {
            let standing = list.iter_mut().filter(|(_, chosen)| !chosen);
            for (_, chosen) in standing.take(count) {
                *chosen = true;
            }
        };
        for step in steps {
            match step {
                Step::Enter => list.push((waits.enter(QUEUE), false)),
                Step::Messages(count) => {
                    messages(&waits, count);
                    choose(&mut list, count);
                }
                Step::Leave(who) if who < list.len() => {
                    let (waiter, chosen) = list.remove(who);
                    drop(waiter);
                    choose(&mut list, usize::from(chosen));
                }
                Step::Look { who, full } if who < list.len() => {
                    let (waiter, chosen) = &mut list[who];
                    prop_assert_eq!(is_woken(waiter), *chosen);
                    if *chosen {
                        waiter.used();
                        *chosen = false;
                    }
                    if full {
                        // It left something: the engine wakes the next.
                        messages(&waits, 1);
                        choose(&mut list, 1);
                    }
                }
                Step::Fail(who) if who < list.len() => {
                    let (mut waiter, chosen) = list.remove(who);
                    if chosen {
                        prop_assert!(is_woken(&mut waiter));
                        waiter.used();
                    }
                    waiter.failed();
                    choose(&mut list, 1);
                }
                Step::Leave(_) | Step::Look { .. } | Step::Fail(_) => {}
            }
            let standing = list.iter().filter(|(_, chosen)| !chosen).count();
            prop_assert_eq!(waits.waiting(), standing);
        }
    }
}
