//! The single writer: a thread that drains what has arrived, decides it in order, commits it
//! together, answers everybody, and starts again.
//!
//! What always holds here: an answer is sent only after the commit that carries it returned;
//! commands are decided in the order in which they were taken; nothing is kept between two
//! batches but which lines still owe a verdict, and that is only a hint (a periodic scan finds
//! the same).

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use commerce::Sku;
use tokio::sync::{mpsc, oneshot, watch};

use crate::command::{Command, Refusal, Reply};
use crate::decide::{self, Batch};
use crate::engine::{EngineError, Limits, Nudges};
use crate::feed::Feed;
use crate::ports::{Clock, Ids, Store};

pub(crate) type Answer = Result<Result<Reply, Refusal>, EngineError>;

pub(crate) enum Job {
    Decide {
        command: Command,
        reply: oneshot::Sender<Answer>,
    },
    /// Take nothing more, finish what is there.
    Stop,
}

/// What the handle and the thread both look at.
pub(crate) struct Shared {
    pub(crate) depth: AtomicU64,
    pub(crate) failed: Mutex<Option<Arc<str>>>,
    pub(crate) stopping: AtomicBool,
    pub(crate) nudges: Nudges,
    /// How often a subscription was added: the relay looks again when it moves.
    pub(crate) subscriptions: AtomicU64,
}

impl Shared {
    pub(crate) fn failure(&self) -> Option<Arc<str>> {
        self.failed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

pub(crate) struct Parts {
    pub(crate) store: Box<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) limits: Limits,
    pub(crate) jobs: mpsc::Receiver<Job>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) feed: Feed,
    pub(crate) stopped: watch::Sender<bool>,
    /// Lines that may owe a verdict since before the start.
    pub(crate) unsettled: BTreeSet<Sku>,
    /// Lines whose turn came when the store could not be read: they are due again once it can.
    pub(crate) put_off: BTreeSet<Sku>,
}

pub(crate) fn spawn(parts: Parts) -> JoinHandle<()> {
    std::thread::Builder::new()
        .name("sequencer".into())
        .spawn(move || run(parts))
        .expect("the system can start one more thread")
}

/// One caller's command, or one of our own.
type Taken = (Command, Option<oneshot::Sender<Answer>>);

fn run(mut parts: Parts) {
    let mut stopping = false;
    loop {
        let mut taken: Vec<Taken> = Vec::with_capacity(parts.limits.batch_max);
        // What a line owes comes before anything new.
        while taken.len() < parts.limits.batch_max {
            let Some(sku) = parts.unsettled.pop_first() else {
                break;
            };
            taken.push((Command::Settle { sku }, None));
        }
        if taken.is_empty() {
            match parts.jobs.blocking_recv() {
                Some(Job::Decide { command, reply }) => taken.push((command, Some(reply))),
                Some(Job::Stop) => {
                    parts.jobs.close();
                    stopping = true;
                }
                None => break,
            }
        }
        while taken.len() < parts.limits.batch_max
            && !taken
                .last()
                .is_some_and(|(command, _)| decide::ends_batch(command))
        {
            match parts.jobs.try_recv() {
                Ok(Job::Decide { command, reply }) => taken.push((command, Some(reply))),
                Ok(Job::Stop) => {
                    parts.jobs.close();
                    stopping = true;
                }
                Err(_) => break,
            }
        }
        if taken.is_empty() {
            if stopping {
                break;
            }
            continue;
        }
        let from_callers = taken.iter().filter(|(_, reply)| reply.is_some()).count();
        parts
            .shared
            .depth
            .fetch_sub(from_callers as u64, Ordering::Relaxed);
        if let Err(error) = decide_and_commit(&mut parts, taken) {
            fail(&mut parts, &error);
            break;
        }
    }
    parts.stopped.send_replace(true);
}

/// The store failed in the middle: what was written is unknown, so this process must not decide
/// anything more. Everybody who waits is told; a restart reads what really is there.
fn fail(parts: &mut Parts, error: &EngineError) {
    let text: Arc<str> = error.to_string().into();
    tracing::error!(error = %text, "the store failed; the sequencer stops");
    *parts
        .shared
        .failed
        .lock()
        .unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&text));
    parts.jobs.close();
    while let Some(job) = parts.jobs.blocking_recv() {
        if let Job::Decide { reply, .. } = job {
            parts.shared.depth.fetch_sub(1, Ordering::Relaxed);
            let _ = reply.send(Err(EngineError::Store(Arc::clone(&text))));
        }
    }
}

fn decide_and_commit(parts: &mut Parts, taken: Vec<Taken>) -> Result<(), EngineError> {
    let began = parts.clock.now();
    metrics::histogram!("firstcome_batch_size").record(taken.len() as f64);
    let touch = decide::touch(
        taken.iter().map(|(command, _)| command),
        began,
        &parts.limits,
    );
    let loaded = match parts.store.load(&touch) {
        Ok(loaded) => loaded,
        Err(error) => {
            let error = EngineError::from(error);
            answer_all(parts, taken, &error);
            return Ok(());
        }
    };
    let mut batch = Batch::new(loaded, began, parts.ids.entropy(), parts.limits.clone());
    let mut answers = Vec::with_capacity(taken.len());
    for (command, reply) in taken {
        let name = command.name();
        let answer = batch.decide(command);
        if let Err(refusal) = &answer {
            metrics::counter!("firstcome_refusals_total", "code" => refusal.code()).increment(1);
        }
        answers.push((name, reply, answer));
    }
    let decided = batch.finish();
    if !decided.changes.is_empty() {
        let timer = metrics_timer();
        if let Err(error) = parts.store.commit(&decided.changes) {
            let error = EngineError::from(error);
            for (_, reply, _) in answers {
                if let Some(reply) = reply {
                    let _ = reply.send(Err(error.clone()));
                }
            }
            return Err(error);
        }
        metrics::histogram!("firstcome_commit_seconds").record(timer.elapsed().as_secs_f64());
    }
    // From here on the batch is durable: answers, feed, nudges.
    if !decided.changes.subscriptions.is_empty() {
        parts.shared.subscriptions.fetch_add(1, Ordering::Release);
    }
    let mut counts: Vec<(&'static str, u64)> = Vec::new();
    for (name, reply, answer) in answers {
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
        if let Some(reply) = reply {
            // The caller may have gone; the decision stands.
            let _ = reply.send(Ok(answer));
        }
    }
    for (name, count) in counts {
        metrics::counter!("firstcome_decisions_total", "command" => name).increment(count);
    }
    if !decided.changes.entries.is_empty() {
        parts.feed.publish(decided.changes.entries);
    }
    for queue in decided.woken_queues {
        parts.shared.nudges.wake(&queue);
    }
    parts.unsettled.extend(decided.unsettled);
    parts.unsettled.append(&mut parts.put_off);
    Ok(())
}

/// A failed load has changed nothing: the callers are told, and the thread goes on, since the
/// next one may succeed.
fn answer_all(parts: &mut Parts, taken: Vec<Taken>, error: &EngineError) {
    tracing::error!(%error, "a batch could not be loaded; nothing was changed");
    for (command, reply) in taken {
        match (command, reply) {
            (_, Some(reply)) => {
                let _ = reply.send(Err(error.clone()));
            }
            (Command::Settle { sku }, None) => {
                parts.put_off.insert(sku);
            }
            (_, None) => {}
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "measures how long a commit takes; no decision looks at it"
)]
fn metrics_timer() -> std::time::Instant {
    std::time::Instant::now()
}
