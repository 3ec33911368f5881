//! Server-sent events: `id` is the sequence, so `Last-Event-ID` resumes (HTML Living Standard,
//! 9.2).

use std::convert::Infallible;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use wire::Code;

use crate::http::args::single;
use crate::http::error::{HttpError, HttpResult};
use crate::realtime::watch::{Watch, WatchError};
use crate::state::App;

/// A comment line, so that proxies and clients know the stream is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// What a client waits before it comes back.
const RETRY: Duration = Duration::from_millis(1_000);

/// From where to resume: `Last-Event-ID` before `?since=`.
pub fn since(headers: &HeaderMap, query: Option<u64>) -> HttpResult<Option<u64>> {
    const NAME: &str = "Last-Event-ID";
    let value = single(headers, &HeaderName::from_static("last-event-id"))
        .map_err(|error| error.field(NAME))?;
    let Some(value) = value else {
        return Ok(query);
    };
    value.parse().map(Some).map_err(|_| {
        HttpError::at(
            Code::InvalidHeader,
            NAME,
            "must be the id of an event, a whole number",
        )
    })
}

/// The stream ends with the server: an open one would hold up its stop.
pub fn respond(app: &App, watch: Result<Watch, WatchError>) -> HttpResult<Response> {
    let watch = watch.map_err(|error| match error {
        WatchError::TooMany => {
            HttpError::new(Code::Overloaded, "as many listeners as this server takes")
        }
        WatchError::Engine(error) => error.into(),
    })?;
    let cancel = app.cancel.clone();
    let events = stream::unfold((watch, true), move |(mut watch, first)| {
        let cancel = cancel.clone();
        async move {
            if first {
                let hello = Event::default().retry(RETRY).comment("listening");
                return Some((Ok::<_, Infallible>(hello), (watch, false)));
            }
            let event = tokio::select! {
                () = cancel.cancelled() => return None,
                event = watch.next() => event?,
            };
            let event = Event::default()
                .id(event.seq.to_string())
                .event(event.name)
                .data(&*event.json);
            Some((Ok(event), (watch, false)))
        }
    });
    let keep_alive = KeepAlive::new().interval(HEARTBEAT).text("alive");
    let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
    // Proxies that buffer would hold the events back.
    response.headers_mut().insert(
        "x-accel-buffering",
        axum::http::HeaderValue::from_static("no"),
    );
    Ok(response)
}
