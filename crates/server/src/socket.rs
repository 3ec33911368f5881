//! One connection's socket, from its first byte to its last.
//!
//! What always holds here: it counts among the open ones until it is closed, whoever has it by then;
//! an answer that was given before its request was read to the end (too large, no credentials)
//! reaches a client that goes on sending; and who does not take what is sent to it is not read either,
//! and when it takes not a byte in [`STUCK_MAX`], it is gone.

use std::error::Error;
use std::future::Future as _;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use axum::http::Request;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::AbortHandle;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::alarm::Alarm;
use crate::listen::HEADER_TIMEOUT;

/// How long the rest of a request that was already answered is waited for, from one part to the next.
const LINGER_IDLE: Duration = Duration::from_secs(2);
/// And in all: as long as a body may take that is read.
const LINGER_MAX: Duration = Duration::from_secs(30);
/// How much of it is thrown away at a time, in bytes.
const LINGER_BYTES: usize = 16 * 1024;
/// How long nothing that is sent may be taken: as long as a connection may be idle. Without it who
/// never reads would hold a connection for ever.
const STUCK_MAX: Duration = HEADER_TIMEOUT;
/// The same once the server stops, which waits for everybody else.
const STUCK_AT_THE_END: Duration = Duration::from_secs(2);

/// The header and the body of an answer come as two parts. When they have no more bytes than this
/// together, to copy them costs the system less than to gather them.
const TOGETHER_BYTES: usize = 2048;
/// How long a client may take to send a body. A client that sends nothing must not hold its connection
/// for ever.
pub(crate) const BODY_WITHIN: Duration = Duration::from_secs(30);

/// What is read of a connection's requests: how long it is waited for, and whether there may be bytes of a
/// request that nobody has read.
///
/// A system that closes a socket with such bytes resets the connection, and the reset can overtake the
/// answer: a client that writes its whole request first would see a broken pipe.
#[derive(Clone)]
pub(crate) struct Unread {
    line: Arc<Line>,
    alarm: Alarm,
}

/// One connection, for those who answer its requests.
pub(crate) struct Line {
    pub(crate) peer: IpAddr,
    may_be_unread: AtomicBool,
    task: OnceLock<AbortHandle>,
}

impl Line {
    /// Nothing was read yet.
    pub(crate) fn new(peer: IpAddr) -> Self {
        Self {
            peer,
            may_be_unread: AtomicBool::new(true),
            task: OnceLock::new(),
        }
    }

    pub(crate) fn served_by(&self, task: AbortHandle) {
        // There is one for each.
        let _ = self.task.set(task);
    }

