//! From the log to the queues: every entry once, whatever is killed when.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use commerce::WhenSoldOut;
use engine::ports::{Cursors, Envelopes, NoEnvelopes, Reader};
use engine::{
    Command, Engine, EngineError, Entry, Kind, OwnSubscription, Reply, SubscriptionChange,
    TOPIC_CUSTOMERS, TOPIC_OPERATIONS, TOPIC_ORDERS, TOPIC_STOCK, run_relay,
};
use messaging::topic::{FilterPolicy, FilterScope};
use messaging::{FifoConfig, Message, QueueConfig};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::rig::{
    Fail, Place, Rig, create, deferred, order_of, publish, queue_spec, receive, receive_for,
    runtime, send, within,
};

pub(crate) struct Relay {
    cancel: CancellationToken,
    task: JoinHandle<Result<(), EngineError>>,
}

impl Relay {
    pub(crate) fn start(engine: &Engine) -> Self {
        Self::with(engine, Arc::new(NoEnvelopes))
    }

    pub(crate) fn with(engine: &Engine, envelopes: Arc<dyn Envelopes>) -> Self {
        let cancel = CancellationToken::new();
        let task = tokio::spawn(run_relay(engine.clone(), envelopes, cancel.clone()));
        Self { cancel, task }
    }

    pub(crate) async fn stop(self) -> Result<(), EngineError> {
        self.cancel.cancel();
        within(self.task).await.unwrap()
    }
}

pub(crate) async fn subscribe(rig: &Rig, subscriptions: &[(&str, &str)]) {
    rig.done(Command::EnsureQueues {
        queues: subscriptions
            .iter()
            .map(|(_, queue)| queue_spec(queue, QueueConfig::default()))
            .collect(),
        subscriptions: subscriptions
            .iter()
            .map(|(topic, queue)| (*topic, *queue).into())
            .collect(),
    })
    .await;
}

/// What each message of a queue tells of.
pub(crate) fn told(reader: &dyn Reader, queue: &str) -> Vec<u64> {
    let messages = reader.messages(queue, 0, usize::MAX >> 1).unwrap();
    messages
        .iter()
        .map(|message| body(message)["seq"].as_u64().unwrap())
        .collect()
}

pub(crate) fn body(message: &Message) -> serde_json::Value {
    serde_json::from_str(&message.body).unwrap()
}

/// The messages are there: waits for them to be as many as that.
pub(crate) async fn arrived(rig: &Rig, queue: &str, count: usize) {
    let mut waiter = rig.engine().waits().enter(queue);
    let all = async {
        while told(&*rig.reader(), queue).len() < count {
            waiter.woken().await;
            waiter.used();
        }
    };
    within(all).await;
}

pub(crate) fn of(log: &[Entry], which: fn(Kind) -> bool) -> Vec<u64> {
    let entries = log.iter().filter(|entry| which(entry.kind));
    entries.map(|entry| entry.seq).collect()
}

pub(crate) const ORDERS: fn(Kind) -> bool = |kind| kind.is_order();
const STOCK: fn(Kind) -> bool = |kind| kind == Kind::StockReceived;
const BOTH: fn(Kind) -> bool = |kind| ORDERS(kind) || STOCK(kind);

/// Sells, in the background of whatever the test does: two commands a round.
pub(crate) async fn sell(rig: &Rig, rounds: u32, name: &str) {
    for round in 0..rounds {
        let order = if round % 2 == 0 {
            order_of("A")
        } else {
            deferred("A")
        };
        let _ = rig.decide(Command::PlaceOrder(order)).await;
        let _ = rig
            .decide(receive("A", 1, &format!("{name} {round}")))
            .await;
    }
}

