//! Calls to others as part of a trace: they are told which, and the call is a span.

use bytes::Bytes;
use engine::trace::{TRACEPARENT, TRACESTATE};
use mail::Outcome;
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use outgoing::{CallError, Client, Response};

use super::spans::{New, Open, begin_here};

/// As [`Client::post_json`].
///
/// # Errors
/// The same.
pub async fn post_json(
    client: &Client,
    url: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Result<Response, CallError> {
    let Some(mut open) = begin_here(|| span(client, url)) else {
        return client.post_json(url, headers, body).await;
    };
    let context = open.first();
    let parent = context.traceparent();
    let mut headers = headers.to_vec();
    headers.push((TRACEPARENT, &parent));
    if let Some(state) = &context.state {
        headers.push((TRACESTATE, state));
    }
    let answer = client.post_json(url, &headers, body).await;
    tell(&mut open, &answer);
    open.end();
    answer
}

/// A URL may hold a token: only its host is told.
fn span(client: &Client, url: &str) -> New {
    let mut attributes = vec![KeyValue::new("http.request.method", "POST")];
    if let Ok(target) = client.check(url) {
        attributes.push(KeyValue::new("server.address", target.name()));
        attributes.push(KeyValue::new("server.port", i64::from(target.port())));
    }
    New {
        name: "POST".into(),
        kind: SpanKind::Client,
        attributes,
        links: Vec::new(),
    }
}

fn tell(open: &mut Open, answer: &Result<Response, CallError>) {
    match answer {
        Ok(response) => {
            let status = i64::from(response.status);
            open.set(&KeyValue::new("http.response.status_code", status));
            if response.status >= 400 {
                open.fail(&response.status.to_string());
            }
        }
        Err(error) => open.fail(error.code()),
    }
}

/// An e-mail on its way to a server or a mailbox; whose it is is not told.
pub async fn mail(sending: impl Future<Output = Outcome>) -> Outcome {
    let new = || New {
        name: "send e-mail".into(),
        kind: SpanKind::Client,
        attributes: Vec::new(),
        links: Vec::new(),
    };
    let Some(mut open) = begin_here(new) else {
        return sending.await;
    };
    let outcome = sending.await;
    open.set(&KeyValue::new("firstcome.outcome", outcome.code()));
    match &outcome {
        Outcome::Delivered { .. } => {}
        Outcome::Refused(_) | Outcome::Failed(_) => open.fail(outcome.code()),
    }
    open.end();
    outcome
}