    /// Ends the connection, whatever is on its way.
    pub(crate) fn end(&self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

impl Unread {
    pub(crate) fn new(line: Arc<Line>, alarm: Alarm) -> Self {
        Self { line, alarm }
    }

    /// The next request, which says when it was read to its end.
    pub(crate) fn watch(&self, request: Request<Incoming>) -> Request<Watched> {
        let ends = request.body().is_end_stream();
        self.line.may_be_unread.store(!ends, Ordering::Relaxed);
        request.map(|body| Watched {
            body,
            line: Arc::clone(&self.line),
            unread: (!ends).then(|| self.clone()),
            until: None,
        })
    }

    fn is_possible(&self) -> bool {
        self.line.may_be_unread.load(Ordering::Relaxed)
    }
}

/// A request's body.
pub(crate) struct Watched {
    body: Incoming,
    line: Arc<Line>,
    /// Until it was read to its end.
    unread: Option<Unread>,
    /// When it is too late for the rest, once somebody waits for it.
    until: Option<Instant>,
}

impl Watched {
    pub(crate) fn line(&self) -> &Arc<Line> {
        &self.line
    }
}

/// Why a body was not read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body did not arrive within {} s", BODY_WITHIN.as_secs())]
    Late,
    #[error(transparent)]
    Http(#[from] hyper::Error),
}

impl BodyError {
    /// Whether that is at the bottom of it.
    pub(crate) fn is_late(error: &(dyn Error + 'static)) -> bool {
        let mut at = Some(error);
        while let Some(error) = at {
            if matches!(error.downcast_ref(), Some(Self::Late)) {
                return true;
            }
            at = error.source();
        }
        false
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let watched = self.get_mut();
        let frame = match Pin::new(&mut watched.body).poll_frame(context) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                let Some(unread) = &watched.unread else {
                    return Poll::Pending;
                };
                let late = || Instant::now() + BODY_WITHIN;
                let until = *watched.until.get_or_insert_with(late);
                ready!(unread.alarm.poll_until(until, context));
                return Poll::Ready(Some(Err(BodyError::Late)));
            }
        };
        if (frame.is_none() || watched.body.is_end_stream())
            && let Some(unread) = watched.unread.take()
        {
            unread.line.may_be_unread.store(false, Ordering::Relaxed);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The socket.
pub(crate) struct Socket {
    stream: TcpStream,
    _permit: OwnedSemaphorePermit,
    unread: Unread,
    closing: Option<Closing>,
    /// While nothing more can be written.
    stuck: Option<Box<Stuck>>,
    stopping: CancellationToken,
    /// Who wants to read meanwhile. What is read makes answers (of a WebSocket's pings, for one), and
    /// for those there would be no bound.
    reads_later: Option<Waker>,
}

/// The answer and the end were sent; the client's own end is waited for.
struct Closing {
    began: Instant,
    until: Pin<Box<Sleep>>,
}

/// The client takes nothing.
struct Stuck {
    /// When that is too long.
    until: Pin<Box<Sleep>>,
    /// It is too long sooner when the server stops.
    stopping: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl Stuck {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(stopping) = &mut self.stopping
            && stopping.as_mut().poll(context).is_ready()
        {
            self.stopping = None;
            let end = Instant::now() + STUCK_AT_THE_END;
            let until = self.until.deadline().min(end);
            self.until.as_mut().reset(until);
        }
        self.until.as_mut().poll(context)
    }
}

/// A client that vanished without a word takes nothing either: the system gives it up as soon (RFC 5482),
/// not after the quarter of an hour in which it would go on sending again.
#[cfg(target_os = "linux")]
fn give_up_who_vanished(stream: &TcpStream) {
    let within = u32::try_from(STUCK_MAX.as_millis()).expect("a minute or two");
    // Without it nothing is lost but time.
    let _ = rustix::net::sockopt::set_tcp_user_timeout(stream, within);
}

#[cfg(not(target_os = "linux"))]
fn give_up_who_vanished(_: &TcpStream) {}

impl Socket {
    /// `stopping` when the server begins to stop.
    pub(crate) fn new(
        stream: TcpStream,
        permit: OwnedSemaphorePermit,
        unread: Unread,
        stopping: CancellationToken,
    ) -> Self {
        give_up_who_vanished(&stream);
        Self {
            stream,
            _permit: permit,
            unread,
            closing: None,
            stuck: None,
            stopping,
            reads_later: None,
        }
    }

    /// What became of writing, unless it has waited for too long.
    fn bounded<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stuck = None;
            if let Some(reader) = self.reads_later.take() {
                reader.wake();
            }
            return written;
        }
        let stopping = &self.stopping;
        let stuck = self.stuck.get_or_insert_with(|| {
            Box::new(Stuck {
                until: Box::pin(sleep_until(Instant::now() + STUCK_MAX)),
                stopping: Some(Box::pin(stopping.clone().cancelled_owned())),
            })
        });
        ready!(stuck.poll(context));
        if let Some(reader) = self.reads_later.take() {
            reader.wake();
        }
        let late = "the client takes nothing of what is sent to it";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, late)))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let socket = self.get_mut();
        if socket.stuck.is_some() {
            socket.reads_later = Some(context.waker().clone());
            return Poll::Pending;
        }
        Pin::new(&mut socket.stream).poll_read(context, buffer)
    }
}

