//! One worker of a consumer: receives a batch, hands it over, does with each message what was
//! said of it.
//!
//! What always holds here: a message is deleted only after it was said to be done; while it is
//! worked on it is held for longer, so that nobody else gets it; whatever is cut off in between
//! comes back when its time-out has passed. No batch keeps the one place of a probe while others
//! have not had their turn: what is wrong may be with this one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::attempt::attempt;
use super::breaker::{Came, Leave};
use super::fate::{Fate, fates};
use super::port::{Ask, Halt, PortError};
use super::runner::{Place, Runner};
use crate::traces::{Item, System, processing};
use crate::workers::consumer::{Consumer, Delivery, Handle, Outcome};

/// What a queue is asked again after it could not be asked.
const TROUBLE_FIRST: Duration = Duration::from_millis(200);
const TROUBLE_MAX: Duration = Duration::from_secs(10);
/// How often ending a message is tried: it comes back otherwise, and is done twice.
const TRIES: u32 = 4;
const RETRY: Duration = Duration::from_millis(100);
/// Between two looks while a batch fills up.
const FILLING: Duration = Duration::from_millis(50);
/// What waits longer than this is put off and not kept in hand by a probe.
const HELD_EACH_MAX: Duration = Duration::from_secs(60);
/// Probes of one batch in a row while others wait to be one: few, since the others may get
/// through, and some, since the queue counts each time that a message is received anew.
const HELD_PROBES: u32 = 5;
/// A queue lets nobody hold a message for more than 12 hours.
const HELD_MAX: Duration = Duration::from_secs(6 * 3_600);

/// Counts as long as it is there.
struct Counted<'a>(&'a AtomicUsize, usize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize, number: usize) -> Self {
        count.fetch_add(number, Ordering::Relaxed);
        Self(count, number)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}