#[test]
fn a_relay_that_cannot_read_tries_again() {
    runtime().block_on(async {
        let rig = Rig::new(Place::disk());
        rig.done(create("A", 5, WhenSoldOut::Reject)).await;
        subscribe(&rig, &[(TOPIC_ORDERS, "orders")]).await;
        for _ in 0..3 {
            rig.order(order_of("A")).await;
        }
        let mut relay = None;
        let trying = async {
            let started = relay.insert(Relay::start(rig.engine()));
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert!(!started.task.is_finished());
        };
        rig.place.unreadable_while(trying).await;
        arrived(&rig, "orders", 3).await;
        let log = rig.reader().entries(0, 100).unwrap();
        assert_eq!(told(&*rig.reader(), "orders"), of(&log, ORDERS));
        relay.unwrap().stop().await.unwrap();
    });
}

#[test]
fn every_entry_reaches_every_subscriber_once_across_restarts() {
    runtime().block_on(async {
        for place in Place::both() {
            let mut rig = Rig::new(place);
            rig.done(create("A", 3, WhenSoldOut::Wait)).await;
            subscribe(
                &rig,
                &[
                    (TOPIC_ORDERS, "orders"),
                    (TOPIC_STOCK, "stock"),
                    (TOPIC_ORDERS, "both"),
                    (TOPIC_STOCK, "both"),
                ],
            )
            .await;
            for (life, fail) in [
                None,
                Some(Fail::CommitLost),
                Some(Fail::CommitKept),
                None,
                Some(Fail::CommitKept),
                Some(Fail::CommitLost),
            ]
            .into_iter()
            .enumerate()
            {
                // Two of them, as when an old server has not quite gone.
                let relays = [Relay::start(rig.engine()), Relay::start(rig.engine())];
                sell(&rig, 10, &format!("life {life}, first")).await;
                arrived(&rig, "orders", 1).await;
                let Some(fail) = fail else {
                    // Killed in the middle of whatever it is doing.
                    sell(&rig, 5, &format!("life {life}, second")).await;
                    for relay in relays {
                        relay.stop().await.unwrap();
                    }
                    rig.restart().await;
                    continue;
                };
                // Some commit fails, of an order or of the relay.
                rig.steering.fail_next(fail);
                sell(&rig, 5, &format!("life {life}, second")).await;
                for relay in relays {
                    // It may or may not have been told before it was stopped.
                    let _ = relay.stop().await;
                }
                rig.stop_and_start().await;
            }
            let relay = Relay::start(rig.engine());
            rig.settled().await;
            let log = rig.reader().entries(0, usize::MAX >> 1).unwrap();
            for (queue, which) in [("orders", ORDERS), ("stock", STOCK), ("both", BOTH)] {
                let expected = of(&log, which);
                arrived(&rig, queue, expected.len()).await;
                let mut told = told(&*rig.reader(), queue);
                if queue == "both" {
                    // Order is kept within a topic, not between two.
                    told.sort_unstable();
                }
                assert_eq!(told, expected, "{queue}");
            }
            relay.stop().await.unwrap();
            assert!(of(&log, ORDERS).len() > 50, "there was something to tell");
            rig.audit_clean();
        }
    });
}

#[test]
fn a_message_carries_what_the_entry_says() {
    runtime().block_on(async {
        let rig = Rig::new(Place::disk());
        rig.done(create("A", 3, WhenSoldOut::Wait)).await;
        subscribe(&rig, &[(TOPIC_STOCK, "stock")]).await;
        let relay = Relay::start(rig.engine());
        rig.done(receive("A", 7, "a \"delivery\" \\ 🍩")).await;
        arrived(&rig, "stock", 1).await;
        relay.stop().await.unwrap();
        let message = &rig.reader().messages("stock", 0, 10).unwrap()[0];
        let entry = rig.reader().entry(2).unwrap().unwrap();
        let body = body(message);
        assert_eq!(body["type"], "stock.received");
        assert_eq!(body["at"], entry.at);
        assert_eq!(
            body["data"],
            serde_json::from_str::<serde_json::Value>(&entry.data).unwrap()
        );
        assert_eq!(body["data"]["quantity"], 7);
        assert_eq!(message.attributes["type"].value.bytes(), b"stock.received");
    });
}

