//! Switches traces on, if the settings say so.

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanExporter as _};
use outgoing::{Client, Timeouts};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::exporter::{LAST_WITHIN, Outgoing, QUEUE_MAX, Queue, export};
use super::spans::{Spans, switch_on};
use crate::config::{Collector, Traces};

/// The task that sends spans, while traces are on.
#[derive(Default)]
pub struct Exporting(Option<(CancellationToken, JoinHandle<()>)>);

impl Exporting {
    /// Sends what is left, once everybody else has ended.
    pub async fn finish(self) {
        let Some((stop, task)) = self.0 else {
            return;
        };
        stop.cancel();
        if tokio::time::timeout(LAST_WITHIN, task).await.is_err() {
            tracing::warn!("the last spans were not taken in time");
        }
    }
}

/// Does nothing without an endpoint.
///
/// # Errors
/// When a setting is wrong, or the client for the collector cannot be made.
pub fn start(settings: &Traces) -> Result<Exporting, String> {
    let collector = settings.collector().map_err(|error| error.to_string())?;
    match collector {
        Some(collector) => start_with(settings, collector),
        None => Ok(Exporting::default()),
    }
}

fn start_with(settings: &Traces, collector: Collector) -> Result<Exporting, String> {
    let Collector {
        url,
        allowed,
        headers,
    } = collector;
    let client = Client::new(allowed, Timeouts::default()).map_err(|error| error.to_string())?;
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Outgoing { client, headers })
        .with_endpoint(&url)
        .with_protocol(Protocol::HttpBinary)
        .build()
        .map_err(|error| format!("the exporter of traces: {error}"))?;
    let resource = Resource::builder()
        .with_service_name(settings.service_name.clone())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    exporter.set_resource(&resource);
    let (sender, ended) = mpsc::channel(QUEUE_MAX);
    let ratio = Sampler::TraceIdRatioBased(settings.ratio);
    let provider = SdkTracerProvider::builder()
        .with_span_processor(Queue(sender))
        .with_sampler(Sampler::ParentBased(Box::new(ratio)))
        .with_resource(resource)
        .build();
    switch_on(Spans {
        tracer: provider.tracer("firstcome"),
        _provider: provider,
    });
    tracing::info!(endpoint = url, ratio = settings.ratio, "traces are on");
    let stop = CancellationToken::new();
    let task = tokio::spawn(export(ended, exporter, stop.clone()));
    Ok(Exporting(Some((stop, task))))
}
