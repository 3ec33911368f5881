//! Streams of server-sent events that are read on the machine of the server.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use memchr::memmem;

use crate::error::{BenchError, io_error};

/// Opens a stream; it has begun when this returns. What came with its beginning is lost.
pub(crate) fn open(target: SocketAddr, path: &str) -> Result<mio::net::TcpStream, BenchError> {
    let error = || io_error("opening a stream");
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {target}\r\nAccept: text/event-stream\r\n\r\n");
    let mut stream = TcpStream::connect(target).map_err(error())?;
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
    Ok(mio::net::TcpStream::from_std(stream))
}
