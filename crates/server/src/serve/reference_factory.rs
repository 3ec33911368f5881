//! The reference factory: beside the shop, or alone.

use std::path::Path;
use std::time::Duration;

use engine::ports::Clock as _;
use outgoing::AllowedHosts;
use tokio_util::sync::CancellationToken;

use super::bind::bind;
use super::ready::write_ready_file;
use super::signals::{Signals, cancel_on_signal};
use super::{STOP_WITHIN, ServeError, allowed_hosts};
use crate::adapters::SystemClock;
use crate::cli::say;
use crate::config::Config;
use crate::foreign::Doors;
use crate::listen::{self, Front};

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
    let doors = Some(Doors::of_the_shop(&config));
    let connections_max = config.limits.connections_max;
    let front = Front {
        routes: router,
        shortcut: None,
        doors,
        connections_max,
    };
    listen::serve(listener, front, cancel).await;
    let _ = tokio::time::timeout(STOP_WITHIN, running).await;
    Ok(())
}

pub(super) fn open_factory(
    data: &Path,
    lead_time_ms: u64,
    allowed: &AllowedHosts,
) -> Result<factory::Factory, ServeError> {
    let mut config = factory::Config::new(data);
    config.lead_time = Duration::from_millis(lead_time_ms);
    config.allowed = allowed.clone();
    Ok(factory::Factory::open(config)?)
}
