//! From ended spans to the collector: a bounded queue, and one task that empties it.
//!
//! What always holds: whoever ends a span does not wait; past the bound a span is dropped and
//! counted, and so is a batch that the collector did not take. Nothing is sent twice.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter as _, SpanProcessor};
use outgoing::Client;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::Secret;

/// Spans that wait for the collector; of one more nothing is kept.
pub(super) const QUEUE_MAX: usize = 8_192;
/// Spans in one request.
const BATCH_MAX: usize = 512;
/// How long a span waits for others to share a request with.
const WINDOW: Duration = Duration::from_secs(1);
/// After a failure the collector is left alone; what comes meanwhile waits, as far as there is
/// room.
const PAUSE: Duration = Duration::from_secs(5);
/// What is still to be sent at the end is sent within this, or not at all.
pub(super) const LAST_WITHIN: Duration = Duration::from_secs(2);

pub(super) const SPANS: &str = "firstcome_trace_spans_total";

/// Takes ended spans to the queue.
#[derive(Debug)]
pub(super) struct Queue(pub(super) mpsc::Sender<SpanData>);

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.0.try_send(span).is_err() {
            metrics::counter!(SPANS, "outcome" => "queue_full").increment(1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        // The task that empties it does so within `WINDOW`.
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        // The task that empties it is told to end by its owner.
        Ok(())
    }
}

/// Empties the queue until told to stop, then sends what is left.
pub(super) async fn export(
    mut ended: mpsc::Receiver<SpanData>,
    exporter: SpanExporter,
    stop: CancellationToken,
) {
    let mut is_away = false;
    loop {
        let mut batch = Vec::new();
        let is_over = gather(&mut ended, &mut batch, &stop).await;
        if !batch.is_empty() {
            let is_taken = send(&exporter, batch).await;
            if !is_taken && !is_away {
                tracing::warn!(
                    pause_s = PAUSE.as_secs(),
                    "the collector takes no spans; they are dropped until it does"
                );
            } else if is_taken && is_away {
                tracing::info!("the collector takes spans again");
            }
            is_away = !is_taken;
        }
        if is_over && (is_away || ended.is_empty()) {
            return;
        }
        if is_away {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}

/// Some spans, as many as go into one request, or as come within the window. Whether it is over.
async fn gather(
    ended: &mut mpsc::Receiver<SpanData>,
    batch: &mut Vec<SpanData>,
    stop: &CancellationToken,
) -> bool {
    let mut until: Option<Instant> = None;
    while batch.len() < BATCH_MAX {
        let room = BATCH_MAX - batch.len();
        let window = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            came = ended.recv_many(batch, room) => {
                if came == 0 {
                    return true;
                }
            }
            () = stop.cancelled() => return true,
            () = window => return false,
        }
        until.get_or_insert_with(|| Instant::now() + WINDOW);
    }
    false
}

async fn send(exporter: &SpanExporter, batch: Vec<SpanData>) -> bool {
    let number = batch.len() as u64;
    let sent = exporter.export(batch).await;
    let outcome = match &sent {
        Ok(()) => "sent",
        Err(_) => "not_taken",
    };
    metrics::counter!(SPANS, "outcome" => outcome).increment(number);
    sent.is_ok()
}

/// The server's own client for outgoing calls, as the exporter wants one.
pub(super) struct Outgoing {
    pub(super) client: Client,
    pub(super) headers: Vec<(String, Secret)>,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outgoing")
    }
}

impl Outgoing {
    /// Headers that the settings name stand before those of the exporter.
    async fn post(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let url = request.uri().to_string();
        let own = request.headers().iter();
        let own = own.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let set = self.headers.iter();
        let set = set.map(|(name, value)| (name.as_str(), value.0.as_str()));
        let headers: Vec<(&str, &str)> = own.chain(set).collect();
        let body = request.body().clone();
        let answer = self.client.post_json(&url, &headers, body).await;
        let answer = answer.inspect_err(|error| {
            tracing::debug!(reason = error.code(), "the collector was not reached");
        })?;
        Ok(Response::builder()
            .status(answer.status)
            .body(answer.body)?)
    }
}

/// What `async_trait` makes of the trait, written out.
type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Outgoing {
    fn send_bytes<'life0, 'async_trait>(
        &'life0 self,
        request: Request<Bytes>,
    ) -> Sending<'async_trait>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(self.post(request))
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;
    use opentelemetry::trace::{Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    #[test]
    fn past_the_bound_a_span_is_dropped_and_counted() {
        let (sender, mut ended) = mpsc::channel(2);
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Queue(sender))
            .build();
        let tracer = provider.tracer("test");
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            for _ in 0..5 {
                drop(tracer.start("a span"));
            }
        });
        let counted = recorder.handle().render();
        let dropped = r#"firstcome_trace_spans_total{outcome="queue_full"} 3"#;
        assert!(counted.contains(dropped), "{counted}");
        assert!(ended.try_recv().is_ok() && ended.try_recv().is_ok());
        assert!(ended.try_recv().is_err());
    }
}
