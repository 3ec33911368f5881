//! The queues of this process.

use std::sync::Arc;
use std::time::Duration;

use commerce::Millis;
use engine::{Command, Engine, EngineError, Refusal, Reply, Room};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use messaging::{Message, ReceiptHandle};

use super::port::{Ask, Backlog, Halt, PortError, QueuePort, whole_seconds};
use crate::workers::consumer::{Delivery, Handle};

pub(in crate::workers) struct EnginePort {
    engine: Engine,
    queue: &'static str,
}

impl EnginePort {
    pub(in crate::workers) fn open(engine: &Engine, queue: &'static str) -> Arc<dyn QueuePort> {
        // Those who buy do not wait for what follows.
        let engine = engine.behind();
        Arc::new(Self { engine, queue })
    }

    fn queue(&self) -> String {
        self.queue.to_owned()
    }

    /// Never given up half-way: what nobody waits for would be received all the same, and then
    /// be held by nobody until its time-out.
    async fn once(&self, max: usize, hold: Duration) -> Result<Vec<Delivery>, PortError> {
        let command = Command::ReceiveMessages {
            queue: self.queue(),
            max,
            visibility_timeout_s: Some(whole_seconds(hold)),
            attempt: None,
            waits: true,
            room: Room::All,
        };
        match self.decide(command).await? {
            Ok(Reply::Messages { queue_id, messages }) => Ok(messages
                .into_iter()
                .map(|message| delivery(self.queue, queue_id, message))
                .collect()),
            Ok(_) => unreachable!("receiving answers with messages"),
            Err(refusal) => Err(refused(&refusal)),
        }
    }

    /// Ten at a time; the later calls share one commit.
    async fn up_to(&self, ask: Ask) -> Result<Vec<Delivery>, PortError> {
        const ONCE: usize = messaging::limits::RECEIVE_MAX;
        let mut received = self.once(ask.max.min(ONCE), ask.hold).await?;
        if received.len() < ONCE || ask.max <= ONCE {
            return Ok(received);
        }
        let calls = (ONCE..ask.max)
            .step_by(ONCE)
            .map(|from| self.once((ask.max - from).min(ONCE), ask.hold));
        // What one call has received is not lost by another that failed.
        for more in join_all(calls).await.into_iter().flatten() {
            received.extend(more);
        }
        Ok(received)
    }

    async fn wait(&self, ask: Ask, halt: &Halt) -> Result<Vec<Delivery>, PortError> {
        let deadline = tokio::time::sleep(ask.wait);
        tokio::pin!(deadline);
        // In line before the first look: what arrives in between is not slept through.
        let mut waiter = self.engine.waits().enter(self.queue);
        loop {
            if halt.is_asked_for() {
                return Ok(Vec::new());
            }
            let received = match self.up_to(ask).await {
                Ok(received) => received,
                Err(error) => {
                    waiter.failed();
                    return Err(error);
                }
            };
            if !received.is_empty() {
                waiter.used();
                return Ok(received);
            }
            tokio::select! {
                () = waiter.woken() => {}
                () = &mut deadline => return Ok(received),
                () = halt.asked_for() => return Ok(received),
            }
            waiter.used();
        }
    }

    async fn decide(&self, command: Command) -> Result<Result<Reply, Refusal>, PortError> {
        self.engine.decide(command).await.map_err(away)
    }

    /// A command that answers for each of its entries.
    async fn batch(&self, command: Command) -> Result<(), PortError> {
        let answers = match self.decide(command).await? {
            Ok(Reply::Batch(answers)) => answers,
            Ok(_) => unreachable!("a batch is answered with one"),
            Err(refusal) => return Err(refused(&refusal)),
        };
        let mut failed = answers.iter().filter_map(|answer| answer.as_ref().err());
        match failed.find(|refusal| !is_somebody_elses(refusal)) {
            Some(refusal) => Err(refused(refusal)),
            None => Ok(()),
        }
    }
}

impl QueuePort for EnginePort {
    fn receive<'a>(
        &'a self,
        ask: Ask,
        halt: &'a Halt,
    ) -> BoxFuture<'a, Result<Vec<Delivery>, PortError>> {
        self.wait(ask, halt).boxed()
    }

    fn delete(&self, handles: Vec<Handle>) -> BoxFuture<'_, Result<(), PortError>> {
        let command = Command::DeleteMessages {
            queue: self.queue(),
            handles: handles.iter().filter_map(own).collect(),
        };
        self.batch(command).boxed()
    }

    fn hold(&self, changes: Vec<(Handle, Duration)>) -> BoxFuture<'_, Result<(), PortError>> {
        let changes = changes
            .iter()
            .filter_map(|(handle, time)| Some((own(handle)?, whole_seconds(*time))))
            .collect();
        let command = Command::ChangeVisibilities {
            queue: self.queue(),
            changes,
        };
        self.batch(command).boxed()
    }

    fn bury<'a>(
        &'a self,
        delivery: &'a Delivery,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<(), PortError>> {
        async move {
            let Some(handle) = own(&delivery.handle) else {
                return Ok(());
            };
            let command = Command::DeadLetter {
                queue: self.queue(),
                handle,
                reason: reason.to_owned(),
            };
            match self.decide(command).await? {
                Err(refusal) if !is_somebody_elses(&refusal) => Err(refused(&refusal)),
                Ok(_) | Err(_) => Ok(()),
            }
        }
        .boxed()
    }

    fn backlog(&self) -> BoxFuture<'_, Result<Backlog, PortError>> {
        async move {
            let (now, queue) = (self.engine.log_time(), self.queue);
            let read = self.engine.read(move |reader| reader.queue(queue, now));
            let found = read.await.map_err(away)?;
            let depth =
                found.ok_or_else(|| PortError::Away("there is no such queue".to_owned()))?;
            Ok(Backlog {
                visible: depth.visible,
                in_flight: depth.in_flight,
                oldest_age: Some(age(depth.oldest_sent_at, now)),
            })
        }
        .boxed()
    }
}

/// Of nothing it is zero.
fn age(oldest_sent_at: Option<Millis>, now: Millis) -> Duration {
    let age = oldest_sent_at.map_or(0, |sent_at| now - sent_at);
    Duration::from_millis(u64::try_from(age).unwrap_or(0))
}

fn delivery(queue: &str, queue_id: u32, message: Message) -> Delivery {
    Delivery {
        handle: Handle::Own(ReceiptHandle {
            queue_id,
            seq: message.seq,
            receipt: message.receipt.expect("what is received has a receipt"),
        }),
        id: message.id,
        body: message.body,
        attributes: message.attributes,
        // On a standard queue it is only a name for fairness.
        group: message.group.filter(|_| queue.ends_with(".fifo")),
        receive_count: message.receive_count,
        sent_at: message.sent_at_ms,
    }
}

fn own(handle: &Handle) -> Option<ReceiptHandle> {
    match handle {
        Handle::Own(handle) => Some(*handle),
        Handle::Sqs(_) => None,
    }
}

/// Received again meanwhile, or gone.
fn is_somebody_elses(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Queue(_))
}

fn refused(refusal: &Refusal) -> PortError {
    PortError::Away(format!("refused: {}", refusal.code()))
}

fn away(error: EngineError) -> PortError {
    match error {
        EngineError::Stopping => PortError::Stopping,
        EngineError::Overloaded | EngineError::Store(_) => PortError::Away(error.to_string()),
    }
}
