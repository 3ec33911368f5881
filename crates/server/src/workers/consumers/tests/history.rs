//! What is kept of what consumers did, from given looks.

use std::time::Duration;

use crate::workers::consumers::history::{History, SAMPLES_MAX};
use crate::workers::consumers::monitor::{ConsumerState, ConsumerStatus};
use crate::workers::consumers::port::Backlog;

fn status(name: &'static str, handled: u64, failed: u64, backlog: Option<u64>) -> ConsumerStatus {
    ConsumerStatus {
        name,
        queue: name,
        state: ConsumerState::Running,
        concurrency: 3,
        floor: 1,
        ceiling: 8,
        in_hand: 0,
        handled,
        failed,
        dead: 0,
        rate_per_minute: 0,
        last_failure: None,
        last_progress_at: None,
        backlog: backlog.map(|visible| Backlog {
            visible,
            in_flight: 2,
            oldest_age: Some(Duration::from_secs(visible)),
        }),
    }
}

#[test]
fn what_was_done_is_counted_from_look_to_look() {
    let mut history = History::default();
    // What came before the first look is in no sample.
    history.look(
        1_000,
        &[status("a", 100, 7, Some(9)), status("b", 1, 0, None)],
    );
    history.look(
        6_000,
        &[status("a", 112, 7, Some(4)), status("b", 1, 0, None)],
    );
    history.look(
        13_500,
        &[status("a", 112, 9, None), status("b", 2, 0, None)],
    );
    let samples = history.of("a", 0);
    let told: Vec<_> = samples
        .iter()
        .map(|one| {
            (
                one.at,
                one.handled,
                one.rate_per_second.to_string(),
                one.failed,
                one.visible,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (1_000, 0, "0".to_owned(), 0, Some(9)),
            (6_000, 12, "2.4".to_owned(), 0, Some(4)),
            (13_500, 0, "0".to_owned(), 2, None),
        ]
    );
    assert_eq!(samples[1].in_flight, Some(2));
    assert_eq!(samples[1].oldest_age, Some(Duration::from_secs(4)));
    assert_eq!(samples[1].concurrency, 3);
    // 1 in 7.5 seconds.
    assert_eq!(history.of("b", 6_000)[0].rate_per_second.to_string(), "0.1");
    assert_eq!(history.of("c", 0), []);
}

#[test]
fn an_hour_is_kept_and_no_more() {
    let mut history = History::default();
    let looks = SAMPLES_MAX + 10;
    for n in 0..looks {
        let at = i64::try_from(n).unwrap() * 5_000;
        history.look(at, &[status("a", n as u64, 0, None)]);
    }
    let samples = history.of("a", -1);
    assert_eq!(samples.len(), SAMPLES_MAX);
    assert_eq!(samples[0].at, 10 * 5_000);
    assert_eq!(
        samples.last().unwrap().at,
        i64::try_from(looks - 1).unwrap() * 5_000
    );
    assert_eq!(history.of("a", samples[SAMPLES_MAX - 2].at).len(), 1);
}

#[test]
fn a_clock_set_back_and_a_count_begun_anew_give_no_nonsense() {
    let mut history = History::default();
    history.look(10_000, &[status("a", 50, 0, None)]);
    history.look(9_000, &[status("a", 60, 0, None)]);
    history.look(10_000, &[status("a", 60, 0, None)]);
    assert_eq!(history.of("a", 0).len(), 1);
    history.look(15_000, &[status("a", 3, 0, None)]);
    assert_eq!(history.of("a", 10_000)[0].handled, 0);
}
