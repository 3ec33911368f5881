//! The state that workers and handlers are handed, of a shop of a test; and its tasks, in time
//! that goes on in steps.

use std::sync::Arc;
use std::time::Duration;

use engine::ports::Opened;
use engine::{Command, run_relay, run_waits};
use metrics_exporter_prometheus::PrometheusBuilder;
use store::sqlite::Files;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::shop::Shop;
use super::time::Still;
use crate::aws::sns::{LogEnvelopes, Sns};
use crate::realtime::Hub;
use crate::state::{App, Inner};
use crate::workers::consumer::Consumer;
use crate::workers::{Consumers, Health};

const STEP: Duration = Duration::from_secs(1);
/// Looks at what is done by other threads and by sockets, between two steps.
const LOOKS: usize = 8;

pub(in crate::workers) fn app(shop: &Shop, consumers: &[Arc<dyn Consumer>]) -> App {
    let parts = &shop.parts;
    let (url, mailer) = (parts.public_url.clone(), parts.mailer.clone());
    let sns = Sns::new(&parts.config, parts.allowed.clone(), url, mailer).unwrap();
    let (effects, clock) = (parts.effects.clone(), Arc::clone(&parts.clock));
    App::new(Inner {
        hub: Hub::new(10, 0),
        public_url: parts.public_url.clone(),
        started_at: shop.now(),
        store_files: Arc::new(Files::of(&parts.config.data)),
        newer: Vec::new(),
        cancel: CancellationToken::new(),
        metrics: PrometheusBuilder::new().build_recorder().handle(),
        workers: Health::default(),
        sns,
        consumers: Consumers::new(consumers, effects, clock),
        customers: parts.customers.clone(),
        effects: parts.effects.clone(),
        parcel_news: Arc::default(),
        engine: shop.engine.clone(),
        config: (*parts.config).clone(),
    })
}

/// The same of a shop on this store, for as long as its directory is kept.
pub(crate) fn app_on(opened: Opened) -> (App, TempDir) {
    let shop = Shop::open_on(opened, |_| ());
    (app(&shop, &[]), shop.directory)
}

/// Events go from the log to topics and queues, and messages come back when they are due.
pub(in crate::workers) fn start_relay(app: &App) {
    let (engine, cancel) = (app.engine.clone(), app.cancel.clone());
    let envelopes = Arc::new(LogEnvelopes::new(app.clone()));
    tokio::spawn(run_relay(engine, envelopes, cancel));
    tokio::spawn(run_waits(app.engine.clone(), app.cancel.clone()));
}

/// Time goes on in steps, and whoever has something to do in one does it.
pub(in crate::workers) async fn pass(shop: &Shop, _still: &Still, time: Duration) {
    for _ in 0..time.as_secs() {
        tokio::time::advance(STEP).await;
        shop.now();
        for _ in 0..LOOKS {
            shop.engine.decide(Command::Probe).await.unwrap().unwrap();
            shop.engine.read(|reader| reader.last_seq()).await.unwrap();
        }
        // A disk may take a second for one commit, in which minutes would pass: the next one to write
        // waits for it.
        let effects = &shop.parts.effects.0;
        effects.write(|_| Ok(())).await.unwrap();
    }
}
