//! The handle on the sequencer.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use commerce::Millis;
use tokio::sync::{mpsc, oneshot, watch};

use crate::command::{Command, Refusal, Reply};
use crate::company::Crowd;
use crate::feed::Feed;
use crate::flow::{Flow, Flows, TopicCounts, TopicFlows};
use crate::pace::{Load, Pace};
use crate::ports::{Clock, Ids, Opened, Others, Reader, StoreError};
use crate::reads::{Lane, Reads};
use crate::remembering::Remembering;
use crate::sequencer::{self, Caller, Job, Shared};
use crate::trace::{self, Remembered, Step, Trace};
use crate::waits::Waits;

/// The bounds of one engine.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Commands that wait for the sequencer; one more is answered `Overloaded`.
    pub queue_max: usize,
    /// Commands in one commit.
    pub batch_max: usize,
    /// Bytes of messages in one commit: the command that passes them is the last one.
    pub batch_bytes: u64,
    /// Bytes that one command publishes, counted for every subscriber: what comes after is given to
    /// its subscribers in steps of so many bytes.
    pub fan_out_bytes: u64,
    /// How long an idempotency key is kept.
    pub key_retention: Duration,
    /// Live keys one customer may hold.
    pub keys_per_customer: u32,
    pub products_max: usize,
    pub auctions_max: usize,
    pub queues_max: usize,
    pub topics_max: usize,
    pub subscriptions_max: usize,
    /// Whether the name of a deleted queue is not free for a minute, as on Amazon.
    pub deleted_names_rest: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue_max: 8_192,
            batch_max: 512,
            batch_bytes: 64 * 1024 * 1024,
            fan_out_bytes: 4 * 1024 * 1024,
            key_retention: Duration::from_secs(24 * 60 * 60),
            keys_per_customer: 1_000,
            products_max: 100_000,
            auctions_max: 1_000_000,
            queues_max: 10_000,
            topics_max: 1_000,
            subscriptions_max: 10_000,
            deleted_names_rest: false,
        }
    }
}

/// Why a command has no decision.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// The bounded queue is full. Nothing was done; try again shortly.
    #[error("the sequencer's queue is full")]
    Overloaded,
    /// The server is going down. Nothing was done.
    #[error("the server is stopping")]
    Stopping,
    /// The store failed while this command was being committed: it may or may not have been.
    #[error("the store failed: {0}")]
    Store(Arc<str>),
}

impl EngineError {
    /// For those who watch.
    const fn code(&self) -> &'static str {
        match self {
            Self::Overloaded => "overloaded",
            Self::Stopping => "stopping",
            Self::Store(_) => "store",
        }
    }
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        let mut text = error.to_string();
        if let Some(source) = &error.source {
            text.push_str(": ");
            text.push_str(&source.to_string());
        }
        Self::Store(text.into())
    }
}

/// Proposes commands and reads. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
    /// Its commands stand behind those of others.
    is_behind: bool,
}

struct Inner {
    sender: mpsc::Sender<Job>,
    shared: Arc<Shared>,
    reader: Arc<dyn Reader>,
    others: Option<Arc<dyn Others>>,
    reads: Reads,
    clock: Arc<dyn Clock>,
    feed: Feed,
    limits: Limits,
    thread: Mutex<Option<JoinHandle<()>>>,
    stopped: watch::Receiver<bool>,
    pace: Pace,
    remembering: Remembering,
}

impl Engine {
    /// Starts the sequencer on a thread of its own.
    ///
    /// # Errors
    /// When the store cannot say where its log ends.
    pub fn start(
        opened: Opened,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        limits: Limits,
    ) -> Result<Self, StoreError> {
        let Opened {
            store,
            reader,
            others,
            remembering,
        } = opened;
        let last_seq = reader.last_seq()?;
        let (sender, receiver) = mpsc::channel(limits.queue_max);
        let (stopped_tx, stopped) = watch::channel(false);
        let feed = Feed::new(last_seq);
        let shared = Arc::new(Shared::new());
        if let Some(newest) = reader.entry(last_seq)? {
            shared.note_time(newest.at);
        }
        let unsettled = reader.unsettled_products(None, limits.products_max)?;
        let thread = sequencer::spawn(sequencer::Parts {
            store,
            clock: Arc::clone(&clock),
            ids,
            limits: limits.clone(),
            jobs: receiver,
            wake: sender.downgrade(),
            shared: Arc::clone(&shared),
            feed: feed.clone(),
            stopped: stopped_tx,
            runtime: tokio::runtime::Handle::try_current().ok(),
            unsettled: unsettled.into_iter().map(|product| product.sku).collect(),
            put_off: BTreeSet::new(),
            left: VecDeque::new(),
            is_shared: others.is_some(),
            is_clock_behind: false,
        });
        Ok(Self {
            inner: Arc::new(Inner {
                sender,
                shared,
                reads: Reads::new(&reader),
                reader,
                others,
                clock,
                feed,
                limits,
                thread: Mutex::new(Some(thread)),
                stopped,
                pace: Pace::default(),
                remembering: Remembering::begin(remembering),
            }),
            is_behind: false,
        })
    }

