//! Logs and metrics.
//!
//! Logs are for people on a terminal and JSON otherwise. They carry no secret and no address:
//! a customer is logged as a hash, a URL without its query.

use std::io::IsTerminal;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};

/// Starts logging to standard error. A second call in one process changes nothing.
pub fn start_logs(log: &Log) {
    let level: LevelFilter = log.level.parse().unwrap_or(LevelFilter::INFO);
    let is_terminal = std::io::stderr().is_terminal();
    let human = match log.format {
        LogFormat::Human => true,
        LogFormat::Json => false,
        LogFormat::Auto => is_terminal,
    };
    let layer = if human {
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_target(false);
        // On a terminal it asks for `NO_COLOR` by itself; a file or a pipe wants no colours at all.
        let layer = if is_terminal {
            layer
        } else {
            layer.with_ansi(false)
        };
        layer.with_filter(level).boxed()
    } else {
        tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(std::io::stderr)
            .with_filter(level)
            .boxed()
    };
    let _ = tracing_subscriber::registry().with(layer).try_init();
}

/// Starts collecting metrics.
///
/// # Errors
/// When another recorder is in place already.
pub fn start_metrics() -> Result<PrometheusHandle, String> {
    let seconds = [
        0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0,
    ];
    let sizes = [
        1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0,
    ];
    // A consumer may work for as long as its queue's visibility timeout is extended.
    let work = [
        0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    ];
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full("firstcome_commit_seconds".into()), &seconds)
        .and_then(|b| {
            b.set_buckets_for_metric(Matcher::Full("firstcome_batch_size".into()), &sizes)
        })
        .and_then(|b| {
            let name = Matcher::Full("firstcome_aws_request_seconds".into());
            b.set_buckets_for_metric(name, &seconds)
        })
        .and_then(|b| {
            let name = Matcher::Full("firstcome_consumer_work_seconds".into());
            b.set_buckets_for_metric(name, &work)
        })
        .map_err(|error| error.to_string())?;
    let handle = builder
        .install_recorder()
        .map_err(|error| error.to_string())?;
    describe();
    Ok(handle)
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!("firstcome_decisions_total", "commands decided, by command");
    describe_counter!(
        "firstcome_refusals_total",
        "commands that the rules refused, by code"
    );
    describe_histogram!("firstcome_batch_size", "commands in one commit");
    describe_histogram!(
        "firstcome_commit_seconds",
        "how long a commit took, its fsync included"
    );
    describe_gauge!(
        "firstcome_sequencer_depth",
        "commands that wait for the sequencer"
    );
    describe_gauge!(
        "firstcome_line_waiting",
        "orders without a verdict, by product"
    );
    describe_gauge!(
        "firstcome_product_available",
        "units that can be sold, by product"
    );
    describe_counter!(
        "firstcome_aws_requests_total",
        "requests of AWS SDKs, by service, action and error code"
    );
    describe_histogram!(
        "firstcome_aws_request_seconds",
        "from a request of an AWS SDK to its answer, the wait of a long poll included"
    );
    describe_gauge!(
        "firstcome_consumer_concurrency",
        "batches that may be worked on side by side, by consumer"
    );
    describe_gauge!(
        "firstcome_consumer_in_hand",
        "messages that a consumer holds"
    );
    describe_counter!(
        "firstcome_consumer_handled_total",
        "what became of messages, by consumer and outcome"
    );
    describe_counter!(
        "firstcome_consumer_failures_total",
        "tries of a message that failed, by consumer"
    );
    describe_histogram!(
        "firstcome_consumer_work_seconds",
        "how long a consumer worked on a batch"
    );
    describe_gauge!(
        "firstcome_consumer_age_seconds",
        "age of the oldest message of a consumer's queue, when it was last looked at"
    );
    describe_counter!(
        "firstcome_trace_spans_total",
        "spans of traces, by what became of them: sent, not_taken, queue_full"
    );
    describe_gauge!(
        "firstcome_clearing",
        "1 while messages of purged or deleted queues still take space in the store"
    );
    describe_gauge!("firstcome_log_bytes", "the write-ahead log on the disk");
    describe_gauge!("firstcome_feed_listeners", "live streams and subscriptions");
    describe_counter!(
        "firstcome_feed_dropped_total",
        "listeners that were too slow and were dropped"
    );
    describe_counter!(
        "firstcome_feed_skipped_total",
        "resets that streams of every event were told in place of what had become late"
    );
    // There before their first event: an alert on what is missing would never fire.
    metrics::counter!("firstcome_feed_dropped_total").increment(0);
    metrics::counter!("firstcome_feed_skipped_total").increment(0);
}
