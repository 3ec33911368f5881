//! The single writer: a thread that drains what has arrived, decides it in order, appends it to
//! the store, hands it on, and starts again; and a second thread that waits for the disk and
//! answers everybody. While one batch is being synced the next is decided, so the disk is never
//! waited for twice, and what arrives meanwhile shares the next sync. The answers themselves are
//! given by a task of the runtime: those who wait are its tasks, and it wakes them at a fraction of
//! what it costs from another thread.
//!
//! What always holds here: an answer is sent only after the sync that covers it returned;
//! commands are decided in the order in which they were taken, and answered batch by batch in
//! that order; nothing is kept between two batches but which lines still owe a verdict, and that
//! is only a hint (a periodic scan finds the same).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc as blocking};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use commerce::{Millis, Sku};
use messaging::limits::IN_FLIGHT_MAX;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use crate::command::{Command, Refusal, Reply};
use crate::company::{Company, Crowd};
use crate::decide::{self, Batch, Wake};
use crate::engine::{EngineError, Limits};
use crate::entry::Entry;
use crate::feed::Feed;
use crate::flow::{Counts, Meter, TopicCounts};
use crate::ports::{Clock, Durability, Ids, Loaded, Store};
use crate::trace::{Remembered, Trace};
use crate::waits::Waits;

/// A clock that is put right by less goes unmentioned: that is everyday.
const CLOCK_BEHIND_MS: Millis = 1_000;

pub(crate) type Answer = Result<Result<Reply, Refusal>, EngineError>;

pub(crate) enum Job {
    Decide {
        command: Command,
        reply: Caller,
        is_behind: bool,
    },
    /// Take nothing more, finish what is there.
    Stop,
}

/// Who waits for an answer, and in which trace, if anybody watches.
pub(crate) struct Caller {
    pub(crate) reply: oneshot::Sender<Answer>,
    pub(crate) trace: Option<Trace>,
}

impl Caller {
    fn send(self, answer: Answer) -> Result<(), Answer> {
        self.reply.send(answer)
    }
}

/// What the handle and the thread both look at.
pub(crate) struct Shared {
    pub(crate) depth: AtomicU64,
    pub(crate) failed: Mutex<Option<Arc<str>>>,
    pub(crate) stopping: AtomicBool,
    pub(crate) waits: Waits,
    /// What commands that stand behind the others have cost, in microseconds of the sequencer.
    pub(crate) behind_us: AtomicU64,
    /// How many commands were in flight lately.
    pub(crate) crowd: AtomicU64,
    pub(crate) meter: Meter,
    /// How often a subscription was added: the relay looks again when it moves.
    pub(crate) subscriptions: AtomicU64,
    /// Batches that readers of the store may see, and those of them that are durable.
    pub(crate) appended: AtomicU64,
    pub(crate) durable: watch::Sender<u64>,
    /// Batches on their way from the first to the second, and the commands in them.
    on_the_way: AtomicU64,
    in_hand: AtomicU64,
    pub(crate) company: Company,
    /// Where the newest entries come from, for those who watch.
    pub(crate) traces: Remembered,
    /// By which time was decided last. It never goes back; the clock may.
    newest: AtomicI64,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self {
            depth: AtomicU64::new(0),
            failed: Mutex::new(None),
            stopping: AtomicBool::new(false),
            waits: Waits::default(),
            behind_us: AtomicU64::new(0),
            crowd: AtomicU64::new(0),
            meter: Meter::default(),
            subscriptions: AtomicU64::new(0),
            appended: AtomicU64::new(0),
            durable: watch::Sender::new(0),
            on_the_way: AtomicU64::new(0),
            in_hand: AtomicU64::new(0),
            company: Company::default(),
            traces: Remembered::default(),
            newest: AtomicI64::new(Millis::MIN),
        }
    }

    /// The time by which is decided when the clock says `clock`: messages and entries have this
    /// time, so whoever looks for what is there by now has to look with it.
    pub(crate) fn time(&self, clock: Millis) -> Millis {
        clock.max(self.newest.load(Ordering::Relaxed))
    }

    /// Something was decided by this time.
    pub(crate) fn note_time(&self, at: Millis) {
        self.newest.fetch_max(at, Ordering::Relaxed);
    }

    /// The first failure counts; the others follow from it.
    fn fail(&self, error: &EngineError) -> Arc<str> {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let text = failed.get_or_insert_with(|| error.to_string().into());
        let text = Arc::clone(text);
        drop(failed);
        // Whoever waits for a batch to become durable learns that it will not.
        self.durable.send_modify(|_| {});
        text
    }

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
    /// Wakes this thread when the other one finds that the store has failed.
    pub(crate) wake: mpsc::WeakSender<Job>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) feed: Feed,
    pub(crate) stopped: watch::Sender<bool>,
    /// Where answers are given; without a runtime the thread that syncs gives them.
    pub(crate) runtime: Option<Handle>,
    /// Lines that may owe a verdict since before the start.
    pub(crate) unsettled: BTreeSet<Sku>,
    /// Lines whose turn came when the store could not be read: they are due again once it can.
    pub(crate) put_off: BTreeSet<Sku>,
    /// Commands that a batch had no room for, in their order: they come before what arrives.
    pub(crate) left: VecDeque<Taken>,
    /// Others write to the store too.
    pub(crate) is_shared: bool,
    /// The clock was found behind, and it was said.
    pub(crate) is_clock_behind: bool,
}

