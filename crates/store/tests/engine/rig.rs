//! An engine on a store that can be held up, made to fail, and opened again.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::task::Poll;
use std::time::Duration;

use commerce::{
    Currency, Email, LineId, Millis, Money, Name, NewProduct, OrderId, Quantity, Reference, Sku,
    WhenSoldOut, chain, genesis,
};
use engine::audit::{Report, audit_with};
use engine::ports::{
    Changes, Clock, Durability, Ids, Loaded, Opened, Reader, Store, StoreError, Touch,
};
use engine::{
    BodyHash, Command, Engine, EngineError, Entry, KeyHash, Kind, Limits, OrderRecord, OrderReply,
    PlaceOrder, Publish, QueueSpec, Refusal, Reply, Room,
};
use messaging::QueueConfig;
use proptest::test_runner::Config as ProptestConfig;
use store::memory::{Memory, Shared};
use store::sqlite::{self, BlockSizes};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::Instant;

pub(crate) type Answer = Result<Result<Reply, Refusal>, EngineError>;

/// When everything begins.
pub(crate) const START: Millis = 1_700_000_000_000;

/// Nothing here takes longer, or it has gone wrong.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A clock that stands until it is set, or let go.
pub(crate) struct ManualClock {
    at: AtomicI64,
    running_since: OnceLock<Instant>,
}

impl ManualClock {
    pub(crate) fn new(at: Millis) -> Self {
        Self {
            at: AtomicI64::new(at),
            running_since: OnceLock::new(),
        }
    }

    pub(crate) fn advance(&self, by: Millis) {
        self.at.fetch_add(by, Ordering::SeqCst);
    }

    /// From now on it goes as clocks do.
    pub(crate) fn run(&self) {
        self.running_since.get_or_init(Instant::now);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Millis {
        let since = self.running_since.get();
        let elapsed = since.map_or(0, |since| since.elapsed().as_millis());
        self.at.load(Ordering::SeqCst) + Millis::try_from(elapsed).expect("not so long")
    }
}

/// The same bits again for the same seed.
pub(crate) struct SeededIds(AtomicU64);

impl Ids for SeededIds {
    fn entropy(&self) -> [u8; 32] {
        let drawn = self.0.fetch_add(1, Ordering::SeqCst);
        *blake3::hash(&drawn.to_le_bytes()).as_bytes()
    }
}

/// How the next call of the store goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fail {
    Load,
    /// The commit fails and nothing of it was written.
    CommitLost,
    /// The commit is durable, and the process dies before it hears so.
    CommitKept,
    /// The commit is written, and the disk does not say that it is durable.
    SyncFailed,
}

#[derive(Default)]
struct Orders {
    hold: bool,
    fail: Option<Fail>,
    /// Loads that go well before one fails.
    loads_first: u64,
    /// How long deciding a batch takes at least.
    decides_for: Duration,
}

/// What a test does to a store while the engine uses it.
pub(crate) struct Steering {
    orders: Mutex<Orders>,
    changed: Condvar,
    /// How many loads have been held up so far.
    held: watch::Sender<u64>,
    /// The bytes of messages in each commit.
    written: Mutex<Vec<u64>>,
    closed: watch::Sender<bool>,
}

