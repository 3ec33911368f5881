//! Waiting for what must happen, with a limit: no test guesses how long something takes.

use std::time::Duration;

/// By then it has happened, or it never will. What a server held when it was killed comes back after
/// its time-out of 30 s, and the machine may be slow.
const LIMIT: Duration = Duration::from_secs(90);
const EVERY: Duration = Duration::from_millis(10);

/// Looks until there is something to see.
#[track_caller]
pub(crate) fn eventually<T, C>(what: &str, check: C) -> impl Future<Output = T>
where
    C: AsyncFnMut() -> Option<T>,
{
    within(LIMIT, what, check)
}

/// The same with a limit that is part of what is tested.
#[track_caller]
pub(crate) fn within<T, C>(limit: Duration, what: &str, mut check: C) -> impl Future<Output = T>
where
    C: AsyncFnMut() -> Option<T>,
{
    let caller = std::panic::Location::caller();
    async move {
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            if let Some(seen) = check().await {
                return seen;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "{caller}: not within {limit:?}: {what}"
            );
            tokio::time::sleep(EVERY).await;
        }
    }
}
