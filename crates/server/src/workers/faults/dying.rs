//! A process that dies where it is told to, and the next one, which goes on.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, poll_fn};
use tokio::sync::Notify;

use super::worlds::World;
use crate::workers::consumer::{Consumer, Delivery, Outcome, Pace};
use crate::workers::consumers::run_consumer;
use crate::workers::consumers::tests::rig::{Queue, parts_of, start_real};
use crate::workers::testing::time::Timeless;

/// Where it dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    BeforeWork,
    /// After it has waited so often for a database or a neighbour.
    InWork(u32),
    AfterEffect,
    BeforeDelete,
}

pub(super) const STEPS: [Step; 6] = [
    Step::BeforeWork,
    Step::InWork(1),
    Step::InWork(2),
    Step::InWork(3),
    Step::AfterEffect,
    Step::BeforeDelete,
];

/// How the messages come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    InOrder,
    Backwards,
    /// All of them, and then all of them again.
    Twice,
    /// In an order that is drawn, some twice.
    Shuffled(u64),
}

pub(super) const WAYS: [Way; 4] = [Way::InOrder, Way::Backwards, Way::Twice, Way::Shuffled(7)];

/// Long enough for time-outs of visibility and for back-offs.
pub(super) const PATIENCE: Duration = Duration::from_secs(600);

struct Dying {
    inner: Arc<dyn Consumer>,
    step: Step,
    /// Batches that go well before it dies.
    before: AtomicU32,
    batch_max: usize,
    died: Arc<Notify>,
}

impl Dying {
    async fn die<T>(&self) -> T {
        self.died.notify_one();
        std::future::pending().await
    }

    async fn work(&self, batch: &[Delivery]) -> Vec<Outcome> {
        let is_well = self
            .before
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        if is_well.is_ok() {
            return self.inner.handle(batch).await;
        }
        match self.step {
            Step::BeforeWork => self.die().await,
            Step::InWork(times) => match self.work_until(batch, times).await {
                Some(outcomes) => outcomes,
                None => self.die().await,
            },
            Step::AfterEffect => {
                self.inner.handle(batch).await;
                self.die().await
            }
            // The queue is asked to delete them, and nobody hears.
            Step::BeforeDelete => self.inner.handle(batch).await,
        }
    }

    /// None when it was cut off.
    async fn work_until(&self, batch: &[Delivery], times: u32) -> Option<Vec<Outcome>> {
        let mut work = pin!(self.inner.handle(batch));
        let mut waited = 0;
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(outcomes) => Poll::Ready(Some(outcomes)),
            Poll::Pending if waited == times => Poll::Ready(None),
            Poll::Pending => {
                waited += 1;
                Poll::Pending
            }
        })
        .await
    }
}

impl Consumer for Dying {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn queue(&self) -> &'static str {
        self.inner.queue()
    }

    fn pace(&self) -> Pace {
        Pace {
            batch_max: self.batch_max,
            ..self.inner.pace()
        }
    }

    fn handle<'a>(&'a self, batch: &'a [Delivery]) -> BoxFuture<'a, Vec<Outcome>> {
        self.work(batch).boxed()
    }
}

/// Puts the world's messages into a queue, this way.
pub(super) fn send(world: &dyn World, way: Way) -> Arc<Queue> {
    let queue = world.shop().queue();
    let mut messages: Vec<_> = world.messages().into_iter().enumerate().collect();
    match way {
        Way::InOrder => {}
        Way::Backwards => messages.reverse(),
        Way::Twice => messages.extend(messages.clone()),
        Way::Shuffled(seed) => {
            let drawn = |n: usize, of: &str| {
                *blake3::hash(format!("{seed} {of} {n}").as_bytes()).as_bytes()
            };
            let again: Vec<_> = messages
                .iter()
                .filter(|(n, _)| drawn(*n, "again")[0] % 3 == 0)
                .cloned()
                .collect();
            messages.extend(again);
            let mut keyed: Vec<_> = messages.into_iter().enumerate().collect();
            keyed.sort_by_key(|(at, _)| drawn(*at, "place"));
            messages = keyed.into_iter().map(|(_, message)| message).collect();
        }
    }
    for (at, (n, message)) in messages.iter().enumerate() {
        queue.send_body(
            &format!("{n}.{at}"),
            &message.body,
            message.group.as_deref(),
        );
    }
    queue
}

/// One process dies at this step, after so many batches; the next one does the rest.
pub(super) async fn die_and_go_on(world: &dyn World, queue: &Arc<Queue>, step: Step, after: u32) {
    let died = Arc::new(Notify::new());
    let dying = Dying {
        inner: world.process(),
        step,
        before: AtomicU32::new(after),
        batch_max: world.batch_max(),
        died: Arc::clone(&died),
    };
    if step == Step::BeforeDelete {
        queue.hang("delete", after, Arc::clone(&died));
    }
    let parts = parts_of(queue, Arc::new(Timeless(Arc::new(dying))));
    let process = tokio::spawn(run_consumer(parts));
    tokio::select! {
        () = died.notified() => {}
        // It had nothing to wait for so often.
        () = tokio::time::sleep(PATIENCE) => {}
    }
    // Wherever it stands, it goes with its workers.
    process.abort();
    let _ = process.await;
    queue.stop_hanging();
    go_on(world, queue).await;
}

pub(super) async fn go_on(world: &dyn World, queue: &Arc<Queue>) {
    let running = start_real(queue, world.process());
    running.is_empty(PATIENCE).await;
    running.stop().await;
    assert_eq!(queue.dead(), []);
}