impl Steering {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            orders: Mutex::default(),
            changed: Condvar::new(),
            held: watch::Sender::new(0),
            written: Mutex::default(),
            closed: watch::Sender::new(false),
        })
    }

    /// Batches stop before they are loaded. What is returned changes when the first has.
    pub(crate) fn hold(&self) -> watch::Receiver<u64> {
        self.orders.lock().unwrap().hold = true;
        let mut held = self.held.subscribe();
        held.borrow_and_update();
        held
    }

    pub(crate) fn release(&self) {
        self.orders.lock().unwrap().hold = false;
        self.changed.notify_all();
    }

    pub(crate) fn fail_next(&self, fail: Fail) {
        self.orders.lock().unwrap().fail = Some(fail);
    }

    /// The store can be read so many times more, then once it cannot. One that is held up
    /// already does not count.
    pub(crate) fn fail_load_after(&self, loads: u64) {
        let mut orders = self.orders.lock().unwrap();
        orders.fail = Some(Fail::Load);
        orders.loads_first = loads;
    }

    /// From now on every batch takes so long between its load and its commit.
    pub(crate) fn decide_for(&self, at_least: Duration) {
        self.orders.lock().unwrap().decides_for = at_least;
    }

    /// Takes the order back; true if it was still to be carried out.
    pub(crate) fn forgive(&self) -> bool {
        self.orders.lock().unwrap().fail.take().is_some()
    }

    /// The bytes of messages in each commit that had some.
    pub(crate) fn written(&self) -> Vec<u64> {
        self.written.lock().unwrap().clone()
    }

    fn note(&self, changes: &Changes) {
        let messages = changes.messages.iter();
        let bytes = messages.map(|(_, message)| message.bytes()).sum();
        if bytes > 0 {
            self.written.lock().unwrap().push(bytes);
        }
    }

    fn wait_while_held(&self) -> bool {
        let orders = self.orders.lock().unwrap();
        let is_held = orders.hold;
        if is_held {
            self.held.send_modify(|held| *held += 1);
            let waited = self
                .changed
                .wait_timeout_while(orders, PATIENCE, |orders| orders.hold)
                .unwrap();
            assert!(!waited.1.timed_out(), "nobody released the store");
        }
        is_held
    }

    fn fails(&self, which: &[Fail]) -> Option<Fail> {
        let mut orders = self.orders.lock().unwrap();
        if orders.fail.is_some_and(|fail| which.contains(&fail)) {
            if orders.loads_first > 0 {
                orders.loads_first -= 1;
                return None;
            }
            orders.fail.take()
        } else {
            None
        }
    }
}

struct Steered {
    store: Option<Box<dyn Store>>,
    steering: Arc<Steering>,
}

impl Steered {
    fn store(&mut self) -> &mut dyn Store {
        self.store.as_deref_mut().unwrap()
    }
}

impl Store for Steered {
    fn release(&mut self) {
        self.store().release();
    }

    fn load(&mut self, touch: &Touch) -> Result<Loaded, StoreError> {
        let was_held = self.steering.wait_while_held();
        if !was_held && self.steering.fails(&[Fail::Load]).is_some() {
            return Err(StoreError::text("the disk cannot be read"));
        }
        let loaded = self.store().load(touch);
        let decides_for = self.steering.orders.lock().unwrap().decides_for;
        if !decides_for.is_zero() {
            std::thread::sleep(decides_for);
        }
        loaded
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), StoreError> {
        match self.append(changes)? {
            Some(durability) => durability.sync(),
            None => Ok(()),
        }
    }

    fn append(&mut self, changes: &Changes) -> Result<Option<Arc<dyn Durability>>, StoreError> {
        let fails = [Fail::CommitLost, Fail::CommitKept, Fail::SyncFailed];
        self.steering.note(changes);
        match self.steering.fails(&fails) {
            None | Some(Fail::Load) => self.store().append(changes),
            Some(Fail::CommitLost) => Err(StoreError::text("the disk is gone")),
            Some(Fail::CommitKept) => {
                self.store().commit(changes)?;
                Err(StoreError::text("the power is gone"))
            }
            Some(Fail::SyncFailed) => {
                self.store().append(changes)?;
                Ok(Some(Arc::new(NoSync)))
            }
        }
    }
}

struct NoSync;

impl Durability for NoSync {
    fn sync(&self) -> Result<(), StoreError> {
        Err(StoreError::text("the disk does not answer"))
    }
}

impl Drop for Steered {
    fn drop(&mut self) {
        drop(self.store.take());
        self.steering.closed.send_replace(true);
    }
}

