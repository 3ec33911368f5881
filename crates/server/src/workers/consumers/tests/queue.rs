//! A queue in memory that behaves as ours and Amazon's do, with faults to order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use commerce::Millis;
use engine::ports::Clock;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::super::port::{Ask, Backlog, Halt, PortError, QueuePort};
use crate::workers::consumer::{Delivery, Handle};
use crate::workers::testing::time::TestClock;

#[derive(Debug, Clone)]
pub(in crate::workers) struct Kept {
    pub id: String,
    pub group: Option<String>,
    pub visible_at: Instant,
    pub receipt: u64,
    pub receive_count: u32,
    body: String,
    sent_at: Millis,
}

#[derive(Default)]
struct State {
    messages: Vec<Kept>,
    dead: Vec<(String, String)>,
    /// Calls of this name that fail next.
    faults: BTreeMap<&'static str, u32>,
    receipts: u64,
    /// The call that nobody answers, after so many more that are; whoever waits for it is told.
    hangs: Option<(&'static str, u32, Arc<Notify>)>,
}

pub(in crate::workers) struct Queue {
    state: Mutex<State>,
    changed: Notify,
    clock: Arc<TestClock>,
    /// How long each call takes.
    pub lag: Duration,
}

impl Queue {
    pub(in crate::workers) fn new(lag: Duration) -> Arc<Self> {
        Self::with_clock(lag, TestClock::new())
    }

