//! One attempt at a delivery, noted, and what follows from it.
//!
//! ```text
//! the row          the endpoint     what is done
//! delivered, gone                   nothing
//! pending, failed  disabled         it has failed; a replay brings it back
//! pending          not yet due      waits: in steps of 12 hours, the longest there is
//! pending, failed                   a call; noted; again by the schedule, or a dead letter
//! ```
//! An endpoint that has as many calls as it may have is asked again later, the later the longer its
//! line is: the queue counts each time that a message is received, and one that only waits for
//! its turn must not become a dead letter for it.
//!
//! Between the call and the note a crash makes the receiver hear it twice, with the same id.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use commerce::Millis;
use effects::webhooks::{Attempted, DeliveryStatus, Due, Noted, Schedule, StoredSecret, Webhooks};
use engine::Engine;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use outgoing::Client;
use tokio::time::Instant;
use wire::webhooks::Secret;

use super::{CALLER_QUEUE, CallMessage};
use crate::webhook::{Failure, post_signed};
use crate::workers::consumer::{Consumer, Delivery, Outcome, Pace};

/// How long a database that is away is left alone.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest visibility timeout there is, less what it takes to ask for it.
const STEP_MAX: Duration = Duration::from_secs(43_200 - 60);
/// Calls to one endpoint at a time from this process, and to one that fails: so that one that
/// does not answer leaves room for the others.
const CALLS_MAX: usize = 8;
const CALLS_TO_FAILING_MAX: usize = 2;
/// What of a visibility timeout is left for the rows before and after a call.
const BESIDE_THE_CALL: Duration = Duration::from_secs(10);
/// The longest that a receiver may put a call off: the longest wait there is between attempts.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3_600);
/// A message that comes a little early is as good as due.
const EARLY_MS: Millis = 50;

pub(in crate::workers) struct Caller {
    pub(in crate::workers) engine: Engine,
    pub(in crate::workers) webhooks: Webhooks,
    pub(in crate::workers) client: Client,
    pub(in crate::workers) schedule: Schedule,
    pub(in crate::workers) disable_after_ms: Millis,
    /// How long a call may take.
    pub(in crate::workers) timeout: Duration,
    pub(in crate::workers) calls: Calls,
}

/// The longest mean wait for a turn. Received so seldom, a message is received some 700 times in
/// the 14 days that the queue keeps it, and is a dead letter after 1,000.
const TURN_MAX: Duration = Duration::from_secs(1_800);

/// The calls that are being made: each delivery once, each endpoint a few.
#[derive(Clone, Default)]
pub(in crate::workers) struct Calls(Arc<Mutex<HashMap<String, Made>>>);

/// The calls to one endpoint.
#[derive(Default)]
struct Made {
    calls: Vec<(i64, Instant)>,
    /// How long the last one took.
    last: Duration,
}

/// A call that is being made, until it is dropped.
struct Call {
    calls: Calls,
    endpoint: String,
    delivery: i64,
}

impl Calls {
    /// Or how long a call takes now.
    fn begin(&self, endpoint: &str, delivery: i64, max: usize) -> Result<Call, Duration> {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let made = calls.entry(endpoint.to_owned()).or_default();
        let is_made = made.calls.iter().any(|(known, _)| *known == delivery);
        if made.calls.len() >= max || is_made {
            let ages = made.calls.iter().map(|(_, since)| since.elapsed());
            return Err(ages.fold(made.last, Duration::max));
        }
        made.calls.push((delivery, Instant::now()));
        Ok(Call {
            calls: self.clone(),
            endpoint: endpoint.to_owned(),
            delivery,
        })
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let mut calls = self.calls.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = calls.get_mut(&self.endpoint) {
            let ours = made.calls.iter().position(|(n, _)| *n == self.delivery);
            if let Some(ours) = ours {
                made.last = made.calls.swap_remove(ours).1.elapsed();
            }
            if made.calls.is_empty() {
                calls.remove(&self.endpoint);
            }
        }
    }
}

impl Consumer for Caller {
    fn name(&self) -> &'static str {
        "webhook-deliveries"
    }

    fn queue(&self) -> &'static str {
        CALLER_QUEUE
    }

    fn pace(&self) -> Pace {
        Pace {
            // One at a time: a slow endpoint delays nobody who came in the same batch.
            batch_max: 1,
            timeout: self.timeout + BESIDE_THE_CALL,
            ceiling: 32,
            // The schedule decides which attempt is the last one.
            receives_max: u32::MAX,
            ..Pace::default()
        }
    }

    fn handle<'a>(&'a self, batch: &'a [Delivery]) -> BoxFuture<'a, Vec<Outcome>> {
        join_all(batch.iter().map(|message| self.attempt(message))).boxed()
    }
}