/// Where a store is.
pub(crate) enum Place {
    Memory(Memory),
    /// Several rigs may stand on it.
    Shared(Shared),
    Disk(TempDir),
    /// On disk, with blocks of look-ups that are full after a few.
    Blocks(TempDir, BlockSizes),
}

impl Place {
    pub(crate) fn memory() -> Self {
        Self::Memory(Memory::default())
    }

    pub(crate) fn disk() -> Self {
        Self::Disk(TempDir::new().unwrap())
    }

    pub(crate) fn blocks(sizes: BlockSizes) -> Self {
        Self::Blocks(TempDir::new().unwrap(), sizes)
    }

    pub(crate) fn both() -> [Self; 2] {
        [Self::memory(), Self::disk()]
    }

    /// Nobody can read the log while this is done, nor write to it.
    pub(crate) async fn unreadable_while(&self, done: impl Future<Output = ()>) {
        let (Self::Disk(directory) | Self::Blocks(directory, _)) = self else {
            panic!("there is no file");
        };
        let file = rusqlite::Connection::open(directory.path().join("firstcome.db")).unwrap();
        let rename = |from: &str, to: &str| {
            let rename = format!("ALTER TABLE {from} RENAME TO {to}");
            file.execute_batch(&rename).unwrap();
        };
        rename("log", "hidden");
        done.await;
        rename("hidden", "log");
    }

    /// Entries for a relay to have told of.
    pub(crate) fn log_of(&self, count: u64) {
        let kind = Kind::MessageDeadLettered;
        let mut hash = genesis("firstcome.system");
        let mut entry = |seq| {
            hash = chain(&hash, START, kind.as_str(), b"{}");
            Entry {
                seq,
                line: LineId::System,
                prev: seq - 1,
                kind,
                at: START,
                subject: 0,
                data: "{}".into(),
                hash,
                buyer: None,
                sealed: None,
            }
        };
        let changes = Changes {
            entries: (1..=count).map(&mut entry).collect(),
            ..Changes::default()
        };
        self.open().store.commit(&changes).unwrap();
    }

    /// The next queue, topic or purge has this number.
    pub(crate) fn number_from(&self, next: u32) {
        let changes = Changes {
            next_queue: Some(next),
            ..Changes::default()
        };
        self.put(&changes);
    }

    /// What would take long to come to by commands.
    pub(crate) fn put(&self, changes: &Changes) {
        self.open().store.commit(changes).unwrap();
    }

    fn open(&self) -> Opened {
        match self {
            Self::Memory(memory) => memory.open(),
            Self::Shared(shared) => shared.open(),
            Self::Disk(directory) => sqlite::open(directory.path()).unwrap(),
            Self::Blocks(directory, sizes) => sqlite::open_sized(directory.path(), *sizes).unwrap(),
        }
    }
}

/// An engine and all that it stands on.
pub(crate) struct Rig {
    pub(crate) place: Place,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) steering: Arc<Steering>,
    ids: Arc<SeededIds>,
    limits: Limits,
    engine: Option<Engine>,
}

impl Rig {
    pub(crate) fn new(place: Place) -> Self {
        Self::with_limits(place, Limits::default())
    }

    pub(crate) fn with_limits(place: Place, limits: Limits) -> Self {
        let mut rig = Self {
            place,
            clock: Arc::new(ManualClock::new(START)),
            steering: Steering::new(),
            ids: Arc::new(SeededIds(AtomicU64::new(1))),
            limits,
            engine: None,
        };
        rig.start();
        rig
    }

    /// Another engine on the same store, with a clock of its own.
    pub(crate) fn beside(&self) -> Self {
        let Place::Shared(shared) = &self.place else {
            panic!("nobody else may write to this store");
        };
        let mut rig = Self {
            place: Place::Shared(shared.clone()),
            clock: Arc::new(ManualClock::new(self.clock.now())),
            steering: Steering::new(),
            ids: Arc::clone(&self.ids),
            limits: self.limits.clone(),
            engine: None,
        };
        rig.start();
        rig
    }

