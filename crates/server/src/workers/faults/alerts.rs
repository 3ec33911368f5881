//! The alerter, killed wherever it waits, and a neighbour that is away while one message is in
//! hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use effects::alerts::{Alerts, Rule};
use effects::webhooks::{EventTypes, NewEndpoint, StoredSecret, Webhooks};
use engine::Command;
use messaging::Send;
use serde_json::Value;

use super::worlds::{Points, World};
use crate::state::App;
use crate::workers::alerter::{self, Alerter, EMAILS_QUEUE};
use crate::workers::consumer::Consumer;
use crate::workers::consumers::run_consumer;
use crate::workers::consumers::tests::rig::{parts_of, start_real};
use crate::workers::emails::Emails;
use crate::workers::testing::app::app;
use crate::workers::testing::shop::Shop;
use crate::workers::testing::time::{Timeless, stand_still};
use crate::workers::webhooks::CALLER_QUEUE;
use crate::workers::{REPLENISHMENT_DLQ, consumers, ensure_queues};

/// A look takes fewer waits than this.
const WAITS_MAX: u32 = 40;

async fn send(shop: &Shop, queue: &str, body: &str) {
    shop.done(Command::SendMessage {
        queue: queue.to_owned(),
        send: Box::new(Send {
            body: body.to_owned(),
            ..Send::default()
        }),
    })
    .await;
}

/// A process that dies when it has waited so often; true when it came to its end before.
async fn look_and_die(mut alerter: Alerter, waits: u32) -> bool {
    let mut look = pin!(alerter.round());
    let mut waited = 0;
    poll_fn(|context| match look.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(done.is_ok()),
        Poll::Pending if waited == waits => Poll::Ready(false),
        Poll::Pending => {
            waited += 1;
            Poll::Pending
        }
    })
    .await
}

/// The next process, which looks again and again.
async fn look(app: &App) -> Alerter {
    let mut alerter = Alerter::new(app.clone(), BTreeSet::new());
    for _ in 0..3 {
        alerter.round().await.unwrap();
    }
    alerter
}

/// Past the time for which a cause must be gone.
async fn pass(shop: &Shop) {
    tokio::time::advance(Duration::from_secs(31)).await;
    shop.now();
}

/// The e-mails that were asked for, each with how often.
fn asked(shop: &Shop) -> BTreeMap<String, usize> {
    let messages = shop.engine.reader().messages(EMAILS_QUEUE, 0, 100).unwrap();
    let mut asked = BTreeMap::new();
    for message in messages {
        let mail: Value = serde_json::from_str(&message.body).unwrap();
        *asked
            .entry(mail["id"].as_str().unwrap().to_owned())
            .or_default() += 1;
    }
    asked
}

fn ids(asked: &BTreeMap<String, usize>) -> Vec<&str> {
    asked.keys().map(String::as_str).collect()
}

#[tokio::test(start_paused = true)]
async fn an_alert_is_told_wherever_its_process_dies() {
    let mut ends = 0;
    for waits in 0..WAITS_MAX {
        let shop = Shop::open(|config| config.alerts.email = Some("ops@example.com".to_owned()));
        let still = stand_still();
        let all = consumers(&shop.parts).unwrap();
        let settings = &shop.parts.config.factory;
        ensure_queues(&shop.engine, settings, &all).await.unwrap();
        let app = app(&shop, &all);
        send(&shop, REPLENISHMENT_DLQ, "what nobody could do").await;
        let dying = Alerter::new(app.clone(), BTreeSet::new());
        let is_well = look_and_die(dying, waits).await;
        ends += u32::from(is_well);
        let dying = look(&app).await;
        let told = asked(&shop);
        assert_eq!(ids(&told), ["alert_1_opened"], "dead after {waits} waits");
        let most = if is_well { 1 } else { 2 };
        assert!(
            told["alert_1_opened"] <= most,
            "dead after {waits} waits: {told:?}"
        );

        shop.done(Command::PurgeQueue {
            queue: REPLENISHMENT_DLQ.to_owned(),
        })
        .await;
        pass(&shop).await;
        look_and_die(dying, waits).await;
        let mut next = look(&app).await;
        pass(&shop).await;
        next.round().await.unwrap();
        let told = asked(&shop);
        assert_eq!(
            ids(&told),
            ["alert_1_opened", "alert_1_resolved"],
            "{waits}"
        );
        let open = Alerts::new(&shop.parts.effects).open().await.unwrap();
        assert_eq!(open, []);
        drop(still);
        mailed_once(&shop).await;
    }
    assert!(
        (1..WAITS_MAX).contains(&ends),
        "some died and some did not: {ends}"
    );
}