fn wait(after: Duration, reason: &str) -> Outcome {
    Outcome::Wait {
        after,
        reason: reason.to_owned(),
    }
}

/// One delivery, or one endpoint: nothing is wrong with the others.
fn not_yet(after: Duration, reason: &str) -> Outcome {
    Outcome::NotYet {
        after,
        reason: reason.to_owned(),
    }
}

fn ms(ms: Millis) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// The same for the same attempt, so that a repeat of it waits for the same moment.
fn seed(delivery: i64, attempts: u32) -> u64 {
    let hash = blake3::hash(format!("{delivery}.{attempts}").as_bytes());
    let first = hash.as_bytes()[..8].try_into().expect("a hash is longer");
    u64::from_le_bytes(first)
}

/// When one of a line has its turn, more or less: half of what the whole line takes, so that
/// calls never wait for messages; at least and at most on average what is said. Not all at once.
fn turn(takes: Duration, line: u32, max: usize, least: Duration, seed: u64) -> Duration {
    let at_once = u32::try_from(2 * max).expect("a few");
    let mean = (takes / at_once)
        .saturating_mul(line)
        .clamp(least, TURN_MAX);
    mean / 2 + mean.mul_f64(fraction(seed))
}

/// From 0 to 1.
fn fraction(seed: u64) -> f64 {
    let [first, second, ..] = seed.to_le_bytes();
    f64::from(u16::from_le_bytes([first, second])) / f64::from(u16::MAX)
}

impl Caller {
    async fn attempt(&self, message: &Delivery) -> Outcome {
        let Ok(CallMessage { delivery }) = serde_json::from_str(&message.body) else {
            return Outcome::never("the message names no delivery");
        };
        let now = self.engine.now();
        let due = match self.webhooks.due(delivery, now).await {
            Ok(Some(due)) => due,
            Ok(None) => return Outcome::Done,
            Err(error) => return wait(PAUSE, &error.to_string()),
        };
        if due.delivery.status == DeliveryStatus::Delivered {
            return Outcome::Done;
        }
        if due.endpoint.disabled.is_some() {
            return match self.webhooks.give_up(delivery, now).await {
                Ok(()) => Outcome::Done,
                Err(error) => wait(PAUSE, &error.to_string()),
            };
        }
        let next_at = due.delivery.next_at.unwrap_or(now);
        if next_at - now > EARLY_MS {
            return not_yet(ms(next_at - now).min(STEP_MAX), "its time has not come");
        }
        let seed = seed(delivery, due.delivery.attempts_made);
        let fails = due.endpoint.failing_since.is_some();
        let max = if fails {
            CALLS_TO_FAILING_MAX
        } else {
            CALLS_MAX
        };
        let _call = match self.calls.begin(&due.endpoint.id, delivery, max) {
            Ok(call) => call,
            Err(takes) => {
                let least = Duration::from_secs(if fails { 10 } else { 1 });
                let line = u32::try_from(due.endpoint.pending).unwrap_or(u32::MAX);
                // Drawn anew each time it is received.
                let seed =
                    seed ^ u64::from(message.receive_count).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let after = turn(takes, line, max, least, seed);
                return not_yet(after, "the endpoint is busy");
            }
        };
        let attempted = self.call(&due).await;
        self.note(&due, attempted, seed).await
    }

    async fn call(&self, due: &Due) -> Attempted {
        let at = self.engine.now();
        let secrets: Result<Vec<Secret>, _> = due
            .secrets
            .iter()
            .map(|StoredSecret(text)| Secret::parse(text))
            .collect();
        let delivery = &due.delivery;
        let answer = match secrets {
            Ok(secrets) => {
                let (url, body) = (&due.endpoint.url, delivery.body.as_bytes());
                let at_s = at.div_euclid(1_000);
                post_signed(&self.client, url, &secrets, &delivery.event, at_s, body).await
            }
            Err(error) => Err(Failure {
                reason: format!("a secret cannot be used: {error}"),
                temporary: false,
                over_this_call: true,
                status: None,
                retry_after: None,
            }),
        };
        let now = self.engine.now();
        let (status, error, retry_after) = match answer {
            Ok(status) => (Some(status), None, None),
            Err(failure) => (failure.status, Some(failure.reason), failure.retry_after),
        };
        let not_before = retry_after.map(|asked| {
            let wait = asked.wait(now).min(RETRY_AFTER_MAX).as_millis();
            now + Millis::try_from(wait).expect("it is bounded")
        });
        Attempted {
            at,
            ms: (now - at).max(0),
            status,
            error,
            not_before,
        }
    }