/// All parts as one, if they are small enough.
fn joined<'a>(parts: &[io::IoSlice<'_>], into: &'a mut [u8; TOGETHER_BYTES]) -> Option<&'a [u8]> {
    let mut used = 0;
    for part in parts {
        into.get_mut(used..used + part.len())?.copy_from_slice(part);
        used += part.len();
    }
    Some(&into[..used])
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let socket = self.get_mut();
        let written = Pin::new(&mut socket.stream).poll_write(context, bytes);
        socket.bounded(context, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let socket = self.get_mut();
        let mut together = [0; TOGETHER_BYTES];
        let written = match joined(parts, &mut together) {
            Some(whole) => Pin::new(&mut socket.stream).poll_write(context, whole),
            None => Pin::new(&mut socket.stream).poll_write_vectored(context, parts),
        };
        socket.bounded(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = self.get_mut();
        let closing = if let Some(closing) = &mut socket.closing {
            closing
        } else {
            ready!(Pin::new(&mut socket.stream).poll_shutdown(context))?;
            if !socket.unread.is_possible() {
                return Poll::Ready(Ok(()));
            }
            let began = Instant::now();
            socket.closing.insert(Closing {
                began,
                until: Box::pin(sleep_until(began + LINGER_IDLE)),
            })
        };
        let mut bytes = [0; LINGER_BYTES];
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut socket.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    let until = Instant::now() + LINGER_IDLE;
                    let last = closing.began + LINGER_MAX;
                    closing.until.as_mut().reset(until.min(last));
                }
                // The client has ended it, one way or the other.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return closing.until.as_mut().poll(context).map(Ok),
            }
            // Who never pauses is not read for ever.
            if closing.until.is_elapsed() || Instant::now() >= closing.began + LINGER_MAX {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::sync::Semaphore;

    use super::*;

    /// One connection: the server's end, and the client's.
    async fn connected(places: &Arc<Semaphore>) -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await;
        let (stream, _) = listener.accept().await.unwrap();
        let permit = Arc::clone(places).acquire_owned().await.unwrap();
        let line = Line::new(IpAddr::from([127, 0, 0, 1]));
        let unread = Unread::new(Arc::new(line), Alarm::new());
        let socket = Socket::new(stream, permit, unread, CancellationToken::new());
        (socket, client.unwrap())
    }

    #[test]
    fn small_parts_are_joined() {
        let bytes: Vec<u8> = (0..=255).cycle().take(2 * TOGETHER_BYTES).collect();
        for (first, second, fits) in [
            (0, 0, true),
            (200, 300, true),
            (0, TOGETHER_BYTES, true),
            (48, TOGETHER_BYTES - 48, true),
            (49, TOGETHER_BYTES - 48, false),
            (2 * TOGETHER_BYTES, 0, false),
        ] {
            let whole = &bytes[..first + second];
            let (first, second) = whole.split_at(first);
            let parts = [io::IoSlice::new(first), io::IoSlice::new(second)];
            let mut together = [0; TOGETHER_BYTES];
            assert_eq!(joined(&parts, &mut together), fits.then_some(whole));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_that_is_sent_is_gone() {
        let places = Arc::new(Semaphore::new(1));
        let (mut socket, client) = connected(&places).await;
        let part = vec![0; 1024 * 1024];
        let began = Instant::now();
        let ended = loop {
            if let Err(error) = socket.write_all(&part).await {
                break error;
            }
        };
        assert_eq!(ended.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() >= STUCK_MAX);
        drop(socket);
        assert_eq!(places.available_permits(), 1);
        drop(client);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_stops_waits_less_for_who_takes_nothing() {
        let (mut socket, _client) = connected(&Arc::new(Semaphore::new(1))).await;
        let stopping = socket.stopping.clone();
        let began = Instant::now();
        let part = vec![0; 1024 * 1024];
        let fill = async { while socket.write_all(&part).await.is_ok() {} };
        let stop = async {
            tokio::time::sleep(STUCK_AT_THE_END).await;
            stopping.cancel();
        };
        tokio::join!(fill, stop);
        assert!(began.elapsed() < 3 * STUCK_AT_THE_END);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn who_vanished_is_given_up_as_soon_as_who_takes_nothing() {
        let (socket, _client) = connected(&Arc::new(Semaphore::new(1))).await;
        let within = rustix::net::sockopt::tcp_user_timeout(&socket.stream).unwrap();
        assert_eq!(u128::from(within), STUCK_MAX.as_millis());
    }

    #[tokio::test]
    async fn who_takes_nothing_is_not_read_until_it_does() {
        let (socket, mut client) = connected(&Arc::new(Semaphore::new(1))).await;
        let (mut reading, mut writing) = tokio::io::split(socket);
        let part = vec![0; 64 * 1024];
        let mut sent = 0;
        while let Some(written) = writing.write(&part).now_or_never() {
            sent += written.unwrap();
        }
        client.write_all(b"ping").await.unwrap();
        let mut heard = [0; 4];
        let mut read = std::pin::pin!(reading.read_exact(&mut heard));
        // Whatever is there to be read.
        for _ in 0..100 {
            tokio::task::yield_now().await;
            assert!(futures_util::poll!(read.as_mut()).is_pending());
        }
        let mut writes = std::pin::pin!(writing.write_all(&part));
        let mut taken = vec![0; sent];
        let (_, taken) = tokio::join!(
            async { tokio::join!(writes.as_mut(), read.as_mut()) },
            async {
                client.read_exact(&mut taken).await.unwrap();
                client.read_exact(&mut vec![0; 64 * 1024]).await
            },
        );
        taken.unwrap();
        assert_eq!(&heard, b"ping");
    }
}