#[test]
fn nothing_that_may_be_written_stops_the_relay() {
    runtime().block_on(async {
        let rig = Rig::new(Place::memory());
        rig.done(create("A", 3, WhenSoldOut::Wait)).await;
        subscribe(&rig, &[(TOPIC_STOCK, "stock")]).await;
        let relay = Relay::start(rig.engine());
        let references = [
            // Allowed in a reference, and not in a message.
            "\u{fffe}\u{ffff} \\ufffe \u{fffd}".to_owned(),
            // The longest in bytes, and as long again in JSON.
            "🍩".repeat(128),
            "\"".repeat(128),
            "plain".to_owned(),
        ];
        for reference in &references {
            rig.done(receive("A", 1, reference)).await;
        }
        arrived(&rig, "stock", references.len()).await;
        relay.stop().await.unwrap();
        let messages = rig.reader().messages("stock", 0, 10).unwrap();
        for (message, reference) in messages.iter().zip(&references) {
            assert_eq!(body(message)["data"]["reference"], **reference);
        }
    });
}

#[test]
fn a_new_subscriber_hears_everything_from_then_on() {
    runtime().block_on(async {
        for place in Place::both() {
            let rig = Rig::new(place);
            rig.done(create("A", 3, WhenSoldOut::Wait)).await;
            subscribe(&rig, &[(TOPIC_ORDERS, "orders")]).await;
            let relay = Relay::start(rig.engine());
            rig.order(order_of("A")).await;
            arrived(&rig, "orders", 1).await;
            // The relay has just looked who is there. What comes next is heard all the same.
            subscribe(&rig, &[(TOPIC_STOCK, "late")]).await;
            rig.done(receive("A", 1, "first")).await;
            rig.order(order_of("A")).await;
            arrived(&rig, "orders", 2).await;
            rig.done(receive("A", 1, "second")).await;
            arrived(&rig, "late", 2).await;
            let log = rig.reader().entries(0, 100).unwrap();
            assert_eq!(told(&*rig.reader(), "late"), of(&log, STOCK));
            relay.stop().await.unwrap();
        }
    });
}

/// Five orders that nobody hears of, and how far the relay of orders has come.
async fn unheard(place: Place) -> Rig {
    let rig = Rig::new(place);
    rig.done(create("A", 9, WhenSoldOut::Wait)).await;
    for _ in 0..5 {
        rig.order(order_of("A")).await;
    }
    rig
}

fn cursor(rig: &Rig) -> u64 {
    rig.reader().relayed().unwrap().orders
}

/// Orders that `late` is told of after a restart, when there is one more.
async fn told_after_a_restart(rig: &mut Rig) -> Vec<u64> {
    rig.restart().await;
    let relay = Relay::start(rig.engine());
    rig.order(order_of("A")).await;
    arrived(rig, "late", 1).await;
    relay.stop().await.unwrap();
    told(&*rig.reader(), "late")
}

#[test]
fn an_orderly_stop_says_how_far_the_relay_has_come() {
    runtime().block_on(async {
        for place in Place::both() {
            let mut rig = unheard(place).await;
            within(async {
                while cursor(&rig) < 6 {
                    let relay = Relay::start(rig.engine());
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    relay.stop().await.unwrap();
                }
            })
            .await;
            subscribe(&rig, &[(TOPIC_ORDERS, "late")]).await;
            assert_eq!(told_after_a_restart(&mut rig).await, [7]);
        }
    });
}

#[test]
fn a_new_subscriber_hears_nothing_of_what_was_before_also_after_a_crash() {
    runtime().block_on(async {
        let mut told = Vec::new();
        // Whether the relay has passed them when somebody comes cannot be seen, so now and then it
        // has not, and tells them.
        for _ in 0..20 {
            let mut rig = unheard(Place::memory()).await;
            let relay = Relay::start(rig.engine());
            tokio::time::sleep(Duration::from_millis(50)).await;
            subscribe(&rig, &[(TOPIC_ORDERS, "late")]).await;
            // It notices without anything that happens.
            within(async {
                while cursor(&rig) < 6 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            })
            .await;
            relay.task.abort();
            told = told_after_a_restart(&mut rig).await;
            if told == [7] {
                break;
            }
        }
        assert_eq!(told, [7]);
    });
}

