//! `firstcome serve`: puts the parts together, runs them, and stops them in order.
//!
//! ```text
//! start: lock and open the store -> engine -> queues -> demo -> feed, relay, workers -> listen
//! stop:  readiness off, no new connections -> requests answered, streams ended, workers home
//!        -> the sequencer decides what it admitted -> store closed -> exit 0
//! ```

mod bind;
mod older;
mod ready;
mod reference_factory;
mod signals;
mod workers_alone;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use engine::ports::{Clock, Ids};
use engine::{Engine, run_others, run_relay, run_waits};
use outgoing::{AllowedHosts, Client, Timeouts};
use store::sqlite::Files;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::bind::bind;
pub(crate) use self::bind::callable;
use self::older::tell_what_is_older;
use self::ready::{clear_ready_file, write_ready_file};
use self::reference_factory::open_factory;
pub use self::reference_factory::serve_factory;
use self::signals::{Signals, cancel_on_signal};
use self::workers_alone::serve_workers;
use crate::adapters::{OsIds, SystemClock};
use crate::cli::say;
use crate::config::{self, Config, ConfigError, Shape};
use crate::foreign::Doors;
use crate::listen::Front;
use crate::realtime::{Hub, socketio};
use crate::state::{App, Inner};
use crate::traces::{self, Begins};
use crate::workers::consumer::Consumer;
use crate::workers::{self, ConsumerParts, Consumers, Health};
use crate::{aws, declared, demo, http, listen, telemetry};

