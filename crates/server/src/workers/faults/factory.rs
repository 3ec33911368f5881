//! An hour without the factory: requests fail and say so, and when it is back it is asked.

use std::collections::BTreeSet;
use std::time::Duration;

use commerce::{FailReason, ReplenishmentId, ReplenishmentStatus, Sku};
use effects::alerts::{Alerts, Rule};
use effects::webhooks::{EventTypes, NewEndpoint, StoredSecret, Webhooks};
use engine::{Command, OrderStatus, ReplenishmentChange};

use super::neighbour::Neighbour;
use crate::state::App;
use crate::workers::replenisher::Replenisher;
use crate::workers::testing::app::{app, pass, start_relay};
use crate::workers::testing::shop::{Shop, restocked, sku};
use crate::workers::testing::time::{Still, stand_still};
use crate::workers::{
    REPLENISHMENT_DLQ, REPLENISHMENT_QUEUE, alerter, consumers, ensure_queues, keeper, runtime,
    webhooks,
};

const FACTORY: &str = "FF-500293";
const MINUTE: Duration = Duration::from_secs(60);
const PATIENCE_S: u32 = 600;

/// All that a request to a factory and its failure go through.
async fn start(shop: &Shop) -> App {
    let all = consumers(&shop.parts).unwrap();
    let settings = &shop.parts.config.factory;
    ensure_queues(&shop.engine, settings, &all).await.unwrap();
    let hooks = Webhooks::new(&shop.parts.effects);
    let endpoint = NewEndpoint {
        id: "whk_erp".to_owned(),
        url: "http://127.0.0.1:9/".to_owned(),
        types: EventTypes::new(["replenishment.failed"]).unwrap(),
        description: String::new(),
        secret: StoredSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()),
        disabled: false,
    };
    hooks.create(endpoint, shop.now()).await.unwrap().unwrap();
    let endpoints = hooks.endpoints(shop.now()).await.unwrap();
    webhooks::listen(&shop.engine, &[], &endpoints, true)
        .await
        .unwrap();
    let app = app(shop, &all);
    start_relay(&app);
    let replenisher = Replenisher::new(app.clone(), shop.parts.client.clone());
    tokio::spawn(runtime::run(app.clone(), REPLENISHMENT_QUEUE, replenisher));
    tokio::spawn(keeper::run(app.clone()));
    let queues = BTreeSet::from([REPLENISHMENT_QUEUE.to_owned()]);
    tokio::spawn(alerter::run(app.clone(), queues));
    app
}

/// The requests that the factory has heard: their ids are its idempotency keys.
fn asked(factory: &Neighbour) -> BTreeSet<String> {
    factory.heard().into_iter().map(|(id, _)| id).collect()
}

async fn deliver(shop: &Shop, id: &str, sku: Sku) {
    shop.done(Command::Replenishment {
        id: ReplenishmentId::parse(id).unwrap(),
        sku,
        change: ReplenishmentChange::Received { units: 5 },
    })
    .await;
}

async fn until(shop: &Shop, still: &Still, what: &str, is_so: impl AsyncFn() -> bool) {
    for _ in 0..PATIENCE_S {
        if is_so().await {
            return;
        }
        pass(shop, still, Duration::from_secs(1)).await;
    }
    let seen = Failures::of(shop).await;
    panic!(
        "not within {PATIENCE_S} s: {what}; at {} {seen:?}",
        shop.now()
    );
}

async fn open_alerts(shop: &Shop) -> Vec<(Rule, String, i64)> {
    let open = Alerts::new(&shop.parts.effects).open().await.unwrap();
    let of = open
        .into_iter()
        .map(|one| (one.rule, one.subject, one.count));
    of.collect()
}

/// What can be seen of requests that failed: all of it says the same, or some is still on its way.
#[derive(Debug, PartialEq, Eq)]
struct Failures {
    requests: usize,
    /// With the reason.
    events: usize,
    dead_letters: usize,
    /// For the endpoint that subscribed to them.
    webhooks: usize,
    alerts: Vec<(Rule, String, i64)>,
}