#[test]
fn an_event_about_an_order_says_all_of_the_order() {
    runtime().block_on(async {
        for place in Place::both() {
            let rig = Rig::new(place);
            rig.done(create("A", 1, WhenSoldOut::Wait)).await;
            rig.done(Command::EnsureQueues {
                queues: vec![
                    queue_spec("orders", QueueConfig::default()),
                    queue_spec(
                        "customers.fifo",
                        QueueConfig {
                            fifo: Some(FifoConfig::default()),
                            ..QueueConfig::default()
                        },
                    ),
                ],
                subscriptions: vec![
                    OwnSubscription {
                        types: vec!["order.accepted".to_owned(), "order.cancelled".to_owned()],
                        ..(TOPIC_ORDERS, "orders").into()
                    },
                    (TOPIC_CUSTOMERS, "customers.fifo").into(),
                ],
            })
            .await;
            let relay = Relay::start(rig.engine());
            let first = rig.order(order_of("A")).await.order;
            // Waits for what the first one gives back, and is then accepted.
            let second = rig.order(order_of("A")).await.order;
            rig.done(Command::CancelOrder { id: first.id }).await;
            arrived(&rig, "orders", 3).await;
            arrived(&rig, "customers.fifo", 3).await;
            relay.stop().await.unwrap();

            let messages = rig.reader().messages("orders", 0, 10).unwrap();
            let said: Vec<serde_json::Value> = messages.iter().map(body).collect();
            let types: Vec<_> = said.iter().map(|body| &body["type"]).collect();
            assert_eq!(
                types,
                ["order.accepted", "order.cancelled", "order.accepted"]
            );
            assert_eq!(said[1]["data"]["was"], "accepted");
            for (said, order) in said.iter().zip([&first, &first, &second]) {
                let facts = json!({
                    "id": order.id.to_string(),
                    "seq": order.id.seq,
                    "customer": &*order.customer,
                    "sku": "A",
                    "quantity": order.quantity.units(),
                    "unitPrice": order.unit_price,
                    "currency": order.currency,
                });
                assert_eq!(said["order"], facts);
            }

            let ordered = rig.reader().messages("customers.fifo", 0, 10).unwrap();
            let bodies: Vec<serde_json::Value> = ordered.iter().map(body).collect();
            assert_eq!(bodies, said, "the same words");
            for message in &ordered {
                let group = message.group.as_deref().unwrap();
                assert_eq!(group.len(), 32, "a name that says nothing: {group}");
            }
            let groups: BTreeSet<_> = ordered.iter().map(|message| &message.group).collect();
            let customers: BTreeSet<_> = [&first, &second].map(|order| &order.customer).into();
            assert_eq!(groups.len(), customers.len());
        }
    });
}

#[test]
fn a_relay_that_is_refused_has_sent_nothing() {
    runtime().block_on(async {
        let rig = Rig::new(Place::memory());
        subscribe(&rig, &[("t", "a"), ("t", "b")]).await;
        let relay = |from, bodies: &[&str]| Command::Relay {
            which: engine::Relay::Shop,
            from,
            to: from + 1,
            publications: bodies.iter().map(|body| ("t", publish(body))).collect(),
            is_bare_fine: false,
        };
        // The cursor is elsewhere.
        rig.refused(relay(5, &["fine"])).await;
        for queue in ["a", "b"] {
            assert_eq!(rig.reader().messages(queue, 0, 10).unwrap(), []);
        }
        assert_eq!(rig.reader().relayed().unwrap().shop, 0);
        rig.done(relay(0, &["fine", "too"])).await;
        let reader: Arc<dyn Reader> = rig.reader();
        for queue in ["a", "b"] {
            let messages = reader.messages(queue, 0, 10).unwrap();
            let bodies: Vec<&str> = messages.iter().map(|m| m.body.as_str()).collect();
            assert_eq!(bodies, ["fine", "too"]);
        }
    });
}

