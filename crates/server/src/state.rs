//! What every handler is handed.

use std::sync::Arc;

use engine::Engine;
use engine::ports::StoreFiles;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::realtime::Hub;

#[derive(Clone)]
pub struct App(Arc<Inner>);

pub struct Inner {
    pub engine: Engine,
    pub hub: Hub,
    pub config: Config,
    /// What others call this server by, without a slash at the end.
    pub public_url: String,
    pub started_at: commerce::Millis,
    /// The files that the store writes.
    pub store_files: Arc<dyn StoreFiles>,
    /// Databases that knew more of the log at the start than it had, and by how many entries.
    pub newer: Vec<(String, i64)>,
    /// Cancelled when the server stops: streams end, workers come home.
    pub cancel: CancellationToken,
    pub metrics: metrics_exporter_prometheus::PrometheusHandle,
    pub workers: crate::workers::Health,
    /// What notifications need beside the engine.
    pub sns: crate::aws::sns::Sns,
    /// What follows an order, kept by its consumers.
    pub effects: effects::Effects,
    /// The customers database: mileage, qualifying units, tiers.
    pub customers: effects::Customers,
    /// Who follows what the shop does, in this process: what each is doing.
    pub consumers: crate::workers::Consumers,
    /// Something became of a parcel that the sale's log does not have yet.
    pub parcel_news: Arc<tokio::sync::Notify>,
}

impl App {
    pub fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }
}

impl std::ops::Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}
