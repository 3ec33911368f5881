//! Who comes with a sequence that another process has told, on a store that both write to.

use std::sync::Arc;

use commerce::{Currency, Money, Name, NewProduct, WhenSoldOut};
use engine::{Command, Engine, Limits, run_others};
use store::memory::Shared;

use super::*;
use crate::adapters::{OsIds, SystemClock};
use crate::workers::testing::app::app_on;

async fn offer(engine: &Engine, name: &str) {
    let product = NewProduct {
        sku: Sku::new(name).unwrap(),
        name: Name::new("Thing").unwrap(),
        price: Money::new(1).unwrap(),
        currency: Currency::new("KRW").unwrap(),
        stock: 1,
        purchase_limit: None,
        when_sold_out: WhenSoldOut::Reject,
        opens_at: None,
        reorder: None,
        ad_manager: None,
    };
    let made = engine.decide(Command::CreateProduct(Box::new(product)));
    made.await.unwrap().unwrap();
}

fn product(app: &App, name: &str) -> Product {
    let found = app.engine.reader().product(&Sku::new(name).unwrap());
    found.unwrap().unwrap()
}

fn told(watch: &Watch) -> Vec<(&'static str, u64)> {
    let ready = watch.ready.iter();
    ready.map(|event| (event.name, event.seq)).collect()
}

#[tokio::test]
async fn what_another_process_has_told_is_no_reason_to_begin_anew() {
    let shared = Shared::default();
    let (app, _directory) = app_on(shared.open());
    let ids = Arc::new(OsIds::new().unwrap());
    let clock = Arc::new(SystemClock);
    let other = Engine::start(shared.open(), clock, ids, Limits::default()).unwrap();
    offer(&other, "A").await;
    offer(&other, "B").await;
    // Nobody has told it here yet.
    assert_eq!(app.engine.feed().last_seq(), 0);
    let b = product(&app, "B");
    for since in [1, 2] {
        let everything = Watch::everything(&app, Some(since)).await.unwrap();
        assert_eq!(told(&everything), [], "{since}");
        let line = Watch::product(&app, b.id, &b.sku, Some(since)).await;
        assert_eq!(told(&line.unwrap()), [], "{since}");
    }
    let latest = Watch::latest(&app, b.id, &b.sku, Some(2)).await.unwrap();
    assert_eq!(told(&latest), []);
    // A sequence that was never given out.
    let everything = Watch::everything(&app, Some(3)).await.unwrap();
    assert_eq!(told(&everything), [("reset", 2)]);
    let line = Watch::product(&app, b.id, &b.sku, Some(3)).await.unwrap();
    assert_eq!(told(&line), [("reset", 2)]);
    let latest = Watch::latest(&app, b.id, &b.sku, Some(3)).await.unwrap();
    assert_eq!(told(&latest), [("reset", 2)]);
}

#[tokio::test]
async fn what_another_process_commits_is_told_once() {
    let shared = Shared::default();
    let (app, _directory) = app_on(shared.open());
    let ids = Arc::new(OsIds::new().unwrap());
    let clock = Arc::new(SystemClock);
    let other = Engine::start(shared.open(), clock, ids, Limits::default()).unwrap();
    let (hub, engine, cancel) = (app.hub.clone(), app.engine.clone(), app.cancel.clone());
    let hub = tokio::spawn(async move { hub.run(engine, cancel).await });
    let others = tokio::spawn(run_others(app.engine.clone(), app.cancel.clone()));
    offer(&other, "A").await;
    let mut watch = Watch::everything(&app, Some(0)).await.unwrap();
    offer(&other, "B").await;
    offer(&app.engine, "C").await;
    offer(&other, "D").await;
    for seq in 1..=4 {
        let event = tokio::time::timeout(Duration::from_secs(30), watch.next()).await;
        let event = event.expect("it is told").expect("the hub is there");
        assert_eq!((event.name, event.seq), ("product.created", seq));
    }
    app.cancel.cancel();
    hub.await.unwrap();
    others.await.unwrap();
}