#[test]
fn what_cannot_be_a_message_does_not_stop_the_relay() {
    runtime().block_on(async {
        for place in Place::both() {
            let rig = Rig::new(place);
            subscribe(&rig, &[("t", "a"), ("t", "b")]).await;
            let bodies = ["fine", "\u{ffff}", "", "too"];
            let reply = rig
                .done(Command::Relay {
                    which: engine::Relay::Shop,
                    from: 0,
                    to: 7,
                    publications: bodies.map(|body| ("t", publish(body))).into(),
                    is_bare_fine: false,
                })
                .await;
            assert!(matches!(reply, Reply::Count(8)), "{reply:?}");
            assert_eq!(
                rig.reader().relayed().unwrap(),
                Cursors { shop: 7, orders: 0 }
            );
            for queue in ["a", "b"] {
                let messages = rig.reader().messages(queue, 0, 10).unwrap();
                let bodies: Vec<&str> = messages.iter().map(|m| m.body.as_str()).collect();
                assert_eq!(bodies, ["fine", "too"]);
            }
            // The log is not told of what came from the log: that would go round and round.
            assert_eq!(rig.reader().last_seq().unwrap(), 0);
        }
    });
}

#[test]
fn operations_hears_of_dead_letters() {
    runtime().block_on(async {
        let rig = Rig::new(Place::memory());
        let config = QueueConfig {
            redrive: Some(messaging::RedrivePolicy {
                dead_letter_queue: "dead".to_owned(),
                max_receive_count: 1,
            }),
            ..QueueConfig::default()
        };
        // The smallest messages there are.
        let small = QueueConfig {
            message_bytes_max: 1_024,
            ..QueueConfig::default()
        };
        rig.done(Command::EnsureQueues {
            queues: vec![
                queue_spec("q", config),
                queue_spec("dead", QueueConfig::default()),
                queue_spec("ops", small),
            ],
            subscriptions: vec![(TOPIC_OPERATIONS, "ops").into()],
        })
        .await;
        let relay = Relay::start(rig.engine());
        let receive = |visibility_s| receive_for("q", 1, Some(visibility_s));
        rig.done(send("q", "a")).await;
        rig.done(receive(0)).await;
        rig.done(receive(0)).await;
        rig.done(send("q", "b")).await;
        let Reply::Messages { queue_id, messages } = rig.done(receive(30)).await else {
            panic!("messages were asked for");
        };
        // Longer than a message of that queue may be, and told all the same.
        let reason = "because ".repeat(200);
        rig.done(Command::DeadLetter {
            queue: "q".to_owned(),
            handle: messaging::ReceiptHandle {
                queue_id,
                seq: messages[0].seq,
                receipt: messages[0].receipt.unwrap(),
            },
            reason: reason.clone(),
        })
        .await;
        arrived(&rig, "ops", 2).await;
        relay.stop().await.unwrap();
        let messages = rig.reader().messages("ops", 0, 10).unwrap();
        let first = body(&messages[0]);
        assert_eq!(first["type"], "message.dead_lettered");
        assert_eq!(first["data"]["queue"], "q");
        assert_eq!(first["data"]["deadLetterQueue"], "dead");
        assert_eq!(first["data"]["receiveCount"], 1);
        assert_eq!(body(&messages[1])["data"]["reason"], reason);
        // A producer is held to the bound.
        let refusal = rig.refused(send("ops", &"x".repeat(1_025))).await;
        assert_eq!(refusal.code(), "queue_refusal");
    });
}

/// Sells a unit of A and tries to sell one more.
async fn sell_out(rig: &Rig, reference: &str) {
    rig.done(receive("A", 1, reference)).await;
    rig.order(order_of("A")).await;
    let refused = rig.decide(Command::PlaceOrder(order_of("A"))).await;
    assert!(matches!(refused, Ok(Ok(Reply::Order(_)))), "{refused:?}");
}

fn wanting(types: &[&str], queue: &str) -> OwnSubscription {
    OwnSubscription {
        types: types.iter().map(|kind| (*kind).to_owned()).collect(),
        ..(TOPIC_ORDERS, queue).into()
    }
}