impl Parts {
    /// Says once that the clock was set back, and once that it has caught up.
    fn note_clock(&mut self, behind_ms: Millis) {
        if behind_ms > CLOCK_BEHIND_MS && !self.is_clock_behind {
            self.is_clock_behind = true;
            tracing::warn!(
                behind_ms,
                "the clock was set back: until it has caught up, what is to happen at a time waits"
            );
        } else if behind_ms == 0 && self.is_clock_behind {
            self.is_clock_behind = false;
            tracing::info!("the clock has caught up");
        }
    }
}

pub(crate) fn spawn(parts: Parts) -> JoinHandle<()> {
    std::thread::Builder::new()
        .name("sequencer".into())
        .spawn(move || run(parts))
        .expect("the system can start one more thread")
}

/// One caller's command, or one of our own.
pub(crate) type Taken = (Command, Option<Caller>, bool);

/// Batches that may wait for the one that is being synced, beside the one that the sequencer holds
/// in its hand: none. It decides one batch while the disk works and then waits for it, so that what
/// arrives shares the next; more of them would be smaller ones, each with its own cost.
const APPENDED_MAX: usize = 0;

/// Batches that are durable and may wait to be told of: more hold up the thread that syncs.
const DURABLE_MAX: usize = 16;

/// A batch that was decided and appended, and what is due once it is durable.
struct Appended {
    number: u64,
    began: Instant,
    durability: Option<Arc<dyn Durability>>,
    answers: Vec<(Option<Caller>, Result<Reply, Refusal>)>,
    entries: Vec<Entry>,
    woken: BTreeMap<String, Wake>,
    counts: BTreeMap<String, Counts>,
    topic_counts: BTreeMap<String, TopicCounts>,
    queues_deleted: Vec<String>,
    topics_deleted: Vec<String>,
    at: Millis,
    has_new_subscriptions: bool,
    wrote: bool,
}

/// The thread that waits for the disk.
struct Syncer {
    appended: blocking::SyncSender<Appended>,
    thread: JoinHandle<()>,
    /// Ends when everything was told.
    told: oneshot::Receiver<()>,
}

