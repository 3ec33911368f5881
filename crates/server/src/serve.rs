//! `firstcome serve`: puts the parts together, runs them, and stops them in order.
//!
//! ```text
//! start: lock and open the store -> engine -> queues -> demo -> feed, relay, workers -> listen
//! stop:  readiness off, no new connections -> requests answered, streams ended, workers home
//!        -> the sequencer decides what it admitted -> store closed -> exit 0
//! ```

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use effects::Effects;
use engine::ports::{Clock, Ids};
use engine::{Engine, run_relay, run_waits};
use outgoing::{AllowedHosts, Client, Timeouts};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::adapters::{OsIds, SystemClock};
use crate::config::{self, Config, ConfigError};
use crate::realtime::{Hub, socketio};
use crate::state::{App, Inner};
use crate::workers::Health;
use crate::workers::consumer::Consumer;
use crate::{aws, declared, demo, http, listen, telemetry, workers};

/// Connections that the system takes before they are accepted: everybody comes at once. What the
/// system allows may be less.
const BACKLOG: u32 = 4_096;
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

/// Runs until told to stop.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve(mut config: Config) -> Result<(), ServeError> {
    let metrics = telemetry::start_metrics().map_err(ServeError::Start)?;
    let data = config.data.clone();
    let opened = tokio::task::spawn_blocking(move || store::sqlite::open(&data))
        .await
        .map_err(|error| ServeError::Start(error.to_string()))??;
    let (listener, address) = bind(config.listen).await?;
    let (aws_listener, aws_address) = bind(config.aws_listen).await?;
    let public_url = config
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{}", callable(address)));
    let public_url = public_url.trim_end_matches('/').to_owned();
    if config.demo {
        // A factory that the settings name stands before the one in the house.
        let name = commerce::Sku::new(demo::FACTORY).expect("a valid name");
        if config.factory_url(&name).is_none() {
            let url = format!("{public_url}/api/manufactures");
            config.factories.insert(demo::FACTORY.to_owned(), url);
        }
        config.buy.sku.get_or_insert_with(|| demo::DONUT.to_owned());
        if config.carrier.secret.is_none() && !config.carrier_is_open() {
            // The demo's carrier is the only one then.
            config.carrier.secret = Some(random_secret()?);
        }
    }
    let clock = Arc::new(SystemClock);
    let engine = Engine::start(opened, clock, Arc::new(ids()?), config.engine_limits())?;
    let effects = Effects::new(&config.data.join("effects.db"));
    let parcel_news = Arc::default();
    let consumers = workers::consumers(&workers::Parts {
        engine: &engine,
        effects: &effects,
        parcel_news: &parcel_news,
    });
    workers::ensure_queues(&engine, &config.factory, &consumers).await?;
    declared::apply(&engine, &config).await?;
    if config.demo {
        demo::load(&engine).await?;
    }
    let allowed = allowed_hosts(&config)?;
    let aws_url = format!("http://{}", callable(aws_address));
    let sns = aws::sns::Sns::new(&config, allowed.clone(), aws_url)
        .map_err(|error| ServeError::Start(error.to_string()))?;
    let cancel = CancellationToken::new();
    let tasks = TaskTracker::new();
    let reference_factory = if config.demo {
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
        cancel: cancel.clone(),
        metrics,
        workers: Health::default(),
        sns,
        effects,
        parcel_news,
        engine: engine.clone(),
        config,
    });
    let ended = Ended::default();
    start_tasks(&app, &tasks, &allowed, &ended, consumers)?;
    let more = reference_factory.as_ref().map(factory::Factory::router);
    if let Some(factory) = &reference_factory {
        tasks.spawn(factory.run(cancel.clone()));
        tasks.spawn(workers::carry_parcels(app.clone(), callable(address)));
    }
    let (router, io) = socketio::mount(&app, http::router(app.clone(), more));
    if app.config.email_send() {
        tasks.spawn(socketio::run_email_send(app.clone(), io.clone()));
    }
    let aws = aws::router(app.clone(), ids()?, aws_address);
    // Whoever is told that it is ready may stop it at once.
    tokio::spawn(cancel_on_signal(Signals::hear(), cancel.clone()));
    tell_ready(&app, address, aws_address)?;
    tokio::spawn(cancel_on_failure(engine.clone(), cancel.clone()));
    let connections = app.config.limits.connections_max;
    // Each listener has the bound for itself: those of one do not keep those of the other out.
    let served = listen::serve(listener, router, connections, cancel.clone());
    let aws_served = listen::serve(aws_listener, aws, connections, cancel.clone());
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

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let listen = |source| ServeError::Listen {
        address: address.to_string(),
        source,
    };
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }
    .map_err(listen)?;
    // A restart must not wait for connections of the process before it.
    socket.set_reuseaddr(true).map_err(listen)?;
    socket.bind(address).map_err(listen)?;
    let listener = socket.listen(BACKLOG).map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    Ok((listener, address))
}