async fn listen(rig: &Rig, subscriptions: Vec<OwnSubscription>) {
    let queues = subscriptions.iter().map(|own| own.queue.clone());
    rig.done(Command::EnsureQueues {
        queues: queues
            .map(|queue| queue_spec(&queue, QueueConfig::default()))
            .collect(),
        subscriptions,
    })
    .await;
}

/// What no filter lets through is not even sent: the cursor, which is written with what is sent,
/// stays where it was.
#[test]
fn kinds_that_nobody_wants_cost_nothing() {
    runtime().block_on(async {
        let rig = Rig::new(Place::memory());
        rig.done(create("A", 0, WhenSoldOut::Reject)).await;
        let relay = Relay::start(rig.engine());
        listen(&rig, vec![wanting(&["order.sold_out"], "sold-out")]).await;
        rig.order(order_of("A")).await;
        arrived(&rig, "sold-out", 1).await;
        let cursor = || rig.reader().relayed().unwrap().orders;
        let heard = cursor();
        // Accepted orders pass nobody's filter; the sold-out one behind them does.
        rig.done(receive("A", 5, "five")).await;
        for _ in 0..5 {
            rig.order(order_of("A")).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(cursor(), heard, "nothing was sent");
        rig.order(order_of("A")).await;
        arrived(&rig, "sold-out", 2).await;
        assert!(cursor() > heard);
        relay.stop().await.unwrap();
        let log = rig.reader().entries(0, 100).unwrap();
        let sold_out = of(&log, |kind| kind == Kind::OrderSoldOut);
        assert_eq!(told(&*rig.reader(), "sold-out"), sold_out);
    });
}

#[test]
fn a_filter_that_changes_is_heard_from_then_on() {
    runtime().block_on(async {
        for place in Place::both() {
            let rig = Rig::new(place);
            rig.done(create("A", 1, WhenSoldOut::Reject)).await;
            let relay = Relay::start(rig.engine());
            listen(&rig, vec![wanting(&["order.accepted"], "orders")]).await;
            rig.order(order_of("A")).await;
            arrived(&rig, "orders", 1).await;
            let id = rig.reader().subscriptions(None, None, 9).unwrap()[0]
                .subscription
                .id
                .clone();
            let policy = |text: &str, scope| Some(FilterPolicy::parse(text, scope).unwrap());
            for (filter, verdicts) in [
                (
                    policy(
                        r#"{"type":["order.sold_out"]}"#,
                        FilterScope::MessageAttributes,
                    ),
                    1,
                ),
                (
                    policy(r#"{"type":["order.sold_out"]}"#, FilterScope::MessageBody),
                    1,
                ),
                (
                    policy(
                        r#"{"type":[{"prefix":"order."}]}"#,
                        FilterScope::MessageAttributes,
                    ),
                    2,
                ),
                (None, 2),
            ] {
                let before = told(&*rig.reader(), "orders").len();
                rig.done(Command::SetSubscription {
                    id: id.clone(),
                    change: Box::new(SubscriptionChange {
                        filter: Some(filter),
                        ..SubscriptionChange::default()
                    }),
                })
                .await;
                sell_out(&rig, &before.to_string()).await;
                arrived(&rig, "orders", before + verdicts).await;
                assert_eq!(told(&*rig.reader(), "orders").len(), before + verdicts);
            }
            relay.stop().await.unwrap();
        }
    });
}

/// More filters than the relay looks at itself.
#[test]
fn one_of_many_subscribers_is_heard() {
    runtime().block_on(async {
        let rig = Rig::new(Place::memory());
        rig.done(create("A", 1, WhenSoldOut::Reject)).await;
        let mut subscriptions: Vec<OwnSubscription> = (0..150)
            .map(|number| wanting(&["order.cancelled"], &format!("quiet-{number}")))
            .collect();
        subscriptions.push(wanting(&["order.accepted"], "zz-last"));
        listen(&rig, subscriptions).await;
        let relay = Relay::start(rig.engine());
        sell_out(&rig, "one").await;
        arrived(&rig, "zz-last", 2).await;
        relay.stop().await.unwrap();
    });
}