    fn start(&mut self) {
        self.steering = Steering::new();
        let mut opened = self.place.open();
        opened.store = Box::new(Steered {
            store: Some(opened.store),
            steering: Arc::clone(&self.steering),
        });
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let ids = Arc::clone(&self.ids) as Arc<dyn Ids>;
        let engine = Engine::start(opened, clock, ids, self.limits.clone()).unwrap();
        self.engine = Some(engine);
    }

    pub(crate) fn engine(&self) -> &Engine {
        self.engine.as_ref().unwrap()
    }

    pub(crate) fn reader(&self) -> Arc<dyn Reader> {
        self.engine().reader()
    }

    /// Lets go of the engine without a word, and begins again.
    pub(crate) async fn restart(&mut self) {
        let mut closed = self.steering.closed.subscribe();
        drop(self.engine.take());
        within(closed.wait_for(|closed| *closed)).await.unwrap();
        self.start();
    }

    /// Ends the engine in order, and begins again.
    pub(crate) async fn stop_and_start(&mut self) {
        within(self.engine().stop()).await;
        self.start();
    }

    pub(crate) async fn decide(&self, command: Command) -> Answer {
        within(self.engine().decide(command)).await
    }

    pub(crate) async fn done(&self, command: Command) -> Reply {
        let name = command.name();
        match self.decide(command).await {
            Ok(Ok(reply)) => reply,
            other => panic!("{name}: {other:?}"),
        }
    }

    pub(crate) async fn refused(&self, command: Command) -> Refusal {
        let name = command.name();
        match self.decide(command).await {
            Ok(Err(refusal)) => refusal,
            other => panic!("{name}: {other:?}"),
        }
    }

    /// Has these commands decided in one batch, in this order.
    pub(crate) async fn batch(&self, commands: Vec<Command>) -> Vec<Answer> {
        let mut held = self.steering.hold();
        // Something that changes nothing, to have the sequencer stand still.
        let plug = Command::Settle {
            sku: sku("no-such-product"),
        };
        let mut plug = Asked::of(self.engine(), plug);
        plug.admitted().await;
        within(held.changed()).await.unwrap();
        let mut asked: Vec<Asked> = Vec::new();
        for command in commands {
            let mut next = Asked::of(self.engine(), command);
            next.admitted().await;
            asked.push(next);
        }
        self.steering.release();
        // It is refused, or the batch behind it has stopped the engine before it was told so.
        let plugged = plug.answer().await;
        assert!(!matches!(plugged, Ok(Ok(_))), "{plugged:?}");
        let mut answers = Vec::new();
        for asked in asked {
            answers.push(asked.answer().await);
        }
        answers
    }

    /// Waits until deferred orders have had their verdicts: those come first in a batch.
    pub(crate) async fn settled(&self) {
        self.done(Command::Probe).await;
    }