impl Failures {
    async fn of(shop: &Shop) -> Self {
        let reader = shop.engine.reader();
        let requests = reader.replenishments(None, None, 1_000).unwrap();
        let reason = FailReason::FactoryUnreachable.as_str();
        let is_event = |body: &str| body.contains(r#""type":"replenishment.failed""#);
        let told = shop.told();
        let webhooks = reader.messages(webhooks::TELLER_QUEUE, 0, 10_000);
        let webhooks = webhooks.unwrap();
        let is_dead = |body: &str| body.contains("message.dead_lettered");
        assert!(!webhooks.iter().any(|one| is_dead(&one.body)));
        let dead = reader
            .queue(REPLENISHMENT_DLQ, shop.now())
            .unwrap()
            .unwrap();
        Self {
            requests: requests
                .iter()
                .filter(|one| one.status == ReplenishmentStatus::Failed)
                .count(),
            events: told
                .iter()
                .filter(|one| is_event(&one.body) && one.body.contains(reason))
                .count(),
            dead_letters: usize::try_from(dead.visible).unwrap(),
            webhooks: webhooks.iter().filter(|one| is_event(&one.body)).count(),
            alerts: {
                // Which of them was seen first is all the same.
                let mut alerts = open_alerts(shop).await;
                alerts.sort();
                alerts
            },
        }
    }

    fn all(count: usize) -> Self {
        let (dlq, factory) = (REPLENISHMENT_DLQ.to_owned(), FACTORY.to_owned());
        let most = i64::try_from(count).unwrap();
        let mut alerts = vec![
            (Rule::DeadLetters, dlq, most),
            (Rule::FactoryFails, factory, most),
        ];
        alerts.sort();
        Self {
            requests: count,
            events: count,
            dead_letters: count,
            webhooks: count,
            alerts,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_factory_that_is_away_for_an_hour_is_asked_when_it_is_back() {
    let mut factory = Neighbour::open().await;
    let shop = Shop::open(|config| {
        config.factories.insert(FACTORY.to_owned(), factory.url());
        config.alerts.line_waits_s = 0;
    });
    let still = stand_still();
    let app = start(&shop).await;
    shop.offer(restocked("R-1", 0)).await;
    let is_asked = async || asked(&factory).len() == 1;
    until(&shop, &still, "the factory is asked", is_asked).await;
    let first = asked(&factory).pop_first().unwrap();
    deliver(&shop, &first, sku("R-1")).await;
    assert_eq!(open_alerts(&shop).await, []);

    factory.go_away().await;
    shop.buy("R-1", "ada@example.com", 5).await;
    let waiting = shop.buy("R-1", "bob@example.com", 2).await;
    pass(&shop, &still, 60 * MINUTE).await;
    // Nothing of it is silent.
    let is_told = async || {
        let seen = Failures::of(&shop).await;
        // It went on asking.
        seen.requests > 20 && seen == Failures::all(seen.requests)
    };
    until(&shop, &still, "each failure is told everywhere", is_told).await;
    assert_eq!(asked(&factory).len(), 1, "it was not there");

    factory.come_back().await;
    let is_asked = async || asked(&factory).len() > 1;
    until(&shop, &still, "the factory is asked again", is_asked).await;
    pass(&shop, &still, MINUTE).await;
    let again = asked(&factory);
    assert_eq!(again.len(), 2, "for one request, by one id: {again:?}");
    let second = again.into_iter().find(|id| *id != first).unwrap();
    deliver(&shop, &second, sku("R-1")).await;
    let reader = shop.engine.reader();
    let product = reader.product(&sku("R-1")).unwrap().unwrap();
    assert_eq!((product.stock.on_hand, product.waiting), (10, 0));
    let order = reader.order(waiting.seq).unwrap().unwrap();
    assert_eq!(order.status, OrderStatus::Accepted);
    // What was a cause is one no more; its letters are for a person.
    let is_over = async || {
        let open = open_alerts(&shop).await;
        open.iter().map(|(rule, ..)| *rule).eq([Rule::DeadLetters])
    };
    until(&shop, &still, "the factory's alert is over", is_over).await;
    app.cancel.cancel();
}