    async fn note(&self, due: &Due, attempted: Attempted, seed: u64) -> Outcome {
        let outcome = if attempted.error.is_none() {
            "delivered"
        } else {
            "failed"
        };
        metrics::counter!("firstcome_webhook_attempts_total", "outcome" => outcome).increment(1);
        let (at, took_ms) = (attempted.at, attempted.ms);
        let reason = attempted.error.clone().unwrap_or_default();
        let n = due.delivery.n;
        let (schedule, after) = (self.schedule.clone(), self.disable_after_ms);
        let noted = self
            .webhooks
            .note(n, attempted, schedule, after, seed)
            .await;
        if !reason.is_empty() {
            tracing::info!(
                endpoint = due.endpoint.id,
                event = due.delivery.event,
                attempt = due.delivery.attempts_made + 1,
                duration_ms = took_ms,
                reason,
                "a webhook was not taken"
            );
        }
        match noted {
            Ok(Noted::Delivered | Noted::Gone) => Outcome::Done,
            Ok(Noted::Retry { at: next_at }) => Outcome::Later {
                after: Some(ms(next_at - at - took_ms).min(STEP_MAX)),
                reason,
            },
            Ok(Noted::Failed) => Outcome::never(reason),
            Ok(Noted::Disabled(why)) => {
                tracing::warn!(
                    endpoint = due.endpoint.id,
                    why = why.as_str(),
                    "a webhook endpoint was disabled"
                );
                Outcome::Done
            }
            Err(error) => wait(PAUSE, &error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::workers::consumers::tests::rig::{Queue, start};

    #[test]
    fn a_delivery_is_called_once_at_a_time_and_an_endpoint_a_few_times() {
        let calls = Calls::default();
        let first = calls.begin("a", 1, 2);
        assert!(first.is_ok());
        assert!(calls.begin("a", 1, 2).is_err(), "the same delivery");
        let second = calls.begin("a", 2, 2);
        assert!(calls.begin("a", 3, 2).is_err(), "two there are");
        assert!(calls.begin("b", 3, 2).is_ok(), "another endpoint");
        drop(first);
        assert!(calls.begin("a", 3, 2).is_ok());
        drop(second);
        assert!(calls.0.lock().unwrap().is_empty());
    }

    /// A whole line at an endpoint that answers slowly, in the runtime that it has.
    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_turn_is_received_seldom_and_no_call_waits_for_it() {
        const LINE: u32 = 450;
        const TAKES: Duration = Duration::from_secs(14);
        let queue = Queue::new(Duration::from_millis(1));
        for n in 0..LINE {
            queue.send(n, None);
        }
        let pace = Pace {
            batch_max: 1,
            ceiling: 32,
            ..Pace::default()
        };
        let (calls, of_queue) = (Calls::default(), Arc::clone(&queue));
        let most = Arc::new(AtomicU32::new(0));
        let receives = Arc::clone(&most);
        let running = start(&queue, pace, move |batch: Vec<Delivery>| {
            let n: i64 = batch[0].id.parse().unwrap();
            let line = u32::try_from(of_queue.left().len()).unwrap();
            let begun = calls.begin("a", n, CALLS_MAX);
            receives.fetch_max(batch[0].receive_count, Ordering::Relaxed);
            let seed = seed(n, batch[0].receive_count);
            async move {
                let outcome = match begun {
                    Ok(_call) => {
                        tokio::time::sleep(TAKES).await;
                        Outcome::Done
                    }
                    Err(takes) => {
                        let least = Duration::from_secs(1);
                        not_yet(turn(takes, line, CALLS_MAX, least, seed), "busy")
                    }
                };
                vec![outcome]
            }
        });
        let at_best = TAKES * LINE / 8;
        running.is_empty(at_best.mul_f64(1.4)).await;
        let most = most.load(Ordering::Relaxed);
        assert!(most < 40, "{most}");
        running.stop().await;
    }

    #[test]
    fn the_longer_the_line_the_later_and_never_too_often_for_the_queue() {
        let second = Duration::from_secs(1);
        for (takes_s, line, expected_s) in [
            (0, 500_000, 1),
            (14, 8, 7),
            (14, 450, 393),
            (15, 500_000, 1_800),
        ] {
            let takes = Duration::from_secs(takes_s);
            let of = |seed| turn(takes, line, 8, second, seed).as_secs();
            assert_eq!(of(0), expected_s / 2, "{takes_s} {line}");
            assert!(of(u64::MAX).abs_diff(expected_s * 3 / 2) <= 1);
        }
    }
}
