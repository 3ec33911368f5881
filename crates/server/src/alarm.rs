//! One timer for whatever a connection waits for.
//!
//! The header and the body of every request are waited for, and nearly all are there at once. To have
//! a timer entered for each and taken out again costs as much as to read the header. So a connection
//! has one, which is never taken out: it may go off too early, and then it is set to the moment that is
//! waited for now.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// For one task: who polls it last is woken.
#[derive(Clone)]
pub(crate) struct Alarm(Arc<Mutex<Pin<Box<Sleep>>>>);

impl Alarm {
    /// Set for nothing yet. Must be called inside of the runtime.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Box::pin(sleep_until(Instant::now())))))
    }

    /// Ready from that moment on.
    pub(crate) fn poll_until(&self, moment: Instant, context: &mut Context<'_>) -> Poll<()> {
        let mut sleep = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if Instant::now() >= moment {
                return Poll::Ready(());
            }
            if sleep.is_elapsed() || sleep.deadline() > moment {
                sleep.as_mut().reset(moment);
            }
            if sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn until(&self, moment: Instant) -> Until {
        Until {
            alarm: self.clone(),
            moment,
        }
    }
}

/// As hyper waits for a header.
impl hyper::rt::Timer for Alarm {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(self.until(Instant::now() + duration))
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(self.until(deadline.into()))
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into_std()
    }
}

struct Until {
    alarm: Alarm,
    moment: Instant,
}

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.alarm.poll_until(self.moment, context)
    }
}

impl hyper::rt::Sleep for Until {}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn it_goes_off_at_the_moment_that_is_waited_for() {
        let alarm = Alarm::new();
        let began = Instant::now();
        // Later each time, sooner, and long past what it was set to.
        for wait in [5 * S, 75 * S, S, 3 * S, Duration::ZERO, 600 * S, 2 * S] {
            let from = Instant::now();
            alarm.until(from + wait).await;
            assert_eq!(from.elapsed(), wait);
        }
        assert_eq!(began.elapsed(), 686 * S);
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_in_time_leaves_nothing_behind() {
        let alarm = Alarm::new();
        for _ in 0..100 {
            let from = Instant::now();
            // Somebody who waited for it no longer does.
            let late = alarm.until(from + 75 * S);
            let came = tokio::time::timeout(S, late).await;
            assert!(came.is_err());
            assert_eq!(from.elapsed(), S);
        }
        let from = Instant::now();
        alarm.until(from + 30 * S).await;
        assert_eq!(from.elapsed(), 30 * S);
    }
}
