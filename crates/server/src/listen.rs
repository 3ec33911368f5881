//! The connection loop: HTTP/1.1 over TCP, bounded, with an orderly end.
//!
//! What always holds here: a client that sends half a header, or none, is gone after
//! [`HEADER_TIMEOUT`]; a connection past the bound waits in the system's backlog; when the server
//! stops, a request that was begun is answered and the connection then ends.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use axum::response::{IntoResponse as _, Response};
use futures_util::future::{Either, ready};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::Code;

use crate::foreign::{Doors, Foreign};
use crate::http::error::HttpError;
use crate::request_form::{self, HEADER_BYTES_MAX};
use crate::socket::{Socket, Unread, Watched};

/// How long a client may take for a request's header, and how long a connection may be idle.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(75);
/// After an error of the listener itself (no file handles left): do not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until cancelled and every connection has ended. `doors` are those of a listener that leaves
/// them to this one.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    doors: Option<Doors>,
    connections_max: usize,
    cancel: CancellationToken,
) {
    let connections = TaskTracker::new();
    let permits = Arc::new(Semaphore::new(connections_max));
    let doors = doors.map(Arc::new);
    loop {
        let permit = tokio::select! {
            () = cancel.cancelled() => break,
            permit = Arc::clone(&permits).acquire_owned() => permit.expect("never closed"),
        };
        let stream = tokio::select! {
            () = cancel.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        // An answer is one small write: waiting for more to send would only delay it.
        let _ = stream.set_nodelay(true);
        let routes = TowerToHyperService::new(router.clone());
        let doors = doors.clone();
        let unread = Unread::new();
        let watching = unread.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = watching.watch(request);
            request_form::name_host(&mut request);
            match doors.as_deref().and_then(|doors| refusal(doors, &request)) {
                Some(refusal) => Either::Left(ready(Ok(refusal))),
                None => Either::Right(routes.call(request)),
            }
        });
        let cancel = cancel.clone();
        let stream = Socket::new(stream, permit, unread, cancel.clone());
        connections.spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                // Without `pipeline_flush`: with it hyper buffers for a client that does not read
                // without any bound, and a slow listener is never seen to be slow.
                .max_buf_size(HEADER_BYTES_MAX)
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            tokio::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = cancel.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// Where a socket begins with a GET and changes things later.
const SOCKETS: &str = "/socket.io";

/// Why nothing more of a request is looked at, if so.
fn refusal(doors: &Doors, request: &Request<Watched>) -> Option<Response> {
    if let Err(wrong) = request_form::check(request) {
        return Some(wrong.into_response());
    }
    let may_change = !request.method().is_safe() || request.uri().path().starts_with(SOCKETS);
    let foreign = doors.check(may_change, request.headers()).err()?;
    Some(match foreign {
        Foreign::Page => HttpError::at(
            Code::CrossOrigin,
            "Origin",
            "a browser sent this for a page of another origin; only pages of this server may change anything",
        )
        .into_response(),
        Foreign::Name(name) => HttpError::at(
            Code::HostNotAllowed,
            "Host",
            format!(
                "without credentials this server is called by its address, `localhost`, a local name \
                 or the host of `public_url`, not by {name}"
            ),
        )
        .into_response(),
    })
}
