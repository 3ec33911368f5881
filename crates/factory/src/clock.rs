//! The one place that reads the wall clock.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

/// The time now, in whole milliseconds, as it is stored.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the factory's clock adapter; everything else takes the time as an argument"
)]
pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    from_ms(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// Milliseconds since 1970; what a calendar cannot hold becomes its last moment.
pub(crate) fn from_ms(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
}

pub(crate) fn after(start: Timestamp, wait: Duration) -> Timestamp {
    let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
    from_ms(start.as_millisecond().saturating_add(wait))
}

/// How long from one moment to another, nothing when it has passed.
pub(crate) fn until(now: Timestamp, then: Timestamp) -> Duration {
    let ms = then.as_millisecond().saturating_sub(now.as_millisecond());
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// RFC 3339 in UTC with milliseconds.
pub(crate) fn text(time: Timestamp) -> String {
    format!("{time:.3}")
}