/// Where this server can be called from this machine: "every address" is not an address.
pub(crate) fn callable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

fn allowed_hosts(config: &Config) -> Result<AllowedHosts, ServeError> {
    let hosts = &config.outgoing.allowed_hosts;
    if hosts.is_empty() {
        return Ok(AllowedHosts::loopback());
    }
    AllowedHosts::new(hosts)
        .map_err(|error| ServeError::Start(format!("setting `outgoing.allowed_hosts`: {error}")))
}

fn open_factory(
    data: &Path,
    lead_time_ms: u64,
    allowed: &AllowedHosts,
) -> Result<factory::Factory, ServeError> {
    let mut config = factory::Config::new(data);
    config.lead_time = Duration::from_millis(lead_time_ms);
    config.allowed = allowed.clone();
    Ok(factory::Factory::open(config)?)
}

fn start_tasks(
    app: &App,
    tasks: &TaskTracker,
    allowed: &AllowedHosts,
    ended: &Ended,
    consumers: Vec<Arc<dyn Consumer>>,
) -> Result<(), ServeError> {
    let total = Duration::from_millis(app.config.factory.request_timeout_ms);
    let timeouts = Timeouts {
        connect: total.min(Timeouts::default().connect),
        total,
    };
    let client = Client::new(allowed.clone(), timeouts)
        .map_err(|error| ServeError::Start(error.to_string()))?;
    workers::start(app, tasks, client, consumers);
    let (hub, engine, cancel) = (app.hub.clone(), app.engine.clone(), app.cancel.clone());
    let told = ended.clone();
    tasks.spawn(async move {
        if let Err(error) = hub.run(engine, cancel.clone()).await {
            told.tell("feed", &error, &cancel);
        }
    });
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

/// Whole or not at all: a reader never sees half a file.
fn write_ready_file(file: Option<&Path>, text: &str) -> Result<(), ServeError> {
    let Some(file) = file else {
        return Ok(());
    };
    let beside = file.with_extension("tmp");
    std::fs::write(&beside, text)
        .and_then(|()| std::fs::rename(&beside, file))
        .map_err(|error| ServeError::Start(format!("cannot write {}: {error}", file.display())))
}

#[expect(
    clippy::print_stdout,
    reason = "the command line speaks to a person here"
)]
fn say(line: &str) {
    println!("{line}");
}

/// The first signal stops in order, the second at once.
async fn cancel_on_signal(mut signals: Signals, cancel: CancellationToken) {
    signals.next().await;
    tracing::info!("stopping: requests that were begun are answered");
    cancel.cancel();
    signals.next().await;
    tracing::warn!("stopped at once");
    #[expect(
        clippy::exit,
        reason = "a second signal means now; what is durable is durable"
    )]
    std::process::exit(130);
}

/// The signals that ask a process to end, heard from the moment this is made.
struct Signals {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
}

impl Signals {
    fn hear() -> Self {
        let hear = |kind| {
            let heard = signal(kind);
            if let Err(error) = &heard {
                tracing::error!(%error, "a signal cannot be heard; SIGKILL loses nothing either");
            }
            heard.ok()
        };
        Self {
            terminate: hear(SignalKind::terminate()),
            interrupt: hear(SignalKind::interrupt()),
        }
    }

    async fn next(&mut self) {
        async fn one(signal: &mut Option<Signal>) {
            match signal {
                Some(signal) => {
                    signal.recv().await;
                }
                None => std::future::pending().await,
            }
        }
        tokio::select! {
            () = one(&mut self.terminate) => {}
            () = one(&mut self.interrupt) => {}
        }
    }
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

/// `firstcome factory`: the reference factory alone.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve_factory(config: Config) -> Result<(), ServeError> {
    let allowed = allowed_hosts(&config)?;
    let factory = open_factory(&config.data, config.factory.lead_time_ms, &allowed)?;
    let (listener, address) = bind(config.listen).await?;
    let cancel = CancellationToken::new();
    let running = tokio::spawn(factory.run(cancel.clone()));
    let (routes, api) = factory.router().split_for_parts();
    let document = axum::Json(api);
    let router = routes.route(
        "/openapi.json",
        axum::routing::get(async move || document.clone()),
    );
    say(&format!("listening on http://{address}"));
    tracing::info!(%address, data = %config.data.display(), now = SystemClock.now(), "factory ready");
    tokio::spawn(cancel_on_signal(Signals::hear(), cancel.clone()));
    write_ready_file(
        config.ready_file.as_deref(),
        &format!("{{\"http\": \"http://{address}\"}}\n"),
    )?;
    listen::serve(listener, router, config.limits.connections_max, cancel).await;
    let _ = tokio::time::timeout(STOP_WITHIN, running).await;
    Ok(())
}
