//! When a callback that failed is tried again.
//!
//! | what happened | first wait | doubles up to |
//! |---|---|---|
//! | nobody answered; 408, 425, 429, 5xx | 0.2 to 0.4 s | 15 to 30 s |
//! | any other answer but a 2xx; a call that the settings forbid | 5 to 10 s | 150 to 300 s |
//!
//! A refusal is retried too, only slowly: a shop that is being deployed may answer 404 for
//! a minute, and an operator may correct a certificate or a setting. The wait is drawn from
//! the upper half of its step, so that callbacks which failed together do not come back
//! together. `Retry-After` lengthens a wait up to [`RETRY_AFTER_MAX`].

use std::time::Duration;

use outgoing::{CallError, Response, RetryAfter};

use crate::job::{Failing, Failure};

/// The most that a `Retry-After` is obeyed.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// What came of one callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Taken {
        status: u16,
    },
    Failed {
        kind: Failure,
        status: Option<u16>,
        error: String,
        retry_after: Duration,
    },
}

pub(crate) fn judge(answer: Result<Response, CallError>) -> Outcome {
    match answer {
        Ok(answer) if answer.is_success() => Outcome::Taken {
            status: answer.status,
        },
        Ok(answer) => Outcome::Failed {
            kind: match answer.status {
                408 | 425 | 429 | 500.. => Failure::Temporary,
                _ => Failure::Refused,
            },
            status: Some(answer.status),
            error: format!("the callback was answered {}", answer.status),
            retry_after: asked(answer.retry_after).min(RETRY_AFTER_MAX),
        },
        Err(error) => Outcome::Failed {
            kind: if error.temporary() {
                Failure::Temporary
            } else {
                Failure::Refused
            },
            status: None,
            error: error.to_string(),
            retry_after: Duration::ZERO,
        },
    }
}

/// Shops say it in seconds.
fn asked(retry_after: Option<RetryAfter>) -> Duration {
    match retry_after {
        Some(RetryAfter::Wait(wait)) => wait,
        Some(RetryAfter::At(_)) | None => Duration::ZERO,
    }
}

/// The wait before the next try; `random` is any number.
pub(crate) fn wait(failing: Failing, random: u32) -> Duration {
    let (first_ms, last_ms) = match failing.kind {
        Failure::Temporary => (400_u64, 30_000),
        Failure::Refused => (10_000, 300_000),
    };
    let doublings = failing.times.saturating_sub(1).min(16);
    let step = (first_ms << doublings).min(last_ms);
    let half = step / 2;
    Duration::from_millis(half + u64::from(random) % (half + 1))
}