/// However often it was asked for.
async fn mailed_once(shop: &Shop) {
    let queue = shop.queue();
    let messages = shop.engine.reader().messages(EMAILS_QUEUE, 0, 100).unwrap();
    for (n, message) in messages.iter().enumerate() {
        queue.send_body(&n.to_string(), &message.body, None);
    }
    let emails = Emails::new(&shop.parts, shop.engine.clone());
    let running = start_real(&queue, Arc::new(emails));
    running.is_empty(Duration::from_secs(60)).await;
    running.stop().await;
    let mut mailed = shop.post.ids();
    mailed.sort();
    assert_eq!(mailed, ["alert_1_opened", "alert_1_resolved"]);
}

#[tokio::test(start_paused = true)]
async fn an_alert_is_sent_to_endpoints_by_the_look_that_opens_it() {
    let shop = Shop::open(|_| {});
    let _still = stand_still();
    let all = consumers(&shop.parts).unwrap();
    let settings = &shop.parts.config.factory;
    ensure_queues(&shop.engine, settings, &all).await.unwrap();
    let app = app(&shop, &all);
    let new = NewEndpoint {
        id: "whk_a".to_owned(),
        url: "https://ops.example/".to_owned(),
        types: EventTypes::new(["alert.*"]).unwrap(),
        description: String::new(),
        secret: StoredSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()),
        disabled: false,
    };
    let webhooks = Webhooks::new(&shop.parts.effects);
    webhooks.create(new, shop.now()).await.unwrap().unwrap();
    send(&shop, REPLENISHMENT_DLQ, "what nobody could do").await;
    Alerter::new(app, BTreeSet::new()).round().await.unwrap();
    let messages = shop.engine.reader().messages(CALLER_QUEUE, 0, 10).unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!(webhooks.unqueued_alerts(10).await.unwrap(), []);
}

/// The queue alone would not show it: the consumer keeps its only message in hand.
#[tokio::test(start_paused = true)]
async fn a_consumer_that_waits_for_a_neighbour_is_an_alert() {
    let world = Points::open().await;
    let shop = world.shop();
    let file = shop.parts.config.customers_file();
    let directory = file.parent().unwrap();
    fs::write(directory, "a file where a directory must be").unwrap();
    let consumer: Arc<dyn Consumer> = Arc::new(Timeless(world.process()));
    let app = app(shop, &[Arc::clone(&consumer)]);
    tokio::spawn(alerter::run(app.clone(), BTreeSet::new()));
    let queue = shop.queue();
    queue.send_body("1", &world.messages()[0].body, None);
    let mut parts = parts_of(&queue, consumer);
    parts.monitor = Arc::clone(app.consumers.get("mileage").unwrap());
    parts.stop = app.cancel.clone();
    let running = tokio::spawn(run_consumer(parts));
    let open = async || Alerts::new(&shop.parts.effects).open().await.unwrap();
    tokio::time::sleep(Duration::from_secs(50)).await;
    assert_eq!(open().await, []);
    tokio::time::sleep(Duration::from_secs(50)).await;
    let alerts = open().await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(
        (alerts[0].rule, alerts[0].subject.as_str(), alerts[0].count),
        (Rule::ConsumerStandsStill, "mileage", 1)
    );
    fs::remove_file(directory).unwrap();
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert_eq!(open().await, []);
    assert!(queue.left().is_empty());
    app.cancel.cancel();
    running.await.unwrap();
}
