//! Receives from one queue and hands each message to its worker.
//!
//! What always holds here: a message is deleted only after its work is done; what fails for now
//! comes back later and later; what would never succeed goes to the dead-letter queue with its
//! reason. A periodic look finds messages; being woken only makes it sooner. A message that takes
//! long keeps one place and holds up none of the others.

use std::time::Duration;

use engine::{Command, EngineError, Refusal, Reply, Room};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use messaging::{Message, ReceiptHandle};

use crate::state::App;
use crate::traces::{Item, System, processing};

/// Looked for at least so often.
const EVERY: Duration = Duration::from_secs(1);
/// Messages received at a time, and worked on side by side.
pub(super) const BATCH: usize = 10;
/// After an outage of the engine.
const PAUSE: Duration = Duration::from_millis(200);

/// What became of one message.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Nothing is left to do.
    Done,
    /// Nothing is left to do, and the message went with the work.
    Gone,
    /// Not now; try again in so many seconds, or later.
    Later { after_s: u32 },
    /// Never, and why.
    Never { reason: String },
}

pub(super) trait Worker: Send + Sync + 'static {
    const NAME: &'static str;
    /// The longest wait before a failed message is tried again.
    const RETRY_MAX_S: u32 = 900;

    fn work(&self, message: &Message) -> impl Future<Output = Result<Outcome, EngineError>> + Send;
}

pub(super) async fn run<W: Worker>(app: App, queue: &'static str, worker: W) {
    let (app, worker) = (&app, &worker);
    let mut working = FuturesUnordered::new();
    loop {
        let room = BATCH - working.len();
        if room == 0 {
            note::<W>(working.next().await);
            continue;
        }
        let received = next(app, W::NAME, queue, room);
        tokio::pin!(received);
        // What is being worked on goes on while more is waited for.
        let received = loop {
            tokio::select! {
                received = &mut received => break received,
                done = working.next(), if !working.is_empty() => note::<W>(done),
            }
        };
        let Some((queue_id, messages)) = received else {
            break;
        };
        working.extend(messages.into_iter().map(|message| async move {
            // Each for itself: nobody waits for a slow neighbour.
            handle(app, queue, queue_id, worker, &message).await
        }));
    }
    while let Some(done) = working.next().await {
        note::<W>(Some(done));
    }
}

fn note<W: Worker>(done: Option<Result<(), EngineError>>) {
    if let Some(Err(error)) = done {
        // The message comes back when its time-out has passed.
        tracing::warn!(%error, worker = W::NAME, "a message was left for later");
    }
}

/// The next messages of this queue, so many at most, held for whoever asks; none when the server stops. Of several
/// that ask, one message wakes one.
pub(super) async fn next(
    app: &App,
    worker: &'static str,
    queue: &str,
    max: usize,
) -> Option<(u32, Vec<Message>)> {
    // In line before the first look: what arrives in between is not slept through.
    let mut waiter = app.engine.waits().enter(queue);
    loop {
        app.workers.beat(worker, app.engine.now());
        if app.cancel.is_cancelled() {
            return None;
        }
        // Never given up half-way: what nobody waits for would be received all the same, and
        // then be held by nobody until its time-out.
        match receive(app, queue, max).await {
            Ok((_, messages)) if messages.is_empty() => {
                tokio::select! {
                    () = app.cancel.cancelled() => return None,
                    () = waiter.woken() => waiter.used(),
                    () = tokio::time::sleep(EVERY) => {}
                }
            }
            Ok(received) => return Some(received),
            Err(EngineError::Stopping) => return None,
            Err(error) => {
                tracing::debug!(%error, worker, "cannot receive now");
                tokio::select! {
                    () = app.cancel.cancelled() => return None,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
    }
}

async fn receive(app: &App, queue: &str, max: usize) -> Result<(u32, Vec<Message>), EngineError> {
    let command = Command::ReceiveMessages {
        queue: queue.to_owned(),
        max,
        visibility_timeout_s: None,
        attempt: None,
        waits: true,
        room: Room::All,
    };
    match app.engine.decide(command).await? {
        Ok(Reply::Messages { queue_id, messages }) => Ok((queue_id, messages)),
        Ok(_) => unreachable!("receiving answers with messages"),
        Err(refusal) => Err(refused(&refusal)),
    }
}

pub(super) fn refused(refusal: &Refusal) -> EngineError {
    EngineError::Store(format!("refused: {}", refusal.code()).into())
}

async fn handle<W: Worker>(
    app: &App,
    queue: &str,
    queue_id: u32,
    worker: &W,
    message: &Message,
) -> Result<(), EngineError> {
    let handle = ReceiptHandle {
        queue_id,
        seq: message.seq,
        receipt: message.receipt.unwrap_or(0),
    };
    let (queue_name, queue) = (queue, queue.to_owned());
    let command = match work(queue_name, worker, message).await? {
        Outcome::Gone => return Ok(()),
        Outcome::Done => Command::DeleteMessage { queue, handle },
        Outcome::Later { after_s } => Command::ChangeVisibility {
            queue,
            handle,
            timeout_s: after_s.min(W::RETRY_MAX_S),
        },
        Outcome::Never { reason } => Command::DeadLetter {
            queue,
            handle,
            reason,
        },
    };
    match app.engine.decide(command).await? {
        Ok(_) => Ok(()),
        // Somebody else received it meanwhile: theirs is the work now.
        Err(Refusal::Queue(_)) => Ok(()),
        Err(refusal) => Err(refused(&refusal)),
    }
}

/// The work, as part of the trace that the message comes with, if anybody watches.
async fn work<W: Worker>(
    queue: &str,
    worker: &W,
    message: &Message,
) -> Result<Outcome, EngineError> {
    let items = std::iter::once(Item::from(message));
    let traced = processing(W::NAME, queue, System::Own, items);
    let Some(mut traced) = traced else {
        return worker.work(message).await;
    };
    let done = traced.within(worker.work(message)).await;
    let (outcome, is_failure) = match &done {
        Ok(Outcome::Done | Outcome::Gone) => ("done", false),
        Ok(Outcome::Later { .. }) => ("later", true),
        Ok(Outcome::Never { .. }) => ("never", true),
        Err(_) => ("engine", true),
    };
    traced.end(0, outcome, is_failure);
    done
}
