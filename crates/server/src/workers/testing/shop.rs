//! A shop for consumers to follow: the real engine over a store in memory, the real databases,
//! and a mail server that can be away.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use commerce::{
    Currency, Email, Millis, Money, Name, NewProduct, OrderId, Quantity, Reorder, Sku, WhenSoldOut,
};
use engine::ports::{Clock as _, Opened};
use engine::{BodyHash, Command, Engine, Limits, PlaceOrder, Reply};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use mail::texts::Language;
use mail::{Composed, Failure, FailureCause, Transport};
use store::memory::Memory;
use tempfile::TempDir;

use super::super::ConsumerParts;
use super::super::consumer::Hears;
use super::super::consumers::tests::rig::{Counter, Queue};
use super::time::{TestClock, stand_still};
use crate::config::Config;
use crate::mailer::Mailer;

/// Takes every e-mail unless it is away.
#[derive(Default)]
pub(in crate::workers) struct Post {
    pub is_away: AtomicBool,
    /// It hangs up over e-mails whose recipient begins so.
    pub chokes_on: Mutex<Option<&'static str>>,
    taken: Mutex<Vec<Composed>>,
}

impl Post {
    pub(in crate::workers) fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    /// As often as they were handed over.
    pub(in crate::workers) fn ids(&self) -> Vec<String> {
        let taken = self.taken.lock().unwrap();
        taken.iter().map(|mail| mail.id().to_owned()).collect()
    }
}

impl Transport for Post {
    fn send<'a>(&'a self, mail: &'a Composed) -> BoxFuture<'a, mail::Outcome> {
        async move {
            if self.is_away.load(Ordering::SeqCst) {
                return Failure::new(FailureCause::ConnectionRefused, "nobody is there").into();
            }
            let chokes_on = *self.chokes_on.lock().unwrap();
            if chokes_on.is_some_and(|whom| mail.to().starts_with(whom)) {
                return Failure {
                    may_have_been_taken: true,
                    over_this_mail: true,
                    ..Failure::new(FailureCause::Interrupted, "it hung up")
                }
                .into();
            }
            self.taken.lock().unwrap().push(mail.clone());
            mail::Outcome::Delivered {
                reply: String::new(),
            }
        }
        .boxed()
    }
}

pub(in crate::workers) struct Shop {
    pub engine: Engine,
    pub clock: Arc<TestClock>,
    pub parts: ConsumerParts,
    pub post: Arc<Post>,
    pub directory: TempDir,
}

/// An event as a topic tells it.
#[derive(Debug, Clone)]
pub(in crate::workers) struct Told {
    pub seq: u64,
    pub kind: &'static str,
    pub topic: &'static str,
    pub customer: Option<String>,
    pub body: String,
}

pub(in crate::workers) fn sku(text: &str) -> Sku {
    Sku::new(text).unwrap()
}

/// A product of this name, at 1,000 won.
pub(in crate::workers) fn product(name: &str, stock: u64) -> NewProduct {
    NewProduct {
        sku: sku(name),
        name: Name::new("Thing").unwrap(),
        price: Money::new(1_000).unwrap(),
        currency: Currency::new("KRW").unwrap(),
        stock,
        purchase_limit: None,
        when_sold_out: WhenSoldOut::Wait,
        opens_at: None,
        reorder: None,
        ad_manager: None,
    }
}

/// The same, which asks a factory for five when none is left.
pub(in crate::workers) fn restocked(name: &str, stock: u64) -> NewProduct {
    NewProduct {
        reorder: Some(Reorder {
            point: 0,
            quantity: 5,
            factory: sku("FF-500293"),
        }),
        ad_manager: Some(Email::new("ads@example.com").unwrap()),
        ..product(name, stock)
    }
}

impl Shop {
    pub(in crate::workers) fn open(settle: impl FnOnce(&mut Config)) -> Self {
        Self::open_on(Memory::default().open(), settle)
    }

    pub(super) fn open_on(opened: Opened, settle: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config {
            data: directory.path().to_owned(),
            // In a directory of its own, which can be moved out of reach.
            customers: Some(format!("{}/customers/c.db", directory.path().display())),
            ..Config::default()
        };
        settle(&mut config);
        let clock = TestClock::new();
        let ids = Arc::new(Counter::default());
        let engine = Engine::start(opened, Arc::clone(&clock) as _, ids, Limits::default());
        let engine = engine.unwrap();
        let shared = Arc::clone(&clock) as _;
        let url = "http://shop.example";
        let mut parts = ConsumerParts::new(&config, &shared, Some(engine.clone()), url).unwrap();
        let post = Arc::new(Post::default());
        let language = if config.mail.language == "ko" {
            Language::Korean
        } else {
            Language::English
        };
        parts.mailer = Mailer::over(Arc::clone(&post) as _, config.mail.sender(), language);
        Self {
            engine,
            clock,
            parts,
            post,
            directory,
        }
    }

    pub(in crate::workers) fn now(&self) -> Millis {
        self.clock.now()
    }

    pub(in crate::workers) async fn done(&self, command: Command) -> Reply {
        let _still = stand_still();
        self.now();
        self.engine.decide(command).await.unwrap().unwrap()
    }

    pub(in crate::workers) async fn offer(&self, product: NewProduct) {
        self.done(Command::CreateProduct(Box::new(product))).await;
    }

    pub(in crate::workers) async fn buy(&self, name: &str, who: &str, units: u32) -> OrderId {
        let order = PlaceOrder {
            sku: sku(name),
            quantity: Quantity::new(units).unwrap(),
            customer: Email::new(who).unwrap(),
            key: None,
            body: BodyHash(0),
            defer: false,
        };
        match self.done(Command::PlaceOrder(order)).await {
            Reply::Order(order) => order.order.id,
            other => panic!("{other:?}"),
        }
    }

    pub(in crate::workers) async fn cancel(&self, id: OrderId) {
        self.done(Command::CancelOrder { id }).await;
    }

    /// All that was told so far, in the words of the relay.
    pub(in crate::workers) fn told(&self) -> Vec<Told> {
        let reader = self.engine.reader();
        let entries = reader.entries(0, 100_000).unwrap();
        let tell = |entry: &engine::Entry| {
            let order = reader.order(entry.subject).unwrap();
            let (topic, body) = engine::told(entry, order.as_ref())?;
            Some(Told {
                seq: entry.seq,
                kind: entry.kind.as_str(),
                topic,
                customer: order.map(|order| order.customer.to_lowercase()),
                body,
            })
        };
        entries.iter().filter_map(tell).collect()
    }

    /// What a consumer of this shop hears of it.
    pub(in crate::workers) fn heard(&self, hears: &[Hears]) -> Vec<Told> {
        let is_heard = |told: &Told| {
            hears.iter().any(|hears| {
                // Orders are told in both topics, in the same words.
                let is_topic = hears.topic == told.topic
                    || (hears.topic == engine::TOPIC_CUSTOMERS
                        && told.topic == engine::TOPIC_ORDERS);
                is_topic && (hears.types.is_empty() || hears.types.contains(&told.kind))
            })
        };
        self.told().into_iter().filter(is_heard).collect()
    }

    /// A queue that goes by this shop's clock.
    pub(in crate::workers) fn queue(&self) -> Arc<Queue> {
        Queue::with_clock(std::time::Duration::from_millis(1), Arc::clone(&self.clock))
    }
}