impl Runner {
    pub(super) async fn work_on(self: Arc<Self>, mut place: Place) {
        let mut trouble = 0_u32;
        while !place.is_lost() {
            let halt = Halt {
                pause: self.parts.monitor.go(),
                stop: self.parts.stop.clone(),
            };
            let Some(leave) = self.breaker.leave(&halt).await else {
                return;
            };
            match self.receive(&halt).await {
                Ok(batch) if batch.is_empty() => trouble = 0,
                Ok(batch) if halt.is_asked_for() => self.give_back(&batch).await,
                Ok(batch) => {
                    trouble = 0;
                    self.work(batch, &leave, &halt).await;
                }
                Err(PortError::Stopping) => return,
                Err(PortError::Away(why)) => {
                    drop(leave);
                    let pause = (TROUBLE_FIRST * (1 << trouble.min(10))).min(TROUBLE_MAX);
                    trouble += 1;
                    self.tell_trouble(&why);
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = halt.asked_for() => return,
                    }
                }
            }
        }
    }

    fn tell_trouble(&self, why: &str) {
        let monitor = &self.parts.monitor;
        tracing::debug!(error = why, consumer = monitor.name(), "cannot receive now");
        let reason = format!("its queue: {why}");
        monitor.set_waiting(Some(reason), self.now());
    }

    async fn receive(&self, halt: &Halt) -> Result<Vec<Delivery>, PortError> {
        let max = self.pace.batch_max;
        let ask = |max, wait| Ask {
            max,
            hold: self.pace.timeout,
            wait,
        };
        let port = &self.parts.port;
        let looking = Counted::new(&self.looking, 1);
        let mut batch = port.receive(ask(max, self.parts.wait), halt).await?;
        drop(looking);
        if !batch.is_empty() {
            // What is here already is held meanwhile.
            let until = Instant::now() + self.pace.window.min(self.pace.timeout / 2);
            while batch.len() < max && Instant::now() < until && !halt.is_asked_for() {
                let more = port.receive(ask(max - batch.len(), Duration::ZERO), halt);
                let Ok(more) = more.await else { break };
                if more.is_empty() {
                    tokio::time::sleep(FILLING.min(until - Instant::now())).await;
                }
                batch.extend(more);
            }
        }
        let looks = match batch.len() {
            0 => &self.empty,
            some if some < max => &self.short,
            _ => &self.full,
        };
        looks.fetch_add(1, Ordering::Relaxed);
        if let Some(sent_at) = batch.iter().map(|delivery| delivery.sent_at).min() {
            self.last_sent_at.store(sent_at, Ordering::Relaxed);
        }
        Ok(batch)
    }

    async fn work(&self, batch: Vec<Delivery>, leave: &Leave<'_>, halt: &Halt) {
        let monitor = &self.parts.monitor;
        let in_hand = Counted::new(&monitor.in_hand, batch.len());
        self.tell_in_hand();
        let handles: Vec<Handle> = batch.iter().map(|one| one.handle.clone()).collect();
        let work = self.holding(&handles, self.try_batch(&batch, leave, halt));
        tokio::select! {
            biased;
            tried = work => match tried {
                Some(fates) => self.settle(&batch, fates).await,
                None => self.give_back(&batch).await,
            },
            () = self.give_up.cancelled() => self.give_back(&batch).await,
        }
        drop(in_hand);
        self.tell_in_hand();
    }

    fn tell_in_hand(&self) {
        let monitor = &self.parts.monitor;
        let in_hand = monitor.in_hand.load(Ordering::Relaxed);
        metrics::gauge!("firstcome_consumer_in_hand", "consumer" => monitor.name())
            .set(u32::try_from(in_hand).unwrap_or(u32::MAX));
    }

    /// Does the work, and has the messages held for as long as it takes.
    async fn holding<T>(&self, handles: &[Handle], work: impl Future<Output = T>) -> T {
        let timeout = self.pace.timeout;
        let beats = async {
            loop {
                tokio::time::sleep(timeout / 2).await;
                let changes = handles.iter().map(|handle| (handle.clone(), timeout));
                if let Err(error) = self.parts.port.hold(changes.collect()).await {
                    let consumer = self.parts.monitor.name();
                    tracing::debug!(?error, consumer, "messages in work could not be held");
                }
            }
        };
        tokio::select! {
            biased;
            done = work => done,
            () = beats => unreachable!("it beats for ever"),
        }
    }

    /// What becomes of each; nothing when it was halted before it came to that.
    async fn try_batch(
        &self,
        batch: &[Delivery],
        leave: &Leave<'_>,
        halt: &Halt,
    ) -> Option<Vec<Fate>> {
        let began = Instant::now();
        let mut probes = 0;
        loop {
            let fates = self.try_once(batch).await;
            probes += 1;
            let came = came(&fates);
            let waits = matches!(came, Came::Waits(_));
            leave.tell(came);
            let is_short = |fate: &Fate| match fate {
                Fate::Wait { after, .. } | Fate::NotYet { after } => *after <= HELD_EACH_MAX,
                Fate::Done | Fate::Again { .. } | Fate::Dead { .. } | Fate::Behind => true,
            };
            let is_held = leave.is_probe() && waits && fates.iter().all(is_short);
            let is_over = began.elapsed() > HELD_MAX;
            if !is_held || is_over || (probes >= HELD_PROBES && self.others_wait().await) {
                return Some(fates);
            }
            // Kept in hand: each time it is received anew counts in the queue, and an outage of
            // hours must not make it a dead letter.
            tokio::select! {
                () = tokio::time::sleep(self.breaker.pause()) => {}
                () = halt.asked_for() => return None,
            }
        }
    }

    /// Whether there is another message to probe with. Not to know is no reason to change anything.
    async fn others_wait(&self) -> bool {
        let backlog = self.parts.port.backlog().await;
        backlog.is_ok_and(|backlog| backlog.visible > 0)
    }

    async fn try_once(&self, batch: &[Delivery]) -> Vec<Fate> {
        let began = Instant::now();
        let Self { pace, memory, .. } = self;
        let consumer = &*self.parts.consumer;
        let tried = attempt(consumer, batch, memory, pace.work_max);
        let outcomes = watched(consumer, batch, tried).await;
        let consumer = self.parts.monitor.name();
        metrics::histogram!("firstcome_consumer_work_seconds", "consumer" => consumer)
            .record(began.elapsed().as_secs_f64());
        let mut random = || {
            let drawn = self.parts.ids.entropy();
            u64::from_le_bytes(drawn[..8].try_into().expect("there are 32"))
        };
        fates(batch, outcomes, pace, |one| memory.tries(one), &mut random)
    }

    async fn settle(&self, batch: &[Delivery], fates: Vec<Fate>) {
        let (mut done, mut dead, mut held) = (Vec::new(), Vec::new(), Vec::new());
        for (delivery, fate) in batch.iter().zip(&fates) {
            match fate {
                Fate::Done => done.push(delivery),
                Fate::Dead { reason } => dead.push((delivery, reason.as_str())),
                Fate::Again { after, reason } => {
                    held.push((delivery.handle.clone(), *after));
                    self.count_failed(delivery, reason, false);
                }
                Fate::Wait { after, .. } => {
                    self.memory.excuse(delivery);
                    held.push((delivery.handle.clone(), *after));
                    self.count("wait", 1);
                }
                Fate::NotYet { after } => {
                    self.memory.excuse(delivery);
                    held.push((delivery.handle.clone(), *after));
                    self.count("not_yet", 1);
                }
                Fate::Behind => {
                    self.memory.excuse(delivery);
                    held.push((delivery.handle.clone(), Duration::ZERO));
                    self.count("behind", 1);
                }
            }
        }
        self.delete(&done).await;
        for (delivery, reason) in dead {
            let buried = self.insist(|| self.parts.port.bury(delivery, reason)).await;
            if buried {
                self.count_failed(delivery, reason, true);
                self.memory.forget(delivery);
            }
        }
        // Last: the head of a group stands before those that follow it, whatever it waits for.
        if !held.is_empty() {
            self.insist(|| self.parts.port.hold(held.clone())).await;
        }
    }

    async fn delete(&self, done: &[&Delivery]) {
        if done.is_empty() {
            return;
        }
        let handles: Vec<Handle> = done.iter().map(|one| one.handle.clone()).collect();
        if self
            .insist(|| self.parts.port.delete(handles.clone()))
            .await
        {
            let count = done.len() as u64;
            self.parts.monitor.add_handled(count, self.now());
            self.count("done", count);
            for delivery in done {
                self.memory.forget(delivery);
            }
        }
    }

    /// Received, but nothing is said of it: others may have it at once.
    async fn give_back(&self, batch: &[Delivery]) {
        let changes: Vec<_> = batch
            .iter()
            .map(|one| (one.handle.clone(), Duration::ZERO))
            .collect();
        for delivery in batch {
            self.memory.excuse(delivery);
        }
        self.insist(|| self.parts.port.hold(changes.clone())).await;
    }

    /// A queue that does not answer is asked again. False when it never did: the messages come
    /// back when their time-out has passed.
    async fn insist<'a>(
        &'a self,
        call: impl Fn() -> futures_util::future::BoxFuture<'a, Result<(), PortError>>,
    ) -> bool {
        for tried in 0..TRIES {
            match call().await {
                Ok(()) => return true,
                Err(PortError::Stopping) => return false,
                Err(PortError::Away(error)) if tried + 1 == TRIES => {
                    let consumer = self.parts.monitor.name();
                    tracing::warn!(error, consumer, "messages were left for later");
                }
                Err(PortError::Away(_)) => tokio::time::sleep(RETRY * (1 << tried)).await,
            }
        }
        false
    }

    fn count_failed(&self, delivery: &Delivery, reason: &str, is_dead: bool) {
        let monitor = &self.parts.monitor;
        let consumer = monitor.name();
        monitor.add_failed(reason, is_dead, self.now());
        metrics::counter!("firstcome_consumer_failures_total", "consumer" => consumer).increment(1);
        self.count(if is_dead { "never" } else { "later" }, 1);
        tracing::warn!(
            consumer,
            message.id = delivery.id,
            receives = delivery.receive_count,
            is_dead,
            reason,
            "a message failed"
        );
    }

    fn count(&self, outcome: &'static str, number: u64) {
        let consumer = self.parts.monitor.name();
        metrics::counter!(
            "firstcome_consumer_handled_total", "consumer" => consumer, "outcome" => outcome
        )
        .increment(number);
    }
}

