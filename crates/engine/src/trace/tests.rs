use std::sync::Arc;

use super::{Remembered, Span, Step, Trace, TraceContext, Tracer};
use crate::entry::Family;

/// What it is read as, with the flags; none when a new trace is begun.
fn check(parent: &str, expected: Option<(&str, &str, u8)>) {
    let read = TraceContext::parse(parent, None);
    let shown = read.as_ref().map(|context| {
        let text = context.traceparent();
        assert_eq!(TraceContext::parse(&text, None).as_ref(), Some(context));
        (
            text[3..35].to_owned(),
            text[36..52].to_owned(),
            context.flags,
        )
    });
    let expected = expected.map(|(trace, span, flags)| (trace.to_owned(), span.to_owned(), flags));
    assert_eq!(shown, expected, "{parent:?}");
}

#[test]
fn a_traceparent_is_read_as_the_recommendation_says() {
    let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    // The two examples of section 3.2.3.
    check(&format!("00-{trace}-{span}-01"), Some((trace, span, 1)));
    check(&format!("00-{trace}-{span}-00"), Some((trace, span, 0)));
    // The example of section 3.2.
    let (old, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    check(&format!("00-{old}-{parent}-01"), Some((old, parent, 1)));
    // Flags that nobody here knows are not passed on.
    check(&format!("00-{trace}-{span}-ff"), Some((trace, span, 3)));
    // A version of the future, with and without something behind.
    check(&format!("cc-{trace}-{span}-01"), Some((trace, span, 1)));
    check(
        &format!("cc-{trace}-{span}-01-what-ever"),
        Some((trace, span, 1)),
    );
}

#[test]
fn a_malformed_traceparent_is_none() {
    let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let zero_trace = "0".repeat(32);
    let zero_span = "0".repeat(16);
    for wrong in [
        String::new(),
        "00".to_owned(),
        "garbage".to_owned(),
        format!("ff-{trace}-{span}-01"),
        format!("00-{zero_trace}-{span}-01"),
        format!("00-{trace}-{zero_span}-01"),
        format!("00-{}-{span}-01", trace.to_uppercase()),
        format!("00-{trace}-{}-01", span.to_uppercase()),
        format!("0A-{trace}-{span}-01"),
        format!("00-{trace}-{span}-0X"),
        format!("00-{trace}-{span}-0"),
        format!("00-{trace}-{span}-011"),
        format!("00-{trace}-{span}-01-more"),
        format!("cc-{trace}-{span}-01.more"),
        format!("00-{}-{span}-01", &trace[1..]),
        format!("00-{trace}-{}-01", &span[1..]),
        format!("00-{trace}0-{span}-01"),
        format!("00_{trace}_{span}_01"),
        format!(" 00-{trace}-{span}-01"),
        format!("00-{}é-{span}-01", &trace[2..]),
    ] {
        check(&wrong, None);
    }
}

#[test]
fn a_state_that_is_too_long_is_dropped_and_the_parent_is_not() {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let members = |n: usize| vec!["a=1"; n].join(",");
    for (state, is_kept) in [
        ("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE".to_owned(), true),
        (members(32), true),
        (members(33), false),
        (format!("a={}", "x".repeat(510)), true),
        (format!("a={}", "x".repeat(511)), false),
        ("a=\u{7f}".to_owned(), false),
        (" ".to_owned(), false),
    ] {
        let read = TraceContext::parse(parent, Some(&state)).unwrap();
        assert_eq!(read.state.is_some(), is_kept, "{state}");
    }
}

struct Nobody;

impl Tracer for Nobody {
    fn begin(&self, _: &[TraceContext], _: Step<'_>) -> Option<Box<dyn Span>> {
        None
    }
}

fn trace(last: u8) -> Trace {
    let mut trace = [0; 16];
    trace[15] = last;
    let context = TraceContext {
        trace,
        span: [1; 8],
        flags: 1,
        state: None,
    };
    Trace::new(Arc::new(Nobody), [context])
}

fn found(remembered: &Remembered, seq: u64, subject: u64) -> Option<u8> {
    let origin = remembered.by(seq, subject, Family::Order)?;
    Some(origin.trace.parents()[0].trace[15])
}

fn about(remembered: &Remembered, seq: u64, subject: u64, family: Family) -> Option<u8> {
    let origin = remembered.by(seq, subject, family)?;
    Some(origin.about?.trace[15])
}

#[test]
fn an_entry_is_of_the_trace_that_made_it_or_of_its_order_s() {
    let remembered = Remembered::default();
    assert_eq!(found(&remembered, 5, 5), None);
    remembered.note(5..=6, &trace(1));
    remembered.note(9..=9, &trace(2));
    assert_eq!(found(&remembered, 5, 5), Some(1));
    assert_eq!(found(&remembered, 6, 3), Some(1));
    assert_eq!(found(&remembered, 9, 5), Some(2), "its own comes first");
    assert_eq!(
        found(&remembered, 20, 5),
        Some(1),
        "later, of nobody's request"
    );
    assert_eq!(found(&remembered, 20, 4), None);
    assert_eq!(about(&remembered, 9, 5, Family::Order), Some(1));
    assert_eq!(about(&remembered, 9, 5, Family::Bid), None);
    assert_eq!(about(&remembered, 5, 5, Family::Order), None);
    assert!(remembered.by(20, 5, Family::Auction).is_none());
}

#[test]
fn what_is_remembered_is_bounded() {
    let remembered = Remembered::default();
    remembered.note(1..=super::remembered::ENTRIES_MAX as u64, &trace(1));
    assert_eq!(found(&remembered, 1, 0), Some(1));
    let next = super::remembered::ENTRIES_MAX as u64 + 1;
    remembered.note(next..=next, &trace(1));
    assert_eq!(found(&remembered, 1, 0), None);
    assert_eq!(found(&remembered, 2, 0), Some(1));
}