    /// The same engine for work that may wait: while others have commands decided, what is asked
    /// through this handle takes a small share of the sequencer's time, see [`Pace`].
    #[must_use]
    pub fn behind(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            is_behind: true,
        }
    }

    /// Has a command decided, in order, and waits until the decision is durable.
    ///
    /// # Errors
    /// See [`EngineError`]; a rule that says no is `Ok(Err(refusal))`.
    pub async fn decide(&self, command: Command) -> Result<Result<Reply, Refusal>, EngineError> {
        let step = Step::Decide {
            command: command.name(),
        };
        let Some((span, trace)) = trace::begin(step) else {
            return self.admit(command, None).await;
        };
        let answer = self.admit(command, Some(trace)).await;
        span.end(answer.as_ref().err().map(EngineError::code));
        answer
    }

    async fn admit(
        &self,
        command: Command,
        trace: Option<Trace>,
    ) -> Result<Result<Reply, Refusal>, EngineError> {
        let inner = &self.inner;
        inner.remembering.wait_for(&command, &inner.limits).await;
        if !self.is_behind {
            // To look whether there is something is no rush.
            if !matches!(
                command,
                Command::ReceiveMessages { .. } | Command::Sweep { .. } | Command::Probe
            ) {
                self.inner.pace.note_front();
            }
            return self.inner.decide(command, trace, false).await;
        }
        let shared = &self.inner.shared;
        let load = || Load {
            behind_us: shared.behind_us.load(Ordering::Relaxed),
            crowd: Crowd::of(shared.crowd.load(Ordering::Relaxed)),
        };
        let turn = self.inner.pace.turn(load).await;
        let answer = self.inner.decide(command, trace, true).await;
        drop(turn);
        answer
    }

    /// Reads on a thread where blocking is allowed.
    ///
    /// # Errors
    /// [`EngineError::Store`] when the store fails, [`EngineError::Overloaded`] when very many wait
    /// to read.
    pub async fn read<T, F>(&self, read: F) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Reader) -> Result<T, StoreError> + Send + 'static,
    {
        self.read_in(Lane::Requests, read).await
    }

    /// The same for the server's own timers, which do not stand in line with those who ask.
    ///
    /// # Errors
    /// [`EngineError::Store`] when the store fails.
    pub async fn read_own<T, F>(&self, read: F) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Reader) -> Result<T, StoreError> + Send + 'static,
    {
        self.read_in(Lane::Own, read).await
    }

    async fn read_in<T, F>(&self, lane: Lane, read: F) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Reader) -> Result<T, StoreError> + Send + 'static,
    {
        let result = self.inner.reads.read(lane, read).await?;
        self.inner.until_durable().await?;
        Ok(result)
    }

    pub fn reader(&self) -> Arc<dyn Reader> {
        Arc::clone(&self.inner.reader)
    }

    /// Where to look for what others have committed, if others can.
    pub(crate) fn others(&self) -> Option<&Arc<dyn Others>> {
        self.inner.others.as_ref()
    }

    /// Somebody has decided by this time.
    pub(crate) fn note_time(&self, at: Millis) {
        self.inner.shared.note_time(at);
    }

    pub fn feed(&self) -> &Feed {
        &self.inner.feed
    }

    /// The newest committed sequence, for whoever knows of `seq`: where others write to the store they
    /// may have told it, and it was not heard of here yet.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn newest_seq(&self, seq: u64) -> Result<u64, EngineError> {
        let newest = self.inner.feed.last_seq();
        if seq <= newest || self.inner.others.is_none() {
            return Ok(newest);
        }
        self.read(|reader| reader.last_seq()).await
    }

    /// What the clock says.
    pub fn now(&self) -> Millis {
        self.inner.clock.now()
    }

    /// The time of whatever would be decided now: the clock's, or that of the newest decision while
    /// the clock is behind it, because somebody has set it back. By this the store is asked what is
    /// visible or due.
    pub fn log_time(&self) -> Millis {
        self.inner.shared.time(self.now())
    }

    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Commands that wait for the sequencer at this moment.
    pub fn depth(&self) -> u64 {
        self.inner.shared.depth.load(Ordering::Relaxed)
    }

    /// Those who wait for messages, one woken by one message.
    pub fn waits(&self) -> &Waits {
        &self.inner.shared.waits
    }

    /// What passed through each queue; counted just after it is answered.
    pub fn flows(&self) -> Flows {
        self.inner.shared.meter.flows(self.log_time())
    }

    /// What became of what was published to each topic.
    pub fn topic_flows(&self) -> TopicFlows {
        self.inner.shared.meter.topics()
    }

    /// Forgets what passed through queues and topics that are not among these, nor were when this was
    /// said last: other processes may have deleted them.
    pub fn tidy_flows(&self, queues: &HashSet<&str>, topics: &HashSet<&str>) {
        self.inner.shared.meter.tidy(queues, topics);
    }

    /// What became of a notification that was handed over to be delivered.
    pub fn count_delivery(&self, topic: &str, counts: TopicCounts) {
        let counts = BTreeMap::from([(topic.to_owned(), counts)]);
        self.inner.shared.meter.add_topics(counts, &[]);
    }

    /// What passed through one queue.
    pub fn flow(&self, queue: &str) -> Flow {
        self.inner.shared.meter.flow(queue, self.log_time())
    }

    /// Why the sequencer gave up, if it did.
    pub fn failure(&self) -> Option<Arc<str>> {
        self.inner.shared.failure()
    }

    /// Moves whenever a subscription was added here, before anything that follows it.
    pub(crate) fn subscriptions_version(&self) -> u64 {
        self.inner.shared.subscriptions.load(Ordering::Acquire)
    }

    /// Where the newest entries come from, for those who watch.
    pub(crate) fn traces(&self) -> &Remembered {
        &self.inner.shared.traces
    }

    /// Resolves when the sequencer's thread has ended.
    pub async fn stopped(&self) {
        let mut stopped = self.inner.stopped.clone();
        // An error means that the sender is gone, which is the same.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }

    /// Takes no new commands, answers those that were admitted, ends the thread.
    pub async fn stop(&self) {
        self.inner.shared.stopping.store(true, Ordering::SeqCst);
        // The stop travels behind everything that was admitted before it. Whoever asked before may have
        // gone away without sending it; one too many finds the queue closed.
        let _ = self.inner.sender.send(Job::Stop).await;
        self.stopped().await;
        let thread = self
            .inner
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

impl Inner {
    async fn decide(
        &self,
        command: Command,
        trace: Option<Trace>,
        is_behind: bool,
    ) -> Result<Result<Reply, Refusal>, EngineError> {
        let (reply, answer) = oneshot::channel();
        if self.stopping() {
            return Err(EngineError::Stopping);
        }
        // Counted before it is sent: the sequencer counts it down as soon as it has it.
        let depth = &self.shared.depth;
        let waiting = depth.fetch_add(1, Ordering::Relaxed) + 1;
        if let Err(error) = self.sender.try_send(Job::Decide {
            command,
            reply: Caller { reply, trace },
            is_behind,
        }) {
            depth.fetch_sub(1, Ordering::Relaxed);
            return Err(match error {
                mpsc::error::TrySendError::Full(_) => EngineError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => self.why_closed(),
            });
        }
        self.shared.company.came(waiting);
        match answer.await {
            Ok(answer) => answer,
            Err(_) => Err(self.why_closed()),
        }
    }

    fn stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::SeqCst)
    }

    /// Returns when everything that a reader can have seen by now is durable: what was told to
    /// anybody must not be lost.
    async fn until_durable(&self) -> Result<(), EngineError> {
        let seen = self.shared.appended.load(Ordering::Acquire);
        if *self.shared.durable.borrow() >= seen {
            return Ok(());
        }
        let mut durable = self.shared.durable.subscribe();
        loop {
            if let Some(failure) = self.shared.failure() {
                return Err(EngineError::Store(failure));
            }
            if *durable.borrow_and_update() >= seen {
                return Ok(());
            }
            // The sender lives as long as `self`.
            let _ = durable.changed().await;
        }
    }

    fn why_closed(&self) -> EngineError {
        match self.shared.failure() {
            Some(failure) => EngineError::Store(failure),
            None => EngineError::Stopping,
        }
    }
}