/// How long requests and workers may take to come to an end; then the process ends anyway.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Why the server could not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Store(#[from] store::sqlite::OpenError),
    #[error("cannot listen on {address}: {source}")]
    Listen {
        address: String,
        source: std::io::Error,
    },
    #[error("the store failed: {0}")]
    Engine(#[from] engine::EngineError),
    #[error("the store failed: {0}")]
    Port(#[from] engine::ports::StoreError),
    #[error("cannot open the factory's store: {0}")]
    Factory(#[from] factory::OpenError),
    /// A setting that fits no store but this one.
    #[error(transparent)]
    Setting(#[from] ConfigError),
    #[error("{0}")]
    Start(String),
}

/// What is to be done before a process serves, whatever it serves.
///
/// # Errors
/// When a setting cannot work here.
pub fn prepare(config: &Config) -> Result<(), ServeError> {
    signals::outlive_file_size_limit();
    clear_ready_file(config.ready_file.as_deref())
}

/// Does what the process's roles say, until told to stop.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve(config: Config) -> Result<(), ServeError> {
    let exporting = traces::start(&config.traces).map_err(ServeError::Start)?;
    let served = match config.roles.shape() {
        Ok(Shape::Shop) => Box::pin(serve_shop(config)).await,
        Ok(Shape::Workers) => serve_workers(config).await,
        Ok(Shape::Factory) => serve_factory(config).await,
        Err(what) => Err(ServeError::Start(format!("setting `roles`: {what}"))),
    };
    // Whatever was begun has ended.
    exporting.finish().await;
    served
}

async fn serve_shop(mut config: Config) -> Result<(), ServeError> {
    let metrics = telemetry::start_metrics().map_err(ServeError::Start)?;
    let data = config.data.clone();
    let opened = tokio::task::spawn_blocking(move || store::sqlite::open(&data))
        .await
        .map_err(|error| ServeError::Start(error.to_string()))??;
    let store_files = Arc::new(Files::of(&config.data));
    let (listener, address) = bind(config.listen).await?;
    let (aws_listener, aws_address) = bind(config.aws_listen).await?;
    let public_url = config
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{}", callable(address)));
    let public_url = public_url.trim_end_matches('/').to_owned();
    if config.has_factory() {
        // A factory that the settings name stands before the one in the house.
        let name = commerce::Sku::new(demo::FACTORY).expect("a valid name");
        if config.factory_url(&name).is_none() {
            let url = format!("{public_url}/api/manufactures");
            config.factories.insert(demo::FACTORY.to_owned(), url);
        }
    }
    if config.demo {
        config.buy.sku.get_or_insert_with(|| demo::DONUT.to_owned());
        if config.carrier.secret.is_none() && !config.carrier_is_open() {
            // The demo's carrier is the only one then.
            config.carrier.secret = Some(random_secret()?);
        }
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (engine_clock, limits) = (Arc::clone(&clock), config.engine_limits());
    let engine = Engine::start(opened, engine_clock, Arc::new(ids()?), limits)?;
    let parts = ConsumerParts::new(&config, &clock, Some(engine.clone()), &public_url)?;
    let newer = tell_what_is_older(&engine, &parts).await;
    let allowed = parts.allowed.clone();
    let mailer = parts.mailer.clone();
    let mut consumers = workers::consumers(&parts)?;
    workers::ensure_queues(&engine, &config.factory, &consumers).await?;
    declared::apply(&engine, &config).await?;
    if config.demo {
        demo::load(&engine).await?;
    }
    let aws_url = format!("http://{}", callable(aws_address));
    let sns = aws::sns::Sns::new(&config, allowed.clone(), aws_url, mailer)
        .map_err(|error| ServeError::Start(error.to_string()))?;
    let cancel = CancellationToken::new();
    let tasks = TaskTracker::new();
    let reference_factory = if config.has_factory() {
        Some(open_factory(
            &config.data.join("factory"),
            config.factory.lead_time_ms,
            &allowed,
        )?)
    } else {
        None
    };
    let app = App::new(Inner {
        hub: Hub::new(config.limits.listeners_max, engine.feed().last_seq()),
        public_url,
        started_at: engine.now(),
        store_files,
        newer,
        cancel: cancel.clone(),
        metrics,
        workers: Health::default(),
        sns,
        consumers: recalled(&consumers, &parts).await,
        customers: parts.customers.clone(),
        effects: parts.effects.clone(),
        parcel_news: Arc::clone(&parts.parcel_news),
        engine: engine.clone(),
        config,
    });
    let ended = Ended::default();
    start_tasks(&app, &tasks, &allowed, &ended)?;
    tasks.spawn(app.consumers.clone().recall_late(cancel.clone()));
    workers::watch(&app, &tasks, &consumers);
    workers::retain_here(&parts, &mut consumers);
    workers::start_consumers(&app, &tasks, consumers, &clock, &(Arc::new(ids()?) as _));
    let more = reference_factory.as_ref().map(factory::Factory::router);
    if let Some(factory) = &reference_factory {
        tasks.spawn(factory.run(cancel.clone()));
    }
    if app.config.demo {
        tasks.spawn(workers::carry_parcels(app.clone(), callable(address)));
    }
    let routes = traces::traced(http::router(app.clone(), more), Begins::Most);
    let (router, io) = socketio::mount(&app, routes);
    if app.config.email_send() {
        tasks.spawn(socketio::run_email_send(app.clone(), io.clone()));
    }
    let (aws, aws_shortcut) = aws::router(app.clone(), ids()?, aws_address);
    let aws = traces::traced(aws, Begins::None);
    // Whoever is told that it is ready may stop it at once.
    tokio::spawn(cancel_on_signal(Signals::hear(), cancel.clone()));
    tell_ready(&app, address, aws_address)?;
    tokio::spawn(cancel_on_failure(engine.clone(), cancel.clone()));
    // Each listener has the bound for itself: those of one do not keep those of the other out.
    let connections_max = app.config.limits.connections_max;
    // What passes the routes by has no span.
    let has_shortcuts = !traces::are_on();
    let shop = Front {
        routes: router,
        shortcut: has_shortcuts.then(|| http::shortcut(app.clone())),
        doors: Some(Doors::of_the_shop(&app.config)),
        connections_max,
    };
    let queues = Front {
        routes: aws,
        shortcut: has_shortcuts.then_some(aws_shortcut),
        // What may change something follows from more than the method there.
        doors: None,
        connections_max,
    };
    let served = listen::serve(listener, shop, cancel.clone());
    let aws_served = listen::serve(aws_listener, queues, cancel.clone());
    let server = tokio::spawn(async move {
        tokio::join!(served, aws_served);
    });
    cancel.cancelled().await;
    stop(&engine, io, server, tasks).await;
    if let Some(failure) = engine.failure() {
        return Err(ServeError::Start(format!("the store failed: {failure}")));
    }
    match ended.0.get() {
        Some(why) => Err(ServeError::Start(why.clone())),
        None => Ok(()),
    }
}

/// Why a task without which the server cannot go on came to its end, if one did: the process
/// then ends with an error, and a supervisor starts it anew.
#[derive(Clone, Default)]
struct Ended(Arc<OnceLock<String>>);

impl Ended {
    fn tell(&self, task: &str, error: &dyn std::error::Error, cancel: &CancellationToken) {
        tracing::error!(%error, "the {task} ended");
        // The first one says why; the others follow from it.
        let _ = self.0.set(format!("the {task} ended: {error}"));
        cancel.cancel();
    }
}

fn ids() -> Result<OsIds, ServeError> {
    OsIds::new().map_err(|error| ServeError::Start(error.to_string()))
}

fn random_secret() -> Result<config::Secret, ServeError> {
    let bits = ids()?.entropy();
    let secret = wire::webhooks::Secret::from_random(&bits).expect("32 bytes are enough");
    Ok(config::Secret(secret.reveal()))
}

/// The consumers of this process, paused where an operator has paused them.
async fn recalled(consumers: &[Arc<dyn Consumer>], parts: &ConsumerParts) -> Consumers {
    let effects = parts.effects.clone();
    let consumers = Consumers::new(consumers, effects, Arc::clone(&parts.clock));
    consumers.recall().await;
    consumers
}

pub(crate) fn allowed_hosts(config: &Config) -> Result<AllowedHosts, ServeError> {
    let hosts = &config.outgoing.allowed_hosts;
    if hosts.is_empty() {
        return Ok(AllowedHosts::loopback());
    }
    AllowedHosts::new(hosts)
        .map_err(|error| ServeError::Start(format!("setting `outgoing.allowed_hosts`: {error}")))
}

fn start_tasks(
    app: &App,
    tasks: &TaskTracker,
    allowed: &AllowedHosts,
    ended: &Ended,
) -> Result<(), ServeError> {
    let total = Duration::from_millis(app.config.factory.request_timeout_ms);
    let timeouts = Timeouts {
        connect: total.min(Timeouts::default().connect),
        total,
    };
    let client = Client::new(allowed.clone(), timeouts)
        .map_err(|error| ServeError::Start(error.to_string()))?;
    workers::start(app, tasks, client);
    let (hub, engine, cancel) = (app.hub.clone(), app.engine.clone(), app.cancel.clone());
    tasks.spawn(async move { hub.run(engine, cancel).await });
    tasks.spawn(run_others(app.engine.clone(), app.cancel.clone()));
    let (engine, cancel) = (app.engine.clone(), app.cancel.clone());
    let told = ended.clone();
    tasks.spawn(async move {
        if let Err(error) = run_waits(engine, cancel.clone()).await {
            told.tell("timer of the queues", &error, &cancel);
        }
    });
    let (engine, cancel) = (app.engine.clone(), app.cancel.clone());
    let told = ended.clone();
    let envelopes = Arc::new(aws::sns::LogEnvelopes::new(app.clone()));
    tasks.spawn(async move {
        if let Err(error) = run_relay(engine, envelopes, cancel.clone()).await {
            told.tell("relay", &error, &cancel);
        }
    });
    Ok(())
}

/// Says that requests are taken: to a person, and to a script that asked for a file.
fn tell_ready(app: &App, address: SocketAddr, aws: SocketAddr) -> Result<(), ServeError> {
    say(&format!("listening on http://{address}"));
    say(&format!("  SQS, SNS    http://{aws}"));
    tracing::info!(%address, %aws, data = %app.config.data.display(), "ready");
    if app.config.demo {
        say(&format!("  shop        http://{address}/"));
        say(&format!("  operations  http://{address}/ops"));
        say(&format!("  API         http://{address}/docs"));
    }
    write_ready_file(
        app.config.ready_file.as_deref(),
        &format!("{{\"http\": \"http://{address}\", \"aws\": \"http://{aws}\"}}\n"),
    )
}

/// A store that failed cannot be worked with: the process ends and a supervisor starts it anew.
async fn cancel_on_failure(engine: Engine, cancel: CancellationToken) {
    engine.stopped().await;
    cancel.cancel();
}

async fn stop(
    engine: &Engine,
    io: socketioxide::SocketIo,
    server: tokio::task::JoinHandle<()>,
    tasks: TaskTracker,
) {
    tasks.close();
    let orderly = async {
        io.close().await;
        let _ = server.await;
        tasks.wait().await;
        engine.stop().await;
    };
    if tokio::time::timeout(STOP_WITHIN, orderly).await.is_err() {
        tracing::warn!("some requests did not end in time and were cut off");
        // What was admitted is decided all the same.
        engine.stop().await;
    }
}
