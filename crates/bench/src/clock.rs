//! The one place that reads the clock.

use std::time::{Duration, Instant};

/// A measurement is about real time, so nothing is gained by passing it in.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock of the measurements"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// This time tomorrow, as RFC 3339: what is measured must not end meanwhile.
pub fn tomorrow() -> String {
    in_seconds(24 * 60 * 60)
}

/// So many seconds from now, as RFC 3339 in whole seconds.
pub fn in_seconds(seconds: u64) -> String {
    let since_1970 = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    let at = since_1970 + Duration::from_secs(seconds);
    let seconds = i64::try_from(at.as_secs()).expect("this century fits");
    jiff::Timestamp::from_second(seconds)
        .expect("this century fits")
        .to_string()
}
