//! The one place that reads the clock.

use std::time::Instant;

/// A measurement is about real time, so nothing is gained by passing it in.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock of the measurements"
)]
pub fn now() -> Instant {
    Instant::now()
}