    pub(in crate::workers) fn with_clock(lag: Duration, clock: Arc<TestClock>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            changed: Notify::new(),
            clock,
            lag,
        })
    }

    pub(in crate::workers) fn send(&self, id: impl ToString, group: Option<&str>) {
        let id = id.to_string();
        self.send_body(&id, &id, group);
    }

    pub(in crate::workers) fn send_body(&self, id: &str, body: &str, group: Option<&str>) {
        let now = Instant::now();
        self.lock().messages.push(Kept {
            id: id.to_owned(),
            body: body.to_owned(),
            group: group.map(str::to_owned),
            visible_at: now,
            receipt: 0,
            receive_count: 0,
            sent_at: self.now(),
        });
        self.changed.notify_waiters();
    }

    pub(in crate::workers) fn fail(&self, call: &'static str, times: u32) {
        self.lock().faults.insert(call, times);
    }

    /// The process dies over this call, after so many that go well.
    pub(in crate::workers) fn hang(&self, call: &'static str, after: u32, told: Arc<Notify>) {
        self.lock().hangs = Some((call, after, told));
    }

    pub(in crate::workers) fn stop_hanging(&self) {
        self.lock().hangs = None;
    }

    fn is_hanging(&self, call: &str) -> bool {
        let mut state = self.lock();
        match &mut state.hangs {
            Some((name, left, told)) if *name == call => match left.checked_sub(1) {
                Some(fewer) => {
                    *left = fewer;
                    false
                }
                None => {
                    told.notify_one();
                    true
                }
            },
            Some(_) | None => false,
        }
    }

    pub(in crate::workers) fn left(&self) -> Vec<Kept> {
        self.lock().messages.clone()
    }

    pub(in crate::workers) fn dead(&self) -> Vec<(String, String)> {
        self.lock().dead.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn begin(&self, call: &'static str) -> Result<(), PortError> {
        tokio::time::sleep(self.lag).await;
        if self.is_hanging(call) {
            std::future::pending::<()>().await;
        }
        match self.lock().faults.get_mut(call) {
            Some(left) if *left > 0 => {
                *left -= 1;
                Err(PortError::Away("a fault to order".to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn take(&self, ask: Ask) -> Vec<Delivery> {
        let now = Instant::now();
        let mut state = self.lock();
        let locked: BTreeSet<String> = state
            .messages
            .iter()
            .filter(|message| message.visible_at > now)
            .filter_map(|message| message.group.clone())
            .collect();
        let mut receipts = state.receipts;
        let mut taken = Vec::new();
        let mut messages: Vec<&mut Kept> = state.messages.iter_mut().collect();
        // As ours has it: by when they became visible. Groups have their order.
        messages.sort_by_key(|message| message.group.is_none().then_some(message.visible_at));
        for message in messages {
            let is_locked = message
                .group
                .as_ref()
                .is_some_and(|group| locked.contains(group));
            if taken.len() == ask.max || message.visible_at > now || is_locked {
                continue;
            }
            receipts += 1;
            message.receipt = receipts;
            message.receive_count += 1;
            message.visible_at = now + ask.hold;
            taken.push(Delivery {
                id: message.id.clone(),
                body: message.body.clone(),
                attributes: BTreeMap::new(),
                group: message.group.clone(),
                receive_count: message.receive_count,
                sent_at: message.sent_at,
                handle: Handle::Sqs(message.receipt.to_string()),
            });
        }
        state.receipts = receipts;
        taken
    }
}

fn receipt(handle: &Handle) -> u64 {
    match handle {
        Handle::Sqs(receipt) => receipt.parse().unwrap(),
        Handle::Own(_) => unreachable!("the rig gives out its own"),
    }
}

impl Clock for Queue {
    fn now(&self) -> Millis {
        self.clock.now()
    }
}

impl QueuePort for Queue {
    fn receive<'a>(
        &'a self,
        ask: Ask,
        halt: &'a Halt,
    ) -> BoxFuture<'a, Result<Vec<Delivery>, PortError>> {
        async move {
            self.begin("receive").await?;
            let until = Instant::now() + ask.wait;
            loop {
                let changed = self.changed.notified();
                if halt.is_asked_for() {
                    return Ok(Vec::new());
                }
                let taken = self.take(ask);
                if !taken.is_empty() || Instant::now() >= until {
                    return Ok(taken);
                }
                let next = {
                    let state = self.lock();
                    let times = state.messages.iter().map(|message| message.visible_at);
                    times.filter(|at| *at > Instant::now()).min()
                };
                tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep_until(next.unwrap_or(until).min(until)) => {}
                    () = halt.asked_for() => return Ok(Vec::new()),
                }
            }
        }
        .boxed()
    }

    fn delete(&self, handles: Vec<Handle>) -> BoxFuture<'_, Result<(), PortError>> {
        async move {
            self.begin("delete").await?;
            let gone: BTreeSet<u64> = handles.iter().map(receipt).collect();
            let mut state = self.lock();
            state
                .messages
                .retain(|message| !gone.contains(&message.receipt));
            drop(state);
            self.changed.notify_waiters();
            Ok(())
        }
        .boxed()
    }

    fn hold(&self, changes: Vec<(Handle, Duration)>) -> BoxFuture<'_, Result<(), PortError>> {
        async move {
            self.begin("hold").await?;
            let mut state = self.lock();
            for (handle, time) in changes {
                let wanted = receipt(&handle);
                let found = state
                    .messages
                    .iter_mut()
                    .find(|message| message.receipt == wanted);
                if let Some(message) = found {
                    message.visible_at = Instant::now() + time;
                }
            }
            drop(state);
            self.changed.notify_waiters();
            Ok(())
        }
        .boxed()
    }

    fn bury<'a>(
        &'a self,
        delivery: &'a Delivery,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<(), PortError>> {
        async move {
            self.begin("bury").await?;
            let wanted = receipt(&delivery.handle);
            let mut state = self.lock();
            let found = state
                .messages
                .iter()
                .position(|message| message.receipt == wanted);
            if let Some(found) = found {
                let message = state.messages.remove(found);
                state.dead.push((message.id, reason.to_owned()));
            }
            drop(state);
            self.changed.notify_waiters();
            Ok(())
        }
        .boxed()
    }

    fn backlog(&self) -> BoxFuture<'_, Result<Backlog, PortError>> {
        async move {
            let now = Instant::now();
            let state = self.lock();
            let visible = state
                .messages
                .iter()
                .filter(|one| one.visible_at <= now)
                .count();
            Ok(Backlog {
                visible: visible as u64,
                in_flight: (state.messages.len() - visible) as u64,
                oldest_age: None,
            })
        }
        .boxed()
    }
}
