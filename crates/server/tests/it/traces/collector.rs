//! A collector that keeps what it is sent: OTLP over HTTP, in protobuf.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{Span, status::StatusCode as SpanStatus};
use prost::Message as _;

use crate::harness::served::Served;
use crate::harness::wait::eventually;

/// A span as it came, ids in hexadecimal; what is not there is empty.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) service: String,
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) trace: String,
    pub(super) id: String,
    pub(super) parent: String,
    pub(super) state: String,
    pub(super) attributes: BTreeMap<String, String>,
    /// The spans that it links to.
    pub(super) links: Vec<String>,
    pub(super) is_error: bool,
    pub(super) ms: f64,
}

#[derive(Default)]
struct Kept {
    spans: Vec<Seen>,
    headers: Vec<HeaderMap>,
}

pub(super) struct Collector {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    _served: Served,
}

impl Collector {
    pub(super) fn start() -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let kept = Arc::default();
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(Arc::clone(&kept));
        let served = Served::start(listener, router);
        Self {
            address,
            kept,
            _served: served,
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn spans(&self) -> Vec<Seen> {
        self.kept.lock().unwrap().spans.clone()
    }

    pub(super) fn headers(&self) -> Vec<HeaderMap> {
        self.kept.lock().unwrap().headers.clone()
    }

    /// The first span that is like this, once it has come.
    #[track_caller]
    pub(super) fn span(
        &self,
        what: &str,
        is_it: impl Fn(&Seen) -> bool,
    ) -> impl Future<Output = Seen> {
        eventually(what, async move || self.spans().into_iter().find(&is_it))
    }

    /// The span of this name below that one.
    pub(super) async fn below(&self, parent: &Seen, name: &str) -> Seen {
        let what = format!("`{name}` below `{}`", parent.name);
        let is_it = |span: &Seen| span.name == name && span.parent == parent.id;
        let span = self.span(&what, is_it).await;
        assert_eq!(span.trace, parent.trace, "{span:?}");
        span
    }
}

async fn take(State(kept): State<Arc<Mutex<Kept>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let request = ExportTraceServiceRequest::decode(body).expect("OTLP");
    let mut kept = kept.lock().unwrap();
    kept.headers.push(headers);
    for of_resource in request.resource_spans {
        let resource = of_resource.resource.expect("who it is");
        let service = attributes(&resource.attributes)["service.name"].clone();
        let spans = of_resource
            .scope_spans
            .into_iter()
            .flat_map(|scope| scope.spans);
        kept.spans.extend(spans.map(|span| seen(&service, &span)));
    }
    StatusCode::OK
}

fn seen(service: &str, span: &Span) -> Seen {
    let status = span.status.as_ref();
    let ns = span.end_time_unix_nano - span.start_time_unix_nano;
    Seen {
        service: service.to_owned(),
        name: span.name.clone(),
        kind: span.kind().as_str_name(),
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        state: span.trace_state.clone(),
        attributes: attributes(&span.attributes),
        links: span.links.iter().map(|link| hex(&link.span_id)).collect(),
        is_error: status.is_some_and(|status| status.code() == SpanStatus::Error),
        ms: ns as f64 / 1e6,
    }
}

fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|pair| (pair.key.clone(), shown(pair.value.as_ref())))
        .collect()
}

fn shown(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