fn run(mut parts: Parts) {
    let syncer = match start_syncer(&parts) {
        Ok(syncer) => syncer,
        Err(error) => {
            let error = EngineError::Store(format!("cannot start a thread: {error}").into());
            fail(&mut parts, &error);
            parts.stopped.send_replace(true);
            return;
        }
    };
    let mut stopping = false;
    let mut crowd = Crowd::default();
    while parts.shared.failure().is_none() {
        let mut taken: Vec<Taken> = Vec::with_capacity(parts.limits.batch_max);
        // What a line owes comes before anything new.
        while taken.len() < parts.limits.batch_max {
            let Some(sku) = parts.unsettled.pop_first() else {
                break;
            };
            taken.push((Command::Settle { sku }, None, false));
        }
        let owed = taken.len();
        let room = parts.limits.batch_max - owed;
        taken.extend(parts.left.drain(..room.min(parts.left.len())));
        // They were counted when they were taken.
        let again = taken.len() - owed;
        if taken.is_empty() {
            match parts.jobs.blocking_recv() {
                Some(Job::Decide {
                    command,
                    reply,
                    is_behind,
                }) => {
                    if let Some(wanted) = crowd.wanted()
                        && !decide::ends_batch(&command)
                    {
                        let shared = &parts.shared;
                        let most = crowd.patience();
                        shared.company.wait_for(wanted, &shared.depth, most);
                    }
                    taken.push((command, Some(reply), is_behind));
                }
                Some(Job::Stop) => {
                    parts.jobs.close();
                    stopping = true;
                }
                None => break,
            }
        }
        while taken.len() < parts.limits.batch_max
            && parts.left.is_empty()
            && !taken
                .last()
                .is_some_and(|(command, ..)| decide::ends_batch(command))
        {
            match parts.jobs.try_recv() {
                Ok(Job::Decide {
                    command,
                    reply,
                    is_behind,
                }) => taken.push((command, Some(reply), is_behind)),
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
        let new = taken.iter().skip(owed + again);
        let from_callers = new.filter(|(_, reply, _)| reply.is_some()).count();
        let waiting = parts
            .shared
            .depth
            .fetch_sub(from_callers as u64, Ordering::Relaxed);
        crowd.note(waiting + parts.shared.in_hand.load(Ordering::Relaxed));
        parts
            .shared
            .crowd
            .store(crowd.in_flight(), Ordering::Relaxed);
        match decide_and_append(&mut parts, taken) {
            Ok(Some(appended)) => hand_on(&parts, &syncer, appended, crowd),
            Ok(None) => {}
            Err(error) => {
                parts.shared.fail(&error);
            }
        }
    }
    // Everything that was appended is answered before this is over.
    drop(syncer.appended);
    let _ = syncer.thread.join();
    // An error is the same end, or that of the runtime, with which everybody who waits has gone.
    let _ = syncer.told.blocking_recv();
    if let Some(text) = parts.shared.failure() {
        fail(&mut parts, &EngineError::Store(text));
    }
    parts.stopped.send_replace(true);
}

/// The store failed in the middle: what was written is unknown, so this process must not decide
/// anything more. Everybody who waits is told; a restart reads what really is there.
fn fail(parts: &mut Parts, error: &EngineError) {
    let text = match error {
        EngineError::Store(text) => Arc::clone(text),
        other => other.to_string().into(),
    };
    parts.shared.fail(error);
    tracing::error!(error = %text, "the store failed; the sequencer stops");
    parts.jobs.close();
    for (_, reply, _) in parts.left.drain(..) {
        if let Some(reply) = reply {
            let _ = reply.send(Err(EngineError::Store(Arc::clone(&text))));
        }
    }
    while let Some(job) = parts.jobs.blocking_recv() {
        if let Job::Decide { reply, .. } = job {
            parts.shared.depth.fetch_sub(1, Ordering::Relaxed);
            let _ = reply.send(Err(EngineError::Store(Arc::clone(&text))));
        }
    }
}

fn start_syncer(parts: &Parts) -> std::io::Result<Syncer> {
    let (sender, receiver) = blocking::sync_channel::<Appended>(APPENDED_MAX);
    let (shared, feed) = (Arc::clone(&parts.shared), parts.feed.clone());
    let wake = parts.wake.clone();
    let (teller, told) = start_teller(parts);
    let thread = std::thread::Builder::new()
        .name("syncer".into())
        .spawn(move || {
            let mut batches: Vec<Appended> = Vec::new();
            while let Ok(first) = receiver.recv() {
                batches.push(first);
                // What is here by now was appended before the sync that follows.
                batches.extend(receiver.try_iter());
                finish(&shared, &mut batches, |batch| {
                    teller.tell(&shared, &feed, batch)
                });
                if shared.failure().is_some()
                    && let Some(wake) = wake.upgrade()
                {
                    // It may be asleep; what is full is not.
                    let _ = wake.try_send(Job::Stop);
                }
            }
        })?;
    Ok(Syncer {
        appended: sender,
        thread,
        told,
    })
}

/// Gives the answers of batches that are durable, in their order.
struct Teller {
    durable: Option<mpsc::Sender<Appended>>,
    /// Its end says that nothing more comes.
    _told: Option<oneshot::Sender<()>>,
}

/// A task of the runtime, if there is one.
fn start_teller(parts: &Parts) -> (Teller, oneshot::Receiver<()>) {
    let (done, told) = oneshot::channel();
    let Some(runtime) = &parts.runtime else {
        let teller = Teller {
            durable: None,
            _told: Some(done),
        };
        return (teller, told);
    };
    let (durable, mut batches) = mpsc::channel::<Appended>(DURABLE_MAX);
    let (shared, feed) = (Arc::clone(&parts.shared), parts.feed.clone());
    runtime.spawn(async move {
        while let Some(batch) = batches.recv().await {
            deliver(&shared, &feed, batch);
        }
        let _ = done.send(());
    });
    let teller = Teller {
        durable: Some(durable),
        _told: None,
    };
    (teller, told)
}

impl Teller {
    fn tell(&self, shared: &Shared, feed: &Feed, batch: Appended) {
        match &self.durable {
            Some(durable) => {
                if let Err(mpsc::error::SendError(batch)) = durable.blocking_send(batch) {
                    // The runtime has ended; who waits in another one is told from here.
                    deliver(shared, feed, batch);
                }
            }
            None => deliver(shared, feed, batch),
        }
    }
}

/// To the other thread; or, when nothing else is going on, done here and now, which spares a
/// lonely caller the way there. In a crowd the next ones are on their way, and are decided while
/// the disk works.
fn hand_on(parts: &Parts, syncer: &Syncer, appended: Appended, crowd: Crowd) {
    let shared = &parts.shared;
    let is_alone = !crowd.is_there()
        && shared.on_the_way.load(Ordering::Acquire) == 0
        && parts.jobs.is_empty()
        && parts.left.is_empty()
        && parts.unsettled.is_empty();
    shared.on_the_way.fetch_add(1, Ordering::AcqRel);
    let commands = appended.answers.len() as u64;
    shared.in_hand.fetch_add(commands, Ordering::Relaxed);
    if is_alone {
        finish(shared, &mut vec![appended], |batch| {
            deliver(shared, &parts.feed, batch)
        });
        return;
    }
    if let Err(blocking::SendError(lost)) = syncer.appended.send(appended) {
        // The thread is gone, which only a panic in it can have done.
        let error = EngineError::Store("the syncer has ended".into());
        shared.fail(&error);
        answer_with(lost.answers, &error);
    }
}

/// Decides a batch. None when the store could not be read: then nothing was changed.
fn decide_and_append(
    parts: &mut Parts,
    taken: Vec<Taken>,
) -> Result<Option<Appended>, EngineError> {
    let clock = parts.clock.now();
    let now = parts.shared.time(clock);
    parts.note_clock(now - clock);
    parts.shared.note_time(now);
    let touch = decide::touch(
        taken.iter().map(|(command, ..)| command),
        now,
        &parts.limits,
    );
    let has_behind = taken.iter().any(|(_, _, is_behind)| *is_behind);
    let loading = has_behind.then(stopwatch);
    let loaded = match parts.store.load(&touch) {
        Ok(loaded) => decide::note_receives(&touch, loaded),
        Err(error) => {
            let error = EngineError::from(error);
            answer_all(parts, taken, &error);
            return Ok(None);
        }
    };
    let near_bound = near_bound(&loaded);
    let mut batch = Batch::new(loaded, now, parts.ids.entropy(), parts.limits.clone());
    let mut answers = Vec::with_capacity(taken.len());
    let mut counts: Vec<(&'static str, u64)> = Vec::new();
    // What is in front is nearly all in memory: what is behind is what has to be loaded.
    let loaded_in = loading.map_or(Duration::ZERO, |loading| loading.elapsed());
    let (started, mut behind) = (has_behind.then(stopwatch), Duration::ZERO);
    let mut taken = VecDeque::from(taken);
    while let Some((command, reply, is_behind)) = taken.pop_front() {
        let name = command.name();
        let watch = is_behind.then(stopwatch);
        let trace = reply.as_ref().and_then(|caller| caller.trace.as_ref());
        let before = batch.last_seq();
        let answer = batch.decide(command);
        if let Some(trace) = trace {
            let traces = &parts.shared.traces;
            traces.note(before + 1..=batch.last_seq(), trace);
        }
        if let Some(watch) = watch {
            behind += watch.elapsed();
        }
        if let Err(refusal) = &answer {
            metrics::counter!("firstcome_refusals_total", "code" => refusal.code()).increment(1);
        }
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
        answers.push((reply, answer));
        if batch.is_full() {
            break;
        }
    }
    taken.append(&mut parts.left);
    parts.left = taken;
    metrics::histogram!("firstcome_batch_size").record(answers.len() as f64);
    for (name, count) in counts {
        metrics::counter!("firstcome_decisions_total", "command" => name).increment(count);
    }
    let decided_in = started.map(|started| started.elapsed());
    let mut decided = batch.finish();
    wake_for_room(&near_bound, &decided.counts, &mut decided.woken);
    let mut changes = decided.changes;
    if parts.is_shared {
        changes.woken = decided.woken.keys().cloned().collect();
    }
    let wrote = !changes.is_empty();
    let began = stopwatch();
    let mut durability = None;
    let mut number = parts.shared.appended.load(Ordering::Acquire);
    if wrote {
        // Before it can be seen: whoever reads it waits until it is durable.
        number = parts.shared.appended.fetch_add(1, Ordering::AcqRel) + 1;
        match parts.store.append(&changes) {
            Ok(appended) => durability = appended,
            Err(error) => {
                let error = EngineError::from(error);
                answer_with(answers, &error);
                return Err(error);
            }
        }
    } else {
        parts.store.release();
    }
    if let (Some(started), Some(decided_in)) = (started, decided_in) {
        // What it costs to write is about as what it costs to decide.
        let share = behind.as_secs_f64() / decided_in.as_secs_f64().max(1e-9);
        let spent = loaded_in + started.elapsed().mul_f64(share.min(1.0));
        let spent = u64::try_from(spent.as_micros()).unwrap_or(u64::MAX);
        parts.shared.behind_us.fetch_add(spent, Ordering::Relaxed);
    }
    parts.unsettled.extend(decided.unsettled);
    parts.unsettled.append(&mut parts.put_off);
    Ok(Some(Appended {
        number,
        began,
        durability,
        answers,
        has_new_subscriptions: !(changes.subscriptions.is_empty()
            && changes.subscriptions_removed.is_empty()
            && changes.topics_removed.is_empty()),
        entries: changes.entries,
        woken: decided.woken,
        counts: decided.counts,
        topic_counts: decided.topic_counts,
        topics_deleted: changes.topics_removed,
        queues_deleted: changes
            .queues_removed
            .into_iter()
            .map(|(name, _)| name)
            .collect(),
        at: now,
        wrote,
    }))
}

/// Queues with about as many messages in flight as there may be, and how many they are.
fn near_bound(loaded: &Loaded) -> Vec<(String, u64)> {
    let queues = loaded.queues.iter();
    let near = queues.filter(|(_, loaded)| loaded.in_flight > 0);
    near.map(|(name, loaded)| (name.clone(), loaded.in_flight))
        .collect()
}

/// Where so much is in flight that those who wait were given nothing, though messages are there, a
/// delete makes room. One of them is enough: a receive that leaves something wakes the next.
fn wake_for_room(
    near_bound: &[(String, u64)],
    counts: &BTreeMap<String, Counts>,
    woken: &mut BTreeMap<String, Wake>,
) {
    for (queue, in_flight) in near_bound {
        let Some(counts) = counts.get(queue) else {
            continue;
        };
        if counts.deleted > 0 && in_flight + counts.received >= IN_FLIGHT_MAX {
            let wake = woken.entry(queue.clone()).or_default();
            wake.now = wake.now.max(1);
        }
    }
}

/// Waits until these batches are durable, then has everybody told.
fn finish(shared: &Shared, batches: &mut Vec<Appended>, tell: impl Fn(Appended)) {
    // One sync covers everything that was appended before it.
    let durability = batches.iter().find_map(|batch| batch.durability.clone());
    let synced = match (durability, shared.failure()) {
        (_, Some(failure)) => Err(EngineError::Store(failure)),
        (Some(durability), None) => durability.sync().map_err(EngineError::from),
        (None, None) => Ok(()),
    };
    for batch in batches.drain(..) {
        let commands = batch.answers.len() as u64;
        shared.in_hand.fetch_sub(commands, Ordering::Relaxed);
        match &synced {
            Ok(()) => {
                if batch.wrote {
                    let took = batch.began.elapsed().as_secs_f64();
                    metrics::histogram!("firstcome_commit_seconds").record(took);
                }
                shared.durable.send_if_modified(|durable| {
                    let has_moved = *durable < batch.number;
                    *durable = batch.number.max(*durable);
                    has_moved
                });
                tell(batch);
            }
            Err(error) => {
                shared.fail(error);
                answer_with(batch.answers, error);
                shared.on_the_way.fetch_sub(1, Ordering::AcqRel);
            }
        }
    }
}

/// Tells everybody of a batch that is durable: answers, feed, those who wait for messages.
fn deliver(shared: &Shared, feed: &Feed, batch: Appended) {
    if batch.has_new_subscriptions {
        shared.subscriptions.fetch_add(1, Ordering::Release);
    }
    for (reply, answer) in batch.answers {
        if let Some(reply) = reply {
            // The caller may have gone; the decision stands.
            let _ = reply.send(Ok(answer));
        }
    }
    let deleted = &batch.queues_deleted;
    shared.meter.add(batch.counts, deleted, batch.at);
    let deleted = &batch.topics_deleted;
    shared.meter.add_topics(batch.topic_counts, deleted);
    if !batch.entries.is_empty() {
        feed.publish(batch.entries);
    }
    for (queue, wake) in &batch.woken {
        shared.waits.wake(queue, *wake);
    }
    // Only now may a later batch be told of by the sequencer itself.
    shared.on_the_way.fetch_sub(1, Ordering::AcqRel);
}

fn answer_with(answers: Vec<(Option<Caller>, Result<Reply, Refusal>)>, error: &EngineError) {
    for reply in answers.into_iter().filter_map(|(reply, _)| reply) {
        let _ = reply.send(Err(error.clone()));
    }
}

/// A failed load has changed nothing: the callers are told, and the thread goes on, since the
/// next one may succeed.
fn answer_all(parts: &mut Parts, taken: Vec<Taken>, error: &EngineError) {
    tracing::error!(%error, "a batch could not be loaded; nothing was changed");
    for (command, reply, _) in taken {
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
fn stopwatch() -> Instant {
    Instant::now()
}
