//! Webhooks out: deliveries written for events, and calls to endpoints.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use effects::webhooks::{EventTypes, NewEndpoint, StoredSecret, Webhooks};
use engine::{Command, QueueSpec};
use messaging::QueueConfig;

use super::super::neighbour::Neighbour;
use super::{SECRET, Sent, World, day, heard, parts, rows};
use crate::workers::consumer::{Consumer, Hears};
use crate::workers::testing::shop::Shop;
use crate::workers::{consumers, webhooks};

/// Two endpoints with their webhooks: `Written` makes deliveries of events, `Called` calls.
pub(in crate::workers::faults) struct Hooks {
    shop: Shop,
    pub endpoint: Neighbour,
}

impl Hooks {
    async fn open() -> Self {
        let endpoint = Neighbour::open().await;
        let shop = Shop::open(|_| {});
        day(&shop).await;
        shop.done(Command::EnsureQueues {
            queues: vec![QueueSpec {
                name: webhooks::CALLER_QUEUE.to_owned(),
                config: QueueConfig::default(),
            }],
            subscriptions: Vec::new(),
        })
        .await;
        let hooks = Webhooks::new(&shop.parts.effects);
        for (id, types) in [("whk_all", "*"), ("whk_some", "order.accepted")] {
            let new = NewEndpoint {
                id: id.to_owned(),
                url: format!("{}{id}", endpoint.url()),
                types: EventTypes::new([types]).unwrap(),
                description: String::new(),
                secret: StoredSecret(SECRET.to_owned()),
                disabled: false,
            };
            hooks.create(new, shop.now()).await.unwrap().unwrap();
        }
        Self { shop, endpoint }
    }

    fn effects_file(&self) -> PathBuf {
        self.shop.directory.path().join("effects.db")
    }

    /// One for each event and each endpoint that wants it.
    fn wanted(&self) -> BTreeSet<String> {
        let mut wanted = BTreeSet::new();
        for told in self.shop.heard(ORDERS) {
            wanted.insert(format!("whk_all evt_{}", told.seq));
            if told.kind == "order.accepted" {
                wanted.insert(format!("whk_some evt_{}", told.seq));
            }
        }
        wanted
    }
}

const ORDERS: &[Hears] = &[Hears {
    topic: engine::TOPIC_ORDERS,
    types: &[],
}];

const DELIVERIES: &str = "webhook_deliveries AS d JOIN webhook_endpoints AS e ON e.n = d.endpoint";

pub(in crate::workers::faults) struct Written(Hooks);

impl Written {
    pub(in crate::workers::faults) async fn open() -> Self {
        Self(Hooks::open().await)
    }
}

impl World for Written {
    fn shop(&self) -> &Shop {
        &self.0.shop
    }

    fn process(&self) -> Arc<dyn Consumer> {
        Arc::new(webhooks::Teller {
            engine: self.0.shop.engine.clone(),
            webhooks: Webhooks::new(&parts(&self.0.shop).effects),
        })
    }

    fn messages(&self) -> Vec<Sent> {
        heard(&self.0.shop, ORDERS)
    }

    /// Those whose message lies in the queue.
    fn effects(&self) -> Vec<String> {
        let reader = self.0.shop.engine.reader();
        let messages = reader.messages(webhooks::CALLER_QUEUE, 0, 10_000).unwrap();
        let queued: BTreeSet<String> = messages.iter().map(|one| one.body.to_string()).collect();
        let query =
            format!("SELECT d.n || '.' || e.id || ' ' || d.event FROM {DELIVERIES} ORDER BY 1");
        let rows = rows(self.0.effects_file(), &query);
        let mut lines = Vec::new();
        for row in rows {
            let (n, line) = row.split_once('.').unwrap();
            if queued.contains(&format!(r#"{{"delivery":{n}}}"#)) {
                lines.push(line.to_owned());
            }
        }
        lines.sort();
        lines
    }

    fn fold(&self) -> Vec<String> {
        self.0.wanted().into_iter().collect()
    }
}

pub(in crate::workers::faults) struct Called {
    pub hooks: Hooks,
    deliveries: Vec<i64>,
}

impl Called {
    pub(in crate::workers::faults) async fn open() -> Self {
        let hooks = Hooks::open().await;
        let events = hooks.shop.heard(ORDERS).into_iter();
        let events = events.map(|told| webhooks::event(told.body).unwrap());
        let webhooks = Webhooks::new(&hooks.shop.parts.effects);
        let told = webhooks.tell(events.collect(), hooks.shop.now());
        let deliveries = told.await.unwrap().into_iter().map(|one| one.n).collect();
        Self { hooks, deliveries }
    }
}

impl World for Called {
    fn shop(&self) -> &Shop {
        &self.hooks.shop
    }

    fn process(&self) -> Arc<dyn Consumer> {
        let all = consumers(&parts(&self.hooks.shop)).unwrap();
        let is_caller = |one: &Arc<dyn Consumer>| one.queue() == webhooks::CALLER_QUEUE;
        all.into_iter().find(is_caller).unwrap()
    }

    fn messages(&self) -> Vec<Sent> {
        let sent = |n: &i64| Sent {
            body: format!(r#"{{"delivery":{n}}}"#),
            group: None,
        };
        self.deliveries.iter().map(sent).collect()
    }

    fn effects(&self) -> Vec<String> {
        let heard: BTreeSet<(String, String)> = self.hooks.endpoint.heard().into_iter().collect();
        let events: BTreeSet<String> = heard.iter().map(|(id, _)| id.clone()).collect();
        assert_eq!(heard.len(), events.len(), "the same id is the same bytes");
        let query = format!(
            "SELECT e.id || ' ' || d.event FROM {DELIVERIES} WHERE d.status = 'delivered' ORDER BY 1"
        );
        let delivered = rows(self.hooks.effects_file(), &query);
        let of = |line: &String| events.contains(line.split_once(' ').unwrap().1);
        delivered.into_iter().filter(of).collect()
    }

    fn fold(&self) -> Vec<String> {
        self.hooks.wanted().into_iter().collect()
    }

    fn told_once(&self) -> bool {
        self.hooks.endpoint.heard().len() == self.deliveries.len()
    }
}
