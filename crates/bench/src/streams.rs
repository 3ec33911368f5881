//! Streams of server-sent events that are read on the machine of the server.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use memchr::memmem;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::error::{BenchError, io_error};

/// Descriptors of a process beside very many streams.
pub(crate) const DESCRIPTORS_BESIDE: u64 = 1_024;
const READ_BYTES: usize = 256 << 10;
const EVENTS_MAX: usize = 1_024;
/// How often is looked whether to stop.
const LOOK: Duration = Duration::from_millis(100);

/// Opens a stream; it has begun when this returns. What came with its beginning is lost.
pub(crate) fn open(target: SocketAddr, path: &str) -> Result<TcpStream, BenchError> {
    let error = || io_error("opening a stream");
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {target}\r\nAccept: text/event-stream\r\n\r\n");
    let mut stream = std::net::TcpStream::connect(target).map_err(error())?;
    stream.write_all(request.as_bytes()).map_err(error())?;
    let mut head = [0; 1_024];
    let mut read = 0;
    while memmem::find(&head[..read], b"listening").is_none() {
        match stream.read(&mut head[read..]).map_err(error())? {
            0 => return Err(error()(ErrorKind::UnexpectedEof.into())),
            some => read += some,
        }
    }
    stream.set_nonblocking(true).map_err(error())?;
    Ok(TcpStream::from_std(stream))
}

/// What came on a stream.
pub(crate) enum Came<'a> {
    /// Whole ones, as they were sent.
    Events(&'a [u8]),
    /// The server ended it.
    End,
}

/// Reads all of them until `stop`; `each` is told which stream something came on.
pub(crate) fn read_all(
    mut streams: Vec<TcpStream>,
    stop: &AtomicBool,
    mut each: impl FnMut(usize, Came<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let mut poll = Poll::new()?;
    for (number, stream) in streams.iter_mut().enumerate() {
        poll.registry()
            .register(stream, Token(number), Interest::READABLE)?;
    }
    let mut ready = Events::with_capacity(EVENTS_MAX);
    let mut bytes = vec![0; READ_BYTES];
    // An event may come in two parts.
    let mut rests: Vec<Vec<u8>> = streams.iter().map(|_| Vec::new()).collect();
    while !stop.load(Ordering::Relaxed) {
        match poll.poll(&mut ready, Some(LOOK)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &ready {
            let number = event.token().0;
            let (stream, rest) = (&mut streams[number], &mut rests[number]);
            loop {
                match stream.read(&mut bytes) {
                    Ok(0) => {
                        poll.registry().deregister(stream)?;
                        each(number, Came::End)?;
                        break;
                    }
                    Ok(some) => {
                        rest.extend_from_slice(&bytes[..some]);
                        let whole = memmem::rfind(rest, b"\n\n").map_or(0, |end| end + 2);
                        each(number, Came::Events(&rest[..whole]))?;
                        rest.drain(..whole);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
    }
    Ok(())
}