    pub(crate) async fn order(&self, order: PlaceOrder) -> OrderReply {
        match self.done(Command::PlaceOrder(order)).await {
            Reply::Order(reply) => *reply,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn order_now(&self, id: OrderId) -> OrderRecord {
        self.reader().order(id.seq).unwrap().unwrap()
    }

    pub(crate) fn audit(&self) -> Report {
        let (kept, now) = (self.limits.key_retention, self.clock.now());
        audit_with(&*self.reader(), kept, now).unwrap()
    }

    pub(crate) fn audit_clean(&self) -> Report {
        let report = self.audit();
        assert!(report.is_clean(), "{:#?}", report.violations);
        report
    }
}

/// A command that was handed in and not answered yet.
pub(crate) struct Asked {
    future: Pin<Box<dyn Future<Output = Answer> + Send>>,
    early: Option<Answer>,
}

impl Asked {
    pub(crate) fn of(engine: &Engine, command: Command) -> Self {
        let engine = engine.clone();
        Self {
            future: Box::pin(async move { engine.decide(command).await }),
            early: None,
        }
    }

    /// Hands it in. True when it was admitted: it will be decided after all those before it.
    pub(crate) async fn admitted(&mut self) -> bool {
        let future = &mut self.future;
        self.early = poll_fn(|context| {
            Poll::Ready(match future.as_mut().poll(context) {
                Poll::Ready(answer) => Some(answer),
                Poll::Pending => None,
            })
        })
        .await;
        !matches!(self.early, Some(Err(_)))
    }

    pub(crate) async fn answer(self) -> Answer {
        match self.early {
            Some(answer) => answer,
            None => within(self.future).await,
        }
    }
}

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it takes too long")
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap()
}

pub(crate) fn sku(text: &str) -> Sku {
    Sku::new(text).unwrap()
}

pub(crate) fn email(text: &str) -> Email {
    Email::new(text).unwrap()
}

pub(crate) fn key(number: u64) -> KeyHash {
    let hash = blake3::hash(&number.to_le_bytes());
    KeyHash(hash.as_bytes()[..16].try_into().unwrap())
}

pub(crate) fn new_product(name: &str, stock: u64, when: WhenSoldOut) -> NewProduct {
    NewProduct {
        sku: sku(name),
        name: Name::new("Thing").unwrap(),
        price: Money::new(450).unwrap(),
        currency: Currency::new("EUR").unwrap(),
        stock,
        purchase_limit: None,
        when_sold_out: when,
        opens_at: None,
        reorder: None,
        ad_manager: None,
    }
}

pub(crate) fn create(name: &str, stock: u64, when: WhenSoldOut) -> Command {
    Command::CreateProduct(Box::new(new_product(name, stock, when)))
}

/// One unit for Ada, at once and without a key.
pub(crate) fn order_of(name: &str) -> PlaceOrder {
    PlaceOrder {
        sku: sku(name),
        quantity: Quantity::new(1).unwrap(),
        customer: email("ada@example.com"),
        key: None,
        body: BodyHash(1),
        defer: false,
    }
}

pub(crate) fn deferred(name: &str) -> PlaceOrder {
    PlaceOrder {
        defer: true,
        ..order_of(name)
    }
}

pub(crate) fn units(order: PlaceOrder, units: u32) -> PlaceOrder {
    PlaceOrder {
        quantity: Quantity::new(units).unwrap(),
        ..order
    }
}

pub(crate) fn receive(name: &str, quantity: u64, reference: &str) -> Command {
    Command::ReceiveGoods {
        sku: sku(name),
        quantity,
        reference: Reference::new(reference).unwrap(),
    }
}

pub(crate) fn queue_spec(name: &str, config: QueueConfig) -> QueueSpec {
    QueueSpec {
        name: name.to_owned(),
        config,
    }
}

pub(crate) fn send(queue: &str, body: &str) -> Command {
    Command::SendMessage {
        queue: queue.to_owned(),
        send: Box::new(messaging::Send {
            body: body.to_owned(),
            ..messaging::Send::default()
        }),
    }
}

/// A text for a topic, and nothing else.
pub(crate) fn publish(text: &str) -> Publish {
    Publish {
        id: format!("publication of {text}"),
        publication: messaging::topic::Publication {
            message: text.to_owned(),
            ..messaging::topic::Publication::default()
        },
        envelopes: Vec::new(),
    }
}

/// One look, by somebody who does not wait.
pub(crate) fn receive_for(queue: &str, max: usize, visibility_timeout_s: Option<u32>) -> Command {
    Command::ReceiveMessages {
        queue: queue.to_owned(),
        max,
        visibility_timeout_s,
        attempt: None,
        waits: false,
        room: Room::All,
    }
}

pub(crate) fn reply_order(answer: &Answer) -> &OrderReply {
    match answer {
        Ok(Ok(Reply::Order(reply))) => reply,
        other => panic!("{other:?}"),
    }
}

/// So many random cases; a failing one is shown, not written to a file.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        max_shrink_iters: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
