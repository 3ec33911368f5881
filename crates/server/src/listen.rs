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
use futures_util::FutureExt as _;
use futures_util::future::{Either, ready};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::Code;

use crate::alarm::Alarm;
use crate::foreign::{Doors, Foreign};
use crate::http::error::HttpError;
use crate::request_form::{self, HEADER_BYTES_MAX};
use crate::shortcut::Shortcut;
use crate::socket::{Line, Socket, Unread, Watched};

/// How long a client may take for a request's header, and how long a connection may be idle.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(75);
/// After an error of the listener itself (no file handles left): do not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a listener does with its connections.
pub(crate) struct Front {
    pub(crate) routes: Router,
    /// Tried before the routes.
    pub(crate) shortcut: Option<Shortcut>,
    /// Who is let in, when the listener leaves that to this loop.
    pub(crate) doors: Option<Doors>,
    pub(crate) connections_max: usize,
}

/// Serves until cancelled and every connection has ended.
pub(crate) async fn serve(listener: TcpListener, front: Front, cancel: CancellationToken) {
    let connections = TaskTracker::new();
    let permits = Arc::new(Semaphore::new(front.connections_max));
    let doors = front.doors.map(Arc::new);
    loop {
        let permit = tokio::select! {
            () = cancel.cancelled() => break,
            permit = Arc::clone(&permits).acquire_owned() => permit.expect("never closed"),
        };
        let (stream, peer) = tokio::select! {
            () = cancel.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => (stream, address.ip()),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        // An answer is one small write: waiting for more to send would only delay it.
        let _ = stream.set_nodelay(true);
        let routes = TowerToHyperService::new(front.routes.clone());
        let shortcut = front.shortcut.clone();
        let doors = doors.clone();
        let alarm = Alarm::new();
        let line = Arc::new(Line::new(peer));
        let unread = Unread::new(Arc::clone(&line), alarm.clone());
        let watching = unread.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = watching.watch(request);
            request_form::name_host(&mut request);
            if let Some(refusal) = doors.as_deref().and_then(|doors| refusal(doors, &request)) {
                return Either::Left(ready(Ok(refusal)));
            }
            let taken = match &shortcut {
                Some(shortcut) => shortcut(request),
                None => Either::Right(request),
            };
            Either::Right(match taken {
                Either::Left(answering) => Either::Left(answering.map(Ok)),
                Either::Right(mut request) => {
                    let line = Arc::clone(request.body().line());
                    request.extensions_mut().insert(line);
                    Either::Right(routes.call(request))
                }
            })
        });
        let cancel = cancel.clone();
        let stream = Socket::new(stream, permit, unread, cancel.clone());
        let task = connections.spawn(async move {
            let connection = http1::Builder::new()
                .timer(alarm)
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
        line.served_by(task.abort_handle());
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

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::extract::Request;
    use axum::routing::{get, post};
    use axum::{Extension, Json};
    use serde_json::Value;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::http::args::JsonBody;
    use crate::socket::BODY_WITHIN;

    const HEAD: &str = "POST /json HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";

    async fn connected(shortcut: Option<Shortcut>) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new()
            .route(
                "/json",
                post(async |JsonBody(body): JsonBody<Value>| Json(body)),
            )
            .route("/late", get(async || sleep(4 * HEADER_TIMEOUT).await))
            .route(
                "/over",
                get(async |Extension(line): Extension<Arc<Line>>| {
                    line.end();
                    sleep(HEADER_TIMEOUT).await;
                }),
            );
        let front = Front {
            routes,
            shortcut,
            doors: None,
            connections_max: 10,
        };
        tokio::spawn(serve(listener, front, CancellationToken::new()));
        TcpStream::connect(address).await.unwrap()
    }

    /// What comes until `end` does, or everything.
    async fn read(client: &mut TcpStream, end: &str) -> String {
        let mut text = String::new();
        let mut bytes = [0; 1024];
        while end.is_empty() || !text.ends_with(end) {
            let read = client.read(&mut bytes).await.unwrap_or(0);
            if read == 0 {
                break;
            }
            text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
        text
    }

    /// A part every ten seconds, as long as they are taken.
    async fn trickle(client: &mut TcpStream, part: &str) {
        for _ in 0..20 {
            sleep(Duration::from_secs(10)).await;
            if client.write_all(part.as_bytes()).await.is_err() {
                break;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_header_is_not_waited_for() {
        let mut client = connected(None).await;
        let began = Instant::now();
        client
            .write_all(b"GET /late HTTP/1.1\r\nx: ")
            .await
            .unwrap();
        assert_eq!(read(&mut client, "").await, "");
        assert_eq!(began.elapsed().as_secs(), HEADER_TIMEOUT.as_secs());
        // Nor is one that comes byte by byte.
        let mut client = connected(None).await;
        let began = Instant::now();
        let (mut reading, mut writing) = client.split();
        let mut nothing = [0; 1];
        tokio::select! {
            read = reading.read(&mut nothing) => assert_eq!(read.unwrap_or(0), 0),
            () = async {
                for _ in 0..20 {
                    sleep(Duration::from_secs(10)).await;
                    let _ = writing.write_all(b"x").await;
                }
            } => panic!("it is waited for"),
        }
        assert_eq!(began.elapsed().as_secs(), HEADER_TIMEOUT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_nothing_more_is_gone_and_who_waits_for_an_answer_has_it() {
        let mut client = connected(None).await;
        for _ in 0..3 {
            let asked = format!("{HEAD}content-length: 2\r\n\r\n[]");
            client.write_all(asked.as_bytes()).await.unwrap();
            // An array is no object: the answer is a problem, and ends with its brace.
            assert!(read(&mut client, "}").await.starts_with("HTTP/1.1 4"));
            sleep(HEADER_TIMEOUT - Duration::from_secs(1)).await;
        }
        let began = Instant::now();
        let late = b"GET /late HTTP/1.1\r\nhost: a\r\n\r\n";
        client.write_all(late).await.unwrap();
        assert!(
            read(&mut client, "\r\n\r\n")
                .await
                .starts_with("HTTP/1.1 200")
        );
        assert_eq!(began.elapsed(), 4 * HEADER_TIMEOUT);
        let answered = Instant::now();
        assert_eq!(read(&mut client, "").await, "");
        assert_eq!(answered.elapsed().as_secs(), HEADER_TIMEOUT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        for head in [
            "content-length: 50\r\n\r\n{",
            "transfer-encoding: chunked\r\n\r\n1\r\n{\r\n",
        ] {
            let mut client = connected(None).await;
            let began = Instant::now();
            client
                .write_all(format!("{HEAD}{head}").as_bytes())
                .await
                .unwrap();
            let refused = read(&mut client, "}").await;
            assert!(refused.starts_with("HTTP/1.1 408"), "{refused}");
            assert!(refused.contains("request_timeout"), "{refused}");
            assert_eq!(began.elapsed().as_secs(), BODY_WITHIN.as_secs());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_comes_slowly_has_no_more_time() {
        let mut client = connected(None).await;
        let began = Instant::now();
        let head = format!("{HEAD}content-length: 50\r\n\r\n{{");
        client.write_all(head.as_bytes()).await.unwrap();
        trickle(&mut client, " ").await;
        let refused = read(&mut client, "}").await;
        assert!(refused.starts_with("HTTP/1.1 408"), "{refused}");
        assert!(began.elapsed() >= BODY_WITHIN);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_over_ends_in_the_middle_of_a_request() {
        let mut client = connected(None).await;
        let began = Instant::now();
        let over = b"GET /over HTTP/1.1\r\nhost: a\r\n\r\n";
        client.write_all(over).await.unwrap();
        assert_eq!(read(&mut client, "").await, "");
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test]
    async fn what_a_shortcut_gives_back_has_its_route() {
        let shortcut: Shortcut = Arc::new(|request: Request<Watched>| {
            if request.uri().path() == "/late" {
                return Either::Left(Box::pin(async { Response::new(Body::from("straight")) }));
            }
            Either::Right(request)
        });
        let mut client = connected(Some(shortcut)).await;
        let late = b"GET /late HTTP/1.1\r\nhost: a\r\n\r\n";
        client.write_all(late).await.unwrap();
        assert!(
            read(&mut client, "straight")
                .await
                .starts_with("HTTP/1.1 200")
        );
        let asked = format!("{HEAD}content-length: 8\r\n\r\n{{\"a\": 1}}");
        client.write_all(asked.as_bytes()).await.unwrap();
        assert!(read(&mut client, "}").await.ends_with("{\"a\":1}"));
    }
}
