//! `firstcome serve --roles workers`: consumers alone. Their queues are behind SQS, the sale is
//! in another process; here are only the databases of what they do.

use std::sync::Arc;

use engine::ports::{Clock, Ids};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::bind::bind;
use super::ready::write_ready_file;
use super::signals::{Signals, cancel_on_signal};
use super::{STOP_WITHIN, ServeError, ids, recalled};
use crate::adapters::SystemClock;
use crate::cli::say;
use crate::config::Config;
use crate::foreign::Doors;
use crate::http::workers::Outpost;
use crate::listen::Front;
use crate::sqs::{Client, Endpoint};
use crate::workers::{ConsumerParts, Health};
use crate::{http, listen, telemetry, workers};

pub(super) async fn serve_workers(config: Config) -> Result<(), ServeError> {
    let metrics = telemetry::start_metrics().map_err(ServeError::Start)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let random: Arc<dyn Ids> = Arc::new(ids()?);
    let sqs = client(&config, &clock)?;
    let (listener, address) = bind(config.listen).await?;
    let config = Arc::new(config);
    let public_url = config
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{address}"));
    let parts = ConsumerParts::new(&config, &clock, None, public_url.trim_end_matches('/'))?;
    let mut all = workers::consumers(&parts)?;
    all.retain(|consumer| !workers::is_off(&config, &**consumer));
    let consumers = recalled(&all, &parts).await;
    let (cancel, tasks, health) = (
        CancellationToken::new(),
        TaskTracker::new(),
        Health::default(),
    );
    let outpost = Outpost {
        consumers: consumers.clone(),
        config: Arc::clone(&config),
        metrics,
        health: health.clone(),
        clock: Arc::clone(&clock),
        cancel: cancel.clone(),
    };
    tasks.spawn(consumers.clone().recall_late(cancel.clone()));
    tasks.spawn(workers::sample_consumers(consumers.clone(), cancel.clone()));
    for consumer in all {
        let port = workers::over_sqs(&sqs, &*consumer);
        let parts = workers::RunParts {
            monitor: consumers.of(&*consumer),
            consumer,
            port,
            clock: Arc::clone(&clock),
            ids: Arc::clone(&random),
            health: health.clone(),
            wait: workers::SQS_WAIT,
            stop: cancel.clone(),
        };
        tasks.spawn(workers::run_consumer(parts));
    }
    tokio::spawn(cancel_on_signal(Signals::hear(), cancel.clone()));
    say(&format!("listening on http://{address}"));
    tracing::info!(%address, data = %config.data.display(), "workers ready");
    write_ready_file(
        config.ready_file.as_deref(),
        &format!("{{\"http\": \"http://{address}\"}}\n"),
    )?;
    let doors = Some(Doors::of_the_shop(&config));
    let connections_max = config.limits.connections_max;
    let front = Front {
        routes: http::workers::router(outpost),
        shortcut: None,
        doors,
        connections_max,
    };
    listen::serve(listener, front, cancel).await;
    tasks.close();
    if tokio::time::timeout(STOP_WITHIN, tasks.wait())
        .await
        .is_err()
    {
        tracing::warn!("some consumers did not end in time and were cut off");
    }
    Ok(())
}

fn client(config: &Config, clock: &Arc<dyn Clock>) -> Result<Client, ServeError> {
    let settings = &config.workers;
    let key = settings.access_key.clone().zip(settings.secret.clone());
    let endpoint = Endpoint {
        url: settings.sqs.clone().unwrap_or_default(),
        region: settings.region.clone(),
        key,
    };
    Client::new(endpoint, Arc::clone(clock))
        .map_err(|error| ServeError::Start(format!("setting `workers.sqs`: {error}")))
}