/// The work on a batch, as part of the traces that its messages come with, if anybody watches.
async fn watched(
    consumer: &dyn Consumer,
    batch: &[Delivery],
    work: impl Future<Output = Vec<Outcome>>,
) -> Vec<Outcome> {
    let items = batch.iter().map(|delivery| Item {
        id: &delivery.id,
        attributes: &delivery.attributes,
        receive_count: delivery.receive_count,
    });
    let system = match batch.first().map(|delivery| &delivery.handle) {
        Some(Handle::Sqs(_)) => System::Sqs,
        Some(Handle::Own(_)) | None => System::Own,
    };
    let traced = processing(consumer.name(), consumer.queue(), system, items);
    let Some(mut traced) = traced else {
        return work.await;
    };
    let outcomes = traced.within(work).await;
    for (at, outcome) in outcomes.iter().enumerate() {
        let (outcome, is_failure) = match outcome {
            Outcome::Done => ("done", false),
            Outcome::Wait { .. } => ("wait", false),
            Outcome::NotYet { .. } => ("not_yet", false),
            Outcome::Later { .. } => ("later", true),
            Outcome::Never { .. } => ("never", true),
        };
        traced.end(at, outcome, is_failure);
    }
    outcomes
}

/// A batch of which anything was done, or failed by itself, shows that the neighbours are there;
/// one whose time has not come shows nothing.
fn came(fates: &[Fate]) -> Came {
    let mut waits = None;
    for fate in fates {
        match fate {
            Fate::Done | Fate::Again { .. } | Fate::Dead { .. } => return Came::Progress,
            Fate::Wait { reason, .. } => waits = Some(reason),
            Fate::NotYet { .. } | Fate::Behind => {}
        }
    }
    waits.map_or(Came::Nothing, |reason| Came::Waits(reason.clone()))
}
