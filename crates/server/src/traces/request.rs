//! The span of a request, from its header to the header of its answer: a stream of events is
//! traced until it begins.

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, Method};
use axum::middleware::{self, Next};
use axum::response::Response;
use engine::trace::{TRACEPARENT, TRACESTATE, TraceContext, within};
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;

use super::spans::{New, on};

/// Asked every few seconds by machines, and nobody's business otherwise.
const NEVER_BEGUN: [&str; 3] = ["/healthz", "/readyz", "/metrics"];
/// What the SDKs of AWS say they want done.
const AWS_TARGET: &str = "x-amz-target";

/// Which requests begin a trace when they come without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begins {
    /// All that are asked for by people and by shops.
    Most,
    /// None: whoever polls for messages would be most of what a collector sees.
    None,
}

/// These routes, with a span for each request; as they are when traces are off.
pub fn traced(routes: Router, begins: Begins) -> Router {
    if on().is_none() {
        return routes;
    }
    routes.layer(middleware::from_fn(move |request, next| {
        answer(begins, request, next)
    }))
}

async fn answer(begins: Begins, request: Request, next: Next) -> Response {
    let parent = parent(request.headers());
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map(|route| route.as_str().to_owned());
    let is_begun = match begins {
        Begins::Most => !NEVER_BEGUN.contains(&route.as_deref().unwrap_or_default()),
        Begins::None => false,
    };
    if parent.is_none() && !is_begun {
        return next.run(request).await;
    }
    let new = span(&request, route.as_deref());
    let open = on().and_then(|spans| spans.begin(parent.as_slice(), new));
    let Some(mut open) = open else {
        return next.run(request).await;
    };
    let response = within(open.trace(), next.run(request)).await;
    let status = response.status();
    let code = KeyValue::new("http.response.status_code", i64::from(status.as_u16()));
    open.set(&code);
    // What the client did wrong is no error of the server's.
    if status.is_server_error() {
        open.fail(status.as_str());
    }
    open.end();
    response
}

/// What a path holds may be a key to something: only the route is told.
fn span(request: &Request, route: Option<&str>) -> New {
    let method = match *request.method() {
        Method::GET
        | Method::POST
        | Method::PUT
        | Method::PATCH
        | Method::DELETE
        | Method::HEAD
        | Method::OPTIONS => request.method().as_str(),
        // Anybody may invent one.
        _ => "_OTHER",
    };
    let mut attributes = vec![
        KeyValue::new("http.request.method", method.to_owned()),
        KeyValue::new("url.scheme", "http"),
    ];
    let shown = if method == "_OTHER" { "HTTP" } else { method };
    let mut name = shown.to_owned();
    if let Some(route) = route {
        name = format!("{shown} {route}");
        attributes.push(KeyValue::new("http.route", route.to_owned()));
    }
    if let Some(target) = aws_target(request.headers()) {
        name.clone_from(&target);
        attributes.push(KeyValue::new("rpc.method", target));
    }
    New {
        name: name.into(),
        kind: SpanKind::Server,
        attributes,
        links: Vec::new(),
    }
}

/// `AmazonSQS.SendMessage`.
fn aws_target(headers: &HeaderMap) -> Option<String> {
    let target = headers.get(AWS_TARGET)?.to_str().ok()?;
    let is_plain = target
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    (is_plain && target.len() <= 100).then(|| target.to_owned())
}

/// The trace that a request comes with: none when there is none, more than one, or none that can
/// be read; then a new one is begun (W3C Trace Context, 4.2).
fn parent(headers: &HeaderMap) -> Option<TraceContext> {
    let mut parents = headers.get_all(TRACEPARENT).iter();
    let (parent, more) = (parents.next()?.to_str().ok()?, parents.next());
    if more.is_some() {
        return None;
    }
    let states = headers.get_all(TRACESTATE).iter();
    let states: Option<Vec<&str>> = states.map(|state| state.to_str().ok()).collect();
    let state = states.map(|states| states.join(","));
    TraceContext::parse(parent.trim(), state.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_request_has_one_parent_and_any_number_of_states() {
        let found = parent(&headers(&[
            ("traceparent", PARENT),
            ("tracestate", "a=1"),
            ("tracestate", "b=2"),
        ]));
        let found = found.unwrap();
        assert_eq!(found.traceparent(), PARENT);
        assert_eq!(found.state.as_deref(), Some("a=1,b=2"));
        let twice = [("traceparent", PARENT), ("traceparent", PARENT)];
        assert_eq!(parent(&headers(&twice)), None);
        assert_eq!(parent(&headers(&[("traceparent", "00-1-2-01")])), None);
        assert_eq!(parent(&headers(&[("tracestate", "a=1")])), None);
    }

    #[test]
    fn a_span_tells_the_route_and_not_the_path() {
        let request = Request::builder()
            .method("BREW")
            .uri("/orders/ord_secret?token=secret")
            .header(AWS_TARGET, "Amazon SQS")
            .body(axum::body::Body::empty())
            .unwrap();
        let new = span(&request, Some("/orders/{id}"));
        assert_eq!(new.name, "HTTP /orders/{id}");
        assert!(!format!("{:?}", new.attributes).contains("secret"));
        assert!(format!("{:?}", new.attributes).contains("_OTHER"));
    }
}
